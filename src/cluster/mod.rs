//! Several nodes on one database: when a write has returned, no node acts on what was before it (`docs/adr/0007`).
//!
//! * A node answers from memory only under a lease ([`lease`]). A renewal counts only once all is applied that the database knew
//!   of then ([`feed`], [`applier`]). Without one it asks the database first ([`Cluster::confirm`]).
//! * A write returns when each other node has said that it has applied it, or when the lease that it may have had by then has
//!   ended ([`barrier`], [`peers`]).
//!
//! No wall clock is asked. On SQLite there is one node, and all of this is one step: what is committed is applied to its
//! memory before anybody is answered.

mod applier;
mod barrier;
mod clock;
mod feed;
mod lease;
mod node;
mod notices;
mod peers;
mod reporting;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use applier::{Applier, ToFill};
use barrier::{Barrier, Waiting};
pub use clock::{BootClock, Monotonic, SharedMonotonic};
use feed::Feed;
pub use lease::LENGTH as LEASE_LENGTH;
use lease::Look;
use node::Node;
pub use node::{Description, Settings};

use crate::domain::revocation::{Settlement, Unconfirmed};
use crate::domain::time::{SharedClock, SharedEntropy, Timestamp};
use crate::limits;
use crate::store::changes::{Announced, Position};
use crate::store::hooks::{Commit, Hooks};
use crate::store::nodes::Member;
use crate::store::postgres::PostgresUrl;
use crate::store::{Connection, Store, StoreError};

/// How long a wait is at most without a look at the clock that leases are counted by.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// This node's part in the cluster. Cloning it is cheap.
#[derive(Clone)]
pub struct Cluster {
    running: Option<Arc<Running>>,
    barrier_seconds: Histogram,
}

/// How a node stands, since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How long it may answer from memory if it can't renew its lease.
    pub lease_left: Duration,
    /// Checks that asked the database, because no lease was held.
    pub confirms: u64,
    /// Writes that returned unconfirmed.
    pub unconfirmed: u64,
    /// How often all was loaded anew.
    pub resets: u64,
}

/// Half a millisecond to half a minute.
fn barrier_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 17))
}

struct Running {
    node: Arc<Node>,
    tasks: [AbortHandle; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// What an answer from memory rests on; see [`Cluster::look`].
#[derive(Clone, Copy, Debug)]
pub struct Fence(Option<Look>);

impl Cluster {
    /// The only node there is.
    pub fn alone(store: &Store, applier: Arc<Applier>) -> Self {
        store.set_hooks(Arc::new(Alone(applier)));
        Self { running: None, barrier_seconds: barrier_histogram() }
    }

    /// One of many, at this database; it follows the others from now on, but is none of them before it joins.
    pub fn start(
        url: PostgresUrl,
        store: Store,
        applier: Arc<Applier>,
        clocks: (SharedMonotonic, SharedClock),
        entropy: SharedEntropy,
        settings: Settings,
    ) -> Self {
        let (confirms, asked) = mpsc::unbounded_channel();
        let (monotonic, clock) = clocks;
        let node = Arc::new(Node::new(url, store.clone(), applier, monotonic, clock, entropy, settings, confirms));
        store.set_hooks(Arc::new(OneOfMany(Arc::downgrade(&node))));
        let feed = tokio::spawn(Feed::new(Arc::clone(&node), asked).run());
        let reporting = tokio::spawn(reporting::run(Arc::clone(&node)));
        let tasks = [feed.abort_handle(), reporting.abort_handle()];
        Self { running: Some(Arc::new(Running { node, tasks })), barrier_seconds: barrier_histogram() }
    }

    fn node(&self) -> Option<&Arc<Node>> {
        self.running.as_ref().map(|running| &running.node)
    }

    /// Whether there can be no other node.
    pub const fn is_alone(&self) -> bool {
        self.running.is_none()
    }

    /// The row of this process among the nodes, if it has one: another one after it was written off.
    pub fn node_id(&self) -> Option<String> {
        self.node().and_then(|node| node.id())
    }

    /// How this node stands; `None`: it is the only one there can be.
    pub fn status(&self) -> Option<Status> {
        let node = self.node()?;
        let counts = &node.counts;
        Some(Status {
            lease_left: node.lease.until().map_or(Duration::ZERO, |end| end.saturating_sub(node.monotonic.now())),
            confirms: counts.confirms.load(Ordering::Relaxed),
            unconfirmed: counts.unconfirmed.load(Ordering::Relaxed),
            resets: counts.resets.load(Ordering::Relaxed),
        })
    }

    /// How long writes waited for the other nodes.
    pub fn barrier_seconds(&self) -> Histogram {
        self.barrier_seconds.clone()
    }

    /// To be called before memory is asked; `None`: it must not be, without [`Self::confirm`] first.
    pub fn look(&self) -> Option<Fence> {
        let Some(node) = self.node() else { return Some(Fence(None)) };
        let look = node.lease.look();
        node.lease.holds(look, node.monotonic.now()).then_some(Fence(Some(look)))
    }

    /// Whether what memory has said since the look may be answered.
    pub fn holds(&self, fence: Fence) -> bool {
        match (self.node(), fence.0) {
            (Some(node), Some(look)) => node.lease.holds(look, node.monotonic.now()),
            _ => true,
        }
    }

    /// Applies all that was committed before this was called, by asking the database. Memory may then be asked.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it did not answer in time.
    pub async fn confirm(&self) -> Result<(), StoreError> {
        let Some(node) = self.node() else { return Ok(()) };
        node.counts.confirms.fetch_add(1, Ordering::Relaxed);
        let gone = || StoreError::Unavailable("there is no line to the database".to_owned());
        let (asked, answer) = oneshot::channel();
        node.confirms.send(asked).map_err(|_| gone())?;
        match timeout(limits::CONFIRM_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|_| gone())?,
            Err(_) => Err(StoreError::Unavailable("the database did not answer in time".to_owned())),
        }
    }

    /// Waits until every node has applied a commit, or can't answer from memory any more, or no longer than is set.
    pub async fn settle(&self, commit: Option<&Commit>) -> Settlement {
        let (Some(node), Some(commit)) = (self.node(), commit) else { return Settlement::alone() };
        let settlement = self.wait(node, commit).await;
        self.barrier_seconds.observe(node.monotonic.now().saturating_sub(commit.at).as_secs_f64());
        settlement
    }

    async fn wait(&self, node: &Node, commit: &Commit) -> Settlement {
        let mut news = node.news.subscribe();
        let mut barrier = Barrier::new(commit);
        let give_up = commit.at + node.settings.revoke_wait;
        loop {
            let now = node.monotonic.now();
            let (next, unconfirmed) = {
                let waiting = barrier.check(&node.peers(), now);
                let next = waiting.iter().map(|other| other.until).min();
                (next, if now < give_up { Vec::new() } else { waiting.to_vec() })
            };
            let nodes = u32::try_from(barrier.held_by()).unwrap_or(u32::MAX);
            let Some(next) = next else { return Settlement { nodes, unconfirmed: Vec::new() } };
            if !unconfirmed.is_empty() {
                node.counts.unconfirmed.fetch_add(1, Ordering::Relaxed);
                let unconfirmed = unconfirmed.iter().map(|other| node.unconfirmed(other, now)).collect();
                return Settlement { nodes, unconfirmed };
            }
            let pause = next.min(give_up).saturating_sub(now).min(LOOK_EVERY);
            // Either way there is something to look at.
            let _ = timeout(pause, news.changed()).await;
        }
    }

    /// Joins the others: from now on this node answers from memory, and their writes wait for it. Returns when it has its
    /// first lease, or after a while without one: then it asks the database each time until it has.
    pub async fn join(&self, description: Description) {
        let Some(node) = self.node() else { return };
        node.describe(description);
        let mut news = node.news.subscribe();
        let joined = async { while self.look().is_none() && news.changed().await.is_ok() {} };
        if timeout(limits::CONFIRM_TIMEOUT, joined).await.is_err() {
            tracing::warn!("no lease yet; each check asks the database until there is one");
        }
    }

    /// Leaves the others: gives the lease back, then tells them so that nobody waits for this node.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let Some(node) = self.node() else { return Ok(()) };
        let Some(id) = node.leave() else { return Ok(()) };
        let applier = Arc::clone(&node.applier);
        // The transaction has brought memory to where the feed is.
        let left = node.store.write(move |tx| {
            let applied = notices::applied(applier.keys(), &id, &applier.position());
            crate::store::nodes::leave(tx.connection, &id, applied.as_deref())
        });
        match timeout(limits::CONFIRM_TIMEOUT, left).await {
            Ok(left) => left.map(|()| tracing::info!("left the nodes of this database")),
            Err(_) => Err(StoreError::Unavailable("the database did not answer in time".to_owned())),
        }
    }
}

impl Node {
    fn unconfirmed(&self, other: &Waiting, now: Duration) -> Unconfirmed {
        Unconfirmed { node: other.name.clone(), until: rounded_up(self.clock.now(), other.until.saturating_sub(now)) }
    }
}

/// The second by which this much time has passed.
fn rounded_up(now: Timestamp, wait: Duration) -> Timestamp {
    now + Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)) + Duration::from_secs(1)
}

/// The writer's hooks where there is no other node.
struct Alone(Arc<Applier>);

impl Hooks for Alone {
    fn begun(&self, _: &mut Connection, _: &Position) -> Result<(), StoreError> {
        Ok(())
    }

    fn another_server(&self) {}

    fn committed(&self, changes: &[Announced], _: Option<(Position, Vec<Member>)>) -> Option<Arc<Commit>> {
        // Nobody else writes its history.
        self.0.committed(changes, || {});
        None
    }
}

/// The writer's hooks where there are others.
struct OneOfMany(Weak<Node>);

impl Hooks for OneOfMany {
    fn begun(&self, connection: &mut Connection, feed: &Position) -> Result<(), StoreError> {
        let Some(node) = self.0.upgrade() else { return Ok(()) };
        let from = node.applier.standing();
        node.note_followed(&from, node.applier.follow(connection, &from, feed))
    }

    fn another_server(&self) {
        if let Some(node) = self.0.upgrade() {
            node.suspect_lost_members();
        }
    }

    fn announcement(&self, feed: &Position, changes: &[Announced]) -> Option<String> {
        let node = self.0.upgrade()?;
        node.applier.committing(changes);
        notices::announcement(node.applier.keys(), feed, changes)
    }

    fn committed(&self, changes: &[Announced], feed: Option<(Position, Vec<Member>)>) -> Option<Arc<Commit>> {
        let node = self.0.upgrade()?;
        // At once: a lease that did not know of it ends one length later, however long it takes to apply it here.
        let at = node.monotonic.now();
        if node.applier.committed(changes, || node.lease.give_back()) {
            node.ask_for_load();
        }
        // Some may have been faster to say that they have it than this thread.
        node.peers().advanced(|position| node.applier.has_been_at(position));
        let (position, mut members) = feed?;
        let own = node.id();
        members.retain(|member| Some(&member.id) != own.as_ref());
        members.extend(node.lost_member(at));
        Some(Arc::new(Commit { sequence: position.sequence, at, members }))
    }
}
