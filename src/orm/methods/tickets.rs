//! What the module in the paired Odoo asks and tells of the people whose browsers come to it (`docs/adr/0010`).

use std::time::Duration;

use serde_json::{Value, json};

use super::pairing::{method, text, wrong};
use crate::domain::ids::UserId;
use crate::domain::ticket::Purpose;
use crate::domain::time::Timestamp;
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::service::authorize::Refused;
use crate::service::tickets::{Brought, What};

/// How long ago, in seconds, the user has signed in to Odoo in this browser; the two clocks may differ. False: nobody knows;
/// none: an older module, which doesn't say.
const SIGNED_IN: Param = Param::optional("signed_in_seconds", "null");

/// The methods of this file.
pub const METHODS: &[Method] = &[
    method(
        "describe_request",
        &[Param::required("query"), Param::required("user_id"), SIGNED_IN],
        describe_request,
        "Says what to put before the user whose browser came with this query string, or where to send it instead, or that he must \
         sign in anew first.",
    ),
    method(
        "approve_request",
        &[Param::required("query"), Param::required("user_id"), Param::optional("purpose", "false"), SIGNED_IN],
        approve_request,
        "The user said yes, or signs in: gives the address to which his browser must be sent. With a purpose, only for that.",
    ),
];

/// The user whom Odoo names, who must be known here.
async fn user(env: &Env<'_>, value: &Value) -> Result<UserId, OdooError> {
    let id = value.as_i64().map(UserId);
    let id = id.ok_or_else(|| wrong("user_id", "the id of a user"))?;
    match env.orm.service.acting(id).await {
        Ok(Some(_)) => Ok(id),
        Ok(None) => Err(OdooError::unknown_user(id.0)),
        Err(error) => Err(env.refused(error)),
    }
}

fn module_is_older() -> OdooError {
    OdooError::user(
        "A device or a session of yours was revoked, so you must sign in anew, and this Odoo's oREST module doesn't say when you \
         did: ask your administrator to update it.",
    )
}

/// When the user signed in to Odoo, by our clock.
fn signed_in_at(env: &Env<'_>, value: &Value) -> Result<Option<Timestamp>, OdooError> {
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        value => {
            let seconds = value.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
            let seconds = seconds.ok_or_else(|| wrong("signed_in_seconds", "a number of seconds"))?;
            Ok(Some(env.now() - Duration::from_secs(seconds.into())))
        }
    }
}

/// What the browser came with; `Err(Ok(…))`: the answer, if the application must be told of an error.
async fn brought(env: &Env<'_>, query: &Value) -> Result<Brought, Result<Value, OdooError>> {
    let query = text(query, "query").map_err(Err)?;
    let brought = env.orm.service.read_brought(&env.caller.context, query).await;
    brought.map_err(|refused| match refused {
        Refused::Page(message) => Err(OdooError::user(format!("The application's request is wrong. {message}"))),
        Refused::Application { callback, error, description } => {
            let answer = [("error", error), ("error_description", description)];
            Ok(json!({"redirect": callback.with(&env.orm.base_url, &answer)}))
        }
        Refused::Failed(error) => Err(env.refused(error)),
    })
}

fn describe_request<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let brought = match brought(env, arguments.get("query")).await {
            Ok(brought) => brought,
            Err(answer) => return answer,
        };
        let user = user(env, arguments.get("user_id")).await?;
        let service = &env.orm.service;
        let signed_in = arguments.get("signed_in_seconds");
        let anew = service.must_sign_in_anew(user, signed_in_at(env, signed_in)?).await;
        if anew.map_err(|error| env.refused(error))? {
            return if signed_in.is_null() { Err(module_is_older()) } else { Ok(json!({"sign_in_anew": true})) };
        }
        let base_url = &env.orm.base_url;
        let request = match brought.what {
            What::SignIn(_) => return Ok(json!({"purpose": Purpose::SignIn.as_str()})),
            What::Consent(request) => request,
        };
        let client_id = &request.application.client_id;
        let logo = env.orm.service.logo(client_id).await.map_err(|error| env.refused(error))?;
        let logo = logo.map(|_| format!("{base_url}{}", logo_path(client_id)));
        let denied = [("error", "access_denied"), ("error_description", "the person said no")];
        Ok(json!({
            "purpose": Purpose::Consent.as_str(),
            "application": request.application.name,
            "client_id": client_id,
            "logo": logo.map_or(Value::Bool(false), Value::String),
            "scopes": request.scope.iter().collect::<Vec<_>>(),
            "target": request.target(),
            "deny": request.callback().with(base_url, &denied),
        }))
    })
}

fn approve_request<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let brought = match brought(env, arguments.get("query")).await {
            Ok(brought) => brought,
            Err(answer) => return answer,
        };
        let user = user(env, arguments.get("user_id")).await?;
        let purpose = match brought.what {
            What::SignIn(_) => Purpose::SignIn,
            What::Consent(_) => Purpose::Consent,
        };
        match arguments.get("purpose") {
            Value::Null | Value::Bool(false) => {}
            meant if meant.as_str() == Some(purpose.as_str()) => {}
            _ => return Err(OdooError::user("The request is for another purpose. Go back and start again.")),
        }
        let signed_in = arguments.get("signed_in_seconds");
        let signed_in_at = signed_in_at(env, signed_in)?;
        let ticket = env.orm.service.approve(&env.caller.context, user, signed_in_at, brought).await;
        match ticket.map_err(|error| env.refused(error))? {
            Some(ticket) => {
                Ok(json!({"redirect": format!("{}/oauth2/ticket?ticket={}", env.orm.base_url, ticket.reveal())}))
            }
            None if signed_in.is_null() => Err(module_is_older()),
            None => Err(OdooError::user(
                "A device or a session of yours was revoked: sign out of Odoo and in again, then start again.",
            )),
        }
    })
}

/// Where the logo of an application is.
fn logo_path(client_id: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
    format!("/oauth2/logo/{}", encoded.replace('+', "%20"))
}
