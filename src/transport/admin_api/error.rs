//! What is refused: a status, and `{"error", "error_code"}`. The only renderer of this door.
//!
//! | status | `error_code` | is |
//! | ---: | --- | --- |
//! | 400 | `MissingParameter`, `InvalidParameter` | a value that is not there, or can't be; also what can't be done to this user |
//! | 400 | `MalformedJSON` | the body is no JSON object |
//! | 401 | `InvalidSession` | no token, or none that is good: clients renew theirs once and ask again |
//! | 401 | `Unauthorized` | at sign-in: unknown, or the secret is wrong |
//! | 401 | `UserDisabled` | at sign-in: the password or key is right, and its user disabled |
//! | 403 | `NotAuthorized` | known, but may not |
//! | 404 | `GroupNotFound`, `AppNotFound`, `UserNotFound`, `APIKeyNotFound`, `AuthProviderNotFound` | not there |
//! | 404, 405 | `NotFound`, `MethodNotAllowed` | no such call |
//! | 409 | `AccountNameInUse` | somebody has this name |
//! | 409 | `Conflict` | it clashes with what is there; while paired, users are Odoo's |
//! | 413 | `RequestTooLarge` | the body is larger than it may be |
//! | 429 | `TooManyRequests` | too many wrong passwords |
//! | 503 | `ServiceUnavailable` | the database does not answer; or it is done, and a node has not confirmed it; or it may have been done |
//! | 500 | `InternalServerError` | a mistake of ours |

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::types::AdminErrorBody;
use crate::domain::revocation::Unconfirmed;
use crate::orm::error::{Exception, OdooError};
use crate::service::Error;
use crate::service::app_services::AppError;
use crate::service::records::RecordError;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl AdminError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// Clients renew their session when they read this code, and ask again.
    pub fn invalid_session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "InvalidSession", "invalid session")
    }

    /// At sign-in: nobody known, or not who he says.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "invalid username or password, or API key")
    }

    /// At sign-in: he has proved who he is, and may not sign in.
    pub fn user_disabled() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UserDisabled", "the user is disabled")
    }

    /// No such way to sign in.
    pub fn no_provider(provider: &str) -> Self {
        let message =
            format!("auth provider '{provider}' not found: administrators sign in by mongodb-cloud or local-userpass");
        Self::new(StatusCode::NOT_FOUND, "AuthProviderNotFound", message)
    }

    /// No such project.
    pub fn no_group() -> Self {
        Self::new(StatusCode::NOT_FOUND, "GroupNotFound", "group not found: the profile lists the one that there is")
    }

    /// No such application.
    pub fn no_app() -> Self {
        Self::new(StatusCode::NOT_FOUND, "AppNotFound", "app not found")
    }

    /// None of the application's users.
    pub fn no_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UserNotFound", "user not found")
    }

    /// None of the application's keys.
    pub fn no_key() -> Self {
        Self::new(StatusCode::NOT_FOUND, "APIKeyNotFound", "API key not found")
    }

    /// No such call.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "there is no such call")
    }

    /// No such call by this method.
    pub fn no_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "the path is not called by this method")
    }

    /// A value that is not there.
    pub fn missing(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingParameter", format!("missing parameter '{name}'"))
    }

    /// A value that can't be.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", message)
    }

    /// The body is no JSON object.
    pub fn malformed(cause: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MalformedJSON", format!("the body must be a JSON object: {cause}"))
    }

    /// The body is larger than it may be.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLarge", "the body is too large")
    }

    fn unavailable() -> Self {
        let message = "the service can't reach its database; try again";
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
        Self { retry_after: Some(RETRY_AFTER), ..refused }
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            "internal error; the server's log says more",
        )
    }

    fn not_authorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "NotAuthorized", message)
    }
}

impl From<Error> for AdminError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::unauthorized(),
            Error::Forbidden(message) => Self::not_authorized(message),
            Error::NotFound { model: "orest.application", .. } => Self::no_app(),
            Error::NotFound { model: "res.users.apikeys", .. } => Self::no_key(),
            Error::NotFound { .. } => Self::no_user(),
            Error::Invalid { message, .. } => Self::invalid(message),
            Error::Conflict(message) => Self::new(StatusCode::CONFLICT, "Conflict", message),
            Error::RateLimited { retry_after } => {
                let message = "too many login failures, please wait a bit before trying again";
                let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                Self { retry_after: Some(retry_after), ..refused }
            }
            Error::Unavailable => Self::unavailable(),
            Error::Unconfirmed { nodes, retry_after } => {
                let message = Unconfirmed::explain(&nodes);
                let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message);
                Self { retry_after: Some(retry_after), ..refused }
            }
            // Without a time to wait: it may have been done.
            Error::Undecided => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", Error::Undecided.to_string())
            }
            Error::Internal => Self::internal(),
        }
    }
}

impl From<OdooError> for AdminError {
    fn from(error: OdooError) -> Self {
        match error.exception {
            Exception::AccessError | Exception::AccessDenied => Self::not_authorized(error.message),
            Exception::MissingError => Self::no_user(),
            Exception::UserError | Exception::ValidationError | Exception::ValueError | Exception::TypeError => {
                Self::invalid(error.message)
            }
            Exception::OperationalError => Self::unavailable(),
            other => {
                tracing::error!(exception = other.name(), "an exception that the Admin API has no words for");
                Self::internal()
            }
        }
    }
}

impl From<AppError> for AdminError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::App => Self::no_app(),
            AppError::User => Self::no_user(),
            AppError::Key => Self::no_key(),
            AppError::After => Self::invalid(error.to_string()),
            AppError::NameInUse(_) => Self::new(StatusCode::CONFLICT, "AccountNameInUse", error.to_string()),
            AppError::Record(RecordError::Odoo(error)) => error.into(),
            AppError::Record(RecordError::Service(error)) => error.into(),
            AppError::Record(RecordError::Store(error)) => Error::from(error).into(),
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let body = AdminErrorBody { error: self.message.into_owned(), error_code: self.code.to_owned() };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code == "InvalidSession" {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::domain::time::from_unix;
    use crate::store::{Constraint, StoreError};

    /// The whole table, so that a new variant shows up in review.
    #[tokio::test]
    async fn what_a_refusal_becomes() {
        let wait = Duration::from_millis(1_500);
        let node = Unconfirmed { node: "auth-2".to_owned(), until: from_unix(1_800_000_003) };
        let of_service = || {
            vec![
                Error::Unauthenticated,
                Error::Forbidden("only members of the group REST API Admin may do this".to_owned()),
                Error::NotFound { model: "res.users", id: 1 },
                Error::NotFound { model: "orest.application", id: 1 },
                Error::invalid("reason", "a reason has at most 1000 characters"),
                Error::Conflict("it has changed".to_owned()),
                Error::RateLimited { retry_after: wait },
                Error::Unavailable,
                Error::Undecided,
                Error::Unconfirmed { nodes: vec![node.clone()], retry_after: wait },
                Error::Internal,
            ]
        };
        let mut table = String::new();
        for error in of_service() {
            let name = format!("{error:?}");
            render(&mut table, &name, error.into()).await;
        }
        // A deed of the records' says it in the same words.
        for (error, same) in of_service().into_iter().zip(of_service()) {
            assert_eq!(AdminError::from(AppError::from(error)), AdminError::from(same));
        }
        for error in [
            AppError::App,
            AppError::User,
            AppError::Key,
            AppError::After,
            AppError::NameInUse("alice@example.com".to_owned()),
            StoreError::Unavailable("connection refused".to_owned()).into(),
            StoreError::Undecided("connection reset".to_owned()).into(),
            StoreError::Conflict { constraint: "res_users_login_key".to_owned(), kind: Constraint::Unique }.into(),
            OdooError::user("Bob is pending.").into(),
            OdooError::validation("A user needs a login.").into(),
            OdooError::value("no such value").into(),
            OdooError::type_error("no such argument").into(),
            OdooError::access("You are not allowed to.").into(),
            OdooError::access_denied().into(),
            OdooError::missing("res.users", 1, 2).into(),
            OdooError::new(Exception::OperationalError, "the service can't reach its database; try again").into(),
            OdooError::new(Exception::KeyError, "res.nothing").into(),
        ] {
            let name = format!("{error:?}");
            render(&mut table, &name, error.into()).await;
        }
        for error in [
            AdminError::invalid_session(),
            AdminError::unauthorized(),
            AdminError::user_disabled(),
            AdminError::no_provider("oauth2-google"),
            AdminError::no_group(),
            AdminError::no_app(),
            AdminError::no_user(),
            AdminError::no_key(),
            AdminError::no_route(),
            AdminError::no_method(),
            AdminError::missing("password"),
            AdminError::invalid("desc must be true or false"),
            AdminError::malformed("EOF while parsing"),
            AdminError::too_large(),
        ] {
            render(&mut table, "-", error).await;
        }
        insta::assert_snapshot!(table);
    }

    async fn render(table: &mut String, name: &str, error: AdminError) {
        let (parts, body) = error.into_response().into_parts();
        let bytes = body.collect().await.expect("is whole").to_bytes();
        let header = |name| parts.headers.get(name).map_or("-", |value| value.to_str().expect("ASCII"));
        let (challenge, wait) = (header(header::WWW_AUTHENTICATE), header(header::RETRY_AFTER));
        let (status, body) = (parts.status.as_u16(), String::from_utf8_lossy(&bytes));
        table.push_str(&format!("{name}\n    {status} {body} | {challenge} | {wait}\n"));
    }
}
