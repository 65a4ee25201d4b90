//! What a new database gets before anybody can sign in.

use super::passwords::hash_new;
use super::{Error, Service};
use crate::domain::ids::UserId;
use crate::domain::secret::Secret;
use crate::domain::user::Group;
use crate::store::users::{self, NewUser};

/// The login of the first administrator.
pub const ADMIN_LOGIN: &str = "admin";

impl Service {
    /// Makes the first users of an empty database: `__system__` (1), which nobody can be, and the administrator (2), as in
    /// Odoo. Gives the password that was generated, or `None` if one was given or there are users already.
    pub async fn ensure_administrator(&self, password: Option<String>) -> Result<Option<Secret>, Error> {
        if self.store.read(users::count).await? > 0 {
            return Ok(None);
        }
        let generated = password.is_none().then(|| Secret::generate(self.entropy.as_ref(), "", 12));
        let chosen =
            password.unwrap_or_else(|| generated.as_ref().map(|secret| secret.reveal().to_owned()).unwrap_or_default());
        self.add_user("__system__", "System", &[], None).await?;
        let (system, now) = (UserId(1), self.now());
        self.store.write(move |tx| users::set_active(tx.connection, system, false, now)).await?;
        self.add_user(ADMIN_LOGIN, "Administrator", &[Group::System], Some(chosen)).await?;
        Ok(generated)
    }

    /// Adds a confirmed user with an e-mail address `<login>@example.com` and, given a password, an identity.
    pub async fn add_user(
        &self,
        login: &'static str,
        name: &'static str,
        groups: &'static [Group],
        password: Option<String>,
    ) -> Result<UserId, Error> {
        let entropy = std::sync::Arc::clone(&self.entropy);
        let hash = match password {
            Some(password) => Some(
                tokio::task::spawn_blocking(move || hash_new(entropy.as_ref(), &password))
                    .await
                    .map_err(|_| Error::Internal)??,
            ),
            None => None,
        };
        let now = self.now();
        self.store
            .write(move |tx| {
                let email = hash.as_ref().map(|_| format!("{login}@example.com"));
                let new = NewUser {
                    login,
                    name,
                    email: email.as_deref(),
                    password_hash: hash.as_deref(),
                    state: "confirmed",
                    groups,
                };
                let id = users::insert(tx.connection, &new, None, now)?;
                if hash.is_some() {
                    users::insert_identity(tx.connection, id, "local-userpass", login, now)?;
                }
                Ok(id)
            })
            .await
    }
}
