from odoo import api, fields, models

from .. import compat


class OrestAuthorization(models.Model):
    """ "This application may act for this user from this device": the record that is shown and revoked.

    It is made by the OAuth grants and ended by a revocation. Deleting one throws it in the waste bin: it is revoked, and
    stays in the service for the log.
    """

    _name = "orest.authorization"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Authorization"
    _order = "create_date desc, id desc"
    _rec_name = "display_name"

    display_name = fields.Char(compute=None, search=None, store=True, readonly=True, help="Application and user.")
    active = fields.Boolean(readonly=True, help="Off: thrown in the waste bin. It was revoked then, and stays for the log.")
    application_id = fields.Many2one("orest.application", readonly=True, help="Who may act.")
    user_id = fields.Many2one(
        "res.users", readonly=True, help="For whom; nobody: the application acts in its own name."
    )
    device_id = fields.Many2one(
        "orest.device", readonly=True, help="Where the user signed in from when he consented."
    )
    grant_type = fields.Selection(
        [
            ("authorization_code", "Authorization code"),
            ("client_credentials", "Client credentials"),
            ("gateway", "Gateway session"),
            ("password", "Admin API session"),
        ],
        "Grant",
        readonly=True,
        help="How it came to be.",
    )
    scope = fields.Char("Scopes", readonly=True, help="What was granted, separated by spaces.")
    redirect_uri = fields.Char("Application URI", readonly=True, help="Where the answer went.")
    state = fields.Selection(
        [("live", "Live"), ("expired", "Expired"), ("revoked", "Revoked")],
        readonly=True,
        help="Live: its tokens are accepted. Expired: its last token has ended. Revoked: taken back.",
    )
    expires_at = fields.Datetime("Expires on", readonly=True, help="When its last token ends; empty: never.")
    last_used_at = fields.Datetime(
        "Last used on", readonly=True, help="The last time that one of its tokens was accepted, to the minute."
    )
    last_refreshed_at = fields.Datetime(
        "Last refreshed on", readonly=True, help="The last time that its refresh token was exchanged."
    )
    generation = fields.Integer(readonly=True, help="How often its refresh token was exchanged.")
    revoked_at = fields.Datetime("Revoked on", readonly=True, help="When it was taken back.")
    revoked_by = fields.Many2one(
        "res.users", "Revoked by", readonly=True, help="Who took it back; empty: the service itself, or its application."
    )
    revocation_id = fields.Many2one("orest.revocation", readonly=True, help="The act that took it back.")
    code_ids = fields.One2many(
        "orest.authorization.code",
        "authorization_id",
        "Authorization Codes",
        readonly=True,
        groups="orest.group_orest_admin",
        help="The codes that were given for it.",
    )
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)

    def action_revoke_tokens(self, reason=None, reason_user=None, expect=None):
        """Revokes these authorizations. When it returns, their tokens are refused, here and everywhere.

        It may be repeated: what is revoked already counts as such.

        :param str reason: why, for administrators
        :param str reason_user: why, for those whom it touches
        :param str expect: the digest of a preview: if the selection has changed since, nothing is done
        :return: a receipt: `revocation_id`, `sequence`, `requested`, `revoked`, `already_revoked`
        """
        records = self.exists()
        compat.check_access(records or self.browse(), "unlink")
        compat.flush_all(self.env)
        receipt = self._orest(
            "action_revoke_tokens",
            ids=records.ids,
            reason=reason or None,
            reason_user=reason_user or None,
            expect=expect or None,
            channel=self._channel(),
            act=True,
        )
        self._forget()
        return receipt

    @api.model
    def preview_revoke(self, ids=None, domain=None, user_id=None, application_id=None):
        """What a revocation of a selection would do: how many live ones, of whom, at which applications.

        Give one of the four.

        :return: `requested`, `live`, `already_revoked`, `users`, `user_count`, `applications` and a `digest` for `expect`
        """
        compat.check_access(self.browse(), "unlink")
        if ids is not None:
            records = self.browse(ids).exists()
            compat.check_access(records, "unlink")
            ids = records.ids
        context = self._orest_context()
        if domain is not None:
            domain = compat.domain_list(domain)
            context = self._orest_context(domain)
            domain = self._forwarded(domain, ("read", "unlink"))
        return self._orest(
            "preview_revoke",
            ids=ids,
            domain=domain,
            user_id=user_id,
            application_id=application_id,
            context=context,
        )

    @api.model
    def revoke_domain(self, domain, reason=None, reason_user=None, expect=None):
        """Revokes what a search finds, be it more than could be selected.

        :return: a receipt, as of :meth:`action_revoke_tokens`
        """
        compat.check_access(self.browse(), "unlink")
        compat.flush_all(self.env)
        domain = compat.domain_list(domain)
        receipt = self._orest(
            "revoke_domain",
            domain=self._forwarded(domain, ("read", "unlink")),
            reason=reason or None,
            reason_user=reason_user or None,
            expect=expect or None,
            channel=self._channel(),
            act=True,
            context=self._orest_context(domain),
        )
        self._forget()
        return receipt

    @api.model
    def _channel(self):
        """The door, for the service's log."""
        return "server_action" if self.env.context.get("orest_channel") == "server_action" else "rpc"

    # For the screens: they give an action to go on with.

    def button_revoke_tokens(self):
        """Asks, then revokes."""
        return self.env["orest.revoke.wizard"]._run("tokens", self)

    def run_revoke_tokens(self):
        """The server action "Revoke Tokens"."""
        return self.with_context(orest_channel="server_action").button_revoke_tokens()


class OrestAuthorizationCode(models.Model):
    """A one-time code of the code grant. The code itself is stored hashed, in the service, and is no field."""

    _name = "orest.authorization.code"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Authorization Code"
    _order = "create_date desc, id desc"
    _rec_name = "display_name"

    display_name = fields.Char(compute=None, search=None, store=True, readonly=True, help="Its number.")
    active = fields.Boolean(readonly=True, help="Off: used or revoked.")
    authorization_id = fields.Many2one("orest.authorization", readonly=True, help="What it is exchanged for.")
    redirect_uri = fields.Char("Application URI", readonly=True, help="Where it was sent.")
    expires_at = fields.Datetime("Expires on", readonly=True, help="When it can no longer be exchanged.")
    used_at = fields.Datetime("Used on", readonly=True, help="When it was exchanged.")
    purge_at = fields.Datetime("Purged on", readonly=True, help="When this record goes.")
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)

    def action_revoke_authorization_codes(self):
        """Deactivates all codes of the authorizations that these codes belong to.

        :return: `requested` and `deactivated`
        """
        records = self.exists()
        # The right to the authorizations: the codes have none of their own but reading.
        compat.check_access(records.mapped("authorization_id"), "unlink")
        result = self._orest("action_revoke_authorization_codes", ids=records.ids, act=True)
        self._forget()
        return result

    def run_revoke_authorization_codes(self):
        """The server action "Revoke Authorization Codes"."""
        return self.env["orest.revoke.wizard"]._run("codes", self)
