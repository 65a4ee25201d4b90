//! Groupings: what Odoo 19 answered for the same rows, and what the referee counts.

use diesel::connection::SimpleConnection;
use orest::orm::error::OdooError;
use orest::orm::filter::Filter;
use orest::orm::group::{Aggregate, GroupBy, GroupOrder, Having};
use orest::orm::resolve::ResolveContext;
use orest::orm::search_domain::SearchDomain;
use orest::store::group::{GroupQuery, count_groups, group};
use serde_json::{Value, json};

use super::fixture::{Fixture, PARTNER, now};

struct Ask<'a> {
    by: &'a [&'a str],
    aggregates: &'a [&'a str],
    having: Value,
    order: Value,
    limit: Option<u64>,
}

const ALL: Ask<'_> = Ask { by: &[], aggregates: &[], having: Value::Null, order: Value::Null, limit: None };

/// `[[key…, aggregate…, count] …]`
fn ask(fixture: &mut Fixture, ask: &Ask<'_>) -> Result<Value, OdooError> {
    let context = ResolveContext { active_test: true, ..ResolveContext::unrestricted(&fixture.registry, now()) };
    let domain = context.with_active(SearchDomain::leaf("function", "=", json!("DS")), &PARTNER);
    let by = ask.by.iter().map(|spec| GroupBy::parse(spec, &PARTNER, &context)).collect::<Result<Vec<_>, _>>()?;
    let aggregates =
        ask.aggregates.iter().map(|spec| Aggregate::parse(spec, &PARTNER, &context)).collect::<Result<Vec<_>, _>>()?;
    let query = GroupQuery {
        model: &PARTNER,
        filter: domain.resolve(&PARTNER, &context)?,
        having: Having::parse(&ask.having, &PARTNER, &context)?,
        order: GroupOrder::parse(&ask.order, &by, &aggregates, &PARTNER, &context)?,
        by,
        aggregates,
        offset: 0,
        limit: ask.limit,
        now: now(),
    };
    let groups = group(&mut fixture.connection, &query).unwrap();
    if ask.limit.is_none() {
        let counted = count_groups(&mut fixture.connection, &query).unwrap();
        assert_eq!(counted, i64::try_from(groups.len()).unwrap());
    }
    let rows = groups.into_iter().map(|group| {
        let mut row = [group.keys, group.aggregates].concat();
        row.push(group.count.into());
        Value::Array(row)
    });
    Ok(rows.collect())
}

#[test]
fn odoo_19_groups_are_ours() {
    let mut fixture = Fixture::golden();
    let mut check = |question: Ask<'_>, expect: Value| {
        assert_eq!(ask(&mut fixture, &question).unwrap(), expect, "{:?} {:?}", question.by, question.aggregates);
    };
    check(
        Ask { by: &["parent_id"], aggregates: &["color:sum", "id:array_agg", "id:recordset"], ..ALL },
        json!([[30, 5, [31], [31], 1], [31, -2, [32], [32], 1], [false, 0, [30, 33, 34], [30, 33, 34], 3]]),
    );
    check(Ask { by: &["type"], aggregates: &["__count"], ..ALL }, json!([["contact", 4, 4], ["invoice", 1, 1]]));
    check(Ask { by: &["create_date:month"], ..ALL }, json!([["2026-11-01 00:00:00", 5]]));
    check(
        Ask { by: &["create_date:day", "is_company"], aggregates: &["color:max"], ..ALL },
        json!([["2026-11-20 00:00:00", false, 5, 4], ["2026-11-20 00:00:00", true, 0, 1]]),
    );
    check(Ask { aggregates: &["__count", "color:avg"], ..ALL }, json!([[5, 0.6, 5]]));
    check(Ask { by: &["category_id"], ..ALL }, json!([[1, 2], [2, 1], [3, 1], [false, 2]]));
    let having = json!([["__count", ">", 1]]);
    check(Ask { by: &["is_company"], having, order: json!("__count desc"), ..ALL }, json!([[false, 4]]));
    check(Ask { by: &["create_date:year_number"], ..ALL }, json!([[2026.0, 5]]));
    check(
        Ask { by: &["type"], aggregates: &["color:sum"], order: json!("color:sum desc"), limit: Some(1), ..ALL },
        json!([["invoice", 5, 1]]),
    );
    // beyond the recorded ones
    for (span, expect) in [
        ("hour", "2026-11-20 09:00:00"),
        ("day", "2026-11-20 00:00:00"),
        ("week", "2026-11-15 00:00:00"),
        ("quarter", "2026-10-01 00:00:00"),
        ("year", "2026-01-01 00:00:00"),
    ] {
        check(Ask { by: &[&format!("create_date:{span}")], ..ALL }, json!([[expect, 5]]));
    }
    check(Ask { by: &["date:month"], ..ALL }, json!([[false, 5]]));
    check(Ask { by: &["parent_id"], order: json!("parent_id desc"), ..ALL }, json!([[false, 3], [31, 1], [30, 1]]));
    check(
        Ask { aggregates: &["is_company:bool_or", "is_company:bool_and", "type:count_distinct", "name:min"], ..ALL },
        json!([[true, false, 2, "Carl", 5]]),
    );
    check(
        Ask { aggregates: &["date:max", "parent_id:recordset", "ref:array_agg", "date:count"], ..ALL },
        json!([[false, [30, 31], ["abc", "ABC", "100%", "100x", ""], 0, 5]]),
    );
    check(Ask { aggregates: &["color:sum"], having: json!([["__count", ">", 5]]), ..ALL }, json!([]));
    let none = json!([["__count", "in", [9]], "!", ["color:sum", "=", 0]]);
    check(Ask { by: &["type"], having: none, ..ALL }, json!([]));
}

#[test]
fn odoo_19_errors_are_ours() {
    let mut fixture = Fixture::golden();
    let mut check = |by: &str, aggregate: &str, expect: &str| {
        let error = ask(&mut fixture, &Ask { by: &[by], aggregates: &[aggregate], ..ALL }).unwrap_err();
        assert_eq!(error.to_string(), format!("builtins.ValueError: {expect}"));
    };
    check("nope", "__count", "Invalid field 'nope' on model 'res.partner'");
    check("type", "nope:sum", "Invalid field 'nope' on model 'res.partner' for 'nope:sum'.");
    check("type", "color:zzz", "Invalid aggregate method 'zzz' for 'color:zzz'.");
    check("type", "name:sum", "Invalid aggregate method 'sum' for 'name:sum'.");
    check("create_date", "__count", "Granularity not set on a date(time) field: 'create_date'");
    check("name:month", "__count", "Granularity set on a no-datetime field or property: 'name:month'");
    check("child_ids", "__count", "Cannot convert res.partner.child_ids to SQL because it is not stored");
}

#[test]
fn older_specs() {
    let fixture = Fixture::new();
    let context = ResolveContext::unrestricted(&fixture.registry, now());
    let check = |spec: &str, expect: Option<(&str, &str)>| {
        let aggregate = Aggregate::parse_legacy(spec, &PARTNER, &context).unwrap();
        let found = aggregate.map(|aggregate| format!("{} {:?}", aggregate.name, aggregate.function));
        assert_eq!(found, expect.map(|(name, function)| format!("{name} {function}")), "{spec}");
    };
    check("__count", Some(("__count", "Count")));
    check("color", Some(("color", "Sum")));
    check("color:max", Some(("color", "Max")));
    check("mx:min(color)", Some(("mx", "Min")));
    check("id:count", Some(("id", "Count")));
    check("name", None);
    let month = GroupBy::parse_legacy("create_date", &PARTNER, &context).unwrap();
    assert_eq!(month.granularity, Some(orest::orm::group::Granularity::Month));
}

#[test]
fn every_record_is_in_one_group() {
    let mut fixture = Fixture::golden();
    let context = ResolveContext::unrestricted(&fixture.registry, now());
    for field in PARTNER.fields() {
        let dated = matches!(field.ttype(), "date" | "datetime");
        let spec = if dated { format!("{}:quarter", field.name) } else { field.name.to_owned() };
        if field.ttype() == "one2many" || field.name == "password" {
            assert!(GroupBy::parse(&spec, &PARTNER, &context).is_err());
            continue;
        }
        let by = GroupBy::parse(&spec, &PARTNER, &context).unwrap();
        let query = GroupQuery {
            model: &PARTNER,
            filter: Filter::All,
            order: GroupOrder::parse(&Value::Null, std::slice::from_ref(&by), &[], &PARTNER, &context).unwrap(),
            by: vec![by],
            aggregates: vec![Aggregate::parse("id:array_agg", &PARTNER, &context).unwrap()],
            having: Having::All,
            offset: 0,
            limit: None,
            now: now(),
        };
        let groups = group(&mut fixture.connection, &query).unwrap();
        let mut ids: Vec<_> = groups.iter().flat_map(|group| group.aggregates[0].as_array().unwrap().clone()).collect();
        ids.sort_by_key(Value::as_i64);
        ids.dedup();
        assert_eq!(json!(ids), json!([14, 30, 31, 32, 33, 34, 35]), "{spec}");
        let keys: Vec<_> = groups.iter().map(|group| group.keys[0].to_string()).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), distinct.len(), "{spec}: {keys:?}");
    }
}

/// Numbers alone are counted case by case, with anything else all records are sorted by what they are.
#[test]
fn cases_are_counted_as_they_are_sorted() {
    let mut fixture = Fixture::golden();
    let dates = "UPDATE res_partner SET date = '2020-01-01' WHERE id IN (14, 30, 31);
                 UPDATE res_partner SET date = '2027-01-01' WHERE id = 32;";
    fixture.connection.batch_execute(dates).unwrap();
    let expect = json!([["new", 1], ["old", 3], [false, 3]]);
    for filter in [Filter::All, Filter::Nothing, Filter::IsTrue(PARTNER.field("active").unwrap())] {
        for order in ["", "age desc", "age desc nulls last", "__count", "__count desc", "__count desc, age desc"] {
            for (offset, limit) in [(0, None), (1, Some(1)), (0, Some(2))] {
                let [counted, sorted] = [&["__count", "__count"][..], &["__count", "__count", "id:max"]].map(|specs| {
                    let context = ResolveContext::unrestricted(&fixture.registry, now());
                    let by = [GroupBy::parse("age", &PARTNER, &context).unwrap()];
                    let aggregates: Vec<_> =
                        specs.iter().map(|spec| Aggregate::parse(spec, &PARTNER, &context).unwrap()).collect();
                    let query = GroupQuery {
                        model: &PARTNER,
                        filter: filter.clone(),
                        order: GroupOrder::parse(&order.into(), &by, &aggregates, &PARTNER, &context).unwrap(),
                        by: by.to_vec(),
                        aggregates,
                        having: Having::All,
                        offset,
                        limit,
                        now: now(),
                    };
                    let groups = group(&mut fixture.connection, &query).unwrap().into_iter();
                    let rows = groups.map(|group| (group.keys, group.aggregates[..2].to_vec(), group.count));
                    rows.collect::<Vec<_>>()
                });
                assert_eq!(counted, sorted, "{filter:?} {order} {offset} {limit:?}");
                if matches!(filter, Filter::All) && order.is_empty() && limit.is_none() {
                    let rows: Vec<_> = counted.into_iter().map(|(keys, _, count)| json!([keys[0], count])).collect();
                    assert_eq!(json!(rows), expect);
                }
            }
        }
    }
}
