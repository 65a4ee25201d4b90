"""The dialog that shows a new client secret, this once."""

from odoo import fields, models


class OrestSecretShow(models.AbstractModel):
    """A secret on its way to a person: it travels in the action's context, as Odoo's own API keys do, and has no table."""

    _name = "orest.secret.show"
    _description = "Client Secret"

    # Onchange, by which the dialog gets its values, wants an id.
    id = fields.Id()
    client_id = fields.Char(string="Client ID", readonly=True)
    client_secret = fields.Char(readonly=True)
