//! orest: an authorization and revocation backend for Odoo.

pub mod config;
pub mod domain;
pub mod limits;
pub mod live;
pub mod orm;
pub mod service;
pub mod store;
pub mod transport;
