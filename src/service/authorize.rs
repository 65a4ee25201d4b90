//! What an application asks for at the authorization endpoint (RFC 6749 section 4.1.1), before anybody is asked.
//!
//! Until it is sure that the callback address is the application's own, whatever is wrong is shown to the person; from then
//! on the application is told.

use std::sync::Arc;

use super::{Error, Service};
use crate::domain::application::Application;
use crate::domain::params::Params;
use crate::domain::pkce::CodeChallenge;
use crate::domain::scope::Scope;

/// A request that may be put before a person.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Who asks.
    pub application: Arc<Application>,
    /// Where the answer goes; one of the application's own addresses.
    pub redirect_uri: String,
    /// Whether the request named it.
    pub redirect_uri_sent: bool,
    /// What the application wants back.
    pub state: Option<String>,
    /// What it asks for.
    pub scope: Scope,
    /// RFC 7636.
    pub challenge: Option<CodeChallenge>,
    /// The application wants the person to sign in anew.
    pub sign_in_again: bool,
    /// The application wants an answer without asking the person.
    pub silent: bool,
}

/// Why it may not.
#[derive(Debug)]
pub enum Refused {
    /// Nobody can be sure where to send the browser: a page.
    Page(&'static str),
    /// The application is told.
    Application {
        /// Where.
        callback: Callback,
        /// RFC 6749 section 4.1.2.1.
        error: &'static str,
        /// For people.
        description: &'static str,
    },
    /// The service can't say.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where the answer goes.
#[derive(Clone, Debug)]
pub struct Callback {
    redirect_uri: String,
    state: Option<String>,
}

impl Callback {
    /// The callback address with the answer in its query, and who gives it (RFC 9207).
    pub fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        let uri = &self.redirect_uri;
        let joint = match uri.split_once('?') {
            None => "?",
            Some((_, own)) if own.is_empty() || own.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{uri}{joint}{}", query.finish())
    }
}

impl Service {
    /// Checks a request, in the order in which it becomes safe to tell.
    pub async fn check_request(&self, params: &Params) -> Result<AuthorizationRequest, Refused> {
        check(self, params).await
    }
}

async fn check(service: &Service, params: &Params) -> Result<AuthorizationRequest, Refused> {
    if params.is_repeated("client_id") || params.is_repeated("redirect_uri") {
        return Err(Refused::Page("A parameter is there more than once. Tell those who run the application."));
    }
    let client_id = params.get("client_id").ok_or(Refused::Page(
        "It does not say which application it comes from (client_id). Tell those who run the application.",
    ))?;
    let application = service
        .client(client_id)
        .await?
        .filter(|application| application.active)
        .ok_or(Refused::Page("The application is not known here, or no longer allowed. Ask your administrator."))?;
    let redirect_uri_sent = params.get("redirect_uri").is_some();
    let redirect_uri = match params.get("redirect_uri") {
        Some(uri) if service.is_redirect_uri(&application, uri).await? => uri.to_owned(),
        Some(_) => {
            return Err(Refused::Page(
                "It wants the answer sent to an address that is not registered for this application \
                 (redirect_uri). Ask your administrator.",
            ));
        }
        None => service.sole_redirect_uri(&application).await?.ok_or(Refused::Page(
            "It does not say where the answer goes (redirect_uri). Tell those who run the application.",
        ))?,
    };
    let state = params.get("state").filter(|_| !params.is_repeated("state")).map(str::to_owned);
    let refuse = |error, description| {
        let callback = Callback { redirect_uri: redirect_uri.clone(), state: state.clone() };
        Err(Refused::Application { callback, error, description })
    };
    if params.repeated().is_some() {
        return refuse("invalid_request", "a parameter is there more than once");
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return refuse("unsupported_response_type", "response_type must be code"),
        None => return refuse("invalid_request", "response_type is missing"),
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return refuse("invalid_request", "response_mode must be query");
    }
    let challenge = match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (None, None) if application.is_public() => {
            return refuse("invalid_request", "a public client must send a code_challenge (RFC 7636)");
        }
        (None, None) => None,
        (None, Some(_)) => return refuse("invalid_request", "code_challenge is missing"),
        (Some(text), Some("S256")) => match CodeChallenge::parse(text) {
            Some(challenge) => Some(challenge),
            None => return refuse("invalid_request", "code_challenge must be 43 base64url characters"),
        },
        // None means plain (RFC 7636 section 4.3).
        (Some(_), _) => return refuse("invalid_request", "code_challenge_method must be S256"),
    };
    let scope = match params.get("scope").map(Scope::parse) {
        None => application.scope.clone(),
        Some(Ok(scope)) if scope.is_empty() => application.scope.clone(),
        Some(Ok(scope)) if scope.is_subset_of(&application.scope) => scope,
        Some(_) => return refuse("invalid_scope", "the scope is wider than what the application may ask for"),
    };
    let (mut sign_in_again, mut silent) = (false, false);
    for word in params.get("prompt").unwrap_or_default().split(' ') {
        match word {
            "login" | "select_account" => sign_in_again = true,
            "none" => silent = true,
            // Consent is asked for anyway; words that we don't know may be left unheeded.
            _ => {}
        }
    }
    if silent && sign_in_again {
        return refuse("invalid_request", "prompt=none can't be combined");
    }
    Ok(AuthorizationRequest {
        application,
        redirect_uri,
        redirect_uri_sent,
        state,
        scope,
        challenge,
        sign_in_again,
        silent,
    })
}

impl AuthorizationRequest {
    /// Where the answer goes.
    pub fn callback(&self) -> Callback {
        Callback { redirect_uri: self.redirect_uri.clone(), state: self.state.clone() }
    }

    /// The parameters that make the same request again, without `prompt`.
    pub fn params(&self) -> Vec<(&'static str, String)> {
        let mut params = vec![("response_type", "code".to_owned()), ("client_id", self.application.client_id.clone())];
        if self.redirect_uri_sent {
            params.push(("redirect_uri", self.redirect_uri.clone()));
        }
        params.push(("scope", self.scope.to_string()));
        if let Some(state) = &self.state {
            params.push(("state", state.clone()));
        }
        if let Some(challenge) = &self.challenge {
            params.push(("code_challenge", challenge.as_str().to_owned()));
            params.push(("code_challenge_method", "S256".to_owned()));
        }
        params
    }

    /// The same as a query.
    pub fn query(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.params()).finish()
    }

    /// The host of the place where the answer goes, for people.
    pub fn target(&self) -> String {
        let url = url::Url::parse(&self.redirect_uri).ok();
        url.as_ref().and_then(url::Url::host_str).unwrap_or(&self.redirect_uri).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks() {
        for (uri, expect) in [
            ("https://a.example/cb", "https://a.example/cb?code=x+%26y&state=s&iss=https%3A%2F%2Fi"),
            ("https://a.example/cb?", "https://a.example/cb?code=x+%26y&state=s&iss=https%3A%2F%2Fi"),
            ("https://a.example/cb?own=1", "https://a.example/cb?own=1&code=x+%26y&state=s&iss=https%3A%2F%2Fi"),
            ("com.example:/cb", "com.example:/cb?code=x+%26y&state=s&iss=https%3A%2F%2Fi"),
        ] {
            let callback = Callback { redirect_uri: uri.to_owned(), state: Some("s".to_owned()) };
            assert_eq!(callback.with("https://i", &[("code", "x &y")]), expect);
        }
    }
}
