"""Taking back: what is revoked is dead in the service before the call returns, and each method checks rights itself."""

import uuid

from odoo.exceptions import AccessError, UserError
from odoo.tests.common import TransactionCase, tagged

from .common import ServiceMixin


@tagged("post_install", "-at_install")
class TestActs(ServiceMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.user, self.other = self.new_user("Uma"), self.new_user("Otto")
        self.token, self.authorization = self.new_token(self.user)
        self.their_token, self.theirs = self.new_token(self.other)
        self.both = self.authorization | self.theirs

    def revocation(self, receipt):
        return self.env["orest.revocation"].browse(receipt["revocation_id"])

    def test_revoke_tokens(self):
        receipt = self.both.action_revoke_tokens(reason="lost", reason_user="we are sorry")
        self.assertEqual((receipt["requested"], receipt["revoked"], receipt["already_revoked"]), (2, 2, 0))
        self.assertFalse(self.is_active(self.token) or self.is_active(self.their_token))
        self.assertEqual(self.both.mapped("state"), ["revoked", "revoked"], "what was read before is forgotten")
        self.assertEqual(self.both.mapped("revoked_by"), self.admin)
        act = self.revocation(receipt)
        self.assertEqual((act.user_id, act.reason_admin, act.reason_user, act.channel), (self.admin, "lost", "we are sorry", "rpc"))
        self.assertEqual(act.authorization_ids, self.both.sorted("id"))
        # Odoo repeats a request after a serialisation failure.
        self.assertEqual(self.both.action_revoke_tokens()["already_revoked"], 2)

    def test_what_was_shown_is_what_is_revoked(self):
        preview = self.env["orest.authorization"].preview_revoke(ids=self.both.ids)
        self.assertEqual((preview["requested"], preview["live"], preview["user_count"]), (2, 2, 2))
        self.theirs.action_revoke_tokens()
        with self.assertRaises(UserError):
            self.both.action_revoke_tokens(expect=preview["digest"])
        self.assertTrue(self.is_active(self.token))
        preview = self.env["orest.authorization"].preview_revoke(ids=self.both.ids)
        self.assertEqual(self.both.action_revoke_tokens(expect=preview["digest"])["revoked"], 1)

    def test_a_whole_search(self):
        domain = [("user_id.login", "=", self.user.login)]
        preview = self.env["orest.authorization"].preview_revoke(domain=domain)
        self.assertEqual(preview["live"], 1)
        receipt = self.env["orest.authorization"].revoke_domain(domain, expect=preview["digest"])
        self.assertEqual(receipt["revoked"], 1)
        self.assertEqual((self.is_active(self.token), self.is_active(self.their_token)), (False, True))

    def test_undo(self):
        receipt = self.both.action_revoke_tokens()
        self.assertEqual(self.revocation(receipt).action_undo(reason="wrong ones")["revoked"], 2)
        self.assertTrue(self.is_active(self.token))
        self.assertEqual(self.both.mapped("state"), ["live", "live"])
        self.assertTrue(self.revocation(receipt).undone)

    def test_the_waste_bin(self):
        users = self.env["res.users"].browse(self.user.id)
        users.write({"name": "Umberta", "orest_authorization_ids": [(2, self.authorization.id)]})
        self.assertFalse(self.is_active(self.token))
        self.assertTrue(self.is_active(self.their_token))
        self.assertFalse(users.orest_authorization_ids)
        self.assertEqual(users.name, "Umberta", "the caller's own change is not lost")
        self.assertEqual(self.authorization.revocation_id.channel, "unlink")
        self.assertFalse(self.authorization.active)

    def test_the_waste_bin_in_the_preferences(self):
        own = self.env(user=self.user)["res.users"].browse(self.user.id)
        self.assertEqual(own.read(["orest_authorization_ids"])[0]["orest_authorization_ids"], self.authorization.ids)
        own.write({"orest_authorization_ids": [(2, self.authorization.id)]})
        self.assertFalse(self.is_active(self.token))
        with self.assertRaises(AccessError):
            own.write({"orest_authorization_ids": [(2, self.theirs.id)]})
        self.assertTrue(self.is_active(self.their_token))

    def test_a_plain_user_revokes_his_own(self):
        with self.assertRaises(AccessError):
            self.both.with_user(self.user).action_revoke_tokens()
        with self.assertRaises(AccessError):
            self.theirs.with_user(self.user).unlink()
        with self.assertRaises(AccessError):
            self.env["orest.authorization"].with_user(self.user).preview_revoke(ids=self.theirs.ids)
        found = self.env["orest.authorization"].with_user(self.user).revoke_domain([("id", "in", self.both.ids)])
        self.assertEqual(found["revoked"], 1, "a search finds his own only")
        self.assertEqual((self.is_active(self.token), self.is_active(self.their_token)), (False, True))

    def test_portal_users_revoke_nothing(self):
        portal = self.new_user("Paula", "base.group_portal")
        for act in (
            lambda: self.authorization.with_user(portal).unlink(),
            lambda: self.authorization.with_user(portal).action_revoke_tokens(),
            lambda: self.user.with_user(portal).action_revoke_all_sessions(),
            lambda: self.user.with_user(portal).action_orest_disable(),
        ):
            with self.assertRaises(AccessError):
                act()
        self.assertTrue(self.is_active(self.token))

    def test_all_sessions_of_a_user(self):
        with self.assertRaises(AccessError):
            self.other.with_user(self.user).action_revoke_all_sessions()
        receipt = self.user.action_revoke_all_sessions(reason="laptop lost")
        self.assertEqual(receipt["revoked"], 1)
        self.assertFalse(self.is_active(self.token))
        self.assertTrue(self.user.active)
        self.assertEqual(self.other.with_user(self.other).action_revoke_all_sessions()["revoked"], 1, "one's own")

    def test_disable_and_enable(self):
        with self.assertRaises(AccessError):
            self.other.with_user(self.user).action_orest_disable()
        self.assertEqual(self.user.action_orest_disable(reason="leave")["revoked"], 1)
        self.assertFalse(self.user.active or self.is_active(self.token))
        self.assertTrue(self.user.action_orest_enable())
        self.assertTrue(self.user.active)
        self.assertFalse(self.is_active(self.token), "what was revoked stays revoked")
        with self.assertRaises(UserError):
            self.admin.action_orest_disable()

    def test_who_never_confirmed_can_only_be_deleted(self):
        invited = self.new_user("Ida", password=False)
        with self.assertRaises(UserError):
            invited.action_orest_disable()
        self.assertTrue(invited.active)
        invited.action_orest_delete()
        self.assertFalse(invited.exists())

    def test_deleting_keeps_what_is_linked(self):
        partner = self.user.partner_id
        self.assertEqual(self.user.action_orest_delete(reason="left")["revoked"], 1)
        self.assertFalse(self.user.exists())
        self.assertTrue(partner.exists())
        self.assertFalse(self.is_active(self.token))

    def test_a_model_scheme_and_its_configurations(self):
        name = uuid.uuid4().hex
        scheme = self.env["orest.model.scheme"].create({"name": name, "model_limit": "whitelist"})
        configuration = self.env["orest.model.configuration"].create({"scheme_id": scheme.id, "model": "res.partner"})
        self.assertEqual(scheme.configuration_ids, configuration)
        configuration.write({"field_limit": "blacklist", "field_names": "email"})
        self.assertEqual(configuration.field_names, "email")
        with self.assertRaises(UserError):
            self.env["orest.model.configuration"].create({"scheme_id": scheme.id, "model": "res.partner"})
