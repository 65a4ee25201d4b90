"""Runs the client scripts, each against a demo server, and counts their checks.

    python run.py --binary PATH/TO/orest [--npm DIR] [--odoo-api PATH] [--logs DIR] [NAME...]

It prints `N passed, N failed` at the end and exits with 1 if anything failed or nothing ran.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import Server

HERE = Path(__file__).resolve().parent
TIMEOUT_SECONDS = 300
SHOWN_MAX = 20

# Scripts that are given demo.json of a server that is there, and scripts that are given the binary and start servers of their own.
WITH_SERVER = {
    "odoorpc": "odoorpc_client.py",
    "odoolib": "odoolib_client.py",
    "odooly": "odooly_client.py",
    "odoo-jsonrpc": "odoo_jsonrpc.mjs",
    "fetch": "fetch_session.mjs",
    "odoo-api": "odoo-api-client",
    "authlib": "authlib_client.py",
    "openid-client": "openid_client.mjs",
    "app-services": "app_services.mjs",
    "cloudflare-python": "cloudflare_client.py",
    "cloudflare-npm": "cloudflare_client.mjs",
}
WITH_BINARY = {"golden": "golden.py", "gateway": "gateway.py", "openapi": "openapi_fuzz.py", "main-job": "main_job.py", "kill": "kill.py"}
# What the scripts count on besides `--demo`.
SETTINGS = ["--access-accounts", "acme", "--access-zones", "acme-zone"]


def command_of(name, options):
    """How the script is run."""
    script = {**WITH_SERVER, **WITH_BINARY}[name]
    if script.endswith(".py"):
        return [sys.executable, str(HERE / script)]
    if script.endswith(".mjs"):
        return ["node", str(Path(options.npm) / script)]
    return [options.odoo_api]


def run(name, argument, options):
    """Runs one script; how many checks passed and failed."""
    log_path = Path(options.logs) / f"client-{name}.log"
    started = time.monotonic()
    ended = ""
    with open(log_path, "wb") as log:
        try:
            code = subprocess.run(
                command_of(name, options) + [argument], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS, env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}, check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code, ended = 1, f"not ok - {name}: still running after {TIMEOUT_SECONDS} s"
        except OSError as error:
            code, ended = 1, f"not ok - {name}: {error}"
    text = log_path.read_text(encoding="utf-8", errors="replace")
    passed = len(re.findall(r"^ok - ", text, re.M))
    failed = len(re.findall(r"^not ok - ", text, re.M))
    if not ended and ((code != 0) != (failed > 0) or not re.search(r"^# done$", text, re.M)):
        ended = f"not ok - {name}: ended early, with code {code}"
    if ended:
        failed += 1
    print(f"  {name}: {passed} passed, {failed} failed ({time.monotonic() - started:.1f} s)", flush=True)
    if failed:
        lines = text.splitlines()
        wrong = [index for index, line in enumerate(lines) if line.startswith("not ok - ")]
        for index in wrong[:SHOWN_MAX]:
            print(f"    {lines[index]}")
            if index + 1 < len(lines) and lines[index + 1].startswith("#"):
                print(f"    {lines[index + 1][:1000]}")
        if len(wrong) > SHOWN_MAX:
            print(f"    and {len(wrong) - SHOWN_MAX} more")
        if ended:
            print(f"    {ended}\n" + "\n".join(f"    | {line}" for line in lines[-15:]))
        print(f"    whole log: {log_path}", flush=True)
    return passed, failed


def main():
    """Runs what was asked for, or everything that there is a runtime for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the built orest")
    parser.add_argument("--npm", default=str(HERE / "npm"), help="the folder with the scripts and their node_modules")
    parser.add_argument("--odoo-api", default=str(HERE / "rust/target/debug/odoo-api-client"), help="the built rust client")
    parser.add_argument("--logs", default=tempfile.gettempdir(), help="where the full logs go")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*WITH_SERVER, *WITH_BINARY])}; all by default")
    options = parser.parse_args()
    unknown = set(options.names) - {*WITH_SERVER, *WITH_BINARY}
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}")
    names = options.names or [*WITH_SERVER, *WITH_BINARY]
    passed = failed = 0

    def add(result):
        nonlocal passed, failed
        passed, failed = passed + result[0], failed + result[1]

    shared = [name for name in names if name in WITH_SERVER]
    if shared:
        with tempfile.TemporaryDirectory(prefix="orest-clients-") as folder, Server(options.binary, folder, arguments=SETTINGS) as server:
            try:
                server.start(demo=True)
                mode = os.stat(server.demo_path()).st_mode & 0o777
                print(f"  {'ok' if mode == 0o600 else 'not ok'} - demo.json can be read by its owner alone", flush=True)
                add((1, 0) if mode == 0o600 else (0, 1))
                for name in shared:
                    add(run(name, server.demo_path(), options))
                    if server.process.poll() is not None:
                        print(f"  not ok - the server ended with code {server.process.returncode} during {name}", flush=True)
                        add((0, 1))
                        break
                log = Path(server.log_path).read_text(encoding="utf-8", errors="replace")
                if "panicked" in log:
                    print("  not ok - the server's log tells of a panic", flush=True)
                    add((0, 1))
            except (RuntimeError, OSError) as error:
                print(f"  not ok - no demo server: {error}", flush=True)
                add((0, 1))
            finally:
                if os.path.exists(server.log_path):
                    (Path(options.logs) / "client-server.log").write_bytes(Path(server.log_path).read_bytes())
    for name in names:
        if name in WITH_BINARY:
            add(run(name, options.binary, options))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
