//! `GET /oauth2/start`: a browser that the reverse proxy has turned away gets a gateway session and is led back.
//!
//! Who is not signed in is asked to first. The name and the parameter `rd` are those that oauth2-proxy's users know.

use std::net::IpAddr;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;

use super::Shared;
use super::form::Params;
use super::pages::page::{self, PageRefusals, failed, problem, see_other};
use super::pages::sign_in::{self, signed_in};
use super::pages::{cookies, user_agent};
use crate::domain::ids::UserId;
use crate::domain::local_path::local_path;
use crate::orm::error::sentence;
use crate::service::Error;
use crate::service::verify::Verified;
use crate::transport::http::{AppState, Peer, Settings};

/// Where this is.
pub const PATH: &str = "/oauth2/start";

/// Where to lead back to, from a proxy that can't write it into the query; the name that oauth2-proxy has for it.
const REDIRECT: HeaderName = HeaderName::from_static("x-auth-request-redirect");

/// Cookies that are looked at: one for our host, one for the domain, and what a neighbour may have planted.
const COOKIES_MAX: usize = 4;

/// Gives a browser its gateway session and leads it back.
///
/// Who is not signed in is led to where he can first.
#[utoipa::path(
    get, path = "/oauth2/start", tag = "pages", operation_id = "start",
    params(
        ("rd" = Option<String>, Query,
            description = "Where to lead back to: a path on this host, or an https address below the domain that is set"),
        ("x-auth-request-redirect" = Option<String>, Header, description = "The same, from a proxy that can't write it there"),
    ),
    responses((status = 303, description = "Back, with the cookie; or to where one signs in"), PageRefusals),
    security((), ("web_session" = [])),
)]
pub async fn start(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(target) = target(&state.settings, &headers, query.as_deref().unwrap_or_default()) else {
        return not_ours(&state.settings);
    };
    let session = match signed_in(&state, &headers).await {
        Ok(Some((session, _))) => session,
        Ok(None) => return see_other(&sign_in::address(&address_of(&target), false)),
        Err(error) => return failed(error),
    };
    let opened = match state.service.open_gateway_session(&session, user_agent::describe(&headers), address).await {
        Ok(opened) => opened,
        Err(Error::Unauthenticated) => return see_other(&sign_in::address(&address_of(&target), true)),
        Err(Error::Forbidden(message)) => {
            return problem(StatusCode::FORBIDDEN, "The gateway is closed", &sentence(&message));
        }
        Err(error) => return failed(error),
    };
    let mut response = see_other(&target);
    let (out, settings) = (response.headers_mut(), &state.settings);
    let domain = settings.gateway_cookie_domain.as_deref();
    if domain.is_some() {
        // From before the domain was set.
        cookies::remove(out, settings, cookies::GATEWAY);
    }
    cookies::set_for(out, settings, domain, cookies::GATEWAY, opened.token.reveal(), Some(opened.expires_in));
    if let Some(device) = opened.device {
        cookies::set(out, settings, cookies::DEVICE, device.reveal(), Some(cookies::DEVICE_AGE));
    }
    response
}

/// Whose gateway session the request carries, if it is good.
pub async fn session(state: &AppState, headers: &HeaderMap) -> Result<Option<Verified>, Error> {
    for token in cookies::all(headers, cookies::GATEWAY).take(COOKIES_MAX) {
        if let Ok(verified) = state.service.verify_gateway_session(token).await? {
            return Ok(Some(verified));
        }
    }
    Ok(None)
}

/// Ends the gateway session that the request carries, and takes the cookie away.
///
/// # Errors
/// [`Error::Unconfirmed`]: all of that is done. With any other the browser keeps its cookie, and may try again.
pub async fn close(
    state: &AppState,
    headers: &HeaderMap,
    address: Option<IpAddr>,
    out: &mut HeaderMap,
) -> Result<(), Error> {
    let mut confirmed = Ok(());
    for token in cookies::all(headers, cookies::GATEWAY).take(COOKIES_MAX) {
        match state.service.close_gateway_session(token, address).await {
            Err(error @ Error::Unconfirmed { .. }) => confirmed = Err(error),
            closed => closed?,
        }
        let domain = state.settings.gateway_cookie_domain.as_deref();
        cookies::set_for(out, &state.settings, domain, cookies::GATEWAY, "", Some(std::time::Duration::ZERO));
    }
    confirmed
}

/// Ends the gateway sessions that the request carries and that are not this user's, who has just signed in.
///
/// # Errors
/// [`Error::Unconfirmed`]: all of that is done.
pub async fn close_of_others(
    state: &AppState,
    headers: &HeaderMap,
    user: UserId,
    address: Option<IpAddr>,
) -> Result<(), Error> {
    let mut confirmed = Ok(());
    for token in cookies::all(headers, cookies::GATEWAY).take(COOKIES_MAX) {
        let session = state.service.verify_gateway_session(token).await?;
        if session.is_ok_and(|session| session.user.is_none_or(|own| own.id != user)) {
            match state.service.close_gateway_session(token, address).await {
                Err(error @ Error::Unconfirmed { .. }) => confirmed = Err(error),
                closed => closed?,
            }
        }
    }
    confirmed
}

/// This address, leading back to `target`.
pub fn address_of(target: &str) -> String {
    format!("{PATH}?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", target).finish())
}

/// What the sign-in form must be allowed to lead to because it leads here.
pub fn form_targets(settings: &Settings, path: &str) -> String {
    let Some(query) = path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('?')) else { return String::new() };
    match target(settings, &HeaderMap::new(), query) {
        Some(target) if !target.starts_with('/') => page::form_targets(&target),
        _ => String::new(),
    }
}

/// Where a browser may be led back to: a path on this host, or an https address of the cookie's domain.
pub fn allowed(settings: &Settings, text: &str) -> Option<String> {
    if text.starts_with('/') {
        // What was decoded is written as browsers do.
        let plain: String = text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
            if c.is_ascii_graphic() {
                plain.push(c);
            } else {
                plain.extend(url::form_urlencoded::byte_serialize(c.to_string().as_bytes()).map(|part| match part {
                    "+" => "%20",
                    part => part,
                }));
            }
            plain
        });
        return local_path(&plain).map(str::to_owned);
    }
    let domain = settings.gateway_cookie_domain.as_deref()?;
    let url = url::Url::parse(text).ok()?;
    let below = |host: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let good = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && matches!(url.host(), Some(url::Host::Domain(host)) if below(host));
    good.then(|| url.into())
}

fn target(settings: &Settings, headers: &HeaderMap, query: &str) -> Option<String> {
    let text = match rd(query)? {
        Some(text) => text,
        None => match headers.get(REDIRECT) {
            Some(value) => value.to_str().ok()?.to_owned(),
            None => "/".to_owned(),
        },
    };
    allowed(settings, &text)
}

/// The parameter `rd`; the outer `None`: it can't be read. nginx can't encode: what follows `rd=` as it is, to the end, is taken
/// as it is.
fn rd(query: &str) -> Option<Option<String>> {
    let raw = query.strip_prefix("rd=").or_else(|| query.split_once("&rd=").map(|(_, raw)| raw));
    if let Some(raw) = raw.filter(|raw| raw.starts_with("https://") || (raw.starts_with('/') && raw.contains('?'))) {
        return Some(Some(raw.to_owned()));
    }
    Some(Params::parse(query.as_bytes()).ok()?.get("rd").map(str::to_owned))
}

fn not_ours(settings: &Settings) -> Response {
    let text = match &settings.gateway_cookie_domain {
        Some(domain) => format!("rd must be a path on this host, or begin with https:// and name a host of {domain}."),
        None => "rd must be a path on this host. For other hosts set --gateway-cookie-domain.".to_owned(),
    };
    problem(StatusCode::BAD_REQUEST, "This address is not one of ours", &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expect: Option<&str>) {
        let settings = Settings { gateway_cookie_domain: Some("example.com".to_owned()), ..Settings::default() };
        assert_eq!(target(&settings, &HeaderMap::new(), query).as_deref(), expect, "{query}");
    }

    #[test]
    fn where_a_browser_is_led_back_to() {
        check("", Some("/"));
        check("rd=", Some("/"));
        check("rd=%2Fa%3Fx%3D1%26y%3D2", Some("/a?x=1&y=2"));
        check("rd=/a%20b", Some("/a%20b"));
        check("rd=%2F%C3%A9", Some("/%C3%A9"));
        // As nginx writes it.
        check("rd=/a?x=1&y=%2F", Some("/a?x=1&y=%2F"));
        check("rd=https://app.example.com/a?x=1&y=2", Some("https://app.example.com/a?x=1&y=2"));
        check("x=1&rd=https%3A%2F%2Fapp.example.com%2F", Some("https://app.example.com/"));
        check("rd=https://example.com", Some("https://example.com/"));
        check("rd=https://a.b.EXAMPLE.com:8443/", Some("https://a.b.example.com:8443/"));
        for bad in [
            "rd=//evil.example",
            "rd=/%5Cevil.example",
            "rd=%2F%09%2Fevil.example/",
            "rd=http://app.example.com/",
            "rd=https://evil.example/",
            "rd=https://evilexample.com/",
            "rd=https://example.com.evil.example/",
            "rd=https://app.example.com@evil.example/",
            "rd=https://user@app.example.com/",
            "rd=https://evil.example%5C.example.com/",
            "rd=https://192.0.2.1/",
            "rd=javascript:alert(1)",
            "rd=app.example.com",
            "rd=%FF",
        ] {
            let ours = target(
                &Settings { gateway_cookie_domain: Some("example.com".to_owned()), ..Settings::default() },
                &HeaderMap::new(),
                bad,
            );
            assert!(
                ours.is_none() || ours.as_deref().is_some_and(|ours| local_path(ours).is_some()),
                "{bad}: {ours:?}"
            );
        }
        let alone = Settings::default();
        assert_eq!(target(&alone, &HeaderMap::new(), "rd=https://app.example.com/"), None);
    }

    #[test]
    fn where_a_proxy_says_it_in_a_header() {
        let mut headers = HeaderMap::new();
        headers.insert(REDIRECT, "/a?x=1".parse().expect("a header value"));
        assert_eq!(target(&Settings::default(), &headers, "").as_deref(), Some("/a?x=1"));
        assert_eq!(target(&Settings::default(), &headers, "rd=%2Fb").as_deref(), Some("/b"));
        headers.insert(REDIRECT, "https://evil.example/".parse().expect("a header value"));
        assert_eq!(target(&Settings::default(), &headers, ""), None);
    }

    #[test]
    fn what_the_sign_in_form_may_lead_to() {
        let settings = Settings { gateway_cookie_domain: Some("example.com".to_owned()), ..Settings::default() };
        for (path, expect) in [
            (address_of("https://app.example.com/"), " https:"),
            (address_of("https://evil.example/"), ""),
            (address_of("/a"), ""),
            ("/oauth2/authorize?rd=https://app.example.com/".to_owned(), ""),
            (PATH.to_owned(), ""),
        ] {
            assert_eq!(form_targets(&settings, &path), expect, "{path}");
        }
    }
}
