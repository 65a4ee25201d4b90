"""Makes README.rst and static/description/index.html of the module from the fragments in readme/.

    python odoo_addon/make_readme.py            # writes them
    python odoo_addon/make_readme.py --check    # says whether they are as they should be

Needs docutils.
"""

import ast
import sys
from pathlib import Path

from docutils.core import publish_parts

MODULE = Path(__file__).resolve().parent / "orest"
SECTIONS = [
    ("DESCRIPTION", None),
    ("INSTALL", "Installation"),
    ("CONFIGURE", "Configuration"),
    ("USAGE", "Usage"),
    ("ROADMAP", "Known issues / Roadmap"),
    ("CONTRIBUTORS", "Contributors"),
]
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #333; }}
h1, h2 {{ color: #1d5c73; line-height: 1.2; }}
pre {{ background: #f4f6f7; padding: .75rem 1rem; overflow-x: auto; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def underlined(text, sign):
    """A heading."""
    return f"{text}\n{sign * len(text)}\n\n"


def readme(manifest):
    """The text of README.rst."""
    parts = [
        ".. This file is made by make_readme.py from the fragments in readme/. Change those.\n\n",
        f"{'=' * len(manifest['name'])}\n",
        underlined(manifest["name"], "="),
    ]
    for name, title in SECTIONS:
        if title:
            parts.append(underlined(title, "="))
        parts.append((MODULE / "readme" / f"{name}.rst").read_text(encoding="utf-8").strip() + "\n\n")
        if name == "DESCRIPTION":
            parts.append("**Table of contents**\n\n.. contents::\n   :local:\n\n")
    parts.append(underlined("License", "="))
    parts.append("LGPL-3 or later, as Odoo itself.\n")
    return "".join(parts)


def page(title, text):
    """The text of index.html; what docutils has to complain of ends the program."""
    settings = {"halt_level": 2, "report_level": 2, "syntax_highlight": "none", "doctitle_xform": True}
    parts = publish_parts(text, writer_name="html5", settings_overrides=settings)
    return PAGE.format(title=title, body=parts["html_body"])


def main():
    """Writes, or checks."""
    manifest = ast.literal_eval((MODULE / "__manifest__.py").read_text(encoding="utf-8"))
    text = readme(manifest)
    made = {"README.rst": text, "static/description/index.html": page(manifest["name"], text)}
    stale = []
    for name, content in made.items():
        path = MODULE / name
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.write_text(content, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"not made from readme/ as it is now: {', '.join(stale)}; run odoo_addon/make_readme.py")


if __name__ == "__main__":
    main()
