"""HTTP to the service. Nothing in here knows Odoo's models, and nothing in here prints the credential."""

import http.client
import json
import os
import socket
import threading
import time

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from odoo import _

from .exceptions import Nonsense, NotConfigured, ServiceSilent, ServiceUnavailable, WrongCredential

#: Seconds until somebody must pick up.
CONNECT_TIMEOUT = 2
#: Seconds that a question may take, and an act: a revocation waits until every node of the service has heard of it.
READ_TIMEOUT, ACT_TIMEOUT = 5, 30
#: No answer of the service comes near to this.
ANSWER_BYTES_MAX = 64 << 20
_CHUNK = 1 << 16

_sessions = {}
_lock = threading.Lock()


class _Bearer(AuthBase):
    """Sets the header itself, so that a netrc file can't."""

    def __init__(self, credential):
        self._credential = credential

    def __call__(self, request):
        request.headers["Authorization"] = "Bearer %s" % self._credential
        return request

    def __repr__(self):
        return "_Bearer()"


def _session():
    """The one session of this worker process: a connection must not be shared over a fork."""
    pid = os.getpid()
    session = _sessions.get(pid)
    if session is None:
        with _lock:
            session = _sessions.get(pid)
            if session is None:
                session = requests.Session()
                adapter = HTTPAdapter(pool_connections=2, pool_maxsize=32)
                session.mount("http://", adapter)
                session.mount("https://", adapter)
                session.cookies.set_policy(_NoCookies())
                _sessions.clear()
                _sessions[pid] = session
    return session


class _NoCookies(requests.cookies.cookielib.DefaultCookiePolicy):
    """The service's calls have no session."""

    def set_ok(self, cookie, request):
        return False

    def return_ok(self, cookie, request):
        return False


class Answer:
    """What came back."""

    def __init__(self, env, status, headers, content):
        self.env = env
        self.status = status
        self.headers = headers
        self.content = content

    def json(self):
        """The body as JSON.

        :raise Nonsense: it is none
        """
        try:
            return json.loads(self.content.decode("utf-8"))
        except (UnicodeDecodeError, ValueError):
            raise Nonsense(
                _("What answers at the address of the authorization service is not the service. Check the address.")
            ) from None


def post(env, address, path, credential, **arguments):
    """One POST.

    :param act: whether it is a revocation, which may take longer
    :param repeatable: whether it does no harm to ask twice when the connection broke before an answer came
    :raise ServiceUnavailable: no answer, or too late
    :raise Nonsense: something else answers
    :raise WrongCredential: 401
    """
    return _Exchange(env).post(address, path, credential, **arguments)


class _Exchange:
    """One question and its answer. The environment is for the language of the texts."""

    def __init__(self, env):
        self.env = env if env.lang else env(context=dict(env.context, lang="en_US"))

    def post(self, address, path, credential, headers=None, json_body=None, form=None, act=False, repeatable=True):
        """See :func:`post`."""
        if not address.startswith(("https://", "http://")):
            raise NotConfigured(
                _("The address of the authorization service must begin with https:// (or http:// on the own machine).")
            )
        if not credential.isascii() or not credential.isprintable():
            raise WrongCredential(_("The credential of the authorization service has characters that none has."))
        timeout = ACT_TIMEOUT if act else READ_TIMEOUT
        arguments = {
            "auth": _Bearer(credential),
            "headers": dict(headers or {}, **{"Accept-Encoding": "identity"}),
            "timeout": (CONNECT_TIMEOUT, timeout),
            "allow_redirects": False,
            "stream": True,
        }
        if form is not None:
            arguments["data"] = form
        else:
            arguments["data"] = json.dumps(json_body or {}).encode()
            arguments["headers"] = dict(arguments["headers"], **{"Content-Type": "application/json"})
        deadline = time.monotonic() + CONNECT_TIMEOUT + timeout
        url = address.rstrip("/") + path
        for last in (False, True) if repeatable else (True,):
            try:
                answer = self._read(_session().post(url, **arguments), deadline)
                break
            except requests.exceptions.SSLError:
                raise ServiceUnavailable(
                    _(
                        "The authorization service's TLS certificate is not trusted: it has expired, is for another name, "
                        "or was issued by somebody whom this server does not know."
                    )
                ) from None
            except requests.exceptions.ConnectTimeout:
                raise ServiceSilent(
                    _("The authorization service can't be reached: nobody answers at its address.")
                ) from None
            except requests.exceptions.Timeout:
                raise self._slow() from None
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
                raise NotConfigured(_("The address of the authorization service is no address.")) from None
            except requests.exceptions.ConnectionError as error:
                if "timed out" in str(error):
                    # While the body came.
                    raise self._slow() from None
                # A connection that was kept alive and had just been closed at the other end.
                if last or not _was_cut(error) or time.monotonic() > deadline:
                    raise ServiceUnavailable(
                        _("The authorization service can't be reached: it is not running, or its address is another.")
                    ) from None
            except requests.exceptions.RequestException:
                raise Nonsense(
                    _("What answers at the address of the authorization service is not the service. Check the address.")
                ) from None
        if answer.status == 401:
            raise WrongCredential(
                _(
                    "The authorization service does not accept the credential. Run \"orest pair\" on the service and put the "
                    "new credential into the settings."
                )
            )
        if answer.status in (502, 503, 504):
            raise ServiceUnavailable(_("The authorization service can't answer at the moment. Try again."))
        if 300 <= answer.status < 400:
            raise Nonsense(
                _(
                    "The address of the authorization service sends on to another one (%s). Put that one into the settings.",
                    (answer.headers.get("Location") or "?").split("?")[0],
                )
            )
        return answer

    def _read(self, response, deadline):
        """The whole body, within bounds of time and size: a timeout on the socket alone starts anew with each byte."""
        with response:
            chunks, size = [], 0
            while True:
                chunk = _some(response.raw)
                if not chunk:
                    break
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    raise Nonsense(_("The authorization service's answer has no end."))
                if time.monotonic() > deadline:
                    raise self._slow()
                chunks.append(chunk)
            # All of it is read: the connection is good for the next call.
            response.raw.release_conn()
            return Answer(self.env, response.status_code, response.headers, b"".join(chunks))

    def _slow(self):
        return ServiceSilent(_("The authorization service takes too long to answer. Try again."))


def _some(raw):
    """What the socket has, as soon as it has anything: urllib3's own reading comes back only when a chunk is full, however
    slowly it fills.
    """
    try:
        return raw._fp.read1(_CHUNK)
    except socket.timeout as error:
        raise requests.exceptions.ReadTimeout(error) from None
    except (OSError, http.client.HTTPException) as error:
        raise requests.exceptions.ConnectionError(error) from None


def _was_cut(error):
    """Whether the connection broke, rather than never came to be."""
    return any(word in str(error) for word in ("aborted", "reset", "RemoteDisconnected", "Broken pipe"))
