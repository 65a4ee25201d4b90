//! A connection to PostgreSQL for Diesel's synchronous queries, on tokio-postgres: pure Rust, TLS by rustls, and every
//! answer awaited until a deadline of our own (docs/adr/0006).

mod error;
mod row;
mod socket;
mod tls;
pub(super) mod transaction;
mod url;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use diesel::connection::{
    AnsiTransactionManager, CacheSize, Connection, Instrumentation, LoadConnection, SimpleConnection,
};
use diesel::expression::QueryMetadata;
use diesel::internal::derives::multiconnection::{ConnectionSealed, MultiConnectionHelper};
use diesel::migration::{CREATE_MIGRATIONS_TABLE, MigrationConnection};
use diesel::pg::{FailedToLookupTypeError, Pg, PgMetadataCacheKey, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{Query, QueryBuilder as _, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::sql_types::TypeMetadata;
use diesel::{ConnectionResult, QueryResult};
use tokio_postgres::types::{IsNull, ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Row, SimpleQueryMessage, Statement};

pub(super) use error::chain;
pub use row::{PgField, PgRow, PgRows};
use socket::Socket;
pub use tls::Tls;
pub use url::PostgresUrl;
pub(super) use url::{Place, prepare};

type Wire = tokio_postgres::Connection<Socket, tls::Encrypted<Socket>>;

/// The oldest server that has all we ask for.
const VERSION_MIN: u32 = 14;
/// How much longer the server is waited for than it gives itself, where that is short.
const GRACE: Duration = Duration::from_millis(500);
/// Prepared statements that one connection keeps; the typed queries are fewer.
const STATEMENTS_MAX: usize = 500;

/// What a connection is for; its bounds follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Reads snapshots.
    Read,
    /// Writes. It must not hold what others wait for, even if this process is stopped in the middle.
    Write,
    /// Changes the schema, as long as that takes.
    Migrate,
}

impl Session {
    fn settings(self) -> &'static str {
        match self {
            // Room to count groups side by side: with the usual 4 MB a million records are sorted on disk instead. Machine code is
            // made for queries that take minutes.
            Self::Read => {
                "SET statement_timeout = '60s'; SET default_transaction_read_only = on; SET work_mem = '64MB'; SET jit = off;"
            }
            Self::Write => {
                "SET statement_timeout = '10s'; SET lock_timeout = '10s'; \
                 SET idle_in_transaction_session_timeout = '1s';"
            }
            Self::Migrate => "SET statement_timeout = 0; SET lock_timeout = 0;",
        }
    }

    /// A little more than the server gives itself: it had better be the one to complain.
    fn answers_within(self) -> Duration {
        match self {
            Self::Read => Duration::from_secs(65),
            Self::Write => Duration::from_secs(15),
            Self::Migrate => Duration::from_secs(3600),
        }
    }
}

/// Times are UTC and texts are ours to read; and a commit that was reported is on disk, whatever the server's own default
/// is (one that waits for a standby is left as it is).
const SETTINGS: &str = "SET TIME ZONE 'UTC'; SET datestyle = 'ISO, YMD'; SET client_min_messages = warning; SET standard_conforming_strings = on; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
     SELECT current_setting('server_version_num'), pg_is_in_recovery()::text, CASE WHEN NOT pg_is_in_recovery() THEN \
     (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) END;";

/// A connection to PostgreSQL.
pub struct PgConnection {
    socket: Socket,
    /// `None` only while it is dropped.
    client: Option<Client>,
    wire: Wire,
    /// Sent ahead of the next request, in the same packet.
    deferred: String,
    /// Whether it is of no use any more.
    lost: bool,
    /// Whether the server has refused a statement since the last savepoint.
    refused: bool,
    /// Which server's, and which of its lives (its timeline): another one knows other transactions by the same numbers.
    history: String,
    answers_within: Duration,
    statements: HashMap<Key, Statement>,
    transaction: AnsiTransactionManager,
    instrumentation: Box<dyn Instrumentation>,
}

/// What a prepared statement is found by.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Query(TypeId),
    Text(String),
}

impl PgConnection {
    fn prepare(socket: Socket, client: Client, wire: Wire, session: Session) -> Result<Self, String> {
        let mut connection = Self {
            socket,
            client: Some(client),
            wire,
            deferred: String::new(),
            lost: false,
            refused: false,
            history: String::new(),
            answers_within: session.answers_within(),
            statements: HashMap::new(),
            transaction: AnsiTransactionManager::default(),
            instrumentation: Box::new(NoInstrumentation),
        };
        let text = format!("{SETTINGS} {}", session.settings());
        let messages = connection
            .run(async |client| client.simple_query(&text).await)
            .map_err(|error| format!("its settings: {error}"))?;
        let row = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.len() == 3 => Some(row),
            _ => None,
        });
        let version = row.and_then(|row| row.get(0)?.parse::<u32>().ok()).unwrap_or(0) / 10_000;
        if version < VERSION_MIN {
            return Err(format!("it is PostgreSQL {version}, and orest needs {VERSION_MIN} or later"));
        }
        if row.and_then(|row| row.get(1)) != Some("false") {
            return Err("it is a standby, which takes no writes".to_owned());
        }
        connection.history = row.and_then(|row| row.get(2)).unwrap_or_default().to_owned();
        Ok(connection)
    }

    /// Sends this ahead of the next request, without a round trip of its own. Its error is the next request's. Only for
    /// what leaves the next request without effect if it fails, such as a savepoint.
    pub fn defer(&mut self, sql: &str) {
        if !self.deferred.is_empty() {
            self.deferred.push_str("; ");
        }
        self.deferred.push_str(sql);
    }

    /// Begins a savepoint, together with the next statement.
    pub fn savepoint(&mut self, name: &str) {
        self.refused = false;
        self.defer(&format!("SAVEPOINT {name}"));
    }

    /// Keeps what was done since, together with the next statement. After a refusal PostgreSQL keeps nothing of it: that has
    /// to come to light at once, and not when others would go down with it.
    pub fn release(&mut self, name: &str) -> QueryResult<()> {
        let sql = format!("RELEASE {name}");
        if self.refused {
            return self.batch_execute(&sql);
        }
        self.defer(&sql);
        Ok(())
    }

    /// From now on each request is answered within this time, or refused by the server, or the connection counts as lost.
    pub fn answer_within(&mut self, within: Duration) -> QueryResult<()> {
        self.batch_execute(&format!("SET statement_timeout = {}", within.as_millis()))?;
        self.answers_within = within + GRACE;
        Ok(())
    }

    /// Which server it is, and which of its lives.
    pub fn history(&self) -> &str {
        &self.history
    }

    /// Begins a snapshot, together with the next statement.
    pub fn begin_snapshot(&mut self) {
        self.defer("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    }

    /// Ends it, and waits for no answer: nothing can be wrong with it but that the connection is lost.
    pub fn end_snapshot(&mut self) {
        if !std::mem::take(&mut self.deferred).is_empty() || self.lost {
            return;
        }
        let Self { client, wire, .. } = self;
        let client = client.as_ref().expect("there until it is dropped");
        let mut context = Context::from_waker(std::task::Waker::noop());
        // Once it has been polled it is on its way; what is answered is thrown away.
        let _ = pin!(client.batch_execute("ROLLBACK")).poll(&mut context);
        self.lost = poll_wire(wire, &mut context).is_some();
    }

    /// Whether the server, or the way to it, is gone, as far as can be known without asking.
    pub fn is_lost(&mut self) -> bool {
        if !self.lost {
            let idle = self.poll_wire(&mut Context::from_waker(std::task::Waker::noop()));
            self.lost = idle.is_some();
        }
        self.lost
    }

    /// Drives the wire as far as it goes; `Some`: it has ended.
    fn poll_wire(&mut self, context: &mut Context<'_>) -> Option<String> {
        poll_wire(&mut self.wire, context)
    }

    /// Runs a request to its end or to the deadline.
    fn run<T, F>(&mut self, request: F) -> QueryResult<T>
    where
        F: AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    {
        if self.lost {
            return Err(error::lost("the connection is lost"));
        }
        let deferred = std::mem::take(&mut self.deferred);
        let Self { socket, client, wire, .. } = self;
        let client = client.as_ref().expect("there until it is dropped");
        let request = request(client);
        let future = async {
            if deferred.is_empty() {
                return request.await;
            }
            // Both are sent before the first is answered; PostgreSQL answers in order.
            let (first, second) = tokio::join!(biased; client.batch_execute(&deferred), request);
            first?;
            second
        };
        let mut future = pin!(future);
        let mut ended = None;
        let driven = std::future::poll_fn(|context| {
            if let Poll::Ready(result) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(result));
            }
            if ended.is_none() {
                ended = poll_wire(wire, context);
            }
            match (future.as_mut().poll(context), &ended) {
                (Poll::Ready(result), _) => Poll::Ready(Ok(result)),
                (Poll::Pending, Some(error)) => Poll::Ready(Err(error.clone())),
                (Poll::Pending, None) => Poll::Pending,
            }
        });
        let outcome = socket.run(self.answers_within, driven);
        self.lost = ended.is_some();
        self.refused |= !matches!(outcome, Ok(Some(Ok(Ok(_)))));
        match outcome {
            Ok(Some(Ok(Ok(value)))) => Ok(value),
            Ok(Some(Ok(Err(complaint)))) => {
                self.lost |= complaint.as_db_error().is_none();
                match ended {
                    // "connection closed" says less than why
                    Some(reason) if complaint.as_db_error().is_none() => Err(error::lost(reason)),
                    _ => Err(error::complaint(&complaint)),
                }
            }
            Ok(Some(Err(reason))) => Err(error::lost(reason)),
            Ok(None) => {
                self.lost = true;
                Err(error::lost(format!("no answer from the database within {:?}", self.answers_within)))
            }
            Err(failed) => {
                self.lost = true;
                Err(error::lost(failed.to_string()))
            }
        }
    }

    /// Runs a query and gives its rows.
    fn query<T: QueryFragment<Pg> + QueryId>(&mut self, source: &T) -> QueryResult<Vec<Row>> {
        let mut bound = Bound::of(source)?;
        if bound.has_nul() {
            if !sql(source)?.starts_with("SELECT ") {
                return Err(error::nul());
            }
            bound.forget_nul();
        }
        match self.statement(source, &bound)? {
            Some(statement) => self.run(async |client| {
                let rows = client.query_raw(&statement, bound.values.iter().map(|value| value as &dyn ToSql)).await?;
                collect(rows).await
            }),
            None => {
                let sql = sql(source)?;
                self.run(async |client| {
                    let rows =
                        client.query_typed_raw(&sql, bound.values.iter().zip(bound.types.iter().cloned())).await?;
                    collect(rows).await
                })
            }
        }
    }

    /// Runs a query and says how many rows it changed.
    fn execute<T: QueryFragment<Pg> + QueryId>(&mut self, source: &T) -> QueryResult<usize> {
        let bound = Bound::of(source)?;
        if bound.has_nul() {
            return Err(error::nul());
        }
        let count = match self.statement(source, &bound)? {
            Some(statement) => self.run(async |client| {
                client.execute_raw(&statement, bound.values.iter().map(|value| value as &dyn ToSql)).await
            }),
            None => {
                let sql = sql(source)?;
                let pairs: Vec<_> = bound
                    .values
                    .iter()
                    .zip(&bound.types)
                    .map(|(value, kind)| (value as &(dyn ToSql + Sync), kind.clone()))
                    .collect();
                self.run(async |client| client.execute_typed(&sql, &pairs).await)
            }
        }?;
        usize::try_from(count).map_err(|error| DieselError::DeserializationError(Box::new(error)))
    }

    /// The prepared statement of a query that is worth one.
    fn statement<T: QueryFragment<Pg> + QueryId>(
        &mut self,
        source: &T,
        bound: &Bound,
    ) -> QueryResult<Option<Statement>> {
        if !source.is_safe_to_cache_prepared(&Pg)? {
            return Ok(None);
        }
        let (key, text) = match T::query_id() {
            Some(id) => (Key::Query(id), None),
            None => {
                let text = sql(source)?;
                (Key::Text(text.clone()), Some(text))
            }
        };
        if let Some(statement) = self.statements.get(&key).filter(|statement| statement.params() == bound.types) {
            return Ok(Some(statement.clone()));
        }
        let text = text.map_or_else(|| sql(source), Ok)?;
        let statement = self.run(async |client| client.prepare_typed(&text, &bound.types).await)?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(key, statement.clone());
        Ok(Some(statement))
    }
}

impl Drop for PgConnection {
    fn drop(&mut self) {
        // Says goodbye, if there is room to; the server would complain of a connection that just ends.
        drop(self.client.take());
        if !self.lost {
            let _ = self.poll_wire(&mut Context::from_waker(std::task::Waker::noop()));
        }
    }
}

fn poll_wire(wire: &mut Wire, context: &mut Context<'_>) -> Option<String> {
    loop {
        match wire.poll_message(context) {
            Poll::Pending => return None,
            Poll::Ready(None) => return Some("the database has closed the connection".to_owned()),
            Poll::Ready(Some(Err(failed))) => return Some(error::chain(&failed)),
            Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                tracing::debug!(severity = notice.severity(), message = notice.message(), "the database says");
            }
            Poll::Ready(Some(Ok(_))) => {}
        }
    }
}

async fn collect(rows: tokio_postgres::RowStream) -> Result<Vec<Row>, tokio_postgres::Error> {
    use futures_util::TryStreamExt as _;
    rows.try_collect().await
}

fn sql<T: QueryFragment<Pg>>(source: &T) -> QueryResult<String> {
    let mut builder = PgQueryBuilder::default();
    source.to_sql(&mut builder, &Pg)?;
    Ok(builder.finish())
}

/// The parameters of a query.
struct Bound {
    values: Vec<Value>,
    types: Vec<Type>,
}

impl Bound {
    fn of<T: QueryFragment<Pg>>(source: &T) -> QueryResult<Self> {
        let mut collector = RawBytesBindCollector::<Pg>::new();
        source.collect_binds(&mut collector, &mut BuiltIn, &Pg)?;
        let kind = |metadata: &PgTypeMetadata| {
            let oid = metadata.oid().map_err(|error| DieselError::SerializationError(Box::new(error)))?;
            Type::from_oid(oid)
                .ok_or_else(|| DieselError::SerializationError(format!("type {oid} is not PostgreSQL's own").into()))
        };
        Ok(Self {
            types: collector.metadata.iter().map(kind).collect::<QueryResult<_>>()?,
            values: collector.binds.into_iter().map(Value).collect(),
        })
    }
}

impl Bound {
    fn is_nul((value, kind): (&Value, &Type)) -> bool {
        *kind == Type::TEXT && value.0.as_ref().is_some_and(|bytes| bytes.contains(&0))
    }

    /// Whether a text has a NUL, which no text in PostgreSQL can have.
    fn has_nul(&self) -> bool {
        self.values.iter().zip(&self.types).any(Self::is_nul)
    }

    /// Makes such texts no value: no row has them either.
    fn forget_nul(&mut self) {
        for (value, kind) in self.values.iter_mut().zip(&self.types) {
            if Self::is_nul((value, kind)) {
                value.0 = None;
            }
        }
    }
}

/// A parameter as Diesel has written it.
#[derive(Debug)]
struct Value(Option<Vec<u8>>);

impl ToSql for Value {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(bytes) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(kind, out)
    }
}

/// Knows the types that every PostgreSQL has, by their fixed numbers; we use no others.
pub struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let key = PgMetadataCacheKey::new(schema.map(|schema| schema.to_owned().into()), name.to_owned().into());
        PgTypeMetadata::from_result(Err(FailedToLookupTypeError::new(key)))
    }

    fn as_any<'a>(&mut self) -> &mut (dyn Any + 'a)
    where
        Self: 'a,
    {
        self
    }
}

struct NoInstrumentation;

impl Instrumentation for NoInstrumentation {
    fn on_connection_event(&mut self, _: diesel::connection::InstrumentationEvent<'_>) {}
}

impl ConnectionSealed for PgConnection {}

impl SimpleConnection for PgConnection {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.run(async |client| client.batch_execute(query).await)
    }
}

impl Connection for PgConnection {
    type Backend = Pg;
    type TransactionManager = AnsiTransactionManager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        Err(diesel::ConnectionError::BadConnection("connections are made by PostgresUrl::connect".to_owned()))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        self.execute(source)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transaction
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = Box::new(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}

impl LoadConnection for PgConnection {
    type Cursor<'conn, 'query> = PgRows;
    type Row<'conn, 'query> = PgRow;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        Ok(PgRows::new(self.query(&source)?))
    }
}

impl MigrationConnection for PgConnection {
    fn setup(&mut self) -> QueryResult<usize> {
        self.batch_execute(CREATE_MIGRATIONS_TABLE).map(|()| 0)
    }
}

impl MultiConnectionHelper for PgConnection {
    fn to_any<'a>(lookup: &mut <Pg as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        lookup.as_any()
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        lookup.downcast_mut::<BuiltIn>().map(|lookup| lookup as &mut dyn PgMetadataLookup)
    }
}
