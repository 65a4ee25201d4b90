//! What the module in the paired Odoo calls (`docs/adr/0010`): how things stand, and the users, who are Odoo's.

use serde_json::{Value, json};

use crate::domain::time::Timestamp;
use crate::orm::call::{Answer, Arguments, Env, Handler, Method, Param};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::service::Error;
use crate::service::pairing::API_VERSION;

const PAIRING: &[&str] = &["orest.pairing"];

const fn method(name: &'static str, params: &'static [Param], handler: Handler, doc: &'static str) -> Method {
    Method { name, class: "BaseModel", params, api_model: true, models: PAIRING, handler, doc }
}

/// The methods of this file.
pub const METHODS: &[Method] = &[method(
    "check",
    &[Param::required("database_uuid"), Param::required("series")],
    check,
    "Says how the pairing stands, to the paired Odoo. The first call binds it to that Odoo's database.",
)];

/// Odoo's text of a moment, or `false`.
fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Bool(false), |at| at.format("%Y-%m-%d %H:%M:%S").to_string().into())
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, OdooError> {
    value.as_str().ok_or_else(|| OdooError::new(Exception::UnprocessableEntity, format!("'{name}' must be a text")))
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
