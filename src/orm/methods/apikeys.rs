//! API keys: the dialogue by which a user makes one, as Odoo's clients walk through it, and the short ways.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};

use super::writing::{ids, one_id};
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::limits;
use crate::orm::call::{Answer, Arguments, Env, Handler, Method, Param};
use crate::orm::convert::{FieldValue, Values};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::orm::models::transient::{APIKEY_DESCRIPTION, APIKEY_SHOW, IDENTITY_CHECK};
use crate::orm::python;
use crate::orm::rights::{Operation, check_model};
use crate::orm::search_domain::SearchDomain;
use crate::service::api_keys::RPC_SCOPE;
use crate::service::forms::Pending;
use crate::service::sessions::Session;
use crate::store::sql::SqlValue;

const KEYS: &[&str] = &["res.users.apikeys"];
const DESCRIPTIONS: &[&str] = &["res.users.apikeys.description"];
const CHECKS: &[&str] = &["res.users.identitycheck"];

const fn method(
    name: &'static str,
    models: &'static [&'static str],
    params: &'static [Param],
    handler: Handler,
    doc: &'static str,
) -> Method {
    Method { name, class: "BaseModel", params, api_model: false, models, handler, doc }
}

/// The methods of this file.
pub const METHODS: &[Method] = &[
    method("make_key", DESCRIPTIONS, &[], make_key, "Makes the key, once the user has proved who he is."),
    method(
        "run_check",
        CHECKS,
        &[],
        run_check,
        "Checks the password (written before, or in the context) and does what waited for it.",
    ),
    method("remove", KEYS, &[], remove, "Removes keys, once the user has proved who he is."),
    Method {
        api_model: true,
        ..method(
            "generate",
            KEYS,
            &[
                Param::required("key"),
                Param::required("scope"),
                Param::required("name"),
                Param::required("expiration_date"),
            ],
            generate,
            "Makes a key by means of a key that the caller has; for administrators.",
        )
    },
    Method {
        api_model: true,
        ..method("revoke", KEYS, &[Param::required("key")], revoke, "Removes a key of the caller's own.")
    },
];

/// What Odoo answers to a method that needs a proof of identity and has none.
enum Identity<'a> {
    /// The proof is fresh.
    Proved,
    /// The user must be asked.
    Ask(&'a Session),
}

fn identity<'a>(env: &'a Env<'_>) -> Result<Identity<'a>, OdooError> {
    let session = env.caller.session.as_ref();
    let session = session.ok_or_else(|| OdooError::user("This method can only be accessed over HTTP"))?;
    let fresh = session.identity_checked_at.is_some_and(|at| env.now() < at + limits::IDENTITY_CHECK);
    Ok(if fresh { Identity::Proved } else { Identity::Ask(session) })
}

/// The form that asks for the password, and remembers what waits for it.
async fn ask(env: &Env<'_>, session: &Session, method: &str, ids: Vec<i64>) -> Result<Value, OdooError> {
    let pending = Pending { session: session.id, method: method.to_owned(), ids };
    let id = env.make_transient(&IDENTITY_CHECK, &Values::default(), Some(pending)).await?;
    Ok(json!({
        "type": "ir.actions.act_window",
        "res_model": IDENTITY_CHECK.name,
        "res_id": id,
        "name": "Access Control",
        "target": "new",
        "views": [[false, "form"]],
        "context": {"dialog_size": "medium"},
    }))
}

fn make_key<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let identity = identity(env)?;
        check_model(env.actor(), model, Operation::Write)?;
        let id = one_id(model, &arguments.ids)?;
        env.transient(model, id).await?;
        match identity {
            Identity::Ask(session) => ask(env, session, "make_key", vec![id]).await,
            Identity::Proved => make(env, id).await,
        }
    })
}

async fn make(env: &Env<'_>, id: i64) -> Result<Value, OdooError> {
    let form = env.transient(&APIKEY_DESCRIPTION, id).await?;
    let name = form.values.get("name").and_then(Value::as_str).unwrap_or_default();
    let until = form.values.get("expiration_date").map(moment).transpose()?.flatten();
    check_expiration(env, until)?;
    let user = UserId(env.caller.uid);
    let key = env.orm.service.make_api_key(user, name, None, until).await.map_err(|error| env.refused(error))?;
    env.drop_transients(&APIKEY_DESCRIPTION, &[id]).await?;
    Ok(json!({
        "type": "ir.actions.act_window",
        "res_model": APIKEY_SHOW.name,
        "name": "API Key Ready",
        "views": [[false, "form"]],
        "target": "new",
        "context": {"default_key": key.reveal()},
    }))
}

/// Who is no administrator makes no key for ever.
fn check_expiration(env: &Env<'_>, until: Option<Timestamp>) -> Result<(), OdooError> {
    if !env.actor().groups.contains(Group::User) {
        return Err(OdooError::access("Only internal users can create API keys"));
    }
    if until.is_some_and(|until| until <= env.now()) {
        return Err(OdooError::user("The expiration date of an API key must be in the future."));
    }
    if env.actor().is_system() {
        return Ok(());
    }
    let days = limits::API_KEY_DAYS_MAX;
    let last = env.now() + chrono::TimeDelta::days(days);
    match until {
        None => Err(OdooError::user("The API key must have an expiration date")),
        Some(until) if until > last => Err(OdooError::user(format!("You cannot exceed {days} days."))),
        Some(_) => Ok(()),
    }
}

/// A day or moment in Odoo's formats; `false` and nothing are none.
fn moment(value: &Value) -> Result<Option<Timestamp>, OdooError> {
    let text = match value {
        Value::Null | Value::Bool(false) => return Ok(None),
        other => python::str(other),
    };
    let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN));
    let at = day.or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S"));
    at.map(Some).map_err(|_| {
        let text = python::repr_str(&text);
        OdooError::value(format!("time data {text} does not match format '%Y-%m-%d %H:%M:%S'"))
    })
}

/// The end of a key whose duration is chosen from the list; called for each form that is made or changed.
pub(super) fn set_expiration(now: Timestamp, model: &'static Model, values: &mut Values) {
    let Some(days) = values.text("duration").flatten().and_then(|days| days.parse::<i64>().ok()) else { return };
    let Some(field) = model.field("expiration_date") else { return };
    let until = match u64::try_from(days) {
        Ok(0) => SqlValue::Null,
        Ok(days) => match now.date().checked_add_days(Days::new(days)) {
            Some(day) => SqlValue::Timestamp(day.and_time(NaiveTime::MIN)),
            None => SqlValue::Null,
        },
        // A custom date is the caller's own.
        Err(_) => return,
    };
    values.set(field, FieldValue::Column(until));
}

fn run_check<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let session = env.caller.session.as_ref();
        let session = session.ok_or_else(|| OdooError::user("This method can only be accessed over HTTP"))?;
        let id = one_id(model, &arguments.ids)?;
        let form = env.transient(model, id).await?;
        let service = &env.orm.service;
        let right = match (env.context.get("password").and_then(Value::as_str), &form.proof) {
            (Some(password), _) => service.check_identity(session, password, env.caller.context.address).await,
            (None, Some(proof)) => service.check_identity_by_proof(session, proof).await,
            (None, None) => Ok(false),
        };
        if !right.map_err(|error| env.refused(error))? {
            return Err(OdooError::user(
                "Incorrect Password, try again or click on Forgot Password to reset your password.",
            ));
        }
        env.drop_transients(model, &[id]).await?;
        let Some(pending) = form.pending.filter(|pending| pending.session == session.id) else {
            return Ok(false.into());
        };
        match pending.method.as_str() {
            "make_key" => match pending.ids.as_slice() {
                [id] => make(env, *id).await,
                _ => Ok(false.into()),
            },
            _ => remove_keys(env, pending.ids).await,
        }
    })
}

fn remove<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let identity = identity(env)?;
        check_model(env.actor(), model, Operation::Read)?;
        let ids = ids(&arguments.ids)?;
        match identity {
            Identity::Ask(session) => ask(env, session, "remove", ids).await,
            Identity::Proved => remove_keys(env, ids).await,
        }
    })
}

async fn remove_keys(env: &Env<'_>, ids: Vec<i64>) -> Result<Value, OdooError> {
    let removed = env.orm.service.remove_api_keys(&env.caller.context, ids).await;
    removed.map_err(|error| env.refused(error))?;
    Ok(json!({"type": "ir.actions.act_window_close"}))
}

fn invalid_key(message: &str) -> OdooError {
    OdooError::new(Exception::AccessDenied, message)
}

/// The row of a key that the caller holds, if it is his own.
async fn own_key(env: &Env<'_>, key: &Value) -> Result<Option<i64>, OdooError> {
    let Value::String(key) = key else { return Ok(None) };
    let found = env.orm.service.api_key_row(key).await.map_err(|error| env.refused(error))?;
    Ok(found.filter(|(_, owner)| owner.0 == env.caller.uid).map(|(id, _)| id))
}

fn generate<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(env.actor(), model, Operation::Read)?;
        if !env.actor().is_system() {
            return Err(OdooError::user("Programmatic API keys are not enabled"));
        }
        let key = arguments.take("key");
        let good = match key.as_str() {
            Some(text) => env.orm.service.user_by_api_key(text, RPC_SCOPE).await,
            None => Ok(None),
        };
        let good = good.map_err(|error| env.refused(error))?.is_some();
        if !good || own_key(env, &key).await?.is_none() {
            return Err(invalid_key("The provided API key is invalid or does not belong to the current user."));
        }
        let own = SearchDomain::leaf("user_id", "=", env.caller.uid.into());
        let most = limits::PROGRAMMATIC_API_KEYS_MAX;
        if env.count(model, &own, None).await? >= most {
            return Err(OdooError::user(format!("Limit of {most} API keys is reached for programmatic creation")));
        }
        let until = moment(&arguments.take("expiration_date"))?;
        check_expiration(env, until)?;
        let scope = arguments.take("scope");
        let name = python::str(&arguments.take("name"));
        let user = UserId(env.caller.uid);
        let made = env.orm.service.make_api_key(user, &name, scope.as_str(), until).await;
        Ok(made.map_err(|error| env.refused(error))?.reveal().into())
    })
}

fn revoke<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(env.actor(), model, Operation::Read)?;
        let row = own_key(env, &arguments.take("key")).await?;
        let row = row.ok_or_else(|| invalid_key("The provided API key is invalid."))?;
        remove_keys(env, vec![row]).await?;
        Ok(true.into())
    })
}
