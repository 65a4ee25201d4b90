//! The one thread that writes. It takes all work that waits, runs each piece in a savepoint, and commits once:
//! concurrent refreshes and revocations share an fsync, and nobody ever sees the database busy.
//!
//! Of the nodes on one PostgreSQL each has such a thread, and the row of `orest_feed`, which each locks first, puts their
//! transactions one after the other: inside a write nothing else writes, there too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use diesel::connection::SimpleConnection as _;
use roaring::RoaringBitmap;
use tokio::sync::{oneshot, watch};

use super::changes::{self, Announced, Change, Position};
use super::connection::{Connection, DatabaseUrl};
use super::error::StoreError;
use super::hooks::{Commit, Hooks, Written};
use super::nodes::Member;
use super::postgres::transaction::{self, Fate, Ticket};
use crate::limits;

/// A write transaction.
pub struct Tx<'a> {
    /// The connection, inside the transaction.
    pub connection: &'a mut Connection,
    batch: &'a mut Batch,
}

/// What has been done in this transaction and is not yet true for the rest of the process.
#[derive(Default)]
struct Batch {
    changes: Vec<Announced>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
    revoked: RoaringBitmap,
    restored: RoaringBitmap,
    /// Whether the job that runs is to wait for the other nodes.
    waits: bool,
    /// Whether any job is.
    any_waits: bool,
    /// Where the feed is with these changes, and who follows it, if anybody is to be waited for.
    feed: Option<(Position, Vec<Member>)>,
}

impl Tx<'_> {
    /// Announces a change of what is kept in memory: it is applied on this node after the commit, in the order of the
    /// commits, before anybody is answered, and on every other node before the caller of this job is.
    pub fn announce(&mut self, change: Change) -> Result<(), StoreError> {
        self.batch.waits = true;
        if !self.batch.changes.iter().any(|known| known.change.covers(&change)) {
            let position = match self.connection {
                Connection::Sqlite(_) => None,
                Connection::Postgres(_) => Some(changes::insert(self.connection, &change)?),
            };
            self.batch.changes.push(Announced { change, position });
        }
        Ok(())
    }

    /// Lets the caller of this job wait until every node has applied what was committed up to now, though it changes
    /// nothing: it says that something is so because of a change that may still be on its way.
    pub fn rely(&mut self) {
        self.batch.waits = true;
    }

    /// Runs `effect` on this node alone after the commit, in the order of the commits, before anybody is answered. Not at
    /// all if it fails.
    pub fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.batch.after_commit.push(Box::new(effect));
    }

    /// Notes that these are revoked, for those who share the commit.
    pub fn note_revoked(&mut self, set: &RoaringBitmap) {
        self.batch.revoked |= set;
        self.batch.restored -= set;
    }

    /// Notes that these are live again, for those who share the commit.
    pub fn note_restored(&mut self, set: &RoaringBitmap) {
        self.batch.restored |= set;
        self.batch.revoked -= set;
    }

    /// What those who share the commit have revoked, and made live again, so far.
    pub fn noted(&self) -> (&RoaringBitmap, &RoaringBitmap) {
        (&self.batch.revoked, &self.batch.restored)
    }
}

trait Job: Send {
    /// Whether it had its turn. It has no second one.
    fn has_run(&self) -> bool;
    /// Whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// What it did can't be kept, although it thinks so.
    fn fail(&mut self, error: StoreError);
    /// Answers.
    fn finish(self: Box<Self>, outcome: Result<Option<&Arc<Commit>>, &StoreError>);
}

struct Work<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    waits: bool,
    reply: Reply<T, E>,
}

type Reply<T, E> = oneshot::Sender<Result<Written<T>, E>>;

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn has_run(&self) -> bool {
        self.work.is_none()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let work = self.work.take().expect("a job runs once");
        // A panic here must not take the writer along, nor leave half of its work.
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(StoreError::Backend("a write panicked".to_owned()).into()));
        self.waits = std::mem::take(&mut tx.batch.waits);
        tx.batch.any_waits |= self.waits;
        self.result.insert(result).is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error.into()));
    }

    fn finish(self: Box<Self>, outcome: Result<Option<&Arc<Commit>>, &StoreError>) {
        let result = match (self.result, outcome) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(commit)) => Ok(Written { value, commit: commit.filter(|_| self.waits).cloned() }),
            (_, Err(StoreError::Undecided(cause))) => Err(StoreError::Undecided(cause.clone()).into()),
            (_, Err(error)) => Err(StoreError::Unavailable(error.to_string()).into()),
            (None, Ok(_)) => Err(StoreError::Backend("a write did not run".to_owned()).into()),
        };
        // Nobody waits any more: the caller went away. What was committed stays.
        let _ = self.reply.send(result);
    }
}

/// The way to the thread.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    /// Closed when the thread has ended.
    lives: watch::Receiver<()>,
}

impl Writer {
    /// Starts the thread. It ends when the last handle is gone.
    pub(super) fn start(url: DatabaseUrl, connection: Connection, hooks: Arc<OnceLock<Arc<dyn Hooks>>>) -> Self {
        let (queue, jobs) = mpsc::channel();
        let thread = Thread { identity: url.identity(), url, connection, hooks };
        let (alive, lives) = watch::channel(());
        thread::Builder::new()
            .name("orest-writer".to_owned())
            .spawn(move || {
                let _alive = alive;
                thread.run(&jobs);
            })
            .expect("the system can start a thread, or nothing would work");
        Self { queue, lives }
    }

    /// Whether the thread has ended, by a mistake of ours: what it does between two jobs has panicked.
    pub(super) fn has_ended(&self) -> bool {
        self.lives.has_changed().is_err()
    }

    /// Waits until it has.
    pub(super) async fn ended(&self) {
        let mut lives = self.lives.clone();
        while lives.changed().await.is_ok() {}
    }

    pub(super) fn submit<F, T, E>(&self, work: F, reply: Reply<T, E>) -> Result<(), StoreError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.queue
            .send(Box::new(Work { work: Some(work), result: None, waits: false, reply }))
            .map_err(|_| StoreError::Unavailable("the writer has stopped".to_owned()))
    }
}

struct Thread {
    url: DatabaseUrl,
    identity: Option<(u64, u64)>,
    connection: Connection,
    hooks: Arc<OnceLock<Arc<dyn Hooks>>>,
}

/// Why a group was not committed, as far as is known.
enum Failure {
    /// Nothing of it holds.
    Undone(StoreError),
    /// Only the database knows: it was told to commit, and then nothing was heard.
    Unanswered(Box<Ticket>, StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Undone(error)
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Undone(error.into())
    }
}

impl Thread {
    fn run(mut self, jobs: &mpsc::Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(limits::WRITE_GROUP_MAX - 1));
            let left = self.commit(group);
            if !left.is_empty() {
                // The connection was lost before these had their turn. If the next one is too, the database is away.
                for job in self.commit(left) {
                    job.finish(Err(&StoreError::Unavailable("the connection to the database was lost".to_owned())));
                }
            }
        }
    }

    /// Commits a group and answers. Gives back those that had no turn because the connection was lost.
    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let mut batch = Batch::default();
        let outcome = match self.reach().map_err(Failure::Undone).and_then(|()| self.try_commit(&mut group, &mut batch))
        {
            Err(Failure::Unanswered(ticket, error)) => self.learn(&ticket, error),
            Err(Failure::Undone(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        let Err(error) = outcome else {
            let commit = self.hooks.get().and_then(|hooks| hooks.committed(&batch.changes, batch.feed.take()));
            for effect in batch.after_commit {
                effect();
            }
            group.into_iter().for_each(|job| job.finish(Ok(commit.as_ref())));
            return Vec::new();
        };
        tracing::error!(%error, jobs = group.len(), "a commit failed");
        // Outside a transaction this fails, which is what we want to reach.
        let _ = self.connection.batch_execute("ROLLBACK");
        let (left, ended): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|job| !job.has_run() && self.connection.is_lost());
        ended.into_iter().for_each(|job| job.finish(Err(&error)));
        left
    }

    /// Makes sure that the database is where it was, or can be reached again.
    fn reach(&mut self) -> Result<(), StoreError> {
        if self.url.identity() != self.identity {
            let text = "the database file is gone or another one stands in its place";
            return Err(StoreError::Unavailable(text.to_owned()));
        }
        if self.connection.is_lost() {
            let history = self.connection.history().map(str::to_owned);
            self.connection = self.url.connect_writer(false)?;
            if let Some(hooks) = self.hooks.get()
                && self.connection.history() != history.as_deref()
            {
                hooks.another_server();
            }
            tracing::info!(database = %self.url, "connected again");
        }
        Ok(())
    }

    fn try_commit(&mut self, group: &mut [Box<dyn Job>], batch: &mut Batch) -> Result<(), Failure> {
        let connection = &mut self.connection;
        let ticket = match connection {
            Connection::Sqlite(connection) => {
                connection.batch_execute("BEGIN IMMEDIATE")?;
                None
            }
            Connection::Postgres(connection) => Some(transaction::begin(connection)?),
        };
        if let (Some(ticket), Some(hooks)) = (&ticket, self.hooks.get()) {
            hooks.begun(connection, &ticket.feed)?;
        }
        for job in group {
            run_in_savepoint(connection, job.as_mut(), batch)?;
        }
        if let (Some(ticket), true) = (&ticket, batch.any_waits) {
            let last = batch.changes.iter().rev().find_map(|announced| announced.position.clone());
            let announcement = self.hooks.get().and_then(|hooks| hooks.announcement(&ticket.feed, &batch.changes));
            let members = changes::close(connection, last.as_ref().map(|last| last.sequence), announcement)?;
            batch.feed = Some((last.unwrap_or_else(|| ticket.feed.clone()), members));
        }
        let committed = connection.batch_execute("COMMIT").map_err(StoreError::from);
        match (committed, ticket) {
            (Ok(()), _) => Ok(()),
            // The server said no, or it went before it could say anything.
            (Err(error @ StoreError::Unavailable(_)), Some(ticket)) => {
                Err(Failure::Unanswered(Box::new(ticket), error))
            }
            (Err(error), _) => Err(Failure::Undone(error)),
        }
    }

    /// Asks what has become of a transaction whose commit was not answered.
    fn learn(&mut self, ticket: &Ticket, error: StoreError) -> Result<(), StoreError> {
        let DatabaseUrl::Postgres(url) = &self.url else { return Err(error) };
        match transaction::learn(url, ticket) {
            Fate::Committed => {
                tracing::warn!(%error, "the connection was lost while committing; the database has committed");
                Ok(())
            }
            Fate::Undone => Err(error),
            Fate::Unknown => Err(StoreError::Undecided(error.to_string())),
        }
    }
}

fn run_in_savepoint(connection: &mut Connection, job: &mut dyn Job, batch: &mut Batch) -> Result<(), StoreError> {
    let (changes, effects) = (batch.changes.len(), batch.after_commit.len());
    let noted = (batch.revoked.clone(), batch.restored.clone());
    match connection {
        Connection::Sqlite(connection) => connection.batch_execute("SAVEPOINT job")?,
        Connection::Postgres(connection) => connection.savepoint("job"),
    }
    let mut keep = job.run(&mut Tx { connection, batch });
    if keep {
        let released = match connection {
            Connection::Sqlite(connection) => connection.batch_execute("RELEASE job"),
            Connection::Postgres(connection) => connection.release("job"),
        };
        match released {
            Ok(()) => {}
            Err(error) if connection.is_lost() => return Err(error.into()),
            Err(error) => {
                job.fail(error.into());
                keep = false;
            }
        }
    }
    if !keep {
        connection.batch_execute("ROLLBACK TO job; RELEASE job")?;
        batch.changes.truncate(changes);
        batch.after_commit.truncate(effects);
        (batch.revoked, batch.restored) = noted;
    }
    Ok(())
}
