//! Reports acts that were applied as soon as they were heard of: who, when and why is read afterwards, when nobody waits for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::applier::Gap;
use super::node::Node;
use crate::store::{StoreError, revocations};

/// Acts that are read at a time. Each may be large.
const ACTS: i64 = 64;
/// How long acts are left to gather: who waits for the nodes to have applied them comes first, and what a node has heard of its
/// own is known by then.
const AFTER: Duration = Duration::from_millis(25);
/// Pause after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Reports them, for ever.
pub(super) async fn run(node: Arc<Node>) {
    loop {
        node.applier.has_unreported().await;
        tokio::time::sleep(AFTER).await;
        while let Some(gap) = node.applier.gap() {
            match AssertUnwindSafe(fill(&node, gap)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(StoreError::Unavailable(cause))) => {
                    tracing::debug!(cause, "who acted can't be read yet");
                    tokio::time::sleep(RETRY).await;
                }
                // It would be the same with each attempt, and keep what comes after it back.
                Ok(Err(error)) => {
                    tracing::error!(%error, first = gap.first, last = gap.last, "these acts are applied and can't be reported");
                    node.applier.fill_gap(gap, gap.last, &[]);
                }
                Err(_) => {
                    tracing::error!(
                        first = gap.first,
                        last = gap.last,
                        "reporting these acts has ended by a mistake of ours"
                    );
                    node.applier.fill_gap(gap, gap.last, &[]);
                }
            }
        }
    }
}

async fn fill(node: &Node, gap: Gap) -> Result<(), StoreError> {
    let acts = node.store.read(move |connection| revocations::list_after(connection, gap.first - 1, ACTS)).await?;
    let acts: Vec<_> = acts.into_iter().map(Arc::new).collect();
    let whole = acts.len() < usize::try_from(ACTS).unwrap_or(usize::MAX);
    let read_to = if whole { gap.last } else { acts.last().map_or(gap.last, |act| act.sequence.min(gap.last)) };
    node.applier.fill_gap(gap, read_to, &acts);
    Ok(())
}
