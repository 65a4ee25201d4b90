//! The five cookies: the session (Odoo's own name for it), the device, what a form is tied to before there is a session,
//! what an answer is tied to that comes by way of Odoo, and the gateway session.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::transport::http::Settings;

/// A signed-in browser; the same cookie as Odoo's.
pub const SESSION: &str = "session_id";
/// Tells a device again.
pub const DEVICE: &str = "orest_device";
/// Ties the sign-in form to this browser.
pub const FORM: &str = "orest_form";
/// The gateway session.
pub const GATEWAY: &str = "orest_gateway";

/// Ties what comes back from the paired Odoo to the browser that was sent there. Under https browsers take the prefix for an
/// order: nobody who can write cookies for a neighbouring host can plant one of his own.
pub fn browser(settings: &Settings) -> &'static str {
    if settings.is_https() { "__Host-orest_browser" } else { "orest_browser" }
}

/// Whether this is the value of a cookie as we make them.
pub fn is_random(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How long a device is told again.
pub const DEVICE_AGE: Duration = Duration::from_secs(365 * 24 * 3600);

/// The cookie of this name that the request carries; the first, as browsers send the one of the longest path first.
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    all(headers, name).next().filter(|value| !value.is_empty())
}

/// All cookies of this name: one for this host alone, and others for a domain that it is in.
pub fn all<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(own, _)| *own == name)
        .map(|(_, value)| value)
}

/// Sets a cookie that no script can read and that is not sent with others' forms. `age` `None`: until the browser ends.
pub fn set(headers: &mut HeaderMap, settings: &Settings, name: &str, value: &str, age: Option<Duration>) {
    set_for(headers, settings, None, name, value, age);
}

/// The same for all hosts of a domain.
pub fn set_for(
    headers: &mut HeaderMap,
    settings: &Settings,
    domain: Option<&str>,
    name: &str,
    value: &str,
    age: Option<Duration>,
) {
    let mut cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
    if let Some(domain) = domain {
        cookie.push_str(&format!("; Domain={domain}"));
    }
    if let Some(age) = age {
        cookie.push_str(&format!("; Max-Age={}", age.as_secs()));
    }
    if settings.is_https() {
        cookie.push_str("; Secure");
    }
    headers.append(
        header::SET_COOKIE,
        HeaderValue::try_from(cookie).expect("names, values and domains here are letters, digits, - . and _"),
    );
}

/// Removes a cookie.
pub fn remove(headers: &mut HeaderMap, settings: &Settings, name: &str) {
    set(headers, settings, name, "", Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        for (lines, expect) in [
            (&[][..], None),
            (&["session_id=a"], Some("a")),
            (&["x=1; session_id=a;session_id=b"], Some("a")),
            (&["x=1", "y=2; session_id=c"], Some("c")),
            (&["xsession_id=a; session_id="], None),
            (&["session_id"], None),
            (&["session_id=a=b"], Some("a=b")),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(get(&headers, SESSION), expect, "{lines:?}");
        }
    }
}
