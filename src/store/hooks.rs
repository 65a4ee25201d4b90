//! What happens around a commit that the store itself knows nothing of: the memory of this node, and the other nodes.

use std::sync::Arc;
use std::time::Duration;

use super::changes::Change;
use super::connection::Connection;
use super::error::StoreError;

/// Whom the writer tells of its commits.
pub trait Hooks: Send + Sync {
    /// A transaction that writes to PostgreSQL has begun, and nobody else writes before it ends: brings the memory of this
    /// node to where the database is, of whose feed this is the last sequence number.
    fn catch_up(&self, _connection: &mut Connection, _sequence: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// These changes are committed, in this order. Called on the writer's thread before anybody is answered and before it
    /// writes again. Gives what those must know who wait until every node has applied them; `None`: there is no other node.
    fn committed(&self, changes: &[Change]) -> Option<Arc<Commit>>;
}

/// What is known of a commit that every node must apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its last change's place in the order of commitment.
    pub sequence: u64,
    /// When it was known to be committed, by this node's monotonic clock.
    pub at: Duration,
}

/// What a write gave, and what must still be waited for.
#[derive(Debug)]
pub struct Written<T> {
    /// What it gave.
    pub value: T,
    /// The commit that every node must have applied before the caller is answered; `None`: nothing is to be waited for.
    pub commit: Option<Arc<Commit>>,
}
