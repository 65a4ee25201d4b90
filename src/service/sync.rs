//! The users of the paired Odoo, as they are there. What comes is state and no event, so it may come twice, late, or out of
//! order with what was lost: what is the same here changes nothing.

use std::collections::HashSet;

use super::pairing::{SUPERUSER, check_from_odoo};
use super::{Context, Error, Service};
use crate::domain::ids::UserId;
use crate::domain::revocation::Channel;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::store::pairing::{self, OdooUser};
use crate::store::{Connection, StoreError, Tx, sessions, users};

/// How late a state may come and be told from one of a clock that has been put right.
const LATE_MICROSECONDS_MAX: i64 = 600 * 1_000_000;

/// What a synchronisation has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Users that were not here.
    pub created: u64,
    /// Users that were not the same here.
    pub updated: u64,
    /// Users that Odoo has no more.
    pub deleted: u64,
    /// Authorizations that were revoked with it.
    pub revoked: u64,
}

impl Service {
    /// Makes these users what Odoo says that they are, all or none. A new password ends a user's sessions and revokes what
    /// acts for him; one who is seen for the first time keeps what he has here, unless that was another person's. `as_of` is
    /// when Odoo looked, in microseconds of its database's clock: of two states the later holds, whichever comes first.
    ///
    /// # Errors
    /// [`Error::Forbidden`] to any caller but the paired Odoo; [`Error::Invalid`] for a user that can't be.
    pub async fn sync_users(
        &self,
        context: &Context,
        users: Vec<OdooUser>,
        as_of: Option<i64>,
    ) -> Result<Synced, Error> {
        check_from_odoo(context)?;
        users.iter().try_for_each(check_user)?;
        let users: Vec<_> = users.into_iter().filter(|user| user.id != SUPERUSER).collect();
        // Most of the time nothing has changed, and the writer needn't know.
        let (users, differ) = self
            .store
            .read(move |connection| {
                let differ = users.iter().map(|user| differs(connection, user)).collect::<Result<Vec<_>, _>>()?;
                Ok::<_, StoreError>((users, differ))
            })
            .await?;
        let users: Vec<_> =
            users.into_iter().zip(differ).filter_map(|(user, differs)| differs.then_some(user)).collect();
        if users.is_empty() {
            return Ok(Synced::default());
        }
        let (service, context, now) = (self.clone(), context.clone(), self.now());
        self.write(move |tx| {
            let mut synced = Synced::default();
            for user in &users {
                service.sync_user_in(tx, &context, user, as_of, now, &mut synced)?;
            }
            Ok::<_, Error>(synced)
        })
        .await
        .inspect(log)
    }

    fn sync_user_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        user: &OdooUser,
        as_of: Option<i64>,
        now: Timestamp,
        synced: &mut Synced,
    ) -> Result<(), Error> {
        let mut found = pairing::find_user(tx.connection, user.id)?;
        let user = &user.over(found.as_ref());
        if found.as_ref() == Some(user) || is_late(pairing::find_as_of(tx.connection, user.id)?, as_of) {
            return Ok(());
        }
        if found.as_ref().is_some_and(|own| is_another_person(own, user)) {
            // What acts for one must never act for the other.
            synced.revoked += self.delete_user_in(tx, context, user.id)?;
            found = None;
        }
        if found.as_ref().is_none_or(|own| own.login != user.login) {
            synced.revoked += self.make_room_in(tx, context, user)?;
        }
        self.user_changed_in(tx, user.id)?;
        let Some(own) = found else {
            pairing::insert_user(tx.connection, user, as_of, now)?;
            synced.created += 1;
            return Ok(());
        };
        if own.login != user.login {
            users::set_login(tx.connection, user.id, &user.login)?;
            // Under another login nobody goes on who signed in under the old one.
            sessions::delete_of(tx.connection, user.id)?;
        }
        pairing::update_user(tx.connection, user, as_of, now)?;
        synced.updated += 1;
        if own.password_version.is_some() && own.password_version != user.password_version {
            let context = Context { channel: Channel::PasswordChange, ..context.clone() };
            // A password of our own from before the pairing goes too: it isn't the one that he has now.
            synced.revoked += self.set_password_in(tx, &context, user.id, None, None)?.revoked;
            users::delete_local_identity(tx.connection, user.id)?;
        }
        Ok(())
    }

    /// Whoever has this login here still, Odoo has renamed him, or has him no more: until that comes he gets another one. A
    /// user of the service's own is not the one of his number in Odoo, since the one of his login has another number; says how
    /// much was revoked with him.
    fn make_room_in(&self, tx: &mut Tx<'_>, context: &Context, user: &OdooUser) -> Result<u64, Error> {
        let Some(holder) = users::find_id_by_login(tx.connection, &user.login)?.filter(|id| *id != user.id) else {
            return Ok(0);
        };
        let own = pairing::find_user(tx.connection, holder)?.is_some_and(|holder| holder.password_version.is_none());
        if own && holder != SUPERUSER {
            return self.delete_user_in(tx, context, holder);
        }
        let mut until_then = format!("{}#{holder}", user.login);
        while users::find_id_by_login(tx.connection, &until_then)?.is_some() {
            until_then.push('#');
        }
        users::set_login(tx.connection, holder, &until_then)?;
        sessions::delete_of(tx.connection, holder)?;
        self.user_changed_in(tx, holder)?;
        Ok(0)
    }

    /// Deletes the users that Odoo doesn't have, after what acts for them has been revoked for good. One by one, since at scale
    /// each takes its time and others want to write too; who calls again finishes what was cut short. `as_of` is as with
    /// [`Self::sync_users`]: who has come since then stays.
    ///
    /// # Errors
    /// [`Error::Forbidden`] to any caller but the paired Odoo; [`Error::Conflict`] if none of these users is an administrator
    /// here: that's no list of all users.
    pub async fn keep_users(&self, context: &Context, ids: Vec<i64>, as_of: Option<i64>) -> Result<Synced, Error> {
        check_from_odoo(context)?;
        let keep: HashSet<i64> = ids.into_iter().chain([SUPERUSER.0]).collect();
        let gone = self
            .store
            .read(move |connection| {
                let administrators = users::list_acting_in(connection, Group::System)?;
                if !administrators.iter().any(|id| *id != SUPERUSER.0 && keep.contains(id)) {
                    return Err(no_administrator());
                }
                Ok(users::list_ids(connection)?.into_iter().filter(|id| !keep.contains(id)).collect::<Vec<_>>())
            })
            .await?;
        let mut synced = Synced::default();
        for id in gone.into_iter().map(UserId) {
            let (service, context) = (self.clone(), context.clone());
            let delete = move |tx: &mut Tx<'_>| {
                if is_late(pairing::find_as_of(tx.connection, id)?, as_of) {
                    return Ok(None);
                }
                service.delete_user_in(tx, &context, id).map(Some)
            };
            if let Some(revoked) = self.write(delete).await? {
                synced.revoked += revoked;
                synced.deleted += 1;
            }
        }
        let (service, now) = (self.clone(), self.now());
        self.write(move |tx| {
            pairing::set_synced(tx.connection, now)?;
            service.pairing_changed_in(tx)
        })
        .await?;
        log(&synced);
        Ok(synced)
    }

    /// Deletes a user, after what acts for him has been revoked; says how much that was.
    fn delete_user_in(&self, tx: &mut Tx<'_>, context: &Context, id: UserId) -> Result<u64, Error> {
        let receipt = self.revoke_for_deletion_in(tx, context, &[id], None)?;
        users::delete(tx.connection, id)?;
        Ok(receipt.revoked)
    }
}

fn log(synced: &Synced) {
    let Synced { created, updated, deleted, revoked } = synced;
    if created + updated + deleted > 0 {
        tracing::info!(created, updated, deleted, revoked, "users as in Odoo");
    }
}

/// Whether what Odoo knew at `as_of` has been overtaken by what is known.
fn is_late(known: Option<i64>, as_of: Option<i64>) -> bool {
    let (Some(known), Some(as_of)) = (known, as_of) else { return false };
    (1..=LATE_MICROSECONDS_MAX).contains(&known.saturating_sub(as_of))
}

fn differs(connection: &mut Connection, user: &OdooUser) -> Result<bool, StoreError> {
    let found = pairing::find_user(connection, user.id)?;
    Ok(found.as_ref() != Some(&user.over(found.as_ref())))
}

/// Whether one and the same number means two people: the service's own user of before the pairing, or one whom an Odoo that
/// was restored from a backup has never had, so that it gave his number away again.
fn is_another_person(own: &OdooUser, user: &OdooUser) -> bool {
    let made_anew = own.created_at.is_some() && own.created_at != user.created_at;
    made_anew || own.password_version.is_none() && own.login != user.login
}

fn check_user(user: &OdooUser) -> Result<(), Error> {
    // Odoo's ids are 32 bits wide, and the live state counts on it.
    if !(1..=i64::from(i32::MAX)).contains(&user.id.0) {
        return Err(Error::invalid("id", format!("{} is no id of a user", user.id)));
    }
    if user.login.is_empty() {
        return Err(Error::invalid("login", format!("user {} has no login", user.id)));
    }
    Ok(())
}

fn no_administrator() -> Error {
    Error::Conflict(
        "None of these users is an enabled administrator here, so this can't be the list of all users: nothing was deleted. \
         Send all users by sync_users first."
            .to_owned(),
    )
}
