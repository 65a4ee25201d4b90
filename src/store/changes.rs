//! What a write changes of that which nodes keep in memory, and the feed by which the other nodes hear of it.
//!
//! Each change takes the next sequence number. Numbers are given out while the feed's row is locked, which every writing
//! transaction does first, so they are in the order of the commits and none is missing. Each has a random tag and names the
//! one before it: so two histories that have parted are told from each other, however long both are.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::link::CHANGE_CHANNEL;
use super::nodes::Member;
use super::pairing::{self, Pairing};
use super::revocations;
use super::schema::{orest_change as change, orest_feed as feed};
use super::sealing_keys;
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::revocation::Revocation;
use crate::domain::token::RegisteredKey;

/// What must be applied to the memory of every node after the commit; see [`super::Tx::announce`].
#[derive(Clone, Debug)]
pub enum Change {
    /// An act: a revocation or an undo.
    Revocation(Arc<Revocation>),
    /// A user has changed or is gone.
    User(UserId),
    /// Any user may have changed.
    Users,
    /// Some application or model scheme has changed or is gone.
    Applications,
    /// A device has changed or is gone.
    Device(DeviceId),
    /// The pairing with an Odoo is this one now, or none.
    Pairing(Option<Arc<Pairing>>),
    /// These sealing keys are in force now.
    Keys(Arc<[RegisteredKey]>),
}

impl Change {
    /// Whether `other` need not be announced where this is.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(own), Self::User(other)) => own == other,
            (Self::Device(own), Self::Device(other)) => own == other,
            (Self::Users, Self::User(_) | Self::Users) | (Self::Applications, Self::Applications) => true,
            _ => false,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Revocation(_) => "revocation",
            Self::User(_) => "user",
            Self::Users => "users",
            Self::Applications => "applications",
            Self::Device(_) => "device",
            Self::Pairing(_) => "pairing",
            Self::Keys(_) => "keys",
        }
    }

    const fn subject(&self) -> Option<i64> {
        match self {
            Self::User(id) => Some(id.0),
            Self::Device(id) => Some(id.0),
            Self::Revocation(_) | Self::Users | Self::Applications | Self::Pairing(_) | Self::Keys(_) => None,
        }
    }
}

/// A place in the order of commitment.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// How many changes there were.
    pub sequence: u64,
    /// The tag of the last one.
    pub tag: String,
}

/// A change, as this node has announced it.
#[derive(Clone, Debug)]
pub struct Announced {
    /// What.
    pub change: Change,
    /// Its place; `None` where there is no other node to be told.
    pub position: Option<Position>,
}

/// A change, as it is read from the feed.
#[derive(Clone, Debug)]
pub struct Read {
    /// What.
    pub change: Change,
    /// Its place.
    pub position: Position,
    /// The tag of the one before it.
    pub previous_tag: String,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = change, check_for_backend(Backend))]
struct Row {
    sequence: i64,
    kind: String,
    subject: Option<i64>,
    tag: String,
    previous_tag: String,
}

fn number(value: i64, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt { table: "orest_feed", column, id: 1 })
}

/// Where the feed is.
pub fn position(connection: &mut Connection) -> Result<Position, StoreError> {
    let (sequence, tag): (i64, String) = feed::table.find(1).select((feed::sequence, feed::tag)).first(connection)?;
    Ok(Position { sequence: number(sequence, "sequence")?, tag })
}

/// Adds a change to the feed, whose row this transaction holds. A revocation has taken its sequence number already.
///
/// For PostgreSQL alone, in one statement: every revocation waits for it.
pub fn insert(connection: &mut Connection, new: &Change) -> Result<Position, StoreError> {
    const SQL: &str = "WITH before AS (SELECT tag FROM orest_feed WHERE id = 1), \
         after AS (UPDATE orest_feed SET sequence = sequence + $1, tag = gen_random_uuid()::text WHERE id = 1 \
         RETURNING sequence, tag) \
         INSERT INTO orest_change (sequence, kind, subject, tag, previous_tag, create_date) \
         SELECT after.sequence, $2, $3, after.tag, before.tag, now() AT TIME ZONE 'UTC' FROM before, after \
         RETURNING sequence, tag";
    let counted = matches!(new, Change::Revocation(_));
    let placed: Placed = diesel::sql_query(SQL)
        .bind::<BigInt, _>(i64::from(!counted))
        .bind::<Text, _>(new.kind())
        .bind::<Nullable<BigInt>, _>(new.subject())
        .get_result(connection)?;
    let sequence = number(placed.sequence, "sequence")?;
    if let Change::Revocation(act) = new
        && act.sequence != sequence
    {
        return Err(StoreError::Backend("a revocation is announced before anything else takes a number".to_owned()));
    }
    Ok(Position { sequence, tag: placed.tag })
}

#[derive(QueryableByName)]
struct Placed {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    tag: String,
}

/// Tells the other nodes, as soon as this transaction is committed, that there are changes up to `last`, if it has any, by
/// `announcement` or by that number; and gives all nodes that there are. Who joins later reads the feed after that.
///
/// For PostgreSQL alone, in one statement.
pub fn close(
    connection: &mut Connection,
    last: Option<u64>,
    announcement: Option<String>,
) -> Result<Vec<Member>, StoreError> {
    // A commit with a notification fails where the server's queue of them is full, which anybody's forgotten listener can
    // bring about. Nodes find what nobody has told them.
    const TOLD: &str = "SELECT node.id, node.name, node.renewals, node.lease_ms, node.applied_tag, node.applied_sequence \
         FROM (SELECT CASE WHEN pg_notification_queue_usage() < 0.9 THEN pg_notify($1, $2) END) AS told \
         JOIN orest_node AS node ON true";
    const UNTOLD: &str = "SELECT id, name, renewals, lease_ms, applied_tag, applied_sequence FROM orest_node";
    let payload = last.map(|last| announcement.unwrap_or_else(|| last.to_string()));
    let rows: Vec<MemberRow> = match payload {
        Some(text) => diesel::sql_query(TOLD).bind::<Text, _>(CHANGE_CHANNEL).bind::<Text, _>(text).load(connection)?,
        None => diesel::sql_query(UNTOLD).load(connection)?,
    };
    Ok(rows.into_iter().map(Member::from).collect())
}

#[derive(QueryableByName)]
struct MemberRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    renewals: i64,
    #[diesel(sql_type = BigInt)]
    lease_ms: i64,
    #[diesel(sql_type = Text)]
    applied_tag: String,
    #[diesel(sql_type = BigInt)]
    applied_sequence: i64,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            id: row.id,
            name: row.name,
            renewals: row.renewals,
            lease: Duration::from_millis(unsigned(row.lease_ms)),
            applied: Position { sequence: unsigned(row.applied_sequence), tag: row.applied_tag },
        }
    }
}

/// The changes after a sequence number, in order, at most `limit`, and none behind one that is missing.
pub fn list_after(connection: &mut Connection, sequence: u64, limit: i64) -> Result<Vec<Read>, StoreError> {
    let after = i64::try_from(sequence).unwrap_or(i64::MAX);
    let mut rows: Vec<Row> = change::table
        .filter(change::sequence.gt(after))
        .order(change::sequence)
        .limit(limit)
        .select(Row::as_select())
        .load(connection)?;
    // Changes are purged, acts are not: those of the purged ones must not be taken for these.
    let first = rows.first().map_or(0, |row| row.sequence);
    let whole = rows.iter().zip(first..).take_while(|(row, sequence)| row.sequence == *sequence).count();
    rows.truncate(whole);
    let corrupt = |row: &Row, column| StoreError::Corrupt { table: "orest_change", column, id: row.sequence };
    let last = rows.last().map_or(0, |row| row.sequence);
    let mut acts = if rows.iter().any(|row| row.kind == "revocation") {
        let acts = revocations::list_after(connection, number(first, "sequence")?.saturating_sub(1), limit)?;
        acts.into_iter().filter(|act| i64::try_from(act.sequence).is_ok_and(|own| own <= last)).map(Arc::new).collect()
    } else {
        Vec::new()
    };
    acts.reverse();
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let subject = || row.subject.ok_or_else(|| corrupt(&row, "subject"));
        let change = match row.kind.as_str() {
            "revocation" => {
                let act = acts.pop().filter(|act| i64::try_from(act.sequence) == Ok(row.sequence));
                Change::Revocation(act.ok_or_else(|| corrupt(&row, "sequence"))?)
            }
            "user" => Change::User(UserId(subject()?)),
            "users" => Change::Users,
            "applications" => Change::Applications,
            "device" => Change::Device(DeviceId(subject()?)),
            // As it is by now: a later change of it is in the feed too.
            "pairing" => Change::Pairing(pairing::find(connection)?.map(Arc::new)),
            "keys" => Change::Keys(sealing_keys::list_in_force(connection)?.into()),
            _ => return Err(corrupt(&row, "kind")),
        };
        let sequence = u64::try_from(row.sequence).map_err(|_| corrupt(&row, "sequence"))?;
        changes.push(Read { change, position: Position { sequence, tag: row.tag }, previous_tag: row.previous_tag });
    }
    Ok(changes)
}

/// Removes changes of more than a day ago, by the database's clock; a node that has not applied them loads everything anew.
///
/// For PostgreSQL alone.
pub fn purge(connection: &mut Connection) -> Result<usize, StoreError> {
    const SQL: &str = "DELETE FROM orest_change WHERE create_date < now() AT TIME ZONE 'UTC' - interval '1 day'";
    Ok(diesel::sql_query(SQL).execute(connection)?)
}
