//! Puts the records of a search into groups: one statement, whose inner part finds the records with their keys and values
//! and whose outer part groups them.

use std::cmp::Ordering;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde_json::Value;

use super::StoreError;
use super::connection::Connection;
use super::dialect;
use super::read::to_odoo;
use super::search::{Lower, count, push_page, push_table};
use super::sql::{Sql, SqlValue};
use crate::domain::time::Timestamp;
use crate::orm::field::{Column, Field, Kind, Model};
use crate::orm::filter::{Filter, Targets, Values};
use crate::orm::group::{Aggregate, Function, Granularity, GroupBy, GroupOrder, GroupTerm, Having};
use crate::orm::order::OrderTerm;

/// Which records, and how they are put together.
#[derive(Clone, Debug)]
pub struct GroupQuery {
    /// A model with a table.
    pub model: &'static Model,
    /// Which records.
    pub filter: Filter,
    /// The keys; none: one group of all.
    pub by: Vec<GroupBy>,
    /// What is wanted of each group.
    pub aggregates: Vec<Aggregate>,
    /// Which groups.
    pub having: Having,
    /// In which order; the keys come last.
    pub order: Vec<GroupOrder>,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// How many at most.
    pub limit: Option<u64>,
    /// What expressions hold for the present moment.
    pub now: Timestamp,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// A value for each [`GroupQuery::by`], as `read` has it: a relation is an id or `false`, a span of time its first
    /// moment (a day of a date field), a number of a date is a float, as in Odoo.
    pub keys: Vec<Value>,
    /// A value for each [`GroupQuery::aggregates`]; `false` if there is nothing to make it of.
    pub aggregates: Vec<Value>,
    /// How many records are in it.
    pub count: i64,
}

/// The groups, in order.
pub fn group(connection: &mut Connection, query: &GroupQuery) -> Result<Vec<Group>, StoreError> {
    if let Some(groups) = count_cases(connection, query)? {
        return Ok(groups);
    }
    let mut sql = Sql::new();
    sql.text("SELECT COUNT(*), ");
    dialect::json_array(&mut sql, |sql| {
        for key in 0..query.by.len() {
            sql.text(if key > 0 { ", " } else { "" }).name("k", key);
        }
        for (place, aggregate) in query.aggregates.iter().enumerate() {
            sql.text(if place + query.by.len() > 0 { ", " } else { "" });
            push_aggregate(sql, query, aggregate);
        }
    });
    push_groups(&mut sql, query)?;
    push_order(&mut sql, query);
    push_page(&mut sql, query.offset, query.limit);
    let rows: Vec<(i64, String)> = sql.returning::<(BigInt, Text)>().load(connection)?;
    rows.into_iter().map(|(count, text)| to_group(query, count, &text)).collect()
}

/// How many groups there are, whatever the page.
pub fn count_groups(connection: &mut Connection, query: &GroupQuery) -> Result<i64, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT COUNT(*) FROM (SELECT COUNT(*)");
    push_groups(&mut sql, query)?;
    sql.text(") AS found");
    Ok(sql.returning::<BigInt>().get_result(connection)?)
}

/// The groups of a field of cases, if only their numbers are wanted: a count of each case, which an index knows, instead of
/// a sort of all records by what they are. `None` if more is wanted.
fn count_cases(connection: &mut Connection, query: &GroupQuery) -> Result<Option<Vec<Group>>, StoreError> {
    let [GroupBy { field, granularity: None, .. }] = query.by.as_slice() else { return Ok(None) };
    let Column::Cases(cases) = field.column else { return Ok(None) };
    if !values(query).is_empty() || !matches!(query.having, Having::All) {
        return Ok(None);
    }
    let mut left = count(connection, query.model, &query.filter, None, query.now)?;
    let mut found = Vec::with_capacity(cases.len() + 1);
    for (key, _) in cases {
        let case = Filter::among(*field, Values::Texts(vec![(*key).to_owned()]), false);
        let filter = Filter::and([query.filter.clone(), case]);
        let number = count(connection, query.model, &filter, None, query.now)?;
        left -= number;
        found.push((Some(*key), number));
    }
    found.push((None, left));
    found.retain(|(_, number)| *number > 0);
    let by_key = |left: Option<&str>, right: Option<&str>, descending: bool, nulls_first: bool| match (left, right) {
        (Some(left), Some(right)) if descending => right.cmp(left),
        (Some(left), Some(right)) => left.cmp(right),
        (left, right) if nulls_first => left.is_some().cmp(&right.is_some()),
        (left, right) => right.is_some().cmp(&left.is_some()),
    };
    found.sort_by(|left, right| {
        let terms = query.order.iter().map(|term| match (&term.by, term.descending) {
            (GroupTerm::Key(_), descending) => by_key(left.0, right.0, descending, term.nulls_first),
            (GroupTerm::Aggregate(_), true) => right.1.cmp(&left.1),
            (GroupTerm::Aggregate(_), false) => left.1.cmp(&right.1),
        });
        terms.fold(Ordering::Equal, Ordering::then).then_with(|| by_key(left.0, right.0, false, false))
    });
    let page = found.into_iter().skip(usize::try_from(query.offset).unwrap_or(usize::MAX));
    let limit = query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let groups = page.take(limit).map(|(key, count)| Group {
        keys: vec![key.map_or(Value::Bool(false), Value::from)],
        aggregates: vec![count.into(); query.aggregates.len()],
        count,
    });
    Ok(Some(groups.collect()))
}

fn to_group(query: &GroupQuery, count: i64, text: &str) -> Result<Group, StoreError> {
    let corrupt = |column| StoreError::Corrupt { table: query.model.table().unwrap_or_default(), column, id: 0 };
    let values: Vec<Value> = serde_json::from_str(text).map_err(|_| corrupt("id"))?;
    let mut values = values.into_iter();
    let mut keys = Vec::with_capacity(query.by.len());
    for key in &query.by {
        let value = values.next().unwrap_or_default();
        keys.push(to_key(key, value).ok_or_else(|| corrupt(key.field.name))?);
    }
    let mut aggregates = Vec::with_capacity(query.aggregates.len());
    for aggregate in &query.aggregates {
        let value = values.next().unwrap_or_default();
        let column = aggregate.field.map_or("id", |field| field.name);
        aggregates.push(to_aggregate(aggregate, value).ok_or_else(|| corrupt(column))?);
    }
    Ok(Group { keys, aggregates, count })
}

fn to_key(key: &GroupBy, value: Value) -> Option<Value> {
    match (key.granularity, key.field.kind, value) {
        (Some(Granularity::Number(_)), _, Value::Null) => Some(false.into()),
        (Some(Granularity::Number(_)), _, value) => value.as_f64().map(Value::from),
        (_, Kind::Many2many { .. }, Value::Null) => Some(false.into()),
        (_, Kind::Many2many { .. }, value) => value.is_i64().then_some(value),
        (_, _, value) => to_odoo(key.field, value),
    }
}

fn to_aggregate(aggregate: &Aggregate, value: Value) -> Option<Value> {
    let Some(field) = aggregate.field else { return Some(value) };
    let one = |value: Value| if value.is_null() { Some(false.into()) } else { to_odoo(field, value) };
    match aggregate.function {
        Function::Count | Function::CountDistinct => Some(value),
        Function::Sum | Function::Avg if value.is_null() => Some(false.into()),
        Function::Sum | Function::Avg => value.is_number().then_some(value),
        Function::Min | Function::Max | Function::BoolAnd | Function::BoolOr => one(value),
        Function::ArrayAgg | Function::ArrayAggDistinct | Function::Recordset => {
            let Value::Array(values) = value else { return None };
            let values: Option<Vec<_>> = values.into_iter().map(one).collect();
            let mut values = values?;
            if aggregate.function == Function::Recordset {
                values.retain(|value| value.as_bool() != Some(false));
            }
            Some(values.into())
        }
    }
}

/// ` FROM (the records with their keys) GROUP BY … HAVING …`
fn push_groups(sql: &mut Sql, query: &GroupQuery) -> Result<(), StoreError> {
    sql.text(" FROM (SELECT ").column(0, "id").text(" AS id");
    let mut lower = Lower::new(sql, query.now);
    let values = values(query);
    for (place, key) in query.by.iter().enumerate() {
        lower.sql.text(", ");
        push_key(&mut lower, key, place, !values.is_empty());
        lower.sql.text(" AS ").name("k", place);
    }
    for (place, field) in values.iter().enumerate() {
        lower.sql.text(", ");
        lower.field(field, 0);
        lower.sql.text(" AS ").name("v", place);
    }
    lower.sql.text(" FROM ");
    push_table(lower.sql, query.model, 0)?;
    for (place, key) in query.by.iter().enumerate() {
        push_links(&mut lower, key, place);
    }
    lower.where_clause(&query.filter, 0);
    sql.text(") AS found");
    for place in 0..query.by.len() {
        sql.text(if place > 0 { ", " } else { " GROUP BY " }).name("k", place);
    }
    if !matches!(query.having, Having::All) {
        sql.text(" HAVING ");
        push_having(sql, query, &query.having);
    }
    Ok(())
}

/// What is the same for a search is the same group: no text and the empty one, no number and 0. Where the rows are `read`
/// for more than the key, an index that has the keys in order is hidden: through it they would be read in any order.
fn push_key(lower: &mut Lower<'_>, key: &GroupBy, place: usize, read: bool) {
    if let Kind::Many2many { other, .. } = key.field.kind {
        lower.sql.name("m", place).text(".").identifier(other);
        return;
    }
    if let Some(granularity) = key.granularity {
        let expression = lower.apart(|lower| lower.field(key.field, 0));
        match granularity {
            Granularity::Number(part) => dialect::part(lower.sql, expression, part),
            span => dialect::truncate(lower.sql, expression, span, key.field.kind == Kind::Date),
        }
        return;
    }
    let (before, after) = match key.field.kind {
        Kind::Boolean => ("COALESCE(", ", FALSE)"),
        Kind::Integer if key.field.name != "id" => ("COALESCE(", ", 0)"),
        Kind::Char | Kind::Text => ("NULLIF(", ", '')"),
        _ if read => ("COALESCE(", ", NULL)"),
        _ => ("", ""),
    };
    lower.sql.text(before);
    lower.field(key.field, 0);
    lower.sql.text(after);
}

/// The links of a many2many; a record without any stays.
fn push_links(lower: &mut Lower<'_>, key: &GroupBy, place: usize) {
    let (Kind::Many2many { relation, own, other, .. }, Some(related)) = (key.field.kind, &key.related) else { return };
    lower.sql.text(" LEFT JOIN ").identifier(relation).text(" AS ").name("m", place);
    lower.sql.text(" ON ").name("m", place).text(".").identifier(own).text(" = ").column(0, "id");
    if !matches!(related.to, Targets::All) {
        lower.sql.text(" AND ").name("m", place).text(".").identifier(other);
        lower.targets(related.model, &related.to, 1);
    }
}

/// The fields that aggregates are made of, each once.
fn values(query: &GroupQuery) -> Vec<&'static Field> {
    fn collect(having: &Having, fields: &mut Vec<&'static Field>) {
        match having {
            Having::All | Having::Nothing => {}
            Having::Not(having) => collect(having, fields),
            Having::And(members) | Having::Or(members) => members.iter().for_each(|member| collect(member, fields)),
            Having::In(aggregate, _) | Having::Compare(aggregate, ..) => fields.extend(aggregate.field),
        }
    }
    let mut fields: Vec<_> = query.aggregates.iter().filter_map(|aggregate| aggregate.field).collect();
    collect(&query.having, &mut fields);
    fields.extend(query.order.iter().filter_map(|term| match &term.by {
        GroupTerm::Aggregate(aggregate) => aggregate.field,
        GroupTerm::Key(_) => None,
    }));
    let mut once: Vec<&'static Field> = Vec::new();
    for field in fields {
        if !once.iter().any(|other| other.name == field.name) {
            once.push(field);
        }
    }
    once
}

fn push_aggregate(sql: &mut Sql, query: &GroupQuery, aggregate: &Aggregate) {
    let Some(field) = aggregate.field else {
        sql.text("COUNT(*)");
        return;
    };
    let place = values(query).iter().position(|value| value.name == field.name).unwrap_or_default();
    dialect::aggregate(sql, aggregate.function, |sql| {
        sql.name("v", place);
    });
}

fn push_having(sql: &mut Sql, query: &GroupQuery, having: &Having) {
    match having {
        Having::All => {
            sql.text("TRUE");
        }
        Having::Nothing => {
            sql.text("FALSE");
        }
        Having::Not(having) => {
            sql.text("(");
            push_having(sql, query, having);
            sql.text(" IS NOT TRUE)");
        }
        Having::And(members) | Having::Or(members) => {
            let is_and = matches!(having, Having::And(_));
            sql.text(if is_and { "(TRUE" } else { "(FALSE" });
            for member in members {
                sql.text(if is_and { " AND " } else { " OR " });
                push_having(sql, query, member);
            }
            sql.text(")");
        }
        Having::In(aggregate, numbers) => {
            push_aggregate(sql, query, aggregate);
            dialect::among(sql, &Values::Integers(numbers.clone()));
        }
        Having::Compare(aggregate, comparison, number) => {
            push_aggregate(sql, query, aggregate);
            dialect::compare(sql, *comparison);
            sql.value(SqlValue::Integer(*number));
        }
    }
}

/// The keys come last, so that pages never overlap.
fn push_order(sql: &mut Sql, query: &GroupQuery) {
    let mut separator = " ORDER BY ";
    for term in &query.order {
        match &term.by {
            GroupTerm::Aggregate(aggregate) => {
                sql.text(separator);
                push_aggregate(sql, query, aggregate);
                sql.text(direction(term.descending, term.nulls_first));
                separator = ", ";
            }
            GroupTerm::Key(place) => {
                let Some(key) = query.by.get(*place) else { continue };
                let related = key.related.as_ref().filter(|related| related.model.table().is_some());
                // as its own model orders them, the ones without last or first
                if let Some(related) = related {
                    sql.text(separator).name("k", *place).text(" IS NULL");
                    sql.text(if term.nulls_first { " DESC" } else { " ASC" });
                    separator = ", ";
                    for inner in &related.order.terms {
                        sql.text(separator);
                        let through = [vec![(key.field, related.model)], inner.through.clone()].concat();
                        let descending = term.descending ^ inner.descending;
                        let nulls_first = term.descending ^ inner.nulls_first;
                        let inner = OrderTerm { through, field: inner.field, descending, nulls_first };
                        let mut lower = Lower::new(sql, query.now);
                        lower.order_term(&inner, 0, Some(("k", *place)));
                    }
                }
                sql.text(separator).name("k", *place).text(direction(term.descending, term.nulls_first));
                separator = ", ";
            }
        }
    }
    for place in 0..query.by.len() {
        sql.text(separator).name("k", place).text(" ASC NULLS LAST");
        separator = ", ";
    }
}

const fn direction(descending: bool, nulls_first: bool) -> &'static str {
    match (descending, nulls_first) {
        (false, false) => " ASC NULLS LAST",
        (false, true) => " ASC NULLS FIRST",
        (true, false) => " DESC NULLS LAST",
        (true, true) => " DESC NULLS FIRST",
    }
}
