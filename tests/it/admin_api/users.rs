//! Users of an application: who is one, and what is done to him.

use orest::domain::object_id::object_id;
use orest::service::issue::Tokens;
use serde_json::{Value, json};

use super::{Admin, app, refused, user_of};
use crate::support::TestService;
use crate::support::http::TestServer;

async fn good(test: &TestService, tokens: &Tokens) -> bool {
    test.service.verify(tokens.access.reveal()).await.unwrap().is_ok()
}

/// The acts that were added to those of the fixture: channel, and how many authorizations were revoked.
async fn acts(test: &TestService) -> Value {
    let args = json!([[["id", ">", 2]], ["channel", "revoked", "selection"]]);
    let rows = test.call("admin", "orest.revocation", "search_read", args, json!({"order": "id"})).await.unwrap();
    rows.as_array().unwrap().iter().map(|row| json!([row["channel"], row["revoked"], row["selection"]])).collect()
}

#[tokio::test]
async fn who_is_one() {
    let admin = Admin::new().await;
    let (status, users) = admin.get(&format!("{}/users", app(1))).await;
    assert_eq!(status, 200);
    let user = |id: i64, name: &str, email: &str| {
        json!({"_id": object_id(id), "type": "normal", "identities": [], "data": {"email": email, "name": name},
               "disabled": false, "creation_date": 1_795_176_000, "last_authentication_date": 0})
    };
    let expect = json!([user(3, "Alice", "alice@example.com"), user(4, "Bob", "bob@example.com")]);
    assert_eq!(users, expect, "who has let it in, also who signs in in no way that is known");
    assert_eq!(
        admin.ids(&format!("{}/users", app(2))).await,
        json!([object_id(3), object_id(4)]),
        "ever, if revoked too"
    );
    assert_eq!(admin.get(&user_of(admin.test(), "alice")).await, (200, expect[0].clone()));
    assert_eq!(admin.get(&user_of(admin.test(), "portia")).await, refused(404, "UserNotFound"));
}

#[tokio::test]
async fn filters() {
    let admin = Admin::new().await;
    let test = admin.test();
    test.call("admin", "res.users", "write", json!([[4], {"active": false}]), json!({})).await.unwrap();
    let identity = json!([{"user_id": 3, "provider": "oauth2-google", "subject": "1"}]);
    test.call("admin", "orest.identity", "create", identity, json!({})).await.unwrap();
    let of_other = json!([{"user_id": 4, "provider": "oauth2-google", "subject": "2", "application_id": 2}]);
    test.call("admin", "orest.identity", "create", of_other, json!({})).await.unwrap();
    let (alice, bob) = (object_id(3), object_id(4));
    for (query, expect) in [
        ("", json!([alice, bob])),
        ("?status=", json!([alice, bob])),
        ("?status=enabled", json!([alice])),
        ("?status=disabled", json!([bob])),
        ("?provider_types=oauth2-google", json!([alice])),
        ("?provider_types=local-userpass,oauth2-google", json!([alice])),
        ("?provider_types=local-userpass&provider_types=oauth2-google", json!([alice])),
        ("?provider_types=anon-user", json!([])),
        ("?status=disabled&provider_types=oauth2-google", json!([])),
        ("?desc=true", json!([bob, alice])),
        ("?sort=_id&desc=false", json!([alice, bob])),
        ("?sort=creation_date&desc=1", json!([bob, alice])),
    ] {
        assert_eq!(admin.ids(&format!("{}/users{query}", app(1))).await, expect, "{query}");
    }
    for query in [
        "?status=pending",
        "?provider_types=google",
        "?sort=name",
        "?desc=yes",
        "?after=x",
        "?after=000000000000000000000000",
        "?sort=creation_date&after=000000000000000000000099",
    ] {
        let got = admin.get(&format!("{}/users{query}", app(1))).await;
        assert_eq!(got, refused(400, "InvalidParameter"), "{query}");
    }
    let identities = admin.get(&user_of(test, "alice")).await.1["identities"].clone();
    let expect = json!([{"id": object_id(1), "provider_type": "oauth2-google", "provider_id": object_id(4),
                         "provider_data": {"subject": "1"}}]);
    assert_eq!(identities, expect);
    assert_eq!(admin.get(&user_of(test, "bob")).await.1["identities"], json!([]), "what is for another app");
}

#[tokio::test]
async fn made_here() {
    let admin = Admin::new().await;
    let users = format!("{}/users", app(1));
    let (status, made) = admin.post(&users, json!({"email": "carol@example.com", "password": "a good one"})).await;
    assert_eq!(status, 201, "{made}");
    let expect = json!({"_id": made["_id"], "type": "normal", "identities": [
            {"id": object_id(1), "provider_type": "local-userpass", "provider_id": object_id(1),
             "provider_data": {"email": "carol@example.com"}}],
        "data": {"email": "carol@example.com", "name": "carol@example.com"}, "disabled": false,
        "creation_date": 1_795_179_600, "last_authentication_date": 0});
    assert_eq!(made, expect);
    let of_other = format!("{}/users/{}", app(2), made["_id"].as_str().unwrap());
    assert_eq!(admin.get(&of_other).await, refused(404, "UserNotFound"));
    let signed_in = admin.test().service.user_by_password("carol@example.com", "a good one", None).await.unwrap();
    let groups: Vec<_> = signed_in.unwrap().user.groups.iter().map(|group| group.xmlid()).collect();
    assert_eq!(groups, ["base.group_user"], "no more rights than anybody");
    for (body, (status, code)) in [
        (json!({"email": "carol@example.com", "password": "x"}), (409, "AccountNameInUse")),
        (json!({"email": "carol"}), (400, "MissingParameter")),
        (json!({"password": "x"}), (400, "MissingParameter")),
        (json!({"email": "carol", "password": "x"}), (400, "InvalidParameter")),
        (json!({"email": "@example.com", "password": "x"}), (400, "InvalidParameter")),
        (json!({"email": "c arol@example.com", "password": "x"}), (400, "InvalidParameter")),
        (json!({"email": "dora@example.com", "password": "x".repeat(1025)}), (400, "InvalidParameter")),
    ] {
        assert_eq!(admin.post(&users, body.clone()).await, refused(status, code), "{body}");
    }
    let nowhere = admin.post("/apps/000000000000000000000009/users", json!({"email": "d@e.f", "password": "x"})).await;
    assert_eq!(nowhere, refused(404, "AppNotFound"));
    let count = admin.test().call("admin", "res.users", "search_count", json!([[["login", "like", "@"]]]), json!({}));
    assert_eq!(count.await.unwrap(), json!(1));
}

#[tokio::test]
async fn logged_out_of_one_application() {
    let admin = Admin::new().await;
    let test = admin.test();
    let (mail, report) =
        (test.authorize("alice", 0, None, true).await.unwrap(), test.authorize("alice", 1, None, true).await.unwrap());
    let of_bob = test.authorize("bob", 0, None, true).await.unwrap();
    let session = test.service.open_session(test.sign_in("alice").await, None).await.unwrap();
    assert_eq!(admin.put(&format!("{}/logout", user_of(test, "alice"))).await, (204, Value::Null));
    assert_eq!([good(test, &mail).await, good(test, &report).await, good(test, &of_bob).await], [false, true, true]);
    assert!(test.service.session(session.reveal()).await.unwrap().is_some(), "she is not signed out of this service");
    assert_eq!(acts(test).await, json!([["admin_api", 3, "user 3 of application 1"]]), "in one act");
    let anew = test.authorize("alice", 0, None, true).await.unwrap();
    assert!(good(test, &anew).await, "she may let it in anew");
    let again = test.restart().await;
    assert_eq!([good(&again, &mail).await, good(&again, &anew).await], [false, true]);
    assert_eq!(admin.put(&format!("{}/logout", user_of(test, "portia"))).await, refused(404, "UserNotFound"));
    let undo = test.call("admin", "orest.revocation", "action_undo", json!([[3]]), json!({})).await.unwrap();
    assert_eq!(undo["revoked"], 3, "an administrator may take it back");
}

#[tokio::test]
async fn disabled_and_enabled() {
    let admin = Admin::new().await;
    let test = admin.test();
    let (mail, report) =
        (test.authorize("alice", 0, None, true).await.unwrap(), test.authorize("alice", 1, None, true).await.unwrap());
    assert_eq!(admin.put(&format!("{}/disable", user_of(test, "alice"))).await, (204, Value::Null));
    assert_eq!([good(test, &mail).await, good(test, &report).await], [false, false], "of every application");
    assert!(test.service.user_by_password("alice", "alice", None).await.unwrap().is_none());
    assert_eq!(admin.get(&user_of(test, "alice")).await.1["disabled"], json!(true));
    assert_eq!(acts(test).await, json!([["user_disable", 4, "user 3"]]));
    assert_eq!(admin.put(&format!("{}/enable", user_of(test, "alice"))).await, (204, Value::Null));
    assert!(test.service.user_by_password("alice", "alice", None).await.unwrap().is_some());
    assert!(!good(test, &mail).await, "what was revoked stays so");
    test.authorize("admin", 0, None, true).await.unwrap();
    let own = admin.call("PUT", &format!("{}/disable", user_of(test, "admin")), None).await;
    assert_eq!(own.json()["error"], "You cannot deactivate the user you're currently logged in as.");
    assert_eq!(own.status, 400);
}

#[tokio::test]
async fn deleted() {
    let admin = Admin::new().await;
    let test = admin.test();
    let tokens = test.authorize("alice", 0, None, true).await.unwrap();
    assert_eq!(admin.delete(&user_of(test, "alice")).await, (204, Value::Null));
    assert!(!good(test, &tokens).await);
    assert!(test.service.user_by_password("alice", "alice", None).await.unwrap().is_none(), "she signs in no more");
    let body = json!({"username": "alice", "password": "alice"});
    let answer = super::login_with(&admin.server, "local-userpass", body).await;
    assert_eq!(super::brief(answer), refused(401, "Unauthorized"), "and is nobody who could be disabled");
    assert_eq!(admin.get(&user_of(test, "alice")).await, refused(404, "UserNotFound"));
    assert_eq!(admin.delete(&user_of(test, "alice")).await, refused(404, "UserNotFound"));
    let left =
        test.call("admin", "orest.authorization", "search_count", json!([[["id", "in", [2, 3, 4, 8]]]]), json!({}));
    assert_eq!(left.await.unwrap(), json!(4), "what is linked to her stays");
}

#[tokio::test]
async fn devices() {
    let admin = Admin::new().await;
    let test = admin.test();
    test.call("admin", "orest.device", "action_revoke", json!([[1]]), json!({})).await.unwrap();
    let (status, devices) = admin.get(&format!("{}/devices", user_of(test, "alice"))).await;
    let device = |id: i64, name: &str, revoked: bool| {
        json!({"_id": object_id(id), "name": name, "platform": "any", "browser": "any", "first_activity": 1_795_176_000,
               "last_activity": 1_795_176_000, "revoked": revoked})
    };
    assert_eq!(status, 200);
    assert_eq!(devices, json!([device(2, "Chrome on Android", false), device(1, "Firefox on Linux", true)]));
    assert_eq!(admin.get(&format!("{}/devices", user_of(test, "bob"))).await, (200, json!([])));
}

/// REST API Admin may read and revoke; to change users takes Access Rights.
#[tokio::test]
async fn who_may() {
    let olga = Admin::of(TestServer::new().await, "olga").await;
    let alice = user_of(olga.test(), "alice");
    assert_eq!(olga.get(&alice).await.0, 200);
    assert_eq!(olga.put(&format!("{alice}/logout")).await.0, 204);
    let users = format!("{}/users", app(1));
    let keys = format!("{}/api_keys", app(1));
    let denied = refused(403, "NotAuthorized");
    assert_eq!(olga.put(&format!("{alice}/disable")).await, denied);
    assert_eq!(olga.put(&format!("{alice}/enable")).await, denied);
    assert_eq!(olga.delete(&alice).await, denied);
    assert_eq!(olga.post(&users, json!({"email": "a@b.c", "password": "x"})).await, denied);
    assert_eq!(olga.post(&keys, json!({"name": "k"})).await, denied);
    // Nobody acts against an administrator who is none.
    let manager = json!([[5], {"group_ids": [[4, 4]]}]);
    olga.test().call("admin", "res.users", "write", manager, json!({})).await.unwrap();
    olga.test().authorize("admin", 0, None, true).await.unwrap();
    assert_eq!(olga.put(&format!("{}/disable", user_of(olga.test(), "admin"))).await, denied);
    assert_eq!(olga.put(&format!("{alice}/disable")).await.0, 204);
}

/// While paired, users are Odoo's: they are read and logged out here, and changed there.
#[tokio::test]
async fn while_paired() {
    let admin = Admin::new().await;
    let (users, keys, alice) =
        (format!("{}/users", app(1)), format!("{}/api_keys", app(1)), user_of(admin.test(), "alice"));
    let (_, key) = admin.post(&keys, json!({"name": "k"})).await;
    let key = format!("{keys}/{}", key["_id"].as_str().unwrap());
    let by_email = format!("{}/user_registrations/by_email/a@b.c", app(1));
    admin.test().service.pair_with("https://odoo.example").await.unwrap();
    for (method, path, body) in [
        ("POST", users.clone(), Some(json!({"email": "a@b.c", "password": "x"}))),
        ("PUT", format!("{alice}/disable"), None),
        ("PUT", format!("{alice}/enable"), None),
        ("DELETE", alice.clone(), None),
        ("DELETE", by_email.clone(), None),
        ("POST", format!("{by_email}/confirm"), None),
        ("POST", keys.clone(), Some(json!({"name": "k"}))),
        ("PUT", format!("{key}/disable"), None),
        ("PUT", format!("{key}/enable"), None),
        ("DELETE", key.clone(), None),
    ] {
        let answer = admin.call(method, &path, body).await;
        let expect = json!({"error": "Users are kept by Odoo at https://odoo.example, with which this service is paired: change them there.",
                            "error_code": "Conflict"});
        assert_eq!((answer.status.as_u16(), answer.json()), (409, expect), "{method} {path}");
    }
    assert_eq!(admin.get(&alice).await.0, 200);
    assert_eq!(admin.put(&format!("{alice}/logout")).await.0, 204);
}
