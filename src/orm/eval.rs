//! Filters and orders over records in memory: for the models that are no tables, and the referee of `store::search`.
//!
//! It works with sets of ids where the database works with conditions on rows, so that the two can disagree.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use serde_json::{Map, Value};

use super::field::{Field, Kind, Model};
use super::filter::{Filter, Part, Scalar, Targets, Term, Values};
use super::like::Pattern;
use super::order::{Order, OrderTerm};
use super::python;
use super::registry::Registry;

/// A record in the form of `read`: many2one as a bare id, no value as `false` or `null`.
pub type Row = Map<String, Value>;

/// Records of every model.
pub trait Rows {
    /// Those of one.
    fn rows(&self, model: &'static Model) -> Arc<Vec<Row>>;
}

/// The records of the models that are kept in memory; other models have none.
pub struct MemoryRows<'a> {
    registry: &'a Registry,
}

impl<'a> MemoryRows<'a> {
    /// Of these models.
    pub const fn new(registry: &'a Registry) -> Self {
        Self { registry }
    }
}

impl Rows for MemoryRows<'_> {
    fn rows(&self, model: &'static Model) -> Arc<Vec<Row>> {
        self.registry.rows(model)
    }
}

/// The ids of the records that fit, in order.
pub fn search(
    rows: &dyn Rows,
    model: &'static Model,
    filter: &Filter,
    order: &Order,
    offset: u64,
    limit: Option<u64>,
) -> Vec<i64> {
    let found = ids(rows, model, filter);
    let all = rows.rows(model);
    let records = all.iter().filter(|row| found.contains(&id(row)));
    let mut records: Vec<(Vec<_>, i64)> =
        records.map(|row| (order.terms.iter().map(|term| order_key(rows, term, row)).collect(), id(row))).collect();
    records.sort_by(|(left, left_id), (right, right_id)| {
        let keys = order.terms.iter().zip(left.iter().zip(right));
        let ordering = keys.map(|(term, (left, right))| compare_by(term, left.as_ref(), right.as_ref()));
        ordering.fold(Ordering::Equal, Ordering::then).then(left_id.cmp(right_id))
    });
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    records.into_iter().map(|(_, id)| id).skip(offset).take(limit).collect()
}

/// The ids of the records that fit.
pub fn ids(rows: &dyn Rows, model: &'static Model, filter: &Filter) -> BTreeSet<i64> {
    let all = rows.rows(model);
    let those = |fits: &dyn Fn(&Row) -> bool| all.iter().filter(|row| fits(row)).map(id).collect::<BTreeSet<_>>();
    match filter {
        Filter::All => those(&|_| true),
        Filter::Nothing => BTreeSet::new(),
        Filter::Not(filter) => {
            let inner = ids(rows, model, filter);
            those(&|row| !inner.contains(&id(row)))
        }
        Filter::And(filters) => {
            let mut left = those(&|_| true);
            for filter in filters {
                let right = ids(rows, model, filter);
                left.retain(|id| right.contains(id));
            }
            left
        }
        Filter::Or(filters) => filters.iter().flat_map(|filter| ids(rows, model, filter)).collect(),
        Filter::IsTrue(field) => those(&|row| python::truthy(value(row, field))),
        Filter::In { term, values, or_null } => those(&|row| match cell(row, *term) {
            None => *or_null,
            Some(cell) => is_among(&cell, values),
        }),
        Filter::Compare { term, comparison, value, or_null } => those(&|row| match cell(row, *term) {
            None => *or_null,
            Some(cell) => comparison.holds(compare(&cell, value)),
        }),
        Filter::Like { field, pattern, fold } => {
            let pattern = Pattern::new(pattern, *fold);
            those(&|row| match value(row, field) {
                Value::Bool(false) | Value::Null => false,
                value => pattern.matches(&python::str(value)),
            })
        }
        Filter::Linked { field, comodel, to } => {
            let targets: Option<BTreeSet<i64>> = match to {
                Targets::All => None,
                Targets::Ids(ids) => Some(ids.iter().copied().collect()),
                Targets::Where(filter) => Some(ids(rows, comodel, filter)),
            };
            let others = rows.rows(comodel);
            those(&|row| {
                links(row, field, &others).iter().any(|id| targets.as_ref().is_none_or(|ids| ids.contains(id)))
            })
        }
        Filter::Within { model, parent, roots, above } => {
            let mut closure = ids(rows, model, roots);
            loop {
                let before = closure.len();
                for row in all.iter() {
                    let Some(parent) = value(row, parent).as_i64() else { continue };
                    if *above && closure.contains(&id(row)) {
                        closure.insert(parent);
                    } else if !*above && closure.contains(&parent) {
                        closure.insert(id(row));
                    }
                }
                if closure.len() == before {
                    return those(&|row| closure.contains(&id(row)));
                }
            }
        }
    }
}

/// The id of a record.
pub fn id(row: &Row) -> i64 {
    row.get("id").and_then(Value::as_i64).unwrap_or_default()
}

fn value<'r>(row: &'r Row, field: &Field) -> &'r Value {
    row.get(field.name).unwrap_or(&Value::Null)
}

fn links(row: &Row, field: &Field, others: &[Row]) -> Vec<i64> {
    match (field.kind, value(row, field)) {
        (_, Value::Array(ids)) => ids.iter().filter_map(Value::as_i64).collect(),
        (Kind::One2many { inverse, .. }, _) => {
            let points_here = |other: &&Row| other.get(inverse).and_then(Value::as_i64) == Some(id(row));
            others.iter().filter(points_here).map(id).collect()
        }
        (_, value) => value.as_i64().into_iter().collect(),
    }
}

/// The value of a term, `None` for no value.
fn cell(row: &Row, term: Term) -> Option<Scalar> {
    let value = value(row, term.field);
    if matches!(value, Value::Null | Value::Bool(false)) {
        return None;
    }
    if let Some(part) = term.part {
        return Some(Scalar::Integer(part_of(value.as_str()?, part)?));
    }
    match term.field.kind {
        Kind::Integer | Kind::Many2one(_) => value.as_i64().map(Scalar::Integer),
        Kind::Date => value.as_str()?.parse().ok().map(Scalar::Date),
        Kind::Datetime => datetime(value.as_str()?).map(Scalar::Datetime),
        _ => Some(Scalar::Text(python::str(value))),
    }
}

fn datetime(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()
}

fn part_of(text: &str, part: Part) -> Option<i64> {
    let date: NaiveDate = text.get(..10)?.parse().ok()?;
    let at = datetime(text).unwrap_or_else(|| date.and_time(chrono::NaiveTime::MIN));
    Some(i64::from(match part {
        Part::Year => u32::try_from(date.year()).ok()?,
        Part::Quarter => date.quarter(),
        Part::Month => date.month(),
        Part::IsoWeek => date.iso_week().week(),
        Part::DayOfYear => date.ordinal(),
        Part::DayOfMonth => date.day(),
        Part::DayOfWeek => date.weekday().num_days_from_sunday(),
        Part::Hour => at.hour(),
        Part::Minute => at.minute(),
        Part::Second => at.second(),
    }))
}

fn is_among(cell: &Scalar, values: &Values) -> bool {
    match (cell, values) {
        (Scalar::Integer(cell), Values::Integers(values)) => values.contains(cell),
        (Scalar::Text(cell), Values::Texts(values)) => values.contains(cell),
        (Scalar::Date(cell), Values::Dates(values)) => values.contains(cell),
        (Scalar::Datetime(cell), Values::Datetimes(values)) => values.contains(cell),
        _ => false,
    }
}

fn compare(cell: &Scalar, value: &Scalar) -> Ordering {
    match (cell, value) {
        (Scalar::Integer(cell), Scalar::Integer(value)) => cell.cmp(value),
        (Scalar::Text(cell), Scalar::Text(value)) => cell.cmp(value),
        (Scalar::Date(cell), Scalar::Date(value)) => cell.cmp(value),
        (Scalar::Datetime(cell), Scalar::Datetime(value)) => cell.cmp(value),
        _ => unreachable!("resolve gives values of the term's type"),
    }
}

fn compare_by(term: &OrderTerm, left: Option<&Scalar>, right: Option<&Scalar>) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) if term.nulls_first => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) if term.nulls_first => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) if term.descending => compare(right, left),
        (Some(left), Some(right)) => compare(left, right),
    }
}

fn order_key(rows: &dyn Rows, term: &OrderTerm, row: &Row) -> Option<Scalar> {
    let mut target = None;
    for (field, comodel) in &term.through {
        let id = value(target.as_ref().unwrap_or(row), field).as_i64()?;
        target = Some(linked_row(rows, comodel, id)?);
    }
    let row = target.as_ref().unwrap_or(row);
    if term.field.kind == Kind::Boolean {
        return Some(Scalar::Integer(i64::from(python::truthy(value(row, term.field)))));
    }
    cell(row, Term::from(term.field))
}

fn linked_row(rows: &dyn Rows, model: &'static Model, target: i64) -> Option<Row> {
    rows.rows(model).iter().find(|row| id(row) == target).cloned()
}
