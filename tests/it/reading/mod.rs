//! The methods that read, on a real service: what they answer, and to whom.

mod grouping;
mod rights;
mod web;

use serde_json::{Value, json};

use crate::support::TestService;

/// The answer, or `Class: message` of the error, of a call by this user.
async fn answer(test: &TestService, login: &str, model: &str, method: &str, args: Value, kwargs: Value) -> Value {
    match test.call(login, model, method, args, kwargs).await {
        Ok(value) => value,
        Err(error) => error.to_string().into(),
    }
}

/// Calls by the administrator, each with what it answers.
async fn check(model: &str, cases: Vec<(&str, Value, Value, Value)>) {
    let test = TestService::new().await;
    for (method, args, kwargs, expect) in cases {
        let got = answer(&test, "admin", model, method, args.clone(), kwargs.clone()).await;
        assert_eq!(got, expect, "{model}.{method}({args}, {kwargs})");
    }
}

#[tokio::test]
async fn searching() {
    check(
        "orest.authorization",
        vec![
            ("search", json!([[]]), json!({"order": "id"}), json!([1, 2, 3, 4, 5, 6, 7])),
            ("search", json!([[]]), json!({}), json!([7, 6, 5, 4, 3, 2, 1])),
            ("search", json!([[["state", "=", "live"]], 0, false, false]), json!({}), json!([7, 5, 3, 2])),
            ("search", json!([[["state", "=", "expired"]]]), json!({}), json!([1])),
            ("search", json!([[["revoked_by", "=", 2]]]), json!({}), json!([6])),
            ("search", json!([[], 1, 2, "id"]), json!({}), json!([2, 3])),
            ("search", json!([[]]), json!({"offset": "5", "limit": 0, "order": ""}), json!([2, 1])),
            ("search", json!([[["user_id", "=", "Alice"]]]), json!({"order": "id"}), json!([2, 3, 4])),
            ("search", json!([[["user_id.login", "=", "bob"]]]), json!({"order": "id"}), json!([1, 5, 6])),
            ("search", json!([[["revocation_id.reason_admin", "ilike", "LAPTOP"]]]), json!({}), json!([6])),
            ("search_count", json!([[]]), json!({}), json!(7)),
            ("search_count", json!([[], 3]), json!({}), json!(3)),
            (
                "search",
                json!([]),
                json!({}),
                json!("builtins.TypeError: BaseModel.search() missing 1 required positional argument: 'domain'"),
            ),
            (
                "search",
                json!([[["nope", "=", 1]]]),
                json!({}),
                json!("builtins.ValueError: Invalid field orest.authorization.nope in condition ('nope', '=', 1)"),
            ),
            (
                "search",
                json!([[]]),
                json!({"order": "nope"}),
                json!("builtins.ValueError: Invalid field 'nope' on model 'orest.authorization'"),
            ),
            (
                "search",
                json!([[]]),
                json!({"count": true}),
                json!("builtins.TypeError: BaseModel.search() got an unexpected keyword argument 'count'"),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn reading() {
    let alice = json!([3, "Alice"]);
    check(
        "orest.authorization",
        vec![
            ("read", json!([2, ["display_name", "user_id"]]), json!({}), json!([
                {"id": 2, "display_name": "Mail Reader - Alice", "user_id": alice}
            ])),
            ("read", json!([[3, 2, 3], ["device_id"]]), json!({"load": null}), json!([
                {"id": 3, "device_id": 2}, {"id": 2, "device_id": 1}, {"id": 3, "device_id": 2}
            ])),
            ("read", json!([[99, 7], ["user_id", "application_id", "active"]]), json!({}), json!([
                {"id": 7, "user_id": false, "application_id": [2, "Report Maker"], "active": true}
            ])),
            ("read", json!([[], ["nope"]]), json!({}), json!(
                "builtins.ValueError: Invalid field 'nope' on 'orest.authorization'"
            )),
            ("read", json!([[6], "name"]), json!({}), json!(
                "builtins.ValueError: Invalid field 'n' on 'orest.authorization'"
            )),
            ("read", json!([false, ["scope"]]), json!({}), json!([])),
            ("read", json!([["1"], ["scope"]]), json!({}), json!([])),
            ("search_read", json!([]), json!({
                "domain": [["id", "=", 6]], "fields": ["state", "revoked_at", "revoked_by", "revocation_id", "scope"]
            }), json!([{
                "id": 6,
                "state": "revoked",
                "revoked_at": "2026-11-20 13:00:00",
                "revoked_by": [2, "Administrator"],
                "revocation_id": [2, "#2"],
                "scope": "read",
            }])),
            ("exists", json!([[5, 50]]), json!({}), json!([5])),
            ("name_get", json!([[4]]), json!({}), json!([[4, "Report Maker - Alice"]])),
            ("name_get", json!([[40]]), json!({}), json!(
                "odoo.exceptions.MissingError: Record does not exist or has been deleted.\n(Record: orest.authorization(40,), User: 2)"
            )),
        ],
    )
    .await;
    check(
        "orest.revocation",
        vec![(
            "read",
            json!([
                [2],
                ["sequence", "user_id", "user_login", "requested", "revoked", "authorization_ids", "reason_admin"]
            ]),
            json!({}),
            json!([{
                "id": 2,
                "sequence": 2,
                "user_id": [2, "Administrator"],
                "user_login": "admin",
                "requested": 1,
                "revoked": 1,
                "authorization_ids": [6],
                "reason_admin": "stolen laptop",
            }]),
        )],
    )
    .await;
}

#[tokio::test]
async fn names() {
    check(
        "res.users",
        vec![
            ("name_search", json!(["ali"]), json!({}), json!([[3, "Alice"]])),
            ("name_search", json!(["OLGA"]), json!({"limit": false}), json!([[5, "Olga Orest"]])),
            ("name_search", json!([]), json!({"limit": 2}), json!([[2, "Administrator"], [3, "Alice"]])),
            (
                "name_search",
                json!([]),
                json!({"name": "admin", "args": [["share", "=", false]]}),
                json!([[2, "Administrator"]]),
            ),
            ("name_search", json!(["bob", null, "="]), json!({}), json!([[4, "Bob"]])),
            (
                "read",
                json!([[2], ["password", "group_ids", "company_id"]]),
                json!({}),
                json!([
                    {"id": 2, "password": "", "group_ids": [5], "company_id": [1, "My Company"]}
                ]),
            ),
            ("search_count", json!([[]]), json!({"context": {"active_test": false}}), json!(8)),
            ("search_count", json!([[]]), json!({}), json!(7)),
            ("context_get", json!([]), json!({}), json!({"lang": "en_US", "tz": false, "uid": 2})),
            ("has_group", json!([[2], "base.group_user"]), json!({}), json!(true)),
            ("has_group", json!([[3], "base.group_system"]), json!({}), json!(false)),
            (
                "has_group",
                json!(["base.group_system"]),
                json!({}),
                json!(
                    "builtins.TypeError: ResUsers.has_group() missing 1 required positional argument: 'group_ext_id'"
                ),
            ),
            ("has_groups", json!([[2], "base.group_portal,!base.group_public"]), json!({}), json!(false)),
            ("has_groups", json!([[2], "base.group_system,!base.group_public"]), json!({}), json!(true)),
        ],
    )
    .await;
    check(
        "ir.model",
        vec![
            ("search", json!([[["model", "=", "orest.authorization"]]]), json!({}), json!([3])),
            (
                "name_search",
                json!(["orest.auth"]),
                json!({}),
                json!([[3, "REST API Authorization"], [4, "REST API Authorization Code"]]),
            ),
            (
                "search_read",
                json!([[["model", "=", "res.users"]], ["name", "transient", "abstract"]]),
                json!({}),
                json!([
                    {"id": 9, "name": "User", "transient": false, "abstract": false}
                ]),
            ),
            (
                "display_name_for",
                json!([["res.users", "nope"]]),
                json!({}),
                json!([
                    {"display_name": "User", "model": "res.users"}, {"display_name": "nope", "model": "nope"}
                ]),
            ),
        ],
    )
    .await;
    check(
        "ir.model.fields",
        vec![(
            "search_read",
            json!([[["model", "=", "res.users"], ["name", "=", "login"]], ["name", "ttype", "required", "relation", "model_id"]]),
            json!({}),
            json!([{
                "id": 9003, "name": "login", "ttype": "char", "required": true, "relation": false, "model_id": [9, "User"]
            }]),
        )],
    )
    .await;
    check(
        "ir.model.data",
        vec![
            ("check_object_reference", json!(["base", "group_system", true]), json!({}), json!(["res.groups", 5])),
            ("check_object_reference", json!(["base", "user_admin"]), json!({}), json!(["res.users", 2])),
            (
                "check_object_reference",
                json!(["orest", "model_orest_authorization"]),
                json!({}),
                json!(["ir.model", 3]),
            ),
            (
                "check_object_reference",
                json!(["base", "nope", true]),
                json!({}),
                json!("builtins.ValueError: External ID not found in the system: base.nope"),
            ),
        ],
    )
    .await;
    check(
        "res.groups",
        vec![(
            "read",
            json!([[4], ["full_name", "implied_ids"]]),
            json!({}),
            json!([
                {"id": 4, "full_name": "Access Rights", "implied_ids": [8, 1]}
            ]),
        )],
    )
    .await;
}

/// OdooRPC asks `fields_get` and then reads all that it finds there.
#[tokio::test]
async fn every_declared_field_can_be_read() {
    let test = TestService::new().await;
    for model in test.orm().registry.iter() {
        for login in ["admin", "olga", "erna", "alice"] {
            let fields = match test.call(login, model.name, "fields_get", json!([]), json!({})).await {
                Ok(Value::Object(fields)) => fields,
                other => panic!("{}: {other:?}", model.name),
            };
            let names: Vec<_> = fields.keys().cloned().collect();
            let Ok(rows) = test.call(login, model.name, "search_read", json!([[], names]), json!({})).await else {
                let read = test.call(login, model.name, "check_access_rights", json!(["read", false]), json!({})).await;
                assert_eq!(read, Ok(json!(false)), "{} {login}", model.name);
                continue;
            };
            for row in rows.as_array().expect("a list") {
                for (name, field) in &fields {
                    let value = &row[name];
                    let fits = match field["type"].as_str().expect("a type") {
                        "integer" => value.is_i64(),
                        "boolean" => value.is_boolean(),
                        "many2one" => *value == json!(false) || value[0].is_i64() && value[1].is_string(),
                        "one2many" | "many2many" => value.is_array(),
                        _ => value.is_string() || *value == json!(false),
                    };
                    assert!(fits, "{}.{name} is {value}", model.name);
                }
            }
            // each can be searched by, and ordered by if it says so
            for (name, field) in &fields {
                let domain = json!([[[name, "=", false]]]);
                if field["searchable"] == json!(true) {
                    let found = test.call(login, model.name, "search", domain, json!({})).await;
                    let closed = found.as_ref().is_err_and(|error| error.message.starts_with("You are not allowed"));
                    assert!(found.is_ok() || closed, "{}.{name}: {found:?}", model.name);
                }
                let ordered = test.call(login, model.name, "search", json!([[]]), json!({"order": name})).await;
                assert!(ordered.is_ok() || field["sortable"] == json!(false), "{}.{name}: {ordered:?}", model.name);
            }
        }
    }
}
