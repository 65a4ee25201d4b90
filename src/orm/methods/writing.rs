//! Methods that write records of any model.

use serde_json::{Map, Value};

use super::actions::text;
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::selection::Selection;
use crate::orm::call::{Answer, Arguments, Caller, Env, Method, Orm, Param};
use crate::orm::convert::{self, Values};
use crate::orm::error::OdooError;
use crate::orm::field::{Model, Storage};
use crate::orm::python;
use crate::orm::rights::{Operation, check_model};
use crate::service::records::{RecordError, Records};
use crate::service::revoke::RevokeOptions;

const fn method(name: &'static str, params: &'static [Param], handler: crate::orm::call::Handler) -> Method {
    Method { name, class: "BaseModel", params, api_model: false, models: &[], handler, doc: "" }
}

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        models: &["orest.authorization"],
        doc: "Throws authorizations in the waste bin: revokes them, and hides them from the lists.",
        ..method("unlink", &[], unlink_authorizations)
    },
    Method {
        models: &["res.users"],
        doc: "Deletes users, all or none, and revokes all that acts for them.",
        ..method("unlink", &[Param::optional("reason", "null")], unlink_users)
    },
    Method {
        api_model: true,
        doc: "Makes records, all or none. A dictionary gives an id, a list of them a list of ids.",
        ..method("create", &[Param::required("vals_list").or(&["vals", "values"])], create)
    },
    Method {
        doc: "Changes records, all or none.",
        ..method("write", &[Param::required("vals").or(&["values"])], write)
    },
    Method { doc: "Deletes records, all or none.", ..method("unlink", &[], unlink) },
    Method {
        doc: "Makes copies, with the values of `default` in place of what is copied.",
        ..method("copy", &[Param::optional("default", "null")], copy)
    },
    Method {
        api_model: true,
        doc: "Makes a record of its name alone.",
        ..method("name_create", &[Param::required("name")], name_create)
    },
    Method { doc: "Sets `active` off.", ..method("action_archive", &[], archive) },
    Method { doc: "Sets `active` on.", ..method("action_unarchive", &[], unarchive) },
    Method { doc: "Turns `active` over.", ..method("toggle_active", &[], toggle_active) },
    Method {
        doc: "Changes a record, or makes one when there are no ids, and reads it back.",
        ..method(
            "web_save",
            &[Param::required("vals"), Param::required("specification"), Param::optional("next_id", "null")],
            web_save,
        )
    },
];

impl Orm {
    /// The records, as this caller may change them.
    pub fn records(&self, caller: &Caller) -> Records {
        Records::new(self.service.clone(), std::sync::Arc::clone(&self.registry), caller.context.clone())
    }
}

impl Env<'_> {
    /// The records, as the caller may change them.
    pub(super) fn records(&self) -> Records {
        self.orm.records(self.caller)
    }

    /// The exception for what a change was refused with.
    pub(super) fn raise(&self, error: impl Into<RecordError>) -> OdooError {
        error.into().into_odoo(self.caller.uid)
    }

    /// Values of one record, with the context's `default_…` where a new one has none.
    fn values(&self, model: &'static Model, given: &Value, new: bool) -> Result<Values, OdooError> {
        let Value::Object(given) = given else { return Err(convert::not_a_dict(given)) };
        let mut given = given.clone();
        if new {
            for (key, value) in &self.context {
                if let Some(name) = key.strip_prefix("default_")
                    && model.field(name).is_some_and(|field| !field.readonly)
                    && !given.contains_key(name)
                {
                    given.insert(name.to_owned(), value.clone());
                }
            }
        }
        convert::values(&self.orm.registry, model, &given)
    }
}

/// The ids of a call, each once, in their order. As in Odoo, nothing is no record.
pub(super) fn ids(given: &Value) -> Result<Vec<i64>, OdooError> {
    let one = |value: &Value| match value {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let wrong = |value: &Value| {
        OdooError::type_error(format!("'{}' object cannot be interpreted as a record id", python::type_name(value)))
    };
    match given {
        Value::Null | Value::Bool(false) => Ok(Vec::new()),
        Value::Array(items) => {
            let mut seen = std::collections::HashSet::with_capacity(items.len());
            let mut ids = Vec::with_capacity(items.len());
            for item in items {
                let id = one(item).ok_or_else(|| wrong(item))?;
                if seen.insert(id) {
                    ids.push(id);
                }
            }
            Ok(ids)
        }
        value => one(value).map(|id| vec![id]).ok_or_else(|| wrong(value)),
    }
}

/// The only id of a call.
pub(super) fn one_id(model: &Model, given: &Value) -> Result<i64, OdooError> {
    match ids(given)?.as_slice() {
        [id] => Ok(*id),
        many => {
            let list: Vec<String> = many.iter().map(ToString::to_string).collect();
            Err(OdooError::value(format!("Expected singleton: {}({})", model.name, list.join(", "))))
        }
    }
}

fn create<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Create)?;
        let given = arguments.take("vals_list");
        let (one, given) = match given {
            Value::Array(many) => (false, many),
            one => (true, vec![one]),
        };
        let values = given.iter().map(|given| env.values(model, given, true)).collect::<Result<Vec<_>, _>>()?;
        let ids = match model.storage {
            Storage::Transient => {
                let mut ids = Vec::new();
                for values in values {
                    ids.push(create_transient(env, model, values).await?);
                }
                ids
            }
            _ => env.records().create(model, values).await.map_err(|error| env.raise(error))?,
        };
        Ok(if one { ids.first().copied().into() } else { ids.into() })
    })
}

async fn create_transient(env: &Env<'_>, model: &'static Model, mut values: Values) -> Result<i64, OdooError> {
    for field in model.fields() {
        if !values.has(field.name)
            && let Some(default) = convert::default(&env.orm.registry, model, field)
        {
            values.set(field, default);
        }
    }
    super::apikeys::set_expiration(env.now(), model, &mut values);
    env.make_transient(model, &values, None).await
}

fn write<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Write)?;
        let ids = ids(&arguments.ids)?;
        let given = arguments.take("vals");
        let own = model.name == "res.users" && ids.contains(&env.caller.uid);
        if own && given.get("new_password").is_some_and(python::truthy) {
            return Err(OdooError::user(
                "Please use the change password wizard (in User Preferences or User menu) to change your own password.",
            ));
        }
        let mut values = env.values(model, &given, false)?;
        if matches!(model.storage, Storage::Transient) {
            super::apikeys::set_expiration(env.now(), model, &mut values);
            env.change_transients(model, &ids, &values).await?;
            return Ok(true.into());
        }
        env.records().write(model, ids, values).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn unlink<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = ids(&arguments.ids)?;
        if matches!(model.storage, Storage::Transient) {
            check_model(&env.caller.context.actor, model, Operation::Unlink)?;
            env.drop_transients(model, &ids).await?;
            return Ok(true.into());
        }
        env.records().unlink(model, ids).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn unlink_authorizations<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let options = RevokeOptions { hide: true, ..RevokeOptions::default() };
        let receipt = revoke_ids(env, model, ids(&arguments.ids)?, options, Some(Channel::Unlink)).await?;
        env.orm.service.check_confirmed(&receipt).map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn unlink_users<'a>(env: &'a Env<'a>, _: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let reason = text(arguments.take("reason"));
        let deleted = env.records().delete_users(ids(&arguments.ids)?, reason).await;
        deleted.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

/// Revokes these authorizations, which must be there and the caller's to revoke; `channel` in place of the door's own.
pub(super) async fn revoke_ids(
    env: &Env<'_>,
    model: &'static Model,
    ids: Vec<i64>,
    options: RevokeOptions,
    channel: Option<Channel>,
) -> Result<Receipt, OdooError> {
    check_model(&env.caller.context.actor, model, Operation::Unlink)?;
    let mut context = env.caller.context.clone();
    context.channel = channel.unwrap_or(context.channel);
    let refused = match env.orm.service.revoke(&context, Selection::Ids(ids.clone()), options).await {
        Ok(receipt) => return Ok(receipt),
        Err(refused @ crate::service::Error::Forbidden(_)) => refused,
        Err(error) => return Err(env.raise(error)),
    };
    // The record rule says it in Odoo's words.
    env.records().check(model, ids, Operation::Unlink).await.map_err(|error| env.raise(error))?;
    Err(env.raise(refused))
}

fn copy<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Create)?;
        let ids = ids(&arguments.ids)?;
        let values = match arguments.take("default") {
            Value::Null | Value::Bool(false) => Values::default(),
            given => env.values(model, &given, false)?,
        };
        let made = env.records().copy(model, ids, values).await.map_err(|error| env.raise(error))?;
        Ok(made.into())
    })
}

fn name_create<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Create)?;
        let name = arguments.take("name");
        let given: Map<String, Value> = [(model.rec_name.to_owned(), name.clone())].into_iter().collect();
        let values = env.values(model, &given.into(), true)?;
        let made = env.records().create(model, vec![values]).await.map_err(|error| env.raise(error))?;
        Ok(Value::Array(vec![made.first().copied().into(), python::str(&name).into()]))
    })
}

fn archive<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move { set_active(env, model, ids(&arguments.ids)?, false).await })
}

fn unarchive<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move { set_active(env, model, ids(&arguments.ids)?, true).await })
}

async fn set_active(env: &Env<'_>, model: &'static Model, ids: Vec<i64>, active: bool) -> Result<Value, OdooError> {
    check_model(&env.caller.context.actor, model, Operation::Write)?;
    let values = env.values(model, &serde_json::json!({ "active": active }), false)?;
    env.records().write(model, ids, values).await.map_err(|error| env.raise(error))?;
    Ok(Value::Null)
}

fn toggle_active<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let all = ids(&arguments.ids)?;
        check_model(&env.caller.context.actor, model, Operation::Write)?;
        let values = |active: bool| env.values(model, &serde_json::json!({ "active": active }), false);
        let (on, off) = (values(true)?, values(false)?);
        env.records().toggle_active(model, all, on, off).await.map_err(|error| env.raise(error))?;
        Ok(Value::Null)
    })
}

fn web_save<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let given = arguments.take("vals");
        let specification = arguments.take("specification");
        let saved = ids(&arguments.ids)?;
        let (method, args) = match saved.as_slice() {
            [] => ("create", vec![given]),
            [id] => ("write", vec![Value::from(vec![*id]), given]),
            _ => return Err(OdooError::value(format!("Expected singleton: {}", model.name))),
        };
        let context = || [("context".to_owned(), Value::Object(env.context.clone()))].into_iter().collect();
        let done = env.orm.call_kw(env.caller, model.name, method, args, context()).await?;
        let shown = match arguments.take("next_id") {
            Value::Number(next) => Value::Array(vec![next.into()]),
            _ if saved.is_empty() => Value::Array(vec![done]),
            _ => saved.into(),
        };
        env.orm.call_kw(env.caller, model.name, "web_read", vec![shown, specification], context()).await
    })
}
