//! Applications, their addresses and the schemes that limit them.

use serde_json::Value;

use super::RecordError;
use super::change::Change;
use crate::domain::application::check_redirect_uri;
use crate::domain::scope::Scope;
use crate::domain::secret::Secret;
use crate::limits;
use crate::orm::convert::{FieldValue, Values};
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::orm::search_domain::SearchDomain;
use crate::service::built_in;
use crate::store::read::{self, ReadField};
use crate::store::records::SqlValue;

/// The four durations: least, most, unit.
const DURATIONS: &[(&str, i64, i64, &str)] = &[
    ("authorization_code_expiry", 1, limits::CODE_SECONDS_MAX, "seconds"),
    ("authorization_code_retain", 0, limits::CODE_RETAIN_DAYS_MAX, "days"),
    ("access_token_expiry", 1, limits::ACCESS_TOKEN_SECONDS_MAX, "seconds"),
    ("refresh_token_expiry", 0, i32::MAX as i64, "seconds"),
];

impl Change<'_, '_> {
    pub(super) fn before_application(
        &mut self,
        model: &'static Model,
        ids: &[i64],
        values: &mut Values,
        new: bool,
    ) -> Result<(), RecordError> {
        self.check_acting(ids)?;
        let field = |name: &str| model.field(name).expect("a field of the model's table");
        let text = |text: String| FieldValue::Column(SqlValue::Text(text));
        if matches!(values.text("name"), Some(Some(name)) if name.trim().is_empty()) {
            return Err(OdooError::validation("An application needs a name: users read it when they let it in.").into());
        }
        match values.text("client_id") {
            None | Some(None | Some("")) if new => {
                let generated = Secret::generate(self.records.service.entropy.as_ref(), "", 16);
                values.set(field("client_id"), text(generated.reveal().to_owned()));
            }
            Some(Some(id)) if built_in::CLIENT_IDS.contains(&id) => {
                return Err(OdooError::validation(format!(
                    "The client ID '{id}' belongs to an application that comes with the service."
                ))
                .into());
            }
            Some(Some(id)) if !is_client_id(id) => {
                return Err(OdooError::validation(
                    "A client ID is made of at most 200 letters, digits, '-', '.', '_' and '~'.",
                )
                .into());
            }
            _ => {}
        }
        if new {
            let name = values.text("name").flatten().unwrap_or_default();
            let made = self.records.service.new_client_app_id_in(self.tx, name)?;
            values.set(field("client_app_id"), text(made));
        }
        if let Some(scope) = values.text("scope") {
            let scope = Scope::parse(scope.unwrap_or_default()).map_err(|_| {
                OdooError::validation(
                    "Scopes are separated by spaces, and hold no quotes, no backslashes and no letters beyond ASCII.",
                )
            })?;
            values.set(field("scope"), text(scope.to_string()));
        }
        for (name, least, most, unit) in DURATIONS {
            let Some(given) = values.integer(name) else { continue };
            if !(*least..=*most).contains(&given.unwrap_or(0)) {
                let label = field(name).label;
                return Err(OdooError::validation(format!(
                    "'{label}' ({name}) must be from {least} to {most} {unit}."
                ))
                .into());
            }
        }
        if let Some(FieldValue::Column(SqlValue::Blob(image))) = values.get("image") {
            if image.is_empty() {
                values.set(field("image"), FieldValue::Column(SqlValue::Null));
            } else if image.len() > limits::LOGO_BYTES_MAX {
                let most = limits::LOGO_BYTES_MAX >> 10;
                return Err(OdooError::validation(format!("A logo has at most {most} kB.")).into());
            } else if !is_image(image) {
                return Err(OdooError::user("This file could not be decoded as an image file.").into());
            }
        }
        // Nor by letting one act for him from now on.
        if let Some(Some(user)) = values.integer("user_id") {
            self.check_rank(user)?;
        }
        Ok(())
    }

    /// Whoever may edit applications must not get at the rights of an administrator by a new secret, callback address or
    /// wider scope of one that acts for him. It's asked when something changes: a user who is promoted later gives no
    /// application away that was set up before.
    pub(super) fn check_acting(&mut self, ids: &[i64]) -> Result<(), RecordError> {
        for user in self.references("orest.application", ids, "user_id")? {
            self.check_rank(user)?;
        }
        Ok(())
    }

    /// The same of the applications that these schemes limit.
    pub(super) fn check_limited(&mut self, schemes: &[i64]) -> Result<(), RecordError> {
        if schemes.is_empty() {
            return Ok(());
        }
        let limited = SearchDomain::leaf("model_scheme_id", "in", schemes.into());
        let applications = self.find(self.model("orest.application")?, &limited)?;
        self.check_acting(&applications)
    }

    /// What a many2one field of some records names.
    fn references(&mut self, model: &str, ids: &[i64], name: &str) -> Result<Vec<i64>, RecordError> {
        let model = self.model(model)?;
        let field = model.field(name).expect("a field of the model's table");
        let read = [ReadField { field, related: None }];
        let rows = read::read(self.tx.connection, model, ids, &read, self.now)?;
        Ok(rows.iter().filter_map(|row| row.get(name).and_then(Value::as_i64)).collect())
    }

    pub(super) fn before_uri(&mut self, ids: &[i64], values: &Values) -> Result<(), RecordError> {
        let mut applications = self.references("orest.application.uri", ids, "application_id")?;
        applications.extend(values.integer("application_id").flatten());
        self.check_acting(&applications)?;
        if let Some(Some(uri)) = values.text("uri") {
            check_redirect_uri(uri).map_err(|error| OdooError::validation(format!("'{uri}': {error}.")))?;
        }
        Ok(())
    }

    pub(super) fn before_configuration(&mut self, ids: &[i64], values: &Values) -> Result<(), RecordError> {
        let mut schemes = self.references("orest.model.configuration", ids, "scheme_id")?;
        schemes.extend(values.integer("scheme_id").flatten());
        self.check_limited(&schemes)?;
        let technical = |name: &str| {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
            !name.is_empty() && name.chars().all(allowed)
        };
        let model = values.text("model").flatten();
        let fields = values.text("field_names").flatten().unwrap_or_default();
        let mut names = fields.split(',').map(str::trim).filter(|name| !name.is_empty());
        match model.into_iter().find(|name| !technical(name)).or_else(|| names.find(|name| !technical(name))) {
            Some(name) => Err(OdooError::validation(format!("'{name}' is no technical name.")).into()),
            None => Ok(()),
        }
    }
}

/// The unreserved characters of RFC 3986: they need no quoting in a query, a form or an Authorization header.
fn is_client_id(text: &str) -> bool {
    text.len() <= 200 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'))
}

/// PNG, JPEG or WebP, by their first bytes.
fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        || bytes.starts_with(b"\xff\xd8\xff")
        || (bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
}
