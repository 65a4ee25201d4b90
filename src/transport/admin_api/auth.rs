//! Signing in and out, and who calls: `Authorization: Bearer` with a token of an administrator's session.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::body::Members;
use super::error::AdminError;
use super::path::PathParams;
use super::types::{AccessToken, AdminRefusals, Credentials, Login, Profile};
use crate::domain::revocation::Channel;
use crate::domain::token::TokenKind;
use crate::domain::user::Group;
use crate::orm::call::Caller;
use crate::service::records::Records;
use crate::service::sign_in::NotSignedIn;
use crate::service::{Context, Service};
use crate::transport::http::{AppState, Peer};
use crate::transport::oauth::pages::user_agent;

/// The administrator who calls.
#[derive(Debug)]
pub struct Admin {
    /// Who, from where.
    pub context: Context,
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AdminError> {
        let Peer(peer) = parts.extensions.get().copied().unwrap_or(Peer(None));
        let token = bearer(&parts.headers).ok_or_else(AdminError::invalid_session)?;
        let session = state.service.admin_session(token).await?;
        let session = session.filter(|session| session.kind == TokenKind::Access);
        let user = session.ok_or_else(AdminError::invalid_session)?.user;
        Ok(Self { context: Context::new(Service::actor(&user), Channel::AdminApi, peer) })
    }
}

impl Admin {
    /// The records, as he may change them.
    pub fn records(&self, state: &AppState) -> Records {
        let uid = self.context.actor.user.map_or(0, |user| user.0);
        state.orm.records(&Caller { context: self.context.clone(), uid, session: None })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An administrator signs in: by login and API key at `mongodb-cloud`, by login and password at `local-userpass`.
#[utoipa::path(
    post, path = "/api/admin/v3.0/auth/providers/{provider}/login", tag = "app_services", operation_id = "adminLogin",
    params(("provider" = String, Path, description = "`mongodb-cloud` or `local-userpass`")),
    request_body = Credentials,
    responses(
        (status = 200, body = Login),
        AdminRefusals,
    ),
    security(()),
)]
pub async fn login(
    State(state): State<AppState>,
    Peer(peer): Peer,
    path: PathParams,
    headers: HeaderMap,
    body: Members,
) -> Result<Json<Login>, AdminError> {
    let service = &state.service;
    let provider = path.text("provider");
    let found = match provider {
        "mongodb-cloud" => {
            let (login, key) = (body.text("username")?, body.text("apiKey")?);
            match service.user_by_own_api_key(login, key).await? {
                None if service.is_key_of_disabled_user(login, key).await? => return Err(AdminError::user_disabled()),
                found => found,
            }
        }
        "local-userpass" => {
            match service.try_password_of(body.text("username")?, body.text("password")?, peer).await? {
                Ok(signed_in) => Some(signed_in),
                Err(NotSignedIn::Disabled) => return Err(AdminError::user_disabled()),
                Err(NotSignedIn::Unknown) => None,
            }
        }
        unknown => return Err(AdminError::no_provider(unknown)),
    };
    let signed_in = found.ok_or_else(AdminError::unauthorized)?;
    let session = service.open_admin_session(signed_in, user_agent::describe(&headers), peer).await?;
    Ok(Json(session.into()))
}

/// Gives another access token for the refresh token, which stays the same.
#[utoipa::path(
    post, path = "/api/admin/v3.0/auth/session", tag = "app_services", operation_id = "adminCreateSession",
    responses(
        (status = 201, body = AccessToken),
        AdminRefusals,
    ),
    security(("admin_refresh_token" = [])),
)]
pub async fn renew(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<AccessToken>), AdminError> {
    let token = bearer(&headers).ok_or_else(AdminError::invalid_session)?;
    let access = state.service.renew_admin_session(token).await?.ok_or_else(AdminError::invalid_session)?;
    Ok((StatusCode::CREATED, Json(AccessToken { access_token: access.reveal().to_owned() })))
}

/// Ends the session that either of its tokens names.
#[utoipa::path(
    delete, path = "/api/admin/v3.0/auth/session", tag = "app_services", operation_id = "adminDeleteSession",
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_refresh_token" = [])),
)]
pub async fn logout(
    State(state): State<AppState>,
    Peer(peer): Peer,
    headers: HeaderMap,
) -> Result<StatusCode, AdminError> {
    let token = bearer(&headers).ok_or_else(AdminError::invalid_session)?;
    let ended = state.service.close_admin_session(token, peer).await?;
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::invalid_session()) }
}

/// Says who calls, and which project there is.
#[utoipa::path(
    get, path = "/api/admin/v3.0/auth/profile", tag = "app_services", operation_id = "adminGetProfile",
    responses(
        (status = 200, body = Profile),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn profile(State(state): State<AppState>, admin: Admin) -> Result<Json<Profile>, AdminError> {
    let user = state.service.own_profile(&admin.context).await?;
    Ok(Json(Profile::of(&user, admin.context.actor.groups.contains(Group::ErpManager))))
}
