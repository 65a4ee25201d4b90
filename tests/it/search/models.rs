//! Every field of every model of the product, on the tables that the migrations make.

use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection;
use orest::domain::user::Group;
use orest::orm::eval::{self, MemoryRows};
use orest::orm::field::{Field, Model, Storage};
use orest::orm::filter::Filter;
use orest::orm::order::Order;
use orest::orm::registry::Registry;
use orest::orm::resolve::ResolveContext;
use orest::orm::search_domain::{Operator, SearchDomain};
use orest::store::Connection;
use orest::store::read::{ReadField, display_names, read};
use orest::store::search::{Query, count, search};
use serde_json::{Value, json};

use super::fixture::now;
use crate::support::database::{self, TestDatabase};

const ROWS: &str = "
INSERT INTO res_users (id, login, name, create_date, write_date)
    VALUES (2, 'admin', 'Administrator', '2026-11-20 08:00:00', '2026-11-20 08:00:00');
INSERT INTO res_groups_users_rel VALUES (2, 1), (2, 5);
INSERT INTO orest_application (id, name, client_id, image, create_date, write_date)
    VALUES (1, 'Shop', 'shop', X'89504E47', '2026-11-20 08:00:00', '2026-11-20 08:00:00');
INSERT INTO orest_authorization (id, application_id, user_id, grant_type, expires_at, create_date, write_date) VALUES
    (1, 1, 2, 'gateway', NULL, '2026-11-20 08:00:00', '2026-11-20 08:00:00'),
    (2, 1, 2, 'gateway', '2026-11-20 09:00:00', '2026-11-20 08:30:00', '2026-11-20 08:30:00'),
    (3, 1, NULL, 'client_credentials', '2026-11-21 09:00:00', '2026-11-20 08:30:00', '2026-11-20 08:30:00');
";

fn database(engine: database::Kind) -> (TestDatabase, Connection) {
    let database = TestDatabase::migrated(engine);
    let mut connection = database.connect();
    let rows = match engine {
        database::Kind::Sqlite => ROWS.to_owned(),
        database::Kind::Postgres => ROWS.replace("X'89504E47'", "'\\x89504E47'"),
    };
    connection.batch_execute(&rows).unwrap();
    (database, connection)
}

fn find(connection: &mut Connection, registry: &Registry, model: &'static Model, domain: SearchDomain) -> Vec<i64> {
    let context = ResolveContext::unrestricted(registry, now());
    let filter = domain.resolve(model, &context).unwrap_or_else(|error| panic!("{domain:?}: {error}"));
    let order = Order::of_model(model, &context).unwrap();
    let query = Query { model, filter, order, offset: 0, limit: None, now: now() };
    let ids = search(connection, &query).unwrap_or_else(|error| panic!("{domain:?}: {error}"));
    let counted = count(connection, model, &query.filter, None, now()).unwrap();
    assert_eq!(counted, i64::try_from(ids.len()).unwrap());
    ids
}

/// A value of the type of the field, for the operator; `None` where the operator has no meaning for the type.
fn value_for(field: &Field, operator: Operator) -> Option<Value> {
    let is_boolean = field.ttype() == "boolean";
    let is_binary = field.ttype() == "binary";
    Some(match operator {
        Operator::Any | Operator::NotAny => return None,
        Operator::ChildOf | Operator::ParentOf if field.comodel().is_some() => json!([1, 2]),
        Operator::ChildOf | Operator::ParentOf => return None,
        Operator::In | Operator::NotIn => json!([false, true].map(|value| if is_boolean { value } else { false })),
        Operator::Equal | Operator::NotEqual | Operator::EqualIfSet => json!(false),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => match field.ttype() {
            "boolean" | "binary" => return None,
            "date" | "datetime" => json!("2026-11-20"),
            "char" | "text" | "selection" => json!("m"),
            _ => json!(1),
        },
        _ if is_boolean || is_binary => return None,
        _ => json!("a%"),
    })
}

#[test]
fn every_field_can_be_searched_ordered_and_read() {
    let (_database, mut connection) = database(database::Kind::of_this_run());
    let registry = Registry::new();
    let context = ResolveContext::unrestricted(&registry, now());
    for model in registry.iter().filter(|model| model.table().is_some()) {
        let all = find(&mut connection, &registry, model, SearchDomain::True);
        let mut fields = Vec::new();
        for field in model.fields() {
            if field.comodel().is_some_and(|comodel| registry.get(comodel).is_none()) {
                continue;
            }
            let related = field.is_x2many().then(|| context.related(field).unwrap());
            fields.push(ReadField { field, related });
            if field.column == orest::orm::field::Column::None && !field.is_x2many() {
                continue;
            }
            for (operator, text) in Operator::ALL {
                let Some(value) = value_for(field, operator) else { continue };
                let leaf = SearchDomain::leaf(field.name, text, value);
                let found = find(&mut connection, &registry, model, leaf.clone());
                let others = find(&mut connection, &registry, model, leaf.not());
                assert_eq!(found.len() + others.len(), all.len(), "{}.{} {text}", model.name, field.name);
            }
            if let Some(comodel) = field.comodel().and_then(|comodel| registry.get(comodel)) {
                let path = format!("{}.{}", field.name, comodel.rec_name);
                find(&mut connection, &registry, model, SearchDomain::leaf(&path, "ilike", json!("a")));
                find(&mut connection, &registry, model, SearchDomain::any(field.name, SearchDomain::True));
            }
            if !field.is_x2many() && field.name != "display_name" {
                let text = format!("{} desc", field.name);
                let order = Order::parse_text(&text, model, &context).unwrap();
                let query = Query { model, filter: Filter::All, order, offset: 0, limit: None, now: now() };
                assert_eq!(search(&mut connection, &query).unwrap().len(), all.len(), "{}: {text}", model.name);
            }
        }
        let records = read(&mut connection, model, &all, &fields, now()).unwrap();
        assert_eq!(records.len(), all.len(), "{}", model.name);
        assert_eq!(display_names(&mut connection, model, &all, now()).unwrap().len(), all.len(), "{}", model.name);
    }
}

#[test]
fn authorizations_read_as_odoo_would() {
    let (_database, mut connection) = database(database::Kind::of_this_run());
    let registry = Registry::new();
    let model = registry.get("orest.authorization").unwrap();
    let live = SearchDomain::leaf("state", "=", json!("live"));
    assert_eq!(find(&mut connection, &registry, model, live), [3, 1]);
    let expired = SearchDomain::leaf("state", "in", json!(["expired", "revoked"]));
    assert_eq!(find(&mut connection, &registry, model, expired), [2]);
    let path = SearchDomain::leaf("application_id.client_id", "=", json!("shop"));
    assert_eq!(find(&mut connection, &registry, model, path), [3, 2, 1]);

    let fields = ["display_name", "user_id", "state", "expires_at", "active", "generation", "scope"];
    let fields = fields.map(|name| ReadField { field: model.field(name).unwrap(), related: None });
    let records = read(&mut connection, model, &[2, 99, 3], &fields, now()).unwrap();
    assert_eq!(
        json!(records),
        json!([
            {"id": 2, "display_name": "Shop - Administrator", "user_id": 2, "state": "expired",
             "expires_at": "2026-11-20 09:00:00", "active": true, "generation": 0, "scope": ""},
            {"id": 3, "display_name": "Shop", "user_id": false, "state": "live",
             "expires_at": "2026-11-21 09:00:00", "active": true, "generation": 0, "scope": ""},
        ])
    );

    let application = registry.get("orest.application").unwrap();
    let image = ReadField { field: application.field("image").unwrap(), related: None };
    let records = read(&mut connection, application, &[1], &[image], now()).unwrap();
    assert_eq!(json!(records), json!([{"id": 1, "image": "iVBORw=="}]));

    let users = registry.get("res.users").unwrap();
    let field = users.field("authorization_ids").unwrap();
    let context = ResolveContext { active_test: true, ..ResolveContext::unrestricted(&registry, now()) };
    let read_field = ReadField { field, related: Some(context.related(field).unwrap()) };
    let records = read(&mut connection, users, &[2], &[read_field], now()).unwrap();
    assert_eq!(json!(records), json!([{"id": 2, "authorization_ids": [2, 1]}]));
}

#[derive(diesel::QueryableByName)]
struct ForeignKey {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// What orders by a link relies on it: see `Field::loose`.
#[test]
fn links_are_held_by_foreign_keys_unless_they_are_loose() {
    let (_database, mut connection) = database(database::Kind::Sqlite);
    let registry = Registry::new();
    for model in registry.iter() {
        let Some(table) = model.table() else { continue };
        let keys: Vec<ForeignKey> =
            diesel::sql_query(format!("SELECT \"from\" AS name FROM pragma_foreign_key_list('{table}')"))
                .load(&mut connection)
                .unwrap();
        for field in model.fields().filter(|field| field.column == orest::orm::field::Column::Stored) {
            let comodel = field.comodel().and_then(|name| registry.get(name));
            if comodel.is_some_and(|comodel| comodel.table().is_some()) {
                let held = keys.iter().any(|key| key.name == field.name);
                assert_eq!(held, !field.loose, "{}.{}", model.name, field.name);
            }
        }
    }
}

#[test]
fn rules_and_groups_reach_through_relations() {
    let (_database, mut connection) = database(database::Kind::of_this_run());
    let registry = Registry::new();
    let users = registry.get("res.users").unwrap();
    let only_third = |model: &'static Model| {
        Ok(if model.name == "orest.authorization" {
            SearchDomain::leaf("id", "=", json!(3))
        } else {
            SearchDomain::True
        })
    };
    let nobody = |_: Group| false;
    let context =
        ResolveContext { rules: &only_third, is_member: &nobody, ..ResolveContext::unrestricted(&registry, now()) };
    for domain in [
        SearchDomain::any("authorization_ids", SearchDomain::True),
        SearchDomain::leaf("authorization_ids", "!=", json!(false)),
        SearchDomain::leaf("authorization_ids", "in", json!([1])),
        SearchDomain::leaf("authorization_ids", "ilike", json!("Shop")),
        SearchDomain::leaf("authorization_ids.scope", "=", json!(false)),
        SearchDomain::leaf("authorization_ids", "child_of", json!([1])),
    ] {
        let filter = domain.resolve(users, &context).unwrap();
        assert_eq!(count(&mut connection, users, &filter, None, now()).unwrap(), 0, "{domain:?}");
        assert_eq!(find(&mut connection, &registry, users, domain), [2]);
    }
    let error = SearchDomain::leaf("group_ids", "=", json!(1)).resolve(users, &context).unwrap_err();
    assert_eq!(
        error.to_string(),
        "odoo.exceptions.AccessError: You do not have enough rights to access the field \"group_ids\" on User \
         (res.users). Please contact your system administrator.\n\nOperation: read"
    );
}

#[test]
fn models_in_memory_are_searched_alike() {
    let registry = Registry::new();
    let context = ResolveContext::unrestricted(&registry, now());
    let rows = MemoryRows::new(&registry);
    for model in registry.iter().filter(|model| matches!(model.storage, Storage::Memory(_))) {
        let order = Order::of_model(model, &context).unwrap();
        let all = eval::search(&rows, model, &Filter::All, &order, 0, None);
        for field in model.fields() {
            let comodel = field.comodel().map(|comodel| registry.get(comodel).expect(comodel));
            // what is in the database can't be looked at from here
            assert!(comodel.is_none_or(|comodel| comodel.table().is_none()), "{}.{}", model.name, field.name);
            if field.column == orest::orm::field::Column::None && !field.is_x2many() {
                continue;
            }
            for (operator, text) in Operator::ALL {
                let Some(value) = value_for(field, operator) else { continue };
                let leaf = SearchDomain::leaf(field.name, text, value);
                let ids = [leaf.clone(), leaf.not()].map(|domain| {
                    eval::search(&rows, model, &domain.resolve(model, &context).unwrap(), &order, 0, None)
                });
                assert_eq!(ids.concat().len(), all.len(), "{}.{} {text}", model.name, field.name);
            }
        }
    }
}
