//! Why a command could not do what it was asked.

use serde_json::Value;

use crate::cli::web::Silence;

/// The exit code of a command that could not be understood, as clap's own.
pub const WRONG_USAGE: u8 = 2;
/// The exit code of one that failed.
pub const FAILED: u8 = 1;

/// Why a command failed. Its text is for who typed it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is signed in, or his session has ended.
    #[error("invalid session")]
    InvalidSession,
    /// It lacks an option, or they don't go together.
    #[error("{0}")]
    Usage(String),
    /// The server said no.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code of the Admin API, the exception of Odoo's doors, or the number of JSON-RPC.
        code: String,
        /// Its text.
        message: String,
    },
    /// It is done, and some node has not confirmed it.
    #[error("{message}")]
    Unconfirmed {
        /// With `unconfirmed`, as receipts have it.
        receipt: Value,
        /// Its text.
        message: String,
    },
    /// It may have been done, or not: not to be done again before somebody has looked.
    #[error("{0}")]
    Undecided(String),
    /// The server did not answer, or nothing that can be understood.
    #[error("{0}")]
    NoAnswer(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Of what `url` did not answer.
    pub fn silence(url: &str, silence: &Silence) -> Self {
        Self::NoAnswer(format!("{url}: {}; {}", silence.cause, silence.advice))
    }

    /// Whether the server refused with this code.
    pub fn is_refusal(&self, expect: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == expect)
    }

    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => WRONG_USAGE,
            Self::InvalidSession
            | Self::Refused { .. }
            | Self::Unconfirmed { .. }
            | Self::Undecided(_)
            | Self::NoAnswer(_)
            | Self::Other(_) => FAILED,
        }
    }

    /// What may help.
    pub const fn suggestion(&self) -> Option<&'static str> {
        match self {
            Self::InvalidSession => Some("orest login"),
            Self::Usage(_)
            | Self::Refused { .. }
            | Self::Unconfirmed { .. }
            | Self::Undecided(_)
            | Self::NoAnswer(_)
            | Self::Other(_) => None,
        }
    }
}
