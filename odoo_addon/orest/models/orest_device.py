from odoo import fields, models

from odoo.addons.base.models.res_users import check_identity

from .. import compat


class OrestDevice(models.Model):
    """A browser or phone that a user signed in from."""

    _name = "orest.device"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "Device"
    _order = "last_activity desc, id desc"

    name = fields.Char(readonly=True, required=True, help="Browser and system, or what the user calls it.")
    user_id = fields.Many2one("res.users", readonly=True, help="Who signed in.")
    platform = fields.Char(readonly=True, help="Operating system.")
    browser = fields.Char(readonly=True, help="Browser.")
    device_type = fields.Selection(
        [("computer", "Computer"), ("mobile", "Mobile")], "Type", readonly=True, help="What it looks like."
    )
    ip_address = fields.Char("IP Address", readonly=True, help="Where it was seen last.")
    first_activity = fields.Datetime(readonly=True, help="When it was seen first.")
    last_activity = fields.Datetime(readonly=True, help="When it was seen last.")
    revoked = fields.Boolean(
        readonly=True, help="Its refresh tokens are refused until the user signs in anew from it."
    )
    revoked_at = fields.Datetime("Revoked on", readonly=True, help="When it was revoked.")
    authorization_ids = fields.One2many(
        "orest.authorization", "device_id", "Authorizations", readonly=True, help="Who may act from it."
    )
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)

    def action_revoke(self, reason=None, reason_user=None):
        """Revokes these devices and what was let in from each.

        :return: a receipt: `revocation_id`, `requested`, `revoked`, `already_revoked`
        """
        records = self.exists()
        compat.check_access(records or self.browse(), "read")
        receipt = self._orest(
            "action_revoke", ids=records.ids, reason=reason or None, reason_user=reason_user or None, act=True
        )
        self._forget()
        return receipt

    # For the screens: they give an action to go on with.

    @check_identity
    def button_revoke(self):
        """Asks, then revokes."""
        return self.env["orest.revoke.wizard"]._run("device", self)
