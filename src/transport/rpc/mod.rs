//! Our own typed namespace, `orest_…`, over HTTP and WebSocket at `/rpc`: JSON-RPC 2.0 as jsonrpsee serves it.
//!
//! * [`api`]: the methods, their documents and nothing else.
//! * [`types`]: what goes in and out.
//! * [`server`]: what they do.
//! * [`error`]: the codes.
//!
//! Callers say who they are with each HTTP request, or once when a WebSocket opens: `Authorization: Bearer` with an API key
//! or an access token of a session at the Admin API, or Basic with login and password. On a WebSocket, whether they may is
//! asked anew with each call and with each act that a subscription gives, so that it does not outlive a password, a key or a
//! right.

pub mod api;
pub mod error;
pub mod server;
pub mod types;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonrpsee::server::{BatchRequestConfig, Server, ServerConfig, ServerHandle, TowerService, stop_channel};
use std::sync::Arc;
use tower::Service as _;
use tower::layer::util::Identity;

use crate::limits;
use crate::service::Error;
use crate::transport::http::{AppState, Peer};
use api::RevocationApiServer as _;
use server::{Credentials, Server as Implementation};

#[derive(Clone)]
struct Door {
    state: AppState,
    service: TowerService<Identity, Identity>,
    /// Dropping it would stop the service.
    _handle: Arc<ServerHandle>,
}

/// `POST /rpc`, and `GET /rpc` for WebSocket.
pub fn router(state: AppState) -> Router {
    let (stop, handle) = stop_channel();
    let config = ServerConfig::builder()
        .max_request_body_size(u32::try_from(limits::BODY_BYTES_MAX).unwrap_or(u32::MAX))
        .max_connections(limits::RPC_CONNECTIONS_MAX)
        .max_subscriptions_per_connection(limits::RPC_SUBSCRIPTIONS_MAX)
        .set_batch_request_config(BatchRequestConfig::Limit(limits::RPC_BATCH_MAX))
        .build();
    let methods = Implementation::new(state.clone()).into_rpc();
    let service = Server::builder().set_config(config).to_service_builder().build(methods, stop);
    let door = Door { state, service, _handle: Arc::new(handle) };
    Router::new().route("/rpc", post(serve).merge(get(serve))).with_state(door)
}

async fn serve(State(mut door): State<Door>, Peer(peer): Peer, mut request: Request) -> Response {
    if !same_origin(request.headers(), &door.state.settings.base_url) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(mut credentials) = credentials(request.headers(), peer) else { return unauthorized() };
    match credentials.context(&door.state.service).await {
        Ok(context) if request.method() == Method::POST => credentials = credentials.proved(context),
        Ok(_) => {}
        Err(Error::Unauthenticated) => return unauthorized(),
        Err(Error::RateLimited { retry_after }) => {
            let seconds = retry_after.as_secs().max(1).to_string();
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)]).into_response();
        }
        Err(Error::Unavailable | Error::Undecided) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(
            Error::Forbidden(_)
            | Error::NotFound { .. }
            | Error::Invalid { .. }
            | Error::Conflict(_)
            | Error::Unconfirmed { .. }
            | Error::Internal,
        ) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
    request.extensions_mut().insert(credentials);
    // This service is always ready: it counts its connections itself.
    match door.service.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(%error, "the RPC service failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// No `Basic` challenge: browsers would ask for a password, remember it, and send it for other sites' scripts.
fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]).into_response()
}

/// Scripts of other sites have no business here, also where a browser remembers a password for them.
fn same_origin(headers: &HeaderMap, base_url: &str) -> bool {
    headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == base_url.as_bytes())
}

fn credentials(headers: &HeaderMap, peer: Option<std::net::IpAddr>) -> Option<Credentials> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = value.split_once(' ')?;
    let given = given.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::bearer(given, peer));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    let (login, password) = decoded.split_once(':')?;
    Some(Credentials::password(login, password, peer))
}
