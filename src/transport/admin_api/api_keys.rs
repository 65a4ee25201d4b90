//! Keys of an application: each is that of a user of its own, whose `type` is `server`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::auth::Admin;
use super::body::Members;
use super::error::AdminError;
use super::path::{AppPath, KeyPath, PathParams};
use super::types::{AdminRefusals, ApiKey, NewApiKey};
use crate::transport::http::AppState;

/// Lists an application's keys.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys", tag = "app_services", operation_id = "adminListApiKeys",
    params(AppPath),
    responses(
        (status = 200, body = Vec<ApiKey>),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn list(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
) -> Result<Json<Vec<ApiKey>>, AdminError> {
    let app = path.app()?;
    let keys = state.service.app_keys(&admin.context, app).await?;
    Ok(Json(keys.into_iter().map(ApiKey::from).collect()))
}

/// Gives a key, without the key itself.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys/{key}", tag = "app_services", operation_id = "adminGetApiKey",
    params(KeyPath),
    responses(
        (status = 200, body = ApiKey),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn get(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<Json<ApiKey>, AdminError> {
    let (app, id) = path.key()?;
    Ok(Json(state.service.app_key(&admin.context, app, id).await?.into()))
}

/// Makes a key, which is shown this once.
#[utoipa::path(
    post, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys", tag = "app_services", operation_id = "adminCreateApiKey",
    params(AppPath),
    request_body = NewApiKey,
    responses(
        (status = 201, body = ApiKey),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn create(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
    body: Members,
) -> Result<(StatusCode, Json<ApiKey>), AdminError> {
    let app = path.app()?;
    let (made, key) = admin.records(&state).create_app_key(app, body.text("name")?).await?;
    Ok((StatusCode::CREATED, Json(ApiKey { key: Some(key.reveal().to_owned()), ..made.into() })))
}

/// Deletes a key, and its user with it.
#[utoipa::path(
    delete, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys/{key}", tag = "app_services", operation_id = "adminDeleteApiKey",
    params(KeyPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn delete(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).delete_app_key(app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a key be used again.
#[utoipa::path(
    put, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys/{key}/enable", tag = "app_services", operation_id = "adminEnableApiKey",
    params(KeyPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn enable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).set_app_key_active(app, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a key until it is enabled.
#[utoipa::path(
    put, path = "/api/admin/v3.0/groups/{group}/apps/{app}/api_keys/{key}/disable", tag = "app_services", operation_id = "adminDisableApiKey",
    params(KeyPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn disable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).set_app_key_active(app, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
