"""A Caddy of one's own, on loopback, with certificates of its own making."""

import os
import shutil
from pathlib import Path

from processes import Process

MAIN = """{{
    admin off
    default_bind 127.0.0.1
    https_port {port}
    auto_https disable_redirects
    local_certs
    skip_install_trust
}}
{sites}
"""


def find_binary():
    """Where Caddy is; None if it is not there."""
    return shutil.which("caddy")


class Caddy:
    """A running Caddy; `sites` is what stands in its Caddyfile, and its hosts are served over TLS at this port."""

    def __init__(self, folder, port, sites):
        self.folder = Path(folder)
        self.config = self.folder / "Caddyfile"
        self.config.write_text(MAIN.format(port=port, sites=sites), encoding="utf-8")
        # The authority that its certificates are of, once it has started.
        self.authority = self.folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self.process = None

    def start(self, ready, seconds=30):
        """Starts it and waits until `ready()` holds."""
        own = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder / "data"), "XDG_CONFIG_HOME": str(self.folder / "config")}
        command = [find_binary(), "run", "--config", self.config, "--adapter", "caddyfile"]
        self.process = Process(command, self.folder / "caddy.log", env={**os.environ, **own})
        self.process.wait_until(lambda: self.authority.exists() and ready(), seconds, "Caddy")

    def stop(self):
        """Ends it."""
        if self.process:
            self.process.stop()
