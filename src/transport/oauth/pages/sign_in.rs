//! `/web/login`: name and password, then back to where the person came from. Signing out is here too.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::html;

use super::super::Shared;
use super::super::error::OAuthError;
use super::super::form::{Form, Params};
use super::csrf::{self, Purpose};
use super::page::{failed, page, problem, see_other};
use super::{cookies, user_agent};
use crate::limits;
use crate::service::Error;
use crate::service::sign_in::Session;
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
    let current = match signed_in(&state, &headers).await {
        Ok(current) => current,
        Err(error) => return failed(error),
    };
    match current {
        Some((session, sid)) if params.get("prompt") != Some("login") => match target {
            Some(target) => see_other(target),
            None => welcome(&session, sid),
        },
        _ => form(&state, &headers, target, None, None),
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
    let Some(cookie) = cookies::get(&headers, cookies::FORM) else {
        return form(&state, &headers, target, params.get("login"), Some(STALE));
    };
    if !csrf::is_ours(&state.settings, &headers, Purpose::SignIn, cookie, params.get("csrf_token")) {
        return form(&state, &headers, target, params.get("login"), Some(STALE));
    }
    let (Some(login), Some(password)) = (params.get("login"), params.get("password")) else {
        return form(
            &state,
            &headers,
            target,
            params.get("login"),
            Some((StatusCode::BAD_REQUEST, "Enter your login and your password.")),
        );
    };
    let service = &state.service;
    let opened = async {
        let signed_in = service.user_by_password(login, password, address).await?.ok_or(Error::Unauthenticated)?;
        let (known, seen) = (cookies::get(&headers, cookies::DEVICE), user_agent::describe(&headers));
        let opened = service.open_browser_session(signed_in, known, seen, address).await?;
        // The session id of before is not carried over: somebody else may have planted it.
        if let Some(old) = cookies::get(&headers, cookies::SESSION) {
            service.close_session(old).await?;
        }
        Ok::<_, Error>(opened)
    };
    let (session, device) = match opened.await {
        Ok(opened) => opened,
        Err(Error::Unauthenticated) => {
            let alert = (StatusCode::FORBIDDEN, "Wrong login or password.");
            return form(&state, &headers, target, params.get("login"), Some(alert));
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

/// Signs out, then leads on.
pub async fn sign_out(
    State(state): State<Shared>,
    headers: HeaderMap,
    form_sent: Result<Form, OAuthError>,
) -> Response {
    let Ok(Form(params)) = form_sent else { return unreadable() };
    let target = params.get("redirect").and_then(local_path).unwrap_or(PATH);
    if let Some(sid) = cookies::get(&headers, cookies::SESSION) {
        if !csrf::is_ours(&state.settings, &headers, Purpose::SignOut, sid, params.get("csrf_token")) {
            return stale();
        }
        if let Err(error) = state.service.close_session(sid).await {
            return failed(error);
        }
    }
    let mut response = see_other(target);
    cookies::remove(response.headers_mut(), &state.settings, cookies::SESSION);
    response
}

const STALE: (StatusCode, &str) =
    (StatusCode::FORBIDDEN, "This form was too old, or cookies are off. Please try again.");

/// A form that does not come from our own page.
pub fn stale() -> Response {
    let text = "The form was too old or did not come from this site. Go back to the application and start again.";
    problem(StatusCode::FORBIDDEN, "Please start again", text)
}

/// A form or query that is none.
pub fn unreadable() -> Response {
    problem(StatusCode::BAD_REQUEST, "This request can't be read", "Go back to the application and start again.")
}

fn form(
    state: &AppState,
    headers: &HeaderMap,
    target: Option<&str>,
    login: Option<&str>,
    alert: Option<(StatusCode, &str)>,
) -> Response {
    // A cookie that is there is kept: the same page may be open in two tabs.
    let known = cookies::get(headers, cookies::FORM).filter(|value| is_own_form_cookie(value));
    let fresh = known.is_none().then(|| state.service.random_secret());
    let cookie = known.or(fresh.as_ref().map(|secret| secret.reveal())).unwrap_or_default();
    let status = alert.map_or(StatusCode::OK, |(status, _)| status);
    let mut response = page(
        status,
        "Sign in",
        "",
        &html! {
            h1 { "Sign in" }
            @if let Some((_, text)) = alert { p.alert role="alert" { (text) } }
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
        },
    );
    if let Some(fresh) = fresh {
        cookies::set(response.headers_mut(), &state.settings, cookies::FORM, fresh.reveal(), None);
    }
    response
}

fn is_own_form_cookie(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn welcome(session: &Session, sid: &str) -> Response {
    page(
        StatusCode::OK,
        "Signed in",
        "",
        &html! {
            h1 { "You are signed in" }
            p { "as " strong { (session.user.name) } " (" (session.user.login) ")." }
            (sign_out_form(sid, PATH, "Sign out"))
        },
    )
}

/// A button that signs out and leads to `target`.
pub fn sign_out_form(sid: &str, target: &str, label: &str) -> maud::Markup {
    html! {
        form method="post" action="/oauth2/sign-out" {
            input type="hidden" name="csrf_token" value=(csrf::token(Purpose::SignOut, sid));
            input type="hidden" name="redirect" value=(target);
            button.link type="submit" { (label) }
        }
    }
}

/// The text, if it is a path on this server and nothing that a browser could take for another one.
fn local_path(text: &str) -> Option<&str> {
    let mut bytes = text.bytes();
    let starts_here = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let plain = text.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    (starts_here && plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn local_paths() {
        for good in ["/", "/web/login", "/oauth2/authorize?client_id=a&state=%2F%2Fevil.example", "/a//b"] {
            assert_eq!(local_path(good), Some(good));
        }
        for bad in [
            "",
            "evil.example",
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /a",
            "/a\r\nSet-Cookie: x",
            "/a\\b",
            "javascript:alert(1)",
            "/é",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_local_path_never_leaves(text in r"[/\\:@.a\t\n%?# ]{0,12}") {
            let here = url::Url::parse("https://here.example/deep/page").expect("an address");
            if let Some(path) = local_path(&text) {
                let there = here.join(path).expect("a path");
                prop_assert_eq!(there.origin(), here.origin());
            }
        }
    }
}
