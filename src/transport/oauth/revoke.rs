//! `POST /oauth2/revoke` (RFC 7009). Either token ends the whole authorization.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::client_auth::authenticate;
use super::error::OAuthError;
use super::form::Form;
use super::{Shared, set_no_store, set_readable_by_all};
use crate::transport::http::Peer;

/// Revokes. A token that nobody knows is no error: what the caller wanted is true. `token_type_hint` is not needed, a token
/// says itself what it is.
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
