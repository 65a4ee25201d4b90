//! `GET /openapi.json`: the REST doors as an OpenAPI 3.1 document, made of the handlers and types themselves.
//!
//! # To add a call
//! `#[utoipa::path]` on its handler, `ToSchema` on what it takes and gives, and its name in [`Document`].

use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi as Described;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{access, admin_api, oauth, ops};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "orest",
        description = "Authorization and revocation backend for Odoo: its REST doors. Odoo's own RPC and the typed \
                       JSON-RPC namespace stand beside them and are described in the project's documentation.",
    ),
    paths(
        oauth::token::token,
        oauth::revoke::revoke,
        oauth::introspect::introspect,
        oauth::forward_auth::check,
        oauth::metadata::metadata,
        oauth::pages::authorize::show,
        oauth::pages::authorize::decide,
        oauth::pages::sign_in::sign_out,
        oauth::gateway::start,
        oauth::legacy::version,
        oauth::legacy::authorize,
        oauth::legacy::access_token,
        oauth::legacy::status,
        access::revoke_user::of_account,
        access::revoke_user::of_zone,
        admin_api::auth::login,
        admin_api::auth::renew,
        admin_api::auth::logout,
        admin_api::auth::profile,
        admin_api::apps::list,
        admin_api::apps::get,
        admin_api::users::list,
        admin_api::users::create,
        admin_api::users::get,
        admin_api::users::devices,
        admin_api::users::logout,
        admin_api::users::disable,
        admin_api::users::enable,
        admin_api::users::delete,
        admin_api::registrations::list,
        admin_api::registrations::delete,
        admin_api::registrations::confirm,
        admin_api::api_keys::list,
        admin_api::api_keys::get,
        admin_api::api_keys::create,
        admin_api::api_keys::delete,
        admin_api::api_keys::enable,
        admin_api::api_keys::disable,
        ops::alive,
        ops::alive_as_odoo,
        ops::ready,
        document,
    ),
    components(schemas(access::error::AccessRefusal, admin_api::types::AdminErrorBody)),
    tags(
        (name = "oauth2", description = "OAuth 2.0 (RFC 6749, 7009, 7662, 8414) and reverse proxies"),
        (name = "pages", description = "Where browsers are led to: what a person sees is HTML"),
        (name = "orestapi", description = "The paths of oREST 1.6.4, for clients that know nothing else"),
        (name = "access", description = "Cloudflare Access' `revoke_user`"),
        (name = "app_services", description = "The Admin API of MongoDB App Services"),
        (name = "operation", description = "For load balancers and monitoring"),
    ),
    modifiers(&SecuritySchemes, &Names),
)]
pub struct Document;

/// How callers say who they are.
struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Described) {
        let components = document.components.get_or_insert_default();
        let mut http = |name: &str, scheme: HttpAuthScheme, description: &str| {
            let mut scheme = Http::new(scheme);
            scheme.description = Some(description.to_owned());
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        };
        http("client_secret_basic", HttpAuthScheme::Basic, "An application's `client_id` and secret");
        http("api_key", HttpAuthScheme::Bearer, "An API key of a user");
        let session = "An access token of an administrator's session";
        http("admin_session", HttpAuthScheme::Bearer, session);
        http("admin_refresh_token", HttpAuthScheme::Bearer, "The refresh token of an administrator's session");
        http("access_token", HttpAuthScheme::Bearer, "An access token");
        let mut key = |name: &str, key: fn(ApiKeyValue) -> ApiKey, place: &str, description: &str| {
            let value = ApiKeyValue::with_description(place, description);
            components.add_security_scheme(name, SecurityScheme::ApiKey(key(value)));
        };
        key("gateway_session", ApiKey::Cookie, "orest_gateway", "A browser's gateway session");
        key("web_session", ApiKey::Cookie, "session_id", "A browser that is signed in");
        key("auth_email", ApiKey::Header, "X-Auth-Email", "The e-mail address of a user, with his API key");
        key("auth_key", ApiKey::Header, "X-Auth-Key", "An API key of the user with that e-mail address");
    }
}

/// Two methods of one handler are two calls, and each has a name of its own.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut Described) {
        for path in document.paths.paths.values_mut() {
            let taken = path.get.as_ref().and_then(|call| call.operation_id.clone());
            if let Some(post) = path.post.as_mut().filter(|post| post.operation_id == taken) {
                post.operation_id = taken.map(|name| format!("{name}_by_post"));
            }
        }
    }
}

/// `/openapi.json`
pub fn router() -> Router {
    Router::new().route("/openapi.json", get(document))
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operation", operation_id = "openapi",
    responses((status = 200, body = Object, content_type = "application/json")),
    security(()),
)]
async fn document() -> impl IntoResponse {
    Json(Document::openapi())
}
