#!/usr/bin/env python3
"""How long a server takes until it is ready, and how much memory it has then.

    cargo build --release --bin orest
    benches/start_up.py                                       # a demo on SQLite, with 1,000,000 authorizations
    benches/start_up.py --users 100000                        # and with 100,000 users more
    benches/start_up.py --users 100000 --database postgres://postgres@localhost/empty

"Ready" is the first 200 of `/ready`: all that checks of tokens need is in memory. It counts from the start of the process.
With --data-dir what was made is kept; a folder that a server has used already is measured as it is.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "clients"))

from server import answers, free_port  # noqa: E402

BINARY = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/orest"


def measure(command, address, patience=60):
    """Starts it once; seconds until it is ready, seconds of loading, processor seconds, MB at most, resident and its own."""
    with tempfile.TemporaryFile("w+") as log:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not answers(f"http://{address}/ready"):
                if process.poll() is not None or time.monotonic() - started > patience:
                    log.seek(0)
                    raise SystemExit(log.read())
                time.sleep(0.005)
            ready = time.monotonic() - started
            proc = Path(f"/proc/{process.pid}")
            status = (proc / "status").read_text()
            kilobytes = {name: int(number) for name, number in re.findall(r"^(Vm\w+|RssAnon):\s+(\d+) kB", status, re.M)}
            fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
            processor = (int(fields[11]) + int(fields[12])) / 100
        finally:
            process.terminate()
            process.wait()
        log.seek(0)
        loaded = re.search(r'the live state is loaded (.*) seconds="?([\d.]+)', log.read())
        memory = [kilobytes[name] / 1024 for name in ("VmHWM", "VmRSS", "RssAnon")]
        return loaded.group(1), (ready, float(loaded.group(2)), processor, *memory)


def main():
    """Makes what is to be measured, measures some rounds, and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=BINARY)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--database", help="a PostgreSQL URL")
    parser.add_argument("--users", type=int, default=0, help="how many beside the demo's own")
    parser.add_argument("--authorizations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        address = f"127.0.0.1:{free_port()}"
        data = options.data_dir or Path(temporary)
        place = ["--data-dir", data] + (["--database-url", options.database] if options.database else [])
        serve = [options.binary, "serve", *place, "--listen", address]
        if not (data / "sealing-keys").exists():
            measure([*serve, "--demo"], address)
            more = {"--users": options.users, "--authorizations": options.authorizations}
            more = [word for flag, count in more.items() if count for word in (flag, str(count))]
            subprocess.run([options.binary, "demo", *place, *more], check=True, stdout=subprocess.DEVNULL)
        # The first start after a million writes also tidies up.
        measure(serve, address)
        rounds = [measure(serve, address) for _ in range(options.rounds)]
    print(rounds[0][0], "\n")
    names = ["ready after, s", "of that loading, s", "processor, s"]
    names += ["memory at most until then, MB", "memory then, MB", "of that its own, MB"]
    print("| what | median | most |\n| --- | ---: | ---: |")
    for name, figures in zip(names, zip(*(figures for _, figures in rounds))):
        print(f"| {name} | {statistics.median(figures):.2f} | {max(figures):.2f} |")


if __name__ == "__main__":
    main()
