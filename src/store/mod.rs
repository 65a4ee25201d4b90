//! The database, through Diesel. Nothing outside knows of either.
//!
//! [`Store::read`] runs a closure on one of a few reading connections, [`Store::write`] hands one to the single writer,
//! which commits many at once. Both wait on threads that may block, never on the asynchronous runtime's own.

pub mod app_services;
pub mod applications;
pub mod authorizations;
pub mod changes;
pub mod codes;
pub mod connection;
pub mod demo;
pub mod devices;
pub mod dialect;
pub mod error;
pub mod forms;
pub mod group;
pub mod hooks;
pub mod inspect;
pub mod link;
pub mod migrations;
mod moment;
pub mod multi;
pub mod nodes;
pub mod pairing;
pub mod password_failures;
pub mod postgres;
pub mod read;
mod readers;
pub mod records;
pub mod revocations;
pub mod schema;
pub mod sealing_keys;
pub mod search;
pub mod sessions;
pub mod sql;
mod sqlite;
pub mod tickets;
pub mod transfer;
pub mod users;
mod writer;

use std::sync::{Arc, OnceLock};

use diesel::connection::SimpleConnection as _;
use tokio::sync::{Semaphore, oneshot};

use crate::limits;

pub use connection::{Claim, ClaimError, Connection, DatabaseUrl, Server};
pub use error::{Constraint, StoreError};
use hooks::{Hooks, Written};
pub use writer::Tx;

/// The database. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    readers: readers::Readers,
    permits: Arc<Semaphore>,
    writer: writer::Writer,
    hooks: Arc<OnceLock<Arc<dyn Hooks>>>,
    url: DatabaseUrl,
}

/// Reads with a connection of its own, so that it waits for nobody else's queries; one thing at a time.
#[derive(Clone)]
pub struct Reader {
    readers: readers::Readers,
    permit: Arc<Semaphore>,
}

impl Reader {
    /// Runs `work` in a snapshot of the database.
    pub async fn read<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // Who does not wait any longer leaves a query behind, which ends by itself; the next one comes after it.
        read_within(&self.permit, &self.readers, work).await
    }
}

impl Store {
    /// Opens the database, makes it if it is a file that is not there, and brings it to this version's schema.
    /// Blocks: call it before the runtime serves.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::over(url, migrations::run(url)?)
    }

    /// Opens a database that is of this version, for commands: a server that runs may be of an earlier one. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Older`]: it is not; nothing of it is changed.
    pub fn open_current(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::over(url, migrations::check(url)?)
    }

    fn over(url: &DatabaseUrl, mut connection: Connection) -> Result<Self, StoreError> {
        if let Some(source_database) = transfer::unfinished(&mut connection)? {
            return Err(StoreError::Unfinished { source_database });
        }
        let hooks = Arc::new(OnceLock::new());
        Ok(Self {
            readers: readers::Readers::new(url.clone()),
            permits: Arc::new(Semaphore::new(limits::READERS)),
            writer: writer::Writer::start(url.clone(), connection, Arc::clone(&hooks)),
            hooks,
            url: url.clone(),
        })
    }

    /// Where it is, if that is PostgreSQL.
    pub const fn postgres(&self) -> Option<&postgres::PostgresUrl> {
        match &self.url {
            DatabaseUrl::Sqlite(_) => None,
            DatabaseUrl::Postgres(url) => Some(url),
        }
    }

    /// Whether anything can still be written. If not, no more than by a new process.
    pub fn can_write(&self) -> bool {
        !self.writer.has_ended()
    }

    /// Waits until nothing can be written any more: memory may then lack what was committed last.
    pub async fn writer_ended(&self) {
        self.writer.ended().await;
    }

    /// A way to read that nobody else shares, each of whose queries is answered within this time or not at all.
    pub fn reader(&self, within: std::time::Duration) -> Reader {
        Reader { readers: readers::Readers::within(self.url.clone(), within), permit: Arc::new(Semaphore::new(1)) }
    }

    /// Brings what is committed into the database's file, if it is one, so that a copy of that file alone is whole. For who
    /// stops: whatever is written afterwards stands beside it again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: somebody else is reading it, for longer than we wait.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        let url = self.url.clone();
        let done = tokio::task::spawn_blocking(move || url.checkpoint()).await;
        done.map_err(|_| StoreError::Backend("a checkpoint panicked".to_owned()))?
    }

    /// Lets the writer tell of its commits; to be called once.
    pub fn set_hooks(&self, hooks: Arc<dyn Hooks>) {
        assert!(self.hooks.set(hooks).is_ok(), "a store serves one service");
    }

    /// Runs `work` in a snapshot of the database.
    pub async fn read<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        read_within(&self.permits, &self.readers, work).await
    }

    /// Runs `work` in a write transaction. It is committed when this returns `Ok`; when it returns `Err` nothing of it is.
    /// Others' work may share the commit but sees none of a failed one.
    ///
    /// Does not wait for the other nodes: services call [`crate::service::Service::write`], which does.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Ok(self.write_noted(work).await?.value)
    }

    /// As [`Self::write`], with what is then to be waited for.
    pub async fn write_noted<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Written<T>, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.writer.submit(work, reply)?;
        // It ended with this in hand.
        answer.await.map_err(|_| StoreError::Undecided("the writer has stopped".to_owned()))?
    }
}

async fn read_within<T, E>(
    permits: &Arc<Semaphore>,
    readers: &readers::Readers,
    work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
    let readers = readers.clone();
    let result = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut connection = readers.take()?;
        let result = snapshot(&mut connection, work);
        readers.give_back(connection);
        result
    })
    .await;
    result.map_err(|_| StoreError::Backend("a query panicked".to_owned()))?
}

fn snapshot<T, E: From<StoreError>>(
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    match connection {
        Connection::Sqlite(connection) => connection.batch_execute("BEGIN").map_err(StoreError::from)?,
        Connection::Postgres(connection) => connection.begin_snapshot(),
    }
    let result = work(connection);
    match connection {
        Connection::Sqlite(connection) => connection.batch_execute("ROLLBACK").map_err(StoreError::from)?,
        Connection::Postgres(connection) => connection.end_snapshot(),
    }
    result
}
