//! One file a model: its table of fields, its access, nothing else.

pub mod application;
pub mod authorization;
pub mod device;
pub mod ir_actions;
pub mod model_scheme;
pub mod revocation;
pub mod users;

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
    &ir_actions::SERVER,
];
