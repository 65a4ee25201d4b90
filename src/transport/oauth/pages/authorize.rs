//! `/oauth2/authorize` (RFC 6749 section 4.1.1): an application asks, a person answers.
//!
//! Until it is sure that the callback address is the application's own, whatever is wrong is shown here; from then on the
//! application is told. Consent is asked for each time: that is what makes a revocation hold.

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::html;

use super::super::Shared;
use super::super::form::{self, Params};
use super::csrf::{self, Purpose};
use super::page::{failed, form_targets, page, problem, see_other};
use super::sign_in::{address, sign_out_form, signed_in, stale, unreadable};
use super::{cookies, user_agent};
use crate::domain::application::Application;
use crate::domain::pkce::CodeChallenge;
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::service::issue::{Consent, GrantError};
use crate::service::sign_in::Session;
use crate::service::{Context, Error, Service};
use crate::transport::http::{AppState, Peer};

/// A request that may be put before a person.
struct Asked {
    application: Arc<Application>,
    redirect_uri: String,
    redirect_uri_sent: bool,
    state: Option<String>,
    scope: Scope,
    challenge: Option<CodeChallenge>,
    /// The application wants the person to sign in anew.
    sign_in_again: bool,
    /// The application wants an answer without asking the person.
    silent: bool,
}

/// Why it may not.
enum Refused {
    /// Nobody can be sure where to send the browser: a page.
    Page(&'static str),
    /// The application is told.
    Application { callback: Callback, error: &'static str, description: &'static str },
    /// The service can't say.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where the answer goes.
struct Callback {
    redirect_uri: String,
    state: Option<String>,
}

impl Callback {
    /// The callback address with the answer in its query, and who gives it (RFC 9207).
    fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
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

impl Refused {
    fn render(self, issuer: &str) -> Response {
        match self {
            Self::Page(text) => problem(StatusCode::BAD_REQUEST, "The application's request is wrong", text),
            Self::Application { callback, error, description } => {
                see_other(&callback.with(issuer, &[("error", error), ("error_description", description)]))
            }
            Self::Failed(error) => failed(error),
        }
    }
}

/// Checks a request, in the order in which it becomes safe to tell.
async fn check(service: &Service, params: &Params) -> Result<Asked, Refused> {
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
    Ok(Asked { application, redirect_uri, redirect_uri_sent, state, scope, challenge, sign_in_again, silent })
}

impl Asked {
    fn callback(&self) -> Callback {
        Callback { redirect_uri: self.redirect_uri.clone(), state: self.state.clone() }
    }

    /// The parameters that make the same request again, without `prompt`.
    fn params(&self) -> Vec<(&'static str, String)> {
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

    /// The address of the same request.
    fn address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.params());
        format!("/oauth2/authorize?{}", query.finish())
    }
}

/// Puts a request before the person.
pub async fn show(State(state): State<Shared>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return unreadable() };
    match put(&state, &headers, &params).await {
        Ok(response) => response,
        Err(refused) => refused.render(&state.settings.base_url),
    }
}

async fn put(state: &AppState, headers: &HeaderMap, params: &Params) -> Result<Response, Refused> {
    let asked = check(&state.service, params).await?;
    let current = signed_in(state, headers).await?;
    if asked.silent {
        let (error, description) = match current {
            None => ("login_required", "the person is not signed in"),
            Some(_) => ("consent_required", "consent is asked for each time"),
        };
        return Err(Refused::Application { callback: asked.callback(), error, description });
    }
    match current {
        Some((session, sid)) if !asked.sign_in_again => {
            let has_logo = state.service.logo(&asked.application.client_id).await?.is_some();
            Ok(consent_page(&asked, &session, sid, &user_agent::describe(headers).name, has_logo))
        }
        _ => Ok(see_other(&address(&asked.address(), asked.sign_in_again))),
    }
}

fn consent_page(asked: &Asked, session: &Session, sid: &str, device: &str, has_logo: bool) -> Response {
    let name = &asked.application.name;
    let user = &session.user;
    let target = url::Url::parse(&asked.redirect_uri).ok();
    let target = target.as_ref().and_then(url::Url::host_str).unwrap_or(&asked.redirect_uri);
    let logo = url::form_urlencoded::byte_serialize(asked.application.client_id.as_bytes()).collect::<String>();
    page(
        StatusCode::OK,
        &format!("{name} asks for access"),
        &form_targets(&asked.redirect_uri),
        &html! {
            @if has_logo { img.logo src={ "/oauth2/logo/" (logo.replace('+', "%20")) } alt=""; }
            h1 { "Allow " (name) " to act for you?" }
            @if asked.scope.is_empty() {
                p { "It asks for no more than to know that it is you." }
            } @else {
                p #what { "It asks for:" }
                ul.scopes aria-labelledby="what" { @for scope in asked.scope.iter() { li { code { (scope) } } } }
            }
            dl {
                dt { "You" } dd { (user.name) " (" (user.login) ")" }
                dt { "Device" } dd { (device) }
                dt { "Back to" } dd { (target) }
            }
            form method="post" action="/oauth2/authorize" {
                input type="hidden" name="csrf_token" value=(csrf::token(Purpose::Consent, sid));
                @for (name, value) in asked.params() { input type="hidden" name=(name) value=(value); }
                div.buttons {
                    button type="submit" name="decision" value="deny" { "Deny" }
                    button.main type="submit" name="decision" value="allow" { "Allow" }
                }
            }
            footer.soft {
                p { "You or your administrator can take this back at any time." }
                "Not " (user.name) "? " (sign_out_form(sid, &asked.address(), "Sign out"))
            }
        },
    )
}

/// Takes the person's decision; a form without one is a request (RFC 6749 section 3.1 allows both methods).
pub async fn decide(
    State(state): State<Shared>,
    Peer(address): Peer,
    headers: HeaderMap,
    request: Request,
) -> Response {
    // Not the extractor: a parameter that is there twice is the application's mistake, and it is told so.
    let Ok(params) = form::read(request).await else { return unreadable() };
    let issuer = &state.settings.base_url;
    let outcome = match params.get("decision") {
        None => check(&state.service, &params).await.map(|asked| see_other(&asked.address())),
        Some(decision) => take(&state, &headers, &params, decision, address).await,
    };
    outcome.unwrap_or_else(|refused| refused.render(issuer))
}

async fn take(
    state: &AppState,
    headers: &HeaderMap,
    params: &Params,
    decision: &str,
    from: Option<std::net::IpAddr>,
) -> Result<Response, Refused> {
    let issuer = &state.settings.base_url;
    let Some((session, sid)) = signed_in(state, headers).await? else {
        // The session ended while the page was open.
        let asked = check(&state.service, params).await?;
        return Ok(see_other(&address(&asked.address(), false)));
    };
    if !csrf::is_ours(&state.settings, headers, Purpose::Consent, sid, params.get("csrf_token")) {
        return Ok(stale());
    }
    let asked = check(&state.service, params).await?;
    let callback = asked.callback();
    match decision {
        "allow" => {}
        "deny" => {
            let (error, description) = ("access_denied", "the person said no");
            return Err(Refused::Application { callback, error, description });
        }
        _ => return Ok(unreadable()),
    }
    // A session that was opened over RPC has no device yet.
    let (device, cookie) = match session.device {
        Some(device) => (device, None),
        // Always a new one: a known one may be revoked, and only signing in may lift that.
        None => state.service.note_device(session.user.id, None, user_agent::describe(headers), from).await?,
    };
    let context = Context::new(Service::actor(&session.user), Channel::OauthRevoke, from);
    let again = asked.address();
    let consent = Consent {
        application: asked.application,
        redirect_uri: asked.redirect_uri,
        redirect_uri_sent: asked.redirect_uri_sent,
        scope: asked.scope,
        challenge: asked.challenge,
        device: Some(device),
        session: Some(session.id),
    };
    match state.service.consent(&context, consent).await {
        Ok(code) => {
            let mut response = see_other(&callback.with(issuer, &[("code", code.reveal())]));
            if let Some(cookie) = cookie.filter(|_| cookies::get(headers, cookies::DEVICE).is_none()) {
                let (settings, age) = (&state.settings, Some(cookies::DEVICE_AGE));
                cookies::set(response.headers_mut(), settings, cookies::DEVICE, cookie.reveal(), age);
            }
            Ok(response)
        }
        // The session ended, or the device was revoked, while the decision was on its way.
        Err(GrantError::Service(Error::Unauthenticated)) => Ok(see_other(&address(&again, false))),
        // The address was taken from the application a moment ago: it is nowhere to send anything.
        Err(GrantError::InvalidGrant(_)) => Err(Refused::Page("The address of the answer is no longer registered.")),
        Err(GrantError::InvalidScope) => Err(Refused::Application {
            callback,
            error: "invalid_scope",
            description: "the scope is wider than what the application may ask for",
        }),
        Err(GrantError::UnauthorizedClient(description)) => {
            Err(Refused::Application { callback, error: "unauthorized_client", description })
        }
        Err(GrantError::Service(error)) => Err(error.into()),
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
