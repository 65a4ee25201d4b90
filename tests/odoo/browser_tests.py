"""A real browser, as an administrator and as a plain user."""

import json
import os
import subprocess

from lab import USERS, Trial


def run(lab, report, options):
    """Sets the stage, and lets the browser play."""
    screenshots = lab.cache / "screenshots"
    screenshots.mkdir(exist_ok=True)
    for old in screenshots.glob("*.png"):
        old.unlink()
    with Trial(lab, "browser") as trial:
        report.say("installing the module")
        trial.install()
        # More than one worker: each has caches of its own, and none may go on accepting what was revoked.
        trial.start(workers=2)
        report.say("Odoo is up, with two workers")
        play(trial, report, options, "journeys.mjs", {"screenshots": str(screenshots)})


def play(trial, report, options, script, more):
    """Runs a script of the browser's; its checks are ours."""
    stage = {
        "odoo": trial.odoo.url, "database": trial.name, "service": trial.service.url, "credential": trial.credential,
        "users": {"admin": "admin", **{login: login for login in USERS}}, **more,
    }
    path = trial.folder / "stage.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(stage, file)
    process = subprocess.Popen(
        ["node", os.path.join(options.npm, script), str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )
    done = False
    try:
        for line in process.stdout:
            line = line.rstrip("\n")
            if line.startswith("ok - "):
                report.check(line.removeprefix("ok - "), True)
            elif line.startswith("not ok - "):
                report.check(line.removeprefix("not ok - "), False)
            elif line == "# done":
                done = True
            else:
                report.line(line)
        report.check("the browser's script runs to its end", done and process.wait() == 0)
    finally:
        try:
            os.killpg(process.pid, 15)
        except ProcessLookupError:
            pass
        process.wait()
