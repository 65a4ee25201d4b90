//! For those who run it: is it alive, can it answer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::http::AppState;
use crate::domain::ids::UserId;

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

/// The process answers, so does its database, and it has all keys. `instance` tells which process it is.
async fn ready(State(state): State<AppState>) -> impl IntoResponse {
    // The answer does not matter, only that there is one; a missing row always asks the database.
    let (code, status) = match state.service.user(UserId(0)).await {
        // Of a token that other nodes have sealed with a key that this one lacks it knows nothing.
        Ok(_) if state.service.keys().absent().is_empty() => (StatusCode::OK, "pass"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "fail"),
    };
    (code, Json(json!({"status": status, "service": "orest", "instance": state.service.instance()})))
}
