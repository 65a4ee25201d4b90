//! `/web/action/load` and `/web/action/run`: what the web client does on a click in the Action menu.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::envelope::Call;
use super::{Answer, Params, python};
use crate::orm::call::Caller;
use crate::transport::http::AppState;

/// What an action is, for one who may run but not read it: by its id, a number in a text, or its external id.
pub async fn load(state: Arc<AppState>, _: Arc<Call>, caller: Caller, mut params: Params) -> Answer {
    let [action_id] = python::bind("Action.load()", ["action_id"], &mut params)?;
    state.orm.load_action(&caller, &action_id).await
}

/// Runs an action on what its context names.
pub async fn run(state: Arc<AppState>, _: Arc<Call>, caller: Caller, mut params: Params) -> Answer {
    let [action_id] = python::bind("Action.run()", ["action_id"], &mut params)?;
    let id = python::int(&action_id)?;
    let context = match params.remove("context") {
        None | Some(Value::Null | Value::Bool(false)) => Map::new(),
        Some(context) => python::dict(context)?,
    };
    let given = state.orm.run_action(&caller, id, context).await?;
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
