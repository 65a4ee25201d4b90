//! `src/live.rs` itself, over loom's locks and atomics and with few small blocks; see tests/interleavings.rs.

// Its own tests are run where it is at home; outside a model loom's locks do nothing.
#![cfg(not(test))]

#[path = "../../../src/live.rs"]
pub mod live;

/// The same, each time with another fault: see build.rs.
pub mod broken {
    include!(concat!(env!("OUT_DIR"), "/broken.rs"));
}

pub use orest::{domain, store};

/// The bounds that matter for it.
pub mod limits {
    pub use orest::limits::LIVE_APPLICATIONS_MAX;
    /// The largest id of an authorization.
    pub const AUTHORIZATION_ID_MAX: u32 = 3;
    /// Authorizations whose slots are made at a time.
    pub const LIVE_BLOCK: usize = 2;
    /// Users that are kept in memory.
    pub const LIVE_USERS_MAX: usize = 2;
}

/// What threads share things with.
pub mod sync {
    pub use std::sync::{Arc, OnceLock, PoisonError};

    pub use loom::sync::{Mutex, RwLock};

    /// Loom's.
    pub mod atomic {
        pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
    }
}
