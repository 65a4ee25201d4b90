//! What the web client does on a click in the Action menu.

use serde_json::{Value, json};

use crate::support::http::TestServer;

async fn session(server: &TestServer, login: &str) -> String {
    let params = json!({"db": "orest", "login": login, "password": login});
    server.call("/web/session/authenticate", &[], params).await.session()
}

/// `> path params`, `< result or error`, without what differs from run to run.
async fn show(server: &TestServer, cookie: &str, path: &str, params: Value) -> String {
    let answer = server.call(path, &[("cookie", cookie)], params.clone()).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let shown = match &body["error"] {
        Value::Null => body["result"].to_string(),
        error => format!("{} {} {}", error["code"], error["data"]["name"], error["data"]["message"]),
    };
    format!("> {path} {params}\n< {shown}\n")
}

#[tokio::test]
async fn a_selection_is_revoked_from_the_menu() {
    let server = TestServer::new().await;
    server.test.service.ensure_shipped_actions().await.expect("shipped");
    let cookie = session(&server, "admin").await;
    let actions = server.execute_kw("admin", "ir.actions.server", "search", json!([[]]), json!({"order": "id"})).await;
    let id = actions["result"][0].clone();
    let selection =
        json!({"active_model": "orest.authorization", "active_ids": [2, 3, 4], "active_id": 2, "lang": "en_US"});
    let (kw, button) = ("/web/dataset/call_kw/ir.actions.server/create_action", "/web/dataset/call_button");
    let calls = [
        (kw, json!({"model": "ir.actions.server", "method": "create_action", "args": [[id]], "kwargs": {}})),
        ("/web/action/load", json!({"action_id": id, "context": selection})),
        ("/web/action/load", json!({"action_id": id.to_string()})),
        ("/web/action/load", json!({"action_id": "no.such"})),
        ("/web/action/load", json!({"action_id": 99})),
        ("/web/action/load", json!({"action_id": null})),
        ("/web/action/load", json!({})),
        ("/web/action/run", json!({"action_id": id, "context": {"active_model": "res.users", "active_ids": [2]}})),
        ("/web/action/run", json!({"action_id": 99, "context": selection})),
        ("/web/action/run", json!({"action_id": "x"})),
        ("/web/action/run", json!({"action_id": id, "context": selection})),
        ("/web/action/run", json!({"action_id": id, "context": selection})),
        (button, json!({"model": "res.users", "method": "search_count", "args": [[]], "kwargs": {}})),
        (button, json!({"model": "ir.actions.server", "method": "run", "args": [[]], "kwargs": {}})),
        (button, json!({"model": "no.model", "method": "run", "args": [], "kwargs": {}})),
        (button, json!({"model": "res.users", "method": "run", "args": []})),
    ];
    let mut transcript = String::new();
    for (path, params) in calls {
        transcript.push_str(&show(&server, &cookie, path, params).await);
    }
    insta::assert_snapshot!(transcript);
    let states = server
        .execute_kw(
            "admin",
            "orest.authorization",
            "search_read",
            json!([[["id", "in", [2, 3, 5]]], ["state"]]),
            json!({"order": "id"}),
        )
        .await;
    let states: Vec<&str> =
        states["result"].as_array().expect("a list").iter().filter_map(|row| row["state"].as_str()).collect();
    assert_eq!(states, ["revoked", "revoked", "live"]);
}

#[tokio::test]
async fn a_user_runs_what_he_may_not_read_on_his_own() {
    let server = TestServer::new().await;
    server.test.service.ensure_shipped_actions().await.expect("shipped");
    let actions = server.execute_kw("admin", "ir.actions.server", "search", json!([[]]), json!({"order": "id"})).await;
    let id = actions["result"][0].clone();
    let alice = session(&server, "alice").await;
    let run =
        |ids: Value| json!({"action_id": id, "context": {"active_model": "orest.authorization", "active_ids": ids}});
    let mut transcript = show(&server, &alice, "/web/action/load", json!({"action_id": id})).await;
    for ids in [json!([5]), json!([2, 5]), json!([2])] {
        transcript.push_str(&show(&server, &alice, "/web/action/run", run(ids)).await);
    }
    let portia = session(&server, "portia").await;
    transcript.push_str(&show(&server, &portia, "/web/action/load", json!({"action_id": id})).await);
    transcript.push_str(&show(&server, &portia, "/web/action/run", run(json!([2]))).await);
    insta::assert_snapshot!(transcript);
}
