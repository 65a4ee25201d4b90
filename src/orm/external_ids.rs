//! Odoo's external ids: `base.group_user`, `orest.action_revoke_tokens`.
//!
//! Those of what is in memory are the records of `ir.model.data`; those of server actions stand in their `xml_id`; two users
//! have one by their id.

use std::collections::HashMap;

use serde_json::Value;

use super::call::{Caller, Env};
use super::error::OdooError;
use super::eval::{self, MemoryRows, Rows};
use super::field::{Kind, Model};
use super::models::{ir_actions, ir_model, users};
use super::read::Load;
use super::search_domain::SearchDomain;
use crate::domain::user::Actor;
use crate::service::Context;

/// The users that Odoo ships: the service itself and the first administrator.
const USERS: [(&str, i64); 2] = [("base.user_root", 1), ("base.user_admin", 2)];

impl Caller {
    /// The same call by the service itself, which every right lets through. Its uid is still the caller's, for the texts.
    pub fn as_superuser(&self) -> Self {
        let context = Context { actor: Actor::system(), ..self.context.clone() };
        Self { context, uid: self.uid, session: None }
    }
}

impl Env<'_> {
    /// The external id of each of these records that has one. Does not check whether the caller sees them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn external_ids(&self, model: &'static Model, ids: &[i64]) -> Result<HashMap<i64, String>, OdooError> {
        if model.name == users::USERS.name {
            let shipped = USERS.iter().filter(|(_, id)| ids.contains(id));
            return Ok(shipped.map(|(name, id)| (*id, (*name).to_owned())).collect());
        }
        let stored = model.field("xml_id").filter(|field| field.kind == Kind::Char);
        let mut found = HashMap::new();
        if let Some(field) = stored {
            for record in self.fetch(model, ids.to_vec(), &[field], Load::Raw).await? {
                if let Some(Value::String(name)) = record.get(field.name) {
                    found.insert(eval::id(&record), name.clone());
                }
            }
            return Ok(found);
        }
        for row in MemoryRows::new(&self.orm.registry).rows(&ir_model::DATA).iter() {
            let (Some(own), Some(id)) = (row.get("model"), row.get("res_id").and_then(Value::as_i64)) else { continue };
            if own == model.name
                && ids.contains(&id)
                && let Some(Value::String(name)) = row.get("complete_name")
            {
                found.insert(id, name.clone());
            }
        }
        Ok(found)
    }

    /// What an external id names, whether the caller sees it or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_external_id(&self, complete_name: &str) -> Result<Option<(&'static Model, i64)>, OdooError> {
        let system = self.caller.as_superuser();
        let system = Env { orm: self.orm, caller: &system, context: serde_json::Map::new() };
        if let Some((_, id)) = USERS.iter().find(|(name, _)| *name == complete_name) {
            let existing = system.check_records(&users::USERS, &[*id], super::rights::Operation::Read).await?;
            return Ok(existing.first().map(|id| (&users::USERS, *id)));
        }
        let in_memory = {
            let rows = MemoryRows::new(&self.orm.registry).rows(&ir_model::DATA);
            rows.iter().find(|row| row.get("complete_name").and_then(Value::as_str) == Some(complete_name)).cloned()
        };
        if let Some(row) = in_memory {
            let model = row.get("model").and_then(Value::as_str).and_then(|name| self.orm.registry.get(name));
            return Ok(model.zip(row.get("res_id").and_then(Value::as_i64)));
        }
        let named = SearchDomain::leaf("xml_id", "=", complete_name.into());
        let found = system.search(&ir_actions::SERVER, &named, &Value::Null, 0, Some(1)).await?;
        Ok(found.first().map(|id| (&ir_actions::SERVER, *id)))
    }
}
