//! Which application calls (RFC 6749 section 2.3): by HTTP Basic or in the form, never both; a public client by its
//! `client_id` alone.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::OAuthError;
use super::form::{Params, decode};
use crate::domain::application::Application;
use crate::service::Service;

/// What an `Authorization` header holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// User name and password, decoded.
    Basic(String, String),
    /// A token.
    Bearer(&'a str),
}

/// Reads the `Authorization` header.
pub fn authorization(headers: &HeaderMap) -> Result<Option<Authorization<'_>>, OAuthError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(OAuthError::invalid_request("there is more than one Authorization header"));
    }
    let value = value.to_str().map_err(|_| OAuthError::InvalidClient)?;
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Authorization::Bearer(rest)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(OAuthError::InvalidClient);
    }
    let pair = STANDARD.decode(rest).map_err(|_| OAuthError::InvalidClient)?;
    let colon = pair.iter().position(|byte| *byte == b':').ok_or(OAuthError::InvalidClient)?;
    let part = |text: &[u8]| decode(text).map_err(|_| OAuthError::InvalidClient);
    Ok(Some(Authorization::Basic(part(&pair[..colon])?, part(&pair[colon + 1..])?)))
}

/// The application that calls, confidential or public.
pub async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
    form: &Params,
) -> Result<Arc<Application>, OAuthError> {
    if form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some() {
        return Err(OAuthError::InvalidClient);
    }
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    match authorization(headers)? {
        Some(Authorization::Bearer(_)) => Err(OAuthError::InvalidClient),
        Some(Authorization::Basic(..)) if secret.is_some() => {
            Err(OAuthError::invalid_request("the client's secret is in the header and in the form; send it once"))
        }
        Some(Authorization::Basic(user, _)) if id.is_some_and(|id| id != user) => {
            Err(OAuthError::invalid_request("client_id is not the one of the Authorization header"))
        }
        Some(Authorization::Basic(user, password)) => Ok(service.application_by_secret(&user, Some(&password)).await?),
        None => Ok(service.application_by_secret(id.ok_or(OAuthError::InvalidClient)?, secret).await?),
    }
}

/// The application that calls; it has proved it by a secret.
pub async fn authenticate_confidential(
    service: &Service,
    headers: &HeaderMap,
    form: &Params,
) -> Result<Arc<Application>, OAuthError> {
    let application = authenticate(service, headers, form).await?;
    if application.is_public() { Err(OAuthError::InvalidClient) } else { Ok(application) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(values: &[&'static str], expect: Result<Option<Authorization<'_>>, &str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        let got = authorization(&headers).map_err(|error| error.parts().1);
        assert_eq!(got, expect, "{values:?}");
    }

    #[test]
    fn headers() {
        let basic = |user: &str, password: &str| Ok(Some(Authorization::Basic(user.to_owned(), password.to_owned())));
        check(&[], Ok(None));
        // RFC 6749 section 2.3.1's own example.
        check(&["Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"], basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"));
        // a%3Ab:c%2Bd+e
        check(&["basic YSUzQWI6YyUyQmQrZQ=="], basic("a:b", "c+d e"));
        check(&["BASIC Og=="], basic("", ""));
        check(&["Bearer abc"], Ok(Some(Authorization::Bearer("abc"))));
        check(&["Bearer"], Ok(Some(Authorization::Bearer(""))));
        check(&["Basic"], Err("invalid_client"));
        check(&["Basic !!!"], Err("invalid_client"));
        check(&["Basic YWJj"], Err("invalid_client"));
        check(&["Basic JUZGOmE="], Err("invalid_client"));
        check(&["Digest x"], Err("invalid_client"));
        check(&["Basic Og==", "Basic Og=="], Err("invalid_request"));
    }
}
