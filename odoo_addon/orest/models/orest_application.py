from odoo import _, api, fields, models

from odoo.addons.base.models.res_users import check_identity

from .. import compat


class OrestApplication(models.Model):
    """A program that may ask for access: an OAuth client."""

    _name = "orest.application"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Application"
    _order = "name"
    _rec_names_search = ["name", "client_id"]

    name = fields.Char(required=True, help="What users read on the consent page.")
    description = fields.Text(help="What the application does, for the administrators who come later.")
    active = fields.Boolean(
        default=True, help="An archived application is refused everywhere, until it is unarchived."
    )
    image = fields.Binary(
        "Logo", attachment=False, help="Shown on the consent page; a PNG, JPEG or WebP file of 256 kB at most."
    )
    client_id = fields.Char("Client ID", help="The OAuth client_id; made by the service if left empty.")
    is_public = fields.Boolean(
        "Public client",
        readonly=True,
        help="Has no secret (a browser or phone application) and must use PKCE.",
    )
    scope = fields.Char("Scopes", help="All scopes that it may ask for, separated by spaces.")
    user_id = fields.Many2one(
        "res.users",
        "Acts for",
        help="Whom tokens of the client_credentials grant act for; nobody: the application itself.",
    )
    model_scheme_id = fields.Many2one(
        "orest.model.scheme", groups="orest.group_orest_admin", help="Which models and fields it may touch."
    )
    uri_ids = fields.One2many(
        "orest.application.uri",
        "application_id",
        "URIs",
        groups="orest.group_orest_admin",
        help="The callback addresses; compared character by character.",
    )
    authorization_code_expiry = fields.Integer(
        required=True, default=600, help="Seconds in which a code must be exchanged."
    )
    authorization_code_retain = fields.Integer(
        help="Days for which a used or expired code is kept; 0: only as long as it could be replayed."
    )
    access_token_expiry = fields.Integer(required=True, default=3600, help="Seconds.")
    refresh_token_expiry = fields.Integer(help="Seconds; 0: never.")
    authorization_ids = fields.One2many(
        "orest.authorization", "application_id", "Authorizations", readonly=True, help="Who let it in."
    )
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)

    if compat.SERIES < 16:

        @api.model
        def _name_search(self, name, args=None, operator="ilike", limit=100, name_get_uid=None):
            """By name or client ID, as `_rec_names_search` has it later."""
            names = compat.names_domain(self._rec_names_search, operator, name) if name else []
            return self._search(compat.domain_and([names, args or []]), limit=limit, access_rights_uid=name_get_uid)

    def action_generate_secret(self):
        """Gives the application a new secret. The one that it had is worthless from now on.

        :return: `{"client_secret": …}`: shown this once, and kept nowhere in Odoo
        """
        self.ensure_one()
        compat.check_access(self, "write")
        secret = self._orest("action_generate_secret", ids=self.ids, repeatable=False)
        self._forget()
        return secret

    def action_make_public(self):
        """Takes the secret of the applications away: they must use PKCE."""
        compat.check_access(self, "write")
        self._orest("action_make_public", ids=self.ids)
        self._forget()
        return True

    # For the screens: they give an action to go on with.

    @check_identity
    def button_generate_secret(self):
        """Shows a new secret, this once."""
        made = self.action_generate_secret()
        return {
            "type": "ir.actions.act_window",
            "name": _("Client Secret"),
            "res_model": "orest.secret.show",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_client_id": made["client_id"], "default_client_secret": made["client_secret"]},
        }

    @check_identity
    def button_make_public(self):
        """Takes the secret away."""
        self.action_make_public()
        return compat.notification(_("%s is a public client now.", self.name))


class OrestApplicationUri(models.Model):
    """Where answers to an application may go (RFC 6749 section 3.1.2)."""

    _name = "orest.application.uri"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Application URI"
    _order = "uri"
    _rec_name = "uri"

    application_id = fields.Many2one("orest.application", required=True, help="Whose address it is.")
    uri = fields.Char(
        "URI",
        required=True,
        help="Absolute, without fragment; https, or http to the own machine, or a scheme of the application's own.",
    )
    description = fields.Text(help="What answers there.")
    active = fields.Boolean(default=True, help="An archived address is refused.")
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)
