//! What an act is aimed at.

use roaring::RoaringBitmap;

use super::ids::{ApplicationId, DeviceId, UserId};

/// A set of authorizations, named in one of these ways.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// These. Each must exist.
    Ids(Vec<i64>),
    /// What an Odoo search domain finds, already resolved to a set for this caller.
    Found {
        /// The set.
        set: RoaringBitmap,
        /// The domain, for the log.
        domain: String,
    },
    /// All of a user.
    User(UserId),
    /// All of a user but his gateway sessions.
    UserTokens(UserId),
    /// All of an application.
    Application(ApplicationId),
    /// All of an application that act for this user.
    UserOfApplication(UserId, ApplicationId),
    /// All of a device.
    Device(DeviceId),
}

impl Selection {
    /// What the log says of it.
    pub fn describe(&self) -> String {
        match self {
            Self::Ids(ids) if ids.len() <= 10 => format!("ids {ids:?}"),
            Self::Ids(ids) => format!("{} ids", ids.len()),
            Self::Found { domain, .. } => format!("domain {domain}"),
            Self::User(id) => format!("user {id}"),
            Self::UserTokens(id) => format!("user {id}, without gateway sessions"),
            Self::Application(id) => format!("application {id}"),
            Self::UserOfApplication(user, application) => format!("user {user} of application {application}"),
            Self::Device(id) => format!("device {id}"),
        }
    }
}
