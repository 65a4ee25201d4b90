//! What happens to what acts for a user when the user changes.
//!
//! Archiving (`active` off) refuses at check time and is lifted by the opposite. Disabling also revokes all that acts for
//! him, and so do deleting him and changing his password; the first two for good.

use super::revoke::{RevokeOptions, to_set};
use super::sign_in::SignedIn;
use super::{Context, Error, Service};
use crate::domain::ids::UserId;
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::selection::Selection;
use crate::domain::user::Group;
use crate::store::authorizations::{self, Owner};
use crate::store::changes::Change;
use crate::store::users::User;
use crate::store::{Connection, StoreError, Tx, sessions, users};

impl Service {
    /// Whether users are kept here, and not by the Odoo that the service is paired with.
    ///
    /// # Errors
    /// [`Error::Conflict`] with what to do instead.
    pub(crate) fn check_users_are_ours(&self) -> Result<(), Error> {
        let Some(pairing) = self.pairing() else { return Ok(()) };
        let url = &pairing.odoo_url;
        Err(Error::Conflict(format!(
            "Users are kept by Odoo at {url}, with which this service is paired: change them there."
        )))
    }

    /// Changes a password; ends the user's sessions and revokes what acts for him.
    ///
    /// # Errors
    /// [`Error::Invalid`]: it can't be a password, or users are not kept here.
    pub async fn change_password(&self, context: &Context, user: UserId, new: &str) -> Result<(), Error> {
        let context = Context { channel: Channel::PasswordChange, ..context.clone() };
        let receipt = self.replace_password(context, user, new, None, None).await?;
        self.check_confirmed(&receipt)
    }

    /// The same, by the user himself, who has shown the old one.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: it is no longer his password, or he may no longer act.
    pub async fn change_own_password(&self, context: &Context, signed_in: SignedIn, new: &str) -> Result<(), Error> {
        let context = Context { channel: Channel::PasswordChange, ..context.clone() };
        let receipt = self.replace_password(context, signed_in.user.id, new, Some(signed_in), None).await?;
        self.check_confirmed(&receipt)
    }

    /// The same on the server's own machine, where nobody has to show anything. `reason` goes into the log, which has the act
    /// also where nothing was there to be revoked.
    pub async fn reset_password(&self, user: UserId, new: &str, reason: String) -> Result<Receipt, Error> {
        self.replace_password(Context::system(Channel::PasswordReset), user, new, None, Some(reason)).await
    }

    /// Whose password is to be set on the server's own machine: his who has this login, or the only administrator's.
    ///
    /// # Errors
    /// [`Error::Conflict`], with what to do instead: nobody has the login, no password would let him in, there are several
    /// administrators, or users are not kept here.
    pub async fn user_to_reset(&self, login: Option<String>) -> Result<User, Error> {
        self.check_users_are_ours()?;
        self.store.read(move |connection| find_to_reset(connection, login.as_deref())).await
    }

    async fn replace_password(
        &self,
        context: Context,
        user: UserId,
        new: &str,
        signed_in: Option<SignedIn>,
        reason: Option<String>,
    ) -> Result<Receipt, Error> {
        if let Err(Error::Conflict(message)) = self.check_users_are_ours() {
            return Err(Error::invalid("password", message));
        }
        let hash = self.passwords.hash(&self.entropy, new).await?;
        let service = self.clone();
        let work = move |tx: &mut Tx<'_>| {
            if let Some(signed_in) = signed_in {
                signed_in.check_in(tx)?;
            }
            service.set_password_in(tx, &context, user, Some(&hash), reason)
        };
        let (receipt, settlement) = self.write_settled(work).await?;
        Ok(receipt.settled(&settlement))
    }

    /// Stores a new password's hash, or none, in this transaction, ends the user's sessions, and revokes what acts for him.
    pub(crate) fn set_password_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        user: UserId,
        hash: Option<&str>,
        reason_admin: Option<String>,
    ) -> Result<Receipt, Error> {
        let missing = Error::NotFound { model: "res.users", id: user.0 };
        if !users::set_password(tx.connection, user, hash, context.actor.user, self.now())? {
            return Err(missing);
        }
        sessions::delete_of(tx.connection, user)?;
        let reason_user = Some("the password was changed".to_owned());
        let options = RevokeOptions { reason_admin, reason_user, ..RevokeOptions::default() };
        let receipt = self.revoke_all_of_in(tx, context, &[user], &options)?;
        self.user_changed_in(tx, user)?;
        Ok(receipt)
    }

    /// Revokes all that acts for these users, for good, in this transaction, because they are about to be deleted.
    pub(crate) fn revoke_for_deletion_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        ids: &[UserId],
        reason_admin: Option<String>,
    ) -> Result<Receipt, Error> {
        let context = Context { channel: Channel::UserDelete, ..context.clone() };
        let reason_user = Some("the user was deleted".to_owned());
        let options = RevokeOptions { reason_admin, reason_user, ..RevokeOptions::default() };
        let receipt = self.revoke_all_of_in(tx, &context, ids, &options)?;
        for id in ids {
            self.user_changed_in(tx, *id)?;
        }
        // Those that acted for him act for nobody now.
        self.applications_changed_in(tx)?;
        Ok(receipt)
    }

    /// Revokes all that acts for these users, in one act, in this transaction.
    pub(crate) fn revoke_all_of_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        ids: &[UserId],
        options: &RevokeOptions,
    ) -> Result<Receipt, Error> {
        let set = to_set(authorizations::list_ids(tx.connection, Owner::Users(ids), 0)?);
        self.revoke_in(tx, context, &Selection::Users(ids.to_vec()), set, options)
    }

    /// After the commit the next check reads the user anew.
    pub(crate) fn user_changed_in(&self, tx: &mut Tx<'_>, user: UserId) -> Result<(), StoreError> {
        tx.announce(Change::User(user))
    }

    /// After the commit the next check reads applications and model schemes anew.
    pub(crate) fn applications_changed_in(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.announce(Change::Applications)
    }
}

fn find_to_reset(connection: &mut Connection, login: Option<&str>) -> Result<User, Error> {
    let mut administrators = Vec::new();
    for id in users::list_acting_in(connection, Group::System)? {
        administrators.extend(users::find(connection, UserId(id))?);
    }
    let logins = administrators.iter().map(User::login).collect::<Vec<_>>().join(", ");
    let user = match login {
        Some(login) => users::find_by_login(connection, login)?.map(|(user, _)| user),
        None if administrators.len() == 1 => administrators.pop(),
        None => return Err(Error::Conflict(format!("whose? Name one with --login; the administrators are: {logins}"))),
    };
    match user {
        Some(user) if user.may_act() => Ok(user),
        Some(user) => {
            let state = if user.pending { "pending" } else { "disabled" };
            let login = user.login();
            Err(Error::Conflict(format!(
                "{login} is {state}, and a password would not let him in: give one to an administrator, who can change that: {logins}"
            )))
        }
        None => {
            let login = login.unwrap_or_default();
            Err(Error::Conflict(format!("nobody has the login '{login}'; the administrators are: {logins}")))
        }
    }
}
