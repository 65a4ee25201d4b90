"""What a part of the trial found: a line for each check, and how many held."""

import time


class Report:
    """The checks of one part. Each is printed as it is made; the log holds them too."""

    def __init__(self, name, log_path):
        self.name, self.log_path = name, log_path
        self.passed = self.failed = 0
        self.started = time.monotonic()
        log_path.write_text("", encoding="utf-8")

    def line(self, text):
        """Prints a line and keeps it."""
        print(f"    {text}", flush=True)
        with open(self.log_path, "a", encoding="utf-8") as log:
            log.write(f"{text}\n")

    def check(self, what, holds, detail=None):
        """Counts one check; `detail` tells what was seen instead. Returns whether it holds."""
        if holds:
            self.passed += 1
            self.line(f"ok - {what}")
        else:
            self.failed += 1
            self.line(f"not ok - {what}")
            if detail is not None:
                self.line(f"#   {detail}")
        return bool(holds)

    def equal(self, what, got, expected):
        """Checks that two values are equal."""
        return self.check(what, got == expected, f"got {got!r}, expected {expected!r}")

    def count(self, what, passed, failed, detail=None):
        """Counts many checks that are told of in one line."""
        self.passed += passed
        self.failed += failed
        self.line(f"{'not ok' if failed else 'ok'} - {what}: {passed} passed, {failed} failed")
        if failed and detail is not None:
            self.line(f"#   {detail}")

    def say(self, text):
        """Tells what is going on."""
        self.line(f"# {time.monotonic() - self.started:5.1f} s: {text}")
