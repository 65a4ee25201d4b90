#!/usr/bin/env python3
"""What the service costs over HTTP, beside a bare axum handler in the same minute.

    cargo build --release --bin orest --example bare
    benches/over_http.py [--authorizations 1000000] [--rounds 5] [--seconds 4] [--connections 32]

Needs wrk (Debian: apt-get install wrk). Everything listens on loopback and ends with the script. Prints a table in
Markdown; the machines that this runs on are noisy, so look at the ratios.
"""

import argparse
import base64
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "clients"))

from server import free_port  # noqa: E402

RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"


def wait_for(port, process):
    """Waits for an answer: the port is taken before the server serves."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit("a server ended before it answered")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/web/health")
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("a server did not start")


def rss(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def call(url, path, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def execute(url, model, method, *args, **kwargs):
    params = {"service": "object", "method": "execute_kw", "args": ["orest", 2, "admin", model, method, list(args), kwargs]}
    answer = call(url, "/jsonrpc", {"params": params})
    if "error" in answer:
        raise SystemExit(answer["error"]["data"]["message"])
    return answer["result"]


def timed(work):
    start = time.perf_counter()
    result = work()
    return (time.perf_counter() - start) * 1000, result


def load(port, script, seconds, connections):
    """Requests a second, and the 99th percentile of the latency in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{port}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(output)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authorizations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    folder = tempfile.TemporaryDirectory()
    data = Path(folder.name) / "data"
    quiet = {**os.environ, "OREST_LOG": "warn", "OREST_DATA_DIR": str(data)}
    processes = []

    def start(*command):
        process = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL)
        processes.append(process)
        return process

    try:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        serve = (str(RELEASE / "orest"), "serve", "--demo", "--listen", f"127.0.0.1:{port}")
        server = start(*serve)
        wait_for(port, server)
        adding, _ = timed(lambda: subprocess.run([RELEASE / "orest", "demo", "--authorizations", str(options.authorizations)],
                                                 env=quiet, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        server.terminate()
        server.wait()

        begun = time.perf_counter()
        server = start(*serve)
        wait_for(port, server)
        demo = json.loads((data / "demo.json").read_text())
        application = demo["applications"][0]
        pair = base64.b64encode(f"{application['client_id']}:{application['client_secret']}".encode()).decode()
        basic = {"Authorization": f"Basic {pair}", "Content-Type": "application/x-www-form-urlencoded"}
        form = f"token={demo['access_token']}"
        answer = call(url, "/oauth2/introspect", form.encode(), basic)
        up = (time.perf_counter() - begun) * 1000
        assert answer["active"], answer
        time.sleep(5)
        memory = rss(server)

        script = Path(folder.name) / "introspect.lua"
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in basic.items())
        script.write_text(f'wrk.method = "POST"\nwrk.path = "/oauth2/introspect"\nwrk.body = "{form}"\n{headers}\n')
        bare_port = free_port()
        bare = start(str(RELEASE / "examples" / "bare"), f"127.0.0.1:{bare_port}")
        wait_for(bare_port, bare)
        rows = []
        for _ in range(options.rounds):
            ours = load(port, script, options.seconds, options.connections)
            theirs = load(bare_port, script, options.seconds, options.connections)
            rows.append((ours, theirs))
        ratio = statistics.median(ours[0] / theirs[0] for ours, theirs in rows)

        ids = execute(url, "orest.authorization", "search", [["state", "=", "live"]], limit=10_000)
        warm, _ = timed(lambda: execute(url, "orest.authorization", "search_count", [["id", "in", ids[:10]]]))
        page, _ = timed(lambda: execute(url, "orest.authorization", "web_search_read", [], {"user_id": {}, "state": {}}, limit=80))
        many, receipt = timed(lambda: execute(url, "orest.authorization", "action_revoke_tokens", ids))
        filled, _ = timed(lambda: execute(url, "orest.authorization", "search_count", [["state", "=", "revoked"]]))
        everything, all_of_it = timed(lambda: execute(url, "orest.authorization", "revoke_domain", [["state", "=", "live"]]))
    finally:
        for process in processes:
            process.kill()
            process.wait()
        folder.cleanup()

    median = lambda values: statistics.median(list(values))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.authorizations:,} authorizations, "
          f"{options.connections} connections, {options.rounds} rounds of {options.seconds} s\n")
    print("| what | figure |\n| --- | --- |")
    print(f"| introspection, requests a second (median) | {median(ours[0] for ours, _ in rows):,.0f} |")
    print(f"| bare handler, requests a second (median) | {median(theirs[0] for _, theirs in rows):,.0f} |")
    print(f"| **ratio** (median of the rounds) | **{ratio:.2f}** |")
    print(f"| introspection, p99 (median) | {median(ours[1] for ours, _ in rows):.2f} ms |")
    print(f"| bare handler, p99 (median) | {median(theirs[1] for _, theirs in rows):.2f} ms |")
    print(f"| start to the first right introspection | {up:,.0f} ms |")
    print(f"| memory once warm | {memory:,.0f} MB |")
    print(f"| authorizations added by `orest demo` | {options.authorizations / adding * 1000:,.0f} a second |")
    print(f"| a call that finds next to nothing, for comparison | {warm:.1f} ms |")
    print(f"| first page of 80 of the list | {page:.1f} ms |")
    print(f"| revoke {receipt['revoked']:,} by ids, durable and answered | {many:.1f} ms |")
    print(f"| a count by state right after, which waits for the columns | {filled:,.0f} ms |")
    print(f"| revoke {all_of_it['revoked']:,} by search domain, found, durable and answered | {everything:,.0f} ms |")


if __name__ == "__main__":
    main()
