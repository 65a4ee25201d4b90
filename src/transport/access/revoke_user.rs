//! `POST /client/v4/{accounts|zones}/{id}/access/organizations/revoke_user`.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::AccessCaller;
use super::error::{AccessApiError, AccessMessage, AccessRefusals};
use crate::domain::params::Params;
use crate::limits;
use crate::service::access::AccessRevocation;
use crate::transport::http::AppState;

/// What this door works with.
pub type Shared = Arc<AppState>;

/// What is asked for. Members that are not known here are left alone, as Cloudflare leaves them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
pub struct RevokeUser {
    /// The user's e-mail address.
    #[schema(format = Email, example = "alice@example.com")]
    pub email: String,
    /// Whether his devices are revoked too. It may be in the query as well.
    pub devices: Option<bool>,
    /// The same: npm's `cloudflare` calls it so, in its arguments and, untranslated, on the wire.
    pub body_devices: Option<bool>,
    /// His UUID: he must be the one who has the address.
    #[schema(format = "uuid")]
    pub user_uid: Option<String>,
    /// Whether his gateway sessions and web sessions end too.
    pub warp_session_reauth: Option<bool>,
    /// Why, for the log. Ours, not Cloudflare's.
    pub reason: Option<String>,
}

/// The envelope of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokeUserAnswer {
    /// Whether there was anything to revoke.
    pub result: bool,
    /// Always true.
    pub success: bool,
    /// None.
    pub errors: Vec<AccessMessage>,
    /// None.
    pub messages: Vec<AccessMessage>,
}

/// Revokes a user's tokens, by an account's id.
///
/// Every authorization of every application is revoked, in one act; with `devices` his devices too, with
/// `warp_session_reauth` his sessions.
#[utoipa::path(
    post, operation_id = "revoke_user_of_account", path = "/client/v4/accounts/{account_id}/access/organizations/revoke_user", tag = "access",
    params(
        ("account_id" = String, Path, description = "One that is configured", example = "acme"),
        ("devices" = Option<bool>, Query, description = "Whether his devices are revoked too"),
    ),
    request_body(content = RevokeUser, content_type = "application/json"),
    responses(
        (status = 200, description = "They are refused everywhere", body = RevokeUserAnswer),
        AccessRefusals,
    ),
    security(("api_key" = []), ("auth_email" = [], "auth_key" = [])),
)]
pub async fn of_account(
    State(state): State<Shared>,
    caller: AccessCaller,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RevokeUserAnswer>, AccessApiError> {
    check_id(&state.settings.access_accounts, id)?;
    revoke(&state, caller, query, request).await
}

/// The same by a zone's id.
#[utoipa::path(
    post, operation_id = "revoke_user_of_zone", path = "/client/v4/zones/{zone_id}/access/organizations/revoke_user", tag = "access",
    params(
        ("zone_id" = String, Path, description = "One that is configured", example = "acme-zone"),
        ("devices" = Option<bool>, Query, description = "Whether his devices are revoked too"),
    ),
    request_body(content = RevokeUser, content_type = "application/json"),
    responses(
        (status = 200, description = "They are refused everywhere", body = RevokeUserAnswer),
        AccessRefusals,
    ),
    security(("api_key" = []), ("auth_email" = [], "auth_key" = [])),
)]
pub async fn of_zone(
    State(state): State<Shared>,
    caller: AccessCaller,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<RevokeUserAnswer>, AccessApiError> {
    check_id(&state.settings.access_zones, id)?;
    revoke(&state, caller, query, request).await
}

fn check_id(known: &[String], id: Result<Path<String>, PathRejection>) -> Result<(), AccessApiError> {
    let Path(id) = id.map_err(|_| AccessApiError::NoRoute)?;
    if known.contains(&id) { Ok(()) } else { Err(AccessApiError::NoRoute) }
}

async fn revoke(
    state: &AppState,
    AccessCaller(context): AccessCaller,
    query: Option<String>,
    request: Request,
) -> Result<Json<RevokeUserAnswer>, AccessApiError> {
    let in_query = devices_in_query(query.as_deref().unwrap_or_default())?;
    let (parts, body) = request.into_parts();
    let wanted = read(&parts.headers, body).await?;
    let wanted = AccessRevocation {
        email: wanted.email,
        user_uid: wanted.user_uid,
        devices: in_query || wanted.devices == Some(true) || wanted.body_devices == Some(true),
        gateway_sessions: wanted.warp_session_reauth == Some(true),
        reason: wanted.reason,
    };
    let revoked = state.service.revoke_user_access(&context, wanted).await?;
    Ok(Json(RevokeUserAnswer { result: revoked.is_any(), success: true, errors: Vec::new(), messages: Vec::new() }))
}

fn devices_in_query(query: &str) -> Result<bool, AccessApiError> {
    let params = Params::parse(query.as_bytes()).map_err(|_| AccessApiError::invalid("the query can't be read"))?;
    match params.get("devices") {
        _ if params.is_repeated("devices") => Err(AccessApiError::invalid("devices is in the query more than once")),
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(AccessApiError::invalid("devices must be true or false")),
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<RevokeUser, AccessApiError> {
    if let Some(kind) = headers.get(header::CONTENT_TYPE) {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(AccessApiError::UnsupportedMediaType);
        }
    }
    let bytes = to_bytes(body, limits::ACCESS_BODY_BYTES_MAX).await.map_err(|_| AccessApiError::TooLarge)?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<RevokeUser, AccessApiError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| AccessApiError::invalid(format!("the body is no JSON: {error}")))?;
    if value.as_object().is_none_or(|members| members.get("email").is_none_or(Value::is_null)) {
        return Err(AccessApiError::invalid("the body must be a JSON object with the member email"));
    }
    let wanted: RevokeUser =
        serde_json::from_value(value).map_err(|error| AccessApiError::invalid(format!("in the body: {error}")))?;
    if !is_email(&wanted.email) {
        return Err(AccessApiError::invalid("email is no e-mail address"));
    }
    if !wanted.user_uid.as_deref().is_none_or(is_uuid) {
        return Err(AccessApiError::invalid("user_uid is no UUID"));
    }
    Ok(wanted)
}

/// As far as it takes to tell an address from something else; whether somebody has it is another question.
fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    !local.is_empty() && !host.is_empty() && !host.starts_with('.') && text.len() <= 254 && text.chars().all(plain)
}

/// RFC 9562 section 4.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0F8fad5b-d9cb-869f-8165-000000000003";

    fn check(body: &str, expect: Result<&RevokeUser, &str>) {
        let got = parse(body.as_bytes()).map_err(|error| error.to_string());
        match (&got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{body}"),
            (Err(got), Err(expect)) => assert!(got.contains(expect), "{body}: {got}"),
            _ => panic!("{body}: {got:?}"),
        }
    }

    #[test]
    fn bodies() {
        let plain = RevokeUser { email: "alice@example.com".to_owned(), ..RevokeUser::default() };
        check(r#"{"email":"alice@example.com"}"#, Ok(&plain));
        check(r#"{"email":"alice@example.com","devices":null,"user_uid":null,"other":[1]}"#, Ok(&plain));
        let all = RevokeUser {
            devices: Some(true),
            user_uid: Some(UUID.to_owned()),
            warp_session_reauth: Some(false),
            reason: Some("lost".to_owned()),
            ..plain.clone()
        };
        let npm = RevokeUser { body_devices: Some(true), ..plain };
        check(r#"{"email":"alice@example.com","body_devices":true}"#, Ok(&npm));
        let body = format!(
            r#"{{"email":"alice@example.com","devices":true,"user_uid":"{UUID}","warp_session_reauth":false,"reason":"lost"}}"#
        );
        check(&body, Ok(&all));
        for (body, expect) in [
            ("", "no JSON"),
            ("{", "no JSON"),
            ("null", "with the member email"),
            ("[]", "with the member email"),
            (r#""alice@example.com""#, "with the member email"),
            ("{}", "with the member email"),
            (r#"{"email":null}"#, "with the member email"),
            (r#"{"email":1}"#, "expected a string"),
            (r#"{"email":""}"#, "no e-mail address"),
            (r#"{"email":"alice"}"#, "no e-mail address"),
            (r#"{"email":"@example.com"}"#, "no e-mail address"),
            (r#"{"email":"alice@"}"#, "no e-mail address"),
            (r#"{"email":"a lice@example.com"}"#, "no e-mail address"),
            (r#"{"email":"alice@example.com\u0000"}"#, "no e-mail address"),
            (r#"{"email":"a@b","devices":"true"}"#, "expected a boolean"),
            (r#"{"email":"a@b","warp_session_reauth":1}"#, "expected a boolean"),
            (r#"{"email":"a@b","user_uid":"3"}"#, "no UUID"),
            (r#"{"email":"a@b","user_uid":"0f8fad5bd9cb869f8165000000000003"}"#, "no UUID"),
        ] {
            check(body, Err(expect));
        }
    }

    #[test]
    fn devices_may_be_in_the_query() {
        for (query, expect) in [
            ("", Some(false)),
            ("x=1", Some(false)),
            ("devices=true", Some(true)),
            ("devices=false", Some(false)),
            ("devices=", Some(false)),
            ("devices=1", None),
            ("devices=True", None),
            ("devices=true&devices=true", None),
        ] {
            assert_eq!(devices_in_query(query).ok(), expect, "{query}");
        }
    }
}
