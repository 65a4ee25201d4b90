from odoo import models
from odoo.exceptions import AccessDenied
from odoo.http import request

from .. import compat, tokens


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    if compat.SERIES >= 16:

        @classmethod
        def _pre_dispatch(cls, rule, args):
            """`/json/2`: what the token may call is looked at when it is known what is called. Other routes that take API keys
            don't take tokens.
            """
            token = tokens.current()
            if token is not None:
                if "__model__" not in args or "__method__" not in args:
                    raise AccessDenied()
                arguments = request.get_json_data() if request.httprequest.data else {}
                arguments = arguments if isinstance(arguments, dict) else {}
                tokens.check_call(request.env, token, args["__model__"], args["__method__"], [], arguments)
            return super()._pre_dispatch(rule, args)
