//! Records of forms that live for a moment. Each belongs to one user, who alone sees it; all are gone after an hour, a
//! restart, or when he has made too many.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::call::Env;
use super::convert::{FieldValue, Values};
use super::error::OdooError;
use super::eval::{Row, Rows};
use super::field::{Column, Field, Model};
use crate::domain::time::{Entropy, Timestamp};
use crate::limits;
use crate::store::sql::SqlValue;

/// What is done when the password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// In this session.
    pub session: i64,
    /// On this model.
    pub model: &'static str,
    /// This method.
    pub method: &'static str,
    /// On these records.
    pub ids: Vec<i64>,
}

/// A record. It may hold a password, so it is not printed.
#[derive(Clone)]
pub struct Form {
    model: &'static str,
    owner: i64,
    made_at: Timestamp,
    /// In the form of `read`.
    pub values: Row,
    /// For a question for the password.
    pub pending: Option<Pending>,
}

struct OwnForms {
    model: &'static str,
    rows: Arc<Vec<Row>>,
}

impl Rows for OwnForms {
    fn rows(&self, model: &'static Model) -> Arc<Vec<Row>> {
        if model.name == self.model { Arc::clone(&self.rows) } else { Arc::default() }
    }
}

/// All of them.
#[derive(Default)]
pub struct Transients {
    forms: Mutex<BTreeMap<i64, Form>>,
}

impl Transients {
    fn forms(&self) -> MutexGuard<'_, BTreeMap<i64, Form>> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, form: Form, entropy: &dyn Entropy) -> i64 {
        let mut forms = self.forms();
        let (now, owner) = (form.made_at, form.owner);
        forms.retain(|_, own| now < own.made_at + limits::TRANSIENT_AGE);
        while forms.values().filter(|own| own.owner == owner).count() >= limits::TRANSIENTS_PER_USER_MAX {
            let oldest = forms.iter().filter(|(_, own)| own.owner == owner).min_by_key(|(_, own)| own.made_at);
            let Some(oldest) = oldest.map(|(id, _)| *id) else { break };
            forms.remove(&oldest);
        }
        loop {
            let mut random = [0; 4];
            entropy.fill(&mut random);
            // PostgreSQL's int4, and no zero.
            let id = i64::from(u32::from_be_bytes(random) >> 1).max(1);
            if let std::collections::btree_map::Entry::Vacant(place) = forms.entry(id) {
                place.insert(form);
                return id;
            }
        }
    }
}

impl Env<'_> {
    fn own<'a>(&self, model: &Model, forms: &'a BTreeMap<i64, Form>) -> impl Iterator<Item = (i64, &'a Form)> {
        let (name, owner, now) = (model.name, self.caller.uid, self.now());
        let alive = move |form: &Form| now < form.made_at + limits::TRANSIENT_AGE;
        let own = forms.iter().filter(move |(_, form)| form.model == name && form.owner == owner && alive(form));
        own.map(|(id, form)| (*id, form))
    }

    /// The caller's own records of a form, to search in.
    pub fn own_transients(&self, model: &'static Model) -> impl Rows + use<> {
        let ids: Vec<i64> = self.own(model, &self.orm.transients.forms()).map(|(id, _)| id).collect();
        let fields: Vec<_> = model.fields().collect();
        OwnForms { model: model.name, rows: Arc::new(self.transient_rows(model, &ids, &fields)) }
    }

    /// The values of the caller's own records of a form.
    pub fn transient_rows(&self, model: &Model, ids: &[i64], fields: &[&'static Field]) -> Vec<Row> {
        let forms = self.orm.transients.forms();
        let named = self.own(model, &forms).filter(|(id, _)| ids.contains(id));
        named
            .map(|(id, form)| {
                let mut row = Row::new();
                row.insert("id".to_owned(), id.into());
                for field in fields.iter().filter(|field| field.name != "id") {
                    let value = match (field.name, form.values.get(field.name)) {
                        ("display_name", _) => {
                            let name = form.values.get(model.rec_name).and_then(Value::as_str);
                            name.map_or_else(|| format!("{},{id}", model.name), str::to_owned).into()
                        }
                        (_, Some(value)) if field.column == Column::Stored => value.clone(),
                        _ => Value::Bool(false),
                    };
                    row.insert(field.name.to_owned(), value);
                }
                row
            })
            .collect()
    }

    /// One of the caller's own records.
    ///
    /// # Errors
    /// `MissingError`.
    pub fn transient(&self, model: &Model, id: i64) -> Result<Form, OdooError> {
        let forms = self.orm.transients.forms();
        let found = self.own(model, &forms).find(|(own, _)| *own == id).map(|(_, form)| form.clone());
        found.ok_or_else(|| OdooError::missing(model.name, id, self.caller.uid))
    }

    /// Makes a record.
    ///
    /// # Errors
    /// `ValidationError` for a text that is too long.
    pub fn make_transient(
        &self,
        model: &'static Model,
        values: &Values,
        pending: Option<Pending>,
    ) -> Result<i64, OdooError> {
        let mut row = Row::new();
        set(&mut row, values)?;
        let form = Form { model: model.name, owner: self.caller.uid, made_at: self.now(), values: row, pending };
        Ok(self.orm.transients.insert(form, self.orm.service.entropy.as_ref()))
    }

    /// Changes the caller's own records, all or none.
    ///
    /// # Errors
    /// `MissingError`.
    pub fn change_transients(&self, model: &Model, ids: &[i64], values: &Values) -> Result<(), OdooError> {
        for id in ids {
            self.transient(model, *id)?;
        }
        let mut row = Row::new();
        set(&mut row, values)?;
        let mut forms = self.orm.transients.forms();
        for id in ids {
            if let Some(form) = forms.get_mut(id) {
                form.values.extend(row.clone());
            }
        }
        Ok(())
    }

    /// Deletes the caller's own records, all or none.
    ///
    /// # Errors
    /// `MissingError`.
    pub fn drop_transients(&self, model: &Model, ids: &[i64]) -> Result<(), OdooError> {
        for id in ids {
            self.transient(model, *id)?;
        }
        let mut forms = self.orm.transients.forms();
        ids.iter().for_each(|id| drop(forms.remove(id)));
        Ok(())
    }
}

fn set(row: &mut Row, values: &Values) -> Result<(), OdooError> {
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
    Ok(())
}
