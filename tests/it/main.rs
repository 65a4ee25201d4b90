//! The integration tests: one binary, so that they are linked once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod admin_api;
mod another_history;
mod cluster;
mod command_line;
mod connections;
mod doctor;
mod gateway;
mod golden_domains;
mod loading;
mod migrations;
mod model;
mod oauth;
mod odoo;
mod odoo_module;
mod openapi;
mod postgres;
mod reading;
mod rpc;
mod rules;
mod search;
mod shared;
mod support;
mod transfer;
mod writing;
