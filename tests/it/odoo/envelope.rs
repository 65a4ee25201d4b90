//! What the envelope takes, and what it gives back.

use serde_json::json;

use crate::support::TestService;
use crate::support::http::TestServer;

const VERSION: &str = r#"{"service":"common","method":"version","args":[]}"#;

async fn server() -> TestServer {
    TestServer::over(TestService::empty().await)
}

#[tokio::test]
async fn ids_come_back_as_they_went_in() {
    let server = server().await;
    let ids = [
        "1",
        "-3.50",
        "1e400",
        "18446744073709551616",
        r#""4a3b01f2""#,
        r#""\u00e9\ud83d\ude00""#,
        "null",
        "true",
        r#"{"a": [1, {"b": null}]}"#,
        "[ ]",
    ];
    for id in ids {
        let body = format!(r#"{{"id": {id}, "params": {VERSION}}}"#);
        let answer = server.send("POST", "/jsonrpc", &[("content-type", "application/json")], body).await;
        assert_eq!(answer.status, 200, "{id}");
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"server_version":"19.0","#);
        assert!(answer.body.starts_with(&wanted), "{id}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test]
async fn bodies_that_are_taken() {
    let server = server().await;
    let nested = format!(r#"{{"other": {}1{}, "params": {VERSION}}}"#, "[".repeat(5000), "]".repeat(5000));
    let bodies = [
        format!(r#"{{"params": {VERSION}}}"#),
        format!(r#"{{"jsonrpc": "1.0", "method": 5, "params": {VERSION}}}"#),
        format!(r#"{{"params": null, "par\u0061ms": {VERSION}}}"#),
        format!(" \n{{\"params\": {VERSION}}}\n "),
        r#"{"params": [["service", "common"], ["method", "version"], ["args", []]]}"#.to_owned(),
        nested,
    ];
    for body in bodies {
        for kind in ["application/json", "Application/JSON; charset=UTF-8", "application/json-rpc"] {
            for verb in ["POST", "PUT", "GET"] {
                let answer = server.send(verb, "/jsonrpc", &[("content-type", kind)], body.clone()).await;
                assert!(answer.body.contains(r#""id":null,"result""#), "{body:.80}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_requests() {
    let server = server().await;
    let deep = format!(r#"{{"params": {}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let cases = [
        (r#""str""#, "Invalid JSON-RPC data"),
        ("[1, 2]", "Invalid JSON-RPC data"),
        (" null", "Invalid JSON-RPC data"),
        ("7", "Invalid JSON-RPC data"),
        ("", "Invalid JSON data"),
        ("{bad", "Invalid JSON data"),
        ("{} {}", "Invalid JSON data"),
        ("\u{feff}{}", "Invalid JSON data"),
        (r#"{"params": {"args": "\ud800"}}"#, "Invalid JSON data"),
        (r#"{"params": {"args": 1e400}}"#, "Invalid JSON data"),
        (&deep, "Invalid JSON data"),
    ];
    for (body, wanted) in cases {
        let answer = server.send("POST", "/jsonrpc", &[("content-type", "application/json")], body.to_owned()).await;
        assert_eq!(answer.status, 400, "{body:.80}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.body.contains(wanted), "{body:.80}: {}", answer.body);
    }
    let answer = server
        .send("POST", "/jsonrpc", &[("content-type", "application/json")], b"{\"params\": \"\xff\"}".to_vec())
        .await;
    assert_eq!(answer.status, 400);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let answer = server.send("POST", "/jsonrpc", &[("content-type", kind)], "{}").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("accept")),
            (415, Some("application/json, application/json-rpc"))
        );
    }
    let large = vec![b' '; orest::limits::BODY_BYTES_MAX + 1];
    let answer = server.send("POST", "/jsonrpc", &[("content-type", "application/json")], large).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn parameters_that_do_not_fit() {
    let server = server().await;
    let object = |args: serde_json::Value| json!({"service": "object", "method": "execute_kw", "args": args});
    let cases = [
        json!(null),
        json!(5),
        json!("x"),
        json!(["common", "version", []]),
        json!({}),
        json!({"service": "common"}),
        json!({"service": ["x"], "method": "x", "args": []}),
        json!({"service": "common", "method": "version", "args": 5}),
        json!({"service": "common", "method": "login", "args": ["orest", "admin", "a\u{0}b"]}),
        json!({"service": "common", "method": "login", "args": ["no\nsuch", "admin", "admin"]}),
        json!({"service": "common", "method": "login", "args": ["orest", "admin", "admin", 1]}),
        object(json!([])),
        object(json!(["orest", null, "admin", "res.users", "search", []])),
        object(json!(["orest", [2], "admin", "res.users", "search", []])),
        object(json!(["orest", 2, 5, "res.users", "search", []])),
        object(json!(["orest", 2, "admin", null, "search", []])),
        object(json!(["orest", 2, "admin", "res.users", 5, []])),
        object(json!(["orest", 2, "admin", "res.users", "search", 5])),
        object(json!(["orest", 2, "admin", "res.users", "search", [], 5])),
        object(json!(["orest", 2, "admin", "res.users", "search", [], ["ab"]])),
    ];
    let mut transcript = String::new();
    for params in cases {
        let answer = server.call("/jsonrpc", &[], params.clone()).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        let error = &body["error"];
        transcript.push_str(&format!("> {params}\n< {} {}\n", error["code"], error["message"]));
        transcript.push_str(&format!("  {}: {}\n", error["data"]["name"], error["data"]["message"]));
        let names: Vec<&String> = error["data"].as_object().expect("data").keys().collect();
        assert_eq!(names, ["name", "message", "arguments", "context", "debug"]);
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn paths_are_put_right() {
    let server = server().await;
    for path in ["/jsonrpc", "/jsonrpc/", "//jsonrpc", "/jsonrpc?db=x", "//jsonrpc//?db=x"] {
        let answer = server.call(path, &[], json!({"service": "db", "method": "list", "args": []})).await;
        assert_eq!(answer.json()["result"], json!(["orest"]), "{path}");
    }
    let answer = server.send("GET", "/nope", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(answer.header("x-request-id").is_some());
}
