"""A service and a real Odoo 14, paired, for tests and for trying things by hand.

    python lab.py --binary PATH/TO/orest [--cache DIR]
    python lab.py --prepare [--cache DIR]                   only fetches and makes what is kept

starts PostgreSQL, the service and Odoo with the module, prints where they are and waits for Ctrl-C.
Everything is on loopback and on free ports; what was started is ended, and the data are thrown away.
"""

import argparse
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / name) for name in ("clients", "lib")]

import odoo14  # noqa: E402
import packages  # noqa: E402
import postgres  # noqa: E402
from processes import Ended, die_with_us, make_folder  # noqa: E402
from server import Server  # noqa: E402

SERIES = "14.0"
MODULE = "orest"
# Raised when what the base database holds changes, so that kept ones are made anew.
LAYOUT = "2"
BASE = "base"
PREFIX = "orest-odoo-"
ROLE, PASSWORD = "odoo", "odoo"
# People who were there before the module came. Their passwords are their logins.
USERS = {
    "alice": "Alice Ahrens", "bob": "Bob Baumann", "carol": "Carol Castro", "dave": "Dave Dubois", "erin": "Erin Eriksen",
    "frank": "Frank Fischer", "grace": "Grace Greco", "heidi": "Heidi Horvat", "ivan": "Ivan Ivanov", "judy": "Judy Jansen",
    "kim": "Kim Kowalski", "leo": "Leo Lindqvist", "mallory": "Mallory Meier", "nina": "Nina Novak", "oscar": "Oscar Olsen",
    "peggy": "Peggy Popescu", "quentin": "Quentin Quist", "rita": "Rita Rossi", "sybil": "Sybil Schmid", "trent": "Trent Tanaka",
}
MAKE_USERS = f"""
for login, name in {USERS!r}.items():
    env['res.users'].create({{'login': login, 'name': name, 'password': login, 'email': login + '@example.com', 'tz': 'Europe/Berlin'}})
env.ref('base.user_admin').tz = 'Europe/Berlin'
env.cr.commit()
"""


class Lab:
    """What all trials share: Odoo's packages, and a PostgreSQL that holds a base database to copy."""

    def __init__(self, binary, cache, logs, say):
        self.binary, self.cache, self.logs, self.say = Path(binary).resolve(), Path(cache).resolve(), Path(logs).resolve(), say
        self.folder = self.root = self.cluster = None

    def __enter__(self):
        self.prepare()
        self.folder = make_folder(PREFIX)
        try:
            # It guards throw-away data, is kept with them, and opens nothing but what this run listens at on loopback.
            self.cluster = postgres.Cluster(find_postgres(), self.folder / "pg", ROLE, PASSWORD)
            self.cluster.copy_from(self.cache / "base" / "data")
            self.cluster.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.cluster:
            self.cluster.stop()
            if (self.folder / "postgres.log").exists():
                shutil.copyfile(self.folder / "postgres.log", self.logs / "odoo-postgres.log")
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self):
        """Fetches and makes what is kept, if it is not there."""
        for folder in (self.cache, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.root = packages.unpack(self.cache / "root", self.logs / "odoo-packages.log", self.say)
        folder = make_folder(PREFIX)
        try:
            maker = postgres.Cluster(find_postgres(), folder / "pg", ROLE, PASSWORD)
            kept = self.cache / "base"
            made_of = f"{LAYOUT}\n{maker.version()}\n{hashlib.sha256(MAKE_USERS.encode()).hexdigest()}\n" + (self.root / "ready").read_text(encoding="utf-8")
            stamp = kept / "ready"
            if not (stamp.exists() and stamp.read_text(encoding="utf-8") == made_of):
                self.say("making a database with Odoo's base modules (once)")
                shutil.rmtree(kept, ignore_errors=True)
                kept.mkdir()
                self._make_base(kept, maker, folder)
                stamp.write_text(made_of, encoding="utf-8")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _make_base(self, kept, maker, folder):
        log_path = self.logs / "odoo-base.log"
        log_path.write_bytes(b"")
        odoo = odoo14.Odoo(self.root, maker, folder / "odoo")
        try:
            maker.create()
            maker.start()
            maker.query("postgres", f"create database {BASE} template template0")
            odoo.install(BASE, "base", "base_setup", log_path=log_path)
            odoo.run(BASE, "shell", "--no-http", log_path=log_path, code=MAKE_USERS)
            # What every page needs is put together once, and kept with the database.
            odoo.start(BASE, log_path, workers=0)
            warm(odoo.url)
            odoo.stop()
            missing = set(USERS) - set(maker.query(BASE, "select login from res_users"))
            if missing:
                raise Ended(f"there are no users {', '.join(sorted(missing))}: see {log_path}")
        finally:
            odoo.stop()
            maker.stop()
        maker.copy_to(kept / "data")
        shutil.copytree(odoo.folder / "filestore" / BASE, kept / "filestore")


class Trial:
    """A service of its own and an Odoo of its own that are paired. Nothing is shared with other trials."""

    def __init__(self, lab, name, modules=(MODULE,), addons=(), in_file=True):
        """`in_file`: Odoo finds the service in its configuration file."""
        self.lab, self.name, self.modules, self.addons, self.in_file = lab, name, modules, addons, in_file
        self.folder = lab.folder / name
        self.service = self.odoo = self.credential = self.admin_password = None

    def log_path(self, what):
        """Where a part of it logs to; an older log is gone."""
        path = self.lab.logs / f"odoo-{self.name}-{what}.log"
        path.write_bytes(b"")
        return path

    def orest(self, *arguments):
        """What a command of ours prints, on the service's data."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OREST_")}
        done = subprocess.run(
            [str(self.lab.binary), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment,
        )
        if done.returncode != 0:
            raise Ended(f"orest {arguments[0]} ended with code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def __enter__(self):
        self.folder.mkdir(mode=0o700)
        try:
            self.admin_password = secrets.token_hex(16)
            self.service = Server(self.lab.binary, self.folder / "service")
            self.service.popen_options = {"preexec_fn": die_with_us()}
            self.service.start(admin_password=self.admin_password)
            addons = self.folder / "addons"
            self.orest("odoo-module", "--series", SERIES, "--output", addons)
            self.odoo = odoo14.Odoo(self.lab.root, self.lab.cluster, self.folder / "odoo", [addons, *self.addons])
            self.pair()
            if self.in_file:
                self.odoo.options = {"orest_service_url": self.service.url, "orest_credential": self.credential}
            self.lab.cluster.copy_database(BASE, self.name)
            shutil.copytree(self.lab.cache / "base" / "filestore", self.odoo.folder / "filestore" / self.name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def pair(self):
        """Pairs the service with this Odoo and keeps the credential."""
        printed = self.orest("pair", "--data-dir", self.service.data_dir, "--odoo-url", self.odoo.url)
        found = [word for word in printed.split() if len(word) == 40 and set(word) <= set("0123456789abcdef")]
        if len(found) != 1:
            raise Ended("orest pair printed no credential")
        self.credential = found[0]

    def install(self):
        """Installs the module, and what else the trial asked for."""
        self.odoo.install(self.name, *self.modules, log_path=self.log_path("install"))

    def start(self, workers=2):
        """Starts Odoo's server."""
        self.odoo.start(self.name, self.log_path("server"), workers)

    def synchronise(self):
        """Has Odoo tell the service of all users, as the button in its settings does."""
        settings = self.rpc("admin", "admin", "res.config.settings", "create", {})
        return self.rpc("admin", "admin", "res.config.settings", "action_orest_sync_users", [settings])

    def rpc(self, login, password, model, method, *arguments, **keywords):
        """Calls a method over Odoo's `/jsonrpc`; raises `Refused` with what Odoo says."""
        uid = json_rpc(self.odoo.url, "common", "login", self.name, login, password)
        return json_rpc(self.odoo.url, "object", "execute_kw", self.name, uid, password, model, method, arguments, keywords)

    def __exit__(self, *_):
        if self.odoo:
            self.odoo.stop()
        if self.service and self.service.process and self.service.process.poll() is None:
            self.service.stop()
        if self.service and os.path.exists(self.service.log_path):
            shutil.copyfile(self.service.log_path, self.lab.logs / f"odoo-{self.name}-service.log")


class Refused(RuntimeError):
    """Odoo answered with an error: its exception's name and message."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


def find_postgres():
    """The folder with a PostgreSQL server."""
    binaries = postgres.find_binaries()
    if not binaries:
        raise Ended("there is no PostgreSQL server: install postgresql")
    return binaries


def warm(url):
    """Signs in and looks at the web client, so that Odoo puts its scripts and styles together."""
    jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def get(address, form=None):
        with jar.open(address, urllib.parse.urlencode(form).encode() if form else None, timeout=120) as answer:
            return answer.read().decode()

    token = re.search(r'name="csrf_token" value="([^"]+)"', get(f"{url}/web/login"))[1]
    page = get(f"{url}/web/login", {"csrf_token": token, "login": "admin", "password": "admin"})
    for path in re.findall(r'(?:src|href)="(/web/content/[^"]+)"', page):
        get(f"{url}{path}")


def json_rpc(url, service, method, *arguments):
    """One call of `/jsonrpc`, on a connection of its own, so that any worker may answer."""
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": service, "method": method, "args": arguments}})
    request = urllib.request.Request(f"{url}/jsonrpc", data=body.encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        told = json.load(answer)
    if "error" in told:
        data = told["error"].get("data", {})
        raise Refused(data.get("name", ""), data.get("message", ""))
    return told.get("result")


def on_terminate(*_):
    """SIGTERM ends us as Ctrl-C does, so that what was started is ended."""
    raise KeyboardInterrupt


def main():
    """The lab by hand."""
    target = HERE.parent.parent / "target"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=target / "debug" / "orest", help="the built orest (default: target/debug/orest)")
    parser.add_argument("--cache", default=target / "odoo", help="where Odoo is kept (default: target/odoo)")
    parser.add_argument("--logs", default=target / "odoo" / "logs", help="where the full logs go (default: target/odoo/logs)")
    parser.add_argument("--prepare", action="store_true", help="only fetch and make what is kept")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, on_terminate)
    started = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - started:5.1f}s] {text}", flush=True)

    try:
        lab = Lab(options.binary, options.cache, options.logs, say)
        if options.prepare:
            lab.prepare()
            return 0
        with lab, Trial(lab, "by_hand") as trial:
            say("installing the module")
            trial.install()
            trial.start()
            say(f"Odoo:    {trial.odoo.url}  sign in as admin/admin, {', '.join(f'{login}/{login}' for login in list(USERS)[:4])} …")
            say(f"service: {trial.service.url}  admin/{trial.admin_password}, data in {trial.service.data_dir}")
            say(f"module:  {trial.folder / 'addons' / MODULE}; logs in {lab.logs}; Ctrl-C ends all of it")
            while trial.odoo.process.is_running():
                time.sleep(1)
            raise Ended("Odoo ended by itself")
    except KeyboardInterrupt:
        return 0
    except (Ended, packages.Unavailable, OSError, subprocess.SubprocessError, RuntimeError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
