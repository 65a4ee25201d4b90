//! Applications.

use axum::Json;
use axum::extract::{RawQuery, State};

use super::auth::Admin;
use super::body::Query;
use super::error::AdminError;
use super::path::PathParams;
use super::types::{App, PRODUCT, PRODUCTS};
use crate::transport::http::AppState;

/// `GET /groups/{group}/apps`: all of them. Clients that ask once per product and add the answers up get each once.
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

/// `GET /groups/{group}/apps/{app}`
pub async fn get(State(state): State<AppState>, admin: Admin, path: PathParams) -> Result<Json<App>, AdminError> {
    let app = path.app()?;
    Ok(Json(state.service.app(&admin.context, app).await?.into()))
}
