//! What somebody must know of a database who looks why things don't work. Changes nothing in it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use super::connection::{Connection, DatabaseUrl};
use super::error::StoreError;
use super::migrations::{self, Distance};
use super::nodes::{self, Note, Roll};
use super::pairing::{self, Pairing};
use super::schema::{orest_authorization as authorization, orest_revocation as revocation};
use super::sealing_keys::{self, KeyRow};
use super::{transfer, users};
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
    /// How it is reached, if it is a server's.
    pub line: Option<Line>,
    /// From where something is being transferred into it, and not all is there yet.
    pub unfinished: Option<String>,
    /// What is in it; `None` if its schema is another one.
    pub content: Option<Content>,
}

/// The way to a server.
#[derive(Clone, Debug, QueryableByName)]
pub struct Line {
    /// Which version of PostgreSQL.
    #[diesel(sql_type = Text)]
    pub version: String,
    /// Whether it is encrypted.
    #[diesel(sql_type = Bool)]
    pub encrypted: bool,
    /// Whether it leaves no machine.
    #[diesel(sql_type = Bool)]
    pub local: bool,
    /// Whether every role of the server may connect to this database.
    #[diesel(sql_type = Bool)]
    pub open_to_all: bool,
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
    /// The sealing keys that it knows.
    pub sealing_keys: Vec<KeyRow>,
    /// What the nodes that serve it say of themselves; none on SQLite.
    pub nodes: Vec<Note>,
    /// How these stand; `None` on SQLite.
    pub roll: Option<Roll>,
}

#[derive(QueryableByName)]
struct Bytes {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

/// Looks at a database that is there.
pub fn inspect(url: &DatabaseUrl) -> Result<Inspection, StoreError> {
    let mut connection = url.connect_reader()?;
    let connection = &mut connection;
    let bytes = size(url, connection)?;
    let Distance { behind, ahead } = migrations::distance(connection)?;
    let ahead = !ahead.is_empty();
    // A server looks after its pages itself (data checksums, amcheck).
    let looked_through = url.path().is_some() && bytes <= LOOKED_THROUGH_MAX;
    let damage = if looked_through {
        let found: Vec<Check> = diesel::sql_query("PRAGMA quick_check(1)").load(connection)?;
        found.into_iter().map(|check| check.quick_check).find(|text| text != "ok")
    } else {
        None
    };
    let line = url.path().is_none().then(|| diesel::sql_query(LINE).get_result(connection)).transpose()?;
    let fits = behind == 0 && !ahead && damage.is_none();
    let unfinished = if fits { transfer::unfinished(connection)? } else { None };
    let content = if fits && unfinished.is_none() { Some(content(connection, url.is_for_one_node())?) } else { None };
    Ok(Inspection { bytes, behind, ahead, looked_through, damage, line, unfinished, content })
}

/// How this very connection is.
const LINE: &str = "SELECT current_setting('server_version') AS version, ssl AS encrypted, \
     COALESCE(inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() = '::1', TRUE) AS local, \
     has_database_privilege('public', current_database(), 'CONNECT') AS open_to_all \
     FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

fn size(url: &DatabaseUrl, connection: &mut Connection) -> Result<u64, StoreError> {
    let Some(path) = url.path() else {
        let Bytes { bytes } =
            diesel::sql_query("SELECT pg_database_size(current_database()) AS bytes").get_result(connection)?;
        return Ok(u64::try_from(bytes).unwrap_or(0));
    };
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|file| file.len());
    // What was written last is in a file beside it until there is time to put it in.
    let beside = size(&path.with_extension("sqlite3-wal")).unwrap_or(0);
    Ok(size(path).map_err(|error| StoreError::Unavailable(error.to_string()))? + beside)
}

fn content(connection: &mut Connection, for_one_node: bool) -> Result<Content, StoreError> {
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
        sealing_keys: sealing_keys::list(connection)?,
        nodes: nodes::list_notes(connection)?,
        roll: if for_one_node { None } else { Some(nodes::roll(connection)?) },
    })
}
