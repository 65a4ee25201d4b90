//! The clock that leases are counted by.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since some fixed moment, that only goes forward, also while the machine sleeps.
pub trait Monotonic: Send + Sync {
    /// How long it is since then.
    fn now(&self) -> Duration;
}

/// The system's, since it was started. Nobody can set it.
#[derive(Clone, Copy, Debug)]
pub struct BootClock;

impl Monotonic for BootClock {
    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        // It counts up from 0.
        Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

/// A clock that others hold too.
pub type SharedMonotonic = Arc<dyn Monotonic>;
