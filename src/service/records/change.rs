//! A transaction that changes records.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::rights::{self, uid};
use super::{RecordError, Records};
use crate::domain::time::Timestamp;
use crate::domain::user::{Actor, Group};
use crate::orm::convert::{self, FieldValue, Values};
use crate::orm::error::OdooError;
use crate::orm::field::{Column, Field, Kind, Model, Storage};
use crate::orm::rights::{Operation, check_model, sees};
use crate::store::read::{self, ReadField};
use crate::store::records::{self, SqlValue};
use crate::store::{Constraint, StoreError, Tx};

/// References that keep what they name from being deleted; the database has the same ones.
const RESTRICTING: &[(&str, &str, &str)] = &[
    ("orest.application", "orest.authorization", "application_id"),
    ("orest.model.scheme", "orest.application", "model_scheme_id"),
];

/// What is done in one transaction for one caller.
pub(super) struct Change<'a, 't> {
    pub(super) records: &'a Records,
    pub(super) tx: &'a mut Tx<'t>,
    pub(super) now: Timestamp,
    /// Why, for the log of revocations, where it is a deletion.
    pub(super) reason: Option<String>,
}

impl<'a, 't> Change<'a, 't> {
    pub(super) fn new(records: &'a Records, tx: &'a mut Tx<'t>) -> Self {
        Self { records, tx, now: records.service.now(), reason: None }
    }

    pub(super) fn actor(&self) -> &'a Actor {
        &self.records.context.actor
    }

    pub(super) fn model(&self, name: &str) -> Result<&'static Model, OdooError> {
        let found = self.records.registry.get(name);
        found.ok_or_else(|| OdooError::new(crate::orm::error::Exception::KeyError, name))
    }

    pub(super) fn check_records(
        &mut self,
        model: &'static Model,
        ids: &[i64],
        operation: Operation,
    ) -> Result<(), RecordError> {
        let registry = &self.records.registry;
        rights::check_records(self.tx.connection, registry, self.actor(), model, ids, operation, self.now)
    }

    /// Makes a record.
    pub(super) fn create(&mut self, model: &'static Model, mut values: Values) -> Result<i64, RecordError> {
        check_model(self.actor(), model, Operation::Create)?;
        let table = table_of(model)?;
        self.check_fields(model, &values)?;
        self.before_create(model, &mut values)?;
        for field in model.fields() {
            if !values.has(field.name)
                && let Some(default) = convert::default(&self.records.registry, model, field)
            {
                values.set(field, default);
            }
        }
        if let Some(missing) = model.fields().find(|field| field.required && is_missing(values.get(field.name))) {
            return Err(missing_value(model, missing).into());
        }
        let mut columns = self.columns(model, &values)?;
        if has_log(model) {
            columns.extend(self.log("create_uid", "create_date"));
            columns.extend(self.log("write_uid", "write_date"));
        }
        let id = records::insert(self.tx.connection, table, &columns).map_err(|error| self.refused(error))?;
        self.apply_links(model, id, &values)?;
        self.check_records(model, &[id], Operation::Create)?;
        self.after(model, &[id], &values)?;
        Ok(id)
    }

    /// Changes records.
    pub(super) fn write(&mut self, model: &'static Model, ids: &[i64], mut values: Values) -> Result<(), RecordError> {
        check_model(self.actor(), model, Operation::Write)?;
        let table = table_of(model)?;
        if model.name == "res.users" {
            self.check_self_service(ids, &values)?;
        }
        self.check_fields(model, &values)?;
        let ids: Vec<i64> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        self.check_records(model, &ids, Operation::Write)?;
        if ids.is_empty() || values.is_empty() {
            return Ok(());
        }
        if let Some(fixed) = values.fields().find(|field| field.create_only) {
            let (label, name) = (fixed.label, fixed.name);
            return Err(OdooError::validation(format!(
                "The field '{label}' ({name}) of '{}' ({}) can only be set when the record is made.",
                model.label, model.name
            ))
            .into());
        }
        self.before_write(model, &ids, &mut values)?;
        let emptied = |field: &&Field| field.required && values.has(field.name) && is_missing(values.get(field.name));
        if let Some(missing) = model.fields().find(emptied) {
            return Err(missing_value(model, missing).into());
        }
        let mut columns = self.columns(model, &values)?;
        if has_log(model) {
            columns.extend(self.log("write_uid", "write_date"));
        }
        records::update(self.tx.connection, table, &ids, &columns).map_err(|error| self.refused(error))?;
        for id in &ids {
            self.apply_links(model, *id, &values)?;
        }
        self.after(model, &ids, &values)
    }

    /// Deletes records.
    pub(super) fn unlink(&mut self, model: &'static Model, ids: &[i64]) -> Result<(), RecordError> {
        check_model(self.actor(), model, Operation::Unlink)?;
        let table = table_of(model)?;
        let ids: Vec<i64> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        self.check_records(model, &ids, Operation::Unlink)?;
        if ids.is_empty() {
            return Ok(());
        }
        for (_, referrer, field) in RESTRICTING.iter().filter(|(target, ..)| *target == model.name) {
            self.check_unused(&ids, self.model(referrer)?, field)?;
        }
        self.before_unlink(model, &ids)?;
        records::delete(self.tx.connection, table, &ids).map_err(|error| self.refused(error))?;
        self.after(model, &ids, &Values::default())
    }

    /// Makes a copy of a record.
    pub(super) fn copy(&mut self, model: &'static Model, id: i64, mut values: Values) -> Result<i64, RecordError> {
        check_model(self.actor(), model, Operation::Create)?;
        check_model(self.actor(), model, Operation::Read)?;
        self.check_records(model, &[id], Operation::Read)?;
        let copied: Vec<_> = model
            .fields()
            .filter(|field| field.column == Column::Stored && !field.readonly && !field.create_only)
            .map(|field| ReadField { field, related: None })
            .collect();
        let rows = read::read(self.tx.connection, model, &[id], &copied, self.now)?;
        let Some(row) = rows.into_iter().next() else {
            return Err(OdooError::missing(model.name, id, uid(self.actor())).into());
        };
        let mut given = Map::new();
        for (name, value) in row {
            let value = match value {
                // What must not exist twice, and what a person reads, says that it is a copy.
                Value::String(text) if name == model.rec_name || is_unique(model, &name) => {
                    Value::String(format!("{text} (copy)"))
                }
                value => value,
            };
            given.insert(name, value);
        }
        let linked = model.fields().filter(|field| matches!(field.kind, Kind::Many2many { .. }));
        let actor = self.actor();
        for field in linked.filter(|field| sees(actor, field)) {
            let links = self.linked(field, id)?;
            given.insert(field.name.to_owned(), links.into_iter().collect());
        }
        let read = convert::values(&self.records.registry, model, &given)?;
        for (field, value) in read.iter() {
            if !values.has(field.name) {
                values.set(field, value.clone());
            }
        }
        self.create(model, values)
    }

    fn check_fields(&self, model: &Model, values: &Values) -> Result<(), OdooError> {
        values.fields().try_for_each(|field| rights::check_field(self.actor(), model, field))
    }

    fn check_unused(&mut self, ids: &[i64], referrer: &'static Model, field: &'static str) -> Result<(), RecordError> {
        use crate::orm::resolve::ResolveContext;
        use crate::orm::search_domain::SearchDomain;
        let context = ResolveContext::unrestricted(&self.records.registry, self.now);
        let filter = SearchDomain::leaf(field, "in", Value::from(ids)).resolve(referrer, &context)?;
        if crate::store::search::count(self.tx.connection, referrer, &filter, Some(1), self.now)? == 0 {
            return Ok(());
        }
        let label = referrer.field(field).map_or(field, |field| field.label);
        Err(OdooError::validation(format!(
            "The operation cannot be completed: Another model is using the record you are trying to delete.\n\n\
             The troublemaker is: '{}' ({})\nThanks to the following constraint: '{label}' ({field})\n\
             How about archiving the record instead?",
            referrer.label, referrer.name
        ))
        .into())
    }

    /// The columns of some values; what they refer to must be there.
    fn columns(&mut self, model: &Model, values: &Values) -> Result<Vec<(&'static str, SqlValue)>, RecordError> {
        let mut columns = Vec::new();
        for (field, value) in values.iter() {
            let FieldValue::Column(value) = value else { continue };
            if let (Kind::Many2one(comodel), SqlValue::Integer(id)) = (field.kind, value) {
                self.check_target(model, field, comodel, *id)?;
            }
            columns.push((field.name, value.clone()));
        }
        Ok(columns)
    }

    /// Whether what a relational field is to name is there.
    pub(super) fn check_target(
        &mut self,
        model: &Model,
        field: &Field,
        comodel: &'static str,
        id: i64,
    ) -> Result<(), RecordError> {
        let there = match comodel {
            "ir.model" => self.records.registry.by_id(id).is_some(),
            "res.groups" => Group::from_id(id).is_some(),
            _ => {
                let comodel = self.model(comodel)?;
                match comodel.table() {
                    Some(table) => !records::exists(self.tx.connection, table, &[id])?.is_empty(),
                    None => false,
                }
            }
        };
        if there {
            return Ok(());
        }
        Err(OdooError::validation(format!(
            "The operation cannot be completed: the field '{}' ({}) of '{}' ({}) refers to {comodel}({id},), \
             which does not exist or has been deleted.",
            field.label, field.name, model.label, model.name
        ))
        .into())
    }

    fn log(&self, who: &'static str, when: &'static str) -> [(&'static str, SqlValue); 2] {
        let user = self.actor().user.map_or(SqlValue::Null, |user| SqlValue::Integer(user.0));
        [(who, user), (when, SqlValue::Timestamp(self.now))]
    }

    /// The text for what the database refused.
    pub(super) fn refused(&self, error: StoreError) -> RecordError {
        let StoreError::Conflict { constraint, kind } = &error else { return error.into() };
        let mut uniques = self.records.registry.iter().flat_map(|model| model.unique);
        let message = match kind {
            Constraint::Unique => uniques.find(|unique| unique.columns == constraint).map(|unique| unique.message),
            _ => None,
        };
        match message {
            Some(message) => OdooError::validation(format!("The operation cannot be completed: {message}")).into(),
            None => error.into(),
        }
    }
}

fn table_of(model: &Model) -> Result<&'static str, OdooError> {
    // Rights are checked first, and nobody has one to change what is made in memory.
    model.table().ok_or_else(|| OdooError::user(format!("'{}' ({}) can't be changed.", model.label, model.name)))
}

const fn has_log(model: &Model) -> bool {
    matches!(model.storage, Storage::Table { log_access: true, .. })
}

fn is_unique(model: &Model, name: &str) -> bool {
    let table = model.table().unwrap_or_default();
    model.unique.iter().any(|unique| unique.columns.strip_prefix(table) == Some(&format!(".{name}")))
}

fn is_missing(value: Option<&FieldValue>) -> bool {
    matches!(value, None | Some(FieldValue::Column(SqlValue::Null)))
}

fn missing_value(model: &Model, field: &Field) -> OdooError {
    OdooError::validation(format!(
        "The operation cannot be completed: Missing required value for the field '{}' ({}).\nModel: '{}' ({})\n\
         - create/update: a mandatory field is not set\n\
         - delete: another model requires the record being deleted, you can archive it instead\n",
        field.label, field.name, model.label, model.name
    ))
}
