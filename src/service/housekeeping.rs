//! What goes on in the background: noting use, purging what has ended, loading the live state. Never on a request's path,
//! and never much at a time.

use std::time::Duration;

use super::{Error, Service};
use crate::domain::time::from_unix;
use crate::limits;
use crate::store::{authorizations, changes, codes, forms, password_failures, sessions, tickets};

/// Rows that one purge deletes at most.
const PURGE_BATCH: i64 = 1_000;

impl Service {
    /// Starts what goes on in the background.
    pub fn spawn_background(&self) {
        tokio::spawn(self.clone().fill_columns());
        self.spawn_loading();
        let pairing = self.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // The pairing in force stays. The store has written down why, which is not worth a line each second.
                if pairing.read_pairing_anew().await.is_err() {
                    ticks.reset_after(Duration::from_secs(10));
                }
            }
        });
        let keeping = self.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(60));
            loop {
                ticks.tick().await;
                if let Err(error) = keeping.tick().await {
                    tracing::warn!(%error, "housekeeping failed; trying again in a minute");
                }
            }
        });
    }

    /// Leaves the database as it is to be found: a copy of the one file is whole then. To be called last. If it can't be done,
    /// nothing is lost; the next start reads what stands beside the file.
    pub async fn checkpoint(&self) {
        if let Err(error) = self.store.checkpoint().await {
            tracing::warn!(%error, "what was written last stands beside the database's file still, in the one that ends in -wal");
        }
    }

    /// One round of housekeeping.
    pub async fn tick(&self) -> Result<(), Error> {
        self.flush_used().await?;
        let now = self.now();
        let idle = now - limits::SESSION_INACTIVITY;
        let (abandoned, cooled) = (now - limits::TRANSIENT_AGE, now - limits::LOGIN_COOLDOWN);
        loop {
            let purged = self
                .write(move |tx| {
                    let codes = codes::purge(tx.connection, now, PURGE_BATCH)?;
                    let sessions = sessions::purge(tx.connection, idle, PURGE_BATCH)?;
                    let tickets = tickets::purge(tx.connection, now, PURGE_BATCH)?;
                    let forms = forms::purge(tx.connection, abandoned, PURGE_BATCH)?;
                    let failures = password_failures::purge(tx.connection, cooled, PURGE_BATCH)?;
                    let keys = sessions::purge_api_keys(tx.connection, now)?;
                    Ok::<_, Error>((codes.max(sessions).max(tickets).max(forms).max(failures), keys))
                })
                .await?;
            if purged.0 < usize::try_from(PURGE_BATCH).unwrap_or(usize::MAX) {
                break;
            }
        }
        if !self.cluster.is_alone() {
            self.write(|tx| Ok::<_, Error>(changes::purge(tx.connection)?)).await?;
        }
        Ok(())
    }

    /// Writes down what has been used since the last time. A search that looks at it calls this first.
    pub async fn flush_used(&self) -> Result<(), Error> {
        let mut used: Vec<_> = self.live.take_used().into_iter().map(|(id, at)| (id, from_unix(at))).collect();
        used.sort_unstable_by_key(|(id, at)| (*at, *id));
        // All other writes, on every node, wait for a batch.
        for batch in used.chunks(limits::USED_BATCH) {
            let batch = batch.to_vec();
            self.write(move |tx| Ok::<_, Error>(authorizations::set_last_used(tx.connection, &batch)?)).await?;
        }
        Ok(())
    }
}
