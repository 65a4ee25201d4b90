//! The methods of `res.users`, `ir.model`, `ir.model.access`, `ir.model.data`, `res.lang` and `ir.actions.actions` that clients call
//! to find their way.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::fields::operation;
use crate::domain::ids::UserId;
use crate::domain::user::{Group, GroupSet};
use crate::orm::arguments::{ids, items};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::orm::models::{ir_actions, ir_model};
use crate::orm::python;
use crate::orm::read::Load;
use crate::orm::rights::{self, Operation};
use crate::orm::search_domain::SearchDomain;
use crate::store::users::User;

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "context_get",
        class: "ResUsers",
        params: &[],
        api_model: true,
        models: &["res.users"],
        handler: context_get,
        doc: "The caller's language, time zone and id.",
    },
    Method {
        name: "has_group",
        class: "ResUsers",
        params: &[Param::required("group_ext_id")],
        api_model: false,
        models: &["res.users"],
        handler: has_group,
        doc: "Whether the user is in the group of this external id.",
    },
    Method {
        name: "has_groups",
        class: "ResUsers",
        params: &[Param::required("group_spec")],
        api_model: false,
        models: &["res.users"],
        handler: has_groups,
        doc: "Whether the user is in one of the groups, and in none that has an exclamation mark.",
    },
    Method {
        name: "get_available_models",
        class: "IrModel",
        params: &[],
        api_model: true,
        models: &["ir.model"],
        handler: get_available_models,
        doc: "The models that the caller may read.",
    },
    Method {
        name: "display_name_for",
        class: "IrModel",
        params: &[Param::required("models")],
        api_model: true,
        models: &["ir.model"],
        handler: display_name_for,
        doc: "What a person calls these models.",
    },
    Method {
        name: "check",
        class: "IrModelAccess",
        params: &[
            Param::required("model"),
            Param::optional("mode", "\"read\""),
            Param::optional("raise_exception", "true"),
        ],
        api_model: true,
        models: &["ir.model.access"],
        handler: check,
        doc: "Whether the caller may do this to some record of the model.",
    },
    Method {
        name: "check_object_reference",
        class: "IrModelData",
        params: &[
            Param::required("module"),
            Param::required("xml_id"),
            Param::optional("raise_on_access_error", "false"),
        ],
        api_model: true,
        models: &["ir.model.data"],
        handler: check_object_reference,
        doc: "Model and id of the record of an external id.",
    },
    Method {
        name: "get_installed",
        class: "ResLang",
        params: &[],
        api_model: true,
        models: &["res.lang"],
        handler: get_installed,
        doc: "Code and name of the languages that can be chosen.",
    },
    Method {
        name: "get_bindings",
        class: "IrActionsActions",
        params: &[Param::required("model_name")],
        api_model: true,
        models: &["ir.actions.actions", "ir.actions.server"],
        handler: get_bindings,
        doc: "The actions that stand in the Action menu of a model.",
    },
];

async fn caller(env: &Env<'_>) -> Result<Option<Arc<User>>, OdooError> {
    match env.actor().user {
        Some(id) => env.orm.service.user(id).await.map_err(|error| env.refused(error)),
        None => Ok(None),
    }
}

fn context_get<'a>(env: &'a Env<'a>, _: &'static Model, _: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let user = caller(env).await?;
        let lang = user.as_ref().map_or("en_US", |user| user.lang());
        let tz = user.as_ref().and_then(|user| user.tz()).map_or(Value::Bool(false), Value::from);
        Ok(json!({"lang": lang, "tz": tz, "uid": env.caller.uid}))
    })
}

/// The groups of the one user in `ids`.
async fn groups_of(env: &Env<'_>, arguments: &Arguments) -> Result<GroupSet, OdooError> {
    let ids = ids(&arguments.ids)?;
    let [id] = ids[..] else {
        let ids = python::tuple(ids.iter().map(i64::to_string));
        return Err(OdooError::value(format!("Expected singleton: res.users{ids}")));
    };
    if env.actor().user == Some(UserId(id)) {
        return Ok(env.actor().groups);
    }
    if !env.actor().groups.contains(Group::ErpManager) {
        // sic
        return Err(OdooError::access("You can ony call user.has_group() with your current user."));
    }
    let user = env.orm.service.user(UserId(id)).await.map_err(|error| env.refused(error))?;
    user.map(|user| user.groups).ok_or_else(|| OdooError::missing("res.users", id, env.caller.uid))
}

fn is_in(groups: GroupSet, xmlid: &str) -> bool {
    Group::ALL.into_iter().any(|group| group.xmlid() == xmlid && groups.contains(group))
}

fn has_group<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let groups = groups_of(env, &arguments).await?;
        Ok(is_in(groups, arguments.get("group_ext_id").as_str().unwrap_or_default()).into())
    })
}

fn has_groups<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let groups = groups_of(env, &arguments).await?;
        let (mut any, mut wanted) = (false, false);
        for name in arguments.get("group_spec").as_str().unwrap_or_default().split(',').map(str::trim) {
            match name.strip_prefix('!') {
                Some(name) if is_in(groups, name) => return Ok(false.into()),
                Some(_) => {}
                None => (any, wanted) = (any || is_in(groups, name), true),
            }
        }
        Ok((any || !wanted).into())
    })
}

fn get_available_models<'a>(env: &'a Env<'a>, _: &'static Model, _: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let mut models: Vec<_> = ir_model::readable(&env.orm.registry, env.actor()).collect();
        models.sort_by_key(|model| model.name);
        Ok(models.into_iter().map(|model| json!({"display_name": model.label, "model": model.name})).collect())
    })
}

fn display_name_for<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let named = items(arguments.get("models"))?.into_iter().map(|name| {
            let model = ir_model::readable(&env.orm.registry, env.actor()).find(|model| name == model.name);
            json!({"display_name": model.map_or_else(|| name.clone(), |model| model.label.into()), "model": name})
        });
        Ok(named.collect())
    })
}

fn check<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let raises = python::truthy(arguments.get("raise_exception"));
        let operation = operation(arguments.get("mode"))?;
        let name = arguments.get("model").as_str().unwrap_or_default();
        match env.orm.registry.get(name) {
            Some(model) if raises => rights::check_model(env.actor(), model, operation).map(|()| true.into()),
            Some(model) => Ok(rights::may(env.actor(), model, operation).into()),
            None if raises => Err(OdooError::new(Exception::KeyError, name)),
            None => Ok(false.into()),
        }
    })
}

fn check_object_reference<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let text = |name: &str| python::str(arguments.get(name));
        let complete_name = format!("{}.{}", text("module"), text("xml_id"));
        let Some((model, id)) = env.find_external_id(&complete_name).await? else {
            return Err(OdooError::value(format!("External ID not found in the system: {complete_name}")));
        };
        if env.may(model, &[id], Operation::Read).await? {
            return Ok(json!([model.name, id]));
        }
        if python::truthy(arguments.get("raise_on_access_error")) {
            let message = format!("Not enough access rights on the external ID \"{complete_name}\"");
            return Err(OdooError::access(message));
        }
        Ok(json!([model.name, false]))
    })
}

fn get_installed<'a>(env: &'a Env<'a>, model: &'static Model, _: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let found = env.search(model, &SearchDomain::True, &Value::Null, 0, None).await?;
        let fields = env.fields(model, &json!(["code", "name"]))?;
        let languages = env.fetch(model, found, &fields, Load::Raw).await?;
        Ok(languages.iter().map(|language| json!([language.get("code"), language.get("name")])).collect())
    })
}

fn get_bindings<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let model = arguments.get("model_name").as_str().and_then(|name| env.orm.registry.get(name));
        Ok(match model {
            Some(model) => bindings(env, model).await?.into(),
            None => json!({}),
        })
    })
}

/// The actions bound to a model that the caller may run: `{"action": […], "report": […]}`.
pub(super) async fn bindings(env: &Env<'_>, model: &Model) -> Result<Map<String, Value>, OdooError> {
    let system = env.caller.as_superuser();
    let system = Env { orm: env.orm, caller: &system, context: Map::new() };
    let actions = &ir_actions::SERVER;
    let bound = SearchDomain::leaf("binding_model_id", "=", model.id.into());
    let found = system.search(actions, &bound, &"sequence, id".into(), 0, None).await?;
    let names = json!(["name", "binding_type", "binding_view_types", "sequence", "group_ids"]);
    let fields = system.fields(actions, &names)?;
    let mut bindings: Map<String, Value> = Map::new();
    for action in system.fetch(actions, found, &fields, Load::Raw).await? {
        let groups = action.get("group_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_member = |group: &Value| {
            let group = group.as_i64().and_then(Group::from_id);
            group.is_some_and(|group| env.actor().groups.contains(group))
        };
        if !groups.is_empty() && !groups.iter().any(is_member) {
            continue;
        }
        let place = action.get("binding_type").map(python::str).unwrap_or_default();
        let shown = ["id", "name", "binding_view_types", "sequence"];
        let binding: Map<_, _> =
            shown.iter().filter_map(|name| Some(((*name).to_owned(), action.get(*name)?.clone()))).collect();
        if let Value::Array(list) = bindings.entry(place).or_insert_with(|| json!([])) {
            list.push(binding.into());
        }
    }
    Ok(bindings)
}
