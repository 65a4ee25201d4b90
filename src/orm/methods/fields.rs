//! What a model is like and what one may do with it: `fields_get`, `default_get`, `get_metadata`, the questions about rights.

use serde_json::{Map, Value, json};

use crate::orm::arguments::{ids, items};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::{Column, Field, Kind, Model};
use crate::orm::models::ir_model::is_stored;
use crate::orm::python;
use crate::orm::read::Load;
use crate::orm::rights::{self, Operation};

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "fields_get",
        class: "BaseModel",
        params: &[Param::optional("allfields", "null").or(&["fields"]), Param::optional("attributes", "null")],
        api_model: true,
        models: &[],
        handler: fields_get,
        doc: "The fields that the caller sees, with what there is to know of each.",
    },
    Method {
        name: "default_get",
        class: "BaseModel",
        params: &[Param::required("fields").or(&["fields_list"])],
        api_model: true,
        models: &[],
        handler: default_get,
        doc: "What a new record holds where nothing is said.",
    },
    Method {
        name: "get_metadata",
        class: "BaseModel",
        params: &[],
        api_model: false,
        models: &[],
        handler: get_metadata,
        doc: "Who made and changed the records, when, and their external ids.",
    },
    Method {
        name: "get_external_id",
        class: "BaseModel",
        params: &[],
        api_model: false,
        models: &[],
        handler: get_external_id,
        doc: "The external id of each record, or nothing.",
    },
    Method {
        name: "check_access_rights",
        class: "BaseModel",
        params: &[Param::required("operation"), Param::optional("raise_exception", "true")],
        api_model: true,
        models: &[],
        handler: check_access_rights,
        doc: "Whether the caller may read, write, create or unlink some record of the model.",
    },
    Method {
        name: "has_access",
        class: "BaseModel",
        params: &[Param::required("operation")],
        api_model: false,
        models: &[],
        handler: has_access,
        doc: "Whether the caller may do this to each of the records.",
    },
    Method {
        name: "check_access_rule",
        class: "BaseModel",
        params: &[Param::required("operation")],
        api_model: false,
        models: &[],
        handler: check_access_rule,
        doc: "Refuses if a rule hides one of the records from the caller.",
    },
];

fn fields_get<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let wanted = arguments.get("allfields");
        let wanted = if python::truthy(wanted) { Some(items(wanted)?) } else { None };
        let attributes = arguments.get("attributes");
        let attributes = if attributes.is_array() { Some(items(attributes)?) } else { None };
        Ok(describe(env, model, wanted.as_deref(), attributes.as_deref()).into())
    })
}

/// Every field that the caller sees, or those of `wanted`, with all or only some attributes.
pub(super) fn describe(
    env: &Env<'_>,
    model: &'static Model,
    wanted: Option<&[Value]>,
    attributes: Option<&[Value]>,
) -> Map<String, Value> {
    let seen = model.fields().filter(|field| rights::sees(env.actor(), field));
    let named = seen.filter(|field| wanted.is_none_or(|wanted| wanted.iter().any(|name| name == field.name)));
    let described = named.map(|field| {
        let mut all = description(model, field);
        if let Some(attributes) = attributes {
            all.retain(|name, _| attributes.iter().any(|wanted| wanted == name));
        }
        (field.name.to_owned(), Value::Object(all))
    });
    described.collect()
}

/// The attributes of a field, as Odoo 19 gives them.
pub fn description(model: &Model, field: &Field) -> Map<String, Value> {
    let shown_name = field.name == "display_name" && field.column == Column::Stored;
    let searchable = field.column != Column::None || field.is_x2many();
    let one_value = searchable && !field.is_x2many() && field.kind != Kind::Binary && !shown_name;
    let groupable = one_value || matches!(field.kind, Kind::Many2many { .. });
    let mut all = json!({
        "change_default": false,
        "company_dependent": false,
        "default_export_compatible": field.name == model.rec_name && !shown_name,
        "depends": [],
        "exportable": true,
        "groupable": groupable,
        "manual": false,
        "name": field.name,
        "readonly": field.readonly,
        "required": field.required,
        "searchable": searchable,
        "sortable": one_value,
        "store": is_stored(field),
        "string": field.label,
        "type": field.ttype(),
    });
    let mut add = |name: &str, value: Value| all[name] = value;
    if !field.help.is_empty() {
        add("help", field.help.into());
    }
    if let Some(group) = field.group {
        add("groups", group.xmlid().into());
    }
    match field.kind {
        Kind::Integer if field.name != "id" => add("aggregator", "sum".into()),
        Kind::Char => {
            add("translate", false.into());
            add("trim", true.into());
        }
        Kind::Text => add("translate", false.into()),
        Kind::Binary => add("attachment", false.into()),
        Kind::Selection(keys) => add("selection", json!(keys)),
        Kind::Many2one(comodel) => relation(&mut add, comodel),
        Kind::One2many { model: comodel, inverse } => {
            relation(&mut add, comodel);
            add("relation_field", inverse.into());
        }
        Kind::Many2many { model: comodel, .. } => relation(&mut add, comodel),
        Kind::Integer | Kind::Boolean | Kind::Date | Kind::Datetime => {}
    }
    let Value::Object(mut all) = all else { unreachable!("it was written as an object") };
    all.sort_keys();
    all
}

fn relation(add: &mut impl FnMut(&str, Value), comodel: &str) {
    add("relation", comodel.into());
    // sic
    add("allow_hierachy_operators", false.into());
    add("context", json!({}));
    add("domain", json!([]));
}

fn default_get<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let mut defaults = Map::new();
        for name in items(arguments.get("fields"))? {
            let field = name.as_str().and_then(|name| model.field(name));
            let Some(field) = field.filter(|field| rights::sees(env.actor(), field)) else { continue };
            if let Some(value) = default_of(env, field) {
                defaults.insert(field.name.to_owned(), value);
            }
        }
        Ok(defaults.into())
    })
}

/// What a new record holds in this field where nothing is said: `default_<field>` of the context, else the field's own.
pub fn default_of(env: &Env<'_>, field: &Field) -> Option<Value> {
    let own = || Some(serde_json::from_str(field.default?).expect("defaults are JSON: a test reads them all"));
    env.context.get(&format!("default_{}", field.name)).cloned().or_else(own)
}

fn get_metadata<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        const WHO_AND_WHEN: [&str; 4] = ["create_uid", "create_date", "write_uid", "write_date"];
        let ids = ids(&arguments.ids)?;
        let fields: Vec<_> = WHO_AND_WHEN.iter().filter_map(|name| model.field(name)).collect();
        let records = env.read(model, ids.clone(), &fields, Load::Classic).await?;
        let external = env.external_ids(model, &ids).await?;
        let metadata = records.into_iter().map(|mut record| {
            for name in WHO_AND_WHEN {
                record.entry(name).or_insert(Value::Bool(false));
            }
            let id = record.get("id").and_then(Value::as_i64).unwrap_or_default();
            let xmlids: Vec<_> =
                external.get(&id).map(|xmlid| json!({"xmlid": xmlid, "noupdate": true})).into_iter().collect();
            record.insert("xmlid".to_owned(), external.get(&id).map_or(Value::Bool(false), |id| id.as_str().into()));
            record.insert("noupdate".to_owned(), (!xmlids.is_empty()).into());
            record.insert("xmlids".to_owned(), xmlids.into());
            record
        });
        Ok(metadata.map(Value::Object).collect())
    })
}

fn get_external_id<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = ids(&arguments.ids)?;
        env.check_records(model, &ids, Operation::Read).await?;
        let external = env.external_ids(model, &ids).await?;
        let of = |id: &i64| external.get(id).cloned().unwrap_or_default();
        Ok(ids.iter().map(|id| (id.to_string(), Value::from(of(id)))).collect::<Map<_, _>>().into())
    })
}

/// The operation of this name.
///
/// # Errors
/// `AssertionError`, as Odoo's own.
pub(super) fn operation(value: &Value) -> Result<Operation, OdooError> {
    let known = value.as_str().and_then(Operation::from_name);
    known.ok_or_else(|| OdooError::new(Exception::AssertionError, "Invalid access mode"))
}

fn check_access_rights<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let operation = operation(arguments.get("operation"))?;
        if !python::truthy(arguments.get("raise_exception")) {
            return Ok(rights::may(env.actor(), model, operation).into());
        }
        rights::check_model(env.actor(), model, operation)?;
        Ok(Value::Null)
    })
}

fn has_access<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let operation = operation(arguments.get("operation"))?;
        Ok(env.may(model, &ids(&arguments.ids)?, operation).await?.into())
    })
}

fn check_access_rule<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let operation = operation(arguments.get("operation"))?;
        env.check_records(model, &ids(&arguments.ids)?, operation).await?;
        Ok(Value::Null)
    })
}
