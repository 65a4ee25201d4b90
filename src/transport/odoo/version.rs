//! Which series we claim to be. Clients branch on it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Params};
use crate::transport::http::AppState;
use crate::transport::odoo::envelope::Call;

/// The series.
pub const SERIES: &str = "19.0";

/// `server_version_info`.
pub fn info() -> Value {
    json!([19, 0, 0, "final", 0, ""])
}

/// `common.version`.
pub fn version() -> Value {
    json!({
        "server_version": SERIES,
        "server_version_info": info(),
        "server_serie": SERIES,
        "protocol_version": 1,
    })
}

/// `/web/webclient/version_info`.
pub async fn version_info(_: Arc<AppState>, _: Arc<Call>, _: Params) -> Answer {
    Ok(version())
}
