//! How an exception reaches the wire: the error object of the envelope, and the status and body of JSON-2.
//!
//! These two tables are the only places that know. What the service refuses with has become an exception before
//! ([`OdooError::of_service`]).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::envelope::JSON;
use crate::orm::error::{Exception, OdooError};

/// What Odoo answers, within the envelope, for a page that is not there.
pub const NOT_FOUND: &str = "The requested URL was not found on the server. If you entered the URL manually please check \
                             your spelling and try again.";

/// The error object of an envelope.
pub fn object(error: &OdooError) -> ErrorObjectOwned {
    let (code, title) = match error.exception {
        Exception::SessionExpired => (100, "Odoo Session Expired"),
        Exception::NotFound => (404, "404: Not Found"),
        Exception::UserError
        | Exception::ValidationError
        | Exception::AccessError
        | Exception::AccessDenied
        | Exception::MissingError
        | Exception::ValueError
        | Exception::TypeError
        | Exception::KeyError
        | Exception::IndexError
        | Exception::AttributeError
        | Exception::NameError
        | Exception::AssertionError
        | Exception::Exception
        | Exception::OperationalError
        | Exception::UnknownDatabase
        | Exception::InvalidTextRepresentation
        | Exception::NumericValueOutOfRange
        | Exception::MissingActionError
        | Exception::UnprocessableEntity
        | Exception::UnknownUser => (0, "Odoo Server Error"),
    };
    let data = match error.exception {
        // Odoo raises it without a message of its own; the library that catches it has this one.
        Exception::NotFound => data(error.exception, &format!("404 Not Found: {NOT_FOUND}"), &[]),
        exception => data(exception, &error.message, &error.arguments),
    };
    ErrorObjectOwned::owned(code, title, Some(data))
}

/// The status of an envelope: always 200, unless nothing can be said at all.
pub fn envelope_status(error: &OdooError) -> StatusCode {
    match error.exception {
        Exception::OperationalError => StatusCode::SERVICE_UNAVAILABLE,
        Exception::UserError
        | Exception::ValidationError
        | Exception::AccessError
        | Exception::AccessDenied
        | Exception::MissingError
        | Exception::ValueError
        | Exception::TypeError
        | Exception::KeyError
        | Exception::IndexError
        | Exception::AttributeError
        | Exception::NameError
        | Exception::AssertionError
        | Exception::Exception
        | Exception::UnknownDatabase
        | Exception::InvalidTextRepresentation
        | Exception::NumericValueOutOfRange
        | Exception::NotFound
        | Exception::SessionExpired
        | Exception::MissingActionError
        | Exception::UnprocessableEntity
        | Exception::UnknownUser => StatusCode::OK,
    }
}

/// The status of JSON-2. Values that mean nothing are a 500 in Odoo, as if the server were at fault, and clients try again;
/// here they are a 422 with the same body.
pub fn json2_status(exception: Exception) -> StatusCode {
    match exception {
        Exception::AccessError | Exception::AccessDenied | Exception::UnknownUser => StatusCode::FORBIDDEN,
        Exception::MissingError | Exception::NotFound => StatusCode::NOT_FOUND,
        Exception::UserError | Exception::ValidationError | Exception::UnprocessableEntity => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Exception::SessionExpired => StatusCode::FORBIDDEN,
        Exception::OperationalError => StatusCode::SERVICE_UNAVAILABLE,
        Exception::ValueError
        | Exception::TypeError
        | Exception::KeyError
        | Exception::IndexError
        | Exception::AttributeError
        | Exception::NameError
        | Exception::AssertionError
        | Exception::UnknownDatabase
        | Exception::InvalidTextRepresentation
        | Exception::NumericValueOutOfRange
        | Exception::MissingActionError => StatusCode::UNPROCESSABLE_ENTITY,
        Exception::Exception => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The answer of JSON-2.
pub fn json2(error: &OdooError) -> Response {
    let status = json2_status(error.exception);
    let mut arguments = error.arguments.clone();
    // The library's HTTP exceptions carry their status.
    if matches!(error.exception, Exception::NotFound | Exception::UnprocessableEntity) {
        arguments.push(json!(status.as_u16()));
    }
    json2_body(status, data(error.exception, &error.message, &arguments))
}

/// The answer of JSON-2 to one who does not say who he is, or not rightly.
pub fn json2_unauthorized(message: &str) -> Response {
    let mut response = json2_http(StatusCode::UNAUTHORIZED, "werkzeug.exceptions.Unauthorized", message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer of JSON-2 to a body that is no JSON.
pub fn json2_bad_request(message: &str) -> Response {
    json2_http(StatusCode::BAD_REQUEST, "werkzeug.exceptions.BadRequest", message)
}

fn json2_http(status: StatusCode, name: &str, message: &str) -> Response {
    json2_body(status, members(name, message, &[json!(message), json!(status.as_u16())]))
}

fn json2_body(status: StatusCode, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}

fn data(exception: Exception, message: &str, arguments: &[Value]) -> Value {
    members(exception.name(), message, arguments)
}

/// `debug` is a traceback in Odoo; clients want a text there, and nobody outside wants our insides.
fn members(name: &str, message: &str, arguments: &[Value]) -> Value {
    json!({
        "name": name,
        "message": message,
        "arguments": arguments,
        "context": {},
        "debug": format!("{name}: {message}\n"),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::domain::revocation::Unconfirmed;
    use crate::domain::time::from_unix;
    use crate::service::Error;

    fn unconfirmed() -> Error {
        let node = Unconfirmed { node: "auth-2".to_owned(), until: from_unix(1_800_000_003) };
        Error::Unconfirmed { nodes: vec![node], retry_after: Duration::from_secs(3) }
    }

    /// The whole table, so that a new line shows in review.
    #[test]
    fn every_exception_and_every_refusal() {
        let exceptions = [
            Exception::UserError,
            Exception::ValidationError,
            Exception::AccessError,
            Exception::AccessDenied,
            Exception::MissingError,
            Exception::ValueError,
            Exception::TypeError,
            Exception::KeyError,
            Exception::IndexError,
            Exception::AttributeError,
            Exception::NameError,
            Exception::AssertionError,
            Exception::Exception,
            Exception::OperationalError,
            Exception::UnknownDatabase,
            Exception::InvalidTextRepresentation,
            Exception::NumericValueOutOfRange,
            Exception::NotFound,
            Exception::SessionExpired,
            Exception::MissingActionError,
            Exception::UnprocessableEntity,
            Exception::UnknownUser,
        ];
        let mut table = String::from("exception | envelope: status code message | JSON-2: status\n");
        for exception in exceptions {
            let error = OdooError::new(exception, "text");
            let object = object(&error);
            let _ = writeln!(
                table,
                "{} | {} {} {} | {}",
                exception.name(),
                envelope_status(&error).as_u16(),
                object.code(),
                object.message(),
                json2_status(exception).as_u16()
            );
        }
        table.push_str("\nrefusal | exception: message | typed RPC: code message data\n");
        let refusals = [
            Error::Unauthenticated,
            Error::Forbidden("only an administrator may".to_owned()),
            Error::NotFound { model: "orest.authorization", id: 9 },
            Error::invalid("name", "a name is needed"),
            Error::Conflict("it has changed".to_owned()),
            Error::RateLimited { retry_after: Duration::from_secs(60) },
            Error::Unavailable,
            Error::Undecided,
            unconfirmed(),
            Error::Internal,
        ];
        for refusal in refusals {
            let error = OdooError::of_service(&refusal, 2);
            let typed = crate::transport::rpc::error::object(&refusal);
            let _ = writeln!(
                table,
                "{refusal:?} | {}: {:?}{} | {} {} {}",
                error.exception.name(),
                error.message,
                error.arguments.get(1).map(|detail| format!(" {detail}")).unwrap_or_default(),
                typed.code(),
                typed.message(),
                typed.data().map_or("-", |data| data.get())
            );
        }
        insta::assert_snapshot!(table);
    }
}
