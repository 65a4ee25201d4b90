//! Brings a database to this version's schema. Both trees have the same names: a test holds them against each other.

use std::time::{Duration, Instant};

use diesel::migration::{MigrationConnection as _, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Backend, Connection, DatabaseUrl};
use super::error::StoreError;
use super::sql::Sql;
use crate::limits;

/// The migrations of SQLite, in order.
pub const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// The migrations of PostgreSQL, in order.
pub const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The number of the lock that a migrating node holds: "orest" on a keypad with letters, and the year.
const LOCK: i64 = 673_782_026;
/// How often it is looked whether it is free.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Connection {
    /// The migrations of this database.
    pub fn migrations(&self) -> EmbeddedMigrations {
        match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres(_) => POSTGRES,
        }
    }
}

/// How far a database's schema is from this version's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distance {
    /// Steps that this version has and the database does not.
    pub behind: usize,
    /// Steps that the database has and this version does not know, in order.
    pub ahead: Vec<String>,
}

#[derive(QueryableByName)]
struct Turn {
    #[diesel(sql_type = Bool)]
    mine: bool,
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Compares a database's schema with this version's.
pub fn distance(connection: &mut Connection) -> Result<Distance, StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Backend(format!("migrations: {error}"));
    let source = connection.migrations();
    let known = MigrationSource::<Backend>::migrations(&source).map_err(failed)?;
    let known: Vec<_> = known.iter().map(|step| step.name().version().to_string()).collect();
    let applied: Vec<Step> =
        diesel::sql_query("SELECT version FROM __diesel_schema_migrations ORDER BY version").load(connection)?;
    let behind = known.iter().filter(|known| !applied.iter().any(|step| step.version == **known)).count();
    let ahead = applied.into_iter().map(|step| step.version).filter(|version| !known.contains(version)).collect();
    Ok(Distance { behind, ahead })
}

/// What [`distance`] says; `None`: nothing of orest is in it yet.
fn distance_if_any(connection: &mut Connection) -> Result<Option<Distance>, StoreError> {
    let mut sql = Sql::new();
    sql.either(
        "SELECT COUNT(*) FROM sqlite_schema WHERE name = '__diesel_schema_migrations'",
        "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('__diesel_schema_migrations')",
    );
    let tables: i64 = sql.returning::<BigInt>().get_result(connection)?;
    if tables == 0 { Ok(None) } else { distance(connection).map(Some) }
}

fn refuse_newer(url: &DatabaseUrl, found: &Distance) -> Result<(), StoreError> {
    let newer = |step: &String| StoreError::Newer { database: url.to_string(), step: step.clone() };
    found.ahead.last().map(newer).map_or(Ok(()), Err)
}

/// The connection that is to write to a database which has this version's schema already.
pub(super) fn check(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    let mut connection = url.connect_writer(false)?;
    let found = distance_if_any(&mut connection)?;
    if let Some(found) = &found {
        refuse_newer(url, found)?;
    }
    if found.is_none_or(|found| found.behind > 0) {
        return Err(StoreError::Older { database: url.to_string() });
    }
    Ok(connection)
}

/// Brings the database to this version's schema and gives the connection that is to write. Of many nodes that start at once
/// one migrates and the others wait for it. A database of a newer version is refused.
pub(super) fn run(url: &DatabaseUrl) -> Result<Connection, StoreError> {
    match url {
        DatabaseUrl::Sqlite(_) => {
            let mut connection = url.connect_writer(true)?;
            migrate(url, &mut connection)?;
            Ok(connection)
        }
        DatabaseUrl::Postgres(_) => {
            let mut migrator = url.connect_migrator()?;
            if distance_if_any(&mut migrator)? != Some(Distance::default()) {
                take_turn(url, &mut migrator)?;
                // The lock ends with the connection.
                migrate(url, &mut migrator)?;
            }
            drop(migrator);
            url.connect_writer(false)
        }
    }
}

/// Waits until no other node migrates.
fn take_turn(url: &DatabaseUrl, connection: &mut Connection) -> Result<(), StoreError> {
    let until = Instant::now() + limits::MIGRATION_WAIT;
    let mut told = false;
    loop {
        let Turn { mine } =
            diesel::sql_query(format!("SELECT pg_try_advisory_lock({LOCK}) AS mine")).get_result(connection)?;
        if mine {
            return Ok(());
        }
        if Instant::now() > until {
            let text = format!("another node has been changing the schema of {url} for {:?}", limits::MIGRATION_WAIT);
            return Err(StoreError::Unavailable(text));
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!(database = %url, "waiting for another node's migration");
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that may block, while another node migrates")]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

fn migrate(url: &DatabaseUrl, connection: &mut Connection) -> Result<(), StoreError> {
    connection.setup()?;
    let found = distance(connection)?;
    refuse_newer(url, &found)?;
    if found.behind > 0 {
        tracing::info!(database = %url, steps = found.behind, "bringing the database to this version's schema");
        let migrations = connection.migrations();
        let done = connection.run_pending_migrations(migrations);
        done.map_err(|error| StoreError::Backend(format!("migration: {error}")))?;
    }
    Ok(())
}
