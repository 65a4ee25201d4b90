//! A node's own line to PostgreSQL, beside the connections that read and write: by it the node renews its lease, hears of
//! others' changes at once, and asks how far the feed is. Asynchronous, and nothing else ever waits in it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::sync::{Notify, OnceCell, mpsc};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{AsyncMessage, Client, Connection, Row, Statement};

use super::changes::Position;
use super::error::StoreError;
use super::nodes::Member;
use super::postgres::{Place, PostgresUrl, Tls, chain, prepare};

/// Where nodes tell what they have committed.
pub const CHANGE_CHANNEL: &str = "orest_change";
/// Where nodes tell what they have applied.
pub const APPLIED_CHANNEL: &str = "orest_applied";

/// Takes in what is heard on a line, channel and payload, at once. Says whether the feed must be read for it.
pub type Ear = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// How a line is listened to.
#[derive(Clone, Copy)]
pub struct Listening<'a> {
    /// Who hears.
    pub ear: &'a Ear,
    /// That anything is heard is tried first, by this name.
    pub prove: Option<&'a str>,
}

/// A line that is open.
pub struct Link {
    client: Client,
    statements: Statements,
    driver: JoinHandle<()>,
    /// Told when a notification of another connection has come.
    proof: Arc<Notify>,
    /// Why it has ended.
    ended: Arc<OnceLock<String>>,
}

/// A statement that is said again and again, in one round trip each time but the first.
struct Repeated {
    sql: &'static str,
    prepared: OnceCell<Statement>,
}

impl Repeated {
    const fn new(sql: &'static str) -> Self {
        Self { sql, prepared: OnceCell::const_new() }
    }

    /// Not before it is needed: preparing it waits for who has locked its table.
    async fn prepared(&self, client: &Client) -> Result<&Statement, tokio_postgres::Error> {
        self.prepared.get_or_try_init(|| client.prepare(self.sql)).await
    }
}

struct Statements {
    renew: Repeated,
    position: Repeated,
    notify: Repeated,
    members: Repeated,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            renew: Repeated::new(
                "UPDATE orest_node SET renewals = renewals + 1, applied_sequence = $2, applied_tag = $3, \
                 renewed_at = now() AT TIME ZONE 'UTC' WHERE id = $1 \
                 RETURNING (SELECT sequence FROM orest_feed WHERE id = 1), (SELECT tag FROM orest_feed WHERE id = 1)",
            ),
            position: Repeated::new("SELECT sequence, tag FROM orest_feed WHERE id = 1"),
            notify: Repeated::new("SELECT pg_notify($1, $2)"),
            members: Repeated::new(
                "SELECT id, name, renewals, lease_ms, applied_sequence, applied_tag FROM orest_node",
            ),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A renewal that was answered must not be lost with the server, whatever its own default is: by the count before it another
/// node would take this one for silent, and wait for it no longer. Acknowledgements write nothing.
const SETTINGS: &str = "SET TIME ZONE 'UTC'; SET client_min_messages = warning; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; ";

/// What has become of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease is renewed, and the feed was there then.
    Renewed(Position),
    /// The node has no row any more.
    WrittenOff,
    /// The database answers, but does not write: its disk is full, it was set to read only, somebody holds a lock.
    Refused(String),
}

impl Link {
    /// Opens a line to the first of the servers that lets us in and takes writes, and listens. What comes by the channel says
    /// that the feed must be read; it is closed when the line ends. Each server has the URL's `connect_timeout`; then each
    /// statement has half of `patience`, so that there is time to ask something else.
    pub async fn open(
        url: &PostgresUrl,
        patience: Duration,
        listening: Listening<'_>,
    ) -> Result<(Self, mpsc::Receiver<()>), StoreError> {
        let opened = Self::connect(url, patience, listening).await?;
        if let Some(channel) = listening.prove {
            // By another connection: what a line says to itself is heard behind any pooler.
            let (other, _heard) = Self::connect(url, patience, Listening { prove: None, ..listening }).await?;
            let hears = async {
                let told = other.query(&other.statements.notify, &[&channel, &""]).await;
                told.map_err(|error| unavailable(&error))?;
                opened.0.proof.notified().await;
                Ok::<_, StoreError>(())
            };
            timeout(patience, hears).await.map_err(|_| {
                let text = "notifications don't arrive; a pooler between here and the database must keep a session for each \
                            connection (PgBouncer: pool_mode = session)";
                StoreError::Unavailable(text.to_owned())
            })??;
        }
        Ok(opened)
    }

    async fn connect(
        url: &PostgresUrl,
        patience: Duration,
        listening: Listening<'_>,
    ) -> Result<(Self, mpsc::Receiver<()>), StoreError> {
        let tls = url.tls()?;
        let mut refusals = Vec::new();
        for place in url.places() {
            match place {
                Place::Folder(path) => {
                    let opened = timeout(url.timeout(), async {
                        let stream = UnixStream::connect(&path).await.map_err(|error| error.to_string())?;
                        Self::enter(url, stream, "", &tls, patience, listening).await
                    });
                    match in_time(url, opened.await) {
                        Ok(opened) => return Ok(opened),
                        Err(error) => refusals.push(format!("{}: {error}", path.display())),
                    }
                }
                Place::Host { name, address, port } => {
                    let found: Result<Vec<SocketAddr>, String> = match address {
                        Some(address) => Ok(vec![(address, port).into()]),
                        None => {
                            let found = timeout(url.timeout(), lookup_host((name.as_str(), port))).await;
                            in_time(
                                url,
                                found.map(|found| found.map(Iterator::collect).map_err(|error| error.to_string())),
                            )
                        }
                    };
                    let addresses = found.unwrap_or_else(|error| {
                        refusals.push(format!("{name}: {error}"));
                        Vec::new()
                    });
                    for address in addresses {
                        let opened = timeout(url.timeout(), async {
                            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                            prepare(&stream).map_err(|error| error.to_string())?;
                            Self::enter(url, stream, &name, &tls, patience, listening).await
                        });
                        match in_time(url, opened.await) {
                            Ok(opened) => return Ok(opened),
                            Err(error) => refusals.push(format!("{address}: {error}")),
                        }
                    }
                }
            }
        }
        Err(url.nowhere(&refusals))
    }

    async fn enter<S>(
        url: &PostgresUrl,
        stream: S,
        host: &str,
        tls: &Tls,
        patience: Duration,
        Listening { ear, prove }: Listening<'_>,
    ) -> Result<(Self, mpsc::Receiver<()>), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake =
            MakeTlsConnect::<S>::make_tls_connect(&mut tls.clone(), host).map_err(|error| error.to_string())?;
        let (client, connection) = url.config().connect_raw(stream, handshake).await.map_err(|error| chain(&error))?;
        let (tell, to_read) = mpsc::channel(1);
        let proof = Arc::new(Notify::new());
        let proven = prove.map(|channel| (channel.to_owned(), Arc::clone(&proof)));
        let ended = Arc::<OnceLock<String>>::default();
        let driver = tokio::spawn(drive(connection, Arc::clone(ear), tell, proven, Arc::clone(&ended)));
        let milliseconds = (patience / 2).as_millis();
        let mut text = format!(
            "{SETTINGS} SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
             LISTEN {CHANGE_CHANNEL}; LISTEN {APPLIED_CHANNEL};"
        );
        if let Some(channel) = prove {
            text.push_str(&format!(" LISTEN \"{channel}\";"));
        }
        client.batch_execute(&text).await.map_err(|error| chain(&error))?;
        let standby = client.query_one("SELECT pg_is_in_recovery()", &[]).await.map_err(|error| chain(&error))?;
        if get(&standby, 0).map_err(|error| error.to_string())? {
            return Err("it is a standby, which takes no writes".to_owned());
        }
        Ok((Self { client, statements: Statements::default(), driver, proof, ended }, to_read))
    }

    async fn query(
        &self,
        statement: &Repeated,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.client.query(statement.prepared(&self.client).await?, parameters).await
    }

    /// Why the line has ended, if it has.
    pub fn ended(&self) -> String {
        self.ended.get().cloned().unwrap_or_else(|| "the database has hung up".to_owned())
    }

    /// Renews a node's lease and says where the feed was then.
    pub async fn renew(&self, id: &str, applied: &Position) -> Result<Renewal, StoreError> {
        let sequence = i64::try_from(applied.sequence).unwrap_or(i64::MAX);
        match self.query(&self.statements.renew, &[&id, &sequence, &applied.tag]).await.map(|mut rows| rows.pop()) {
            Ok(Some(row)) => position(&row).map(Renewal::Renewed),
            Ok(None) => Ok(Renewal::WrittenOff),
            Err(error) if is_refusal(&error) => Ok(Renewal::Refused(chain(&error))),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Where the feed is.
    pub async fn position(&self) -> Result<Position, StoreError> {
        let rows = self.query(&self.statements.position, &[]).await.map_err(|error| unavailable(&error))?;
        let none = || StoreError::Corrupt { table: "orest_feed", column: "id", id: 1 };
        position(rows.first().ok_or_else(none)?)
    }

    /// Tells the others what this node has applied. Where the database refuses that, they find it in its row.
    pub async fn acknowledge(&self, applied: &str) -> Result<(), StoreError> {
        match self.query(&self.statements.notify, &[&APPLIED_CHANNEL, &applied]).await {
            Err(error) if !is_refusal(&error) => Err(unavailable(&error)),
            _ => Ok(()),
        }
    }

    /// All nodes.
    pub async fn members(&self) -> Result<Vec<Member>, StoreError> {
        let rows = self.query(&self.statements.members, &[]).await.map_err(|error| unavailable(&error))?;
        let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
        let member = |row: &Row| {
            Ok(Member {
                id: get(row, 0)?,
                name: get(row, 1)?,
                renewals: get(row, 2)?,
                lease: Duration::from_millis(unsigned(get(row, 3)?)),
                applied: Position { sequence: unsigned(get(row, 4)?), tag: get(row, 5)? },
            })
        };
        rows.iter().map(member).collect()
    }

    /// Removes a node, if it has not renewed its lease since `renewals`; says whether it has. `None`: the database refuses that.
    pub async fn write_off(&self, id: &str, renewals: i64) -> Result<Option<bool>, StoreError> {
        const SQL: &str = "DELETE FROM orest_node WHERE id = $1 AND renewals = $2";
        match self.client.execute(SQL, &[&id, &renewals]).await {
            Ok(deleted) => Ok(Some(deleted > 0)),
            Err(error) if is_refusal(&error) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

fn in_time<T>(url: &PostgresUrl, outcome: Result<Result<T, String>, Elapsed>) -> Result<T, String> {
    outcome.unwrap_or_else(|_| Err(format!("no answer within {:?}", url.timeout())))
}

/// A column. One that can't be read is no reason to end.
fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| StoreError::Backend(chain(&error)))
}

fn position(row: &Row) -> Result<Position, StoreError> {
    let sequence: i64 = get(row, 0)?;
    let corrupt = |_| StoreError::Corrupt { table: "orest_feed", column: "sequence", id: 1 };
    Ok(Position { sequence: u64::try_from(sequence).map_err(corrupt)?, tag: get(row, 1)? })
}

async fn drive<S, T>(
    mut connection: Connection<S, T>,
    ear: Ear,
    tell: mpsc::Sender<()>,
    prove: Option<(String, Arc<Notify>)>,
    ended: Arc<OnceLock<String>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let message = match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                let _ = ended.set(chain(&error));
                return;
            }
            None => return,
        };
        let AsyncMessage::Notification(notification) = message else { continue };
        if let Some((channel, proof)) = &prove
            && channel == notification.channel()
        {
            proof.notify_one();
        }
        if ear(notification.channel(), notification.payload()) {
            // One that waits to be taken says the same.
            let _ = tell.try_send(());
        }
    }
}

/// Whether the database does not want to, but would answer something else. What it doesn't know any more of this line (a
/// prepared statement, or that it fits the tables) another line brings back.
fn is_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|complaint| {
        let forgotten = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED];
        complaint.parsed_severity() == Some(Severity::Error) && !forgotten.contains(complaint.code())
    })
}

fn unavailable(error: &tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(chain(error))
}
