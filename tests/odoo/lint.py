"""pylint-odoo and OCA's own checks on the module, as it is written for each series."""

import re
import subprocess
import sys
from pathlib import Path

from lab import MODULE

SERIES = ("14.0", "17.0", "18.0", "19.0")
# What can't hold for one source: `self.env._` came with 18.0.
SILENT = {"18.0": ["prefer-env-translation"], "19.0": ["prefer-env-translation"]}
SHOWN_MAX = 15
BIN = Path(sys.executable).parent
SOURCE = Path(__file__).resolve().parent.parent.parent / "odoo_addon" / MODULE


def run(lab, report, _options):
    """Writes the module for each series and has it looked at."""
    complaints(report, "README.rst is made from readme/ as it is", SOURCE.parent, [sys.executable, "make_readme.py", "--check"])
    for series in SERIES:
        folder = lab.folder / f"module-{series}"
        subprocess.run(
            [lab.binary, "odoo-module", "--series", series, "--output", folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True,
        )
        module = folder / MODULE
        manifest = (module / "__manifest__.py").read_text(encoding="utf-8")
        report.check(f"{series}: the version in the manifest is of the series", re.search(rf'"version": "{series}\.\d+\.\d+\.\d+"', manifest))
        left = [
            str(path.relative_to(module)) for path in module.rglob("*.xml")
            if re.search(r"<!--\s*(if series|else\s*-->|end\s*-->)", path.read_text(encoding="utf-8"))
        ]
        report.check(f"{series}: nothing of other series is left in the views", not left, ", ".join(left))
        complaints(report, f"{series}: pylint-odoo has nothing to say", folder, [
            BIN / "pylint", "--rcfile=/dev/null", "--load-plugins=pylint_odoo", "--disable=all", "--enable=odoolint", *(f"--disable={name}" for name in SILENT.get(series, ())), "--score=n",
            f"--valid-odoo-versions={series}", "--manifest-required-authors=orest", "--persistent=n", MODULE,
        ])
        complaints(report, f"{series}: OCA's checks have nothing to say", folder, [
            BIN / "oca-checks-odoo-module", f"{MODULE}/__manifest__.py",
        ])


def complaints(report, what, folder, command):
    """A check that passes if the command ends well."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    report.check(what, done.returncode == 0, "\n    #   ".join(lines[:SHOWN_MAX] + [f"… and {len(lines) - SHOWN_MAX} lines more: {' '.join(map(str, command))}"] * (len(lines) > SHOWN_MAX)))
