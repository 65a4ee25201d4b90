//! Revoking all that a person can do, by his e-mail address, as Cloudflare Access has it.
//!
//! Tokens are the authorizations of all applications. Devices and gateway sessions are named by the caller, or they go on.

use std::net::IpAddr;

use super::revoke::{RevokeOptions, to_set};
use super::{Context, Error, Service, failures};
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::secret::SecretHash;
use crate::domain::selection::Selection;
use crate::domain::user::{Actor, Group};
use crate::limits;
use crate::store::authorizations::{self, Owner};
use crate::store::changes::Change;
use crate::store::users::User;
use crate::store::{StoreError, Tx, devices, revocations, sessions, users};

/// What an API key must be good for to be used at the Access API, unless it is good for everything.
pub const ACCESS_SCOPE: &str = "access:write";

/// What a caller of the Access API brings.
pub enum Credential<'a> {
    /// An API key.
    Key(&'a str),
    /// His e-mail address, and an API key of his that is good for everything.
    Pair {
        /// The address.
        email: &'a str,
        /// The key.
        key: &'a str,
    },
}

/// Whose access is revoked, and how much of it besides his tokens.
#[derive(Clone, Debug, Default)]
pub struct AccessRevocation {
    /// The user's e-mail address, or his login if nobody has that address.
    pub email: String,
    /// His UUID, see [`Service::user_uuid`]: he must be the one who has the address.
    pub user_uid: Option<String>,
    /// His devices too: from none of them can anything be refreshed until he signs in there anew.
    pub devices: bool,
    /// His gateway sessions and web sessions too: he must sign in anew.
    pub gateway_sessions: bool,
    /// Why, for administrators.
    pub reason: Option<String>,
}

/// What was revoked.
#[derive(Clone, Debug)]
pub struct AccessRevoked {
    /// The act.
    pub receipt: Receipt,
    /// How many devices were not revoked before.
    pub devices: usize,
    /// How many web sessions were ended because he must sign in anew.
    pub sessions: usize,
}

impl AccessRevoked {
    /// Whether there was anything to revoke.
    pub const fn is_any(&self) -> bool {
        self.receipt.revoked > 0 || self.devices > 0 || self.sessions > 0
    }
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Nobody has that address, or somebody else.
    #[error("no user has this e-mail address and this user_uid")]
    UnknownUser,
    /// It does not say who is meant.
    #[error("several users have this e-mail address: say by user_uid which one is meant")]
    SeveralUsers,
    /// Anything else.
    #[error(transparent)]
    Service(#[from] Error),
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl Service {
    /// Who calls the Access API.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: the credential is wrong; [`Error::RateLimited`]: it is, and so were many before it from this
    /// address; [`Error::Forbidden`]: it is somebody's who may not, or a key for something else.
    pub async fn access_caller(&self, credential: Credential<'_>, address: Option<IpAddr>) -> Result<Context, Error> {
        let found = self.caller_by(credential, address).await;
        if matches!(found, Err(Error::Unauthenticated)) {
            failures::note_wrong_key(&self.store, &self.keys(), address, self.now()).await?;
        }
        found
    }

    async fn caller_by(&self, credential: Credential<'_>, address: Option<IpAddr>) -> Result<Context, Error> {
        let (key, email) = match credential {
            Credential::Key(key) => (key, None),
            Credential::Pair { email, key } => (key, Some(email)),
        };
        let hash = SecretHash::of(key);
        let row = self.store.read(move |connection| sessions::find_api_key(connection, &hash)).await?;
        let row = row.filter(|row| row.expiration_date.is_none_or(|at| at > self.now()));
        let row = row.ok_or(Error::Unauthenticated)?;
        let user = self.user(UserId(row.user_id)).await?.filter(|user| user.may_act());
        let user = user.ok_or(Error::Unauthenticated)?;
        let scope = match (row.scope.as_deref(), email) {
            (None, None) => true,
            (Some(scope), None) => scope == ACCESS_SCOPE,
            (scope, Some(email)) if is_address_of(&user, email) => scope.is_none(),
            (_, Some(_)) => return Err(Error::Unauthenticated),
        };
        let actor = Self::actor(&user);
        if !scope {
            return Err(Error::Forbidden(format!("this API key is not good for the scope {ACCESS_SCOPE}")));
        }
        check_may(&actor)?;
        Ok(Context::new(actor, Channel::AccessApi, address))
    }

    /// Revokes a user's tokens and, as far as it is asked for, his devices and sessions, in one transaction. When this
    /// returns, they are refused.
    ///
    /// # Errors
    /// [`Error::Forbidden`] to anybody but an administrator of the oREST records. Nothing has changed then.
    pub async fn revoke_user_access(
        &self,
        context: &Context,
        wanted: AccessRevocation,
    ) -> Result<AccessRevoked, AccessError> {
        check_may(&context.actor)?;
        if wanted.reason.as_ref().is_some_and(|reason| reason.chars().count() > limits::REASON_CHARS_MAX) {
            let message = format!("a reason has at most {} characters", limits::REASON_CHARS_MAX);
            return Err(Error::invalid("reason", message).into());
        }
        let (email, uid) = (wanted.email.clone(), wanted.user_uid.clone());
        let found: Result<_, StoreError> = self
            .store
            .read(move |connection| {
                let service = revocations::service_uuid(connection)?;
                let known = users::find_by_address(connection, &email)?;
                let Some(uid) = uid else {
                    return Ok(if known.login.is_empty() { known.email } else { known.login });
                };
                let mut ids = [known.login, known.email].concat();
                ids.retain(|id| uuid_of(&service, *id).eq_ignore_ascii_case(&uid));
                ids.dedup();
                Ok(ids)
            })
            .await;
        let user = match found?[..] {
            [] => return Err(AccessError::UnknownUser),
            [user] => user,
            _ => return Err(AccessError::SeveralUsers),
        };
        let (service, context) = (self.clone(), context.clone());
        self.write(move |tx| service.revoke_user_access_in(tx, &context, user, &wanted)).await
    }

    fn revoke_user_access_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        user: UserId,
        wanted: &AccessRevocation,
    ) -> Result<AccessRevoked, AccessError> {
        if users::find(tx.connection, user)?.is_none() {
            return Err(AccessError::UnknownUser);
        }
        let mut revoked_devices = 0;
        if wanted.devices {
            let ids = devices::list_unrevoked_of(tx.connection, user)?;
            revoked_devices = devices::set_revoked(tx.connection, &ids, Some(self.now()))?;
            sessions::delete_of_devices(tx.connection, &ids)?;
            for id in ids {
                tx.announce(Change::Device(DeviceId(id)))?;
            }
        }
        let ended = if wanted.gateway_sessions { sessions::delete_of(tx.connection, user)? } else { 0 };
        let (selection, owner) = if wanted.gateway_sessions {
            (Selection::Users(vec![user]), Owner::Users(&[user]))
        } else {
            (Selection::UserTokens(user), Owner::UserTokens(user))
        };
        let set = to_set(authorizations::list_ids(tx.connection, owner, 0)?);
        let options = RevokeOptions { reason_admin: wanted.reason.clone(), ..RevokeOptions::default() };
        let receipt = self.revoke_in(tx, context, &selection, set, &options)?;
        Ok(AccessRevoked { receipt, devices: revoked_devices, sessions: ended })
    }

    /// The UUID of a user: it stays his, also when the data move to another database. The field `user_uid` of `res.users`
    /// is the same.
    pub async fn user_uuid(&self, user: UserId) -> Result<String, Error> {
        let service = self.store.read(revocations::service_uuid).await?;
        Ok(uuid_of(&service, user))
    }
}

fn check_may(actor: &Actor) -> Result<(), Error> {
    if actor.is_orest_admin() {
        return Ok(());
    }
    Err(Error::Forbidden(format!("this needs the group {}", Group::OrestAdmin.label())))
}

fn is_address_of(user: &User, email: &str) -> bool {
    user.email().unwrap_or(user.login()).eq_ignore_ascii_case(email)
}

/// The service's UUID with the user's number, in decimal digits, in place of the zeros that it ends in.
fn uuid_of(service: &str, user: UserId) -> String {
    let stem = service.rsplit_once('-').map_or(service, |(stem, _)| stem);
    format!("{stem}-{:012}", user.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_uuids() {
        let service = "0f8fad5b-d9cb-869f-8165-000000000000";
        for (id, expect) in [(1, "000000000001"), (42, "000000000042"), (999_999_999_999, "999999999999")] {
            assert_eq!(uuid_of(service, UserId(id)), format!("0f8fad5b-d9cb-869f-8165-{expect}"));
        }
    }
}
