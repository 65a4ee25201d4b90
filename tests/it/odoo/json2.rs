//! `/json/2`.

use serde_json::json;

use crate::support::TestService;
use crate::support::http::TestServer;

/// Headers, status, message.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

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
    let cases: [Case<'_>; 3] = [
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

#[tokio::test]
async fn what_calls_answer() {
    let server = TestServer::new().await;
    let bearer = format!("Bearer {}", key(&server, "admin", None).await);
    let calls = [
        ("res.users/context_get", "{}"),
        ("res.users/context_get", ""),
        ("res.users/context_get", "null"),
        ("res.users/context_get", "[1]"),
        ("res.users/context_get", "{bad"),
        ("res.users/context_get", r#"{"context": "x"}"#),
        ("orest.authorization/search", r#"{"domain": [["state", "=", "live"]], "order": "id", "limit": 2}"#),
        ("orest.authorization/search", "{}"),
        ("orest.authorization/search", r#"{"domain": [], "nope": 1}"#),
        ("orest.authorization/search", r#"{"domain": [], "ids": [1]}"#),
        ("orest.authorization/search", r#"{"domain": [], "ids": [], "limit": 1, "order": "id"}"#),
        ("orest.authorization/search", r#"{"domain": "x"}"#),
        ("orest.authorization/search", r#"{"domain": [["nope", "=", 1]]}"#),
        ("orest.authorization/search", "{\"domain\": [[\"scope\", \"=\", \"a\\u0000b\"]]}"),
        ("orest.authorization/read", r#"{"ids": 2, "fields": ["state", "user_id"]}"#),
        ("orest.authorization/read", r#"{"fields": ["state"]}"#),
        ("orest.authorization/read", r#"{"ids": [99], "fields": ["state"]}"#),
        ("orest.authorization/unlink", r#"{"ids": [99]}"#),
        ("orest.authorization/create", r#"{"vals_list": {}}"#),
        ("orest.model.scheme/create", r#"{"vals_list": {"name": "one"}}"#),
        ("orest.model.scheme/create", r#"{"vals_list": [{"name": "two"}, {"name": "three"}]}"#),
        ("orest.model.scheme/create", r#"{"vals": {"name": "four"}}"#),
        ("no.model/search", r#"{"domain": []}"#),
        ("res.users/nope", "{}"),
        ("res.users/_search", "{}"),
        ("res.users/browse", "{}"),
        ("res.users/write", r#"{"ids": [2], "vals": {"active": false}}"#),
    ];
    let mut transcript = String::new();
    for (path, body) in calls {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = server.send("POST", &format!("/json/2/{path}"), &headers, body).await;
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{path} {body}");
        let shown = match answer.json() {
            body if answer.status == 200 => body.to_string(),
            body => format!("{} {} {}", body["name"], body["message"], body["arguments"]),
        };
        transcript.push_str(&format!("> {path} {body}\n< {} {shown}\n", answer.status.as_u16()));
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_program_reads_what_there_is() {
    let server = TestServer::over(TestService::empty().await);
    let bearer = format!("Bearer {}", key(&server, "admin", None).await);
    let get = |path: &'static str, tag: String| {
        let (server, bearer) = (&server, bearer.clone());
        async move { server.send("GET", path, &[("authorization", bearer.as_str()), ("if-none-match", &tag)], "").await }
    };
    let answer = get("/doc-bearer/orest.authorization.json", String::new()).await;
    let described = answer.json();
    assert_eq!(described["fields"]["state"]["type"], json!("selection"));
    let search = &described["methods"]["search"];
    assert_eq!((&search["api"], search["parameters"]["domain"].is_object()), (&json!(["model"]), true));
    assert_eq!(described["methods"]["read"]["api"], json!([]));
    let tag = answer.header("etag").expect("a tag").to_owned();
    assert_eq!(get("/doc-bearer/orest.authorization.json", tag).await.status, 304);
    let index = get("/doc-bearer/index.json", String::new()).await.json();
    let names: Vec<&str> =
        index["models"].as_array().expect("a list").iter().filter_map(|model| model["model"].as_str()).collect();
    assert!(names.contains(&"orest.authorization") && names.contains(&"res.users"), "{names:?}");
    let missing = get("/doc-bearer/no.model.json", String::new()).await;
    assert_eq!((missing.status.as_u16(), missing.json()["arguments"][1].clone()), (404, json!(404)));
    let other = format!("Bearer {}", key(&server, "alice", None).await);
    let refused = server.send("GET", "/doc-bearer/index.json", &[("authorization", &other)], "").await;
    assert_eq!((refused.status.as_u16(), refused.json()["name"].clone()), (403, json!("odoo.exceptions.AccessError")));
}
