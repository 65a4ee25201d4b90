import logging
import time

from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.http import request

from .. import compat, tokens
from ..exceptions import ServiceError

_logger = logging.getLogger(__name__)

#: Where a browser's session keeps who has signed in last, and when: his id, and Unix seconds.
SIGNED_IN_AT = "orest_signed_in_at"

#: Users in one call.
SYNC_CHUNK = 500
#: Fields of a user of which the service is told.
_TOLD = {"login", "name", "email", "lang", "tz", "active", "partner_id", "orest_password_version"}

#: Of one's own record.
_OWN_READABLE = ["orest_authorization_ids", "orest_problem"]
_OWN_WRITEABLE = ["orest_authorization_ids"]


class ResUsers(models.Model):
    _inherit = "res.users"

    orest_authorization_ids = fields.One2many(
        "orest.authorization",
        "user_id",
        "oREST API Authorizations",
        context={"orest_when_away": "empty"},
        help="Which applications may act for the user. A line that is deleted is revoked.",
    )
    orest_problem = fields.Char(
        "Problem", compute="_compute_orest_problem", help="Why the authorizations can't be shown at the moment."
    )
    orest_password_version = fields.Integer(
        "Password Version",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="Another one with each new password: the service revokes then what acts for the user. 0: none since this module "
        "was installed.",
    )

    if compat.SERIES >= 15:

        @property
        def SELF_READABLE_FIELDS(self):
            return super().SELF_READABLE_FIELDS + _OWN_READABLE

        @property
        def SELF_WRITEABLE_FIELDS(self):
            return super().SELF_WRITEABLE_FIELDS + _OWN_WRITEABLE

    else:

        def __init__(self, pool, cr):
            result = super().__init__(pool, cr)
            # Lists of the class, as the modules before have made them; never change one in place.
            type(self).SELF_READABLE_FIELDS = self.SELF_READABLE_FIELDS + _OWN_READABLE
            type(self).SELF_WRITEABLE_FIELDS = self.SELF_WRITEABLE_FIELDS + _OWN_WRITEABLE
            return result

    def _compute_orest_problem(self):
        """What an empty list of authorizations would hide: that the service is away."""
        problem = False
        try:
            self.env["orest.authorization"].search_count([("id", "=", 0)])
        except ServiceError as error:
            problem = error.args[0]
        self.orest_problem = problem

    if compat.SERIES < 17:

        @api.model
        def _search(self, args, *more, **named):
            """As core's, which would look for the authorizations in a table, and there is none."""
            return super()._search([self._orest_resolved(term) for term in compat.domain_list(args)], *more, **named)

        @api.model
        def _orest_resolved(self, term):
            """A term on authorizations as one on ids of users."""
            name = "orest_authorization_ids"
            if not isinstance(term, (tuple, list)) or str(term[0]).split(".")[0] != name:
                return term
            left, operator, value = term
            model = self.env["orest.authorization"]
            negative = operator.startswith("not ") or operator == "!="
            if left != name:
                found, negative = model.search([(left.partition(".")[2], operator, value)]), False
            elif not value:
                # "= False": there is none. All who have one are counted by the service.
                keys = [keys[0] for keys, _count in model._orest_groups([], ["user_id"], ["__count"], 0, None, None)]
                return ("id", "in" if negative else "not in", [number for number in keys if number])
            elif isinstance(value, str):
                positive = {"!=": "="}.get(operator, operator[4:] if negative else operator)
                found = model.search([("display_name", positive, value)])
            else:
                found = model.browse([value] if isinstance(value, int) else list(value)).exists()
            return ("id", "not in" if negative else "in", found.mapped("user_id").ids)

    # -- the service knows the users that Odoo has ------------------------------------------------------------------

    @api.model
    def _orest_is_told(self):
        """Whether the service is told of changes: not while modules are being installed, nor before there is one."""
        return self.pool.ready and self.env["orest.service"]._is_configured()

    @api.model
    def _orest_groups_field(self):
        return compat.ALL_GROUPS_FIELD

    def _orest_changed(self):
        """Has the service told of these users when the transaction is committed."""
        ids = {number for number in self._ids if isinstance(number, int) and number != SUPERUSER_ID}
        if not ids or not self._orest_is_told():
            return
        waiting = self.env.cr.postcommit.data.setdefault("orest.users", set())
        if not waiting:
            self.env.cr.postcommit.add(compat.Notifier(self.env, waiting, "_orest_tell"))
        waiting |= ids

    def _orest_gone(self):
        """Has the service told which users are left when the transaction is committed."""
        if self._orest_is_told() and not self.env.cr.postcommit.data.get("orest.gone"):
            self.env.cr.postcommit.data["orest.gone"] = True
            self.env.cr.postcommit.add(compat.Notifier(self.env, (), "_orest_keep"))

    @api.model
    def _orest_tell(self, ids):
        """Tells the service of users, as they are now. A failure is logged: the scheduled job makes it good."""
        try:
            self.browse(ids).exists()._orest_sync()
        except ServiceError as error:
            _logger.warning("The authorization service was not told of users %s: %s", sorted(ids)[:20], error.args[0])

    @api.model
    def _orest_keep(self, ids=()):
        """Tells the service which users there are. It deletes the others, and revokes what acts for them."""
        try:
            self._orest_keep_users()
        except ServiceError as error:
            _logger.warning("The authorization service was not told of deleted users: %s", error.args[0])

    @api.model
    def _orest_as_of(self):
        """When this transaction began to look, in microseconds: the service leaves out what it has learned to be otherwise since."""
        self.env.cr.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
        return self.env.cr.fetchone()[0]

    @api.model
    def _orest_keep_users(self):
        ids = self.sudo().with_context(active_test=False).search([("id", "!=", SUPERUSER_ID)], order="id").ids
        return self.env["orest.service"]._call("orest.pairing", "keep_users", as_user=False, act=True, ids=ids, as_of=self._orest_as_of())

    def _orest_sync(self, patient=False):
        """Tells the service of these users, as they are now.

        :param bool patient: whether nobody waits for it, so that it may take as long as a revocation
        :return: how many it `created`, `updated`, and for how many authorizations that meant a revocation (`revoked`)
        :raise ServiceError: see :mod:`..exceptions`
        """
        total = {"created": 0, "updated": 0, "revoked": 0}
        users = self.sudo().filtered(lambda user: user.id != SUPERUSER_ID)
        for start in range(0, len(users), SYNC_CHUNK):
            chunk = users[start : start + SYNC_CHUNK]
            answer = self.env["orest.service"]._call(
                "orest.pairing", "sync_users", as_user=False, act=patient, users=chunk._orest_described(), as_of=self._orest_as_of()
            )
            for name in total:
                total[name] += answer.get(name, 0)
        return total

    def _orest_described(self):
        """These users, in the service's words."""
        users = self.sudo()
        names = users.mapped(compat.ALL_GROUPS_FIELD)._get_external_ids()
        pending = users._orest_pending()
        return [
            {
                "id": user.id,
                "login": user.login,
                "name": user.name,
                "email": user.email or False,
                "lang": user.lang or False,
                "tz": user.tz or False,
                "active": user.active,
                "pending": user in pending,
                "groups": sorted(
                    name for group in user[compat.ALL_GROUPS_FIELD] for name in names.get(group.id, ()) if name
                ),
                "password_version": user.orest_password_version,
                "create_date": compat.to_text(user.create_date) if user.create_date else False,
            }
            for user in users
        ]

    def _orest_pending(self):
        """Those who have been invited and have neither chosen a password nor ever signed in."""
        if not self.ids:
            return self
        compat.flush_all(self.env)
        self.env.cr.execute(
            """SELECT u.id FROM res_users u WHERE u.id IN %s AND COALESCE(u.password, '') = ''
               AND NOT EXISTS (SELECT 1 FROM res_users_log l WHERE l.create_uid = u.id)""",
            [tuple(self.ids)],
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _orest_sync_all(self):
        """Makes the service's users the same as Odoo's: the scheduled job, and the button in the settings.

        :return: as :meth:`_orest_sync`, and how many it `deleted`
        """
        # The first call binds the pairing to this database; a copy of it learns here that it is one.
        self.env["orest.service"]._check()
        users = self.sudo().with_context(active_test=False).search([("id", "!=", SUPERUSER_ID)], order="id")
        total = users._orest_sync(patient=True)
        kept = self._orest_keep_users()
        total["deleted"] = kept.get("deleted", 0)
        total["revoked"] += kept.get("revoked", 0)
        return total

    @api.model
    def _cron_orest_sync(self):
        """Every few minutes: what could not be told at the time is told now."""
        if not self.env["orest.service"]._is_configured():
            return
        try:
            self._orest_sync_all()
        except ServiceError as error:
            _logger.warning("The authorization service's users could not be brought up to date: %s", error.args[0])

    @api.model_create_multi
    def create(self, vals_list):
        users = super().create(vals_list)
        users._orest_changed()
        return users

    def write(self, vals):
        if "login" in vals or "email" in vals:
            self._orest_refuse_token()
        result = super().write(vals)
        if _TOLD & vals.keys() or any(compat.is_groups_field(name) for name in vals):
            self._orest_changed()
        return result

    def unlink(self):
        result = super().unlink()
        self._orest_gone()
        return result

    def _set_password(self):
        """A new password: the service revokes what acted by the old one's leave."""
        self._orest_refuse_token()
        result = super()._set_password()
        for user in self.sudo():
            # Of the clock, so that a count that began anew with the module never comes to one that was told before.
            user.orest_password_version = max(user.orest_password_version + 1, int(time.time()) // 60)
        return result

    def _update_last_login(self):
        """Who signs in for the first time has confirmed. When that was in this browser is noted: after a device or a session of
        his was revoked, the service lets only those in who have signed in since."""
        pending = self._orest_pending()
        result = super()._update_last_login()
        pending._orest_changed()
        if request:
            request.session[SIGNED_IN_AT] = (self.id, time.time())
        return result

    # -- acts -------------------------------------------------------------------------------------------------------

    def _orest_check_may_end(self):
        """One's own sessions everybody may end, others' a REST API Admin."""
        if self - self.env.user and not self.env.su and not self.env.user.has_group("orest.group_orest_admin"):
            raise AccessError(_("You may only revoke your own sessions."))

    def _orest_check_may_manage(self):
        """Who may archive and delete users."""
        compat.check_access(self, "write")
        if not self.env.su and not self.env.user.has_group("base.group_erp_manager"):
            raise AccessError(_("Only who manages access rights may disable, enable and delete users."))
        if self.env.user in self or SUPERUSER_ID in self.ids:
            raise UserError(_("You can't do this to the user as whom you are signed in, nor to Odoo's own."))

    def _orest_act(self, method, reason=None, reason_user=None):
        """Calls a method of the service's users.

        :return: a receipt: `revocation_id`, `requested`, `revoked`, `already_revoked`
        """
        receipt = self.env["orest.service"]._call(
            "res.users", method, act=True, ids=self.ids, reason=reason or None, reason_user=reason_user or None
        )
        self.env["orest.remote"]._forget()
        return receipt

    def action_revoke_all_sessions(self, reason=None, reason_user=None):
        """Ends the users' sessions at the service and revokes all that acts for them. They may sign in anew.

        :return: a receipt: `revocation_id`, `requested`, `revoked`, `already_revoked`
        """
        self._orest_check_may_end()
        return self._orest_act("action_revoke_all_sessions", reason, reason_user)

    def action_orest_disable(self, reason=None, reason_user=None):
        """Archives the users and revokes, for good, all that acts for them.

        :return: a receipt, as of :meth:`action_revoke_all_sessions`
        :raise UserError: one of them has never confirmed: such a user can only be deleted
        """
        self._orest_check_may_manage()
        pending = self._orest_pending()
        if pending:
            raise UserError(
                _(
                    "%s never confirmed the invitation: such a user can't be disabled, only deleted.",
                    ", ".join(pending.mapped("name")),
                )
            )
        self.write({"active": False})
        compat.flush_all(self.env)
        return self._orest_act("action_disable", reason, reason_user)

    def action_orest_enable(self):
        """Unarchives the users. What was revoked stays revoked."""
        self._orest_check_may_manage()
        self.write({"active": True})
        compat.flush_all(self.env)
        self.env["orest.service"]._call("res.users", "action_enable", ids=self.ids)
        return True

    def action_orest_delete(self, reason=None, reason_user=None):
        """Deletes the users and revokes all that acts for them. What is linked to them, such as their contacts, stays.

        :return: a receipt, as of :meth:`action_revoke_all_sessions`
        """
        self._orest_check_may_manage()
        compat.check_access(self, "unlink")
        users = self.browse(self.ids)
        self.unlink()
        compat.flush_all(self.env)
        return users._orest_act("action_revoke_all_sessions", reason, reason_user)

    # -- access tokens in place of passwords ------------------------------------------------------------------------
    # They are taken out before the caches of checked passwords: there a token would be good for ever. Nor does a refused one count
    # as a failed login, which would lock its address out.

    if compat.SERIES >= 19:

        @api.model
        def _check_uid_passwd(self, uid, passwd):
            tokens.note(None)
            if not tokens.is_token(passwd):
                return super()._check_uid_passwd(uid, passwd)
            self._orest_check_token(uid, passwd)

        def _login(self, credential, user_agent_env):
            if not tokens.is_token(credential.get("password")):
                return super()._login(credential, user_agent_env)
            return self._orest_login(credential["login"], credential["password"], user_agent_env)

    else:

        @classmethod
        def check(cls, db, uid, passwd):
            tokens.note(None)
            if not tokens.is_token(passwd):
                return super().check(db, uid, passwd)
            with cls.pool.cursor() as cr:
                api.Environment(cr, SUPERUSER_ID, {})[cls._name]._orest_check_token(uid, passwd)

        if compat.SERIES >= 18:

            @classmethod
            def _login(cls, db, credential, user_agent_env):
                if not tokens.is_token(credential.get("password")):
                    return super()._login(db, credential, user_agent_env)
                with cls.pool.cursor() as cr:
                    users = api.Environment(cr, SUPERUSER_ID, {})[cls._name]
                    return users._orest_login(credential["login"], credential["password"], user_agent_env)

        else:

            @classmethod
            def _login(cls, db, login, password, user_agent_env):
                if not tokens.is_token(password):
                    return super()._login(db, login, password, user_agent_env)
                with cls.pool.cursor() as cr:
                    users = api.Environment(cr, SUPERUSER_ID, {})[cls._name]
                    return users._orest_login(login, password, user_agent_env)["uid"]

    def _orest_refuse_token(self):
        """Who calls with a token does not change by what its user signs in, or gets a new password: that would be a credential
        which no revocation ends.

        :raise AccessError: the token's own user is among these
        """
        token = tokens.current()
        if token is not None and token.uid in self.ids:
            raise AccessError(
                _("An application can't change the password, the login or the e-mail address of the user for whom it acts.")
            )

    @api.model
    def _orest_check_token(self, uid, key):
        """Lets a call in that shows an access token instead of a password.

        :raise AccessDenied: it is not good, or another user's
        """
        token = self.env["res.users.apikeys"]._orest_verify(key)
        if token.uid != uid:
            raise AccessDenied()
        tokens.note(token)

    @api.model
    def _orest_login(self, login, key, user_agent_env):
        """Tells an application the id of the user for whom it shows an access token. Nobody signs in with one.

        :raise AccessDenied: it is not good, or another user's, or somebody is at a login page
        """
        if (user_agent_env or {}).get("interactive", True):
            raise AccessDenied()
        user = self.sudo().browse(self.env["res.users.apikeys"]._orest_verify(key).uid)
        if user.login != login:
            raise AccessDenied()
        # From it Odoo would take its own address if the user is an administrator, a change that no scope has let through.
        user_agent_env.pop("base_location", None)
        return {"uid": user.id, "auth_method": "apikey", "mfa": "skip"}

    # -- for the screens: they give an action to go on with ---------------------------------------------------------

    def run_orest_revoke_all_sessions(self):
        """The server action "Revoke All Sessions"."""
        return self.env["orest.revoke.wizard"]._run("sessions", self)

    def run_orest_disable(self):
        """The server action "Disable User"."""
        return self.env["orest.revoke.wizard"]._run("disable", self)

    def run_orest_enable(self):
        """The server action "Enable User". Nothing is asked: it takes nothing away."""
        self.action_orest_enable()
        return compat.notification(_("Enabled: %s.", ", ".join(self.mapped("name"))))

    def run_orest_delete(self):
        """The server action "Delete User"."""
        return self.env["orest.revoke.wizard"]._run("delete", self)
