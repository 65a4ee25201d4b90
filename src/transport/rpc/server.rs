//! What the methods of [`super::api`] do.

use std::net::IpAddr;
use std::sync::Arc;

use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use jsonrpsee::server::SubscriptionMessage;
use jsonrpsee::{Extensions, PendingSubscriptionSink};
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;

use super::api::RevocationApiServer;
use super::types::{Act, Preview, Receipt, Selection, Token, Verification};
use super::{error, types};
use crate::domain::ids::{ApplicationId, AuthorizationId, DeviceId, RevocationId, UserId};
use crate::domain::revocation::{Channel, Digest};
use crate::domain::selection;
use crate::limits;
use crate::orm::call::{Caller, Env};
use crate::orm::models::authorization::AUTHORIZATION;
use crate::orm::search_domain::{Limits, SearchDomain};
use crate::service::api_keys::RPC_SCOPE;
use crate::service::revoke::RevokeOptions;
use crate::service::{Context, Error, Service};
use crate::transport::http::AppState;

/// How a caller says who he is. Kept as long as his connection, and asked again with each call.
#[derive(Clone)]
pub struct Credentials {
    peer: Option<IpAddr>,
    kind: Arc<Kind>,
    /// Who it is, if that is known for as long as these are kept.
    proved: Option<Context>,
}

enum Kind {
    Bearer(String),
    Password { login: String, password: String },
}

impl Credentials {
    /// By API key, or by an access token of an administrator's session.
    pub fn bearer(key: &str, peer: Option<IpAddr>) -> Self {
        Self { peer, kind: Arc::new(Kind::Bearer(key.to_owned())), proved: None }
    }

    /// By login and password.
    pub fn password(login: &str, password: &str, peer: Option<IpAddr>) -> Self {
        let kind = Kind::Password { login: login.to_owned(), password: password.to_owned() };
        Self { peer, kind: Arc::new(kind), proved: None }
    }

    /// The same, asked no more: for a single HTTP request, which is over in a moment.
    pub fn proved(self, context: Context) -> Self {
        Self { proved: Some(context), ..self }
    }

    /// Who calls, as of now.
    pub async fn context(&self, service: &Service) -> Result<Context, Error> {
        if let Some(context) = &self.proved {
            return Ok(context.clone());
        }
        let user = match &*self.kind {
            Kind::Bearer(key) => service.user_by_bearer(key, RPC_SCOPE).await?,
            Kind::Password { login, password } => {
                service.user_by_password(login, password, self.peer).await?.map(|signed_in| signed_in.user)
            }
        };
        let user = user.ok_or(Error::Unauthenticated)?;
        Ok(Context::new(Service::actor(&user), Channel::TypedRpc, self.peer))
    }

    async fn admin(&self, service: &Service) -> Result<Context, Error> {
        let context = self.context(service).await?;
        if context.actor.is_orest_admin() {
            Ok(context)
        } else {
            Err(Error::Forbidden("only members of REST API Admin may do this".to_owned()))
        }
    }
}

/// The namespace.
pub struct Server {
    state: AppState,
}

impl Server {
    /// Over this state.
    pub fn new(state: AppState) -> Self {
        Self { state }
    }

    async fn context(&self, extensions: &Extensions) -> RpcResult<Context> {
        credentials(extensions)?.context(&self.state.service).await.map_err(|error| error::object(&error))
    }

    async fn admin(&self, extensions: &Extensions) -> RpcResult<Context> {
        credentials(extensions)?.admin(&self.state.service).await.map_err(|error| error::object(&error))
    }

    async fn selection(&self, context: &Context, selection: Selection) -> RpcResult<selection::Selection> {
        Ok(match selection {
            Selection::Ids(ids) => selection::Selection::Ids(ids),
            Selection::UserId(id) => selection::Selection::Users(vec![UserId(id)]),
            Selection::ApplicationId(id) => selection::Selection::Application(ApplicationId(id)),
            Selection::DeviceId(id) => selection::Selection::Devices(vec![DeviceId(id)]),
            Selection::Domain(domain) => {
                let uid = context.actor.user.map_or(0, |user| user.0);
                let caller = Caller { context: context.clone(), uid, session: None };
                let env = Env { orm: &self.state.orm, caller: &caller, context: Map::new() };
                let ids = match SearchDomain::parse(&domain, &Limits::default()) {
                    Ok(domain) => env.search(&AUTHORIZATION, &domain, &Value::Null, 0, None).await,
                    Err(error) => Err(error),
                };
                let ids = ids.map_err(|error| error::of_domain(&error))?;
                let set = ids.into_iter().filter_map(|id| AuthorizationId(id).bit()).collect();
                let domain = domain.to_string().chars().take(limits::REASON_CHARS_MAX).collect();
                selection::Selection::Found { set, domain }
            }
        })
    }
}

fn credentials(extensions: &Extensions) -> RpcResult<&Credentials> {
    extensions.get().ok_or_else(|| error::object(&Error::Unauthenticated))
}

#[async_trait]
impl RevocationApiServer for Server {
    async fn verify(&self, extensions: &Extensions, token: String) -> RpcResult<Verification> {
        self.admin(extensions).await?;
        let verdict = self.state.service.verify(&token).await.map_err(|error| error::object(&error))?;
        let token = verdict.ok().as_ref().map(Token::from);
        Ok(Verification { active: token.is_some(), token })
    }

    async fn preview(&self, extensions: &Extensions, selection: Selection) -> RpcResult<Preview> {
        let context = self.context(extensions).await?;
        let selection = self.selection(&context, selection).await?;
        let preview = self.state.service.preview(&context, &selection).await;
        preview.map(Preview::from).map_err(|error| error::object(&error))
    }

    async fn revoke(
        &self,
        extensions: &Extensions,
        selection: Selection,
        reason: Option<String>,
        reason_user: Option<String>,
        expect: Option<String>,
    ) -> RpcResult<Receipt> {
        let context = self.context(extensions).await?;
        let selection = self.selection(&context, selection).await?;
        let options = RevokeOptions { reason_admin: reason, reason_user, expect: expect.map(Digest), hide: false };
        let receipt = self.state.service.revoke(&context, selection, options).await;
        receipt.map(Receipt::from).map_err(|error| error::object(&error))
    }

    async fn undo(&self, extensions: &Extensions, revocation_id: i64, reason: Option<String>) -> RpcResult<Receipt> {
        let context = self.context(extensions).await?;
        let receipt = self.state.service.undo(&context, RevocationId(revocation_id), reason).await;
        receipt.map(types::Receipt::from).map_err(|error| error::object(&error))
    }

    async fn subscribe_revocations(
        &self,
        pending: PendingSubscriptionSink,
        extensions: &Extensions,
    ) -> SubscriptionResult {
        if let Err(refused) = self.admin(extensions).await {
            pending.reject(refused).await;
            return Ok(());
        }
        // Listen before the caller is told that he is subscribed: what he does next must reach him.
        let mut acts = self.state.service.subscribe();
        let sink = pending.accept().await?;
        let credentials = credentials(extensions).map_err(|error| error.message().to_owned())?.clone();
        loop {
            let act = tokio::select! {
                () = sink.closed() => return Ok(()),
                act = acts.recv() => act,
            };
            let act = match act {
                Ok(act) => Act::from(&*act),
                Err(RecvError::Lagged(count)) => {
                    return Err(format!("{count} acts came faster than they were read; subscribe again").into());
                }
                Err(RecvError::Closed) => return Ok(()),
            };
            credentials.admin(&self.state.service).await.map_err(|error| error.to_string())?;
            let message = serde_json::value::to_raw_value(&act)?;
            sink.send(SubscriptionMessage::from(message)).await?;
        }
    }
}
