"""The one place where a function of Odoo's is replaced: `execute_cr`, through which every call over `/jsonrpc` and `/xmlrpc` goes
to its model. There is no method of a model that could be overridden instead.
"""

import functools

from odoo import api
from odoo.service import model as service

from . import compat, tokens


def _wrap(execute_cr):
    @functools.wraps(execute_cr)
    def checked(cr, uid, obj, method, *args, **kw):
        """As Odoo's, after a look at what the token lets through, if the call came with one."""
        with tokens.calling(uid) as token:
            if token is not None:
                if compat.SERIES >= 19:
                    given, named = args[0], args[1] if len(args) > 1 else kw.get("kw")
                else:
                    given, named = args, kw
                tokens.check_call(api.Environment(cr, uid, {}), token, obj, method, list(given), dict(named or {}))
            return execute_cr(cr, uid, obj, method, *args, **kw)

    checked.orest = True
    return checked


def apply():
    """Puts it in place, once a process."""
    if not getattr(service.execute_cr, "orest", False):
        service.execute_cr = _wrap(service.execute_cr)
