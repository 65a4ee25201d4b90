from contextlib import suppress

from odoo import models
from odoo.exceptions import AccessError
from odoo.http import request

from .. import compat
from .orest_remote import OrestRemote


class IrActionsActWindow(models.Model):
    _inherit = "ir.actions.act_window"

    if compat.SERIES >= 19:

        def _get_action_dict(self):
            """Says that the service is away before a list of its records is opened. From 19.0 on, a list that can't be read as it opens
            sends the web client home, and the sentence is gone with it.
            """
            if request and request.httprequest.path == "/web/action/load" and self.res_model in self.env:
                model = self.env[self.res_model]
                if isinstance(model, OrestRemote):
                    # What somebody may not see is not the action's to say.
                    with suppress(AccessError):
                        model.search_count([("id", "=", 0)])
            return super()._get_action_dict()
