//! `ir.actions.server`: "Revoke Tokens" and its like; `ir.actions.actions`, which shows what all actions have.

use crate::domain::user::Group;
use crate::orm::field::{Access, Field, Kind, Model, Storage, char, integer, many2one, selection, text};

/// A server action. Its code is the name of a built-in handler; nothing else can be stored.
pub const SERVER: Model = Model {
    id: 12,
    name: "ir.actions.server",
    label: "Server Actions",
    order: "sequence, name, id",
    rec_name: "name",
    storage: Storage::Table { name: "ir_act_server", log_access: true },
    own_fields: &[
        char("name", "Action Name").help("What the Action menu shows.").required(),
        char("type", "Action Type").help("Always ir.actions.server.").expression("('ir.actions.server')"),
        selection("usage", "Usage", &[("ir_actions_server", "Server Action")])
            .help("Always a server action.")
            .expression("('ir_actions_server')"),
        selection("state", "Type", &[("code", "Execute Code")])
            .help("Always code, and the code a built-in one.")
            .required()
            .default("\"code\""),
        many2one("model_id", "Model", "ir.model").help("What it works on.").required(),
        text("code", "Code").help("One of the built-in handlers.").only(Group::System),
        integer("sequence", "Sequence").help("Its place in the menu.").default("5"),
        many2one("binding_model_id", "Binding Model", "ir.model")
            .help("In whose Action menu it stands; empty: in none."),
        selection("binding_type", "Binding Type", &[("action", "Action"), ("report", "Report")])
            .help("In which menu.")
            .required()
            .default("\"action\""),
        char("binding_view_types", "Binding View Types")
            .help("In which views, separated by commas.")
            .default("\"list,form\""),
        char("xml_id", "External ID").help("Of the actions that are shipped.").readonly(),
        Field::new(
            "group_ids",
            Kind::Many2many { model: "res.groups", relation: "ir_act_server_group_rel", own: "act_id", other: "gid" },
            "Allowed Groups",
        )
        .help("Who sees and runs it; empty: who may do to the records what it does."),
    ],
    access: &[Access::full(Group::System)],
    rules: &[],
    unique: &[],
};

/// Any action: the same records as `ir.actions.server`, with the fields that actions of all types have.
pub const ACTIONS: Model = Model {
    id: 30,
    name: "ir.actions.actions",
    label: "Actions",
    order: "name, id",
    rec_name: "name",
    storage: Storage::Table { name: "ir_act_server", log_access: true },
    own_fields: &[
        char("name", "Action Name").help("What the Action menu shows.").readonly(),
        char("type", "Action Type").help("Its model.").expression("('ir.actions.server')"),
        many2one("binding_model_id", "Binding Model", "ir.model").help("In whose Action menu it stands.").readonly(),
        selection("binding_type", "Binding Type", &[("action", "Action"), ("report", "Report")])
            .help("In which menu.")
            .readonly(),
        char("binding_view_types", "Binding View Types").help("In which views, separated by commas.").readonly(),
        char("xml_id", "External ID").help("Of the actions that are shipped.").readonly(),
    ],
    access: &[Access::read(Group::System)],
    rules: &[],
    unique: &[],
};
