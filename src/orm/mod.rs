//! The Odoo face: models, search domains, methods. No database and no HTTP here.
//!
//! * [`field`], [`registry`], [`models`]: what there is.
//! * [`search_domain`], [`eval`]: Odoo's filter lists.

pub mod call;
pub mod error;
pub mod field;
pub mod methods;
pub mod models;
pub mod registry;
