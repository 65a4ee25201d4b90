"""Cloudflare's own client (unmodified, from PyPI) pointed at us: `revoke_user` of Access. The server has the account `acme` and the zone `acme-zone`."""

import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import cloudflare
import requests

from browser import Browser
from check import check, confidential_applications, equal, finish, load_demo, password_of
from oauth import introspect, obtain_tokens, refresh

logging.getLogger("cloudflare").setLevel(logging.ERROR)
demo = load_demo()
application = confidential_applications(demo)[0]
ACCOUNT, ZONE = "acme", "acme-zone"


def make_key(scope):
    """An API key of the administrator for this scope, made by means of the demo's."""
    answer = requests.post(f"{demo['url']}/json/2/res.users.apikeys/generate", timeout=30, headers={"Authorization": f"Bearer {demo['api_key']}"}, json={
        "key": demo["api_key"], "scope": scope, "name": f"cloudflare-python {scope}", "expiration_date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 3600)),
    })
    answer.raise_for_status()
    return answer.json()


def client(key, base=demo["url"], **options):
    """Cloudflare's client with an API token."""
    return cloudflare.Cloudflare(api_token=key, base_url=f"{base}/client/v4", **options)


def refused(what, exception, code, call, *args, **kwargs):
    """Checks that the client raises this exception, with this code in Cloudflare's envelope."""
    try:
        got = call(*args, **kwargs)
    except exception as error:
        return equal(what, [one.code for one in error.errors], [code])
    except Exception as error:  # the check fails, the script goes on
        return check(what, False, f"{type(error).__name__}: {error}")
    return check(what, False, f"no error, but {got!r}")


key = make_key("access:write")
revoke = client(key).zero_trust.organizations.revoke_users

# Success, and already revoked.
browser = Browser("heidi", password_of(demo, "heidi"))
tokens = obtain_tokens(demo["url"], application, browser)
equal("a token before", introspect(demo["url"], application, tokens["access_token"])["active"], True)
equal("revoked, by account", revoke(email="heidi@example.com", account_id=ACCOUNT), True)
equal("the access token is dead", introspect(demo["url"], application, tokens["access_token"]), {"active": False})
equal("and so is the refresh token", refresh(demo["url"], application, tokens["refresh_token"]).json()["error"], "invalid_grant")
equal("revoked already", revoke(email="heidi@example.com", account_id=ACCOUNT), False)
tokens = obtain_tokens(demo["url"], application, browser)
equal("revoked, by zone", revoke(email="HEIDI@example.com", zone_id=ZONE), True)
equal("again dead", introspect(demo["url"], application, tokens["access_token"]), {"active": False})

# Devices, in either place, and gateway sessions.
for place in ("query_devices", "body_devices"):
    browser = Browser("heidi", password_of(demo, "heidi"))
    tokens = obtain_tokens(demo["url"], application, browser)
    equal(f"{place}: revoked", revoke(email="heidi@example.com", account_id=ACCOUNT, **{place: True}), True)
    page = browser.session.get(f"{demo['url']}/web/login", timeout=30).text
    check(f"{place}: the browser must sign in anew", 'name="password"' in page)
    equal(f"{place}: revoked already", revoke(email="heidi@example.com", account_id=ACCOUNT, **{place: True}), False)
browser = Browser("heidi", password_of(demo, "heidi"))
obtain_tokens(demo["url"], application, browser)


def at_gateway():
    """What a reverse proxy is told of the browser."""
    return browser.session.get(f"{demo['url']}/oauth2/auth", timeout=30).status_code


equal("signed in is not enough at the gateway", at_gateway(), 401)
started = browser.session.get(f"{demo['url']}/oauth2/start?rd=%2Fapp", timeout=30, allow_redirects=False)
equal("it gives a session and leads back", (started.status_code, started.headers["Location"]), (303, "/app"))
equal("at the gateway", at_gateway(), 200)
equal("his tokens", revoke(email="heidi@example.com", account_id=ACCOUNT), True)
equal("the gateway session goes on", at_gateway(), 200)
equal("warp_session_reauth", revoke(email="heidi@example.com", account_id=ACCOUNT, warp_session_reauth=True), True)
equal("the gateway session is over", at_gateway(), 401)

# user_uid.
users = requests.post(f"{demo['url']}/json/2/res.users/search_read", timeout=30, headers={"Authorization": f"Bearer {demo['api_key']}"}, json={
    "domain": [["login", "in", ["heidi", "judy"]]], "fields": ["login", "user_uid"],
}).json()
uids = {user["login"]: user["user_uid"] for user in users}
equal("the user's UUID", revoke(email="heidi@example.com", account_id=ACCOUNT, user_uid=uids["heidi"]), False)
refused("another's UUID", cloudflare.NotFoundError, 12135, revoke, email="heidi@example.com", account_id=ACCOUNT, user_uid=uids["judy"])

# The older pair.
pair = cloudflare.Cloudflare(api_email="admin@example.com", api_key=demo["api_key"], base_url=f"{demo['url']}/client/v4")
equal("by e-mail and key", pair.zero_trust.organizations.revoke_users(email="heidi@example.com", account_id=ACCOUNT), False)
pair = cloudflare.Cloudflare(api_email="heidi@example.com", api_key=demo["api_key"], base_url=f"{demo['url']}/client/v4")
refused("another's key", cloudflare.AuthenticationError, 10000, pair.zero_trust.organizations.revoke_users, email="heidi@example.com", account_id=ACCOUNT)

# What is refused: the client's own exception classes.
refused("an unknown user", cloudflare.NotFoundError, 12135, revoke, email="nobody@example.com", account_id=ACCOUNT)
refused("no e-mail address", cloudflare.BadRequestError, 12130, revoke, email="heidi", account_id=ACCOUNT)
refused("a wrong token", cloudflare.AuthenticationError, 10000, client("0" * 40).zero_trust.organizations.revoke_users, email="heidi@example.com", account_id=ACCOUNT)
weak = make_key("rpc")
refused("a token without the permission", cloudflare.PermissionDeniedError, 9109, client(weak).zero_trust.organizations.revoke_users, email="heidi@example.com", account_id=ACCOUNT)
refused("an unknown account", cloudflare.NotFoundError, 7003, revoke, email="heidi@example.com", account_id="nobody")
refused("a zone is no account", cloudflare.NotFoundError, 7003, revoke, email="heidi@example.com", account_id=ZONE)
refused("another call of the API", cloudflare.NotFoundError, 7003, client(key).zero_trust.organizations.list, account_id=ACCOUNT)


class Faulty(BaseHTTPRequestHandler):
    """A way to the server that is broken twice, then whole."""

    seen = []

    def do_POST(self):
        """Answers 503, or hands on."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(self.headers.get("x-stainless-retry-count"))
        if len(self.seen) <= 2:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
        answer = requests.post(demo["url"] + self.path, data=body, headers=headers, timeout=30)
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_):
        """Says nothing."""


proxy = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
Thread(target=proxy.serve_forever, daemon=True).start()
tokens = obtain_tokens(demo["url"], application, Browser("heidi", password_of(demo, "heidi")))
through = client(key, f"http://127.0.0.1:{proxy.server_port}").zero_trust.organizations.revoke_users
equal("503 twice, then revoked", through(email="heidi@example.com", account_id=ACCOUNT), True)
equal("it was asked three times", Faulty.seen, ["0", "1", "2"])
equal("and the token is dead", introspect(demo["url"], application, tokens["access_token"]), {"active": False})
proxy.shutdown()

for made in (key, weak):
    requests.post(f"{demo['url']}/json/2/res.users.apikeys/revoke", timeout=30, headers={"Authorization": f"Bearer {demo['api_key']}"}, json={"key": made}).raise_for_status()
refused("a key that was removed", cloudflare.AuthenticationError, 10000, revoke, email="heidi@example.com", account_id=ACCOUNT)
finish()
