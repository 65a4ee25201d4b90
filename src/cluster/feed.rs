//! The task by which a node follows the others: it renews the lease, applies what others have committed and nobody has told it
//! (what it is told is applied where it is heard), says what is applied, and answers those who must know that nothing is missing.
//!
//! All that it asks the database goes in rounds, one after the other, each with a deadline: when that passes, the line counts
//! as dead and a new one is opened. Who asks for a confirmation is answered by a round that began after he asked; all who
//! asked by then share it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::applier::Standing;
use super::node::{Confirm, Description, Node};
use super::notices;
use crate::domain::secret::Secret;
use crate::limits;
use crate::store::changes::{self, Position};
use crate::store::link::{APPLIED_CHANNEL, CHANGE_CHANNEL, Ear, Link, Listening, Renewal};
use crate::store::nodes::{self, Member};
use crate::store::{Connection, Reader, StoreError};

/// Pauses between attempts to open a line.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_millis(1_000);
/// How long loading everything anew may take.
const LOAD_WITHIN: Duration = Duration::from_secs(30);

/// What a round is for.
#[derive(Default)]
struct Due {
    /// The lease is to be renewed.
    renewal: bool,
    /// There are changes.
    changed: bool,
    /// Who waits for a confirmation.
    waiting: Vec<Confirm>,
}

/// Adds this process to the nodes; gives its row's id.
type Joining = JoinHandle<Result<String, StoreError>>;

/// The task, from line to line.
pub(super) struct Feed {
    node: Arc<Node>,
    confirms: mpsc::UnboundedReceiver<Confirm>,
    /// By it the feed is read: nobody else's slow query stands in its way, and of its own there is one at a time.
    reader: Reader,
    /// Under way beside everything else: the database may be one that answers, and lets nobody write.
    joining: Option<Joining>,
    /// Whether the database refused what was written last.
    refused: bool,
    /// Whether notifications have been heard on a line.
    hears: bool,
}

impl Node {
    /// How long the database may take for one answer, so that there is time for another attempt before the lease ends.
    fn patience(&self) -> Duration {
        self.lease.renewed_every().clamp(Duration::from_millis(200), limits::LINK_PATIENCE_MAX)
    }
}

impl Feed {
    pub(super) fn new(node: Arc<Node>, confirms: mpsc::UnboundedReceiver<Confirm>) -> Self {
        let reader = node.store.reader(node.patience());
        Self { node, confirms, reader, joining: None, refused: false, hears: false }
    }

    /// Follows the others until the node is gone. A mistake of ours must not leave it without a lease for ever.
    pub(super) async fn run(mut self) {
        while AssertUnwindSafe(self.follow()).catch_unwind().await.is_err() {
            tracing::error!("following the other nodes has ended by a mistake of ours; it begins anew");
            self.node.lease.give_back();
            self.node.set_id(None);
            self.joining = None;
            if !self.turn_away(RETRY_MAX).await {
                return;
            }
        }
    }

    async fn follow(&mut self) {
        let mut pause = RETRY_MIN;
        loop {
            let began = Instant::now();
            let ended = match self.open().await {
                Err(error) => Err(error),
                Ok((link, to_read)) => Line { feed: self, link, to_read }.follow().await,
            };
            let Err(error) = ended else { return };
            // One that was good for a while is followed by another one at once.
            pause = if began.elapsed() > RETRY_MAX { RETRY_MIN } else { (pause * 2).min(RETRY_MAX) };
            tracing::warn!(%error, "no line to the database; opening another one");
            if !self.turn_away(pause).await {
                return;
            }
        }
    }

    async fn open(&mut self) -> Result<(Link, mpsc::Receiver<()>), StoreError> {
        let node = &self.node;
        let channel = Secret::generate(node.entropy.as_ref(), "orest_proof_", 8);
        let prove = (!self.hears).then_some(channel.reveal());
        // Whoever speaks on it may be another server than before.
        node.applier.deafen();
        let listening = Listening { ear: &ear(node), prove };
        let opened = Link::open(&node.url, node.patience(), listening).await?;
        self.hears = true;
        Ok(opened)
    }

    /// Whoever asks in the meantime is told at once: it would not help him to wait. `false`: the node is gone.
    async fn turn_away(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        while let Ok(asked) = timeout_at(until, self.confirms.recv()).await {
            let Some(asked) = asked else { return false };
            let _ = asked.send(Err(StoreError::Unavailable("there is no line to the database".to_owned())));
        }
        true
    }

    /// Begins to add this process to the nodes, if it is to be one and is none.
    fn join(&mut self) {
        if self.joining.is_none()
            && self.node.id().is_none()
            && let Some(description) = self.node.description()
        {
            self.joining = Some(tokio::spawn(join(Arc::clone(&self.node), description)));
        }
    }

    fn joined(&mut self, joined: Result<String, StoreError>) {
        self.joining = None;
        match joined {
            Ok(id) => {
                tracing::info!(id, "joined the nodes of this database");
                self.node.set_id(Some(id));
            }
            Err(error) => self.note_refusal(&error.to_string()),
        }
    }

    /// Says so once.
    fn note_refusal(&mut self, cause: &str) {
        if !self.refused {
            tracing::warn!(cause, "the database refuses this node a lease; each check asks it until it does not");
        }
        self.refused = true;
    }
}

/// Applies what others say that they have committed, and notes what they have applied, as it comes: whatever the task has just
/// asked the database for, neither waits for that.
fn ear(node: &Arc<Node>) -> Ear {
    let node = Arc::clone(node);
    Arc::new(move |channel, payload| match channel {
        CHANGE_CHANNEL => match notices::heard_announcement(node.applier.keys(), payload) {
            // If it is not what comes next, it is of another history, or something was missed.
            Some((_, Some(said))) => !node.applier.hear(&said),
            Some((last, None)) => last > node.applier.position().sequence,
            None => false,
        },
        APPLIED_CHANNEL => {
            if let Some((id, applied)) = notices::heard_applied(node.applier.keys(), payload) {
                let known = |position: &Position| node.applier.has_been_at(position);
                node.peers().acknowledged(&id, &applied, node.monotonic.now(), known);
                node.tell_news();
            }
            false
        }
        _ => false,
    })
}

/// Adds this process to the nodes. The feed is read after that is committed, so what is committed later waits for it.
async fn join(node: Arc<Node>, description: Description) -> Result<String, StoreError> {
    let id = Secret::generate(node.entropy.as_ref(), "", 8).reveal().to_owned();
    let new = nodes::Node {
        member: Member {
            id: id.clone(),
            name: description.name,
            renewals: 0,
            lease: node.lease.length(),
            applied: node.applier.position(),
        },
        address: description.address,
        version: crate::VERSION.to_owned(),
        started_at: node.started_at,
        renewed_at: node.clock.now(),
    };
    // Through the writer, which holds the feed: whoever writes now either sees this row or is seen by it.
    node.store.write(move |tx| nodes::insert(tx.connection, &new)).await?;
    Ok(id)
}

async fn joined(joining: &mut Option<Joining>) -> Result<String, StoreError> {
    match joining {
        Some(joining) => joining.await.map_err(|_| StoreError::Backend("joining panicked".to_owned()))?,
        None => std::future::pending().await,
    }
}

async fn in_time<T>(patience: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let slow = |_| StoreError::Unavailable(format!("the database did not answer within {patience:?}"));
    timeout(patience, work).await.map_err(slow)?
}

struct Line<'a> {
    feed: &'a mut Feed,
    link: Link,
    to_read: mpsc::Receiver<()>,
}

impl Line<'_> {
    async fn follow(&mut self) -> Result<(), StoreError> {
        let node = Arc::clone(&self.feed.node);
        let mut foreign = node.applier.foreign();
        node.peers().forget_renewals();
        // What was missed while there was no line is heard of now.
        let mut due = Due { renewal: true, ..Due::default() };
        let mut next_renewal = Instant::now();
        let mut acknowledged = 0;
        loop {
            if node.applier.has_parted() {
                self.load().await?;
                due.renewal = true;
            }
            let due_now = std::mem::take(&mut due);
            if due_now.renewal {
                next_renewal = Instant::now() + node.lease.renewed_every();
                self.feed.join();
            }
            self.round(due_now).await?;
            let applied = *foreign.borrow_and_update();
            if applied != acknowledged {
                // Others may have been faster to say that they have it too.
                node.peers().advanced(|position| node.applier.has_been_at(position));
                node.tell_news();
                if self.acknowledge().await? {
                    acknowledged = applied;
                }
            }
            tokio::select! {
                biased;
                joined = joined(&mut self.feed.joining) => {
                    self.feed.joined(joined);
                    due.renewal = node.id().is_some();
                }
                to_read = self.to_read.recv() => {
                    to_read.ok_or_else(|| StoreError::Unavailable(self.link.ended()))?;
                    due.changed = true;
                }
                asked = self.feed.confirms.recv() => match asked {
                    Some(asked) => due.waiting.push(asked),
                    None => return Ok(()),
                },
                _ = foreign.changed() => {}
                () = node.wake.notified() => due.renewal = true,
                () = tokio::time::sleep_until(next_renewal) => {}
            }
            while let Ok(asked) = self.feed.confirms.try_recv() {
                due.waiting.push(asked);
            }
            // Also where there is always something to hear.
            due.renewal |= Instant::now() >= next_renewal;
            // Who asks does so because there is no lease: the same round may bring one.
            due.renewal |= !due.waiting.is_empty() && !self.feed.refused && node.description().is_some();
        }
    }

    /// Does what is due, and answers who waits.
    async fn round(&mut self, due: Due) -> Result<(), StoreError> {
        let Due { renewal, changed, waiting } = due;
        let patience = self.feed.node.patience();
        let outcome = in_time(patience, self.ask(renewal, changed, !waiting.is_empty())).await;
        for asked in waiting {
            let answer = match &outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // He may have gone away.
            let _ = asked.send(answer);
        }
        outcome?;
        if renewal { in_time(patience, self.look_around()).await } else { Ok(()) }
    }

    async fn ask(&mut self, renewal: bool, changed: bool, confirms: bool) -> Result<(), StoreError> {
        let node = Arc::clone(&self.feed.node);
        let from = node.applier.standing();
        let sent_at = node.monotonic.now();
        let renewed = match node.id().filter(|_| renewal) {
            None => None,
            Some(id) => match self.link.renew(&id, &from.position).await? {
                Renewal::Renewed(feed) => {
                    if std::mem::take(&mut self.feed.refused) {
                        tracing::info!("the database renews this node's lease again");
                    }
                    Some(feed)
                }
                Renewal::WrittenOff => {
                    tracing::warn!("this node was written off by another one; joining anew");
                    node.lease.give_back();
                    node.set_id(None);
                    self.feed.join();
                    None
                }
                Renewal::Refused(cause) => {
                    self.feed.note_refusal(&cause);
                    None
                }
            },
        };
        match renewed {
            Some(feed) => {
                self.catch_up(from, feed).await?;
                node.renewed(sent_at);
                Ok(())
            }
            None if confirms || renewal => self.catch_up(from, self.link.position().await?).await,
            None if changed => self.read_changes(from).await,
            None => Ok(()),
        }
    }

    /// Applies what is missing up to where the feed is.
    async fn catch_up(&self, from: Standing, feed: Position) -> Result<(), StoreError> {
        self.feed.node.applier.hear_beyond(feed.sequence);
        if from.position == feed && !self.feed.node.applier.has_parted() {
            return Ok(());
        }
        self.read(from, move |_| Ok(feed)).await
    }

    /// Applies what has been announced.
    async fn read_changes(&self, from: Standing) -> Result<(), StoreError> {
        self.read(from, changes::position).await
    }

    /// Reads the feed, up to where it is told to be.
    async fn read(
        &self,
        from: Standing,
        up_to: impl FnOnce(&mut Connection) -> Result<Position, StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let node = &self.feed.node;
        let (applier, standing) = (Arc::clone(&node.applier), from.clone());
        let followed = self.feed.reader.read(move |connection| {
            let feed = up_to(connection)?;
            applier.follow(connection, &standing, &feed)
        });
        node.note_followed(&from, followed.await)
    }

    /// `false`: it can't yet, because it has no name.
    async fn acknowledge(&self) -> Result<bool, StoreError> {
        let node = &self.feed.node;
        let Some(id) = node.id() else { return Ok(false) };
        if let Some(applied) = notices::applied(node.applier.keys(), &id, &node.applier.position()) {
            in_time(node.patience(), self.link.acknowledge(&applied)).await?;
        }
        Ok(true)
    }

    /// Sees how the others are, and writes off who has not renewed his lease.
    async fn look_around(&self) -> Result<(), StoreError> {
        let node = &self.feed.node;
        let rows = self.link.members().await?;
        let silent = {
            let mut peers = node.peers();
            let now = node.monotonic.now();
            peers.see(&rows, now, |position| node.applier.has_been_at(position));
            peers.silent(now)
        };
        node.tell_news();
        let own = node.id();
        for (id, renewals) in silent.into_iter().filter(|(id, _)| own.as_ref() != Some(id)) {
            // Where the database refuses one, it would refuse the next.
            let Some(written_off) = self.link.write_off(&id, renewals).await? else { break };
            if written_off {
                let name = rows.iter().find(|row| row.id == id).map_or("", |row| row.name.as_str());
                tracing::warn!(id, name, "a node has not renewed its lease and is written off");
            }
        }
        Ok(())
    }

    /// Loads all that is kept in memory anew: the database is another one than it came from.
    async fn load(&self) -> Result<(), StoreError> {
        let node = &self.feed.node;
        tracing::error!(
            "the database's history is not the one that this node has followed: commits were lost, as after a failover to a \
             copy that was behind, or it was restored. Everything is loaded anew; what was revoked in what is lost must be \
             revoked again. Tokens of authorizations that are lost are out there: `orest keys rotate`, then `retire` the old \
             key, so that none of them is good"
        );
        let loading = Arc::clone(node);
        // All of it where the feed is read, one at a time: it goes on there when nobody waits for it any more.
        let load = self.feed.reader.read(move |connection| {
            if !loading.applier.has_parted() {
                return Ok(());
            }
            // Until it has loaded it believes nobody who says what he has applied.
            loading.peers().forget_applied();
            loading.applier.load(connection)?;
            loading.counts.resets.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        in_time(LOAD_WITHIN, load).await
    }
}
