//! By way of the paired Odoo: people sign in and consent there, and their browser comes back with a ticket
//! (`docs/adr/0010`, [`crate::service::tickets`]).

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::super::Shared;
use super::super::form::Params;
use super::authorize::{answer, refuse};
use super::page::{failed, problem, see_other};
use super::sign_in::{address, close_of_others, unreadable};
use super::{cookies, user_agent};
use crate::domain::local_path::local_path;
use crate::domain::secret::SecretHash;
use crate::domain::ticket::Purpose;
use crate::limits;
use crate::service::Error;
use crate::service::issue::Consent;
use crate::service::pairing::Pairing;
use crate::service::tickets::{Browser, Ticket};
use crate::transport::http::{AppState, Peer};

/// Where signing in with Odoo begins.
pub const SIGN_IN: &str = "/oauth2/sign-in";
/// Where the browser brings its ticket.
pub const TICKET: &str = "/oauth2/ticket";

/// Sends a browser to Odoo with these parameters, and ties what comes back to it.
pub fn send(state: &AppState, headers: &HeaderMap, pairing: &Pairing, params: &[(&str, String)]) -> Response {
    let name = cookies::browser(&state.settings);
    // A cookie that is there is kept: the same person may be asked in two tabs.
    let known = cookies::get(headers, name).filter(|value| cookies::is_random(value));
    let fresh = known.is_none().then(|| state.service.random_secret());
    let cookie = known.or(fresh.as_ref().map(|secret| secret.reveal())).unwrap_or_default();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(params).append_pair("browser", SecretHash::of(cookie).as_str());
    let mut response = see_other(&format!("{}/orest/authorize?{}", pairing.odoo_url, query.finish()));
    if let Some(fresh) = fresh {
        cookies::set(response.headers_mut(), &state.settings, name, fresh.reveal(), None);
    }
    response
}

/// Begins signing in with Odoo.
pub async fn sign_in(State(state): State<Shared>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return unreadable() };
    let target = params.get("redirect").and_then(local_path).unwrap_or("/web/login");
    let again = params.get("prompt") == Some("login");
    // Nobody is signed in here because another site's page wants it so: he is shown where he is first.
    let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or_default());
    let Some(pairing) = state.service.pairing().filter(|_| matches!(site, None | Some("same-origin" | "none"))) else {
        return see_other(&address(target, again));
    };
    let mut sent = vec![("purpose", Purpose::SignIn.as_str().to_owned()), ("redirect", target.to_owned())];
    if again {
        sent.push(("prompt", "login".to_owned()));
    }
    send(&state, &headers, &pairing, &sent)
}

/// Takes the ticket that a browser brings from Odoo.
pub async fn ticket(
    State(state): State<Shared>,
    Peer(from): Peer,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(params) = Params::parse(query.unwrap_or_default().as_bytes()) else { return unreadable() };
    let Some(brought) = params.get("ticket") else { return unreadable() };
    let Some(cookie) = cookies::get(&headers, cookies::browser(&state.settings)) else { return without_cookie(&state) };
    let ticket = match state.service.ticket(brought, cookie).await {
        Ok(Some(ticket)) => ticket,
        Ok(None) => return over(),
        Err(error) => return failed(error),
    };
    let browser = Browser {
        device: cookies::get(&headers, cookies::DEVICE).map(str::to_owned),
        description: user_agent::describe(&headers),
        address: from,
    };
    match ticket.purpose {
        Purpose::Consent => consent(&state, ticket, browser).await,
        Purpose::SignIn => open_session(&state, &headers, ticket, browser).await,
    }
}

async fn consent(state: &AppState, ticket: Ticket, browser: Browser) -> Response {
    let issuer = &state.settings.base_url;
    let Ok(params) = Params::parse(ticket.query.as_bytes()) else { return failed(Error::Internal) };
    let asked = match state.service.check_request(&params).await {
        // What was consented to is what is granted: the application may have changed meanwhile.
        Ok(asked) if asked.query() == ticket.query => asked,
        Ok(_) => return over(),
        Err(refused) => return refuse(refused, issuer),
    };
    let callback = asked.callback();
    let consent = Consent {
        application: asked.application,
        redirect_uri: asked.redirect_uri,
        redirect_uri_sent: asked.redirect_uri_sent,
        scope: asked.scope,
        challenge: asked.challenge,
        device: None,
        session: None,
    };
    let granted = state.service.consent_by_ticket(ticket, consent, browser).await;
    answer(state, &callback, granted, over).unwrap_or_else(|refused| refuse(refused, issuer))
}

async fn open_session(state: &AppState, headers: &HeaderMap, ticket: Ticket, browser: Browser) -> Response {
    let Some(target) = local_path(&ticket.query).map(str::to_owned) else { return failed(Error::Internal) };
    let opened = async {
        let user = ticket.user;
        let opened = state.service.sign_in_by_ticket(ticket, browser).await?;
        close_of_others(state, headers, user, None).await?;
        Ok::<_, Error>(opened)
    };
    let (session, device) = match opened.await {
        Ok(opened) => opened,
        Err(Error::Unauthenticated) => return over(),
        Err(error) => return failed(error),
    };
    let mut response = see_other(&target);
    let (out, settings) = (response.headers_mut(), &state.settings);
    cookies::set(out, settings, cookies::SESSION, session.reveal(), Some(limits::SESSION_INACTIVITY));
    if let Some(device) = device {
        cookies::set(out, settings, cookies::DEVICE, device.reveal(), Some(cookies::DEVICE_AGE));
    }
    response
}

/// The ticket is none, or was taken, or has ended, or is another browser's: nobody needs to know which.
fn over() -> Response {
    let text = "What you answered in Odoo is good once, for a minute, in the browser in which you began, and as long as \
                nothing has changed. Go back to where you came from and start again.";
    problem(StatusCode::FORBIDDEN, "Please start again", text)
}

fn without_cookie(state: &AppState) -> Response {
    let text = format!(
        "This browser has not sent the cookie that it got when you began. Cookies may be off: allow them for {}. Or you began \
         in another browser, or at another address of this service. Then go back to where you came from and start again.",
        state.settings.base_url
    );
    problem(StatusCode::FORBIDDEN, "A cookie is missing", &text)
}
