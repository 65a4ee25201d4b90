//! May this caller do it to these records? Asked inside the transaction that does it, below every door.

use serde_json::Value;

use super::RecordError;
use crate::domain::time::Timestamp;
use crate::domain::user::Actor;
use crate::orm::error::OdooError;
use crate::orm::field::{Field, Model};
use crate::orm::filter::Filter;
use crate::orm::order::Order;
use crate::orm::registry::Registry;
use crate::orm::resolve::ResolveContext;
use crate::orm::rights::{self, Operation};
use crate::orm::search_domain::SearchDomain;
use crate::store::search::{self, Query};
use crate::store::{Connection, records, users};

/// The id of the caller in texts; the service itself is Odoo's `__system__`.
pub fn uid(actor: &Actor) -> i64 {
    actor.user.map_or(1, |user| user.0)
}

/// Whether the caller may set a field.
pub fn check_field(actor: &Actor, model: &Model, field: &Field) -> Result<(), OdooError> {
    if rights::sees(actor, field) {
        return Ok(());
    }
    Err(OdooError::access(format!(
        "You do not have enough rights to access the field \"{}\" on {} ({}). \
         Please contact your system administrator.\n\nOperation: write",
        field.name, model.label, model.name
    )))
}

/// Whether these records are there and the rules let the caller do this to each.
///
/// # Errors
/// `MissingError` for the first that is not there, `AccessError` if a rule hides one.
pub fn check_records(
    connection: &mut Connection,
    registry: &Registry,
    actor: &Actor,
    model: &'static Model,
    ids: &[i64],
    operation: Operation,
    now: Timestamp,
) -> Result<(), RecordError> {
    let Some(table) = model.table() else { return Ok(()) };
    let there = records::exists(connection, table, ids)?;
    if let Some(missing) = ids.iter().find(|id| !there.contains(id)) {
        return Err(OdooError::missing(model.name, *missing, uid(actor)).into());
    }
    let context = ResolveContext::unrestricted(registry, now);
    let rule = rights::rule_filter(actor, model, &context)?;
    if matches!(rule, Filter::All) {
        return Ok(());
    }
    let named = SearchDomain::leaf("id", "in", Value::from(ids)).resolve(model, &context)?;
    let filter = Filter::and([rule, named]);
    let query = Query { model, filter, order: Order::default(), offset: 0, limit: None, now };
    if search::search(connection, &query)?.len() == there.len() {
        return Ok(());
    }
    let name = match actor.user {
        Some(id) => users::find(connection, id)?.map_or_else(|| actor.login.clone(), |user| user.name().to_owned()),
        None => actor.login.clone(),
    };
    Err(hidden(actor, &name, model, operation).into())
}

/// What somebody is told who may not do this to some of the records that he named.
pub fn hidden(actor: &Actor, name: &str, model: &Model, operation: Operation) -> OdooError {
    OdooError::access(format!(
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n\
         Sorry, {name} (id={}) doesn't have '{}' access to:\n- {} ({})\n\n\
         If you really, really need access, perhaps you can win over your friendly administrator \
         with a batch of freshly baked cookies.",
        uid(actor),
        operation.name(),
        model.label,
        model.name
    ))
}
