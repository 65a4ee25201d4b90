//! Identifiers. Each is a row id of its table, so that what Odoo clients see is what we store.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An application: an OAuth client (RFC 6749 section 1.1).
    ApplicationId
);
id!(
    /// A user: a person or a service account, `res.users` in Odoo.
    UserId
);
id!(
    /// A device: where a user signed in from.
    DeviceId
);
id!(
    /// An authorization: "this application may act for this user from this device".
    ///
    /// Fits 32 bits, because sets of them are Roaring bitmaps; the store refuses to create a larger one.
    AuthorizationId
);
id!(
    /// A revocation: one act.
    RevocationId
);

impl AuthorizationId {
    /// The id as a member of a bitmap; `None` when it is out of range and so names no authorization.
    pub fn bit(self) -> Option<u32> {
        u32::try_from(self.0).ok().filter(|bit| *bit > 0)
    }
}

impl From<u32> for AuthorizationId {
    fn from(bit: u32) -> Self {
        Self(i64::from(bit))
    }
}
