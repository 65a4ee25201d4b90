//! This process among the others that serve the same database: what it shares between its tasks.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::applier::{Applier, FollowError, Standing};
use super::clock::SharedMonotonic;
use super::lease::Lease;
use super::peers::Peers;
use crate::domain::time::{SharedClock, SharedEntropy, Timestamp};
use crate::store::changes::Position;
use crate::store::nodes::Member;
use crate::store::postgres::PostgresUrl;
use crate::store::{Store, StoreError};

/// How the nodes of one database stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a node may answer from memory after it has renewed its lease: as long does a revocation wait for one that
    /// can't be reached. The same on all nodes.
    pub lease: Duration,
    /// How long a write waits for the other nodes.
    pub revoke_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self::with_lease(Duration::from_secs(3))
    }
}

impl Settings {
    /// With this lease; a write waits a little longer, so that the lease always ends first.
    pub const fn with_lease(lease: Duration) -> Self {
        Self { lease, revoke_wait: lease.saturating_add(Duration::from_secs(1)) }
    }
}

/// How others are told of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
}

/// What one waits to be told: that all which was committed before he asked has been applied.
pub(super) type Confirm = oneshot::Sender<Result<(), StoreError>>;

/// What the tasks share.
pub(super) struct Node {
    pub(super) url: PostgresUrl,
    pub(super) store: Store,
    pub(super) applier: Arc<Applier>,
    pub(super) monotonic: SharedMonotonic,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
    pub(super) settings: Settings,
    pub(super) lease: Lease,
    pub(super) confirms: mpsc::UnboundedSender<Confirm>,
    /// Woken when a renewal is due at once: it is to join, or the history has parted.
    pub(super) wake: Notify,
    pub(super) started_at: Timestamp,
    identity: Mutex<Identity>,
    peers: Mutex<Peers>,
    /// Until then a node may hold a lease of a server that was lost with the row of that node, by this node's clock.
    lost_members_until: Mutex<Duration>,
    /// Goes up with each news of the others.
    pub(super) news: watch::Sender<u64>,
    pub(super) counts: Counts,
}

/// What has happened since the start, for the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Checks that asked the database, because no lease was held.
    pub confirms: AtomicU64,
    /// Writes that returned unconfirmed.
    pub unconfirmed: AtomicU64,
    /// How often all was loaded anew, because the database's history was another one.
    pub resets: AtomicU64,
}

#[derive(Default)]
struct Identity {
    description: Option<Description>,
    /// The row of this process; `None`: it has none, or has been written off.
    id: Option<String>,
    leaving: bool,
}

impl Node {
    #[expect(clippy::too_many_arguments, reason = "everything that it needs, once")]
    pub(super) fn new(
        url: PostgresUrl,
        store: Store,
        applier: Arc<Applier>,
        monotonic: SharedMonotonic,
        clock: SharedClock,
        entropy: SharedEntropy,
        settings: Settings,
        confirms: mpsc::UnboundedSender<Confirm>,
    ) -> Self {
        Self {
            url,
            store,
            applier,
            started_at: clock.now(),
            monotonic,
            clock,
            entropy,
            lease: Lease::new(settings.lease),
            settings,
            confirms,
            wake: Notify::new(),
            identity: Mutex::default(),
            peers: Mutex::default(),
            lost_members_until: Mutex::default(),
            news: watch::channel(0).0,
            counts: Counts::default(),
        }
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row of this process, if it has one.
    pub(super) fn id(&self) -> Option<String> {
        self.identity().id.clone()
    }

    pub(super) fn set_id(&self, id: Option<String>) {
        self.identity().id = id;
    }

    /// How it is to be described to the others, if it is to be one of them.
    pub(super) fn description(&self) -> Option<Description> {
        let identity = self.identity();
        identity.description.clone().filter(|_| !identity.leaving)
    }

    /// Lets the task add this process to the nodes.
    pub(super) fn describe(&self, description: Description) {
        self.identity().description = Some(description);
        self.wake.notify_one();
    }

    /// Gives the lease back, for ever. Gives the row that is to be removed.
    pub(super) fn leave(&self) -> Option<String> {
        let mut identity = self.identity();
        identity.leaving = true;
        self.lease.give_back();
        identity.id.take()
    }

    /// Takes up a renewed lease, unless the node is leaving or its memory is not the database's.
    pub(super) fn renewed(&self, sent_at: Duration) {
        let identity = self.identity();
        if !identity.leaving {
            self.applier.unless_parted(|| self.lease.renewed(sent_at));
        }
    }

    /// What has come of following the others from there.
    pub(super) fn note_followed(&self, from: &Standing, outcome: Result<(), FollowError>) -> Result<(), StoreError> {
        let error = match outcome {
            Ok(()) => return Ok(()),
            Err(FollowError::Store(error)) => return Err(error),
            Err(parted @ FollowError::Parted) => parted,
        };
        if self.applier.part(from, || self.lease.give_back()) {
            self.ask_for_load();
        }
        Err(StoreError::Unavailable(error.to_string()))
    }

    /// The memory is not the database's, and has lost its lease: nothing is answered from it until the task has loaded all anew.
    pub(super) fn ask_for_load(&self) {
        // Rows of nodes may be missing too, also on the server that was there before.
        self.suspect_lost_members();
        self.wake.notify_one();
    }

    /// Another server has taken over, and may lack the row of a node that joined just before. Its lease of the server that was
    /// ends one length from now at the latest.
    pub(super) fn suspect_lost_members(&self) {
        let longest = self.peers().longest_lease().max(self.settings.lease);
        tracing::warn!(wait = ?longest, "the database is another one, or was restored; until that has passed, each write waits");
        *self.lost_members_until.lock().unwrap_or_else(PoisonError::into_inner) = self.monotonic.now() + longest;
    }

    /// Stands for the nodes that nobody knows of, as long as there may be any.
    pub(super) fn lost_member(&self, at: Duration) -> Option<Member> {
        let until = *self.lost_members_until.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = until.checked_sub(at).filter(|lease| !lease.is_zero())?;
        let name = "a node that joined just before the failover".to_owned();
        Some(Member { id: String::new(), name, renewals: 0, lease, applied: Position::default() })
    }

    /// Tells those who wait for the others that there is news.
    pub(super) fn tell_news(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}
