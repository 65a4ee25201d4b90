//! Wrong passwords, counted so that nobody can try them all. Kept below the doors: changing doors starts no new count; and
//! in the database: changing nodes doesn't either.
//!
//! There are two counts: of one user from one address, with Odoo's bound, and of an address whoever it asks for, with a
//! higher one, because many people may share it. A try that is under way counts as if it were wrong, so that many at a time
//! are no way around the bound. What is under way on another node is not known here: with `n` nodes up to
//! [`limits::PASSWORD_HASHES_MAX`] times `n - 1` more may be tried in one burst, once in the cooldown.
//!
//! Wrong API keys at the Access API are counted too, see [`note_wrong_key`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyRing, NoSealingKey};
use crate::limits;
use crate::store::password_failures::{self, Count};
use crate::store::{Connection, Store, StoreError, Tx};

/// How long somebody waits whose try might be one too many, once those under way are done.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Whose password is tried from where: the keys of both counts. They are hashes that nobody can make who has the database and
/// not the sealing keys, because what people type for a login may be their password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pair: String,
    address: String,
}

impl Source {
    /// Tries of this user's password from this address.
    ///
    /// # Errors
    /// This node has no sealing key.
    pub fn of_user(keys: &KeyRing, user: UserId, address: Option<IpAddr>) -> Result<Self, NoSealingKey> {
        Self::of(keys, &format!("user {}", user.0), address)
    }

    /// Tries of a login that nobody has, from this address.
    ///
    /// # Errors
    /// As [`Self::of_user`].
    pub fn of_nobody(keys: &KeyRing, login: &str, address: Option<IpAddr>) -> Result<Self, NoSealingKey> {
        Self::of(keys, &format!("login {login}"), address)
    }

    fn of(keys: &KeyRing, subject: &str, address: Option<IpAddr>) -> Result<Self, NoSealingKey> {
        let address = origin(address);
        Ok(Self {
            pair: keys.keyed_hash(&format!("password of {address} {subject}"))?,
            address: keys.keyed_hash(&format!("password of {address}"))?,
        })
    }

    /// What has been wrong so far, on all nodes.
    pub fn counts(&self, connection: &mut Connection) -> Result<Counts, StoreError> {
        Ok(Counts {
            pair: password_failures::find(connection, &self.pair)?,
            address: password_failures::find(connection, &self.address)?,
        })
    }

    const fn bounds(&self) -> [(&String, u32); 2] {
        [(&self.pair, limits::LOGIN_FAILURES_MAX), (&self.address, limits::ADDRESS_FAILURES_MAX)]
    }
}

/// What has been wrong so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pair: Option<Count>,
    address: Option<Count>,
}

impl Counts {
    /// Whether anything may be tried at all, also what is right.
    ///
    /// # Errors
    /// [`Error::RateLimited`]
    pub fn check(&self, now: Timestamp) -> Result<(), Error> {
        let bounds = [(self.pair, limits::LOGIN_FAILURES_MAX), (self.address, limits::ADDRESS_FAILURES_MAX)];
        bounds.into_iter().try_for_each(|(count, most)| check_bound(count, most, now))
    }

    /// Whether there is anything to forget once the password was right.
    pub const fn is_clean(&self) -> bool {
        self.pair.is_none()
    }
}

fn check_bound(count: Option<Count>, most: u32, now: Timestamp) -> Result<(), Error> {
    match count {
        Some(count) if current(Some(count), now) >= i64::from(most) => {
            let left = count.failed_at + limits::LOGIN_COOLDOWN - now;
            Err(Error::RateLimited { retry_after: left.to_std().unwrap_or(limits::LOGIN_COOLDOWN) })
        }
        _ => Ok(()),
    }
}

fn current(count: Option<Count>, now: Timestamp) -> i64 {
    count.filter(|count| now < count.failed_at + limits::LOGIN_COOLDOWN).map_or(0, |count| count.failures)
}

/// Counts wrong passwords.
#[derive(Default)]
pub struct Failures {
    /// By key. There are no more at a time than may be hashed.
    under_way: Arc<Mutex<HashMap<String, u32>>>,
}

/// A try under way.
#[must_use]
pub struct Try {
    source: Source,
}

impl Failures {
    /// Starts a try: from here on it counts, until [`Self::end`].
    ///
    /// # Errors
    /// [`Error::RateLimited`]
    pub async fn start(&self, store: &Store, source: Source, now: Timestamp) -> Result<Try, Error> {
        // Whoever ends one writes it down first: it is in one count or in the other.
        let mut under_way = self.under_way.lock().await;
        let own = source.clone();
        let counts = store.read(move |connection| own.counts(connection)).await?;
        counts.check(now)?;
        for ((key, most), count) in source.bounds().into_iter().zip([counts.pair, counts.address]) {
            let open = under_way.get(key).copied().unwrap_or(0);
            if current(count, now) + i64::from(open) >= i64::from(most) {
                return Err(Error::RateLimited { retry_after: UNDER_WAY });
            }
        }
        for (key, _) in source.bounds() {
            *under_way.entry(key.clone()).or_default() += 1;
        }
        Ok(Try { source })
    }

    /// Ends a try. A right one does not count, and those before it for this user from this address are forgotten.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: a wrong one could not be written down; the caller must not be told that it was wrong.
    pub async fn end(&self, store: &Store, tried: Try, right: bool, now: Timestamp) -> Result<(), Error> {
        let mut under_way = self.under_way.lock().await;
        let source = tried.source.clone();
        let noted = if right { forget(store, source).await } else { note(store, source, now).await };
        for (key, _) in tried.source.bounds() {
            if let Some(open) = under_way.get_mut(key) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    under_way.remove(key);
                }
            }
        }
        noted
    }
}

/// Forgets what was wrong for this user from this address, if there is anything.
pub async fn forget(store: &Store, source: Source) -> Result<(), Error> {
    let own = source.clone();
    if store.read(move |connection| own.counts(connection)).await?.is_clean() {
        return Ok(());
    }
    Ok(store.write(move |tx| password_failures::delete(tx.connection, &source.pair)).await?)
}

async fn note(store: &Store, source: Source, now: Timestamp) -> Result<(), Error> {
    let work = move |tx: &mut Tx<'_>| {
        source.bounds().into_iter().try_for_each(|(key, _)| note_in(tx, key, now))?;
        Ok::<_, StoreError>(())
    };
    Ok(store.write(work).await?)
}

fn note_in(tx: &mut Tx<'_>, key: &str, now: Timestamp) -> Result<(), StoreError> {
    let before = password_failures::find(tx.connection, key)?;
    // Another node's clock may be ahead.
    let failed_at = before.map_or(now, |before| before.failed_at.max(now));
    let count = Count { failures: current(before, now).saturating_add(1), failed_at };
    password_failures::set(tx.connection, key, count)
}

/// Notes that somebody at this address has shown an API key that is none. It is a count of its own, and a right key is not
/// asked about it: whoever shares the address, behind a proxy, goes on with his key and with his password.
///
/// # Errors
/// [`Error::RateLimited`]: there were too many before; [`Error::Unavailable`]: it could not be written down, and the caller
/// must not be told that the key was wrong.
pub async fn note_wrong_key(
    store: &Store,
    keys: &KeyRing,
    address: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let key = keys.keyed_hash(&format!("API keys of {}", origin(address)))?;
    let own = key.clone();
    let before = store.read(move |connection| password_failures::find(connection, &own)).await?;
    check_bound(before, limits::ADDRESS_FAILURES_MAX, now)?;
    Ok(store.write(move |tx| note_in(tx, &key, now)).await?)
}

fn origin(address: Option<IpAddr>) -> String {
    address.map(network).map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
}

/// Whoever has one address of IPv6 has the 2^64 around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::token::{KeyId, SealingKey};

    fn keys() -> KeyRing {
        KeyRing::new(vec![SealingKey::new(KeyId(1), &[1; 32])]).expect("a key")
    }

    fn source(user: i64, address: &str) -> Source {
        Source::of_user(&keys(), UserId(user), Some(address.parse().expect("an address"))).expect("a key")
    }

    #[test]
    fn who_shares_a_count() {
        for (one, other, expect) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(source(3, one) == source(3, other), expect, "{one} {other}");
            assert_eq!(source(3, one).address == source(4, other).address, expect, "{one} {other}");
        }
        assert_ne!(source(3, "192.0.2.1").pair, source(4, "192.0.2.1").pair);
        let nobody = |login: &str| Source::of_nobody(&keys(), login, None).expect("a key");
        assert_eq!(nobody("a"), nobody("a"));
        assert_ne!(nobody("a").pair, nobody("b").pair);
        assert_ne!(nobody("3").pair, Source::of_user(&keys(), UserId(3), None).expect("a key").pair);
    }
}
