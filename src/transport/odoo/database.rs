//! The one database that there is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::envelope::Call;
use super::{Answer, Params, python};
use crate::orm::error::{Exception, OdooError};
use crate::transport::http::AppState;

/// `/web/database/list`.
pub async fn list(state: Arc<AppState>, _: Arc<Call>, _: Params) -> Answer {
    Ok(json!([state.settings.database]))
}

/// Languages that can be chosen.
pub fn languages() -> Value {
    json!([["en_US", "English (US)"]])
}

/// Refuses every database but ours, in the words of PostgreSQL, which clients look into.
pub fn check(state: &AppState, name: &Value) -> Result<(), OdooError> {
    if name.as_str() == Some(&state.settings.database) {
        return Ok(());
    }
    let message = format!("connection to server failed: FATAL:  database \"{}\" does not exist\n", python::str(name));
    Err(OdooError::new(Exception::UnknownDatabase, message))
}
