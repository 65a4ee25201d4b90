//! The paths of oREST 1.6.4 (`oregional_restapi`), for clients that know nothing else: they change the address and go on.
//!
//! Parameter names, answers and error codes are its own, errors are HTTP 401 with `orestapi_code` and `orestapi_message`.
//! What it did wrong is not repeated: consent is asked for, an expired code is an error and not an empty answer, a missing
//! redirect_uri has its error code, a refresh token is good for its own client only and once.
//!
//! Its clients know no PKCE, so these paths are for confidential clients only.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::client_auth::{Authorization, authorization};
use super::error::{RETRY_AFTER, retry_after};
use super::form::{Params, is_form};
use super::pages::page::see_other;
use super::token::TokenBody;
use super::{Shared, set_no_store};
use crate::domain::application::Application;
use crate::limits;
use crate::service::issue::{GrantError, Tokens};
use crate::service::{Error, Service};
use crate::transport::http::Peer;

/// The version that we stand in for.
const ORESTAPI_VERSION: &str = "1.6.4";
/// The Odoo series that we claim.
const SERVER_VERSION: &str = "19.0";

const AUTHORIZATION: &str = "OrestapiOauth2Authorization";
const ACCESS_TOKEN: &str = "OrestapiOauth2AccessToken";
const APPLICATION_DATA: &str = "OrestapiApplicationData";

/// `/orestapi/*`. Any of GET and POST, as it had no restriction.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/orestapi/version", get(version).post(version))
        .route("/orestapi/oauth2/authorization", get(authorize).post(authorize))
        .route("/orestapi/oauth2/access_token", get(access_token).post(access_token))
        .route("/orestapi/application/status", get(status).post(status))
}

/// Tokens, as it gives them.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the answer")]
pub(crate) struct LegacyTokens {
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds.
    expires_in: u64,
    refresh_token: Option<String>,
}

/// An application, as it is told of itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct LegacyApplication {
    id: i64,
    active: bool,
    display_name: String,
    /// There is none here: always false.
    company: bool,
}

/// What is refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct LegacyRefusal {
    /// Such as `OrestapiOauth2AccessToken-0070`.
    orestapi_code: String,
    /// For people.
    orestapi_message: String,
}

/// What any of these calls may be refused with.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes the answers")]
pub(crate) enum LegacyRefusals {
    /// Refused; 401 for nearly everything
    #[response(status = "4XX")]
    Refused(LegacyRefusal),
    /// The database can't answer, or a node has not confirmed
    #[response(status = 503)]
    Unavailable(LegacyRefusal),
}

/// What is refused, in its words.
pub(crate) enum Refused {
    /// 401.
    Because { group: &'static str, code: &'static str, message: &'static str },
    /// It can't be said.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

const fn because(group: &'static str, code: &'static str, message: &'static str) -> Refused {
    Refused::Because { group, code, message }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let answer = |status: StatusCode, code: String, message: &str| {
            let body = LegacyRefusal { orestapi_code: code, orestapi_message: message.to_owned() };
            (status, Json(body)).into_response()
        };
        let server = |status: StatusCode, message: &str| {
            answer(status, format!("OrestapiServer-{:04}", status.as_u16()), message)
        };
        let mut response = match self {
            Self::Because { group, code, message } => {
                answer(StatusCode::UNAUTHORIZED, format!("{group}-{code}"), message)
            }
            Self::Failed(error) => match &error {
                Error::Unavailable => {
                    let mut response = server(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
                    response.headers_mut().insert(header::RETRY_AFTER, retry_after(RETRY_AFTER));
                    response
                }
                Error::Undecided => server(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
                Error::Unconfirmed { retry_after: wait, .. } => {
                    let mut response = server(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
                    response.headers_mut().insert(header::RETRY_AFTER, retry_after(*wait));
                    response
                }
                Error::RateLimited { retry_after: wait } => {
                    let mut response = server(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
                    response.headers_mut().insert(header::RETRY_AFTER, retry_after(*wait));
                    response
                }
                Error::Unauthenticated | Error::Forbidden(_) => server(StatusCode::UNAUTHORIZED, &error.to_string()),
                Error::NotFound { .. } | Error::Invalid { .. } | Error::Conflict(_) => {
                    server(StatusCode::BAD_REQUEST, &error.to_string())
                }
                Error::Internal => server(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            },
        };
        set_no_store(response.headers_mut());
        response
    }
}

/// Parameters of the query and of a form together: it made no difference between them.
async fn params(request: Request) -> Option<Params> {
    let mut text = request.uri().query().unwrap_or_default().as_bytes().to_vec();
    if is_form(request.headers()) {
        text.push(b'&');
        text.extend_from_slice(&to_bytes(request.into_body(), limits::FORM_BYTES_MAX).await.ok()?);
    }
    Params::parse(&text).ok().filter(|params| params.repeated().is_none())
}

/// Says which version of oREST this stands in for.
#[utoipa::path(
    method(get, post), path = "/orestapi/version", tag = "orestapi", operation_id = "orestapi_version",
    responses((status = 200, body = Object, content_type = "application/json")),
    security(()),
)]
pub(crate) async fn version() -> Response {
    Json(json!({
        "server_version": SERVER_VERSION,
        "server_version_info": [19, 0, 0, "final", 0, ""],
        "server_serie": SERVER_VERSION,
        "protocol_version": 1,
        "orestapi_version": ORESTAPI_VERSION,
    }))
    .into_response()
}

/// Leads a browser on to `/oauth2/authorize`, with the same request.
///
/// `scope` was never heeded: it is all that the application may ask for. By POST the parameters may be in a form.
#[utoipa::path(
    method(get, post), path = "/orestapi/oauth2/authorization", tag = "orestapi", operation_id = "orestapi_authorization",
    params(
        ("client_id" = String, Query, description = "A confidential application's"),
        ("redirect_uri" = String, Query, description = "One of its own"),
        ("state" = Option<String>, Query, description = "Comes back with the answer"),
    ),
    responses((status = 303, description = "To `/oauth2/authorize`"), LegacyRefusals),
    security(()),
)]
pub(crate) async fn authorize(State(state): State<Shared>, request: Request) -> Result<Response, Refused> {
    let refuse = |code, message| Err(because(AUTHORIZATION, code, message));
    let Some(params) = params(request).await.filter(|params| !params.is_empty()) else {
        return refuse("0001", "No parameters, or they can't be read.");
    };
    let Some(client_id) = params.get("client_id") else { return refuse("0002", "No client_id.") };
    let Some(redirect_uri) = params.get("redirect_uri") else { return refuse("0003", "No redirect_uri.") };
    let service = &state.service;
    let application = service.client(client_id).await?.filter(|found| found.active && !found.is_public());
    let Some(application) = application else { return refuse("0004", "No active application.") };
    if !service.is_redirect_uri(&application, redirect_uri).await? {
        return refuse("0005", "The redirect_uri is not one of the application's.");
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("response_type", "code"), ("client_id", client_id), ("redirect_uri", redirect_uri)]);
    if let Some(state) = params.get("state") {
        query.append_pair("state", state);
    }
    Ok(see_other(&format!("/oauth2/authorize?{}", query.finish())))
}

/// Gives tokens, for a code or for a refresh token.
///
/// For a refresh token the application shows its secret by Basic. By POST the parameters may be in a form.
#[utoipa::path(
    method(get, post), path = "/orestapi/oauth2/access_token", tag = "orestapi", operation_id = "orestapi_access_token",
    params(
        ("grant_type" = String, Query, description = "`authorization_code` or `refresh_token`"),
        ("code" = Option<String>, Query, description = "For `authorization_code`"),
        ("client_id" = Option<String>, Query, description = "For `authorization_code`"),
        ("client_secret" = Option<String>, Query, description = "For `authorization_code`"),
        ("redirect_uri" = Option<String>, Query, description = "For `authorization_code`"),
        ("refresh_token" = Option<String>, Query, description = "For `refresh_token`; good once"),
    ),
    responses((status = 200, body = LegacyTokens), LegacyRefusals),
    security((), ("client_secret_basic" = [])),
)]
pub(crate) async fn access_token(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refused> {
    let refuse = |code, message| Err(because(ACCESS_TOKEN, code, message));
    let Some(params) = params(request).await.filter(|params| !params.is_empty()) else {
        return refuse("0001", "No parameters, or they can't be read.");
    };
    let service = &state.service;
    let tokens = match params.get("grant_type") {
        Some("authorization_code") => by_code(service, &params, address).await?,
        Some("refresh_token") => by_refresh_token(service, &headers, &params, address).await?,
        Some(_) => return refuse("0021", "Invalid grant_type."),
        None => return refuse("0020", "No grant_type."),
    };
    let mut response = Json(TokenBody::without_scope(&tokens)).into_response();
    set_no_store(response.headers_mut());
    Ok(response)
}

async fn by_code(service: &Service, params: &Params, address: Option<std::net::IpAddr>) -> Result<Tokens, Refused> {
    let needed = |name, code, message| params.get(name).ok_or(because(ACCESS_TOKEN, code, message));
    let code = needed("code", "0030", "No code.")?;
    let client_id = needed("client_id", "0040", "No client_id.")?;
    let client_secret = needed("client_secret", "0050", "No client_secret.")?;
    let redirect_uri = needed("redirect_uri", "0051", "No redirect_uri.")?;
    let application = confidential(service, client_id, client_secret).await?;
    let application = application.ok_or(because(ACCESS_TOKEN, "0060", "Invalid application."))?;
    let exchanged = service.exchange_code(&application, code, Some(redirect_uri), None, address).await;
    exchanged.map_err(|error| not_granted(error, "0070", "The code is wrong, expired or used."))
}

async fn by_refresh_token(
    service: &Service,
    headers: &HeaderMap,
    params: &Params,
    address: Option<std::net::IpAddr>,
) -> Result<Tokens, Refused> {
    let refuse = |code, message| because(ACCESS_TOKEN, code, message);
    if !headers.contains_key(header::AUTHORIZATION) {
        return Err(refuse("0220", "No Basic authentication."));
    }
    let Ok(Some(Authorization::Basic(client_id, secret))) = authorization(headers) else {
        return Err(refuse("0201", "Bad Authorization header."));
    };
    let token = params.get("refresh_token").ok_or(refuse("0203", "No refresh_token."))?;
    let application = confidential(service, &client_id, &secret).await?;
    let application = application.ok_or(refuse("0204", "The client's Basic authentication failed."))?;
    let refreshed = service.refresh(&application, token, None, address).await;
    refreshed.map_err(|error| not_granted(error, "0205", "The refresh_token is wrong, expired, used or revoked."))
}

fn not_granted(error: GrantError, code: &'static str, message: &'static str) -> Refused {
    match error {
        GrantError::InvalidGrant(_) | GrantError::InvalidScope => because(ACCESS_TOKEN, code, message),
        GrantError::UnauthorizedClient(_) => because(ACCESS_TOKEN, "0060", "Invalid application."),
        GrantError::Service(error) => Refused::Failed(error),
    }
}

/// Tells an application whether it is known and active.
#[utoipa::path(
    method(get, post), path = "/orestapi/application/status", tag = "orestapi", operation_id = "orestapi_status",
    responses((status = 200, body = Vec<LegacyApplication>), LegacyRefusals),
    security(("client_secret_basic" = [])),
)]
pub(crate) async fn status(State(state): State<Shared>, headers: HeaderMap) -> Result<Response, Refused> {
    let refuse = || because(APPLICATION_DATA, "0010", "No application for this Basic authentication.");
    let Ok(Some(Authorization::Basic(client_id, secret))) = authorization(&headers) else { return Err(refuse()) };
    let application = confidential(&state.service, &client_id, &secret).await?.ok_or_else(refuse)?;
    let known = LegacyApplication {
        id: application.id.0,
        active: application.active,
        display_name: application.name.clone(),
        company: false,
    };
    let mut response = Json([known]).into_response();
    set_no_store(response.headers_mut());
    Ok(response)
}

async fn confidential(service: &Service, client_id: &str, secret: &str) -> Result<Option<Arc<Application>>, Error> {
    match service.application_by_secret(client_id, Some(secret)).await {
        Ok(application) => Ok(Some(application).filter(|application| !application.is_public())),
        Err(Error::Unauthenticated) => Ok(None),
        Err(error) => Err(error),
    }
}
