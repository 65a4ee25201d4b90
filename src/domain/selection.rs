//! What an act is aimed at.

use std::fmt;

use roaring::RoaringBitmap;

use super::ids::{ApplicationId, DeviceId, UserId};

/// As many are named one by one in the log.
const NAMED_MAX: usize = 10;

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
    /// All of these users.
    Users(Vec<UserId>),
    /// All of a user but his gateway sessions.
    UserTokens(UserId),
    /// All of an application.
    Application(ApplicationId),
    /// All of an application that act for this user.
    UserOfApplication(UserId, ApplicationId),
    /// All of these devices.
    Devices(Vec<DeviceId>),
}

impl Selection {
    /// What the log says of it.
    pub fn describe(&self) -> String {
        match self {
            Self::Ids(ids) if ids.len() <= NAMED_MAX => format!("ids {ids:?}"),
            Self::Ids(ids) => format!("{} ids", ids.len()),
            Self::Found { domain, .. } => format!("domain {domain}"),
            Self::Users(ids) => named("user", ids),
            Self::UserTokens(id) => format!("user {id}, without gateway sessions"),
            Self::Application(id) => format!("application {id}"),
            Self::UserOfApplication(user, application) => format!("user {user} of application {application}"),
            Self::Devices(ids) => named("device", ids),
        }
    }
}

/// "user 7", "users 7, 9", and from eleven on their number.
fn named<T: fmt::Display>(what: &str, ids: &[T]) -> String {
    match ids {
        [id] => format!("{what} {id}"),
        ids if ids.len() <= NAMED_MAX => {
            let ids: Vec<_> = ids.iter().map(T::to_string).collect();
            format!("{what}s {}", ids.join(", "))
        }
        ids => format!("{} {what}s", ids.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_as_long_as_they_are_few() {
        let users = |count: i64| Selection::Users((1..=count).map(UserId).collect()).describe();
        assert_eq!([users(1), users(3), users(11)], ["user 1", "users 1, 2, 3", "11 users"]);
        assert_eq!(Selection::Devices(vec![DeviceId(4), DeviceId(2)]).describe(), "devices 4, 2");
    }
}
