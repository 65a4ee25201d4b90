//! What a service function can refuse with. Closed: each transport renders every one of these in its door's language.

use std::time::Duration;

use crate::domain::revocation::Unconfirmed;
use crate::domain::token::NoSealingKey;
use crate::store::{Constraint, StoreError};

/// Why it was not done. Nothing of it was, but for [`Error::Unconfirmed`], and perhaps [`Error::Undecided`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody known, or not who he says.
    #[error("the credentials are wrong")]
    Unauthenticated,
    /// Known, but may not.
    #[error("{0}")]
    Forbidden(String),
    /// What it was aimed at is not there, or not for this caller's eyes.
    #[error("{model} {id} does not exist")]
    NotFound {
        /// Odoo's name of the model.
        model: &'static str,
        /// Which.
        id: i64,
    },
    /// A value that can't be; the message says what to do.
    #[error("{message}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why, and what instead.
        message: String,
    },
    /// It clashes with what is there, or what is there has changed.
    #[error("{0}")]
    Conflict(String),
    /// Too many tries.
    #[error("too many login failures, please wait a bit before trying again")]
    RateLimited {
        /// How long.
        retry_after: Duration,
    },
    /// The database can't answer now. Says nothing of tokens or records.
    #[error("the service can't reach its database; try again")]
    Unavailable,
    /// The database went away while it stored this, and can't be asked whether it has. To be looked at before it is done again.
    #[error("the database was lost while it stored this: it may have been done; look before you do it again")]
    Undecided,
    /// It is done and stored, but some node has not confirmed that it knows: to be called again, or waited out.
    #[error("{}", Unconfirmed::explain(.nodes))]
    Unconfirmed {
        /// Which nodes, and until when each may act on what was before.
        nodes: Vec<Unconfirmed>,
        /// How long until none does.
        retry_after: Duration,
    },
    /// A mistake of ours. The log has it.
    #[error("internal error")]
    Internal,
}

impl Error {
    /// A value that can't be.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}

impl From<NoSealingKey> for Error {
    fn from(_: NoSealingKey) -> Self {
        // The log was told when the key went; other nodes may have one.
        Self::Unavailable
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, "the database is unavailable");
                Self::Unavailable
            }
            StoreError::Undecided(_) => {
                tracing::error!(%error, "the outcome of a commit is unknown");
                Self::Undecided
            }
            StoreError::Conflict { constraint, kind } => Self::Conflict(match kind {
                Constraint::Unique => format!("there is one already ({constraint})"),
                Constraint::ForeignKey => "it refers to what does not exist, or something refers to it".to_owned(),
                Constraint::NotNull => format!("a value is missing ({constraint})"),
                Constraint::Check => format!("a value is out of its bounds ({constraint})"),
            }),
            StoreError::Corrupt { .. }
            | StoreError::Newer { .. }
            | StoreError::Older { .. }
            | StoreError::Unfinished { .. }
            | StoreError::Backend(_) => {
                tracing::error!(%error, "the store failed");
                Self::Internal
            }
        }
    }
}
