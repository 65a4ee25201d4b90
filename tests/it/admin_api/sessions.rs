//! Sessions of administrators: who gets one, what it is good for, and what ends it.

use std::sync::Arc;
use std::time::Duration;

use orest::domain::application::Application;
use orest::domain::scope::Scope;
use orest::domain::secret::SecretHash;
use orest::limits;
use orest::service::issue::Consent;
use orest::store::records::{self, SqlValue};
use orest::store::{StoreError, applications, sessions};
use serde_json::{Value, json};

use super::{Admin, BASE, brief, call, login_with, refused, sign_in};
use crate::support::http::TestServer;

const INVALID: &str = "InvalidSession";

async fn profile(server: &TestServer, token: &str) -> (u16, Value) {
    brief(call(server, "GET", "/auth/profile", token, None).await)
}

#[tokio::test]
async fn by_password_and_by_key() {
    let server = TestServer::new().await;
    let key = server.test.service.make_api_key(server.test.uid("admin"), "k", Some("rpc"), None).await.unwrap();
    for (provider, body) in [
        ("local-userpass", json!({"username": "admin", "password": "admin"})),
        ("mongodb-cloud", json!({"username": "admin", "apiKey": key.reveal()})),
    ] {
        let answer = login_with(&server, provider, body).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let (status, tokens) = brief(answer);
        assert_eq!(status, 200, "{provider}: {tokens}");
        assert_eq!(tokens["user_id"], "000000000000000000000002");
        assert!(tokens["device_id"].as_str().is_some_and(|id| id.len() == 24));
        let expect = json!({
            "user_id": "000000000000000000000002",
            "identities": [],
            "data": {"email": "admin@example.com", "name": "Administrator"},
            "type": "normal",
            "roles": [{"group_id": super::GROUP, "role_name": "GROUP_OWNER"}],
        });
        assert_eq!(profile(&server, tokens["access_token"].as_str().unwrap()).await, (200, expect));
    }
    let olga = Admin::of(server, "olga").await;
    assert_eq!(olga.get("/auth/profile").await.1["roles"][0]["role_name"], "GROUP_READ_ONLY");
}

/// Anybody may send this, so it is not taken apart before it is known to be short.
#[tokio::test]
async fn nobody_signs_in_with_a_long_body() {
    let server = TestServer::new().await;
    for (length, expect) in [(limits::ADMIN_BODY_BYTES_MAX - 100, 200), (limits::ADMIN_BODY_BYTES_MAX, 413)] {
        let body = json!({"username": "admin", "password": "admin", "more": "x".repeat(length)});
        assert_eq!(login_with(&server, "local-userpass", body).await.status, expect, "{length}");
    }
}

/// A service that asks about the tokens that it is shown takes none of an administrator's sessions for one of its own.
#[tokio::test]
async fn nobody_else_is_told_of_one() {
    let server = TestServer::new().await;
    let (token, _) = sign_in(&server, "admin").await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask = async |who: &[(&str, &str)], body: &str| {
        let headers = [&form, who].concat();
        let answer = server.send("POST", "/oauth2/introspect", &headers, format!("token={token}{body}")).await;
        answer.json()["active"].clone()
    };
    let client_id = &server.test.applications[0].client_id;
    assert_eq!(ask(&[], &format!("&client_id={client_id}&client_secret=secret")).await, false);
    let key = server.test.service.make_api_key(server.test.uid("olga"), "k", Some("rpc"), None).await.unwrap();
    assert_eq!(ask(&[("authorization", &format!("Bearer {}", key.reveal()))], "").await, true, "but administrators");
}

#[tokio::test]
async fn who_gets_none() {
    let server = TestServer::new().await;
    let service = &server.test.service;
    let (admin, alice, olga) = (server.test.uid("admin"), server.test.uid("alice"), server.test.uid("olga"));
    let key = service.make_api_key(admin, "k", Some("rpc"), None).await.unwrap();
    let other_scope = service.make_api_key(admin, "k", Some("access:write"), None).await.unwrap();
    let of_alice = service.make_api_key(alice, "k", None, None).await.unwrap();
    let of_olga = service.make_api_key(olga, "k", None, None).await.unwrap();
    server.test.call("admin", "res.users", "write", json!([[olga.0], {"active": false}]), json!({})).await.unwrap();
    let petra = json!([{"name": "Petra", "login": "petra", "password": "petra", "state": "pending"}]);
    server.test.call("admin", "res.users", "create", petra, json!({})).await.unwrap();
    let cloud = |login: &str, key: &str| ("mongodb-cloud", json!({"username": login, "apiKey": key}));
    let local = |login: &str, password: &str| ("local-userpass", json!({"username": login, "password": password}));
    for ((provider, body), (status, code)) in [
        (local("admin", "wrong"), (401, "Unauthorized")),
        (local("nobody", "wrong"), (401, "Unauthorized")),
        (local("olga", "olga"), (401, "UserDisabled")),
        (local("olga", "wrong"), (401, "Unauthorized")),
        (local("petra", "petra"), (401, "Unauthorized")),
        (local("alice", "alice"), (403, "NotAuthorized")),
        (local("erna", "erna"), (403, "NotAuthorized")),
        (cloud("admin", "admin"), (401, "Unauthorized")),
        (cloud("admin", &"0".repeat(40)), (401, "Unauthorized")),
        (cloud("bob", key.reveal()), (401, "Unauthorized")),
        (cloud("admin", other_scope.reveal()), (401, "Unauthorized")),
        (cloud("alice", of_alice.reveal()), (403, "NotAuthorized")),
        (cloud("olga", of_olga.reveal()), (401, "UserDisabled")),
        (cloud("admin", of_olga.reveal()), (401, "Unauthorized")),
        (("oauth2-google", json!({})), (404, "AuthProviderNotFound")),
        (("local-userpass", json!({"username": "admin"})), (400, "MissingParameter")),
        (("local-userpass", json!({"username": "admin", "password": ""})), (400, "MissingParameter")),
        (("local-userpass", json!({"username": "admin", "password": 1})), (400, "InvalidParameter")),
        (("local-userpass", json!({"username": "ad\0min", "password": "x"})), (400, "InvalidParameter")),
        (("mongodb-cloud", json!({"apiKey": "x"})), (400, "MissingParameter")),
        (("mongodb-cloud", json!(["admin"])), (400, "MalformedJSON")),
    ] {
        let got = brief(login_with(&server, provider, body.clone()).await);
        assert_eq!(got, refused(status, code), "{provider} {body}");
    }
    let path = format!("{BASE}/auth/providers/local-userpass/login");
    assert_eq!(brief(server.send("POST", &path, &[], "{").await), refused(400, "MalformedJSON"));
    assert_eq!(brief(server.send("POST", &path, &[], "").await), refused(400, "MissingParameter"));
    assert_eq!(brief(server.send("GET", &path, &[], "").await), refused(405, "MethodNotAllowed"));
    assert_eq!(brief(server.send("GET", &format!("{BASE}/nowhere"), &[], "").await), refused(404, "NotFound"));
}

#[tokio::test]
async fn wrong_passwords_are_counted() {
    let server = TestServer::new().await;
    for _ in 0..10 {
        let answer = login_with(&server, "local-userpass", json!({"username": "admin", "password": "wrong"})).await;
        assert_eq!(brief(answer), refused(401, "Unauthorized"));
    }
    let answer = login_with(&server, "local-userpass", json!({"username": "admin", "password": "admin"})).await;
    assert!(answer.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait > 0)));
    assert_eq!(brief(answer), refused(429, "TooManyRequests"));
}

/// Why he is refused is told to who has shown the right password, and to nobody else: not by another door, nor by how often one
/// may try.
#[tokio::test]
async fn who_is_disabled_learns_it_by_the_right_password() {
    let server = TestServer::new().await;
    let bob = server.test.uid("bob");
    let active = async |active: bool| {
        server.test.call("admin", "res.users", "write", json!([[bob.0], {"active": active}]), json!({})).await.unwrap();
    };
    let try_it = async |password: &str| {
        brief(login_with(&server, "local-userpass", json!({"username": "bob", "password": password})).await)
    };
    assert_eq!(try_it("bob").await, refused(403, "NotAuthorized"), "right, and remembered as such from here on");
    active(false).await;
    for index in 0..limits::LOGIN_FAILURES_MAX {
        match index % 3 {
            0 => assert_eq!(try_it("bob").await, refused(401, "UserDisabled")),
            1 => assert_eq!(try_it("wrong").await, refused(401, "Unauthorized")),
            _ => {
                let from = Some([192, 0, 2, 7].into());
                let by_login = server.test.service.user_by_password("bob", "bob", from).await.unwrap();
                assert!(by_login.is_none(), "the other doors say no more than before");
            }
        }
    }
    assert_eq!(try_it("bob").await, refused(429, "TooManyRequests"));
    server.test.clock.advance(limits::LOGIN_COOLDOWN);
    assert_eq!(try_it("bob").await, refused(401, "UserDisabled"));
    active(true).await;
    assert_eq!(try_it("bob").await, refused(403, "NotAuthorized"));
}

#[tokio::test]
async fn an_access_token_lives_half_an_hour_and_is_renewed() {
    let admin = Admin::new().await;
    let (server, clock) = (&admin.server, &admin.test().clock);
    let renew = async |token: &str| brief(call(server, "POST", "/auth/session", token, None).await);
    clock.advance(Duration::from_secs(30 * 60 - 1));
    assert_eq!(profile(server, &admin.access).await.0, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(profile(server, &admin.access).await, refused(401, INVALID));
    for _ in 0..2 {
        let (status, renewed) = renew(&admin.refresh).await;
        assert_eq!(status, 201, "the same refresh token, again and again");
        let members: Vec<_> = renewed.as_object().unwrap().keys().collect();
        assert_eq!(members, ["access_token"]);
        let access = renewed["access_token"].as_str().unwrap();
        assert_eq!(profile(server, access).await.0, 200);
        assert_eq!(renew(access).await, refused(401, INVALID), "an access token renews nothing");
    }
    assert_eq!(profile(server, &admin.refresh).await, refused(401, INVALID), "a refresh token calls nothing");
    clock.advance(Duration::from_secs(60 * 24 * 3600 - 30 * 60 - 60));
    let (status, last) = renew(&admin.refresh).await;
    assert_eq!(status, 201);
    clock.advance(Duration::from_secs(60));
    assert_eq!(renew(&admin.refresh).await, refused(401, INVALID), "sixty days are over");
    let access = last["access_token"].as_str().unwrap();
    assert_eq!(profile(server, access).await, refused(401, INVALID), "and it leaves no token behind");
}

#[tokio::test]
async fn no_token_and_wrong_ones() {
    let server = TestServer::new().await;
    let path = format!("{BASE}/auth/profile");
    let answer = server.send("GET", &path, &[], "").await;
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(brief(answer), refused(401, INVALID));
    let key = server.test.service.make_api_key(server.test.uid("admin"), "k", None, None).await.unwrap();
    let tokens = server.test.authorize("admin", 0, None, true).await.unwrap();
    for token in ["", "x", key.reveal(), tokens.access.reveal(), tokens.refresh.unwrap().reveal()] {
        for (method, path) in [("GET", "/auth/profile"), ("POST", "/auth/session"), ("DELETE", "/auth/session")] {
            let got = brief(call(&server, method, path, token, None).await);
            assert_eq!(got, refused(401, INVALID), "{method} {path} with {token:.5}");
        }
    }
    let again = server.test.service.verify(tokens.access.reveal()).await.unwrap();
    assert!(again.is_ok(), "nobody's session was ended by it");
}

/// The application "Admin API" is a record that others may edit; consent to it gives no session.
#[tokio::test]
async fn consent_gives_no_session() {
    let admin = Admin::new().await;
    let test = admin.test();
    let application = test.service.client("admin-api").await.unwrap().unwrap();
    let (id, now) = (application.id, test.service.now());
    let uri = "https://evil.example/callback";
    let done: Result<(), StoreError> = test
        .store
        .write(move |tx| {
            applications::set_secret(tx.connection, id, Some(&SecretHash::of("known")))?;
            let columns = [
                ("application_id", SqlValue::Integer(id.0)),
                ("uri", SqlValue::Text(uri.to_owned())),
                ("create_date", SqlValue::Timestamp(now)),
                ("write_date", SqlValue::Timestamp(now)),
            ];
            records::insert(tx.connection, "orest_application_uri", &columns).map(|_| ())
        })
        .await;
    done.unwrap();
    let application = Arc::new(Application { secret_hash: Some(SecretHash::of("known")), ..(*application).clone() });
    let consent = Consent {
        application: Arc::clone(&application),
        redirect_uri: uri.to_owned(),
        redirect_uri_sent: true,
        scope: Scope::default(),
        challenge: None,
        device: None,
        session: None,
    };
    let code = test.service.consent(&test.context("admin"), consent).await.unwrap();
    let tokens = test.service.exchange_code(&application, code.reveal(), Some(uri), None, None).await.unwrap();
    assert!(test.service.verify(tokens.access.reveal()).await.unwrap().is_ok());
    assert_eq!(profile(&admin.server, tokens.access.reveal()).await, refused(401, INVALID));
    assert_eq!(json2(&admin.server, tokens.access.reveal()).await, 401);
}

#[tokio::test]
async fn signing_out_is_an_act() {
    for by_refresh_token in [true, false] {
        let admin = Admin::new().await;
        let other = sign_in(&admin.server, "admin").await.0;
        let token = if by_refresh_token { &admin.refresh } else { &admin.access };
        let out = brief(call(&admin.server, "DELETE", "/auth/session", token, None).await);
        assert_eq!(out, (204, Value::Null));
        for token in [&admin.access, &admin.refresh] {
            let again = brief(call(&admin.server, "DELETE", "/auth/session", token, None).await);
            assert_eq!(again, refused(401, INVALID));
        }
        assert_eq!(profile(&admin.server, &admin.access).await, refused(401, INVALID));
        assert_eq!(profile(&admin.server, &other).await.0, 200, "his other session goes on");
        let fields = json!(["channel", "user_id", "initiating_entity", "reason_user", "revoked"]);
        let acts =
            admin.test().call("admin", "orest.revocation", "search_read", json!([[], fields]), json!({"limit": 1}));
        let expect = json!([{"id": 3, "channel": "sign_out", "user_id": [2, "Administrator"], "initiating_entity": "user",
                             "reason_user": "the administrator signed out", "revoked": 1}]);
        assert_eq!(acts.await.unwrap(), expect);
    }
}

#[tokio::test]
async fn a_session_is_an_authorization() {
    let admin = Admin::new().await;
    sign_in(&admin.server, "admin").await;
    let of_sessions =
        json!([[["grant_type", "=", "password"]], ["application_id", "user_id", "device_id", "state", "scope"]]);
    let kwargs = json!({"order": "id"});
    let rows = admin.test().call("admin", "orest.authorization", "search_read", of_sessions, kwargs).await.unwrap();
    let expect = |id: i64| {
        json!({"id": id, "application_id": [3, "Admin API"], "user_id": [2, "Administrator"],
                                  "device_id": [3, "Unknown device"], "state": "live", "scope": ""})
    };
    assert_eq!(rows, json!([expect(8), expect(9)]), "one device, however often he signs in from it");
}

#[tokio::test]
async fn what_ends_it() {
    let reads = |model: &'static str, method: &'static str, args: Value| (model, method, args);
    for (model, method, args) in [
        reads("orest.authorization", "action_revoke_tokens", json!([[8]])),
        reads("orest.authorization", "unlink", json!([[8]])),
        reads("orest.device", "action_revoke", json!([[3]])),
        reads("res.users", "action_revoke_all_sessions", json!([[5]])),
        reads("res.users", "write", json!([[5], {"password": "another"}])),
        reads("res.users", "write", json!([[5], {"active": false}])),
        reads("res.users", "action_disable", json!([[5]])),
        reads("res.users", "unlink", json!([[5]])),
        reads("orest.application", "action_archive", json!([[3]])),
    ] {
        let olga = Admin::of(TestServer::new().await, "olga").await;
        assert_eq!(olga.get("/auth/profile").await.0, 200);
        olga.test().call("admin", model, method, args, json!({})).await.unwrap();
        assert_eq!(olga.get("/auth/profile").await, refused(401, INVALID), "{model}.{method}");
        let renewed = brief(call(&olga.server, "POST", "/auth/session", &olga.refresh, None).await);
        assert_eq!(renewed, refused(401, INVALID), "{model}.{method}");
        let again = olga.test().restart().await;
        assert!(
            again.service.admin_session(&olga.access).await.unwrap().is_none(),
            "{model}.{method}, after a restart"
        );
    }
}

#[tokio::test]
async fn rights_are_those_of_now() {
    let olga = Admin::of(TestServer::new().await, "olga").await;
    assert_eq!(olga.get("/apps").await.0, 200);
    let less = json!([[5], {"group_ids": [[6, 0, [1]]]}]);
    olga.test().call("admin", "res.users", "write", less, json!({})).await.unwrap();
    assert_eq!(olga.get("/apps").await, refused(403, "NotAuthorized"));
    assert_eq!(olga.get(&super::app(1)).await, refused(403, "NotAuthorized"));
}

#[tokio::test]
async fn an_archived_application_lets_nobody_in() {
    let server = TestServer::new().await;
    sign_in(&server, "admin").await;
    server.test.call("admin", "orest.application", "action_archive", json!([[3]]), json!({})).await.unwrap();
    let answer = login_with(&server, "local-userpass", json!({"username": "admin", "password": "admin"})).await;
    assert_eq!(brief(answer), refused(403, "NotAuthorized"));
    server.test.call("admin", "orest.application", "action_unarchive", json!([[3]]), json!({})).await.unwrap();
    sign_in(&server, "admin").await;
}

/// Whoever calls an application as we call our own gets another name for ours, and nothing else.
#[tokio::test]
async fn its_name_may_be_taken() {
    let server = TestServer::new().await;
    let given = json!([{"name": "Admin API"}]);
    server.test.call("admin", "orest.application", "create", given, json!({})).await.unwrap();
    sign_in(&server, "admin").await;
    let names = json!([
        [["client_id", "=", "admin-api"]],
        ["name", "is_public", "access_token_expiry", "refresh_token_expiry"]
    ]);
    let found = server.test.call("admin", "orest.application", "search_read", names, json!({})).await.unwrap();
    let expect = json!([{"id": 4, "name": "Admin API (admin-api)", "is_public": false, "access_token_expiry": 1800,
                         "refresh_token_expiry": 5_184_000}]);
    assert_eq!(found, expect);
}

/// Nobody has its secret, so nobody passes for it at the OAuth endpoints.
#[tokio::test]
async fn no_client_passes_for_it() {
    let admin = Admin::new().await;
    let form = format!("grant_type=refresh_token&client_id=admin-api&refresh_token={}", admin.refresh);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = admin.server.send("POST", "/oauth2/token", &headers, form).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"].clone()), (401, json!("invalid_client")));
    assert_eq!(admin.get("/auth/profile").await.0, 200);
}

/// A key that was removed between showing it and signing in.
#[tokio::test]
async fn a_key_must_still_be_there() {
    let server = TestServer::new().await;
    let service = &server.test.service;
    let key = service.make_api_key(server.test.uid("admin"), "k", Some("rpc"), None).await.unwrap();
    let signed_in = service.user_by_own_api_key("admin", key.reveal()).await.unwrap().unwrap();
    let admin = server.test.uid("admin");
    let removed: Result<usize, StoreError> =
        server.test.store.write(move |tx| sessions::delete_other_api_keys_of(tx.connection, admin)).await;
    assert_eq!(removed.unwrap(), 1);
    let description = orest::service::devices::DeviceDescription {
        name: "x".to_owned(),
        platform: "x".to_owned(),
        browser: "x".to_owned(),
        mobile: false,
    };
    let refused = service.open_admin_session(signed_in, description, None).await;
    assert!(matches!(refused, Err(orest::service::Error::Unauthenticated)), "{refused:?}");
}

/// What a key has opened is good no longer than the key.
#[tokio::test]
async fn a_session_ends_with_its_key() {
    let server = TestServer::new().await;
    let (service, admin) = (&server.test.service, server.test.uid("admin"));
    let hour = Duration::from_secs(3_600);
    for removed in [false, true] {
        let end = service.now() + hour;
        let key = service.make_api_key(admin, "k", Some("rpc"), Some(end)).await.unwrap();
        let body = json!({"username": "admin", "apiKey": key.reveal()});
        let (status, tokens) = brief(login_with(&server, "mongodb-cloud", body).await);
        assert_eq!(status, 200, "{tokens}");
        let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
        assert_eq!((profile(&server, access).await.0, forward_auth(&server, access).await), (200, 401));
        if removed {
            let hash = key.hash();
            let row = server.test.store.read(move |connection| sessions::find_api_key(connection, &hash)).await;
            let row: Result<_, StoreError> = row;
            service.remove_api_keys(&server.test.context("admin"), vec![row.unwrap().unwrap().id]).await.unwrap();
        } else {
            server.test.clock.advance(hour);
        }
        assert_eq!(profile(&server, access).await, refused(401, INVALID), "removed: {removed}");
        assert_eq!(brief(call(&server, "POST", "/auth/session", refresh, None).await), refused(401, INVALID));
    }
}

/// What a reverse proxy is told of a bearer.
async fn forward_auth(server: &TestServer, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    server.send("GET", "/oauth2/auth", &[("authorization", &bearer)], "").await.status.as_u16()
}

async fn json2(server: &TestServer, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let path = "/json/2/res.users/search_count";
    server.post(path, &[("authorization", &bearer)], &json!({"domain": []})).await.status.as_u16()
}

async fn rpc(server: &TestServer, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "orest_preview", "params": {"selection": {"ids": [2]}}});
    server.post("/rpc", &[("authorization", &bearer)], &call).await.status.as_u16()
}

#[tokio::test]
async fn its_access_tokens_stand_for_keys_and_no_others_do() {
    let admin = Admin::new().await;
    let server = &admin.server;
    let tokens = server.test.authorize("admin", 0, None, true).await.unwrap();
    for (token, expect) in
        [(admin.access.as_str(), 200), (&admin.refresh, 401), (tokens.access.reveal(), 401), ("orat_x", 401)]
    {
        assert_eq!((json2(server, token).await, rpc(server, token).await), (expect, expect), "{token:.8}");
    }
    server.test.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!((json2(server, &admin.access).await, rpc(server, &admin.access).await), (401, 401));
}
