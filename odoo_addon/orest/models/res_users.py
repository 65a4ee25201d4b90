from odoo import fields, models


class ResUsers(models.Model):
    _inherit = "res.users"

    orest_authorization_ids = fields.One2many(
        "orest.authorization",
        "user_id",
        "oREST API Authorizations",
        context={"orest_when_away": "empty"},
        help="Which applications may act for the user. A line that is deleted is revoked.",
    )

    @property
    def SELF_READABLE_FIELDS(self):
        return super().SELF_READABLE_FIELDS + ["orest_authorization_ids"]

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return super().SELF_WRITEABLE_FIELDS + ["orest_authorization_ids"]
