//! The nodes of the database, for those who run them.

use std::time::Duration;

use super::Error;
use crate::domain::time::Timestamp;
use crate::store::Store;
use crate::store::nodes::{self, Roll};

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Random, another one after each start.
    pub id: String,
    /// For people.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Its version.
    pub version: String,
    /// When it was started, by its own clock.
    pub started_at: Timestamp,
    /// Whether it can hold its lease still, as far as its row tells.
    pub lease: LeaseState,
    /// How long its lease is.
    pub lease_length: Duration,
    /// How long ago it renewed it.
    pub renewed_ago: Duration,
    /// Up to which change it has applied them all, as of then.
    pub applied: u64,
    /// How many changes it was behind; some are as long as they are on their way.
    pub lag: u64,
}

/// Whether a node holds its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It renewed it less than its length ago.
    Held,
    /// It did not: it asks the database each time, or is gone.
    Ended,
}

impl LeaseState {
    /// For scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Ended => "ended",
        }
    }
}

/// All nodes, by name.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn list_nodes(store: &Store) -> Result<Vec<NodeStatus>, Error> {
    Ok(call(store.read(nodes::roll).await?))
}

/// How each node of a roll stands.
pub fn call(roll: Roll) -> Vec<NodeStatus> {
    let Roll { feed, now, nodes } = roll;
    let status = |node: nodes::Node| {
        let renewed_ago = (now - node.renewed_at).to_std().unwrap_or_default();
        NodeStatus {
            lease: if renewed_ago <= node.member.lease { LeaseState::Held } else { LeaseState::Ended },
            lease_length: node.member.lease,
            renewed_ago,
            applied: node.member.applied.sequence,
            lag: feed.sequence.saturating_sub(node.member.applied.sequence),
            id: node.member.id,
            name: node.member.name,
            address: node.address,
            version: node.version,
            started_at: node.started_at,
        }
    };
    nodes.into_iter().map(status).collect()
}
