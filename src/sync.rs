//! What threads share things with, named once: the tests of the live state put other kinds in their place, which try each
//! order in which threads may run and each value that a processor may show them.

pub use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, atomic};
