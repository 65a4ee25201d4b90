//! Gateway sessions through the router: how a browser gets one, what it is good for, and what ends it.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use orest::domain::selection::Selection;
use orest::service::devices::DeviceDescription;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;
use orest::store::StoreError;
use orest::store::records::{self, SqlValue};
use orest::transport::http::Settings;
use serde_json::{Value, json};

use crate::oauth::browser::{Answer, BASE, Browser, app, app_with, encode, send};
use crate::support::TestService;
use crate::support::database::Kind;

const START: &str = "/oauth2/start?rd=%2Fapp%3Fx%3D1";

async fn set_up() -> (TestService, Router) {
    let test = TestService::empty().await;
    let app = app(&test);
    (test, app)
}

async fn sign_in(browser: &mut Browser, login: &str) {
    let page = browser.get("/web/login?prompt=login").await;
    let answer = browser.submit(&page.body, "/web/login", &[("login", login), ("password", login)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
}

/// A browser with a gateway session.
async fn started(app: &Router, login: &str) -> Browser {
    let mut browser = Browser::new(app);
    sign_in(&mut browser, login).await;
    let answer = browser.get(START).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/app?x=1"), "{answer:?}");
    browser
}

/// What the proxy is told of a browser that sends it just the gateway's cookie.
async fn auth(browser: &Browser) -> Answer {
    let cookie = browser.cookies.get("orest_gateway").cloned().unwrap_or_default();
    ask(&browser.app, &[("cookie", &format!("orest_gateway={cookie}"))]).await
}

async fn ask(app: &Router, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().uri("/oauth2/auth");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(app, request.body(Body::empty()).unwrap()).await
}

fn authorization_of(answer: &Answer) -> i64 {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.header("x-orest-authorization").parse().unwrap()
}

async fn records(test: &TestService) -> Value {
    let fields = json!(["application_id", "user_id", "device_id", "grant_type", "scope", "state"]);
    let found =
        test.call("admin", "orest.authorization", "search_read", json!([[]]), json!({"fields": fields, "order": "id"}));
    found.await.unwrap()
}

async fn revoke(test: &TestService, login: &str, ids: &[i64]) {
    let receipt = test
        .service
        .revoke(&test.context(login), Selection::Ids(ids.to_vec()), RevokeOptions::default())
        .await
        .unwrap();
    assert_eq!(receipt.revoked, ids.len() as u64);
}

#[tokio::test]
async fn a_browser_signs_in_and_is_led_back() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let answer = browser.get(START).await;
    let login = format!("/web/login?{}", encode(&[("redirect", "/oauth2/start?rd=%2Fapp%3Fx%3D1")]));
    assert_eq!((answer.status.as_u16(), answer.location()), (303, login.as_str()));
    let page = browser.get(&login).await;
    let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!(answer.location(), START);
    let answer = browser.get(START).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/app?x=1"));
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("orest_gateway=orgs_") && cookie.contains("; Max-Age=604800; Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");

    let answer = auth(&browser).await;
    for (name, expect) in [
        ("x-auth-request-user", "alice"),
        ("x-auth-request-preferred-username", "alice"),
        ("x-auth-request-email", "alice@example.com"),
        ("x-auth-request-groups", "base.group_user"),
        ("x-orest-authorization", "1"),
        ("x-orest-client-id", "gateway"),
        ("x-orest-scope", ""),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), expect, "{name}");
    }
    assert_eq!(
        records(&test).await,
        json!([{
            "id": 1,
            "application_id": [3, "Gateway"],
            "user_id": [test.uid("alice").0, "Alice"],
            "device_id": [3, "Firefox on Linux"],
            "grant_type": "gateway",
            "scope": "",
            "state": "live",
        }])
    );
    // Being signed in here is not enough at the proxy.
    let session = format!("session_id={}", browser.cookies["session_id"]);
    assert_eq!(ask(&app, &[("cookie", &session)]).await.status, 401);
}

#[tokio::test]
async fn one_session_for_a_device() {
    let (test, app) = set_up().await;
    let mut browser = started(&app, "alice").await;
    let first = authorization_of(&auth(&browser).await);
    test.clock.advance(Duration::from_secs(3600));
    let cookie = browser.cookies["orest_gateway"].clone();
    browser.get(START).await;
    assert_ne!(browser.cookies["orest_gateway"], cookie);
    assert_eq!(authorization_of(&auth(&browser).await), first);
    let other = started(&app, "alice").await;
    assert_ne!(authorization_of(&auth(&other).await), first);
    let bob = started(&app, "bob").await;
    assert_eq!(auth(&bob).await.header("x-auth-request-user"), "bob");
    assert_eq!(records(&test).await.as_array().unwrap().len(), 3);
    // Another person at the same browser has one of his own.
    sign_in(&mut browser, "bob").await;
    browser.get(START).await;
    assert_eq!(auth(&browser).await.header("x-auth-request-user"), "bob");
    assert_eq!(records(&test).await.as_array().unwrap().len(), 4);
    // It ends, and the next one is had without a word.
    test.clock.advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(browser.get(START).await.location(), "/app?x=1");
    test.clock.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(auth(&other).await.status, 401);
    assert_eq!(auth(&browser).await.status, 200);
    test.clock.advance(Duration::from_secs(5 * 24 * 3600));
    assert_eq!(auth(&browser).await.status, 401, "a week after it was given");
}

#[tokio::test]
async fn its_token_is_good_nowhere_else() {
    let (test, app) = set_up().await;
    let browser = started(&app, "alice").await;
    let token = browser.cookies["orest_gateway"].clone();
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(&app, &[("authorization", &bearer)]).await.status, 401);
    // A node that holds no lease yet says nothing from memory.
    assert!(test.service.verify_in_memory(&token).is_none_or(|verdict| matches!(verdict, Err(Refusal::NotOurs(_)))));
    assert!(matches!(test.service.verify(&token).await.unwrap(), Err(Refusal::NotOurs(_))));
    let key = test.service.make_api_key(test.uid("olga"), "introspection", Some("rpc"), None).await.unwrap();
    let admin = format!("Bearer {}", key.reveal());
    let body = encode(&[("token", &token)]);
    let form = [("authorization", admin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(post(&app, "/oauth2/introspect", &form, &body).await.json(), json!({"active": false}));
    for path in ["/json/2/orest.authorization/search_count", "/client/v4/accounts/a/access/organizations/revoke_user"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        assert_eq!(post(&app, path, &headers, r#"{"domain": []}"#).await.status, 401, "{path}");
    }
    // Neither by RFC 7009 nor by refreshing can an application do anything with it.
    let application = &test.applications[0];
    test.service.revoke_token(application, &token, None).await.unwrap();
    assert!(test.service.refresh(application, &token, None, None).await.is_err());
    assert_eq!(auth(&browser).await.status, 200);

    // Nor is another token good as the cookie, or one that somebody made up.
    let tokens = test.authorize("alice", 0, None, true).await.unwrap();
    let renamed = tokens.access.reveal().replacen("orat_", "orgs_", 1);
    for cookie in [tokens.access.reveal(), tokens.refresh.as_ref().unwrap().reveal(), &renamed, "", "orgs_", "x=y"] {
        assert_eq!(ask(&app, &[("cookie", &format!("orest_gateway={cookie}"))]).await.status, 401, "{cookie}");
    }
    // One that is no longer good, from before the domain was set, does not hide one that is.
    let both = format!("orest_gateway=orgs_old; session_id=x; orest_gateway={token}");
    assert_eq!(ask(&app, &[("cookie", &both)]).await.status, 200);
    // What a caller shows is what counts.
    let cookie = format!("orest_gateway={token}");
    assert_eq!(ask(&app, &[("cookie", &cookie), ("authorization", "Bearer nonsense")]).await.status, 401);
    assert!(!format!("{:?}", test.service.verify_gateway_session(&token).await.unwrap()).contains(&token));
}

#[tokio::test]
async fn who_was_revoked_signs_in_anew() {
    let (test, app) = set_up().await;
    let mut browser = started(&app, "alice").await;
    let mut other = started(&app, "alice").await;
    let first = authorization_of(&auth(&browser).await);
    test.clock.advance(Duration::from_secs(60));
    revoke(&test, "olga", &[first]).await;
    assert_eq!(auth(&browser).await.status, 401);
    assert_eq!(auth(&other).await.status, 200, "another device's goes on");
    // Still signed in here, but that's from before: he is asked again, and until then nothing is given.
    let login = format!("/web/login?{}", encode(&[("prompt", "login"), ("redirect", START)]));
    for _ in 0..2 {
        assert_eq!(browser.get(START).await.location(), login);
    }
    assert_eq!(records(&test).await.as_array().unwrap().len(), 2);
    let page = browser.get(&login).await;
    assert!(page.body.contains("name=\"password\""));
    test.clock.advance(Duration::from_secs(60));
    let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!(answer.location(), START);
    assert_eq!(browser.get(START).await.location(), "/app?x=1");
    let second = authorization_of(&auth(&browser).await);
    assert_ne!(second, first);
    // An undo brings the same one back.
    revoke(&test, "olga", &[second]).await;
    assert_eq!(browser.get(START).await.location(), login);
    let acts = test.call("olga", "orest.revocation", "search", json!([[]]), json!({"limit": 1})).await.unwrap();
    test.call("olga", "orest.revocation", "action_undo", json!([acts]), json!({})).await.unwrap();
    assert_eq!(auth(&browser).await.status, 200);
    assert_eq!(browser.get(START).await.location(), "/app?x=1");
    // All that acts for him, and with it each device's.
    test.service
        .revoke(&test.context("alice"), Selection::Users(vec![test.uid("alice")]), RevokeOptions::default())
        .await
        .unwrap();
    for browser in [&mut browser, &mut other] {
        assert_eq!(auth(browser).await.status, 401);
        assert_eq!(browser.get(START).await.location(), login);
    }
}

#[tokio::test]
async fn whatever_ends_the_user_ends_it() {
    let (test, app) = set_up().await;
    let at = |answer: &Answer| (answer.status.as_u16(), answer.location().to_owned());
    let asked = (303, format!("/web/login?{}", encode(&[("redirect", START)])));
    // Each time somebody else's.
    let mut alice = started(&app, "alice").await;
    test.call("admin", "res.users", "action_disable", json!([[test.uid("alice").0]]), json!({})).await.unwrap();
    assert_eq!(auth(&alice).await.status, 401);
    assert_eq!(at(&alice.get(START).await), asked);

    let mut bob = started(&app, "bob").await;
    test.service.change_password(&test.context("admin"), test.uid("bob"), "another password").await.unwrap();
    assert_eq!(auth(&bob).await.status, 401);
    assert_eq!(at(&bob.get(START).await), asked);

    let mut olga = started(&app, "olga").await;
    let device = test
        .call("admin", "orest.device", "search", json!([[["user_id.login", "=", "olga"]]]), json!({}))
        .await
        .unwrap();
    test.call("admin", "orest.device", "action_revoke", json!([device]), json!({})).await.unwrap();
    assert_eq!(auth(&olga).await.status, 401);
    assert_eq!(at(&olga.get(START).await), asked);

    let mut erna = started(&app, "erna").await;
    let archive = async |active: bool| {
        let args = json!([[3], {"active": active}]);
        test.call("olga", "orest.application", "write", args, json!({})).await.unwrap();
    };
    archive(false).await;
    assert_eq!(auth(&erna).await.status, 401);
    let closed = erna.get(START).await;
    assert_eq!(closed.status, 403);
    assert!(closed.body.contains("The gateway is closed") && closed.body.contains("is archived"), "{}", closed.body);
    archive(true).await;
    assert_eq!(auth(&erna).await.status, 200, "archiving is lifted by the opposite");
    // As long as it has given anything it can't be deleted, as any other.
    let unlinked = test.call("olga", "orest.application", "unlink", json!([[3]]), json!({})).await;
    assert!(unlinked.unwrap_err().to_string().contains("archiving"));
}

#[tokio::test]
async fn the_application_is_like_any_other() {
    let (test, app) = set_up().await;
    let taken = test
        .call("olga", "orest.application", "create", json!([{"name": "x", "client_id": "gateway"}]), json!({}))
        .await;
    assert!(taken.unwrap_err().to_string().contains("comes with the service"));
    test.call("olga", "orest.application", "create", json!([{"name": "Gateway"}]), json!({})).await.unwrap();
    let mut browser = started(&app, "alice").await;
    let fields = json!(["name", "client_id", "is_public", "access_token_expiry"]);
    let read = async || test.call("olga", "orest.application", "read", json!([[4], fields]), json!({})).await.unwrap();
    let expect = json!([{"id": 4, "name": "Gateway (gateway)", "client_id": "gateway", "is_public": false, "access_token_expiry": 604800}]);
    assert_eq!(read().await, expect);
    // How long a session lasts is for the administrator to say.
    let args = json!([[4], {"access_token_expiry": 600, "name": "Front door"}]);
    test.call("olga", "orest.application", "write", args, json!({})).await.unwrap();
    let answer = browser.get(START).await;
    assert!(answer.header("set-cookie").contains("Max-Age=600;"), "{answer:?}");
    test.clock.advance(Duration::from_secs(600));
    assert_eq!(auth(&browser).await.status, 401);
    // Nobody comes as this client.
    for secret in ["", "gateway"] {
        assert!(test.service.application_by_secret("gateway", Some(secret)).await.is_err());
    }
    assert!(test.service.application_by_secret("gateway", None).await.is_err());
}

#[tokio::test]
async fn signing_out_ends_it() {
    let (test, app) = set_up().await;
    let mut browser = started(&app, "alice").await;
    let cookie = browser.cookies["orest_gateway"].clone();
    let page = browser.get("/web/login").await;
    let answer = browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
    assert_eq!(answer.location(), "/web/login");
    assert!(!browser.cookies.contains_key("orest_gateway") && !browser.cookies.contains_key("session_id"));
    assert_eq!(ask(&app, &[("cookie", &format!("orest_gateway={cookie}"))]).await.status, 401, "whoever copied it");
    let fields = json!(["channel", "user_login", "initiating_entity", "revoked"]);
    let acts =
        test.call("admin", "orest.revocation", "search_read", json!([[]]), json!({"fields": fields})).await.unwrap();
    let expect =
        json!([{"id": 1, "channel": "sign_out", "user_login": "alice", "initiating_entity": "user", "revoked": 1}]);
    assert_eq!(acts, expect);
    // Another site's page can't do that.
    let mut browser = started(&app, "bob").await;
    let answer = browser.post("/oauth2/sign-out", &[("csrf_token", "x")]).await;
    assert_eq!((answer.status.as_u16(), auth(&browser).await.status.as_u16()), (403, 200));
}

/// Who takes back what he revoked does not bring back the session of somebody who has signed out since.
#[tokio::test]
async fn who_has_signed_out_stays_so() {
    let (test, app) = set_up().await;
    let mut browser = started(&app, "alice").await;
    let cookie = browser.cookies["orest_gateway"].clone();
    let asked = async || ask(&app, &[("cookie", &format!("orest_gateway={cookie}"))]).await.status.as_u16();
    revoke(&test, "admin", &[1]).await;
    let page = browser.get("/web/login").await;
    browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
    let undone = test.call("admin", "orest.revocation", "action_undo", json!([[1]]), json!({})).await.unwrap();
    assert_eq!((&undone["revoked"], asked().await), (&json!(0), 401));
}

/// The session here ends a week after signing in, and the gateway session may have been renewed since.
#[tokio::test]
async fn signing_out_where_only_the_gateway_session_is_left() {
    let (_test, app) = set_up().await;
    for session in [None, Some("ended")] {
        let mut browser = started(&app, "alice").await;
        match session {
            Some(ended) => browser.cookies.insert("session_id".to_owned(), ended.to_owned()),
            None => browser.cookies.remove("session_id"),
        };
        let page = browser.get("/web/login").await;
        assert!(page.body.contains("name=\"password\""), "he may sign in anew");
        assert!(
            page.body.contains("still signed in at the gateway, as <strong>Alice</strong> (alice)."),
            "{}",
            page.body
        );
        let cookie = browser.cookies["orest_gateway"].clone();
        let answer = browser.post("/oauth2/sign-out", &[("csrf_token", "x")]).await;
        assert_eq!((answer.status.as_u16(), auth(&browser).await.status.as_u16()), (403, 200));
        let answer = browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"));
        assert!(!browser.cookies.contains_key("orest_gateway") && !browser.cookies.contains_key("session_id"));
        assert_eq!(ask(&app, &[("cookie", &format!("orest_gateway={cookie}"))]).await.status, 401);
        assert!(!browser.get("/web/login").await.body.contains("gateway"));
    }
}

/// Browsers send no cookies with it, but would do what the answer says of them.
#[tokio::test]
async fn another_site_s_form_takes_no_cookie_away() {
    let (_test, app) = set_up().await;
    let form = [("content-type", "application/x-www-form-urlencoded"), ("host", "auth.example.com")];
    for elsewhere in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let answer = post(&app, "/oauth2/sign-out", &[&form[..], &[elsewhere]].concat(), "").await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (403, ""), "{elsewhere:?}");
    }
    // One that says nothing of itself has nothing to lose here either.
    let answer = post(&app, "/oauth2/sign-out", &form, "").await;
    assert_eq!((answer.status.as_u16(), answer.location(), answer.header("set-cookie")), (303, "/web/login", ""));
}

/// Odoo's own ways out, and in.
#[tokio::test]
async fn the_ways_of_rpc_clients_end_it_too() {
    let (test, app) = set_up().await;
    let call = async |browser: &Browser, path: &str, params: Value| {
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let body = json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).to_string();
        post(&app, path, &[("content-type", "application/json"), ("cookie", &cookies)], &body).await
    };
    // The web session has a device, or none, or has ended.
    for session in ["its own", "without a device", "none"] {
        for path in ["/web/session/destroy", "/web/session/logout"] {
            let mut browser = started(&app, "alice").await;
            match session {
                "its own" => {}
                "none" => drop(browser.cookies.remove("session_id")),
                _ => {
                    let sid = test.service.open_session(test.sign_in("alice").await, None).await.unwrap();
                    browser.cookies.insert("session_id".to_owned(), sid.reveal().to_owned());
                }
            }
            let answer = match path {
                "/web/session/logout" => browser.clone().get(path).await,
                _ => call(&browser, path, json!({})).await,
            };
            let gone: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
            assert!(gone.iter().any(|line| line.starts_with("orest_gateway=;")), "{session} {path}: {gone:?}");
            assert_eq!(gone.iter().any(|line| line.starts_with("session_id=;")), session != "none", "{gone:?}");
            assert_eq!(auth(&browser).await.status, 401, "{session} {path}");
            if path == "/web/session/destroy" && session == "none" {
                assert_eq!(answer.json()["error"]["code"], 100, "who has no session is told so");
            }
        }
    }
    // Somebody else signs in at this browser, the same person again doesn't.
    let browser = started(&app, "alice").await;
    for (login, expect) in [("alice", 200), ("bob", 401)] {
        let mut without = browser.clone();
        without.cookies.remove("session_id");
        let params = json!({"db": "orest", "login": login, "password": login});
        let answer = call(&without, "/web/session/authenticate", params).await;
        assert_eq!(answer.json()["result"]["username"], login);
        assert_eq!(auth(&browser).await.status, expect, "{login}");
    }
}

/// Whatever else ends the web session, and whoever signs in after it: nobody goes on as somebody else.
#[tokio::test]
async fn it_ends_with_the_web_session_and_with_another_user() {
    let (_test, app) = set_up().await;
    let mut browser = started(&app, "alice").await;
    sign_in(&mut browser, "alice").await;
    assert_eq!(auth(&browser).await.status, 200, "signing in again is no reason to end it");
    browser.get("/web/session/logout").await;
    assert_eq!(auth(&browser).await.status, 401, "signed out by the link");

    for keeps_session in [true, false] {
        let mut browser = started(&app, "alice").await;
        let cookie = browser.cookies["orest_gateway"].clone();
        if !keeps_session {
            browser.cookies.remove("session_id");
        }
        sign_in(&mut browser, "bob").await;
        let answer = ask(&app, &[("cookie", &format!("orest_gateway={cookie}"))]).await;
        assert_eq!(answer.status, 401, "bob has signed in at alice's browser: {answer:?}");
        browser.get(START).await;
        assert_eq!(auth(&browser).await.header("x-auth-request-user"), "bob");
    }
}

/// A session that was opened over RPC has no device until it needs one.
#[tokio::test]
async fn a_session_without_a_device_gets_one() {
    let (test, app) = set_up().await;
    let sid = test.service.open_session(test.sign_in("alice").await, None).await.unwrap();
    let mut browser = Browser::new(&app);
    browser.cookies.insert("session_id".to_owned(), sid.reveal().to_owned());
    browser.get(START).await;
    let first = authorization_of(&auth(&browser).await);
    assert!(browser.cookies.contains_key("orest_device"));
    for _ in 0..2 {
        browser.get(START).await;
        assert_eq!(authorization_of(&auth(&browser).await), first);
    }
    let count = test.call("admin", "orest.device", "search_count", json!([[]]), json!({})).await.unwrap();
    assert_eq!(count, json!(3), "the fixture's two and this one");
}

/// What ends the web session in the moment in which a gateway session is asked for.
#[tokio::test]
async fn a_session_that_has_just_ended_gives_nothing() {
    let (test, _) = set_up().await;
    let description =
        || DeviceDescription { name: "any".into(), platform: "any".into(), browser: "any".into(), mobile: false };
    let sid = test.service.open_session(test.sign_in("alice").await, Some(test.devices[0])).await.unwrap();
    let session = test.service.session(sid.reveal()).await.unwrap().unwrap();
    test.service.open_gateway_session(&session, description(), None).await.unwrap();
    test.service.close_session(sid.reveal()).await.unwrap();
    let refused = test.service.open_gateway_session(&session, description(), None).await;
    assert!(matches!(refused, Err(orest::service::Error::Unauthenticated)), "{refused:?}");

    let sid = test.service.open_session(test.sign_in("alice").await, Some(test.devices[1])).await.unwrap();
    let session = test.service.session(sid.reveal()).await.unwrap().unwrap();
    set(&test, "orest_device", test.devices[1].0, "revoked_at", SqlValue::Timestamp(test.service.now())).await;
    assert!(test.service.open_gateway_session(&session, description(), None).await.is_err());
    let sid = test.service.open_session(test.sign_in("bob").await, None).await.unwrap();
    let session = test.service.session(sid.reveal()).await.unwrap().unwrap();
    set(&test, "res_users", test.uid("bob").0, "active", SqlValue::Bool(false)).await;
    assert!(test.service.open_gateway_session(&session, description(), None).await.is_err());
}

#[tokio::test]
async fn it_is_answered_from_memory() {
    let (test, app) = set_up().await;
    let browser = started(&app, "alice").await;
    assert_eq!(auth(&browser).await.status, 200);
    let cold = test.restart().await;
    let cold_app = crate::oauth::browser::app(&cold);
    test.database.leave();
    if Kind::of_this_run() == Kind::Sqlite {
        assert_eq!(auth(&browser).await.status, 200);
    }
    test.database_comes_back().await;
    // One that has read nothing yet must ask.
    let cookie = format!("orest_gateway={}", browser.cookies["orest_gateway"]);
    let answer = ask(&cold_app, &[("cookie", &cookie)]).await;
    assert_eq!(authorization_of(&answer), 1);
}

#[tokio::test]
async fn other_hosts_of_the_domain() {
    let test = TestService::empty().await;
    let settings = Settings { gateway_cookie_domain: Some("example.com".to_owned()), ..Settings::default() };
    let app = app_with(&test, settings);
    let mut browser = Browser::new(&app);
    let target = "https://app.example.com/a?x=1&y=2";
    let start = format!("/oauth2/start?{}", encode(&[("rd", target)]));
    for path in [start.as_str(), &format!("/oauth2/start?rd={target}")] {
        let answer = browser.get(path).await;
        assert_eq!(answer.location(), format!("/web/login?{}", encode(&[("redirect", &start)])));
        let page = browser.get(answer.location()).await;
        // Or Chromium would stop there without a word.
        assert!(page.header("content-security-policy").contains("form-action 'self' https:;"));
    }
    let page = browser.get("/web/login?redirect=%2Fa").await;
    assert!(page.header("content-security-policy").contains("form-action 'self';"));
    sign_in(&mut browser, "alice").await;
    browser.cookies.insert("orest_gateway".to_owned(), "from-before".to_owned());
    let answer = browser.get(&start).await;
    assert_eq!(answer.location(), target);
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(set[0].starts_with("orest_gateway=;") && !set[0].contains("Domain"), "{set:?}");
    assert!(set[1].starts_with("orest_gateway=orgs_") && set[1].contains("; Domain=example.com;"), "{set:?}");
    for bad in
        ["https://evil.example/", "//evil.example", "http://app.example.com/", "https://example.com.evil.example/"]
    {
        let answer = browser.get(&format!("/oauth2/start?{}", encode(&[("rd", bad)]))).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, ""), "{bad}");
    }
    let page = browser.get("/web/login").await;
    let answer = browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(set[0].starts_with("orest_gateway=;") && set[0].contains("; Domain=example.com;"), "{set:?}");
    // Without the setting only this host's.
    let alone = crate::oauth::browser::app(&test);
    let answer = send(&alone, Request::get(&start).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("--gateway-cookie-domain"), "{}", answer.body);
}

#[tokio::test]
async fn proxies_that_hand_our_answer_on() {
    let test = TestService::empty().await;
    let settings = Settings { gateway_cookie_domain: Some("example.com".to_owned()), ..Settings::default() };
    let app = app_with(&test, settings);
    let ask = async |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&app, request.body(Body::empty()).unwrap()).await
    };
    let asked = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-uri", "/a?x=1&y=2"),
    ];
    let answer = ask("/oauth2/auth?start=true", &asked).await;
    let expect = format!("{BASE}/oauth2/start?{}", encode(&[("rd", "https://app.example.com/a?x=1&y=2")]));
    assert_eq!((answer.status.as_u16(), answer.location()), (303, expect.as_str()));
    let with = |name: &str, value: &'static str| {
        let mut asked = asked;
        asked.iter_mut().find(|(own, _)| *own == name).unwrap().1 = value;
        asked
    };
    for (path, headers) in [
        ("/oauth2/auth", asked.to_vec()),
        ("/oauth2/auth?start=true", Vec::new()),
        // What was sent is not sent again.
        ("/oauth2/auth?start=true", with("x-forwarded-method", "POST").to_vec()),
        ("/oauth2/auth?start=true", with("x-forwarded-proto", "http").to_vec()),
        ("/oauth2/auth?start=true", with("x-forwarded-host", "evil.example").to_vec()),
        ("/oauth2/auth?start=true", with("x-forwarded-uri", "@evil.example/").to_vec()),
        // A program is no browser.
        ("/oauth2/auth?start=true", [&asked[..], &[("authorization", "Bearer x")]].concat()),
    ] {
        let answer = ask(path, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (401, ""), "{path} {headers:?}");
    }
}

async fn post(app: &Router, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Changes a column behind the service's back.
async fn set(test: &TestService, table: &'static str, id: i64, column: &'static str, value: SqlValue) {
    let done: Result<(), StoreError> =
        test.store.write(move |tx| records::update(tx.connection, table, &[id], &[(column, value)]).map(|_| ())).await;
    done.unwrap();
}
