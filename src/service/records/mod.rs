//! Making, changing and deleting records of any model with a table, each call in one transaction, with the rights of the
//! caller checked inside it. What a model adds to that stands in a file of its own here.
//!
//! # To add a rule for a model
//! An arm in [`Change::before_create`], [`Change::before_write`], [`Change::before_unlink`] or [`Change::after`].

mod actions;
mod acts;
mod app_services;
mod applications;
mod change;
mod hooks;
mod links;
mod rights;
mod users;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use actions::{ActionName, BUILT_IN, BuiltIn, ServerAction};
use change::Change;

use super::{Context, Error, Service};
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::user::Group;
use crate::orm::convert::{FieldValue, Secret, Values};
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::orm::registry::Registry;
use crate::orm::rights::{Operation, check_model};
use crate::store::read::{self, ReadField};
use crate::store::{StoreError, Tx};

/// Why a change was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// In Odoo's own words.
    #[error(transparent)]
    Odoo(#[from] OdooError),
    /// In the service's.
    #[error(transparent)]
    Service(#[from] Error),
    /// The database refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RecordError {
    /// The exception that Odoo would raise; `uid` is the caller.
    pub fn into_odoo(self, uid: i64) -> OdooError {
        match self {
            Self::Odoo(error) => error,
            // What a person does wrong with a password is no broken constraint.
            Self::Service(Error::Invalid { field: "password", message }) => OdooError::user(message),
            Self::Service(error) => OdooError::of_service(&error, uid),
            Self::Store(error) => OdooError::of_service(&error.into(), uid),
        }
    }
}

/// The records, as one caller may change them.
#[derive(Clone)]
pub struct Records {
    service: Service,
    registry: Arc<Registry>,
    context: Context,
}

/// Only records that are stored can be changed here: those in memory can't, and forms live elsewhere.
fn stored(model: &Model) -> Result<(), OdooError> {
    match model.table() {
        Some(_) => Ok(()),
        None => Err(OdooError::user(format!("'{}' ({}) has no records that are stored.", model.label, model.name))),
    }
}

impl Records {
    /// For this caller.
    pub const fn new(service: Service, registry: Arc<Registry>, context: Context) -> Self {
        Self { service, registry, context }
    }

    /// The same caller through another door.
    pub fn through(&self, channel: Channel) -> Self {
        let context = Context { channel, ..self.context.clone() };
        Self { context, ..self.clone() }
    }

    /// Makes records, all or none. Gives their ids.
    pub async fn create(&self, model: &'static Model, values: Vec<Values>) -> Result<Vec<i64>, RecordError> {
        stored(model)?;
        let mut prepared = Vec::with_capacity(values.len());
        for values in values {
            prepared.push(self.hash_secrets(model, Operation::Create, values).await?);
        }
        self.change(move |change| prepared.into_iter().map(|values| change.create(model, values)).collect()).await
    }

    /// Changes records, all or none.
    pub async fn write(&self, model: &'static Model, ids: Vec<i64>, values: Values) -> Result<(), RecordError> {
        stored(model)?;
        let values = self.hash_secrets(model, Operation::Write, values).await?;
        self.change(move |change| change.write(model, &ids, values)).await
    }

    /// Deletes records, all or none.
    pub async fn unlink(&self, model: &'static Model, ids: Vec<i64>) -> Result<(), RecordError> {
        stored(model)?;
        self.change(move |change| change.unlink(model, &ids)).await
    }

    /// Makes copies, with `values` in place of what is copied. Gives their ids.
    pub async fn copy(&self, model: &'static Model, ids: Vec<i64>, values: Values) -> Result<Vec<i64>, RecordError> {
        stored(model)?;
        let values = self.hash_secrets(model, Operation::Create, values).await?;
        self.change(move |change| ids.iter().map(|id| change.copy(model, *id, values.clone())).collect()).await
    }

    /// Whether the caller may do this to each of these records, which must be there.
    pub async fn check(&self, model: &'static Model, ids: Vec<i64>, operation: Operation) -> Result<(), RecordError> {
        check_model(&self.context.actor, model, operation)?;
        stored(model)?;
        let (registry, actor, now) = (Arc::clone(&self.registry), self.context.actor.clone(), self.service.now());
        self.service
            .store
            .read(move |connection| rights::check_records(connection, &registry, &actor, model, &ids, operation, now))
            .await
    }

    /// Turns `active` over: `on` for each record that is archived, `off` for each that is not; all or none.
    pub async fn toggle_active(
        &self,
        model: &'static Model,
        ids: Vec<i64>,
        on: Values,
        off: Values,
    ) -> Result<(), RecordError> {
        self.change(move |change| {
            change.check_records(model, &ids, Operation::Write)?;
            let fields: Vec<_> =
                model.field("active").into_iter().map(|field| ReadField { field, related: None }).collect();
            let rows = read::read(change.tx.connection, model, &ids, &fields, change.now)?;
            let is_active = |row: &Map<String, Value>| row.get("active") == Some(&Value::Bool(true));
            let (active, archived): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_active(row));
            let ids = |rows: Vec<&Map<String, Value>>| -> Vec<i64> {
                rows.iter().filter_map(|row| row.get("id")?.as_i64()).collect()
            };
            change.write(model, &ids(archived), on)?;
            change.write(model, &ids(active), off)
        })
        .await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Change<'_, '_>) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let records = self.clone();
        self.service.write(move |tx: &mut Tx<'_>| work(&mut Change::new(&records, tx))).await
    }

    /// As [`Self::change`], for acts that give a receipt.
    async fn act(
        &self,
        work: impl FnOnce(&mut Change<'_, '_>) -> Result<Receipt, RecordError> + Send + 'static,
    ) -> Result<Receipt, RecordError> {
        let records = self.clone();
        let work = move |tx: &mut Tx<'_>| work(&mut Change::new(&records, tx));
        let (receipt, settlement) = self.service.write_settled(work).await?;
        Ok(receipt.settled(&settlement))
    }

    /// Passwords are hashed before the transaction: it takes long, and everybody else's writes would wait. Nobody who may not
    /// set one makes us hash: sign-ins would wait.
    async fn hash_secrets(
        &self,
        model: &'static Model,
        operation: Operation,
        mut values: Values,
    ) -> Result<Values, RecordError> {
        let clear: Vec<_> = values
            .iter()
            .filter_map(|(field, value)| match value {
                FieldValue::Secret(secret) if !secret.0.is_empty() => Some((field, secret.0.clone())),
                _ => None,
            })
            .collect();
        if clear.is_empty() {
            return Ok(values);
        }
        check_model(&self.context.actor, model, operation)?;
        if model.name == "res.users" && !self.context.actor.groups.contains(Group::ErpManager) {
            return Err(users::managers_only().into());
        }
        for (field, clear) in clear {
            let hash = self.service.passwords.hash(&self.service.entropy, &clear).await?;
            values.set(field, FieldValue::Secret(Secret(hash)));
        }
        Ok(values)
    }
}
