"""A real browser, as an administrator and as a plain user."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from grants import grant, register
from lab import USERS, Trial
from processes import die_with_us
from server import free_port

WORKERS = 2
# Authorizations of the past that fill the list.
PAST = 150
# Where the browser listens as an application.
CALLBACK = f"http://127.0.0.1:{free_port()}/callback"
APPLICATIONS = [
    ("Sales Dashboard", "rpc.read", "https://dashboard.example.com/callback", "Reads orders every night for the board's figures."),
    ("Warehouse Scanner", "rpc", CALLBACK, "The phones in the warehouse."),
    ("Confluence Connector", "rpc", "https://wiki.example.com/callback", "Shows Odoo records on wiki pages."),
]
GRANTS = [
    ("alice", 0, "firefox"), ("alice", 1, "phone"), ("alice", 2, "firefox"), ("bob", 2, "firefox"), ("carol", 2, "chrome"), ("dave", 2, "phone"),
    ("erin", 0, "chrome"), ("erin", 2, "chrome"), ("frank", 1, "phone"), ("grace", 1, "phone"), ("heidi", 0, "firefox"), ("ivan", 2, "firefox"),
]


def run(lab, report, options):
    """Sets the stage, and lets the browser play."""
    screenshots = lab.cache / "screenshots"
    screenshots.mkdir(exist_ok=True)
    for old in screenshots.glob("*.png"):
        old.unlink()
    # The administrator connects the two by hand, so nothing is in Odoo's configuration file.
    with Trial(lab, "browser", in_file=False) as trial:
        report.say("installing the module")
        trial.install()
        # More than one worker: each has caches of its own, and none may go on accepting what was revoked.
        trial.start(WORKERS)
        play = Player(trial, report, options, screenshots)
        play("connect.mjs")
        report.say("registering applications, and letting them in")
        applications = [register(trial, *application) for application in APPLICATIONS]
        with ThreadPoolExecutor(WORKERS) as pool:
            grants = list(pool.map(lambda one: grant(trial, applications[one[1]], one[0], one[2]), GRANTS))
        trial.orest("demo", "--authorizations", PAST, "--data-dir", trial.service.data_dir)
        play("journeys.mjs", grants=grants, applications=applications)
        report.say("the service is stopped")
        trial.service.stop()
        play("away.mjs", grants=grants)
        trial.service.start()
        play("back.mjs", grants=grants)
        log = (lab.logs / "odoo-browser-server.log").read_text(encoding="utf-8", errors="replace")
        workers = set(re.findall(r"^\S+ \S+ (\d+) .*\"POST /jsonrpc ", log, re.M))
        report.check("tokens were shown to each of Odoo's workers", len(workers) >= WORKERS, workers)
        errors = re.findall(r"^\S+ \S+ \d+ (?:ERROR|CRITICAL) .*$", log, re.M)
        report.check("Odoo's log has no error", not errors, "\n    #   ".join(errors[:10]))


class Player:
    """Runs scripts of the browser's; their checks are ours."""

    def __init__(self, trial, report, options, screenshots):
        self.trial, self.report, self.options, self.screenshots = trial, report, options, screenshots
        # What a script measured: names and milliseconds.
        self.figures = []

    def __call__(self, script, **more):
        trial = self.trial
        stage = {
            "odoo": trial.odoo.url, "database": trial.name, "service": trial.service.url, "credential": trial.credential,
            "users": {"admin": "admin", **{login: login for login in USERS}}, "screenshots": str(self.screenshots), **more,
        }
        path = trial.folder / "stage.json"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(stage, file)
        # Chromium makes a socket there, whose path must be short.
        own = {"TMPDIR": str(trial.lab.folder)}
        process = subprocess.Popen(
            ["node", os.path.join(self.options.npm, script), str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True, preexec_fn=die_with_us(), env={**os.environ, **own},
        )
        done = False
        try:
            for line in process.stdout:
                line = line.rstrip("\n")
                if line.startswith("ok - "):
                    self.report.check(line.removeprefix("ok - "), True)
                elif line.startswith("not ok - "):
                    self.report.check(line.removeprefix("not ok - "), False)
                elif line.startswith("figure: "):
                    what, milliseconds = line.removeprefix("figure: ").rsplit(": ", 1)
                    self.figures.append((what, float(milliseconds)))
                elif line == "# done":
                    done = True
                else:
                    self.report.line(line)
            process.wait()
            self.report.check(f"{script} runs to its end", done)
        finally:
            # Chromium is in the same group.
            try:
                os.killpg(process.pid, 15)
            except ProcessLookupError:
                pass
            process.wait()

