"""Authlib's OAuth2Session (unmodified, from PyPI): PKCE, refresh with rotation and reuse detection, revoke, introspect."""

import os
import secrets

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from browser import Browser, query_of
from check import check, confidential_applications, equal, finish, load_demo, password_of, raises

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # this machine only: http
demo = load_demo()

metadata = requests.get(demo["url"] + "/.well-known/oauth-authorization-server", timeout=30).json()
equal("metadata: the issuer is the server", metadata["issuer"].rstrip("/"), demo["url"])
for name in ("authorization", "token", "revocation", "introspection"):
    check(f"metadata: {name}_endpoint", metadata.get(f"{name}_endpoint", "").startswith(demo["url"] + "/oauth2/"), metadata)
check("metadata: PKCE S256 and nothing weaker", metadata["code_challenge_methods_supported"] == ["S256"], metadata)
check("metadata: iss comes with the answer (RFC 9207)", metadata["authorization_response_iss_parameter_supported"] is True)
application = confidential_applications(demo)[0]
redirect_uri = application["redirect_uris"][0]


def client(app, **kwargs):
    """Authlib as this application."""
    public = {} if app["client_secret"] else {"token_endpoint_auth_method": "none"}
    return OAuth2Session(
        app["client_id"], app["client_secret"], scope=app["scope"], redirect_uri=app["redirect_uris"][0],
        code_challenge_method="S256", **public, **kwargs,
    )


def grant(app, browser, **kwargs):
    """The code grant: what the person's browser was sent back to, and the code's verifier."""
    verifier = secrets.token_urlsafe(48)
    url, state = client(app).create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
    callback = browser.authorize(url, app["redirect_uris"][0], **kwargs)
    equal("the state comes back", query_of(callback).get("state"), state)
    return callback, verifier, state


def fetch(app, callback, verifier, state):
    """Exchanges the code."""
    session = client(app, state=state)
    session.fetch_token(metadata["token_endpoint"], authorization_response=callback, code_verifier=verifier)
    return session


def introspect(session, token):
    """RFC 7662."""
    return session.introspect_token(metadata["introspection_endpoint"], token=token).json()


# The pages.
alice = Browser("alice", password_of(demo, "alice"))
callback, verifier, state = grant(application, alice)
consent = alice.pages[-1]
check("the consent page names the application", application["name"] in consent.text)
check("and each scope", all(scope in consent.text for scope in application["scope"].split()))
headers = consent.headers
check("it can't be framed", "frame-ancestors 'none'" in headers.get("Content-Security-Policy", "") or headers.get("X-Frame-Options") == "DENY", dict(headers))
check("it needs no script", "<script" not in consent.text.lower())
check("it fits a phone", 'name="viewport"' in consent.text)
equal("the answer names its issuer", query_of(callback).get("iss"), metadata["issuer"])
for page, what in ((alice.pages[0], "sign-in"), (consent, "consent")):
    check(f"the {what} form has a CSRF token", "csrf_token" in page.text)

# Tokens.
session = fetch(application, callback, verifier, state)
token = session.token
equal("it is a bearer token", token["token_type"].lower(), "bearer")
check("of the kinds that scanners know", token["access_token"].startswith("orat_") and token["refresh_token"].startswith("orrt_"))
seen = introspect(session, token["access_token"])
equal("introspection: active, of alice, for this client", (seen["active"], seen.get("username"), seen.get("client_id")), (True, "alice", application["client_id"]))
check("introspection: it ends in an hour", 3500 <= seen["exp"] - seen["iat"] <= 3600, seen)
raises("the code is good once", OAuthError, fetch, application, callback, verifier, state, text="invalid_grant")
check("and its replay ends what came of it (RFC 6749 section 4.1.2)", introspect(session, token["access_token"]) == {"active": False})

session = fetch(application, *grant(application, Browser("alice", password_of(demo, "alice"))))
first = session.token
second = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
check("a refresh gives two new tokens", second["refresh_token"] != first["refresh_token"] and second["access_token"] != first["access_token"])
check("the new one is good", introspect(session, second["access_token"])["active"])
third = session.refresh_token(metadata["token_endpoint"], refresh_token=second["refresh_token"])
check("and again", introspect(session, third["access_token"])["active"])
raises("an old refresh token is refused", OAuthError, session.refresh_token, metadata["token_endpoint"], refresh_token=first["refresh_token"], text="invalid_grant")
equal("reuse ends the authorization: access token", introspect(session, third["access_token"]), {"active": False})
raises("reuse ends the authorization: refresh token", OAuthError, session.refresh_token, metadata["token_endpoint"], refresh_token=third["refresh_token"], text="invalid_grant")

# Revocation (RFC 7009).
session = fetch(application, *grant(application, Browser("bob", password_of(demo, "bob"))))
other = fetch(application, *grant(application, Browser("bob", password_of(demo, "bob"))))
answer = session.revoke_token(metadata["revocation_endpoint"], token=session.token["refresh_token"], token_type_hint="refresh_token")
equal("revoke answers 200", answer.status_code, 200)
equal("the access token went too", introspect(session, session.token["access_token"]), {"active": False})
check("bob's other device is still signed in", introspect(other, other.token["access_token"])["active"])
equal("a token that nobody knows: 200", session.revoke_token(metadata["revocation_endpoint"], token="orat_nothing").status_code, 200)
equal("a forged token is not active", introspect(other, other.token["access_token"][:-6] + "AAAAAA"), {"active": False})
stranger = client(confidential_applications(demo)[1]) if len(confidential_applications(demo)) > 1 else None
check("there are two confidential applications", stranger is not None)
if stranger:
    stranger.revoke_token(metadata["revocation_endpoint"], token=other.token["access_token"])
    check("another application can't revoke it", introspect(other, other.token["access_token"])["active"])
    raises("nor refresh it", OAuthError, stranger.refresh_token, metadata["token_endpoint"], refresh_token=other.token["refresh_token"], text="invalid_grant")
    check("and its trying ends nothing", introspect(other, other.token["access_token"])["active"])

# What is refused.
callback, _, _ = grant(application, Browser("bob", password_of(demo, "bob")), decision="deny")
equal("the person says no", query_of(callback).get("error"), "access_denied")
callback, verifier, state = grant(application, Browser("bob", password_of(demo, "bob")))
raises("another verifier", OAuthError, fetch, application, callback, secrets.token_urlsafe(48), state, text="invalid_grant")
wrong = OAuth2Session(application["client_id"], "wrong", scope=application["scope"])
raises("a wrong client secret", OAuthError, wrong.fetch_token, metadata["token_endpoint"], grant_type="client_credentials", text="invalid_client")
url = metadata["authorization_endpoint"] + "?response_type=code&client_id=" + application["client_id"] + "&redirect_uri=https%3A%2F%2Fevil.example%2F"
answer = requests.get(url, allow_redirects=False, timeout=30)
check("an unknown callback gets a page, not a redirect", answer.status_code == 400 and "Location" not in answer.headers, answer.status_code)
public = next((a for a in demo["applications"] if not a["client_secret"]), None)
check("there is a public application", public is not None)
if public:
    session = fetch(public, *grant(public, Browser("alice", password_of(demo, "alice"))))
    check("a public client gets tokens with PKCE", session.token["access_token"].startswith("orat_"))
    bare = OAuth2Session(public["client_id"], scope=public["scope"], redirect_uri=public["redirect_uris"][0])
    url, _ = bare.create_authorization_url(metadata["authorization_endpoint"])
    answer = requests.get(url, allow_redirects=False, timeout=30)
    equal("and none without", query_of(answer.headers.get("Location", "")).get("error"), "invalid_request")

# The application in its own name.
session = OAuth2Session(application["client_id"], application["client_secret"], scope=application["scope"])
token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
check("client_credentials: a token, and no refresh token", "access_token" in token and "refresh_token" not in token, list(token))
seen = introspect(session, token["access_token"])
equal("client_credentials: it is active", (seen["active"], seen["client_id"]), (True, application["client_id"]))

# The demo's own token.
check("the token that the demo printed is live", introspect(session, demo["access_token"])["active"])
finish()
