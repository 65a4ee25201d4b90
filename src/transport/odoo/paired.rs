//! Who calls when the paired Odoo does: it says so itself, in headers that nobody else may send (`docs/adr/0010`).

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::domain::ids::UserId;
use crate::domain::revocation::Channel;
use crate::domain::user::Actor;
use crate::orm::call::Caller;
use crate::orm::error::{Exception, OdooError};
use crate::orm::models::pairing::PAIRING;
use crate::service::Context;
use crate::service::pairing::SUPERUSER;
use crate::transport::http::AppState;

const USER: &str = "x-orest-user";
const ADDRESS: &str = "x-orest-address";
const CHANNEL: &str = "x-orest-channel";
const MODULE: &str = "x-orest-module";
/// Which of Odoo's databases calls.
pub const DATABASE: &str = "x-orest-database";

/// Everything that Odoo says of a call beside the call itself.
pub const HEADERS: [&str; 5] = [USER, ADDRESS, CHANNEL, MODULE, DATABASE];

/// The doors within Odoo that a call may come through.
const CHANNELS: [Channel; 3] = [Channel::Rpc, Channel::Unlink, Channel::ServerAction];

/// The caller, as the paired Odoo names him. The credential has been checked.
///
/// # Errors
/// [`Exception::UnknownUser`]: he has not come from Odoo yet; `AccessDenied`: he is disabled; `AccessError`: nobody is
/// named and the model is not `orest.pairing`; `UnprocessableEntity`: it is a copy of the Odoo that is paired.
pub async fn caller(
    state: &AppState,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    model: &str,
) -> Result<Caller, OdooError> {
    let database = state.service.check_database(one(headers, DATABASE)?);
    // Nothing is wrong with what the person asks, so it is none of the errors that are his.
    database.map_err(|error| OdooError::new(Exception::UnprocessableEntity, error.to_string()))?;
    let module = one(headers, MODULE)?.map(|version| version.chars().take(40).collect::<String>());
    // Whether the call itself can be done is for the call to find out.
    if let Err(error) = state.service.note_pairing_seen(module.as_deref()).await {
        tracing::warn!(%error, "could not note that Odoo has called");
    }
    let channel = match one(headers, CHANNEL)? {
        None => Channel::Rpc,
        Some(text) => {
            let known = CHANNELS.into_iter().find(|channel| channel.as_str() == text);
            known.ok_or_else(|| unusable(CHANNEL, "rpc, unlink or server_action"))?
        }
    };
    let address = match one(headers, ADDRESS)? {
        None => peer,
        Some(text) => Some(text.parse::<IpAddr>().map_err(|_| unusable(ADDRESS, "an IP address"))?.to_canonical()),
    };
    let user = match one(headers, USER)? {
        None => None,
        Some(text) => Some(UserId(text.parse().map_err(|_| unusable(USER, "the id of a user"))?)),
    };
    let actor = match user {
        None if model == PAIRING.name => Actor::odoo(),
        None => {
            return Err(OdooError::access(format!("{USER} must say who acts: only {} is for nobody.", PAIRING.name)));
        }
        Some(id) => acting(state, id, model).await?,
    };
    let uid = user.unwrap_or(SUPERUSER).0;
    let context = Context { from_odoo: true, ..Context::new(actor, channel, address) };
    Ok(Caller { context, uid, session: None })
}

/// What the pairing itself needs is told in anybody's name, also of one who is only now to become known here.
async fn acting(state: &AppState, id: UserId, model: &str) -> Result<Actor, OdooError> {
    use crate::service::Error;
    match state.service.acting(id).await {
        Ok(Some(actor)) => Ok(actor),
        Ok(None) | Err(Error::Unauthenticated) if model == PAIRING.name => Ok(Actor::odoo()),
        Ok(None) => Err(OdooError::unknown_user(id.0)),
        Err(error) => Err(OdooError::of_service(&error, id.0)),
    }
}

/// The value of a header that may be there once.
fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, OdooError> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(unusable(name, "sent once"));
    }
    let text = first.map(|value| value.to_str().map_err(|_| unusable(name, "plain text"))).transpose()?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

fn unusable(name: &str, what: &str) -> OdooError {
    OdooError::new(Exception::UnprocessableEntity, format!("{name} must be {what}"))
}
