//! The live state at start-up: what a check needs is read before anybody asks, and readiness waits for it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use orest::cluster::Description;
use orest::domain::ids::{AuthorizationId, DeviceId, UserId};
use orest::domain::selection::Selection;
use orest::domain::time::{Clock as _, unix};
use orest::domain::token::{Claims, Generation, TokenKind};
use orest::service::loading::Loaded;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;
use orest::store::{StoreError, authorizations};
use serde_json::json;

use crate::support::http::TestServer;
use crate::support::{SeededEntropy, TestService};

/// A token of an authorization, as it was sealed before the restart.
fn token(test: &TestService, kind: TokenKind, authorization: i64) -> String {
    let now = unix(test.clock.now());
    let id = AuthorizationId(authorization);
    let claims = Claims { authorization: id, generation: Generation(0), issued_at: now, expires_at: now + 60 };
    test.service.keys().seal(kind, &claims, &SeededEntropy::new(1)).unwrap().reveal().to_owned()
}

/// The answer to a check that nothing is read for.
#[track_caller]
fn from_memory(test: &TestService, token: &str) -> Result<(), Refusal> {
    test.service.verify_in_memory(token).expect("nothing must be read").map(|_| ())
}

/// One of several nodes answers from memory only as one of them.
async fn join(test: &TestService) {
    let description = Description { name: "node".to_owned(), address: "http://127.0.0.1".to_owned() };
    test.service.cluster().join(description).await;
}

#[tokio::test]
async fn what_is_loaded_is_never_read_again() {
    let before = TestService::new().await;
    let admin = before.context("admin");
    // Revoked a moment before the end: its columns may not be filled in.
    before.service.revoke(&admin, Selection::Ids(vec![5]), RevokeOptions::default()).await.unwrap();
    let test = before.restart().await;
    join(&test).await;
    let loaded = test.service.load_live_state().await.unwrap();
    assert_eq!(loaded, Loaded { authorizations: 7, users: 8, applications: 2, devices: 2 });
    let refused = [(1, None), (2, None), (3, None), (4, Some(Refusal::Revoked)), (5, Some(Refusal::Revoked))];
    for (id, refusal) in refused.into_iter().chain([(6, Some(Refusal::Revoked)), (7, None)]) {
        assert_eq!(from_memory(&test, &token(&test, TokenKind::Access, id)).err(), refusal, "{id}");
    }
    for login in ["admin", "alice", "bob", "paul"] {
        assert_eq!(test.service.user(test.uid(login)).await.unwrap().unwrap().login(), login);
    }
    if test.service.cluster().is_alone() {
        // Its device is looked at too.
        assert_eq!(from_memory(&test, &token(&test, TokenKind::Refresh, 2)), Ok(()));
    }
    assert!(test.service.user(UserId(1)).await.unwrap().is_some_and(|system| !system.may_act()));
    assert!(test.service.device_revoked(DeviceId(99)).await.unwrap());
}

#[tokio::test]
async fn a_demo_has_as_many_users_as_were_asked_for() {
    let test = TestService::new().await;
    let told = Mutex::new(Vec::new());
    // More than one batch, and then more: no login is given twice.
    for count in [2_001, 499] {
        test.service.add_past_users(count, |done| told.lock().unwrap().push(done)).await.unwrap();
    }
    assert_eq!(*told.lock().unwrap(), [2_000, 2_001, 499]);
    test.service.add_past_authorizations(5_000, |_| {}).await.unwrap();
    join(&test).await;
    let loaded = test.service.load_live_state().await.unwrap();
    assert_eq!(loaded, Loaded { authorizations: 5_007, users: 2_508, applications: 2, devices: 2_502 });
    let rows = test.store.read(|connection| authorizations::list_slots(connection, 7, i64::MAX, 5_000)).await.unwrap();
    let owners: HashSet<_> = rows.iter().filter_map(|row| row.user_id).collect();
    assert!(owners.len() > 2_400, "{} users have let an application in", owners.len());

    // What is kept of them is what their rows say.
    let (domain, fields) = (json!([["id", ">", 8]]), json!(["login", "name", "email", "lang", "tz"]));
    let rows = test.call("admin", "res.users", "search_read", json!([domain, fields]), json!({})).await.unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2_500);
    for row in rows {
        let user = test.service.user(UserId(row["id"].as_i64().unwrap())).await.unwrap().unwrap();
        let kept = (user.login(), user.name(), user.email(), user.lang(), user.tz());
        let text = |field: &str| row[field].as_str();
        let [login, name, lang] = ["login", "name", "lang"].map(|field| text(field).unwrap());
        assert_eq!(kept, (login, name, text("email"), lang, text("tz")));
        assert!(user.may_act() && user.email().unwrap().starts_with(user.login()), "{user:?}");
    }
}

/// What was committed last may not have reached memory: nobody is to be sent here any more.
#[tokio::test]
async fn readiness_ends_with_the_thread_that_writes() {
    let server = TestServer::over(TestService::new().await);
    join(&server.test).await;
    assert_eq!(server.send("GET", "/ready", &[], "").await.status, 200);
    let written: Result<(), StoreError> = server
        .test
        .store
        .write(|tx| {
            tx.after_commit(|| panic!("a mistake of ours, in a test"));
            Ok(())
        })
        .await;
    assert!(matches!(written, Err(StoreError::Undecided(_))), "{written:?}");
    server.test.service.writer_ended().await;
    let answer = server.send("GET", "/ready", &[], "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["output"], "nothing can be written any more; this process ends");
}

#[tokio::test]
async fn readiness_waits_until_it_is_loaded() {
    let server = TestServer::over(TestService::new().await);
    join(&server.test).await;
    assert_eq!(server.send("GET", "/ready", &[], "").await.status, 200);
    server.test.service.spawn_background();
    let answer = server.send("GET", "/ready", &[], "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["status"], "fail");
    assert_eq!(answer.json()["output"], "loading the live state: 0 %");
    // Checks are answered all the same.
    let alices = token(&server.test, TokenKind::Access, 2);
    assert!(server.test.service.verify(&alices).await.unwrap().is_ok());
    for _ in 0..200 {
        if server.send("GET", "/ready", &[], "").await.status == 200 {
            assert!(from_memory(&server.test, &token(&server.test, TokenKind::Access, 7)).is_ok());
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never gets ready");
}
