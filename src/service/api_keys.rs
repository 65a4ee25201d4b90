//! API keys: what somebody shows in place of his password, by Odoo's rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Context, Error, Service};
use crate::domain::ids::UserId;
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::Timestamp;
use crate::store::users::User;
use crate::store::{sessions, users};

/// What an API key must be good for to be used with RPC; Odoo's own word.
pub const RPC_SCOPE: &str = "rpc";

impl Service {
    /// The user of an API key that is good for `scope` and has not ended.
    pub async fn user_by_api_key(&self, key: &str, scope: &str) -> Result<Option<Arc<User>>, Error> {
        // Anything of another form is a password and costs no look-up.
        if key.len() != 40 || !key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        let hash = SecretHash::of(key);
        let Some(found) = self.store.read(move |connection| sessions::find_api_key(connection, &hash)).await? else {
            return Ok(None);
        };
        let ended = found.expiration_date.is_some_and(|at| at <= self.now());
        let fits = found.scope.as_deref().is_none_or(|own| own == scope);
        if ended || !fits {
            return Ok(None);
        }
        Ok(self.user(UserId(found.user_id)).await?.filter(|user| user.may_act()))
    }

    /// Makes an API key: 40 hexadecimal digits, shown this once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: the user may no longer act.
    pub async fn make_api_key(
        &self,
        user: UserId,
        name: &str,
        scope: Option<&str>,
        expiration: Option<Timestamp>,
    ) -> Result<Secret, Error> {
        if name.trim().is_empty() {
            return Err(Error::invalid("name", "an API key needs a description"));
        }
        let key = Secret::generate(self.entropy.as_ref(), "", 20);
        let hash = key.hash();
        let now = self.now();
        let (name, scope) = (name.to_owned(), scope.map(str::to_owned));
        self.write(move |tx| {
            if !users::find(tx.connection, user)?.is_some_and(|user| user.may_act()) {
                return Err(Error::Unauthenticated);
            }
            sessions::insert_api_key(tx.connection, user, &name, scope.as_deref(), &hash, expiration, now)?;
            Ok(())
        })
        .await?;
        tracing::info!(user = user.0, "API key made");
        Ok(key)
    }

    /// The row of an API key and whose it is, whether it has ended or not.
    pub async fn api_key_row(&self, key: &str) -> Result<Option<(i64, UserId)>, Error> {
        let hash = SecretHash::of(key);
        let found = self.store.read(move |connection| sessions::find_api_key(connection, &hash)).await?;
        Ok(found.map(|row| (row.id, UserId(row.user_id))))
    }

    /// Removes API keys: one's own, or any by an administrator. Sessions at the Admin API of whose they were end.
    pub async fn remove_api_keys(&self, context: &Context, ids: Vec<i64>) -> Result<(), Error> {
        let (service, context) = (self.clone(), context.clone());
        let actor = context.actor.clone();
        self.write(move |tx| {
            let owners = sessions::list_api_key_owners(tx.connection, &ids)?;
            let own = |(_, owner): &(i64, i64)| actor.user == Some(UserId(*owner));
            if !actor.is_system() && !owners.iter().all(own) {
                return Err(Error::Forbidden(
                    "You can not remove API keys unless they're yours or you are a system user".to_owned(),
                ));
            }
            sessions::delete_api_keys(tx.connection, &ids)?;
            for owner in owners.iter().map(|(_, owner)| *owner).collect::<BTreeSet<_>>() {
                service.close_admin_sessions_in(tx, &context, UserId(owner))?;
            }
            Ok(())
        })
        .await
    }
}
