//! The columns behind the acts: which authorization which act has revoked, for lists. The act itself holds without them
//! (docs/adr/0005), so they are filled in when that stands in nobody's way: a moment after the act, many acts at once, and
//! at once when somebody looks at them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Error, Service};
use crate::domain::revocation::{Kind, Revocation};
use crate::limits;
use crate::store::revocations::{self, Overlap};
use crate::store::{Connection, StoreError, Tx};

/// How long acts are left to gather. The node that has committed them fills them in; the others only if it is gone.
const OWN_AFTER: Duration = Duration::from_millis(25);
const OTHERS_AFTER: Duration = Duration::from_secs(2);
/// Acts that are read at a time. Each may be large.
const ACTS: i64 = 64;
/// Pauses between looks whether the columns are filled in.
const POLL_MIN: Duration = Duration::from_millis(2);
const POLL_MAX: Duration = Duration::from_millis(100);

impl Service {
    /// Waits until the columns that lists look at are filled in, up to the last act that was committed here or, where there
    /// are other nodes, anywhere.
    pub async fn filled(&self) -> Result<(), Error> {
        let waited = timeout(limits::REQUEST_TIMEOUT, async {
            if self.cluster.is_alone() {
                let target = self.live.applied();
                let mut filled = self.filled.subscribe();
                if *filled.borrow() < target {
                    self.to_fill().asked.notify_one();
                }
                return filled.wait_for(|done| *done >= target).await.map(|_| ()).map_err(|_| Error::Unavailable);
            }
            // Only the database knows, whichever node committed and whichever fills in.
            let mut pause = POLL_MIN;
            while !self.store.read(revocations::is_filled).await? {
                self.to_fill().asked.notify_one();
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(POLL_MAX);
            }
            Ok(())
        });
        waited.await.unwrap_or(Err(Error::Unavailable))
    }

    /// Fills in the columns behind the acts, for ever. To be spawned once.
    pub async fn fill_columns(self) {
        loop {
            match self.fill_next().await {
                Ok(true) => {}
                Ok(false) => self.wait_for_acts().await,
                Err(error) => {
                    tracing::error!(%error, "filling in the columns of a revocation failed; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn wait_for_acts(&self) {
        let to_fill = self.to_fill();
        let gather = tokio::select! {
            () = to_fill.asked.notified() => return,
            () = to_fill.own.notified() => OWN_AFTER,
            () = to_fill.others.notified() => OTHERS_AFTER,
        };
        // Own acts don't wait as long as those of others, should there be both.
        tokio::select! {
            () = to_fill.asked.notified() => {}
            () = async { to_fill.own.notified().await; tokio::time::sleep(OWN_AFTER).await } => {}
            () = tokio::time::sleep(gather) => {}
        }
    }

    /// Fills in the columns of the next acts; `false` when none is left. Small acts share a transaction, a large one takes
    /// several. Each makes sure that no other node has been faster: what it has filled in may have been overwritten by a later
    /// act since.
    async fn fill_next(&self) -> Result<bool, Error> {
        let (filled, acts) = self
            .store
            .read(|connection| {
                let (_, filled) = revocations::feed(connection)?;
                Ok::<_, Error>((filled, revocations::list_after(connection, filled, ACTS)?))
            })
            .await?;
        let Some(first) = acts.first() else {
            self.filled.send_replace(filled);
            return Ok(false);
        };
        if rows_of(first) > limits::FILL_BATCH {
            let first = Arc::new(first.clone());
            if !self.fill_large(filled, &first).await? {
                return Ok(true);
            }
        }
        let mut rows = 0;
        let together = acts.into_iter().enumerate().take_while(|(number, act)| {
            rows += rows_of(act);
            // Of a large one that comes first only the end is left.
            *number == 0 || rows <= limits::FILL_BATCH
        });
        let together: Vec<_> = together.map(|(_, act)| act).collect();
        let last = together.last().expect("there is a first one").sequence;
        // The log may be long: it is read before everybody else's writes have to wait.
        let mut heirs = HashMap::new();
        for undo in together.iter().filter(|act| act.kind == Kind::Undo && !act.already_revoked.is_empty()) {
            let undo = undo.clone();
            let id = undo.id;
            heirs.insert(id, self.store.read(move |connection| heirs_of(connection, &undo)).await?);
        }
        let step = move |tx: &mut Tx<'_>| {
            for act in &together {
                if rows_of(act) <= limits::FILL_BATCH {
                    let ids: Vec<u32> = act.authorizations.iter().collect();
                    revocations::fill(tx.connection, act, &ids)?;
                    if act.hides {
                        let hidden: Vec<i64> = act.already_revoked.iter().map(i64::from).collect();
                        revocations::hide(tx.connection, &hidden)?;
                    }
                }
                for heir in heirs.get(&act.id).into_iter().flatten() {
                    let ids: Vec<u32> = heir.found_revoked.iter().collect();
                    for batch in ids.chunks(limits::FILL_BATCH) {
                        revocations::reassign(tx.connection, heir.id, heir.at, batch)?;
                    }
                }
            }
            Ok(revocations::set_filled(tx.connection, last)?)
        };
        if self.fill_step(filled, step).await? {
            self.filled.send_replace(last);
        }
        Ok(true)
    }

    /// Fills in all rows of one act, in batches between which others may write. `false`: somebody else has been faster.
    async fn fill_large(&self, filled: u64, act: &Arc<Revocation>) -> Result<bool, Error> {
        let ids: Vec<u32> = act.authorizations.iter().collect();
        for batch in ids.chunks(limits::FILL_BATCH) {
            let (act, batch) = (Arc::clone(act), batch.to_vec());
            if !self.fill_step(filled, move |tx| Ok(revocations::fill(tx.connection, &act, &batch)?)).await? {
                return Ok(false);
            }
        }
        if act.hides {
            let hidden: Vec<i64> = act.already_revoked.iter().map(i64::from).collect();
            for batch in hidden.chunks(limits::FILL_BATCH) {
                let batch = batch.to_vec();
                if !self.fill_step(filled, move |tx| Ok(revocations::hide(tx.connection, &batch)?)).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Does a step of filling in what comes after `filled`; `false`: that has been filled in by somebody else.
    async fn fill_step(
        &self,
        filled: u64,
        step: impl FnOnce(&mut Tx<'_>) -> Result<(), Error> + Send + 'static,
    ) -> Result<bool, Error> {
        self.write(move |tx| {
            if revocations::feed(tx.connection)?.1 != filled {
                return Ok(false);
            }
            step(tx)?;
            Ok(true)
        })
        .await
    }
}

/// How many rows an act changes.
fn rows_of(act: &Revocation) -> usize {
    let hidden = if act.hides { act.already_revoked.len() } else { 0 };
    usize::try_from(act.authorizations.len() + hidden).unwrap_or(usize::MAX)
}

/// What an undo left revoked, because other acts were aimed at it too, names these from now on: each with its share.
fn heirs_of(connection: &mut Connection, undo: &Revocation) -> Result<Vec<Overlap>, StoreError> {
    let Some(undone) = undo.undoes else { return Ok(Vec::new()) };
    let Some(undone) = revocations::find(connection, undone)? else { return Ok(Vec::new()) };
    let mut left = undo.already_revoked.clone();
    // The act that was taken back may itself have inherited from one before it.
    let after = if undone.already_revoked.is_empty() { undone.sequence } else { 0 };
    let mut heirs = Vec::new();
    revocations::for_each_standing_overlap(connection, after, |mut other| {
        other.found_revoked &= &left;
        left -= &other.found_revoked;
        if !other.found_revoked.is_empty() {
            heirs.push(other);
        }
        if left.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(heirs)
}
