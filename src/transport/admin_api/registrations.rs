//! Users who have registered and are not confirmed.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::auth::Admin;
use super::body::Query;
use super::error::AdminError;
use super::path::{AppPath, EmailPath, PathParams};
use super::types::{AdminRefusals, User};
use super::users::read_after;
use crate::limits;
use crate::service::app_services::{UserOrder, UserQuery};
use crate::transport::http::AppState;

/// Lists one page of an application's pending users, 50 at most.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}/user_registrations/pending_users", tag = "app_services", operation_id = "adminListPendingUsers",
    params(AppPath, ("after" = Option<String>, Query, description = "The `_id` of the last user of the page before")),
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
    let query = UserQuery {
        pending: Some(true),
        ids: None,
        active: None,
        providers: Vec::new(),
        order: UserOrder::Id,
        descending: false,
        after: read_after(&Query::parse(query.as_deref()))?,
        limit: limits::APP_USERS_PAGE,
    };
    let users = state.service.app_users(&admin.context, app, query).await?;
    Ok(Json(users.into_iter().map(User::from).collect()))
}

/// Deletes a pending user.
#[utoipa::path(
    delete, path = "/api/admin/v3.0/groups/{group}/apps/{app}/user_registrations/by_email/{email}", tag = "app_services", operation_id = "adminDeletePendingEmailPasswordUser",
    params(EmailPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn delete(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let app = path.app()?;
    admin.records(&state).delete_pending_app_user(app, path.text("email")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a pending user sign in.
#[utoipa::path(
    post, path = "/api/admin/v3.0/groups/{group}/apps/{app}/user_registrations/by_email/{email}/confirm", tag = "app_services", operation_id = "adminConfirmPendingUser",
    params(EmailPath),
    responses(
        (status = 204, description = "It is done, and holds"),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn confirm(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let app = path.app()?;
    admin.records(&state).confirm_app_user(app, path.text("email")).await?;
    Ok(StatusCode::NO_CONTENT)
}
