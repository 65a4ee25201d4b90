//! What can go wrong with the database. A row that is not there is `None`, not an error.

use diesel::result::{DatabaseErrorKind, Error as Diesel};

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, is locked by somebody else, or its disk is full. Try again later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// It was told to commit, and then nothing was heard: only the database knows whether it has.
    #[error("{0}; it can't be known now whether this has been done: look before you do it again")]
    Undecided(String),
    /// A unique index, a reference or a check refused; `constraint` is what the database says of it.
    #[error("a constraint refused: {constraint}")]
    Conflict {
        /// `table.column` of a unique index, `FOREIGN KEY`, or the text of a check.
        constraint: String,
        /// Which sort.
        kind: Constraint,
    },
    /// A row holds what we never write.
    #[error("{table}.{column} of row {id} can't be read back")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: i64,
    },
    /// The database has been brought to the schema of a newer version.
    #[error(
        "{database} was brought up to date by a newer orest (its step {step} is unknown here): run that version on all nodes, \
         or put the copy from before it back"
    )]
    Newer {
        /// Which.
        database: String,
        /// The first step that this version does not know.
        step: String,
    },
    /// The database is of an earlier version, and who asks is not the one to change that.
    #[error(
        "{database} is of an earlier version of orest: start `orest serve` of this version first, which brings it up to date"
    )]
    Older {
        /// Which.
        database: String,
    },
    /// Not everything is there yet.
    #[error(
        "the database holds a transfer from {source_database} that has not ended: run `orest transfer` again, with the same \
         --from and --to"
    )]
    Unfinished {
        /// Where it comes from, without a password.
        source_database: String,
    },
    /// A mistake of ours: a query that the database does not understand.
    #[error("the database refused a query: {0}")]
    Backend(String),
}

/// Which sort of constraint refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Such a row exists already.
    Unique,
    /// It refers to what does not exist, or something refers to it.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A value is out of its bounds.
    Check,
}

impl From<Diesel> for StoreError {
    fn from(error: Diesel) -> Self {
        let Diesel::DatabaseError(kind, information) = &error else {
            return Self::Backend(error.to_string());
        };
        let message = information.message();
        // PostgreSQL names it apart; SQLite: "UNIQUE constraint failed: res_users.login"
        let named = information.constraint_name();
        let constraint = named.unwrap_or_else(|| message.split_once("failed: ").map_or(message, |(_, rest)| rest));
        let conflict = |kind| Self::Conflict { constraint: constraint.to_owned(), kind };
        match kind {
            DatabaseErrorKind::UniqueViolation => conflict(Constraint::Unique),
            DatabaseErrorKind::ForeignKeyViolation => conflict(Constraint::ForeignKey),
            DatabaseErrorKind::NotNullViolation => conflict(Constraint::NotNull),
            DatabaseErrorKind::CheckViolation => conflict(Constraint::Check),
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(message.to_owned()),
            _ if is_unavailable(message) => Self::Unavailable(message.to_owned()),
            _ => Self::Backend(message.to_owned()),
        }
    }
}

/// Diesel has no kind for these; SQLite's own texts tell them.
fn is_unavailable(message: &str) -> bool {
    [
        "locked",
        "disk I/O error",
        "full",
        "unable to open",
        "readonly database",
        "not a database",
        "malformed",
        "interrupted",
    ]
    .iter()
    .any(|text| message.contains(text))
}
