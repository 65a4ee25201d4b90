//! The live state: for each authorization one slot of 32 bytes, from which every check of a token is answered.
//!
//! Reading is an index and a few atomic loads. Writing is rare and happens under one lock: when an act is applied, after its
//! commit and before its answer; and when a slot is filled from its row. A fill never
//! overtakes an act, however old the row that it brings: what acts have said is marked in the slot, filled or not, and
//! overrules the row.
//!
//! [`Live::clear`] forgets everything at once, when the database has turned out to be another one: each slot carries the
//! epoch that it was written in, and counts as empty in any other.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use roaring::RoaringBitmap;

use crate::domain::application::Application;
use crate::domain::ids::{ApplicationId, AuthorizationId, DeviceId, UserId};
use crate::domain::time::unix;
use crate::domain::token::Generation;
use crate::limits;
use crate::store::applications::ModelScheme;
use crate::store::authorizations::SlotRow;
use crate::store::users::User;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Slots of one block.
const BLOCK: usize = limits::LIVE_BLOCK;

/// Filled from its row.
const PRESENT: u32 = 1;
const REVOKED: u32 = 1 << 1;
/// An act has been applied: its word stands, whatever the row says.
const MARKED: u32 = 1 << 2;
/// A refresh has been applied: its generation stands, whatever the row says.
const REFRESHED: u32 = 1 << 3;
/// The flags' bits; the epoch has those above them.
const FLAGS: u32 = 4;

#[derive(Default)]
struct Slot {
    /// Epoch, flags and generation: see [`State`]. Read and written as one.
    state: AtomicU64,
    application: AtomicU32,
    user: AtomicU32,
    device: AtomicU32,
    scope: AtomicU32,
    /// Seconds since 1970, when it was made.
    created: AtomicU32,
    /// Seconds since 1970, when one of its tokens was accepted last, as far as noted.
    last_used: AtomicU32,
}

/// What decides, as it is packed into one word: 28 bits of epoch, 4 of flags, 32 of generation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    epoch: u32,
    flags: u32,
    generation: u32,
}

impl State {
    const fn pack(self) -> u64 {
        ((self.epoch << FLAGS | self.flags) as u64) << 32 | self.generation as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
    const fn unpack(word: u64) -> Self {
        let high = (word >> 32) as u32;
        Self { epoch: high >> FLAGS, flags: high & ((1 << FLAGS) - 1), generation: word as u32 }
    }

    /// The same in this epoch: nothing is known if it is of another.
    const fn of(self, epoch: u32) -> Self {
        if self.epoch == epoch { self } else { Self { epoch, flags: 0, generation: 0 } }
    }
}

/// What a slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Taken back.
    pub revoked: bool,
    /// Which refresh token is current.
    pub generation: Generation,
    /// Who may act.
    pub application: ApplicationId,
    /// For whom.
    pub user: Option<UserId>,
    /// From where.
    pub device: Option<DeviceId>,
    /// What was granted: see [`Live::scope`].
    pub scope: ScopeId,
    /// When, in seconds since 1970.
    pub created_at: i64,
}

/// The place of a scope text among those that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId(u32);

/// From one [`Live::clear`] to the next. What was read in one is not kept in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u32);

/// A map whose entries come from the database, once each, and never older than the last change. When it is full, the
/// entry that came first goes.
struct Cache<K, V> {
    entries: RwLock<Entries<K, V>>,
    changes: AtomicU64,
    max: usize,
}

struct Entries<K, V> {
    map: HashMap<K, V, foldhash::fast::RandomState>,
    /// As they came; those that were forgotten since are in it still.
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    fn new(max: usize) -> Self {
        let entries = Entries { map: HashMap::default(), order: VecDeque::new() };
        Self { entries: RwLock::new(entries), changes: AtomicU64::new(0), max }
    }

    fn get(&self, key: &K) -> Option<V> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).map.get(key).cloned()
    }

    /// To be taken before the row is read.
    fn ticket(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Keeps what was read; `false`: something has changed since the ticket was taken, and nothing is kept.
    fn fill(&self, ticket: u64, read: impl IntoIterator<Item = (K, V)>) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) != ticket {
            return false;
        }
        for (key, value) in read {
            if !entries.map.contains_key(&key) {
                if entries.order.len() == self.max
                    && let Some(first) = entries.order.pop_front()
                {
                    entries.map.remove(&first);
                }
                entries.order.push_back(key.clone());
            }
            entries.map.insert(key, value);
        }
        true
    }

    fn forget(&self, key: &K) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        entries.map.remove(key);
    }

    fn clear(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        entries.map.clear();
        entries.order.clear();
    }
}

/// The texts of scopes by number, and their numbers.
#[derive(Default)]
struct Scopes(Vec<Arc<str>>, HashMap<Arc<str>, u32, foldhash::fast::RandomState>);

impl Scopes {
    fn place(&mut self, text: &str) -> ScopeId {
        if let Some(place) = self.1.get(text) {
            return ScopeId(*place);
        }
        let text: Arc<str> = text.into();
        let place = u32::try_from(self.0.len()).expect("fewer scope texts than authorizations");
        self.0.push(Arc::clone(&text));
        self.1.insert(text, place);
        ScopeId(place)
    }
}

/// The same as the slots say, as sets: what an act over a million is split with in microseconds.
#[derive(Default)]
struct Sets {
    /// Filled from a row, or touched by an act.
    known: RoaringBitmap,
    /// Of these, taken back.
    revoked: RoaringBitmap,
}

/// Devices, as sets: a bit or two each.
#[derive(Default)]
struct Devices {
    known: RoaringBitmap,
    /// Of these, revoked or gone.
    revoked: RoaringBitmap,
    /// Goes up with each change.
    changes: u64,
}

/// The state of every authorization, user, application and device that anybody has asked for.
pub struct Live {
    blocks: Box<[OnceLock<Box<[Slot]>>]>,
    /// Changes with each `clear`.
    epoch: AtomicU32,
    writing: Mutex<Sets>,
    scopes: RwLock<Scopes>,
    used: Mutex<Vec<u32>>,
    users: Cache<i64, Arc<User>>,
    applications: Cache<i64, Arc<Application>>,
    clients: Cache<String, Arc<Application>>,
    model_schemes: Cache<i64, Arc<ModelScheme>>,
    devices: RwLock<Devices>,
    /// Up to which act the slots are.
    applied: AtomicU64,
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    /// An empty state: everything is read when it is asked for.
    pub fn new() -> Self {
        Self {
            blocks: (0..=limits::AUTHORIZATION_ID_MAX as usize / BLOCK).map(|_| OnceLock::new()).collect(),
            epoch: AtomicU32::new(1),
            writing: Mutex::default(),
            scopes: RwLock::default(),
            used: Mutex::default(),
            users: Cache::new(limits::LIVE_USERS_MAX),
            applications: Cache::new(limits::LIVE_APPLICATIONS_MAX),
            clients: Cache::new(limits::LIVE_APPLICATIONS_MAX),
            model_schemes: Cache::new(limits::LIVE_APPLICATIONS_MAX),
            devices: RwLock::default(),
            applied: AtomicU64::new(0),
        }
    }

    fn slot(&self, bit: u32) -> Option<&Slot> {
        self.blocks.get(bit as usize / BLOCK)?.get().map(|block| &block[bit as usize % BLOCK])
    }

    fn slot_or_new(&self, bit: u32) -> Option<&Slot> {
        let block = self.blocks.get(bit as usize / BLOCK)?;
        let block = block.get_or_init(|| (0..BLOCK).map(|_| Slot::default()).collect());
        Some(&block[bit as usize % BLOCK])
    }

    /// What a slot says to who holds the lock.
    fn state(&self, slot: &Slot) -> State {
        State::unpack(slot.state.load(Ordering::Relaxed)).of(self.epoch.load(Ordering::Relaxed))
    }

    /// What is known of an authorization; `None`: it must be read, see [`Self::fill`].
    pub fn look_up(&self, id: AuthorizationId) -> Option<View> {
        let slot = self.slot(id.bit()?)?;
        loop {
            let word = slot.state.load(Ordering::Acquire);
            let state = State::unpack(word).of(self.epoch.load(Ordering::Acquire));
            if state.flags & PRESENT == 0 {
                return None;
            }
            let optional = |word: &AtomicU32| match word.load(Ordering::Relaxed) {
                0 => None,
                id => Some(i64::from(id)),
            };
            let view = View {
                revoked: state.flags & REVOKED != 0,
                generation: Generation(state.generation),
                application: ApplicationId(i64::from(slot.application.load(Ordering::Relaxed))),
                user: optional(&slot.user).map(UserId),
                device: optional(&slot.device).map(DeviceId),
                scope: ScopeId(slot.scope.load(Ordering::Relaxed)),
                created_at: i64::from(slot.created.load(Ordering::Relaxed)),
            };
            // A `clear` and another fill may have come in between. Who has read a word of the new row finds here, at the
            // latest, that the state is another one.
            fence(Ordering::Acquire);
            if slot.state.load(Ordering::Relaxed) == word {
                return Some(view);
            }
        }
    }

    /// Whether an authorization is revoked, as far as an act or a row that this process has seen says.
    pub fn is_revoked(&self, bit: u32) -> Option<bool> {
        let word = self.slot(bit)?.state.load(Ordering::Acquire);
        let flags = State::unpack(word).of(self.epoch.load(Ordering::Acquire)).flags;
        (flags & (PRESENT | MARKED) != 0).then_some(flags & REVOKED != 0)
    }

    /// What of a set is revoked, and what nobody has asked for yet.
    pub fn split(&self, set: &RoaringBitmap) -> (RoaringBitmap, RoaringBitmap) {
        let sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (set & &sets.revoked, set - &sets.known)
    }

    /// To be taken before rows of authorizations are read.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Keeps what was read of authorizations. `false`: everything was forgotten in between, read again.
    pub fn fill(&self, epoch: Epoch, rows: &[SlotRow]) -> bool {
        let scopes = self.intern(rows);
        let mut sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.epoch.load(Ordering::Relaxed) != epoch.0 {
            return false;
        }
        for (row, scope) in rows.iter().zip(scopes) {
            self.fill_slot(&mut sets, row, scope);
        }
        true
    }

    fn fill_slot(&self, sets: &mut Sets, row: &SlotRow, scope: ScopeId) {
        let Some(bit) = AuthorizationId(row.id).bit() else { return };
        let Some(slot) = self.slot_or_new(bit) else { return };
        let state = self.state(slot);
        if state.flags & PRESENT != 0 {
            return;
        }
        // What it said before it was cleared must be gone before the first word of the row is there: see `look_up`.
        slot.state.store(state.pack(), Ordering::Relaxed);
        fence(Ordering::Release);
        let small = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        slot.application.store(small(Some(row.application_id)), Ordering::Relaxed);
        slot.user.store(small(row.user_id), Ordering::Relaxed);
        slot.device.store(small(row.device_id), Ordering::Relaxed);
        slot.scope.store(scope.0, Ordering::Relaxed);
        slot.created.store(u32::try_from(unix(row.create_date).max(0)).unwrap_or(u32::MAX), Ordering::Relaxed);
        let mut flags = state.flags | PRESENT;
        if flags & MARKED == 0 && row.revocation_id.is_some() {
            flags |= REVOKED;
        }
        let by_row = u32::try_from(row.generation).unwrap_or(u32::MAX);
        let generation = if flags & REFRESHED == 0 { by_row } else { state.generation };
        slot.state.store(State { flags, generation, ..state }.pack(), Ordering::Release);
        sets.known.insert(bit);
        if flags & REVOKED != 0 {
            sets.revoked.insert(bit);
        }
    }

    /// Applies a revocation, or, when `revoked` is false, an undo.
    pub fn apply(&self, sequence: u64, set: &RoaringBitmap, revoked: bool) {
        let mut sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        sets.known |= set;
        if revoked {
            sets.revoked |= set;
        } else {
            sets.revoked -= set;
        }
        for slot in set.iter().filter_map(|bit| self.slot_or_new(bit)) {
            // Plain loads and stores: the lock is held, and a million read-modify-writes would cost four times as much.
            let state = self.state(slot);
            let flags = if revoked { state.flags | REVOKED } else { state.flags & !REVOKED };
            slot.state.store(State { flags: flags | MARKED, ..state }.pack(), Ordering::Release);
        }
        self.applied.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Applies a refresh.
    pub fn set_generation(&self, id: AuthorizationId, generation: Generation) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = id.bit().and_then(|bit| self.slot_or_new(bit)) else { return };
        let state = self.state(slot);
        let state = State { flags: state.flags | REFRESHED, generation: generation.0, ..state };
        slot.state.store(state.pack(), Ordering::Release);
    }

    /// Forgets everything: the database is another one than that which all this was read from. Costs the same however much
    /// there is. Rows that were read before it are not kept.
    pub fn clear(&self) {
        {
            let mut sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let next = (self.epoch.load(Ordering::Relaxed) + 1) & (u32::MAX >> FLAGS);
            self.epoch.store(next, Ordering::Release);
            *sets = Sets::default();
            self.applied.store(0, Ordering::Release);
        }
        self.take_used();
        self.forget_users();
        self.forget_applications();
        self.forget_devices();
    }

    /// Up to which act the slots are.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The places of the rows' scope texts, of which there are few.
    fn intern(&self, rows: &[SlotRow]) -> Vec<ScopeId> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        let known: Option<_> = rows.iter().map(|row| scopes.1.get(row.scope.as_str()).copied().map(ScopeId)).collect();
        drop(scopes);
        known.unwrap_or_else(|| {
            let mut scopes = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
            rows.iter().map(|row| scopes.place(&row.scope)).collect()
        })
    }

    /// The text of a scope.
    pub fn scope(&self, id: ScopeId) -> Arc<str> {
        let scopes = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&scopes.0[id.0 as usize])
    }

    /// Notes that a token was accepted, to the precision given. Costs a load when it was noted already.
    pub fn note_used(&self, id: AuthorizationId, now: i64, precision: u32) {
        let (Some(bit), Ok(now)) = (id.bit(), u32::try_from(now)) else { return };
        let Some(slot) = self.slot(bit) else { return };
        let last = slot.last_used.load(Ordering::Relaxed);
        if now.saturating_sub(last) < precision {
            return;
        }
        if slot.last_used.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.used.lock().unwrap_or_else(PoisonError::into_inner).push(bit);
        }
    }

    /// What has been used since this was called last: authorization and second.
    pub fn take_used(&self) -> Vec<(AuthorizationId, i64)> {
        let bits = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        bits.into_iter()
            .filter_map(|bit| {
                let at = self.slot(bit)?.last_used.load(Ordering::Relaxed);
                Some((AuthorizationId::from(bit), i64::from(at)))
            })
            .collect()
    }

    /// A user, if anybody has asked for him.
    pub fn user(&self, id: UserId) -> Option<Arc<User>> {
        self.users.get(&id.0)
    }

    /// To be taken before a user's row is read.
    pub fn user_ticket(&self) -> u64 {
        self.users.ticket()
    }

    /// Keeps a user that was read.
    pub fn fill_user(&self, ticket: u64, user: &Arc<User>) {
        self.fill_users(ticket, [Arc::clone(user)]);
    }

    /// Keeps users that were read; `false`: one has changed in between, and none is kept.
    pub fn fill_users(&self, ticket: u64, users: impl IntoIterator<Item = Arc<User>>) -> bool {
        self.users.fill(ticket, users.into_iter().map(|user| (user.id.0, user)))
    }

    /// A user has changed or is gone: the next one who asks reads him.
    pub fn forget_user(&self, id: UserId) {
        self.users.forget(&id.0);
    }

    /// Whatever was known of users may have changed.
    pub fn forget_users(&self) {
        self.users.clear();
    }

    /// An application, if anybody has asked for it.
    pub fn application(&self, id: ApplicationId) -> Option<Arc<Application>> {
        self.applications.get(&id.0)
    }

    /// An application by its `client_id`.
    pub fn client(&self, client_id: &str) -> Option<Arc<Application>> {
        self.clients.entries.read().unwrap_or_else(PoisonError::into_inner).map.get(client_id).cloned()
    }

    /// To be taken before an application's row is read.
    pub fn application_ticket(&self) -> (u64, u64) {
        (self.applications.ticket(), self.clients.ticket())
    }

    /// Keeps an application that was read.
    pub fn fill_application(&self, ticket: (u64, u64), application: &Arc<Application>) {
        self.applications.fill(ticket.0, [(application.id.0, Arc::clone(application))]);
        self.clients.fill(ticket.1, [(application.client_id.clone(), Arc::clone(application))]);
    }

    /// A model scheme, if anybody has asked for it.
    pub fn model_scheme(&self, id: i64) -> Option<Arc<ModelScheme>> {
        self.model_schemes.get(&id)
    }

    /// To be taken before a model scheme's rows are read.
    pub fn model_scheme_ticket(&self) -> u64 {
        self.model_schemes.ticket()
    }

    /// Keeps a model scheme that was read.
    pub fn fill_model_scheme(&self, ticket: u64, id: i64, scheme: &Arc<ModelScheme>) {
        self.model_schemes.fill(ticket, [(id, Arc::clone(scheme))]);
    }

    /// Some application or model scheme has changed or is gone. There are few: all are read again.
    pub fn forget_applications(&self) {
        self.model_schemes.clear();
        self.applications.clear();
        self.clients.clear();
    }

    /// Whether a device is revoked, if anybody has asked; a device that is gone counts as revoked.
    pub fn device_revoked(&self, id: DeviceId) -> Option<bool> {
        let bit = u32::try_from(id.0).ok()?;
        let devices = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        devices.known.contains(bit).then(|| devices.revoked.contains(bit))
    }

    /// To be taken before devices' rows are read.
    pub fn device_ticket(&self) -> u64 {
        self.devices.read().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// Keeps of devices whether they are revoked; `false`: one has changed in between, and nothing is kept.
    pub fn fill_devices(&self, ticket: u64, read: impl IntoIterator<Item = (DeviceId, bool)>) -> bool {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        if devices.changes != ticket {
            return false;
        }
        for (id, revoked) in read {
            let Ok(bit) = u32::try_from(id.0) else { continue };
            devices.known.insert(bit);
            if revoked {
                devices.revoked.insert(bit);
            } else {
                devices.revoked.remove(bit);
            }
        }
        true
    }

    /// A device has changed or is gone.
    pub fn forget_device(&self, id: DeviceId) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        devices.changes += 1;
        if let Ok(bit) = u32::try_from(id.0) {
            devices.known.remove(bit);
        }
    }

    /// Whatever was known of devices may have changed.
    fn forget_devices(&self) {
        let mut devices = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        *devices = Devices { changes: devices.changes + 1, ..Devices::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, revoked: bool) -> SlotRow {
        SlotRow {
            id,
            application_id: 3,
            user_id: Some(4),
            device_id: None,
            scope: "read".to_owned(),
            generation: 5,
            revocation_id: revoked.then_some(1),
            create_date: crate::domain::time::from_unix(1_800_000_000),
        }
    }

    fn look(live: &Live, id: i64) -> Option<(bool, u32)> {
        live.look_up(AuthorizationId(id)).map(|view| (view.revoked, view.generation.0))
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 32);
    }

    fn fill(live: &Live, row: SlotRow) {
        assert!(live.fill(live.epoch(), &[row]));
    }

    #[test]
    fn a_fill_never_overtakes_an_act() {
        let live = Live::new();
        let id = AuthorizationId(70_000);
        assert_eq!(look(&live, id.0), None);
        live.apply(1, &RoaringBitmap::from([70_000]), true);
        assert_eq!(look(&live, id.0), None);
        assert_eq!(live.is_revoked(70_000), Some(true));
        fill(&live, row(id.0, false));
        assert_eq!(
            look(&live, id.0),
            Some((true, 5)),
            "the row was read before the act, or its columns are not filled in"
        );
        live.apply(2, &RoaringBitmap::from([70_000]), false);
        assert_eq!(look(&live, id.0), Some((false, 5)));
        live.set_generation(id, Generation(6));
        fill(&live, row(id.0, true));
        assert_eq!(look(&live, id.0), Some((false, 6)));
        assert_eq!(live.applied(), 2);
    }

    #[test]
    fn a_fill_never_overtakes_a_refresh() {
        let live = Live::new();
        live.set_generation(AuthorizationId(7), Generation(6));
        assert_eq!(look(&live, 7), None);
        fill(&live, row(7, true));
        assert_eq!(look(&live, 7), Some((true, 6)), "the row is of before the refresh, but all there is of the rest");
    }

    #[test]
    fn an_undo_overrules_a_row_that_is_not_filled_in_yet() {
        let live = Live::new();
        live.apply(2, &RoaringBitmap::from([7]), false);
        fill(&live, row(7, true));
        assert_eq!(look(&live, 7), Some((false, 5)));
    }

    #[test]
    fn what_was_read_before_everything_was_forgotten_is_not_kept() {
        let live = Live::new();
        let (one, both) = (RoaringBitmap::from([7]), RoaringBitmap::from([7, 8]));
        fill(&live, row(7, false));
        live.apply(4, &both, true);
        live.fill_devices(live.device_ticket(), [(DeviceId(1), true)]);
        let (epoch, devices) = (live.epoch(), live.device_ticket());
        live.clear();
        assert_eq!((look(&live, 7), live.is_revoked(8), live.applied()), (None, None, 0));
        assert_eq!(live.split(&both), (RoaringBitmap::new(), both));
        assert_eq!(live.device_revoked(DeviceId(1)), None);
        assert!(!live.fill(epoch, &[row(7, false)]), "the row was read before it");
        assert!(!live.fill_devices(devices, [(DeviceId(1), true)]), "so was this one");
        live.apply(1, &one, true);
        fill(&live, row(7, false));
        assert_eq!(look(&live, 7), Some((true, 5)));
    }

    #[test]
    fn a_full_cache_lets_the_oldest_go() {
        let cache = Cache::new(2);
        let keys = |cache: &Cache<i64, i64>| (0..5).filter(|key| cache.get(key).is_some()).collect::<Vec<_>>();
        assert!(cache.fill(cache.ticket(), (0..3).map(|key| (key, key))));
        assert_eq!(keys(&cache), [1, 2]);
        let ticket = cache.ticket();
        cache.forget(&2);
        assert!(!cache.fill(ticket, [(3, 3)]));
        assert!(cache.fill(cache.ticket(), [(1, 1), (3, 3)]));
        assert_eq!(keys(&cache), [3], "the place of who was forgotten is kept until its turn comes");
        assert!(cache.fill(cache.ticket(), [(4, 4)]));
        assert_eq!(keys(&cache), [3, 4]);
        cache.clear();
        assert!(keys(&cache).is_empty());
    }

    /// A block is 2 MB: whoever asks for ids all over the range must not make them.
    #[test]
    fn asking_takes_no_memory() {
        let live = Live::new();
        for block in 0..1_000 {
            let id = AuthorizationId(1 + block * 65_536);
            assert_eq!(look(&live, id.0), None);
            assert_eq!(live.is_revoked(id.bit().expect("in range")), None);
        }
        assert_eq!(live.blocks.iter().filter(|block| block.get().is_some()).count(), 0);
    }

    #[test]
    fn ids_out_of_range_name_nothing() {
        let live = Live::new();
        for id in [i64::MIN, -1, 0, i64::from(u32::MAX) + 1, i64::MAX] {
            fill(&live, row(id, false));
            assert_eq!(look(&live, id), None, "{id}");
        }
        assert_eq!(look(&live, i64::from(u32::MAX)), None);
    }

    #[test]
    fn use_is_noted_to_the_minute() {
        let live = Live::new();
        fill(&live, row(1, false));
        for second in [1_000, 1_030, 1_059, 1_060] {
            live.note_used(AuthorizationId(1), second, 60);
        }
        assert_eq!(live.take_used().last(), Some(&(AuthorizationId(1), 1_060)));
        assert_eq!(live.take_used(), []);
    }
}
