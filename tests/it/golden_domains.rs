//! What Odoo 19 answered to searches, replayed against this engine: the same ids, the same errors.

use std::collections::BTreeMap;

use orest::orm::error::OdooError;
use orest::orm::order::{self, Order};
use orest::orm::resolve::ResolveContext;
use orest::orm::search_domain::{Limits, SearchDomain};
use orest::store::read::{ReadField, read};
use orest::store::search::{Query, count, search};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::search::fixture::{Fixture, PARTNER, now};

const ODOO_19: &str = include_str!("../golden/odoo19-domains.jsonl");
const ODOO_14: &str = include_str!("../golden/odoo14-domains.jsonl");

/// Exchanges that this engine does not answer, by line, with the reason. The same list is in tests/golden/README.md.
const LEFT_OUT: &[(&str, &[u64])] = &[
    ("the fixture makes these records itself", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ("there are no float fields", &[80, 81, 82]),
    ("many records tie, and Odoo leaves their order to the database; here it is by id", &[246]),
    ("arguments and field names are checked by the methods on top", &[276, 284, 285]),
];

#[derive(Deserialize)]
struct Exchange {
    line: u64,
    method: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    result: Option<Value>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    name: String,
    message: String,
}

impl Exchange {
    fn argument(&self, place: usize, name: &str) -> Value {
        self.args.get(place).or_else(|| self.kwargs.get(name)).cloned().unwrap_or(Value::Null)
    }

    fn replay(&self, fixture: &mut Fixture) -> Result<Value, OdooError> {
        let active_test = self.kwargs.get("context").and_then(|context| context.get("active_test"));
        let registry = &fixture.registry;
        let context = ResolveContext {
            active_test: active_test != Some(&json!(false)),
            ..ResolveContext::unrestricted(registry, now())
        };
        let fields = |names: &Value| {
            let names: Vec<_> = names.as_array().expect("a list of fields").iter().filter_map(Value::as_str).collect();
            let fields = names.into_iter().map(|name| PARTNER.field(name).expect("a field that is there"));
            fields.map(|field| ReadField { field, related: None }).collect::<Vec<_>>()
        };
        if self.method == "read" {
            let ids: Vec<i64> = serde_json::from_value(self.args[0].clone()).unwrap();
            return Ok(json!(read(&mut fixture.connection, &PARTNER, &ids, &fields(&self.args[1]), now()).unwrap()));
        }
        let domain = match self.argument(0, "domain") {
            Value::Null if self.args.is_empty() => json!([]),
            domain => domain,
        };
        let domain = SearchDomain::parse(&domain, &Limits::default())?;
        let filter = context.with_active(domain, &PARTNER).resolve(&PARTNER, &context)?;
        if self.method == "search_count" {
            let limit = order::parse_limit(&self.argument(1, "limit"))?;
            return Ok(json!(count(&mut fixture.connection, &PARTNER, &filter, limit, now()).unwrap()));
        }
        let first = if self.method == "search" { 1 } else { 2 };
        let query = Query {
            model: &PARTNER,
            filter,
            offset: order::parse_offset(&self.argument(first, "offset"))?,
            limit: order::parse_limit(&self.argument(first + 1, "limit"))?,
            order: Order::parse(&self.argument(first + 2, "order"), &PARTNER, &context)?,
            now: now(),
        };
        let ids = search(&mut fixture.connection, &query).unwrap();
        if self.method == "search" {
            return Ok(json!(ids));
        }
        let fields = fields(&self.argument(1, "fields"));
        let mut records = read(&mut fixture.connection, &PARTNER, &ids, &fields, now()).unwrap();
        records.sort_by_key(|record| ids.iter().position(|id| record["id"] == *id));
        Ok(json!(records))
    }
}

/// psycopg2's own classes and the line of SQL that it shows are not ours.
fn same_error(error: &OdooError, expect: &Failure) -> bool {
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    if expect.name.starts_with("psycopg2.") {
        first(&error.message) == first(&expect.message)
    } else {
        error.exception.name() == expect.name && error.message == expect.message
    }
}

#[test]
fn odoo_19_answers_are_ours() {
    replay(&mut Fixture::golden(), ODOO_19, LEFT_OUT);
}

/// Where Odoo 14 answers as 19 does.
#[test]
fn odoo_14_answers_are_ours() {
    replay(&mut Fixture::golden_14(), ODOO_14, &[]);
}

fn replay(fixture: &mut Fixture, golden: &str, left_out: &[(&str, &[u64])]) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut differences = Vec::new();
    for line in golden.lines() {
        let exchange: Exchange = serde_json::from_str(line).unwrap();
        if let Some((reason, _)) = left_out.iter().find(|(_, lines)| lines.contains(&exchange.line)) {
            *counts.entry(format!("left out: {reason}")).or_default() += 1;
            continue;
        }
        let answer = exchange.replay(fixture);
        let same = match (&answer, &exchange.error) {
            (Ok(result), None) => Some(result) == exchange.result.as_ref(),
            (Err(error), Some(expect)) => same_error(error, expect),
            _ => false,
        };
        if same {
            let kind = if answer.is_ok() { "same result" } else { "same error" };
            *counts.entry(format!("{kind}: {}", exchange.method)).or_default() += 1;
        } else {
            differences.push(format!("{line}\n  here: {answer:?}"));
        }
    }
    for (kind, count) in &counts {
        println!("{count:4} {kind}");
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
