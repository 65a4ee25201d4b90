//! Where tokens come from: consent, the exchange of a code, an application's own name (RFC 6749 sections 4.1 and 4.4).

use std::sync::Arc;
use std::time::Duration;

use super::keys::Shown;
use super::revoke::RevokeOptions;
use super::{Context, Error, Service};
use crate::domain::application::Application;
use crate::domain::authorization::{Authorization, AuthorizationState, GrantType, NewAuthorization};
use crate::domain::ids::{AuthorizationId, DeviceId, UserId};
use crate::domain::pkce::CodeChallenge;
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::time::{Timestamp, unix};
use crate::domain::token::{Claims, Generation, SealedToken, TokenKind};
use crate::domain::user::Actor;
use crate::store::codes::{self, NewCode};
use crate::store::{StoreError, Tx, applications, authorizations, devices, sessions, users};

/// Why a grant is refused: the error codes of RFC 6749 section 5.2 that a service function can tell.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// `invalid_grant`: the code or refresh token is wrong, used, expired, revoked, or another client's.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// `invalid_scope`: more than the application, or the user, allows.
    #[error("the scope is wider than what is allowed")]
    InvalidScope,
    /// `unauthorized_client`: this application may not use this grant.
    #[error("{0}")]
    UnauthorizedClient(&'static str),
    /// Anything else.
    #[error(transparent)]
    Service(#[from] Error),
}

impl From<StoreError> for GrantError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// What an application gets.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// To be presented with each call.
    pub access: SealedToken,
    /// How long it is good.
    pub expires_in: Duration,
    /// To be exchanged for the next pair; none for an application in its own name.
    pub refresh: Option<SealedToken>,
    /// What was granted.
    pub scope: Scope,
}

/// What a user consents to.
#[derive(Clone, Debug)]
pub struct Consent {
    /// Who may act.
    pub application: Arc<Application>,
    /// Where the code goes; one of the application's own addresses.
    pub redirect_uri: String,
    /// Whether the request named it; then the exchange must too (RFC 6749 section 4.1.3).
    pub redirect_uri_sent: bool,
    /// What it may do.
    pub scope: Scope,
    /// RFC 7636.
    pub challenge: Option<CodeChallenge>,
    /// Where the user is signed in.
    pub device: Option<DeviceId>,
    /// The row of the web session that he consents in; it must not have ended by then. `None`: in none.
    pub session: Option<i64>,
}

impl Service {
    /// Whether this is one of the application's callback addresses: the same characters (RFC 9700 section 2.1).
    pub async fn is_redirect_uri(&self, application: &Application, uri: &str) -> Result<bool, Error> {
        let (id, uri) = (application.id, uri.to_owned());
        Ok(self.store.read(move |connection| applications::has_redirect_uri(connection, id, &uri)).await?)
    }

    /// The only callback address of an application that has just one.
    pub async fn sole_redirect_uri(&self, application: &Application) -> Result<Option<String>, Error> {
        let id = application.id;
        let mut uris = self.store.read(move |connection| applications::list_redirect_uris(connection, id)).await?;
        Ok(if uris.len() == 1 { uris.pop() } else { None })
    }

    /// The user of the context lets an application in. Gives the code that it exchanges.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: by the time of the transaction the user may not act, or his session has ended, or the
    /// device is revoked.
    pub async fn consent(&self, context: &Context, consent: Consent) -> Result<Secret, GrantError> {
        let user = context.actor.user.ok_or(Error::Unauthenticated)?;
        let service = self.clone();
        self.write(move |tx| service.consent_in(tx, user, &consent)).await
    }

    /// The same inside a transaction that does more: taking the ticket with which a person comes from Odoo.
    pub(super) fn consent_in(&self, tx: &mut Tx<'_>, user: UserId, consent: &Consent) -> Result<Secret, GrantError> {
        let application = current(tx, &consent.application)?;
        if application.is_public() && consent.challenge.is_none() {
            return Err(GrantError::UnauthorizedClient("a public client must send a code_challenge (RFC 7636)"));
        }
        if !consent.scope.is_subset_of(&application.scope) {
            return Err(GrantError::InvalidScope);
        }
        if !users::find(tx.connection, user)?.is_some_and(|user| user.may_act()) {
            return Err(Error::Unauthenticated.into());
        }
        // What revokes a user's sessions or his device must also stop the consent that waits behind it.
        if let Some(session) = consent.session
            && sessions::find_owner(tx.connection, session)? != Some(user)
        {
            return Err(Error::Unauthenticated.into());
        }
        if !may_be_used(tx, consent.device)? {
            return Err(Error::Unauthenticated.into());
        }
        if !applications::has_redirect_uri(tx.connection, application.id, &consent.redirect_uri)? {
            return Err(GrantError::InvalidGrant("the redirect_uri is not one of the application's"));
        }
        let code = Secret::generate(self.entropy.as_ref(), "orac_", 32);
        let now = self.now();
        let expires_at = now + application.lifetimes.authorization_code;
        let new = NewAuthorization {
            application: application.id,
            user: Some(user),
            device: consent.device,
            grant: GrantType::AuthorizationCode,
            scope: consent.scope.clone(),
            redirect_uri: Some(consent.redirect_uri.clone()),
            expires_at: Some(expires_at),
        };
        let authorization = authorizations::insert(tx.connection, &new, now)?;
        let new = NewCode {
            authorization,
            hash: &code.hash(),
            redirect_uri: &consent.redirect_uri,
            redirect_uri_sent: consent.redirect_uri_sent,
            challenge: consent.challenge.as_ref().map(CodeChallenge::as_str),
            expires_at,
            purge_at: expires_at + application.lifetimes.code_retain,
            user_id: Some(user.0),
        };
        codes::insert(tx.connection, &new, now)?;
        Ok(code)
    }

    /// Exchanges a code for tokens, once (RFC 6749 section 4.1.3). A code that was exchanged already is stolen, or
    /// somebody's mistake: what it gave is revoked.
    pub async fn exchange_code(
        &self,
        application: &Arc<Application>,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        address: Option<std::net::IpAddr>,
    ) -> Result<Tokens, GrantError> {
        let hash = SecretHash::of(code);
        let (redirect_uri, verifier) = (redirect_uri.map(str::to_owned), verifier.map(str::to_owned));
        let application = Arc::clone(application);
        let service = self.clone();
        let outcome = self
            .write(move |tx| {
                let presented = Presented { hash, redirect_uri, verifier, address };
                service.exchange_in(tx, &application, &presented)
            })
            .await?;
        outcome.ok_or(GrantError::InvalidGrant("the code was exchanged already; its tokens are revoked"))
    }

    /// `None`: the code was shown again, and what it gave has been revoked.
    fn exchange_in(
        &self,
        tx: &mut Tx<'_>,
        application: &Arc<Application>,
        presented: &Presented,
    ) -> Result<Option<Tokens>, GrantError> {
        const WRONG: GrantError = GrantError::InvalidGrant("the code is wrong, expired or not yours");
        let now = self.now();
        let row = codes::find(tx.connection, &presented.hash)?.ok_or(WRONG)?;
        let id = AuthorizationId(row.authorization_id);
        let authorization = authorizations::find(tx.connection, id)?.ok_or(WRONG)?;
        if authorization.application != application.id {
            return Err(WRONG);
        }
        let revoked = self.is_revoked_in(tx, &authorization);
        if !row.active {
            if row.used_at.is_none() {
                return Err(WRONG);
            }
            self.revoke_by_policy(tx, Channel::CodeReuse, &authorization, presented.address)?;
            return Ok(None);
        }
        if revoked || unix(row.expires_at) <= unix(now) {
            return Err(WRONG);
        }
        let fits = match &presented.redirect_uri {
            Some(uri) => *uri == row.redirect_uri,
            None => !row.redirect_uri_sent,
        };
        if !fits {
            return Err(GrantError::InvalidGrant("the redirect_uri is not the one that the code was sent to"));
        }
        match (row.code_challenge.as_deref().and_then(CodeChallenge::parse), &presented.verifier) {
            (Some(challenge), Some(verifier)) if challenge.is_answered_by(verifier) => {}
            (None, None) if !application.is_public() => {}
            // RFC 9700 section 2.1.1: a verifier without a challenge is a downgrade attack.
            _ => return Err(GrantError::InvalidGrant("the code_verifier does not answer the code_challenge")),
        }
        let application = current_client(tx, application)?;
        check_user(tx, &authorization)?;
        check_device(tx, &authorization)?;
        codes::set_used(tx.connection, row.id, now)?;
        let tokens = self.pair(&application, authorization.id, Generation(0), &authorization.scope, now)?;
        authorizations::set_expires_at(tx.connection, authorization.id, end_of(&application, now))?;
        Ok(Some(tokens))
    }

    /// Tokens for an application in its own name, or for the user that it is set to act for (RFC 6749 section 4.4).
    /// All of one scope name one authorization, so that nothing grows with each call.
    pub async fn client_credentials(
        &self,
        application: &Arc<Application>,
        scope: Option<Scope>,
    ) -> Result<Tokens, GrantError> {
        if application.is_public() {
            return Err(GrantError::UnauthorizedClient("a public client can't use client_credentials"));
        }
        let scope = scope.unwrap_or_else(|| application.scope.clone());
        if !scope.is_subset_of(&application.scope) {
            return Err(GrantError::InvalidScope);
        }
        let application = Arc::clone(application);
        let service = self.clone();
        self.write(move |tx| {
            let now = service.now();
            let application = current_client(tx, &application)?;
            if !scope.is_subset_of(&application.scope) {
                return Err(GrantError::InvalidScope);
            }
            let end = now + application.lifetimes.access_token;
            let known = authorizations::find_client_credentials(tx.connection, application.id, &scope)?
                .filter(|known| known.user == application.acts_for && !service.is_revoked_in(tx, known));
            let id = match known {
                Some(known) => {
                    check_user(tx, &known)?;
                    if known.expires_at.is_none_or(|at| at < end) {
                        // Twice the lifetime, so that not each call writes.
                        let later = end + application.lifetimes.access_token;
                        authorizations::set_expires_at(tx.connection, known.id, Some(later))?;
                    }
                    known.id
                }
                None => {
                    let new = NewAuthorization {
                        application: application.id,
                        user: application.acts_for,
                        device: None,
                        grant: GrantType::ClientCredentials,
                        scope: scope.clone(),
                        redirect_uri: None,
                        expires_at: Some(end + application.lifetimes.access_token),
                    };
                    if let Some(user) = new.user
                        && !users::find(tx.connection, user)?.is_some_and(|user| user.may_act())
                    {
                        return Err(GrantError::UnauthorizedClient(
                            "the user that the application acts for is disabled",
                        ));
                    }
                    authorizations::insert(tx.connection, &new, now)?
                }
            };
            let mut tokens = service.pair(&application, id, Generation(0), &scope, now)?;
            tokens.refresh = None;
            Ok(tokens)
        })
        .await
    }

    /// Revokes what a token names, whatever its kind and age, if it is this application's (RFC 7009). A text that is no
    /// token of ours is no error: what the caller wanted is true.
    pub async fn revoke_token(
        &self,
        application: &Application,
        token: &str,
        address: Option<std::net::IpAddr>,
    ) -> Result<(), Error> {
        let Ok((_, claims)) = self.opened(Shown::Bare, token).await? else { return Ok(()) };
        let Some(view) = self.view(claims.authorization).await? else { return Ok(()) };
        // What it named is lost with the commits that a database has lost; this is somebody else's.
        if claims.is_older_than(view.created_at) {
            return Ok(());
        }
        if view.application != application.id {
            return Err(Error::Forbidden("the token was issued to another client".to_owned()));
        }
        let context = Context::new(Actor::application(&application.client_id), Channel::OauthRevoke, address);
        let service = self.clone();
        let options = RevokeOptions::default();
        self.write(move |tx| service.give_up_in(tx, &context, claims.authorization, &options)).await
    }

    /// An access and a refresh token of this generation.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: this node has no key to seal them with.
    pub(super) fn pair(
        &self,
        application: &Application,
        authorization: AuthorizationId,
        generation: Generation,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<Tokens, Error> {
        let issued_at = unix(now);
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let ends = |duration| issued_at.saturating_add(seconds(duration));
        let expires_in = application.lifetimes.access_token;
        let claims = |expires_at| Claims { authorization, generation, issued_at, expires_at };
        let refresh_end = application.lifetimes.refresh_token.map_or(Claims::NEVER, ends);
        Ok(Tokens {
            access: self.seal(TokenKind::Access, &claims(ends(expires_in)))?,
            expires_in,
            refresh: Some(self.seal(TokenKind::Refresh, &claims(refresh_end))?),
            scope: scope.clone(),
        })
    }

    /// Whether an authorization is revoked as of this transaction, whether its columns are filled in or not.
    pub(super) fn is_revoked_in(&self, tx: &Tx<'_>, authorization: &Authorization) -> bool {
        let Some(bit) = authorization.id.bit() else { return true };
        let (revoked, restored) = tx.noted();
        if revoked.contains(bit) {
            return true;
        }
        if restored.contains(bit) {
            return false;
        }
        let by_row = matches!(authorization.state, AuthorizationState::Revoked { .. });
        self.live.is_revoked(bit).unwrap_or(by_row)
    }

    /// Revokes because a rule says so, also what is revoked already: an undo of that other act must not open it again. Once
    /// in the time in which acts can be taken back; showing a token again and again fills no log.
    pub(super) fn revoke_by_policy(
        &self,
        tx: &mut Tx<'_>,
        channel: Channel,
        authorization: &Authorization,
        address: Option<std::net::IpAddr>,
    ) -> Result<(), Error> {
        let reason = match channel {
            Channel::CodeReuse => "an authorization code was shown again after it had been exchanged",
            _ => "a refresh token was shown again after it had been exchanged",
        };
        let options = RevokeOptions {
            reason_admin: Some(reason.to_owned()),
            reason_user: Some("its token was used twice, as if somebody had copied it".to_owned()),
            ..RevokeOptions::default()
        };
        let context = Context { address, ..Context::system(channel) };
        self.revoke_for_good_in(tx, &context, authorization.id, &options)
    }
}

struct Presented {
    hash: SecretHash,
    redirect_uri: Option<String>,
    verifier: Option<String>,
    address: Option<std::net::IpAddr>,
}

/// The application as of this transaction: what was known before may have been archived since.
pub(super) fn current(tx: &mut Tx<'_>, known: &Application) -> Result<Application, GrantError> {
    applications::find(tx.connection, known.id)?
        .filter(|application| application.active)
        .ok_or(GrantError::UnauthorizedClient("the application is archived"))
}

/// The same of one that has shown its secret, which must still be the one that it has.
pub(super) fn current_client(tx: &mut Tx<'_>, known: &Application) -> Result<Application, GrantError> {
    let application = current(tx, known)?;
    if application.secret_hash != known.secret_hash {
        return Err(GrantError::UnauthorizedClient("the application has a new secret"));
    }
    Ok(application)
}

/// Its user must be able to act as of this transaction.
pub(super) fn check_user(tx: &mut Tx<'_>, authorization: &Authorization) -> Result<(), GrantError> {
    match authorization.user {
        Some(id) if !users::find(tx.connection, id)?.is_some_and(|user| user.may_act()) => {
            Err(GrantError::InvalidGrant("the user is disabled"))
        }
        _ => Ok(()),
    }
}

/// The device that it was made on must not be revoked as of this transaction.
pub(super) fn check_device(tx: &mut Tx<'_>, authorization: &Authorization) -> Result<(), GrantError> {
    if may_be_used(tx, authorization.device)? {
        Ok(())
    } else {
        Err(GrantError::InvalidGrant("the device is revoked; sign in anew"))
    }
}

/// Whether this device is there and not revoked, or there is none to ask about.
fn may_be_used(tx: &mut Tx<'_>, device: Option<DeviceId>) -> Result<bool, StoreError> {
    let Some(device) = device else { return Ok(true) };
    Ok(devices::find_revoked(tx.connection, device)? == Some(false))
}

/// When the last token of a pair made now ends.
pub(super) fn end_of(application: &Application, now: Timestamp) -> Option<Timestamp> {
    let refresh = application.lifetimes.refresh_token?;
    Some(now + refresh.max(application.lifetimes.access_token))
}
