//! How several nodes agree that something has been taken back, as models in which every state is visited.
//!
//! `lease` is the protocol. In words: docs/protocol.md.

#[cfg(test)]
mod lease;
#[cfg(test)]
mod tests;
