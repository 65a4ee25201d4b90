//! `GET /oauth2/auth`: a reverse proxy asks whether it may let a request through (nginx `auth_request`, Traefik
//! `forwardAuth`, Caddy `forward_auth`).
//!
//! The request carries the caller's own `Authorization: Bearer` or the cookie of his gateway session ([`super::gateway`]). 200
//! says who it is, in headers that the proxy hands on; 401 says no; 503 says that we don't know, which a proxy takes for no.
//!
//! With `?start=true` a browser is not told no but led to where it gets a gateway session, by proxies that hand such an answer
//! on. It comes with the headers in which they say what was asked for.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::client_auth::{Authorization, authorization};
use super::error::{ErrorBody, OAuthError};
use super::pages::page::see_other;
use super::{Shared, gateway, set_no_store};
use crate::domain::token::TokenKind;
use crate::service::built_in::is_built_in;
use crate::service::verify::Verified;
use crate::store::users::User;
use crate::transport::http::Settings;

const USER: HeaderName = HeaderName::from_static("x-auth-request-user");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-request-email");
const PREFERRED_USERNAME: HeaderName = HeaderName::from_static("x-auth-request-preferred-username");
const GROUPS: HeaderName = HeaderName::from_static("x-auth-request-groups");
const AUTHORIZATION_ID: HeaderName = HeaderName::from_static("x-orest-authorization");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-orest-client-id");
const SCOPE: HeaderName = HeaderName::from_static("x-orest-scope");

/// Says who calls, if anybody, to a reverse proxy.
#[utoipa::path(
    get, path = "/oauth2/auth", tag = "oauth2",
    params(
        ("start" = Option<bool>, Query, description = "Lead a browser to `/oauth2/start` instead of refusing it"),
        ("x-forwarded-proto" = Option<String>, Header, description = "For `start`: what the browser asked the proxy for"),
        ("x-forwarded-host" = Option<String>, Header),
        ("x-forwarded-uri" = Option<String>, Header),
        ("x-forwarded-method" = Option<String>, Header),
    ),
    responses(
        (status = 200, description = "Who it is, in headers", headers(
            ("x-auth-request-user" = String, description = "The user's login; absent for an application in its own name"),
            ("x-auth-request-email" = String),
            ("x-auth-request-groups" = String),
            ("x-orest-authorization" = i64),
            ("x-orest-client-id" = String),
            ("x-orest-scope" = String, description = "Absent for a gateway session"),
        )),
        (status = 303, description = "With `start`: to where the browser gets a gateway session"),
        (status = 401, description = "Nobody known", body = ErrorBody<'_>),
        (status = 503, description = "The database can't answer, which a proxy takes for no", body = ErrorBody<'_>),
    ),
    security((), ("access_token" = []), ("gateway_session" = [])),
)]
pub async fn check(
    State(state): State<Shared>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, OAuthError> {
    let service = &state.service;
    let mut response = StatusCode::OK.into_response();
    let out = response.headers_mut();
    set_no_store(out);
    match authorization(&headers).map_err(|_| OAuthError::InvalidToken)? {
        Some(Authorization::Bearer(token)) => {
            let verdict = match service.verify_in_memory(token) {
                Some(verdict) => verdict,
                None => service.verify(token).await?,
            };
            let verified =
                verdict.ok().filter(|good| good.kind == TokenKind::Access).ok_or(OAuthError::InvalidToken)?;
            // An administrator's session may do anything here: nothing to hand on to what stands behind a proxy.
            if is_built_in(&verified.application) {
                return Err(OAuthError::InvalidToken);
            }
            put(out, &verified);
            out.insert(SCOPE, header_value(&verified.scope));
        }
        Some(Authorization::Basic(..)) => return Err(OAuthError::InvalidToken),
        None => match gateway::session(&state, &headers).await? {
            Some(verified) => put(out, &verified),
            None => {
                let start = query.as_deref() == Some("start=true");
                let target =
                    start.then(|| asked_for(&state.settings, &headers)).flatten().ok_or(OAuthError::NoToken)?;
                let address = format!("{}{}", state.settings.base_url, gateway::address_of(&target));
                return Ok(see_other(&address));
            }
        },
    }
    Ok(response)
}

/// What the browser asked the proxy for, if it may be led back there. What is sent to the proxy is not sent again.
fn asked_for(settings: &Settings, headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !matches!(text("x-forwarded-method"), None | Some("GET" | "HEAD")) {
        return None;
    }
    let (scheme, host) = (text("x-forwarded-proto")?, text("x-forwarded-host")?);
    gateway::allowed(settings, &format!("{scheme}://{host}{}", text("x-forwarded-uri")?))
}

fn put(out: &mut HeaderMap, verified: &Verified) {
    out.insert(AUTHORIZATION_ID, HeaderValue::from(verified.claims.authorization.0));
    out.insert(CLIENT_ID, header_value(&verified.application.client_id));
    // An application in its own name gets no user header: its client_id could be somebody's login.
    if let Some(user) = &verified.user {
        put_user(out, user);
    }
}

/// Only what the user can't change himself: a name of his choice could be somebody's login.
fn put_user(out: &mut HeaderMap, user: &User) {
    out.insert(USER, header_value(user.login()));
    out.insert(PREFERRED_USERNAME, header_value(user.login()));
    if let Some(email) = user.email().filter(|email| !is_self_chosen(email, user)) {
        out.insert(EMAIL, header_value(email));
    }
    let groups: Vec<_> = user.groups.iter().map(|group| group.xmlid()).collect();
    out.insert(GROUPS, header_value(&groups.join(",")));
}

/// In Odoo everybody sets his own e-mail address, and could choose somebody else's. His login he can't.
fn is_self_chosen(email: &str, user: &User) -> bool {
    user.from_odoo && !email.eq_ignore_ascii_case(user.login())
}

/// The text as UTF-8; control characters, `%` and white space at the ends, which readers of headers take off, are
/// percent-encoded, so that two users never look like one.
fn header_value(text: &str) -> HeaderValue {
    let inner = text.len() - text.trim_start().len()..text.trim_end().len();
    let mut bytes = Vec::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            byte if byte.is_ascii_control() || byte == b'%' || !inner.contains(&at) => {
                bytes.extend(format!("%{byte:02X}").into_bytes());
            }
            byte => bytes.push(byte),
        }
    }
    HeaderValue::from_bytes(&bytes).expect("no control characters are left")
}

#[cfg(test)]
mod tests {
    use super::header_value;

    #[test]
    fn header_values() {
        for (text, expect) in [
            ("alice", "alice"),
            ("Zoë Ångström", "Zoë Ångström"),
            ("a\r\nX-Auth-Request-User: admin", "a%0D%0AX-Auth-Request-User: admin"),
            ("a\0b\x7f", "a%00b%7F"),
            ("100%", "100%25"),
            (" admin", "%20admin"),
            ("admin \t", "admin%20%09"),
            ("a b", "a b"),
            ("admin\u{a0}", "admin%C2%A0"),
            ("  ", "%20%20"),
            ("", ""),
        ] {
            assert_eq!(header_value(text).as_bytes(), expect.as_bytes(), "{text:?}");
        }
    }
}
