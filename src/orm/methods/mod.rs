//! The methods that can be called from outside, by what they do.

mod actions;
mod apikeys;
mod export;
mod fields;
mod group_keys;
mod grouping;
mod pairing;
mod reading;
mod technical;
mod tickets;
mod views;
mod web;
mod writing;

use super::call::Method;

/// A model's own stand before the ones that all models have.
const FILES: &[&[Method]] = &[
    actions::METHODS,
    apikeys::METHODS,
    pairing::METHODS,
    tickets::METHODS,
    technical::METHODS,
    writing::METHODS,
    reading::METHODS,
    fields::METHODS,
    grouping::METHODS,
    web::METHODS,
    views::METHODS,
    export::METHODS,
];

/// Every method.
pub fn all() -> impl Iterator<Item = &'static Method> {
    FILES.iter().copied().flatten()
}

/// Methods that Odoo 19 has but does not let callers reach.
pub const PRIVATE: &[&str] = &[
    "browse",
    "ensure_one",
    "sudo",
    "with_user",
    "with_company",
    "with_context",
    "with_env",
    "with_prefetch",
    "mapped",
    "filtered",
    "filtered_domain",
    "sorted",
    "grouped",
    "search_fetch",
    "fetch",
    "check_access",
    "new",
    "update",
    "flush_model",
    "flush_recordset",
    "invalidate_model",
    "invalidate_recordset",
    "modified",
    "concat",
    "union",
    "lock_for_update",
    "try_lock_for_update",
    "init",
];
