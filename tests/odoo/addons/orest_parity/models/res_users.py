from odoo import fields, models


class ResUsers(models.Model):
    _inherit = "res.users"

    parity_authorization_ids = fields.One2many("orest.parity.authorization", "user_id", "oREST API Authorizations (table)")
