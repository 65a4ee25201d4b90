//! Who is calling: users by password, by session, by API key; applications by secret.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::failures::{self, Counts, Source};
use super::{Context, Error, Service};
use crate::domain::application::Application;
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::{Timestamp, unix};
use crate::domain::user::Actor;
use crate::limits;
use crate::store::changes::Change;
use crate::store::devices::Seen;
use crate::store::users::User;
use crate::store::{StoreError, Tx, devices, sessions, users};

/// What an API key must be good for to be used with RPC; Odoo's own word.
pub const RPC_SCOPE: &str = "rpc";

/// A signed-in browser or session RPC client.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its row.
    pub id: i64,
    /// Who signed in; he may act, as of now.
    pub user: Arc<User>,
    /// From where.
    pub device: Option<DeviceId>,
    /// When the user last proved who he is.
    pub identity_checked_at: Option<Timestamp>,
}

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

/// What a browser says of itself.
#[derive(Clone, Debug)]
pub struct DeviceDescription {
    /// For people: "Firefox on Linux".
    pub name: String,
    /// Operating system.
    pub platform: String,
    /// Browser.
    pub browser: String,
    /// A phone or tablet.
    pub mobile: bool,
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
            && user.login == login
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

    /// What a user may do.
    pub fn actor(user: &User) -> Actor {
        Actor { user: Some(user.id), login: user.login.clone(), groups: user.groups }
    }

    /// A random text that nobody can guess, 64 hexadecimal digits, to tie a form to a browser.
    pub fn random_secret(&self) -> Secret {
        Secret::generate(self.entropy.as_ref(), "", 32)
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

    /// Signs a user in: a session, whose id is given this once.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: his password has changed since he showed it, or he may no longer act.
    pub async fn open_session(&self, signed_in: SignedIn, device: Option<DeviceId>) -> Result<Secret, Error> {
        let sid = Secret::generate(self.entropy.as_ref(), "", 42);
        let hash = sid.hash();
        let now = self.now();
        self.write(move |tx| open_session_in(tx, &signed_in, &hash, device, now)).await?;
        Ok(sid)
    }

    /// Signs a user in at a browser: a session, and a cookie for the device if it had none that is of the right form.
    /// Lifts the revocation of a known device.
    ///
    /// # Errors
    /// As [`Self::open_session`]; then nothing is lifted.
    pub async fn open_browser_session(
        &self,
        signed_in: SignedIn,
        cookie: Option<&str>,
        description: DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<(Secret, Option<Secret>), Error> {
        let sid = Secret::generate(self.entropy.as_ref(), "", 42);
        let hash = sid.hash();
        let (cookie_hash, fresh) = self.device_cookie(cookie);
        let now = self.now();
        let service = self.clone();
        self.write(move |tx| {
            // A failure undoes what came before it.
            let device = service.note_device_in(tx, signed_in.user.id, &cookie_hash, &description, address)?;
            open_session_in(tx, &signed_in, &hash, Some(device), now)
        })
        .await?;
        Ok((sid, fresh))
    }

    /// The session of this id, if it has not ended, its user may act and its device, if it has one, is not revoked.
    pub async fn session(&self, sid: &str) -> Result<Option<Session>, Error> {
        if sid.is_empty() || sid.len() > 200 {
            return Ok(None);
        }
        let hash = SecretHash::of(sid);
        let Some(row) = self.store.read(move |connection| sessions::find(connection, &hash)).await? else {
            return Ok(None);
        };
        let now = self.now();
        if row.last_activity + limits::SESSION_INACTIVITY <= now {
            return Ok(None);
        }
        let Some(user) = self.user(UserId(row.user_id)).await?.filter(|user| user.may_act()) else { return Ok(None) };
        let device = row.device_id.map(DeviceId);
        if let Some(device) = device
            && self.device_revoked(device).await?
        {
            return Ok(None);
        }
        if unix(now) - unix(row.last_activity) >= 60 {
            let id = row.id;
            self.write(move |tx| Ok::<_, Error>(sessions::touch(tx.connection, id, now)?)).await?;
        }
        Ok(Some(Session { id: row.id, user, device, identity_checked_at: row.identity_checked_at }))
    }

    /// Ends a session; says whether there was one.
    pub async fn close_session(&self, sid: &str) -> Result<bool, Error> {
        self.close_session_but_for(sid, None).await
    }

    /// Ends a session because its browser has another one now. If that is the same user's, the gateway session goes on.
    pub async fn replace_session(&self, old: &str, user: UserId) -> Result<(), Error> {
        self.close_session_but_for(old, Some(user)).await.map(|_| ())
    }

    async fn close_session_but_for(&self, sid: &str, user: Option<UserId>) -> Result<bool, Error> {
        let (service, hash) = (self.clone(), SecretHash::of(sid));
        self.write(move |tx| {
            let Some(row) = sessions::find(tx.connection, &hash)? else { return Ok(false) };
            if user != Some(UserId(row.user_id)) {
                service.close_gateway_session_of_in(tx, &row)?;
            }
            Ok(sessions::delete(tx.connection, &hash)?)
        })
        .await
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
        let signed_in = self.user_by_password(&user.login, password, address).await?;
        Ok(signed_in.filter(|signed_in| signed_in.user.id == user.id).and_then(|signed_in| match signed_in.proof {
            Proof::Password(hash) => Some(SecretHash::of(&hash)),
            Proof::Ticket | Proof::ApiKey(_) => None,
        }))
    }

    /// Proves anew who is behind a session, by what [`Self::password_proof`] gave; `false`: his password has changed since.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: he may no longer act, or the session has ended.
    pub async fn check_identity_by_proof(&self, session: &Session, proof: &SecretHash) -> Result<bool, Error> {
        let (id, user, proof, now) = (session.id, session.user.id, proof.clone(), self.now());
        self.write(move |tx| {
            if !users::find_password(tx.connection, user)?.is_some_and(|hash| proof.matches(&hash)) {
                return Ok(false);
            }
            let acts = users::find(tx.connection, user)?.is_some_and(|user| user.may_act());
            if acts && sessions::set_identity_checked(tx.connection, id, now)? {
                Ok(true)
            } else {
                Err(Error::Unauthenticated)
            }
        })
        .await
    }

    /// Proves anew who is behind a session. Good for [`limits::IDENTITY_CHECK`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: his password has changed since, or the session has ended.
    pub async fn check_identity(
        &self,
        session: &Session,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<bool, Error> {
        let signed_in = self.user_by_password(&session.user.login, password, address).await?;
        let Some(signed_in) = signed_in.filter(|signed_in| signed_in.user.id == session.user.id) else {
            return Ok(false);
        };
        let (id, now) = (session.id, self.now());
        self.write(move |tx| {
            signed_in.check_in(tx)?;
            if sessions::set_identity_checked(tx.connection, id, now)? { Ok(true) } else { Err(Error::Unauthenticated) }
        })
        .await
    }

    /// Notes where a user signed in from. Gives the device, and a cookie for it if it had none that is of the right form.
    pub async fn note_device(
        &self,
        user: UserId,
        cookie: Option<&str>,
        description: DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<(DeviceId, Option<Secret>), Error> {
        let (hash, fresh) = self.device_cookie(cookie);
        let service = self.clone();
        let work =
            move |tx: &mut Tx<'_>| Ok::<_, Error>(service.note_device_in(tx, user, &hash, &description, address)?);
        Ok((self.write(work).await?, fresh))
    }

    /// What is stored of a device's cookie, and a new one if it has none that is of the right form.
    pub(super) fn device_cookie(&self, cookie: Option<&str>) -> (SecretHash, Option<Secret>) {
        let well_formed = |cookie: &&str| cookie.len() == 64 && cookie.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(cookie) = cookie.filter(well_formed) {
            return (SecretHash::of(cookie), None);
        }
        let fresh = Secret::generate(self.entropy.as_ref(), "", 32);
        (fresh.hash(), Some(fresh))
    }

    pub(super) fn note_device_in(
        &self,
        tx: &mut Tx<'_>,
        user: UserId,
        cookie: &SecretHash,
        description: &DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<DeviceId, StoreError> {
        let seen = Seen {
            user,
            cookie,
            name: &description.name,
            platform: &description.platform,
            browser: &description.browser,
            device_type: if description.mobile { "mobile" } else { "computer" },
            address: address.map(|address| address.to_string()),
        };
        let was_revoked = devices::find_revoked_by_cookie(tx.connection, user, cookie)? == Some(true);
        let id = devices::upsert(tx.connection, &seen, self.now())?;
        // Signing in anew lifts the device's revocation; what was revoked of it stays so.
        if was_revoked {
            tx.announce(Change::Device(id))?;
        }
        Ok(id)
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

pub(super) fn open_session_in(
    tx: &mut Tx<'_>,
    signed_in: &SignedIn,
    sid: &SecretHash,
    device: Option<DeviceId>,
    at: Timestamp,
) -> Result<(), Error> {
    signed_in.check_in(tx)?;
    users::set_login_date(tx.connection, signed_in.user.id, at)?;
    Ok(sessions::insert(tx.connection, sid, signed_in.user.id, device, at)?)
}
