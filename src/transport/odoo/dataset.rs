//! `/web/dataset/call_kw` and `call_button`. What the path says after that is for people's logs.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope::Call;
use super::{Answer, Params, action, python};
use crate::orm::call::Caller;
use crate::orm::error::{Exception, OdooError};
use crate::transport::http::AppState;

/// `{model, method, args, kwargs}`.
pub async fn call_kw(state: Arc<AppState>, _: Arc<Call>, caller: Caller, params: Params) -> Answer {
    run(&state, &caller, "DataSet.call_kw()", params).await
}

/// The same for a button: what it gives is an action, or nothing.
pub async fn call_button(state: Arc<AppState>, _: Arc<Call>, caller: Caller, params: Params) -> Answer {
    let given = run(&state, &caller, "DataSet.call_button()", params).await?;
    let is_action = given.get("type").is_some_and(python::truthy);
    Ok(if is_action { action::clean(given) } else { json!(false) })
}

async fn run(state: &AppState, caller: &Caller, title: &str, mut params: Params) -> Answer {
    // Odoo looks the model up before it looks at the other parameters.
    let known = params.get("model").and_then(Value::as_str).is_some_and(|name| state.orm.registry.get(name).is_some());
    if !known {
        return Err(OdooError::new(Exception::NotFound, "the model does not exist"));
    }
    let [model, method, args, kwargs] = python::bind(title, ["model", "method", "args", "kwargs"], &mut params)?;
    let (args, kwargs) = (python::unpack(args)?, python::dict(kwargs)?);
    state.orm.call_kw(caller, &python::str(&model), &python::str(&method), args, kwargs).await
}
