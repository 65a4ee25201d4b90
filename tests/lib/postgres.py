"""A PostgreSQL of one's own, on loopback, thrown away afterwards."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from processes import Ended, Process, own, tail, unprivileged
from server import free_port

START_SECONDS = 60
# What is thrown away need not survive a power cut.
SETTINGS = {
    "listen_addresses": "127.0.0.1", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal",
    "max_wal_senders": "0", "min_wal_size": "32MB", "jit": "off", "timezone": "UTC", "log_timezone": "UTC",
}


def find_binaries():
    """The folder with the newest server on this machine; None if there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    for folder in (*folders, *([Path(on_path).resolve().parent] if on_path else [])):
        if all((folder / tool).exists() for tool in ("initdb", "postgres", "psql")):
            return folder
    return None


class Cluster:
    """A server with its data below a folder that everybody may enter, and one role, which may do everything."""

    def __init__(self, binaries, folder, role, password, settings=None):
        self.binaries, self.folder, self.role, self.password = Path(binaries), Path(folder), role, password
        self.settings = {**SETTINGS, **(settings or {})}
        self.data = self.folder / "data"
        self.port = free_port()
        self.process = None

    def version(self):
        """What the server calls itself."""
        return subprocess.run([self.binaries / "postgres", "-V"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def major(self):
        """The number of its series."""
        return int(re.search(r"\d+", self.version()).group())

    def url(self):
        """Where its own database is, with the password."""
        return f"postgres://{self.role}:{self.password}@127.0.0.1:{self.port}/postgres"

    def create(self, *options):
        """Makes a new, empty one; `options` are initdb's."""
        self._make_folder()
        password = self.folder / "password"
        password.write_text(self.password, encoding="utf-8")
        own(password)
        log_path = self.folder / "initdb.log"
        with open(log_path, "wb") as log:
            code = subprocess.run(
                [self.binaries / "initdb", "-D", self.data, "-U", self.role, "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                 f"--pwfile={password}", "--no-sync", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=False, **unprivileged(),
            ).returncode
        password.unlink()
        if code != 0:
            raise Ended(f"initdb ended with code {code}:\n{tail(log_path)}")

    def copy_from(self, data):
        """Takes over the data of one that was stopped."""
        self._make_folder()
        subprocess.run(["cp", "-a", "--reflink=auto", str(data), str(self.data)], check=True)
        if unprivileged():
            for folder, _, files in os.walk(self.data):
                for path in (folder, *(os.path.join(folder, name) for name in files)):
                    own(path)

    def copy_to(self, data):
        """Keeps the data; it must be stopped. Whoever copies owns them."""
        subprocess.run(["cp", "-r", "--reflink=auto", "--preserve=mode", str(self.data), str(data)], check=True)

    def _make_folder(self):
        self.folder.mkdir(mode=0o700)
        own(self.folder)

    def start(self):
        """Starts it and waits until it answers."""
        settings = {**self.settings, "port": self.port, "unix_socket_directories": self.folder}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = Process(
            [self.binaries / "postgres", "-D", self.data, *options], self.folder.parent / "postgres.log", signal.SIGINT, cwd="/", **unprivileged(),
        )

        def ready():
            return self._psql("postgres", "select 1").returncode == 0

        self.process.wait_until(ready, START_SECONDS, "PostgreSQL")

    def stop(self):
        """Ends it."""
        if self.process:
            self.process.stop()

    def _psql(self, database, statement):
        return subprocess.run(
            [self.binaries / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.role,
             "-d", database, "-c", statement],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={"PGPASSWORD": self.password, "PATH": os.environ["PATH"]},
        )

    def query(self, database, statement):
        """The lines that a statement answers, columns apart by `|`."""
        done = self._psql(database, statement)
        if done.returncode != 0:
            raise Ended(f"{statement}: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def copy_database(self, source, target):
        """Makes a database with the content of another, that nobody uses."""
        for name in (source, target):
            if not re.fullmatch(r"[a-z_0-9]+", name):
                raise ValueError(name)
        self.query("postgres", f"create database {target} template {source}")
