//! `/json/2/<model>/<method>`: an API key, arguments by name, real statuses.

use std::net::IpAddr;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method as Verb, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Map, Value, json};

use super::{envelope, error, paired, python, session};
use crate::domain::revocation::Channel;
use crate::limits;
use crate::orm::call::{Caller, Method};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::service::api_keys::RPC_SCOPE;
use crate::service::{Context, Service};
use crate::transport::http::{AppState, Peer, html_error};

/// `/json/2` and all below.
pub fn router(state: AppState) -> Router {
    Router::new().route("/json/2", any(serve)).route("/json/2/{*path}", any(serve)).with_state(state)
}

async fn serve(State(state): State<AppState>, Peer(peer): Peer, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, limits::BODY_BYTES_MAX).await else {
        let text = "The data value transmitted exceeds the capacity limit.";
        return html_error(StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    };
    if !body.is_empty() && !envelope::is_json(&parts.headers) {
        let text = "Request inferred type is compatible with [&#39;http&#39;] but this route is type=&#39;json2&#39;.\
                    <br><br>Please verify the Content-Type request header and try again.";
        let accept = [(header::ACCEPT, "application/json")];
        return (accept, html_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)).into_response();
    }
    let path = parts.uri.path().strip_prefix("/json/2/").unwrap_or_default();
    let (&Verb::POST, Some((model, method))) = (&parts.method, path.split_once('/')) else { return did_you_mean() };
    if method.contains('/') {
        return did_you_mean();
    }
    if let Err(refused) = check_database(&state, &parts.headers) {
        return refused;
    }
    let caller = match caller(&state, &parts.headers, peer, model).await {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    let members = match serde_json::from_slice(&body) {
        _ if body.is_empty() => Map::new(),
        Ok(Value::Object(members)) => members,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => Map::new(),
        Err(cause) => return error::json2_bad_request(&format!("could not parse the body as json: {cause}")),
    };
    match call(&state, &caller, model, method, members).await {
        Ok(result) => ([(header::CONTENT_TYPE, envelope::JSON)], result.to_string()).into_response(),
        Err(refused) => error::json2(&refused),
    }
}

fn did_you_mean() -> Response {
    error::json2(&OdooError::new(Exception::NotFound, "Did you mean POST /json/2/<model>/<method>?"))
}

/// `X-Odoo-Database` may name the one database that there is.
#[expect(clippy::result_large_err, reason = "the error is the answer, and goes out at once")]
pub(super) fn check_database(state: &AppState, headers: &HeaderMap) -> Result<(), Response> {
    match headers.get("x-odoo-database") {
        Some(name) if name.as_bytes() != state.settings.database.as_bytes() => {
            Err(html_error(StatusCode::NOT_FOUND, error::NOT_FOUND).into_response())
        }
        _ => Ok(()),
    }
}

/// Who calls, by API key; or by session, where a browser vouches that the call is our own page's; or whoever the paired Odoo
/// says, with the pairing's credential. `model` is what is called: Odoo itself calls one model in nobody's name.
pub(super) async fn caller(
    state: &AppState,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    model: &str,
) -> Result<Caller, Response> {
    let from_odoo = match bearer(headers) {
        Some(key) => state.service.is_pairing_credential(key).await,
        None => Ok(false),
    };
    if from_odoo.map_err(|error| error::json2(&OdooError::of_service(&error, 0)))? {
        return paired::caller(state, headers, peer, model).await.map_err(|error| error::json2(&error));
    }
    let caller = keyed_caller(state, headers, peer).await?;
    // Whoever sends them believes that they mean something.
    match paired::HEADERS.iter().find(|name| headers.contains_key(**name)) {
        None => Ok(caller),
        Some(name) => {
            let message = format!("{name} is for the paired Odoo alone, and this is not its credential.");
            Err(error::json2(&OdooError::access(message)))
        }
    }
}

async fn keyed_caller(state: &AppState, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Caller, Response> {
    let session = session::find(state, headers).await.map_err(|error| error::json2(&error))?;
    let Some(key) = bearer(headers) else {
        return match session {
            Some(session) if headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin") => {
                Ok(session::caller_of(session, peer))
            }
            Some(_) => {
                Err(error::json2_unauthorized("Missing \"Authorization\" or Sec-headers for interactive usage."))
            }
            None => Err(error::json2_unauthorized(
                "User not authenticated, use an API Key with a Bearer Authorization header.",
            )),
        };
    };
    // Access tokens of applications are no keys: what they may do is for the resource servers that ask us. Those of an
    // administrator's own session are.
    let user = state.service.user_by_bearer(key, RPC_SCOPE).await;
    let user = user.map_err(|error| error::json2(&OdooError::of_service(&error, 0)))?;
    let Some(user) = user else { return Err(error::json2_unauthorized("Invalid apikey")) };
    if session.is_some_and(|session| session.user.id != user.id) {
        let message = "Session user does not match the used apikey.";
        return Err(error::json2(&OdooError::new(Exception::AccessDenied, message)));
    }
    let context = Context::new(Service::actor(&user), Channel::Rpc, peer);
    Ok(Caller { context, uid: user.id.0, session: None })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

async fn call(
    state: &AppState,
    caller: &Caller,
    model: &str,
    method: &str,
    mut members: Map<String, Value>,
) -> Result<Value, OdooError> {
    members.values().try_for_each(python::no_nul)?;
    let missing = || OdooError::new(Exception::NotFound, format!("the model '{model}' does not exist"));
    let model = state.orm.registry.get(model).ok_or_else(missing)?;
    let method = state.orm.method(model, method).map_err(|error| match error.exception {
        Exception::AttributeError => OdooError::new(Exception::NotFound, error.message),
        _ => error,
    })?;
    // A few methods have a parameter of that name, and no records.
    let own = method.params.iter().any(|param| param.name == "ids");
    let ids = if own { None } else { members.remove("ids") }.unwrap_or_else(|| json!([]));
    check_signature(model, method, &ids, &members)?;
    let args = if method.api_model { Vec::new() } else { vec![ids] };
    let result = state.orm.call_kw(caller, model.name, method.name, args, members).await?;
    // One record or many: here `create` always gives a list.
    Ok(if method.name == "create" && result.is_number() { json!([result]) } else { result })
}

/// Arguments that do not fit are told before the call, and in words of JSON-2's own.
fn check_signature(model: &Model, method: &Method, ids: &Value, members: &Map<String, Value>) -> Result<(), OdooError> {
    let refuse = |message: String| Err(OdooError::new(Exception::UnprocessableEntity, message));
    if method.api_model && python::truthy(ids) {
        return refuse(format!("cannot call {}.{} with ids", model.name, method.name));
    }
    for param in method.params {
        if param.default.is_none() && !members.contains_key(param.name) {
            return refuse(format!("missing a required argument: '{}'", param.name));
        }
    }
    for name in members.keys() {
        // Names of older series are for the older doors.
        let known = name == "context" || method.params.iter().any(|param| param.name == name);
        if !known {
            return refuse(format!("got an unexpected keyword argument '{name}'"));
        }
    }
    Ok(())
}
