//! Making, changing and deleting records of any model: values, commands, constraints, all or nothing.

use serde_json::{Value, json};

use super::{answer, brief};
use crate::support::TestService;

const SCHEME: &str = "orest.model.scheme";
const APPLICATION: &str = "orest.application";

/// Calls by the administrator, one after the other, each with the first line of what it answers.
async fn check(test: &TestService, cases: Vec<(&str, &str, Value, Value)>) {
    for (model, method, args, expect) in cases {
        let got = answer(test, "admin", model, method, args.clone(), json!({})).await;
        assert_eq!(brief(&got), expect, "{model}.{method}({args})");
        if got.is_string() {
            test.close_gaps(&["orest_model_scheme", "orest_model_configuration", "ir_act_server"]).await;
        }
    }
}

#[tokio::test]
async fn values() {
    let test = TestService::new().await;
    let value = "builtins.ValueError: ";
    let validation = "odoo.exceptions.ValidationError: ";
    check(
        &test,
        vec![
            (SCHEME, "create", json!([{"name": 5, "active": "no", "id": 77, "create_uid": 3}]), json!(1)),
            (SCHEME, "read", json!([1, ["name", "active", "create_uid", "model_limit"]]), json!([
                {"id": 1, "name": "5", "active": true, "create_uid": [2, "Administrator"], "model_limit": "none"}
            ])),
            (SCHEME, "create", json!([[{"name": "a"}, {"name": "b"}]]), json!([2, 3])),
            (SCHEME, "create", json!([[]]), json!([])),
            (SCHEME, "write", json!([[1], {}]), json!(true)),
            (SCHEME, "write", json!([[], {"name": "x"}]), json!(true)),
            (SCHEME, "write", json!([1, {"description": ""}]), json!(true)),
            (SCHEME, "read", json!([1, ["description"]]), json!([{"id": 1, "description": ""}])),
            (SCHEME, "create", json!(["x"]), json!("builtins.AttributeError: 'str' object has no attribute 'get'")),
            (SCHEME, "create", json!([null]), json!("builtins.TypeError: 'NoneType' object is not iterable")),
            (SCHEME, "create", json!([{"name": "x", "nope": 1}]), json!(format!("{value}Invalid field 'nope' in '{SCHEME}'"))),
            (SCHEME, "create", json!([{"name": "x", "model_limit": "nope"}]),
                json!(format!("{value}Wrong value for {SCHEME}.model_limit: 'nope'"))),
            (SCHEME, "create", json!([{"name": "x\u{0}y"}]),
                json!(format!("{value}A string literal cannot contain NUL (0x00) characters."))),
            (SCHEME, "create", json!([{}]), json!(format!(
                "{validation}The operation cannot be completed: Missing required value for the field 'Name' (name)."))),
            (SCHEME, "write", json!([[1], {"name": false}]), json!(format!(
                "{validation}The operation cannot be completed: Missing required value for the field 'Name' (name)."))),
            (SCHEME, "create", json!([{"name": "a"}]), json!(format!(
                "{validation}The operation cannot be completed: A model scheme with this name exists already."))),
            (APPLICATION, "write", json!([[1], {"access_token_expiry": "abc"}]),
                json!(format!("{value}invalid literal for int() with base 10: 'abc'"))),
            (APPLICATION, "write", json!([[1], {"access_token_expiry": 3_000_000_000_i64}]),
                json!("psycopg2.errors.NumericValueOutOfRange: integer out of range")),
            (APPLICATION, "write", json!([[1], {"access_token_expiry": "120", "refresh_token_expiry": 60.9}]), json!(true)),
            (APPLICATION, "read", json!([1, ["access_token_expiry", "refresh_token_expiry"]]), json!([
                {"id": 1, "access_token_expiry": 120, "refresh_token_expiry": 60}])),
            (APPLICATION, "write", json!([[1], {"model_scheme_id": 99}]), json!(format!(
                "{validation}The operation cannot be completed: the field 'Model Scheme' (model_scheme_id) of \
                 'REST API Application' (orest.application) refers to orest.model.scheme(99,), \
                 which does not exist or has been deleted."))),
            (APPLICATION, "write", json!([[1], {"model_scheme_id": "abc"}]),
                json!("psycopg2.errors.InvalidTextRepresentation: invalid input syntax for type integer: \"abc\"")),
            (APPLICATION, "write", json!([[1], {"model_scheme_id": [1, "5"]}]), json!(true)),
            (SCHEME, "unlink", json!([[1]]), json!(format!(
                "{validation}The operation cannot be completed: Another model is using the record you are trying to delete."))),
            (APPLICATION, "write", json!([[1], {"model_scheme_id": false}]), json!(true)),
            (SCHEME, "unlink", json!([[1, 2]]), json!(true)),
            (SCHEME, "search", json!([[]]), json!([3])),
            (SCHEME, "name_create", json!(["made"]), json!([4, "made"])),
            (SCHEME, "copy", json!([[4]]), json!([5])),
            (SCHEME, "copy", json!([[4], {"name": "other"}]), json!([6])),
            (SCHEME, "read", json!([[5, 6], ["name"]]), json!([
                {"id": 5, "name": "made (copy)"}, {"id": 6, "name": "other"}])),
            (SCHEME, "action_archive", json!([[5]]), json!(null)),
            (SCHEME, "toggle_active", json!([[5, 6]]), json!(null)),
            (SCHEME, "read", json!([[5, 6], ["active"]]), json!([{"id": 5, "active": true}, {"id": 6, "active": false}])),
        ],
    )
    .await;
}

#[tokio::test]
async fn all_or_nothing() {
    let test = TestService::new().await;
    let missing = "odoo.exceptions.MissingError: Record does not exist or has been deleted.";
    let taken = "odoo.exceptions.ValidationError: The operation cannot be completed: \
                 A model scheme with this name exists already.";
    check(
        &test,
        vec![
            (SCHEME, "create", json!([[{"name": "a"}, {"name": "b"}, {"name": "a"}]]), json!(taken)),
            (SCHEME, "search_count", json!([[]]), json!(0)),
            (SCHEME, "create", json!([[{"name": "a"}, {"name": "b"}]]), json!([1, 2])),
            (SCHEME, "write", json!([[1, 99], {"description": "x"}]), json!(missing)),
            (SCHEME, "write", json!([[1, 2], {"name": "c"}]), json!(taken)),
            (SCHEME, "unlink", json!([[1, 99]]), json!(missing)),
            (SCHEME, "copy", json!([[99]]), json!(missing)),
            (
                SCHEME,
                "search_read",
                json!([[], ["name", "description"]]),
                json!([{"id": 1, "name": "a", "description": false}, {"id": 2, "name": "b", "description": false}]),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn commands() {
    let test = TestService::new().await;
    let lines = || (SCHEME, "read", json!([1, ["configuration_ids"]]));
    let now = |ids: Value| {
        let (model, method, args) = lines();
        (model, method, args, json!([{"id": 1, "configuration_ids": ids}]))
    };
    let write =
        |commands: Value, expect: Value| (SCHEME, "write", json!([[1], {"configuration_ids": commands}]), expect);
    let line = |model: &str| json!([0, "virtual_1", {"model": model}]);
    check(
        &test,
        vec![
            (
                SCHEME,
                "create",
                json!([{"name": "s", "configuration_ids": [line("res.partner"), line("sale.order")]}]),
                json!(1),
            ),
            now(json!([1, 2])),
            write(json!([[1, 2, {"field_limit": "whitelist", "field_names": "name, state"}]]), json!(true)),
            ("orest.model.configuration", "read", json!([2, ["field_names"]]), json!([{"id": 2, "field_names": "name, state"}])),
            write(json!([]), json!(true)),
            now(json!([1, 2])),
            write(json!([[2, 1]]), json!(true)),
            now(json!([2])),
            write(json!([line("sale.order")]), json!(
                "odoo.exceptions.ValidationError: The operation cannot be completed: This model is in the scheme already.")),
            write(json!([[0, {"model": "x"}]]), json!("builtins.IndexError: list index out of range")),
            write(json!([[9, 1]]), json!(true)),
            write(json!("x"), json!("builtins.ValueError: Wrong value for orest.model.scheme.configuration_ids: x")),
            write(json!([line("res.users"), [3, 2]]), json!(true)),
            now(json!([3])),
            write(json!([3]), json!(true)),
            now(json!([3])),
            write(json!([[6, 0, []]]), json!(true)),
            now(json!([])),
            write(json!([line("a"), line("b")]), json!(true)),
            write(json!(false), json!(true)),
            now(json!([])),
            // A line of another scheme is not reached through this one.
            (SCHEME, "create", json!([{"name": "t", "configuration_ids": [line("x")]}]), json!(2)),
            write(json!([[2, 6]]), json!(
                "odoo.exceptions.ValidationError: orest.model.configuration(6,) is not one of the 'Models' \
                 (configuration_ids) of orest.model.scheme(1,).")),
            (SCHEME, "write", json!([[2], {"application_ids": [[4, 1]]}]), json!(true)),
            (APPLICATION, "read", json!([1, ["model_scheme_id"]]), json!([{"id": 1, "model_scheme_id": [2, "t"]}])),
            (SCHEME, "write", json!([[2], {"application_ids": [[5]]}]), json!(true)),
            (APPLICATION, "read", json!([1, ["model_scheme_id"]]), json!([{"id": 1, "model_scheme_id": false}])),
        ],
    )
    .await;
}

#[tokio::test]
async fn who_may() {
    let test = TestService::new().await;
    for (login, model, method, args, expect) in [
        ("alice", SCHEME, "create", json!([{"name": "x"}]), "You are not allowed to create"),
        ("alice", APPLICATION, "write", json!([[1], {"name": "x"}]), "You are not allowed to modify"),
        ("alice", APPLICATION, "copy", json!([[1]]), "You are not allowed to create"),
        ("admin", "orest.authorization", "create", json!([{"scope": "x"}]), "You are not allowed to create"),
        ("admin", "orest.authorization", "write", json!([[2], {"scope": "x"}]), "You are not allowed to modify"),
        ("admin", "orest.revocation", "unlink", json!([[1]]), "You are not allowed to delete"),
        ("admin", "orest.authorization.code", "unlink", json!([[1]]), "You are not allowed to delete"),
        ("admin", "ir.model", "write", json!([[1], {"name": "x"}]), "You are not allowed to modify"),
        ("olga", "ir.actions.server", "create", json!([{"name": "x"}]), "You are not allowed to create"),
        ("portia", APPLICATION, "unlink", json!([[1]]), "You are not allowed to delete"),
        ("portia", "res.users", "write", json!([[7], {"name": "x"}]), "You are not allowed to modify"),
        ("bob", "orest.device", "write", json!([[1], {"name": "x"}]), "Uh-oh!"),
        ("alice", "orest.device", "unlink", json!([[1]]), "You are not allowed to delete"),
    ] {
        let got = answer(&test, login, model, method, args.clone(), json!({})).await;
        let text = got.as_str().unwrap_or_default();
        assert!(
            text.starts_with("odoo.exceptions.AccessError") && text.contains(expect),
            "{login}: {model}.{method}({args}): {got}"
        );
    }
    let renamed = answer(&test, "alice", "orest.device", "write", json!([[1], {"name": "Laptop"}]), json!({})).await;
    assert_eq!(renamed, json!(true));
    let fixed = answer(&test, "alice", "orest.device", "write", json!([[1], {"user_id": 4}]), json!({})).await;
    assert_eq!(
        fixed,
        "odoo.exceptions.ValidationError: The field 'User' (user_id) of 'Device' (orest.device) is readonly."
    );
}

#[tokio::test]
async fn server_actions_run_nothing_but_what_is_built_in() {
    let test = TestService::new().await;
    let model = "ir.actions.server";
    let code = "records.action_revoke_tokens()";
    check(
        &test,
        vec![
            (model, "create", json!([{"name": "x", "model_id": 3, "code": code}]), json!(1)),
            (
                model,
                "create",
                json!([{"name": "x", "code": code}]),
                json!(
                    "odoo.exceptions.ValidationError: The operation cannot be completed: \
                 Missing required value for the field 'Model' (model_id)."
                ),
            ),
            (
                model,
                "create",
                json!([{"name": "x", "model_id": 3, "code": "records.unlink()"}]),
                json!("odoo.exceptions.ValidationError: Only built-in code can be run here, each on its own model:"),
            ),
            (
                model,
                "create",
                json!([{"name": "x", "model_id": 9, "code": code}]),
                json!("odoo.exceptions.ValidationError: Only built-in code can be run here, each on its own model:"),
            ),
            (
                model,
                "write",
                json!([[1], {"code": false}]),
                json!("odoo.exceptions.ValidationError: Only built-in code can be run here, each on its own model:"),
            ),
            (
                model,
                "write",
                json!([[1], {"binding_model_id": 9}]),
                json!("odoo.exceptions.ValidationError: An action stands in the menu of its own model only."),
            ),
            (model, "write", json!([[1], {"groups_id": [[4, 6]], "binding_model_id": 3}]), json!(true)),
            (model, "copy", json!([[1]]), json!([2])),
            (
                model,
                "read",
                json!([2, ["name", "group_ids", "binding_model_id"]]),
                json!([
                {"id": 2, "name": "x (copy)", "group_ids": [6], "binding_model_id": [3, "REST API Authorization"]}]),
            ),
            (model, "unlink", json!([[1, 2]]), json!(true)),
        ],
    )
    .await;
}
