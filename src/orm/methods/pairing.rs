//! What the module in the paired Odoo calls (`docs/adr/0010`): how things stand, and the users, who are Odoo's.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::orm::call::{Answer, Arguments, Env, Handler, Method, Param};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::service::Error;
use crate::service::pairing::API_VERSION;
use crate::store::pairing::OdooUser;

const PAIRING: &[&str] = &["orest.pairing"];

pub(super) const fn method(
    name: &'static str,
    params: &'static [Param],
    handler: Handler,
    doc: &'static str,
) -> Method {
    Method { name, class: "BaseModel", params, api_model: true, models: PAIRING, handler, doc }
}

/// The methods of this file.
pub const METHODS: &[Method] = &[
    method(
        "check",
        &[Param::required("database_uuid"), Param::required("series")],
        check,
        "Says how the pairing stands, to the paired Odoo. The first call binds it to that Odoo's database.",
    ),
    method(
        "sync_users",
        &[Param::required("users"), Param::optional("as_of", "null")],
        sync_users,
        "Makes users what the paired Odoo says that they are; a new password revokes what acts for a user.",
    ),
    method(
        "keep_users",
        &[Param::required("ids"), Param::optional("as_of", "null")],
        keep_users,
        "Deletes the users that the paired Odoo doesn't have, and revokes what acts for them.",
    ),
];

/// Odoo's text of a moment, or `false`.
fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Bool(false), |at| at.format("%Y-%m-%d %H:%M:%S").to_string().into())
}

pub(super) fn wrong(name: &str, what: &str) -> OdooError {
    OdooError::new(Exception::UnprocessableEntity, format!("'{name}' must be {what}"))
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, OdooError> {
    value.as_str().ok_or_else(|| wrong(name, "a text"))
}

/// What the person at Odoo's settings can put right is a `UserError`.
fn refused(env: &Env<'_>, error: Error) -> OdooError {
    match error {
        Error::Conflict(message) => OdooError::user(message),
        error => env.refused(error),
    }
}

fn check<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let uuid = text(arguments.get("database_uuid"), "database_uuid")?;
        text(arguments.get("series"), "series")?;
        let checked = env.orm.service.check_pairing(&env.caller.context, uuid).await;
        let checked = checked.map_err(|error| refused(env, error))?;
        Ok(json!({
            "service": "orest",
            "version": env!("CARGO_PKG_VERSION"),
            "api": API_VERSION,
            "now": moment(Some(env.now())),
            "base_url": env.orm.base_url.as_ref(),
            "odoo_url": checked.odoo_url,
            "users": checked.users,
            "last_sync_at": moment(checked.last_sync_at),
        }))
    })
}

/// The values of one user, and where he stands in the list, for error texts.
struct Given<'v> {
    index: usize,
    values: &'v Map<String, Value>,
}

impl Given<'_> {
    fn get<T>(&self, name: &str, what: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<T, OdooError> {
        let value = self.values.get(name).unwrap_or(&Value::Null);
        read(value).ok_or_else(|| wrong(&format!("users[{}].{name}", self.index), what))
    }

    fn integer(&self, name: &str) -> Result<i64, OdooError> {
        self.get(name, "a whole number", Value::as_i64)
    }

    fn boolean(&self, name: &str) -> Result<bool, OdooError> {
        self.get(name, "true or false", Value::as_bool)
    }

    fn text(&self, name: &str) -> Result<String, OdooError> {
        self.get(name, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Odoo's `false` and the empty text are none.
    fn optional_text(&self, name: &str) -> Result<Option<String>, OdooError> {
        self.get(name, "a text or false", |value| match value {
            Value::Null | Value::Bool(false) => Some(None),
            Value::String(text) => Some(Some(text.clone()).filter(|text| !text.is_empty())),
            _ => None,
        })
    }

    /// Odoo's text of a moment; `false` and nothing are none.
    fn moment(&self, name: &str) -> Result<Option<Timestamp>, OdooError> {
        self.get(name, "a moment such as 2026-11-21 10:30:00, or false", |value| match value {
            Value::Null | Value::Bool(false) => Some(None),
            Value::String(text) => Timestamp::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(Some),
            _ => None,
        })
    }

    /// The groups that are known here; Odoo has many more.
    fn groups(&self) -> Result<BTreeSet<i64>, OdooError> {
        let known = |name: &str| Group::ALL.into_iter().find(|group| group.xmlid() == name).map(Group::id);
        self.get("groups", "a list of external ids", |value| {
            let names = value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
            Some(names.into_iter().filter_map(known).collect())
        })
    }

    fn user(&self) -> Result<OdooUser, OdooError> {
        let login = self.text("login")?;
        Ok(OdooUser {
            id: UserId(self.integer("id")?),
            name: self.optional_text("name")?.unwrap_or_else(|| login.clone()),
            login,
            email: self.optional_text("email")?,
            lang: self.optional_text("lang")?.unwrap_or_else(|| "en_US".to_owned()),
            tz: self.optional_text("tz")?,
            active: self.boolean("active")?,
            pending: self.boolean("pending")?,
            groups: self.groups()?,
            password_version: Some(self.integer("password_version")?),
            created_at: self.moment("create_date")?,
        })
    }
}

/// When Odoo looked, if it says so.
fn as_of(arguments: &Arguments) -> Result<Option<i64>, OdooError> {
    match arguments.get("as_of") {
        Value::Null | Value::Bool(false) => Ok(None),
        value => value.as_i64().map(Some).ok_or_else(|| wrong("as_of", "a whole number of microseconds since 1970")),
    }
}

fn sync_users<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let given = arguments.get("users").as_array().ok_or_else(|| wrong("users", "a list"))?;
        let read = |(index, value): (usize, &Value)| {
            let values = value.as_object().ok_or_else(|| wrong(&format!("users[{index}]"), "an object"))?;
            Given { index, values }.user()
        };
        let users = given.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        let synced = env.orm.service.sync_users(&env.caller.context, users, as_of(&arguments)?).await;
        let synced = synced.map_err(|error| refused(env, error))?;
        Ok(json!({"created": synced.created, "updated": synced.updated, "revoked": synced.revoked}))
    })
}

fn keep_users<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = arguments.get("ids").as_array().map(|ids| ids.iter().map(Value::as_i64).collect::<Option<Vec<_>>>());
        let ids = ids.flatten().ok_or_else(|| wrong("ids", "a list of whole numbers"))?;
        let kept = env.orm.service.keep_users(&env.caller.context, ids, as_of(&arguments)?).await;
        let kept = kept.map_err(|error| refused(env, error))?;
        Ok(json!({"deleted": kept.deleted, "revoked": kept.revoked}))
    })
}
