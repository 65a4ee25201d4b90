//! `orest.model.scheme` and `orest.model.configuration`: which models and fields of the protected Odoo an application may touch.

use crate::domain::user::Group;
use crate::orm::field::{Access, Model, Storage, Unique, boolean, char, many2one, one2many, selection, text};

const LIMIT: &[(&str, &str)] = &[("none", "None"), ("blacklist", "Blacklist"), ("whitelist", "Whitelist")];

/// A named list of models.
pub const MODEL_SCHEME: Model = Model {
    id: 7,
    name: "orest.model.scheme",
    label: "REST API Model Scheme",
    order: "name",
    rec_name: "name",
    storage: Storage::Table { name: "orest_model_scheme", log_access: true },
    own_fields: &[
        char("name", "Name").help("What administrators call it.").required(),
        text("description", "Description").help("What it is for."),
        boolean("active", "Active").help("An archived scheme can't be chosen.").default("true"),
        selection("model_limit", "Model Limit", LIMIT)
            .help("None: every model. Blacklist: all but these. Whitelist: these only.")
            .required()
            .default("\"none\""),
        one2many("configuration_ids", "Models", "orest.model.configuration", "scheme_id")
            .help("The models of the list.")
            .editable(),
        one2many("application_ids", "Applications", "orest.application", "model_scheme_id")
            .help("Who is limited by it.")
            .editable(),
    ],
    access: &[Access::full(Group::OrestAdmin)],
    rules: &[],
    unique: &[Unique { columns: "orest_model_scheme.name", message: "A model scheme with this name exists already." }],
};

/// A model of a scheme, with a list of its fields.
pub const MODEL_CONFIGURATION: Model = Model {
    id: 8,
    name: "orest.model.configuration",
    label: "REST API Model Configuration",
    order: "model",
    rec_name: "model",
    storage: Storage::Table { name: "orest_model_configuration", log_access: true },
    own_fields: &[
        many2one("scheme_id", "Scheme", "orest.model.scheme").help("The list that it belongs to.").required(),
        char("model", "Model").help("Technical name, such as res.partner.").required(),
        selection("field_limit", "Field Limit", LIMIT)
            .help("None: every field. Blacklist: all but these. Whitelist: these only.")
            .required()
            .default("\"none\""),
        text("field_names", "Fields").help("Technical names, separated by commas."),
    ],
    access: &[Access::full(Group::OrestAdmin)],
    rules: &[],
    unique: &[Unique {
        columns: "orest_model_configuration.scheme_id, orest_model_configuration.model",
        message: "This model is in the scheme already.",
    }],
};
