"""Runs those of OdooRPC's own tests that can apply, from a checkout of its repository.

    python odoorpc_suite.py CHECKOUT DATA_DIR/demo.json

What is left out, and why, is in tests/README.md.
"""

import json
import os
import sys
import unittest
from urllib.parse import urlsplit

MODULES = ("init", "login", "tools", "error", "req_json", "execute", "execute_kw", "session", "env")
OUT = {"test_env_registry", "test_env_ref", "test_env_contains"}


def tests_of(suite):
    """The tests of a suite, one by one."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        elif test.id().rsplit(".", 1)[1] not in OUT:
            yield test


def main(checkout, demo_path):
    """Runs them on the demo server."""
    with open(demo_path, encoding="utf-8") as file:
        demo = json.load(file)
    address = urlsplit(demo["url"])
    password = next(user["password"] for user in demo["users"] if user["login"] == "admin")
    os.environ.update(
        ORPC_TEST_HOST=address.hostname, ORPC_TEST_PORT=str(address.port), ORPC_TEST_DB=demo["database"],
        ORPC_TEST_USER="admin", ORPC_TEST_PWD=password,
    )
    sys.path.insert(0, checkout)
    loaded = unittest.defaultTestLoader.loadTestsFromNames([f"odoorpc.tests.test_{name}" for name in MODULES])
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests_of(loaded)))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
