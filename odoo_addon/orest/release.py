"""The module's version, as its manifest has it."""

import ast
import os

with open(os.path.join(os.path.dirname(__file__), "__manifest__.py"), encoding="utf-8") as manifest:
    MODULE_VERSION = ast.literal_eval(manifest.read())["version"]
