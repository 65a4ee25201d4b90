//! OAuth 2.0: RFC 6749 with 7009, 7636, 7662, 8414, 9207 and 9700.
//!
//! * [`token`], [`revoke`], [`introspect`]: for applications; [`client_auth`] finds out which one calls.
//! * [`pages`]: for people: sign in, and let an application in.
//! * [`forward_auth`]: for reverse proxies; [`gateway`]: where a browser gets what they ask for.
//! * [`metadata`]: for whoever wants to know where all this is.
//! * [`legacy`]: the paths, names and error codes of oREST 1.6.4.
//!
//! [`form`] reads what comes in, [`error`] renders what is refused. Nothing here decides: that is [`crate::service`]'s.

pub mod client_auth;
pub mod error;
pub mod form;
pub mod forward_auth;
pub mod gateway;
pub mod introspect;
pub mod legacy;
pub mod metadata;
pub mod pages;
pub mod revoke;
pub mod token;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::{get, post};

use super::http::AppState;

/// What these doors work with, behind one count: a clone for each request must cost next to nothing.
type Shared = Arc<AppState>;

/// `/oauth2/*`, `/.well-known/oauth-authorization-server`, `/web/login` and `/orestapi/*`.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route("/oauth2/token", post(token::token))
        .route("/oauth2/revoke", post(revoke::revoke))
        .route("/oauth2/introspect", post(introspect::introspect))
        .route("/oauth2/auth", get(forward_auth::check))
        .route(gateway::PATH, get(gateway::start))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .merge(pages::router())
        .merge(legacy::router())
        .with_state(Arc::new(state))
}

/// Introspection by itself, to stand in front of the stack that the other doors share: it is asked with every call that a
/// protected service gets, and request ids, log spans and timers would cost as much as the check. It reads no more than
/// a small form and waits for nothing but, once an authorization, the database.
pub fn hot_router(state: AppState) -> Router {
    Router::new().route("/oauth2/introspect", post(introspect::introspect)).with_state(Arc::new(state))
}

/// What an answer with a token in it must carry (RFC 6749 section 5.1).
fn set_no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Applications that run in a browser may read the answer. It depends on no cookie, so any of them may.
fn set_readable_by_all(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}
