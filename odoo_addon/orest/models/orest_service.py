import logging
import time
from weakref import WeakKeyDictionary

from odoo import _, api, models
from odoo.exceptions import AccessDenied, AccessError, MissingError, UserError, ValidationError
from odoo.http import request
from odoo.tools import config

from .. import client, compat
from ..exceptions import Nonsense, NotConfigured, ServiceError, ServiceSilent, ServiceUnavailable, UnknownUser, WrongCredential
from ..release import MODULE_VERSION

_logger = logging.getLogger(__name__)

#: Seconds for which a transaction that found the service away does not ask again: a page asks several times.
FAILURE_SECONDS = 10

#: Seconds for which this worker does not ask a service again that has let it wait in vain: whoever waits holds the worker up, and
#: who only shows a token needs no account to make it wait. Refused is refused meanwhile.
SILENT_SECONDS = 3

# Until when which address is not asked, and what is said instead.
_silent = {}

# What failed, and when. Keyed by the cursor, as `cr.cache` in a hook after the commit leaks connections in 17.0 and 18.0.
_failures = WeakKeyDictionary()

_EXCEPTIONS = {
    "AccessDenied": AccessError,
    "AccessError": AccessError,
    "MissingError": MissingError,
    "ValidationError": ValidationError,
    "UserError": UserError,
}


class OrestService(models.AbstractModel):
    """The authorization service, as the user of the environment talks to it.

    All of its methods are private: nothing of it can be called from outside.
    """

    _name = "orest.service"
    _description = "Authorization service"

    @api.model
    def _address(self):
        """Where the service is. The server's configuration file wins over the system parameter."""
        parameter = self.env["ir.config_parameter"].sudo().get_param
        return (config.get("orest_service_url") or parameter("orest.service_url") or "").strip()

    @api.model
    def _credential(self):
        parameter = self.env["ir.config_parameter"].sudo().get_param
        return (config.get("orest_credential") or parameter("orest.credential") or "").strip()

    @api.model
    def _is_configured(self):
        return bool(self._address() and self._credential())

    @api.model
    def _call(self, model, method, channel=None, as_user=True, act=False, repeatable=True, **arguments):
        """Calls a method of the service's, with the rights of the user.

        :param str channel: the door, for the service's log
        :param bool as_user: whether somebody acts; the methods of `orest.pairing` know nobody
        :param bool act: whether it is a revocation, which may take longer
        :param bool repeatable: whether it may be sent again when the connection broke
        :raise ServiceError: see :mod:`..exceptions`
        :raise UserError: with the service's own words, for what it refuses
        """
        try:
            return self._call_once(model, method, channel, as_user, act, repeatable, arguments)
        except UnknownUser:
            if not as_user:
                raise
            self.env["res.users"].sudo().browse(self.env.uid)._orest_sync()
            return self._call_once(model, method, channel, as_user, act, repeatable, arguments)

    def _call_once(self, model, method, channel, as_user, act, repeatable, arguments):
        headers = self._headers(channel)
        uid = self.env.uid if as_user else self.env.context.get("orest_uid")
        if uid:
            headers["X-Orest-User"] = str(uid)
        answer = self._post(
            "/json/2/%s/%s" % (model, method),
            headers=headers,
            json_body=arguments,
            act=act,
            repeatable=repeatable,
        )
        value = answer.json()
        if answer.status == 200:
            return value
        raise self._refusal(answer.status, value)

    @api.model
    def _check(self):
        """How the pairing stands: `version`, `api`, `now`, `base_url`, `odoo_url`, `users`, `last_sync_at`."""
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        series = "%s.0" % compat.SERIES
        return self._call("orest.pairing", "check", as_user=False, database_uuid=uuid, series=series)

    @api.model
    def _last_sync_at(self):
        """When all users were compared with the service's last, or False."""
        try:
            return self._check().get("last_sync_at") or False
        except UserError:
            return False

    @api.model
    def _introspect(self, token):
        """What the service says of a token (RFC 7662), asked anew each time.

        :raise ServiceError: the service is away: then nothing is accepted
        """
        answer = self._post("/oauth2/introspect", headers=self._headers(None), form={"token": token})
        value = answer.json()
        if answer.status != 200 or not isinstance(value, dict) or not isinstance(value.get("active"), bool):
            raise self._nonsense()
        return value

    def _post(self, path, **arguments):
        failure, at = _failures.get(self.env.cr, (None, 0))
        if failure is not None and time.monotonic() - at < FAILURE_SECONDS:
            raise type(failure)(*failure.args)
        address, credential = self._address(), self._credential()
        if not address or not credential:
            raise NotConfigured(
                _(
                    "Odoo is not connected to an authorization service yet. An administrator does that in "
                    "Settings > General Settings, block oREST."
                )
            )
        until, failure = _silent.get(address, (0, None))
        if time.monotonic() < until:
            raise type(failure)(*failure.args)
        try:
            return client.post(self.env, address, path, credential, **arguments)
        except ServiceUnavailable as error:
            if isinstance(error, ServiceSilent):
                _silent[address] = (time.monotonic() + SILENT_SECONDS, error)
            _failures[self.env.cr] = (error, time.monotonic())
            _logger.warning("The authorization service at %s: %s", address, error.args[0])
            raise
        except (Nonsense, WrongCredential) as error:
            _logger.warning("The authorization service at %s: %s", address, error.args[0])
            raise

    def _headers(self, channel):
        # A copy of this database has the credential too: by this the service knows that it is one.
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        headers = {"X-Orest-Module": MODULE_VERSION, "X-Orest-Database": uuid or ""}
        if channel:
            headers["X-Orest-Channel"] = channel
        if request and getattr(request, "httprequest", None) and request.httprequest.remote_addr:
            headers["X-Orest-Address"] = request.httprequest.remote_addr
        return headers

    def _refusal(self, status, value):
        """The exception for an answer in which the service refuses."""
        name = value.get("name") if isinstance(value, dict) else None
        message = value.get("message") if isinstance(value, dict) else None
        if not isinstance(name, str) or not isinstance(message, str):
            return self._nonsense()
        name = name.rsplit(".", 1)[-1]
        if name == "UnknownUser":
            return UnknownUser(_("The authorization service does not know this user yet."))
        if name in _EXCEPTIONS:
            return _EXCEPTIONS[name](message)
        if status == 404:
            return ServiceError(
                _("The authorization service is of another version than this module and does not know: %s", message)
            )
        return ServiceError(_("The authorization service refused: %s", message))

    def _nonsense(self):
        return Nonsense(
            _("What answers at the address of the authorization service is not the service. Check the address.")
        )
