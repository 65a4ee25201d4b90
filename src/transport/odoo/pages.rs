//! What is plain HTTP beside the JSON routes: the version, the logo, the way out, the front door.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::{error, session, version};
use crate::transport::http::{AppState, Peer};

/// `GET` routes.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/web/version", get(show_version))
        .route("/json/version", get(show_version))
        .route("/web/binary/company_logo", get(logo))
        .route("/web/session/logout", get(logout))
        .route("/", get(front_door))
        .route("/web", get(front_door))
        .route("/odoo", get(front_door))
        .with_state(state)
}

async fn show_version() -> impl IntoResponse {
    Json(json!({"version_info": version::info(), "version": version::SERIES}))
}

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 32" role="img" aria-label="orest"><rect width="96" height="32" rx="6" fill="#714b67"/><circle cx="18" cy="16" r="7" fill="none" stroke="#fff" stroke-width="3"/><path d="M23 11l8 10" stroke="#fff" stroke-width="3" stroke-linecap="round"/><text x="38" y="21" font-family="sans-serif" font-size="15" fill="#fff">orest</text></svg>"##;

async fn logo() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], LOGO)
}

async fn front_door() -> impl IntoResponse {
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/web/login")])
}

async fn logout(State(state): State<AppState>, Peer(address): Peer, headers: HeaderMap) -> Response {
    let (taken_back, ended) = session::end(&state, &headers, address).await;
    let mut response = match ended {
        Ok(()) => front_door().await.into_response(),
        Err(refused) => error::json2(&refused),
    };
    for cookie in taken_back {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
