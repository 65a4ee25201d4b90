//! The processes that serve this database, on PostgreSQL.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::changes::{self, Position};
use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::link::APPLIED_CHANNEL;
use super::schema::orest_node as node;
use crate::domain::time::Timestamp;

/// A node, as others must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Random, another one after each start.
    pub id: String,
    /// For people.
    pub name: String,
    /// How often it has renewed its lease.
    pub renewals: i64,
    /// How long its lease is.
    pub lease: Duration,
    /// Up to which change it has applied them all, as of its last renewal.
    pub applied: Position,
}

/// A node, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What others must know.
    pub member: Member,
    /// Where it listens.
    pub address: String,
    /// Its version.
    pub version: String,
    /// When it was started, by its own clock.
    pub started_at: Timestamp,
    /// When it renewed its lease last, by the database's clock.
    pub renewed_at: Timestamp,
}

#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = node, check_for_backend(Backend))]
struct Row {
    id: String,
    name: String,
    address: String,
    version: String,
    started_at: Timestamp,
    renewed_at: Timestamp,
    renewals: i64,
    lease_ms: i64,
    applied_tag: String,
    applied_sequence: i64,
}

impl From<Row> for Node {
    fn from(row: Row) -> Self {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            member: Member {
                id: row.id,
                name: row.name,
                renewals: row.renewals,
                lease: Duration::from_millis(unsigned(row.lease_ms)),
                applied: Position { sequence: unsigned(row.applied_sequence), tag: row.applied_tag },
            },
            address: row.address,
            version: row.version,
            started_at: row.started_at,
            renewed_at: row.renewed_at,
        }
    }
}

/// Adds a node. It must read the feed only after this is committed.
pub fn insert(connection: &mut Connection, new: &Node) -> Result<(), StoreError> {
    let row = Row {
        id: new.member.id.clone(),
        name: new.member.name.clone(),
        address: new.address.clone(),
        version: new.version.clone(),
        started_at: new.started_at,
        renewed_at: new.renewed_at,
        renewals: new.member.renewals,
        lease_ms: i64::try_from(new.member.lease.as_millis()).unwrap_or(i64::MAX),
        applied_tag: new.member.applied.tag.clone(),
        applied_sequence: i64::try_from(new.member.applied.sequence).unwrap_or(i64::MAX),
    };
    diesel::insert_into(node::table).values(row).execute(connection)?;
    Ok(())
}

/// All nodes, by name.
pub fn list(connection: &mut Connection) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<Row> = node::table.order((node::name, node::id)).select(Row::as_select()).load(connection)?;
    Ok(rows.into_iter().map(Node::from).collect())
}

/// The nodes as of one moment.
#[derive(Clone, Debug)]
pub struct Roll {
    /// Where the feed is.
    pub feed: Position,
    /// What the database takes for now.
    pub now: Timestamp,
    /// All of them, by name.
    pub nodes: Vec<Node>,
}

/// All nodes, and what they are measured by.
///
/// For PostgreSQL alone.
pub fn roll(connection: &mut Connection) -> Result<Roll, StoreError> {
    Ok(Roll { feed: changes::position(connection)?, now: now(connection)?, nodes: list(connection)? })
}

/// What a node says of itself that has nothing to do with its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// Where others reach it, as it says.
    pub address: String,
    /// What its `/ready` calls it.
    pub instance: String,
    /// The sealing keys that it has and that are in force.
    pub keys: Vec<u16>,
}

/// What the nodes say of themselves, by name.
pub fn list_notes(connection: &mut Connection) -> Result<Vec<Note>, StoreError> {
    let rows: Vec<(String, String, String, String)> = node::table
        .order((node::name, node::id))
        .select((node::name, node::address, node::instance, node::sealing_keys))
        .load(connection)?;
    let note = |(name, address, instance, keys): (String, String, String, String)| Note {
        name,
        address,
        instance,
        keys: keys.split(',').filter_map(|id| id.parse().ok()).collect(),
    };
    Ok(rows.into_iter().map(note).collect())
}

/// Notes what a node is called by `/ready`, and which keys it has; says whether there is such a node.
pub fn set_note(connection: &mut Connection, id: &str, instance: &str, keys: &[u16]) -> Result<bool, StoreError> {
    let keys = keys.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let columns = (node::instance.eq(instance), node::sealing_keys.eq(keys));
    Ok(diesel::update(node::table.find(id)).set(columns).execute(connection)? == 1)
}

/// A node that has renewed its lease within the last `seconds`, by the database's clock: its name.
///
/// For PostgreSQL alone.
pub fn find_renewed_within(connection: &mut Connection, seconds: i64) -> Result<Option<String>, StoreError> {
    let since = now(connection)? - chrono::TimeDelta::seconds(seconds);
    Ok(node::table.filter(node::renewed_at.gt(since)).select(node::name).first(connection).optional()?)
}

/// What the database takes for now, to the millisecond: what `renewed_at` is counted by.
///
/// For PostgreSQL alone.
pub fn now(connection: &mut Connection) -> Result<Timestamp, StoreError> {
    #[derive(QueryableByName)]
    struct Now {
        #[diesel(sql_type = diesel::sql_types::Timestamp)]
        now: Timestamp,
    }
    let row: Now = diesel::sql_query("SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now").get_result(connection)?;
    Ok(row.now)
}

/// Removes a node that has given its lease back. Those who wait for it on account of earlier commits are told what it has
/// `applied`, which is where the feed is in this transaction: it will never answer by what was before.
///
/// For PostgreSQL alone.
pub fn leave(connection: &mut Connection, id: &str, applied: Option<&str>) -> Result<(), StoreError> {
    diesel::delete(node::table.find(id)).execute(connection)?;
    if let Some(applied) = applied {
        diesel::sql_query("SELECT CASE WHEN pg_notification_queue_usage() < 0.9 THEN pg_notify($1, $2) END")
            .bind::<Text, _>(APPLIED_CHANNEL)
            .bind::<Text, _>(applied)
            .execute(connection)?;
    }
    Ok(())
}
