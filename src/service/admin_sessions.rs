//! Sessions of administrators at the App Services Admin API.
//!
//! A session is an authorization of the built-in application [`ADMIN_API`] with the grant `password`: it stands among the other
//! authorizations, is revoked like them, and ends when its user is disabled or his password changes. Its refresh token stays the
//! same as long as it lives, as the API's clients expect.
//!
//! A token is one of a session's only if both hold, the application and the grant: whoever may edit applications could let
//! somebody consent to this one.

use std::cmp::min;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::api_keys::RPC_SCOPE;
use super::built_in::BuiltInApplication;
use super::devices::DeviceDescription;
use super::issue::end_of;
use super::revoke::{RevokeOptions, to_set};
use super::sign_in::SignedIn;
use super::verify::Verified;
use super::{Context, Error, Service};
use crate::domain::authorization::{GrantType, NewAuthorization};
use crate::domain::ids::{AuthorizationId, DeviceId, UserId};
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::secret::SecretHash;
use crate::domain::selection::Selection;
use crate::domain::time::unix;
use crate::domain::token::{Claims, Generation, SealedToken, TokenKind};
use crate::limits;
use crate::store::users::{self, User};
use crate::store::{Tx, applications, authorizations};

/// The application that the sessions are of.
pub const ADMIN_API: BuiltInApplication = BuiltInApplication {
    client_id: "admin-api",
    name: "Admin API",
    description: "Administrators' sessions at the App Services Admin API, such as those of the command line.",
    access_token: limits::ADMIN_ACCESS_TOKEN,
    refresh_token: limits::ADMIN_REFRESH_TOKEN,
};

/// A session that has just begun.
#[derive(Clone, Debug)]
pub struct NewAdminSession {
    /// To be presented with each call.
    pub access: SealedToken,
    /// To be exchanged for the next access token, again and again.
    pub refresh: SealedToken,
    /// Whose it is.
    pub user: Arc<User>,
    /// From where.
    pub device: DeviceId,
}

/// A session, by a token of it that is good.
#[derive(Clone, Debug)]
pub struct AdminSession {
    /// Whose it is; he may act, as of now.
    pub user: Arc<User>,
    /// By which token it was told.
    pub kind: TokenKind,
    claims: Claims,
}

impl Service {
    /// Who shows this API key, if it is his and good for [`RPC_SCOPE`]; `None`: it is not, or he may not sign in.
    pub async fn user_by_own_api_key(&self, login: &str, key: &str) -> Result<Option<SignedIn>, Error> {
        let found = self.user_by_api_key(key, RPC_SCOPE).await?.filter(|user| user.login() == login);
        let Some(user) = found else { return Ok(None) };
        let row = self.api_key_row(key).await?;
        Ok(row.filter(|(_, owner)| *owner == user.id).map(|(id, _)| SignedIn::by_api_key(user, id)))
    }

    /// Whether this key is his who is disabled: whoever has it may know why it is refused.
    pub async fn is_key_of_disabled_user(&self, login: &str, key: &str) -> Result<bool, Error> {
        let Some((_, owner)) = self.api_key_row(key).await? else { return Ok(false) };
        let owner = self.user(owner).await?;
        Ok(owner.is_some_and(|user| user.login() == login && !user.active))
    }

    /// Begins a session of a member of "REST API Admin".
    ///
    /// # Errors
    /// [`Error::Forbidden`]: he is none, or the application [`ADMIN_API`] is archived; [`Error::Unauthenticated`]: what he showed
    /// is no longer his, or he may no longer act.
    pub async fn open_admin_session(
        &self,
        signed_in: SignedIn,
        description: DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<NewAdminSession, Error> {
        if !Self::actor(&signed_in.user).is_orest_admin() {
            return Err(Error::Forbidden("only members of the group REST API Admin may use the Admin API".to_owned()));
        }
        let service = self.clone();
        self.write(move |tx| service.open_admin_session_in(tx, signed_in, &description, address)).await
    }

    fn open_admin_session_in(
        &self,
        tx: &mut Tx<'_>,
        signed_in: SignedIn,
        description: &DeviceDescription,
        address: Option<IpAddr>,
    ) -> Result<NewAdminSession, Error> {
        signed_in.check_in(tx)?;
        // A session is good no longer than the key that opened it.
        let key_end = signed_in.end_in(tx)?;
        let user = signed_in.user;
        let now = self.now();
        let application = self.built_in_application_in(tx, &ADMIN_API)?;
        // These clients keep no cookies: the same program at the same address is the same device.
        let from = address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
        let mark = format!("admin session of {} by {} at {from}", user.id, description.name);
        let cookie = SecretHash::of(&self.keys().keyed_hash(&mark)?);
        let device = self.note_device_in(tx, user.id, &cookie, description, address)?;
        users::set_login_date(tx.connection, user.id, now)?;
        let scope = Scope::default();
        let new = NewAuthorization {
            application: application.id,
            user: Some(user.id),
            device: Some(device),
            grant: GrantType::Password,
            scope: scope.clone(),
            redirect_uri: None,
            expires_at: [end_of(&application, now), key_end].into_iter().flatten().min(),
        };
        let id = authorizations::insert(tx.connection, &new, now)?;
        let (issued_at, lifetimes) = (unix(now), application.lifetimes);
        let key_end = key_end.map_or(Claims::NEVER, unix);
        let claims = |lives: Option<Duration>| {
            let lives = lives.map_or(i64::MAX, |lives| i64::try_from(lives.as_secs()).unwrap_or(i64::MAX));
            let expires_at = min(issued_at.saturating_add(lives), key_end);
            Claims { authorization: id, generation: Generation(0), issued_at, expires_at }
        };
        let access = self.seal(TokenKind::Access, &claims(Some(lifetimes.access_token)))?;
        let refresh = self.seal(TokenKind::Refresh, &claims(lifetimes.refresh_token))?;
        Ok(NewAdminSession { access, refresh, user, device })
    }

    /// Ends a user's sessions, in this transaction, because an API key of his is gone: it may have opened them.
    pub(super) fn close_admin_sessions_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        user: UserId,
    ) -> Result<(), Error> {
        let Some(application) = applications::find_by_client_id(tx.connection, ADMIN_API.client_id)? else {
            return Ok(());
        };
        let selection = Selection::UserOfApplication(user, application.id);
        let owner = authorizations::Owner::UserOfApplication(user, application.id);
        let set = to_set(authorizations::list_ids(tx.connection, owner, 0)?);
        if set.is_empty() {
            return Ok(());
        }
        let options =
            RevokeOptions { reason_user: Some("an API key was removed".to_owned()), ..RevokeOptions::default() };
        self.revoke_in(tx, context, &selection, set, &options)?;
        Ok(())
    }

    /// The session that a token is of; `None`: the token is not good, or is none of a session's.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn admin_session(&self, token: &str) -> Result<Option<AdminSession>, Error> {
        Ok(self.verified_admin_session(token).await?.map(|(session, _)| session))
    }

    /// Whose session an access token is of: who calls, on the doors that take it in place of an API key.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn user_by_admin_token(&self, token: &str) -> Result<Option<Arc<User>>, Error> {
        let session = self.admin_session(token).await?;
        Ok(session.filter(|session| session.kind == TokenKind::Access).map(|session| session.user))
    }

    /// The user of an API key that is good for `scope`, or of an access token of an administrator's session.
    pub async fn user_by_bearer(&self, text: &str, scope: &str) -> Result<Option<Arc<User>>, Error> {
        match self.user_by_api_key(text, scope).await? {
            Some(user) => Ok(Some(user)),
            None => self.user_by_admin_token(text).await,
        }
    }

    /// Another access token, for the refresh token of a session; `None`: it is none that is good.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn renew_admin_session(&self, refresh: &str) -> Result<Option<SealedToken>, Error> {
        let Some((session, verified)) = self.verified_admin_session(refresh).await? else { return Ok(None) };
        if session.kind != TokenKind::Refresh {
            return Ok(None);
        }
        let issued_at = unix(self.now());
        let lives = i64::try_from(verified.application.lifetimes.access_token.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            issued_at,
            expires_at: min(issued_at.saturating_add(lives), session.claims.expires_at),
            ..session.claims
        };
        Ok(Some(self.seal(TokenKind::Access, &claims)?))
    }

    /// Ends the session that a token is of; says whether there was one.
    ///
    /// # Errors
    /// As [`Self::revoke`]; and [`Error::Unconfirmed`].
    pub async fn close_admin_session(&self, token: &str, address: Option<IpAddr>) -> Result<bool, Error> {
        let Some(session) = self.admin_session(token).await? else { return Ok(false) };
        let context = Context::new(Self::actor(&session.user), Channel::SignOut, address);
        let AuthorizationId(id) = session.claims.authorization;
        let reason = "the administrator signed out".to_owned();
        let options = RevokeOptions { reason_user: Some(reason), ..RevokeOptions::default() };
        let receipt = self.revoke(&context, Selection::Ids(vec![id]), options).await?;
        self.check_confirmed(&receipt)?;
        Ok(true)
    }

    async fn verified_admin_session(&self, token: &str) -> Result<Option<(AdminSession, Verified)>, Error> {
        let Ok(verified) = self.verify(token).await? else { return Ok(None) };
        let Some(user) = verified.user.clone() else { return Ok(None) };
        if verified.application.client_id != ADMIN_API.client_id {
            return Ok(None);
        }
        let id = verified.claims.authorization;
        // How it came to be never changes, so it doesn't matter when this is read.
        let row = self.store.read(move |connection| authorizations::find(connection, id)).await?;
        if row.is_none_or(|row| row.grant != GrantType::Password) {
            return Ok(None);
        }
        let session = AdminSession { user, kind: verified.kind, claims: verified.claims };
        Ok(Some((session, verified)))
    }
}
