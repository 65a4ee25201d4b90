"""One line per check: `ok - what` or `not ok - what`, and an exit code that says whether all held."""

import json
import sys

_failed = 0


def check(what, holds, detail=None):
    """Prints whether it holds; `detail` is shown when it does not."""
    global _failed
    if holds:
        print(f"ok - {what}", flush=True)
    else:
        _failed += 1
        print(f"not ok - {what}", flush=True)
        if detail is not None:
            print(f"#   {detail}", flush=True)
    return bool(holds)


def equal(what, got, expected):
    """Checks that two values are equal."""
    return check(what, got == expected, f"got {got!r}, expected {expected!r}")


def raises(what, exception, call, *args, text="", **kwargs):
    """Checks that the call raises this exception, and that its message holds the text."""
    try:
        got = call(*args, **kwargs)
    except exception as error:
        return check(what, text in str(error), f"{text!r} is not in {str(error)!r}")
    except Exception as error:  # the check fails, the script goes on
        return check(what, False, f"{type(error).__name__}: {error}")
    return check(what, False, f"no error, but {got!r}")


def finish():
    """Ends the script: exit code 1 if a check failed. The last line tells that it got this far."""
    print("# done", flush=True)
    sys.exit(1 if _failed else 0)


def load_demo():
    """The demo's `demo.json`, whose path is the script's only argument: where the server is, who may sign in, which applications there are."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} DATA_DIR/demo.json")
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def password_of(demo, login):
    """The password of a demo user."""
    return next(user["password"] for user in demo["users"] if user["login"] == login)


def confidential_applications(demo):
    """The demo applications that have a client secret and a callback address."""
    return [a for a in demo["applications"] if a["client_secret"] and a["redirect_uris"]]
