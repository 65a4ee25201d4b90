//! What stands in a path: the project, the application, and a user or key of it. Each is told apart when it is not there.

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use utoipa::IntoParams;

use super::error::AdminError;
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::object_id::parse_object_id;

/// The number of the one project.
pub const GROUP: i64 = 1;

/// The one project, as the document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the path")]
pub struct GroupPath {
    /// The project.
    #[param(example = "000000000000000000000001")]
    group: String,
}

/// The same with an application.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the path")]
pub struct AppPath {
    /// The project.
    #[param(example = "000000000000000000000001")]
    group: String,
    /// The `_id` of the application.
    #[param(example = "000000000000000000000001")]
    app: String,
}

/// The same with one of its users.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the path")]
pub struct UserPath {
    /// The project.
    #[param(example = "000000000000000000000001")]
    group: String,
    /// The `_id` of the application.
    #[param(example = "000000000000000000000001")]
    app: String,
    /// The `_id` of the user.
    #[param(example = "000000000000000000000003")]
    user: String,
}

/// The same with the e-mail address of a pending user.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the path")]
pub struct EmailPath {
    /// The project.
    #[param(example = "000000000000000000000001")]
    group: String,
    /// The `_id` of the application.
    #[param(example = "000000000000000000000001")]
    app: String,
    /// His login or e-mail address.
    email: String,
}

/// The same with one of the application's keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "describes the path")]
pub struct KeyPath {
    /// The project.
    #[param(example = "000000000000000000000001")]
    group: String,
    /// The `_id` of the application.
    #[param(example = "000000000000000000000001")]
    app: String,
    /// The `_id` of the key.
    key: String,
}

/// The parameters of a path, decoded.
#[derive(Debug)]
pub struct PathParams(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for PathParams {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AdminError> {
        let params = parts.extract::<RawPathParams>().await.map_err(|_| AdminError::no_route())?;
        let params: Vec<_> = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self(params))
    }
}

impl PathParams {
    /// The text of a parameter.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> Option<i64> {
        parse_object_id(self.text(name))
    }

    /// Whether the project is the one that there is.
    pub fn check_group(&self) -> Result<(), AdminError> {
        if self.number("group") == Some(GROUP) { Ok(()) } else { Err(AdminError::no_group()) }
    }

    /// The application, in the one project.
    pub fn app(&self) -> Result<ApplicationId, AdminError> {
        self.check_group()?;
        self.number("app").map(ApplicationId).ok_or_else(AdminError::no_app)
    }

    /// The application and one of its users.
    pub fn user(&self) -> Result<(ApplicationId, UserId), AdminError> {
        let app = self.app()?;
        Ok((app, self.number("user").map(UserId).ok_or_else(AdminError::no_user)?))
    }

    /// The application and one of its keys.
    pub fn key(&self) -> Result<(ApplicationId, i64), AdminError> {
        let app = self.app()?;
        Ok((app, self.number("key").ok_or_else(AdminError::no_key)?))
    }
}
