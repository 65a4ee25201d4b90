"""The dialog: what was shown is what is revoked."""

from unittest.mock import patch

from lxml import etree

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import file_open

from .. import compat
from .common import ServiceMixin


@tagged("post_install", "-at_install")
class TestScreensDialog(ServiceMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.uma, self.vic = self.new_user("Uma"), self.new_user("Vic")
        self.token_u, self.auth_u = self.new_token(self.uma)
        self.token_v, self.auth_v = self.new_token(self.vic)
        self.both = self.auth_u + self.auth_v

    def dialog(self, action):
        """The dialog that an action opens."""
        self.assertEqual(action["res_model"], "orest.revoke.wizard")
        self.assertEqual(action["target"], "new")
        return self.env["orest.revoke.wizard"].with_context(**action["context"]).browse(action["res_id"])

    def before_a_screen(self):
        """As if a person sat there."""
        return patch.object(type(self.env["orest.revoke.wizard"]), "_is_asking", lambda wizard: True)

    def ask(self, records, method):
        with self.before_a_screen():
            return self.dialog(getattr(records, method)())

    def act_of(self, dialog):
        return self.env["orest.revocation"].browse(dialog.revocation_id)

    def test_says_what_would_be_revoked(self):
        dialog = self.ask(self.both, "button_revoke_tokens")
        self.assertEqual((dialog.state, dialog.selected_count, dialog.live_count, dialog.user_count), ("ask", 2, 2, 2))
        self.assertIn("2 authorizations of 2 users", dialog.question)
        for user in (self.uma, self.vic):
            self.assertIn("%s (1)" % user.name, dialog.users)
        for application in self.both.mapped("application_id"):
            self.assertIn(application.name, dialog.applications)
        self.assertTrue(self.is_active(self.token_u) and self.is_active(self.token_v), "asking revokes nothing")

    def test_revokes_and_undoes(self):
        dialog = self.ask(self.both, "button_revoke_tokens")
        with Form(dialog) as form:
            form.reason = "laptop lost"
            form.reason_user = "your laptop was reported lost"
        after = self.dialog(dialog.action_confirm())
        self.assertEqual((after, after.state, after.can_undo), (dialog, "done", True))
        self.assertIn("2 authorizations were revoked", after.answer)
        self.assertFalse(self.is_active(self.token_u) or self.is_active(self.token_v))
        act = self.act_of(dialog)
        self.assertEqual((act.reason_admin, act.reason_user), ("laptop lost", "your laptop was reported lost"))
        self.assertEqual((act.revoked, act.channel, act.user_id), (2, "rpc", self.admin))
        self.assertTrue(act.can_undo)

        told = dialog.action_undo()
        self.assertEqual(told["tag"], "display_notification")
        self.assertIn("2 authorizations are live again", told["params"]["message"])
        self.assertTrue(self.is_active(self.token_u) and self.is_active(self.token_v))
        self.assertFalse(act.can_undo, "once is enough")

    def test_confirming_twice_does_it_once(self):
        dialog = self.ask(self.auth_u, "button_revoke_tokens")
        dialog.action_confirm()
        first = dialog.revocation_id
        dialog.action_confirm()
        self.assertEqual(dialog.revocation_id, first)

    def test_what_changed_meanwhile_is_shown_anew(self):
        dialog = self.ask(self.both, "button_revoke_tokens")
        self.auth_u.action_revoke_tokens()
        self.dialog(dialog.action_confirm())
        self.assertEqual((dialog.state, dialog.live_count, dialog.already_count), ("changed", 1, 1))
        self.assertTrue(self.is_active(self.token_v), "nothing was done")
        dialog.action_confirm()
        self.assertEqual(dialog.state, "done")
        self.assertFalse(self.is_active(self.token_v))
        self.assertEqual(self.act_of(dialog).revoked, 1)

    def test_nothing_to_revoke(self):
        self.auth_u.action_revoke_tokens()
        dialog = self.ask(self.auth_u, "button_revoke_tokens")
        self.assertEqual((dialog.live_count, dialog.already_count), (0, 1))
        self.assertIn("There is no authorization to revoke", dialog.question)

    def test_server_action_is_shipped_unbound_and_asks_nobody_over_rpc(self):
        with file_open("orest/data/ir_actions_server_data.xml", "rb") as data:
            records = {record.get("id"): record for record in etree.parse(data).iter("record")}
        for name in ("action_revoke_tokens", "action_revoke_authorization_codes"):
            self.assertEqual(records[name].xpath("field[@name='binding_model_id']"), [], "shipped unbound")
        action = self.env.ref("orest.action_revoke_tokens")
        action.create_action()
        self.assertEqual(action.binding_model_id.model, "orest.authorization")
        told = action.with_context(active_model="orest.authorization", active_ids=self.both.ids).run()
        self.assertEqual(told["tag"], "display_notification")
        self.assertIn("2 authorizations were revoked", told["params"]["message"])
        self.assertEqual(told["params"]["next"], {"type": "ir.actions.act_window_close"}, "the list is read anew")
        self.assertFalse(self.is_active(self.token_u) or self.is_active(self.token_v))
        self.assertEqual(self.both.mapped("revocation_id").channel, "server_action")

    def test_server_action_before_a_screen_asks_and_keeps_its_door(self):
        action = self.env.ref("orest.action_revoke_tokens")
        with self.before_a_screen():
            dialog = self.dialog(action.with_context(active_model="orest.authorization", active_ids=self.auth_u.ids).run())
        self.assertTrue(self.is_active(self.token_u))
        dialog.action_confirm()
        self.assertFalse(self.is_active(self.token_u))
        self.assertEqual(self.act_of(dialog).channel, "server_action")

    def test_server_action_without_a_selection_does_nothing(self):
        self.assertFalse(self.env.ref("orest.action_revoke_tokens").with_context(active_model="orest.authorization").run())
        self.assertTrue(self.is_active(self.token_u))

    def test_switched_off_it_revokes_at_once(self):
        self.env["res.config.settings"].create({"orest_confirm_revocation": False}).set_values()
        self.assertFalse(self.env["res.config.settings"]._orest_confirm_revocation())
        self.env["res.config.settings"].create({"orest_confirm_revocation": True}).set_values()
        self.assertTrue(self.env["res.config.settings"]._orest_confirm_revocation())

    def test_a_search_larger_than_the_ids_that_odoo_gives(self):
        self.env["ir.config_parameter"].sudo().set_param("web.active_ids_limit", "1")
        domain = [["id", "in", self.both.ids]]
        dialog = self.ask(self.auth_u.with_context(active_domain=domain), "button_revoke_tokens")
        self.assertEqual((dialog.selected_count, dialog.found_count, dialog.live_count), (1, 2, 1))
        with Form(dialog) as form:
            form.whole_search = True
            self.assertEqual(form.live_count, 2, "what would be revoked now")
        self.assertIn("2 authorizations of 2 users", dialog.question)
        dialog.action_confirm()
        self.assertFalse(self.is_active(self.token_u) or self.is_active(self.token_v))

    def test_a_search_is_read_and_never_run(self):
        dialog = self.env["orest.revoke.wizard"].create(
            {"act": "tokens", "whole_search": True, "selected_domain": "[('id', '=', number) for number in [0]]"}
        )
        with self.assertRaises(UserError):
            dialog.action_confirm()
        dialog.selected_domain = "[('id', '=', 0)]"
        dialog.action_confirm()
        self.assertEqual(dialog.state, "done")

    def test_ten_thousand_are_one_text(self):
        self.assertEqual(self.env["orest.revoke.wizard"]._fields["selected_ids"].type, "text")
        relations = [field.name for field in self.env["orest.revoke.wizard"]._fields.values() if field.type.endswith("2many")]
        self.assertEqual(relations, [])

    def test_others_are_out_of_reach(self):
        hers = self.auth_v.with_user(self.uma)
        with self.before_a_screen(), self.assertRaises(AccessError):
            hers.button_revoke_tokens()
        with self.assertRaises(AccessError):
            hers.button_revoke_tokens()
        self.assertTrue(self.is_active(self.token_v))

    def test_another_s_dialog_is_out_of_reach(self):
        dialog = self.ask(self.both, "button_revoke_tokens")
        # As a call of its own, which has read nothing yet.
        compat.flush_all(self.env)
        compat.invalidate_all(self.env)
        with self.assertRaises(AccessError):
            dialog.with_user(self.uma).action_confirm()
        self.assertTrue(self.is_active(self.token_u) and self.is_active(self.token_v))

    def test_own_ones_without_being_an_administrator(self):
        dialog = self.ask(self.auth_u.with_user(self.uma), "button_revoke_tokens").with_user(self.uma)
        dialog.action_confirm()
        self.assertFalse(self.is_active(self.token_u))
        self.assertFalse(dialog.can_undo, "only administrators take back")

    def test_users_sessions(self):
        dialog = self.ask(self.uma + self.vic, "run_orest_revoke_all_sessions")
        self.assertEqual((dialog.live_count, dialog.user_count), (2, 2))
        dialog.action_confirm()
        self.assertIn("2 authorizations were revoked", dialog.answer)
        self.assertFalse(self.is_active(self.token_u) or self.is_active(self.token_v))
        self.assertTrue(self.uma.active and self.vic.active, "they may sign in anew")

    def test_disable_and_enable(self):
        dialog = self.ask(self.uma, "run_orest_disable")
        self.assertIn("1 authorization will be revoked", dialog.question)
        dialog.action_confirm()
        self.assertFalse(self.uma.active)
        self.assertFalse(self.is_active(self.token_u))
        self.assertFalse(dialog.can_undo)
        told = self.uma.run_orest_enable()
        self.assertIn(self.uma.name, told["params"]["message"])
        self.assertTrue(self.uma.active)
        self.assertFalse(self.is_active(self.token_u), "what was revoked stays so")

    def test_delete(self):
        contact = self.vic.partner_id
        dialog = self.ask(self.vic, "run_orest_delete")
        self.assertTrue(self.vic.exists())
        dialog.action_confirm()
        self.assertFalse(self.vic.exists())
        self.assertTrue(contact.exists(), "what is linked to him stays")
        self.assertFalse(self.is_active(self.token_v))
