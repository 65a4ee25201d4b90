//! What a write changes of that which nodes keep in memory.

use std::sync::Arc;

use super::pairing::Pairing;
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::revocation::Revocation;

/// What must be applied to the memory of every node after the commit; see [`super::Tx::announce`].
#[derive(Clone, Debug)]
pub enum Change {
    /// An act: a revocation or an undo.
    Revocation(Arc<Revocation>),
    /// A user has changed or is gone.
    User(UserId),
    /// Any user may have changed.
    Users,
    /// Some application or model scheme has changed or is gone.
    Applications,
    /// A device has changed or is gone.
    Device(DeviceId),
    /// The pairing with an Odoo is this one now, or none.
    Pairing(Option<Arc<Pairing>>),
}

impl Change {
    /// Whether applying both is no more than applying one of them.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(own), Self::User(other)) => own == other,
            (Self::Device(own), Self::Device(other)) => own == other,
            (Self::Users, Self::User(_) | Self::Users) | (Self::Applications, Self::Applications) => true,
            _ => false,
        }
    }
}
