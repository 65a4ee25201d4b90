//! Nobody else's page may send our forms.
//!
//! Each form carries `csrf_token`: an HMAC of what the form does, keyed with a cookie that no script can read: the session's,
//! the gateway session's, or, before there is one, a cookie made for this. Who can't read the cookie can't make the token, and no server-side key or
//! memory is needed. What the browser itself says of where a form comes from is checked too.

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::transport::http::Settings;

/// What a form does; a token for one is no good for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signs in.
    SignIn,
    /// Lets an application in, or not.
    Consent,
    /// Signs out.
    SignOut,
}

impl Purpose {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::SignIn => b"orest form: sign in",
            Self::Consent => b"orest form: consent",
            Self::SignOut => b"orest form: sign out",
        }
    }
}

/// The token of a form, for the browser that has this cookie.
pub fn token(purpose: Purpose, cookie: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(cookie.as_bytes()).expect("HMAC takes keys of every length");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a form that was sent comes from our own page in the browser that has this cookie.
pub fn is_ours(settings: &Settings, headers: &HeaderMap, purpose: Purpose, cookie: &str, sent: Option<&str>) -> bool {
    let expected = token(purpose, cookie);
    let fits: bool = expected.as_bytes().ct_eq(sent.unwrap_or_default().as_bytes()).into();
    fits && !comes_from_elsewhere(settings, headers)
}

/// Whether the browser says that another site's page has sent this. Old ones say nothing.
pub fn comes_from_elsewhere(settings: &Settings, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text("origin") else { return false };
    // By the address that the operator set, or by the one that the browser used.
    let by_host = text(header::HOST.as_str()).and_then(|host| {
        let scheme = if settings.is_https() { "https" } else { "http" };
        url::Url::parse(&format!("{scheme}://{host}")).ok()
    });
    let own = [url::Url::parse(&settings.base_url).ok(), by_host];
    !own.into_iter().flatten().any(|own| own.origin().ascii_serialization() == origin)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(base_url: &str, lines: &[(&'static str, &'static str)], expect: bool) {
        let settings = Settings { base_url: base_url.to_owned(), ..Settings::default() };
        let headers = lines
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        let sent = token(Purpose::Consent, "cookie");
        assert_eq!(
            is_ours(&settings, &headers, Purpose::Consent, "cookie", Some(&sent)),
            expect,
            "{base_url} {lines:?}"
        );
        for (purpose, cookie, sent) in [
            (Purpose::SignIn, "cookie", Some(sent.as_str())),
            (Purpose::Consent, "other", Some(sent.as_str())),
            (Purpose::Consent, "cookie", Some(&sent[1..])),
            (Purpose::Consent, "cookie", None),
        ] {
            assert!(!is_ours(&settings, &headers, purpose, cookie, sent), "{purpose:?} {cookie}");
        }
    }

    #[test]
    fn where_a_form_comes_from() {
        let (own, plain) = ("https://auth.example.com", "http://127.0.0.1:8070");
        check(own, &[], true);
        check(own, &[("origin", "https://auth.example.com"), ("sec-fetch-site", "same-origin")], true);
        check(own, &[("origin", "https://evil.example")], false);
        check(own, &[("origin", "null")], false);
        check(own, &[("origin", "http://auth.example.com")], false);
        check(own, &[("sec-fetch-site", "cross-site")], false);
        check(own, &[("sec-fetch-site", "same-site")], false);
        check(own, &[("sec-fetch-site", "none")], true);
        check(own, &[("origin", "https://inner"), ("host", "inner")], true);
        check(plain, &[("origin", "http://localhost:8070"), ("host", "localhost:8070")], true);
        check(plain, &[("origin", "http://localhost:9000"), ("host", "localhost:8070")], false);
        check(plain, &[("origin", "http://127.0.0.1:8070"), ("host", "x y")], true);
    }
}
