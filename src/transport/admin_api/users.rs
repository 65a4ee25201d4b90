//! Users of an application.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::auth::Admin;
use super::body::{Members, Query};
use super::error::AdminError;
use super::path::{AppPath, PathParams, UserPath};
use super::types::{AdminRefusals, Device, NewUser, User, UserListQuery};
use crate::domain::identity::PROVIDERS;
use crate::domain::ids::UserId;
use crate::domain::object_id::parse_object_id;
use crate::limits;
use crate::service::app_services::{UserOrder, UserQuery};
use crate::transport::http::AppState;

/// Lists one page of an application's users, 50 at most.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users", tag = "app_services", operation_id = "adminListUsers",
    params(AppPath, UserListQuery),
    responses(
        (status = 200, body = Vec<User>),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn list(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<User>>, AdminError> {
    let app = path.app()?;
    let query = read_query(&Query::parse(query.as_deref()))?;
    let users = state.service.app_users(&admin.context, app, query).await?;
    Ok(Json(users.into_iter().map(User::from).collect()))
}

/// What a list of users is asked for with.
fn read_query(query: &Query) -> Result<UserQuery, AdminError> {
    let active = match query.get("status") {
        None => None,
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        Some(other) => return Err(AdminError::invalid(format!("unknown status '{other}': enabled or disabled"))),
    };
    let mut providers = Vec::new();
    for given in query.list("provider_types") {
        let known = PROVIDERS.into_iter().find(|known| *known == given).ok_or_else(|| {
            AdminError::invalid(format!("unknown provider type '{given}': one of {}", PROVIDERS.join(", ")))
        })?;
        providers.push(known);
    }
    let order = match query.get("sort") {
        None | Some("_id") => UserOrder::Id,
        Some("creation_date") => UserOrder::CreateDate,
        Some("last_authentication_date") => UserOrder::LoginDate,
        Some(other) => {
            let known = "_id, creation_date or last_authentication_date";
            return Err(AdminError::invalid(format!("users can't be sorted by '{other}': {known}")));
        }
    };
    let descending = match query.get("desc") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(other) => return Err(AdminError::invalid(format!("'desc' must be true or false, not '{other}'"))),
    };
    let after = read_after(query)?;
    let ids = read_ids(query)?;
    // Whoever is named is meant, confirmed or not, as where one is asked for.
    let pending = if ids.is_some() { None } else { Some(false) };
    Ok(UserQuery { pending, ids, active, providers, order, descending, after, limit: limits::APP_USERS_PAGE })
}

/// Who is asked for by name. What is no id is nobody's.
fn read_ids(query: &Query) -> Result<Option<Vec<i64>>, AdminError> {
    let given: Vec<&str> = query.list("ids").collect();
    if given.len() > usize::try_from(limits::APP_USERS_PAGE).unwrap_or(usize::MAX) {
        return Err(AdminError::invalid(format!("'ids' takes {} ids at most", limits::APP_USERS_PAGE)));
    }
    Ok(query.get("ids").map(|_| given.into_iter().filter_map(parse_object_id).collect()))
}

/// Behind whom a page begins.
pub(super) fn read_after(query: &Query) -> Result<Option<UserId>, AdminError> {
    let Some(text) = query.get("after") else { return Ok(None) };
    let id = parse_object_id(text).map(UserId);
    id.map(Some).ok_or_else(|| AdminError::invalid("'after' must be the _id of the last user of the page before"))
}

/// Makes a user who signs in by e-mail address and password.
#[utoipa::path(
    post, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users", tag = "app_services", operation_id = "adminCreateUser",
    params(AppPath),
    request_body = NewUser,
    responses(
        (status = 201, body = User),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn create(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
    body: Members,
) -> Result<(StatusCode, Json<User>), AdminError> {
    let app = path.app()?;
    let (email, password) = (body.text("email")?, body.text("password")?);
    let id = admin.records(&state).create_app_user(app, email, password).await?;
    let user = state.service.app_user(&admin.context, app, id).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Gives a user, pending or not.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}", tag = "app_services", operation_id = "adminGetUser",
    params(UserPath),
    responses(
        (status = 200, body = User),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn get(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<Json<User>, AdminError> {
    let (app, id) = path.user()?;
    Ok(Json(state.service.app_user(&admin.context, app, id).await?.into()))
}

/// Lists where a user signed in from.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}/devices", tag = "app_services", operation_id = "adminListDevices",
    params(UserPath),
    responses(
        (status = 200, body = Vec<Device>),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn devices(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
) -> Result<Json<Vec<Device>>, AdminError> {
    let (app, id) = path.user()?;
    let devices = state.service.app_user_devices(&admin.context, app, id).await?;
    Ok(Json(devices.into_iter().map(Device::from).collect()))
}

/// Revokes all that lets the application act for a user.
#[utoipa::path(
    put, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}/logout", tag = "app_services", operation_id = "adminUserLogout",
    params(UserPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn logout(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.user()?;
    state.service.log_out_app_user(&admin.context, app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes all that acts for a user, and he can't sign in.
#[utoipa::path(
    put, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}/disable", tag = "app_services", operation_id = "adminDisableUser",
    params(UserPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn disable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.user()?;
    admin.records(&state).disable_app_user(app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a user sign in again.
#[utoipa::path(
    put, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}/enable", tag = "app_services", operation_id = "adminEnableUser",
    params(UserPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn enable(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.user()?;
    admin.records(&state).enable_app_user(app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user, pending or not.
#[utoipa::path(
    delete, path = "/api/admin/v3.0/groups/{group}/apps/{app}/users/{user}", tag = "app_services", operation_id = "adminDeleteUser",
    params(UserPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn delete(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let (app, id) = path.user()?;
    admin.records(&state).delete_app_user(app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
