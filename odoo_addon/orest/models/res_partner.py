from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    def write(self, vals):
        if "email" in vals:
            self.sudo().with_context(active_test=False).mapped("user_ids")._orest_refuse_token()
        result = super().write(vals)
        if {"name", "email", "lang", "tz"} & vals.keys():
            self.sudo().with_context(active_test=False).mapped("user_ids")._orest_changed()
        return result
