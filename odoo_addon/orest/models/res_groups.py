from odoo import api, models


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model_create_multi
    def create(self, vals_list):
        groups = super().create(vals_list)
        groups._orest_tell_members()
        return groups

    def write(self, vals):
        # Those who leave and those who come.
        touches = {"users", "user_ids", "implied_ids"} & vals.keys()
        if touches:
            self._orest_tell_members()
        result = super().write(vals)
        if touches:
            self._orest_tell_members()
        return result

    def unlink(self):
        self._orest_tell_members()
        return super().unlink()

    def _orest_tell_members(self):
        """Tells the service of the users of these groups, after the commit."""
        users = self.env["res.users"].sudo()
        if users._orest_is_told():
            users.with_context(active_test=False).search([(users._orest_groups_field(), "in", self.ids)])._orest_changed()
