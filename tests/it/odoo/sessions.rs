//! Sessions by cookie.

use serde_json::json;

use crate::support::TestService;
use crate::support::http::TestServer;

async fn sign_in(server: &TestServer, login: &str, headers: &[(&str, &str)]) -> String {
    let params = json!({"db": "orest", "login": login, "password": login});
    let answer = server.call("/web/session/authenticate", headers, params).await;
    assert_eq!(answer.json()["result"]["uid"], json!(server.test.uid(login).0));
    answer.session()
}

async fn is_valid(server: &TestServer, session: &str) -> bool {
    let answer = server.call("/web/session/check", &[("cookie", session)], json!({})).await.json();
    match answer["error"]["code"].as_i64() {
        None => true,
        Some(100) => false,
        Some(other) => panic!("{other}: {answer}"),
    }
}

#[tokio::test]
async fn a_session_from_start_to_end() {
    let server = TestServer::over(TestService::empty().await);
    let first = sign_in(&server, "alice", &[]).await;
    assert!(is_valid(&server, &first).await);
    let second = sign_in(&server, "alice", &[("cookie", &first)]).await;
    assert_ne!(first, second);
    assert!(!is_valid(&server, &first).await, "the id changes when one signs in");
    assert!(is_valid(&server, &second).await);
    let wrong = json!({"db": "orest", "login": "alice", "password": "wrong"});
    let refused = server.call("/web/session/authenticate", &[("cookie", &second)], wrong).await;
    assert_eq!(refused.json()["error"]["data"]["name"], json!("odoo.exceptions.AccessDenied"));
    assert_eq!(refused.header("set-cookie"), None);
    assert!(is_valid(&server, &second).await, "a failure takes nothing away");
    let gone = server.call("/web/session/destroy", &[("cookie", &second)], json!({})).await;
    assert!(gone.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert!(!is_valid(&server, &second).await);
    let third = sign_in(&server, "alice", &[]).await;
    let out = server.send("GET", "/web/session/logout", &[("cookie", &third)], "").await;
    assert_eq!((out.status.as_u16(), out.header("location")), (303, Some("/web/login")));
    assert!(!is_valid(&server, &third).await);
    let fourth = sign_in(&server, "alice", &[]).await;
    server.test.clock.advance(orest::limits::SESSION_INACTIVITY);
    assert!(!is_valid(&server, &fourth).await);
}

#[tokio::test]
async fn what_the_cookie_and_the_session_say() {
    let server = TestServer::over(TestService::empty().await);
    let params = json!({"db": "orest", "login": "alice", "password": "alice"});
    let answer = server.call("/web/session/authenticate", &[], params).await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    let (id, rest) = cookie.split_once("; ").expect("has attributes");
    assert_eq!(id.len(), "session_id=".len() + 84);
    let mut info = answer.json()["result"].clone();
    info["partner_write_date"] = json!("(a moment)");
    insta::assert_snapshot!(format!("{rest}\n{info:#}"));
}

#[tokio::test]
async fn nobody_tries_passwords_for_ever() {
    let server = TestServer::over(TestService::empty().await);
    let wrong = json!({"db": "orest", "login": "alice", "password": "wrong"});
    for _ in 0..orest::limits::LOGIN_FAILURES_MAX {
        server.call("/web/session/authenticate", &[], wrong.clone()).await;
    }
    let right = json!({"db": "orest", "login": "alice", "password": "alice"});
    let refused = server.call("/web/session/authenticate", &[], right.clone()).await.json();
    let message = "Too many login failures, please wait a bit before trying again.";
    assert_eq!(refused["error"]["data"]["message"], json!(message));
    let other_door = json!({"service": "common", "method": "login", "args": ["orest", "alice", "alice"]});
    let refused = server.call("/jsonrpc", &[], other_door).await.json();
    assert_eq!(refused["error"]["data"]["message"], json!(message), "another door starts no new count");
    server.test.clock.advance(orest::limits::LOGIN_COOLDOWN);
    let answer = server.call("/web/session/authenticate", &[], right).await.json();
    assert_eq!(answer["result"]["username"], json!("alice"));
}

#[tokio::test]
async fn nobody_without_a_session() {
    let server = TestServer::over(TestService::empty().await);
    let routes = [
        "/web/session/get_session_info",
        "/web/session/check",
        "/web/session/modules",
        "/web/session/account",
        "/web/session/destroy",
        "/web/dataset/call_kw",
        "/web/dataset/call_kw/res.users/search",
        "/web/dataset/call_button",
        "/web/action/load",
        "/web/action/run",
    ];
    for path in routes {
        for cookie in ["session_id=", "session_id=short", "other=1", "session_id=\u{e9}"] {
            let answer = server.call(path, &[("cookie", cookie)], json!({})).await;
            assert_eq!(answer.status, 200);
            let error = &answer.json()["error"];
            assert_eq!((error["code"].as_i64(), error["message"].as_str()), (Some(100), Some("Odoo Session Expired")));
            assert_eq!(error["data"]["name"], json!("odoo.http.SessionExpiredException"));
        }
    }
}
