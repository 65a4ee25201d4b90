//! Transactions that write: one after the other, whichever node they are of, and none whose end is not known.

use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::{PgConnection, PostgresUrl, Session};
use crate::store::changes::Position;
use crate::store::error::StoreError;

/// How long it is asked what has become of a transaction.
const LEARN_WITHIN: Duration = Duration::from_secs(5);
const LEARN_EVERY: Duration = Duration::from_millis(50);

/// What a transaction is found again by.
#[derive(Clone, Debug)]
pub(in crate::store) struct Ticket {
    /// Where the feed is when it begins; nobody else moves it before it ends.
    pub feed: Position,
    id: String,
    history: String,
}

/// What has become of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Fate {
    /// It holds.
    Committed,
    /// Nothing of it holds.
    Undone,
    /// Nobody can tell, or not yet.
    Unknown,
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    tag: String,
    #[diesel(sql_type = Text)]
    id: String,
}

/// Begins, and waits for its turn.
pub(in crate::store) fn begin(connection: &mut PgConnection) -> Result<Ticket, StoreError> {
    const LOCK: &str = "SELECT sequence, tag, pg_current_xact_id()::text AS id FROM orest_feed WHERE id = 1 FOR UPDATE";
    // If BEGIN is refused, the lock goes with its own statement, and nothing has happened.
    connection.defer("BEGIN ISOLATION LEVEL READ COMMITTED");
    let Head { sequence, tag, id } = diesel::sql_query(LOCK).get_result(connection)?;
    let sequence =
        u64::try_from(sequence).map_err(|_| StoreError::Corrupt { table: "orest_feed", column: "sequence", id: 1 })?;
    Ok(Ticket { feed: Position { sequence, tag }, id, history: connection.history.clone() })
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
}

/// Asks the database what has become of a transaction whose connection was lost.
pub(in crate::store) fn learn(url: &PostgresUrl, ticket: &Ticket) -> Fate {
    let until = Instant::now() + LEARN_WITHIN;
    loop {
        match ask(url, ticket) {
            Ok(Some(fate)) => return fate,
            // The server's end of it is still at work, or the server is not there yet.
            Ok(None) | Err(_) if Instant::now() < until => pause(),
            Ok(None) | Err(_) => return Fate::Unknown,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that may block, between two attempts to reach a server")]
fn pause() {
    thread::sleep(LEARN_EVERY);
}

fn ask(url: &PostgresUrl, ticket: &Ticket) -> Result<Option<Fate>, StoreError> {
    let mut connection = url.connect(Session::Write)?;
    if connection.history != ticket.history {
        // Numbers of transactions begin anew where another server took over or an old copy was put back.
        return Ok(Some(Fate::Unknown));
    }
    let Status { status } = diesel::sql_query("SELECT pg_xact_status($1::xid8) AS status")
        .bind::<Text, _>(&ticket.id)
        .get_result(&mut connection)?;
    Ok(match status.as_deref() {
        Some("committed") => Some(Fate::Committed),
        Some("aborted") => Some(Fate::Undone),
        Some(_) => None,
        None => Some(Fate::Unknown),
    })
}
