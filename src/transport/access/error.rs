//! What is refused, in Cloudflare's envelope and with the codes that its callers know. The only renderer of this door.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::revocation::Unconfirmed;
use crate::service::Error;
use crate::service::access::AccessError;
use crate::transport::oauth::error::{RETRY_AFTER, retry_after};

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub enum AccessApiError {
    /// The body or the query is wrong.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// No credential, or one that is not good.
    #[error("Authentication error")]
    Authentication,
    /// A good one of somebody who may not.
    #[error("this caller may not revoke: {0}")]
    Permission(String),
    /// No such path, account or zone.
    #[error("there is no such path, account or zone here; --access-accounts and --access-zones set which there are")]
    NoRoute,
    /// Nobody has the e-mail address.
    #[error("{0}")]
    UnknownUser(String),
    /// Only POST.
    #[error("{0} is not allowed here: use POST")]
    MethodNotAllowed(Method),
    /// The body is no JSON.
    #[error("the body must be application/json")]
    UnsupportedMediaType,
    /// The body is larger than it may be.
    #[error("the body is too large")]
    TooLarge,
    /// Too many tries.
    #[error("too many tries; wait a bit")]
    RateLimited(Duration),
    /// The database can't answer. Nothing was revoked.
    #[error("the service can't reach its database; try again")]
    Unavailable,
    /// Nobody can say whether it was done. To be called again: what was revoked stays so.
    #[error("{0}")]
    Undecided(String),
    /// It is done and stored, but a node has not confirmed it: to be called again.
    #[error("{0}")]
    Unconfirmed(String, Duration),
    /// A mistake of ours.
    #[error("internal error")]
    Internal,
}

impl AccessApiError {
    /// The body or the query is wrong.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(message.into())
    }

    /// Status and code. Where Cloudflare has no code of its own, it is 10 and the status.
    pub const fn parts(&self) -> (StatusCode, u16) {
        match self {
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, 12130),
            Self::Authentication => (StatusCode::UNAUTHORIZED, 10000),
            Self::Permission(_) => (StatusCode::FORBIDDEN, 9109),
            Self::NoRoute => (StatusCode::NOT_FOUND, 7003),
            Self::UnknownUser(_) => (StatusCode::NOT_FOUND, 12135),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, 10405),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 10413),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, 10415),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, 10429),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 10500),
            Self::Unavailable | Self::Undecided(_) | Self::Unconfirmed(..) => (StatusCode::SERVICE_UNAVAILABLE, 10503),
        }
    }

    /// How long to wait, where that helps.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) | Self::Unconfirmed(_, wait) => Some(*wait),
            Self::Unavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

impl From<Error> for AccessApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::Authentication,
            Error::Forbidden(message) => Self::Permission(message),
            Error::NotFound { .. } => Self::UnknownUser(error.to_string()),
            Error::Invalid { .. } | Error::Conflict(_) => Self::Invalid(error.to_string().into()),
            Error::RateLimited { retry_after } => Self::RateLimited(retry_after),
            Error::Unavailable => Self::Unavailable,
            Error::Undecided => Self::Undecided(error.to_string()),
            Error::Unconfirmed { ref nodes, retry_after } => {
                Self::Unconfirmed(Unconfirmed::explain(nodes), retry_after)
            }
            Error::Internal => Self::Internal,
        }
    }
}

impl From<AccessError> for AccessApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::UnknownUser => Self::UnknownUser(error.to_string()),
            AccessError::SeveralUsers => Self::Invalid(error.to_string().into()),
            AccessError::Service(error) => error.into(),
        }
    }
}

/// A code for programs and a text for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessMessage {
    /// What it is.
    pub code: u16,
    /// What to do about it.
    pub message: String,
}

/// The envelope of a refusal.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessRefusal {
    /// Always false.
    pub success: bool,
    /// Why.
    pub errors: Vec<AccessMessage>,
    /// None.
    pub messages: Vec<AccessMessage>,
    /// Nothing.
    pub result: (),
}

/// What either call may be refused with.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes the answers")]
pub enum AccessRefusals {
    /// Refused
    #[response(status = "4XX")]
    Refused(AccessRefusal),
    /// The database can't answer, or a node has not confirmed
    #[response(status = 503)]
    Unavailable(AccessRefusal),
}

impl IntoResponse for AccessApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        let errors = vec![AccessMessage { code, message: self.to_string() }];
        let body = AccessRefusal { success: false, errors, messages: Vec::new(), result: () };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"orest\""));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, retry_after(wait));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::domain::time::from_unix;

    /// The whole table, so that a new variant shows up in review.
    #[tokio::test]
    async fn what_a_refusal_becomes() {
        let wait = Duration::from_millis(1_500);
        let node = Unconfirmed { node: "auth-2".to_owned(), until: from_unix(1_800_000_003) };
        let refusals: Vec<AccessError> = vec![
            AccessError::UnknownUser,
            AccessError::SeveralUsers,
            Error::Unauthenticated.into(),
            Error::Forbidden("this needs the group REST API Admin".to_owned()).into(),
            Error::NotFound { model: "orest.authorization", id: 1 }.into(),
            Error::invalid("reason", "a reason has at most 1000 characters").into(),
            Error::Conflict("changed".to_owned()).into(),
            Error::RateLimited { retry_after: wait }.into(),
            Error::Unavailable.into(),
            Error::Undecided.into(),
            Error::Unconfirmed { nodes: vec![node], retry_after: wait }.into(),
            Error::Internal.into(),
        ];
        let mut table = String::new();
        for refusal in refusals {
            let name = format!("{refusal:?}");
            render(&mut table, &name, refusal.into()).await;
        }
        for error in [
            AccessApiError::invalid("email is no e-mail address"),
            AccessApiError::NoRoute,
            AccessApiError::MethodNotAllowed(Method::PUT),
            AccessApiError::UnsupportedMediaType,
            AccessApiError::TooLarge,
        ] {
            render(&mut table, "-", error).await;
        }
        insta::assert_snapshot!(table);
    }

    async fn render(table: &mut String, name: &str, error: AccessApiError) {
        let (parts, body) = error.into_response().into_parts();
        let bytes = body.collect().await.expect("is whole").to_bytes();
        let header = |name| parts.headers.get(name).map_or("-", |value| value.to_str().expect("ASCII"));
        let (challenge, wait) = (header(header::WWW_AUTHENTICATE), header(header::RETRY_AFTER));
        let (status, body) = (parts.status.as_u16(), String::from_utf8_lossy(&bytes));
        table.push_str(&format!("{name}\n    {status} {body} | {challenge} | {wait} | {}\n", header(header::ALLOW)));
    }
}
