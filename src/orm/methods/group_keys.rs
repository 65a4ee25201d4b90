//! How the key of a group is written: its value, its label, the domain of its records.

use std::collections::HashMap;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use serde_json::{Value, json};

use crate::domain::time::Timestamp;
use crate::orm::field::Kind;
use crate::orm::filter::Part;
use crate::orm::group::{Granularity, GroupBy};
use crate::orm::search_domain::{Leaf, Operand, Operator, SearchDomain};

/// A key of a group.
pub struct Key {
    /// As it was asked for: `create_date:month`.
    pub spec: String,
    /// Id, key of a selection, first moment, `false` for none.
    pub raw: Value,
    /// In the style of `formatted_read_group`: `[id, name]`, `[first moment, label]`.
    pub value: Value,
    /// In the style of `read_group`: `[id, name]`, label.
    pub label: Value,
    /// Of a span of time: its first moment and the one after its last.
    pub range: Option<Value>,
    /// Which records have it.
    pub domain: SearchDomain,
    /// Whether it is a record.
    pub is_relation: bool,
}

impl Key {
    /// Without granularity.
    pub fn field_name(&self) -> &str {
        self.spec.split(':').next().unwrap_or(&self.spec)
    }
}

/// Writes a key that the store gave.
pub fn render_key(by: &GroupBy, raw: Value, names: &HashMap<i64, String>) -> Key {
    let field = by.spec.split(':').next().unwrap_or(&by.spec);
    let is = |value: &Value| SearchDomain::leaf(field, "=", value.clone());
    let is_relation = by.field.comodel().is_some();
    let plain = |raw: Value, value: Value, domain| Key {
        spec: by.spec.clone(),
        label: value.clone(),
        raw,
        value,
        range: None,
        domain,
        is_relation,
    };
    match (by.granularity, raw.as_i64(), &raw) {
        (Some(Granularity::Number(part)), _, value) => {
            let path = format!("{field}.{}", name_of(part));
            let domain = if value.is_boolean() { is(value) } else { SearchDomain::leaf(&path, "=", value.clone()) };
            plain(raw.clone(), raw.clone(), domain)
        }
        (Some(span), _, Value::String(text)) => {
            let Some(start) = parse(text) else { return plain(raw.clone(), raw.clone(), is(&raw)) };
            let end = end_of(span, start);
            let write = |at: Timestamp| match by.field.kind {
                Kind::Date => at.format("%Y-%m-%d").to_string(),
                _ => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            };
            let (from, to, label) = (write(start), write(end), label_of(span, start));
            let domain = SearchDomain::leaf(field, ">=", from.as_str().into()).and(SearchDomain::leaf(
                field,
                "<",
                to.as_str().into(),
            ));
            let mut key = plain(raw.clone(), json!([from, label]), domain);
            key.label = label.into();
            key.range = Some(json!({"from": from, "to": to}));
            key
        }
        (Some(_), _, _) => {
            let mut key = plain(false.into(), false.into(), is(&Value::Bool(false)));
            key.range = Some(false.into());
            key
        }
        (None, Some(id), _) if is_relation => {
            let name = names.get(&id).cloned().unwrap_or_default();
            plain(raw.clone(), json!([id, name]), is(&raw))
        }
        (None, None, _) if matches!(by.field.kind, Kind::Many2many { .. }) => {
            let value = Operand::Domain(Box::new(SearchDomain::True));
            let leaf = Leaf { field: field.to_owned(), operator: Operator::NotAny, value };
            plain(raw.clone(), raw, SearchDomain::Leaf(leaf))
        }
        _ => plain(raw.clone(), raw.clone(), is(&raw)),
    }
}

fn name_of(part: Part) -> &'static str {
    Part::ALL.iter().find(|(own, _)| *own == part).map_or("", |(_, name)| name)
}

fn parse(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN));
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().or_else(day)
}

fn end_of(span: Granularity, start: Timestamp) -> Timestamp {
    let end = match span {
        Granularity::Hour | Granularity::Number(_) => start.checked_add_signed(TimeDelta::hours(1)),
        Granularity::Day => start.checked_add_days(Days::new(1)),
        Granularity::Week => start.checked_add_days(Days::new(7)),
        Granularity::Month => start.checked_add_months(Months::new(1)),
        Granularity::Quarter => start.checked_add_months(Months::new(3)),
        Granularity::Year => start.checked_add_months(Months::new(12)),
    };
    end.unwrap_or(Timestamp::MAX)
}

/// As Odoo writes it in `en_US`.
fn label_of(span: Granularity, start: Timestamp) -> String {
    let format = match span {
        Granularity::Hour | Granularity::Number(_) => "%I:00 %d %b",
        Granularity::Day => "%d %b %Y",
        Granularity::Week => {
            let (year, week) = week_of(start.date());
            return format!("W{week} {year:04}");
        }
        Granularity::Month => "%B %Y",
        Granularity::Quarter => return format!("Q{} {:04}", start.quarter(), start.year()),
        Granularity::Year => "%Y",
    };
    start.format(format).to_string()
}

/// Weeks start on Sunday, and the first of a year is the one with its first day.
fn week_of(day: NaiveDate) -> (i32, i64) {
    let first_of = |year| {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or(NaiveDate::MIN);
        first.checked_sub_days(Days::new(first.weekday().num_days_from_sunday().into())).unwrap_or(first)
    };
    if day >= first_of(day.year() + 1) {
        return (day.year() + 1, 1);
    }
    (day.year(), (day - first_of(day.year())).num_days() / 7 + 1)
}

/// A domain with every `&` written, as Odoo gives the domains of groups.
pub fn explicit(domain: &SearchDomain) -> Value {
    let Value::Array(items) = domain.to_json() else { return json!([]) };
    match domain {
        SearchDomain::True => json!([[1, "=", 1]]),
        SearchDomain::And(domains) => (1..domains.len()).map(|_| json!("&")).chain(items).collect(),
        _ => items.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |span, at: &str, label: &str, end: &str| {
            let start = parse(at).expect("a moment");
            assert_eq!((label_of(span, start), end_of(span, start).to_string()), (label.to_owned(), end.to_owned()));
        };
        check(Granularity::Hour, "2026-11-20 13:00:00", "01:00 20 Nov", "2026-11-20 14:00:00");
        check(Granularity::Day, "2026-11-20", "20 Nov 2026", "2026-11-21 00:00:00");
        check(Granularity::Week, "2026-11-15", "W47 2026", "2026-11-22 00:00:00");
        check(Granularity::Week, "2026-12-27", "W1 2027", "2027-01-03 00:00:00");
        check(Granularity::Week, "2025-12-28", "W1 2026", "2026-01-04 00:00:00");
        check(Granularity::Month, "2026-12-01", "December 2026", "2027-01-01 00:00:00");
        check(Granularity::Quarter, "2026-10-01", "Q4 2026", "2027-01-01 00:00:00");
        check(Granularity::Year, "2026-01-01", "2026", "2027-01-01 00:00:00");
    }

    #[test]
    fn domains_with_every_connective() {
        let leaf = |field: &str| SearchDomain::leaf(field, "=", 1.into());
        let check = |domain: SearchDomain, expect: Value| assert_eq!(explicit(&domain), expect);
        check(SearchDomain::True, json!([[1, "=", 1]]));
        check(leaf("a"), json!([["a", "=", 1]]));
        check(leaf("a").and(leaf("b")).and(leaf("c")), json!(["&", "&", ["a", "=", 1], ["b", "=", 1], ["c", "=", 1]]));
        check(leaf("a").or(leaf("b")).and(leaf("c")), json!(["&", "|", ["a", "=", 1], ["b", "=", 1], ["c", "=", 1]]));
    }
}
