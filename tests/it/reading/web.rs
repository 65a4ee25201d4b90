//! What the web client reads by.

use serde_json::{Value, json};

use super::{answer, check};
use crate::support::TestService;

#[tokio::test]
async fn specifications() {
    check(
        "orest.authorization",
        vec![
            ("web_read", json!([[2], {}]), json!({}), json!([{"id": 2}])),
            (
                "web_read",
                json!([[2, 99], {"user_id": {}, "scope": {}}]),
                json!({}),
                json!([
                    {"id": 2, "user_id": 3, "scope": "read"}
                ]),
            ),
            (
                "web_read",
                json!([[7, 2], {"user_id": {"fields": {"display_name": {}}}}]),
                json!({}),
                json!([
                    {"id": 7, "user_id": false}, {"id": 2, "user_id": {"id": 3, "display_name": "Alice"}}
                ]),
            ),
            (
                "web_read",
                json!([[2], {"user_id": {"fields": {}}}]),
                json!({}),
                json!([{"id": 2, "user_id": {"id": 3}}]),
            ),
            (
                "web_read",
                json!([[2], {"nope": {}}]),
                json!({}),
                json!("builtins.ValueError: Invalid field 'nope' on 'orest.authorization'"),
            ),
            (
                "web_search_read",
                json!([[], {"state": {}}]),
                json!({"limit": 2, "order": "id"}),
                json!({
                    "length": 7, "records": [{"id": 1, "state": "expired"}, {"id": 2, "state": "live"}]
                }),
            ),
            (
                "web_search_read",
                json!([[], {}]),
                json!({"limit": 2, "order": "id", "count_limit": 3}),
                json!({
                    "length": 3, "records": [{"id": 1}, {"id": 2}]
                }),
            ),
            (
                "web_search_read",
                json!([[["id", "=", -1]], {"scope": {}}]),
                json!({}),
                json!({"length": 0, "records": []}),
            ),
            (
                "web_search_read",
                json!([[["id", "=", 2]], ["user_id"]]),
                json!({}),
                json!({
                    "length": 1, "records": [{"id": 2, "user_id": [3, "Alice"]}]
                }),
            ),
        ],
    )
    .await;
    check(
        "orest.application",
        vec![
            ("web_read", json!([[1], {"authorization_ids": {"fields": {"state": {}}, "limit": 1, "order": "id desc"}}]), json!({}), json!([
                {"id": 1, "authorization_ids": [{"id": 5, "state": "live"}, {"id": 3}, {"id": 2}, {"id": 1}]}
            ])),
            ("web_name_search", json!(["mail", {"display_name": {}}]), json!({}), json!([
                {"id": 1, "display_name": "Mail Reader", "__formatted_display_name": "Mail Reader"}
            ])),
            ("onchange", json!([[], {}, [], {"name": {}, "active": {}, "access_token_expiry": {}, "uri_ids": {}, "user_id": {"fields": {}}}]),
             json!({"context": {"default_user_id": 2}}), json!({"value": {
                "name": false, "active": true, "access_token_expiry": 3600, "uri_ids": [],
                "user_id": {"id": 2, "display_name": "Administrator"}
            }})),
            ("default_get", json!([["name", "active", "refresh_token_expiry", "nope", "uri_ids"]]), json!({}), json!({
                "active": true, "refresh_token_expiry": 0
            })),
            ("default_get", json!([["name"]]), json!({"context": {"default_name": "D"}}), json!({"name": "D"})),
        ],
    )
    .await;
}

#[tokio::test]
async fn nested_records_are_bound_by_rights_too() {
    let test = TestService::new().await;
    // the administrator acts on Bob's; Alice sees neither
    let specification = json!({"authorization_ids": {"fields": {"user_id": {"fields": {"login": {}}}}}});
    let got = answer(&test, "alice", "orest.application", "web_read", json!([[1], specification]), json!({})).await;
    let own = json!({"id": 3, "login": "alice"});
    assert_eq!(got, json!([{"id": 1, "authorization_ids": [{"id": 3, "user_id": own}, {"id": 2, "user_id": own}]}]));
    // a hidden record shows its name only
    let make = json!([[3], {"write_uid": {"fields": {"login": {}, "email": {}}}}]);
    let store = test.store.clone();
    let columns = [("write_uid", orest::store::records::SqlValue::Integer(4))];
    let set: Result<usize, orest::store::StoreError> = store
        .write(move |tx| orest::store::records::update(tx.connection, "orest_authorization", &[3], &columns))
        .await;
    assert_eq!(set.expect("updates"), 1);
    let got = answer(&test, "alice", "orest.authorization", "web_read", make, json!({})).await;
    assert_eq!(got, json!([{"id": 3, "write_uid": {"id": 4, "display_name": "Bob"}}]));
    // hidden ids at the top are refused
    let got = answer(&test, "alice", "orest.authorization", "web_read", json!([[5], {}]), json!({})).await;
    assert!(got.as_str().is_some_and(|text| text.contains("top-secret")), "{got}");
}

#[tokio::test]
async fn views() {
    let test = TestService::new().await;
    let args = json!([[
        [false, "list"],
        [false, "form"],
        [7, "search"],
        [false, "tree"],
        [false, "kanban"],
        [false, "graph"]
    ]]);
    let options = json!({"options": {"toolbar": true, "load_filters": true}});
    for model in test.orm().registry.iter() {
        let got = answer(&test, "admin", model.name, "get_views", args.clone(), options.clone()).await;
        let views = got["views"].as_object().expect(model.name);
        assert_eq!(views.keys().collect::<Vec<_>>(), ["list", "form", "search", "tree", "kanban", "graph"]);
        for (kind, view) in views {
            let arch = view["arch"].as_str().expect("an architecture");
            assert!(arch.starts_with(&format!("<{kind}")) && arch.ends_with(&format!("</{kind}>")), "{arch}");
            assert_eq!((&view["id"], &view["model"]), (&json!(false), &json!(model.name)));
        }
        assert_eq!(views["search"]["filters"], json!([]));
        let fields = &got["models"][model.name]["fields"];
        assert_eq!(*fields, answer(&test, "admin", model.name, "fields_get", json!([]), json!({})).await);
    }
    let got = answer(&test, "admin", "res.users", "get_views", json!([[[false, "zzz"]]]), json!({})).await;
    assert_eq!(got, json!("odoo.exceptions.UserError: No default view of type 'zzz' could be found!"));
    let got = answer(&test, "alice", "res.users", "get_view", json!([]), json!({"view_type": "form"})).await;
    assert!(!got.to_string().contains("group_ids"), "{got}");
}

#[tokio::test]
async fn bound_actions_stand_in_the_menu() {
    use orest::store::records::{self, SqlValue};
    let test = TestService::new().await;
    let now = SqlValue::Timestamp(orest::domain::time::Clock::now(test.clock.as_ref()));
    let row = move |name: &str, views: &str, sequence| {
        vec![
            ("name", SqlValue::Text(name.to_owned())),
            ("model_id", SqlValue::Integer(3)),
            ("binding_model_id", SqlValue::Integer(3)),
            ("binding_view_types", SqlValue::Text(views.to_owned())),
            ("sequence", SqlValue::Integer(sequence)),
            ("xml_id", SqlValue::Text(format!("orest.{}", name.to_lowercase()))),
            ("create_date", now.clone()),
            ("write_date", now.clone()),
        ]
    };
    let store = test.store.clone();
    let made: Result<[i64; 2], orest::store::StoreError> = store
        .write(move |tx| {
            let revoke = records::insert(tx.connection, "ir_act_server", &row("Revoke", "list,form", 5))?;
            let secret = records::insert(tx.connection, "ir_act_server", &row("Secret", "form", 1))?;
            let administrators = [5].into();
            records::replace_links(tx.connection, "ir_act_server_group_rel", "act_id", "gid", secret, &administrators)?;
            Ok([revoke, secret])
        })
        .await;
    let [revoke, secret] = made.expect("inserts");
    let expect = |ids: &[Value]| json!({ "action": ids });
    let first = json!({"id": revoke, "name": "Revoke", "binding_view_types": "list,form", "sequence": 5});
    let second = json!({"id": secret, "name": "Secret", "binding_view_types": "form", "sequence": 1});
    let bindings = json!(["orest.authorization"]);
    let got = answer(&test, "admin", "ir.actions.actions", "get_bindings", bindings.clone(), json!({})).await;
    assert_eq!(got, expect(&[second.clone(), first.clone()]));
    let got = answer(&test, "alice", "ir.actions.actions", "get_bindings", bindings, json!({})).await;
    assert_eq!(got, expect(std::slice::from_ref(&first)), "the other is for administrators");
    let got = answer(&test, "alice", "ir.actions.actions", "get_bindings", json!(["nope"]), json!({})).await;
    assert_eq!(got, json!({}));
    let views = json!([[[false, "list"], [false, "search"]], {"toolbar": true}]);
    let got = answer(&test, "admin", "orest.authorization", "get_views", views, json!({})).await;
    assert_eq!(got["views"]["list"]["toolbar"], expect(&[first]));
    assert_eq!(got["views"]["search"]["toolbar"], json!({}));
    let reference = json!(["orest", "revoke"]);
    let got = answer(&test, "admin", "ir.model.data", "check_object_reference", reference.clone(), json!({})).await;
    assert_eq!(got, json!(["ir.actions.server", revoke]));
    let got = answer(&test, "alice", "ir.model.data", "check_object_reference", reference, json!({})).await;
    assert_eq!(got, json!(["ir.actions.server", false]));
    let got = answer(&test, "admin", "ir.actions.server", "get_external_id", json!([[revoke]]), json!({})).await;
    assert_eq!(got, json!({revoke.to_string(): "orest.revoke"}));
}

#[tokio::test]
async fn exports() {
    let test = TestService::new().await;
    let paths =
        json!([[2, 7], [".id", "user_id/login", "application_id", "application_id/uri_ids/uri", "state", "active"]]);
    let got = answer(&test, "admin", "orest.authorization", "export_data", paths.clone(), json!({})).await;
    assert_eq!(
        got,
        json!({"datas": [
            ["2", "alice", "Mail Reader", "https://client.example/callback/mail-reader", "Live", true],
            ["7", "", "Report Maker", "https://client.example/callback/report-maker", "Live", true],
        ]})
    );
    let got = answer(&test, "alice", "orest.authorization", "export_data", paths, json!({})).await;
    let expect =
        "odoo.exceptions.UserError: You don't have the rights to export data. Please contact an Administrator.";
    assert_eq!(got, json!(expect));
}
