//! The router: all doors, and what holds for each of them: bounds, time, request ids, headers, logs.
//!
//! # To add a door
//! A folder beside this file with `pub fn router(state: AppState) -> Router`, and a `merge` in [`doors`].

use std::any::Any;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use axum::response::{Html, IntoResponse};
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::{access, admin_api, oauth, odoo, openapi, ops, rpc};
use crate::limits;
use crate::orm::call::Orm;
use crate::service::Service;

/// What every door works with. Cloning it is cheap.
#[derive(Clone)]
pub struct AppState {
    /// What is done.
    pub service: Service,
    /// The same as records and methods.
    pub orm: Orm,
    /// What the operator has set.
    pub settings: Arc<Settings>,
}

impl AppState {
    /// The state of a server.
    pub fn new(service: Service, orm: Orm, settings: Settings) -> Self {
        let orm = orm.reached_at(&settings.base_url);
        Self { service, orm, settings: Arc::new(settings) }
    }
}

/// What the operator has set for the doors.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The database name that Odoo clients give.
    pub database: String,
    /// Where the server is reached from outside, without a slash at the end: `https://auth.example.com`.
    pub base_url: String,
    /// Whether a reverse proxy stands in front, so that `X-Forwarded-For` says from where a request comes.
    pub trust_proxy: bool,
    /// The account ids under which the Access API answers.
    pub access_accounts: Vec<String>,
    /// The zone ids under which it does.
    pub access_zones: Vec<String>,
    /// The domain whose hosts share the cookie of gateway sessions, without a dot in front; `None`: our own host alone.
    pub gateway_cookie_domain: Option<String>,
}

impl Settings {
    /// Whether browsers reach us over TLS, so that cookies must be `Secure`.
    pub fn is_https(&self) -> bool {
        self.base_url.starts_with("https:")
    }
}

/// From where a request comes. `None` when there is no connection, as in tests in process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(None)))
    }
}

/// Every door's routes, without what [`router`] puts around them.
pub fn doors(state: AppState) -> Router {
    Router::new()
        .merge(openapi::router())
        .merge(ops::router(state.clone()))
        .merge(odoo::router(state.clone()))
        .merge(rpc::router(state.clone()))
        .merge(admin_api::router(state.clone()))
        .merge(access::router(state.clone()))
        .merge(oauth::router(state))
}

/// All doors. Serve it with connect info ([`SocketAddr`]), or every caller comes from nowhere.
pub fn router(state: AppState) -> Router {
    let doors = doors(state.clone());
    let (settings, hot) = (Arc::clone(&state.settings), state.clone());
    // One stack around the whole router: a `Router::layer` each would be a box each, cloned with every request.
    let stack = ServiceBuilder::new()
        .layer(MapRequestLayer::new(normalise))
        .layer(MapRequestLayer::new(move |request| note_peer(&settings, request)))
        .layer(SetRequestIdLayer::x_request_id(RequestIds::new(state.service.instance())))
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_failure(()).on_response(log))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(default_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(default_header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(default_header(header::REFERRER_POLICY, "same-origin"))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits::REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(RequestBodyLimitLayer::new(limits::BODY_BYTES_MAX));
    // The path is put right before any route is looked for, so the doors stand inside, behind all but the hottest one.
    oauth::hot_router(hot)
        .layer(CatchPanicLayer::custom(panicked))
        .fallback_service(stack.service(doors.fallback(not_found).layer(DefaultBodyLimit::max(limits::BODY_BYTES_MAX))))
}

fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Odoo takes `//jsonrpc` and `/jsonrpc/` for `/jsonrpc`, and clients that join addresses carelessly count on it.
fn normalise<B>(mut request: Request<B>) -> Request<B> {
    let path = request.uri().path();
    let trailing = path.len() > 1 && path.ends_with('/');
    if !trailing && !path.contains("//") {
        return request;
    }
    let kept: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let mut target = format!("/{}", kept.join("/"));
    if let Some(query) = request.uri().query() {
        target.push('?');
        target.push_str(query);
    }
    if let Ok(target) = PathAndQuery::try_from(target) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(target);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Finds out from where a request comes, once, for every door and for the log.
fn note_peer<B>(settings: &Settings, mut request: Request<B>) -> Request<B> {
    let connection =
        request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical());
    let forwarded = settings.trust_proxy.then(|| forwarded_for(&request)).flatten();
    request.extensions_mut().insert(Peer(forwarded.or(connection)));
    request
}

/// Numbers requests: the node's own part, then a count. Enough to find a request in the logs of all nodes; no secret.
#[derive(Clone)]
struct RequestIds {
    node: Arc<str>,
    count: Arc<AtomicU64>,
}

impl RequestIds {
    fn new(instance: &str) -> Self {
        // In containers every process has the same number.
        Self { node: instance.get(..8).unwrap_or(instance).into(), count: Arc::default() }
    }
}

impl MakeRequestId for RequestIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let id = format!("{}-{:x}", self.node, self.count.fetch_add(1, Ordering::Relaxed));
        HeaderValue::from_str(&id).ok().map(RequestId::new)
    }
}

/// The last address of `X-Forwarded-For`: the one that our own proxy wrote. Those before it are the caller's word.
fn forwarded_for<B>(request: &Request<B>) -> Option<IpAddr> {
    let last = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Method and path only: queries and headers carry secrets.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

fn log<B>(response: &Response<B>, latency: std::time::Duration, _: &tracing::Span) {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(status = response.status().as_u16(), micros, "answered");
}

fn panicked(cause: Box<dyn Any + Send>) -> Response<Body> {
    let cause = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(cause, "a request handler panicked");
    html_error(StatusCode::INTERNAL_SERVER_ERROR, "The server encountered an internal error.").into_response()
}

async fn not_found() -> impl IntoResponse {
    html_error(
        StatusCode::NOT_FOUND,
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling \
         and try again.",
    )
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(own, value)| (own == name).then_some(value))
}

/// An error page as Odoo's HTTP layer writes them. `text` must be ours or escaped.
pub fn html_error(status: StatusCode, text: &str) -> (StatusCode, Html<String>) {
    let reason = match status {
        // The standard's older name, which Odoo's pages carry.
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    let number = status.as_u16();
    let page = format!(
        "<!doctype html>\n<html lang=en>\n<title>{number} {reason}</title>\n<h1>{reason}</h1>\n<p>{text}</p>\n"
    );
    (status, Html(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_our_own_proxy_wrote() {
        let check = |values: &[&str], expect: Option<&str>| {
            let mut request = Request::new(());
            for value in values {
                request.headers_mut().append("x-forwarded-for", value.parse().expect("a header value"));
            }
            assert_eq!(forwarded_for(&request), expect.map(|text| text.parse().expect("an address")), "{values:?}");
        };
        check(&[], None);
        check(&["192.0.2.1"], Some("192.0.2.1"));
        check(&["10.0.0.1, 192.0.2.1 "], Some("192.0.2.1"));
        check(&["10.0.0.1", "2001:db8::1"], Some("2001:db8::1"));
        check(&["::ffff:192.0.2.1"], Some("192.0.2.1"));
        check(&["192.0.2.1, unknown"], None);
        check(&[""], None);
    }

    #[test]
    fn a_cookie_among_others() {
        let check = |values: &[&str], expect: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::COOKIE, value.parse().expect("a header value"));
            }
            assert_eq!(cookie(&headers, "a"), expect, "{values:?}");
        };
        check(&[], None);
        check(&["a=1"], Some("1"));
        check(&["aa=0; a=1=2; a=3"], Some("1=2"));
        check(&["b=0", " a= "], Some(""));
        check(&["a"], None);
    }
}
