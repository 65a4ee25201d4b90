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
use crate::limits;
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
    /// Woken when there are acts that must be read to be reported.
    unreported: Notify,
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
    /// What is heard is applied only behind this place; `None`: nowhere. It is where the feed was when the line was opened: what
    /// was said in a history that is lost can be said again, and would be believed by who stands where the histories parted.
    hears_beyond: Option<u64>,
    /// What this node is just committing: the tag of its first change.
    own: Option<String>,
    /// The last own change that was applied although one before it was missing; the feed brings both again.
    ahead: u64,
    /// How often all was loaded.
    loads: u64,
    /// Acts that are applied and not reported yet, in order: from one on that was heard of, and has to be read.
    unreported: VecDeque<Unreported>,
}

/// Where a node stands, in which history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Up to where the changes are applied.
    pub position: Position,
    /// How often all was loaded by then: each time it may be another history.
    loads: u64,
}

enum Unreported {
    /// Its number is all that is known of it.
    Heard(u64),
    Known(Arc<Revocation>),
}

/// Acts that were applied when they were heard of, and must be read to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The number of the first …
    pub first: u64,
    /// … and the last.
    pub last: u64,
    loads: u64,
}

impl State {
    fn at(position: Position) -> Self {
        Self { recent: VecDeque::from([position.clone()]), position, ..Self::default() }
    }

    /// Whether it has gone on from there, and may go on.
    fn follows(&self, from: &Standing) -> bool {
        !self.parted && self.loads == from.loads
    }

    fn advance(&mut self, position: &Position) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(position.clone());
        self.position = position.clone();
    }

    fn has_been_at(&self, position: &Position) -> bool {
        let found = self.recent.binary_search_by_key(&position.sequence, |own| own.sequence);
        found.is_ok_and(|index| self.recent[index].tag == position.tag)
    }

    /// Whether this is a place of another history, as far as what is behind is remembered.
    fn contradicts(&self, position: &Position) -> bool {
        let remembered = self.recent.front().is_some_and(|oldest| oldest.sequence <= position.sequence);
        remembered && position.sequence <= self.position.sequence && !self.has_been_at(position)
    }

    fn leave_for_report(&mut self, act: Unreported) {
        if self.unreported.len() == limits::UNREPORTED_MAX {
            tracing::error!("too many acts wait to be reported; the oldest will not be");
            self.unreported.pop_front();
        }
        self.unreported.push_back(act);
    }

    /// An act that was only heard of has come.
    fn learn(&mut self, act: &Arc<Revocation>) {
        let heard = |unreported: &&mut Unreported| matches!(unreported, Unreported::Heard(own) if *own == act.sequence);
        if let Some(unreported) = self.unreported.iter_mut().find(heard) {
            *unreported = Unreported::Known(Arc::clone(act));
        }
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
        let (state, acts_applied, unreported) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { live, pairing, keys, acts, to_fill, state, foreign, acts_applied, unreported }
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

    /// The same, and in which history.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        Standing { position: state.position.clone(), loads: state.loads }
    }

    /// Whether this is a place in the history that is applied here, and not long ago. None is, if that is not the database's.
    pub fn has_been_at(&self, position: &Position) -> bool {
        let state = self.state();
        !state.parted && state.has_been_at(position)
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
        *state = State { loads: state.loads + 1, ..State::at(position) };
        Ok(filled)
    }

    /// Whether the database's history is not the one that is applied here: nothing more is, until all is loaded anew.
    pub fn has_parted(&self) -> bool {
        self.state().parted
    }

    /// Runs `then`, unless the history has parted; nor can it while that runs.
    pub fn unless_parted(&self, then: impl FnOnce()) -> bool {
        let state = self.state();
        if !state.parted {
            then();
        }
        !state.parted
    }

    /// Notes that the history has parted, and runs `then` before anything else can be applied or relied upon. Says whether that
    /// is news: it is not where all has been loaded since `from`, of which it was found.
    pub fn part(&self, from: &Standing, then: impl FnOnce()) -> bool {
        let mut state = self.state();
        if !state.follows(from) {
            return false;
        }
        state.parted = true;
        then();
        true
    }

    /// Applies what others have committed up to `feed`, which was read after this node stood at `from`.
    pub fn follow(&self, connection: &mut Connection, from: &Standing, feed: &Position) -> Result<(), FollowError> {
        let Standing { position, .. } = from;
        if !self.state().follows(from) {
            return Err(FollowError::Parted);
        }
        if feed.sequence < position.sequence || feed.sequence == position.sequence && feed.tag != position.tag {
            return Err(FollowError::Parted);
        }
        let mut at = position.clone();
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
            self.apply_read(from, &read)?;
        }
        Ok(())
    }

    /// Applies changes that follow each other, and what stood at `from`.
    fn apply_read(&self, from: &Standing, read: &[Read]) -> Result<(), FollowError> {
        let mut state = self.state();
        if !state.follows(from) {
            return Err(FollowError::Parted);
        }
        let mut applied = false;
        for change in read {
            // What came in between by another way must be of the same history.
            if state.contradicts(&change.position) {
                return Err(FollowError::Parted);
            }
            if change.position.sequence <= state.position.sequence {
                // The writer's thread, or the feed, was faster.
                if let Change::Revocation(act) = &change.change {
                    state.learn(act);
                }
                continue;
            }
            let follows = change.position.sequence == state.position.sequence + 1;
            if !follows || change.previous_tag != state.position.tag {
                return Err(FollowError::Parted);
            }
            self.apply(&mut state, &change.change);
            state.advance(&change.position);
            applied = true;
        }
        self.report_known(&mut state);
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

    /// From now on nothing that is heard is applied: who speaks may be another server than before.
    pub fn deafen(&self) {
        self.state().hears_beyond = None;
    }

    /// The server that speaks now has the feed here: what follows a change behind that is not from before.
    pub fn hear_beyond(&self, sequence: u64) {
        self.state().hears_beyond.get_or_insert(sequence);
    }

    /// What this node is about to commit, which it may hear of before it knows that it has.
    pub fn committing(&self, changes: &[Announced]) {
        self.state().own = changes.first().and_then(|first| Some(first.position.clone()?.tag));
    }

    /// Applies what a node says that it has committed, if that follows what is applied here; who has done the acts is reported
    /// later. `false`: the feed must be read.
    pub fn hear(&self, said: &Announcement) -> bool {
        let mut state = self.state();
        let places: Vec<_> = (said.after.sequence + 1..).zip(&said.changes).collect();
        let Some((last, (tag, _))) = places.last() else { return false };
        if state.has_been_at(&Position { sequence: *last, tag: tag.clone() }) {
            return true;
        }
        let here = state.position.sequence;
        let fresh = state.hears_beyond.is_some_and(|sequence| sequence < here);
        if state.parted || !fresh || said.after != state.position || state.ahead > here {
            return false;
        }
        let own = said.changes.first().map(|(tag, _)| tag) == state.own.as_ref();
        for (sequence, (tag, told)) in places {
            self.apply_told(&mut state, sequence, told);
            state.advance(&Position { sequence, tag: tag.clone() });
        }
        drop(state);
        if !own {
            self.applied_foreign();
        }
        true
    }

    /// Waits until there may be acts that must be read to be reported.
    pub async fn has_unreported(&self) {
        self.unreported.notified().await;
    }

    /// The acts that must be read to be reported.
    pub fn gap(&self) -> Option<Gap> {
        let state = self.state();
        let mut heard = state.unreported.iter().filter_map(|unreported| match unreported {
            Unreported::Heard(sequence) => Some(*sequence),
            Unreported::Known(_) => None,
        });
        let first = heard.next()?;
        Some(Gap { first, last: heard.next_back().unwrap_or(first), loads: state.loads })
    }

    /// Fills a gap up to this number, with what was read of it; what is not there will not be reported.
    pub fn fill_gap(&self, gap: Gap, up_to: u64, read: &[Arc<Revocation>]) {
        let mut state = self.state();
        // Numbers are given again in another history.
        if state.loads != gap.loads {
            return;
        }
        read.iter().for_each(|act| state.learn(act));
        state.unreported.retain(|unreported| !matches!(unreported, Unreported::Heard(sequence) if *sequence <= up_to));
        self.report_known(&mut state);
    }

    /// Reports what has no gap before it.
    fn report_known(&self, state: &mut State) {
        while let Some(Unreported::Known(act)) = state.unreported.front() {
            self.report(act);
            state.unreported.pop_front();
        }
    }

    /// Applies what this node has committed, in order. If it is of another history, runs `on_parting` before anything else can be
    /// applied or relied upon, and says whether that is news.
    pub fn committed(&self, changes: &[Announced], on_parting: impl FnOnce()) -> bool {
        let mut state = self.state();
        state.own = None;
        let mut is_news = false;
        for Announced { change, position } in changes {
            match position {
                // All will be loaded anew, and this with it.
                Some(_) if state.parted => break,
                Some(position) if state.contradicts(position) => {
                    state.parted = true;
                    is_news = true;
                    on_parting();
                    break;
                }
                Some(position) if position.sequence <= state.position.sequence => {
                    if let Change::Revocation(act) = change {
                        state.learn(act);
                    }
                }
                Some(position) => {
                    self.apply(&mut state, change);
                    // What is missing in between, the feed brings.
                    if position.sequence == state.position.sequence + 1 {
                        state.advance(position);
                    } else {
                        state.ahead = state.ahead.max(position.sequence);
                    }
                }
                None => self.apply(&mut state, change),
            }
        }
        self.report_known(&mut state);
        if changes.iter().any(|announced| matches!(announced.change, Change::Revocation(_))) {
            self.to_fill.own.notify_one();
        }
        is_news
    }

    fn apply(&self, state: &mut State, change: &Change) {
        match change {
            Change::Revocation(act) => {
                self.apply_act(act.sequence, &act.authorizations, act.kind == Kind::Revoke);
                state.leave_for_report(Unreported::Known(Arc::clone(act)));
                self.report_known(state);
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
                let changed = authorizations.0.len();
                tracing::debug!(sequence, revokes, changed, "an act is applied as it was told");
                state.leave_for_report(Unreported::Heard(sequence));
                self.unreported.notify_one();
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

    fn report(&self, act: &Arc<Revocation>) {
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
