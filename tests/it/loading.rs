//! The live state at start-up: what a check needs is read before anybody asks, and readiness waits for it.

use std::time::Duration;

use orest::cluster::Description;
use orest::domain::ids::{AuthorizationId, DeviceId, UserId};
use orest::domain::selection::Selection;
use orest::domain::time::{Clock as _, unix};
use orest::domain::token::{Claims, Generation, TokenKind};
use orest::service::loading::Loaded;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;
use orest::store::StoreError;

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
        assert_eq!(test.service.user(test.uid(login)).await.unwrap().unwrap().login, login);
    }
    if test.service.cluster().is_alone() {
        // Its device is looked at too.
        assert_eq!(from_memory(&test, &token(&test, TokenKind::Refresh, 2)), Ok(()));
    }
    assert!(test.service.user(UserId(1)).await.unwrap().is_some_and(|system| !system.may_act()));
    assert!(test.service.device_revoked(DeviceId(99)).await.unwrap());
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
