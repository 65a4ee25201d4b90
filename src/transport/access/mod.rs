//! The one call of Cloudflare's API that revokes: `revoke_user` of Access (docs/access.md).
//!
//! * [`caller`]: who calls, by either of its two ways to say so.
//! * [`revoke_user`]: the call.
//! * [`error`]: what is refused, in the envelope in which all its answers come.

pub mod caller;
pub mod error;
pub mod revoke_user;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::post;

use super::http::AppState;
use error::AccessApiError;

/// `/client/v4` and all below.
pub fn router(state: AppState) -> Router {
    let calls = Router::new()
        .route("/accounts/{id}/access/organizations/revoke_user", post(revoke_user::of_account))
        .route("/zones/{id}/access/organizations/revoke_user", post(revoke_user::of_zone))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(state));
    Router::new().nest("/client/v4", calls)
}

async fn no_route() -> AccessApiError {
    AccessApiError::NoRoute
}

async fn wrong_method(method: Method) -> AccessApiError {
    AccessApiError::MethodNotAllowed(method)
}
