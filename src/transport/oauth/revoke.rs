//! `POST /oauth2/revoke` (RFC 7009). Either token ends the whole authorization.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use super::client_auth::authenticate;
use super::error::{ErrorBody, OAuthError};
use super::form::Form;
use super::{Shared, set_no_store, set_readable_by_all};
use crate::transport::http::Peer;

/// RFC 7009 section 2.1.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form")]
pub(crate) struct RevocationRequest {
    /// An access or refresh token.
    token: String,
    /// Not needed: a token says itself what it is.
    token_type_hint: Option<String>,
    /// If it is not in the `Authorization` header.
    client_id: Option<String>,
    /// If it is not in the `Authorization` header.
    client_secret: Option<String>,
}

/// Revokes what a token names (RFC 7009).
///
/// A token that nobody knows is no error: what the caller wanted is true. `token_type_hint` is not needed, a token
/// says itself what it is.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "oauth2",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It is refused everywhere, or nobody ever knew it"),
        (status = "4XX", description = "RFC 6749 section 5.2", body = ErrorBody<'_>),
        (status = 503, description = "The database can't answer, or a node has not confirmed", body = ErrorBody<'_>),
    ),
    security((), ("client_secret_basic" = [])),
)]
pub async fn revoke(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    form: Result<Form, OAuthError>,
) -> Result<Response, OAuthError> {
    let Form(form) = form?;
    let application = authenticate(&state.service, &headers, &form).await?;
    let token = form.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    state.service.revoke_token(&application, token, address).await?;
    let mut response = StatusCode::OK.into_response();
    set_no_store(response.headers_mut());
    set_readable_by_all(response.headers_mut());
    Ok(response)
}
