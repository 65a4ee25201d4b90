//! Is this token good? Answered from memory; a slot that nobody has asked for is read from the database once.
//!
//! Where there are several nodes, memory is asked only under a lease, or after the database has confirmed that nothing is
//! missing from it ([`Service::fenced`]). The functions whose names begin with `known_` are for what is fenced already.
//!
//! If the database can't answer where it must be asked, the answer is [`Error::Unavailable`]: never "active",
//! never "inactive".

use std::sync::Arc;

use super::keys::Shown;
use super::{Error, Service};
use crate::domain::application::Application;
use crate::domain::ids::{ApplicationId, AuthorizationId, DeviceId, UserId};
use crate::domain::token::{Claims, Generation, OpenError, TokenKind};
use crate::limits;
use crate::live::View;
use crate::store::applications::ModelScheme;
use crate::store::users::User;
use crate::store::{applications, authorizations, devices, users};

/// A token that is good, with all that can be told of it.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Of which kind it is.
    pub kind: TokenKind,
    /// What it says.
    pub claims: Claims,
    /// Who acts.
    pub application: Arc<Application>,
    /// For whom; `None`: the application in its own name.
    pub user: Option<Arc<User>>,
    /// From where.
    pub device: Option<DeviceId>,
    /// What was granted.
    pub scope: Arc<str>,
}

/// Why a token is not good. For the log and for tests; callers are told "inactive" and no more (RFC 7662 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not open.
    #[error("{0}")]
    NotOurs(#[from] OpenError),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It names an authorization that does not exist.
    #[error("the authorization does not exist")]
    Unknown,
    /// Its authorization was taken back.
    #[error("the authorization is revoked")]
    Revoked,
    /// A refresh token that was exchanged already.
    #[error("the refresh token was exchanged already")]
    Superseded,
    /// It is older than what it names: see [`Claims::is_older_than`].
    #[error("the authorization is of another history of the database")]
    OfAnotherHistory,
    /// Its application is archived or gone.
    #[error("the application is archived")]
    Application,
    /// Its user is disabled, pending or gone.
    #[error("the user is disabled")]
    User,
    /// A refresh token from a device that was revoked.
    #[error("the device is revoked")]
    Device,
}

/// Under which target refusals are logged, at `debug`: `OREST_LOG=info,orest::refused=debug`.
pub(super) const REFUSED: &str = "orest::refused";

/// The outcome of a check.
pub type Verdict = Result<Verified, Refusal>;

impl Service {
    /// Checks an access or refresh token.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it can't be known, because the database does not answer, or this node lacks the key.
    pub async fn verify(&self, token: &str) -> Result<Verdict, Error> {
        self.verify_shown(Shown::Bare, token).await
    }

    /// Checks a token that is shown in this way.
    pub(super) async fn verify_shown(&self, shown: Shown, token: &str) -> Result<Verdict, Error> {
        let verdict = self.find_verdict(shown, token).await?;
        self.note_refusal(shown, token, &verdict);
        Ok(verdict)
    }

    async fn find_verdict(&self, shown: Shown, token: &str) -> Result<Verdict, Error> {
        // What is no token of anybody's need not be asked about.
        if let Ok(Err(error @ (OpenError::Malformed | OpenError::Checksum))) = self.open(shown, token) {
            return Ok(Err(error.into()));
        }
        // Which keys are in force is a question to memory, too.
        self.fenced(|| async {
            let now = self.unix_now();
            let (kind, claims) = match self.open(shown, token)? {
                Ok(opened) => opened,
                Err(error) => return Ok(Err(error.into())),
            };
            if claims.is_expired(now) {
                return Ok(Err(Refusal::Expired));
            }
            self.verify_claims(kind, claims, now).await
        })
        .await
    }

    /// Answers by what memory knows, such that no change is missing from it that was committed, and waited for, before this
    /// was called. Costs a look at the clock under a lease, and a question to the database without one; on SQLite nothing.
    pub(crate) async fn fenced<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // The lease must have been held before memory was asked, and still be the same one afterwards.
        if let Some(fence) = self.cluster.look() {
            let answer = ask().await?;
            if self.cluster.holds(fence) {
                return Ok(answer);
            }
        }
        self.cluster.confirm().await?;
        ask().await
    }

    /// Checks an access or refresh token without ever waiting: `None` when something must be read first.
    pub fn verify_in_memory(&self, token: &str) -> Option<Verdict> {
        self.verify_shown_in_memory(Shown::Bare, token)
    }

    /// The same of a token that is shown in this way.
    pub(super) fn verify_shown_in_memory(&self, shown: Shown, token: &str) -> Option<Verdict> {
        let fence = self.cluster.look()?;
        let verdict = self.known_verdict(shown, token)?;
        if !self.cluster.holds(fence) {
            return None;
        }
        self.note_refusal(shown, token, &verdict);
        Some(verdict)
    }

    /// Notes for who runs this why a token is refused: its holder is not told. The token is noted nowhere, only what it names.
    fn note_refusal(&self, shown: Shown, token: &str, verdict: &Verdict) {
        let Err(why) = verdict else { return };
        if !tracing::enabled!(target: REFUSED, tracing::Level::DEBUG) {
            return;
        }
        let opened = self.open(shown, token).ok().and_then(Result::ok);
        let authorization = opened.map(|(_, claims)| claims.authorization.0);
        let kind = opened.map(|(kind, _)| kind.as_str());
        tracing::debug!(target: REFUSED, authorization, kind, %why, "a token is refused");
    }

    fn known_verdict(&self, shown: Shown, token: &str) -> Option<Verdict> {
        let now = self.unix_now();
        let (kind, claims) = match self.open(shown, token).ok()? {
            Ok(opened) => opened,
            Err(error) => return Some(Err(error.into())),
        };
        if claims.is_expired(now) {
            return Some(Err(Refusal::Expired));
        }
        // Which refresh token is current, only its row knows where others refresh too.
        if kind == TokenKind::Refresh && !self.cluster.is_alone() {
            return None;
        }
        let view = self.live.look_up(claims.authorization)?;
        if view.revoked {
            return Some(Err(Refusal::Revoked));
        }
        let application = self.live.application(view.application)?;
        let user = match view.user {
            Some(id) => Some(self.live.user(id)?),
            None => None,
        };
        let device_revoked = match (kind, view.device) {
            (TokenKind::Refresh, Some(id)) => self.live.device_revoked(id)?,
            _ => false,
        };
        Some(self.judge(kind, claims, now, view, application, user, device_revoked))
    }

    async fn verify_claims(&self, kind: TokenKind, claims: Claims, now: i64) -> Result<Verdict, Error> {
        let Some(view) = self.known_view(claims.authorization).await? else { return Ok(Err(Refusal::Unknown)) };
        if view.revoked {
            return Ok(Err(Refusal::Revoked));
        }
        let Some(application) = self.known_application(view.application).await? else {
            return Ok(Err(Refusal::Application));
        };
        let user = match view.user {
            Some(id) => match self.known_user(id).await? {
                Some(user) => Some(user),
                None => return Ok(Err(Refusal::User)),
            },
            None => None,
        };
        let device_revoked = match (kind, view.device) {
            (TokenKind::Refresh, Some(id)) => self.known_device_revoked(id).await?,
            _ => false,
        };
        let generation = match kind {
            TokenKind::Refresh if !self.cluster.is_alone() => {
                let id = claims.authorization;
                let row = self.store.read(move |connection| authorizations::find_slot(connection, id)).await?;
                let Some(row) = row else { return Ok(Err(Refusal::Unknown)) };
                Some(Generation(u32::try_from(row.generation).unwrap_or(u32::MAX)))
            }
            _ => None,
        };
        // What was awaited may have been overtaken by a revocation: look once more, last.
        let view = self.live.look_up(claims.authorization).unwrap_or(view);
        let view = View { generation: generation.unwrap_or(view.generation), ..view };
        Ok(self.judge(kind, claims, now, view, application, user, device_revoked))
    }

    #[expect(clippy::too_many_arguments, reason = "everything that decides, in one place")]
    fn judge(
        &self,
        kind: TokenKind,
        claims: Claims,
        now: i64,
        view: View,
        application: Arc<Application>,
        user: Option<Arc<User>>,
        device_revoked: bool,
    ) -> Verdict {
        if view.revoked {
            return Err(Refusal::Revoked);
        }
        if claims.is_older_than(view.created_at) {
            return Err(Refusal::OfAnotherHistory);
        }
        if kind == TokenKind::Refresh && view.generation != claims.generation {
            return Err(Refusal::Superseded);
        }
        if !application.active {
            return Err(Refusal::Application);
        }
        if user.as_ref().is_some_and(|user| !user.may_act()) {
            return Err(Refusal::User);
        }
        if device_revoked {
            return Err(Refusal::Device);
        }
        let precision = u32::try_from(limits::LAST_USED_PRECISION.as_secs()).unwrap_or(u32::MAX);
        self.live.note_used(claims.authorization, now, precision);
        Ok(Verified { kind, claims, application, user, device: view.device, scope: self.live.scope(view.scope) })
    }

    /// What is known of an authorization, from memory or from its row; `None`: it does not exist.
    pub(crate) async fn view(&self, id: AuthorizationId) -> Result<Option<View>, Error> {
        self.fenced(|| self.known_view(id)).await
    }

    pub(super) async fn known_view(&self, id: AuthorizationId) -> Result<Option<View>, Error> {
        if id.bit().is_none() {
            return Ok(None);
        }
        loop {
            if let Some(view) = self.live.look_up(id) {
                return Ok(Some(view));
            }
            let epoch = self.live.epoch();
            let row = self.store.read(move |connection| authorizations::find_slot(connection, id)).await?;
            let Some(row) = row else { return Ok(None) };
            self.live.fill(epoch, &[row]);
        }
    }

    /// A user, from memory or from his row.
    pub async fn user(&self, id: UserId) -> Result<Option<Arc<User>>, Error> {
        self.fenced(|| self.known_user(id)).await
    }

    async fn known_user(&self, id: UserId) -> Result<Option<Arc<User>>, Error> {
        if let Some(user) = self.live.user(id) {
            return Ok(Some(user));
        }
        let ticket = self.live.user_ticket();
        let user = self.store.read(move |connection| users::find(connection, id)).await?.map(Arc::new);
        if let Some(user) = &user {
            self.live.fill_user(ticket, user);
        }
        Ok(user)
    }

    /// An application, from memory or from its row.
    pub async fn application(&self, id: ApplicationId) -> Result<Option<Arc<Application>>, Error> {
        self.fenced(|| self.known_application(id)).await
    }

    async fn known_application(&self, id: ApplicationId) -> Result<Option<Arc<Application>>, Error> {
        if let Some(application) = self.live.application(id) {
            return Ok(Some(application));
        }
        let ticket = self.live.application_ticket();
        let found = self.store.read(move |connection| applications::find(connection, id)).await?.map(Arc::new);
        if let Some(application) = &found {
            self.live.fill_application(ticket, application);
        }
        Ok(found)
    }

    /// An application by its `client_id`, from memory or from its row.
    pub async fn client(&self, client_id: &str) -> Result<Option<Arc<Application>>, Error> {
        self.fenced(|| self.known_client(client_id)).await
    }

    async fn known_client(&self, client_id: &str) -> Result<Option<Arc<Application>>, Error> {
        if let Some(application) = self.live.client(client_id) {
            return Ok(Some(application));
        }
        let ticket = self.live.application_ticket();
        let wanted = client_id.to_owned();
        let found = self
            .store
            .read(move |connection| applications::find_by_client_id(connection, &wanted))
            .await?
            .map(Arc::new);
        if let Some(application) = &found {
            self.live.fill_application(ticket, application);
        }
        Ok(found)
    }

    /// A model scheme, from memory or from its rows.
    pub async fn model_scheme(&self, id: i64) -> Result<Arc<ModelScheme>, Error> {
        self.fenced(|| self.known_model_scheme(id)).await
    }

    async fn known_model_scheme(&self, id: i64) -> Result<Arc<ModelScheme>, Error> {
        if let Some(scheme) = self.live.model_scheme(id) {
            return Ok(scheme);
        }
        let ticket = self.live.model_scheme_ticket();
        let found = self.store.read(move |connection| applications::find_model_scheme(connection, id)).await?;
        let scheme = Arc::new(found.ok_or(Error::NotFound { model: "orest.model.scheme", id })?);
        self.live.fill_model_scheme(ticket, id, &scheme);
        Ok(scheme)
    }

    /// The logo of an active application.
    pub async fn logo(&self, client_id: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(application) = self.client(client_id).await?.filter(|found| found.active) else { return Ok(None) };
        let id = application.id;
        Ok(self.store.read(move |connection| applications::find_image(connection, id)).await?)
    }

    /// Whether a device is revoked or gone, from memory or from its row.
    pub async fn device_revoked(&self, id: DeviceId) -> Result<bool, Error> {
        self.fenced(|| self.known_device_revoked(id)).await
    }

    async fn known_device_revoked(&self, id: DeviceId) -> Result<bool, Error> {
        if let Some(revoked) = self.live.device_revoked(id) {
            return Ok(revoked);
        }
        let ticket = self.live.device_ticket();
        let found = self.store.read(move |connection| devices::find_revoked(connection, id)).await?;
        let revoked = found.unwrap_or(true);
        self.live.fill_devices(ticket, [(id, revoked)]);
        Ok(revoked)
    }
}
