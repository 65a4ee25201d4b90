//! The two databases behind one type, for Diesel.

#![allow(missing_docs, reason = "the derived code has none")]

use diesel::sqlite::SqliteConnection;

use super::postgres::PgConnection;

/// A connection to the database; [`super::Connection`] everywhere else. What has to be written differently for each is in
/// [`super::dialect`].
// In a module of its own, because the derived code has Diesel's trait `Connection` in scope.
#[derive(diesel::MultiConnection)]
#[expect(clippy::large_enum_variant, reason = "there are a handful, and the derive takes no box")]
pub enum AnyConnection {
    /// To a file of this process.
    Sqlite(SqliteConnection),
    /// To a server.
    Postgres(PgConnection),
}
