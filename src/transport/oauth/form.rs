//! `application/x-www-form-urlencoded`, from a body or from a query.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use tokio::time::timeout;

use super::error::OAuthError;
pub use crate::domain::params::{Params, decode};
use crate::limits;

/// Whether a body says that it is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The form that a request carries in its body, whether a parameter is there twice or not.
pub async fn read(request: Request) -> Result<Params, OAuthError> {
    let (parts, body) = request.into_parts();
    read_body(&parts.headers, body).await
}

/// The form of a request that has been taken apart, with no parameter twice.
pub async fn read_parts(headers: &HeaderMap, body: Body) -> Result<Params, OAuthError> {
    let params = read_body(headers, body).await?;
    match params.repeated() {
        Some(_) => Err(OAuthError::invalid_request("a parameter is there more than once")),
        None => Ok(params),
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Params, OAuthError> {
    if !is_form(headers) {
        return Err(OAuthError::invalid_request("the body must be application/x-www-form-urlencoded"));
    }
    // Nobody has said yet who he is: a body that never comes holds nothing for longer than any other request.
    let body = timeout(limits::REQUEST_TIMEOUT, to_bytes(body, limits::FORM_BYTES_MAX))
        .await
        .map_err(|_| OAuthError::invalid_request("the body has not arrived in time"))?
        .map_err(|_| OAuthError::TooLarge)?;
    Params::parse(&body).map_err(|error| OAuthError::invalid_request(error.to_string()))
}

/// The form that a request carries in its body. Parameters of the query are no part of it: they end up in logs.
pub struct Form(pub Params);

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OAuthError> {
        let (parts, body) = request.into_parts();
        read_parts(&parts.headers, body).await.map(Self)
    }
}
