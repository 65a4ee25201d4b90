import json

from odoo import http
from odoo.http import request

from ..release import MODULE_VERSION


class Status(http.Controller):
    @http.route("/orest/status", type="http", auth="none", methods=["GET"], sitemap=False, save_session=False)
    def status(self):
        """Whether the module is here, and which: what ``orest doctor`` looks for."""
        return request.make_response(
            json.dumps({"module": "orest", "version": MODULE_VERSION}),
            headers=[("Content-Type", "application/json"), ("Cache-Control", "no-store")],
        )
