//! What somebody must know of a database who looks why things don't work. Changes nothing in it.

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::connection::{Backend, DatabaseUrl};
use super::error::StoreError;
use super::pairing::{self, Pairing};
use super::schema::{orest_authorization as authorization, orest_revocation as revocation};
use super::{SQLITE_MIGRATIONS, users};
use crate::domain::time::Timestamp;
use crate::domain::user::Group;

/// Bytes of a database up to which it is looked through for damage: that reads all of it.
const LOOKED_THROUGH_MAX: u64 = 1 << 30;

/// What was found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its size in bytes.
    pub bytes: u64,
    /// Steps of the schema that this version has and the database does not.
    pub behind: usize,
    /// Whether it has steps that this version does not know.
    pub ahead: bool,
    /// Whether it was looked through for damage.
    pub looked_through: bool,
    /// The first damage that was found.
    pub damage: Option<String>,
    /// What is in it; `None` if its schema is another one.
    pub content: Option<Content>,
}

/// What is in a database.
#[derive(Clone, Debug)]
pub struct Content {
    /// Users, without the service's own.
    pub users: i64,
    /// Those of them who may administer, and sign in or act.
    pub administrators: usize,
    /// The pairing.
    pub pairing: Option<Pairing>,
    /// The latest moment that something was noted at.
    pub latest: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

/// Looks at a database that is there.
pub fn inspect(url: &DatabaseUrl) -> Result<Inspection, StoreError> {
    // What was written last is in a file beside it until there is time to put it in.
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|file| file.len());
    let beside = size(&url.path().with_extension("sqlite3-wal")).unwrap_or(0);
    let bytes = size(url.path()).map_err(|error| StoreError::Unavailable(error.to_string()))? + beside;
    let mut connection = url.connect_reader()?;
    let connection = &mut connection;
    let applied: Vec<Line> =
        diesel::sql_query("SELECT version AS text FROM __diesel_schema_migrations").load(connection)?;
    let known = MigrationSource::<Backend>::migrations(&SQLITE_MIGRATIONS)
        .map_err(|error| StoreError::Backend(format!("migrations: {error}")))?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let behind = known.iter().filter(|version| !applied.iter().any(|line| line.text == **version)).count();
    let ahead = applied.iter().any(|line| !known.contains(&line.text));
    let looked_through = bytes <= LOOKED_THROUGH_MAX;
    let damage = if looked_through {
        let found: Vec<Check> = diesel::sql_query("PRAGMA quick_check(1)").load(connection)?;
        found.into_iter().map(|check| check.quick_check).find(|text| text != "ok")
    } else {
        None
    };
    let content = if behind == 0 && !ahead && damage.is_none() { Some(content(connection)?) } else { None };
    Ok(Inspection { bytes, behind, ahead, looked_through, damage, content })
}

fn content(connection: &mut super::Connection) -> Result<Content, StoreError> {
    let pairing = pairing::find(connection)?;
    let granted: Option<Timestamp> = authorization::table
        .order(authorization::id.desc())
        .select(authorization::create_date)
        .first(connection)
        .optional()?;
    let revoked: Option<Timestamp> =
        revocation::table.order(revocation::id.desc()).select(revocation::create_date).first(connection).optional()?;
    let seen = pairing.as_ref().and_then(|pairing| pairing.last_seen_at);
    let own = crate::domain::ids::UserId(1);
    Ok(Content {
        users: users::count(connection)? - i64::from(users::find(connection, own)?.is_some()),
        administrators: users::list_acting_in(connection, Group::System)?.iter().filter(|id| **id != own.0).count(),
        latest: [granted, revoked, seen].into_iter().flatten().max(),
        pairing,
    })
}
