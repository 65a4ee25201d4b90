//! The one thread that writes. It takes all work that waits, runs each piece in a savepoint, and commits once:
//! concurrent refreshes and revocations share an fsync, and nobody ever sees the database busy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use diesel::connection::SimpleConnection;
use roaring::RoaringBitmap;
use tokio::sync::oneshot;

use super::changes::Change;
use super::connection::{Connection, DatabaseUrl};
use super::error::StoreError;
use super::hooks::{Commit, Hooks, Written};
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
    changes: Vec<Change>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
    revoked: RoaringBitmap,
    restored: RoaringBitmap,
    /// Whether the job that runs is to wait for the other nodes.
    waits: bool,
}

impl Tx<'_> {
    /// Announces a change of what is kept in memory: it is applied on this node after the commit, in the order of the
    /// commits, before anybody is answered, and on every other node before the caller of this job is.
    pub fn announce(&mut self, change: Change) -> Result<(), StoreError> {
        self.batch.waits = true;
        if !self.batch.changes.iter().any(|known| known.covers(&change)) {
            self.batch.changes.push(change);
        }
        Ok(())
    }

    /// Lets the caller of this job wait until every node has applied what was committed up to now, though it changes
    /// nothing: it says that something is so because of a change that may still be on its way.
    pub fn rely(&mut self) {
        self.batch.waits = true;
    }

    /// Runs `effect` on this node alone after the commit, in the order of the commits, before anybody is answered. Not at all if it fails.
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
    /// Whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
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
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let work = self.work.take().expect("a job runs once");
        // A panic here must not take the writer along, nor leave half of its work.
        let result = catch_unwind(AssertUnwindSafe(|| work(tx)))
            .unwrap_or_else(|_| Err(StoreError::Backend("a write panicked".to_owned()).into()));
        self.waits = std::mem::take(&mut tx.batch.waits);
        self.result.insert(result).is_ok()
    }

    fn finish(self: Box<Self>, outcome: Result<Option<&Arc<Commit>>, &StoreError>) {
        let result = match (self.result, outcome) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(commit)) => Ok(Written { value, commit: commit.filter(|_| self.waits).cloned() }),
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
}

impl Writer {
    /// Starts the thread. It ends when the last handle is gone.
    pub(super) fn start(url: DatabaseUrl, connection: Connection, hooks: Arc<OnceLock<Arc<dyn Hooks>>>) -> Self {
        let (queue, jobs) = mpsc::channel();
        thread::Builder::new()
            .name("orest-writer".to_owned())
            .spawn(move || run(&url, connection, &jobs, &hooks))
            .expect("the system can start a thread, or nothing would work");
        Self { queue }
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

fn run(
    url: &DatabaseUrl,
    mut connection: Connection,
    jobs: &mpsc::Receiver<Box<dyn Job>>,
    hooks: &OnceLock<Arc<dyn Hooks>>,
) {
    let identity = url.identity();
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(limits::WRITE_GROUP_MAX - 1));
        let mut batch = Batch::default();
        let outcome = if url.identity() == identity {
            commit_group(&mut connection, &mut group, &mut batch)
        } else {
            Err(StoreError::Unavailable("the database file is gone or another one stands in its place".to_owned()))
        };
        match outcome {
            Ok(()) => {
                let commit = hooks.get().and_then(|hooks| hooks.committed(&batch.changes));
                for effect in batch.after_commit {
                    effect();
                }
                group.into_iter().for_each(|job| job.finish(Ok(commit.as_ref())));
            }
            Err(error) => {
                tracing::error!(%error, jobs = group.len(), "a commit failed; none of it holds");
                // Outside a transaction this fails, which is what we want to reach.
                let _ = connection.batch_execute("ROLLBACK");
                group.into_iter().for_each(|job| job.finish(Err(&error)));
            }
        }
    }
}

fn commit_group(connection: &mut Connection, group: &mut [Box<dyn Job>], batch: &mut Batch) -> Result<(), StoreError> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    for job in group {
        connection.batch_execute("SAVEPOINT job")?;
        let (changes, effects) = (batch.changes.len(), batch.after_commit.len());
        let noted = (batch.revoked.clone(), batch.restored.clone());
        if job.run(&mut Tx { connection, batch }) {
            connection.batch_execute("RELEASE job")?;
        } else {
            connection.batch_execute("ROLLBACK TO job; RELEASE job")?;
            batch.changes.truncate(changes);
            batch.after_commit.truncate(effects);
            (batch.revoked, batch.restored) = noted;
        }
    }
    Ok(connection.batch_execute("COMMIT")?)
}
