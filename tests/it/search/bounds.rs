//! The largest domains that are let in are answered, not refused by the database and not by a stack overflow.

use diesel::connection::SimpleConnection;
use orest::limits;
use orest::orm::field::Model;
use orest::orm::order::Order;
use orest::orm::resolve::ResolveContext;
use orest::orm::search_domain::{Limits, SearchDomain};
use orest::store::read::{ReadField, read};
use orest::store::search::{Query, count, search};
use serde_json::{Value, json};

use super::fixture::{Fixture, PARTNER, now};
use crate::support::database;

const ROWS: i64 = 20_000;
/// Relations that may be followed within each other.
const STEPS: usize = 12;

fn filled() -> Fixture {
    let mut fixture = Fixture::new();
    let at = match fixture.engine {
        database::Kind::Sqlite => "datetime('2026-01-01', '+' || i || ' minutes')",
        database::Kind::Postgres => "TIMESTAMP '2026-01-01' + i * INTERVAL '1 minute'",
    };
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO res_partner (id, name, complete_name, ref, color, parent_id, create_date)
         SELECT i, 'Name ' || i, 'Name ' || i, 'R' || (i % 100), i % 7, NULLIF(i / 2, 0),
                {at} FROM n;"
    );
    fixture.connection.batch_execute(&rows).unwrap();
    fixture
}

fn find(fixture: &mut Fixture, domain: &Value) -> Vec<i64> {
    // a rule that hides nothing, but not for the database to see
    let rule = |_: &'static Model| {
        let nobodys = SearchDomain::leaf("parent_id.name", "=", json!("nobody"));
        Ok(SearchDomain::leaf("id", ">", json!(0)).or(nobodys))
    };
    let context =
        ResolveContext { rules: &rule, active_test: true, ..ResolveContext::unrestricted(&fixture.registry, now()) };
    let domain = SearchDomain::parse(domain, &Limits::default()).unwrap();
    let filter = domain.resolve(&PARTNER, &context).unwrap();
    let order = Order::parse_text("id", &PARTNER, &context).unwrap();
    let query = Query { model: &PARTNER, filter, order, offset: 0, limit: None, now: now() };
    search(&mut fixture.connection, &query).unwrap()
}

#[test]
fn as_many_terms_as_are_allowed() {
    let mut fixture = Fixture::golden();
    let half = limits::DOMAIN_TERMS_MAX / 2;
    for connective in ["|", "&"] {
        let leaves =
            (1..=half).map(|number| json!(["create_date", "!=", format!("2026-11-20 0{}:00:00", number % 10)]));
        let connectives = std::iter::repeat_n(json!(connective), half - 1);
        let domain = Value::Array(connectives.chain(leaves).collect());
        assert_eq!(find(&mut fixture, &domain), [14, 30, 31, 32, 33, 34, 35]);
    }
}

#[test]
fn pages_in_the_order_of_a_link_far_down() {
    const PARTNERS: u64 = 5_000;
    let mut fixture = Fixture::new();
    // 40 companies, some of the same name, two of none, each with contacts; a seventh of these has no company
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PARTNERS})
         INSERT INTO res_partner (id, name, complete_name, color, parent_id, active)
         SELECT i, 'Name ' || i, CASE WHEN i > 40 THEN 'Z ' || i WHEN i % 20 = 0 THEN NULL ELSE 'Name ' || (i * 7 % 30) END, i % 5,
                CASE WHEN i > 40 AND i % 7 > 0 THEN 1 + (i * i) % 40 END, i % 11 > 0 FROM n;"
    );
    fixture.connection.batch_execute(&rows).unwrap();
    let context = ResolveContext { active_test: true, ..ResolveContext::unrestricted(&fixture.registry, now()) };
    let domains =
        [json!([]), json!([["color", "<", 2]]), json!([["parent_id", "!=", false]]), json!([["id", "<", 44]])];
    for domain in domains {
        let domain = SearchDomain::parse(&domain, &Limits::default()).unwrap();
        let filter = context.with_active(domain, &PARTNER).resolve(&PARTNER, &context).unwrap();
        for order in ["parent_id", "parent_id desc, color, id desc", "parent_id nulls first, parent_id.id desc"] {
            let order = Order::parse_text(order, &PARTNER, &context).unwrap();
            let mut query =
                Query { model: &PARTNER, filter: filter.clone(), order, offset: 0, limit: None, now: now() };
            let all = search(&mut fixture.connection, &query).unwrap();
            query.limit = Some(80);
            for offset in (0..PARTNERS + 100).step_by(170).chain(all.len().saturating_sub(1) as u64..=all.len() as u64)
            {
                query.offset = offset;
                let page: Vec<_> = all.iter().copied().skip(usize::try_from(offset).unwrap()).take(80).collect();
                assert_eq!(search(&mut fixture.connection, &query).unwrap(), page, "{:?} from {offset}", query.order);
            }
        }
    }
}

#[test]
fn as_deep_as_is_allowed() {
    let mut fixture = filled();
    let connectives = limits::DOMAIN_DEPTH_MAX - 2;
    let path = "parent_id.".repeat(STEPS) + "id";
    assert_eq!(find(&mut fixture, &json!([[path, "=", 1]])), (1 << STEPS..2 << STEPS).collect::<Vec<_>>());
    let mut nested = json!([["name", "=", "x"]]);
    for level in 0..STEPS {
        let (field, operator) = if level % 2 == 0 { ("parent_id", "not any") } else { ("child_ids", "any") };
        nested = json!([[field, operator, nested]]);
    }
    find(&mut fixture, &nested);
    let path = "child_ids.".repeat(STEPS) + "category_id";
    find(&mut fixture, &json!([[path, "=", false]]));
    let mut tower = vec![json!(["id", "=", 1])];
    for level in 0..(2 * connectives / 3) {
        let head = if level % 2 == 0 { vec![json!("|")] } else { vec![json!("!"), json!("&")] };
        tower = [head, vec![json!(["id", "!=", level])], tower].concat();
    }
    find(&mut fixture, &Value::Array(tower));
}

#[test]
fn many_ids_are_one_parameter() {
    let mut fixture = filled();
    let ids: Vec<i64> = (1..=100_000).collect();
    assert_eq!(find(&mut fixture, &json!([["id", "in", ids]])).len(), 20_000);
    assert_eq!(find(&mut fixture, &json!([["id", "not in", ids]])).len(), 0);
    assert_eq!(find(&mut fixture, &json!([["parent_id", "in", ids]])).len(), 19_999);
    assert_eq!(find(&mut fixture, &json!([["child_ids", "in", ids]])).len(), 10_000);
    assert_eq!(find(&mut fixture, &json!([["id", "child_of", [1]]])).len(), 20_000);
    let context = ResolveContext::unrestricted(&fixture.registry, now());
    let fields = ["name", "ref", "color", "parent_id", "child_ids", "create_date", "category_id"].map(|name| {
        let field = PARTNER.field(name).unwrap();
        ReadField { field, related: field.is_x2many().then(|| context.related(field).unwrap()) }
    });
    let records = read(&mut fixture.connection, &PARTNER, &ids[..10_000], &fields, now()).unwrap();
    assert_eq!(records.len(), 10_000);
    assert_eq!(records[1]["child_ids"], json!([4, 5]));
    let filter = SearchDomain::leaf("ref", "ilike", json!("r1")).resolve(&PARTNER, &context).unwrap();
    assert_eq!(count(&mut fixture.connection, &PARTNER, &filter, None, now()).unwrap(), 2_200);
    assert_eq!(count(&mut fixture.connection, &PARTNER, &filter, Some(1_000), now()).unwrap(), 1_000);
}
