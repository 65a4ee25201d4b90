//! The doors. Each parses what comes in, finds out who calls, calls one function of [`crate::service`] or
//! [`crate::orm`], and renders the answer in its door's language. None of them decides anything.
//!
//! * [`http`]: the router that they share: bounds, request ids, logs, headers.
//! * [`oauth`]: OAuth 2.0, and the pages where people sign in and let applications in.
//! * [`odoo`]: Odoo's own JSON-RPC and JSON-2.
//! * [`access`]: Cloudflare's `revoke_user`.
//! * [`admin_api`]: the Admin API of MongoDB App Services.
//! * [`rpc`]: our own typed namespace, over HTTP and WebSocket.
//! * [`openapi`]: the REST doors, described.
//! * [`ops`]: health and readiness; [`metrics`].
//! * [`server`]: the connections under all of them.

pub mod access;
pub mod admin_api;
pub mod http;
pub mod metrics;
pub mod oauth;
pub mod odoo;
pub mod openapi;
pub mod ops;
pub mod rpc;
pub mod server;
