//! `read_group` and its successors: the records of a domain by keys, with sums.

use serde_json::{Map, Value, json};

use super::group_keys::{Key, explicit, render_key};
use super::web::{Budget, web_read};
use crate::orm::arguments::{domain, items};
use crate::orm::call::{Answer, Arguments, Env, Method, Param};
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::orm::group::{Aggregate, Function, GroupBy, GroupOrder, Having};
use crate::orm::order::{parse_limit, parse_offset};
use crate::orm::python;
use crate::orm::resolve::ResolveContext;
use crate::orm::rights::{self, Operation};
use crate::orm::search_domain::SearchDomain;
use crate::store::group::{self, GroupQuery};

const DOMAIN: Param = Param::required("domain");
const OFFSET: Param = Param::optional("offset", "0");
const LIMIT: Param = Param::optional("limit", "null");
const ORDER: Param = Param::optional("order", "null");
const LIST: &str = "[]";

/// Groups that are opened at once, as in Odoo.
const OPEN_MAX: usize = 10;

/// The methods of this file.
pub const METHODS: &[Method] = &[
    Method {
        name: "read_group",
        class: "BaseModel",
        params: &[
            DOMAIN,
            Param::required("fields"),
            Param::required("groupby"),
            OFFSET,
            LIMIT,
            Param::optional("orderby", "false"),
            Param::optional("lazy", "true"),
        ],
        api_model: true,
        models: &[],
        handler: read_group,
        doc: "The records of a domain in groups, with a label for each; lazily by the first key only.",
    },
    Method {
        name: "formatted_read_group",
        class: "BaseModel",
        params: &[
            DOMAIN,
            Param::optional("groupby", LIST),
            Param::optional("aggregates", LIST),
            Param::optional("having", LIST),
            OFFSET,
            LIMIT,
            ORDER,
        ],
        api_model: true,
        models: &[],
        handler: formatted_read_group,
        doc: "The records of a domain in groups, each with the domain that narrows the search to it.",
    },
    Method {
        name: "web_read_group",
        class: "Base",
        params: &[
            DOMAIN,
            Param::required("groupby"),
            Param::optional("aggregates", LIST),
            LIMIT,
            OFFSET,
            Param::optional("order", "null").or(&["orderby"]),
            Param::optional("auto_unfold", "false"),
            Param::optional("opening_info", "null"),
            Param::optional("unfold_read_specification", "null"),
            Param::optional("unfold_read_default_limit", "80"),
            Param::optional("groupby_read_specification", "null"),
            Param::optional("fields", "null"),
            Param::optional("lazy", "true"),
        ],
        api_model: true,
        models: &[],
        handler: web_read_group,
        doc: "A page of groups and how many there are; with fields instead of aggregates as until series 18.",
    },
    Method {
        name: "read_progress_bar",
        class: "Base",
        params: &[DOMAIN, Param::required("group_by"), Param::required("progress_bar")],
        api_model: true,
        models: &[],
        handler: read_progress_bar,
        doc: "How many records of each group have each value of another field.",
    },
];

/// What is asked for, in either style.
struct Question<'a> {
    domain: SearchDomain,
    by: Vec<Value>,
    aggregates: Vec<Value>,
    having: &'a Value,
    order: &'a Value,
    offset: u64,
    limit: Option<u64>,
    /// The style of `read_group`.
    legacy: bool,
}

impl Question<'_> {
    fn query(&self, env: &Env<'_>, model: &'static Model) -> Result<GroupQuery, OdooError> {
        let filter = env.filter(model, &self.domain)?;
        if model.table().is_none() {
            return Err(OdooError::user(format!("Records of '{}' ({}) can't be grouped.", model.label, model.name)));
        }
        env.resolving(|context| {
            let by = self.by.iter().map(|spec| self.key(&python::str(spec), model, context));
            let by = by.collect::<Result<Vec<_>, _>>()?;
            let mut aggregates = Vec::new();
            for spec in &self.aggregates {
                let spec = python::str(spec);
                if !self.legacy {
                    aggregates.push(Aggregate::parse(&spec, model, context)?);
                } else if let Some(aggregate) = Aggregate::parse_legacy(&spec, model, context)? {
                    // what is grouped by is not added up too
                    if !by.iter().any(|key| key.field.name == aggregate.name) {
                        aggregates.push(aggregate);
                    }
                }
            }
            let having = Having::parse(self.having, model, context)?;
            let order = GroupOrder::parse(self.order, &by, &aggregates, model, context)?;
            let (offset, limit, now) = (self.offset, self.limit, env.now());
            Ok(GroupQuery { model, filter, by, aggregates, having, order, offset, limit, now })
        })
    }

    fn key(&self, spec: &str, model: &'static Model, context: &ResolveContext<'_>) -> Result<GroupBy, OdooError> {
        if self.legacy { GroupBy::parse_legacy(spec, model, context) } else { GroupBy::parse(spec, model, context) }
    }
}

/// A group, ready to be written in either style.
struct Group {
    keys: Vec<Key>,
    /// Name and value.
    aggregates: Vec<(String, Value)>,
    count: i64,
}

impl Group {
    fn domain(&self) -> SearchDomain {
        self.keys.iter().fold(SearchDomain::True, |domain, key| domain.and(key.domain.clone()))
    }

    /// In the style of `formatted_read_group`.
    fn format(&self) -> Map<String, Value> {
        let mut row = Map::new();
        for key in &self.keys {
            row.insert(key.spec.clone(), key.value.clone());
        }
        row.insert("__extra_domain".to_owned(), explicit(&self.domain()));
        row.extend(self.aggregates.iter().cloned());
        row
    }

    /// In the style of `read_group`; `rest` are the keys that are left for later.
    fn format_legacy(&self, domain: &SearchDomain, lazy: bool, rest: &[Value]) -> Map<String, Value> {
        let mut row = Map::new();
        for key in &self.keys {
            row.insert(key.spec.clone(), key.label.clone());
        }
        let count = match self.keys.first() {
            Some(key) if lazy => format!("{}_count", key.field_name()),
            _ => "__count".to_owned(),
        };
        row.insert(count, self.count.into());
        row.extend(self.aggregates.iter().filter(|(name, _)| name != "__count").cloned());
        row.insert("__domain".to_owned(), explicit(&domain.clone().and(self.domain())));
        let ranges: Map<_, _> =
            self.keys.iter().filter_map(|key| Some((key.spec.clone(), key.range.clone()?))).collect();
        if !ranges.is_empty() {
            row.insert("__range".to_owned(), ranges.into());
        }
        if !rest.is_empty() {
            row.insert("__context".to_owned(), json!({"group_by": rest}));
        }
        row
    }
}

/// The groups, and how many there are on all pages.
async fn groups(
    env: &Env<'_>,
    model: &'static Model,
    question: &Question<'_>,
    counted: bool,
) -> Result<(Vec<Group>, u64), OdooError> {
    let query = question.query(env, model)?;
    let asked = query.clone();
    let (found, length) = env
        .snapshot(model, move |connection| {
            let found = group::group(connection, &asked)?;
            let page = u64::try_from(found.len()).unwrap_or(u64::MAX);
            let length = if counted && asked.limit == Some(page) {
                u64::try_from(group::count_groups(connection, &asked)?).unwrap_or_default()
            } else {
                asked.offset + page
            };
            Ok((found, length))
        })
        .await?;
    let mut names = Vec::with_capacity(query.by.len());
    for (place, key) in query.by.iter().enumerate() {
        let ids = found.iter().filter_map(|group| group.keys.get(place)?.as_i64()).collect();
        names.push(match &key.related {
            Some(related) => env.names(related.model, ids).await?,
            None => Default::default(),
        });
    }
    let mut groups = Vec::with_capacity(found.len());
    for group in found {
        let keys = query.by.iter().zip(group.keys).zip(&names);
        let keys = keys.map(|((by, value), names)| render_key(by, value, names)).collect();
        let aggregates = query.aggregates.iter().zip(group.aggregates);
        let given = aggregates.filter(|(aggregate, _)| aggregate.function != Function::Recordset);
        let aggregates = given.map(|(aggregate, value)| (aggregate.name.clone(), value)).collect();
        groups.push(Group { keys, aggregates, count: group.count });
    }
    Ok((groups, length))
}

/// A list, or a text as the only member of one, as Odoo takes keys.
fn list(value: &Value) -> Result<Vec<Value>, OdooError> {
    match value {
        Value::String(_) => Ok(vec![value.clone()]),
        value if !python::truthy(value) => Ok(Vec::new()),
        value => items(value),
    }
}

fn read_group<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move { Ok(legacy_groups(env, model, &arguments, "orderby").await?.0.into()) })
}

async fn legacy_groups(
    env: &Env<'_>,
    model: &'static Model,
    arguments: &Arguments,
    order: &str,
) -> Result<(Vec<Value>, u64), OdooError> {
    rights::check_model(env.actor(), model, Operation::Read)?;
    let mut by = list(arguments.get("groupby"))?;
    let lazy = python::truthy(arguments.get("lazy"));
    let rest = if lazy && by.len() > 1 { by.split_off(1) } else { Vec::new() };
    let question = Question {
        domain: domain(arguments.get("domain"))?,
        by,
        aggregates: list(arguments.get("fields"))?,
        having: &Value::Null,
        order: arguments.get(order),
        offset: parse_offset(arguments.get("offset"))?,
        limit: parse_limit(arguments.get("limit"))?,
        legacy: true,
    };
    let (groups, length) = groups(env, model, &question, true).await?;
    let rows = groups.iter().map(|group| group.format_legacy(&question.domain, lazy, &rest).into());
    Ok((rows.collect(), length))
}

fn formatted_read_group<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let question = Question {
            domain: domain(arguments.get("domain"))?,
            by: list(arguments.get("groupby"))?,
            aggregates: list(arguments.get("aggregates"))?,
            having: arguments.get("having"),
            order: arguments.get("order"),
            offset: parse_offset(arguments.get("offset"))?,
            limit: parse_limit(arguments.get("limit"))?,
            legacy: false,
        };
        let (groups, _) = groups(env, model, &question, false).await?;
        Ok(groups.iter().map(Group::format).map(Value::Object).collect())
    })
}

fn web_read_group<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        if arguments.get("fields").is_array() {
            let (groups, length) = legacy_groups(env, model, &arguments, "order").await?;
            return Ok(json!({"groups": groups, "length": length}));
        }
        rights::check_model(env.actor(), model, Operation::Read)?;
        let mut by = list(arguments.get("groupby"))?;
        by.truncate(1);
        let mut aggregates = list(arguments.get("aggregates"))?;
        if !aggregates.iter().any(|spec| spec == "__count") {
            aggregates.push("__count".into());
        }
        let question = Question {
            domain: domain(arguments.get("domain"))?,
            by,
            aggregates,
            having: &Value::Null,
            order: arguments.get("order"),
            offset: parse_offset(arguments.get("offset"))?,
            limit: parse_limit(arguments.get("limit"))?,
            legacy: false,
        };
        let (groups, length) = groups(env, model, &question, true).await?;
        let mut rows = Vec::with_capacity(groups.len());
        let (budget, mut open) = (Budget::default(), 0);
        for group in &groups {
            let mut row = group.format();
            if let Value::Object(specification) = arguments.get("unfold_read_specification")
                && open < OPEN_MAX
                && is_open(group, &arguments)
            {
                open += 1;
                let within = question.domain.clone().and(group.domain());
                let limit = parse_limit(arguments.get("unfold_read_default_limit"))?;
                let found = env.search(model, &within, &Value::Null, 0, limit).await?;
                row.insert("__records".to_owned(), web_read(env, model, found, specification, &budget).await?.into());
            }
            rows.push(Value::Object(row));
        }
        Ok(json!({"groups": rows, "length": length}))
    })
}

/// Whether the records of a group are wanted too: those that were open before, or the first ones that stand for something.
fn is_open(group: &Group, arguments: &Arguments) -> bool {
    let Some(key) = group.keys.first() else { return false };
    if let Value::Array(known) = arguments.get("opening_info") {
        let own = |info: &&Value| info.get("value").is_some_and(|value| *value == key.raw);
        return known.iter().find(own).is_some_and(|info| !info.get("folded").is_some_and(python::truthy));
    }
    python::truthy(arguments.get("auto_unfold")) && !(key.is_relation && key.raw == Value::Bool(false))
}

fn read_progress_bar<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        rights::check_model(env.actor(), model, Operation::Read)?;
        let bar = arguments.get("progress_bar");
        let (Some(Value::String(field)), Some(Value::Object(colors))) = (bar.get("field"), bar.get("colors")) else {
            return Err(OdooError::new(crate::orm::error::Exception::KeyError, "field"));
        };
        let question = Question {
            domain: domain(arguments.get("domain"))?,
            by: vec![arguments.get("group_by").clone(), field.as_str().into()],
            aggregates: Vec::new(),
            having: &Value::Null,
            order: &Value::Null,
            offset: 0,
            limit: None,
            legacy: true,
        };
        let (groups, _) = groups(env, model, &question, false).await?;
        let mut bars: Map<String, Value> = Map::new();
        for group in &groups {
            let [own, value] = &group.keys[..] else { continue };
            let none = || colors.keys().map(|color| (color.clone(), Value::from(0))).collect::<Map<_, _>>().into();
            let bar = bars.entry(python::str(&own.raw)).or_insert_with(none);
            if let Some(count) = bar.get_mut(python::str(&value.raw)) {
                *count = group.count.into();
            }
        }
        Ok(bars.into())
    })
}
