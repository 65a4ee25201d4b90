//! Tells of acts that were applied as soon as they were heard of: who, when and why is read afterwards, when nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::node::Node;
use crate::store::{StoreError, revocations};

/// Acts that are read at a time. Each may be large.
const ACTS: i64 = 64;
/// Pause after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Tells of them, for ever.
pub(super) async fn run(node: Arc<Node>) {
    loop {
        node.applier.has_heard().await;
        while let Some((first, last)) = node.applier.untold() {
            if let Err(error) = tell(&node, first, last).await {
                tracing::warn!(%error, "acts of other nodes are applied, and can't be told of yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn tell(node: &Node, first: u64, last: u64) -> Result<(), StoreError> {
    let acts = node.store.read(move |connection| revocations::list_after(connection, first - 1, ACTS)).await?;
    let acts: Vec<_> = acts.into_iter().map(Arc::new).collect();
    let whole = acts.len() < usize::try_from(ACTS).unwrap_or(usize::MAX);
    let read_to = if whole { last } else { acts.last().map_or(last, |act| act.sequence) };
    node.applier.tell_up_to(read_to.min(last), &acts);
    Ok(())
}
