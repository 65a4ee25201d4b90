//! For those who run it: is it alive, can it answer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::http::AppState;

/// What `/ready` gives for a reason, for `orest doctor` to tell one from the other.
pub mod reason {
    /// Its thread that writes is gone.
    pub const ENDS: &str = "nothing can be written any more; this process ends";
    /// It has no lease, if it is one of several, and can't ask.
    pub const DATABASE: &str = "the database can't be reached";
    /// Other nodes have sealed with a key that this one lacks.
    pub const SEALING_KEY: &str = "a sealing key is missing that tokens were sealed with";
    /// Not all is in memory yet; how much is stands behind it.
    pub const LOADING: &str = "loading the live state";
}

/// `/web/health`, `/health`, `/ready`.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/health", get(alive))
        .route("/web/health", get(alive_as_odoo))
        .route("/ready", get(ready))
        .with_state(state)
}

/// The process answers.
#[utoipa::path(
    get, path = "/health", tag = "operation", operation_id = "health",
    responses((status = 200, body = Object, content_type = "application/json")),
    security(()),
)]
pub(super) async fn alive() -> impl IntoResponse {
    Json(json!({"status": "pass"}))
}

/// The same, where Odoo has it.
#[utoipa::path(
    get, path = "/web/health", tag = "operation", operation_id = "health_as_odoo",
    responses((status = 200, body = Object, content_type = "application/json")),
    security(()),
)]
pub(super) async fn alive_as_odoo() -> impl IntoResponse {
    alive().await
}

/// Checks of tokens can be answered.
///
/// The database answers, or this node, one of several, holds its lease; it has all keys; and
/// what checks need is in memory. `instance` tells which process it is; `output`, if it is not ready, why.
#[utoipa::path(
    get, path = "/ready", tag = "operation",
    responses((status = 200, body = Object), (status = 503, description = "Not yet, or not now", body = Object)),
    security(()),
)]
pub(super) async fn ready(State(state): State<AppState>) -> impl IntoResponse {
    let service = &state.service;
    let loading = service.loading();
    let why = if !service.can_write() {
        Some(reason::ENDS.to_owned())
    } else if service.check_ready().await.is_err() {
        Some(reason::DATABASE.to_owned())
    } else if !service.keys().absent().is_empty() || !service.keys().can_seal() {
        // Of a token that other nodes have sealed with a key that this one lacks it knows nothing.
        Some(reason::SEALING_KEY.to_owned())
    } else {
        loading.map(|percent| format!("{}: {percent} %", reason::LOADING))
    };
    let mut answer = json!({"status": "pass", "service": "orest", "instance": service.instance()});
    let Some(why) = why else { return (StatusCode::OK, Json(answer)) };
    answer["status"] = "fail".into();
    answer["output"] = why.into();
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
}
