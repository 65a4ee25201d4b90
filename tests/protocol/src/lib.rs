//! How several nodes agree that something has been taken back, as models in which every state is visited.
//!
//! `lease` is the protocol, `failover` what a database that forgets its last commits does to it. In words: docs/protocol.md.

#![allow(missing_docs, reason = "the fields of states and steps are explained where their names don't say it")]

pub mod failover;
pub mod lease;
