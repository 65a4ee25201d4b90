"""Replays tests/golden against a fresh server over HTTP. What the files mean is in tests/golden/README.md.

    python golden.py PATH/TO/orest
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import requests

from check import check, finish
from server import Server

FILES = ("01-transport", "02-services", "03-sessions", "06-access", "07-actions", "08-json2")
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "odoo19"


def fill(value, saved):
    """Puts what was saved in the place of its name."""
    if isinstance(value, dict):
        return {k: fill(v, saved) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, saved) for v in value]
    if isinstance(value, str):
        whole = re.fullmatch(r"\{(\w+)\}", value)
        if whole and whole[1] in saved:
            return saved[whole[1]]
        return re.sub(r"\{(\w+)\}", lambda m: str(saved.get(m[1], m[0])), value)
    return value


def pointer(value, path):
    """RFC 6901, as far as it is needed."""
    for part in path.split("/")[1:]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def is_subset(expected, got):
    """Whether all members of `expected` are in `got`."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return all(k in got and is_subset(v, got[k]) for k, v in expected.items())
    return expected == got


def shape(value):
    """The JSON types."""
    if isinstance(value, list):
        return [shape(v) for v in value]
    return {k: shape(v) for k, v in value.items()} if isinstance(value, dict) else type(value).__name__


def differs(exchange, answer, saved):
    """Why the answer is not the one that is wanted; None if it is."""
    compare, expected = exchange["compare"], fill(exchange["answer"], saved)
    if answer.status_code != exchange["status"]:
        return f"status {answer.status_code}, wanted {exchange['status']}: {answer.text[:300]}"
    if compare == "html":
        is_html = answer.headers.get("Content-Type", "").startswith("text/html")
        return None if is_html and expected in answer.text else f"{answer.headers.get('Content-Type')}: {answer.text[:300]}"
    body, envelope = answer.json(), isinstance(exchange["body"], dict) and "params" in exchange["body"] or exchange["path"].startswith(("/jsonrpc", "//jsonrpc"))
    if envelope and compare in ("result", "subset", "integer", "shape") and body.get("id") != exchange["body"].get("id"):
        return f"id {body.get('id')!r}"
    if compare.startswith("error"):
        error = body.get("error") if envelope else body
        if not error:
            return f"no error: {answer.text[:300]}"
        data = error["data"] if envelope else error
        got = {**data, "code": error.get("code"), "title": error.get("message")} if envelope else data
        text = expected.pop("text", "")
        if not isinstance(data.get("context"), dict) or not isinstance(data.get("debug"), str) or text not in data.get("message", ""):
            return f"{data}"
        got = {k: got.get(k) for k in expected}
        return None if got == expected else f"got {got}, wanted {expected}"
    if envelope and "error" in body:
        data = body["error"]["data"]
        return f"error {data['name']}: {data['message']}"
    got = body.get("result") if envelope else body
    holds = {
        "result": lambda: got == expected, "subset": lambda: is_subset(expected, got), "integer": lambda: isinstance(got, int), "shape": lambda: shape(got) == shape(expected),
    }[compare]()
    return None if holds else f"got {json.dumps(got)[:500]}, wanted {json.dumps(expected)[:500]}"


def main(binary, data_dir):
    """Replays all files in order."""
    saved = {}
    with Server(binary, data_dir) as server:
        server.start(admin_password="admin")
        for name in FILES:
            for line in (GOLDEN / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
                exchange = json.loads(line)
                body = fill(exchange["body"], saved)
                answer = requests.request(
                    exchange["method"], server.url + exchange["path"], headers=fill(exchange["headers"], saved),
                    data=(body if isinstance(body, str) else json.dumps(body)).encode(), timeout=30, allow_redirects=False,
                )
                try:
                    why = differs(exchange, answer, saved)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    why = f"{type(error).__name__} {error}: {answer.text[:300]}"
                check(f"{name}:{exchange['line']} {exchange['label']}", why is None, why)
                for variable, where in exchange.get("save", {}).items():
                    try:
                        saved[variable] = answer.cookies["session_id"] if where == "cookie" else pointer(answer.json(), where)
                    except (KeyError, ValueError, TypeError):
                        pass


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="orest-golden-") as folder:
        main(sys.argv[1], folder)
    finish()
