//! `export_data`: records as rows of a table.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Value, json};

use crate::domain::user::Group;
use crate::orm::arguments::{ids, items};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::eval;
use crate::orm::field::{Field, Kind, Model};
use crate::orm::python;
use crate::orm::read::Load;
use crate::orm::rights::{self, Operation};

/// The methods of this file.
pub const METHODS: &[Method] = &[Method {
    name: "export_data",
    class: "BaseModel",
    params: &[Param::required("fields_to_export").or(&["fields"])],
    api_model: false,
    models: &[],
    handler: export_data,
    doc: "Records as rows of a table; a column is a path such as user_id/login, .id is the id and id the external one.",
}];

/// Steps of a path.
const PATH_MAX: usize = 6;
/// Rows of one table: relations to many multiply.
const ROWS_MAX: usize = 100_000;

type Rows<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<Value>>, OdooError>> + Send + 'a>>;

fn export_data<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        if !env.actor().groups.contains(Group::AllowExport) {
            let text = "You don't have the rights to export data. Please contact an Administrator.";
            return Err(OdooError::user(text));
        }
        let ids = ids(&arguments.ids)?;
        env.check_records(model, &ids, Operation::Read).await?;
        let mut paths = Vec::new();
        for path in items(arguments.get("fields_to_export"))? {
            let steps: Vec<_> = python::str(&path).split('/').map(str::to_owned).collect();
            if steps.len() > PATH_MAX {
                return Err(OdooError::user(format!("A path has at most {PATH_MAX} steps: {}", python::str(&path))));
            }
            paths.push(steps);
        }
        Ok(json!({"datas": rows(env, model, ids, paths).await?}))
    })
}

/// The rows of these records: what a relation to many leads to stands in rows of its own below the first.
fn rows<'a>(env: &'a Env<'a>, model: &'static Model, ids: Vec<i64>, paths: Vec<Vec<String>>) -> Rows<'a> {
    Box::pin(async move {
        let names: BTreeSet<_> = paths.iter().filter_map(|path| path.first()).filter(|name| !is_id(name)).collect();
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            fields.push(env.field(model, &name.as_str().into())?);
        }
        let external = env.external_ids(model, &ids).await?;
        let mut table = Vec::new();
        for record in env.fetch(model, ids, &fields, Load::Raw).await? {
            let id = eval::id(&record);
            let mut row = vec![Value::from(""); paths.len()];
            for (cell, path) in row.iter_mut().zip(&paths) {
                match path.first().map(String::as_str) {
                    Some(".id") => *cell = id.to_string().into(),
                    Some("id") => *cell = external.get(&id).cloned().unwrap_or_default().into(),
                    _ => {}
                }
            }
            let mut further = Vec::new();
            for field in &fields {
                let value = record.get(field.name).unwrap_or(&Value::Null);
                if field.comodel().is_none() {
                    let own = row
                        .iter_mut()
                        .zip(&paths)
                        .filter(|(_, path)| path.first().is_some_and(|name| name == field.name));
                    own.for_each(|(cell, _)| *cell = exported(field, value));
                    continue;
                }
                let inner = inner_rows(env, field, value, &paths).await?;
                for (place, inner) in inner.into_iter().enumerate() {
                    if place > 0 {
                        further.push(inner);
                        continue;
                    }
                    for (cell, value) in row.iter_mut().zip(inner) {
                        if value != "" {
                            *cell = value;
                        }
                    }
                }
            }
            table.push(row);
            table.append(&mut further);
            if table.len() > ROWS_MAX {
                return Err(OdooError::user(format!("The export has more than {ROWS_MAX} rows; export less at once.")));
            }
        }
        Ok(table)
    })
}

/// The rows at the other end of a relation, with the cells that are not its own left empty.
async fn inner_rows(
    env: &Env<'_>,
    field: &'static Field,
    value: &Value,
    paths: &[Vec<String>],
) -> Result<Vec<Vec<Value>>, OdooError> {
    let comodel = env.resolving(|context| context.comodel(field))?;
    let targets: Vec<i64> = match value {
        Value::Array(ids) => ids.iter().filter_map(Value::as_i64).collect(),
        id => id.as_i64().into_iter().collect(),
    };
    let paths = paths.iter().map(|path| match path.split_first() {
        Some((name, [])) if name == field.name => vec!["display_name".to_owned()],
        Some((name, rest)) if name == field.name => rest.to_vec(),
        _ => Vec::new(),
    });
    let paths: Vec<_> = paths.collect();
    // a name is given as a many2one's name always is; anything else must be his to see
    if paths.iter().flatten().all(|name| name == "display_name") {
        let names = env.names(comodel, targets.clone()).await?;
        let row = |id: &i64| {
            let name = names.get(id).cloned().unwrap_or_default();
            paths.iter().map(|path| if path.is_empty() { "" } else { &name }).map(Value::from).collect()
        };
        return Ok(targets.iter().map(row).collect());
    }
    rights::check_model(env.actor(), comodel, Operation::Read)?;
    let visible = env.visible(comodel, &targets).await?;
    rows(env, comodel, targets.into_iter().filter(|id| visible.contains(id)).collect(), paths).await
}

fn is_id(name: &str) -> bool {
    name == "id" || name == ".id"
}

/// A value for people: the label of a selection, nothing for what is not there.
fn exported(field: &Field, value: &Value) -> Value {
    match (field.kind, value) {
        (Kind::Selection(keys), Value::String(key)) => {
            keys.iter().find(|(own, _)| own == key).map_or_else(|| value.clone(), |(_, label)| (*label).into())
        }
        (Kind::Boolean, value) => value.clone(),
        (_, Value::Bool(false) | Value::Null) => "".into(),
        (_, value) => value.clone(),
    }
}
