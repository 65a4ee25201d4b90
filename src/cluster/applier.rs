//! The one place where committed changes reach the memory of this node: in the order of the commits, each once, whoever
//! brings them: the writer's thread its own and what others wrote before them, the feed what others write, and others
//! themselves by what they say of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roaring::RoaringBitmap;
use tokio::sync::{Notify, broadcast, watch};

use super::notices::{Announcement, Told};
use crate::domain::ids::{DeviceId, UserId};
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
    /// Woken when there are acts that must be read to be told of.
    heard: Notify,
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
    /// The last own change that was applied although one before it was missing; the feed brings both again.
    ahead: u64,
    /// Acts that are applied and not told of yet, in order: from one on that was heard of, and has to be read.
    untold: VecDeque<Untold>,
}

enum Untold {
    /// Its number is all that is known of it.
    Heard(u64),
    Known(Arc<Revocation>),
}

impl State {
    fn at(position: Position) -> Self {
        Self { recent: VecDeque::from([position.clone()]), position, ..Self::default() }
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
        let (state, acts_applied, heard) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { live, pairing, keys, acts, to_fill, state, foreign, acts_applied, heard }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What wakes who fills in the columns behind the acts.
    pub const fn to_fill(&self) -> &ToFill {
        &self.to_fill
    }

    /// The keys that nodes know each other by.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Acts as they are applied, or soon after, for those who want to be told; in order.
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
            self.apply(&mut state, &change.change);
            state.advance(&change.position);
            applied = true;
        }
        drop(state);
        if applied {
            self.applied_foreign();
        }
        Ok(())
    }

    fn applied_foreign(&self) {
        self.to_fill.others.notify_one();
        self.foreign.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Applies what another node says that it has committed, if that follows what is applied here; who has done the acts is
    /// told of later. `false`: the feed must be read.
    pub fn hear(&self, said: &Announcement) -> bool {
        let mut state = self.state();
        if state.parted || said.after != state.position || state.ahead > state.position.sequence {
            return false;
        }
        for ((tag, told), sequence) in said.changes.iter().zip(said.after.sequence + 1..) {
            self.apply_told(&mut state, sequence, told);
            state.advance(&Position { sequence, tag: tag.clone() });
        }
        drop(state);
        self.applied_foreign();
        true
    }

    /// Waits until there are acts that must be read to be told of.
    pub async fn has_heard(&self) {
        self.heard.notified().await;
    }

    /// The numbers of the first and the last act that must be read to be told of.
    pub fn untold(&self) -> Option<(u64, u64)> {
        let state = self.state();
        let mut heard = state.untold.iter().filter_map(|untold| match untold {
            Untold::Heard(sequence) => Some(*sequence),
            Untold::Known(_) => None,
        });
        let first = heard.next()?;
        Some((first, heard.next_back().unwrap_or(first)))
    }

    /// Tells of the acts up to this number, of which these were read; and of those behind them that were waiting for them.
    pub fn tell_up_to(&self, last: u64, read: &[Arc<Revocation>]) {
        let mut state = self.state();
        while let Some(untold) = state.untold.pop_front() {
            match untold {
                Untold::Heard(sequence) if sequence > last => {
                    state.untold.push_front(untold);
                    return;
                }
                // One that is not there was lost with the database that had it.
                Untold::Heard(sequence) => {
                    read.iter().filter(|act| act.sequence == sequence).for_each(|act| self.tell(act));
                }
                Untold::Known(act) => self.tell(&act),
            }
        }
    }

    /// Applies what this node has committed, in order.
    pub fn committed(&self, changes: &[Announced]) {
        let mut state = self.state();
        for Announced { change, position } in changes {
            match position {
                Some(position) if position.sequence <= state.position.sequence || state.parted => {}
                Some(position) => {
                    self.apply(&mut state, change);
                    // What is missing in between, the feed brings.
                    if position.sequence == state.position.sequence + 1 {
                        state.advance(position);
                    } else {
                        state.ahead = position.sequence;
                    }
                }
                None => self.apply(&mut state, change),
            }
        }
        if changes.iter().any(|announced| matches!(announced.change, Change::Revocation(_))) {
            self.to_fill.own.notify_one();
        }
    }

    fn apply(&self, state: &mut State, change: &Change) {
        match change {
            Change::Revocation(act) => {
                self.apply_act(act.sequence, &act.authorizations, act.kind == Kind::Revoke);
                if state.untold.is_empty() {
                    self.tell(act);
                } else {
                    state.untold.push_back(Untold::Known(Arc::clone(act)));
                }
            }
            Change::User(id) => self.live.forget_user(*id),
            Change::Users => self.live.forget_users(),
            Change::Applications => self.live.forget_applications(),
            Change::Device(id) => self.live.forget_device(*id),
            Change::Pairing(pairing) => self.pairing.set(pairing.clone()),
            Change::Keys(registered) => self.keys.set_registered(registered.to_vec()),
        }
    }

    fn apply_told(&self, state: &mut State, sequence: u64, told: &Told) {
        match told {
            Told::Act { revokes, authorizations } => {
                self.apply_act(sequence, &authorizations.0, *revokes);
                state.untold.push_back(Untold::Heard(sequence));
                self.heard.notify_one();
            }
            Told::User(id) => self.live.forget_user(UserId(*id)),
            Told::Users => self.live.forget_users(),
            Told::Applications => self.live.forget_applications(),
            Told::Device(id) => self.live.forget_device(DeviceId(*id)),
        }
    }

    fn apply_act(&self, sequence: u64, authorizations: &RoaringBitmap, revokes: bool) {
        self.live.apply(sequence, authorizations, revokes);
        self.acts_applied.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, act: &Arc<Revocation>) {
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
        // Nobody listening is no error.
        let _ = self.acts.send(Arc::clone(act));
    }
}

#[cfg(test)]
mod tests;
