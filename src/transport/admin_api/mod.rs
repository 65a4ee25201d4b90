//! The Admin API of MongoDB App Services, below `/api/admin/v3.0`: scripts that were written for it go on working. A project is
//! this service, an app is an application, and its users are those who have let it in or were registered for it.
//!
//! * [`auth`]: signing in and out, and who calls.
//! * [`apps`], [`users`], [`registrations`], [`api_keys`]: what there is.
//! * [`types`]: what goes in and out; [`error`]: what is refused, and its codes.
//!
//! [`path`] and [`body`] read what comes in. Nothing here decides: that is [`crate::service`]'s.

pub mod api_keys;
pub mod apps;
pub mod auth;
pub mod body;
pub mod error;
pub mod path;
pub mod registrations;
pub mod types;
pub mod users;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{delete, get, post, put};

use super::http::AppState;
use error::AdminError;

/// Where it is.
pub const BASE: &str = "/api/admin/v3.0";

/// The whole API.
pub fn router(state: AppState) -> Router {
    let app = Router::new()
        .route("/", get(apps::get))
        .route("/users", get(users::list).post(users::create))
        .route("/users/{user}", get(users::get).delete(users::delete))
        .route("/users/{user}/logout", put(users::logout))
        .route("/users/{user}/disable", put(users::disable))
        .route("/users/{user}/enable", put(users::enable))
        .route("/users/{user}/devices", get(users::devices))
        .route("/user_registrations/pending_users", get(registrations::list))
        .route("/user_registrations/by_email/{email}", delete(registrations::delete))
        .route("/user_registrations/by_email/{email}/confirm", post(registrations::confirm))
        .route("/api_keys", get(api_keys::list).post(api_keys::create))
        .route("/api_keys/{key}", get(api_keys::get).delete(api_keys::delete))
        .route("/api_keys/{key}/enable", put(api_keys::enable))
        .route("/api_keys/{key}/disable", put(api_keys::disable));
    let api = Router::new()
        .route("/auth/providers/{provider}/login", post(auth::login))
        .route("/auth/session", post(auth::renew).delete(auth::logout))
        .route("/auth/profile", get(auth::profile))
        .route("/groups/{group}/apps", get(apps::list))
        .nest("/groups/{group}/apps/{app}", app)
        .fallback(|| async { AdminError::no_route() })
        .method_not_allowed_fallback(|| async { AdminError::no_method() })
        .layer(from_fn(no_store))
        .with_state(state);
    Router::new().nest(BASE, api)
}

/// Answers hold tokens, keys and people's addresses.
async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
