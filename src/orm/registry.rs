//! The models that are served, by name and by `ir.model` id.

use super::field::Model;

/// The models by name.
pub struct Registry {
    models: Vec<&'static Model>,
}

impl Registry {
    /// The models of the product.
    pub fn new() -> Self {
        Self::of(super::models::ALL)
    }

    /// These models; for tests that bring models of their own.
    pub fn of(models: &[&'static Model]) -> Self {
        Self { models: models.to_vec() }
    }

    /// The model of this name.
    pub fn get(&self, name: &str) -> Option<&'static Model> {
        self.models.iter().copied().find(|model| model.name == name)
    }

    /// All models.
    pub fn iter(&self) -> impl Iterator<Item = &'static Model> + '_ {
        self.models.iter().copied()
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
