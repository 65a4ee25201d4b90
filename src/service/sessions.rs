//! Sessions: browsers and clients of session RPC that are signed in, by a cookie whose hash is stored.

use std::net::IpAddr;
use std::sync::Arc;

use super::devices::DeviceDescription;
use super::sign_in::SignedIn;
use super::{Error, Service};
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::{Timestamp, unix};
use crate::limits;
use crate::store::users::User;
use crate::store::{Tx, sessions, users};

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

impl Service {
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
        let signed_in = self.user_by_password(session.user.login(), password, address).await?;
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
