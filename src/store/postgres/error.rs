//! What PostgreSQL complains about, as Diesel says it.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as Diesel};
use tokio_postgres::error::{DbError, SqlState};

/// A complaint of the server, with the constraint named as SQLite names it: `table.column`.
#[derive(Debug)]
struct Complaint {
    message: String,
    constraint: Option<String>,
}

impl DatabaseErrorInformation for Complaint {
    fn message(&self) -> &str {
        &self.message
    }

    fn details(&self) -> Option<&str> {
        None
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}

/// Nobody answers: the connection is of no use any more.
pub(super) fn lost(message: impl Into<String>) -> Diesel {
    Diesel::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(message.into()))
}

/// A text that is to be stored and can't be, said as SQLite says what a check refuses.
pub(super) fn nul() -> Diesel {
    let message = "a text can't have NUL (0x00) characters".to_owned();
    let constraint = Some(message.clone());
    Diesel::DatabaseError(DatabaseErrorKind::CheckViolation, Box::new(Complaint { message, constraint }))
}

/// What the server, or the way to it, complains about.
pub(super) fn complaint(error: &tokio_postgres::Error) -> Diesel {
    let Some(complaint) = error.as_db_error() else { return lost(chain(error)) };
    let constraint = constraint(complaint);
    // The detail repeats values of the row: it must not reach a log or a caller.
    let message = format!("{} (SQLSTATE {})", complaint.message(), complaint.code().code());
    Diesel::DatabaseError(kind(complaint.code()), Box::new(Complaint { message, constraint }))
}

/// An error and its causes: tokio-postgres itself says little more than "error connecting to server".
pub(in crate::store) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn kind(code: &SqlState) -> DatabaseErrorKind {
    match *code {
        SqlState::UNIQUE_VIOLATION => DatabaseErrorKind::UniqueViolation,
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => DatabaseErrorKind::ForeignKeyViolation,
        SqlState::NOT_NULL_VIOLATION => DatabaseErrorKind::NotNullViolation,
        SqlState::CHECK_VIOLATION | SqlState::CHARACTER_NOT_IN_REPERTOIRE => DatabaseErrorKind::CheckViolation,
        SqlState::READ_ONLY_SQL_TRANSACTION => DatabaseErrorKind::ReadOnlyTransaction,
        _ if is_unavailable(code.code()) => DatabaseErrorKind::UnableToSendCommand,
        _ => DatabaseErrorKind::Unknown,
    }
}

/// By the classes of appendix A of PostgreSQL's manual: what is not our mistake and may be over by the next attempt.
fn is_unavailable(code: &str) -> bool {
    // 08 connection, 28 sign-in, 40 rolled back, 53 out of something, 57 stopped by somebody, 58 the system
    matches!(code.get(..2), Some("08" | "28" | "40" | "53" | "57" | "58"))
        // a lock that did not come; idle in a transaction for too long; a database that is not there; damage
        || matches!(code, "55P03" | "25P03" | "25P04" | "3D000" | "XX001" | "XX002")
}

/// `table.column`, comma separated, of what refused.
fn constraint(complaint: &DbError) -> Option<String> {
    if *complaint.code() == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
        // NUL; everything else that a Rust text may hold can be stored.
        return Some("a text with a NUL".to_owned());
    }
    let table = complaint.table()?;
    match *complaint.code() {
        SqlState::UNIQUE_VIOLATION => {
            // "Key (user_id, cookie_hash)=(5, …) already exists", in the server's language
            let detail = complaint.detail()?;
            let (columns, _) = detail.split_once(")=(")?;
            let (_, columns) = columns.split_once('(')?;
            let columns: Vec<_> = columns.split(", ").map(|column| format!("{table}.{column}")).collect();
            Some(columns.join(", "))
        }
        SqlState::NOT_NULL_VIOLATION => Some(format!("{table}.{}", complaint.column()?)),
        SqlState::CHECK_VIOLATION => complaint.constraint().map(str::to_owned),
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => {
            Some("FOREIGN KEY constraint failed".to_owned())
        }
        _ => None,
    }
}
