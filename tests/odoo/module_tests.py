"""The module's own tests, run by Odoo.

They find the service's address and credential in Odoo's configuration (`orest_service_url`, `orest_credential`). A test that
was skipped, or that is in a file and was not run, has failed.
"""

import ast
import collections
import re
from pathlib import Path

import polib

from lab import MODULE, Trial
from odoo14 import complaints_in

LINE = re.compile(r"^\S+ \S+ \d+ (?P<level>\w+) \S+ (?P<logger>[\w.]+): (?P<text>.*?) *$")

PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]")
SOURCE = Path(__file__).resolve().parent.parent.parent / "odoo_addon" / MODULE


def tests_in(folder):
    """What test classes define, as `file.Class.method`. Classes are tests if a method's name begins with `test_`."""
    found = set()
    for path in folder.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for item in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(item, ast.FunctionDef) and item.name.startswith("test_"):
                    found.add(f"{path.stem}.{node.name}.{item.name}")
    return found


def check_texts(report, exported):
    """The template has every text that Odoo finds in the module, and the translation has every text of the template."""
    found = {entry.msgid for entry in polib.pofile(str(exported))}
    template = {entry.msgid for entry in polib.pofile(str(SOURCE / "i18n" / f"{MODULE}.pot"))}
    missing = sorted(found - template)
    report.check("i18n: the template has every text that Odoo exports", found and not missing, missing[:10])
    for path in sorted((SOURCE / "i18n").glob("*.po")):
        entries = {entry.msgid: entry for entry in polib.pofile(str(path)) if not entry.obsolete}
        untranslated = sorted(msgid for msgid in template if msgid not in entries or not entries[msgid].translated())
        report.check(f"i18n: {path.name} translates every text", not untranslated, untranslated[:10])
        wrong = [
            msgid for msgid, entry in entries.items()
            if entry.translated() and sorted(PLACEHOLDER.findall(msgid)) != sorted(PLACEHOLDER.findall(entry.msgstr))
        ]
        report.check(f"i18n: {path.name} has the placeholders of each text", not wrong, wrong[:10])


def run(lab, report, _options):
    """Installs the module with its tests enabled and reads what Odoo's log says of them."""
    with Trial(lab, "module") as trial:
        report.say("installing the module, and running its tests")
        log_path = trial.log_path("tests")
        failure = None
        try:
            trial.odoo.run(trial.name, "-i", MODULE, "--test-enable", "--test-tags", f"/{MODULE}", "--stop-after-init", log_path=log_path)
        except RuntimeError as error:
            failure = error
        trial.odoo.check_installed(trial.name, MODULE)
        report.check("the module is installed", True)
        expected = tests_in(trial.folder / "addons" / MODULE / "tests")
        exported = trial.folder / f"{MODULE}.po"
        trial.odoo.run(trial.name, "-d", trial.name, f"--i18n-export={exported}", f"--modules={MODULE}", "--stop-after-init", log_path=trial.log_path("i18n"))
        check_texts(report, exported)
    started, failed, skipped = [], {}, []
    loading = []
    with open(log_path, encoding="utf-8", errors="replace") as log:
        lines = log.read().splitlines()
    for index, line in enumerate(lines):
        match = LINE.match(line)
        if not match:
            continue
        where = match["logger"].removeprefix(f"odoo.addons.{MODULE}.tests.")
        if begins := re.fullmatch(r"Starting (\S+) \.\.\.", match["text"]):
            started.append(f"{where}.{begins[1]}")
        elif skips := re.fullmatch(r"skipped (.+)", match["text"]):
            skipped.append(f"{where}.{skips[1]}")
        elif fails := re.fullmatch(r"(?:FAIL|ERROR): (.+)", match["text"]):
            name = f"{where}.{fails[1]}" if not fails[1].startswith("Subtest ") else f"{where}: {fails[1]}"
            failed[name] = "\n    #   ".join(lines[index + 1 : index + 31])
        elif match["level"] in ("WARNING", "ERROR", "CRITICAL") and not started and match["logger"] != "odoo.tests.runner":
            loading.append(line)
    report.check("Odoo loads it without a warning", not loading, "\n    #   ".join(loading[:10]))
    per_class = collections.Counter(name.rsplit(".", 1)[0] for name in started)
    for group, count in sorted(per_class.items()):
        wrong = [name for name in (*failed, *skipped) if name.startswith(group)]
        report.count(group, count - min(count, len(wrong)), len(wrong))
    for name, text in failed.items():
        report.line(f"not ok - {name}\n    #   {text}")
    for name in skipped:
        report.line(f"not ok - {name} was skipped")
    others = [name for name in (*failed, *skipped) if not any(name.startswith(group) for group in per_class)]
    if others:
        report.count("outside of a test", 0, len(others), ", ".join(others))
    not_run = expected - set(started)
    report.check("every test in the files was run", expected and not not_run, ", ".join(sorted(not_run)) or "there are none")
    if failure and not failed:
        report.check("Odoo ends well", False, failure)
    elif not failed:
        report.check("Odoo ends well", True)
    report.say(f"{len(started)} tests, {len(complaints_in(log_path))} warnings in all: see {log_path.name}")
