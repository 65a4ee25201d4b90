//! `GET /oauth2/auth`: a reverse proxy asks whether it may let a request through (nginx `auth_request`, Traefik
//! `forwardAuth`, Caddy `forward_auth`).
//!
//! The request carries the caller's own `Authorization: Bearer` or session cookie. 200 says who it is, in headers that the
//! proxy hands on; 401 says no; 503 says that we don't know, which a proxy takes for no.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::client_auth::{Authorization, authorization};
use super::error::{ErrorBody, OAuthError};
use super::pages::sign_in::signed_in;
use super::{Shared, set_no_store};
use crate::domain::token::TokenKind;
use crate::store::users::User;

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
    responses(
        (status = 200, description = "Who it is, in headers", headers(
            ("x-auth-request-user" = String, description = "The user's login; absent for an application in its own name"),
            ("x-auth-request-email" = String),
            ("x-auth-request-groups" = String),
            ("x-orest-authorization" = i64),
            ("x-orest-client-id" = String),
            ("x-orest-scope" = String),
        )),
        (status = 401, description = "Nobody known", body = ErrorBody<'_>),
        (status = 503, description = "The database can't answer, which a proxy takes for no", body = ErrorBody<'_>),
    ),
    security((), ("access_token" = [])),
)]
pub async fn check(State(state): State<Shared>, headers: HeaderMap) -> Result<Response, OAuthError> {
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
            out.insert(AUTHORIZATION_ID, HeaderValue::from(verified.claims.authorization.0));
            out.insert(CLIENT_ID, header_value(&verified.application.client_id));
            out.insert(SCOPE, header_value(&verified.scope));
            // An application in its own name gets no user header: its client_id could be somebody's login.
            if let Some(user) = &verified.user {
                put_user(out, user);
            }
        }
        Some(Authorization::Basic(..)) => return Err(OAuthError::InvalidToken),
        None => {
            let (session, _) = signed_in(&state, &headers).await?.ok_or(OAuthError::NoToken)?;
            put_user(out, &session.user);
        }
    }
    Ok(response)
}

/// Only what the user can't change himself: a name of his choice could be somebody's login.
fn put_user(out: &mut HeaderMap, user: &User) {
    out.insert(USER, header_value(&user.login));
    out.insert(PREFERRED_USERNAME, header_value(&user.login));
    if let Some(email) = &user.email {
        out.insert(EMAIL, header_value(email));
    }
    let groups: Vec<_> = user.groups.iter().map(|group| group.xmlid()).collect();
    out.insert(GROUPS, header_value(&groups.join(",")));
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
