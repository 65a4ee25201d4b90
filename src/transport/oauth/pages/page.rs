//! The frame of each page, its headers, and the pages that say that something went wrong.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use utoipa::IntoResponses;

use super::super::error::{RETRY_AFTER, retry_after};
use super::super::set_no_store;
use crate::domain::revocation::Unconfirmed;
use crate::orm::error::sentence;
use crate::service::Error;

/// A page. `form_action`: where a form may lead besides here, see [`form_targets`].
pub fn page(status: StatusCode, title: &str, form_action: &str, content: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="stylesheet" href="/oauth2/style.css";
            }
            body { main { (content) } }
        }
    };
    let mut response = (status, Html(markup.into_string())).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{form_action}; \
         frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = response.headers_mut();
    set_no_store(headers);
    let policy = HeaderValue::try_from(policy).expect("an origin or a scheme is ASCII");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not no-referrer: browsers would then send `Origin: null` with our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// What `form-action` must allow besides ourselves so that the answer to the consent form can lead to this address.
///
/// Chromium holds each redirect after a form to that list, also those that the application makes from its callback on to
/// another of its hosts. So for https it is every https address, not just the callback's.
pub fn form_targets(redirect_uri: &str) -> String {
    let Ok(target) = url::Url::parse(redirect_uri) else { return String::new() };
    match (target.scheme(), target.host()) {
        ("https", _) => " https:".to_owned(),
        // The policy's grammar has no IPv6 addresses.
        ("http", Some(url::Host::Ipv6(_))) => " https: http:".to_owned(),
        ("http", _) => format!(" https: {}", target.origin().ascii_serialization()),
        (scheme, _) => format!(" https: {scheme}:"),
    }
}

/// What any page may be refused with.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "describes the answers")]
pub enum PageRefusals {
    /// A page that says why, and what to do about it
    #[response(status = "4XX", content_type = "text/html")]
    Refused(String),
    /// The same: the database can't answer, or a node has not confirmed it
    #[response(status = 503, content_type = "text/html")]
    Unavailable(String),
}

/// A page that says what is wrong and what to do about it.
pub fn problem(status: StatusCode, title: &str, text: &str) -> Response {
    page(
        status,
        title,
        "",
        &html! {
            h1 { (title) }
            p role="alert" { (text) }
        },
    )
}

/// The page for what the service refuses with.
pub fn failed(error: Error) -> Response {
    match error {
        Error::Unauthenticated => problem(
            StatusCode::UNAUTHORIZED,
            "Please sign in again",
            "You are no longer signed in. Go back to the application and start again.",
        ),
        Error::Forbidden(message) | Error::Conflict(message) => {
            problem(StatusCode::FORBIDDEN, "This can't be done", &message)
        }
        Error::NotFound { .. } => problem(StatusCode::NOT_FOUND, "Not found", "What you asked for does not exist."),
        Error::Invalid { message, .. } => problem(StatusCode::BAD_REQUEST, "This can't be done", &message),
        Error::RateLimited { retry_after: wait } => {
            let text = format!("Too many tries from where you are. Wait {} seconds, then try again.", wait.as_secs());
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "Too many tries", &text);
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
            response
        }
        Error::Unavailable => {
            let text = "The service can't be reached at the moment. Nothing was changed. Please try again.";
            let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "Please try again", text);
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(RETRY_AFTER));
            response
        }
        Error::Undecided => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "It may have been done",
            "The connection to the database was lost while it stored this. Please look whether it has been done before you do \
             it again.",
        ),
        Error::Unconfirmed { ref nodes, retry_after: wait } => {
            let text = sentence(&Unconfirmed::explain(nodes));
            let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "Done, but not everywhere yet", &text);
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
            response
        }
        Error::Internal => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong",
            "This is our mistake. It has been logged; please try again later.",
        ),
    }
}

/// Sends the browser on, with GET.
pub fn see_other(location: &str) -> Response {
    let location = HeaderValue::try_from(location).or_else(|_| {
        // An address with characters that no header holds: as browsers would write it.
        let normal = url::Url::parse(location).map(String::from).unwrap_or_default();
        HeaderValue::try_from(normal)
    });
    match location {
        Ok(location) => {
            let mut headers = HeaderMap::from_iter([(header::LOCATION, location)]);
            set_no_store(&mut headers);
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => failed(Error::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (uri, expect) in [
            ("https://app.example.com/cb", " https:"),
            ("http://127.0.0.1:9001/cb", " https: http://127.0.0.1:9001"),
            ("http://localhost/cb", " https: http://localhost"),
            ("http://[::1]:9/cb", " https: http:"),
            ("com.example.app:/cb", " https: com.example.app:"),
            ("nonsense", ""),
        ] {
            assert_eq!(form_targets(uri), expect, "{uri}");
        }
    }

    #[test]
    fn locations() {
        let of = |location| {
            let response = see_other(location);
            response.headers().get(header::LOCATION).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        assert_eq!(of("https://a.example/cb?x=1").as_deref(), Some("https://a.example/cb?x=1"));
        assert_eq!(of("https://a.exa\r\nmple/cb").as_deref(), Some("https://a.example/cb"));
        assert_eq!(of("/\r\nSet-Cookie: x"), Some(String::new()));
    }
}
