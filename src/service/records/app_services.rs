//! Users and keys of an application, as the App Services Admin API changes them: the deeds are those of any other door, on users
//! who are the application's.

use serde_json::{Map, Value, json};

use super::Records;
use super::change::Change;
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::secret::Secret;
use crate::limits;
use crate::orm::convert;
use crate::orm::field::Model;
use crate::orm::models::users as users_model;
use crate::orm::rights::Operation;
use crate::service::Error;
use crate::service::api_keys::RPC_SCOPE;
use crate::service::app_services::{
    AppError, AppKey, check_administrator, check_pending, find_app, find_key, find_pending, find_user,
};
use crate::service::revoke::RevokeOptions;
use crate::store::{Connection, Tx, app_services, sessions, users};

const USERS: &Model = &users_model::USERS;

impl Records {
    /// Makes a user who signs in with his e-mail address and this password, registered for the application.
    ///
    /// # Errors
    /// [`AppError::NameInUse`]
    pub async fn create_app_user(&self, app: ApplicationId, email: &str, password: &str) -> Result<UserId, AppError> {
        self.service.check_users_are_ours()?;
        if !is_email(email) {
            return Err(Error::invalid("email", format!("'{email}' is no e-mail address")).into());
        }
        if password.is_empty() {
            return Err(Error::invalid("password", "a password can't be empty").into());
        }
        let given = object(json!({"name": email, "login": email, "email": email, "password": password}));
        let values =
            self.hash_secrets(USERS, Operation::Create, convert::values(&self.registry, USERS, &given)?).await?;
        let login = email.to_owned();
        self.change_app(move |change| {
            find_app(change.tx.connection, app)?;
            if users::find_id_by_login(change.tx.connection, &login)?.is_some() {
                return Err(AppError::NameInUse(login));
            }
            let id = UserId(change.create(USERS, values)?);
            app_services::register(change.tx.connection, app, id)?;
            Ok(id)
        })
        .await
    }

    /// Confirms the application's pending user whom this e-mail address names: he may sign in from now on.
    pub async fn confirm_app_user(&self, app: ApplicationId, email: &str) -> Result<(), AppError> {
        self.service.check_users_are_ours()?;
        let confirmed = convert::values(&self.registry, USERS, &object(json!({"state": "confirmed"})))?;
        let (id, email) = self.find_pending(app, email).await?;
        self.change_app(move |change| {
            check_pending(change.tx.connection, app, id, &email)?;
            Ok(change.write(USERS, &[id.0], confirmed)?)
        })
        .await
    }

    /// Deletes the application's pending user whom this e-mail address names.
    pub async fn delete_pending_app_user(&self, app: ApplicationId, email: &str) -> Result<(), AppError> {
        self.service.check_users_are_ours()?;
        let (id, email) = self.find_pending(app, email).await?;
        self.change_app(move |change| {
            check_pending(change.tx.connection, app, id, &email)?;
            Ok(change.unlink(USERS, &[id.0])?)
        })
        .await
    }

    /// Disables one of the application's users: [`Self::disable_users`].
    pub async fn disable_app_user(&self, app: ApplicationId, id: UserId) -> Result<(), AppError> {
        self.check_app_user(app, id).await?;
        let receipt = self.disable_users(vec![id.0], RevokeOptions::default()).await?;
        Ok(self.service.check_confirmed(&receipt)?)
    }

    /// Enables one of the application's users: [`Self::enable_users`].
    pub async fn enable_app_user(&self, app: ApplicationId, id: UserId) -> Result<(), AppError> {
        self.check_app_user(app, id).await?;
        Ok(self.enable_users(vec![id.0]).await?)
    }

    /// Deletes one of the application's users, pending or not: [`Self::unlink`].
    pub async fn delete_app_user(&self, app: ApplicationId, id: UserId) -> Result<(), AppError> {
        self.check_app_user(app, id).await?;
        Ok(self.unlink(USERS, vec![id.0]).await?)
    }

    /// Makes a key for the application, and a user who signs in with it and with nothing else. The key, shown this once, is good
    /// for [`RPC_SCOPE`].
    pub async fn create_app_key(&self, app: ApplicationId, name: &str) -> Result<(AppKey, Secret), AppError> {
        self.service.check_users_are_ours()?;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > limits::APP_KEY_NAME_CHARS_MAX {
            let message = format!("a key's name has from 1 to {} characters", limits::APP_KEY_NAME_CHARS_MAX);
            return Err(Error::invalid("name", message).into());
        }
        let entropy = self.service.entropy.as_ref();
        let (key, login) = (Secret::generate(entropy, "", 20), Secret::generate(entropy, "api-key-", 8));
        let given = object(json!({"name": name, "login": login.reveal()}));
        let values = convert::values(&self.registry, USERS, &given)?;
        let hash = key.hash();
        let made = self.change_app(move |change| {
            find_app(change.tx.connection, app)?;
            let user = UserId(change.create(USERS, values)?);
            let (now, by) = (change.now, change.actor().user);
            let connection = &mut *change.tx.connection;
            let id = sessions::insert_api_key(connection, user, &name, Some(RPC_SCOPE), &hash, None, now)?;
            app_services::insert_key_identity(connection, app, user, id, by, now)?;
            Ok(AppKey { id, user, name, active: true })
        });
        Ok((made.await?, key))
    }

    /// Enables a key of the application, or archives its user: then it is refused, as long as he isn't enabled.
    pub async fn set_app_key_active(&self, app: ApplicationId, key: i64, active: bool) -> Result<(), AppError> {
        self.service.check_users_are_ours()?;
        let values = convert::values(&self.registry, USERS, &object(json!({"active": active})))?;
        self.change_app(move |change| {
            let key = find_key(change.tx.connection, app, key)?;
            Ok(change.write(USERS, &[key.user.0], values)?)
        })
        .await
    }

    /// Deletes a key of the application, and its user with it.
    pub async fn delete_app_key(&self, app: ApplicationId, key: i64) -> Result<(), AppError> {
        self.service.check_users_are_ours()?;
        self.change_app(move |change| {
            let key = find_key(change.tx.connection, app, key)?;
            Ok(change.unlink(USERS, &[key.user.0])?)
        })
        .await
    }

    /// Whether it is ours to change one of the application's users, who must be there.
    async fn check_app_user(&self, app: ApplicationId, id: UserId) -> Result<(), AppError> {
        check_administrator(&self.context)?;
        self.service.check_users_are_ours()?;
        let find = move |connection: &mut Connection| find_user(connection, app, id).map(|_| ());
        self.service.store.read(find).await
    }

    /// The pending user whom this address names, and the address. To look for him is no work for the one who writes.
    async fn find_pending(&self, app: ApplicationId, email: &str) -> Result<(UserId, String), AppError> {
        check_administrator(&self.context)?;
        let email = email.to_owned();
        let find = move |connection: &mut Connection| Ok((find_pending(connection, app, &email)?, email));
        self.service.store.read(find).await
    }

    async fn change_app<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Change<'_, '_>) -> Result<T, AppError> + Send + 'static,
    ) -> Result<T, AppError> {
        check_administrator(&self.context)?;
        let records = self.clone();
        self.service.write(move |tx: &mut Tx<'_>| work(&mut Change::new(&records, tx))).await
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => unreachable!("values are written as objects, not {other}"),
    }
}

/// Something on both sides of an `@`, and nothing that would make two addresses look like one.
fn is_email(text: &str) -> bool {
    let sides = text.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    sides && text.len() <= limits::EMAIL_BYTES_MAX && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
