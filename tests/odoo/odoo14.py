"""Odoo 14 at work: its configuration, its databases, its server."""

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from processes import Ended, Process, die_with_us, tail
from server import free_port

START_SECONDS = 90
RUN_SECONDS = 480
ADDONS = "usr/lib/python3/dist-packages/odoo/addons"


class Odoo:
    """One configuration of Odoo. Commands run one after the other; the server beside them on its own ports."""

    def __init__(self, root, cluster, folder, addons=(), options=None):
        self.root, self.cluster, self.folder = Path(root), cluster, Path(folder)
        self.addons, self.options = [str(path) for path in addons], options or {}
        self.port, self.longpolling_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _command(self, database, *arguments):
        settings = {
            "addons_path": ",".join([*self.addons, str(self.root / ADDONS)]),
            "db_host": "127.0.0.1", "db_port": self.cluster.port, "db_user": "odoo", "db_password": self.cluster.password,
            "db_name": database, "dbfilter": f"^{database}$", "data_dir": self.folder,
            "http_interface": "127.0.0.1", "http_port": self.port, "longpolling_port": self.longpolling_port,
            "max_cron_threads": 0, "without_demo": "all", **self.options,
        }
        path = self.folder / f"{database}.conf"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("[options]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        subcommand = [] if not arguments or str(arguments[0]).startswith("-") else [arguments[0]]
        return [self.root / "python", self.root / "usr/bin/odoo", *subcommand, "-c", path, *arguments[len(subcommand):]]

    def _environment(self):
        # LOGNAME: as root on a throw-away database, and Odoo would say that this is a risk.
        return {"HOME": str(self.folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC", "LOGNAME": "odoo", "PYTHONUNBUFFERED": "1"}

    def run(self, database, *arguments, log_path, code=None):
        """Runs a command of Odoo's to its end. `code`: what a shell is given to do. Raises `Ended` if it fails."""
        with open(log_path, "ab") as log:
            process = subprocess.Popen(
                [str(part) for part in self._command(database, *arguments)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=self._environment(), start_new_session=True, preexec_fn=die_with_us(),
            )
            try:
                process.communicate(code.encode() if code else b"", timeout=RUN_SECONDS)
            except BaseException:
                os.killpg(process.pid, 9)
                process.wait()
                raise
        if process.returncode != 0:
            raise Ended(f"odoo {' '.join(map(str, arguments))} ended with code {process.returncode}:\n{tail(log_path)}")

    def install(self, database, *modules, log_path):
        """Installs modules, each of which is then there: Odoo only warns of a name that it doesn't know."""
        self.run(database, "-i", ",".join(modules), "--stop-after-init", log_path=log_path)
        self.check_installed(database, *modules)
        complaints = complaints_in(log_path)
        if complaints:
            raise Ended("Odoo complains:\n" + "\n".join(complaints))

    def check_installed(self, database, *modules):
        """Raises `Ended` if one of the modules isn't installed."""
        states = dict(line.split("|") for line in self.cluster.query(database, "select name, state from ir_module_module"))
        for module in modules:
            if states.get(module) != "installed":
                raise Ended(f"module {module} is not installed, but {states.get(module, 'unknown')}")

    def copy_database(self, source, target):
        """Makes a database with the content of another, and its files."""
        self.cluster.copy_database(source, target)
        files = self.folder / "filestore"
        if (files / source).exists():
            shutil.copytree(files / source, files / target)

    def start(self, database, log_path, workers=2):
        """Starts the server on a database and waits until it answers. With workers each is a process with caches of its own."""
        self.process = Process(
            self._command(database, f"--workers={workers}"), log_path, env=self._environment(),
        )
        self.process.wait_until(self._answers, START_SECONDS, "Odoo")

    def _answers(self):
        request = urllib.request.Request(
            f"{self.url}/web/webclient/version_info", data=b'{"params":{}}', headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        """Ends the server."""
        if self.process:
            self.process.stop()
            self.process = None


def complaints_in(log_path):
    """The lines of Odoo's log that a clean run doesn't have."""
    with open(log_path, encoding="utf-8", errors="replace") as log:
        return [line.rstrip() for line in log if re.match(r"\S+ \S+ \d+ (WARNING|ERROR|CRITICAL) ", line)]
