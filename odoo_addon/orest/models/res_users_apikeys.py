import logging

from odoo import models
from odoo.exceptions import AccessDenied
from odoo.http import request

from ..exceptions import ServiceError
from ..tokens import BEARER_PATH, Token, is_token

_logger = logging.getLogger(__name__)


class ResUsersApikeys(models.Model):
    _inherit = "res.users.apikeys"

    def _check_credentials(self, *, scope, key):
        """A key with our prefix is the service's; every other one is none of our business."""
        if not is_token(key):
            return super()._check_credentials(scope=scope, key=key)
        if scope != "rpc" or not request or not request.httprequest.path.startswith(BEARER_PATH):
            return None
        request.orest_token = None
        try:
            token = self._orest_verify(key)
        except AccessDenied:
            return None
        request.orest_token = token
        return token.uid

    def _orest_verify(self, key):
        """Asks the service about an access token.

        :return: the verified :class:`Token`, of an active user
        :raise AccessDenied: whatever is wrong, be it only that the service is away
        """
        address = request.httprequest.remote_addr if request else "a call over RPC"
        try:
            token = Token(self.env["orest.service"].with_context(lang="en_US").sudo()._introspect(key))
        except ServiceError as error:
            _logger.warning("Access token from %s refused, as it can't be verified: %s", address, error.args[0])
            raise AccessDenied() from None
        except (AccessDenied, KeyError, TypeError, ValueError, AttributeError):
            _logger.info("Access token from %s refused", address)
            raise AccessDenied() from None
        user = self.env["res.users"].sudo().browse(token.uid).exists()
        if not user.active:
            _logger.info("Access token from %s refused: user %s is archived or gone", address, token.uid)
            raise AccessDenied()
        return token
