//! The database, through Diesel. Nothing outside knows of either.

pub mod connection;
pub mod error;

pub use error::StoreError;
