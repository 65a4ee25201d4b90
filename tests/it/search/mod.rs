//! Search domains on a real database.

pub mod fixture;
mod models;
mod properties;
