//! The users of the paired Odoo: what each change of theirs does here, and everything at random against a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orest::domain::ids::UserId;
use orest::domain::revocation::Channel;
use orest::domain::user::Group;
use orest::service::issue::Consent;
use orest::service::{Context, Service};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::paired::{Paired, refusal};
use crate::support::TestService;

/// A user as the module sends him; `changes` beside what everybody has.
fn user(id: i64, login: &str, changes: Value) -> Value {
    let mut user = json!({
        "id": id, "login": login, "name": login, "email": false, "lang": "en_US", "tz": false,
        "active": true, "pending": false, "groups": ["base.group_user"], "password_version": 2, "create_date": "2026-01-05 08:00:00",
    });
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    user.as_object_mut().unwrap().extend(changes);
    user
}

fn admin() -> Value {
    user(2, "admin", json!({"groups": ["base.group_user", "base.group_system", "sales_team.group_sale_manager"]}))
}

impl Paired {
    async fn sync(&self, users: &[Value]) -> Value {
        let answer = self.call("orest.pairing/sync_users", &[], &json!({"users": users})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    async fn keep(&self, ids: &[i64]) -> Value {
        let answer = self.call("orest.pairing/keep_users", &[], &json!({"ids": ids})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn service(&self) -> &Service {
        &self.server.test.service
    }

    /// Lets the first application in for a user; its access token.
    async fn issue(&self, id: i64) -> Option<String> {
        issue(&self.server.test, id).await
    }

    async fn is_good(&self, token: &str) -> bool {
        self.service().verify(token).await.unwrap().is_ok()
    }

    /// The newest act, for an assertion.
    async fn last_act(&self) -> Value {
        let fields = ["channel", "user_id", "revoked", "initiating_entity", "reason_user"];
        let body = json!({"domain": [], "fields": fields, "order": "id desc", "limit": 1});
        let mut acts = self.call("orest.revocation/search_read", &[("x-orest-user", "1")], &body).await.json();
        let mut act = acts[0].take();
        act.as_object_mut().unwrap().remove("id");
        act
    }
}

async fn issue(test: &TestService, id: i64) -> Option<String> {
    let user = test.service.user(UserId(id)).await.unwrap().filter(|user| user.may_act())?;
    let application = Arc::clone(&test.applications[0]);
    let redirect_uri = test.callback(0);
    let consent = Consent {
        application: Arc::clone(&application),
        redirect_uri: redirect_uri.clone(),
        redirect_uri_sent: true,
        scope: application.scope.clone(),
        challenge: None,
        device: None,
        session: None,
    };
    let context = Context::new(Service::actor(&user), Channel::OauthRevoke, None);
    let code = test.service.consent(&context, consent).await.unwrap();
    let exchange = test.service.exchange_code(&application, code.reveal(), Some(&redirect_uri), None, None);
    Some(exchange.await.unwrap().access.reveal().to_owned())
}

#[tokio::test]
async fn a_user_comes_with_all_that_is_known_here_of_him() {
    let paired = Paired::over(TestService::empty().await).await;
    let changes = json!({
        "name": "Nina New", "email": "nina@example.com", "lang": "hu_HU", "tz": "Europe/Budapest",
        "groups": ["base.group_user", "orest.group_orest_admin", "stock.group_stock_user"], "password_version": 4,
    });
    let nina = user(50, "nina", changes);
    assert_eq!(paired.sync(std::slice::from_ref(&nina)).await, json!({"created": 1, "updated": 0, "revoked": 0}));
    let read = json!({"ids": [50], "fields": ["name", "login", "email", "lang", "tz", "active", "state", "group_ids"]});
    let got = paired.call("res.users/read", &[("x-orest-user", "1")], &read).await.json();
    assert_eq!(
        got,
        json!([{"id": 50, "name": "Nina New", "login": "nina", "email": "nina@example.com", "lang": "hu_HU",
                "tz": "Europe/Budapest", "active": true, "state": "confirmed", "group_ids": [6, 1]}])
    );
    assert_eq!(paired.sync(&[nina]).await, json!({"created": 0, "updated": 0, "revoked": 0}), "sent again");
    let seen = paired.service().user(UserId(50)).await.unwrap().unwrap();
    assert!(seen.groups.contains(Group::OrestAdmin) && !seen.groups.contains(Group::System));
    let demoted = user(50, "nina", json!({"name": false, "lang": false, "groups": [], "password_version": 4}));
    assert_eq!(paired.sync(&[demoted]).await, json!({"created": 0, "updated": 1, "revoked": 0}));
    let seen = paired.service().user(UserId(50)).await.unwrap().unwrap();
    let got = (seen.name(), seen.email(), seen.lang(), seen.groups.iter().count());
    assert_eq!(got, ("nina", None, "en_US", 0), "the next who asks sees it");
}

/// What Bob has: an access token, a session, an API key, a password of the service's own.
#[tokio::test]
async fn what_ends_what() {
    const ALL: [bool; 4] = [true; 4];
    const NONE: [bool; 4] = [false; 4];
    for (what, changes, after, restored, revoked) in [
        ("first sight", json!({}), ALL, ALL, 0),
        ("name", json!({"name": "Robert"}), ALL, ALL, 0),
        ("groups", json!({"groups": ["base.group_portal"]}), ALL, ALL, 0),
        ("login", json!({"login": "robert"}), [true, false, true, false], [true, false, true, true], 0),
        ("password", json!({"password_version": 3}), [false, false, true, false], [false, false, true, false], 1),
        (
            "password restored",
            json!({"password_version": 1}),
            [false, false, true, false],
            [false, false, true, false],
            1,
        ),
        ("the module is installed anew there", json!({"password_version": 0}), ALL, ALL, 0),
        ("nothing is said of when he was made", json!({"create_date": false}), ALL, ALL, 0),
        ("archived", json!({"active": false}), NONE, ALL, 0),
        ("pending", json!({"pending": true}), NONE, ALL, 0),
    ] {
        let paired = Paired::over(TestService::empty().await).await;
        let test = &paired.server.test;
        let token = paired.issue(4).await.unwrap();
        let sid = test.service.open_session(test.sign_in("bob").await, None).await.unwrap();
        let key = test.service.make_api_key(UserId(4), "k", None, None).await.unwrap();
        let good = async || {
            let service = &test.service;
            [
                paired.is_good(&token).await,
                service.session(sid.reveal()).await.unwrap().is_some(),
                service.user_by_api_key(key.reveal(), "rpc").await.unwrap().is_some(),
                service.user_by_password("bob", "bob", None).await.unwrap().is_some(),
            ]
        };
        let bob = user(4, "bob", json!({}));
        assert_eq!(paired.sync(std::slice::from_ref(&bob)).await["revoked"], 0, "{what}");
        assert_eq!(good().await, ALL, "{what}: seen for the first time");
        assert_eq!(paired.sync(&[user(4, "bob", changes)]).await["revoked"], revoked, "{what}");
        assert_eq!(good().await, after, "{what}");
        if revoked > 0 {
            let act = json!({"channel": "password_change", "user_id": false, "revoked": 1, "initiating_entity": "system",
                             "reason_user": "the password was changed"});
            assert_eq!(paired.last_act().await, act, "{what}");
        } else {
            paired.sync(&[bob]).await;
            assert_eq!(good().await, restored, "{what}, and back");
        }
    }
}

/// The service had users of its own before; theirs must not fall to others of the same number.
#[tokio::test]
async fn another_person_of_the_same_number_inherits_nothing() {
    let paired = Paired::over(TestService::empty().await).await;
    let test = &paired.server.test;
    let token = paired.issue(4).await.unwrap();
    let key = test.service.make_api_key(UserId(4), "k", None, None).await.unwrap();
    assert_eq!(
        paired.sync(&[user(4, "carol", json!({})), admin()]).await,
        json!({"created": 1, "updated": 1, "revoked": 1})
    );
    assert_eq!(paired.last_act().await["channel"], "user_delete");
    assert!(!paired.is_good(&token).await);
    assert!(test.service.user_by_api_key(key.reveal(), "rpc").await.unwrap().is_none());
    assert!(test.service.user_by_password("carol", "bob", None).await.unwrap().is_none());
    let read = json!({"ids": [4], "fields": ["login", "authorization_ids", "identity_ids", "api_key_ids"]});
    let got = paired.call("res.users/read", &[("x-orest-user", "2")], &read).await.json();
    assert_eq!(
        got,
        json!([{"id": 4, "login": "carol", "authorization_ids": [], "identity_ids": [], "api_key_ids": []}])
    );
    // Once she is Odoo's, another login is a new name and nothing more …
    let hers = paired.issue(4).await.unwrap();
    paired.sync(&[user(4, "caroline", json!({}))]).await;
    assert!(paired.is_good(&hers).await);
    // … but a record that was made at another time is somebody else's: Odoo came back from a backup in which she was not yet.
    let dora = user(4, "caroline", json!({"name": "Dora", "create_date": "2026-02-01 09:00:00"}));
    assert_eq!(paired.sync(&[dora]).await, json!({"created": 1, "updated": 0, "revoked": 1}));
    assert_eq!(paired.last_act().await["channel"], "user_delete");
    assert!(!paired.is_good(&hers).await);
}

#[tokio::test]
async fn logins_are_swapped_and_taken_over() {
    let paired = Paired::over(TestService::empty().await).await;
    paired.sync(&[user(10, "ann", json!({})), user(11, "ben", json!({})), user(12, "cid", json!({}))]).await;
    let login = async |id| paired.service().user(UserId(id)).await.unwrap().map(|user| user.login().to_owned());
    let tokens = [paired.issue(10).await.unwrap(), paired.issue(11).await.unwrap()];
    paired.sync(&[user(10, "ben", json!({})), user(11, "cid", json!({})), user(12, "ann", json!({}))]).await;
    assert_eq!([login(10).await, login(11).await, login(12).await].map(Option::unwrap), ["ben", "cid", "ann"]);
    // One half of a swap, as when a call is lost; and a login that somebody has whom Odoo has no more.
    paired.sync(&[user(11, "ben", json!({})), user(13, "bob", json!({}))]).await;
    assert_eq!([login(10).await, login(11).await].map(Option::unwrap), ["ben#10", "ben"]);
    assert_eq!([login(4).await, login(13).await], [None, Some("bob".to_owned())], "the service's own Bob is nobody's");
    paired.sync(&[user(10, "cid", json!({}))]).await;
    assert_eq!(login(10).await.unwrap(), "cid");
    for token in tokens {
        assert!(paired.is_good(&token).await, "a name is no reason to revoke");
    }
    // The service's own user is left alone, whatever Odoo says of its superuser.
    let odoobot = user(1, "__system__", json!({"name": "OdooBot", "active": true, "groups": ["base.group_system"]}));
    assert_eq!(paired.sync(&[odoobot]).await, json!({"created": 0, "updated": 0, "revoked": 0}));
    assert!(!paired.service().user(UserId(1)).await.unwrap().unwrap().may_act());
}

#[tokio::test]
async fn what_odoo_has_no_more_is_deleted() {
    let paired = Paired::over(TestService::empty().await).await;
    let (alices, bobs) = (paired.issue(3).await.unwrap(), paired.issue(4).await.unwrap());
    let (status, class, message) =
        refusal(&paired.call("orest.pairing/keep_users", &[], &json!({"ids": [3, 4]})).await);
    assert_eq!((status, class.as_str()), (422, "odoo.exceptions.UserError"));
    assert!(message.contains("can't be the list of all users: nothing was deleted"), "{message}");
    assert_eq!(paired.keep(&[2, 3, 77]).await, json!({"deleted": 5, "revoked": 1}));
    assert_eq!(paired.last_act().await["channel"], "user_delete");
    assert_eq!((paired.is_good(&alices).await, paired.is_good(&bobs).await), (true, false));
    assert_eq!(paired.keep(&[2, 3]).await, json!({"deleted": 0, "revoked": 0}), "once more");
    let answer = paired.call("orest.pairing/check", &[], &json!({"database_uuid": "u", "series": "14.0"})).await;
    let answer = answer.json();
    assert_eq!((&answer["users"], &answer["last_sync_at"]), (&json!(2), &json!("2026-11-20 12:00:00")));
    // The same number again, as after a backup has been put back: a new person as far as we know.
    paired.sync(&[user(4, "bob", json!({}))]).await;
    assert!(!paired.is_good(&bobs).await);
    assert!(paired.is_good(&paired.issue(4).await.unwrap()).await);
    // An administrator who is archived, or no more one, is none.
    for changes in [json!({"active": false}), json!({"pending": true}), json!({"groups": ["base.group_user"]})] {
        let mut demoted = admin();
        demoted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        paired.sync(&[demoted]).await;
        let answer = paired.call("orest.pairing/keep_users", &[], &json!({"ids": [2, 3]})).await;
        assert_eq!(answer.status, 422, "{changes}");
        paired.sync(&[admin()]).await;
    }
}

/// Odoo's scheduled job looks, then somebody is archived and the service told, then what the job saw arrives.
#[tokio::test]
async fn what_comes_late_holds_no_more() {
    const MINUTE: i64 = 60_000_000;
    let paired = Paired::over(TestService::empty().await).await;
    let sync = async |changes: Value, as_of: Value| {
        let body = json!({"users": [user(50, "nina", changes)], "as_of": as_of});
        paired.call("orest.pairing/sync_users", &[], &body).await.json()
    };
    let keep = async |as_of: i64| {
        let answer = paired.call("orest.pairing/keep_users", &[], &json!({"ids": [2], "as_of": as_of})).await;
        answer.json()["deleted"].clone()
    };
    let active = async || paired.service().user(UserId(50)).await.unwrap().map(|user| user.active);
    let (on, off) = (json!({}), json!({"active": false}));
    let noon = 1_800_000_000_000_000_i64;
    sync(on.clone(), json!(noon)).await;
    assert_eq!(sync(off.clone(), json!(noon + 1)).await["updated"], 1);
    assert_eq!(sync(on.clone(), json!(noon)).await, json!({"created": 0, "updated": 0, "revoked": 0}));
    assert_eq!(active().await, Some(false), "who was archived stays so");
    assert_eq!(keep(noon).await, 6, "the service's own, and not who came after the list was made");
    assert_eq!(active().await, Some(false));
    assert_eq!(sync(on.clone(), json!(noon + 1)).await["updated"], 1, "of the same moment: what comes last");
    // A clock that was an hour ahead, and a module that doesn't tell.
    sync(off.clone(), json!(noon + 60 * MINUTE)).await;
    assert_eq!(sync(on.clone(), json!(noon + 2)).await["updated"], 1);
    assert_eq!(sync(off, Value::Null).await["updated"], 1);
    assert_eq!(sync(on, json!(noon)).await["updated"], 1);
    assert_eq!(keep(noon + 1).await, 1);
    assert_eq!(active().await, None);
    let answer = paired.call("orest.pairing/sync_users", &[], &json!({"users": [], "as_of": "noon"})).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn what_can_be_no_user_is_refused_and_nothing_is_done() {
    let paired = Paired::over(TestService::empty().await).await;
    let unprocessable = "werkzeug.exceptions.UnprocessableEntity";
    for (changes, class, message) in [
        (json!({"id": "7"}), unprocessable, "'users[1].id' must be a whole number"),
        (json!({"id": 0}), "odoo.exceptions.ValidationError", "0 is no id of a user"),
        (json!({"id": 1_i64 << 32}), "odoo.exceptions.ValidationError", "4294967296 is no id of a user"),
        (json!({"login": false}), unprocessable, "'users[1].login' must be a text"),
        (json!({"login": ""}), "odoo.exceptions.ValidationError", "user 60 has no login"),
        (json!({"email": 5}), unprocessable, "'users[1].email' must be a text or false"),
        (json!({"active": 1}), unprocessable, "'users[1].active' must be true or false"),
        (json!({"groups": "base.group_user"}), unprocessable, "'users[1].groups' must be a list of external ids"),
        (json!({"groups": [1]}), unprocessable, "'users[1].groups' must be a list of external ids"),
        (json!({"password_version": null}), unprocessable, "'users[1].password_version' must be a whole number"),
    ] {
        let users = json!({"users": [user(59, "first", json!({})), user(60, "second", changes)]});
        let (status, name, text) = refusal(&paired.call("orest.pairing/sync_users", &[], &users).await);
        assert_eq!((status, name.as_str(), text.as_str()), (422, class, message));
        assert!(paired.service().user(UserId(59)).await.unwrap().is_none(), "all or none");
    }
    for (method, body) in [
        ("sync_users", json!({"users": {}})),
        ("sync_users", json!({"users": [[]]})),
        ("keep_users", json!({"ids": 2})),
        ("keep_users", json!({"ids": ["2"]})),
    ] {
        let (status, name, _) = refusal(&paired.call(&format!("orest.pairing/{method}"), &[], &body).await);
        assert_eq!((status, name.as_str()), (422, unprocessable), "{body}");
    }
}

#[tokio::test]
async fn other_doors_leave_odoos_users_alone() {
    let paired = Paired::with_users(TestService::new().await).await;
    let kept =
        "Users are kept by Odoo at https://odoo.example.com, with which this service is paired: change them there.";
    let calls = [
        ("create", json!([{"name": "x", "login": "x"}])),
        ("write", json!([[4], {"name": "x"}])),
        ("write", json!([[4], {"password": "another one"}])),
        ("write", json!([[4], {"identity_ids": [[0, 0, {"provider": "x", "subject": "y"}]]}])),
        ("web_save", json!([[4], {"name": "x"}, {}])),
        ("action_archive", json!([[4]])),
        ("toggle_active", json!([[4]])),
        ("copy", json!([[4]])),
        ("name_create", json!(["x"])),
        ("unlink", json!([[4]])),
        ("action_disable", json!([[4]])),
        ("action_enable", json!([[4]])),
        ("change_password", json!(["admin", "another one"])),
    ];
    for (method, args) in &calls {
        let answer = paired.server.execute_kw("admin", "res.users", method, args.clone(), json!({})).await;
        let data = &answer["error"]["data"];
        assert_eq!((&data["name"], &data["message"]), (&json!("odoo.exceptions.UserError"), &json!(kept)), "{method}");
    }
    let own = paired.server.execute_kw("bob", "res.users", "write", json!([[4], {"tz": "UTC"}]), json!({})).await;
    assert_eq!(own["error"]["data"]["message"], kept);
    // Odoo in a person's name: the acts, with his rights; records go by sync_users.
    let as_admin = [("x-orest-user", "2")];
    for (method, body) in [
        ("create", json!({"vals_list": [{"name": "x", "login": "x"}]})),
        ("write", json!({"ids": [4], "vals": {"name": "x"}})),
        ("unlink", json!({"ids": [4]})),
    ] {
        let answer = paired.call(&format!("res.users/{method}"), &as_admin, &body).await;
        assert_eq!(refusal(&answer), (422, "odoo.exceptions.UserError".to_owned(), kept.to_owned()));
    }
    let disable = json!({"ids": [4], "reason": "left"});
    let answer = paired.call("res.users/action_disable", &[("x-orest-user", "3")], &disable).await;
    assert_eq!(answer.status, 403, "Alice may not: {}", answer.body);
    let answer = paired.call("res.users/action_disable", &as_admin, &disable).await;
    assert_eq!((answer.status.as_u16(), answer.json()["revoked"].clone()), (200, json!(2)));
    let act = json!({"channel": "user_disable", "user_id": [2, "Administrator"], "revoked": 2,
                     "initiating_entity": "admin", "reason_user": false});
    assert_eq!(paired.last_act().await, act);
    assert_eq!(paired.call("res.users/action_enable", &as_admin, &json!({"ids": [4]})).await.status, 200);
    let sessions = json!({"ids": [3]});
    let answer = paired.call("res.users/action_revoke_all_sessions", &as_admin, &sessions).await;
    assert_eq!(answer.json()["revoked"], 2, "{}", answer.body);
    // And afterwards they are the service's own again.
    assert!(paired.service().unpair().await.unwrap());
    let answer = paired.server.execute_kw("admin", "res.users", "write", json!([[4], {"name": "x"}]), json!({})).await;
    assert_eq!(answer["result"], true);
    assert_eq!(paired.call("orest.pairing/check", &[], &json!({})).await.status, 401);
}

/// `orest pair` is a process of its own beside the server.
#[tokio::test]
async fn what_another_process_does_to_the_pairing() {
    let paired = Paired::over(TestService::empty().await).await;
    let other = paired.server.test.restart().await;
    let check = async |bearer: &str, uuid: &str| {
        let body = json!({"database_uuid": uuid, "series": "18.0"});
        paired.server.post("/json/2/orest.pairing/check", &[("authorization", bearer)], &body).await.status.as_u16()
    };
    let first = paired.bearer.clone();
    assert_eq!(check(&first, "a").await, 200);
    assert!(other.service.is_pairing_credential(first.strip_prefix("Bearer ").unwrap()).await.unwrap(), "it is stored");
    let second = other.service.pair_with("http://other.example:8069").await.unwrap();
    let second = format!("Bearer {}", second.reveal());
    paired.service().read_pairing_anew().await.unwrap();
    assert_eq!((check(&first, "a").await, check(&second, "b").await), (401, 200), "and bound to nobody");
    assert_eq!(paired.service().pairing().unwrap().odoo_url, "http://other.example:8069");
    assert!(other.service.unpair().await.unwrap());
    assert!(!other.service.unpair().await.unwrap());
    paired.service().read_pairing_anew().await.unwrap();
    assert_eq!(check(&second, "b").await, 401);
    assert!(paired.service().pairing().is_none());
    for url in
        ["odoo.example.com", "ftp://x", "https://x/?a=1", "https://x/#a", "https://u:p@x", "javascript:alert(1)", ""]
    {
        let refused = paired.service().pair_with(url).await.unwrap_err().to_string();
        assert_eq!(refused, "the address of Odoo must look like https://odoo.example.com", "{url}");
    }
}

/// With the same Odoo after a new credential, what it knew of passwords still holds; of another Odoo's users nothing does.
#[tokio::test]
async fn a_new_credential_and_another_odoo() {
    for (uuid, expect) in [("a", [false, true]), ("b", [true, false])] {
        let mut paired = Paired::over(TestService::empty().await).await;
        let check = async |paired: &Paired, uuid: &str| {
            let body = json!({"database_uuid": uuid, "series": "18.0"});
            assert_eq!(paired.call("orest.pairing/check", &[], &body).await.status, 200);
        };
        check(&paired, "a").await;
        paired.sync(&[user(4, "bob", json!({})), user(20, "ann", json!({}))]).await;
        let tokens = [paired.issue(4).await.unwrap(), paired.issue(20).await.unwrap()];
        // Twice: one was never used.
        for _ in 0..2 {
            let credential = paired.service().pair_with("https://odoo.example.com").await.unwrap();
            paired.bearer = format!("Bearer {}", credential.reveal());
        }
        check(&paired, uuid).await;
        paired.sync(&[user(4, "bob", json!({"password_version": 3})), user(20, "ursula", json!({}))]).await;
        let good = [paired.is_good(&tokens[0]).await, paired.is_good(&tokens[1]).await];
        assert_eq!(good, expect, "{uuid}");
    }
}

#[tokio::test]
async fn odoo_asks_whether_a_token_is_good() {
    let paired = Paired::with_users(TestService::empty().await).await;
    let test = &paired.server.test;
    let tokens = test.authorize("bob", 0, None, true).await.unwrap();
    let ask = async |bearer: &str, token: &str| {
        let headers = [("authorization", bearer), ("content-type", "application/x-www-form-urlencoded")];
        paired.server.send("POST", "/oauth2/introspect", &headers, format!("token={token}")).await
    };
    let answer = ask(&paired.bearer, tokens.access.reveal()).await.json();
    assert_eq!(answer["active"], true);
    assert_eq!(
        (&answer["sub"], &answer["username"], &answer["scope"], &answer["orest"]["kind"]),
        (&json!("4"), &json!("bob"), &json!("read"), &json!("access_token"))
    );
    assert!(answer["exp"].is_i64() && answer["client_id"] == "mail-reader", "{answer}");
    let inactive = json!({"active": false});
    let refresh = tokens.refresh.unwrap();
    assert_eq!(ask(&paired.bearer, refresh.reveal()).await.json(), inactive, "no refresh token is an access token");
    assert_eq!(ask(&paired.bearer, "orat_x").await.json(), inactive);
    // From here on the database is not needed, and what Odoo says of a user holds at once.
    paired.sync(&[user(4, "bob", json!({"active": false}))]).await;
    assert_eq!(ask(&paired.bearer, tokens.access.reveal()).await.json(), inactive);
    assert_eq!(ask(&format!("Bearer {}", "0".repeat(40)), tokens.access.reveal()).await.status, 401);
    paired.service().unpair().await.unwrap();
    assert_eq!(ask(&paired.bearer, tokens.access.reveal()).await.status, 401);
}

/// Odoo asks with each call of its own, so the answer must not wait for the database: here all who read it are held up.
#[tokio::test]
async fn odoo_is_answered_from_memory() {
    let paired = Paired::with_users(TestService::empty().await).await;
    let token = paired.issue(4).await.unwrap();
    let headers = [("authorization", paired.bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let ask = || paired.server.send("POST", "/oauth2/introspect", &headers, format!("token={token}"));
    assert_eq!(ask().await.json()["active"], true);
    let (mut held, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..orest::limits::READERS {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        held.push(release);
        let (store, (started, is_started)) = (paired.server.test.store.clone(), tokio::sync::oneshot::channel());
        readers.push(tokio::spawn(async move {
            let read = store.read(move |_| {
                let _ = started.send(());
                let _ = wait.recv();
                Ok::<_, orest::store::StoreError>(())
            });
            read.await.unwrap();
        }));
        is_started.await.unwrap();
    }
    let long = std::time::Duration::from_secs(20);
    let answer = tokio::time::timeout(long, ask()).await.expect("does not wait");
    assert_eq!(answer.json()["active"], true);
    assert!(paired.service().pairing().is_some(), "nor does a browser that is sent on");
    drop(held);
    for reader in readers {
        reader.await.unwrap();
    }
}

/// When Odoo called last is noted to the minute, and a new version of the module at once.
#[tokio::test]
async fn odoo_is_seen() {
    let paired = Paired::over(TestService::empty().await).await;
    let seen = async |version: &str, seconds: u64| {
        paired.server.test.clock.advance(std::time::Duration::from_secs(seconds));
        paired
            .call(
                "orest.authorization/search_count",
                &[("x-orest-user", "2"), ("x-orest-module", version)],
                &json!({"domain": []}),
            )
            .await;
        let pairing = paired.service().pairing().unwrap();
        (
            pairing.module_version.clone().unwrap_or_default(),
            pairing.last_seen_at.unwrap().format("%H:%M:%S").to_string(),
        )
    };
    let seen_at = |version: &str, at: &str| (version.to_owned(), at.to_owned());
    assert_eq!(seen("", 0).await, seen_at("", "12:00:00"));
    assert_eq!(seen("14.0.1.0.0", 10).await, seen_at("14.0.1.0.0", "12:00:10"));
    assert_eq!(seen("14.0.1.0.0", 59).await, seen_at("14.0.1.0.0", "12:00:10"));
    assert_eq!(seen("", 1).await, seen_at("14.0.1.0.0", "12:01:10"));
    let stored = paired.server.test.restart().await.service.pairing().unwrap();
    assert_eq!(*stored, *paired.service().pairing().unwrap());
}

/// A user in Odoo.
#[derive(Clone, Debug, PartialEq)]
struct There {
    login: String,
    active: bool,
    pending: bool,
    groups: BTreeSet<&'static str>,
    version: i64,
}

impl There {
    fn json(&self, id: i64) -> Value {
        let changes = json!({
            "name": format!("{} of Odoo", self.login), "active": self.active, "pending": self.pending,
            "groups": self.groups, "password_version": self.version,
        });
        user(id, &self.login, changes)
    }
}

/// The same here: as he was when he came last.
struct Here {
    /// `None`: somebody else has his login.
    login: Option<String>,
    /// `None`: the service's own, who has not come from Odoo.
    there: Option<There>,
    may_act: bool,
    /// As of when.
    as_of: Option<i64>,
}

struct Token {
    text: String,
    user: i64,
    revoked: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Create {
        login: usize,
    },
    Rename {
        user: prop::sample::Index,
        login: usize,
    },
    Swap {
        one: prop::sample::Index,
        other: prop::sample::Index,
    },
    Password {
        user: prop::sample::Index,
    },
    Archive {
        user: prop::sample::Index,
    },
    Pending {
        user: prop::sample::Index,
    },
    Group {
        user: prop::sample::Index,
        group: usize,
    },
    Delete {
        user: prop::sample::Index,
    },
    Sync {
        users: Vec<prop::sample::Index>,
    },
    /// What was seen some steps ago, and arrives now.
    Late {
        steps: usize,
        users: Vec<prop::sample::Index>,
    },
    Keep,
    Everything,
    Issue {
        user: prop::sample::Index,
    },
    Restart,
}

const LOGINS: [&str; 9] = ["alice", "bob", "olga", "erna", "carol", "dave", "eve", "bob#4", "carol#4"];
const GROUPS: [&str; 4] = ["base.group_user", "base.group_system", "orest.group_orest_admin", "base.group_portal"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        3 => (0..LOGINS.len()).prop_map(|login| Step::Create { login }),
        3 => (index(), 0..LOGINS.len()).prop_map(|(user, login)| Step::Rename { user, login }),
        3 => (index(), index()).prop_map(|(one, other)| Step::Swap { one, other }),
        2 => index().prop_map(|user| Step::Password { user }),
        2 => index().prop_map(|user| Step::Archive { user }),
        1 => index().prop_map(|user| Step::Pending { user }),
        1 => (index(), 0..GROUPS.len()).prop_map(|(user, group)| Step::Group { user, group }),
        2 => index().prop_map(|user| Step::Delete { user }),
        8 => prop::collection::vec(index(), 1..5).prop_map(|users| Step::Sync { users }),
        3 => (1..9_usize, prop::collection::vec(index(), 1..5)).prop_map(|(steps, users)| Step::Late { steps, users }),
        2 => Just(Step::Keep),
        2 => Just(Step::Everything),
        6 => index().prop_map(|user| Step::Issue { user }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..50)
}

fn pick(users: &BTreeMap<i64, There>, index: &prop::sample::Index) -> Option<i64> {
    let ids: Vec<i64> = users.keys().copied().filter(|id| *id != 2).collect();
    (!ids.is_empty()).then(|| ids[index.index(ids.len())])
}

/// Odoo's users, the service's as they must be, and every token that was made.
struct Run {
    paired: Paired,
    odoo: BTreeMap<i64, There>,
    /// Odoo's users before each step. How many there are is the time in Odoo.
    seen: Vec<BTreeMap<i64, There>>,
    here: BTreeMap<i64, Here>,
    tokens: Vec<Token>,
    next: i64,
}

impl Run {
    async fn new() -> Self {
        let test = TestService::empty().await;
        let own = crate::support::USERS.iter().enumerate().map(|(at, (login, ..))| {
            (at as i64 + 2, Here { login: Some((*login).to_owned()), there: None, may_act: true, as_of: None })
        });
        let here = own.collect();
        let there = |login: &str, groups: &[&'static str]| There {
            login: login.to_owned(),
            active: true,
            pending: false,
            groups: groups.iter().copied().collect(),
            version: 1,
        };
        // Alice is the same in both, 4 is another person, Bob has another number.
        let odoo = BTreeMap::from([
            (2, there("admin", &GROUPS[..2])),
            (3, there("alice", &GROUPS[..1])),
            (4, there("carol", &GROUPS[..1])),
            (9, there("bob", &GROUPS[..1])),
        ]);
        Self { paired: Paired::over(test).await, odoo, seen: Vec::new(), here, tokens: Vec::new(), next: 10 }
    }

    /// The time in Odoo.
    fn now(&self) -> i64 {
        self.seen.len().try_into().unwrap()
    }

    /// One of Odoo's users, but the administrator.
    fn pick(&self, index: &prop::sample::Index) -> Option<i64> {
        pick(&self.odoo, index)
    }

    fn change(&mut self, index: &prop::sample::Index, change: impl FnOnce(&mut There)) {
        if let Some(id) = self.pick(index) {
            change(self.odoo.get_mut(&id).unwrap());
        }
    }

    fn is_free(&self, login: &str) -> bool {
        self.odoo.values().all(|user| user.login != login)
    }

    async fn step(&mut self, step: Step) {
        self.seen.push(self.odoo.clone());
        match step {
            Step::Create { login } if self.is_free(LOGINS[login]) => {
                let groups = BTreeSet::from([GROUPS[0]]);
                let login = LOGINS[login].to_owned();
                self.odoo.insert(self.next, There { login, active: true, pending: false, groups, version: 1 });
                self.next += 1;
            }
            Step::Rename { user, login } if self.is_free(LOGINS[login]) => {
                self.change(&user, |user| user.login = LOGINS[login].to_owned());
            }
            Step::Create { .. } | Step::Rename { .. } => {}
            Step::Swap { one, other } => {
                let (Some(one), Some(other)) = (self.pick(&one), self.pick(&other)) else { return };
                let logins = [one, other].map(|id| self.odoo[&id].login.clone());
                let [first, second] = logins;
                self.odoo.get_mut(&one).unwrap().login = second;
                self.odoo.get_mut(&other).unwrap().login = first;
            }
            Step::Password { user } => self.change(&user, |user| user.version += 1),
            Step::Archive { user } => self.change(&user, |user| user.active = !user.active),
            Step::Pending { user } => self.change(&user, |user| user.pending = !user.pending),
            Step::Group { user, group } => self.change(&user, |user| {
                if !user.groups.remove(GROUPS[group]) {
                    user.groups.insert(GROUPS[group]);
                }
            }),
            Step::Delete { user } => {
                if let Some(id) = self.pick(&user) {
                    self.odoo.remove(&id);
                }
            }
            Step::Sync { users } => {
                let ids: Vec<i64> = users.iter().filter_map(|index| self.pick(index)).collect();
                self.sync(ids, &self.odoo.clone(), self.now()).await;
            }
            Step::Late { steps, users } => {
                let Some(at) = self.seen.len().checked_sub(steps) else { return };
                let then = self.seen[at].clone();
                let ids: Vec<i64> = users.iter().filter_map(|index| pick(&then, index)).collect();
                self.sync(ids, &then, at.try_into().unwrap()).await;
            }
            Step::Keep => self.keep().await,
            Step::Everything => {
                self.sync(self.odoo.keys().rev().copied().collect(), &self.odoo.clone(), self.now()).await;
                self.keep().await;
                let ids: Vec<_> = self.here.keys().copied().collect();
                assert_eq!(ids, self.odoo.keys().copied().collect::<Vec<_>>());
                assert!(self.here.values().all(|user| user.login.is_some()), "nobody is left under a strange login");
            }
            Step::Issue { user } => {
                let ids: Vec<i64> = self.here.keys().copied().collect();
                let id = ids[user.index(ids.len())];
                let text = self.paired.issue(id).await;
                assert_eq!(text.is_some(), self.here[&id].may_act);
                self.tokens.extend(text.map(|text| Token { text, user: id, revoked: false }));
            }
            Step::Restart => {
                let test = self.paired.server.test.restart().await;
                let bearer = self.paired.bearer.clone();
                self.paired = Paired { server: crate::support::http::TestServer::over(test), bearer };
            }
        }
    }

    /// Of which users all is revoked; says how much that is.
    fn revoke_all_of(&mut self, id: i64) -> u64 {
        let mut count = 0;
        for token in self.tokens.iter_mut().filter(|token| token.user == id && !token.revoked) {
            token.revoked = true;
            count += 1;
        }
        count
    }

    async fn sync(&mut self, ids: Vec<i64>, odoo: &BTreeMap<i64, There>, as_of: i64) {
        let users: Vec<_> = ids.iter().map(|id| odoo[id].json(*id)).collect();
        let body = json!({"users": users, "as_of": as_of});
        let answer = self.paired.call("orest.pairing/sync_users", &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let got = answer.json();
        let (mut revoked, mut created) = (0, 0);
        for id in ids {
            let there = odoo[&id].clone();
            if let Some(here) = self.here.get(&id)
                && (here.as_of.is_some_and(|known| known > as_of)
                    || (here.there.as_ref() == Some(&there) && here.login.is_some()))
            {
                continue;
            }
            match self.here.get(&id) {
                None => created += 1,
                Some(Here { there: None, login, .. }) if login.as_ref() != Some(&there.login) => {
                    revoked += self.revoke_all_of(id);
                    created += 1;
                }
                Some(Here { there: Some(before), .. }) if before.version != there.version => {
                    revoked += self.revoke_all_of(id);
                }
                Some(_) => {}
            }
            let holder =
                self.here.iter_mut().find(|(other, here)| **other != id && here.login.as_ref() == Some(&there.login));
            match holder {
                Some((_, Here { there: Some(_), login, .. })) => *login = None,
                Some((other, _)) => {
                    let other = *other;
                    self.here.remove(&other);
                    revoked += self.revoke_all_of(other);
                }
                None => {}
            }
            let may_act = there.active && !there.pending;
            let login = Some(there.login.clone());
            self.here.insert(id, Here { login, there: Some(there), may_act, as_of: Some(as_of) });
        }
        assert_eq!((got["created"].as_u64(), got["revoked"].as_u64()), (Some(created), Some(revoked)));
    }

    async fn keep(&mut self) {
        let ids: Vec<i64> = self.odoo.keys().copied().collect();
        let body = json!({"ids": ids, "as_of": self.now()});
        let got = self.paired.call("orest.pairing/keep_users", &[], &body).await.json();
        let gone: Vec<i64> = self.here.keys().copied().filter(|id| !self.odoo.contains_key(id)).collect();
        let revoked: u64 = gone.iter().map(|id| self.revoke_all_of(*id)).sum();
        self.here.retain(|id, _| self.odoo.contains_key(id));
        assert_eq!(got, json!({"deleted": gone.len(), "revoked": revoked}));
    }

    async fn check(&self) {
        let body = json!({"domain": [["id", "!=", 1]], "fields": ["login", "name", "active", "state"], "order": "id",
                          "context": {"active_test": false}});
        let rows = self.paired.call("res.users/search_read", &[("x-orest-user", "1")], &body).await.json();
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), self.here.len());
        for (row, (id, here)) in rows.iter().zip(&self.here) {
            assert_eq!(row["id"], *id);
            if let Some(login) = &here.login {
                assert_eq!(row["login"], **login);
            }
            let Some(there) = &here.there else { continue };
            let state = if there.pending { "pending" } else { "confirmed" };
            let name = format!("{} of Odoo", there.login);
            assert_eq!(
                (&row["name"], &row["active"], &row["state"]),
                (&json!(name), &json!(there.active), &json!(state))
            );
            let user = self.paired.service().user(UserId(*id)).await.unwrap().unwrap();
            let groups = Group::ALL.into_iter().filter(|group| there.groups.contains(group.xmlid()));
            assert_eq!(user.groups, orest::domain::user::GroupSet::closure(groups));
            assert_eq!(user.may_act(), here.may_act);
        }
        for token in &self.tokens {
            let good = !token.revoked && self.here.get(&token.user).is_some_and(|here| here.may_act);
            assert_eq!(self.paired.is_good(&token.text).await, good, "a token of user {}", token.user);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn users_here_are_what_odoo_said_last(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in steps {
                run.step(step).await;
                run.check().await;
            }
            run.step(Step::Everything).await;
            run.check().await;
        });
    }
}
