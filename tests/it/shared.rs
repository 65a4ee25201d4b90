//! What two nodes over one database agree on: whatever begins on one goes on, or is refused, on the other.

use std::net::IpAddr;
use std::sync::Arc;

use orest::domain::secret::Secret;
use orest::domain::time::{Clock as _, SystemEntropy};
use orest::domain::token::{KeyId, KeyRing, SealingKey};
use orest::limits;
use orest::orm::call::{Caller, Orm};
use orest::service::issue::GrantError;
use orest::service::verify::Refusal;
use orest::service::{Error, keys};
use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::http::TestServer;

const DESCRIPTION: &str = "res.users.apikeys.description";
const CHECK: &str = "res.users.identitycheck";

/// A call by Alice's session through one node.
async fn call(node: &TestService, orm: &Orm, sid: &Secret, model: &str, method: &str, args: Value) -> Value {
    let session = node.service.session(sid.reveal()).await.unwrap();
    assert!(session.is_some(), "the session is known on each node");
    let caller = Caller { context: node.context("alice"), uid: node.uid("alice").0, session };
    let Value::Array(args) = args else { panic!("args is a list") };
    let answer = orm.call_kw(&caller, model, method, args, serde_json::Map::new()).await;
    answer.unwrap_or_else(|error| error.to_string().into())
}

#[tokio::test]
async fn a_dialogue_goes_on_at_another_node() {
    let one = TestService::empty().await;
    let two = one.restart().await;
    let (here, there) = (one.orm(), two.orm());
    let sid = one.service.open_session(one.sign_in("alice").await, None).await.unwrap();
    let id = call(&one, &here, &sid, DESCRIPTION, "create", json!([{"name": "by two nodes"}])).await;
    assert_eq!(call(&two, &there, &sid, DESCRIPTION, "search", json!([[]])).await, json!([id]));
    let done = call(&two, &there, &sid, DESCRIPTION, "write", json!([[id], {"name": "renamed"}])).await;
    assert_eq!(done, json!(true));
    let asked = call(&one, &here, &sid, DESCRIPTION, "make_key", json!([[id]])).await;
    let check = &asked["res_id"];
    // A wrong password, written at one node, is wrong at the other; then a right one.
    let wrong =
        "odoo.exceptions.UserError: Incorrect Password, try again or click on Forgot Password to reset your password.";
    call(&two, &there, &sid, CHECK, "write", json!([[check], {"password": "bad"}])).await;
    assert_eq!(call(&one, &here, &sid, CHECK, "run_check", json!([[check]])).await, wrong);
    call(&two, &there, &sid, CHECK, "write", json!([[check], {"password": "alice"}])).await;
    call(&one, &here, &sid, CHECK, "write", json!([[check], {"password": false}])).await;
    assert_eq!(call(&one, &here, &sid, CHECK, "run_check", json!([[check]])).await, wrong, "taken back");
    call(&two, &there, &sid, CHECK, "write", json!([[check], {"password": "alice"}])).await;
    let shown = call(&one, &here, &sid, CHECK, "run_check", json!([[check]])).await;
    let key = shown["context"]["default_key"].as_str().expect("a key");
    assert!(two.service.user_by_api_key(key, "rpc").await.unwrap().is_some());
    let names = call(&two, &there, &sid, "res.users.apikeys", "search_read", json!([[], ["name"]])).await;
    assert_eq!(names, json!([{"id": 1, "name": "renamed"}]));
    assert_eq!(call(&two, &there, &sid, DESCRIPTION, "search", json!([[]])).await, json!([]));
    // The proof of identity counts on both.
    let closed = call(&two, &there, &sid, "res.users.apikeys", "remove", json!([[1]])).await;
    assert_eq!(closed, json!({"type": "ir.actions.act_window_close"}));
    // What ends a session at one node ends it, and its forms, at the other.
    assert!(one.service.close_session(sid.reveal()).await.unwrap());
    assert!(two.service.session(sid.reveal()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_password_is_in_no_form_and_what_it_proved_ends_with_it() {
    use diesel::prelude::*;
    use orest::store::StoreError;
    use orest::store::schema::orest_form as form;

    let test = TestService::empty().await;
    let orm = test.orm();
    let sid = test.service.open_session(test.sign_in("alice").await, None).await.unwrap();
    let id = call(&test, &orm, &sid, DESCRIPTION, "create", json!([{"name": "k"}])).await;
    let check = call(&test, &orm, &sid, DESCRIPTION, "make_key", json!([[id]])).await["res_id"].clone();
    call(&test, &orm, &sid, CHECK, "write", json!([[check], {"password": "alice"}])).await;
    let read = test.store.read(|connection| {
        let rows = form::table.select((form::form_values, form::password_proof)).load(connection);
        rows.map_err(StoreError::from)
    });
    let rows: Vec<(String, Option<String>)> = read.await.unwrap();
    assert_eq!(rows.len(), 2);
    for (values, proof) in rows {
        assert!(!values.contains("alice") && !values.contains("password"), "{values}");
        assert!(proof.is_none_or(|proof| !proof.contains("argon2")));
    }
    // Somebody else sets another password: what the old one proved is worth nothing.
    let admin = test.context("admin");
    test.service.change_password(&admin, test.uid("alice"), "other").await.unwrap();
    let sid = {
        let signed_in = test.service.user_by_password("alice", "other", None).await.unwrap().unwrap();
        test.service.open_session(signed_in, None).await.unwrap()
    };
    // Her sessions ended with the old password, and with them what waited in them.
    let missing = call(&test, &orm, &sid, CHECK, "run_check", json!([[check]])).await;
    assert!(missing.to_string().contains("does not exist or has been deleted"), "{missing}");
    let session = test.service.session(sid.reveal()).await.unwrap().unwrap();
    let stale = orest::domain::secret::SecretHash::of("$argon2id$of the old password");
    assert!(!test.service.check_identity_by_proof(&session, &stale).await.unwrap());
    let proof = test.service.password_proof(test.uid("alice"), "other", None).await.unwrap().expect("is right");
    assert!(test.service.check_identity_by_proof(&session, &proof).await.unwrap());
}

#[tokio::test]
async fn wrong_passwords_are_counted_over_all_nodes() {
    let one = TestService::empty().await;
    let two = one.restart().await;
    let nodes = [&one, &two];
    let address = Some(IpAddr::from([192, 0, 2, 1]));
    for index in 0..limits::LOGIN_FAILURES_MAX {
        let node = nodes[index as usize % 2];
        assert!(node.service.user_by_password("alice", "wrong", address).await.unwrap().is_none(), "{index}");
    }
    for node in nodes {
        let refused = node.service.user_by_password("alice", "alice", address).await;
        assert!(matches!(refused, Err(Error::RateLimited { retry_after }) if retry_after == limits::LOGIN_COOLDOWN));
        assert!(node.service.user_by_password("bob", "bob", address).await.unwrap().is_some());
    }
    one.clock.advance(limits::LOGIN_COOLDOWN);
    // What is right at one node is forgotten at the other.
    for index in 0..3 * limits::LOGIN_FAILURES_MAX {
        let [tries, proves] = [nodes[index as usize % 2], nodes[(index as usize + 1) % 2]];
        if index % 5 == 0 {
            assert!(proves.service.user_by_password("alice", "alice", address).await.unwrap().is_some(), "{index}");
        }
        assert!(tries.service.user_by_password("alice", "wrong", address).await.unwrap().is_none(), "{index}");
    }
    // An address that goes through many logins, through both nodes.
    let elsewhere = Some(IpAddr::from([198, 51, 100, 7]));
    for index in 0..limits::ADDRESS_FAILURES_MAX {
        let login = format!("nobody{index}");
        let node = nodes[index as usize % 2];
        assert!(node.service.user_by_password(&login, "wrong", elsewhere).await.unwrap().is_none());
    }
    for node in nodes {
        assert!(matches!(node.service.user_by_password("bob", "bob", elsewhere).await, Err(Error::RateLimited { .. })));
    }
    // Once it is over nothing of it stays.
    one.clock.advance(limits::LOGIN_COOLDOWN);
    two.service.tick().await.unwrap();
    use diesel::prelude::*;
    let read = one.store.read(|connection| {
        let rows = orest::store::schema::orest_password_failure::table.count().get_result::<i64>(connection);
        rows.map_err(orest::store::StoreError::from)
    });
    assert_eq!(read.await.unwrap(), 0);
}

fn key(id: u16, byte: u8) -> SealingKey {
    SealingKey::new(KeyId(id), &[byte; 32])
}

fn ring(keys: &[(u16, u8)]) -> KeyRing {
    KeyRing::new(keys.iter().map(|(id, byte)| key(*id, *byte)).collect()).unwrap()
}

#[tokio::test]
async fn a_key_seals_once_each_node_has_it() {
    let one = TestService::new().await;
    let two = one.restart().await;
    let now = one.clock.now();
    // The number of the key is the first 16 bits: six of nothing, six of nothing, and four of the third character's.
    let sealed_with_2 =
        |token: &str| token.strip_prefix("orat_AA").is_some_and(|rest| rest.starts_with(['I', 'J', 'K', 'L']));
    let grant = async |node: &TestService| node.authorize("bob", 1, None, true).await.unwrap();
    let first = grant(&one).await;
    assert!(two.service.verify(first.access.reveal()).await.unwrap().is_ok());

    // Rotated at one node: it opens there, and seals nowhere.
    keys::register(&one.store, &key(2, 8), false, now).await.unwrap();
    let twice = keys::register(&two.store, &key(2, 9), false, now).await;
    assert!(matches!(twice, Err(Error::Conflict(_))), "another node made one of this number: {twice:?}");
    one.service.set_keys(ring(&[(1, 7), (2, 8)])).await.unwrap();
    assert!(!sealed_with_2(grant(&one).await.access.reveal()));
    assert!(two.service.keys().absent().is_empty());

    // Used too early, by somebody who forgot a node: that one does not know, and does not claim to.
    one.service.put_key_in_use(KeyId(2), false).await.unwrap();
    for node in [&one, &two] {
        node.service.read_keys_anew().await.unwrap();
    }
    let second = grant(&one).await;
    assert!(sealed_with_2(second.access.reveal()));
    assert!(one.service.verify(second.access.reveal()).await.unwrap().is_ok());
    assert!(two.service.verify_in_memory(second.access.reveal()).is_none());
    assert!(matches!(two.service.verify(second.access.reveal()).await, Err(Error::Unavailable)));
    let refresh = second.refresh.as_ref().unwrap().reveal();
    let refused = two.service.refresh(&two.applications[1], refresh, None, None).await;
    assert!(matches!(refused, Err(GrantError::Service(Error::Unavailable))), "{refused:?}");
    let refused = two.service.revoke_token(&two.applications[1], refresh, None).await;
    assert!(matches!(refused, Err(Error::Unavailable)), "{refused:?}");
    let server = TestServer::over(two.restart().await);
    server.test.service.set_keys(ring(&[(1, 7)])).await.unwrap();
    assert_eq!(server.send("GET", "/ready", &[], "").await.status, 503);
    // What it seals itself, all can open.
    let by_two = grant(&two).await;
    assert!(!sealed_with_2(by_two.access.reveal()));
    assert!(one.service.verify(by_two.access.reveal()).await.unwrap().is_ok());

    // The file is copied.
    two.service.set_keys(ring(&[(1, 7), (2, 8)])).await.unwrap();
    assert!(two.service.verify(second.access.reveal()).await.unwrap().is_ok());
    assert!(sealed_with_2(grant(&two).await.access.reveal()));

    // Retired at one node, dead on both, though both files still have it.
    let held = ring(&[(1, 7), (2, 8)]);
    let refused = one.service.retire_key(KeyId(2), Some(&held)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "it seals: {refused:?}");
    one.service.retire_key(KeyId(1), Some(&held)).await.unwrap();
    for node in [&one, &two] {
        node.service.read_keys_anew().await.unwrap();
        let verdict = node.service.verify(first.access.reveal()).await.unwrap();
        assert!(matches!(verdict, Err(Refusal::NotOurs(_))), "{:?}", verdict.err());
        assert!(node.service.verify(second.access.reveal()).await.unwrap().is_ok());
    }
}

/// The key got into wrong hands and is retired, and a running node has no other: it must not go on with it.
#[tokio::test]
async fn a_node_whose_only_key_is_retired_neither_opens_nor_seals() {
    let one = TestService::new().await;
    let server = TestServer::over(one.restart().await);
    let two = &server.test;
    let now = one.clock.now();
    let tokens = one.authorize("bob", 1, None, true).await.unwrap();
    let (access, refresh) = (tokens.access.reveal(), tokens.refresh.as_ref().unwrap().reveal());
    assert!(two.service.verify(access).await.unwrap().is_ok());

    keys::register(&one.store, &key(2, 8), true, now).await.unwrap();
    one.service.set_keys(ring(&[(1, 7), (2, 8)])).await.unwrap();
    one.service.retire_key(KeyId(1), Some(&ring(&[(1, 7), (2, 8)]))).await.unwrap();
    two.service.read_keys_anew().await.unwrap();

    assert!((two.service.keys().absent(), two.service.keys().can_seal()) == (&[KeyId(2)], false));
    let verdict = two.service.verify(access).await.unwrap();
    assert!(matches!(verdict, Err(Refusal::NotOurs(_))), "{:?}", verdict.err());
    assert!(two.service.verify_in_memory(access).is_none_or(|verdict| verdict.is_err()));
    let refused = two.service.refresh(&two.applications[1], refresh, None, None).await;
    assert!(matches!(refused, Err(GrantError::InvalidGrant(_))), "{refused:?}");
    let sealed = two.service.client_credentials(&two.applications[1], None).await;
    assert!(matches!(sealed, Err(GrantError::Service(Error::Unavailable))), "{sealed:?}");
    let password = two.service.user_by_password("bob", "bob", None).await;
    assert!(matches!(password, Err(Error::Unavailable)), "{password:?}");
    assert_eq!(server.send("GET", "/ready", &[], "").await.status, 503);

    two.service.set_keys(ring(&[(1, 7), (2, 8)])).await.unwrap();
    assert_eq!(server.send("GET", "/ready", &[], "").await.status, 200);
    assert!(two.service.verify(access).await.unwrap().is_err(), "it stays retired");
    assert!(two.service.client_credentials(&two.applications[1], None).await.is_ok());
}

#[tokio::test]
async fn a_node_with_other_keys_does_not_start() {
    let one = TestService::new().await;
    for (held, expect) in [
        (ring(&[(1, 7)]), true),
        // A key that nobody knows of does no harm, and no good.
        (ring(&[(1, 7), (2, 8)]), true),
        (ring(&[(1, 8)]), false),
        (ring(&[(2, 7)]), false),
    ] {
        let agreed = keys::agree(&one.store, &held, one.clock.now()).await;
        assert_eq!(agreed.as_ref().is_ok(), expect, "{held:?}");
        if let Ok(agreed) = agreed {
            assert_eq!(agreed.ids().collect::<Vec<_>>(), [KeyId(1)]);
        }
    }
}

#[tokio::test]
async fn nodes_that_start_at_once_make_one_administrator_and_one_demo() {
    let folder = tempfile::tempdir().unwrap();
    let url = orest::store::DatabaseUrl::Sqlite(folder.path().join("orest.sqlite3"));
    let mut nodes = Vec::new();
    for seed in [1, 2] {
        let store = orest::store::Store::open(&url).unwrap();
        let clock = Arc::new(crate::support::ManualClock::new());
        let entropy = Arc::new(crate::support::SeededEntropy::new(seed));
        nodes.push(orest::service::Service::start(store, ring(&[(1, 7)]), clock, entropy).await.unwrap());
    }
    let [one, two] = [nodes[0].clone(), nodes[1].clone()];
    let made = tokio::join!(one.load_demo(), two.load_demo());
    let made = [made.0.unwrap().is_some(), made.1.unwrap().is_some()];
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    let generated = tokio::join!(one.ensure_administrator(None), two.ensure_administrator(None));
    assert!(generated.0.unwrap().is_none() && generated.1.unwrap().is_none());
    let shipped = tokio::join!(one.ensure_shipped_actions(), two.ensure_shipped_actions());
    shipped.0.unwrap();
    shipped.1.unwrap();
    // Housekeeping of both at once harms nobody.
    let ticked = tokio::join!(one.tick(), two.tick());
    ticked.0.unwrap();
    ticked.1.unwrap();
    assert!(two.user_by_password("admin", "admin", None).await.unwrap().is_some());
    let random = Secret::generate(&SystemEntropy, "", 8);
    assert_ne!(one.instance(), two.instance());
    assert_eq!(random.reveal().len(), one.instance().len());
}

/// Each node notes what it has seen when its turn comes, many at once: the latest counts.
#[tokio::test]
async fn the_latest_use_counts_whichever_node_notes_it_first() {
    use diesel::prelude::*;
    use orest::domain::ids::AuthorizationId;
    use orest::domain::time::Timestamp;
    use orest::store::authorizations::set_last_used;
    use orest::store::schema::orest_authorization as authorization;
    use orest::store::{Store, StoreError};

    async fn note(store: &Store, used: Vec<(i64, Timestamp)>) {
        let used: Vec<_> = used.into_iter().map(|(id, at)| (AuthorizationId(id), at)).collect();
        store.write(move |tx| set_last_used(tx.connection, &used)).await.unwrap();
    }

    let test = TestService::new().await;
    let read = async |ids: Vec<i64>| -> Vec<Option<Timestamp>> {
        let rows = test.store.read(move |connection| {
            let rows = authorization::table.filter(authorization::id.eq_any(ids)).order(authorization::id);
            rows.select(authorization::last_used_at).load(connection).map_err(StoreError::from)
        });
        rows.await.unwrap()
    };
    let ids = test.store.read(|connection| {
        let rows = authorization::table.order(authorization::id).limit(4).select(authorization::id);
        rows.load::<i64>(connection).map_err(StoreError::from)
    });
    let ids = ids.await.unwrap();
    let &[a, b, c, d] = &ids[..] else { panic!("four of them") };
    let at = |minutes: i64| test.clock.now() + chrono::TimeDelta::days(1) + chrono::TimeDelta::minutes(minutes);
    let before = read(vec![d]).await;
    note(&test.store, vec![(a, at(1)), (b, at(1)), (c, at(3))]).await;
    note(&test.store, vec![(b, at(0)), (a, at(2)), (c, at(2))]).await;
    assert_eq!(read(vec![a, b, c]).await, [at(2), at(1), at(3)].map(Some));
    assert_eq!(read(vec![d]).await, before, "nobody has noted it");
}
