//! Who calls: `Authorization: Bearer` with an API key, or the older `X-Auth-Email` and `X-Auth-Key`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::error::AccessApiError;
use super::revoke_user::Shared;
use crate::service::Context;
use crate::service::access::Credential;
use crate::transport::http::Peer;

/// Who calls, and may.
pub struct AccessCaller(pub Context);

impl FromRequestParts<Shared> for AccessCaller {
    type Rejection = AccessApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, AccessApiError> {
        let credential = credential(&parts.headers).ok_or(AccessApiError::Authentication)?;
        let address = parts.extensions.get::<Peer>().and_then(|Peer(address)| *address);
        Ok(Self(state.service.access_caller(credential, address).await?))
    }
}

/// A token wins over the older pair: clients send both if their environment has both.
fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = text(header::AUTHORIZATION.as_str()) {
        let (scheme, key) = value.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Credential::Key(key.trim()));
    }
    Some(Credential::Pair { email: text("x-auth-email")?, key: text("x-auth-key")? })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn check(lines: &[(&'static str, &'static str)], expect: Option<(Option<&str>, &str)>) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let got = credential(&headers).map(|credential| match credential {
            Credential::Key(key) => (None, key),
            Credential::Pair { email, key } => (Some(email), key),
        });
        assert_eq!(got, expect, "{lines:?}");
    }

    #[test]
    fn credentials() {
        check(&[], None);
        check(&[("authorization", "Bearer abc")], Some((None, "abc")));
        check(&[("authorization", "bearer  abc ")], Some((None, "abc")));
        check(&[("authorization", "Bearer")], None);
        check(&[("authorization", "Basic abc")], None);
        check(&[("x-auth-email", "a@b"), ("x-auth-key", "k")], Some((Some("a@b"), "k")));
        check(&[("x-auth-email", "a@b")], None);
        check(&[("x-auth-key", "k")], None);
        check(&[("authorization", "Bearer abc"), ("x-auth-email", "a@b"), ("x-auth-key", "k")], Some((None, "abc")));
        // Not the pair instead: a caller who shows something wrong is told so.
        check(&[("authorization", "Basic abc"), ("x-auth-email", "a@b"), ("x-auth-key", "k")], None);
    }
}
