//! Brings a database to this version's schema. Both trees have the same names: a test holds them against each other.

use diesel::connection::SimpleConnection as _;
use diesel::migration::{MigrationConnection as _, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Backend, Connection, DatabaseUrl};
use super::error::StoreError;

/// The migrations of SQLite, in order.
pub const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// The migrations of PostgreSQL, in order.
pub const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The number of the lock that a migrating node holds: "orest" on a keypad with letters, and the year.
const LOCK: i64 = 673_782_026;

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
            migrator.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
            // The lock ends with the connection.
            migrate(url, &mut migrator)?;
            drop(migrator);
            url.connect_writer(false)
        }
    }
}

fn migrate(url: &DatabaseUrl, connection: &mut Connection) -> Result<(), StoreError> {
    connection.setup()?;
    let found = distance(connection)?;
    if let Some(newest) = found.ahead.last() {
        return Err(StoreError::Newer { database: url.to_string(), step: newest.clone() });
    }
    if found.behind > 0 {
        tracing::info!(database = %url, steps = found.behind, "bringing the database to this version's schema");
        let migrations = connection.migrations();
        let done = connection.run_pending_migrations(migrations);
        done.map_err(|error| StoreError::Backend(format!("migration: {error}")))?;
    }
    Ok(())
}
