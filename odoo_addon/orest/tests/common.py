"""What the tests share. They run against a real service, which is paired with this Odoo.

Its address and credential come from the environment (`OREST_TEST_URL`, `OREST_TEST_CREDENTIAL`) or, as in production, from Odoo's
configuration.
"""

import datetime
import json
import os
import uuid
from urllib.parse import urlsplit

import requests

from odoo.tests import common
from odoo.tools import config

from .. import compat
from ..models import orest_service


class ServiceMixin:
    """A user, and an application that holds access tokens of his."""

    @classmethod
    def _request_handler(cls, session, request, **arguments):
        """From 16.0 on Odoo lets tests reach the own machine only, and from 19.0 on it takes a timeout for one number."""
        if isinstance(arguments.get("timeout"), tuple):
            if urlsplit(request.url).hostname in ("127.0.0.1", "localhost"):
                return common._super_send(session, request, **arguments)
            arguments["timeout"] = None
        return super()._request_handler(session, request, **arguments)

    def connect(self):
        """Puts the service's address and credential where the module looks for them."""
        url, credential = os.environ.get("OREST_TEST_URL"), os.environ.get("OREST_TEST_CREDENTIAL")
        parameters = self.env["ir.config_parameter"].sudo()
        if url and credential:
            parameters.set_param("orest.service_url", url)
            parameters.set_param("orest.credential", credential)
        # From 15.0 on the tests of a class have one cursor.
        orest_service._failures.clear()
        self.service = self.env["orest.service"]
        self.assertTrue(self.service._is_configured(), "Set OREST_TEST_URL and OREST_TEST_CREDENTIAL, see tests/common.py")
        self.admin = self.env.ref("base.user_admin")
        self.admin._orest_sync()
        self.env = self.env(user=self.admin)

    def new_user(self, name="Uma", groups="base.group_user", **values):
        """A user of Odoo's, of whom the service knows."""
        login = "%s-%s" % (name.lower(), uuid.uuid4().hex[:8])
        groups = [self.env.ref(group).id for group in groups.split(",")]
        values = dict({"name": name, "login": login, "email": "%s@example.com" % login, "password": login}, **values)
        if not values["password"]:
            del values["password"]
        values[compat.GROUPS_FIELD] = [(6, 0, groups)]
        user = self.env["res.users"].with_context(no_reset_password=True).create(values)
        user._orest_sync()
        return user

    def new_application(self, user, scope="rpc rpc.read", **values):
        """An application that may have tokens for this user, and its secret."""
        application = self.env["orest.application"].create(
            dict({"name": "Test %s" % uuid.uuid4().hex[:8], "scope": scope, "user_id": user.id}, **values)
        )
        secret = application.action_generate_secret()
        self.assertEqual(set(secret), {"client_id", "client_secret"})
        return application, secret["client_secret"]

    def new_token(self, user, scope="rpc", application=None, secret=None):
        """An access token for this user, and the authorization that it stands for."""
        if application is None:
            application, secret = self.new_application(user)
        answer = requests.post(
            self.service._address().rstrip("/") + "/oauth2/token",
            data={"grant_type": "client_credentials", "scope": scope},
            auth=(application.client_id, secret),
            timeout=10,
        )
        self.assertEqual(answer.status_code, 200, answer.text)
        found = self.env["orest.authorization"].search([("application_id", "=", application.id)], order="id desc", limit=1)
        self.assertEqual(found.user_id, user)
        return answer.json()["access_token"], found

    def is_active(self, token):
        """Whether the service holds a token for good."""
        return self.service._introspect(token)["active"]

    def move_service(self, address):
        """Has Odoo look for the service at another address, until the test is over."""
        self.env["ir.config_parameter"].sudo().set_param("orest.service_url", address)
        if config.get("orest_service_url"):
            self.addCleanup(config.__setitem__, "orest_service_url", config["orest_service_url"])
            config["orest_service_url"] = address

    def new_api_key(self, user):
        """A key of Odoo's own."""
        keys = self.env(user=user)["res.users.apikeys"]
        if compat.SERIES >= 18:
            return keys._generate(None, "test", datetime.datetime.now() + datetime.timedelta(days=1))
        return keys._generate(None, "test")

    # Odoo's own APIs.

    def rpc(self, *arguments):
        """What a call over `/jsonrpc` answers: the result, or the name of the exception."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"service": arguments[0], "method": arguments[1], "args": arguments[2:]}}
        answer = self.url_open(
            "/jsonrpc", data=json.dumps(body), headers={"Content-Type": "application/json"}, timeout=30
        ).json()
        return answer["error"]["data"]["name"] if "error" in answer else answer.get("result")

    def execute(self, uid, key, model, method, *args, **kwargs):
        """`execute_kw` over `/jsonrpc`."""
        # Without a language 14.0 translates its texts by a second cursor, which a test can't have.
        kwargs.setdefault("context", {"lang": "en_US"})
        return self.rpc("object", "execute_kw", self.env.cr.dbname, uid, key, model, method, list(args), kwargs)


def groups(model, domain, by, aggregates):
    """Keys, counts and aggregates of groups, in any series: ids for records."""
    if compat.SERIES >= 17:
        rows = model._read_group(domain, by, ["__count", *aggregates], order=", ".join(by))
        return [tuple(value.id if hasattr(value, "_ids") else value for value in row) for row in rows]
    found = model.read_group(domain, aggregates or ["id"], by, lazy=False)
    plain = []
    for row in found:
        keys = [row[key][0] if isinstance(row[key], tuple) else row[key] for key in by]
        plain.append((*keys, row["__count"], *(row[name.partition(":")[0]] for name in aggregates)))
    return plain
