//! Time and randomness come in as arguments, so that tests decide both.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};

/// A moment, in UTC, to the second: what Odoo's datetime fields hold.
pub type Timestamp = NaiveDateTime;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, cut to the second, UTC.
    fn now(&self) -> Timestamp;
}

/// A clock that many hold.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time enters")]
    fn now(&self) -> Timestamp {
        Utc::now().naive_utc().trunc_subsecs(0)
    }
}

/// Seconds since 1970-01-01, for tokens.
pub fn unix(at: Timestamp) -> i64 {
    at.and_utc().timestamp()
}

/// The inverse of [`unix`]; a number outside the calendar becomes the epoch.
pub fn from_unix(seconds: i64) -> Timestamp {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}

/// Where randomness comes from.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// A source of randomness that many hold.
pub type SharedEntropy = Arc<dyn Entropy>;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness, or nothing here is safe");
    }
}
