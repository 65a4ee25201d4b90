//! Users: who may change whom, and what a change does to what acts for them.

use serde_json::Value;

use super::RecordError;
use super::change::Change;
use crate::domain::identity::API_KEY;
use crate::domain::ids::UserId;
use crate::domain::revocation::Channel;
use crate::domain::user::Group;
use crate::orm::convert::{Command, FieldValue, Values};
use crate::orm::error::OdooError;
use crate::orm::field::{Kind, Model};
use crate::orm::search_domain::SearchDomain;
use crate::service::Context;
use crate::store::read::{self, ReadField};
use crate::store::records::{self, SqlValue};
use crate::store::{sessions, users};

/// What everybody may change of himself. Not what others know him by: reverse proxies hand login and e-mail address on.
const OWN_FIELDS: &[&str] = &["name", "lang", "tz"];
/// Groups that nobody gives, takes, or acts against who does not hold them himself.
const POWERS: [Group; 3] = [Group::System, Group::ErpManager, Group::OrestAdmin];
/// `__system__` and `admin`, which Odoo itself relies on.
const SUPERUSER: i64 = 1;
const ADMIN: i64 = 2;

/// What a pending user is told who should be disabled, or enabled.
pub(super) const CANT_DISABLE: &str = "can't be disabled, only deleted";
pub(super) const CANT_ENABLE: &str = "can't be enabled, only confirmed or deleted";
const NO_OWN_END: &str = "You cannot deactivate the user you're currently logged in as.";

impl Change<'_, '_> {
    pub(super) fn is_user_manager(&self) -> bool {
        self.actor().groups.contains(Group::ErpManager)
    }

    fn is_self(&self, id: i64) -> bool {
        self.actor().user == Some(UserId(id))
    }

    /// A plain user changes some things of himself and nothing of others.
    pub(super) fn check_self_service(&self, ids: &[i64], values: &Values) -> Result<(), OdooError> {
        let harmless = values.fields().all(|field| OWN_FIELDS.contains(&field.name));
        if self.is_user_manager() || (harmless && ids.iter().all(|id| self.is_self(*id))) {
            return Ok(());
        }
        Err(managers_only())
    }

    /// Nobody acts against, or in the name of, a user who may do what he may not.
    pub(super) fn check_rank(&mut self, id: i64) -> Result<(), RecordError> {
        if self.actor().is_system() || self.is_self(id) {
            return Ok(());
        }
        let Some(user) = users::find(self.tx.connection, UserId(id))? else { return Ok(()) };
        let above = |group: &Group| user.groups.contains(*group) && !self.actor().groups.contains(*group);
        match POWERS.into_iter().find(above) {
            Some(group) => Err(OdooError::access(format!(
                "{} is in the group '{}' and you are not: ask somebody who is.",
                user.name(),
                group.label()
            ))
            .into()),
            None => Ok(()),
        }
    }

    pub(super) fn check_not_self(&self, ids: &[i64]) -> Result<(), OdooError> {
        if ids.iter().any(|id| self.is_self(*id)) { Err(OdooError::user(NO_OWN_END)) } else { Ok(()) }
    }

    /// Who is not confirmed yet is neither enabled nor disabled; `why_not` says what can be done instead.
    pub(super) fn check_not_pending(&mut self, ids: &[i64], why_not: &str) -> Result<(), RecordError> {
        for id in ids {
            let user = users::find(self.tx.connection, UserId(*id))?;
            if let Some(user) = user.filter(|user| user.pending) {
                let name = user.name();
                return Err(
                    OdooError::user(format!("{name} is pending: a user who is not confirmed yet {why_not}.")).into()
                );
            }
        }
        Ok(())
    }

    /// While the service is paired its users are Odoo's, and come by the pairing alone.
    fn check_users_are_ours(&self) -> Result<(), OdooError> {
        self.records.service.check_users_are_ours().map_err(|error| OdooError::user(error.to_string()))
    }

    /// The same for what the paired Odoo may do in the name of one of its users.
    pub(super) fn check_users_are_ours_or_odoo_calls(&self) -> Result<(), OdooError> {
        if self.records.context.from_odoo { Ok(()) } else { self.check_users_are_ours() }
    }

    pub(super) fn before_user_create(&mut self, model: &'static Model, values: &mut Values) -> Result<(), RecordError> {
        self.check_users_are_ours()?;
        let groups = model.field("group_ids").expect("users have groups");
        if !values.has(groups.name) {
            values.set(groups, FieldValue::Links(vec![Command::Set(vec![Group::User.id()])]));
        }
        self.check_user_values(model, None, values)
    }

    pub(super) fn before_user_write(
        &mut self,
        model: &'static Model,
        ids: &[i64],
        values: &mut Values,
    ) -> Result<(), RecordError> {
        self.check_users_are_ours()?;
        for id in ids {
            self.check_rank(*id)?;
            self.check_user_values(model, Some(*id), values)?;
        }
        match values.boolean("active") {
            Some(false) => {
                self.check_not_self(ids)?;
                // Who is confirmed by the same write is pending no longer.
                if !matches!(values.text("state"), Some(Some("confirmed"))) {
                    self.check_not_pending(ids, CANT_DISABLE)?;
                }
            }
            Some(true) if ids.contains(&SUPERUSER) => {
                return Err(OdooError::user("You cannot activate the superuser.").into());
            }
            _ => {}
        }
        if let Some(Some("pending")) = values.text("state") {
            self.check_not_self(ids)?;
        }
        if let Some(Some(login)) = values.text("login") {
            let login = login.to_owned();
            for id in ids {
                self.rename(*id, &login)?;
            }
        }
        if let Some(FieldValue::Secret(hash)) = values.take("password") {
            let hash = Some(hash.0).filter(|hash| !hash.is_empty());
            let records = self.records;
            let context = Context { channel: Channel::PasswordChange, ..records.context.clone() };
            for id in ids {
                records.service.set_password_in(self.tx, &context, UserId(*id), hash.as_deref(), None)?;
            }
        }
        Ok(())
    }

    fn check_user_values(
        &mut self,
        model: &'static Model,
        id: Option<i64>,
        values: &mut Values,
    ) -> Result<(), RecordError> {
        if let Some(Some(login)) = values.text("login") {
            if login.trim().is_empty() {
                return Err(OdooError::validation("A user needs a login.").into());
            }
            if login.trim() != login || login.chars().any(char::is_control) {
                return Err(OdooError::validation(
                    "A login has no spaces at its ends and no control characters: it would look like another one.",
                )
                .into());
            }
        }
        // By his address others know him, at Cloudflare's API and behind reverse proxies.
        for address in ["login", "email"].into_iter().filter_map(|name| values.text(name).flatten()) {
            let known = users::find_by_address(self.tx.connection, address)?;
            known.login.iter().chain(&known.email).try_for_each(|holder| self.check_rank(holder.0))?;
        }
        if values.text("lang") == Some(None) {
            let lang = model.field("lang").expect("users have a language");
            values.set(lang, FieldValue::Column(SqlValue::Text("en_US".to_owned())));
        }
        let groups = model.field("group_ids").expect("users have groups");
        let Some(commands) = values.links(groups.name).map(<[Command]>::to_vec) else { return Ok(()) };
        let Kind::Many2many { model: comodel, .. } = groups.kind else { return Ok(()) };
        let before = match id {
            Some(id) => self.linked(groups, id)?,
            None => std::collections::BTreeSet::new(),
        };
        let after = self.resolve_links(model, groups, comodel, before.clone(), &commands)?;
        let foreign = |group: &&Group| !self.actor().groups.contains(**group);
        let changed = |group: &&Group| before.contains(&group.id()) != after.contains(&group.id());
        match POWERS.iter().filter(changed).find(foreign) {
            Some(group) if !self.actor().is_system() => Err(OdooError::access(format!(
                "You can't change who is in the group '{}', because you are not in it.",
                group.label()
            ))
            .into()),
            _ => Ok(()),
        }
    }

    /// Under another login nobody goes on who signed in under the old one.
    fn rename(&mut self, id: i64, login: &str) -> Result<(), RecordError> {
        let Some(user) = users::find(self.tx.connection, UserId(id))? else { return Ok(()) };
        if user.login() == login {
            return Ok(());
        }
        sessions::delete_of(self.tx.connection, UserId(id))?;
        let own = SearchDomain::leaf("user_id", "=", id.into()).and(SearchDomain::leaf(
            "provider",
            "=",
            "local-userpass".into(),
        ));
        let identities = self.find(self.model("orest.identity")?, &own)?;
        let subject = [("subject", SqlValue::Text(login.to_owned()))];
        records::update(self.tx.connection, "orest_identity", &identities, &subject)
            .map_err(|error| self.refused(error))?;
        Ok(())
    }

    pub(super) fn before_user_unlink(&mut self, ids: &[i64]) -> Result<(), RecordError> {
        self.check_users_are_ours()?;
        if ids.contains(&SUPERUSER) {
            return Err(OdooError::user(
                "You can not remove the admin user as it is used internally for resources created by Odoo \
                 (updates, module installation, ...)",
            )
            .into());
        }
        if ids.contains(&ADMIN) {
            return Err(OdooError::user(
                "You cannot delete the admin user because it is utilized in various places \
                 (such as security configurations,...). Instead, archive it.",
            )
            .into());
        }
        if ids.iter().any(|id| self.is_self(*id)) {
            return Err(OdooError::user("You cannot delete the user you're currently logged in as.").into());
        }
        ids.iter().try_for_each(|id| self.check_rank(*id))?;
        let users: Vec<UserId> = ids.iter().copied().map(UserId).collect();
        let records = self.records;
        records.service.revoke_for_deletion_in(self.tx, &records.context, &users, self.reason.clone())?;
        Ok(())
    }

    pub(super) fn after_user(&mut self, ids: &[i64], values: &Values) -> Result<(), RecordError> {
        let service = &self.records.service;
        for id in ids {
            service.user_changed_in(self.tx, UserId(*id))?;
        }
        // A new user: his password came in with the row, and he signs in with it.
        if let ([id], Some(FieldValue::Secret(hash)), Some(Some(login))) =
            (ids, values.get("password"), values.text("login"))
            && !hash.0.is_empty()
        {
            users::set_password(self.tx.connection, UserId(*id), Some(&hash.0), self.actor().user, self.now)?;
            users::insert_identity(self.tx.connection, UserId(*id), "local-userpass", login, self.now)
                .map_err(|error| self.refused(error))?;
        }
        if users::count_acting_in(self.tx.connection, Group::System)? == 0 {
            return Err(OdooError::validation("You must have at least an administrator user.").into());
        }
        Ok(())
    }

    /// Who an identity signs in must be somebody whom the caller may change.
    pub(super) fn before_identity(&mut self, ids: &[i64], values: &Values) -> Result<(), RecordError> {
        let model = self.model("orest.identity")?;
        let field = |name: &str| model.field(name).expect("a field of identities");
        let read = ["user_id", "provider"].map(|name| ReadField { field: field(name), related: None });
        let rows = read::read(self.tx.connection, model, ids, &read, self.now)?;
        // Which of his keys somebody signs in with decides which of them are left to him when he is disabled.
        let of_key = |provider: Option<&str>| provider == Some(API_KEY);
        let has_key = rows.iter().any(|row| of_key(row.get("provider").and_then(Value::as_str)));
        if of_key(values.text("provider").flatten()) || has_key && values.fields().next().is_some() {
            return Err(
                OdooError::user("Who signs in with an API key is noted when the key is made, and stays so.").into()
            );
        }
        let of_rows = rows.iter().filter_map(|row| row.get("user_id").and_then(Value::as_i64));
        for id in of_rows.chain(values.integer("user_id").flatten()) {
            self.check_rank(id)?;
        }
        Ok(())
    }
}

/// What somebody is told who may not change users.
pub(super) fn managers_only() -> OdooError {
    OdooError::access(format!(
        "You are not allowed to modify 'User' (res.users) records.\n\n\
         This operation is allowed for the following groups:\n\t- {}\n\n\
         Contact your administrator to request access if necessary.",
        Group::ErpManager.label()
    ))
}
