//! Our own namespace, through jsonrpsee's own WebSocket client and over HTTP.

use axum::http::{HeaderMap, HeaderValue};
use jsonrpsee::client_transport::ws::{Url, WsTransportClientBuilder};
use jsonrpsee::core::client::{Client, ClientBuilder, ClientT as _, Error, Subscription, SubscriptionClientT as _};
use jsonrpsee::core::params::{ArrayParams, ObjectParams};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

use crate::support::http::TestServer;

/// `login:login` in base64.
fn basic(login: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{login}:{login}")))
}

async fn connect(server: &TestServer, authorization: &str) -> Client {
    let address = server.listen().await;
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(authorization).expect("ASCII"));
    let url = Url::parse(&format!("ws://{address}/rpc")).expect("an address");
    let transport = WsTransportClientBuilder::default().set_headers(headers).build(url).await.expect("connects");
    ClientBuilder::default().build_with_tokio(transport.0, transport.1)
}

fn code(error: &Error) -> i32 {
    match error {
        Error::Call(error) => error.code(),
        other => panic!("{other}"),
    }
}

async fn revoke(client: &Client, selection: Value) -> Result<Value, Error> {
    let mut params = ObjectParams::new();
    params.insert("selection", selection).expect("is JSON");
    params.insert("reason", "lost laptop").expect("is JSON");
    client.request("orest_revoke", params).await
}

#[tokio::test]
async fn a_subscriber_is_told_of_each_act() {
    let server = TestServer::new().await;
    let key = server.test.service.make_api_key(server.test.uid("olga"), "test", None, None).await.expect("made");
    let client = connect(&server, &format!("Bearer {}", key.reveal())).await;
    let mut acts: Subscription<Value> = client
        .subscribe("orest_subscribeRevocations", rpc_params![], "orest_unsubscribeRevocations")
        .await
        .expect("subscribes");
    let receipt = revoke(&client, json!({"ids": [2, 3, 4]})).await.expect("revokes");
    assert_eq!((&receipt["requested"], &receipt["revoked"]), (&json!(3), &json!(2)));
    let undone: Value =
        client.request("orest_undo", rpc_params![receipt["revocation_id"].clone()]).await.expect("undoes");
    assert_eq!(undone["revoked"], json!(2));
    let mut transcript = String::new();
    for _ in 0..2 {
        let act = acts.next().await.expect("goes on").expect("is JSON");
        transcript.push_str(&format!("{act:#}\n"));
    }
    insta::assert_snapshot!(transcript);
    // Whoever loses the right to it is told no more.
    let olga = server.test.uid("olga").0;
    let changed = server.execute_kw("admin", "res.users", "write", json!([[olga], {"active": false}]), json!({})).await;
    if changed.get("error").is_none() {
        let refused = client.request::<Value, ArrayParams>("orest_verify", rpc_params!["x"]).await;
        assert_eq!(code(&refused.expect_err("refused")), -32001);
        server
            .test
            .service
            .revoke(
                &server.test.context("admin"),
                orest::domain::selection::Selection::Ids(vec![5]),
                Default::default(),
            )
            .await
            .expect("revokes");
        assert!(acts.next().await.is_none_or(|last| last.is_err()));
    }
}

#[tokio::test]
async fn what_a_preview_showed_is_what_is_revoked() {
    let server = TestServer::new().await;
    let client = connect(&server, &basic("admin")).await;
    let preview: Value = client
        .request("orest_preview", rpc_params![json!({"user_id": server.test.uid("alice").0})])
        .await
        .expect("answers");
    assert_eq!((&preview["requested"], &preview["live"]), (&json!(3), &json!(2)));
    server.test.authorize("alice", 0, None, true).await;
    let selection = json!({"user_id": server.test.uid("alice").0});
    let params = rpc_params![selection.clone(), "reason", Option::<String>::None, preview["digest"].clone()];
    let refused = client.request::<Value, _>("orest_revoke", params).await.expect_err("has changed");
    assert_eq!(code(&refused), -32009);
    let receipt = revoke(&client, selection).await.expect("revokes");
    assert_eq!(receipt["revoked"], json!(3));
}

#[tokio::test]
async fn a_token_is_verified() {
    let server = TestServer::new().await;
    let client = connect(&server, &basic("admin")).await;
    let tokens = server.test.authorize("bob", 1, None, true).await.expect("exchanged");
    let good: Value = client.request("orest_verify", rpc_params![tokens.access.reveal()]).await.expect("answers");
    insta::assert_snapshot!(format!("{good:#}"));
    let id = good["authorization_id"].clone();
    revoke(&client, json!({"ids": [id]})).await.expect("revokes");
    for token in [tokens.access.reveal(), "orat_nonsense", ""] {
        let bad: Value = client.request("orest_verify", rpc_params![token]).await.expect("answers");
        assert_eq!(bad, json!({"active": false}));
    }
}

#[tokio::test]
async fn plain_users_have_their_own_only() {
    let server = TestServer::new().await;
    let client = connect(&server, &basic("alice")).await;
    let verify = client.request::<Value, _>("orest_verify", rpc_params!["x"]).await;
    assert_eq!(code(&verify.expect_err("refused")), -32003);
    let subscribe =
        client.subscribe::<Value, _>("orest_subscribeRevocations", rpc_params![], "orest_unsubscribeRevocations").await;
    assert_eq!(code(&subscribe.expect_err("refused")), -32003);
    assert_eq!(code(&revoke(&client, json!({"ids": [5]})).await.expect_err("Bob's")), -32003);
    assert_eq!(code(&revoke(&client, json!({"ids": [99]})).await.expect_err("nobody's")), -32004);
    assert_eq!(revoke(&client, json!({"ids": [2]})).await.expect("her own")["revoked"], json!(1));
    for nonsense in [json!({}), json!({"ids": "x"}), json!({"nope": 1}), json!([1]), json!({"ids": [1], "user_id": 2})]
    {
        assert_eq!(code(&revoke(&client, nonsense.clone()).await.expect_err("nonsense")), -32602, "{nonsense}");
    }
}

#[tokio::test]
async fn what_a_domain_finds() {
    let server = TestServer::new().await;
    let client = connect(&server, &basic("alice")).await;
    for nonsense in [json!(null), json!("x"), json!([["nope", "=", 1]]), json!([["id", "~", 1]])] {
        assert_eq!(code(&revoke(&client, json!({"domain": nonsense})).await.expect_err("nonsense")), -32602);
    }
    let none = revoke(&client, json!({"domain": [["user_id.login", "=", "bob"]]})).await.expect("finds none");
    assert_eq!((&none["requested"], &none["revocation_id"]), (&json!(0), &json!(null)));
    let own = revoke(&client, json!({"domain": []})).await.expect("finds her own");
    assert_eq!((&own["requested"], &own["revoked"]), (&json!(3), &json!(2)));
}

#[tokio::test]
async fn over_http_too() {
    let server = TestServer::new().await;
    let basic = basic("admin");
    let request = json!({"jsonrpc": "2.0", "id": 7, "method": "orest_preview", "params": {"selection": {"ids": [2]}}});
    let answer = server.post("/rpc", &[("authorization", &basic)], &request).await;
    assert_eq!((answer.json()["id"].clone(), answer.json()["result"]["live"].clone()), (json!(7), json!(1)));
    let cases: [(&[(&str, &str)], u16); 5] = [
        (&[], 401),
        (&[("authorization", "Basic YWRtaW46d3Jvbmc=")], 401),
        (&[("authorization", "Bearer 0000000000000000000000000000000000000000")], 401),
        (&[("authorization", &basic), ("origin", "http://evil.example")], 403),
        (&[("authorization", &basic), ("origin", "http://orest.example")], 200),
    ];
    for (headers, status) in cases {
        assert_eq!(server.post("/rpc", headers, &request).await.status, status, "{headers:?}");
    }
}
