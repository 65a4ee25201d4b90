//! What was right when a request came in and no longer is when its turn to write comes.

use std::sync::Arc;

use orest::domain::ids::DeviceId;
use orest::domain::scope::Scope;
use orest::domain::secret::Secret;
use orest::service::Error;
use orest::service::devices::DeviceDescription;
use orest::service::issue::{Consent, GrantError};
use orest::service::sessions::Session;
use orest::service::sign_in::SignedIn;
use serde_json::json;

use crate::support::TestService;

/// Alice's session, and what she consents to in it on her computer.
async fn consent_in_session(test: &TestService) -> (Session, Consent) {
    let sid = test.service.open_session(test.sign_in("alice").await, Some(test.devices[0])).await.unwrap();
    let session = test.service.session(sid.reveal()).await.unwrap().unwrap();
    let consent = Consent {
        application: Arc::clone(&test.applications[0]),
        redirect_uri: test.callback(0),
        redirect_uri_sent: true,
        scope: Scope::parse("read").unwrap(),
        challenge: None,
        device: session.device,
        session: Some(session.id),
    };
    (session, consent)
}

async fn exchange(test: &TestService, code: &Secret) -> Result<(), GrantError> {
    let uri = test.callback(0);
    test.service.exchange_code(&test.applications[0], code.reveal(), Some(&uri), None, None).await.map(|_| ())
}

#[tokio::test]
async fn a_consent_in_flight_is_stopped() {
    for (model, method, args, allowed) in [
        ("res.users", "action_revoke_all_sessions", json!([[4]]), true),
        ("res.users", "action_revoke_all_sessions", json!([[3]]), false),
        ("res.users", "write", json!([[3], {"name": "Alice A."}]), true),
        ("res.users", "write", json!([[3], {"password": "another one"}]), false),
        ("res.users", "write", json!([[3], {"active": false}]), false),
        ("orest.device", "action_revoke", json!([[2]]), true),
        ("orest.device", "action_revoke", json!([[1]]), false),
    ] {
        let test = TestService::empty().await;
        assert_eq!((test.uid("alice").0, test.uid("bob").0, test.devices), (3, 4, [DeviceId(1), DeviceId(2)]));
        let (_, consent) = consent_in_session(&test).await;
        let done = test.call("admin", model, method, args.clone(), json!({})).await;
        assert!(done.is_ok(), "{model}.{method}: {done:?}");
        let code = test.service.consent(&test.context("alice"), consent).await;
        match code {
            Ok(code) => assert!(allowed && exchange(&test, &code).await.is_ok(), "{model}.{method}{args}"),
            Err(GrantError::Service(Error::Unauthenticated)) => assert!(!allowed, "{model}.{method}{args}"),
            Err(other) => panic!("{model}.{method}{args}: {other}"),
        }
    }
}

#[tokio::test]
async fn nobody_consents_in_anothers_session() {
    let test = TestService::empty().await;
    let (_, consent) = consent_in_session(&test).await;
    let refused = test.service.consent(&test.context("bob"), consent).await;
    assert!(matches!(refused, Err(GrantError::Service(Error::Unauthenticated))), "{refused:?}");
}

/// A code that was given before the device was revoked behind its authorization's back.
#[tokio::test]
async fn a_revoked_device_gets_no_tokens() {
    let test = TestService::empty().await;
    let (_, consent) = consent_in_session(&test).await;
    let code = test.service.consent(&test.context("alice"), consent).await.unwrap();
    let now = orest::store::records::SqlValue::Timestamp(test.service.now());
    super::set_column(&test, "orest_device", 1, "revoked_at", now).await;
    assert!(matches!(exchange(&test, &code).await, Err(GrantError::InvalidGrant(_))));
}

/// Who has shown a secret that is replaced before it is his turn gets nothing by it, in no way.
#[tokio::test]
async fn a_secret_that_is_replaced_meanwhile_gets_no_tokens() {
    let test = TestService::empty().await;
    let application = Arc::clone(&test.applications[0]);
    let (_, consent) = consent_in_session(&test).await;
    let code = test.service.consent(&test.context("alice"), consent).await.unwrap();
    let refresh = test.authorize("alice", 0, None, true).await.and_then(|tokens| tokens.refresh).unwrap();
    let args = json!([[application.id.0]]);
    test.call("admin", "orest.application", "action_generate_secret", args, json!({})).await.unwrap();
    let by_code = exchange(&test, &code).await;
    let by_refresh = test.service.refresh(&application, refresh.reveal(), None, None).await.map(|_| ());
    let in_its_own_name = test.service.client_credentials(&application, None).await.map(|_| ());
    for refused in [by_code, by_refresh, in_its_own_name] {
        assert!(
            matches!(refused, Err(GrantError::UnauthorizedClient("the application has a new secret"))),
            "{refused:?}"
        );
    }
}

/// What Alice, who has shown her password, can still do with that: sign in here, at her browser; prove who she is; change
/// her password.
async fn uses_of(test: &TestService, signed_in: &SignedIn) -> [Result<(), Error>; 3] {
    let service = &test.service;
    let browser = DeviceDescription {
        name: "Firefox on Linux".to_owned(),
        platform: "Linux".to_owned(),
        browser: "Firefox".to_owned(),
        mobile: false,
    };
    let opened = service.open_session(signed_in.clone(), None).await.map(|_| ());
    let at_browser = service.open_browser_session(signed_in.clone(), None, browser, None).await.map(|_| ());
    let changed = service.change_own_password(&test.context("alice"), signed_in.clone(), "her next one").await;
    [opened, at_browser, changed]
}

#[tokio::test]
async fn an_old_password_in_flight_is_no_good() {
    for (values, allowed) in [
        (json!({"name": "Alice A."}), true),
        (json!({"password": "another one"}), false),
        (json!({"password": "alice"}), false),
        (json!({"password": ""}), false),
        (json!({"active": false}), false),
        (json!({"state": "pending"}), false),
    ] {
        let test = TestService::empty().await;
        let signed_in = test.sign_in("alice").await;
        let done = test.call("admin", "res.users", "write", json!([[3], values]), json!({})).await;
        assert!(done.is_ok(), "{values}: {done:?}");
        for (index, done) in uses_of(&test, &signed_in).await.into_iter().enumerate() {
            match done {
                Ok(()) => assert!(allowed, "{index}: {values}"),
                Err(Error::Unauthenticated) => assert!(!allowed, "{index}: {values}"),
                Err(other) => panic!("{index}: {values}: {other}"),
            }
        }
        let key = test.service.make_api_key(test.uid("alice"), "k", None, None).await;
        let acts = values.get("active").is_none() && values.get("state").is_none();
        assert_eq!(key.is_ok(), acts, "{values}");
    }
}

#[tokio::test]
async fn an_ended_session_proves_nobody() {
    let test = TestService::empty().await;
    let (session, _) = consent_in_session(&test).await;
    assert!(test.service.check_identity(&session, "alice", None).await.unwrap());
    assert!(!test.service.check_identity(&session, "wrong", None).await.unwrap());
    let done = test.call("admin", "res.users", "action_revoke_all_sessions", json!([[3]]), json!({})).await;
    assert!(done.is_ok(), "{done:?}");
    let stale = test.service.check_identity(&session, "alice", None).await;
    assert!(matches!(stale, Err(Error::Unauthenticated)), "{stale:?}");
}
