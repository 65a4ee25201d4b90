"""Starts, stops and kills the built server on a data folder, on a free port of this machine."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

START_SECONDS = 60
STOP_SECONDS = 30


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    """Whether a GET is answered, and with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Server:
    """A server of ours. Its settings come from the arguments alone: variables that start with OREST_ are not handed on."""

    # More for `subprocess.Popen`.
    popen_options = {}

    def __init__(self, binary, data_dir, port=None, arguments=()):
        self.arguments = list(arguments)
        self.binary = os.path.abspath(binary)
        self.data_dir = str(data_dir)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = os.path.join(self.data_dir, "server.log")
        self.process = None

    def start(self, demo=False, admin_password=None):
        """Starts it and waits until it answers. The first start without demo makes the administrator, with this password."""
        os.makedirs(self.data_dir, exist_ok=True)
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data_dir, *self.arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OREST_")}
        if admin_password:
            environment["OREST_ADMIN_PASSWORD"] = admin_password
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command + (["--demo"] if demo else []),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, **self.popen_options,
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{self.url}/web/health"):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with code {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server did not answer within {START_SECONDS} s:\n{self.log_tail()}")
            time.sleep(0.05)
        return self

    def demo(self):
        """What the demo wrote into its data folder, and where."""
        with open(self.demo_path(), encoding="utf-8") as file:
            return json.load(file)

    def demo_path(self):
        """The file with the demo's passwords and tokens."""
        return os.path.join(self.data_dir, "demo.json")

    def stop(self):
        """Asks it to end (SIGTERM) and returns its exit code; None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                return None
        return self.process.returncode

    def kill(self):
        """Ends it at once (SIGKILL)."""
        self.process.kill()
        self.process.wait()

    def log_tail(self, lines=30):
        """The end of what it printed."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
