//! `/web/session/*`: a session by cookie.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::Days;
use serde_json::{Value, json};

use super::envelope::Call;
use super::{Answer, Params, database, python, version};
use crate::domain::revocation::Channel;
use crate::domain::secret::Secret;
use crate::domain::user::Group;
use crate::limits;
use crate::orm::call::Caller;
use crate::orm::error::{Exception, OdooError};
use crate::service::sessions::Session;
use crate::service::{Context, Service};
use crate::store::users::User;
use crate::transport::http::{AppState, Settings, cookie};
use crate::transport::oauth::pages::sign_in;

/// The name of the cookie.
pub const COOKIE: &str = "session_id";

/// The cookie of a new session. Unlike Odoo's own it is kept from other sites, and from plain HTTP where we are reached over TLS.
pub fn session_cookie(state: &AppState, sid: &Secret) -> HeaderValue {
    let expires = state.service.now().checked_add_days(Days::new(365)).unwrap_or(state.service.now());
    let value = format!(
        "{COOKIE}={}; Expires={}; Max-Age={}; HttpOnly; Path=/; SameSite=Lax{}",
        sid.reveal(),
        expires.format("%a, %d %b %Y %H:%M:%S GMT"),
        limits::SESSION_INACTIVITY.as_secs(),
        secure(&state.settings),
    );
    HeaderValue::from_str(&value).expect("hexadecimal digits and dates are ASCII")
}

/// The cookie that takes it back.
pub fn expired_cookie(settings: &Settings) -> HeaderValue {
    let value = format!("{COOKIE}=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax{}", secure(settings));
    HeaderValue::from_str(&value).expect("it's ASCII")
}

fn secure(settings: &Settings) -> &'static str {
    if settings.is_https() { "; Secure" } else { "" }
}

/// The session that a request's cookie names.
pub async fn find(state: &AppState, headers: &HeaderMap) -> Result<Option<Session>, OdooError> {
    let Some(sid) = cookie(headers, COOKIE) else { return Ok(None) };
    state.service.session(sid).await.map_err(|error| OdooError::of_service(&error, 0))
}

/// Who calls with this session.
pub fn caller_of(session: Session, call_peer: Option<IpAddr>) -> Caller {
    let context = Context::new(Service::actor(&session.user), Channel::Rpc, call_peer);
    Caller { context, uid: session.user.id.0, session: Some(session) }
}

/// Who calls; a missing, ended or unknown session is the same to the caller.
pub async fn caller(state: &AppState, call: &Call) -> Result<Caller, OdooError> {
    let session = find(state, &call.headers).await?;
    let session = session.ok_or_else(|| OdooError::new(Exception::SessionExpired, "Session expired"))?;
    Ok(caller_of(session, call.peer))
}

/// Signs in by password, never by API key. A session that the caller had ends.
pub async fn authenticate(state: Arc<AppState>, call: Arc<Call>, mut params: Params) -> Answer {
    let names = ["db", "login", "password"];
    let [name, login, password] = python::bind("Session.authenticate()", names, &mut params)?;
    if name.as_str() != Some(&state.settings.database) {
        return Err(OdooError::access("Database not found."));
    }
    let (Some(login), Some(password)) = (login.as_str(), password.as_str().filter(|text| !text.is_empty())) else {
        return Err(OdooError::access_denied());
    };
    let refuse = |error| OdooError::of_service(&error, 0);
    let signed_in = state.service.user_by_password(login, password, call.peer).await.map_err(refuse)?;
    let signed_in = signed_in.ok_or_else(OdooError::access_denied)?;
    let user = Arc::clone(&signed_in.user);
    let sid = state.service.open_session(signed_in, None).await.map_err(refuse)?;
    sign_in::close_of_others(&state, &call.headers, user.id, call.peer).await.map_err(refuse)?;
    call.set_cookie(session_cookie(&state, &sid));
    Ok(info(&state, &user))
}

/// What the session is.
pub async fn get_session_info(state: Arc<AppState>, _: Arc<Call>, caller: Caller, _: Params) -> Answer {
    let session = caller.session.ok_or_else(OdooError::access_denied)?;
    Ok(info(&state, &session.user))
}

/// Whether there is one.
pub async fn check(_: Arc<AppState>, _: Arc<Call>, _: Caller, _: Params) -> Answer {
    Ok(Value::Null)
}

/// The modules that are installed, as far as one can speak of modules here.
pub async fn modules(_: Arc<AppState>, _: Arc<Call>, _: Caller, _: Params) -> Answer {
    Ok(json!(["base", "orest", "web"]))
}

/// Where one's account is.
pub async fn account(state: Arc<AppState>, _: Arc<Call>, _: Caller, _: Params) -> Answer {
    Ok(json!(format!("{}/web/login", state.settings.base_url)))
}

/// Ends the session. Whose has ended is told so, but not before the gateway session has ended that may outlive it.
pub async fn destroy(state: Arc<AppState>, call: Arc<Call>, _: Params) -> Answer {
    let known = caller(&state, &call).await;
    let (taken_back, ended) = end(&state, &call.headers, call.peer).await;
    taken_back.into_iter().for_each(|cookie| call.set_cookie(cookie));
    ended?;
    known.map(|_| Value::Null)
}

/// Ends the session and the gateway session that the cookies name, as far as there are any. Gives the cookies that take
/// back what has ended, also where a node has not confirmed it, or the other one could not be ended.
pub async fn end(
    state: &AppState,
    headers: &HeaderMap,
    address: Option<IpAddr>,
) -> (Vec<HeaderValue>, Result<(), OdooError>) {
    let mut out = HeaderMap::new();
    let ended = sign_in::close_sessions(state, headers, address, &mut out).await;
    let taken_back = out.get_all(header::SET_COOKIE).iter().cloned().collect();
    (taken_back, ended.map_err(|error| OdooError::of_service(&error, 0)))
}

/// Languages that can be chosen.
pub async fn get_lang_list(_: Arc<AppState>, _: Arc<Call>, _: Params) -> Answer {
    Ok(database::languages())
}

/// `session_info` of series 19.0, without what only the web client's own pages need.
fn info(state: &AppState, user: &User) -> Value {
    let tz = user.tz().map_or(json!(false), |tz| json!(tz));
    json!({
        "uid": user.id.0,
        "is_system": user.groups.contains(Group::System),
        "is_admin": user.groups.contains(Group::ErpManager),
        "is_public": user.groups.contains(Group::Public),
        "is_internal_user": user.groups.contains(Group::User),
        "user_context": {"lang": user.lang(), "tz": tz, "uid": user.id.0},
        "db": state.settings.database,
        "server_version": version::SERIES,
        "server_version_info": version::info(),
        "support_url": state.settings.base_url,
        "name": user.name(),
        "username": user.login(),
        "partner_write_date": user.write_date().format("%Y-%m-%d %H:%M:%S").to_string(),
        "partner_display_name": user.name(),
        "partner_id": false,
        "web.base.url": state.settings.base_url,
        "active_ids_limit": limits::SELECTION_IDS_MAX,
        "profile_session": null,
        "profile_collectors": null,
        "profile_params": null,
        "max_file_upload_size": limits::BODY_BYTES_MAX,
        "home_action_id": false,
        "currencies": {},
        "bundle_params": {"lang": user.lang()},
        "test_mode": false,
        "view_info": {},
        "groups": {"base.group_allow_export": user.groups.contains(Group::AllowExport)},
        "user_companies": false,
        "show_effect": false,
    })
}
