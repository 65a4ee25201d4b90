//! The codes of the namespace `orest`, beside those of JSON-RPC 2.0 itself.
//!
//! | code | is | `data` |
//! | ---: | --- | --- |
//! | -32001 | nobody known, or not who he says | |
//! | -32003 | known, but may not | |
//! | -32004 | what it was aimed at does not exist, or not for this caller's eyes | `model`, `id` |
//! | -32602 | a value that can't be | `field` |
//! | -32009 | what is there has changed, or clashes | |
//! | -32029 | too many tries | `retry_after` in seconds |
//! | -32050 | the database does not answer: try again | |
//! | -32051 | it is done and stored, but a node has not confirmed it: call again, or wait | `unconfirmed`, `retry_after` in seconds |
//! | -32052 | the database was lost while it stored this: it may have been done; look before you do it again | |
//! | -32603 | a mistake of ours | |

use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use crate::orm::error::{Exception, OdooError};
use crate::service::Error;

/// Renders what the service refuses with.
pub fn object(error: &Error) -> ErrorObjectOwned {
    let (code, data) = match error {
        Error::Unauthenticated => (-32001, None),
        Error::Forbidden(_) => (-32003, None),
        Error::NotFound { model, id } => (-32004, Some(json!({"model": model, "id": id}))),
        Error::Invalid { field, .. } => (-32602, Some(json!({"field": field}))),
        Error::Conflict(_) => (-32009, None),
        Error::RateLimited { retry_after } => (-32029, Some(json!({"retry_after": retry_after.as_secs().max(1)}))),
        Error::Unavailable => (-32050, None),
        Error::Unconfirmed { nodes, retry_after } => {
            let nodes: Vec<_> = nodes.iter().map(super::types::Unconfirmed::from).collect();
            (-32051, Some(json!({"unconfirmed": nodes, "retry_after": retry_after.as_secs().max(1)})))
        }
        Error::Undecided => (-32052, None),
        Error::Internal => (-32603, None),
    };
    ErrorObjectOwned::owned::<Value>(code, error.to_string(), data)
}

/// Renders what a search domain is refused with.
pub fn of_domain(error: &OdooError) -> ErrorObjectOwned {
    let code = match error.exception {
        Exception::AccessError | Exception::AccessDenied => -32003,
        Exception::OperationalError => -32050,
        Exception::UserError
        | Exception::ValidationError
        | Exception::MissingError
        | Exception::ValueError
        | Exception::TypeError
        | Exception::KeyError
        | Exception::IndexError
        | Exception::AttributeError
        | Exception::NameError
        | Exception::AssertionError
        | Exception::InvalidTextRepresentation
        | Exception::NumericValueOutOfRange => {
            let data = Some(json!({"field": "domain"}));
            return ErrorObjectOwned::owned(-32602, error.message.clone(), data);
        }
        Exception::Exception
        | Exception::UnknownDatabase
        | Exception::NotFound
        | Exception::SessionExpired
        | Exception::MissingActionError
        | Exception::UnprocessableEntity
        | Exception::UnknownUser => -32603,
    };
    ErrorObjectOwned::owned::<Value>(code, error.message.clone(), None)
}
