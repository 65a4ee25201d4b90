//! How several nodes agree that something has been taken back, as models in which every state is visited.
//!
//! `lease` is the protocol, `failover` what a database that forgets its last commits does to it. In words: docs/protocol.md.

#[cfg(test)]
mod failover;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod tests;
