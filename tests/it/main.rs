//! The integration tests: one binary, so that they are linked once.

mod golden_domains;
mod search;
mod support;
