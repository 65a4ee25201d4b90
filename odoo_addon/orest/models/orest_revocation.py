from datetime import timedelta

from odoo import _, api, fields, models

from .. import compat

#: As long as the service lets an act be taken back …
UNDO_WINDOW = timedelta(minutes=15)
#: … that came through one of these doors.
UNDO_CHANNELS = (
    "rpc",
    "unlink",
    "server_action",
    "orest_rpc",
    "device_revoke",
    "command_line",
    "admin_api",
    "access_api",
)


class OrestRevocation(models.Model):
    """One act: who revoked how many authorizations, when, through which door and why. Written once."""

    _name = "orest.revocation"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "Revocation"
    _order = "sequence desc"
    _rec_name = "display_name"

    display_name = fields.Char(
        compute=None, search=None, store=True, readonly=True, help="Its number in the order of commitment."
    )
    sequence = fields.Integer(readonly=True, help="The order in which acts were committed.")
    kind = fields.Selection(
        [("revoke", "Revoke"), ("undo", "Undo")],
        readonly=True,
        help="Whether it revoked, or took a revocation back.",
    )
    undoes_id = fields.Many2one("orest.revocation", readonly=True, help="The act that it took back.")
    undone = fields.Boolean(readonly=True, help="Whether it has been taken back.")
    create_date = fields.Datetime("Date", readonly=True, help="When.")
    user_id = fields.Many2one(
        "res.users", "Actor", readonly=True, help="Who; empty: the service itself, or an application."
    )
    user_login = fields.Char("Login", readonly=True, help="His login at that time, or the client_id.")
    ip_address = fields.Char("IP Address", readonly=True, groups="orest.group_orest_admin", help="From where.")
    channel = fields.Selection(
        [
            ("rpc", "Button or RPC"),
            ("unlink", "Waste bin"),
            ("server_action", "Action menu"),
            ("orest_rpc", "oREST RPC"),
            ("oauth_revoke", "The application itself"),
            ("refresh_reuse", "Refresh token shown twice"),
            ("code_reuse", "Authorization code shown twice"),
            ("password_change", "Password change"),
            ("password_reset", "Password set on the server"),
            ("user_disable", "User disabled"),
            ("user_delete", "User deleted"),
            ("application_delete", "Application deleted"),
            ("device_revoke", "Device revoked"),
            ("command_line", "Command line"),
            ("admin_api", "Admin API"),
            ("access_api", "Cloudflare Access API"),
            ("sign_out", "Sign-out at the gateway"),
        ],
        "Door",
        readonly=True,
        help="Through which door.",
    )
    initiating_entity = fields.Selection(
        [("admin", "Administrator"), ("user", "User"), ("policy", "Policy"), ("system", "System")],
        "Initiated by",
        readonly=True,
        help="OpenID CAEP 1.0, session-revoked.",
    )
    reason_admin = fields.Text(
        "Reason", readonly=True, groups="orest.group_orest_admin", help="Why, for administrators."
    )
    reason_user = fields.Text("Reason for users", readonly=True, help="Why, for those whom it touches.")
    selection = fields.Text(readonly=True, groups="orest.group_orest_admin", help="What it was aimed at.")
    requested = fields.Integer(readonly=True, help="How many authorizations it was aimed at.")
    revoked = fields.Integer(
        readonly=True, help="How many of these it revoked; for an undo, made live again."
    )
    already_revoked = fields.Integer("Already revoked", readonly=True, help="How many of these were revoked before.")
    authorization_ids = fields.One2many(
        "orest.authorization",
        "revocation_id",
        "Authorizations",
        readonly=True,
        help="What it revoked, and has not been undone since.",
    )

    can_undo = fields.Boolean(compute="_compute_can_undo", help="Whether you may still take it back.")

    def action_undo(self, reason=None):
        """Takes a revocation back, within its time: one's own, as an administrator.

        :return: the receipt of the undo
        """
        self.ensure_one()
        compat.check_access(self, "read")
        receipt = self._orest("action_undo", ids=self.ids, reason=reason or None, act=True)
        self._forget()
        return receipt

    # For the screens: they give an action to go on with.

    def button_undo(self):
        """Takes the revocation back, and tells."""
        restored = self.action_undo()["revoked"]
        if restored == 1:
            return compat.notification(_("1 authorization is live again."))
        return compat.notification(_("%s authorizations are live again.", restored))

    @api.depends("kind", "undone", "create_date", "user_id", "channel")
    @api.depends_context("uid")
    def _compute_can_undo(self):
        """What the service would not refuse, as far as can be told from here."""
        since = fields.Datetime.now() - UNDO_WINDOW
        for act in self:
            act.can_undo = (
                act.kind == "revoke"
                and not act.undone
                and act.revoked > 0
                and act.user_id == self.env.user
                and act.channel in UNDO_CHANNELS
                and bool(act.create_date and act.create_date > since)
                and self.env.user.has_group("orest.group_orest_admin")
            )
