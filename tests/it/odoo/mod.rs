//! Odoo's doors, through the router.

mod actions;
mod envelope;
mod hostile;
mod json2;
mod paired;
mod sessions;
mod sync;
mod throttle;
mod unavailable;
