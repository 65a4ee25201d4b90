//! The methods that can be called from outside, by what they do.

mod actions;
mod fields;
mod reading;
mod technical;
mod writing;

use super::call::Method;

/// Every method. A model's own stands before the one that all models have.
pub fn all() -> impl Iterator<Item = &'static Method> {
    let own = actions::METHODS.iter();
    own.chain(writing::METHODS).chain(reading::METHODS).chain(fields::METHODS).chain(technical::METHODS)
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
