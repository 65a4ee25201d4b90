//! The models that describe the models: `ir.model`, `ir.model.fields`, `ir.model.access`, `ir.rule` and `ir.model.data`.
//! All are made from the registry.

use serde_json::{Value, json};

use super::record;
use crate::domain::user::Group;
use crate::orm::eval::Row;
use crate::orm::field::{
    Access, Column, Field, Kind, Model, Storage, boolean, char, integer, many2one, one2many, selection, text,
};
use crate::orm::registry::Registry;
use crate::orm::rights;

const STATE: &[(&str, &str)] = &[("manual", "Custom Object"), ("base", "Base Object")];

/// A model.
pub const MODEL: Model = Model {
    id: 20,
    name: "ir.model",
    label: "Models",
    order: "model",
    rec_name: "name",
    storage: Storage::Memory(models),
    own_fields: &[
        char("name", "Model Description").help("What a person calls one record.").readonly(),
        char("model", "Model").help("Technical name.").readonly().in_name_search(),
        char("order", "Order").help("The default order of its records.").readonly(),
        text("info", "Information").help("Where its records are.").readonly(),
        selection("state", "Type", STATE).help("Always a base object.").readonly(),
        boolean("abstract", "Abstract Model").help("Whether it has no records.").readonly(),
        boolean("transient", "Transient Model")
            .help("Whether its records are forms that live for a moment.")
            .readonly(),
        char("modules", "In Apps").help("The module that brings it.").readonly(),
        one2many("field_id", "Fields", "ir.model.fields", "model_id").help("Its fields."),
        one2many("access_ids", "Access", "ir.model.access", "model_id").help("Who may do what with it."),
        one2many("rule_ids", "Record Rules", "ir.rule", "model_id").help("Which of its records a group sees."),
    ],
    access: &[Access::read(Group::ErpManager)],
    rules: &[],
    unique: &[],
};

fn models(registry: &Registry) -> Vec<Row> {
    let rows = registry.iter().map(|model| {
        let info = match model.storage {
            Storage::Table { .. } => "Stored in the database.",
            Storage::Memory(_) => "Made from the description of the models; can't be changed.",
            Storage::Transient => "A form; its records live for a moment.",
        };
        record(json!({
            "id": model.id,
            "name": model.label,
            "model": model.name,
            "order": model.order,
            "info": info,
            "state": "base",
            "abstract": false,
            "transient": matches!(model.storage, Storage::Transient),
            "modules": module_of(model),
        }))
    });
    rows.collect()
}

/// A field of a model.
pub const FIELDS: Model = Model {
    id: 21,
    name: "ir.model.fields",
    label: "Fields",
    order: "name, id",
    rec_name: "field_description",
    storage: Storage::Memory(fields),
    own_fields: &[
        char("display_name", "Display Name").help("Its label and its model.").readonly(),
        char("name", "Field Name").help("Technical name.").readonly().in_name_search(),
        char("complete_name", "Complete Name").help("Model and name.").readonly(),
        char("field_description", "Field Label").help("What a person calls it.").readonly(),
        char("help", "Field Help").help("A sentence on it.").readonly(),
        char("model", "Model Name").help("Technical name of its model.").readonly(),
        many2one("model_id", "Model", "ir.model").help("Its model.").readonly(),
        char("ttype", "Field Type").help("Its type.").readonly(),
        char("relation", "Related Model").help("The model that it leads to.").readonly(),
        char("relation_field", "Relation Field").help("For one2many: the many2one field at the other end.").readonly(),
        boolean("required", "Required").help("Whether a value must be there.").readonly(),
        boolean("readonly", "Readonly").help("Whether callers can't set it.").readonly(),
        boolean("store", "Stored").help("Whether it is a column of the database.").readonly(),
        selection("state", "Type", STATE).help("Always a base field.").readonly(),
        char("modules", "In Apps").help("The module that brings it.").readonly(),
    ],
    access: &[Access::read(Group::ErpManager)],
    rules: &[],
    unique: &[],
};

fn fields(registry: &Registry) -> Vec<Row> {
    let mut rows = Vec::new();
    for model in registry.iter() {
        for (id, field) in (model.id * 1000..).zip(model.fields()) {
            let relation_field = match field.kind {
                Kind::One2many { inverse, .. } => Value::from(inverse),
                _ => Value::Bool(false),
            };
            rows.push(record(json!({
                "id": id,
                "display_name": format!("{} ({})", field.label, model.name),
                "name": field.name,
                "complete_name": format!("{}.{}", model.name, field.name),
                "field_description": field.label,
                "help": if field.help.is_empty() { Value::Bool(false) } else { field.help.into() },
                "model": model.name,
                "model_id": model.id,
                "ttype": field.ttype(),
                "relation": field.comodel().map_or(Value::Bool(false), Value::from),
                "relation_field": relation_field,
                "required": field.required,
                "readonly": field.readonly,
                "store": is_stored(field),
                "state": "base",
                "modules": module_of(model),
            })));
        }
    }
    rows
}

/// Whether Odoo would call it stored.
pub fn is_stored(field: &Field) -> bool {
    field.name != "display_name" && (field.column == Column::Stored || field.is_x2many())
}

/// A line of rights on a model.
pub const ACCESS: Model = Model {
    id: 22,
    name: "ir.model.access",
    label: "Model Access",
    order: "model_id, group_id, name, id",
    rec_name: "name",
    storage: Storage::Memory(accesses),
    own_fields: &[
        char("name", "Name").help("Model and group.").readonly(),
        boolean("active", "Active").help("Always on.").readonly(),
        many2one("model_id", "Model", "ir.model").help("On which model.").readonly(),
        many2one("group_id", "Group", "res.groups").help("For whom; nobody: for everybody.").readonly(),
        boolean("perm_read", "Read Access").help("May see.").readonly(),
        boolean("perm_write", "Write Access").help("May change.").readonly(),
        boolean("perm_create", "Create Access").help("May make.").readonly(),
        boolean("perm_unlink", "Delete Access").help("May delete.").readonly(),
    ],
    access: &[Access::read(Group::ErpManager)],
    rules: &[],
    unique: &[],
};

fn accesses(registry: &Registry) -> Vec<Row> {
    let mut rows = Vec::new();
    for model in registry.iter() {
        for (id, line) in (model.id * 100..).zip(model.access) {
            let group = line.group.map_or("everybody", Group::label);
            rows.push(record(json!({
                "id": id,
                "name": format!("{} {group}", model.name),
                "active": true,
                "model_id": model.id,
                "group_id": line.group.map_or(Value::Bool(false), |group| group.id().into()),
                "perm_read": line.read,
                "perm_write": line.write,
                "perm_create": line.create,
                "perm_unlink": line.unlink,
            })));
        }
    }
    rows
}

/// A record rule.
pub const RULE: Model = Model {
    id: 23,
    name: "ir.rule",
    label: "Record Rule",
    order: "model_id, id",
    rec_name: "name",
    storage: Storage::Memory(rules),
    own_fields: &[
        char("name", "Name").help("What it shows to whom.").readonly(),
        boolean("active", "Active").help("Always on.").readonly(),
        many2one("model_id", "Model", "ir.model").help("Of which model.").readonly(),
        Field::new(
            "groups",
            Kind::Many2many {
                model: "res.groups",
                relation: "rule_group_rel",
                own: "rule_group_id",
                other: "group_id",
            },
            "Groups",
        )
        .help("For whom.")
        .readonly(),
        text("domain_force", "Domain").help("Which records; {uid} is the caller's id.").readonly(),
        boolean("global", "Global").help("Whether it is for everybody; never.").readonly(),
        boolean("perm_read", "Read").help("Bounds reading; always.").readonly(),
        boolean("perm_write", "Write").help("Bounds changing; always.").readonly(),
        boolean("perm_create", "Create").help("Bounds making; always.").readonly(),
        boolean("perm_unlink", "Delete").help("Bounds deleting; always.").readonly(),
    ],
    access: &[Access::read(Group::ErpManager)],
    rules: &[],
    unique: &[],
};

fn rules(registry: &Registry) -> Vec<Row> {
    let mut rows = Vec::new();
    for model in registry.iter() {
        for (id, rule) in (model.id * 100..).zip(model.rules) {
            rows.push(record(json!({
                "id": id,
                "name": rule.name,
                "active": true,
                "model_id": model.id,
                "groups": [rule.group.id()],
                "domain_force": rule.domain,
                "global": false,
                "perm_read": true,
                "perm_write": true,
                "perm_create": true,
                "perm_unlink": true,
            })));
        }
    }
    rows
}

/// An external id of what is not in the database. Those of server actions stand in their `xml_id`.
pub const DATA: Model = Model {
    id: 24,
    name: "ir.model.data",
    label: "Model Data",
    order: "module, model, name",
    rec_name: "complete_name",
    storage: Storage::Memory(external_ids),
    own_fields: &[
        char("module", "Module").help("The module that brings the record.").readonly(),
        char("name", "External Identifier").help("The name of the record in the module.").readonly().in_name_search(),
        char("complete_name", "Complete ID").help("Both, with a dot between.").readonly(),
        char("model", "Model Name").help("Of which model the record is.").readonly(),
        integer("res_id", "Record ID").help("Its id.").readonly(),
        char("reference", "Reference").help("Model and id, with a comma between.").readonly(),
        boolean("noupdate", "Non Updatable").help("Whether it stays as it is when the service is updated.").readonly(),
    ],
    access: &[Access::read(Group::ErpManager)],
    rules: &[],
    unique: &[],
};

fn external_ids(registry: &Registry) -> Vec<Row> {
    let groups = Group::ALL.iter().map(|group| (group.xmlid().to_owned(), "res.groups", group.id()));
    let models = registry
        .iter()
        .map(|model| (format!("{}.model_{}", module_of(model), model.name.replace('.', "_")), MODEL.name, model.id));
    let others = [("base.main_company", "res.company", 1), ("base.lang_en", "res.lang", 1)]
        .map(|(complete_name, model, id)| (complete_name.to_owned(), model, id));
    let all = groups.chain(models).chain(others);
    let rows = (1..).zip(all).map(|(id, (complete_name, model, res_id))| {
        let (module, name) = complete_name.split_once('.').unwrap_or(("", &complete_name));
        record(json!({
            "id": id,
            "module": module,
            "name": name,
            "complete_name": complete_name,
            "model": model,
            "res_id": res_id,
            "reference": format!("{model},{res_id}"),
            "noupdate": true,
        }))
    });
    rows.collect()
}

/// The module that brings a model, as in its external id.
pub fn module_of(model: &Model) -> &'static str {
    if model.name.starts_with("orest.") { "orest" } else { "base" }
}

/// The models that a caller may read, for those who may not read `ir.model` itself.
pub fn readable<'a>(
    registry: &'a Registry,
    actor: &'a crate::domain::user::Actor,
) -> impl Iterator<Item = &'static Model> + 'a {
    registry.iter().filter(|model| {
        !matches!(model.storage, Storage::Transient) && rights::may(actor, model, rights::Operation::Read)
    })
}
