//! orest: an authorization and revocation backend for Odoo.

pub mod domain;
pub mod orm;
pub mod store;
