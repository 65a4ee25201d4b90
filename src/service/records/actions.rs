//! Server actions: which code they may name, and the ones that are shipped.

use serde_json::{Map, Value};

use super::change::Change;
use super::{RecordError, Records};
use crate::domain::user::Group;
use crate::orm::convert::{FieldValue, Values};
use crate::orm::error::OdooError;
use crate::orm::field::{Column, Model};
use crate::orm::models::{authorization, device, ir_actions, users};
use crate::orm::rights::{Operation, check_model};
use crate::service::{Error, Service};
use crate::store::StoreError;
use crate::store::read::{self, ReadField};
use crate::store::records::{self, SqlValue};

/// Code that a server action may name.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// As it is stored.
    pub code: &'static str,
    /// The method that it calls.
    pub method: &'static str,
    /// On records of this model.
    pub model: &'static Model,
}

/// Everything that a server action can do.
pub const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        code: "records.action_revoke_tokens()",
        method: "action_revoke_tokens",
        model: &authorization::AUTHORIZATION,
    },
    BuiltIn {
        code: "records.action_revoke_authorization_codes()",
        method: "action_revoke_authorization_codes",
        model: &authorization::AUTHORIZATION_CODE,
    },
    BuiltIn { code: "records.action_disable()", method: "action_disable", model: &users::USERS },
    BuiltIn { code: "records.action_enable()", method: "action_enable", model: &users::USERS },
    BuiltIn {
        code: "records.action_revoke_all_sessions()",
        method: "action_revoke_all_sessions",
        model: &users::USERS,
    },
    BuiltIn { code: "records.unlink()", method: "unlink", model: &users::USERS },
    BuiltIn { code: "records.action_revoke()", method: "action_revoke", model: &device::DEVICE },
];

/// A server action that is there from the start.
struct Shipped {
    xml_id: &'static str,
    name: &'static str,
    method: &'static str,
    /// Who may run it.
    groups: &'static [Group],
    /// Whether it stands in the Action menu, and not only after Create Contextual Action.
    bound: bool,
}

const fn shipped(xml_id: &'static str, name: &'static str, method: &'static str, groups: &'static [Group]) -> Shipped {
    Shipped { xml_id, name, method, groups, bound: false }
}

const fn bound(shipped: Shipped) -> Shipped {
    Shipped { bound: true, ..shipped }
}

/// As in the Odoo module: those on authorizations and codes are for an administrator to bind, those on users are bound.
const SHIPPED: &[Shipped] = &[
    shipped("orest.action_revoke_tokens", "Revoke Tokens", "action_revoke_tokens", &[Group::User]),
    shipped(
        "orest.action_revoke_authorization_codes",
        "Revoke Authorization Codes",
        "action_revoke_authorization_codes",
        &[Group::OrestAdmin],
    ),
    bound(shipped("orest.action_disable_users", "Disable", "action_disable", &[Group::ErpManager])),
    bound(shipped("orest.action_enable_users", "Enable", "action_enable", &[Group::ErpManager])),
    bound(shipped(
        "orest.action_revoke_all_sessions",
        "Revoke All Sessions",
        "action_revoke_all_sessions",
        &[Group::ErpManager, Group::OrestAdmin],
    )),
    bound(shipped("orest.action_delete_users", "Delete", "unlink", &[Group::ErpManager])),
];

impl BuiltIn {
    /// The one that this code names, on this model.
    pub fn find(code: &str, model: i64) -> Option<&'static Self> {
        BUILT_IN.iter().find(|built_in| built_in.code == code.trim() && built_in.model.id == model)
    }
}

impl Service {
    /// Makes the shipped server actions that are not there. To be called at each start.
    pub async fn ensure_shipped_actions(&self) -> Result<(), Error> {
        let now = self.now();
        self.write(move |tx| {
            for Shipped { xml_id, name, method, groups, bound } in SHIPPED {
                if records::find_by_text(tx.connection, "ir_act_server", "xml_id", xml_id)?.is_some() {
                    continue;
                }
                let built_in =
                    BUILT_IN.iter().find(|built_in| built_in.method == *method).expect("what is shipped is built in");
                let text = |text: &str| SqlValue::Text(text.to_owned());
                let model = SqlValue::Integer(built_in.model.id);
                let columns = [
                    ("name", text(name)),
                    ("xml_id", text(xml_id)),
                    ("binding_model_id", if *bound { model.clone() } else { SqlValue::Null }),
                    ("model_id", model),
                    ("code", text(built_in.code)),
                    ("create_date", SqlValue::Timestamp(now)),
                    ("write_date", SqlValue::Timestamp(now)),
                ];
                let id = records::insert(tx.connection, "ir_act_server", &columns)?;
                let groups = groups.iter().map(|group| group.id()).collect();
                records::replace_links(tx.connection, "ir_act_server_group_rel", "act_id", "gid", id, &groups)?;
            }
            Ok(())
        })
        .await
    }
}

impl Records {
    /// Puts server actions into the Action menu of their models, or takes them out.
    pub async fn bind_actions(&self, model: &'static Model, ids: Vec<i64>, bind: bool) -> Result<(), RecordError> {
        self.change(move |change| {
            let field = |name: &str| model.field(name).expect("a field of the model's table");
            check_model(change.actor(), model, Operation::Write)?;
            change.check_records(model, &ids, Operation::Write)?;
            let read = [ReadField { field: field("model_id"), related: None }];
            let rows = read::read(change.tx.connection, model, &ids, &read, change.now)?;
            for (id, row) in ids.iter().zip(rows_in_order(&ids, &rows)) {
                let target = row.and_then(|row| row.get("model_id")).and_then(Value::as_i64);
                let target = target.filter(|_| bind).map_or(SqlValue::Null, SqlValue::Integer);
                let mut values = Values::default();
                values.set(field("binding_model_id"), FieldValue::Column(target));
                if bind {
                    let kind = SqlValue::Text("action".to_owned());
                    values.set(field("binding_type"), FieldValue::Column(kind));
                }
                change.write(model, &[*id], values)?;
            }
            Ok(())
        })
        .await
    }
}

fn rows_in_order<'a>(
    ids: &'a [i64],
    rows: &'a [Map<String, Value>],
) -> impl Iterator<Item = Option<&'a Map<String, Value>>> {
    ids.iter().map(|id| rows.iter().find(|row| row.get("id").and_then(Value::as_i64) == Some(*id)))
}

impl Change<'_, '_> {
    /// No code but what is built in, on its own model.
    pub(super) fn after_action(&mut self, model: &'static Model, ids: &[i64]) -> Result<(), RecordError> {
        let fields: Vec<_> = ["code", "model_id", "binding_model_id"]
            .into_iter()
            .filter_map(|name| model.field(name))
            .map(|field| ReadField { field, related: None })
            .collect();
        for row in read::read(self.tx.connection, model, ids, &fields, self.now)? {
            let number = |name: &str| row.get(name).and_then(Value::as_i64);
            let code = row.get("code").and_then(Value::as_str).unwrap_or_default();
            let target = number("model_id").unwrap_or(0);
            if BuiltIn::find(code, target).is_none() {
                let known: String =
                    BUILT_IN.iter().map(|own| format!("\n- {}: {}", own.model.name, own.code)).collect();
                return Err(OdooError::validation(format!(
                    "Only built-in code can be run here, each on its own model:{known}"
                ))
                .into());
            }
            if number("binding_model_id").is_some_and(|binding| binding != target) {
                return Err(OdooError::validation("An action stands in the menu of its own model only.").into());
            }
        }
        Ok(())
    }
}

/// A server action as stored.
#[derive(Clone, Debug)]
pub struct ServerAction {
    /// Its row.
    pub id: i64,
    /// What the Action menu shows.
    pub name: String,
    /// What it runs.
    pub code: String,
    /// `ir.model` id of the records that it runs on.
    pub model_id: i64,
    /// In whose Action menu it stands.
    pub binding_model_id: Option<i64>,
    /// In which menu.
    pub binding_type: String,
    /// In which views, separated by commas.
    pub binding_view_types: String,
    /// Of the shipped ones.
    pub xml_id: Option<String>,
    /// Who sees and runs it; none: who may do to the records what it does.
    pub groups: Vec<i64>,
}

/// How a server action is named from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionName {
    /// By its row.
    Id(i64),
    /// By its external id.
    XmlId(String),
}

impl Service {
    /// A server action, whoever asks: whether he may run it is decided when it runs.
    pub async fn server_action(&self, name: ActionName) -> Result<Option<ServerAction>, Error> {
        let now = self.now();
        let found = self
            .store
            .read(move |connection| {
                let id = match name {
                    ActionName::Id(id) => Some(id),
                    ActionName::XmlId(text) => records::find_by_text(connection, "ir_act_server", "xml_id", &text)?,
                };
                let Some(id) = id else { return Ok(None) };
                let fields: Vec<_> = ir_actions::SERVER
                    .own_fields
                    .iter()
                    .filter(|field| field.column == Column::Stored)
                    .map(|field| ReadField { field, related: None })
                    .collect();
                let rows = read::read(connection, &ir_actions::SERVER, &[id], &fields, now)?;
                let groups = records::links(connection, "ir_act_server_group_rel", "act_id", "gid", id)?;
                Ok::<_, StoreError>(rows.into_iter().next().map(|row| (row, groups)))
            })
            .await?;
        Ok(found.map(|(row, groups)| {
            let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
            let number = |name: &str| row.get(name).and_then(Value::as_i64);
            ServerAction {
                id: number("id").unwrap_or_default(),
                name: text("name").unwrap_or_default(),
                code: text("code").unwrap_or_default(),
                model_id: number("model_id").unwrap_or_default(),
                binding_model_id: number("binding_model_id"),
                binding_type: text("binding_type").unwrap_or_default(),
                binding_view_types: text("binding_view_types").unwrap_or_default(),
                xml_id: text("xml_id"),
                groups: groups.into_iter().collect(),
            }
        }))
    }
}
