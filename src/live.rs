//! The live state: for each authorization one slot of 32 bytes, from which every check of a token is answered.
//!
//! Reading is an index and an atomic load. Writing is rare and happens under one lock: when an act is applied, on the
//! writer's thread, after its commit and before its answer; and when a slot that nobody had asked for is filled from
//! its row. A fill must not overtake an act: it notes the slot's `touched` before it reads the row and gives up, to try
//! again, if that has changed when it holds the lock. Acts are applied to slots that are not filled too: the mark that
//! they leave overrules the row.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use roaring::RoaringBitmap;

use crate::domain::application::Application;
use crate::domain::ids::{ApplicationId, AuthorizationId, DeviceId, UserId};
use crate::domain::token::Generation;
use crate::store::applications::ModelScheme;
use crate::store::authorizations::SlotRow;
use crate::store::users::User;

/// Slots of one block: 2 MB of them.
const BLOCK: usize = 1 << 16;

const PRESENT: u32 = 1;
const REVOKED: u32 = 1 << 1;
/// An act has been applied since the process started: its word stands, whatever the row says.
const MARKED: u32 = 1 << 2;

#[derive(Default)]
struct Slot {
    /// Flags in the high half, generation in the low half: read and written as one.
    state: AtomicU64,
    application: AtomicU32,
    user: AtomicU32,
    device: AtomicU32,
    scope: AtomicU32,
    /// Seconds since 1970, when one of its tokens was accepted last, as far as noted.
    last_used: AtomicU32,
    /// Goes up with each act, so that a fill notices.
    touched: AtomicU32,
}

impl Slot {
    fn flags(&self) -> u32 {
        unpack(self.state.load(Ordering::Acquire)).0
    }
}

const fn pack(flags: u32, generation: u32) -> u64 {
    (flags as u64) << 32 | generation as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
const fn unpack(state: u64) -> (u32, u32) {
    ((state >> 32) as u32, state as u32)
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
}

/// The place of a scope text among those that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeId(u32);

/// A slot before its row is read; to be given back with the row.
#[derive(Clone, Copy, Debug)]
pub struct FillTicket {
    epoch: Epoch,
    touched: u32,
}

/// From one [`Live::clear`] to the next. What was read in one is not kept in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u32);

/// A map whose entries come from the database, once each, and never older than the last change.
struct Cache<K, V> {
    entries: RwLock<HashMap<K, V, foldhash::fast::RandomState>>,
    changes: AtomicU64,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    fn new() -> Self {
        Self { entries: RwLock::default(), changes: AtomicU64::new(0) }
    }

    fn get(&self, key: &K) -> Option<V> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// To be taken before the row is read.
    fn ticket(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Keeps what was read, unless something has changed since the ticket was taken.
    fn fill(&self, ticket: u64, key: K, value: V) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::SeqCst) == ticket {
            entries.insert(key, value);
        }
    }

    fn forget(&self, key: &K) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        entries.remove(key);
    }

    fn clear(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::SeqCst);
        entries.clear();
    }
}

/// The texts of scopes by number, and their numbers.
type Scopes = (Vec<Arc<str>>, HashMap<Arc<str>, u32>);

/// The same as the slots say, as sets: what an act over a million is split with in microseconds.
#[derive(Default)]
struct Sets {
    /// Filled from a row, or touched by an act.
    known: RoaringBitmap,
    /// Of these, taken back.
    revoked: RoaringBitmap,
}

/// The state of every authorization, user, application and device that anybody has asked for.
pub struct Live {
    blocks: Box<[OnceLock<Box<[Slot]>>]>,
    writing: Mutex<Sets>,
    scopes: RwLock<Scopes>,
    used: Mutex<Vec<u32>>,
    users: Cache<i64, Arc<User>>,
    applications: Cache<i64, Arc<Application>>,
    clients: Cache<String, Arc<Application>>,
    model_schemes: Cache<i64, Arc<ModelScheme>>,
    devices: Cache<i64, bool>,
    /// Up to which act the slots are.
    applied: AtomicU64,
    epoch: AtomicU32,
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
            blocks: (0..=u32::MAX as usize / BLOCK).map(|_| OnceLock::new()).collect(),
            writing: Mutex::default(),
            scopes: RwLock::default(),
            used: Mutex::default(),
            users: Cache::new(),
            applications: Cache::new(),
            clients: Cache::new(),
            model_schemes: Cache::new(),
            devices: Cache::new(),
            applied: AtomicU64::new(0),
            epoch: AtomicU32::new(0),
        }
    }

    /// Forgets everything: the database is another one than what is kept here came from.
    pub fn clear(&self) {
        let mut sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        *sets = Sets::default();
        for slot in self.blocks.iter().filter_map(OnceLock::get).flatten() {
            slot.state.store(0, Ordering::Release);
        }
        self.applied.store(0, Ordering::Release);
        drop(sets);
        self.users.clear();
        self.forget_applications();
        self.devices.clear();
    }

    /// To be taken before rows are read for [`Self::fill_many`].
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    fn slot(&self, bit: u32) -> Option<&Slot> {
        self.blocks[bit as usize / BLOCK].get().map(|block| &block[bit as usize % BLOCK])
    }

    fn slot_or_new(&self, bit: u32) -> &Slot {
        let block = self.blocks[bit as usize / BLOCK].get_or_init(|| (0..BLOCK).map(|_| Slot::default()).collect());
        &block[bit as usize % BLOCK]
    }

    /// What is known of an authorization; `None`: it must be read, see [`Self::fill_ticket`].
    pub fn look_up(&self, id: AuthorizationId) -> Option<View> {
        let slot = self.slot(id.bit()?)?;
        let (flags, generation) = unpack(slot.state.load(Ordering::Acquire));
        if flags & PRESENT == 0 {
            return None;
        }
        let optional = |word: &AtomicU32| match word.load(Ordering::Relaxed) {
            0 => None,
            id => Some(i64::from(id)),
        };
        Some(View {
            revoked: flags & REVOKED != 0,
            generation: Generation(generation),
            application: ApplicationId(i64::from(slot.application.load(Ordering::Relaxed))),
            user: optional(&slot.user).map(UserId),
            device: optional(&slot.device).map(DeviceId),
            scope: ScopeId(slot.scope.load(Ordering::Relaxed)),
        })
    }

    /// Whether an authorization is revoked, as far as an act or a row that this process has seen says.
    pub fn is_revoked(&self, bit: u32) -> Option<bool> {
        let flags = self.slot(bit)?.flags();
        (flags & (PRESENT | MARKED) != 0).then_some(flags & REVOKED != 0)
    }

    /// What of a set is revoked, and what nobody has asked for yet.
    pub fn split(&self, set: &RoaringBitmap) -> (RoaringBitmap, RoaringBitmap) {
        let sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (set & &sets.revoked, set - &sets.known)
    }

    /// To be taken before an authorization's row is read. Takes no memory: anybody may ask for ids that do not exist.
    pub fn fill_ticket(&self, id: AuthorizationId) -> Option<FillTicket> {
        let epoch = self.epoch();
        let slot = self.slot(id.bit()?);
        Some(FillTicket { epoch, touched: slot.map_or(0, |slot| slot.touched.load(Ordering::Acquire)) })
    }

    /// Keeps what was read of an authorization. `false`: an act came in between, read again.
    pub fn fill(&self, ticket: FillTicket, row: &SlotRow) -> bool {
        let Some(bit) = AuthorizationId(row.id).bit() else { return true };
        let scope = self.intern(&row.scope);
        let mut sets = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.epoch() != ticket.epoch {
            return false;
        }
        let slot = self.slot_or_new(bit);
        let flags = slot.flags();
        if flags & PRESENT != 0 {
            return true;
        }
        if slot.touched.load(Ordering::Acquire) != ticket.touched {
            return false;
        }
        let small = |id: Option<i64>| id.and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        slot.application.store(small(Some(row.application_id)), Ordering::Relaxed);
        slot.user.store(small(row.user_id), Ordering::Relaxed);
        slot.device.store(small(row.device_id), Ordering::Relaxed);
        slot.scope.store(scope.0, Ordering::Relaxed);
        let revoked =
            if flags & MARKED != 0 { flags & REVOKED } else { REVOKED * u32::from(row.revocation_id.is_some()) };
        let generation = u32::try_from(row.generation).unwrap_or(u32::MAX);
        slot.state.store(pack(PRESENT | (flags & MARKED) | revoked, generation), Ordering::Release);
        sets.known.insert(bit);
        if revoked != 0 {
            sets.revoked.insert(bit);
        }
        true
    }

    /// Keeps many rows that were read in this epoch; those that an act has touched are left out.
    pub fn fill_many(&self, epoch: Epoch, rows: &[SlotRow]) {
        for row in rows {
            self.fill(FillTicket { epoch, touched: 0 }, row);
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
        for bit in set {
            let slot = self.slot_or_new(bit);
            // Plain loads and stores: the lock is held, and a million read-modify-writes would cost four times as much.
            slot.touched.store(slot.touched.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
            let (flags, generation) = unpack(slot.state.load(Ordering::Relaxed));
            let flags = if revoked { flags | REVOKED } else { flags & !REVOKED };
            slot.state.store(pack(flags | MARKED, generation), Ordering::Release);
        }
        self.applied.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Applies a refresh.
    pub fn set_generation(&self, id: AuthorizationId, generation: Generation) {
        let Some(bit) = id.bit() else { return };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = self.slot_or_new(bit);
        slot.touched.fetch_add(1, Ordering::AcqRel);
        let (flags, _) = unpack(slot.state.load(Ordering::Acquire));
        slot.state.store(pack(flags, generation.0), Ordering::Release);
    }

    /// Up to which act the slots are.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    fn intern(&self, text: &str) -> ScopeId {
        if let Some(index) = self.scopes.read().unwrap_or_else(PoisonError::into_inner).1.get(text) {
            return ScopeId(*index);
        }
        let mut scopes = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        let (texts, places) = &mut *scopes;
        let text: Arc<str> = text.into();
        let next = u32::try_from(texts.len()).expect("fewer scope texts than authorizations");
        let index = *places.entry(Arc::clone(&text)).or_insert_with(|| {
            texts.push(text);
            next
        });
        ScopeId(index)
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
        self.users.fill(ticket, user.id.0, Arc::clone(user));
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
        self.clients.entries.read().unwrap_or_else(PoisonError::into_inner).get(client_id).cloned()
    }

    /// To be taken before an application's row is read.
    pub fn application_ticket(&self) -> (u64, u64) {
        (self.applications.ticket(), self.clients.ticket())
    }

    /// Keeps an application that was read.
    pub fn fill_application(&self, ticket: (u64, u64), application: &Arc<Application>) {
        self.applications.fill(ticket.0, application.id.0, Arc::clone(application));
        self.clients.fill(ticket.1, application.client_id.clone(), Arc::clone(application));
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
        self.model_schemes.fill(ticket, id, Arc::clone(scheme));
    }

    /// Some application or model scheme has changed or is gone. There are few: all are read again.
    pub fn forget_applications(&self) {
        self.model_schemes.clear();
        self.applications.clear();
        self.clients.clear();
    }

    /// Whether a device is revoked, if anybody has asked; a device that is gone counts as revoked.
    pub fn device_revoked(&self, id: DeviceId) -> Option<bool> {
        self.devices.get(&id.0)
    }

    /// To be taken before a device's row is read.
    pub fn device_ticket(&self) -> u64 {
        self.devices.ticket()
    }

    /// Keeps whether a device is revoked.
    pub fn fill_device(&self, ticket: u64, id: DeviceId, revoked: bool) {
        self.devices.fill(ticket, id.0, revoked);
    }

    /// A device has changed or is gone.
    pub fn forget_device(&self, id: DeviceId) {
        self.devices.forget(&id.0);
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
        }
    }

    fn look(live: &Live, id: i64) -> Option<(bool, u32)> {
        live.look_up(AuthorizationId(id)).map(|view| (view.revoked, view.generation.0))
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 32);
    }

    #[test]
    fn a_fill_never_overtakes_an_act() {
        let live = Live::new();
        let id = AuthorizationId(70_000);
        assert_eq!(look(&live, id.0), None);
        let ticket = live.fill_ticket(id).expect("in range");
        live.apply(1, &RoaringBitmap::from([70_000]), true);
        assert!(!live.fill(ticket, &row(id.0, false)), "the row was read before the act");
        assert_eq!(look(&live, id.0), None);
        let ticket = live.fill_ticket(id).expect("in range");
        assert!(live.fill(ticket, &row(id.0, false)), "the column is not filled in yet");
        assert_eq!(look(&live, id.0), Some((true, 5)), "the act's word stands");
        live.apply(2, &RoaringBitmap::from([70_000]), false);
        assert_eq!(look(&live, id.0), Some((false, 5)));
        live.set_generation(id, Generation(6));
        assert_eq!(look(&live, id.0), Some((false, 6)));
        assert_eq!(live.applied(), 2);
    }

    #[test]
    fn an_undo_overrules_a_row_that_is_not_filled_in_yet() {
        let live = Live::new();
        live.apply(2, &RoaringBitmap::from([7]), false);
        let ticket = live.fill_ticket(AuthorizationId(7)).expect("in range");
        assert!(live.fill(ticket, &row(7, true)));
        assert_eq!(look(&live, 7), Some((false, 5)));
    }

    #[test]
    fn what_was_read_before_everything_was_forgotten_is_not_kept() {
        let live = Live::new();
        let id = AuthorizationId(7);
        live.apply(1, &RoaringBitmap::from([8]), true);
        let (ticket, user, epoch) = (live.fill_ticket(id).expect("in range"), live.user_ticket(), live.epoch());
        live.clear();
        assert_eq!((live.applied(), live.is_revoked(8)), (0, None));
        assert!(!live.fill(ticket, &row(7, true)), "to be read again");
        live.fill_many(epoch, &[row(9, true)]);
        assert_eq!(look(&live, 9), None);
        assert_ne!(live.user_ticket(), user);
        let ticket = live.fill_ticket(id).expect("in range");
        assert!(live.fill(ticket, &row(7, false)));
        assert_eq!(look(&live, 7), Some((false, 5)));
    }

    /// A block is 2 MB: whoever asks for ids all over the range must not make them.
    #[test]
    fn asking_takes_no_memory() {
        let live = Live::new();
        for block in 0..1_000 {
            let id = AuthorizationId(1 + block * 65_536);
            assert_eq!(look(&live, id.0), None);
            assert!(live.fill_ticket(id).is_some());
            assert_eq!(live.is_revoked(id.bit().expect("in range")), None);
        }
        assert_eq!(live.blocks.iter().filter(|block| block.get().is_some()).count(), 0);
    }

    #[test]
    fn ids_out_of_range_name_nothing() {
        let live = Live::new();
        for id in [i64::MIN, -1, 0, i64::from(u32::MAX) + 1, i64::MAX] {
            assert_eq!(look(&live, id), None, "{id}");
            assert!(live.fill_ticket(AuthorizationId(id)).is_none(), "{id}");
        }
        assert_eq!(look(&live, i64::from(u32::MAX)), None);
    }

    #[test]
    fn use_is_noted_to_the_minute() {
        let live = Live::new();
        let ticket = live.fill_ticket(AuthorizationId(1)).expect("in range");
        live.fill(ticket, &row(1, false));
        for second in [1_000, 1_030, 1_059, 1_060] {
            live.note_used(AuthorizationId(1), second, 60);
        }
        assert_eq!(live.take_used().last(), Some(&(AuthorizationId(1), 1_060)));
        assert_eq!(live.take_used(), []);
    }
}
