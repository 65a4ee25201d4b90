//! What happens around a commit that the store itself knows nothing of: the memory of this node, and the other nodes.

use std::sync::Arc;
use std::time::Duration;

use super::changes::{Announced, Position};
use super::connection::Connection;
use super::error::StoreError;
use super::nodes::Member;

/// Whom the writer tells of its commits, on its own thread.
pub trait Hooks: Send + Sync {
    /// A transaction has begun and holds the feed, which is at this position: nobody else writes until it ends. What others
    /// have written before must be in memory when this returns. Only where there are others.
    fn begun(&self, connection: &mut Connection, feed: &Position) -> Result<(), StoreError>;

    /// Another server stands where the one was that was written to before: one that took over from it, or was put in its place.
    /// It may lack what that one committed last. Only where there are others.
    fn another_server(&self);

    /// What the other nodes are told once these changes are committed, which come after `feed`; `None`: that there are some.
    /// Called just before the commit. Only where there are others.
    fn announcement(&self, _feed: &Position, _changes: &[Announced]) -> Option<String> {
        None
    }

    /// These changes are committed, in this order; `feed` is where it is with them, and `members` are the nodes that there
    /// were inside the transaction. Called before anybody is answered and before the next transaction begins. Gives what those
    /// must know who wait until every node has applied them; `None`: there is no other node.
    fn committed(&self, changes: &[Announced], feed: Option<(Position, Vec<Member>)>) -> Option<Arc<Commit>>;
}

/// What is known of a commit that every node must apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The last change's place in the order of commitment.
    pub sequence: u64,
    /// When it was known to be committed, by this node's monotonic clock.
    pub at: Duration,
    /// The other nodes that there were. Who has joined since knows of it.
    pub members: Vec<Member>,
}

/// What a write gave, and what must still be waited for.
#[derive(Debug)]
pub struct Written<T> {
    /// What it gave.
    pub value: T,
    /// The commit that every node must have applied before the caller is answered; `None`: nothing is to be waited for.
    pub commit: Option<Arc<Commit>>,
}
