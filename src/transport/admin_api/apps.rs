//! Applications.

use axum::Json;
use axum::extract::{RawQuery, State};

use super::auth::Admin;
use super::body::Query;
use super::error::AdminError;
use super::path::{AppPath, GroupPath, PathParams};
use super::types::{AdminRefusals, App, PRODUCT, PRODUCTS};
use crate::transport::http::AppState;

/// Lists the applications. Clients that ask once per product and add the answers up get each once.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps", tag = "app_services", operation_id = "adminListApplications",
    params(GroupPath, ("product" = Option<String>, Query, description = "`standard`, `atlas`, `data-api`, `device-sync` or `charts`; all are `atlas`")),
    responses(
        (status = 200, body = Vec<App>),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn list(
    State(state): State<AppState>,
    admin: Admin,
    path: PathParams,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<App>>, AdminError> {
    path.check_group()?;
    let query = Query::parse(query.as_deref());
    let wanted = match query.get("product") {
        Some(product) if !PRODUCTS.contains(&product) => {
            return Err(AdminError::invalid(format!("unknown product '{product}': one of {}", PRODUCTS.join(", "))));
        }
        product => product.is_none_or(|product| product == PRODUCT),
    };
    let apps = state.service.apps(&admin.context).await?;
    Ok(Json(apps.into_iter().filter(|_| wanted).map(App::from).collect()))
}

/// Gives an application.
#[utoipa::path(
    get, path = "/api/admin/v3.0/groups/{group}/apps/{app}", tag = "app_services", operation_id = "adminGetApplication",
    params(AppPath),
    responses(
        (status = 200, body = App),
        AdminRefusals,
    ),
    security(("admin_session" = [])),
)]
pub async fn get(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<Json<App>, AdminError> {
    let app = path.app()?;
    Ok(Json(state.service.app(&admin.context, app).await?.into()))
}
