//! What the web client of series 17 and later reads by: a specification, a tree of fields.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::fields::default_of;
use super::reading::find_by_name;
use crate::orm::arguments::{domain, ids, items};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::eval::{self, Row};
use crate::orm::field::{Field, Kind, Model};
use crate::orm::order::{parse_limit, parse_offset};
use crate::orm::python;
use crate::orm::read::Load;
use crate::orm::rights::{self, Operation};
use crate::orm::search_domain::SearchDomain;

/// Records within records that one answer may hold: relations lead in circles.
const NESTED_MAX: usize = 100_000;

const SPECIFICATION: Param = Param::required("specification").or(&["fields"]);

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "web_read",
        class: "Base",
        params: &[SPECIFICATION],
        api_model: false,
        models: &[],
        handler: web_read_records,
        doc: "The values of records as far as a specification goes.",
    },
    Method {
        name: "web_search_read",
        class: "Base",
        params: &[
            Param::required("domain"),
            SPECIFICATION,
            Param::optional("offset", "0"),
            Param::optional("limit", "null"),
            Param::optional("order", "null"),
            Param::optional("count_limit", "null"),
        ],
        api_model: true,
        models: &[],
        handler: web_search_read,
        doc: "A page of the records in a domain, and how many there are.",
    },
    Method {
        name: "web_name_search",
        class: "Base",
        params: &[
            Param::required("name"),
            Param::required("specification"),
            Param::optional("domain", "null"),
            Param::optional("operator", "\"ilike\""),
            Param::optional("limit", "100"),
        ],
        api_model: true,
        models: &[],
        handler: web_name_search,
        doc: "The records with such a name, as far as a specification goes.",
    },
    Method {
        name: "onchange",
        class: "Base",
        params: &[
            Param::required("values"),
            Param::required("field_names").or(&["field_name"]),
            Param::required("fields_spec").or(&["field_onchange"]),
        ],
        api_model: false,
        models: &[],
        handler: onchange,
        doc: "What a form shows at first; no value depends on another, so that later changes change nothing else.",
    },
];

/// How many records within records may still be given.
pub struct Budget(AtomicUsize);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicUsize::new(NESTED_MAX))
    }
}

impl Budget {
    fn take(&self, count: usize) -> Result<(), OdooError> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count));
        taken.map(|_| ()).map_err(|_| {
            OdooError::user(format!("The specification leads to more than {NESTED_MAX} records; ask for less at once."))
        })
    }
}

type Records<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, OdooError>> + Send + 'a>>;

/// The values of records that were searched for this caller, as far as the specification goes.
pub(super) fn web_read<'a>(
    env: &'a Env<'a>,
    model: &'static Model,
    ids: Vec<i64>,
    specification: &'a Map<String, Value>,
    budget: &'a Budget,
) -> Records<'a> {
    Box::pin(async move {
        let mut fields = Vec::with_capacity(specification.len());
        for name in specification.keys() {
            fields.push(env.field(model, &name.as_str().into())?);
        }
        let mut records = env.fetch(model, ids, &fields, Load::Raw).await?;
        for field in fields.iter().filter(|field| field.comodel().is_some()) {
            let Some(Value::Object(of)) = specification.get(field.name) else { continue };
            let Some(Value::Object(nested)) = of.get("fields") else { continue };
            let comodel = env.resolving(|context| context.comodel(field))?;
            let mut inner = Env { orm: env.orm, caller: env.caller, context: env.context.clone() };
            if let Some(Value::Object(context)) = of.get("context") {
                inner.context.extend(context.clone());
            }
            if field.is_x2many() {
                many(&inner, comodel, field, &mut records, of, nested, budget).await?;
            } else {
                one(&inner, comodel, field, &mut records, nested, budget).await?;
            }
        }
        Ok(records)
    })
}

/// Puts records in place of the ids of a many2one: a hidden one shows its name only.
async fn one(
    env: &Env<'_>,
    comodel: &'static Model,
    field: &Field,
    records: &mut [Row],
    nested: &Map<String, Value>,
    budget: &Budget,
) -> Result<(), OdooError> {
    let targets: BTreeSet<i64> = records.iter().filter_map(|record| record.get(field.name)?.as_i64()).collect();
    let targets: Vec<_> = targets.into_iter().collect();
    let visible = if rights::may(env.actor(), comodel, Operation::Read) {
        env.visible(comodel, &targets).await?.into_iter().collect()
    } else {
        Vec::new()
    };
    let read = web_read(env, comodel, visible, nested, budget).await?;
    let read: HashMap<_, _> = read.into_iter().map(|record| (eval::id(&record), record)).collect();
    let hidden = targets.iter().copied().filter(|id| !read.contains_key(id)).collect();
    let names = env.names(comodel, hidden).await?;
    for record in records {
        let Some(value) = record.get_mut(field.name) else { continue };
        let Some(id) = value.as_i64() else { continue };
        budget.take(1)?;
        *value = match (read.get(&id), names.get(&id)) {
            (Some(read), _) => Value::Object(read.clone()),
            (None, Some(name)) => json!({"id": id, "display_name": name}),
            (None, None) => false.into(),
        };
    }
    Ok(())
}

/// Puts records in place of the ids of a relation to many; beyond the limit they have their id only.
async fn many(
    env: &Env<'_>,
    comodel: &'static Model,
    field: &Field,
    records: &mut [Row],
    of: &Map<String, Value>,
    nested: &Map<String, Value>,
    budget: &Budget,
) -> Result<(), OdooError> {
    let links = |record: &Row| -> Vec<i64> {
        let ids = record.get(field.name).and_then(Value::as_array);
        ids.map(|ids| ids.iter().filter_map(Value::as_i64).collect()).unwrap_or_default()
    };
    let all: BTreeSet<i64> = records.iter().flat_map(links).collect();
    let order = of.get("order").filter(|order| python::truthy(order));
    let places: Option<HashMap<i64, usize>> = match order {
        Some(order) if !all.is_empty() => {
            let mut env = Env { orm: env.orm, caller: env.caller, context: env.context.clone() };
            env.context.insert("active_test".to_owned(), false.into());
            let these = SearchDomain::leaf("id", "in", all.iter().copied().collect());
            let sorted = env.search(comodel, &these, order, 0, None).await?;
            Some(sorted.into_iter().enumerate().map(|(place, id)| (id, place)).collect())
        }
        _ => None,
    };
    let limit = parse_limit(of.get("limit").unwrap_or(&Value::Null))?;
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut wanted = BTreeSet::new();
    let mut lists = Vec::with_capacity(records.len());
    for record in records.iter() {
        let mut own = links(record);
        if let Some(places) = &places {
            own.sort_by_key(|id| places.get(id).copied().unwrap_or(usize::MAX));
        }
        budget.take(own.len())?;
        wanted.extend(own.iter().copied().take(limit));
        lists.push(own);
    }
    let read = web_read(env, comodel, wanted.into_iter().collect(), nested, budget).await?;
    let read: HashMap<_, _> = read.into_iter().map(|record| (eval::id(&record), record)).collect();
    for (record, own) in records.iter_mut().zip(lists) {
        let values = own.into_iter().enumerate().map(|(place, id)| match read.get(&id) {
            Some(read) if place < limit => Value::Object(read.clone()),
            _ => json!({"id": id}),
        });
        record.insert(field.name.to_owned(), values.collect());
    }
    Ok(())
}

/// What a specification is: an object; until series 16 a list of fields.
fn specification(value: &Value) -> Result<Map<String, Value>, OdooError> {
    if let Value::Object(specification) = value {
        return Ok(specification.clone());
    }
    Ok(items(value)?.iter().map(|name| (python::str(name), json!({}))).collect())
}

fn web_read_records<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let specification = specification(arguments.get("specification"))?;
        let ids = ids(&arguments.ids)?;
        env.check_records(model, &ids, Operation::Read).await?;
        Ok(json!(web_read(env, model, ids, &specification, &Budget::default()).await?))
    })
}

fn web_search_read<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let domain = domain(arguments.get("domain"))?;
        let (offset, limit) = (parse_offset(arguments.get("offset"))?, parse_limit(arguments.get("limit"))?);
        let found = env.search(model, &domain, arguments.get("order"), offset, limit).await?;
        let page = u64::try_from(found.len()).unwrap_or(u64::MAX);
        let count_limit = parse_limit(arguments.get("count_limit"))?;
        let length = if found.is_empty() {
            0
        } else if limit == Some(page) && count_limit.is_none_or(|most| most > offset + page) {
            u64::try_from(env.count(model, &domain, count_limit).await?).unwrap_or_default()
        } else {
            offset + page
        };
        let asked = arguments.get("specification");
        let records = if asked.is_array() {
            env.fetch(model, found, &env.fields(model, asked)?, Load::Classic).await?
        } else {
            web_read(env, model, found, &specification(asked)?, &Budget::default()).await?
        };
        Ok(json!({"length": length, "records": records}))
    })
}

fn web_name_search<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let found = find_by_name(env, model, &arguments).await?;
        let names = env.names(model, found.clone()).await?;
        let specification = specification(arguments.get("specification"))?;
        let mut records = web_read(env, model, found, &specification, &Budget::default()).await?;
        for record in &mut records {
            let name = names.get(&eval::id(record)).cloned().unwrap_or_default();
            record.insert("__formatted_display_name".to_owned(), name.into());
        }
        Ok(json!(records))
    })
}

fn onchange<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let specification = specification(arguments.get("fields_spec"))?;
        let mut fields = Vec::with_capacity(specification.len());
        for name in specification.keys() {
            fields.push(env.field(model, &name.as_str().into())?);
        }
        for name in items(arguments.get("field_names")).unwrap_or_default() {
            env.field(model, &name)?;
        }
        let is_new = ids(&arguments.ids)?.is_empty() && !python::truthy(arguments.get("field_names"));
        let mut value = Map::new();
        for field in fields.into_iter().filter(|_| is_new) {
            let nothing = match field.kind {
                Kind::Integer => json!(0),
                Kind::One2many { .. } | Kind::Many2many { .. } => json!([]),
                _ => json!(false),
            };
            let mut first = default_of(env, field).unwrap_or(nothing);
            let wants_record = specification.get(field.name).is_some_and(|of| of.get("fields").is_some());
            if let (Kind::Many2one(_), Some(id), true) = (field.kind, first.as_i64(), wants_record) {
                let comodel = env.resolving(|context| context.comodel(field))?;
                let name = env.names(comodel, vec![id]).await?.remove(&id);
                first = name.map_or(json!(false), |name| json!({"id": id, "display_name": name}));
            }
            value.insert(field.name.to_owned(), first);
        }
        Ok(json!({"value": value}))
    })
}
