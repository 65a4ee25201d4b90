//! `read_group`, `formatted_read_group`, `web_read_group` and the bar above a column.

use serde_json::json;

use super::{answer, check};
use crate::support::TestService;

#[tokio::test]
async fn groups_as_odoo_gives_them() {
    check(
        "orest.authorization",
        vec![
            (
                "read_group",
                json!([[["user_id", "!=", false]], ["generation"], ["user_id"]]),
                json!({}),
                json!([
                    {"user_id": [3, "Alice"], "user_id_count": 3, "generation": 0,
                     "__domain": ["&", ["user_id", "!=", false], ["user_id", "=", 3]]},
                    {"user_id": [4, "Bob"], "user_id_count": 3, "generation": 0,
                     "__domain": ["&", ["user_id", "!=", false], ["user_id", "=", 4]]},
                ]),
            ),
            (
                "read_group",
                json!([[], ["__count"], ["application_id", "state"]]),
                json!({"limit": 1}),
                json!([{
                    "application_id": [1, "Mail Reader"], "application_id_count": 4,
                    "__domain": [["application_id", "=", 1]], "__context": {"group_by": ["state"]},
                }]),
            ),
            (
                "read_group",
                json!([[], [], ["state"]]),
                json!({"lazy": false, "orderby": "state desc"}),
                json!([
                    {"state": "revoked", "__count": 2, "__domain": [["state", "=", "revoked"]]},
                    {"state": "live", "__count": 4, "__domain": [["state", "=", "live"]]},
                    {"state": "expired", "__count": 1, "__domain": [["state", "=", "expired"]]},
                ]),
            ),
            (
                "read_group",
                json!([[], [], ["revoked_at"]]),
                json!({}),
                json!([
                    {"revoked_at": "November 2026", "revoked_at_count": 2,
                     "__domain": ["&", ["revoked_at", ">=", "2026-11-01 00:00:00"], ["revoked_at", "<", "2026-12-01 00:00:00"]],
                     "__range": {"revoked_at": {"from": "2026-11-01 00:00:00", "to": "2026-12-01 00:00:00"}}},
                    {"revoked_at": false, "revoked_at_count": 5, "__domain": [["revoked_at", "=", false]],
                     "__range": {"revoked_at": false}},
                ]),
            ),
            (
                "read_group",
                json!([[], ["generation:max", "least:min(id)"], []]),
                json!({}),
                json!([{"__count": 7, "generation": 0, "least": 1, "__domain": [[1, "=", 1]]}]),
            ),
            (
                "formatted_read_group",
                json!([[], ["user_id"], ["__count", "id:max"]]),
                json!({"having": [["__count", ">", 1]], "order": "user_id desc"}),
                json!([
                    {"user_id": [4, "Bob"], "__extra_domain": [["user_id", "=", 4]], "__count": 3, "id:max": 6},
                    {"user_id": [3, "Alice"], "__extra_domain": [["user_id", "=", 3]], "__count": 3, "id:max": 4},
                ]),
            ),
            (
                "formatted_read_group",
                json!([[["id", "<", 3]], ["create_date:day"], ["__count"]]),
                json!({}),
                json!([{
                    "create_date:day": ["2026-11-20 00:00:00", "20 Nov 2026"],
                    "__extra_domain": ["&", ["create_date", ">=", "2026-11-20 00:00:00"], ["create_date", "<", "2026-11-21 00:00:00"]],
                    "__count": 2,
                }]),
            ),
            (
                "formatted_read_group",
                json!([[], ["create_date:year_number"], ["__count"]]),
                json!({}),
                json!([{"create_date:year_number": 2026.0, "__extra_domain": [["create_date.year_number", "=", 2026.0]], "__count": 7}]),
            ),
            (
                "formatted_read_group",
                json!([[], ["create_date"], ["__count"]]),
                json!({}),
                json!("builtins.ValueError: Granularity not set on a date(time) field: 'create_date'"),
            ),
            (
                "formatted_read_group",
                json!([[["id", "=", -1]], ["state"], ["__count"]]),
                json!({}),
                json!([]),
            ),
            (
                "formatted_read_group",
                json!([[], ["state"], ["nope:sum"]]),
                json!({}),
                json!("builtins.ValueError: Invalid field 'nope' on model 'orest.authorization' for 'nope:sum'."),
            ),
            (
                "web_read_group",
                json!([[], ["application_id"]]),
                json!({"limit": 1}),
                json!({
                    "groups": [{"application_id": [1, "Mail Reader"], "__extra_domain": [["application_id", "=", 1]], "__count": 4}],
                    "length": 2,
                }),
            ),
            (
                "web_read_group",
                json!([]),
                json!({
                    "domain": [["id", "in", [6, 7]]], "groupby": ["user_id"], "auto_unfold": true,
                    "unfold_read_specification": {"state": {}},
                }),
                json!({
                    "groups": [
                        {"user_id": [4, "Bob"], "__extra_domain": [["user_id", "=", 4]], "__count": 1,
                         "__records": [{"id": 6, "state": "revoked"}]},
                        {"user_id": false, "__extra_domain": [["user_id", "=", false]], "__count": 1},
                    ],
                    "length": 2,
                }),
            ),
            (
                "web_read_group",
                json!([]),
                json!({"domain": [["id", "=", 1]], "fields": ["state"], "groupby": ["state"], "orderby": "state"}),
                json!({
                    "groups": [{"state": "expired", "state_count": 1, "__domain": ["&", ["id", "=", 1], ["state", "=", "expired"]]}],
                    "length": 1,
                }),
            ),
            (
                "read_progress_bar",
                json!([[["user_id", "!=", false]], "user_id", {"field": "state", "colors": {"live": "success", "revoked": "danger"}}]),
                json!({}),
                json!({"3": {"live": 2, "revoked": 1}, "4": {"live": 1, "revoked": 1}}),
            ),
        ],
    )
    .await;
    check(
        "res.users",
        vec![(
            "formatted_read_group",
            json!([[["login", "in", ["admin", "alice"]]], ["group_ids"], ["__count"]]),
            json!({}),
            json!([
                {"group_ids": [1, "Role / User"], "__extra_domain": [["group_ids", "=", 1]], "__count": 1},
                {"group_ids": [5, "Role / Administrator"], "__extra_domain": [["group_ids", "=", 5]], "__count": 1},
            ]),
        )],
    )
    .await;
}

#[tokio::test]
async fn groups_and_sums_show_own_records_only() {
    let test = TestService::new().await;
    let model = "orest.authorization";
    for (login, expect) in [
        ("alice", json!([{"__extra_domain": [[1, "=", 1]], "__count": 3, "id:max": 4, "id:array_agg": [2, 3, 4]}])),
        ("bob", json!([{"__extra_domain": [[1, "=", 1]], "__count": 3, "id:max": 6, "id:array_agg": [1, 5, 6]}])),
        ("erna", json!([{"__extra_domain": [[1, "=", 1]], "__count": 0, "id:max": false, "id:array_agg": []}])),
    ] {
        let args = json!([[], [], ["__count", "id:max", "id:array_agg"]]);
        assert_eq!(answer(&test, login, model, "formatted_read_group", args, json!({})).await, expect, "{login}");
    }
    for (method, args) in [
        ("formatted_read_group", json!([[], ["user_id"], ["__count"]])),
        ("read_group", json!([[], [], ["user_id"]])),
        ("web_read_group", json!([[], ["user_id"]])),
    ] {
        let got = answer(&test, "alice", model, method, args.clone(), json!({})).await.to_string();
        assert!(got.contains("Alice") && !got.contains("Bob"), "{method}: {got}");
        let got = answer(&test, "portia", model, method, args, json!({})).await.to_string();
        assert!(got.contains("You are not allowed to access"), "{method}: {got}");
    }
    // a field of another group is no key, no sum, no condition and no order
    for kwargs in [
        json!({"groupby": ["reason_admin"]}),
        json!({"aggregates": ["reason_admin:max"]}),
        json!({"aggregates": ["__count"], "having": [["reason_admin:count", ">", 0]]}),
        json!({"groupby": ["kind"], "aggregates": ["__count"], "order": "reason_admin:max"}),
    ] {
        let got = answer(&test, "alice", "orest.revocation", "formatted_read_group", json!([[]]), kwargs.clone()).await;
        assert!(got.as_str().is_some_and(|text| text.contains("do not have enough rights")), "{kwargs}: {got}");
    }
}
