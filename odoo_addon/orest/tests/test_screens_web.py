"""What a browser sees: sign-in and consent, the Action menu, the settings, and the users form without the service."""

import base64
import hashlib
import html
import json
import re
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import requests

from odoo.exceptions import AccessError
from odoo.tests import HttpCase, tagged
from odoo.tools import config, mute_logger

from .. import compat
from ..release import MODULE_VERSION
from .common import ServiceMixin

CALLBACK = "http://127.0.0.1:9/callback/%s"
#: Nobody listens there.
NOWHERE = "http://127.0.0.1:9"


class Browser(ServiceMixin, HttpCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.uma = self.new_user("Uma")

    def sign_in(self, user=None):
        user = user or self.uma
        self.authenticate(user.login, user.login)

    def call(self, path, **params):
        """What the web client's call answers."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call", "params": params})
        answer = self.url_open(path, data=body, headers={"Content-Type": "application/json"}, timeout=30).json()
        self.assertNotIn("error", answer)
        return answer["result"]


@tagged("post_install", "-at_install")
class TestScreensAuthorize(Browser):
    def setUp(self):
        super().setUp()
        self.callback = CALLBACK % uuid.uuid4().hex
        self.application = self.env["orest.application"].create(
            {"name": "Dashboard %s" % uuid.uuid4().hex[:8], "scope": "rpc rpc.read", "uri_ids": [(0, 0, {"uri": self.callback})]}
        )
        self.secret = self.application.action_generate_secret()["client_secret"]
        self.verifier = uuid.uuid4().hex * 2
        self.visitor = requests.Session()
        self.addCleanup(self.visitor.close)

    def arrive(self, **parameters):
        """Where the service sends a browser that comes for consent: the path and query at Odoo."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.application.client_id,
            "redirect_uri": self.callback,
            "scope": "rpc.read",
            "state": "a&b",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        asked.update(parameters)
        answer = self.visitor.get(
            self.service._address().rstrip("/") + "/oauth2/authorize", params=asked, allow_redirects=False, timeout=10
        )
        self.assertIn(answer.status_code, (302, 303), answer.text)
        sent = urlsplit(answer.headers["Location"])
        self.assertEqual(sent.path, "/orest/authorize")
        return "%s?%s" % (sent.path, sent.query)

    def say(self, here, answer):
        """Presses a button of the page at this address."""
        page = self.url_open(here, allow_redirects=False)
        self.assertEqual(page.status_code, 200, page.text)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text).group(1)
        target = html.unescape(re.search(r'<form method="post" action="([^"]+)"', page.text).group(1))
        return self.url_open(target, data={"csrf_token": token, "answer": answer}, allow_redirects=False)

    def authorizations(self):
        return self.env["orest.authorization"].search([("application_id", "=", self.application.id)])

    def test_who_is_not_signed_in_signs_in_first(self):
        answer = self.url_open(self.arrive(), allow_redirects=False)
        self.assertIn(answer.status_code, (302, 303))
        self.assertEqual(urlsplit(answer.headers["Location"]).path, "/web/login")

    def test_page_says_who_wants_what(self):
        self.sign_in()
        page = self.url_open(self.arrive(), allow_redirects=False)
        self.assertEqual(page.status_code, 200)
        for text in (self.application.name, self.uma.name, self.uma.login, "127.0.0.1", "Read in Odoo whatever you may read"):
            self.assertIn(text, page.text)
        self.assertEqual(page.headers["X-Frame-Options"], "DENY")
        self.assertEqual(page.headers["Content-Security-Policy"], "frame-ancestors 'none'")
        self.assertIn("no-store", page.headers["Cache-Control"])
        self.assertFalse(self.authorizations(), "looking at it lets nobody in")

    def test_names_are_text(self):
        self.application.write({"name": "<b>Bold</b> & Co %s" % uuid.uuid4().hex[:8]})
        self.sign_in()
        page = self.url_open(self.arrive())
        self.assertNotIn("<b>Bold</b>", page.text)
        self.assertIn("&lt;b&gt;Bold&lt;/b&gt; &amp; Co", page.text)

    def test_allow(self):
        self.sign_in()
        sent = self.say(self.arrive(), "allow").headers["Location"]
        self.assertTrue(sent.startswith(self.service._address().rstrip("/") + "/oauth2/ticket?ticket="), sent)
        back = self.visitor.get(sent, allow_redirects=False, timeout=10)
        self.assertTrue(back.headers["Location"].startswith(self.callback), back.text)
        returned = parse_qs(urlsplit(back.headers["Location"]).query)
        self.assertEqual(returned["state"], ["a&b"])
        exchanged = self.exchange(returned["code"][0])
        self.assertEqual(exchanged.status_code, 200, exchanged.text)
        self.assertTrue(self.is_active(exchanged.json()["access_token"]))
        made = self.authorizations()
        self.assertEqual((made.user_id, made.scope, made.state), (self.uma, "rpc.read", "live"))

        again = self.visitor.get(sent, allow_redirects=False, timeout=10)
        self.assertFalse(again.headers.get("Location", "").startswith(self.callback), "a ticket is good once")

    def exchange(self, code):
        return requests.post(
            self.service._address().rstrip("/") + "/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.callback,
                "code_verifier": self.verifier,
            },
            auth=(self.application.client_id, self.secret),
            timeout=10,
        )

    def test_codes_are_revoked(self):
        self.sign_in()
        sent = self.say(self.arrive(), "allow").headers["Location"]
        back = self.visitor.get(sent, allow_redirects=False, timeout=10).headers["Location"]
        codes = self.env["orest.authorization.code"].search([("authorization_id", "in", self.authorizations().ids)])
        self.assertEqual(codes.mapped("active"), [True])
        told = self.env.ref("orest.action_revoke_authorization_codes").with_context(
            active_model="orest.authorization.code", active_ids=codes.ids
        ).run()
        self.assertIn("Codes that stopped working: 1.", told["params"]["message"])
        self.assertEqual(self.exchange(parse_qs(urlsplit(back).query)["code"][0]).status_code, 400)

    def test_deny(self):
        self.sign_in()
        sent = self.say(self.arrive(), "deny").headers["Location"]
        self.assertTrue(sent.startswith(self.callback))
        self.assertEqual(parse_qs(urlsplit(sent).query)["error"], ["access_denied"])
        self.assertFalse(self.authorizations())

    @mute_logger("odoo.http", "odoo.addons.base.models.ir_http", "werkzeug")
    def test_nobody_presses_the_button_from_elsewhere(self):
        self.sign_in()
        here = self.arrive()
        self.assertEqual(self.url_open(here, data={"answer": "allow"}, allow_redirects=False).status_code, 400)
        page = self.url_open(here + "&answer=allow", allow_redirects=False)
        self.assertNotIn("Location", page.headers, "an address alone presses no button")
        self.assertFalse(self.authorizations())

    def test_another_browser_s_ticket_opens_nothing(self):
        self.sign_in()
        sent = self.say(self.arrive(), "allow").headers["Location"]
        stranger = requests.get(sent, allow_redirects=False, timeout=10)
        self.assertFalse(stranger.headers.get("Location", "").startswith(self.callback))
        self.assertFalse(self.authorizations())

    def test_prompt_login_signs_out_first(self):
        self.sign_in()
        out = self.url_open(self.arrive(prompt="login"), allow_redirects=False)
        sent = urlsplit(out.headers["Location"])
        self.assertEqual(sent.path, "/web/session/logout")
        back = urlsplit(parse_qs(sent.query)["redirect"][0])
        self.assertEqual(back.path, "/orest/authorize")
        self.assertNotIn("prompt", parse_qs(back.query))
        self.assertEqual(parse_qs(back.query)["client_id"], [self.application.client_id])
        self.assertEqual(parse_qs(back.query)["state"], ["a&b"])

    def test_who_was_revoked_signs_in_anew(self):
        """That a browser is still signed in to Odoo proves nothing once its user's device has been revoked."""
        self.sign_in()
        sent = self.say(self.arrive(), "allow").headers["Location"]
        self.visitor.get(sent, allow_redirects=False, timeout=10)
        self.assertTrue(self.authorizations().device_id)
        self.authorizations().device_id.action_revoke()
        out = self.url_open(self.arrive(), allow_redirects=False)
        self.assertEqual(urlsplit(out.headers["Location"]).path, "/web/session/logout")
        here = parse_qs(urlsplit(out.headers["Location"]).query)["redirect"][0]
        self.opener.cookies.clear()
        page = self.url_open(here)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text).group(1)
        # Moments are told in whole seconds, and rather too early.
        time.sleep(2.2)
        answers = {"csrf_token": token, "login": self.uma.login, "password": self.uma.login, "redirect": here}
        page = self.url_open("/web/login", data=answers)
        self.assertIn(self.application.name, page.text)
        self.say(here, "allow")

    def test_sign_in_is_not_consent(self):
        """Who makes a request for consent look like a sign-in lets no application in."""
        self.sign_in()
        sent = self.url_open(self.arrive() + "&purpose=sign_in", allow_redirects=False).headers.get("Location", "")
        back = self.visitor.get(sent, allow_redirects=False, timeout=10) if "ticket=" in sent else None
        self.assertFalse(back is not None and back.headers.get("Location", "").startswith(self.callback))
        self.assertFalse(self.authorizations())

    @mute_logger("werkzeug")
    def test_a_wrong_request_is_told_to_the_person(self):
        self.sign_in()
        page = self.url_open("/orest/authorize?client_id=nobody")
        self.assertEqual(page.status_code, 400)
        self.assertIn("This can&#39;t go on", page.text.replace("can't", "can&#39;t"))

    @mute_logger("odoo.addons.orest.models.orest_service")
    def test_service_away(self):
        self.sign_in()
        here = self.arrive()
        self.move_service(NOWHERE)
        page = self.url_open(here, allow_redirects=False)
        self.assertEqual(page.status_code, 503)
        self.assertIn("can", page.text)
        self.assertEqual(page.headers["X-Frame-Options"], "DENY")

    def test_status(self):
        answer = self.url_open("/orest/status")
        self.assertEqual(answer.json(), {"module": "orest", "version": MODULE_VERSION})
        self.assertEqual(MODULE_VERSION.split(".")[0], str(compat.SERIES))


@tagged("post_install", "-at_install")
class TestScreensWeb(Browser):
    def test_action_menu_asks_and_a_button_does_it(self):
        token, authorization = self.new_token(self.uma)
        boss = self.new_user("Boss", groups="base.group_user,orest.group_orest_admin")
        self.sign_in(boss)
        action = self.call(
            "/web/action/run",
            action_id=self.env.ref("orest.action_revoke_tokens").id,
            context={"active_model": "orest.authorization", "active_ids": authorization.ids, "lang": "en_US"},
        )
        self.assertEqual((action["res_model"], action["target"]), ("orest.revoke.wizard", "new"))
        self.assertTrue(self.is_active(token), "asking revokes nothing")
        done = self.call(
            "/web/dataset/call_button",
            model="orest.revoke.wizard",
            method="action_confirm",
            args=[[action["res_id"]]],
            kwargs={"context": dict(action["context"], lang="en_US")},
        )
        self.assertEqual(done["res_id"], action["res_id"])
        self.assertFalse(self.is_active(token))
        self.assertEqual(authorization.revocation_id.channel, "server_action")

        token, authorization = self.new_token(self.uma)
        self.env["ir.config_parameter"].sudo().set_param("orest.confirm_revocation", "False")
        told = self.call(
            "/web/action/run",
            action_id=self.env.ref("orest.action_revoke_tokens").id,
            context={"active_model": "orest.authorization", "active_ids": authorization.ids, "lang": "en_US"},
        )
        self.assertEqual(told["tag"], "display_notification")
        self.assertFalse(self.is_active(token))

    @mute_logger("odoo.addons.orest.models.orest_service")
    def test_users_form_opens_without_the_service(self):
        self.new_token(self.uma)
        values = self.uma.read(["name", "orest_authorization_ids", "orest_problem"])[0]
        self.assertEqual((len(values["orest_authorization_ids"]), values["orest_problem"]), (1, False))
        compat.invalidate_all(self.env)
        self.move_service(NOWHERE)
        values = self.uma.read(["name", "orest_authorization_ids", "orest_problem"])[0]
        self.assertEqual((values["name"], values["orest_authorization_ids"]), (self.uma.name, []))
        self.assertIn("can't be reached", values["orest_problem"])

    def test_settings_never_show_the_credential(self):
        settings = self.env["res.config.settings"]
        values = settings.get_values()
        self.assertNotIn(self.service._credential(), map(str, values.values()))
        self.assertTrue(values["orest_has_credential"])
        self.assertEqual(values["orest_service_url"], self.service._address())

    def test_settings_are_for_administrators(self):
        settings = self.env["res.config.settings"].with_user(self.uma)
        self.assertFalse([name for name in settings.get_values() if name.startswith("orest_")])
        # As over RPC, where a record with no row reads as the defaults.
        for method in ("action_orest_test_connection", "action_orest_sync_users"):
            with self.assertRaises(AccessError):
                getattr(settings.browse([0]), method)()

    def test_the_credential_of_the_file_goes_to_the_address_of_the_file(self):
        self.addCleanup(config.__setitem__, "orest_credential", config.get("orest_credential"))
        config["orest_credential"] = self.service._credential()
        kind, message = self.connection(orest_service_url=NOWHERE, orest_credential=False)
        self.assertEqual(kind, "danger")
        self.assertIn("configuration file", message)

    def test_settings_keep_the_credential_in_one_place(self):
        parameter = self.env["ir.config_parameter"].sudo()
        parameter.set_param("orest.credential", "old")
        form = self.env["res.config.settings"].create({"orest_from_file": False, "orest_service_url": NOWHERE})
        form.set_values()
        self.assertEqual(parameter.get_param("orest.credential"), "old", "empty keeps it")
        form.orest_credential = " new "
        form.set_values()
        self.assertEqual(parameter.get_param("orest.credential"), "new")
        self.assertEqual(parameter.get_param("orest.service_url"), NOWHERE)
        self.assertFalse(form.orest_credential)

    def connection(self, **values):
        known = {"orest_from_file": False, "orest_service_url": self.service._address(), "orest_credential": self.service._credential()}
        known.update(values)
        told = self.env["res.config.settings"].create(known).action_orest_test_connection()["params"]
        return told["type"], told["message"]

    @mute_logger("odoo.addons.orest.models.orest_service")
    def test_connection_is_tested(self):
        kind, message = self.connection()
        self.assertIn(kind, ("success", "warning"))
        self.assertIn("Authorization service", message)
        kind, message = self.connection(orest_credential="0" * 40)
        self.assertEqual(kind, "danger")
        self.assertIn("credential", message)
        kind, message = self.connection(orest_service_url=NOWHERE)
        self.assertEqual(kind, "danger")
        self.assertIn("can't be reached", message)
        kind, message = self.connection(orest_service_url="ftp://example.com")
        self.assertEqual(kind, "danger")
        self.assertIn("https://", message)

    def test_users_are_synchronised(self):
        told = self.env["res.config.settings"].create({}).action_orest_sync_users()["params"]
        self.assertEqual(told["type"], "success", told["message"])
        self.assertTrue(self.service._last_sync_at())

    def test_secret_is_shown_once_and_has_no_column(self):
        made = self.env["orest.secret.show"]
        self.assertTrue(made._abstract)
        self.env.cr.execute("SELECT 1 FROM information_schema.columns WHERE column_name = 'client_secret' AND table_name LIKE 'orest%%'")
        self.assertFalse(self.env.cr.fetchall())
