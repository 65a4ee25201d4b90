//! `/web/login`: name and password, then back to where the person came from. Signing out is here too.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use maud::html;
use utoipa::ToSchema;

use super::super::Shared;
use super::super::error::OAuthError;
use super::super::form::{Form, Params};
use super::super::gateway;
use super::csrf::{self, Purpose};
use super::page::{PageRefusals, failed, page, problem, see_other};
use super::{authorize, cookies, odoo, user_agent};
use crate::domain::ids::UserId;
use crate::domain::local_path::local_path;
use crate::limits;
use crate::service::Error;
use crate::service::sessions::Session;
use crate::service::verify::Verified;
use crate::transport::http::{AppState, Peer};

/// Where this page is.
pub const PATH: &str = "/web/login";

/// Who is signed in in this browser, and by which session id. A session from a device that was revoked counts for nothing
/// here: what is granted from it would be refused at once.
pub async fn signed_in<'a>(state: &AppState, headers: &'a HeaderMap) -> Result<Option<(Session, &'a str)>, Error> {
    let Some(sid) = cookies::get(headers, cookies::SESSION) else { return Ok(None) };
    let Some(session) = state.service.session(sid).await? else { return Ok(None) };
    if let Some(device) = session.device
        && state.service.device_revoked(device).await?
    {
        return Ok(None);
    }
    Ok(Some((session, sid)))
}

/// The page's address, leading to `target` afterwards. `again`: also for those who are signed in.
pub fn address(target: &str, again: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if again {
        query.append_pair("prompt", "login");
    }
    query.append_pair("redirect", target);
    format!("{PATH}?{}", query.finish())
}

/// Shows the form.
pub async fn show(State(state): State<Shared>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return unreadable() };
    let target = params.get("redirect").and_then(local_path);
    let again = params.get("prompt") == Some("login");
    if let Some(target) = target.filter(|target| asks_in_odoo(&state, target)) {
        return see_other(target);
    }
    let current = match signed_in(&state, &headers).await {
        Ok(current) => current,
        Err(error) => return failed(error),
    };
    match current {
        Some((session, sid)) if !again => match target {
            Some(target) => see_other(target),
            None => welcome(&session, sid),
        },
        Some(_) => form(&state, &headers, target, again, None, None, None),
        None => match gateway::session(&state, &headers).await {
            Ok(left) => form(&state, &headers, target, again, None, None, left.as_ref()),
            Err(error) => failed(error),
        },
    }
}

/// Takes the form.
pub async fn sign_in(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    form_sent: Result<Form, OAuthError>,
) -> Response {
    let Ok(Form(params)) = form_sent else { return unreadable() };
    let target = params.get("redirect").and_then(local_path);
    if target.is_some_and(|target| asks_in_odoo(&state, target)) {
        return stale();
    }
    let Some(cookie) = cookies::get(&headers, cookies::FORM) else {
        return form(&state, &headers, target, false, params.get("login"), Some(STALE), None);
    };
    if !csrf::is_ours(&state.settings, &headers, Purpose::SignIn, cookie, params.get("csrf_token")) {
        return form(&state, &headers, target, false, params.get("login"), Some(STALE), None);
    }
    let (Some(login), Some(password)) = (params.get("login"), params.get("password")) else {
        return form(
            &state,
            &headers,
            target,
            false,
            params.get("login"),
            Some((StatusCode::BAD_REQUEST, "Enter your login and your password.")),
            None,
        );
    };
    let service = &state.service;
    let opened = async {
        let signed_in = service.user_by_password(login, password, address).await?.ok_or(Error::Unauthenticated)?;
        let (known, seen) = (cookies::get(&headers, cookies::DEVICE), user_agent::describe(&headers));
        let user = signed_in.user.id;
        let opened = service.open_browser_session(signed_in, known, seen, address).await?;
        close_of_others(&state, &headers, user, address).await?;
        Ok::<_, Error>(opened)
    };
    let (session, device) = match opened.await {
        Ok(opened) => opened,
        Err(Error::Unauthenticated) => {
            let alert = (StatusCode::FORBIDDEN, "Wrong login or password.");
            return form(&state, &headers, target, false, params.get("login"), Some(alert), None);
        }
        Err(error) => return failed(error),
    };
    let mut response = see_other(target.unwrap_or(PATH));
    let out = response.headers_mut();
    cookies::set(out, &state.settings, cookies::SESSION, session.reveal(), Some(limits::SESSION_INACTIVITY));
    if let Some(device) = device {
        cookies::set(out, &state.settings, cookies::DEVICE, device.reveal(), Some(cookies::DEVICE_AGE));
    }
    cookies::remove(out, &state.settings, cookies::FORM);
    response
}

/// What the form of the button carries.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form")]
pub(crate) struct SignOut {
    /// As the page has it.
    csrf_token: Option<String>,
    /// A path here that the browser is led to.
    redirect: Option<String>,
}

/// Signs a browser out, at the gateway too, then leads it on.
///
/// A gateway session may outlive the one here, and ends by itself then.
#[utoipa::path(
    post, path = "/oauth2/sign-out", tag = "pages", operation_id = "sign_out",
    request_body(content = SignOut, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Nobody is signed in in this browser any more"), PageRefusals),
    security((), ("web_session" = []), ("gateway_session" = [])),
)]
pub async fn sign_out(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    form_sent: Result<Form, OAuthError>,
) -> Response {
    let Ok(Form(params)) = form_sent else { return unreadable() };
    let target = params.get("redirect").and_then(local_path).filter(|target| !asks_in_odoo(&state, target));
    // Another site's form comes without cookies, and what is answered would take them away all the same.
    if csrf::comes_from_elsewhere(&state.settings, &headers) {
        return stale();
    }
    let mut response = see_other(target.unwrap_or(PATH));
    let Some(tied_to) = sign_out_cookie(&headers) else { return response };
    if !csrf::is_ours(&state.settings, &headers, Purpose::SignOut, tied_to, params.get("csrf_token")) {
        return stale();
    }
    let closed = close_sessions(&state, &headers, address, response.headers_mut()).await;
    match closed {
        Ok(()) => response,
        Err(error) => {
            let done = matches!(error, Error::Unconfirmed { .. });
            let mut page = failed(error);
            if done {
                // Signed out it is.
                for cookie in response.headers().get_all(header::SET_COOKIE) {
                    page.headers_mut().append(header::SET_COOKIE, cookie.clone());
                }
            }
            page
        }
    }
}

/// Ends what the browser has, at the gateway and here, and takes its cookies away. That a node has not confirmed the end of
/// one keeps nobody from ending the other.
pub async fn close_sessions(
    state: &AppState,
    headers: &HeaderMap,
    address: Option<IpAddr>,
    out: &mut HeaderMap,
) -> Result<(), Error> {
    let gateway = gateway::close(state, headers, address, out).await;
    if !matches!(gateway, Ok(()) | Err(Error::Unconfirmed { .. })) {
        return gateway;
    }
    let mut own = Ok(());
    if let Some(sid) = cookies::get(headers, cookies::SESSION) {
        match state.service.close_session(sid).await {
            Ok(_) => {}
            Err(error @ Error::Unconfirmed { .. }) => own = Err(error),
            Err(error) => return Err(error),
        }
        cookies::remove(out, &state.settings, cookies::SESSION);
    }
    gateway.and(own)
}

/// Ends what the browser had before this user signed in with it: its session, whose id somebody else may have planted, and at
/// the gateway what is another's. That a node has not confirmed the end of somebody else's keeps nobody from signing in.
pub async fn close_of_others(
    state: &AppState,
    headers: &HeaderMap,
    user: UserId,
    address: Option<IpAddr>,
) -> Result<(), Error> {
    let note = |done: Result<(), Error>| match done {
        Err(error @ Error::Unconfirmed { .. }) => {
            tracing::warn!(%error, "somebody else's session in this browser has ended");
            Ok(())
        }
        done => done,
    };
    if let Some(old) = cookies::get(headers, cookies::SESSION) {
        note(state.service.replace_session(old, user).await)?;
    }
    note(gateway::close_of_others(state, headers, user, address).await)
}

/// What the form for signing out is tied to: the session, or the gateway session where there is no other.
fn sign_out_cookie(headers: &HeaderMap) -> Option<&str> {
    let gateway = || cookies::all(headers, cookies::GATEWAY).find(|token| !token.is_empty());
    cookies::get(headers, cookies::SESSION).or_else(gateway)
}

const STALE: (StatusCode, &str) =
    (StatusCode::FORBIDDEN, "This form was too old, or cookies are off. Please try again.");

/// Whether this path leads on to the paired Odoo. What a form leads to may not: browsers would stop there without a word
/// (`docs/adr/0009`). Only a page from before the pairing has such a form.
fn asks_in_odoo(state: &AppState, target: &str) -> bool {
    state.service.pairing().is_some() && target.split('?').next() == Some(authorize::PATH)
}

/// A form that does not come from our own page.
pub fn stale() -> Response {
    let text = "The form was too old or did not come from this site. Go back to the application and start again.";
    problem(StatusCode::FORBIDDEN, "Please start again", text)
}

/// A form or query that is none.
pub fn unreadable() -> Response {
    problem(StatusCode::BAD_REQUEST, "This request can't be read", "Go back to the application and start again.")
}

/// The form. `left`: the gateway session that goes on, of who is not signed in here any more.
fn form(
    state: &AppState,
    headers: &HeaderMap,
    target: Option<&str>,
    again: bool,
    login: Option<&str>,
    alert: Option<(StatusCode, &str)>,
    left: Option<&Verified>,
) -> Response {
    // A cookie that is there is kept: the same page may be open in two tabs.
    let known = cookies::get(headers, cookies::FORM).filter(|value| cookies::is_random(value));
    let fresh = known.is_none().then(|| state.service.random_secret());
    let cookie = known.or(fresh.as_ref().map(|secret| secret.reveal())).unwrap_or_default();
    let status = alert.map_or(StatusCode::OK, |(status, _)| status);
    let fields = html! {
        form method="post" action=(PATH) {
            input type="hidden" name="csrf_token" value=(csrf::token(Purpose::SignIn, cookie));
            @if let Some(target) = target { input type="hidden" name="redirect" value=(target); }
            label for="login" { "Login" }
            input id="login" name="login" type="text" value=[login] required autofocus[login.is_none()]
                autocomplete="username" autocapitalize="none" spellcheck="false";
            label for="password" { "Password" }
            input id="password" name="password" type="password" required autofocus[login.is_some()]
                autocomplete="current-password";
            div.buttons { button.main type="submit" { "Sign in" } }
        }
    };
    let mut response = page(
        status,
        "Sign in",
        &target.map_or_else(String::new, |target| gateway::form_targets(&state.settings, target)),
        &html! {
            h1 { "Sign in" }
            @if let Some((_, text)) = alert { p.alert role="alert" { (text) } }
            @if state.service.pairing().is_some() {
                p { "With your account in Odoo:" }
                div.buttons { a.button.main href=(odoo_address(target, again)) { "Sign in with Odoo" } }
                details open[alert.is_some()] {
                    summary { "With a password of this service" }
                    p.soft { "For when Odoo is away." }
                    (fields)
                }
            } @else {
                (fields)
            }
            @if let (Some(user), Some(cookie)) = (left.and_then(|left| left.user.as_ref()), sign_out_cookie(headers)) {
                p.soft { "This browser is still signed in at the gateway, as " strong { (user.name()) } " (" (user.login()) ")." }
                (sign_out_form(cookie, PATH, "Sign out"))
            }
        },
    );
    if let Some(fresh) = fresh {
        cookies::set(response.headers_mut(), &state.settings, cookies::FORM, fresh.reveal(), None);
    }
    response
}

/// Where signing in with Odoo begins, leading to `target` afterwards.
fn odoo_address(target: Option<&str>, again: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if again {
        query.append_pair("prompt", "login");
    }
    if let Some(target) = target {
        query.append_pair("redirect", target);
    }
    format!("{}?{}", odoo::SIGN_IN, query.finish()).trim_end_matches('?').to_owned()
}

fn welcome(session: &Session, sid: &str) -> Response {
    page(
        StatusCode::OK,
        "Signed in",
        "",
        &html! {
            h1 { "You are signed in" }
            p { "as " strong { (session.user.name()) } " (" (session.user.login()) ")." }
            (sign_out_form(sid, PATH, "Sign out"))
        },
    )
}

/// A button that signs out and leads to `target`, for the browser that has this cookie.
pub fn sign_out_form(cookie: &str, target: &str, label: &str) -> maud::Markup {
    html! {
        form method="post" action="/oauth2/sign-out" {
            input type="hidden" name="csrf_token" value=(csrf::token(Purpose::SignOut, cookie));
            input type="hidden" name="redirect" value=(target);
            button.link type="submit" { (label) }
        }
    }
}
