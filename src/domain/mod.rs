//! The words of the business and their rules. Plain types: no I/O, no database, no HTTP.
//!
//! To add one: a file named after the noun, its identifier in [`ids`], a line below.

pub mod application;
pub mod authorization;
pub mod identity;
pub mod ids;
pub mod local_path;
pub mod object_id;
pub mod params;
pub mod pkce;
pub mod revocation;
pub mod scope;
pub mod secret;
pub mod selection;
pub mod ticket;
pub mod time;
pub mod token;
pub mod user;
