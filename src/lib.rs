//! orest: an authorization and revocation backend for Odoo.
//!
//! In reading order: [`domain`] has the words and their rules, [`live`] the state of every authorization in memory, [`store`]
//! the database, [`cluster`] the other nodes, [`service`] what can be done and by whom, [`orm`] the same as Odoo models, [`transport`] and [`cli`] the
//! doors, [`app`] puts them together; [`odoo_module`] is the module for Odoo. See `docs/ARCHITECTURE.md`.

pub mod app;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod limits;
pub mod live;
pub mod odoo_module;
pub mod orm;
pub mod service;
pub mod store;
pub mod sync;
pub mod transport;

/// This version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
