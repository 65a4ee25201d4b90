//! For those who run it: is it alive, can it answer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::http::AppState;

/// `/web/health`, `/health`, `/ready`.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/health", get(alive))
        .route("/web/health", get(alive))
        .route("/ready", get(ready))
        .with_state(state)
}

/// The process answers.
async fn alive() -> impl IntoResponse {
    Json(json!({"status": "pass"}))
}

/// Checks of tokens can be answered: the database answers, or this node, one of several, holds its lease; and it has all keys. `instance` tells which process it is.
async fn ready(State(state): State<AppState>) -> impl IntoResponse {
    let (code, status) = match state.service.check_ready().await {
        // Of a token that other nodes have sealed with a key that this one lacks it knows nothing.
        Ok(_) if state.service.keys().absent().is_empty() => (StatusCode::OK, "pass"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "fail"),
    };
    (code, Json(json!({"status": status, "service": "orest", "instance": state.service.instance()})))
}
