"""Programs that a test starts and ends: nothing is left behind, whatever happens to the test."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Ended(RuntimeError):
    """A program ended that should have gone on, or failed; the message has the end of its log."""


def make_folder(prefix):
    """A new folder that everybody may enter; the ones of those who were killed and could not remove theirs are gone.

    Not below target/: what refuses to run as root runs as nobody, who may not enter there, and a socket's path must be short.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*-*"):
        pid = path.name.removeprefix(prefix).split("-")[0]
        if pid.isdigit() and path.stat().st_uid == os.geteuid() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))
    folder.chmod(0o711)
    return folder


def unprivileged():
    """How to start what refuses to run as root: as nobody if we are root, as ourselves if not."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def own(path):
    """Hands a path that we made to whom `unprivileged` starts programs as."""
    who = unprivileged()
    if who:
        os.chown(path, who["user"], who["group"])


def die_with_us(stop_signal=signal.SIGTERM):
    """What a child does before it becomes another program, so that the kernel ends it when we are killed."""
    return lambda: LIBC.prctl(PR_SET_PDEATHSIG, stop_signal)


class Process:
    """A running program with a log. It is ended with us: asked to by `stop`, and by the kernel if we are killed."""

    def __init__(self, command, log_path, stop_signal=signal.SIGTERM, **options):
        self.log_path, self.stop_signal = str(log_path), stop_signal
        with open(log_path, "ab") as log:
            # A group of its own: Ctrl-C is for us, and we end what we started in our own order.
            self.popen = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_us(stop_signal), **options,
            )

    def wait_until(self, ready, seconds, what):
        """Waits until `ready()` holds."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.popen.poll() is not None:
                raise Ended(f"{what} ended with code {self.popen.returncode}:\n{tail(self.log_path)}")
            if time.monotonic() > deadline:
                raise Ended(f"{what} did not answer within {seconds} s:\n{tail(self.log_path)}")
            time.sleep(0.05)

    def is_running(self):
        """Whether it has not ended by itself."""
        return self.popen.poll() is None

    def stop(self):
        """Asks it to end, and ends it and its children if it does not."""
        if self.is_running():
            self.popen.send_signal(self.stop_signal)
            try:
                self.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


def tail(path, lines=30):
    """The end of a log."""
    with open(path, encoding="utf-8", errors="replace") as log:
        return "".join(log.readlines()[-lines:])
