//! Which sealing keys are in force, on all nodes alike.
//!
//! Each node has the keys in a file of its own (see [`crate::config::keys`]). The database says which of them count: by
//! number, and by a check value that tells whether a node's key is the same one. So a node with other keys is told from one
//! with the right ones before it answers anybody, and a rotation has two steps: a new key is registered and opens only; once
//! each node has it, it seals. A token that was sealed with a key which is in force but not here is answered with
//! [`Error::Unavailable`]: other nodes know more.
//!
//! What the database says of them changes by the feed, like all that nodes keep in memory ([`Change::Keys`]): when
//! [`Service::retire_key`] has returned, no node opens what the key sealed. Tokens are opened inside
//! [`Service::fenced`], or inside a write, for that.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Error, Service};
use crate::domain::time::Timestamp;
use crate::domain::token::{Claims, KeyId, KeyRing, OpenError, RegisteredKey, SealingKey, TokenKind};
use crate::store::changes::Change;
use crate::store::sealing_keys::{self, KeyRow};
use crate::store::{Store, StoreError, Tx, nodes};

/// The keys that this node has, and which of them are in force.
pub struct Keys {
    state: RwLock<State>,
    /// What the other nodes have been told of them, under which row.
    told: Mutex<Option<(String, Vec<u16>)>>,
}

struct State {
    /// As in the file.
    held: KeyRing,
    /// As in the database.
    registered: Vec<RegisteredKey>,
    /// What follows from both.
    in_force: Arc<KeyRing>,
    /// How often the database's have changed, so that what was read before a change never replaces it.
    changes: u64,
}

impl State {
    fn settle(&mut self) {
        let ring = self.held.in_force(&self.registered);
        let before = std::mem::replace(&mut self.in_force, Arc::new(ring));
        // A command that changes which keys are in force has none, and needs none.
        if self.held.keys().is_empty() {
            return;
        }
        let (can_seal, absent) = (self.in_force.can_seal(), self.in_force.absent());
        if before.ids().eq(self.in_force.ids()) && before.absent() == absent && before.can_seal() == can_seal {
            return;
        }
        if !can_seal {
            tracing::error!(
                ?absent,
                "no sealing key of this node is in force: it gives out no tokens and opens none. Copy the keys' file here"
            );
        } else if !absent.is_empty() {
            tracing::error!(?absent, "this node lacks sealing keys that are in use: copy the keys' file here");
        } else {
            let sealing = self.in_force.ids().last().map(|id| id.0);
            tracing::info!(keys = self.in_force.ids().count(), sealing, "sealing keys put in force");
        }
    }
}

impl Keys {
    /// Those that a node has, and none in force yet.
    pub fn new(held: KeyRing) -> Self {
        let in_force = Arc::new(held.in_force(&[]));
        let state = State { held, registered: Vec::new(), in_force, changes: 0 };
        Self { state: RwLock::new(state), told: Mutex::default() }
    }

    fn in_force(&self) -> Arc<KeyRing> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).in_force)
    }

    /// Signs what this node tells the others; `None`: it has no key to do so.
    pub fn sign(&self, text: &str) -> Option<String> {
        self.in_force().sign(text).ok()
    }

    /// Whether another node, or this one, has signed this.
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        self.in_force().has_signed(text, signature)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        state.settle();
    }

    /// What the database says of them has changed to this.
    pub fn set_registered(&self, registered: Vec<RegisteredKey>) {
        self.change(|state| {
            state.changes += 1;
            state.registered = registered;
        });
    }

    /// How often that has happened; to be taken before the database is asked.
    fn changes(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).changes
    }

    /// Keeps what was read since, unless it has changed meanwhile.
    fn refresh(&self, changes: u64, registered: Vec<RegisteredKey>) {
        self.change(|state| {
            if state.changes == changes {
                state.registered = registered;
            }
        });
    }

    fn set_held(&self, held: KeyRing) {
        self.change(|state| state.held = held);
    }
}

/// All keys that the database knows, those that were retired too.
pub async fn list(store: &Store) -> Result<Vec<KeyRow>, Error> {
    Ok(store.read(sealing_keys::list).await?)
}

/// Of the keys that a node has those that are in force. In a database that has none in force yet, they are from now on.
///
/// # Errors
/// [`Error::Conflict`]: none of them may seal here.
pub async fn agree(store: &Store, held: &KeyRing, now: Timestamp) -> Result<KeyRing, Error> {
    let mut rows = list(store).await?;
    if rows.iter().all(|row| row.retired_at.is_some()) {
        let held = held.clone();
        rows = store.write(move |tx| register_first(tx, &held, now)).await?;
    }
    let ring = held.in_force(&live(&rows));
    if ring.can_seal() {
        return Ok(ring);
    }
    let text = "this node has none of the sealing keys with which tokens of this database are sealed";
    Err(Error::Conflict(text.to_owned()))
}

fn live(rows: &[KeyRow]) -> Vec<RegisteredKey> {
    rows.iter().filter(|row| row.retired_at.is_none()).map(|row| row.key.clone()).collect()
}

fn register_first(tx: &mut Tx<'_>, held: &KeyRing, now: Timestamp) -> Result<Vec<KeyRow>, StoreError> {
    let rows = sealing_keys::list(tx.connection)?;
    // Another node may have been first.
    if rows.iter().any(|row| row.retired_at.is_none()) {
        return Ok(rows);
    }
    let fresh = held.keys().iter().filter(|key| !rows.iter().any(|row| row.key.id == key.id()));
    let last = held.ids().last();
    for key in fresh {
        let check = key.check_value().to_owned();
        let key = RegisteredKey { id: key.id(), check, seals: Some(key.id()) == last };
        sealing_keys::insert(tx.connection, &key, now)?;
    }
    // Who started before them has none of its own. Where there never were any, nobody has started.
    if !rows.is_empty() {
        announce(tx)?;
    }
    sealing_keys::list(tx.connection)
}

/// Tells all nodes what is so as of this transaction.
fn announce(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let registered = sealing_keys::list_in_force(tx.connection)?;
    tx.announce(Change::Keys(registered.into()))
}

/// Registers a new key. Until it `seals` it opens only: nothing is sealed with it before each node has it.
///
/// # Errors
/// [`Error::Conflict`]: its number was given before.
pub async fn register(store: &Store, key: &SealingKey, seals: bool, now: Timestamp) -> Result<(), Error> {
    let key = RegisteredKey { id: key.id(), check: key.check_value().to_owned(), seals };
    store
        .write(move |tx| {
            if sealing_keys::list(tx.connection)?.iter().any(|row| row.key.id == key.id) {
                return Err(Error::Conflict(format!("a key with the number {} was made before", key.id.0)));
            }
            sealing_keys::insert(tx.connection, &key, now)?;
            Ok(announce(tx)?)
        })
        .await
}

fn find_live(rows: &[KeyRow], id: KeyId) -> Result<&KeyRow, Error> {
    let found = rows.iter().find(|row| row.key.id == id && row.retired_at.is_none());
    found.ok_or_else(|| Error::Conflict(format!("no key with the number {} is in force", id.0)))
}

/// How a token is shown. One that is kept in a cookie is good for nobody who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// By an application: as a bearer token, to be refreshed or revoked, or to be asked about.
    Bare,
    /// By a browser, in the gateway's cookie.
    InCookie,
}

impl Shown {
    const fn of(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Access | TokenKind::Refresh => Self::Bare,
            TokenKind::Gateway => Self::InCookie,
        }
    }
}

impl Service {
    /// The sealing keys that are in force and here.
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.in_force()
    }

    /// Opens a token with the keys that are in force, without taking hold of them. Under a lease, or where the database has
    /// confirmed it: see [`Self::opened`]. Shown in another way than its kind is shown, it is no token.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it was sealed with a key that other nodes have and this one lacks.
    pub(super) fn open(&self, shown: Shown, token: &str) -> Result<Result<(TokenKind, Claims), OpenError>, Error> {
        match self.keys.state.read().unwrap_or_else(PoisonError::into_inner).in_force.open(token) {
            Err(OpenError::AbsentKey) => Err(Error::Unavailable),
            Ok((kind, _)) if shown != Shown::of(kind) => Ok(Err(OpenError::Malformed)),
            opened => Ok(opened),
        }
    }

    /// The same of an access or refresh token, where nothing is known yet of a lease.
    pub(super) async fn opened(
        &self,
        shown: Shown,
        token: &str,
    ) -> Result<Result<(TokenKind, Claims), OpenError>, Error> {
        self.fenced(|| std::future::ready(self.open(shown, token))).await
    }

    /// Lets a registered key seal. When this returns, every node seals with it, but those that are told of in the error.
    ///
    /// # Errors
    /// [`Error::Conflict`]: there is none of this number in force, or, unless `anyway`, a node lacks it.
    pub async fn put_key_in_use(&self, id: KeyId, anyway: bool) -> Result<(), Error> {
        self.write(move |tx| {
            find_live(&sealing_keys::list(tx.connection)?, id)?;
            let mut lack = nodes::list_notes(tx.connection)?;
            lack.retain(|node| !node.keys.contains(&id.0));
            if !anyway && !lack.is_empty() {
                let names = lack.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Error::Conflict(format!(
                    "these nodes lack key {}: {names}. Copy the file to them; a running node takes it up within two seconds. \
                     Of one that runs no more, add --yes",
                    id.0
                )));
            }
            sealing_keys::set_seals(tx.connection, id)?;
            Ok(announce(tx)?)
        })
        .await
    }

    /// Takes a key out of force. When this returns, what it sealed opens no more, on no node. `held` are the keys of the file
    /// here, if there is one.
    ///
    /// # Errors
    /// [`Error::Conflict`]: there is none of this number in force, or it is the one that seals.
    pub async fn retire_key(&self, id: KeyId, held: Option<&KeyRing>) -> Result<(), Error> {
        let (held, now) = (held.cloned(), self.now());
        self.write(move |tx| {
            let rows = sealing_keys::list(tx.connection)?;
            let row = find_live(&rows, id)?;
            let here = held
                .as_ref()
                .is_some_and(|held| held.keys().iter().any(|key| key.id() == id && key.check_value() == row.key.check));
            let sealing = live(&rows).iter().filter(|key| key.seals).map(|key| key.id).max();
            // A key that is lost seals nothing any more, whatever the database says.
            if here && sealing == Some(id) {
                return Err(Error::Conflict(format!("key {} seals: rotate first", id.0)));
            }
            sealing_keys::retire(tx.connection, id, now)?;
            Ok(announce(tx)?)
        })
        .await
    }

    /// Gives this node other keys: its file has changed. Those of them are in force that the database knows.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the other nodes could not be told.
    pub async fn set_keys(&self, held: KeyRing) -> Result<(), Error> {
        self.keys.set_held(held);
        self.read_keys_anew().await
    }

    /// Looks which keys the database has in force: where it is a file, other processes' changes of it come by no feed.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; the ones known stay in force.
    pub async fn read_keys_anew(&self) -> Result<(), Error> {
        let changes = self.keys.changes();
        let registered = self.store.read(sealing_keys::list_in_force).await?;
        self.keys.refresh(changes, registered);
        self.tell_keys().await
    }

    /// Tells the other nodes which keys are here, unless they know.
    async fn tell_keys(&self) -> Result<(), Error> {
        let Some(node) = self.cluster.node_id() else { return Ok(()) };
        let note = (node, self.keys().ids().map(|id| id.0).collect::<Vec<_>>());
        if self.keys.told.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&note) {
            return Ok(());
        }
        let ((node, ids), instance) = (note.clone(), self.instance().to_owned());
        if self.write(move |tx| Ok::<_, Error>(nodes::set_note(tx.connection, &node, &instance, &ids)?)).await? {
            *self.keys.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u16) -> SealingKey {
        SealingKey::new(KeyId(id), &[7; 32])
    }

    fn registered(ids: &[u16]) -> Vec<RegisteredKey> {
        let row = |id: &u16| RegisteredKey { id: KeyId(*id), check: key(*id).check_value().to_owned(), seals: true };
        ids.iter().map(row).collect()
    }

    #[test]
    fn what_was_read_before_a_change_does_not_put_a_retired_key_back_in_force() {
        let keys = Keys::new(KeyRing::new(vec![key(1), key(2)]).expect("two"));
        assert!(!keys.in_force().can_seal(), "nothing is in force before the database has been asked");
        keys.refresh(keys.changes(), registered(&[1, 2]));
        assert_eq!(keys.in_force().ids().count(), 2);
        let before = keys.changes();
        keys.set_registered(registered(&[2]));
        keys.refresh(before, registered(&[1, 2]));
        assert_eq!(keys.in_force().ids().collect::<Vec<_>>(), [KeyId(2)]);
        keys.refresh(keys.changes(), registered(&[]));
        assert!(keys.in_force().ids().next().is_none() && !keys.in_force().can_seal());
        keys.set_held(KeyRing::new(vec![key(3)]).expect("one"));
        keys.set_registered(registered(&[3]));
        assert!(keys.in_force().can_seal());
    }
}
