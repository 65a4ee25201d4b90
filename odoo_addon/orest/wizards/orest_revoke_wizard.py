"""The dialog that asks before something is taken back, does exactly what it showed, and offers to undo it."""

import ast

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.http import request
from odoo.tools.misc import formatLang

from .. import compat

#: What is selected: ids are one text, not rows of a relation, so that ten thousand of them cost one column.
SEPARATOR = ","


class OrestRevokeWizard(models.TransientModel):
    """One selection, what it would end, and what came of it."""

    _name = "orest.revoke.wizard"
    _description = "Revoke Tokens"

    act = fields.Selection(
        [
            ("tokens", "Revoke Tokens"),
            ("codes", "Revoke Authorization Codes"),
            ("device", "Revoke Device"),
            ("sessions", "Revoke All Sessions"),
            ("disable", "Disable User"),
            ("delete", "Delete User"),
        ],
        required=True,
        readonly=True,
        default="tokens",
    )
    state = fields.Selection(
        [("ask", "To confirm"), ("changed", "Changed meanwhile"), ("done", "Done")],
        required=True,
        readonly=True,
        default="ask",
    )
    selected_ids = fields.Text(string="Selected records", readonly=True)
    selected_domain = fields.Text(string="Search", readonly=True, help="Behind a selection that is larger than its ids.")
    found_count = fields.Integer(string="Found", readonly=True, help="How many records the search finds.")
    whole_search = fields.Boolean(string="Revoke all that the search finds")
    selected_count = fields.Integer(string="Selected", readonly=True)
    live_count = fields.Integer(string="To be revoked", readonly=True)
    already_count = fields.Integer(string="Revoked before", readonly=True)
    user_count = fields.Integer(string="Number of users", readonly=True)
    digest = fields.Char(readonly=True, help="Of the set that was shown: nothing else is revoked.")
    users = fields.Text(readonly=True)
    applications = fields.Text(readonly=True)
    question = fields.Text(compute="_compute_question")
    reason = fields.Char(help="Why, for administrators: it stays in the list of revocations.")
    reason_user = fields.Char(string="Reason for users", help="Why, for those whom it touches: they can read it.")
    revocation_id = fields.Integer(readonly=True)
    can_undo = fields.Boolean(readonly=True)
    answer = fields.Text(readonly=True, help="What was done.")

    # Opening it.

    @api.model
    def _run(self, act, records):
        """Do ``act`` to ``records``; from the web client, ask before.

        Over RPC nobody is there to be asked: it is done.

        :return: an action: the dialog, or a notification of what was done
        """
        wizard = self.create(
            {"act": act, "selected_ids": SEPARATOR.join(map(str, records.ids)), "selected_count": len(records)}
        )
        if not self._is_asking():
            return wizard._do()._notification()
        wizard._note_larger_search(records)
        wizard._look()
        return wizard._dialog()

    @api.model
    def _is_asking(self):
        """Whether somebody sits before a screen, and the dialog is not switched off."""
        if not request or not request.httprequest.path.startswith(compat.SCREEN_PATHS):
            return False
        return self.env["res.config.settings"]._orest_confirm_revocation()

    def _note_larger_search(self, records):
        """“Select all” gives the first ids of a search only; offer the whole of it."""
        domain = self.env.context.get("active_domain")
        limit = int(self.env["ir.config_parameter"].sudo().get_param("web.active_ids_limit", "20000"))
        if self.act != "tokens" or not domain or len(records) < limit:
            return
        found = records.search_count(domain)
        if found > len(records):
            self.write({"selected_domain": repr(domain), "found_count": found})

    def _dialog(self):
        self.ensure_one()
        names = dict(self._fields["act"]._description_selection(self.env))
        return {
            "type": "ir.actions.act_window",
            "name": names[self.act],
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "view_mode": "form",
            "target": "new",
            # The door, for the log.
            "context": {"orest_channel": self.env.context.get("orest_channel", "rpc")},
        }

    # What is selected.

    def _records(self):
        """The selected records, as the acting user sees them."""
        self.ensure_one()
        model = {
            "tokens": "orest.authorization",
            "codes": "orest.authorization.code",
            "device": "orest.device",
        }.get(self.act, "res.users")
        if self.whole_search:
            return self.env[model].search(self._search_domain())
        return self.env[model].browse(map(int, filter(None, (self.selected_ids or "").split(SEPARATOR))))

    def _search_domain(self):
        """The search, which is read and never run: over RPC anybody can put a text there."""
        try:
            domain = ast.literal_eval(self.selected_domain or "")
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            domain = None
        if not isinstance(domain, list):
            raise UserError(_("There is no search to go by."))
        return domain

    def _selection(self):
        """The selection as ``preview_revoke`` takes it; None: the service has no preview of this act."""
        ids = self._records().ids
        if self.act == "tokens":
            return {"ids": ids}
        if self.act == "device":
            return {"domain": [("device_id", "in", ids), ("state", "!=", "revoked")]}
        if self.act in ("sessions", "disable", "delete"):
            return {"domain": [("user_id", "in", ids), ("state", "!=", "revoked")]}
        return None

    def _look(self):
        """Ask the service what would be revoked, and note it with its digest."""
        self.ensure_one()
        selection = self._selection()
        if selection is None:
            return
        preview = self.env["orest.authorization"].preview_revoke(**selection)
        self.write(
            {
                "live_count": preview["live"],
                "already_count": preview["already_revoked"],
                "user_count": preview["user_count"],
                "digest": preview["digest"],
                "users": self._names(preview["users"], preview["user_count"], _("(the application itself)")),
                "applications": self._names(preview["applications"], len(preview["applications"]), ""),
            }
        )

    @api.model
    def _names(self, counted, total, nobody):
        """“Alice (7), Bob (4) and 12 more” of the service's counts, largest first."""
        names = ", ".join("%s (%s)" % (row["name"] or nobody, self._number(row["count"])) for row in counted)
        if total <= len(counted):
            return names
        return _("%(names)s and %(more)s more", names=names, more=self._number(total - len(counted)))

    @api.model
    def _number(self, number):
        """A count as the user writes it: 20,000 or 20.000."""
        return formatLang(self.env, number, digits=0)

    @api.onchange("whole_search")
    def _onchange_whole_search(self):
        """Show what the other selection would end."""
        if self.selected_domain:
            self._origin.whole_search = self.whole_search
            self._origin._look()
            for name in ("live_count", "already_count", "user_count", "digest", "users", "applications"):
                self[name] = self._origin[name]

    @api.depends("act", "live_count", "already_count", "user_count", "selected_count", "found_count", "whole_search")
    def _compute_question(self):
        for wizard in self:
            wizard.question = "\n".join(wizard._sentences())

    def _sentences(self):
        """What would be done, in words."""
        self.ensure_one()
        selected = self._number(self.found_count if self.whole_search else self.selected_count)
        if self.act == "codes":
            yield _("The active codes of the authorizations behind the %s selected codes stop working.", selected)
            yield _("Tokens that were given for codes already are not touched.")
            return
        if self.act == "device":
            yield _("What was let in from this device is revoked, and the sessions that were opened there end.")
        elif self.act == "sessions":
            yield _("Selected users: %s. Their sessions end; they may sign in anew.", selected)
        elif self.act == "disable":
            yield _("Selected users: %s. They can't sign in, and nothing acts for them, until they are enabled.", selected)
        elif self.act == "delete":
            yield _("Selected users: %s. Their accounts are deleted; what is linked to them stays.", selected)
        if not self.live_count:
            yield _("There is no authorization to revoke.")
        elif self.live_count == 1:
            yield _("1 authorization will be revoked. Its tokens are refused at once, everywhere.")
        elif self.user_count == 1:
            yield _(
                "%s authorizations will be revoked. Their tokens are refused at once, everywhere.",
                self._number(self.live_count),
            )
        else:
            yield _(
                "%(count)s authorizations of %(users)s users will be revoked. "
                "Their tokens are refused at once, everywhere.",
                count=self._number(self.live_count),
                users=self._number(self.user_count),
            )
        if self.found_count and not self.whole_search:
            yield _(
                "These are the first %(selected)s of the %(found)s that the search finds.",
                selected=self._number(self.selected_count),
                found=self._number(self.found_count),
            )
        if self.already_count:
            yield _("Revoked already: %s of the selected.", self._number(self.already_count))

    # Doing it.

    def action_confirm(self):
        """Do what was shown; if that has changed meanwhile, show what it has become."""
        self.ensure_one()
        # Each dialog is its maker's, which Odoo would check only when the outcome is noted.
        compat.check_access(self, "write")
        if self.state != "done":
            try:
                self._do()
            except UserError:
                shown = self.digest
                self._look()
                if self.digest == shown:
                    raise
                self.state = "changed"
        return self._dialog()

    def _do(self):
        """Do the act, and note what came of it."""
        self.ensure_one()
        records = self._records()
        why = {"reason": self.reason or None, "reason_user": self.reason_user or None}
        if self.act == "tokens":
            why["expect"] = self.digest or None
            receipt = records.action_revoke_tokens(**why)
        elif self.act == "codes":
            receipt = records.action_revoke_authorization_codes()
        elif self.act == "device":
            receipt = records.action_revoke(**why)
        else:
            receipt = {
                "sessions": records.action_revoke_all_sessions,
                "disable": records.action_orest_disable,
                "delete": records.action_orest_delete,
            }[self.act](**why)
        revocation = receipt.get("revocation_id")
        self.write(
            {
                "state": "done",
                "answer": self._told(receipt),
                "revocation_id": revocation,
                "can_undo": bool(
                    revocation
                    and receipt["revoked"]
                    and self.act in ("tokens", "device", "sessions")
                    and self.env.user.has_group("orest.group_orest_admin")
                ),
            }
        )
        return self

    def _told(self, receipt):
        """What was done, in words."""
        if self.act == "codes":
            return _("Codes that stopped working: %s.", self._number(receipt["deactivated"]))
        revoked, already = receipt["revoked"], receipt["already_revoked"]
        if revoked == 1:
            told = _("1 authorization was revoked. Its tokens are refused from now on.")
        elif revoked:
            told = _("%s authorizations were revoked. Their tokens are refused from now on.", self._number(revoked))
        else:
            told = _("No authorization was live any more; nothing had to be revoked.")
        if already and revoked:
            told += " " + _("Revoked before: %s.", self._number(already))
        nodes = receipt.get("unconfirmed")
        if nodes:
            told += " " + _(
                "Not confirmed everywhere yet: until %(until)s UTC %(nodes)s may still accept the tokens.",
                until=max(node["until"] for node in nodes),
                nodes=", ".join(node["node"] for node in nodes),
            )
        return told

    def _notification(self):
        """An action that tells what was done, has the list behind read anew, and leads to the revocation."""
        self.ensure_one()
        link = None
        if self.revocation_id:
            revocation = self.env["orest.revocation"].browse(self.revocation_id)
            link = (_("Show the revocation"), compat.record_url("orest.orest_revocation_action", revocation))
        return compat.notification(self.answer, link=link)

    def action_undo(self):
        """Make live again what was just revoked."""
        self.ensure_one()
        compat.check_access(self, "write")
        return self.env["orest.revocation"].browse(self.revocation_id).button_undo()

    def action_close(self):
        """Close the dialog; the list behind it is read anew."""
        return {"type": "ir.actions.act_window_close"}
