//! The one place where committed changes reach the memory of this node: in the order of the commits, each once, whoever
//! brings them: the writer's thread its own and what others wrote before them, the feed what others write.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::domain::revocation::{Kind, Revocation};
use crate::live::Live;
use crate::service::keys::Keys;
use crate::service::pairing::Current;
use crate::store::changes::{self, Announced, Change, Position, Read};
use crate::store::{Connection, StoreError, pairing, revocations, sealing_keys};

/// Changes that are read at a time: of a revocation each has its set of authorizations with it …
const BATCH: i64 = 100;
/// … and so have acts.
const ACTS: i64 = 100;
/// Changes whose places are remembered: many more than are on their way at a time.
const RECENT: usize = 4_096;

/// Applies what is committed, here or on another node.
pub struct Applier {
    live: Arc<Live>,
    pairing: Arc<Current>,
    keys: Arc<Keys>,
    acts: broadcast::Sender<Arc<Revocation>>,
    to_fill: ToFill,
    state: Mutex<State>,
    /// Goes up when changes of other nodes have been applied.
    foreign: watch::Sender<u64>,
    /// How many acts have been applied.
    acts_applied: AtomicU64,
}

/// What wakes who fills in the columns behind the acts.
#[derive(Debug, Default)]
pub struct ToFill {
    /// An act of this node.
    pub own: Notify,
    /// An act of another node, which fills in what is its own.
    pub others: Notify,
    /// Somebody waits for the columns.
    pub asked: Notify,
}

#[derive(Default)]
struct State {
    position: Position,
    /// The last changes' places, oldest first: by these it is told whether another node has followed the same history.
    recent: VecDeque<Position>,
    /// The database's history is not the one that is applied here: nothing more is, until all is loaded anew.
    parted: bool,
}

impl State {
    fn at(position: Position) -> Self {
        Self { recent: VecDeque::from([position.clone()]), position, parted: false }
    }

    fn advance(&mut self, position: &Position) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(position.clone());
        self.position = position.clone();
    }
}

/// Why the feed could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not the one that is applied here: commits are missing from it, or from what is left of it.
    #[error("the feed of the database is not the one that this node has followed")]
    Parted,
}

impl Applier {
    /// For this memory.
    pub fn new(live: Arc<Live>, pairing: Arc<Current>, keys: Arc<Keys>) -> Self {
        let (acts, foreign, to_fill) = (broadcast::channel(1024).0, watch::channel(0).0, ToFill::default());
        Self { live, pairing, keys, acts, to_fill, state: Mutex::default(), foreign, acts_applied: AtomicU64::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What wakes who fills in the columns behind the acts.
    pub const fn to_fill(&self) -> &ToFill {
        &self.to_fill
    }

    /// Acts as they are applied, for those who want to be told.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Revocation>> {
        self.acts.subscribe()
    }

    /// How many acts have been applied since the start.
    pub fn acts_applied(&self) -> u64 {
        self.acts_applied.load(Ordering::Relaxed)
    }

    /// Up to where the changes are applied.
    pub fn position(&self) -> Position {
        self.state().position.clone()
    }

    /// Whether this is a place in the history that is applied here, and not long ago.
    pub fn has_been_at(&self, position: &Position) -> bool {
        let state = self.state();
        let found = state.recent.binary_search_by_key(&position.sequence, |own| own.sequence);
        found.is_ok_and(|index| state.recent[index].tag == position.tag)
    }

    /// Goes up when changes of other nodes have been applied: they wait to be told.
    pub fn foreign(&self) -> watch::Receiver<u64> {
        self.foreign.subscribe()
    }

    /// Forgets everything and begins where the feed is in this snapshot. What has been revoked but is not yet filled into the
    /// columns is applied; the rest is read when it is asked for. Gives up to where the columns are filled in.
    pub fn load(&self, connection: &mut Connection) -> Result<u64, StoreError> {
        let (sequence, filled) = revocations::feed(connection)?;
        let position = changes::position(connection)?;
        let pairing = pairing::find(connection)?.map(Arc::new);
        let registered = sealing_keys::list_in_force(connection)?;
        let mut acts = Vec::new();
        let mut after = filled;
        while after < sequence {
            let read = revocations::list_after(connection, after, ACTS)?;
            let Some(last) = read.last() else { break };
            after = last.sequence;
            acts.extend(read);
        }
        // Nobody waits for the database here: the writer's thread needs the lock, and so does whoever asks for the position.
        let mut state = self.state();
        self.live.clear();
        for act in &acts {
            self.live.apply(act.sequence, &act.authorizations, act.kind == Kind::Revoke);
        }
        self.pairing.set(pairing);
        self.keys.set_registered(registered);
        *state = State::at(position);
        Ok(filled)
    }

    /// Runs `then`, unless the history has parted; nor can it while that runs.
    pub fn unless_parted(&self, then: impl FnOnce()) -> bool {
        let state = self.state();
        if !state.parted {
            then();
        }
        !state.parted
    }

    /// Notes that the history has parted, and runs `then` before anything else can be applied or relied upon.
    pub fn part(&self, then: impl FnOnce()) {
        self.state().parted = true;
        then();
    }

    /// Applies what others have committed up to `feed`, which was read after this node was at `from`.
    pub fn follow(&self, connection: &mut Connection, from: &Position, feed: &Position) -> Result<(), FollowError> {
        if feed.sequence < from.sequence || feed.sequence == from.sequence && feed.tag != from.tag {
            return Err(FollowError::Parted);
        }
        let mut at = from.clone();
        while at.sequence < feed.sequence {
            let read = changes::list_after(connection, at.sequence, BATCH)?;
            for change in &read {
                if change.position.sequence != at.sequence + 1 || change.previous_tag != at.tag {
                    return Err(FollowError::Parted);
                }
                at = change.position.clone();
            }
            if read.is_empty() {
                return Err(FollowError::Parted);
            }
            self.apply_read(&read)?;
        }
        Ok(())
    }

    /// Applies changes that follow each other.
    fn apply_read(&self, read: &[Read]) -> Result<(), FollowError> {
        let mut state = self.state();
        if state.parted {
            return Err(FollowError::Parted);
        }
        let mut applied = false;
        for change in read {
            // The writer's thread, or the feed, was faster.
            if change.position.sequence <= state.position.sequence {
                continue;
            }
            self.apply(&change.change);
            state.advance(&change.position);
            applied = true;
        }
        drop(state);
        if applied {
            self.to_fill.others.notify_one();
            self.foreign.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }

    /// Applies what this node has committed, in order.
    pub fn committed(&self, changes: &[Announced]) {
        let mut state = self.state();
        for Announced { change, position } in changes {
            match position {
                Some(position) if position.sequence <= state.position.sequence || state.parted => {}
                Some(position) => {
                    self.apply(change);
                    // What is missing in between, the feed brings.
                    if position.sequence == state.position.sequence + 1 {
                        state.advance(position);
                    }
                }
                None => self.apply(change),
            }
        }
        if changes.iter().any(|announced| matches!(announced.change, Change::Revocation(_))) {
            self.to_fill.own.notify_one();
        }
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Revocation(act) => {
                self.live.apply(act.sequence, &act.authorizations, act.kind == Kind::Revoke);
                tracing::info!(
                    revocation = act.id.0,
                    sequence = act.sequence,
                    kind = act.kind.as_str(),
                    actor = act.act.login,
                    channel = act.act.channel.as_str(),
                    requested = act.requested,
                    changed = act.authorizations.len(),
                    "revocation applied"
                );
                self.acts_applied.fetch_add(1, Ordering::Relaxed);
                // Nobody listening is no error.
                let _ = self.acts.send(Arc::clone(act));
            }
            Change::User(id) => self.live.forget_user(*id),
            Change::Users => self.live.forget_users(),
            Change::Applications => self.live.forget_applications(),
            Change::Device(id) => self.live.forget_device(*id),
            Change::Pairing(pairing) => self.pairing.set(pairing.clone()),
            Change::Keys(registered) => self.keys.set_registered(registered.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests;
