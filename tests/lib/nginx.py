"""An nginx of one's own, on loopback."""

import shutil
from pathlib import Path

from processes import Process

# Debian keeps it where only root's PATH leads.
BINARIES = ("nginx", "/usr/sbin/nginx")

MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""


def find_binary():
    """Where nginx is; None if it is not there."""
    return next(filter(None, map(shutil.which, BINARIES)), None)


class Nginx:
    """A running nginx; `http` is what stands in its block of that name."""

    def __init__(self, folder, http):
        self.folder = Path(folder)
        self.config = self.folder / "nginx.conf"
        self.config.write_text(MAIN.format(folder=self.folder, http=http), encoding="utf-8")
        self.process = None

    def start(self, ready, seconds=20):
        """Starts it and waits until `ready()` holds."""
        self.process = Process([find_binary(), "-c", self.config, "-p", self.folder, "-e", "stderr"], self.folder / "nginx.log")
        self.process.wait_until(ready, seconds, "nginx")

    def stop(self):
        """Ends it."""
        if self.process:
            self.process.stop()
