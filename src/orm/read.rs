//! Searching and reading for a caller: what the methods that read are made of.
//!
//! Records of tables come from the store in one snapshot, those of models in memory from [`super::eval`]; the caller sees
//! no difference.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::call::Env;
use super::error::OdooError;
use super::eval::{self, MemoryRows, Row, Rows};
use super::field::{Column, Field, Kind, Model, Storage};
use super::filter::{Filter, Targets};
use super::order::Order;
use super::python;
use super::resolve::{Related, ResolveContext};
use super::rights::{self, Operation};
use super::search_domain::SearchDomain;
use crate::domain::time::Timestamp;
use crate::domain::user::Actor;
use crate::store::read::ReadField;
use crate::store::search::Query;
use crate::store::{self, Connection, StoreError};

/// How many2one values are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// `[id, display_name]`
    Classic,
    /// The id.
    Raw,
}

impl Load {
    /// Odoo's `load` argument.
    pub fn from_value(value: &Value) -> Self {
        if value.as_str() == Some("_classic_read") { Self::Classic } else { Self::Raw }
    }
}

/// Names of records, by model and id.
type Names = HashMap<&'static str, HashMap<i64, String>>;

impl Env<'_> {
    /// Who calls.
    pub const fn actor(&self) -> &Actor {
        &self.caller.context.actor
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.orm.service.now()
    }

    /// Whether archived records are left out where nobody asks for them.
    pub fn active_test(&self) -> bool {
        self.context.get("active_test").is_none_or(python::truthy)
    }

    /// A refusal of the service in Odoo's language.
    pub fn refused(&self, error: crate::service::Error) -> OdooError {
        OdooError::of_service(&error, self.caller.uid)
    }

    /// Runs `work` with what the caller sees.
    pub fn resolving<T>(&self, work: impl FnOnce(&ResolveContext<'_>) -> T) -> T {
        let rules = |model: &'static Model| {
            rights::check_model(self.actor(), model, Operation::Read)?;
            Ok(rights::rule_domain(self.actor(), model))
        };
        work(&ResolveContext {
            registry: &self.orm.registry,
            now: self.now(),
            rules: &rules,
            is_member: &|group| self.actor().groups.contains(group),
            active_test: self.active_test(),
        })
    }

    /// What a domain means for the caller: his rule and `active` included.
    ///
    /// # Errors
    /// `AccessError` if the model or a field is closed to him; Odoo's own for a domain without meaning.
    pub fn filter(&self, model: &'static Model, domain: &SearchDomain) -> Result<Filter, OdooError> {
        rights::check_model(self.actor(), model, Operation::Read)?;
        self.resolving(|context| {
            let own = context.with_active(domain.clone(), model).resolve(model, context)?;
            Ok(Filter::and([rights::rule_filter(self.actor(), model, context)?, own]))
        })
    }

    /// The records that the caller sees in a domain, in an order of Odoo's syntax.
    ///
    /// # Errors
    /// As [`Env::filter`], and for an order without meaning.
    pub async fn search(
        &self,
        model: &'static Model,
        domain: &SearchDomain,
        order: &Value,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Vec<i64>, OdooError> {
        let filter = self.filter(model, domain)?;
        let order = self.resolving(|context| Order::parse(order, model, context))?;
        self.select(model, filter, order, offset, limit).await
    }

    /// How many records the caller sees in a domain; counting stops at `limit`.
    ///
    /// # Errors
    /// As [`Env::filter`].
    pub async fn count(
        &self,
        model: &'static Model,
        domain: &SearchDomain,
        limit: Option<u64>,
    ) -> Result<i64, OdooError> {
        let filter = self.filter(model, domain)?;
        if model.table().is_some() {
            let now = self.now();
            return self
                .snapshot(model, move |connection| store::search::count(connection, model, &filter, limit, now))
                .await;
        }
        let found = self.select(model, filter, Order::default(), 0, limit).await?;
        Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
    }

    /// The records of a filter, whoever asks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn select(
        &self,
        model: &'static Model,
        filter: Filter,
        order: Order,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Vec<i64>, OdooError> {
        match model.storage {
            Storage::Table { .. } => {
                let query = Query { model, filter, order, offset, limit, now: self.now() };
                self.snapshot(model, move |connection| store::search::search(connection, &query)).await
            }
            Storage::Memory(_) => {
                let rows = MemoryRows::new(&self.orm.registry);
                Ok(eval::search(&rows, model, &filter, &order, offset, limit))
            }
            Storage::Transient => {
                let rows = self.own_transients(model).await?;
                Ok(eval::search(&rows, model, &filter, &order, offset, limit))
            }
        }
    }

    /// The values of these records, in the order of the ids, each as often as it is named. What does not exist is left out.
    ///
    /// # Errors
    /// `AccessError` for a record that is hidden from the caller.
    pub async fn read(
        &self,
        model: &'static Model,
        ids: Vec<i64>,
        fields: &[&'static Field],
        load: Load,
    ) -> Result<Vec<Row>, OdooError> {
        self.check_records(model, &ids, Operation::Read).await?;
        self.fetch(model, ids, fields, load).await
    }

    /// The same without a check of the records themselves: for what was searched for this caller. What relations to many
    /// lead to is still only what he sees; names at the other end of a many2one are always given, as Odoo does.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn fetch(
        &self,
        model: &'static Model,
        ids: Vec<i64>,
        fields: &[&'static Field],
        load: Load,
    ) -> Result<Vec<Row>, OdooError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (mut found, names) = match model.storage {
            Storage::Table { .. } => self.fetch_table(model, &ids, fields, load).await?,
            Storage::Memory(_) => self.fetch_memory(model, &ids, fields, load).await?,
            Storage::Transient => (self.transient_rows(model, &ids, fields).await?, Names::new()),
        };
        for record in &mut found {
            for field in fields {
                if let Some(value) = record.get_mut(field.name) {
                    self.present(field, value, load, &names);
                }
            }
        }
        let mut by_id: HashMap<i64, Row> = HashMap::with_capacity(found.len());
        by_id.extend(found.into_iter().map(|record| (eval::id(&record), record)));
        let mut left = HashMap::new();
        ids.iter().for_each(|id| *left.entry(*id).or_insert(0_usize) += 1);
        let records = ids.iter().filter_map(|id| {
            let count = left.get_mut(id)?;
            *count -= 1;
            if *count == 0 { by_id.remove(id) } else { by_id.get(id).cloned() }
        });
        Ok(records.collect())
    }

    /// What people call these records, whether the caller sees them or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn names(&self, model: &'static Model, ids: Vec<i64>) -> Result<HashMap<i64, String>, OdooError> {
        if model.table().is_none() {
            return Ok(self.memory_names(model));
        }
        let now = self.now();
        self.snapshot(model, move |connection| store::read::display_names(connection, model, &ids, now)).await
    }

    /// Runs a query when all that has been committed stands in the columns that it may look at.
    ///
    /// # Errors
    /// `OperationalError` when the database does not answer.
    pub async fn snapshot<T: Send + 'static>(
        &self,
        model: &'static Model,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, OdooError> {
        let service = &self.orm.service;
        // Domains and relations of every model can lead to authorizations, so each waits for the revocations.
        service.filled().await.map_err(|error| self.refused(error))?;
        if model.name == crate::orm::models::authorization::AUTHORIZATION.name {
            service.flush_used().await.map_err(|error| self.refused(error))?;
        }
        let result: Result<T, StoreError> = service.store.read(work).await;
        result.map_err(|error| self.refused(error.into()))
    }

    async fn fetch_table(
        &self,
        model: &'static Model,
        ids: &[i64],
        fields: &[&'static Field],
        load: Load,
    ) -> Result<(Vec<Row>, Names), OdooError> {
        let mut reads = Vec::with_capacity(fields.len());
        let mut named = Vec::new();
        for field in fields {
            if field.name == "id" {
                continue;
            }
            let related = if field.is_x2many() { Some(self.related(field)?) } else { None };
            reads.push(ReadField { field, related });
            if let (Load::Classic, Kind::Many2one(_)) = (load, field.kind) {
                named.push((*field, self.resolving(|context| context.comodel(field))?));
            }
        }
        let mut names = Names::new();
        for (_, comodel) in &named {
            if comodel.table().is_none() {
                names.insert(comodel.name, self.memory_names(comodel));
            }
        }
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let now = self.now();
        self.snapshot(model, move |connection| {
            let records = store::read::read(connection, model, &ids, &reads, now)?;
            for (_, comodel) in &named {
                if comodel.table().is_none() || names.contains_key(comodel.name) {
                    continue;
                }
                let leads_there = named.iter().filter(|(_, other)| other.name == comodel.name);
                let targets: BTreeSet<i64> = leads_there
                    .flat_map(|(field, _)| records.iter().filter_map(|record| record.get(field.name)?.as_i64()))
                    .collect();
                let targets: Vec<_> = targets.into_iter().collect();
                names.insert(comodel.name, store::read::display_names(connection, comodel, &targets, now)?);
            }
            Ok((records, names))
        })
        .await
    }

    /// What a relation to many shows; nothing if the other model is closed to the caller, so that he can read all fields
    /// of what he does see.
    fn related(&self, field: &'static Field) -> Result<Related, OdooError> {
        self.resolving(|context| {
            let model = context.comodel(field)?;
            if rights::may(self.actor(), model, Operation::Read) {
                return context.related(field);
            }
            Ok(Related { model, to: Targets::Ids(Vec::new()), order: Order::default() })
        })
    }

    async fn fetch_memory(
        &self,
        model: &'static Model,
        ids: &[i64],
        fields: &[&'static Field],
        load: Load,
    ) -> Result<(Vec<Row>, Names), OdooError> {
        let records = self.memory_records(model, ids, fields)?;
        let mut names = Names::new();
        for field in fields.iter().filter(|_| load == Load::Classic) {
            let Kind::Many2one(comodel) = field.kind else { continue };
            if names.contains_key(comodel) {
                continue;
            }
            let targets = records.iter().filter_map(|record| record.get(field.name)?.as_i64()).collect();
            names.insert(comodel, self.names(self.resolving(|context| context.comodel(field))?, targets).await?);
        }
        Ok((records, names))
    }

    fn memory_records(
        &self,
        model: &'static Model,
        ids: &[i64],
        fields: &[&'static Field],
    ) -> Result<Vec<Row>, OdooError> {
        let rows = MemoryRows::new(&self.orm.registry);
        let wanted: BTreeSet<_> = ids.iter().copied().collect();
        let all = rows.rows(model);
        let sources: Vec<_> = all.iter().filter(|row| wanted.contains(&eval::id(row))).collect();
        let mut records: Vec<Row> =
            sources.iter().map(|row| Map::from_iter([("id".to_owned(), eval::id(row).into())])).collect();
        for field in fields.iter().filter(|field| field.name != "id") {
            let links = if field.is_x2many() { Some(self.memory_links(&rows, field)?) } else { None };
            for (record, row) in records.iter_mut().zip(&sources) {
                let value = match &links {
                    Some(links) => links.of(row, field),
                    None => memory_value(model, row, field),
                };
                record.insert(field.name.to_owned(), value);
            }
        }
        Ok(records)
    }

    fn memory_links(&self, rows: &MemoryRows<'_>, field: &'static Field) -> Result<Links, OdooError> {
        let related = self.related(field)?;
        let visible = match related.to {
            Targets::Ids(ids) => ids,
            // no table is linked to a model in memory by a column of its own
            Targets::All | Targets::Where(_) => Vec::new(),
        };
        let mut inverse: HashMap<i64, Vec<i64>> = HashMap::new();
        if let Kind::One2many { inverse: name, .. } = field.kind {
            let others = rows.rows(related.model);
            let owners: HashMap<_, _> =
                others.iter().filter_map(|other| Some((eval::id(other), other.get(name)?.as_i64()?))).collect();
            for id in &visible {
                if let Some(owner) = owners.get(id) {
                    inverse.entry(*owner).or_default().push(*id);
                }
            }
        }
        Ok(Links { visible, inverse })
    }

    fn memory_names(&self, model: &'static Model) -> HashMap<i64, String> {
        let rows = MemoryRows::new(&self.orm.registry).rows(model);
        let Some(field) = model.field("display_name") else { return HashMap::new() };
        rows.iter().map(|row| (eval::id(row), python::str(&memory_value(model, row, field)))).collect()
    }

    /// From the form of the store to that of the answer.
    fn present(&self, field: &Field, value: &mut Value, load: Load, names: &Names) {
        match field.kind {
            Kind::Many2one(comodel) if load == Load::Classic => {
                let Some(id) = value.as_i64() else { return };
                let name = names.get(comodel).and_then(|names| names.get(&id));
                // what refers to a record that is gone shows nothing, as in Odoo
                *value = name.map_or(Value::Bool(false), |name| serde_json::json!([id, name]));
            }
            Kind::Char | Kind::Text if field.column == Column::None => *value = "".into(),
            Kind::Binary if self.context.get("bin_size").is_some_and(python::truthy) => {
                if let Value::String(text) = value {
                    *value = human_size(text).into();
                }
            }
            _ => {}
        }
    }
}

/// The other ends of a relation to many, for models in memory.
struct Links {
    visible: Vec<i64>,
    inverse: HashMap<i64, Vec<i64>>,
}

impl Links {
    fn of(&self, row: &Row, field: &Field) -> Value {
        match row.get(field.name) {
            Some(Value::Array(own)) => {
                let own: BTreeSet<_> = own.iter().filter_map(Value::as_i64).collect();
                self.visible.iter().copied().filter(|id| own.contains(id)).collect()
            }
            _ => self.inverse.get(&eval::id(row)).cloned().unwrap_or_default().into(),
        }
    }
}

fn memory_value(model: &Model, row: &Row, field: &Field) -> Value {
    let own = row.get(field.name).or_else(|| if field.name == "display_name" { row.get(model.rec_name) } else { None });
    match (own, field.kind) {
        (Some(value), _) if !value.is_null() => value.clone(),
        (_, Kind::Integer) => 0.into(),
        _ => false.into(),
    }
}

/// The size of base64 text's bytes, as Odoo's `human_size` writes it.
fn human_size(base64: &str) -> String {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    let bytes = (base64.len() / 4 * 3).saturating_sub(padding);
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut size = bytes as f64;
    let mut units = ["bytes", "Kb", "Mb", "Gb"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expect) in [("aGVsbG8=", "5.00 bytes"), ("", "0.00 bytes"), (&"AAAA".repeat(1024), "3.00 Kb")] {
            assert_eq!(human_size(text), expect);
        }
    }
}
