//! Which sealing keys are in force, on all nodes alike.
//!
//! Each node has the keys in a file of its own (see [`crate::config::keys`]). The database says which of them count: by
//! number, and by a check value that tells whether a node's key is the same one. So a node with other keys is told from one
//! with the right ones before it answers anybody, and a rotation has two steps: a new key is registered and opens only; once
//! each node has it, it seals. A token that was sealed with a key which is in force but not here is answered with
//! [`Error::Unavailable`]: other nodes know more.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Error, Service};
use crate::domain::time::Timestamp;
use crate::domain::token::{Claims, EmptyKeyRing, KeyId, KeyRing, OpenError, RegisteredKey, SealingKey, TokenKind};
use crate::store::sealing_keys::{self, KeyRow};
use crate::store::{Store, StoreError, Tx, nodes};

/// The keys that this node has, and which of them are in force.
pub(super) struct Keys {
    held: RwLock<KeyRing>,
    in_force: RwLock<Arc<KeyRing>>,
    /// What the other nodes have been told of them, under which row.
    told: Mutex<Option<(String, Vec<u16>)>>,
}

impl Keys {
    pub(super) fn new(held: KeyRing, in_force: KeyRing) -> Self {
        Self { held: RwLock::new(held), in_force: RwLock::new(Arc::new(in_force)), told: Mutex::default() }
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
    held.in_force(&live(&rows)).map_err(|EmptyKeyRing| {
        Error::Conflict(
            "this node has none of the sealing keys with which tokens of this database are sealed".to_owned(),
        )
    })
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
    sealing_keys::list(tx.connection)
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
            Ok(sealing_keys::insert(tx.connection, &key, now)?)
        })
        .await
}

/// Lets a registered key seal, from now on and on all nodes.
///
/// # Errors
/// [`Error::Conflict`]: there is none of this number in force, or, unless `anyway`, a node lacks it.
pub async fn put_in_use(store: &Store, id: KeyId, anyway: bool) -> Result<(), Error> {
    store
        .write(move |tx| {
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
            Ok(sealing_keys::set_seals(tx.connection, id)?)
        })
        .await
}

/// Takes a key out of force: what it sealed opens no more, on no node.
///
/// # Errors
/// [`Error::Conflict`]: there is none of this number in force, or it is the one that seals.
pub async fn retire(store: &Store, id: KeyId, held: Option<&KeyRing>, now: Timestamp) -> Result<(), Error> {
    let held = held.cloned();
    store
        .write(move |tx| {
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
            Ok(sealing_keys::retire(tx.connection, id, now)?)
        })
        .await
}

fn find_live(rows: &[KeyRow], id: KeyId) -> Result<&KeyRow, Error> {
    let found = rows.iter().find(|row| row.key.id == id && row.retired_at.is_none());
    found.ok_or_else(|| Error::Conflict(format!("no key with the number {} is in force", id.0)))
}

impl Service {
    /// The sealing keys that are in force and here.
    pub fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.keys.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a token with the keys that are in force, without taking hold of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it was sealed with a key that other nodes have and this one lacks.
    pub(super) fn open(&self, token: &str) -> Result<Result<(TokenKind, Claims), OpenError>, Error> {
        match self.keys.in_force.read().unwrap_or_else(PoisonError::into_inner).open(token) {
            Err(OpenError::AbsentKey) => Err(Error::Unavailable),
            opened => Ok(opened),
        }
    }

    /// Gives this node other keys: its file has changed. Those of them are put in force that the database knows.
    ///
    /// # Errors
    /// As [`agree`]; the ones in force stay.
    pub async fn set_keys(&self, held: KeyRing) -> Result<(), Error> {
        let in_force = agree(&self.store, &held, self.now()).await?;
        *self.keys.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        self.put_in_force(in_force);
        self.tell_keys().await
    }

    /// Looks whether the keys that are in force have changed: a key was rotated or retired, on whatever node.
    ///
    /// # Errors
    /// As [`agree`]; the ones in force stay.
    pub async fn read_keys_anew(&self) -> Result<(), Error> {
        let held = self.keys.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        let in_force = agree(&self.store, &held, self.now()).await?;
        self.put_in_force(in_force);
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

    fn put_in_force(&self, ring: KeyRing) {
        let before = self.keys();
        if before.ids().eq(ring.ids()) && before.absent() == ring.absent() {
            return;
        }
        if ring.absent().is_empty() {
            tracing::info!(
                keys = ring.ids().count(),
                sealing = ring.ids().last().map(|id| id.0),
                "sealing keys put in force"
            );
        } else {
            tracing::error!(absent = ?ring.absent(), "this node lacks sealing keys that are in use: copy the keys' file here");
        }
        *self.keys.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}
