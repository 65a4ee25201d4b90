from odoo import _, fields, models

from .. import compat
from ..exceptions import ServiceError


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

    orest_problem = fields.Char(
        "Problem", compute="_compute_orest_problem", help="Why the authorizations can't be shown at the moment."
    )

    def _compute_orest_problem(self):
        """What an empty list of authorizations would hide: that the service is away."""
        problem = False
        try:
            self.env["orest.authorization"].search_count([("id", "=", 0)])
        except ServiceError as error:
            problem = error.args[0]
        self.orest_problem = problem

    # For the screens: they give an action to go on with.

    def run_orest_revoke_all_sessions(self):
        """The server action "Revoke All Sessions"."""
        return self.env["orest.revoke.wizard"]._run("sessions", self)

    def run_orest_disable(self):
        """The server action "Disable User"."""
        return self.env["orest.revoke.wizard"]._run("disable", self)

    def run_orest_enable(self):
        """The server action "Enable User". Nothing is asked: it takes nothing away."""
        self.action_orest_enable()
        return compat.notification(_("Enabled: %s.") % ", ".join(self.mapped("name")))

    def run_orest_delete(self):
        """The server action "Delete User"."""
        return self.env["orest.revoke.wizard"]._run("delete", self)
