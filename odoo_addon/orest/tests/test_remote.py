"""Reading the service's records as Odoo reads its own."""

import datetime
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests.common import TransactionCase, tagged

from .. import compat
from ..domain import NotForwarded
from ..exceptions import TooManyRows
from ..models import orest_remote
from .common import ServiceMixin, groups


@tagged("post_install", "-at_install")
class TestRemote(ServiceMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.user, self.other = self.new_user("Uma"), self.new_user("Otto")
        self.application, secret = self.new_application(self.user)
        self.first = self.new_token(self.user, "rpc", self.application, secret)[1]
        self.authorizations = self.first | self.new_token(self.user)[1] | self.new_token(self.user)[1]
        self.theirs = self.new_token(self.other)[1]
        self.all = self.authorizations | self.theirs
        self.model = self.env["orest.authorization"]
        self.mine = [("id", "in", self.all.ids)]

    def calls(self):
        """Counts the calls to the service."""
        made, service = [], type(self.service)
        original = service._call

        def counted(record, model, method, **arguments):
            made.append("%s/%s" % (model, method))
            return original(record, model, method, **arguments)

        patcher = patch.object(service, "_call", counted)
        patcher.start()
        self.addCleanup(patcher.stop)
        return made

    def test_values(self):
        [found] = self.first.read(
            ["application_id", "user_id", "device_id", "state", "scope", "active", "generation", "revoked_at", "create_date"]
        )
        self.assertEqual(found["application_id"], (self.application.id, self.application.name))
        self.assertEqual(found["user_id"], (self.user.id, "Uma"))
        self.assertEqual((found["device_id"], found["revoked_at"]), (False, False))
        self.assertEqual((found["state"], found["scope"], found["active"], found["generation"]), ("live", "rpc", True, 0))
        self.assertIsInstance(found["create_date"], datetime.datetime)
        self.assertIn(self.application.name, self.first.display_name)

    def test_a_page_is_one_call(self):
        made = self.calls()
        found = self.model.search(self.mine, limit=80, order="id")
        self.assertEqual(found, self.all.sorted("id"))
        self.assertEqual(found.mapped("state"), ["live"] * 4)
        self.assertEqual(made, ["orest.authorization/search_read"])
        self.assertEqual(self.model.search_count(self.mine), 4)
        self.assertEqual(made[1:], ["orest.authorization/search_count"])

    def test_pages_and_orders(self):
        self.assertEqual(self.model.search(self.mine, limit=2, offset=1, order="id desc").ids, sorted(self.all.ids)[1:3][::-1])
        self.assertEqual(self.model.search(self.mine)[-1], self.all.sorted("id")[0], "newest first is the default")
        by_user = self.model.search(self.mine, order="user_id, id")
        self.assertEqual(by_user[0], self.theirs, "Otto comes before Uma")
        with self.assertRaises(ValueError):
            self.model.search([], order="nothing")
        with self.assertRaises(ValueError):
            self.model.search([], order="id; DROP TABLE res_users")

    def test_domains_on_users_are_resolved_here(self):
        name = self.application.name
        refuse = patch.object(type(self.model), "_found_here", side_effect=AssertionError("brought here to look through"))
        refuse.start()
        self.addCleanup(refuse.stop)
        for domain, expect in (
            ([("user_id", "=", self.other.id)], self.theirs),
            ([("user_id", "in", [self.user.id])], self.authorizations),
            ([("user_id", "!=", self.user.id)], self.theirs),
            ([("user_id", "ilike", "otto")], self.theirs),
            ([("user_id", "not ilike", "otto")], self.authorizations),
            ([("user_id.login", "=", self.other.login)], self.theirs),
            ([("user_id.partner_id.email", "=like", "uma-%")], self.authorizations),
            (["|", ("user_id.login", "=", self.other.login), ("application_id", "=", self.application.id)], self.theirs | self.first),
            ([("application_id.name", "=", name)], self.first),
            ([("application_id", "ilike", name)], self.first),
            ([("application_id.user_id.login", "=", self.user.login)], self.authorizations),
            ([("user_id", "any", [("login", "=", self.other.login)])], self.theirs),
            ([("application_id", "any", ["|", ("name", "=", name), ("user_id.login", "=", self.other.login)])], self.first | self.theirs),
        ):
            if compat.SERIES < 17 and any(leaf[1] == "any" for leaf in domain if isinstance(leaf, tuple)):
                continue
            self.assertEqual(self.model.search(self.mine + domain, order="id"), expect.sorted("id"), domain)

    def test_other_domains_are_answered_by_postgresql(self):
        today = datetime.date.today().isoformat()
        for domain, expect in (
            ([("user_id.login", "!=", self.other.login)], self.authorizations),
            (["!", ("user_id.login", "=", self.other.login)], self.authorizations),
            ([("create_date", ">=", today)], self.all),
            ([("user_id.name", "not ilike", "otto"), ("create_date", ">=", today)], self.authorizations),
        ):
            if domain[0] != "!" or compat.SERIES < 19:
                with self.assertRaises(NotForwarded):
                    orest_remote.forward_domain(self.model, domain)
            self.assertEqual(self.model.search(self.mine + domain, order="id"), expect.sorted("id"), domain)
            self.assertEqual(self.model.search_count(self.mine + domain), len(expect), domain)

    def test_both_ways_find_the_same(self):
        self.authorizations[0].unlink()
        for domain in (
            [],
            [("active", "in", [True, False])],
            [("active", "=", False)],
            [("state", "=", "live")],
            [("state", "in", ["revoked", "expired"]), ("active", "=", False)],
            [("user_id", "=", False)],
            ["|", ("user_id", "=", self.user.id), ("scope", "like", "r_c")],
            ["!", ("scope", "ilike", "RPC")],
            [("revoked_at", "=", False)],
            [("revoked_at", "!=", False), ("active", "in", [True, False])],
            [("create_date", "<", "2099-01-01 00:00:00"), ("generation", "<=", 0)],
            [("application_id", "=", self.application.id)],
            [("display_name", "ilike", "uma")],
        ):
            pushed = self.model.search(self.mine + domain, order="id").ids
            with patch.object(orest_remote, "forward_domain", self.refuse()):
                found = self.model.search(self.mine + domain, order="id").ids
            self.assertEqual(pushed, found, domain)

    def refuse(self):
        """Understands ids only, as if the service did."""
        original = orest_remote.forward_domain

        def refusing(model, domain):
            for leaf in compat.domain_list(domain):
                if isinstance(leaf, (tuple, list)) and leaf[0] not in ("id", 1, 0):
                    raise NotForwarded("a test")
            return original(model, domain)

        return refusing

    def test_both_ways_group_the_same(self):
        self.authorizations[0].action_revoke_tokens()
        # Groups are in the order of the users' names, as the service knows them.
        self.env["res.users"].sudo()._orest_sync_all()
        for tz in ("UTC", "Europe/Budapest", "America/New_York", "Asia/Kolkata"):
            for by in (["state"], ["user_id"], ["create_date:month"], ["create_date:week"], ["create_date:day"], ["active"]):
                model = self.model.with_context(tz=tz)
                pushed = groups(model, [], by, ["generation:sum"])
                with patch.object(orest_remote, "Question", side_effect=NotForwarded("a test")):
                    found = groups(model, [], by, ["generation:sum"])
                self.assertEqual(pushed, found, (tz, by))

    def test_groups(self):
        found = groups(self.model, self.mine, ["user_id"], [])
        self.assertEqual(found, [(self.other.id, 1), (self.user.id, 3)], "in the order of the names")
        self.assertEqual(groups(self.model, [("id", "=", 0)], ["state"], []), [])

    def test_too_many_to_look_through(self):
        with patch.object(orest_remote, "ROWS_MAX", 2), self.assertRaises(TooManyRows):
            self.model.search([("create_date", ">=", "2020-01-01")])

    def test_users_who_are_gone_break_nothing(self):
        gone, self.other = self.other.id, self.user
        self.env["res.users"].browse(gone).unlink()
        compat.flush_all(self.env)
        compat.invalidate_all(self.env)
        found = self.model.search(self.mine, order="id").read(["user_id", "state"])
        self.assertEqual([row["user_id"] and row["user_id"][0] for row in found].count(self.user.id), 3)
        self.assertEqual([row["user_id"] for row in found].count(False), 1)
        self.assertIn((False, 1), groups(self.model, self.mine, ["user_id"], []))

    def test_what_does_not_exist(self):
        none = self.model.browse(2**31 - 1)
        self.assertFalse(none.exists())
        self.assertEqual((self.all | none).exists(), self.all)
        self.assertEqual(none.read(["state"]), [])
        self.assertTrue((none | self.theirs).unlink())
        self.assertEqual(self.theirs.state, "revoked")

    def test_the_other_end_of_relations(self):
        self.assertEqual(self.application.authorization_ids, self.first)
        self.assertEqual(self.user.orest_authorization_ids, self.authorizations.sorted("id", reverse=True))
        found = self.env["res.users"].search([("orest_authorization_ids.application_id", "=", self.application.id)])
        self.assertEqual(found, self.user)
        self.assertIn(self.user, self.env["res.users"].search([("orest_authorization_ids", "!=", False)]))
        self.assertNotIn(self.user, self.env["res.users"].search([("orest_authorization_ids", "=", False)]))
        found = self.env["res.users"].search([("orest_authorization_ids", "in", self.theirs.ids)])
        self.assertEqual(found, self.other)

    def test_name_search(self):
        found = self.env["orest.application"].name_search(self.application.name)
        self.assertEqual([tuple(pair) for pair in found], [(self.application.id, self.application.name)])

    def test_export(self):
        rows = self.theirs.export_data([".id", "user_id", "state"])["datas"]
        self.assertEqual(rows[0][1:], ["Otto", "Live"])

    def test_what_a_plain_user_sees(self):
        model = self.model.with_user(self.user)
        self.assertEqual(model.search(self.mine, order="id").ids, sorted(self.authorizations.ids))
        self.assertEqual(model.search_count(self.mine), 3)
        self.assertEqual(self.env["orest.application"].with_user(self.user).search([]), self.authorizations.mapped("application_id").sorted("name"))
        with self.assertRaises(AccessError):
            self.theirs.with_user(self.user).read(["state"])
        for name in ("orest.authorization.code", "orest.application.uri", "orest.model.scheme", "orest.model.configuration"):
            with self.assertRaises(AccessError):
                self.env[name].with_user(self.user).search([])
        receipt = self.first.action_revoke_tokens()
        revocations = self.env["orest.revocation"].with_user(self.user)
        made = self.calls()
        self.assertEqual(revocations.search([]).ids, [receipt["revocation_id"]], "an administrator's act that touched him")
        self.assertEqual(revocations.search_count([]), 1)
        self.assertEqual(len(made), 2, "nothing was brought here to look through, not for the rules either: %s" % made)
        fields = revocations.fields_get()
        self.assertFalse({"ip_address", "reason_admin", "selection"} & set(fields))

    def test_what_a_portal_user_sees(self):
        portal = self.new_user("Paula", "base.group_portal")
        for name in ("orest.authorization", "orest.application", "orest.device", "orest.revocation"):
            with self.assertRaises(AccessError):
                self.env[name].with_user(portal).search([])

    def test_nobody_makes_or_changes_authorizations(self):
        with self.assertRaises(AccessError):
            self.model.create({"user_id": self.user.id})
        with self.assertRaises(AccessError):
            self.theirs.write({"scope": "everything"})
        with self.assertRaises(AccessError):
            self.env["orest.revocation"].search([], limit=1).unlink()

    def test_administrators_keep_applications(self):
        application = self.env["orest.application"].create({"name": "A%s" % self.user.login, "scope": "rpc"})
        self.assertTrue(application.client_id)
        application.write({"description": "50 % of \\ 'all'", "uri_ids": [(0, 0, {"uri": "https://%s.example/cb" % self.user.login})]})
        self.assertEqual(application.description, "50 % of \\ 'all'")
        self.assertEqual(application.uri_ids.uri, "https://%s.example/cb" % self.user.login)
        # A percent sign and a backslash get through SQL unharmed too.
        found = self.env["orest.application"].search([("create_date", ">=", "2020-01-01"), ("id", "=", application.id)])
        self.assertEqual(found, application)
        with self.assertRaises(UserError):
            application.write({"uri_ids": [(0, 0, {"uri": "no address"})]})
        with self.assertRaises(ValueError):
            application.write({"nothing": 1})
        with self.assertRaises(AccessError):
            application.with_user(self.user).write({"name": "x"})
        with self.assertRaises(AccessError):
            application.with_user(self.user).action_generate_secret()
        application.unlink()
        self.assertFalse(application.exists())

    def test_no_secret_is_a_field(self):
        for name in ("orest.application", "orest.authorization", "orest.authorization.code", "orest.device", "orest.revocation"):
            words = [word for field in self.env[name]._fields for word in field.split("_")]
            self.assertFalse({"secret", "hash", "password", "key"} & set(words))
