//! Users who have registered and are not confirmed.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::auth::Admin;
use super::body::Query;
use super::error::AdminError;
use super::path::PathParams;
use super::types::User;
use super::users::read_after;
use crate::limits;
use crate::service::app_services::{UserOrder, UserQuery};
use crate::transport::http::AppState;

/// `GET …/user_registrations/pending_users`: one page.
pub async fn list(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<User>>, AdminError> {
    let app = path.app()?;
    let query = UserQuery {
        pending: true,
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

/// `DELETE …/user_registrations/by_email/{email}`
pub async fn delete(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let app = path.app()?;
    admin.records(&state).delete_pending_app_user(app, path.text("email")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/user_registrations/by_email/{email}/confirm`
pub async fn confirm(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<StatusCode, AdminError> {
    let app = path.app()?;
    admin.records(&state).confirm_app_user(app, path.text("email")).await?;
    Ok(StatusCode::NO_CONTENT)
}
