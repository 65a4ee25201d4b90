//! The lenient envelope in front of jsonrpsee.
//!
//! Odoo never looks at `jsonrpc` and `method`, lets `id` be anything or nothing, and routes by path. jsonrpsee wants
//! JSON-RPC 2.0. So what comes in is read leniently, becomes the canonical call of the path's method, goes through
//! jsonrpsee with its own id, and the answer gets the caller's id back, byte for byte.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::Methods;
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{
    BatchRequestConfig, ConnectionState, ServerConfig, ServerHandle, StopHandle, http as rpc_http, stop_channel,
};
use jsonrpsee::types::ErrorObjectOwned;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::{Params, error, python};
use crate::limits;
use crate::orm::error::OdooError;
use crate::transport::http::{Peer, html_error};

/// Where a path leads.
#[derive(Clone)]
pub struct Endpoint {
    /// The methods of all paths.
    pub methods: Methods,
    /// This path's.
    pub method: &'static str,
}

/// One call: what its handler may know of the request, and what it says of the answer besides the result.
#[derive(Debug)]
pub struct Call {
    /// From where.
    pub peer: Option<IpAddr>,
    /// The request's headers.
    pub headers: HeaderMap,
    reply: Mutex<Reply>,
}

#[derive(Debug, Default)]
struct Reply {
    status: StatusCode,
    cookies: Vec<HeaderValue>,
    malformed: bool,
}

impl Call {
    fn reply(&self) -> std::sync::MutexGuard<'_, Reply> {
        self.reply.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a cookie with the answer.
    pub fn set_cookie(&self, cookie: HeaderValue) {
        self.reply().cookies.push(cookie);
    }

    /// Renders an exception, and notes the status that goes with it.
    pub fn refuse(&self, error: &OdooError) -> ErrorObjectOwned {
        self.reply().status = error::envelope_status(error);
        error::object(error)
    }

    /// The parameters by name; `None`: they are no JSON that can be read.
    pub(super) fn read(&self, params: &jsonrpsee::types::Params<'_>) -> Option<Result<Params, OdooError>> {
        // There are always parameters, so that where jsonrpsee sees none there is a null.
        let text = params.as_str().unwrap_or("null");
        match serde_json::from_str::<Value>(text) {
            Ok(value) => Some(python::no_nul(&value).and_then(|()| python::dict(value))),
            Err(_) => {
                self.reply().malformed = true;
                None
            }
        }
    }
}

/// The call that jsonrpsee's extensions carry.
pub(super) fn call(extensions: &Extensions) -> Arc<Call> {
    extensions.get::<Arc<Call>>().cloned().expect("the envelope puts it there")
}

/// What the envelope keeps of a request. Members that Odoo does not look at are not looked at.
struct Envelope<'a> {
    id: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            // A member given twice counts as it was given last, as in Python.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
                let mut envelope = Envelope { id: None, params: None };
                while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    let value: &RawValue = map.next_value()?;
                    match &*name {
                        "id" => envelope.id = Some(value),
                        "params" => envelope.params = Some(value),
                        _ => {}
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What is wrong with a body that is no request at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Malformed {
    Json,
    JsonRpc,
}

fn parse(body: &[u8]) -> Result<Envelope<'_>, Malformed> {
    serde_json::from_slice(body).map_err(|_| {
        // Anything but an object is JSON, only not a request.
        match serde_json::from_slice::<&RawValue>(body) {
            Ok(other) if !other.get().starts_with('{') => Malformed::JsonRpc,
            _ => Malformed::Json,
        }
    })
}

/// What jsonrpsee is given, with an id of our own.
fn canonical(method: &str, params: Option<&RawValue>) -> String {
    let params = params.map_or("{}", RawValue::get);
    format!(r#"{{"jsonrpc":"2.0","id":0,"method":"{method}","params":{params}}}"#)
}

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":0,"#;

/// The answer with the caller's id.
fn with_id(answer: &str, id: Option<&RawValue>) -> Option<String> {
    let rest = answer.strip_prefix(ANSWER)?;
    Some(format!(r#"{{"jsonrpc":"2.0","id":{},{rest}"#, id.map_or("null", RawValue::get)))
}

/// Answers a request on a JSON route, whatever its verb.
pub async fn serve(endpoint: &Endpoint, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, limits::BODY_BYTES_MAX).await else {
        let text = "The data value transmitted exceeds the capacity limit.";
        return html_error(StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    };
    if !is_json(&parts.headers) {
        return wrong_type(parts.uri.path(), body.is_empty());
    }
    let envelope = match parse(&body) {
        Ok(envelope) => envelope,
        Err(malformed) => return refuse(malformed),
    };
    let peer = parts.extensions.get().copied().unwrap_or(Peer(None)).0;
    let call = Arc::new(Call { peer, headers: parts.headers, reply: Mutex::default() });
    let answer = run(endpoint, canonical(endpoint.method, envelope.params), Arc::clone(&call)).await;
    let reply = std::mem::take(&mut *call.reply());
    if reply.malformed {
        return refuse(Malformed::Json);
    }
    let Some(answer) = answer.as_deref().and_then(|answer| with_id(answer, envelope.id)) else {
        return html_error(StatusCode::INTERNAL_SERVER_ERROR, "The server encountered an internal error.")
            .into_response();
    };
    let mut response = (reply.status, [(header::CONTENT_TYPE, JSON)], answer).into_response();
    for cookie in reply.cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// What JSON answers are labelled with.
pub const JSON: &str = "application/json; charset=utf-8";

/// Runs a canonical call through jsonrpsee's RPC service; `None` if it gives anything but text.
async fn run(endpoint: &Endpoint, call: String, extension: Arc<Call>) -> Option<String> {
    let server = Server::get();
    let permit = Arc::clone(&server.permits).acquire_owned().await.ok()?;
    let mut request = Request::new(Body::from(call));
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.extensions_mut().insert(extension);
    let response = rpc_http::call_with_service_builder(
        request,
        server.config.clone(),
        ConnectionState::new(server.stop.clone(), 0, permit),
        endpoint.methods.clone(),
        RpcServiceBuilder::new(),
    )
    .await;
    let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.ok()?;
    String::from_utf8(body.into()).ok()
}

/// What jsonrpsee asks of a server around a call. It counts connections and tells them when it stops; ours are axum's,
/// which does both, so that one handle that never stops and as many permits as there can be stand for all of them.
struct Server {
    config: ServerConfig,
    stop: StopHandle,
    permits: Arc<Semaphore>,
    _handle: ServerHandle,
}

impl Server {
    fn get() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            let (stop, handle) = stop_channel();
            let config = ServerConfig::builder()
                .set_batch_request_config(BatchRequestConfig::Disabled)
                .max_request_body_size(u32::MAX)
                .max_response_body_size(u32::MAX)
                .build();
            Self { config, stop, permits: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), _handle: handle }
        })
    }
}

/// Whether a body is labelled as JSON, with any parameters.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.eq_ignore_ascii_case("application/json-rpc")
}

fn refuse(malformed: Malformed) -> Response {
    let text = match malformed {
        Malformed::Json => "Invalid JSON data",
        Malformed::JsonRpc => "Invalid JSON-RPC data",
    };
    html_error(StatusCode::BAD_REQUEST, text).into_response()
}

/// The answer to a body of another type, in Odoo's words.
fn wrong_type(path: &str, empty: bool) -> Response {
    let inferred = if empty { "[&#39;http&#39;, &#39;json2&#39;]" } else { "[&#39;http&#39;]" };
    let path: String = path.chars().filter(|c| c.is_ascii_alphanumeric() || "/_.-".contains(*c)).collect();
    let text = format!(
        "Request inferred type is compatible with {inferred} but &#39;{path}&#39; is type=&#39;jsonrpc&#39;.<br><br>\
         Please verify the Content-Type request header and try again."
    );
    let accept = [(header::ACCEPT, "application/json, application/json-rpc")];
    (accept, html_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text)).into_response()
}

#[cfg(test)]
mod tests;
