//! One file a model: its table of fields, its access, nothing else.

pub mod application;
pub mod authorization;
pub mod device;
pub mod groups;
pub mod ir_actions;
pub mod ir_model;
pub mod model_scheme;
pub mod pairing;
pub mod revocation;
pub mod surroundings;
pub mod transient;
pub mod users;

use serde_json::Value;

use super::eval::Row;
use super::field::Model;

/// Every model that is served.
pub const ALL: &[&Model] = &[
    &application::APPLICATION,
    &application::APPLICATION_URI,
    &authorization::AUTHORIZATION,
    &authorization::AUTHORIZATION_CODE,
    &device::DEVICE,
    &revocation::REVOCATION,
    &model_scheme::MODEL_SCHEME,
    &model_scheme::MODEL_CONFIGURATION,
    &users::USERS,
    &users::IDENTITY,
    &users::APIKEYS,
    &transient::APIKEY_DESCRIPTION,
    &transient::IDENTITY_CHECK,
    &transient::APIKEY_SHOW,
    &ir_actions::SERVER,
    &ir_actions::ACTIONS,
    &ir_model::MODEL,
    &ir_model::FIELDS,
    &ir_model::ACCESS,
    &ir_model::RULE,
    &ir_model::DATA,
    &groups::GROUPS,
    &surroundings::COMPANY,
    &surroundings::LANG,
    &surroundings::MODULE,
    &surroundings::CRON,
    &pairing::PAIRING,
];

/// The record of a JSON object, for models in memory.
fn record(value: Value) -> Row {
    match value {
        Value::Object(members) => members,
        other => unreachable!("records are written as objects, not {other}"),
    }
}
