//! Records of forms that live for a moment. Each belongs to one user, who alone sees it; see [`crate::service::forms`].

use std::sync::Arc;

use serde_json::Value;

use super::call::Env;
use super::convert::{FieldValue, Values};
use super::error::OdooError;
use super::eval::{Row, Rows};
use super::field::{Column, Field, Model};
use super::models::transient::IDENTITY_CHECK;
use crate::domain::ids::UserId;
use crate::limits;
use crate::service::forms::{Form, Pending, Proof};
use crate::store::sql::SqlValue;

struct OwnForms {
    model: &'static str,
    rows: Arc<Vec<Row>>,
}

impl Rows for OwnForms {
    fn rows(&self, model: &'static Model) -> Arc<Vec<Row>> {
        if model.name == self.model { Arc::clone(&self.rows) } else { Arc::default() }
    }
}

impl Env<'_> {
    const fn owner(&self) -> UserId {
        UserId(self.caller.uid)
    }

    async fn own_forms(&self, model: &Model) -> Result<Vec<Form>, OdooError> {
        self.orm.service.list_forms(self.owner(), model.name).await.map_err(|error| self.refused(error))
    }

    /// The caller's own records of a form, to search in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn own_transients(&self, model: &'static Model) -> Result<impl Rows + use<>, OdooError> {
        let fields: Vec<_> = model.fields().collect();
        let rows = self.own_forms(model).await?.iter().map(|form| row_of(model, form, &fields)).collect();
        Ok(OwnForms { model: model.name, rows: Arc::new(rows) })
    }

    /// The values of the caller's own records of a form.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn transient_rows(
        &self,
        model: &Model,
        ids: &[i64],
        fields: &[&'static Field],
    ) -> Result<Vec<Row>, OdooError> {
        let own = self.own_forms(model).await?;
        Ok(own.iter().filter(|form| ids.contains(&form.id)).map(|form| row_of(model, form, fields)).collect())
    }

    /// One of the caller's own records.
    ///
    /// # Errors
    /// `MissingError`.
    pub async fn transient(&self, model: &Model, id: i64) -> Result<Form, OdooError> {
        let found = self.own_forms(model).await?.into_iter().find(|form| form.id == id);
        found.ok_or_else(|| OdooError::missing(model.name, id, self.caller.uid))
    }

    /// Makes a record.
    ///
    /// # Errors
    /// `ValidationError` for a text that is too long.
    pub async fn make_transient(
        &self,
        model: &'static Model,
        values: &Values,
        pending: Option<Pending>,
    ) -> Result<i64, OdooError> {
        let mut row = to_row(values)?;
        let proof = self.take_password(model, &mut row).await?;
        let made = self.orm.service.make_form(self.owner(), model.name, row, pending, proof).await;
        made.map_err(|error| self.refused(error))
    }

    /// Changes the caller's own records, all or none.
    ///
    /// # Errors
    /// `MissingError`.
    pub async fn change_transients(
        &self,
        model: &'static Model,
        ids: &[i64],
        values: &Values,
    ) -> Result<(), OdooError> {
        let mut row = to_row(values)?;
        let proof = self.take_password(model, &mut row).await?;
        let done = self.orm.service.change_forms(self.owner(), model.name, ids.to_vec(), row, proof).await;
        done.map_err(|error| self.refused(error))?.map_err(|id| OdooError::missing(model.name, id, self.caller.uid))
    }

    /// Deletes the caller's own records, all or none.
    ///
    /// # Errors
    /// `MissingError`.
    pub async fn drop_transients(&self, model: &'static Model, ids: &[i64]) -> Result<(), OdooError> {
        let done = self.orm.service.drop_forms(self.owner(), model.name, ids.to_vec()).await;
        done.map_err(|error| self.refused(error))?.map_err(|id| OdooError::missing(model.name, id, self.caller.uid))
    }

    /// A password never gets as far as a record: what is kept is whether it was right.
    async fn take_password(&self, model: &Model, row: &mut Row) -> Result<Proof, OdooError> {
        if model.name != IDENTITY_CHECK.name {
            return Ok(None);
        }
        match row.remove("password") {
            None => Ok(None),
            Some(Value::String(password)) if !password.is_empty() => {
                let address = self.caller.context.address;
                let proof = self.orm.service.password_proof(self.owner(), &password, address).await;
                proof.map(Some).map_err(|error| self.refused(error))
            }
            Some(_) => Ok(Some(None)),
        }
    }
}

fn row_of(model: &Model, form: &Form, fields: &[&'static Field]) -> Row {
    let mut row = Row::new();
    row.insert("id".to_owned(), form.id.into());
    for field in fields.iter().filter(|field| field.name != "id") {
        let value = match (field.name, form.values.get(field.name)) {
            ("display_name", _) => {
                let name = form.values.get(model.rec_name).and_then(Value::as_str);
                name.map_or_else(|| format!("{},{}", model.name, form.id), str::to_owned).into()
            }
            (_, Some(value)) if field.column == Column::Stored => value.clone(),
            _ => Value::Bool(false),
        };
        row.insert(field.name.to_owned(), value);
    }
    row
}

/// In the form of `read`.
fn to_row(values: &Values) -> Result<Row, OdooError> {
    let mut row = Row::new();
    for (field, value) in values.iter() {
        let FieldValue::Column(value) = value else { continue };
        let value = match value {
            SqlValue::Text(text) if text.chars().count() > limits::TRANSIENT_CHARS_MAX => {
                let (label, most) = (field.label, limits::TRANSIENT_CHARS_MAX);
                return Err(OdooError::validation(format!("'{label}' has at most {most} characters.")));
            }
            SqlValue::Text(text) => text.as_str().into(),
            SqlValue::Integer(number) => (*number).into(),
            SqlValue::Bool(value) => (*value).into(),
            SqlValue::Timestamp(at) => at.format("%Y-%m-%d %H:%M:%S").to_string().into(),
            SqlValue::Date(day) => day.format("%Y-%m-%d").to_string().into(),
            SqlValue::Null | SqlValue::Blob(_) => Value::Bool(false),
        };
        row.insert(field.name.to_owned(), value);
    }
    Ok(row)
}
