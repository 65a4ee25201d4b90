//! Several nodes on one database: when a write has returned, no node acts on what was before it (`docs/adr/0007`).
//!
//! On SQLite there is one node, and all of this is one step: what is committed is applied to its memory before anybody is
//! answered.

mod applier;

use std::sync::Arc;

pub use applier::Applier;

use crate::domain::revocation::Settlement;
use crate::store::changes::Change;
use crate::store::hooks::{Commit, Hooks};

/// This node's part in the cluster. Cloning it is cheap.
#[derive(Clone)]
pub struct Cluster {
    applier: Arc<Applier>,
}

impl Cluster {
    /// The only node there is.
    pub fn alone(applier: Arc<Applier>) -> Self {
        Self { applier }
    }

    /// Whether there can be no other node.
    pub const fn is_alone(&self) -> bool {
        true
    }

    /// Waits until every node has applied a commit, or can't answer from memory any more.
    #[expect(clippy::unused_async, reason = "a node that is not alone waits")]
    pub async fn settle(&self, _commit: Option<&Commit>) -> Settlement {
        Settlement::alone()
    }
}

impl Hooks for Cluster {
    fn committed(&self, changes: &[Change]) -> Option<Arc<Commit>> {
        changes.iter().for_each(|change| self.applier.apply(change));
        None
    }
}
