//! What happens to what acts for a user when the user changes.
//!
//! Archiving (`active` off) refuses at check time and is lifted by the opposite. Disabling also revokes all that acts for
//! him, and so do deleting him and changing his password; the first two for good.

use super::revoke::{RevokeOptions, to_set};
use super::{Context, Error, Service};
use crate::domain::ids::UserId;
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::selection::Selection;
use crate::store::authorizations::{self, Owner};
use crate::store::changes::Change;
use crate::store::{StoreError, Tx, sessions, users};

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

    /// Stores a new password's hash, or none, in this transaction, ends the user's sessions, and revokes what acts for him.
    pub(crate) fn set_password_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        user: UserId,
        hash: Option<&str>,
    ) -> Result<Receipt, Error> {
        let missing = Error::NotFound { model: "res.users", id: user.0 };
        if !users::set_password(tx.connection, user, hash, context.actor.user, self.now())? {
            return Err(missing);
        }
        sessions::delete_of(tx.connection, user)?;
        let options =
            RevokeOptions { reason_user: Some("the password was changed".to_owned()), ..RevokeOptions::default() };
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
