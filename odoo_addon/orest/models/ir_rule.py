from odoo import api, models

from .. import compat
from .orest_remote import NO_ROWS


class IrRule(models.Model):
    _inherit = "ir.rule"

    @api.constrains("active", "domain_force", "model_id")
    def _check_domain(self):
        """Check domains without the service: in 17.0 and 18.0 this searches for what a path goes through, and a service
        that is away, or not connected yet, would make every domain a wrong one."""
        if compat.SERIES < 17:
            # There is nothing of that name: 14.0 looks at domains when it uses them.
            return None
        return super(IrRule, self.with_context(orest_narrow=NO_ROWS))._check_domain()
