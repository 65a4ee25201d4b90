//! `POST /oauth2/introspect` (RFC 7662).
//!
//! Any confidential client may ask about any access token: that is what resource servers do. A refresh token is active
//! only to the client that it was issued to, and to administrators: no resource server may take one for an access token. The
//! paired Odoo is a resource server that shows the pairing's credential.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use utoipa::ToSchema;

use super::client_auth::{Authorization, authenticate_confidential, authorization};
use super::error::{ErrorBody, OAuthError};
use super::form::{self, Params};
use super::{Shared, set_no_store};
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::token::{Claims, TokenKind};
use crate::service::Service;
use crate::service::api_keys::RPC_SCOPE;
use crate::service::built_in::is_built_in;
use crate::service::verify::Verified;
use crate::store::applications::ModelScheme;
use crate::transport::odoo::paired::DATABASE;

/// RFC 7662 section 2.2. All but `active` only if it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Introspection)]
pub(crate) struct Active<'a> {
    active: bool,
    #[schema(required = false)]
    scope: &'a str,
    #[schema(required = false)]
    client_id: &'a str,
    /// The user's login.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    /// RFC 6749 section 5.1; a refresh token has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[schema(required = false)]
    iat: i64,
    /// The user's id; for an application in its own name its `client_id`.
    #[schema(required = false, value_type = String)]
    sub: Subject<'a>,
    #[schema(required = false)]
    iss: &'a str,
    #[schema(required = false)]
    orest: Extension<'a>,
}

/// The user's id; for an application in its own name its `client_id`.
enum Subject<'a> {
    User(UserId),
    Application(&'a str),
}

impl Serialize for Subject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::User(id) => serializer.collect_str(id),
            Self::Application(client_id) => serializer.serialize_str(client_id),
        }
    }
}

/// What no standard has a word for.
#[derive(Serialize, ToSchema)]
#[schema(as = IntrospectionExtension)]
pub(crate) struct Extension<'a> {
    authorization_id: i64,
    application: &'a str,
    /// `access_token` or `refresh_token`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_scheme: Option<Scheme<'a>>,
}

/// To which models of Odoo the application is held.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelScheme)]
pub(crate) struct Scheme<'a> {
    name: &'a str,
    /// `none`, `blacklist` or `whitelist`.
    model_limit: &'a str,
    #[serde(serialize_with = "models")]
    #[schema(value_type = Vec<Object>)]
    models: &'a [(String, String, Vec<String>)],
}

fn models<S: Serializer>(models: &[(String, String, Vec<String>)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Model<'a> {
        model: &'a str,
        field_limit: &'a str,
        fields: &'a [String],
    }
    let mut list = serializer.serialize_seq(Some(models.len()))?;
    for (model, field_limit, fields) in models {
        list.serialize_element(&Model { model, field_limit, fields })?;
    }
    list.end()
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// RFC 7662 section 2.1.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form")]
pub(crate) struct IntrospectionRequest {
    /// An access or refresh token.
    token: String,
    /// Not needed: a token says itself what it is.
    token_type_hint: Option<String>,
    /// If it is not in the `Authorization` header.
    client_id: Option<String>,
    /// If it is not in the `Authorization` header.
    client_secret: Option<String>,
}

/// Who asks.
enum Asker {
    /// A client.
    Application(ApplicationId),
    /// An administrator, by API key.
    Administrator,
    /// The paired Odoo, where access tokens are used in place of API keys.
    Odoo,
}

/// Says whether a token is good (RFC 7662).
///
/// A confidential client asks, or an administrator by API key.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "oauth2",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Active<'_>),
        (status = "4XX", description = "RFC 7662 section 2.3", body = ErrorBody<'_>),
        (status = 503, description = "The database can't answer: says nothing of the token", body = ErrorBody<'_>),
    ),
    security((), ("client_secret_basic" = []), ("api_key" = [])),
)]
pub async fn introspect(State(state): State<Shared>, request: Request) -> Result<Response, OAuthError> {
    let (parts, body) = request.into_parts();
    let form = form::read_parts(&parts.headers, body).await?;
    let service = &state.service;
    let asker = asker(service, &parts.headers, &form).await?;
    let token = form.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let verdict = match service.verify_in_memory(token) {
        Some(verdict) => verdict,
        None => service.verify(token).await?,
    };
    let mut response = match verdict {
        Ok(verified) if may_see(&asker, &verified) => {
            let scheme = scheme_of(service, &verified).await?;
            Json(describe(&verified, scheme.as_deref(), &state.settings.base_url)).into_response()
        }
        Ok(_) | Err(_) => Json(Inactive { active: false }).into_response(),
    };
    set_no_store(response.headers_mut());
    Ok(response)
}

async fn asker(service: &Service, headers: &HeaderMap, form: &Params) -> Result<Asker, OAuthError> {
    if let Some(Authorization::Bearer(key)) = authorization(headers)? {
        // From memory: Odoo asks with each of its own calls.
        if service.is_pairing_credential(key).await? {
            let database = headers.get(DATABASE).map(|uuid| uuid.to_str().unwrap_or_default());
            service.check_database(database).map_err(|_| OAuthError::InvalidToken)?;
            return Ok(Asker::Odoo);
        }
        let user = service.user_by_api_key(key, RPC_SCOPE).await?.ok_or(OAuthError::InvalidToken)?;
        if !Service::actor(&user).is_orest_admin() {
            return Err(OAuthError::InsufficientScope("this needs the group REST API Admin".into()));
        }
        return Ok(Asker::Administrator);
    }
    Ok(Asker::Application(authenticate_confidential(service, headers, form).await?.id))
}

fn may_see(asker: &Asker, verified: &Verified) -> bool {
    match asker {
        Asker::Administrator => true,
        // An administrator's session may do anything here, and is known to nobody else.
        Asker::Odoo | Asker::Application(_) if is_built_in(&verified.application) => false,
        // Odoo goes by the number, under which somebody else may be known there as long as he has not come from it.
        Asker::Odoo => verified.kind == TokenKind::Access && verified.user.as_ref().is_none_or(|user| user.from_odoo),
        Asker::Application(id) => verified.kind == TokenKind::Access || *id == verified.application.id,
    }
}

async fn scheme_of(service: &Service, verified: &Verified) -> Result<Option<Arc<ModelScheme>>, OAuthError> {
    match verified.application.model_scheme {
        Some(id) => Ok(Some(service.model_scheme(id).await?)),
        None => Ok(None),
    }
}

fn describe<'a>(verified: &'a Verified, scheme: Option<&'a ModelScheme>, issuer: &'a str) -> Active<'a> {
    let application = &verified.application;
    let claims = &verified.claims;
    let (kind, token_type) = match verified.kind {
        TokenKind::Access => ("access_token", Some("Bearer")),
        TokenKind::Refresh => ("refresh_token", None),
        TokenKind::Gateway => ("gateway_session", None),
    };
    Active {
        active: true,
        scope: &verified.scope,
        client_id: &application.client_id,
        username: verified.user.as_ref().map(|user| user.login()),
        token_type,
        exp: Some(claims.expires_at).filter(|at| *at != Claims::NEVER),
        iat: claims.issued_at,
        sub: match &verified.user {
            Some(user) => Subject::User(user.id),
            None => Subject::Application(&application.client_id),
        },
        iss: issuer,
        orest: Extension {
            authorization_id: claims.authorization.0,
            application: &application.name,
            kind,
            device_id: verified.device.map(|device| device.0),
            model_scheme: scheme.map(|scheme| Scheme {
                name: &scheme.name,
                model_limit: &scheme.model_limit,
                models: &scheme.models,
            }),
        },
    }
}
