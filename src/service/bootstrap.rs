//! What a new database gets before anybody can sign in.

use super::pairing::SUPERUSER;
use super::{Error, Service};
use crate::domain::ids::UserId;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::store::users::{self, NewUser};
use crate::store::{Connection, StoreError, Tx};

/// The login of the first administrator.
pub const ADMIN_LOGIN: &str = "admin";

impl Service {
    /// Makes sure that somebody can administer: in a new database the first users are `__system__` (1), which nobody can
    /// be, and the administrator (2), as in Odoo. All in one transaction, so that a start that is cut short leaves the next one
    /// to do it. Gives the password that was generated, or `None` if one was given or there is an administrator already. While the
    /// service is paired, administrators come from Odoo and none is made.
    pub async fn ensure_administrator(&self, password: Option<String>) -> Result<Option<Secret>, Error> {
        if self.store.read(has_administrator).await? {
            return Ok(None);
        }
        if self.pairing().is_some() {
            let now = self.now();
            self.write(move |tx| Ok::<_, Error>(ensure_system_user(tx.connection, now)?)).await?;
            return Ok(None);
        }
        let generated = password.is_none().then(|| Secret::generate(self.entropy.as_ref(), "", 12));
        let chosen =
            password.unwrap_or_else(|| generated.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default());
        let hash = self.hash_password(chosen).await?;
        let now = self.now();
        let made = self
            .write(move |tx| {
                // Another node may have been first.
                if has_administrator(tx.connection)? {
                    return Ok::<_, Error>(None);
                }
                if users::find_by_login(tx.connection, ADMIN_LOGIN)?.is_some() {
                    return Ok(Some(false));
                }
                insert_administrator(tx.connection, &hash, now)?;
                Ok(Some(true))
            })
            .await?;
        let Some(made) = made else { return Ok(None) };
        if !made {
            // Somebody disabled him behind our back: that's not ours to undo, least of all with a new password.
            tracing::warn!("no user can administer: '{ADMIN_LOGIN}' is disabled, pending or not in the group");
            return Ok(None);
        }
        Ok(generated)
    }

    /// Makes the administrator of a database in which nobody lives, and says whether it was one.
    pub(super) async fn settle(&self, password: String) -> Result<bool, Error> {
        let hash = self.hash_password(password).await?;
        let now = self.now();
        let settled = self.write(move |tx| {
            let empty = users::count(tx.connection)? == 0;
            if empty {
                insert_administrator(tx.connection, &hash, now)?;
            }
            Ok::<_, Error>(empty)
        });
        settled.await
    }

    /// Makes sure that an administrator can sign in after a pairing has ended: users that came from Odoo have no password here.
    /// Gives a login and the password that was generated for it; `None`: an administrator has one, or there is none, and the
    /// next start makes him.
    pub async fn ensure_sign_in(&self) -> Result<Option<(String, Secret)>, Error> {
        let without = |connection: &mut Connection| {
            let mut administrators = users::list_acting_in(connection, Group::System)?;
            administrators.sort_unstable();
            for id in &administrators {
                if users::find_password(connection, UserId(*id))?.is_some() {
                    return Ok(None);
                }
            }
            Ok::<_, StoreError>(administrators.first().copied().map(UserId))
        };
        if self.store.read(without).await?.is_none() {
            return Ok(None);
        }
        let password = Secret::generate(self.entropy.as_ref(), "", 12);
        let hash = self.hash_password(password.reveal().to_owned()).await?;
        let (now, service) = (self.now(), self.clone());
        let login = self
            .write(move |tx| {
                let Some(id) = without(tx.connection)? else { return Ok(None) };
                let Some(user) = users::find(tx.connection, id)? else { return Ok(None) };
                users::set_password(tx.connection, id, Some(&hash), None, now)?;
                // Nobody else may pass for him, whatever was noted before.
                users::set_login(tx.connection, id, user.login())?;
                users::delete_local_identity(tx.connection, id)?;
                users::insert_identity(tx.connection, id, "local-userpass", user.login(), now)?;
                service.user_changed_in(tx, id)?;
                Ok::<_, Error>(Some(user.login().to_owned()))
            })
            .await?;
        Ok(login.map(|login| (login, password)))
    }

    /// Adds a confirmed user with an e-mail address `<login>@example.com` and, given a password, an identity.
    pub async fn add_user(
        &self,
        login: &'static str,
        name: &'static str,
        groups: &'static [Group],
        password: Option<String>,
    ) -> Result<UserId, Error> {
        let hash = match password {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let now = self.now();
        let add = move |tx: &mut Tx<'_>| Ok(insert_user(tx.connection, login, name, groups, hash.as_deref(), now)?);
        self.write(add).await
    }

    async fn hash_password(&self, password: String) -> Result<String, Error> {
        self.passwords.hash(&self.entropy, &password).await
    }
}

fn has_administrator(connection: &mut Connection) -> Result<bool, StoreError> {
    Ok(users::count_acting_in(connection, Group::System)? > 0)
}

fn insert_administrator(connection: &mut Connection, hash: &str, now: Timestamp) -> Result<(), StoreError> {
    ensure_system_user(connection, now)?;
    insert_user(connection, ADMIN_LOGIN, "Administrator", &[Group::System], Some(hash), now)?;
    Ok(())
}

/// The first user is `__system__`, whom nobody can be.
fn ensure_system_user(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    if users::count(connection)? == 0 {
        insert_user(connection, "__system__", "System", &[], None, now)?;
    }
    users::set_active(connection, SUPERUSER, false, now)?;
    Ok(())
}

fn insert_user(
    connection: &mut Connection,
    login: &str,
    name: &str,
    groups: &[Group],
    password_hash: Option<&str>,
    now: Timestamp,
) -> Result<UserId, StoreError> {
    let email = password_hash.map(|_| format!("{login}@example.com"));
    let new = NewUser { login, name, email: email.as_deref(), password_hash, state: "confirmed", groups };
    let id = users::insert(connection, &new, None, now)?;
    if password_hash.is_some() {
        users::insert_identity(connection, id, "local-userpass", login, now)?;
    }
    Ok(id)
}
