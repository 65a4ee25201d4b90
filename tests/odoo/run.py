"""The module in a real Odoo 14, against the built service.

    python run.py --binary PATH/TO/orest [--cache DIR] [--logs DIR] [--npm DIR] [PART...]

It prints `N passed, N failed` at the end and exits with 1 if anything failed or nothing ran.
"""

import argparse
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parent.parent / name) for name in ("clients", "lib")]

import browser_tests  # noqa: E402
import lint  # noqa: E402
import module_tests  # noqa: E402
import parity  # noqa: E402
import scale  # noqa: E402
from lab import Lab, on_terminate  # noqa: E402
from packages import Unavailable  # noqa: E402
from processes import Ended  # noqa: E402
from report import Report  # noqa: E402

PARTS = {
    "lint": lint.run,
    "module": module_tests.run,
    "browser": browser_tests.run,
    "parity": parity.run,
    "scale": scale.run,
}
# Not run unless it is named.
ONLY_NAMED = {"scale"}


def run_part(name, lab, options):
    """Runs one part; how many checks passed and failed."""
    print(f"  {name}: {sys.modules[PARTS[name].__module__].__doc__.splitlines()[0]}", flush=True)
    report = Report(name, lab.logs / f"odoo-{name}.log")
    try:
        PARTS[name](lab, report, options)
        if report.passed + report.failed == 0:
            report.check("something was checked", False)
    except (Ended, OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        report.check("the part runs to its end", False, error)
        with open(report.log_path, "a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
    print(f"  {name}: {report.passed} passed, {report.failed} failed ({time.monotonic() - report.started:.1f} s)", flush=True)
    return report.passed, report.failed


def main():
    """Runs what was asked for, or all that is part of every run."""
    target = Path(__file__).resolve().parent.parent.parent / "target"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=target / "debug" / "orest", help="the built orest")
    parser.add_argument("--cache", default=target / "odoo", help="where Odoo is kept, and what is made once")
    parser.add_argument("--logs", default=target / "test-logs", help="where the full logs go")
    parser.add_argument("--npm", default=target / "odoo" / "npm", help="the folder with the browser's scripts and their node_modules")
    parser.add_argument("names", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all but {', '.join(ONLY_NAMED)}")
    options = parser.parse_args()
    unknown = set(options.names) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, on_terminate)
    started = time.monotonic()
    passed = failed = 0

    def say(text):
        print(f"  {time.monotonic() - started:5.1f} s: {text}", flush=True)

    try:
        with Lab(options.binary, options.cache, options.logs, say) as lab:
            say("PostgreSQL and Odoo are ready")
            for name in options.names or [name for name in PARTS if name not in ONLY_NAMED]:
                counts = run_part(name, lab, options)
                passed, failed = passed + counts[0], failed + counts[1]
    except (Ended, Unavailable, OSError, subprocess.SubprocessError) as error:
        failed += 1
        print(f"  not ok - {error}", flush=True)
    except KeyboardInterrupt:
        print("  interrupted: what was started is ended", flush=True)
        return 130
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
