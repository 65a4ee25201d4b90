//! The models that are served, by name and by `ir.model` id.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::eval::Row;
use super::field::{Model, Storage};

/// The models by name.
pub struct Registry {
    models: Vec<&'static Model>,
    /// The records of the models in memory, made when they are first asked for: they never change.
    made: RwLock<HashMap<&'static str, Arc<Vec<Row>>>>,
}

impl Registry {
    /// The models of the product.
    pub fn new() -> Self {
        Self::of(super::models::ALL)
    }

    /// These models; for tests that bring models of their own.
    pub fn of(models: &[&'static Model]) -> Self {
        Self { models: models.to_vec(), made: RwLock::default() }
    }

    /// The model of this name.
    pub fn get(&self, name: &str) -> Option<&'static Model> {
        self.models.iter().copied().find(|model| model.name == name)
    }

    /// All models.
    pub fn iter(&self) -> impl Iterator<Item = &'static Model> + '_ {
        self.models.iter().copied()
    }

    /// The records of a model in memory; other models have none.
    pub fn rows(&self, model: &'static Model) -> Arc<Vec<Row>> {
        let Storage::Memory(make) = model.storage else { return Arc::default() };
        if let Some(rows) = self.made.read().unwrap_or_else(PoisonError::into_inner).get(model.name) {
            return Arc::clone(rows);
        }
        // not under the lock: it may ask for the records of another model
        let rows = Arc::new(make(self));
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(model.name).or_insert(rows))
    }

    /// The model of an `ir.model` id.
    pub fn by_id(&self, id: i64) -> Option<&'static Model> {
        self.models.iter().copied().find(|model| model.id == id)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
