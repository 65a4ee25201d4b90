//! The Odoo face: models, search domains, methods. No database and no HTTP here.
//!
//! * [`field`], [`registry`], [`models`]: what there is.
//! * [`search_domain`]: Odoo's filter lists; [`resolve`] checks them against the fields and gives a [`filter`].
//! * [`rights`], [`read`], [`arguments`]: what a caller sees, and what the methods that read are made of.
//! * [`order`]: Odoo's order strings.
//! * [`group`]: what groupings ask for.
//! * [`eval`]: filters and orders over records in memory.

pub mod arguments;
pub mod call;
pub mod convert;
pub mod error;
pub mod eval;
pub mod external_ids;
pub mod field;
pub mod filter;
pub mod group;
pub mod like;
pub mod methods;
pub mod models;
pub mod moment;
pub mod order;
pub mod python;
pub mod read;
pub mod registry;
pub mod resolve;
pub mod rights;
pub mod search_domain;
pub mod transient;
