//! The methods that change, on a real service: what they answer, to whom, and what is true afterwards.

mod apikeys;
mod applications;
mod records;
mod revoking;
mod users;

use serde_json::{Value, json};

use crate::support::TestService;

/// The answer, or `Class: message` of the error, of a call by this user.
async fn answer(test: &TestService, login: &str, model: &str, method: &str, args: Value, kwargs: Value) -> Value {
    match test.call(login, model, method, args, kwargs).await {
        Ok(value) => value,
        Err(error) => error.to_string().into(),
    }
}

/// An error text shortened to its class and first line.
fn brief(answer: &Value) -> Value {
    match answer {
        Value::String(text) => text.split('\n').next().unwrap_or_default().into(),
        other => other.clone(),
    }
}

/// The ids of the live authorizations.
async fn live(test: &TestService) -> Value {
    let domain = json!([[["state", "=", "live"]]]);
    answer(test, "admin", "orest.authorization", "search", domain, json!({"order": "id"})).await
}

/// How many acts there are.
async fn acts(test: &TestService) -> Value {
    answer(test, "admin", "orest.revocation", "search_count", json!([[]]), json!({})).await
}
