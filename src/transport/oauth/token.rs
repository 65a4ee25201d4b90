//! `POST /oauth2/token` (RFC 6749 sections 4.1.3, 4.4.2 and 6).

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::client_auth::authenticate;
use super::error::OAuthError;
use super::form::{Form, Params};
use super::{Shared, set_no_store, set_readable_by_all};
use crate::domain::scope::Scope;
use crate::service::issue::Tokens;
use crate::transport::http::Peer;

/// RFC 6749 section 5.1.
#[derive(Serialize)]
pub(super) struct TokenBody<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
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

/// Gives tokens.
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
