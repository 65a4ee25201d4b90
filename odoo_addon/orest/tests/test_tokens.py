"""Access tokens in place of passwords and API keys, over Odoo's own doors."""

import json
import uuid
import xmlrpc.client

from odoo.tests.common import HttpCase, tagged

from .. import compat, tokens
from .common import ServiceMixin

DENIED = "odoo.exceptions.AccessDenied"
REFUSED = "odoo.exceptions.AccessError"


@tagged("post_install", "-at_install")
class TestTokens(ServiceMixin, HttpCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.user = self.new_user()
        self.token, self.authorization = self.new_token(self.user)

    def whoami(self, token=None, uid=None):
        """The user's own login; the name of an exception."""
        found = self.execute(uid or self.user.id, token or self.token, "res.users", "read", [self.user.id], ["login"])
        return found[0]["login"] if isinstance(found, list) else found

    def test_a_token_stands_for_its_user(self):
        self.assertEqual(self.rpc("common", "authenticate", self.env.cr.dbname, self.user.login, self.token, {}), self.user.id)
        self.assertEqual(self.rpc("common", "login", self.env.cr.dbname, self.user.login, self.token), self.user.id)
        self.assertEqual(self.whoami(), self.user.login)

    def test_a_revoked_token_is_refused_on_the_next_call(self):
        self.assertEqual(self.whoami(), self.user.login)
        self.assertEqual(self.whoami(), self.user.login, "the second call is the one that a cache would answer")
        self.assertEqual(self.authorization.action_revoke_tokens(reason="test")["revoked"], 1)
        self.assertFalse(self.is_active(self.token))
        self.assertEqual(self.whoami(), DENIED)
        self.assertIs(self.rpc("common", "authenticate", self.env.cr.dbname, self.user.login, self.token, {}), False)

    def test_xmlrpc(self):
        arguments = (self.env.cr.dbname, self.user.id, self.token, "res.users", "read", [[self.user.id], ["login"]])

        def call():
            body = xmlrpc.client.dumps(arguments, "execute_kw", allow_none=True)
            answer = self.url_open("/xmlrpc/2/object", data=body, headers={"Content-Type": "text/xml"})
            return xmlrpc.client.loads(answer.content)[0][0]

        self.assertEqual(call()[0]["login"], self.user.login)
        self.authorization.unlink()
        with self.assertRaises(xmlrpc.client.Fault):
            call()

    def test_a_token_is_good_for_no_other_user(self):
        other = self.new_user("Otto")
        self.assertEqual(self.execute(other.id, self.token, "res.users", "search_count", []), DENIED)
        self.assertEqual(self.execute(self.admin.id, self.token, "res.users", "search_count", []), DENIED)
        self.assertIs(self.rpc("common", "authenticate", self.env.cr.dbname, other.login, self.token, {}), False)

    def test_a_mistyped_token_is_refused(self):
        for token in (self.token[:-1], self.token[:-1] + ("0" if self.token[-1] != "0" else "1"), "orat_", "orat_" + "A" * 90):
            self.assertEqual(self.whoami(token), DENIED, token)

    def test_refused_tokens_lock_nobody_out(self):
        self.env["ir.config_parameter"].sudo().set_param("base.login_cooldown_after", "3")
        for _count in range(5):
            self.assertEqual(self.whoami("orat_" + "A" * 90), DENIED)
            self.assertIs(self.rpc("common", "login", self.env.cr.dbname, self.user.login, "orat_" + "A" * 90), False)
        self.assertEqual(self.rpc("common", "login", self.env.cr.dbname, self.user.login, self.user.login), self.user.id)
        # What is left of a token in the thread holds no call that comes without one.
        token, _authorization = self.new_token(self.admin, "rpc.read")
        self.assertIn(self.user.id, self.execute(self.admin.id, token, "res.users", "search", []))
        self.assertTrue(self.execute(self.user.id, self.user.login, "res.users", "write", [self.user.id], {"signature": "x"}))

    def test_passwords_and_api_keys_are_none_of_our_business(self):
        self.assertEqual(self.whoami(self.user.login), self.user.login)
        self.assertEqual(self.whoami("wrong"), DENIED)
        key = self.new_api_key(self.user)
        self.assertEqual(self.whoami(key), self.user.login)

    def test_nobody_signs_in_with_a_token(self):
        answer = self.url_open(
            "/web/session/authenticate",
            data='{"jsonrpc": "2.0", "params": {"db": "%s", "login": "%s", "password": "%s"}}'
            % (self.env.cr.dbname, self.user.login, self.token),
            headers={"Content-Type": "application/json"},
        ).json()
        self.assertIn("error", answer)

    def test_a_token_without_the_scope_is_refused(self):
        application, secret = self.new_application(self.user, scope="profile rpc.read rpc")
        token, _authorization = self.new_token(self.user, "profile", application, secret)
        self.assertTrue(self.is_active(token))
        self.assertEqual(self.whoami(token), DENIED)

    def test_a_reading_scope_reads(self):
        application, secret = self.new_application(self.user)
        token, _authorization = self.new_token(self.user, "rpc.read", application, secret)
        self.assertEqual(self.whoami(token), self.user.login)
        self.assertEqual(len(self.execute(self.user.id, token, "res.partner", "search_read", [], ["name"], limit=1)), 1)
        self.assertIn("name", self.execute(self.user.id, token, "res.partner", "fields_get", ["name"]))
        partner = self.user.partner_id.id
        for method, args in (
            ("write", [[partner], {"name": "x"}]),
            ("create", [{"name": "x"}]),
            ("unlink", [[partner]]),
            ("copy", [partner]),
            ("toggle_active", [[partner]]),
            ("message_post", [[partner]]),
            # It gives each record an external id.
            ("export_data", [[partner], ["id"]]),
        ):
            self.assertEqual(self.execute(self.user.id, token, "res.partner", method, *args), REFUSED, method)
        self.assertEqual(self.user.partner_id.name, "Uma")

    def test_rights_are_the_users(self):
        self.assertEqual(self.execute(self.user.id, self.token, "ir.config_parameter", "search", []), REFUSED)

    def test_an_archived_user_is_refused(self):
        self.user.active = False
        compat.flush_all(self.env)
        # The service has not heard of it yet.
        self.assertTrue(self.is_active(self.token))
        self.assertEqual(self.whoami(), DENIED)

    def test_signing_in_changes_nothing(self):
        application, secret = self.new_application(self.admin)
        token, _authorization = self.new_token(self.admin, "rpc.read", application, secret)
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("web.base.url", "https://odoo.example.com")
        told = {"base_location": "https://evil.example.com"}
        login = self.admin.login
        self.assertEqual(self.rpc("common", "authenticate", self.env.cr.dbname, login, token, told), self.admin.id)
        self.assertEqual(parameters.get_param("web.base.url"), "https://odoo.example.com")

    def test_a_token_makes_no_other_credential(self):
        token, _authorization = self.new_token(self.admin)
        self.assertIn(self.admin.id, self.execute(self.admin.id, token, "res.users", "search", []))
        self.assertEqual(self.execute(self.admin.id, token, "res.users.apikeys", "search", []), REFUSED)
        # With what stands there anybody could speak for this Odoo.
        self.assertEqual(self.execute(self.admin.id, token, "ir.config_parameter", "search_read", [], ["key", "value"]), REFUSED)
        for values in ({"password": "chosen by an application"}, {"login": "somebody"}, {"email": "else@example.com"}):
            self.assertEqual(self.execute(self.user.id, self.token, "res.users", "write", [self.user.id], values), REFUSED, values)
            self.assertEqual(self.execute(self.admin.id, token, "res.users", "write", [self.admin.id], values), REFUSED, values)
        email = {"email": "else@example.com"}
        self.assertEqual(self.execute(self.admin.id, token, "res.partner", "write", [self.admin.partner_id.id], email), REFUSED)
        # Others are the administrator's business, also through an application.
        self.assertIs(self.execute(self.admin.id, token, "res.users", "write", [self.user.id], {"password": "chosen for him"}), True)

    def scheme(self, limit, *configurations):
        scheme = self.env["orest.model.scheme"].create(
            {
                "name": "Scheme %s" % uuid.uuid4().hex[:8],
                "model_limit": limit,
                "configuration_ids": [
                    (0, 0, {"model": model, "field_limit": fields_limit, "field_names": names})
                    for model, fields_limit, names in configurations
                ],
            }
        )
        application, secret = self.new_application(self.user, model_scheme_id=scheme.id)
        token, _authorization = self.new_token(self.user, "rpc", application, secret)
        return lambda model, method, *args, **kwargs: self.execute(self.user.id, token, model, method, *args, **kwargs)

    def test_a_scheme_keeps_to_its_models(self):
        call = self.scheme("whitelist", ("res.partner", "none", ""))
        self.assertEqual(len(call("res.partner", "search_read", [], ["name", "country_id"], limit=1)), 1)
        self.assertEqual(call("res.users", "search", []), REFUSED)
        # On ways around it too.
        self.assertEqual(call("res.partner", "search", [["user_ids.login", "=", "admin"]]), REFUSED)
        self.assertEqual(call("res.partner", "search", ["|", ["name", "=", "x"], ["user_ids.login", "like", "a"]]), REFUSED)
        self.assertEqual(call("res.partner", "export_data", [1], ["name", "user_ids/login"]), REFUSED)
        self.assertEqual(call("res.partner", "search_panel_select_range", "user_id"), REFUSED)
        self.assertEqual(call("res.partner", "mapped", [1], "user_ids.login"), REFUSED)
        self.assertEqual(call("res.partner", "search", [["parent_id.user_ids", "ANY", [["login", "=", "admin"]]]]), REFUSED)
        # A path whose end is called like its beginning.
        call = self.scheme("whitelist", ("res.users", "none", ""))
        self.assertEqual(call("res.users", "search", [["partner_id.commercial_partner_id", "=", 1]]), REFUSED)
        self.assertEqual(call("res.partner", "create", {"name": "x", "bank_ids": [(0, 0, {"acc_number": "1"})]}), REFUSED)

    def test_a_scheme_leaves_models_out(self):
        call = self.scheme("blacklist", ("res.users", "none", ""))
        self.assertEqual(len(call("res.partner", "search", [], limit=1)), 1)
        self.assertEqual(call("res.users", "search", []), REFUSED)

    def test_a_scheme_keeps_to_its_fields(self):
        call = self.scheme("none", ("res.partner", "blacklist", "email, phone"), ("res.country", "blacklist", "phone_code"))
        partner = self.user.partner_id.id
        self.assertEqual(call("res.partner", "read", [partner], ["name"])[0]["name"], "Uma")
        self.assertEqual(call("res.partner", "read", [partner], ["name", "email"]), REFUSED)
        [found] = call("res.country", "read", [self.env.ref("base.hu").id])
        self.assertEqual(found["code"], "HU")
        self.assertNotIn("phone_code", found)
        self.assertEqual(call("res.partner", "search", [["email", "like", "a%"]]), REFUSED)
        self.assertEqual(call("res.partner", "search", [], order="phone desc"), REFUSED)
        self.assertEqual(call("res.partner", "write", [partner], {"phone": "1"}), REFUSED)
        self.assertEqual(call("res.users", "search", [["partner_id.email", "like", "a"]]), REFUSED)
        # Nor are they told in an aggregate, an order or the values of a search panel.
        self.assertEqual(call("res.partner", "read_group", [], ["last:max(email)"], []), REFUSED)
        self.assertEqual(call("res.partner", "read_group", [], ["last:max(email) "], []), REFUSED)
        self.assertEqual(call("res.partner", "search", [], order="name, phone"), REFUSED)
        self.assertEqual(call("res.partner", "read_progress_bar", [], "name", {"field": "email", "colors": {}}), REFUSED)
        # What is in the cache, nobody looks after.
        self.assertEqual(call("res.partner", "mapped", [partner], "commercial_partner_id.email"), REFUSED)
        self.assertEqual(call("res.partner", "copy_data", [partner]), REFUSED)
        call = self.scheme("none", ("res.country", "whitelist", "code"))
        self.assertEqual(call("res.country", "search_read", [["code", "=", "HU"]], ["code"])[0]["code"], "HU")
        self.assertEqual(call("res.country", "search_read", [["code", "=", "HU"]], ["name"]), REFUSED)
        self.assertEqual(call("res.country", "name_search", "Hun"), REFUSED)

    def test_the_service_away_accepts_nothing(self):
        self.assertEqual(self.whoami(), self.user.login)
        self.move_service("http://127.0.0.1:9")
        self.assertEqual(self.whoami(), DENIED)
        self.assertIs(self.rpc("common", "login", self.env.cr.dbname, self.user.login, self.token), False)
        self.assertEqual(self.whoami(self.user.login), self.user.login, "a password needs no service")

    def test_json_2(self):
        if compat.SERIES < 19:
            return

        def call(path, token=self.token, **arguments):
            return self.url_open(
                "/json/2/" + path,
                data=json.dumps(arguments),
                headers={"Authorization": "Bearer " + token, "Content-Type": "application/json"},
            )

        answer = call("res.users/read", ids=[self.user.id], fields=["login"])
        self.assertEqual((answer.status_code, answer.json()), (200, [{"id": self.user.id, "login": self.user.login}]))
        application, secret = self.new_application(self.user)
        reading, _authorization = self.new_token(self.user, "rpc.read", application, secret)
        self.assertEqual(call("res.users/read", reading, ids=[self.user.id], fields=["login"]).status_code, 200)
        self.assertEqual(call("res.partner/write", reading, ids=[self.user.partner_id.id], vals={"name": "x"}).status_code, 403)
        # Doors that ask for no scope take no token.
        bearer = {"Authorization": "Bearer " + self.token}
        self.assertEqual(self.url_open("/doc-bearer/index.json", headers=bearer).status_code, 401)
        self.authorization.action_revoke_tokens()
        self.assertEqual(call("res.users/read", ids=[self.user.id], fields=["login"]).status_code, 401)

    def test_what_is_no_token(self):
        self.assertFalse(tokens.is_token("orrt_x"))
        self.assertFalse(tokens.is_token(None))
        self.assertFalse(tokens.is_token("ORAT_x"))
