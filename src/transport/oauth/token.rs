//! `POST /oauth2/token` (RFC 6749 sections 4.1.3, 4.4.2 and 6).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::client_auth::authenticate;
use super::error::{ErrorBody, OAuthError};
use super::form::{Form, Params};
use super::{Shared, set_no_store, set_readable_by_all};
use crate::domain::scope::Scope;
use crate::service::issue::Tokens;
use crate::transport::http::Peer;

/// RFC 6749 section 5.1.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenBody<'a> {
    /// Begins with `orat_`.
    access_token: &'a str,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    /// Begins with `orrt_`; good once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What was granted.
    scope: Option<String>,
}

/// RFC 6749 sections 4.1.3, 4.4.2 and 6. A public client gives its `client_id` alone.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form")]
pub(crate) struct TokenRequest {
    /// `authorization_code`, `refresh_token` or `client_credentials`.
    grant_type: String,
    /// For `authorization_code`.
    code: Option<String>,
    /// For `authorization_code`, if the authorization request had one.
    redirect_uri: Option<String>,
    /// RFC 7636.
    code_verifier: Option<String>,
    /// For `refresh_token`.
    refresh_token: Option<String>,
    /// Not more than was granted.
    scope: Option<String>,
    /// If it is not in the `Authorization` header.
    client_id: Option<String>,
    /// If it is not in the `Authorization` header.
    client_secret: Option<String>,
}

impl<'a> TokenBody<'a> {
    /// Without the scope, which oREST 1.6.4 did not tell.
    pub(super) fn without_scope(tokens: &'a Tokens) -> Self {
        Self {
            access_token: tokens.access.reveal(),
            token_type: "Bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh.as_ref().map(|token| token.reveal()),
            scope: None,
        }
    }

    fn new(tokens: &'a Tokens) -> Self {
        Self { scope: Some(tokens.scope.to_string()), ..Self::without_scope(tokens) }
    }
}

/// Gives tokens (RFC 6749).
#[utoipa::path(
    post, path = "/oauth2/token", tag = "oauth2",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenBody<'_>),
        (status = "4XX", description = "RFC 6749 section 5.2", body = ErrorBody<'_>),
        (status = 503, description = "The database can't answer", body = ErrorBody<'_>),
    ),
    security((), ("client_secret_basic" = [])),
)]
pub async fn token(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    form: Result<Form, OAuthError>,
) -> Result<Response, OAuthError> {
    let Form(form) = form?;
    let service = &state.service;
    let application = authenticate(service, &headers, &form).await?;
    let needed =
        |name: &'static str| form.get(name).ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")));
    let tokens = match needed("grant_type")? {
        "authorization_code" => {
            let (code, redirect_uri) = (needed("code")?, form.get("redirect_uri"));
            service.exchange_code(&application, code, redirect_uri, form.get("code_verifier"), address).await?
        }
        "refresh_token" => service.refresh(&application, needed("refresh_token")?, scope(&form)?, address).await?,
        "client_credentials" => service.client_credentials(&application, scope(&form)?).await?,
        _ => return Err(OAuthError::UnsupportedGrantType),
    };
    let mut response = Json(TokenBody::new(&tokens)).into_response();
    set_no_store(response.headers_mut());
    set_readable_by_all(response.headers_mut());
    Ok(response)
}

fn scope(form: &Params) -> Result<Option<Scope>, OAuthError> {
    form.get("scope").map(|text| Scope::parse(text).map_err(|_| OAuthError::InvalidScope)).transpose()
}
