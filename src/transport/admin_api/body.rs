//! Bodies: JSON objects, whatever type they are said to be of, and queries.

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};

use super::error::AdminError;
use crate::limits;

/// The members of a body.
#[derive(Debug)]
pub struct Members(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Members {
    type Rejection = AdminError;

    async fn from_request(request: Request, _: &S) -> Result<Self, AdminError> {
        let body = axum::body::to_bytes(request.into_body(), limits::ADMIN_BODY_BYTES_MAX).await;
        let body = body.map_err(|_| AdminError::too_large())?;
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        serde_json::from_slice(&body).map(Self).map_err(|cause| AdminError::malformed(&cause.to_string()))
    }
}

impl Members {
    /// A text that must be there.
    pub fn text(&self, name: &'static str) -> Result<&str, AdminError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Err(AdminError::missing(name)),
            Some(Value::String(text)) if text.is_empty() => Err(AdminError::missing(name)),
            Some(Value::String(text)) if text.contains('\0') => {
                Err(AdminError::invalid(format!("'{name}' has a NUL character")))
            }
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(AdminError::invalid(format!("'{name}' must be a string"))),
        }
    }
}

/// The parameters of a query.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; none is an empty one.
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.take(limits::FORM_PARAMS_MAX).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value of a parameter; an empty one is none.
    pub fn get<'q>(&'q self, name: &'q str) -> Option<&'q str> {
        self.all(name).next()
    }

    /// The values of a parameter that may be there several times, or have several values between commas.
    pub fn list<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|value| !value.is_empty())
    }

    fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let own = self.0.iter().filter(move |(own, _)| own == name);
        own.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}
