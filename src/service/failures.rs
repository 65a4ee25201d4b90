//! Wrong passwords, counted so that nobody can try them all. Kept below the doors: changing doors starts no new count.
//!
//! A try is counted before its password is hashed and given back when that was right, so that many at a time are no way
//! around the bound. There are two counts: of one user from one address, with Odoo's bound, and of an address whoever it
//! asks for, with a higher one, because many people may share it.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;
use crate::limits;

/// How long somebody waits whose try might be one too many, once those under way are done.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Whose password is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    User(UserId),
    /// A keyed hash of a login that nobody has: it may be of any length.
    Unknown(u64),
}

/// Whose password is tried, from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    subject: Subject,
    address: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Pair(Source),
    Address(Option<IpAddr>),
}

impl Key {
    const fn most(self) -> u32 {
        match self {
            Self::Pair(_) => limits::LOGIN_FAILURES_MAX,
            Self::Address(_) => limits::ADDRESS_FAILURES_MAX,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    under_way: u32,
    last: Timestamp,
}

impl Count {
    fn current(self, now: Timestamp) -> u32 {
        if now < self.last + limits::LOGIN_COOLDOWN { self.failures } else { 0 }
    }

    fn check(self, most: u32, now: Timestamp) -> Result<(), Error> {
        let failures = self.current(now);
        if failures >= most {
            let left = self.last + limits::LOGIN_COOLDOWN - now;
            return Err(Error::RateLimited { retry_after: left.to_std().unwrap_or(limits::LOGIN_COOLDOWN) });
        }
        if failures.saturating_add(self.under_way) >= most {
            return Err(Error::RateLimited { retry_after: UNDER_WAY });
        }
        Ok(())
    }
}

/// Two generations: when the younger is full, or has lasted for the cooldown, the older is dropped as a whole. So nothing
/// is searched for what is old, and what is young enough to matter stays, unless more is tried than can be hashed.
#[derive(Default)]
struct Counts {
    young: HashMap<Key, Count>,
    old: HashMap<Key, Count>,
    since: Option<Timestamp>,
}

impl Counts {
    fn get(&self, key: Key) -> Option<Count> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn set(&mut self, key: Key, count: Count, now: Timestamp) {
        let lasted = self.since.is_none_or(|since| since + limits::LOGIN_COOLDOWN <= now);
        if lasted || self.young.len() >= limits::LOGIN_COUNTS_MAX {
            self.old = std::mem::take(&mut self.young);
            self.since = Some(now);
        }
        self.young.insert(key, count);
    }

    fn remove(&mut self, key: Key) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

/// Counts wrong passwords.
#[derive(Default)]
pub struct Failures {
    counts: Mutex<Counts>,
}

/// A try under way. Dropped before its end is known, it counts as a wrong password.
#[must_use]
pub struct Try<'a> {
    failures: &'a Failures,
    source: Source,
    now: Timestamp,
    right: bool,
}

impl Try<'_> {
    /// The password was right: this one does not count, and those before it for this user from this address are forgotten.
    pub fn give_back(mut self) {
        self.right = true;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        let mut counts = self.failures.lock();
        for key in self.source.keys() {
            let Some(mut count) = counts.get(key) else { continue };
            count.under_way = count.under_way.saturating_sub(1);
            match (self.right, key) {
                (true, Key::Pair(_)) => count.failures = 0,
                (true, Key::Address(_)) => {}
                (false, _) => {
                    count.failures = count.current(self.now).saturating_add(1);
                    count.last = count.last.max(self.now);
                }
            }
            if count.failures == 0 && count.under_way == 0 {
                counts.remove(key);
            } else {
                counts.set(key, count, self.now);
            }
        }
    }
}

impl Source {
    const fn keys(self) -> [Key; 2] {
        [Key::Pair(self), Key::Address(self.address)]
    }
}

impl Failures {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries of this user's password from this address.
    pub fn of_user(user: UserId, address: Option<IpAddr>) -> Source {
        Source { subject: Subject::User(user), address: address.map(network) }
    }

    /// Tries of a login that nobody has, from this address.
    pub fn of_nobody(&self, login: &str, address: Option<IpAddr>) -> Source {
        let hash = self.lock().young.hasher().hash_one(login);
        Source { subject: Subject::Unknown(hash), address: address.map(network) }
    }

    /// Whether anything may be tried at all, also what is right.
    pub fn check(&self, source: Source, now: Timestamp) -> Result<(), Error> {
        let counts = self.lock();
        for key in source.keys() {
            if let Some(count) = counts.get(key) {
                Count { under_way: 0, ..count }.check(key.most(), now)?;
            }
        }
        Ok(())
    }

    /// Starts a try: from here on it counts.
    pub fn start(&self, source: Source, now: Timestamp) -> Result<Try<'_>, Error> {
        let mut counts = self.lock();
        let fresh = Count { failures: 0, under_way: 0, last: now };
        let current = source.keys().map(|key| (key, counts.get(key).unwrap_or(fresh)));
        for (key, count) in current {
            count.check(key.most(), now)?;
        }
        for (key, count) in current {
            counts.set(key, Count { under_way: count.under_way.saturating_add(1), ..count }, now);
        }
        Ok(Try { failures: self, source, now, right: false })
    }

    /// Forgets what was wrong for this user from this address.
    pub fn forget(&self, source: Source) {
        let mut counts = self.lock();
        let key = Key::Pair(source);
        if counts.get(key).is_some_and(|count| count.under_way == 0) {
            counts.remove(key);
        }
    }
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
    use chrono::NaiveDate;

    fn noon() -> Timestamp {
        NaiveDate::from_ymd_opt(2026, 11, 20).and_then(|day| day.and_hms_opt(12, 0, 0)).expect("a moment")
    }

    fn source(user: i64, address: &str) -> Source {
        Failures::of_user(UserId(user), Some(address.parse().expect("an address")))
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
        }
        assert_ne!(source(3, "192.0.2.1"), source(4, "192.0.2.1"));
        let failures = Failures::default();
        assert_eq!(failures.of_nobody("a", None), failures.of_nobody("a", None));
        assert_ne!(failures.of_nobody("a", None), failures.of_nobody("b", None));
    }

    #[test]
    fn tries_under_way_count() {
        let (failures, now, one) = (Failures::default(), noon(), source(3, "192.0.2.1"));
        let mut open: Vec<_> =
            (0..limits::LOGIN_FAILURES_MAX).map(|_| failures.start(one, now).expect("goes")).collect();
        assert!(failures.start(one, now).is_err());
        assert!(failures.check(one, now).is_ok(), "what is remembered needs no try");
        assert!(failures.start(source(4, "192.0.2.1"), now).is_ok());
        open.pop().expect("is there").give_back();
        open.push(failures.start(one, now).expect("one was given back"));
        drop(open);
        let refused = failures.check(one, now);
        assert!(matches!(refused, Err(Error::RateLimited { retry_after }) if retry_after == limits::LOGIN_COOLDOWN));
        assert!(failures.check(one, now + limits::LOGIN_COOLDOWN).is_ok());
        assert!(failures.start(one, now + limits::LOGIN_COOLDOWN).is_ok());
    }

    #[test]
    fn what_is_right_forgets_its_own_only() {
        let (failures, now) = (Failures::default(), noon());
        let fail = |source| drop(failures.start(source, now).expect("goes"));
        let [own, other] = [3, 4].map(|user| source(user, "192.0.2.1"));
        for _ in 1..limits::LOGIN_FAILURES_MAX {
            fail(own);
            fail(other);
        }
        failures.start(own, now).expect("goes").give_back();
        fail(own);
        fail(other);
        assert!(failures.start(own, now).is_ok_and(|again| {
            again.give_back();
            true
        }));
        assert!(failures.start(other, now).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let (failures, now) = (Failures::default(), noon());
        for user in 0..i64::try_from(limits::LOGIN_COUNTS_MAX + 100).expect("is small") {
            let address = format!("10.{}.{}.{}", user >> 16, (user >> 8) & 255, user & 255);
            drop(failures.start(source(user, &address), now));
        }
        let counts = failures.lock();
        assert!(counts.young.len() <= limits::LOGIN_COUNTS_MAX && counts.old.len() <= limits::LOGIN_COUNTS_MAX);
    }

    #[test]
    fn a_count_that_matters_outlives_the_change_of_generations() {
        let (failures, mut now, blocked) = (Failures::default(), noon(), source(3, "192.0.2.1"));
        drop(failures.start(source(9, "192.0.2.9"), now));
        now += limits::LOGIN_COOLDOWN - Duration::from_secs(1);
        for _ in 0..limits::LOGIN_FAILURES_MAX {
            drop(failures.start(blocked, now));
        }
        for second in 1..60 {
            let later = now + Duration::from_secs(second);
            assert!(failures.check(blocked, later).is_err(), "{second}");
            drop(failures.start(source(100 + i64::try_from(second).expect("is small"), "192.0.2.9"), later));
        }
        assert!(failures.check(blocked, now + limits::LOGIN_COOLDOWN).is_ok());
    }
}
