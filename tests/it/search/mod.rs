//! Search domains on a real database.

mod bounds;
pub mod fixture;
mod groups;
mod models;
mod patterns;
mod properties;
