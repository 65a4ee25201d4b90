"""schemathesis (unmodified, from PyPI) over the OpenAPI document: whatever is sent, no 5xx, and no answer that the document doesn't know.

Random ids name nobody, so the document that it is given has those of records for examples that this script makes before: each call that
takes something away has its own. In the end each call must have been answered with what it is there for.
"""

import collections
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import requests

from browser import Browser, query_of
from check import check, confidential_applications, equal, finish, password_of
from oauth import authorize_url, obtain_tokens
from server import Server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
EXAMPLES = 20
SEED = 20261121
TIMEOUT_SECONDS = 240
# The account and the zone that the document has for examples.
ACCESS = ["--access-accounts", "acme", "--access-zones", "acme-zone"]
# Where a path leaves something open, half of what is tried is there, and half is not.
UNKNOWN = "0" * 23 + "f"


class Admin:
    """An administrator's session at the Admin API."""

    def __init__(self, demo):
        self.base = f"{demo['url']}/api/admin/v3.0"
        answer = requests.post(f"{self.base}/auth/providers/local-userpass/login", json={"username": "admin", "password": password_of(demo, "admin")}, timeout=30)
        answer.raise_for_status()
        self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]

    def call(self, method, path, body=None):
        """What it answers."""
        answer = requests.request(method, f"{self.base}{path}", json=body, headers={"Authorization": f"Bearer {self.access}"}, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.text else None


class Seeds:
    """Records for the calls to work on, and who makes them."""

    def __init__(self, demo):
        self.demo = demo
        self.application = confidential_applications(demo)[0]
        # All sign in before anybody tries passwords at random.
        self.admin, self.ending, self.renewing = Admin(demo), Admin(demo), Admin(demo)
        self.group = self.admin.call("GET", "/auth/profile")["roles"][0]["group_id"]
        apps = self.admin.call("GET", f"/groups/{self.group}/apps")
        self.app = next(app["_id"] for app in apps if app["name"] == self.application["name"])
        self.people = iter(["bob", "carol", "dave", "erin", "frank", "grace", "heidi"])
        self.count = 0

    def session(self, login):
        """A signed-in browser's cookie."""
        params = {"db": self.demo["database"], "login": login, "password": password_of(self.demo, login)}
        answer = requests.post(f"{self.demo['url']}/web/session/authenticate", json={"jsonrpc": "2.0", "params": params}, timeout=30)
        return f"session_id={answer.cookies['session_id']}"

    def tokens(self):
        """Of somebody who has just let the application in, and of nobody else."""
        login = next(self.people)
        return obtain_tokens(self.demo["url"], self.application, Browser(login, password_of(self.demo, login)))

    def code(self):
        """One that nobody has exchanged yet."""
        login, address = next(self.people), self.application["redirect_uris"][0]
        asked = {"client_id": self.application["client_id"], "redirect_uri": address}
        browser = Browser(login, password_of(self.demo, login))
        return query_of(browser.authorize(f"{self.demo['url']}/orestapi/oauth2/authorization?{urlencode(asked)}", address))["code"]

    def email(self):
        """A new one."""
        self.count += 1
        return f"seed{self.count}@example.com"

    def user(self):
        """One of the application's users."""
        body = {"email": self.email(), "password": "a good one"}
        return self.admin.call("POST", f"/groups/{self.group}/apps/{self.app}/users", body)["_id"]

    def pending(self):
        """The address of a user who has registered for the application and is not confirmed."""
        email = self.email()
        self.odoo("res.users/create", vals_list=[{"name": email, "login": email, "email": email, "state": "pending", "password": "a good one"}])
        own = self.odoo("orest.identity/search", domain=[["user_id.login", "=", email]])
        self.odoo("orest.identity/write", ids=own, vals={"application_id": int(self.app, 16)})
        return email

    def key(self):
        """An API key of the application."""
        return self.admin.call("POST", f"/groups/{self.group}/apps/{self.app}/api_keys", {"name": "seed"})["_id"]

    def odoo(self, path, **arguments):
        """A method of a model, by /json/2."""
        answer = requests.post(f"{self.demo['url']}/json/2/{path}", json=arguments, headers={"Authorization": f"Bearer {self.demo['api_key']}"}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def several(self, make):
        """Enough that what one try takes away is there for the next."""
        return [make() for _ in range(3)]

    def make(self):
        """By operation: values of parameters, and members of the body, for the examples. Of a list the first is the example."""
        url, application = self.demo["url"], self.application
        legacy = {"client_id": application["client_id"], "redirect_uri": application["redirect_uris"][0]}
        asked = {**legacy, "response_type": "code"}
        exchange = {**legacy, "client_secret": application["client_secret"], "grant_type": "authorization_code"}
        person = next(self.people)
        seeds = {
            "token": {"grant_type": "client_credentials"},
            "introspect": {"token": self.tokens()["access_token"]},
            "revoke": {"token": self.tokens()["access_token"]},
            "authorize": {**asked, "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256"},
            "decide": asked,
            "start": {"rd": "/app"},
            "sign_out": {"redirect": "/web/login"},
            "orestapi_authorization": legacy,
            "orestapi_authorization_by_post": legacy,
            "orestapi_access_token": {**exchange, "code": self.code()},
            "orestapi_access_token_by_post": {**exchange, "code": self.code()},
            "revoke_user_of_account": {"email": f"{person}@example.com"},
            "revoke_user_of_zone": {"email": f"{person}@example.com"},
            "adminLogin": {"provider": ["local-userpass"], "username": "admin", "password": password_of(self.demo, "admin")},
            "adminCreateUser": {"email": self.email(), "password": "a good one"},
            "adminCreateApiKey": {"name": "made by example"},
            "adminDeletePendingEmailPasswordUser": {"email": self.several(self.pending)},
            "adminConfirmPendingUser": {"email": self.several(self.pending)},
        }
        for call in ("adminGetUser", "adminListDevices", "adminUserLogout", "adminDisableUser", "adminEnableUser", "adminDeleteUser"):
            seeds[call] = {"user": self.several(self.user)}
        for call in ("adminGetApiKey", "adminEnableApiKey", "adminDisableApiKey", "adminDeleteApiKey"):
            seeds[call] = {"key": self.several(self.key)}
        return seeds


def operations(document):
    """Each call: its method, its path, and what is said of it."""
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "put", "post", "delete", "patch"}:
            yield method, path, item[method]


def plant(document, seeds, everywhere):
    """Puts the seeds into the document, as examples of parameters and bodies. `everywhere`: those of every call."""
    for _, _, call in operations(document):
        values = {**everywhere, **seeds.pop(call["operationId"], {})}
        used = set()
        for parameter in call.get("parameters", []):
            if parameter["name"] not in values:
                continue
            value = values[parameter["name"]]
            used.add(parameter["name"])
            parameter["example"] = value[0] if isinstance(value, list) else value
            if parameter["in"] == "path":
                parameter["schema"] = {"type": "string", "enum": [*(value if isinstance(value, list) else [value]), UNKNOWN]}
        rest = {name: value for name, value in values.items() if name not in used and name not in everywhere}
        for content in call.get("requestBody", {}).get("content", {}).values():
            content["example"], rest = rest, {}
        if rest:
            raise RuntimeError(f"{call['operationId']} has no place for {rest}")
    if seeds:
        raise RuntimeError(f"there is no call {', '.join(seeds)}")


def fuzz(server, document, name, calls, *caller):
    """Runs it over these calls; how often each was answered with which status."""
    report = Path(server.data_dir) / f"{re.sub('[^a-z]+', '-', name)}.har"
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", document, "--url", server.url, "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--max-examples", EXAMPLES, "--seed", SEED, "--warnings", "off", "--no-color", "--generation-database", "none", "--max-redirects", 0,
        "--report", "har", "--report-har-path", report, *(word for call in calls for word in ("--include-operation-id", call)), *caller,
    ]
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=TIMEOUT_SECONDS, check=False, cwd=server.data_dir,  # it leaves a folder where it runs
    )
    print(done.stdout, flush=True)
    cases = re.search(r"(\d+) generated", done.stdout)
    check(f"{name}: no 5xx, and no answer that the document doesn't know", done.returncode == 0, done.stdout[-3000:].replace("\n", "\n#   "))
    check(f"{name}: it has tried much", cases and int(cases.group(1)) >= 10 * len(calls), cases and cases.group(0))
    return json.loads(report.read_text(encoding="utf-8"))["log"]["entries"]


def statuses(document, entries):
    """By operation, how often it was answered with which status."""
    routes = [
        (path.count("{"), method, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))), call["operationId"])
        for method, path, call in operations(document)
    ]
    counts = {call["operationId"]: collections.Counter() for _, _, call in operations(document)}
    for entry in entries:
        method, path = entry["request"]["method"].lower(), urlsplit(entry["request"]["url"]).path
        # The path with the fewest places left open is the one that is meant.
        found = next((name for _, own, pattern, name in sorted(routes, key=lambda route: route[0]) if own == method and pattern.fullmatch(path)), None)
        if found:
            counts[found][entry["response"]["status"]] += 1
    return counts


def main():
    """One server, and each call as somebody who may."""
    with tempfile.TemporaryDirectory(prefix="orest-openapi-") as folder, Server(sys.argv[1], folder, arguments=ACCESS) as server:
        demo = server.start(demo=True).demo()
        seeds = Seeds(demo)
        document = requests.get(f"{server.url}/openapi.json", timeout=30).json()
        known = {call["operationId"]: call["tags"][0] for _, _, call in operations(document)}
        made = seeds.make()
        live = made["introspect"]["token"]
        plant(document, made, {"group": [seeds.group], "app": [seeds.app], "account_id": ["acme"], "zone_id": ["acme-zone"]})
        path = Path(folder) / "openapi.json"
        path.write_text(json.dumps(document), encoding="utf-8")

        def of(tag, *but):
            return sorted(name for name, own in known.items() if own == tag and name not in but)

        def bearer(token):
            return "--header", f"Authorization: Bearer {token}"

        client = ("--auth", f"{seeds.application['client_id']}:{seeds.application['client_secret']}")
        runs = {
            "operation": (of("operation"),),
            "oauth2": (of("oauth2", "check"), *client),
            "oauth2, forward auth": (["check"], *bearer(live)),
            "pages": (of("pages", "sign_out"), "--header", f"Cookie: {seeds.session('alice')}"),
            "pages, signing out": (["sign_out"],),
            "orestapi": (of("orestapi"), *client),
            "access": (of("access"), *bearer(demo["api_key"])),
            "app_services": (of("app_services", "adminCreateSession", "adminDeleteSession"), *bearer(seeds.admin.access)),
            "app_services, renewing": (["adminCreateSession"], *bearer(seeds.renewing.refresh)),
            # Last, and a session of its own: it ends with the first call.
            "app_services, ending": (["adminDeleteSession"], *bearer(seeds.ending.access)),
        }
        equal("each call is in one run", sorted(name for calls, *_ in runs.values() for name in calls), sorted(known))
        entries = []
        for name, (calls, *caller) in runs.items():
            entries += fuzz(server, path, name, calls, *caller)
        for name, counts in statuses(document, entries).items():
            print(f"# {name}: {dict(sorted(counts.items()))}")
            check(f"{name} has done what it is there for", any(200 <= status < 400 for status in counts), dict(counts))
            check(f"{name} has never failed", not any(status >= 500 for status in counts), dict(counts))
        introspected = [entry["response"]["content"].get("text", "") for entry in entries if entry["request"]["url"].endswith("/oauth2/introspect")]
        check("a live token was told active", any('"active":true' in text for text in introspected), introspected[:3])
        log = Path(server.log_path).read_text(encoding="utf-8", errors="replace")
        check("the server's log tells of no panic", "panicked" not in log)
    finish()


if __name__ == "__main__":
    main()
