//! Random domains and orders on random rows: the database and the referee in memory must find the same records, in the
//! same order.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use diesel::connection::SimpleConnection;
use orest::orm::error::OdooError;
use orest::orm::eval::{self, Row, Rows};
use orest::orm::field::Model;
use orest::orm::order::Order;
use orest::orm::registry::Registry;
use orest::orm::resolve::ResolveContext;
use orest::orm::search_domain::{Limits, SearchDomain};
use orest::store::Connection;
use orest::store::read::{ReadField, read};
use orest::store::records::{SqlValue, insert, replace_links};
use orest::store::search::{Query, count, search};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestError, TestRunner};
use serde_json::{Value, json};

use super::fixture::{CATEGORY, Fixture, PARTNER, now};

const TEXTS: &[&str] =
    &["", "a", "A", "ab", "aB", "É", "é", "100%", "a_b", "a\\b", "ß", "İi", "it's \"q\"", "ΟΔΟΣ", "οδος", "ſK"];
const DATES: &[&str] = &["2024-02-29", "2026-01-01", "2026-11-19", "2026-11-20", "2026-12-31"];
const TIMES: &[&str] = &["2024-02-29 23:59:59", "2026-11-19 23:59:59", "2026-11-20 00:00:00", "2026-11-20 09:40:37"];
const TYPES: &[&str] = &["contact", "invoice", "other"];
const PARTNERS: i64 = 7;
const CATEGORIES: i64 = 4;

#[derive(Clone, Debug)]
struct Tables {
    partners: Vec<Row>,
    categories: Vec<Row>,
}

impl Rows for Tables {
    fn rows(&self, model: &'static Model) -> Arc<Vec<Row>> {
        Arc::new(if model.name == PARTNER.name { self.partners.clone() } else { self.categories.clone() })
    }
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(json!(false)), 4 => select(TEXTS).prop_map(Value::from)]
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(json!(false)), 4 => select(texts).prop_map(Value::from)]
}

fn id_or_none(last: i64) -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(json!(false)), 3 => (1..=last).prop_map(Value::from)]
}

fn flag() -> impl Strategy<Value = Value> {
    select(vec![json!(null), json!(false), json!(true)])
}

/// No value of an integer is `false` here, since 0 is a value.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(json!(false)), 4 => (-2_i64..4).prop_map(Value::from)]
}

fn partner() -> impl Strategy<Value = Row> {
    let texts = (text(), text(), text(), text());
    let plain = (number(), flag(), flag(), one_of(DATES), one_of(TYPES), one_of(TIMES));
    let links = (id_or_none(PARTNERS), prop::collection::btree_set(1..=CATEGORIES, 0..3));
    (texts, plain, links).prop_map(|((name, complete, reference, function), plain, (parent, categories))| {
        let (color, is_company, active, date, kind, created) = plain;
        let age = match date.as_str() {
            Some(date) if date < now().format("%F %T").to_string().as_str() => json!("old"),
            Some(_) => json!("new"),
            None => json!(false),
        };
        let row = json!({
            "name": name, "complete_name": complete, "ref": reference, "function": function, "color": color,
            "is_company": is_company, "active": active, "date": date, "type": kind, "create_date": created,
            "parent_id": parent, "category_id": categories, "age": age,
        });
        row.as_object().cloned().unwrap()
    })
}

fn category() -> impl Strategy<Value = Row> {
    (text(), text(), flag(), id_or_none(CATEGORIES)).prop_map(|(name, complete, active, parent)| {
        let row = json!({"name": name, "complete_name": complete, "active": active, "parent_id": parent});
        row.as_object().cloned().unwrap()
    })
}

fn tables() -> impl Strategy<Value = Tables> {
    let number = usize::try_from(PARTNERS).unwrap();
    let partners = prop::collection::vec(partner(), number);
    let categories = prop::collection::vec(category(), usize::try_from(CATEGORIES).unwrap());
    (partners, categories).prop_map(|(mut partners, mut categories)| {
        for rows in [&mut partners, &mut categories] {
            for (id, row) in (1_i64..).zip(rows) {
                row.insert("id".to_owned(), id.into());
            }
        }
        Tables { partners, categories }
    })
}

const EQUALITY: &[&str] = &["=", "!=", "<>", "in", "not in", "=?"];
const INEQUALITY: &[&str] = &["<", "<=", ">", ">="];
const PATTERN: &[&str] =
    &["like", "not like", "ilike", "not ilike", "=like", "not =like", "=ilike", "not =ilike", "ILIKE"];
const HIERARCHY: &[&str] = &["child_of", "parent_of"];

fn or_list(value: impl Strategy<Value = Value> + Clone + 'static) -> impl Strategy<Value = Value> {
    prop_oneof![2 => value.clone(), 1 => prop::collection::vec(value, 0..4).prop_map(Value::from)]
}

fn leaf<V: Strategy<Value = Value> + 'static>(
    fields: &'static [&'static str],
    operators: &'static [&'static str],
    value: V,
) -> BoxedStrategy<Value> {
    (select(fields), select(operators), value)
        .prop_map(|(field, operator, value)| json!([field, operator, value]))
        .boxed()
}

fn pattern() -> impl Strategy<Value = Value> {
    select(vec![
        "",
        "a",
        "%",
        "_",
        "a%",
        "%b",
        "A_",
        "\\%",
        "0\\%",
        "\\_",
        "é",
        "É%",
        "ß",
        "1",
        "2026-11",
        "i",
        "inv%",
        "\\",
        "ος",
        "ΣΑ_",
        "οδοσ%",
        "i_",
        "K",
    ])
    .prop_map(Value::from)
}

/// Conditions that both models understand.
fn common_leaf() -> BoxedStrategy<Value> {
    let name = || select(TEXTS).prop_map(Value::from);
    prop_oneof![
        leaf(&["name", "complete_name", "display_name"], EQUALITY, or_list(text().boxed())),
        leaf(&["name", "display_name"], INEQUALITY, text()),
        leaf(&["name", "display_name", "id"], PATTERN, pattern()),
        leaf(&["active"], EQUALITY, or_list(select(vec![json!(true), json!(false), json!("yes"), json!(0)]))),
        leaf(&["id"], EQUALITY, or_list(select(vec![json!(1), json!("2"), json!(false), json!(3), json!(99)]))),
        leaf(&["id"], INEQUALITY, (0_i64..5).prop_map(Value::from)),
        leaf(&["parent_id"], EQUALITY, or_list(prop_oneof![id_or_none(5), name(), Just(json!(0))].boxed())),
        leaf(&["parent_id"], INEQUALITY, id_or_none(5)),
        leaf(&["parent_id"], PATTERN, pattern()),
        leaf(&["id", "parent_id"], HIERARCHY, or_list(prop_oneof![3 => id_or_none(5), 1 => name()].boxed())),
    ]
    .boxed()
}

fn partner_leaf() -> BoxedStrategy<Value> {
    let moment = || {
        prop_oneof![
            select(DATES).prop_map(Value::from),
            select(TIMES).prop_map(Value::from),
            select(vec![json!("today"), json!("now -1d"), json!("=week_start"), json!(false)]),
        ]
    };
    let name = || select(TEXTS).prop_map(Value::from);
    prop_oneof![
        5 => common_leaf(),
        1 => leaf(&["ref", "function"], EQUALITY, or_list(text().boxed())),
        1 => leaf(&["ref", "function"], INEQUALITY, text()),
        1 => leaf(&["ref", "color", "type", "age", "date", "create_date"], PATTERN, pattern()),
        1 => leaf(&["color"], EQUALITY, or_list(prop_oneof![number(), Just(json!("2")), Just(json!(true))].boxed())),
        1 => leaf(&["color"], INEQUALITY, number()),
        1 => leaf(&["is_company"], EQUALITY, or_list(flag().boxed())),
        1 => leaf(&["type"], EQUALITY, or_list(one_of(TYPES).boxed())),
        1 => leaf(&["type", "age"], INEQUALITY, one_of(TYPES)),
        1 => leaf(&["age"], EQUALITY, or_list(one_of(&["old", "new", "none"]).boxed())),
        1 => leaf(&["date", "create_date"], EQUALITY, or_list(moment().boxed())),
        2 => leaf(&["date", "create_date"], INEQUALITY, moment()),
        1 => leaf(
            &["date.year_number", "create_date.month_number", "date.quarter_number", "create_date.hour_number"],
            &["=", "!=", "in", "not in", "<", ">="],
            select(vec![json!(2026), json!(11), json!(4), json!(9), json!(false)]),
        ),
        1 => leaf(
            &["date.iso_week_number", "create_date.day_of_week", "date.day_of_year", "date.day_of_month",
              "create_date.minute_number", "create_date.second_number"],
            &["=", "!=", "<", ">="],
            select(vec![json!(1), json!(47), json!(5), json!(0), json!(20), json!(37)]),
        ),
        2 => leaf(&["child_ids", "category_id"], EQUALITY, or_list(prop_oneof![id_or_none(5), name()].boxed())),
        1 => leaf(&["child_ids", "category_id"], INEQUALITY, id_or_none(5)),
        1 => leaf(&["child_ids", "category_id"], PATTERN, pattern()),
        1 => leaf(&["child_ids", "category_id"], HIERARCHY, or_list(prop_oneof![id_or_none(5), name()].boxed())),
        1 => leaf(&["category_id.name", "category_id.parent_id.name"], EQUALITY, text()),
        1 => leaf(&["parent_id.ref", "child_ids.name", "parent_id.parent_id.name"], EQUALITY, text()),
        1 => leaf(&["parent_id.category_id", "child_ids.child_ids", "parent_id.id"], EQUALITY, id_or_none(5)),
        1 => leaf(&["parent_id.active", "child_ids.active", "category_id.active"], &["=", "!="], flag()),
    ]
    .boxed()
}

/// Connectives around leaves, whole domains as lists.
fn domain(leaf: BoxedStrategy<Value>) -> BoxedStrategy<Vec<Value>> {
    let one = leaf.prop_map(|leaf| vec![leaf]);
    let expression = one.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            (select(vec!["&", "|"]), inner.clone(), inner.clone())
                .prop_map(|(connective, left, right)| { [vec![json!(connective)], left, right].concat() }),
            inner.prop_map(|inner| [vec![json!("!")], inner].concat()),
        ]
    });
    prop::collection::vec(expression, 0..3).prop_map(|expressions| expressions.concat()).boxed()
}

fn partner_domain() -> BoxedStrategy<Vec<Value>> {
    let any = |fields: &'static [&'static str], inner: BoxedStrategy<Value>| {
        leaf(fields, &["any", "not any"], domain(inner).prop_map(Value::from))
    };
    let nested = prop_oneof![
        4 => partner_leaf(),
        1 => any(&["parent_id", "child_ids", "id"], partner_leaf()),
        1 => any(&["category_id"], common_leaf()),
    ];
    domain(prop_oneof![5 => nested.clone().boxed(), 1 => any(&["parent_id", "child_ids"], nested.boxed())].boxed())
}

fn order() -> impl Strategy<Value = String> {
    let fields = select(vec![
        "name",
        "ref",
        "color",
        "is_company",
        "date",
        "create_date",
        "type",
        "age",
        "parent_id",
        "parent_id.id",
        "id",
        "active",
    ]);
    let direction = select(vec!["", " desc", " ASC"]);
    let nulls = select(vec!["", "", " nulls first", " NULLS LAST"]);
    let term = (fields, direction, nulls).prop_map(|(field, direction, nulls)| format!("{field}{direction}{nulls}"));
    prop::collection::vec(term, 1..4).prop_map(|terms| terms.join(", "))
}

fn sql(value: &Value, column: &str) -> SqlValue {
    match (value, column) {
        (Value::Null, _) => SqlValue::Null,
        (Value::Bool(value), "is_company" | "active") => SqlValue::Bool(*value),
        (Value::Bool(_), _) => SqlValue::Null,
        (Value::String(text), "date") => SqlValue::Date(text.parse::<NaiveDate>().unwrap()),
        (Value::String(text), "create_date") => {
            SqlValue::Timestamp(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap())
        }
        (Value::String(text), _) => SqlValue::Text(text.clone()),
        (value, _) => SqlValue::Integer(value.as_i64().unwrap()),
    }
}

impl Tables {
    fn to_text(&self) -> String {
        let rows = self.partners.iter().chain(&self.categories);
        rows.map(|row| Value::Object(row.clone()).to_string()).collect::<Vec<_>>().join("\n")
    }

    fn store(&self, fixture: &mut Fixture) {
        let connection = &mut fixture.connection;
        for (model, rows) in [(&PARTNER, &self.partners), (&CATEGORY, &self.categories)] {
            for row in rows {
                let stored = model.fields().filter(|field| field.column == orest::orm::field::Column::Stored);
                let columns: Vec<_> = stored
                    .filter(|field| field.name != "display_name")
                    .filter_map(|field| Some((field.name, sql(row.get(field.name)?, field.name))))
                    .collect();
                let id = insert(connection, model.table().unwrap(), &columns).unwrap();
                if let Some(Value::Array(categories)) = row.get("category_id") {
                    let categories: BTreeSet<_> = categories.iter().filter_map(Value::as_i64).collect();
                    replace_links(connection, "res_partner_category_rel", "partner_id", "category_id", id, &categories)
                        .unwrap();
                }
            }
        }
    }
}

/// Some of the other model's records are hidden from the caller.
fn rule(model: &'static Model) -> Result<SearchDomain, OdooError> {
    Ok(if model.name == CATEGORY.name { SearchDomain::leaf("id", "!=", json!(2)) } else { SearchDomain::True })
}

#[test]
fn the_database_and_the_referee_agree() {
    // parents may come after their children
    let fixture = RefCell::new(Fixture::new().without_foreign_keys());
    let searches = prop::collection::vec((partner_domain(), order(), 0_u64..3, 0_u64..6), 24);
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let found = std::cell::Cell::new([0_u32; 3]);
    let outcome = runner.run(
        &(tables(), searches, any::<bool>(), any::<bool>()),
        |(tables, searches, restricted, active_test)| {
            let fixture = &mut *fixture.borrow_mut();
            fixture.connection.batch_execute("BEGIN").unwrap();
            tables.store(fixture);
            let registry = Registry::of(&[&PARTNER, &CATEGORY]);
            let open = ResolveContext::unrestricted(&registry, now());
            let context = ResolveContext { active_test, rules: if restricted { &rule } else { open.rules }, ..open };
            let mut result = Ok(());
            for (domain, order, offset, limit) in searches {
                result = check(fixture, &tables, &context, &Value::Array(domain), &order, offset, limit, &found);
                if result.is_err() {
                    break;
                }
            }
            fixture.connection.batch_execute("ROLLBACK").unwrap();
            result
        },
    );
    let [all, errors, some] = found.get();
    println!("{all} searches, {errors} without a meaning, {some} that found some but not all");
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, (tables, _, restricted, active_test))) => {
            panic!("{reason}\nrestricted: {restricted}, active_test: {active_test}\n{}", tables.to_text())
        }
        Err(error) => panic!("{error}"),
    }
    assert!(some > all / 5 && errors < all / 20, "the generator has lost its aim");
}

#[expect(clippy::too_many_arguments, reason = "one case of the property")]
fn check(
    fixture: &mut Fixture,
    tables: &Tables,
    context: &ResolveContext<'_>,
    domain: &Value,
    order: &str,
    offset: u64,
    limit: u64,
    found: &std::cell::Cell<[u32; 3]>,
) -> Result<(), TestCaseError> {
    let [all, errors, some] = found.get();
    let parsed =
        SearchDomain::parse(domain, &Limits::default()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Ok(filter) = parsed.resolve(&PARTNER, context) else {
        found.set([all + 1, errors + 1, some]);
        return Ok(());
    };
    let order_terms = Order::parse_text(order, &PARTNER, context).unwrap();
    let again = SearchDomain::parse(&parsed.to_json(), &Limits::default()).unwrap().resolve(&PARTNER, context).unwrap();
    prop_assert_eq!(eval::ids(tables, &PARTNER, &again), eval::ids(tables, &PARTNER, &filter), "{} read back", domain);
    let expect = eval::search(tables, &PARTNER, &filter, &order_terms, 0, None);
    found.set([all + 1, errors, some + u32::from(!expect.is_empty() && expect.len() < tables.partners.len())]);
    let query = Query { model: &PARTNER, filter, order: order_terms, offset: 0, limit: None, now: now() };
    let asked = format!("{domain} order {order} on {:?}", fixture.engine);
    check_on(&mut fixture.connection, tables, query, &expect, &asked, offset, limit)
}

fn check_on(
    connection: &mut Connection,
    tables: &Tables,
    mut query: Query,
    expect: &[i64],
    asked: &str,
    offset: u64,
    limit: u64,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(&search(connection, &query).unwrap(), expect, "{} as {:?}", asked, &query.filter);
    prop_assert_eq!(
        count(connection, &PARTNER, &query.filter, None, now()).unwrap(),
        i64::try_from(expect.len()).unwrap()
    );
    (query.offset, query.limit) = (offset, (limit > 0).then_some(limit));
    let page = eval::search(tables, &PARTNER, &query.filter, &query.order, offset, query.limit);
    prop_assert_eq!(search(connection, &query).unwrap(), page);

    // what is read is what was written, but for what has no value
    let fields = ["name", "color", "is_company", "date", "create_date", "type", "parent_id", "age"];
    let fields = fields.map(|name| ReadField { field: PARTNER.field(name).unwrap(), related: None });
    for record in read(connection, &PARTNER, expect, &fields, now()).unwrap() {
        let row = tables.partners.iter().find(|row| row["id"] == record["id"]).unwrap();
        for (name, value) in &record {
            let written = match (&row[name], name.as_str()) {
                (Value::Null, _) => &json!(false),
                (Value::Bool(false), "color") => &json!(0),
                (value, _) => value,
            };
            prop_assert_eq!(value, written, "{}", name);
        }
    }
    Ok(())
}

/// Values of every type, and texts that mean something somewhere.
fn anything() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        select(vec![
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(-1),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1.5),
            json!(-1e300),
            json!(1e-300),
            json!(""),
            json!(" 7_0 "),
            json!("7.9"),
            json!("'; DROP TABLE res_partner; --"),
            json!("\u{0}"),
            json!("2026-11-20"),
            json!("9999-12-31"),
            json!("0001-01-01 00:00:00"),
            json!("today +9999y"),
            json!("=31d"),
            json!("+99999999999d"),
            json!("%"),
            json!("\\"),
            json!("{t}"),
            json!("?"),
        ]),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{0,3}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn any_leaf() -> impl Strategy<Value = Value> {
    let names: Vec<String> = PARTNER.fields().map(|field| field.name.to_owned()).collect();
    let name = prop_oneof![9 => select(names), 1 => any::<String>(), 1 => Just("create_date.month_number".to_owned())];
    let path = prop::collection::vec(name, 1..3).prop_map(|names| names.join("."));
    let operators: Vec<_> = orest::orm::search_domain::Operator::ALL.iter().map(|(_, text)| *text).collect();
    (path, select(operators), anything()).prop_map(|(path, operator, value)| json!([path, operator, value]))
}

#[test]
fn whatever_is_sent_is_answered() {
    let fixture = RefCell::new(Fixture::golden());
    let items = prop_oneof![12 => any_leaf(), 2 => select(vec![json!("&"), json!("|"), json!("!")]), 1 => anything()];
    let orders = prop_oneof![order(), any::<String>(), "[a-z_]{1,12}( desc)?( nulls first)?"];
    let inputs = (prop::collection::vec(items, 0..3), orders);
    let mut runner = TestRunner::new(Config { cases: 3_000, failure_persistence: None, ..Config::default() });
    let answered = std::cell::Cell::new(0);
    let outcome = runner.run(&inputs, |(items, order)| {
        let registry = Registry::of(&[&PARTNER, &CATEGORY]);
        let context = ResolveContext { active_test: true, ..ResolveContext::unrestricted(&registry, now()) };
        let order = Order::parse(&Value::from(order), &PARTNER, &context).unwrap_or_default();
        let Ok(domain) = SearchDomain::parse(&Value::Array(items), &Limits::default()) else { return Ok(()) };
        let Ok(filter) = context.with_active(domain, &PARTNER).resolve(&PARTNER, &context) else { return Ok(()) };
        let query = Query { model: &PARTNER, filter, order, offset: 0, limit: None, now: now() };
        let fixture = &mut *fixture.borrow_mut();
        let found = search(&mut fixture.connection, &query);
        prop_assert!(found.is_ok(), "{:?} on {:?}: {:?}", query.filter, fixture.engine, found);
        answered.set(answered.get() + 1);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(answered.get() > 500, "the generator has lost its aim: {}", answered.get());
}
