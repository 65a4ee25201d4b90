//! `/oauth2/authorize` (RFC 6749 section 4.1.1): an application asks, a person answers.
//!
//! Consent is asked for each time: that is what makes a revocation hold. While the service is paired with an Odoo, it is asked
//! for there (see [`super::odoo`]), and the page here is not shown.

use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::html;
use utoipa::ToSchema;

use super::super::Shared;
use super::super::form::{self, Params};
use super::csrf::{self, Purpose};
use super::page::{PageRefusals, failed, form_targets, page, problem, see_other};
use super::sign_in::{address, sign_out_form, signed_in, stale, unreadable};
use super::{cookies, odoo, user_agent};
use crate::domain::revocation::Channel;
use crate::domain::secret::Secret;
use crate::service::authorize::{AuthorizationRequest, Callback, Refused};
use crate::service::issue::{Consent, GrantError};
use crate::service::sessions::Session;
use crate::service::{Context, Error, Service};
use crate::transport::http::{AppState, Peer};

/// Where this page is.
pub const PATH: &str = "/oauth2/authorize";

/// Puts an application's request before a person (RFC 6749 section 4.1.1).
///
/// What can't be told to the application is told to the person; all else is told to it at its `redirect_uri`.
#[utoipa::path(
    get, path = "/oauth2/authorize", tag = "pages", operation_id = "authorize",
    params(
        ("client_id" = String, Query, description = "Who asks"),
        ("response_type" = String, Query, description = "`code`"),
        ("redirect_uri" = Option<String>, Query, description = "One of the application's own; needed if it has several"),
        ("scope" = Option<String>, Query, description = "Not more than the application may ask for; all of that if absent"),
        ("state" = Option<String>, Query, description = "Comes back with the answer"),
        ("code_challenge" = Option<String>, Query, description = "RFC 7636; a public client must send one"),
        ("code_challenge_method" = Option<String>, Query, description = "`S256`"),
        ("response_mode" = Option<String>, Query, description = "`query`"),
        ("prompt" = Option<String>, Query, description = "`login`: sign in anew; `none`: ask nobody"),
    ),
    responses(
        (status = 200, description = "The page that asks for consent", body = String, content_type = "text/html"),
        (status = 303, description = "To where one signs in, to the paired Odoo, or back to the application with an `error`"),
        PageRefusals,
    ),
    security((), ("web_session" = [])),
)]
pub async fn show(State(state): State<Shared>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return unreadable() };
    match put(&state, &headers, &params).await {
        Ok(response) => response,
        Err(refused) => refuse(refused, &state.settings.base_url),
    }
}

async fn put(state: &AppState, headers: &HeaderMap, params: &Params) -> Result<Response, Refused> {
    let asked = state.service.check_request(params).await?;
    let current = signed_in(state, headers).await?;
    if asked.silent {
        let (error, description) = match current {
            None => ("login_required", "the person is not signed in"),
            Some(_) => ("consent_required", "consent is asked for each time"),
        };
        return Err(Refused::Application { callback: asked.callback(), error, description });
    }
    if let Some(pairing) = state.service.current_pairing().await? {
        let mut sent = asked.params();
        if asked.sign_in_again {
            sent.push(("prompt", "login".to_owned()));
        }
        return Ok(odoo::send(state, headers, &pairing, &sent));
    }
    match current {
        Some((session, sid)) if !asked.sign_in_again => {
            let has_logo = state.service.logo(&asked.application.client_id).await?.is_some();
            Ok(consent_page(&asked, &session, sid, &user_agent::describe(headers).name, has_logo))
        }
        _ => Ok(see_other(&address(&path(&asked), asked.sign_in_again))),
    }
}

fn consent_page(asked: &AuthorizationRequest, session: &Session, sid: &str, device: &str, has_logo: bool) -> Response {
    let name = &asked.application.name;
    let user = &session.user;
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
                dt { "You" } dd { (user.name()) " (" (user.login()) ")" }
                dt { "Device" } dd { (device) }
                dt { "Back to" } dd { (asked.target()) }
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
                "Not " (user.name()) "? " (sign_out_form(sid, &path(asked), "Sign out"))
            }
        },
    )
}

/// What the form of the page carries: the request's own parameters too.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form")]
pub(crate) struct Decision {
    /// `allow` or `deny`; absent: it is a request, as by GET.
    decision: Option<String>,
    /// As the page has it.
    csrf_token: Option<String>,
    client_id: Option<String>,
    response_type: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// Takes the person's decision; a form without one is a request (RFC 6749 section 3.1 allows both methods).
#[utoipa::path(
    post, path = "/oauth2/authorize", tag = "pages", operation_id = "decide",
    request_body(content = Decision, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Back to the application, with a `code` or an `error`; or to the page that asks"),
        PageRefusals,
    ),
    security((), ("web_session" = [])),
)]
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
        Some(decision) => match state.service.current_pairing().await {
            Ok(None) => take(&state, &headers, &params, decision, address).await,
            // A page from before the pairing decides nothing any more.
            Ok(Some(_)) => Ok(stale()),
            Err(error) => Err(error.into()),
        },
        None => state.service.check_request(&params).await.map(|asked| see_other(&path(&asked))),
    };
    outcome.unwrap_or_else(|refused| refuse(refused, issuer))
}

async fn take(
    state: &AppState,
    headers: &HeaderMap,
    params: &Params,
    decision: &str,
    from: Option<std::net::IpAddr>,
) -> Result<Response, Refused> {
    let Some((session, sid)) = signed_in(state, headers).await? else {
        // The session ended while the page was open.
        let asked = state.service.check_request(params).await?;
        return Ok(see_other(&address(&path(&asked), false)));
    };
    if !csrf::is_ours(&state.settings, headers, Purpose::Consent, sid, params.get("csrf_token")) {
        return Ok(stale());
    }
    let asked = state.service.check_request(params).await?;
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
    let again = path(&asked);
    let consent = Consent {
        application: asked.application,
        redirect_uri: asked.redirect_uri,
        redirect_uri_sent: asked.redirect_uri_sent,
        scope: asked.scope,
        challenge: asked.challenge,
        device: Some(device),
        session: Some(session.id),
    };
    let known = cookies::get(headers, cookies::DEVICE).is_some();
    let granted = state.service.consent(&context, consent).await.map(|code| (code, cookie.filter(|_| !known)));
    answer(state, &callback, granted, || see_other(&address(&again, false)))
}

/// Leads back to the application with the code. `anew`: what the person is shown if he may no longer consent like this, because
/// his session ended, or the device was revoked, while the decision was on its way.
pub(super) fn answer(
    state: &AppState,
    callback: &Callback,
    granted: Result<(Secret, Option<Secret>), GrantError>,
    anew: impl FnOnce() -> Response,
) -> Result<Response, Refused> {
    let refuse = |error, description| Err(Refused::Application { callback: callback.clone(), error, description });
    match granted {
        Ok((code, device)) => {
            let mut response = see_other(&callback.with(&state.settings.base_url, &[("code", code.reveal())]));
            if let Some(device) = device {
                let (settings, age) = (&state.settings, Some(cookies::DEVICE_AGE));
                cookies::set(response.headers_mut(), settings, cookies::DEVICE, device.reveal(), age);
            }
            Ok(response)
        }
        Err(GrantError::Service(Error::Unauthenticated)) => Ok(anew()),
        // The address was taken from the application a moment ago: it is nowhere to send anything.
        Err(GrantError::InvalidGrant(_)) => Err(Refused::Page("The address of the answer is no longer registered.")),
        Err(GrantError::InvalidScope) => {
            refuse("invalid_scope", "the scope is wider than what the application may ask for")
        }
        Err(GrantError::UnauthorizedClient(description)) => refuse("unauthorized_client", description),
        Err(GrantError::Service(error)) => Err(error.into()),
    }
}

/// The answer to a request that may not be put before a person.
pub(super) fn refuse(refused: Refused, issuer: &str) -> Response {
    match refused {
        Refused::Page(text) => problem(StatusCode::BAD_REQUEST, "The application's request is wrong", text),
        Refused::Application { callback, error, description } => {
            see_other(&callback.with(issuer, &[("error", error), ("error_description", description)]))
        }
        Refused::Failed(error) => failed(error),
    }
}

/// The path of the same request.
fn path(asked: &AuthorizationRequest) -> String {
    format!("{PATH}?{}", asked.query())
}
