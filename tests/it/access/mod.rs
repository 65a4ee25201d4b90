//! Cloudflare's `revoke_user` through the router: what is revoked, what goes on, and who is refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use orest::domain::ids::{DeviceId, UserId};
use orest::domain::scope::Scope;
use orest::limits;
use orest::service::Error;
use orest::service::access::{AccessError, AccessRevocation};
use orest::service::issue::{Consent, GrantError};
use orest::service::verify::Refusal;
use orest::store::StoreError;
use orest::store::records::{self, SqlValue};
use orest::transport::http::Settings;
use serde_json::{Value, json};

use crate::oauth::browser::{Answer, Browser, app_with, send};
use crate::support::TestService;

const OF_ACCOUNT: &str = "/client/v4/accounts/acc1/access/organizations/revoke_user";
const OF_ZONE: &str = "/client/v4/zones/zone1/access/organizations/revoke_user";

struct Door {
    test: TestService,
    app: Router,
    /// Of Olga, who may.
    key: String,
}

impl Door {
    async fn new() -> Self {
        Self::over(TestService::new().await).await
    }

    async fn over(test: TestService) -> Self {
        let settings = Settings {
            access_accounts: vec!["acc1".to_owned(), "acc2".to_owned()],
            access_zones: vec!["zone1".to_owned()],
            ..Settings::default()
        };
        let app = app_with(&test, settings);
        let key = key(&test, "olga", Some("access:write")).await;
        Self { test, app, key }
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.app, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn ask(&self, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(OF_ACCOUNT, &headers, &body.to_string()).await
    }

    /// The `result` of a call that succeeds.
    async fn revoke(&self, body: &Value) -> bool {
        let answer = self.ask(body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        result(&answer)
    }

    async fn refusal_of(&self, token: &str) -> Option<Refusal> {
        self.test.service.verify(token).await.unwrap().err()
    }

    async fn acts(&self) -> Value {
        let fields =
            json!(["channel", "user_login", "requested", "revoked", "already_revoked", "reason_admin", "selection"]);
        let acts = self.test.call("admin", "orest.revocation", "search_read", json!([[]]), json!({"fields": fields}));
        acts.await.unwrap()
    }
}

async fn key(test: &TestService, login: &str, scope: Option<&str>) -> String {
    test.service.make_api_key(test.uid(login), "security tool", scope, None).await.unwrap().reveal().to_owned()
}

fn result(answer: &Answer) -> bool {
    let body = answer.json();
    assert_eq!((&body["success"], &body["errors"], &body["messages"]), (&json!(true), &json!([]), &json!([])));
    body["result"].as_bool().unwrap()
}

/// Status and code of a refusal, whose envelope is whole.
fn refused(answer: &Answer) -> (u16, u64) {
    let body = answer.json();
    assert_eq!((&body["success"], &body["result"], &body["messages"]), (&json!(false), &json!(null), &json!([])));
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty());
    (answer.status.as_u16(), body["errors"][0]["code"].as_u64().unwrap())
}

fn alice() -> Value {
    json!({"email": "alice@example.com"})
}

#[tokio::test]
async fn all_tokens_of_a_user_are_revoked_in_one_act() {
    let door = Door::new().await;
    let [mail, report] = [0, 1];
    let first = door.test.authorize("alice", mail, Some(door.test.devices[0]), true).await.unwrap();
    let second = door.test.authorize("alice", report, None, true).await.unwrap();
    let bobs = door.test.authorize("bob", mail, None, true).await.unwrap();
    let before = door.acts().await.as_array().unwrap().len();

    assert!(door.revoke(&json!({"email": "ALICE@Example.com", "reason": "phished"})).await);
    for tokens in [&first, &second] {
        assert_eq!(door.refusal_of(tokens.access.reveal()).await, Some(Refusal::Revoked));
        assert_eq!(door.refusal_of(tokens.refresh.as_ref().unwrap().reveal()).await, Some(Refusal::Revoked));
    }
    assert_eq!(door.refusal_of(bobs.access.reveal()).await, None, "others go on");
    let acts = door.acts().await;
    assert_eq!(acts.as_array().unwrap().len(), before + 1);
    let mut newest = acts[0].clone();
    newest.as_object_mut().unwrap().remove("id");
    assert_eq!(
        newest,
        json!({
            "channel": "access_api",
            "user_login": "olga",
            "requested": 5,
            "revoked": 4,
            "already_revoked": 1,
            "reason_admin": "phished",
            "selection": "user 3, without gateway sessions",
        })
    );
    // An administrator's act, which he can take back.
    let id = acts[0]["id"].as_i64().unwrap();
    door.test.call("olga", "orest.revocation", "action_undo", json!([[id]]), json!({})).await.unwrap();
    assert_eq!(door.refusal_of(first.access.reveal()).await, None);
    assert!(door.revoke(&alice()).await);
    assert_eq!(door.refusal_of(first.access.reveal()).await, Some(Refusal::Revoked));
    assert!(!door.revoke(&alice()).await, "there is nothing left");
    // He may let applications in again.
    let again = door.test.authorize("alice", mail, Some(door.test.devices[0]), true).await.unwrap();
    assert_eq!(door.refusal_of(again.access.reveal()).await, None);
}

#[tokio::test]
async fn by_account_or_zone_by_token_or_pair() {
    let door = Door::new().await;
    let all = key(&door.test, "olga", None).await;
    let scoped = format!("Bearer {}", door.key);
    let body = alice().to_string();
    for (path, headers) in [
        (OF_ACCOUNT, vec![("authorization", scoped.as_str())]),
        ("/client/v4/accounts/acc2/access/organizations/revoke_user/", vec![("authorization", &scoped)]),
        (OF_ZONE, vec![("authorization", &scoped)]),
        (OF_ZONE, vec![("x-auth-email", "olga@example.com"), ("x-auth-key", &all)]),
        (OF_ACCOUNT, vec![("x-auth-email", "Olga@EXAMPLE.com"), ("x-auth-key", &all)]),
        (OF_ACCOUNT, vec![("authorization", &scoped), ("x-auth-email", "nobody@example.com"), ("x-auth-key", "-")]),
    ] {
        door.test.authorize("alice", 0, None, true).await;
        let mut headers = headers;
        headers.push(("content-type", "application/json; charset=utf-8"));
        let answer = door.send(path, &headers, &body).await;
        assert_eq!(answer.status, 200, "{path} {headers:?}: {answer:?}");
        assert!(result(&answer), "{path}");
    }
}

#[tokio::test]
async fn who_is_refused() {
    let door = Door::new().await;
    let tokens = door.test.authorize("alice", 0, None, true).await.unwrap();
    let [all, rpc] = [key(&door.test, "olga", None).await, key(&door.test, "olga", Some("rpc")).await];
    let [alices, ernas] = [key(&door.test, "alice", None).await, key(&door.test, "erna", Some("access:write")).await];
    let bearer = |key: &str| format!("Bearer {key}");
    let (wrong, rpc_bearer, alices_bearer, ernas_bearer) =
        (bearer(&"0".repeat(40)), bearer(&rpc), bearer(&alices), bearer(&ernas));
    let (token, basic) = (bearer(tokens.access.reveal()), format!("Basic {}", door.key));
    let body = alice().to_string();
    for (headers, expect) in [
        (vec![], (401, 10000)),
        (vec![("authorization", wrong.as_str())], (401, 10000)),
        (vec![("authorization", "Bearer")], (401, 10000)),
        (vec![("authorization", &basic)], (401, 10000)),
        // A token of an application is no API key, whatever its user may do.
        (vec![("authorization", &token)], (401, 10000)),
        (vec![("x-auth-email", "olga@example.com"), ("x-auth-key", &"0".repeat(40))], (401, 10000)),
        (vec![("x-auth-email", "admin@example.com"), ("x-auth-key", &all)], (401, 10000)),
        (vec![("x-auth-email", ""), ("x-auth-key", &all)], (401, 10000)),
        (vec![("x-auth-key", &all)], (401, 10000)),
        (vec![("authorization", &rpc_bearer)], (403, 9109)),
        (vec![("authorization", &alices_bearer)], (403, 9109)),
        (vec![("authorization", &ernas_bearer)], (403, 9109)),
        (vec![("x-auth-email", "olga@example.com"), ("x-auth-key", &door.key)], (403, 9109)),
    ] {
        // Who may not is not told either which accounts there are.
        for path in [OF_ACCOUNT, OF_ZONE, "/client/v4/accounts/other/access/organizations/revoke_user"] {
            let answer = door.send(path, &headers, &body).await;
            assert_eq!(refused(&answer), expect, "{path} {headers:?}");
            assert_eq!(answer.header("www-authenticate").is_empty(), expect.0 != 401);
        }
    }
    assert_eq!(door.refusal_of(tokens.access.reveal()).await, None, "nothing was revoked");

    // The rights are the service's, not the door's.
    let wanted = AccessRevocation { email: "alice@example.com".to_owned(), ..AccessRevocation::default() };
    for login in ["alice", "erna", "portia"] {
        let refused = door.test.service.revoke_user_access(&door.test.context(login), wanted.clone()).await;
        assert!(matches!(refused, Err(AccessError::Service(Error::Forbidden(_)))), "{login}: {refused:?}");
    }
    // A key dies with its user.
    door.test
        .call("admin", "res.users", "action_disable", json!([[door.test.uid("olga").0]]), json!({}))
        .await
        .unwrap();
    assert_eq!(refused(&door.ask(&alice()).await), (401, 10000));
}

#[tokio::test]
async fn what_is_refused() {
    let door = Door::new().await;
    let bearer = format!("Bearer {}", door.key);
    let json_headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = alice().to_string();
    for path in [
        "/client/v4/accounts/other/access/organizations/revoke_user",
        "/client/v4/accounts/zone1/access/organizations/revoke_user",
        "/client/v4/zones/acc1/access/organizations/revoke_user",
        "/client/v4/accounts/%FF/access/organizations/revoke_user",
        "/client/v4/users/acc1/access/organizations/revoke_user",
        "/client/v4/accounts/acc1/access/organizations",
        "/client/v4/accounts/acc1",
        "/client/v4/user/tokens/verify",
    ] {
        assert_eq!(refused(&door.send(path, &json_headers, &body).await), (404, 7003), "{path}");
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = Request::builder().method(method).uri(OF_ACCOUNT).header(header::AUTHORIZATION, &bearer);
        let answer = send(&door.app, request.body(Body::empty()).unwrap()).await;
        assert_eq!((refused(&answer), answer.header("allow")), ((405, 10405), "POST"));
    }
    let form = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(refused(&door.send(OF_ACCOUNT, &form, &body).await), (415, 10415));
    let long = json!({"email": "alice@example.com", "reason": "x".repeat(70_000)}).to_string();
    assert_eq!(refused(&door.send(OF_ACCOUNT, &json_headers, &long).await), (413, 10413));
    for body in [
        json!({}),
        json!([]),
        json!({"email": ""}),
        json!({"email": "alice"}),
        json!({"email": "alice@example.com", "devices": "yes"}),
        json!({"email": "alice@example.com", "user_uid": "3"}),
        json!({"email": "alice@example.com", "reason": "x".repeat(1_001)}),
    ] {
        assert_eq!(refused(&door.ask(&body).await), (400, 12130), "{body}");
    }
    assert_eq!(refused(&door.send(OF_ACCOUNT, &json_headers, "{").await), (400, 12130));
    let devices = format!("{OF_ACCOUNT}?devices=maybe");
    assert_eq!(refused(&door.send(&devices, &json_headers, &body).await), (400, 12130));
    for email in ["nobody@example.com", "alice@example.com.evil", "%@example.com", "ALICE@EXAMPLE.COM'--"] {
        assert_eq!(refused(&door.ask(&json!({"email": email})).await), (404, 12135), "{email}");
    }
    assert!(door.revoke(&alice()).await, "nothing was revoked before");
}

#[tokio::test]
async fn a_revoked_device_refreshes_nothing_until_its_user_signs_in_there() {
    for in_query in [true, false] {
        let door = Door::new().await;
        let mut browser = Browser::new(&door.app);
        browser.open("/web/login", "alice").await;
        sign_in(&mut browser, "alice").await;
        let device = newest_device(&door.test).await;
        let sid = browser.cookies["session_id"].clone();
        let [path, other] = [format!("{OF_ACCOUNT}?devices={in_query}"), OF_ACCOUNT.to_owned()];
        let bearer = format!("Bearer {}", door.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = json!({"email": "alice@example.com", "devices": !in_query}).to_string();
        assert!(result(&door.send(&path, &headers, &body).await));
        assert!(!result(&door.send(&other, &headers, &body).await), "once");
        assert!(door.test.service.device_revoked(device).await.unwrap());
        assert!(door.test.service.session(&sid).await.unwrap().is_none());
        // Nothing new comes from there either.
        let refused = consent(&door.test, device).await;
        assert!(matches!(refused, Err(GrantError::Service(Error::Unauthenticated))), "{refused:?}");
        sign_in(&mut browser, "alice").await;
        assert!(!door.test.service.device_revoked(device).await.unwrap(), "registered anew");
        consent(&door.test, device).await.unwrap();
    }
}

/// What was granted from a device and is not revoked with it: made in the moment between, or restored by an undo.
#[tokio::test]
async fn the_refresh_of_a_revoked_device_is_refused() {
    let door = Door::new().await;
    let device = door.test.devices[0];
    let tokens = door.test.authorize("alice", 0, Some(device), true).await.unwrap();
    assert!(door.revoke(&json!({"email": "alice@example.com", "devices": true})).await);
    let act = door.acts().await[0]["id"].as_i64().unwrap();
    door.test.call("olga", "orest.revocation", "action_undo", json!([[act]]), json!({})).await.unwrap();
    assert_eq!(door.refusal_of(tokens.access.reveal()).await, None);
    assert_eq!(door.refusal_of(tokens.refresh.unwrap().reveal()).await, Some(Refusal::Device));
}

#[tokio::test]
async fn gateway_sessions_go_on_unless_asked_for() {
    let door = Door::new().await;
    let mut browser = Browser::new(&door.app);
    sign_in(&mut browser, "alice").await;
    assert_eq!(browser.get("/oauth2/start?rd=%2Fapp").await.location(), "/app");
    let at_gateway = async |browser: &mut Browser| browser.get("/oauth2/auth").await.status;
    assert_eq!(at_gateway(&mut browser).await, StatusCode::OK);

    assert!(door.revoke(&alice()).await);
    assert_eq!(at_gateway(&mut browser).await, StatusCode::OK);
    assert!(!door.revoke(&json!({"email": "alice@example.com", "warp_session_reauth": false})).await);
    assert_eq!(at_gateway(&mut browser).await, StatusCode::OK);
    assert!(browser.get("/web/login").await.body.contains("You are signed in"));

    assert!(door.revoke(&json!({"email": "alice@example.com", "warp_session_reauth": true})).await);
    assert_eq!(at_gateway(&mut browser).await, StatusCode::UNAUTHORIZED);
    assert!(browser.get("/web/login").await.body.contains("name=\"password\""), "the web session has ended");
    assert!(browser.get("/oauth2/start?rd=%2Fapp").await.location().starts_with("/web/login?"));
    assert_eq!(door.acts().await[0]["selection"], "user 3");
    assert!(!door.revoke(&json!({"email": "alice@example.com", "warp_session_reauth": true})).await);

    door.test.clock.advance(Duration::from_secs(1));
    sign_in(&mut browser, "alice").await;
    assert_eq!(browser.get("/oauth2/start?rd=%2Fapp").await.location(), "/app");
    assert_eq!(at_gateway(&mut browser).await, StatusCode::OK);
    // A web session alone is something to revoke too, if it is to end.
    let mut other = Browser::new(&door.app);
    sign_in(&mut other, "bob").await;
    door.revoke(&json!({"email": "bob@example.com"})).await;
    assert!(!door.revoke(&json!({"email": "bob@example.com"})).await);
    assert!(door.revoke(&json!({"email": "bob@example.com", "warp_session_reauth": true})).await);
}

#[tokio::test]
async fn user_uid_must_be_who_has_the_address() {
    let door = Door::new().await;
    let (alice, bob) = (door.test.uid("alice"), door.test.uid("bob"));
    let uuid = async |user: UserId| door.test.service.user_uuid(user).await.unwrap();
    let (alices, bobs) = (uuid(alice).await, uuid(bob).await);
    assert_ne!(alices, bobs);
    // The field says the same, and can be searched.
    let read = door.test.call("olga", "res.users", "read", json!([[alice.0], ["user_uid"]]), json!({})).await.unwrap();
    assert_eq!(read, json!([{"id": alice.0, "user_uid": alices}]));
    let found = door.test.call("olga", "res.users", "search", json!([[["user_uid", "=", bobs]]]), json!({})).await;
    assert_eq!(found.unwrap(), json!([bob.0]));
    // After a restart too.
    assert_eq!(door.test.restart().await.service.user_uuid(alice).await.unwrap(), alices);

    let ask = async |uid: &str| door.ask(&json!({"email": "alice@example.com", "user_uid": uid})).await;
    for other in [&bobs, "0f8fad5b-d9cb-869f-8165-000000000003"] {
        assert_eq!(refused(&ask(other).await), (404, 12135), "{other}");
    }
    assert!(result(&ask(&alices.to_uppercase()).await));

    // Two with one address: one must be named.
    set_email(&door.test, bob, Some("Alice@example.com")).await;
    door.test.authorize("alice", 0, None, true).await;
    let live = door.test.authorize("bob", 0, None, true).await.unwrap();
    assert_eq!(refused(&door.ask(&json!({"email": "alice@example.com"})).await), (400, 12130));
    assert!(result(&ask(&alices).await));
    assert_eq!(door.refusal_of(live.access.reveal()).await, None);
    assert!(result(&ask(&bobs).await));
    assert_eq!(door.refusal_of(live.access.reveal()).await, Some(Refusal::Revoked));
}

#[tokio::test]
async fn an_address_is_whose_login_it_is() {
    let door = Door::new().await;
    let (alice, bob) = (door.test.uid("alice"), door.test.uid("bob"));
    set_login(&door.test, bob, "bob@company.example").await;
    set_email(&door.test, bob, None).await;
    assert!(door.revoke(&json!({"email": "Bob@company.example"})).await);
    set_email(&door.test, alice, Some("bob@company.example")).await;
    let bobs = door.test.authorize("bob", 0, None, true).await.unwrap();
    // In Odoo everybody sets his own e-mail address: it does not hide whose login it is.
    assert!(door.revoke(&json!({"email": "bob@company.example"})).await);
    assert_eq!(door.refusal_of(bobs.access.reveal()).await, Some(Refusal::Revoked));
    let alices = door.test.authorize("alice", 0, None, true).await.unwrap();
    let uid = door.test.service.user_uuid(alice).await.unwrap();
    assert!(door.revoke(&json!({"email": "bob@company.example", "user_uid": uid})).await);
    assert_eq!(door.refusal_of(alices.access.reveal()).await, Some(Refusal::Revoked));
}

#[tokio::test]
async fn without_a_database_it_says_so() {
    let door = Door::new().await;
    door.test.database.leave();
    let answer = door.ask(&alice()).await;
    assert_eq!((refused(&answer), answer.header("retry-after")), ((503, 10503), "1"));
    door.test.database_comes_back().await;
    assert!(door.revoke(&alice()).await);
}

/// Nothing that this door prints shows a key.
#[tokio::test]
async fn keys_are_not_shown() {
    let door = Door::new().await;
    let answer = door.ask(&json!({"email": format!("{}@example.com", door.key)})).await;
    assert_eq!(refused(&answer), (404, 12135));
    assert!(!answer.body.contains(&door.key));
}

async fn sign_in(browser: &mut Browser, login: &str) {
    let page = browser.get("/web/login?prompt=login").await;
    let answer = browser.submit(&page.body, "/web/login", &[("login", login), ("password", login)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
}

async fn newest_device(test: &TestService) -> DeviceId {
    let search = test.call("admin", "orest.device", "search", json!([[]]), json!({"order": "id desc", "limit": 1}));
    DeviceId(search.await.unwrap()[0].as_i64().unwrap())
}

async fn consent(test: &TestService, device: DeviceId) -> Result<(), GrantError> {
    let application = Arc::clone(&test.applications[0]);
    let consent = Consent {
        application,
        redirect_uri: test.callback(0),
        redirect_uri_sent: true,
        scope: Scope::parse("read").unwrap(),
        challenge: None,
        device: Some(device),
        session: None,
    };
    test.service.consent(&test.context("alice"), consent).await.map(|_| ())
}

async fn set_email(test: &TestService, user: UserId, email: Option<&str>) {
    let value = email.map_or(SqlValue::Null, |email| SqlValue::Text(email.to_owned()));
    set(test, user, "email", value).await;
}

async fn set_login(test: &TestService, user: UserId, login: &str) {
    set(test, user, "login", SqlValue::Text(login.to_owned())).await;
}

async fn set(test: &TestService, user: UserId, column: &'static str, value: SqlValue) {
    let done: Result<(), StoreError> = test
        .store
        .write(move |tx| records::update(tx.connection, "res_users", &[user.0], &[(column, value)]).map(|_| ()))
        .await;
    done.unwrap();
}

/// Whoever shares the address, behind a proxy, is not held up by somebody whose key is wrong.
#[tokio::test]
async fn wrong_keys_are_counted_and_a_right_one_always_passes() {
    let door = Door::new().await;
    let ask = async |headers: &[(&str, &str)], address: &str| {
        let headers = [headers, &[("content-type", "application/json"), ("x-forwarded-for", address)]].concat();
        door.send(OF_ACCOUNT, &headers, &alice().to_string()).await
    };
    let [here, elsewhere] = ["192.0.2.7", "192.0.2.8"];
    let wrong = [("authorization", "Bearer 0000000000000000000000000000000000000000")];
    let not_hers = [("x-auth-email", "alice@example.com"), ("x-auth-key", door.key.as_str())];
    for index in 0..limits::ADDRESS_FAILURES_MAX {
        // Who shows nothing, or what is good for something else, has tried nothing.
        assert_eq!(refused(&ask(&[], here).await), (401, 10000));
        let tried = if index % 2 == 0 { &wrong[..] } else { &not_hers[..] };
        assert_eq!(refused(&ask(tried, here).await), (401, 10000), "{index}");
    }
    let answer = ask(&wrong, here).await;
    assert_eq!(refused(&answer), (429, 10429));
    assert_eq!(answer.header("retry-after"), limits::LOGIN_COOLDOWN.as_secs().to_string());
    assert_eq!(refused(&ask(&not_hers, here).await), (429, 10429));
    assert_eq!(refused(&ask(&wrong, elsewhere).await), (401, 10000));
    let right = format!("Bearer {}", door.key);
    assert_eq!(ask(&[("authorization", &right)], here).await.status, 200);
    let from = Some(here.parse().unwrap());
    assert!(
        door.test.service.user_by_password("bob", "bob", from).await.unwrap().is_some(),
        "passwords are not touched"
    );
    door.test.clock.advance(limits::LOGIN_COOLDOWN);
    assert_eq!(refused(&ask(&wrong, here).await), (401, 10000));
    // What can't be written down is not told.
    door.test.database.leave();
    assert_eq!(refused(&ask(&wrong, here).await), (503, 10503));
}
