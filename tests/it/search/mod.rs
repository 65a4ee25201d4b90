//! Search domains on a real database.

pub mod fixture;
mod groups;
mod models;
mod properties;
