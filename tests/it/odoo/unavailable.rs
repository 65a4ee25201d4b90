//! The database is gone: every door of Odoo's says so, with a status that proxies understand, and nothing is half done.

use serde_json::json;

use crate::support::http::TestServer;

#[tokio::test]
async fn without_a_database_nothing_is_revoked_and_nothing_is_said() {
    let server = TestServer::new().await;
    let cookie = server
        .call("/web/session/authenticate", &[], json!({"db": "orest", "login": "admin", "password": "admin"}))
        .await
        .session();
    let key = server.test.service.make_api_key(server.test.uid("admin"), "test", None, None).await.unwrap();
    let bearer = format!("Bearer {}", key.reveal());
    server.test.database.leave();

    let revoke =
        json!({"model": "orest.authorization", "method": "action_revoke_tokens", "args": [[2, 3]], "kwargs": {}});
    let rpc = json!({"service": "object", "method": "execute_kw",
        "args": ["orest", 2, "admin", "orest.authorization", "unlink", [[2]], {}]});
    for (path, params) in [("/web/dataset/call_kw", revoke), ("/jsonrpc", rpc)] {
        let answer = server.call(path, &[("cookie", &cookie)], params).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert_eq!(answer.json()["error"]["data"]["name"], "psycopg2.OperationalError", "{path}");
    }
    let path = "/json/2/orest.authorization/action_revoke_tokens";
    let answer = server.post(path, &[("authorization", &bearer)], &json!({"ids": [2, 3]})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (503, &json!("psycopg2.OperationalError")));

    server.test.database_comes_back().await;
    let domain = json!([[["id", "in", [2, 3]], ["state", "=", "live"]]]);
    let live = server.execute_kw("admin", "orest.authorization", "search_count", domain, json!({})).await;
    assert_eq!(live["result"], 2, "nothing was revoked: {live}");
}
