//! Who is calling: users by password, applications by secret. By API key: [`super::api_keys`]; by session: [`super::sessions`].

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::api_keys::RPC_SCOPE;
use super::failures::{self, Counts, Source};
use super::{Error, Service};
use crate::domain::application::Application;
use crate::domain::ids::UserId;
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::Timestamp;
use crate::domain::user::Actor;
use crate::store::users::User;
use crate::store::{StoreError, Tx, sessions, users};

/// Somebody who has just shown who he is. What he then asks for is refused if that holds no longer.
#[derive(Clone)]
pub struct SignedIn {
    /// Who; he may act, as of then.
    pub user: Arc<User>,
    proof: Proof,
}

#[derive(Clone)]
enum Proof {
    /// The stored hash that his password was right for. It must still be his.
    Password(String),
    /// A ticket of the paired Odoo, taken in the same transaction.
    Ticket,
    /// The row of his API key. It must still be there.
    ApiKey(i64),
}

/// Why somebody is not signed in who has shown a login and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSignedIn {
    /// Nobody has this login, or the password is wrong, or he is not confirmed yet.
    Unknown,
    /// Both are right, and he is disabled.
    Disabled,
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).finish_non_exhaustive()
    }
}

impl SignedIn {
    /// Whom the paired Odoo vouches for, by a ticket that this transaction has taken.
    pub(super) const fn by_ticket(user: Arc<User>) -> Self {
        Self { user, proof: Proof::Ticket }
    }

    /// Who shows his API key, which has this row.
    pub(super) const fn by_api_key(user: Arc<User>, row: i64) -> Self {
        Self { user, proof: Proof::ApiKey(row) }
    }

    /// When what he showed ends; `None`: never.
    pub(super) fn end_in(&self, tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Error> {
        match &self.proof {
            Proof::ApiKey(id) => Ok(sessions::find_api_key_end(tx.connection, *id)?),
            Proof::Password(_) | Proof::Ticket => Ok(None),
        }
    }

    /// Whether it is still his password or key, and he may still act, as of this transaction.
    pub(super) fn check_in(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let acts = users::find(tx.connection, self.user.id)?.is_some_and(|user| user.may_act());
        let holds = match &self.proof {
            Proof::Password(hash) => users::find_password(tx.connection, self.user.id)?.as_ref() == Some(hash),
            Proof::Ticket => true,
            Proof::ApiKey(id) => sessions::list_api_key_owners(tx.connection, &[*id])?.contains(&(*id, self.user.id.0)),
        };
        if acts && holds { Ok(()) } else { Err(Error::Unauthenticated) }
    }
}

impl Service {
    /// The user of this login and password; `None`: there is none, or he may not sign in. Takes as long either way.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many wrong passwords of this user from this address, also for right ones.
    pub async fn user_by_password(
        &self,
        login: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<SignedIn>, Error> {
        Ok(self.try_password_of(login, password, address).await?.ok())
    }

    /// The same, for a door that tells a disabled user who has shown the right password why he is refused. It counts as
    /// a wrong one all the same.
    ///
    /// # Errors
    /// As [`Self::user_by_password`].
    pub async fn try_password_of(
        &self,
        login: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Result<SignedIn, NotSignedIn>, Error> {
        let (wanted, keys) = (login.to_owned(), self.keys());
        let found = self.store.read(move |connection| {
            let found = users::find_by_login(connection, &wanted)?;
            let source = match &found {
                Some((user, _)) => Source::of_user(&keys, user.id, address)?,
                None => Source::of_nobody(&keys, &wanted, address)?,
            };
            let counts = source.counts(connection)?;
            Ok::<_, Error>((found, source, counts))
        });
        let (found, source, counts) = found.await?;
        let (user, stored) = found.map_or((None, None), |(user, stored)| (Some(user), stored));
        let may_act = user.as_ref().is_some_and(User::may_act);
        let right = self.try_password(source, counts, stored.as_deref(), may_act, password).await?;
        Ok(match user.zip(stored).filter(|_| right) {
            Some((user, hash)) if may_act => Ok(SignedIn { user: Arc::new(user), proof: Proof::Password(hash) }),
            Some((user, _)) if !user.active => Err(NotSignedIn::Disabled),
            _ => Err(NotSignedIn::Unknown),
        })
    }

    /// Whether this password belongs to the stored hash, as long as not too many were wrong; `None` for the hash is always
    /// wrong and takes as long. The right one of who may not sign in (`may_act`) counts as a wrong one. `counts` are those of the
    /// source a moment ago.
    async fn try_password(
        &self,
        source: Source,
        counts: Counts,
        stored: Option<&str>,
        may_act: bool,
        password: &str,
    ) -> Result<bool, Error> {
        counts.check(self.now())?;
        if may_act && self.passwords.remembers(stored, password) {
            if !counts.is_clean() {
                failures::forget(&self.store, source).await?;
            }
            return Ok(true);
        }
        let (service, stored, password) = (self.clone(), stored.map(str::to_owned), password.to_owned());
        // On its own: a caller who goes away takes back nothing that he has tried.
        let tried =
            tokio::spawn(async move { service.hash_and_count(source, stored.as_deref(), may_act, &password).await });
        tried.await.map_err(|_| Error::Internal)?
    }

    async fn hash_and_count(
        &self,
        source: Source,
        stored: Option<&str>,
        may_act: bool,
        password: &str,
    ) -> Result<bool, Error> {
        let place = self.passwords.place().await?;
        // Somebody may have shown it while this call waited.
        if may_act && self.passwords.remembers(stored, password) {
            failures::forget(&self.store, source).await?;
            return Ok(true);
        }
        let tried = self.failures.start(&self.store, source, self.now()).await?;
        let right = self.passwords.check(place, stored, password).await;
        self.failures.end(&self.store, tried, may_act && matches!(right, Ok(true)), self.now()).await?;
        right
    }

    /// The user of this login and password or API key, as Odoo's `common.login` takes them.
    pub async fn user_by_login(
        &self,
        login: &str,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Arc<User>>, Error> {
        if let Some(user) = self.user_by_api_key(secret, RPC_SCOPE).await?
            && user.login() == login
        {
            return Ok(Some(user));
        }
        Ok(self.user_by_password(login, secret, address).await?.map(|signed_in| signed_in.user))
    }

    /// The user of this id and password or API key, as Odoo's `object.execute` takes them.
    /// `Ok(None)`: the secret is wrong, or he may not sign in.
    pub async fn user_by_id(
        &self,
        id: UserId,
        secret: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Arc<User>>, Error> {
        if let Some(user) = self.user_by_api_key(secret, RPC_SCOPE).await?
            && user.id == id
        {
            return Ok(Some(user));
        }
        let user = self.user(id).await?.filter(|user| user.may_act());
        let source = Source::of_user(&self.keys(), id, address)?;
        let own = source.clone();
        let found = self.store.read(move |connection| {
            Ok::<_, StoreError>((users::find_password(connection, id)?, own.counts(connection)?))
        });
        let (stored, counts) = found.await?;
        let right = self.try_password(source, counts, stored.as_deref(), user.is_some(), secret).await?;
        Ok(user.filter(|_| right))
    }

    /// What a user may do.
    pub fn actor(user: &User) -> Actor {
        Actor { user: Some(user.id), login: user.login().to_owned(), groups: user.groups }
    }

    /// A random text that nobody can guess, 64 hexadecimal digits, to tie a form to a browser.
    pub fn random_secret(&self) -> Secret {
        Secret::generate(self.entropy.as_ref(), "", 32)
    }

    /// What proves later that somebody showed this user's password: a hash of the stored hash that it is right for. `None`: it
    /// is wrong, or he may not sign in.
    ///
    /// # Errors
    /// As [`Self::user_by_password`].
    pub async fn password_proof(
        &self,
        user: UserId,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<SecretHash>, Error> {
        let Some(user) = self.user(user).await? else { return Ok(None) };
        let signed_in = self.user_by_password(user.login(), password, address).await?;
        Ok(signed_in.filter(|signed_in| signed_in.user.id == user.id).and_then(|signed_in| match signed_in.proof {
            Proof::Password(hash) => Some(SecretHash::of(&hash)),
            Proof::Ticket | Proof::ApiKey(_) => None,
        }))
    }

    /// The application of this `client_id` and secret. A public client must bring none (RFC 6749 section 2.3).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: unknown, archived, or the secret is wrong.
    pub async fn application_by_secret(
        &self,
        client_id: &str,
        secret: Option<&str>,
    ) -> Result<Arc<Application>, Error> {
        let application =
            self.client(client_id).await?.filter(|application| application.active).ok_or(Error::Unauthenticated)?;
        let right = match (&application.secret_hash, secret) {
            (Some(hash), Some(secret)) => hash.matches(secret),
            (None, None | Some("")) => true,
            _ => false,
        };
        if right { Ok(application) } else { Err(Error::Unauthenticated) }
    }
}
