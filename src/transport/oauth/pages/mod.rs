//! For people: sign in, sign out, and let an application in. Plain HTML that works without scripts and on a phone.

pub mod authorize;
pub mod cookies;
pub mod csrf;
pub mod logo;
pub mod odoo;
pub mod page;
pub mod sign_in;
pub mod user_agent;

use axum::Router;
use axum::http::header;
use axum::routing::{get, post};

use super::Shared;

/// `/oauth2/authorize`, `/web/login`, and what they show.
pub fn router() -> Router<Shared> {
    Router::new()
        .route(authorize::PATH, get(authorize::show).post(authorize::decide))
        .route("/web/login", get(sign_in::show).post(sign_in::sign_in))
        .route(odoo::SIGN_IN, get(odoo::sign_in))
        .route(odoo::TICKET, get(odoo::ticket))
        .route("/oauth2/sign-out", post(sign_in::sign_out))
        .route("/oauth2/logo/{client_id}", get(logo::logo))
        .route("/oauth2/style.css", get(style))
}

async fn style() -> ([(header::HeaderName, &'static str); 2], &'static str) {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")];
    (headers, include_str!("style.css"))
}
