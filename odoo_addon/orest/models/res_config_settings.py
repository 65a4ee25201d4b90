from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import config

from .. import client, compat
from ..exceptions import ServiceError
from ..release import MODULE_VERSION

#: What this module speaks with the service.
API_VERSION = 1
#: How far apart the two clocks may be before somebody is told.
CLOCK_SKEW_MAX = timedelta(seconds=60)


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    orest_service_url = fields.Char(string="Service address", help="Where the authorization service answers.")
    orest_credential = fields.Char(
        string="Credential", help="What “orest pair” printed. It is never shown again: empty keeps the one that is stored."
    )
    orest_has_credential = fields.Boolean(string="A credential is stored", readonly=True)
    orest_from_file = fields.Boolean(
        string="Set in the configuration file",
        readonly=True,
        help="orest_service_url or orest_credential in the server's configuration file win.",
    )
    orest_last_sync_at = fields.Datetime(
        string="Last synchronisation", readonly=True, help="When all users were compared with the service's last."
    )
    orest_confirm_revocation = fields.Boolean(
        string="Ask before revoking", help="Show what would be revoked, and take a reason, before it is done."
    )

    @api.model
    def _orest_confirm_revocation(self):
        """Whether people are asked before something is revoked: unless the parameter says no."""
        value = self.env["ir.config_parameter"].sudo().get_param("orest.confirm_revocation", "True")
        return str(value).strip().lower() not in ("false", "0", "no", "off")

    @api.model
    def get_values(self):
        values = super().get_values()
        if not self.env.su and not self.env.user.has_group("base.group_system"):
            # Over RPC anybody can ask for them.
            return values
        service = self.env["orest.service"].sudo()
        values.update(
            orest_service_url=service._address(),
            orest_has_credential=bool(service._credential()),
            orest_from_file=bool(config.get("orest_service_url") or config.get("orest_credential")),
            orest_last_sync_at=service._last_sync_at(),
            orest_confirm_revocation=self._orest_confirm_revocation(),
        )
        return values

    def set_values(self):
        result = super().set_values()
        parameters = self.env["ir.config_parameter"].sudo()
        # Unlike False, which takes a parameter away, "False" stays: the default is to ask.
        parameters.set_param("orest.confirm_revocation", str(bool(self.orest_confirm_revocation)))
        if not self.orest_from_file:
            parameters.set_param("orest.service_url", (self.orest_service_url or "").strip())
            if self.orest_credential:
                parameters.set_param("orest.credential", self.orest_credential.strip())
                # Not longer than necessary in the form's own row.
                self.orest_credential = False
        return result

    def action_orest_test_connection(self):
        """Tell what is wrong between Odoo and the service, or that nothing is."""
        self.ensure_one()
        compat.check_access(self.browse(), "write")
        try:
            sentences = self._orest_check()
        except UserError as error:
            return compat.notification(error.args[0], title=_("No connection"), kind="danger", close=False)
        kind = "warning" if len(sentences) > 1 else "success"
        typed = (self.orest_service_url or "").strip()
        if not self.orest_from_file and (self.orest_credential or typed != self.env["orest.service"]._address()):
            sentences.append(_("Click Save to keep these settings."))
        return compat.notification(" ".join(sentences), title=_("Connected"), kind=kind, close=False)

    def _orest_check(self):
        """What the service answers to the values of this form: a sentence, and one for each thing that is odd.

        :raise UserError: it does not work, and why
        """
        service = self.env["orest.service"].sudo()
        address = (self.orest_service_url or "").strip() if not self.orest_from_file else service._address()
        credential = (self.orest_credential or "").strip() or service._credential()
        if not address:
            raise ServiceError(_("There is no address yet. Put in where the authorization service answers."))
        if config.get("orest_credential") and not self.orest_credential and address != service._address():
            # Administrators of Odoo can't read that file, and this would show them what it holds.
            raise ServiceError(_("The credential in the configuration file is for the address there alone. Put in a credential too."))
        if not credential:
            raise ServiceError(_("There is no credential yet. Run “orest pair” where the service is, and put in what it prints."))
        parameter = self.env["ir.config_parameter"].sudo().get_param
        answer = client.post(
            self.env,
            address,
            "/json/2/orest.pairing/check",
            credential,
            headers={"X-Orest-Module": MODULE_VERSION},
            json_body={"database_uuid": parameter("database.uuid"), "series": "%s.0" % compat.SERIES},
        )
        found = answer.json()
        if answer.status != 200:
            raise service._refusal(answer.status, found)
        if not isinstance(found, dict) or found.get("service") != "orest":
            raise service._nonsense()
        if found.get("api") != API_VERSION:
            raise ServiceError(
                _(
                    "The service (%(service)s) and this module (%(module)s) are of versions that do not go together.",
                    service=found.get("version"),
                    module=MODULE_VERSION,
                )
            )
        sentences = [
            _(
                "Authorization service %(version)s at %(address)s, which knows %(users)s users.",
                version=found.get("version"),
                address=address,
                users=found.get("users"),
            )
        ]
        skew = fields.Datetime.now() - fields.Datetime.to_datetime(found["now"])
        if abs(skew) > CLOCK_SKEW_MAX:
            sentences.append(
                _(
                    "Its clock and Odoo's are %s seconds apart: set both by NTP, or tokens end too early or too late.",
                    int(abs(skew).total_seconds()),
                )
            )
        own = (parameter("web.base.url") or "").rstrip("/")
        theirs = (found.get("odoo_url") or "").rstrip("/")
        if theirs != own:
            sentences.append(
                _(
                    "It sends browsers to %(theirs)s, while Odoo says of itself that it is at %(own)s.",
                    theirs=theirs,
                    own=own,
                )
            )
        return sentences

    def action_orest_sync_users(self):
        """Tell the service of all users now."""
        self.ensure_one()
        compat.check_access(self.browse(), "write")
        try:
            done = self.env["res.users"].sudo()._orest_sync_all()
        except UserError as error:
            return compat.notification(error.args[0], title=_("Users were not synchronised"), kind="danger")
        return compat.notification(
            _(
                "New: %(created)s. Brought up to date: %(updated)s. Deleted: %(deleted)s. Authorizations revoked: %(revoked)s.",
                **done,
            ),
            title=_("Users synchronised"),
        )
