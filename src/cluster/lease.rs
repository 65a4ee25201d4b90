//! The lease: until when this node may answer from memory, by its own clock alone.
//!
//! It is counted from before the renewal was sent, so that nobody who reads the renewal's row later can think that it ends
//! sooner than it does. A tenth of it is given away for clocks that do not run equally fast.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shorter leases would be lost at each hiccup of a network; for longer ones a request, which ends after a minute, could not
/// wait.
pub const LENGTH: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(30);

/// A lease that may be held or not.
#[derive(Debug)]
pub struct Lease {
    length: Duration,
    /// Nanoseconds of the node's clock; 0: not held.
    until: AtomicU64,
}

/// A look at the lease before memory is asked; see [`Lease::holds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(u64);

impl Lease {
    /// Not held yet.
    pub const fn new(length: Duration) -> Self {
        Self { length, until: AtomicU64::new(0) }
    }

    /// How long the others must think that it is held after a renewal.
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// How long it is held after a renewal was sent.
    pub fn held(&self) -> Duration {
        self.length / 10 * 9
    }

    /// How often it is to be renewed.
    pub fn renewed_every(&self) -> Duration {
        self.length / 3
    }

    /// To be taken before memory is asked.
    pub fn look(&self) -> Look {
        Look(self.until.load(Ordering::Acquire))
    }

    /// Whether what memory said between `look` and now may be answered. One renewal must cover all of that time: what
    /// memory said before another one may be from before a change that had been waited out by then.
    pub fn holds(&self, look: Look, now: Duration) -> bool {
        nanoseconds(now) < look.0 && self.until.load(Ordering::Acquire) != 0
    }

    /// Until when it is held, by the node's clock; `None`: it was never, or has been given back.
    pub fn until(&self) -> Option<Duration> {
        match self.until.load(Ordering::Acquire) {
            0 => None,
            until => Some(Duration::from_nanos(until)),
        }
    }

    /// A renewal was answered, and all that the database knew then has been applied.
    pub fn renewed(&self, sent_at: Duration) {
        self.until.fetch_max(nanoseconds(sent_at + self.held()), Ordering::AcqRel);
    }

    /// It is not held from now on.
    pub fn give_back(&self) {
        self.until.store(0, Ordering::Release);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn holds(lease: &Lease, now: Duration) -> bool {
        lease.holds(lease.look(), now)
    }

    #[test]
    fn it_is_counted_from_before_the_renewal_was_sent() {
        let lease = Lease::new(at(3_000));
        assert!(!holds(&lease, at(0)));
        lease.renewed(at(1_000));
        assert!(holds(&lease, at(3_699)));
        assert!(!holds(&lease, at(3_700)));
        lease.renewed(at(2_000));
        assert!(holds(&lease, at(4_699)));
    }

    #[test]
    fn a_renewal_that_was_answered_late_or_out_of_order_gives_no_more() {
        let lease = Lease::new(at(3_000));
        lease.renewed(at(1_000));
        assert!(!holds(&lease, at(9_000)), "answered when it had ended");
        lease.renewed(at(8_000));
        lease.renewed(at(7_000));
        assert_eq!(lease.until(), Some(at(10_700)));
    }

    /// The old lease ends, a change is waited out, memory is asked, and only then a renewal brings the change and a lease: what
    /// memory said must not be answered.
    #[test]
    fn a_new_lease_does_not_cover_what_was_looked_up_before_it() {
        let lease = Lease::new(at(3_000));
        lease.renewed(at(0));
        let look = lease.look();
        lease.renewed(at(2_800));
        assert!(lease.holds(look, at(2_699)));
        assert!(!lease.holds(look, at(2_701)), "the lease of the look has ended");
        assert!(holds(&lease, at(2_801)));
    }

    #[test]
    fn what_was_given_back_is_not_held() {
        let lease = Lease::new(at(3_000));
        lease.renewed(at(0));
        let look = lease.look();
        lease.give_back();
        assert!(!lease.holds(look, at(1)));
        assert_eq!(lease.until(), None);
        lease.renewed(at(500));
        assert!(holds(&lease, at(600)), "after it has joined anew");
    }
}
