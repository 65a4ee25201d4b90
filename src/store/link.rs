//! A node's own line to PostgreSQL, beside the connections that read and write: by it the node renews its lease, hears of
//! others' changes at once, and asks how far the feed is. Asynchronous, and nothing else ever waits in it.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Connection, Row};

use super::changes::{CHANNEL, Position};
use super::error::StoreError;
use super::nodes::Member;
use super::postgres::PostgresUrl;

/// Where nodes tell what they have applied: `node:sequence:tag`.
pub(super) const APPLIED_CHANNEL: &str = "orest_applied";

/// What a node tells there.
pub(super) fn applied_payload(id: &str, applied: &Position) -> String {
    format!("{id}:{}:{}", applied.sequence, applied.tag)
}

/// What is heard on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// There are changes up to this one.
    Changed(u64),
    /// This node has applied all changes up to this one.
    Applied(String, Position),
}

/// A line that is open.
pub struct Link {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Renewals and acknowledgements need not reach the disk: a lost one is as one that was never sent. That a row is there must;
/// rows are added elsewhere.
const SETTINGS: &str = "SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET synchronous_commit = off; ";

impl Link {
    /// Opens a line and listens. What is heard comes until the line is gone; then the channel is closed.
    pub async fn open(
        url: &PostgresUrl,
        patience: Duration,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Heard>), StoreError> {
        let opened = tokio::time::timeout(patience, Self::connect(url, patience)).await;
        opened.map_err(|_| StoreError::Unavailable(format!("no connection within {patience:?}")))?
    }

    async fn connect(
        url: &PostgresUrl,
        patience: Duration,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Heard>), StoreError> {
        let (client, connection) = url.config().connect(url.tls()?).await.map_err(|error| unavailable(&error))?;
        let (tell, heard) = mpsc::unbounded_channel();
        let link = Self { client, driver: tokio::spawn(drive(connection, tell)) };
        let milliseconds = patience.as_millis();
        let text = format!(
            "{SETTINGS} SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
             LISTEN {CHANNEL}; LISTEN {APPLIED_CHANNEL};"
        );
        link.client.batch_execute(&text).await.map_err(|error| unavailable(&error))?;
        let standby: bool = link.one("SELECT pg_is_in_recovery()", &[]).await?.get(0);
        if standby {
            return Err(StoreError::Unavailable("it is a standby, which takes no writes".to_owned()));
        }
        Ok((link, heard))
    }

    async fn one(&self, sql: &str, params: &[&(dyn tokio_postgres::types::ToSql + Sync)]) -> Result<Row, StoreError> {
        self.client.query_one(sql, params).await.map_err(|error| unavailable(&error))
    }

    /// Renews a node's lease and says where the feed was then; `None`: the node has been written off.
    pub async fn renew(&self, id: &str, applied: &Position) -> Result<Option<Position>, StoreError> {
        const SQL: &str = "UPDATE orest_node SET renewals = renewals + 1, applied_sequence = $2, applied_tag = $3, \
             renewed_at = now() AT TIME ZONE 'UTC' WHERE id = $1 \
             RETURNING (SELECT sequence FROM orest_feed WHERE id = 1), (SELECT tag FROM orest_feed WHERE id = 1)";
        let sequence = i64::try_from(applied.sequence).unwrap_or(i64::MAX);
        let row =
            self.client.query_opt(SQL, &[&id, &sequence, &applied.tag]).await.map_err(|error| unavailable(&error))?;
        row.as_ref().map(position).transpose()
    }

    /// Where the feed is.
    pub async fn position(&self) -> Result<Position, StoreError> {
        position(&self.one("SELECT sequence, tag FROM orest_feed WHERE id = 1", &[]).await?)
    }

    /// Tells the others what this node has applied.
    pub async fn acknowledge(&self, id: &str, applied: &Position) -> Result<(), StoreError> {
        let text = applied_payload(id, applied);
        self.one("SELECT pg_notify($1, $2)", &[&APPLIED_CHANNEL, &text.as_str()]).await.map(|_| ())
    }

    /// All nodes.
    pub async fn members(&self) -> Result<Vec<Member>, StoreError> {
        const SQL: &str = "SELECT id, name, renewals, lease_ms, applied_sequence, applied_tag FROM orest_node";
        let rows = self.client.query(SQL, &[]).await.map_err(|error| unavailable(&error))?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        let member = |row: &Row| Member {
            id: row.get(0),
            name: row.get(1),
            renewals: row.get(2),
            lease: Duration::from_millis(unsigned(row.get(3))),
            applied: Position { sequence: unsigned(row.get(4)), tag: row.get(5) },
        };
        Ok(rows.iter().map(member).collect())
    }

    /// Removes a node that has not renewed its lease since `renewals`.
    pub async fn write_off(&self, id: &str, renewals: i64) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM orest_node WHERE id = $1 AND renewals = $2";
        let deleted = self.client.execute(SQL, &[&id, &renewals]).await.map_err(|error| unavailable(&error))?;
        Ok(deleted > 0)
    }
}

fn position(row: &Row) -> Result<Position, StoreError> {
    let sequence: i64 = row.get(0);
    let corrupt = |_| StoreError::Corrupt { table: "orest_feed", column: "sequence", id: 1 };
    Ok(Position { sequence: u64::try_from(sequence).map_err(corrupt)?, tag: row.get(1) })
}

async fn drive<S, T>(mut connection: Connection<S, T>, tell: mpsc::UnboundedSender<Heard>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message
            && let Some(heard) = understand(notification.channel(), notification.payload())
            && tell.send(heard).is_err()
        {
            return;
        }
    }
}

fn understand(channel: &str, payload: &str) -> Option<Heard> {
    match channel {
        CHANNEL => payload.parse().ok().map(Heard::Changed),
        APPLIED_CHANNEL => {
            let (id, rest) = payload.split_once(':')?;
            let (sequence, tag) = rest.split_once(':')?;
            let applied = Position { sequence: sequence.parse().ok()?, tag: tag.to_owned() };
            Some(Heard::Applied(id.to_owned(), applied))
        }
        _ => None,
    }
}

fn unavailable(error: &tokio_postgres::Error) -> StoreError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    StoreError::Unavailable(text)
}
