//! Errors in Odoo's own language: a Python exception's name, its message, its arguments.
//!
//! The texts follow series 19.0, with which clients compare. How each reaches the wire is the transports' business.

use serde_json::{Value, json};

use crate::domain::revocation::Unconfirmed;
use crate::service::Error;

/// How moments are written.
pub const DATETIME: &str = "%Y-%m-%d %H:%M:%S";

/// Which exception Odoo would raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exception {
    /// `odoo.exceptions.UserError`
    UserError,
    /// `odoo.exceptions.ValidationError`
    ValidationError,
    /// `odoo.exceptions.AccessError`
    AccessError,
    /// `odoo.exceptions.AccessDenied`
    AccessDenied,
    /// `odoo.exceptions.MissingError`
    MissingError,
    /// `builtins.ValueError`
    ValueError,
    /// `builtins.TypeError`
    TypeError,
    /// `builtins.KeyError`
    KeyError,
    /// `builtins.IndexError`
    IndexError,
    /// `builtins.AttributeError`
    AttributeError,
    /// `builtins.NameError`
    NameError,
    /// `builtins.AssertionError`
    AssertionError,
    /// `builtins.Exception`
    Exception,
    /// `psycopg2.OperationalError`: the database does not answer.
    OperationalError,
    /// `psycopg2.OperationalError` as well: the database that the caller names does not exist.
    UnknownDatabase,
    /// `psycopg2.errors.InvalidTextRepresentation`
    InvalidTextRepresentation,
    /// `psycopg2.errors.NumericValueOutOfRange`
    NumericValueOutOfRange,
    /// `werkzeug.exceptions.NotFound`
    NotFound,
    /// `odoo.http.SessionExpiredException`
    SessionExpired,
    /// `odoo.addons.web.controllers.action.MissingActionError`
    MissingActionError,
    /// `werkzeug.exceptions.UnprocessableEntity`: arguments that do not fit the method, on JSON-2.
    UnprocessableEntity,
    /// `orest.exceptions.UnknownUser`: the paired Odoo says that somebody acts who has not come from it yet.
    UnknownUser,
}

impl Exception {
    /// Module and class, as in `error.data.name`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserError => "odoo.exceptions.UserError",
            Self::ValidationError => "odoo.exceptions.ValidationError",
            Self::AccessError => "odoo.exceptions.AccessError",
            Self::AccessDenied => "odoo.exceptions.AccessDenied",
            Self::MissingError => "odoo.exceptions.MissingError",
            Self::ValueError => "builtins.ValueError",
            Self::TypeError => "builtins.TypeError",
            Self::KeyError => "builtins.KeyError",
            Self::IndexError => "builtins.IndexError",
            Self::AttributeError => "builtins.AttributeError",
            Self::NameError => "builtins.NameError",
            Self::AssertionError => "builtins.AssertionError",
            Self::Exception => "builtins.Exception",
            Self::OperationalError | Self::UnknownDatabase => "psycopg2.OperationalError",
            Self::InvalidTextRepresentation => "psycopg2.errors.InvalidTextRepresentation",
            Self::NumericValueOutOfRange => "psycopg2.errors.NumericValueOutOfRange",
            Self::NotFound => "werkzeug.exceptions.NotFound",
            Self::SessionExpired => "odoo.http.SessionExpiredException",
            Self::MissingActionError => "odoo.addons.web.controllers.action.MissingActionError",
            Self::UnprocessableEntity => "werkzeug.exceptions.UnprocessableEntity",
            Self::UnknownUser => "orest.exceptions.UnknownUser",
        }
    }
}

/// An exception on its way to the caller.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {message}", exception.name())]
pub struct OdooError {
    /// Which one.
    pub exception: Exception,
    /// `str(exception)`.
    pub message: String,
    /// `exception.args`.
    pub arguments: Vec<Value>,
}

impl OdooError {
    /// An exception whose only argument is its message.
    pub fn new(exception: Exception, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exception, arguments: vec![Value::from(message.as_str())], message }
    }
    /// What the user did can't be done.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Exception::UserError, message)
    }
    /// What would be stored breaks a rule.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(Exception::ValidationError, message)
    }
    /// The caller may not do this.
    pub fn access(message: impl Into<String>) -> Self {
        Self::new(Exception::AccessError, message)
    }
    /// The paired Odoo names somebody who has not come from it yet.
    pub fn unknown_user(id: i64) -> Self {
        let message = format!("User {id} is not known here yet: send him by orest.pairing.sync_users and try again.");
        Self::new(Exception::UnknownUser, message)
    }
    /// Nobody known.
    pub fn access_denied() -> Self {
        Self::new(Exception::AccessDenied, "Access Denied")
    }
    /// A value that means nothing.
    pub fn value(message: impl Into<String>) -> Self {
        Self::new(Exception::ValueError, message)
    }
    /// A value of the wrong type, or arguments that do not fit.
    pub fn type_error(message: impl Into<String>) -> Self {
        Self::new(Exception::TypeError, message)
    }
    /// Arguments that are missing from a call, in Python's words; `title` is `Class.function()`.
    pub fn missing_arguments(title: &str, names: &[&str]) -> Self {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let list = match quoted.split_last() {
            None => String::new(),
            Some((last, [])) => last.clone(),
            Some((last, [one])) => format!("{one} and {last}"),
            Some((last, many)) => format!("{}, and {last}", many.join(", ")),
        };
        let (count, plural) = (names.len(), if names.len() == 1 { "" } else { "s" });
        Self::type_error(format!("{title} missing {count} required positional argument{plural}: {list}"))
    }
    /// What a service function refused with; `uid` is the caller.
    pub fn of_service(error: &Error, uid: i64) -> Self {
        match error {
            Error::Unauthenticated => Self::access_denied(),
            Error::Forbidden(message) => Self::access(message.as_str()),
            Error::NotFound { model, id } => Self::missing(model, *id, uid),
            Error::Invalid { message, .. } | Error::Conflict(message) => Self::validation(message.as_str()),
            Error::RateLimited { .. } => {
                Self::new(Exception::AccessDenied, "Too many login failures, please wait a bit before trying again.")
            }
            Error::Unavailable => {
                Self::new(Exception::OperationalError, "the service can't reach its database; try again")
            }
            // Not words that let Odoo try the whole request again by itself: it may be done, or is.
            Error::Undecided => Self::unsettled(&error.to_string(), json!({"undecided": true})),
            Error::Unconfirmed { nodes, .. } => {
                Self::unsettled(&Unconfirmed::explain(nodes), json!({"unconfirmed": unconfirmed_json(nodes)}))
            }
            Error::Internal => Self::new(Exception::Exception, "internal error; the server's log says more"),
        }
    }
    /// What is done, or may be: a second argument tells programs that nothing is to be done again.
    fn unsettled(message: &str, detail: Value) -> Self {
        let mut error = Self::user(sentence(message));
        error.arguments.push(detail);
        error
    }
    /// A record that is not there; `uid` is the caller.
    pub fn missing(model: &str, id: i64, uid: i64) -> Self {
        Self::new(
            Exception::MissingError,
            format!("Record does not exist or has been deleted.\n(Record: {model}({id},), User: {uid})"),
        )
    }
}

/// The nodes that may still accept what was revoked, and by when each must have stopped.
pub fn unconfirmed_json(nodes: &[Unconfirmed]) -> Value {
    nodes.iter().map(|own| json!({"node": own.node, "until": own.until.format(DATETIME).to_string()})).collect()
}

/// A message of the service's as a sentence.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
