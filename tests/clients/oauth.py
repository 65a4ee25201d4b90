"""Tokens by the authorization code grant with PKCE (RFC 6749, RFC 7636), by plain requests."""

import base64
import hashlib
import secrets
from urllib.parse import urlencode

import requests

from browser import query_of


def authorize_url(base, application, scope, verifier, state):
    """The address that an application sends the browser to."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return f"{base}/oauth2/authorize?" + urlencode({
        "response_type": "code",
        "client_id": application["client_id"],
        "redirect_uri": application["redirect_uris"][0],
        "scope": scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    })


def client_auth(application):
    """How a confidential application proves who it is: HTTP Basic."""
    return requests.auth.HTTPBasicAuth(application["client_id"], application["client_secret"])


def obtain_tokens(base, application, browser):
    """Access and refresh token of a new authorization, given by the person at the browser."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    callback = query_of(browser.authorize(
        authorize_url(base, application, application["scope"], verifier, state), application["redirect_uris"][0],
    ))
    if "code" not in callback or callback.get("state") != state:
        raise RuntimeError(f"no code: {callback}")
    answer = requests.post(f"{base}/oauth2/token", timeout=30, auth=client_auth(application), data={
        "grant_type": "authorization_code",
        "code": callback["code"],
        "redirect_uri": application["redirect_uris"][0],
        "code_verifier": verifier,
    })
    answer.raise_for_status()
    return answer.json()


def refresh(base, application, refresh_token):
    """Exchanges a refresh token; the whole answer, good or bad."""
    return requests.post(
        f"{base}/oauth2/token", timeout=30, auth=client_auth(application),
        data={"grant_type": "refresh_token", "refresh_token": refresh_token},
    )


def introspect(base, application, token):
    """What the server says of a token (RFC 7662)."""
    answer = requests.post(
        f"{base}/oauth2/introspect", timeout=30, auth=client_auth(application), data={"token": token},
    )
    answer.raise_for_status()
    return answer.json()
