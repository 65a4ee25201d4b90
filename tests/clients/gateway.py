"""A real nginx before an application, with the configuration of docs/examples: it asks us about each request.

    gateway.py BINARY
"""

import json
import re
import shutil
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import requests

sys.path.append(str(Path(__file__).resolve().parent.parent / "lib"))

from browser import Browser, Form
from check import check, confidential_applications, equal, finish, password_of
from nginx import Nginx
from oauth import obtain_tokens
from processes import make_folder
from server import Server, free_port

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "gateway-nginx.conf"


class Application(BaseHTTPRequestHandler):
    """Says what it was asked for, and as whom."""

    def answer(self):
        """The headers that the proxy set, and the path."""
        body = json.dumps({"path": self.path, "method": self.command, "user": self.headers.get("X-User"), "groups": self.headers.get("X-Groups"), "cookie": self.headers.get("Cookie")}).encode()
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


def sign_in(session, answer, login, password):
    """Fills in the sign-in page and follows where it leads."""
    form = Form(answer.text)
    fields = {**form.fields, "login": login, "password": password}
    return session.post(requests.compat.urljoin(answer.url, form.action), data=fields, headers={"Origin": base}, timeout=30)


def revoke(session_id):
    """The administrator takes one authorization back."""
    answer = requests.post(f"{server.url}/json/2/orest.authorization/action_revoke_tokens", timeout=30, headers={"Authorization": f"Bearer {demo['api_key']}"}, json={"ids": [session_id]})
    answer.raise_for_status()


def gateway_sessions(login):
    """Those of a user, newest first."""
    answer = requests.post(f"{server.url}/json/2/orest.authorization/search_read", timeout=30, headers={"Authorization": f"Bearer {demo['api_key']}"}, json={
        "domain": [["user_id.login", "=", login], ["grant_type", "=", "gateway"]], "fields": ["state", "application_id"], "order": "id desc",
    })
    answer.raise_for_status()
    return answer.json()


folder = make_folder("orest-gateway-")
application = ThreadingHTTPServer(("127.0.0.1", 0), Application)
Thread(target=application.serve_forever, daemon=True).start()
port = free_port()
base = f"http://127.0.0.1:{port}"
server = Server(sys.argv[1], folder / "data", arguments=["--base-url", base, "--trust-proxy"])
config = EXAMPLE.read_text(encoding="utf-8")
for old, new in {"127.0.0.1:8070": f"127.0.0.1:{server.port}", "127.0.0.1:9000": f"127.0.0.1:{application.server_port}", "listen 80;": f"listen 127.0.0.1:{port};"}.items():
    check(f"the example has {old!r}", config.count(old) == 1)
    config = config.replace(old, new)
proxy = Nginx(folder, config)


def is_served():
    """Whether the proxy answers."""
    try:
        return requests.get(f"{base}/oauth2/style.css", timeout=2).status_code == 200
    except requests.ConnectionError:
        return False


try:
    server.start(demo=True)
    demo = server.demo()
    proxy.start(is_served)

    session = requests.Session()
    answer = session.get(f"{base}/orders?id=7&tab=lines", timeout=30, headers={"X-User": "admin"})
    check("who is nobody is asked to sign in", 'name="password"' in answer.text and answer.url.startswith(f"{base}/web/login?"), answer.url)
    wrong = sign_in(session, answer, "alice", "wrong")
    equal("a wrong password is shown", wrong.status_code, 403)
    answer = sign_in(session, wrong, "alice", password_of(demo, "alice"))
    equal("and is led back to where he was", answer.url, f"{base}/orders?id=7&tab=lines")
    seen = answer.json()
    equal("the application is told who it is", (seen["path"], seen["user"]), ("/orders?id=7&tab=lines", "alice"))
    check("and in which groups", "base.group_user" in seen["groups"], seen)
    equal("a header of his own is not handed on", session.get(f"{base}/", timeout=30, headers={"X-User": "admin"}).json()["user"], "alice")
    session.cookies.set("theme", "dark", domain="127.0.0.1", path="/")
    seen = session.get(f"{base}/", timeout=30).json()["cookie"]
    check("the application gets its own cookies and not the gateway's", "theme=dark" in seen and "orest_gateway" not in seen and "orgs_" not in seen, seen)
    equal("what he sends goes through", session.post(f"{base}/orders", data={"a": "b"}, timeout=30).json()["method"], "POST")
    sessions = gateway_sessions("alice")
    equal("it is an authorization", [(one["state"], one["application_id"][1]) for one in sessions], [("live", "Gateway")])

    copied = session.cookies["orest_gateway"]
    revoke(sessions[0]["id"])
    started = time.monotonic()
    answer = requests.get(f"{base}/orders", timeout=30, cookies={"orest_gateway": copied}, allow_redirects=False)
    equal("revoked: the next request is sent to sign in", (answer.status_code, answer.headers["Location"].split("?")[0]), (303, "/web/login"))
    answer = session.get(f"{base}/orders", timeout=30)
    check("who is still signed in at the service is asked all the same", 'name="password"' in answer.text and "prompt=login" in answer.url, answer.url)
    # A session is newer than a revocation if it was opened in a later second.
    time.sleep(max(0, 1.1 - (time.monotonic() - started)))
    answer = sign_in(session, answer, "alice", password_of(demo, "alice"))
    equal("and goes on", (answer.url, answer.json()["user"]), (f"{base}/orders", "alice"))
    equal("with another session", [one["state"] for one in gateway_sessions("alice")], ["live", "revoked"])
    equal("the copied one stays dead", requests.get(f"{base}/orders", timeout=30, cookies={"orest_gateway": copied}, allow_redirects=False).status_code, 303)
    equal("a web session alone does not get through", requests.get(f"{base}/orders", timeout=30, cookies={"session_id": "x"}, allow_redirects=False).status_code, 303)

    # Programs.
    tokens = obtain_tokens(base, confidential_applications(demo)[0], Browser("bob", password_of(demo, "bob")))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    equal("an access token gets through", requests.get(f"{base}/api", timeout=30, headers=bearer).json()["user"], "bob")
    for name, wrong in {"a forged token": "orat_x", "a gateway session's": session.cookies["orest_gateway"], "a refresh token": tokens["refresh_token"]}.items():
        answer = requests.get(f"{base}/api", timeout=30, headers={"Authorization": f"Bearer {wrong}"}, allow_redirects=False)
        equal(f"{name} as a bearer token is told no", answer.status_code, 401)
    equal("nobody asks the check from outside", requests.get(f"{base}/oauth2/auth", timeout=30).status_code, 404)
    answer = requests.get(f"{base}/oauth2/start?rd=https%3A%2F%2Fevil.example%2F", timeout=30, allow_redirects=False)
    equal("nobody is led elsewhere", answer.status_code, 400)

    # Out again.
    page = session.get(f"{base}/web/login", timeout=30)
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page.text).group(1)
    session.post(f"{base}/oauth2/sign-out", data={"csrf_token": token}, headers={"Origin": base}, timeout=30)
    check("signing out", "orest_gateway" not in session.cookies)
    check("ends it", 'name="password"' in session.get(f"{base}/orders", timeout=30).text)

    server.kill()
    equal("while the service is away nobody gets through", requests.get(f"{base}/api", timeout=30, headers=bearer).status_code, 500)
finally:
    proxy.stop()
    if server.process:
        server.__exit__()
    application.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
finish()
