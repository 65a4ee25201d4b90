"""Selects, from transcripts of a real Odoo 19.0, the exchanges that must be answered alike here, and says why the others need not.

    python extract.py TRANSCRIPTS_DIR      writes odoo19/*.jsonl and prints the table of README.md
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Reasons.
PARTNER = "works on models that are not served (res.partner and others)"
WEB_CLIENT = "part of Odoo's web client, which is not here"
LANGUAGES = "one language and no translations here, so any language is taken"
MASTER = "one database, no master password"
COMPANY = "no companies here"
STOCK = "reads records or groups that only Odoo ships"
OWN_ONLY = "a plain user sees other users there; here only himself"
PYTHON = "server actions of free Python code, webhooks and so on are refused here; the clients' tests run ours"
RULES = "rights are part of the tables of fields here, not records"
TOTP = "no second factor here"
DEVICES = "res.device is orest.device here"
XMLRPC = "no XML-RPC"
TOLERATED = "what series 14 to 18 answer is kept"
NEWER = "newer builds of 19.0 answer otherwise"

# Per transcript: which lines are out, and why; how a line is compared, where that is not plain; what is renamed in it; what is kept from its answer.
FILES = {
    "01-transport": {
        "json_text": {2},
        "out": {29: LANGUAGES, 30: MASTER, 41: WEB_CLIENT, 46: WEB_CLIENT, 47: WEB_CLIENT, 48: WEB_CLIENT, 49: WEB_CLIENT, 54: LANGUAGES},
    },
    "02-services": {
        "out": {24: STOCK, 31: TOLERATED, 43: "an assertion of the model res.users, without words", 56: LANGUAGES, 57: STOCK, 58: COMPANY, 59: COMPANY, 69: PARTNER, 70: WEB_CLIENT, 71: DEVICES},
        "compare": {3: "error-text", 22: "error-text", 42: "error-name", 63: "error-name"},
        "text": {3: 'FATAL:  database "nodb" does not exist', 22: 'FATAL:  database "nodb" does not exist'},
    },
    "03-sessions": {
        "out": {8: STOCK, 18: WEB_CLIENT, 20: DEVICES, 33: WEB_CLIENT, 34: MASTER, 35: WEB_CLIENT},
        "compare": {4: "subset", 5: "subset", 6: "subset", 27: "subset", 32: "subset"},
        "save": {4: {"cookie1": "cookie"}, 27: {"cookie2": "cookie"}, 32: {"cookie3": "cookie"}},
    },
    "06-access": {
        "out": {
            1: STOCK, 4: STOCK, 9: WEB_CLIENT, 13: OWN_ONLY, 14: PARTNER, 17: COMPANY, 19: PARTNER, **dict.fromkeys(range(24, 30), PARTNER),
            30: TOTP, 31: TOTP, 32: "here group_ids is for those who may manage users", 33: "ir.config_parameter is not served", 35: DEVICES, 36: STOCK, 37: LANGUAGES, 39: OWN_ONLY,
            **dict.fromkeys(range(40, 54), RULES),
        },
        "compare": {0: "integer", 20: "error-name", 22: "error-name", 23: "error-name"},
        "save": {0: {"demo_uid": "/result"}},
    },
    "07-actions": {
        "out": {
            **dict.fromkeys((*range(1, 8), *range(10, 19), *range(22, 28), 29, 30, 32, 33, 35, 36, *range(37, 46), 50, 51, *range(53, 69)), PYTHON),
            2: STOCK, 21: WEB_CLIENT, 45: WEB_CLIENT, 68: WEB_CLIENT,
        },
        "compare": {0: "subset"},
        "rename": {28: ("res.partner", "orest.authorization"), 31: ("res.partner", "orest.authorization")},
        "save": {0: {"cookie4": "cookie"}},
        "numbers": {9: {90: 3}},
    },
    "08-json2": {
        "source": "08-json2-xmlrpc",
        "out": {
            2: "the day that it was recorded", 3: WEB_CLIENT, 8: "the key that was recorded", 9: STOCK, 11: NEWER, 25: COMPANY, 35: TOLERATED,
            39: PARTNER, 40: PARTNER, 41: PARTNER, 42: PARTNER, 43: PARTNER, 44: PARTNER, 49: PYTHON, 68: MASTER,
            70: WEB_CLIENT, 71: "the password was confirmed shortly before", 72: STOCK, 73: DEVICES, **dict.fromkeys(range(75, 117), XMLRPC),
        },
        "compare": {0: "subset", 1: "integer", 5: "subset", 7: "subset", 51: "error-name", 64: "subset"},
        "drop": {5: ["res_id"], 7: ["default_key"]},
        "rename": {i: ("res.partner", "orest.model.scheme") for i in (36, 37, 38, 45, 46)},
        "shape": {36, 37},
        "save": {
            0: {"cookie5": "cookie"}, 1: {"wizard": "/result"}, 5: {"check": "/result/res_id"}, 7: {"key": "/result/context/default_key"}, 64: {"cookie6": "cookie"},
        },
        "numbers": {4: {1: "{wizard}"}, 5: {1: "{wizard}"}, 6: {2: "{check}"}, 7: {2: "{check}"}},
    },
}

KEY = "3f00053baf4b28b4d5445e1be46c7d258d062166"
DEMO_UID, DATABASE = 5, "test19"
SESSION_INFO = ("uid", "is_system", "is_admin", "is_public", "is_internal_user", "user_context", "db", "server_version", "server_version_info", "name", "username")


# What differs on purpose: JSON-2 says 500 to values that mean nothing, as if the server were at fault; here it is 422.
STATUS = {("json", 500): 422}


def walk(value, change):
    """The value with each of its parts changed, innermost first."""
    if isinstance(value, dict):
        value = {k: walk(v, change) for k, v in value.items()}
    elif isinstance(value, list):
        value = [walk(v, change) for v in value]
    return change(value)


class Names:
    """Puts our names, and placeholders for what differs from run to run, into an exchange."""

    def __init__(self, rename, numbers):
        self.rename, self.numbers = rename, numbers

    def text(self, text):
        """Database, key and renamed model in a text."""
        text = text.replace(DATABASE, "orest").replace(KEY, "{key}")
        text = text.replace(f"(id={DEMO_UID})", "(id={demo_uid})").replace(f"User: {DEMO_UID})", "User: {demo_uid})")
        return text.replace(*self.rename) if self.rename else text

    def value(self, value, is_uid=False):
        """The same in a JSON value; the demo user's id only where an id of a user stands."""

        def change(part):
            if isinstance(part, str):
                return self.text(part)
            if isinstance(part, int) and not isinstance(part, bool):
                if part in self.numbers:
                    return self.numbers[part]
                if is_uid and part == DEMO_UID:
                    return "{demo_uid}"
            return part

        return walk(value, change)

    def body(self, body):
        """A request's body: `args` of object calls have the user's id in second place."""
        if isinstance(body, dict) and "id" in body and "params" in body:
            return {**body, "params": self.body(body["params"])}
        body = self.value(body, is_uid="res.users" in json.dumps(body))
        args = body.get("args") if isinstance(body, dict) else None
        if isinstance(args, list) and len(args) > 3 and args[1] == DEMO_UID:
            args[1] = "{demo_uid}"
        return body


def answer_of(resp, compare, names, drop, text):
    """What the answer must say, without tracebacks."""
    if compare == "html":
        title = re.search(r"<title>(.*?)</title>", resp)
        return title[1] if title else resp
    error = resp.get("error") if isinstance(resp, dict) and "jsonrpc" in resp else resp
    if compare.startswith("error"):
        data = error["data"] if "data" in error else error
        members = {"error-name": ["name"], "error-text": ["name"]}.get(compare, ["name", "message", "arguments"])
        answer = {member: data[member] for member in members}
        if "data" in error:
            answer.update(code=error["code"])
            if compare == "error":
                answer.update(title=error["message"])
        if text:
            answer["text"] = text
        return names.value(answer)
    result = resp.get("result") if isinstance(resp, dict) and "jsonrpc" in resp else resp
    if compare == "subset":
        if "session_id" not in drop and isinstance(result, dict) and "user_context" in result:
            result = {k: result[k] for k in SESSION_INFO if k in result}
        result = walk(result, lambda part: {k: v for k, v in part.items() if k not in drop} if isinstance(part, dict) else part)
    return names.value(result, is_uid=True)


def select(name, rules, folder):
    """The chosen exchanges of one transcript, and how many are out for which reason."""
    chosen, out, cookies = [], {}, {}
    with open(folder / f"{rules.get('source', name)}.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    for index, line in enumerate(lines):
        saves = rules.get("save", {}).get(index, {})
        for variable, where in saves.items():
            if where == "cookie":
                cookies[re.match(r"session_id=([^;]+)", line["headers"]["Set-Cookie"])[1]] = variable
        if index in rules["out"]:
            reason = rules["out"][index]
            out[reason] = out.get(reason, 0) + 1
            continue
        resp = line["resp"]
        is_html = line["headers"].get("Content-Type", "").startswith("text/html")
        is_error = isinstance(resp, dict) and ("error" in resp if "jsonrpc" in resp else "debug" in resp)
        compare = rules.get("compare", {}).get(index) or ("html" if is_html else "error" if is_error else "result")
        if index in rules.get("shape", ()):
            compare = "shape"
        names = Names(rules.get("rename", {}).get(index), rules.get("numbers", {}).get(index, {}))
        headers = {k: names.text(v) for k, v in line["req_headers"].items()}
        if "Cookie" in headers:
            value = headers["Cookie"].removeprefix("session_id=")
            # A cookie that nobody was given, or that was given to nobody, is as dead as any other.
            headers["Cookie"] = "session_id=" + ("{%s}" % cookies[value] if value in cookies else value)
        if "X-Openerp-Session-Id" in headers:
            headers["X-Openerp-Session-Id"] = "{%s}" % cookies[headers["X-Openerp-Session-Id"]]
        exchange = {
            "line": index + 1, "label": names.text(line["label"]), "method": line["method"], "path": names.text(line["path"]), "headers": headers,
            "body": json.dumps(line["req"]) if index in rules.get("json_text", ()) else names.body(line["req"]), "status": STATUS.get((line["path"].split("/")[1], line["status"]), line["status"]), "compare": compare,
            "answer": answer_of(resp, compare, names, rules.get("drop", {}).get(index, []), rules.get("text", {}).get(index)),
        }
        if saves:
            exchange["save"] = saves
        chosen.append(exchange)
    return chosen, out, len(lines)


def main(folder):
    """Writes the selections and prints the table."""
    print("| transcript | replayed | out of scope | why |\n| --- | ---: | ---: | --- |")
    for name, rules in FILES.items():
        chosen, out, total = select(name, rules, Path(folder))
        with open(HERE / "odoo19" / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for exchange in chosen:
                file.write(json.dumps(exchange, ensure_ascii=False) + "\n")
        for number, (reason, count) in enumerate(sorted(out.items(), key=lambda item: -item[1])):
            print(f"| {f'{name} ({total})' if number == 0 else ''} | {len(chosen) if number == 0 else ''} | {count} | {reason} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
