"""The service's users are Odoo's."""

import uuid

from odoo.tests.common import TransactionCase, tagged

from .. import compat
from ..exceptions import ServiceError
from .common import ServiceMixin


@tagged("post_install", "-at_install")
class TestUsers(ServiceMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.user = self.new_user("Uma")
        # What setting up has left.
        self.waiting()

    def known(self, user):
        """What the service knows of a user."""
        found = self.service._call(
            "res.users",
            "search_read",
            domain=[["id", "=", user.id]],
            fields=["login", "name", "email", "active", "state", "lang"],
            context={"active_test": False},
        )
        return found[0] if found else None

    def waiting(self):
        """Of whom the service would be told after the commit; as if it had been."""
        data = self.env.cr.postcommit.data
        return data.pop("orest.users", set())

    def test_what_is_told(self):
        known = self.known(self.user)
        self.assertEqual((known["login"], known["name"], known["email"]), (self.user.login, "Uma", self.user.email))
        self.assertEqual((known["active"], known["state"]), (True, "confirmed"))
        [told] = self.user._orest_described()
        self.assertIn("base.group_user", told["groups"])
        self.assertNotIn("base.group_system", told["groups"])
        [told] = self.admin._orest_described()
        self.assertIn("orest.group_orest_admin", told["groups"], "implied ones too")

    def test_what_is_noticed(self):
        for change in (
            lambda: self.user.write({"login": "x-" + uuid.uuid4().hex}),
            lambda: self.user.write({"name": "Ute"}),
            lambda: self.user.partner_id.write({"email": "ute@example.com"}),
            lambda: self.user.write({"active": False}),
            lambda: self.user.write({"active": True}),
            lambda: self.user.write({"password": "new"}),
            lambda: self.user.write({compat.GROUPS_FIELD: [(4, self.env.ref("base.group_partner_manager").id)]}),
            lambda: self.env.ref("base.group_no_one").write({compat.MEMBERS_FIELD: [(4, self.user.id)]}),
        ):
            change()
            self.assertIn(self.user.id, self.waiting())
        self.user.write({"signature": "x"})
        self.assertFalse(self.waiting())
        self.assertIn(self.new_user("Otto").id, self.waiting())

    def test_it_is_told_after_the_commit(self):
        self.user.write({"name": "Ute"})
        compat.flush_all(self.env)
        self.assertEqual(self.known(self.user)["name"], "Uma")
        self.env["res.users"]._orest_tell(list(self.waiting()))
        self.assertEqual(self.known(self.user)["name"], "Ute")

    def test_a_new_password_revokes(self):
        token, _authorization = self.new_token(self.user)
        self.user.write({"name": "Ute"})
        self.user._orest_sync()
        self.assertTrue(self.is_active(token))
        self.user.write({"password": "another one"})
        self.assertEqual(self.user._orest_sync()["revoked"], 1)
        self.assertFalse(self.is_active(token))

    def test_archiving_refuses_reversibly(self):
        token, _authorization = self.new_token(self.user)
        self.user.write({"active": False})
        self.user._orest_sync()
        self.assertFalse(self.is_active(token))
        self.user.write({"active": True})
        self.user._orest_sync()
        self.assertTrue(self.is_active(token))

    def test_a_deleted_user_is_deleted_there(self):
        token, _authorization = self.new_token(self.user)
        other = self.new_user("Otto")
        self.user.unlink()
        self.assertTrue(self.env.cr.postcommit.data.pop("orest.gone"))
        self.env["res.users"]._orest_keep()
        self.assertIsNone(self.known(self.user))
        self.assertFalse(self.is_active(token))
        self.assertTrue(self.known(other))

    def test_the_first_login_confirms(self):
        invited = self.new_user("Ida", password=False)
        self.assertEqual(self.known(invited)["state"], "pending")
        self.waiting()
        self.user._update_last_login()
        self.assertFalse(self.waiting())
        invited.with_user(invited)._update_last_login()
        self.assertEqual(self.waiting(), {invited.id})
        invited._orest_sync()
        self.assertEqual(self.known(invited)["state"], "confirmed")

    def test_swapped_logins(self):
        other = self.new_user("Otto")
        first, second = self.user.login, other.login
        self.user.login = "tmp-" + uuid.uuid4().hex
        compat.flush_all(self.env)
        other.login = first
        compat.flush_all(self.env)
        self.user.login = second
        (self.user | other)._orest_sync()
        self.assertEqual((self.known(self.user)["login"], self.known(other)["login"]), (second, first))

    def test_the_acting_user_is_made_known_when_he_acts(self):
        login = "new-" + uuid.uuid4().hex[:8]
        user = self.env["res.users"].create(
            {"name": "New", "login": login, "password": login, compat.GROUPS_FIELD: [(6, 0, [self.env.ref("base.group_user").id])]}
        )
        self.assertIsNone(self.known(user))
        self.assertFalse(self.env["orest.authorization"].with_user(user).search([]))
        self.assertEqual(self.known(user)["login"], login)

    def test_the_scheduled_job_makes_it_whole(self):
        self.user.write({"name": "Ute"})
        # Not by its own trigger, which works in another transaction from 18.0 on.
        self.env.ref("orest.ir_cron_sync_users").sudo().ir_actions_server_id.run()
        self.assertEqual(self.known(self.user)["name"], "Ute")
        self.assertTrue(self.service._last_sync_at())

    def test_a_service_that_is_away_breaks_no_save(self):
        self.move_service("http://127.0.0.1:9")
        self.user.write({"name": "Ute"})
        compat.flush_all(self.env)
        with self.assertLogs("odoo.addons.orest", "WARNING") as logs:
            self.env["res.users"]._orest_tell(list(self.waiting()))
            self.env["res.users"]._orest_keep()
            self.env["res.users"]._cron_orest_sync()
        self.assertTrue(logs.output)
        self.assertNotIn(self.service._credential(), "".join(logs.output))
        with self.assertRaises(ServiceError):
            self.user._orest_sync()
        self.assertEqual(self.user.name, "Ute")
