//! `/web/action/load` and `/web/action/run`: what the web client does on a click in the Action menu.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::envelope::Call;
use super::{Answer, Params, python};
use crate::domain::revocation::Channel;
use crate::domain::user::Group;
use crate::orm::call::Caller;
use crate::orm::error::{Exception, OdooError};
use crate::service::Context;
use crate::transport::http::AppState;

const MODEL: &str = "ir.actions.server";

/// What a caller may know of an action that he may run but not read.
const FIELDS: [&str; 10] = [
    "id",
    "display_name",
    "name",
    "type",
    "xml_id",
    "binding_model_id",
    "binding_type",
    "binding_view_types",
    "model_id",
    "group_ids",
];

/// An action by its id, a number in a text, or its external id.
pub async fn load(state: Arc<AppState>, _: Arc<Call>, caller: Caller, mut params: Params) -> Answer {
    let [action_id] = python::bind("Action.load()", ["action_id"], &mut params)?;
    let domain = match &action_id {
        Value::Number(id) => json!([["id", "=", id]]),
        Value::String(text) => match text.parse::<i64>() {
            Ok(id) => json!([["id", "=", id]]),
            Err(_) => json!([["xml_id", "=", text]]),
        },
        _ => return Err(missing(&action_id)),
    };
    if !caller.context.actor.groups.contains(Group::User) {
        return Err(missing(&action_id));
    }
    // Whoever may run it may know what it is, so that the service itself reads it, and gives no more than that.
    let reader = Caller { context: Context::system(Channel::Rpc), uid: 1, session: None };
    let mut kwargs = Map::new();
    kwargs.insert("fields".to_owned(), json!(FIELDS));
    kwargs.insert("limit".to_owned(), json!(1));
    let found = state.orm.call_kw(&reader, MODEL, "search_read", vec![domain], kwargs).await?;
    let Some(mut action) = found.as_array().and_then(|found| found.first()).and_then(Value::as_object).cloned() else {
        return Err(missing(&action_id));
    };
    let model = action
        .remove("model_id")
        .and_then(|model| model.get(0).and_then(Value::as_i64))
        .and_then(|id| state.orm.registry.by_id(id))
        .map_or(json!(false), |model| json!(model.name));
    action.insert("model_name".to_owned(), model);
    action.insert("path".to_owned(), json!(false));
    action.insert("help".to_owned(), json!(false));
    Ok(Value::Object(action))
}

fn missing(action_id: &Value) -> OdooError {
    // Odoo ends the sentence only for texts.
    let stop = if action_id.is_string() { "." } else { "" };
    let message = format!("The action \u{201c}{}\u{201d} does not exist{stop}", python::str(action_id));
    OdooError::new(Exception::MissingActionError, message)
}

/// Runs an action on what its context names.
pub async fn run(state: Arc<AppState>, _: Arc<Call>, caller: Caller, mut params: Params) -> Answer {
    let [action_id] = python::bind("Action.run()", ["action_id"], &mut params)?;
    let id = python::int(&action_id)?;
    let mut kwargs = Map::new();
    if let Some(context) = params.remove("context") {
        kwargs.insert("context".to_owned(), context);
    }
    let given = state.orm.call_kw(&caller, MODEL, "run", vec![json!([id])], kwargs).await?;
    Ok(if given.is_object() { clean(given) } else { json!(false) })
}

/// An action as a client wants it: a window says in which views it opens.
pub fn clean(mut action: Value) -> Value {
    if let Value::Object(members) = &mut action
        && members.get("type").and_then(Value::as_str) == Some("ir.actions.act_window")
        && !members.contains_key("views")
    {
        let modes = members.get("view_mode").and_then(Value::as_str).unwrap_or("list,form");
        let views: Vec<Value> = modes.split(',').map(|mode| json!([false, mode.trim()])).collect();
        members.insert("views".to_owned(), Value::Array(views));
    }
    action
}
