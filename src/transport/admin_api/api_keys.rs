//! Keys of an application: each is that of a user of its own, whose `type` is `server`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::auth::Admin;
use super::body::Members;
use super::error::AdminError;
use super::path::PathParams;
use super::types::ApiKey;
use crate::transport::http::AppState;

/// `GET …/api_keys`
pub async fn list(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
) -> Result<Json<Vec<ApiKey>>, AdminError> {
    let app = path.app()?;
    let keys = state.service.app_keys(&admin.context, app).await?;
    Ok(Json(keys.into_iter().map(ApiKey::from).collect()))
}

/// `GET …/api_keys/{key}`
pub async fn get(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<Json<ApiKey>, AdminError> {
    let (app, id) = path.key()?;
    Ok(Json(state.service.app_key(&admin.context, app, id).await?.into()))
}

/// `POST …/api_keys`: makes one, which is shown this once.
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

/// `DELETE …/api_keys/{key}`
pub async fn delete(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).delete_app_key(app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT …/api_keys/{key}/enable`
pub async fn enable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).set_app_key_active(app, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT …/api_keys/{key}/disable`
pub async fn disable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.key()?;
    admin.records(&state).set_app_key_active(app, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
