//! What is refused, in the words of RFC 6749 section 5.2 and RFC 6750 section 3.1. The only renderer of these doors.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{set_no_store, set_readable_by_all};
use crate::service::Error;
use crate::service::issue::GrantError;

/// How long to wait when the database can't answer.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Something is missing, there twice, or of the wrong form.
    #[error("{0}")]
    InvalidRequest(Cow<'static, str>),
    /// Unknown client, wrong secret, or none where one is needed.
    #[error("the client is unknown, archived, or did not prove who it is")]
    InvalidClient,
    /// A code or refresh token that can't be exchanged, or a token of another client.
    #[error("{0}")]
    InvalidGrant(Cow<'static, str>),
    /// More than is allowed.
    #[error("the scope is wider than what is allowed")]
    InvalidScope,
    /// This client may not do this.
    #[error("{0}")]
    UnauthorizedClient(Cow<'static, str>),
    /// A `grant_type` that we don't have.
    #[error("grant_type must be authorization_code, refresh_token or client_credentials")]
    UnsupportedGrantType,
    /// No bearer token where one is needed (RFC 6750 section 3): says no more than which scheme it must be.
    #[error("a bearer token is needed")]
    NoToken,
    /// A bearer token that is not good (RFC 6750).
    #[error("the token is unknown, expired or revoked")]
    InvalidToken,
    /// A bearer token of somebody who may not (RFC 6750).
    #[error("{0}")]
    InsufficientScope(Cow<'static, str>),
    /// The body is larger than it may be.
    #[error("the body is too large")]
    TooLarge,
    /// Too many tries.
    #[error("too many tries; wait a bit")]
    RateLimited(Duration),
    /// The database can't answer. Says nothing of any token.
    #[error("the service can't reach its database; try again")]
    Unavailable,
    /// The database went away while it stored this, and it may have been done. Trying again by itself would be wrong: a code
    /// that is shown twice is taken for stolen.
    #[error("the database was lost while it stored this: it may have been done; look before you do it again")]
    Undecided,
    /// It is done and stored, but a node has not confirmed it (RFC 7009 section 2.2.1: try again after a while).
    #[error("{0}")]
    Unconfirmed(String, Duration),
    /// A mistake of ours.
    #[error("internal error")]
    ServerError,
}

impl OAuthError {
    /// Something is missing, there twice, or of the wrong form.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidRequest(message.into())
    }

    /// Status, error code, and which scheme a 401 asks for.
    pub const fn parts(&self) -> (StatusCode, &'static str, Option<&'static str>) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", Some("Basic")),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant", None),
            Self::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope", None),
            Self::UnauthorizedClient(_) => (StatusCode::BAD_REQUEST, "unauthorized_client", None),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type", None),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "", Some("Bearer")),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", Some("Bearer")),
            Self::InsufficientScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope", Some("Bearer")),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", None),
            Self::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", None),
            Self::Unavailable | Self::Undecided | Self::Unconfirmed(..) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", None)
            }
            Self::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        }
    }

    /// How long to wait, where that helps.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) | Self::Unconfirmed(_, wait) => Some(*wait),
            Self::Unavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }

    /// For people, in the characters that RFC 6749 allows: printable ASCII without `"` and `\`.
    pub fn description(&self) -> String {
        let allowed = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        self.to_string().chars().map(|c| if allowed(c) { c } else { '_' }).collect()
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::InvalidClient,
            // The only thing that is forbidden at these doors is another client's token: RFC 6749's own word for that.
            Error::Forbidden(message) => Self::InvalidGrant(message.into()),
            Error::NotFound { .. } | Error::Invalid { .. } | Error::Conflict(_) => {
                Self::InvalidRequest(error.to_string().into())
            }
            Error::RateLimited { retry_after } => Self::RateLimited(retry_after),
            Error::Unavailable => Self::Unavailable,
            Error::Undecided => Self::Undecided,
            Error::Unconfirmed { ref nodes, retry_after } => {
                Self::Unconfirmed(crate::domain::revocation::Unconfirmed::explain(nodes), retry_after)
            }
            Error::Internal => Self::ServerError,
        }
    }
}

impl From<GrantError> for OAuthError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::InvalidGrant(message) => Self::InvalidGrant(message.into()),
            GrantError::InvalidScope => Self::InvalidScope,
            GrantError::UnauthorizedClient(message) => Self::UnauthorizedClient(message.into()),
            GrantError::Service(error) => error.into(),
        }
    }
}

/// Whole seconds, rounded up, for `Retry-After`.
pub fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// RFC 6749 section 5.2.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// Absent where no token was sent at all (RFC 6750 section 3.1).
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    error: &'a str,
    /// For people.
    error_description: &'a str,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, scheme) = self.parts();
        let description = self.description();
        let mut response = (status, Json(ErrorBody { error, error_description: &description })).into_response();
        let headers = response.headers_mut();
        set_no_store(headers);
        set_readable_by_all(headers);
        if let Some(scheme) = scheme {
            let mut challenge = format!("{scheme} realm=\"orest\"");
            if scheme == "Bearer" && !error.is_empty() {
                challenge.push_str(&format!(", error=\"{error}\", error_description=\"{description}\""));
            }
            let challenge = HeaderValue::try_from(challenge).expect("a description is printable ASCII");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, retry_after(wait));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::revocation::Unconfirmed;
    use crate::domain::time::from_unix;

    /// The whole table, so that a new variant shows up in review.
    #[test]
    fn what_a_refusal_becomes() {
        let wait = Duration::from_millis(1_500);
        let refusals: Vec<GrantError> = vec![
            GrantError::InvalidGrant("the code is wrong"),
            GrantError::InvalidScope,
            GrantError::UnauthorizedClient("the application is archived"),
            Error::Unauthenticated.into(),
            Error::Forbidden("the token was issued to another client".to_owned()).into(),
            Error::NotFound { model: "orest.authorization", id: 1 }.into(),
            Error::invalid("reason", "a \"reason\" – too long\r\nSet-Cookie: x").into(),
            Error::Conflict("changed".to_owned()).into(),
            Error::RateLimited { retry_after: wait }.into(),
            Error::Unavailable.into(),
            Error::Undecided.into(),
            Error::Unconfirmed {
                nodes: ["auth-2", "auth-3"]
                    .map(|node| Unconfirmed { node: node.to_owned(), until: from_unix(1_800_000_003) })
                    .into(),
                retry_after: wait,
            }
            .into(),
            Error::Internal.into(),
        ];
        let mut table = String::new();
        for refusal in refusals {
            let name = format!("{refusal:?}");
            render(&mut table, &name, refusal.into());
        }
        for error in [
            OAuthError::invalid_request("a parameter is there more than once"),
            OAuthError::UnsupportedGrantType,
            OAuthError::NoToken,
            OAuthError::InvalidToken,
            OAuthError::InsufficientScope("administrators only".into()),
            OAuthError::TooLarge,
        ] {
            render(&mut table, "-", error);
        }
        insta::assert_snapshot!(table);
    }

    fn render(table: &mut String, name: &str, error: OAuthError) {
        let (_, code, _) = error.parts();
        let description = error.description();
        let response = error.into_response();
        let header = |name| response.headers().get(name).map_or("-", |value| value.to_str().expect("ASCII"));
        assert_eq!(header(header::CACHE_CONTROL), "no-store");
        let (challenge, wait) = (header(header::WWW_AUTHENTICATE), header(header::RETRY_AFTER));
        let status = response.status().as_u16();
        table.push_str(&format!("{name}\n    {status} {code}: {description} | {challenge} | {wait}\n"));
    }
}
