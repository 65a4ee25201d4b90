//! `get_views` and `get_view`: no view is stored, each is made from the model's fields.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::fields::describe;
use super::technical::bindings;
use crate::orm::arguments::items;
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::field::{Column, Field, Kind, Model};
use crate::orm::python;
use crate::orm::rights::{self, Operation};

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "get_views",
        class: "BaseModel",
        params: &[Param::required("views"), Param::optional("options", "null")],
        api_model: true,
        models: &[],
        handler: get_views,
        doc: "The architecture of some views, with the Action menu and the fields of the model.",
    },
    Method {
        name: "get_view",
        class: "BaseModel",
        params: &[
            Param::optional("view_id", "null"),
            Param::optional("view_type", "\"form\""),
            Param::optional("toolbar", "false"),
            Param::optional("submenu", "false"),
            Param::optional("mobile", "false"),
            Param::optional("action_id", "null"),
        ],
        api_model: true,
        models: &[],
        handler: get_view,
        doc: "The architecture of one view.",
    },
];

/// Columns of a list: more do not fit on a screen.
const LIST_COLUMNS: usize = 8;

fn get_views<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let asked = |name: &str| arguments.get("options").get(name).is_some_and(python::truthy);
        let bound = if asked("toolbar") { bindings(env, model).await? } else { Map::new() };
        let mut views = Map::new();
        for view in items(arguments.get("views"))? {
            let kind = view.get(1).map(python::str).unwrap_or_default();
            let mut view = json!({"arch": arch(env, model, &kind)?, "id": false, "model": model.name});
            if asked("toolbar") {
                view["toolbar"] = toolbar(&bound, &kind);
            }
            if asked("load_filters") && kind == "search" {
                view["filters"] = json!([]);
            }
            views.insert(kind, view);
        }
        let fields = describe(env, model, None, None);
        Ok(json!({"views": views, "models": {model.name: {"fields": fields}}}))
    })
}

fn get_view<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let arch = arch(env, model, &python::str(arguments.get("view_type")))?;
        let names: Vec<_> = seen(env, model).map(|field| field.name).collect();
        Ok(json!({"arch": arch, "id": false, "model": model.name, "models": {model.name: names}}))
    })
}

/// What stands in the menus above a view: `list` of series 18 is `tree` before.
fn toolbar(bound: &Map<String, Value>, kind: &str) -> Value {
    let kind = if kind == "tree" { "list" } else { kind };
    let mut toolbar = Map::new();
    for (place, name) in [("action", "action"), ("report", "print")] {
        let all = bound.get(place).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let shown = all.iter().filter(|binding| {
            let kinds = binding.get("binding_view_types").and_then(Value::as_str).unwrap_or_default();
            kinds.split(',').any(|own| own.trim() == kind)
        });
        let shown: Vec<_> = shown.cloned().collect();
        if !shown.is_empty() {
            toolbar.insert(name.to_owned(), shown.into());
        }
    }
    toolbar.into()
}

fn seen<'a>(env: &'a Env<'_>, model: &'static Model) -> impl Iterator<Item = &'static Field> + 'a {
    model.fields().filter(|field| rights::sees(env.actor(), field))
}

fn arch(env: &Env<'_>, model: &'static Model, kind: &str) -> Result<String, OdooError> {
    let own: Vec<_> = seen(env, model)
        .filter(|field| model.own_fields.iter().any(|own| own.name == field.name) && field.name != "display_name")
        .collect();
    let mut inside = String::new();
    let mut show = |field: &Field| {
        // writing to a String never fails
        let _ = write!(inside, "<field name=\"{}\"/>", field.name);
    };
    match kind {
        "list" | "tree" => {
            let short = |field: &&&Field| {
                !field.is_x2many() && !matches!(field.kind, Kind::Binary | Kind::Text) && field.column != Column::None
            };
            model.field("display_name").into_iter().for_each(&mut show);
            own.iter()
                .filter(short)
                .filter(|field| field.name != model.rec_name)
                .take(LIST_COLUMNS)
                .for_each(|f| show(f));
        }
        "form" => {
            own.iter().filter(|field| !field.is_x2many()).for_each(|field| show(field));
            inside = format!("<group>{inside}</group>");
            let mut many = String::new();
            for field in own.iter().filter(|field| field.is_x2many()) {
                let (name, label) = (field.name, escape(field.label));
                let _ = write!(many, "<page string=\"{label}\" name=\"{name}\"><field name=\"{name}\"/></page>");
            }
            if !many.is_empty() {
                inside = format!("{inside}<notebook>{many}</notebook>");
            }
            inside = format!("<sheet>{inside}</sheet>");
        }
        "search" => {
            model.field(model.rec_name).into_iter().for_each(&mut show);
            own.iter()
                .filter(|field| field.in_name_search || matches!(field.kind, Kind::Many2one(_)))
                .for_each(|f| show(f));
            if model.has_active() {
                inside.push_str("<filter name=\"inactive\" string=\"Archived\" domain=\"[('active', '=', False)]\"/>");
            }
        }
        "kanban" => {
            model.field("display_name").into_iter().for_each(&mut show);
            inside = format!("<templates><t t-name=\"card\">{inside}</t></templates>");
        }
        "graph" | "pivot" => {
            let key = own.iter().find(|field| matches!(field.kind, Kind::Selection(_) | Kind::Many2one(_)));
            key.copied().or(model.field(model.rec_name)).into_iter().for_each(&mut show);
        }
        other => {
            return Err(OdooError::user(format!("No default view of type '{other}' could be found!")));
        }
    }
    Ok(format!("<{kind} string=\"{}\">{inside}</{kind}>", escape(model.label)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
