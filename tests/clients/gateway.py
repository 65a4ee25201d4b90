"""Real reverse proxies before an application, nginx and Caddy, with the configurations of docs/: they ask us about each request.

    gateway.py BINARY
"""

import json
import os
import re
import shutil
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import requests

sys.path.append(str(Path(__file__).resolve().parent.parent / "lib"))

from browser import Browser, Form
from caddy import Caddy
from check import check, confidential_applications, finish, password_of
from check import equal as equal_values
from nginx import Nginx
from oauth import obtain_tokens
from processes import make_folder
from server import Server, free_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
# What the configurations have for the addresses of orest and of the application.
OREST, APPLICATION = "127.0.0.1:8070", "127.0.0.1:9000"
DOMAIN = "example.com"


class Application(BaseHTTPRequestHandler):
    """Says what it was asked for, and as whom."""

    def answer(self):
        """The headers that came, and the path."""
        body = json.dumps({"path": self.path, "method": self.command, **{name.lower(): value for name, value in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        """Reads."""
        self.answer()

    def do_POST(self):
        """Writes."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def log_message(self, *_):
        """Says nothing."""


def find_here(lookup):
    """As `lookup`, and all hosts of the domain are this machine."""
    def find(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return lookup("127.0.0.1" if name and name.endswith(f".{DOMAIN}") else host, *rest, **more)
    return find


class One:
    """nginx: the application and the pages of orest under one name, by the example."""

    name, user, groups = "nginx", "x-user", "x-groups"
    # When orest does not answer.
    away = 500

    def __init__(self, folder, application):
        port = free_port()
        self.base = self.auth = f"http://127.0.0.1:{port}"
        self.arguments = ["--base-url", self.auth, "--trust-proxy"]
        self.folder, self.replaced = folder, {APPLICATION: f"127.0.0.1:{application}", "listen 80;": f"listen 127.0.0.1:{port};"}
        self.config = (DOCS / "examples" / "gateway-nginx.conf").read_text(encoding="utf-8")

    def proxy(self, config):
        """The proxy itself."""
        return Nginx(self.folder, config)


class Domain:
    """Caddy: hosts of a domain, by what docs/gateway.md says."""

    name, user, groups = "Caddy", "x-auth-request-user", "x-auth-request-groups"
    away = 502

    def __init__(self, folder, application):
        self.port = free_port()
        self.base, self.auth = f"https://app.{DOMAIN}:{self.port}", f"https://auth.{DOMAIN}:{self.port}"
        self.arguments = ["--base-url", self.auth, "--trust-proxy", "--gateway-cookie-domain", DOMAIN]
        self.folder, self.replaced = folder, {APPLICATION: f"127.0.0.1:{application}"}
        blocks = re.findall(r"^```caddyfile\n(.*?)^```$", (DOCS / "gateway.md").read_text(encoding="utf-8"), re.M | re.S)
        check("Caddy: the documentation has one configuration", len(blocks) == 1)
        self.config = blocks[0]

    def proxy(self, config):
        """The proxy itself."""
        proxy = Caddy(self.folder, self.port, config)
        os.environ["REQUESTS_CA_BUNDLE"] = str(proxy.authority)
        return proxy


class Trial:
    """One proxy, and all that is asked of it."""

    def __init__(self, kind, binary):
        self.folder = make_folder("orest-gateway-")
        self.application = ThreadingHTTPServer(("127.0.0.1", 0), Application)
        Thread(target=self.application.serve_forever, daemon=True).start()
        self.place = kind(self.folder, self.application.server_port)
        self.server = Server(binary, self.folder / "data", arguments=self.place.arguments)
        config = self.place.config
        replaced = {**self.place.replaced, OREST: f"127.0.0.1:{self.server.port}"}
        self.check("the configuration has all that is set here", all(old in config for old in replaced), config)
        for old, new in replaced.items():
            config = config.replace(old, new)
        self.proxy = self.place.proxy(config)
        self.demo = None

    def check(self, what, holds, detail=None):
        """A check of this proxy."""
        return check(f"{self.place.name}: {what}", holds, detail)

    def equal(self, what, got, expected):
        """The same of two values."""
        return equal_values(f"{self.place.name}: {what}", got, expected)

    def is_served(self):
        """Whether the proxy answers."""
        try:
            return requests.get(f"{self.place.auth}/oauth2/style.css", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def sign_in(self, session, answer, login, password):
        """Fills in the sign-in page and follows where it leads."""
        form = Form(answer.text)
        fields = {**form.fields, "login": login, "password": password}
        return session.post(requests.compat.urljoin(answer.url, form.action), data=fields, headers={"Origin": self.place.auth}, timeout=30)

    def odoo(self, path, **arguments):
        """A method of a model, as the administrator."""
        answer = requests.post(f"{self.server.url}/json/2/{path}", timeout=30, headers={"Authorization": f"Bearer {self.demo['api_key']}"}, json=arguments)
        answer.raise_for_status()
        return answer.json()

    def gateway_sessions(self, login):
        """Those of a user, newest first."""
        domain = [["user_id.login", "=", login], ["grant_type", "=", "gateway"]]
        return self.odoo("orest.authorization/search_read", domain=domain, fields=["state", "application_id"], order="id desc")

    def turned_away(self, **request):
        """How a request to the application is answered that doesn't get through."""
        return requests.get(f"{self.place.base}/orders", timeout=30, allow_redirects=False, **request)

    def run(self):
        """Everything, and nothing is left behind."""
        try:
            self.demo = self.server.start(demo=True).demo()
            self.proxy.start(self.is_served)
            session = requests.Session()
            self.people(session)
            self.programs(session)
            self.out(session)
        finally:
            self.proxy.stop()
            if self.server.process:
                self.server.__exit__()
            self.application.shutdown()
            shutil.rmtree(self.folder, ignore_errors=True)
            os.environ.pop("REQUESTS_CA_BUNDLE", None)

    def people(self, session):
        """Somebody signs in, is revoked, and signs in anew."""
        base, auth, user = self.place.base, self.place.auth, self.place.user
        answer = session.get(f"{base}/orders?id=7&tab=lines", timeout=30, headers={user: "admin"})
        self.check("who is nobody is asked to sign in", 'name="password"' in answer.text and answer.url.startswith(f"{auth}/web/login?"), answer.url)
        wrong = self.sign_in(session, answer, "alice", "wrong")
        self.equal("a wrong password is shown", wrong.status_code, 403)
        answer = self.sign_in(session, wrong, "alice", password_of(self.demo, "alice"))
        self.equal("and is led back to where he was", answer.url, f"{base}/orders?id=7&tab=lines")
        seen = answer.json()
        self.equal("the application is told who it is", (seen["path"], seen[user]), ("/orders?id=7&tab=lines", "alice"))
        self.check("and in which groups", "base.group_user" in seen[self.place.groups], seen)
        self.equal("a header of his own is not handed on", session.get(f"{base}/", timeout=30, headers={user: "admin"}).json()[user], "alice")
        host = base.split("//")[1].split(":")[0]
        session.cookies.set("theme", "dark", domain=host, path="/")
        for more in ("", "; after=it"):
            gateway = session.cookies["orest_gateway"]
            for line in (f"theme=dark; orest_gateway={gateway}{more}", f"orest_gateway={gateway}; theme=dark{more}"):
                seen = requests.get(f"{base}/", timeout=30, headers={"Cookie": line}).json()["cookie"]
                self.equal("the application gets its own cookies and not the gateway's", seen, f"theme=dark{more}")
        two = f"theme=dark; orest_gateway=orgs_old; orest_gateway={session.cookies['orest_gateway']}"
        seen = requests.get(f"{base}/", timeout=30, headers={"Cookie": two}).json()
        self.check("nor any of two", seen[user] == "alice" and "orest_gateway" not in seen.get("cookie", ""), seen)
        self.equal("what he sends goes through", session.post(f"{base}/orders", data={"a": "b"}, timeout=30).json()["method"], "POST")
        sessions = self.gateway_sessions("alice")
        self.equal("it is an authorization", [(one["state"], one["application_id"][1]) for one in sessions], [("live", "Gateway")])

        copied = session.cookies["orest_gateway"]
        self.odoo("orest.authorization/action_revoke_tokens", ids=[sessions[0]["id"]])
        started = time.monotonic()
        self.equal("revoked: the next request does not get through", self.turned_away(cookies={"orest_gateway": copied}).status_code, 303)
        answer = session.get(f"{base}/orders", timeout=30)
        self.check("who is still signed in at the service is asked all the same", 'name="password"' in answer.text and "prompt=login" in answer.url, answer.url)
        # A session is newer than a revocation if it was opened in a later second.
        time.sleep(max(0, 1.1 - (time.monotonic() - started)))
        answer = self.sign_in(session, answer, "alice", password_of(self.demo, "alice"))
        self.equal("and goes on", (answer.url, answer.json()[user]), (f"{base}/orders", "alice"))
        self.equal("with another session", [one["state"] for one in self.gateway_sessions("alice")], ["live", "revoked"])
        self.equal("the copied one stays dead", self.turned_away(cookies={"orest_gateway": copied}).status_code, 303)
        self.equal("a web session alone does not get through", self.turned_away(cookies={"session_id": "x"}).status_code, 303)

    def programs(self, session):
        """They show a token."""
        base, auth, user = self.place.base, self.place.auth, self.place.user
        tokens = obtain_tokens(auth, confidential_applications(self.demo)[0], Browser("bob", password_of(self.demo, "bob")))
        self.bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        self.equal("an access token gets through", requests.get(f"{base}/api", timeout=30, headers={**self.bearer, user: "admin"}).json()[user], "bob")
        for name, wrong in {"a forged token": "orat_x", "a gateway session's": session.cookies["orest_gateway"], "a refresh token": tokens["refresh_token"]}.items():
            self.equal(f"{name} as a bearer token is told no", self.turned_away(headers={"Authorization": f"Bearer {wrong}"}).status_code, 401)
        self.equal("nobody asks the check from outside", requests.get(f"{auth}/oauth2/auth", timeout=30).status_code, 404)
        answer = requests.get(f"{auth}/oauth2/start?rd=https%3A%2F%2Fevil.example%2F", timeout=30, allow_redirects=False)
        self.equal("nobody is led elsewhere", answer.status_code, 400)

    def out(self, session):
        """Signing out, and the service away."""
        base, auth = self.place.base, self.place.auth
        page = session.get(f"{auth}/web/login", timeout=30)
        token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text).group(1)
        session.post(f"{auth}/oauth2/sign-out", data={"csrf_token": token}, headers={"Origin": auth}, timeout=30)
        self.check("signing out", "orest_gateway" not in session.cookies)
        self.check("ends it", 'name="password"' in session.get(f"{base}/orders", timeout=30).text)
        self.server.kill()
        self.equal("while the service is away nobody gets through", requests.get(f"{base}/api", timeout=30, headers=self.bearer).status_code, self.place.away)


if __name__ == "__main__":
    socket.getaddrinfo = find_here(socket.getaddrinfo)
    for proxy in (One, Domain):
        Trial(proxy, sys.argv[1]).run()
    finish()
