"""Sign-in and consent: the authorization service sends the browser here, and it goes back with a ticket that is good once."""

import math
import time
from urllib.parse import parse_qsl, urlencode

from odoo import _, http
from odoo.exceptions import UserError
from odoo.http import request

from .. import compat
from ..exceptions import ServiceError, UnknownUser
from ..models.res_users import SIGNED_IN_AT

#: Characters of a query that are passed on; the service has its own bound.
QUERY_CHARS_MAX = 8192


class Authorize(http.Controller):
    @http.route("/orest/authorize", type="http", auth="user", methods=["GET", "POST"], website=False, sitemap=False)
    def authorize(self, answer=None, **_parameters):
        """Ask whoever is signed in whether an application may act for him (RFC 6749 section 4.1.1).

        The query is the service's own and is passed on as it came; nothing in it is believed here. Whether to redirect, and
        where to, is the service's word, which it gives over its own connection.
        """
        query = request.httprequest.query_string.decode("ascii", "replace")
        if len(query) > QUERY_CHARS_MAX:
            return self._page("orest.authorize_refused", {"reason": _("The address is too long.")}, 414)
        parameters = parse_qsl(query, keep_blank_values=True)
        if request.httprequest.method == "GET" and "login" in self._prompts(parameters):
            return self._sign_in_anew(parameters)
        try:
            described = self._ask("describe_request", query)
            if described.get("redirect"):
                return self._go_on(described)
            if described.get("sign_in_anew"):
                return self._sign_in_anew(parameters)
            # What it is for is the service's word, and held to it: a query that says two things opens nothing.
            if described["purpose"] == "sign_in":
                return self._go_on(self._ask("approve_request", query, purpose="sign_in"))
            if request.httprequest.method == "POST" and answer == "allow":
                return self._go_on(self._ask("approve_request", query, purpose="consent"))
        except ServiceError as error:
            return self._page("orest.authorize_refused", {"reason": error.args[0]}, 503)
        except UserError as error:
            return self._page("orest.authorize_refused", {"reason": error.args[0]}, 400)
        if request.httprequest.method == "POST":
            return self._go_on({"redirect": described["deny"]})
        return self._page(
            "orest.authorize_consent",
            {
                "heading": _("%s wants to act for you", described["application"]),
                "who": _(
                    "You are signed in as %(name)s (%(login)s).", name=request.env.user.name, login=request.env.user.login
                ),
                "logo": described.get("logo"),
                "scopes": [self._scope_words(scope) for scope in described.get("scopes") or ()],
                "afterwards": _(
                    "Afterwards you are sent to %s. You can take this back at any time: in your preferences, "
                    "page “oREST API Authorizations”.",
                    described["target"],
                ),
                "here": "/orest/authorize?" + query,
                "somebody_else": "/orest/authorize?" + urlencode([*parameters, ("prompt", "login")]),
            },
        )

    @staticmethod
    def _ask(method, query, **arguments):
        """Ask the service, as nobody: who is signed in here is part of the question."""
        service = request.env["orest.service"].sudo()
        # Who has shown a password and not yet his second factor is not who is signed in.
        uid, signed_in_at = request.session.get(SIGNED_IN_AT) or (None, 0)
        # The two clocks may differ.
        signed_in_seconds = max(0, math.ceil(time.time() - signed_in_at)) if uid == request.env.uid else False
        asked = dict(arguments, query=query, user_id=request.env.uid, signed_in_seconds=signed_in_seconds)
        try:
            return service._call("orest.pairing", method, as_user=False, **asked)
        except UnknownUser:
            request.env.user.sudo()._orest_sync()
            return service._call("orest.pairing", method, as_user=False, **asked)

    @staticmethod
    def _prompts(parameters):
        return [word for name, value in parameters if name == "prompt" for word in value.split()]

    @classmethod
    def _sign_in_anew(cls, parameters):
        """``prompt=login``, or the service wants it: sign out, sign in, and come back without the prompt."""
        others = [(name, value) for name, value in parameters if name != "prompt"]
        prompts = [word for word in cls._prompts(parameters) if word != "login"]
        back = "/orest/authorize?" + urlencode(others + ([("prompt", " ".join(prompts))] if prompts else []))
        return compat.redirect("/web/session/logout?" + urlencode({"redirect": back}))

    @staticmethod
    def _go_on(answer):
        """Send the browser where the service says."""
        response = compat.redirect(answer["redirect"])
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @staticmethod
    def _page(template, values, status=200):
        response = request.render(template, values)
        response.flatten()
        response.status_code = status
        # Nobody may lay this page under his own, and have it clicked.
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @staticmethod
    def _scope_words(scope):
        """What a scope lets an application do, for people."""
        return {
            "rpc": _("Read and change in Odoo whatever you may read and change"),
            "rpc.read": _("Read in Odoo whatever you may read"),
            "profile": _("Know who you are"),
        }.get(scope, scope)
