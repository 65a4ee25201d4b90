#!/usr/bin/env python3
"""How long a server takes until it is ready, and how much memory it has then.

    orest serve --demo --data-dir DIR                     # once, and end it
    orest demo --data-dir DIR --authorizations 1000000
    benches/start_up.py --data-dir DIR [--database URL] [--binary target/release/orest] [--rounds 5]

"Ready" is the first 200 of `/ready`: all that checks of tokens need is in memory. It counts from the start of the process.
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path


def measure(command, address):
    """Starts it once; seconds until it is ready, seconds of loading, processor seconds, MB resident, MB of it its own."""
    with tempfile.TemporaryFile("w+") as log:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not is_ready(address):
                if process.poll() is not None or time.monotonic() - started > 60:
                    log.seek(0)
                    raise SystemExit(log.read())
                time.sleep(0.005)
            ready = time.monotonic() - started
            proc = Path(f"/proc/{process.pid}")
            status = (proc / "status").read_text()
            kilobytes = {name: int(number) for name, number in re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status, re.M)}
            fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
            processor = (int(fields[11]) + int(fields[12])) / 100
        finally:
            process.terminate()
            process.wait()
        log.seek(0)
        loading = float(re.search(r'the live state is loaded.* seconds="?([\d.]+)', log.read()).group(1))
        return ready, loading, processor, kilobytes["VmRSS"] / 1024, kilobytes["RssAnon"] / 1024


def is_ready(address):
    """Whether it answers, and with 200."""
    try:
        with urllib.request.urlopen(f"http://{address}/ready", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def main():
    """Measures some rounds and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/orest")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--database")
    parser.add_argument("--listen", default="127.0.0.1:8390")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    command = [options.binary, "serve", "--data-dir", options.data_dir, "--listen", options.listen]
    if options.database:
        command += ["--database-url", options.database]
    rounds = [measure(command, options.listen) for _ in range(options.rounds)]
    names = ("ready after, s", "of that loading, s", "processor, s", "resident, MB", "of that its own, MB")
    print("| what | median | most |\n| --- | ---: | ---: |")
    for name, figures in zip(names, zip(*rounds)):
        print(f"| {name} | {statistics.median(figures):.2f} | {max(figures):.2f} |")


if __name__ == "__main__":
    main()
