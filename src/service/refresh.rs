//! Refresh: the token is exchanged for a new pair and dies (RFC 9700 section 4.14.2).
//!
//! Which refresh token is current is a number, the generation, that goes up by a compare-and-set. The last one but one is
//! answered with the current pair for a short while: a client that lost the answer asks again. Any older one has been
//! copied: its authorization is revoked.

use std::sync::Arc;

use super::issue::{GrantError, Tokens, check_device, check_user, current_client, end_of};
use super::keys::Shown;
use super::verify::REFUSED;
use super::{Error, Service};
use crate::domain::application::Application;
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::time::unix;
use crate::domain::token::{Claims, Generation, OpenError, TokenKind};
use crate::limits;
use crate::store::{Tx, authorizations};

impl Service {
    /// Exchanges a refresh token (RFC 6749 section 6).
    ///
    /// `scope`, if given, must be within what was granted; the answer says what the new tokens can do.
    pub async fn refresh(
        &self,
        application: &Arc<Application>,
        token: &str,
        scope: Option<Scope>,
        address: Option<std::net::IpAddr>,
    ) -> Result<Tokens, GrantError> {
        let opened = self.opened(Shown::Bare, token).await?;
        let tokens = self.exchange(application, token, opened, scope, address).await;
        if let Err(GrantError::InvalidGrant(why)) = &tokens {
            let authorization = opened.ok().map(|(_, claims)| claims.authorization.0);
            tracing::debug!(target: REFUSED, authorization, kind = TokenKind::Refresh.as_str(), %why, "a token is refused");
        }
        tokens
    }

    async fn exchange(
        &self,
        application: &Arc<Application>,
        token: &str,
        opened: Result<(TokenKind, Claims), OpenError>,
        scope: Option<Scope>,
        address: Option<std::net::IpAddr>,
    ) -> Result<Tokens, GrantError> {
        let claims = current_claims(opened, self.unix_now())?;
        let application = Arc::clone(application);
        let (service, token) = (self.clone(), token.to_owned());
        let outcome = self.write(move |tx| {
            // Its key may have been retired by a commit that is before this one.
            current_claims(service.open(Shown::Bare, &token)?, service.unix_now())?;
            service.refresh_in(tx, &application, &claims, scope, address)
        });
        let outcome = outcome.await?;
        outcome.ok_or(GrantError::InvalidGrant("the refresh token was exchanged already; the authorization is revoked"))
    }

    /// `None`: the token was shown again, and its authorization has been revoked.
    fn refresh_in(
        &self,
        tx: &mut Tx<'_>,
        application: &Arc<Application>,
        claims: &Claims,
        scope: Option<Scope>,
        address: Option<std::net::IpAddr>,
    ) -> Result<Option<Tokens>, GrantError> {
        const WRONG: GrantError = GrantError::InvalidGrant("the refresh token is wrong, revoked or not yours");
        let now = self.now();
        let authorization = authorizations::find(tx.connection, claims.authorization)?.ok_or(WRONG)?;
        if authorization.application != application.id || claims.is_older_than(unix(authorization.created_at)) {
            return Err(WRONG);
        }
        let shown = claims.generation;
        let is_last_but_one = shown.0.checked_add(1) == Some(authorization.generation.0);
        let within_grace = authorization
            .last_refreshed_at
            .is_some_and(|at| unix(now) - unix(at) <= i64::try_from(limits::REFRESH_GRACE.as_secs()).unwrap_or(0));
        let copied = shown != authorization.generation && !(is_last_but_one && within_grace);
        if self.is_revoked_in(tx, &authorization) {
            if copied {
                self.revoke_by_policy(tx, Channel::RefreshReuse, &authorization, address)?;
                return Ok(None);
            }
            return Err(WRONG);
        }
        let application = current_client(tx, application)?;
        check_user(tx, &authorization)?;
        check_device(tx, &authorization)?;
        if scope.is_some_and(|scope| !scope.is_subset_of(&authorization.scope)) {
            return Err(GrantError::InvalidScope);
        }
        let generation = if shown == authorization.generation {
            let next = Generation(shown.0.checked_add(1).ok_or(Error::Internal)?);
            let end = end_of(&application, now);
            if !authorizations::advance_generation(tx.connection, authorization.id, shown, now, end)? {
                return Err(WRONG);
            }
            let (live, id) = (Arc::clone(&self.live), authorization.id);
            tx.after_commit(move || live.set_generation(id, next));
            next
        } else if copied {
            self.revoke_by_policy(tx, Channel::RefreshReuse, &authorization, address)?;
            return Ok(None);
        } else {
            authorization.generation
        };
        Ok(Some(self.pair(&application, authorization.id, generation, &authorization.scope, now)?))
    }
}

/// What a refresh token says that has not ended.
fn current_claims(opened: Result<(TokenKind, Claims), OpenError>, now: i64) -> Result<Claims, GrantError> {
    let Ok((TokenKind::Refresh, claims)) = opened else {
        return Err(GrantError::InvalidGrant("this is no refresh token of ours"));
    };
    if claims.is_expired(now) {
        return Err(GrantError::InvalidGrant("the refresh token has expired"));
    }
    Ok(claims)
}
