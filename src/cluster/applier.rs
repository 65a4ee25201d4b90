//! The one place where committed changes reach the memory of this node.

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};

use crate::domain::revocation::{Kind, Revocation};
use crate::live::Live;
use crate::service::pairing::Current;
use crate::store::changes::Change;

/// Applies what is committed, here or on another node, in the order of the commits.
pub struct Applier {
    live: Arc<Live>,
    pairing: Arc<Current>,
    acts: broadcast::Sender<Arc<Revocation>>,
    fill: Arc<Notify>,
}

impl Applier {
    /// For this memory. `fill` is woken when there are columns to be filled in.
    pub fn new(live: Arc<Live>, pairing: Arc<Current>, fill: Arc<Notify>) -> Self {
        Self { live, pairing, acts: broadcast::channel(1024).0, fill }
    }

    /// Acts as they are applied, for those who want to be told.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Revocation>> {
        self.acts.subscribe()
    }

    /// Applies one change.
    pub fn apply(&self, change: &Change) {
        match change {
            Change::Revocation(act) => {
                self.live.apply(act.sequence, &act.authorizations, act.kind == Kind::Revoke);
                tracing::info!(
                    revocation = act.id.0,
                    sequence = act.sequence,
                    kind = act.kind.as_str(),
                    actor = act.act.login,
                    channel = act.act.channel.as_str(),
                    requested = act.requested,
                    changed = act.authorizations.len(),
                    "revocation committed"
                );
                // Nobody listening is no error.
                let _ = self.acts.send(Arc::clone(act));
                self.fill.notify_one();
            }
            Change::User(id) => self.live.forget_user(*id),
            Change::Users => self.live.forget_users(),
            Change::Applications => self.live.forget_applications(),
            Change::Device(id) => self.live.forget_device(*id),
            Change::Pairing(pairing) => self.pairing.set(pairing.clone()),
        }
    }
}
