//! Gateway sessions: who is signed in at the reverse proxy that asks us about each request.
//!
//! A gateway session is an authorization like any other: of the built-in application "Gateway", for a user on a device, with
//! the grant type `gateway`. So it is seen in the lists, and whatever revokes authorizations revokes it. The browser keeps a
//! sealed token that names it and is answered from memory.
//!
//! Being signed in here is what it takes to get one, so a revocation would be worth nothing if the same browser got the next
//! one without a word. Who had a gateway session revoked on a device must sign in anew there first.

use std::net::IpAddr;
use std::time::Duration;

use super::built_in::BuiltInApplication;
use super::devices::DeviceDescription;
use super::keys::Shown;
use super::revoke::RevokeOptions;
use super::sessions::Session;
use super::verify::Verdict;
use super::{Context, Error, Service};
use crate::domain::application::Application;
use crate::domain::authorization::{Authorization, AuthorizationState, GrantType, NewAuthorization};
use crate::domain::ids::{AuthorizationId, DeviceId, UserId};
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::{Timestamp, unix};
use crate::domain::token::{Claims, Generation, SealedToken, TokenKind};
use crate::limits;
use crate::store::sessions::{self, SessionRow};
use crate::store::{Tx, applications, authorizations, devices, users};

/// The application of gateway sessions.
pub const GATEWAY: BuiltInApplication = BuiltInApplication {
    client_id: "gateway",
    name: "Gateway",
    description: "Who is signed in at the reverse proxy (docs/gateway.md). A session lasts as long as Access Token Expiry says, \
                  or until it is revoked; archive the application to close the gateway.",
    access_token: limits::GATEWAY_SESSION,
    // None is given out.
    refresh_token: limits::GATEWAY_SESSION,
};

/// A gateway session, for the browser.
#[derive(Clone, Debug)]
pub struct GatewaySession {
    /// To be kept by the browser, and shown with each request.
    pub token: SealedToken,
    /// How long it is good.
    pub expires_in: Duration,
    /// For the browser's device, if it is a new one.
    pub device: Option<Secret>,
}

impl Service {
    /// Checks the token of a gateway session. No other token is good here, and this one nowhere else.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it can't be known.
    pub async fn verify_gateway_session(&self, token: &str) -> Result<Verdict, Error> {
        match self.verify_shown_in_memory(Shown::InCookie, token) {
            Some(verdict) => Ok(verdict),
            None => self.verify_shown(Shown::InCookie, token).await,
        }
    }

    /// Gives whom a web session belongs to a gateway session on its device: the one that he has there, or a new one.
    /// `description` and `address` are for a web session that has no device yet, because it was opened over RPC.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: he must sign in anew; [`Error::Forbidden`]: the gateway is closed.
    pub async fn open_gateway_session(
        &self,
        session: &Session,
        description: DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<GatewaySession, Error> {
        let (service, session, fresh) = (self.clone(), session.clone(), self.random_secret());
        let hash = fresh.hash();
        let (id, application, is_new) = self
            .write(move |tx| {
                let now = service.now();
                let application = service.built_in_application_in(tx, &GATEWAY)?;
                // Whatever ends the web session or disables the user must also stop what waits behind it.
                let row = sessions::find_by_id(tx.connection, session.id)?
                    .filter(|row| row.user_id == session.user.id.0)
                    .ok_or(Error::Unauthenticated)?;
                if !users::find(tx.connection, session.user.id)?.is_some_and(|user| user.may_act()) {
                    return Err(Error::Unauthenticated);
                }
                let (device, is_new) = service.device_of_in(tx, &session, &row, &hash, &description, address)?;
                let id = service.gateway_session_in(tx, &application, &session, &row, device, now)?;
                Ok::<_, Error>((id, application, is_new))
            })
            .await?;
        let (issued_at, expires_in) = (self.unix_now(), application.lifetimes.access_token);
        let expires_at = issued_at.saturating_add(i64::try_from(expires_in.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims { authorization: id, generation: Generation(0), issued_at, expires_at };
        let token = self.seal(TokenKind::Gateway, &claims)?;
        Ok(GatewaySession { token, expires_in, device: is_new.then_some(fresh) })
    }

    /// The web session's device, and whether it is a new one. A new one is its own from then on.
    fn device_of_in(
        &self,
        tx: &mut Tx<'_>,
        session: &Session,
        row: &SessionRow,
        fresh: &SecretHash,
        description: &DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<(DeviceId, bool), Error> {
        if let Some(device) = row.device_id.map(DeviceId) {
            let is_good = devices::find_revoked(tx.connection, device)? == Some(false);
            return if is_good { Ok((device, false)) } else { Err(Error::Unauthenticated) };
        }
        let device = self.note_device_in(tx, session.user.id, fresh, description, address)?;
        sessions::set_device(tx.connection, row.id, device)?;
        Ok((device, true))
    }

    fn gateway_session_in(
        &self,
        tx: &mut Tx<'_>,
        application: &Application,
        session: &Session,
        row: &SessionRow,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<AuthorizationId, Error> {
        let user = session.user.id;
        let end = now + application.lifetimes.access_token;
        match authorizations::find_gateway_session(tx.connection, application.id, user, device)? {
            Some(known) if !self.is_revoked_in(tx, &known) => {
                if known.expires_at.is_none_or(|at| at < end) {
                    authorizations::set_expires_at(tx.connection, known.id, Some(end))?;
                }
                Ok(known.id)
            }
            Some(revoked) if !has_signed_in_since(row, &revoked) => Err(Error::Unauthenticated),
            _ => {
                let new = NewAuthorization {
                    application: application.id,
                    user: Some(user),
                    device: Some(device),
                    grant: GrantType::Gateway,
                    scope: Scope::default(),
                    redirect_uri: None,
                    expires_at: Some(end),
                };
                Ok(authorizations::insert(tx.connection, &new, now)?)
            }
        }
    }

    /// Revokes the gateway session that a token names, because who holds it signs out; for good, also if it was revoked before.
    /// A text that is no such token is no error: what the caller wanted is true.
    ///
    /// # Errors
    /// As [`Self::revoke`]; and [`Error::Unconfirmed`].
    pub async fn close_gateway_session(&self, token: &str, address: Option<IpAddr>) -> Result<(), Error> {
        let Ok((_, claims)) = self.opened(Shown::InCookie, token).await? else { return Ok(()) };
        let Some(view) = self.view(claims.authorization).await? else { return Ok(()) };
        // What it named is lost with the commits that a database has lost; this is somebody else's.
        let Some(user) = view.user.filter(|_| !claims.is_older_than(view.created_at)) else { return Ok(()) };
        let Some(user) = self.user(user).await? else { return Ok(()) };
        let context = Context::new(Self::actor(&user), Channel::SignOut, address);
        let (service, options) = (self.clone(), RevokeOptions::default());
        self.write(move |tx| service.give_up_in(tx, &context, claims.authorization, &options)).await
    }

    /// Revokes the gateway session that a web session which ends has brought.
    pub(super) fn close_gateway_session_of_in(&self, tx: &mut Tx<'_>, row: &SessionRow) -> Result<(), Error> {
        let (user, Some(device)) = (UserId(row.user_id), row.device_id.map(DeviceId)) else { return Ok(()) };
        let Some(application) = applications::find_by_client_id(tx.connection, GATEWAY.client_id)? else {
            return Ok(());
        };
        let known = authorizations::find_gateway_session(tx.connection, application.id, user, device)?;
        let (Some(known), Some(user)) = (known, users::find(tx.connection, user)?) else { return Ok(()) };
        let context = Context::new(Self::actor(&user), Channel::SignOut, None);
        self.give_up_in(tx, &context, known.id, &RevokeOptions::default())
    }
}

/// Whether who is behind a web session has proved who he is since this was revoked.
fn has_signed_in_since(row: &SessionRow, revoked: &Authorization) -> bool {
    let AuthorizationState::Revoked { at, .. } = revoked.state else {
        // Its columns are still to be filled in: it was revoked a moment ago.
        return false;
    };
    let proved = row.identity_checked_at.map_or(row.create_date, |at| at.max(row.create_date));
    unix(proved) > unix(at)
}
