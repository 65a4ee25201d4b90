//! `/json/2`.

use serde_json::json;

use crate::support::TestService;
use crate::support::http::TestServer;

async fn key(server: &TestServer, login: &str, scope: Option<&str>) -> String {
    let key = server.test.service.make_api_key(server.test.uid(login), "test", scope, None).await;
    key.expect("made").reveal().to_owned()
}

#[tokio::test]
async fn who_is_let_in() {
    let server = TestServer::over(TestService::empty().await);
    let (any, rpc, other) = (
        key(&server, "admin", None).await,
        key(&server, "admin", Some("rpc")).await,
        key(&server, "admin", Some("x")).await,
    );
    let cases = [
        (format!("Bearer {any}"), 404, "The method 'res.users.nope' does not exist"),
        (format!("bearer  {rpc}"), 404, "The method 'res.users.nope' does not exist"),
        (format!("Bearer {other}"), 401, "Invalid apikey"),
        ("Bearer admin".to_owned(), 401, "Invalid apikey"),
        ("Bearer ".to_owned(), 401, "Invalid apikey"),
        (
            "Basic YWRtaW46YWRtaW4=".to_owned(),
            401,
            "User not authenticated, use an API Key with a Bearer Authorization header.",
        ),
        ("Bearer".to_owned(), 401, "User not authenticated, use an API Key with a Bearer Authorization header."),
    ];
    for (authorization, status, message) in cases {
        let answer = server.post("/json/2/res.users/nope", &[("authorization", &authorization)], &json!({})).await;
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), body["message"].as_str()), (status, Some(message)), "{authorization}");
        assert_eq!(body["arguments"], json!([message, status]));
        assert_eq!(answer.header("www-authenticate"), (status == 401).then_some("Bearer"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    let params = json!({"db": "orest", "login": "bob", "password": "bob"});
    let session = server.call("/web/session/authenticate", &[], params).await.session();
    let bearer = format!("Bearer {any}");
    let cases: [(&[(&str, &str)], u16, &str); 3] = [
        (&[("cookie", &session)], 401, "Missing \"Authorization\" or Sec-headers for interactive usage."),
        (&[("cookie", &session), ("sec-fetch-site", "same-origin")], 404, "The method 'res.users.nope' does not exist"),
        (&[("cookie", &session), ("authorization", &bearer)], 403, "Session user does not match the used apikey."),
    ];
    for (headers, status, message) in cases {
        let answer = server.post("/json/2/res.users/nope", headers, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.json()["message"].as_str()), (status, Some(message)));
    }
}

#[tokio::test]
async fn tokens_of_applications_are_no_keys() {
    let server = TestServer::over(TestService::empty().await);
    let tokens = server.test.authorize("admin", 0, None, true).await.expect("exchanged");
    let bearer = format!("Bearer {}", tokens.access.reveal());
    let answer = server.post("/json/2/res.users/context_get", &[("authorization", &bearer)], &json!({})).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn other_paths_and_verbs() {
    let server = TestServer::over(TestService::empty().await);
    let bearer = format!("Bearer {}", key(&server, "admin", None).await);
    for (verb, path) in [
        ("GET", "/json/2/res.users/search"),
        ("POST", "/json/2"),
        ("POST", "/json/2/res.users"),
        ("POST", "/json/2/a/b/c"),
        ("DELETE", "/json/2/res.users/unlink"),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = server.send(verb, path, &headers, "{}").await;
        let message = answer.json()["message"].clone();
        assert_eq!((answer.status.as_u16(), message), (404, json!("Did you mean POST /json/2/<model>/<method>?")));
    }
    let headers = [("authorization", bearer.as_str()), ("x-odoo-database", "other")];
    let answer = server.post("/json/2/res.users/search", &headers, &json!({"domain": []})).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
}
