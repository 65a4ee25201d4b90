//! Users: who may change whom, and what each change does to sessions, tokens and keys.

use orest::service::issue::Tokens;
use orest::store::{StoreError, devices};
use serde_json::{Value, json};

use super::{acts, answer, brief};
use crate::support::TestService;

const MODEL: &str = "res.users";

/// What Bob has, before and after.
struct Bob<'a> {
    test: &'a TestService,
    tokens: Tokens,
    sid: orest::domain::secret::Secret,
    key: orest::domain::secret::Secret,
}

impl<'a> Bob<'a> {
    async fn of(test: &'a TestService) -> Self {
        let bob = test.uid("bob");
        Self {
            test,
            tokens: test.authorize("bob", 0, None, true).await.expect("exchanged"),
            sid: test.service.open_session(test.sign_in("bob").await, None).await.expect("signed in"),
            key: test.service.make_api_key(bob, "k", None, None).await.expect("made"),
        }
    }

    /// Whether his access token, session and API key are good.
    async fn good(&self) -> [bool; 3] {
        let service = &self.test.service;
        [
            service.verify(self.tokens.access.reveal()).await.expect("answers").is_ok(),
            service.session(self.sid.reveal()).await.expect("answers").is_some(),
            service.user_by_api_key(self.key.reveal(), "rpc").await.expect("answers").is_some(),
        ]
    }
}

#[tokio::test]
async fn what_ends_what() {
    const ALL: [bool; 3] = [true; 3];
    const NONE: [bool; 3] = [false; 3];
    let write = |values: Value| ("write", json!([[4], values]));
    for ((method, args), after, undone, acts_made, channel) in [
        (write(json!({"name": "Robert"})), ALL, ALL, 0, ""),
        (write(json!({"email": "new@example.com"})), ALL, ALL, 0, ""),
        (write(json!({"group_ids": [[4, 8]]})), ALL, ALL, 0, ""),
        (write(json!({"login": "robert"})), [true, false, true], [true, false, true], 0, ""),
        (write(json!({"password": "new password"})), [false, false, true], [false, false, true], 1, "password_change"),
        (write(json!({"password": ""})), [false, false, true], [false, false, true], 1, "password_change"),
        (write(json!({"active": false})), NONE, ALL, 0, ""),
        (("action_archive", json!([[4]])), NONE, ALL, 0, ""),
        (write(json!({"state": "pending"})), NONE, NONE, 0, ""),
        (("action_disable", json!([[4]])), NONE, NONE, 1, "user_disable"),
        (("action_revoke_all_sessions", json!([[4]])), [false, false, true], [false, false, true], 1, "rpc"),
        (("unlink", json!([[4]])), NONE, NONE, 1, "user_delete"),
    ] {
        let test = TestService::new().await;
        let bob = Bob::of(&test).await;
        assert_eq!(bob.good().await, ALL);
        let got = answer(&test, "admin", MODEL, method, args.clone(), json!({})).await;
        let case = format!("{method}({args}): {got}");
        assert!(!got.is_string(), "{case}");
        assert_eq!(bob.good().await, after, "{case}");
        assert_eq!(acts(&test).await, json!(2 + acts_made), "{case}");
        if acts_made > 0 {
            let fields = json!(["channel", "user_id", "requested", "revoked", "already_revoked"]);
            let act = answer(&test, "admin", "orest.revocation", "read", json!([3, fields]), json!({})).await;
            assert_eq!(
                act,
                json!([{"id": 3, "channel": channel, "user_id": [2, "Administrator"],
                        "requested": 4, "revoked": 3, "already_revoked": 1}]),
                "{case}"
            );
        }
        if method != "unlink" {
            answer(&test, "admin", MODEL, "action_enable", json!([[4]]), json!({})).await;
            assert_eq!(bob.good().await, undone, "{case}, enabled again");
        }
        let again = test.restart().await;
        let verdict = again.service.verify(bob.tokens.access.reveal()).await.expect("answers");
        assert_eq!(verdict.is_ok(), undone[0], "{case}, after a restart");
    }
}

/// Hashing takes a core for a while, and sign-ins would wait: who may not set a password makes nobody do it.
#[tokio::test]
async fn a_password_is_hashed_only_for_who_may_set_it() {
    let test = TestService::new().await;
    let new = |login: &str| json!({"name": "New", "login": login, "password": "secret"});
    let several = json!([[new("a"), new("b"), new("c")]]);
    let drawn = || test.entropy.drawn();
    for login in ["alice", "olga", "portia"] {
        for (method, args) in [
            ("write", json!([[3], {"password": "another one"}])),
            ("write", json!([[2], {"password": "another one"}])),
            ("create", json!([new("new")])),
            ("create", several.clone()),
            ("copy", json!([[3], {"password": "another one"}])),
        ] {
            let before = drawn();
            let got = answer(&test, login, MODEL, method, args.clone(), json!({})).await;
            assert!(got.as_str().is_some_and(|text| text.starts_with("odoo.exceptions.AccessError")), "{login}: {got}");
            assert_eq!(drawn(), before, "{login} {method}({args})");
        }
    }
    // A salt for each that is.
    let before = drawn();
    assert_eq!(answer(&test, "erna", MODEL, "create", several, json!({})).await, json!([9, 10, 11]));
    assert_eq!(drawn(), before + 3);
    assert_eq!(answer(&test, "admin", MODEL, "write", json!([[3], {"password": "x"}]), json!({})).await, json!(true));
    assert_eq!(drawn(), before + 4);
}

#[tokio::test]
async fn deleting_keeps_what_others_linked() {
    let test = TestService::new().await;
    assert_eq!(answer(&test, "admin", MODEL, "unlink", json!([[3]]), json!({})).await, json!(true));
    let fields = json!(["user_id", "device_id", "state", "revoked_by"]);
    let rows = answer(&test, "admin", "orest.authorization", "read", json!([[2, 4], fields]), json!({})).await;
    assert_eq!(
        rows,
        json!([
            {"id": 2, "user_id": false, "device_id": false, "state": "revoked", "revoked_by": [2, "Administrator"]},
            {"id": 4, "user_id": false, "device_id": false, "state": "revoked", "revoked_by": false},
        ])
    );
    let log = answer(&test, "admin", "orest.revocation", "read", json!([1, ["user_login"]]), json!({})).await;
    assert_eq!(log, json!([{"id": 1, "user_login": "alice"}]));
    let left = answer(&test, "admin", "orest.device", "search_count", json!([[]]), json!({})).await;
    assert_eq!(left, json!(0));
    let undone = answer(&test, "admin", "orest.revocation", "action_undo", json!([[3]]), json!({})).await;
    assert!(undone.as_str().is_some_and(|text| text.contains("user_delete can't be taken back")), "{undone}");
}

#[tokio::test]
async fn who_may() {
    let managers = "You are not allowed to modify 'User' (res.users) records.";
    let above = "Administrator is in the group 'Role / Administrator' and you are not: ask somebody who is.";
    let group = |name: &str| format!("You can't change who is in the group '{name}', because you are not in it.");
    let own_end = "You cannot deactivate the user you're currently logged in as.";
    let access = |text: &str| json!(format!("odoo.exceptions.AccessError: {text}"));
    let user = |text: &str| json!(format!("odoo.exceptions.UserError: {text}"));
    for (login, method, args, expect) in [
        ("alice", "write", json!([[3], {"name": "Al", "lang": "de_DE", "tz": "UTC"}]), json!(true)),
        ("alice", "write", json!([[3], {"email": "admin@example.com"}]), access(managers)),
        ("erna", "write", json!([[3], {"email": "a@x.y"}]), json!(true)),
        // By an address others know its holder.
        ("erna", "write", json!([[3], {"email": "ADMIN"}]), access(above)),
        ("erna", "write", json!([[3], {"login": "Admin"}]), access(above)),
        ("erna", "create", json!([{"name": "x", "login": "x", "email": "admin"}]), access(above)),
        ("admin", "write", json!([[3], {"email": "admin"}]), json!(true)),
        ("alice", "write", json!([[3], {"login": "al"}]), access(managers)),
        ("alice", "write", json!([[3], {"password": "x"}]), access(managers)),
        ("alice", "write", json!([[3], {"group_ids": [[4, 5]]}]), access(managers)),
        ("alice", "write", json!([[4], {"name": "x"}]), access(managers)),
        ("alice", "write", json!([[3, 4], {"name": "x"}]), access(managers)),
        (
            "alice",
            "create",
            json!([{"name": "x", "login": "x"}]),
            access("You are not allowed to create 'User' (res.users) records."),
        ),
        ("alice", "unlink", json!([[4]]), access("You are not allowed to delete 'User' (res.users) records.")),
        ("alice", "action_disable", json!([[4]]), access(managers)),
        ("olga", "action_disable", json!([[4]]), access(managers)),
        (
            "alice",
            "action_revoke_all_sessions",
            json!([[4]]),
            access("Uh-oh! Looks like you have stumbled upon some top-secret records."),
        ),
        (
            "portia",
            "action_revoke_all_sessions",
            json!([[7]]),
            access("You are not allowed to access 'User' (res.users) records."),
        ),
        ("erna", "write", json!([[4], {"name": "B", "password": "x", "group_ids": [[4, 8]]}]), json!(true)),
        ("erna", "write", json!([[4], {"groups_id": [[4, 5]]}]), access(&group("Role / Administrator"))),
        ("erna", "write", json!([[4], {"group_ids": [[6, 0, [6]]]}]), access(&group("REST API Admin"))),
        ("erna", "write", json!([[6], {"group_ids": [[4, 5]]}]), access(&group("Role / Administrator"))),
        (
            "erna",
            "create",
            json!([{"name": "x", "login": "x", "group_ids": [[4, 5]]}]),
            access(&group("Role / Administrator")),
        ),
        ("erna", "create", json!([{"name": "x", "login": "x", "group_ids": [[4, 4]]}]), json!(9)),
        ("erna", "write", json!([[2], {"password": "x"}]), access(above)),
        ("erna", "write", json!([[2], {"name": "x"}]), access(above)),
        ("erna", "action_disable", json!([[2]]), access(above)),
        (
            "erna",
            "action_disable",
            json!([[4]]),
            json!({"revocation_id": 3, "sequence": 3, "requested": 3, "revoked": 2, "already_revoked": 1, "unconfirmed": []}),
        ),
        (
            "erna",
            "write",
            json!([[4], {"group_ids": [[0, 0, {}]]}]),
            json!(
                "odoo.exceptions.UserError: The records of 'Groups' (group_ids) can only be linked and unlinked here."
            ),
        ),
        (
            "erna",
            "write",
            json!([[4], {"group_ids": [[4, 99]]}]),
            json!(
                "odoo.exceptions.ValidationError: The operation cannot be completed: the field 'Groups' (group_ids) of 'User' \
             (res.users) refers to res.groups(99,), which does not exist or has been deleted."
            ),
        ),
        ("admin", "write", json!([[2], {"active": false}]), user(own_end)),
        ("admin", "action_disable", json!([[4, 2]]), user(own_end)),
        ("admin", "write", json!([[2], {"state": "pending"}]), user(own_end)),
        ("admin", "write", json!([[1], {"active": true}]), user("You cannot activate the superuser.")),
        ("admin", "action_enable", json!([[1]]), user("You cannot activate the superuser.")),
        (
            "admin",
            "write",
            json!([[2], {"group_ids": [[6, 0, [1]]]}]),
            json!("odoo.exceptions.ValidationError: You must have at least an administrator user."),
        ),
        (
            "admin",
            "write",
            json!([[2], {"new_password": "x"}]),
            user(
                "Please use the change password wizard (in User Preferences or User menu) to change your own password.",
            ),
        ),
        (
            "admin",
            "unlink",
            json!([[4, 1]]),
            user(
                "You can not remove the admin user as it is used internally for resources created by Odoo (updates, module installation, ...)",
            ),
        ),
        (
            "admin",
            "unlink",
            json!([[4, 2]]),
            user(
                "You cannot delete the admin user because it is utilized in various places (such as security configurations,...). \
             Instead, archive it.",
            ),
        ),
        ("erna", "unlink", json!([[6]]), user("You cannot delete the user you're currently logged in as.")),
        (
            "admin",
            "create",
            json!([{"name": "x", "login": "bob"}]),
            json!(
                "odoo.exceptions.ValidationError: The operation cannot be completed: You can not have two users with the same login!"
            ),
        ),
        (
            "admin",
            "create",
            json!([{"name": "x"}]),
            json!(
                "odoo.exceptions.ValidationError: The operation cannot be completed: Missing required value for the field 'Login' (login)."
            ),
        ),
        (
            "admin",
            "write",
            json!([[3, 4], {"login": "same"}]),
            json!(
                "odoo.exceptions.ValidationError: The operation cannot be completed: You can not have two users with the same login!"
            ),
        ),
        (
            "admin",
            "action_disable",
            json!([[4, 99]]),
            json!("odoo.exceptions.MissingError: Record does not exist or has been deleted."),
        ),
    ] {
        let test = TestService::new().await;
        let got = answer(&test, login, MODEL, method, args.clone(), json!({})).await;
        assert_eq!(brief(&got), expect, "{login}: {method}({args})");
        if brief(&got).is_string() {
            let state = json!([[["active", "=", true]]]);
            assert_eq!(
                answer(&test, "admin", MODEL, "search_count", state, json!({})).await,
                json!(7),
                "{method}({args})"
            );
            assert_eq!(acts(&test).await, json!(2), "{method}({args})");
        }
    }
}

#[tokio::test]
async fn no_login_looks_like_another() {
    let test = TestService::empty().await;
    let refused = "odoo.exceptions.ValidationError: A login has no spaces at its ends and no control characters: it would look \
                   like another one.";
    for (login, expect) in [
        ("admin ", json!(refused)),
        (" admin", json!(refused)),
        ("\tadmin", json!(refused)),
        ("admin\u{a0}", json!(refused)),
        ("ad\nmin", json!(refused)),
        ("ad\u{85}min", json!(refused)),
        ("  ", json!("odoo.exceptions.ValidationError: A user needs a login.")),
        ("ad min", json!(true)),
    ] {
        let got = answer(&test, "admin", MODEL, "write", json!([[4], {"login": login}]), json!({})).await;
        assert_eq!(got, expect, "{login:?}");
        if expect.is_string() {
            let given = json!({"name": "x", "login": login});
            assert_eq!(answer(&test, "admin", MODEL, "create", json!([given]), json!({})).await, expect, "{login:?}");
        }
    }
}

#[tokio::test]
async fn a_pending_user_can_t_be_disabled() {
    let test = TestService::new().await;
    answer(&test, "admin", MODEL, "write", json!([[4], {"state": "pending"}]), json!({})).await;
    let disabled = "can't be disabled, only deleted";
    let both = json!([[3, 4]]);
    for (method, args, why_not) in [
        ("action_disable", both.clone(), disabled),
        ("action_archive", both.clone(), disabled),
        ("toggle_active", both.clone(), disabled),
        ("write", json!([[3, 4], {"active": false}]), disabled),
        ("write", json!([[3, 4], {"active": false, "state": "pending"}]), disabled),
        ("action_enable", both, "can't be enabled, only confirmed or deleted"),
    ] {
        let refused = answer(&test, "admin", MODEL, method, args.clone(), json!({})).await;
        let expect = format!("odoo.exceptions.UserError: Bob is pending: a user who is not confirmed yet {why_not}.");
        assert_eq!(refused, expect, "{method} {args}");
        let read = answer(&test, "admin", MODEL, "read", json!([[3, 4], ["active"]]), json!({})).await;
        assert_eq!(
            read,
            json!([{"id": 3, "active": true}, {"id": 4, "active": true}]),
            "none of them: {method} {args}"
        );
    }
    // Confirmed by the same write, he is pending no longer.
    let confirmed = json!([[4], {"active": false, "state": "confirmed"}]);
    assert_eq!(answer(&test, "admin", MODEL, "write", confirmed, json!({})).await, true);
    assert_eq!(answer(&test, "admin", MODEL, "action_enable", json!([[4]]), json!({})).await, true);
}

/// However many are selected, an act is one row of the log, with who, through which door, how many and why.
#[tokio::test]
async fn one_act_for_many() {
    for (model, method, channel, selection, ids) in [
        (MODEL, "action_disable", "user_disable", "users 3, 4", json!([3, 4])),
        (MODEL, "action_revoke_all_sessions", "rpc", "users 3, 4", json!([3, 4])),
        (MODEL, "unlink", "user_delete", "users 3, 4", json!([3, 4])),
        ("orest.device", "action_revoke", "device_revoke", "devices 1, 2", json!([1, 2])),
    ] {
        let test = TestService::new().await;
        let touched = match model {
            MODEL => json!([["user_id", "in", ids]]),
            _ => json!([["device_id", "in", ids]]),
        };
        let count = async |domain: &Value| {
            answer(&test, "admin", "orest.authorization", "search_count", json!([domain]), json!({})).await
        };
        let (all, live) = (count(&touched).await, count(&json!([touched[0], ["revoked_at", "=", false]])).await);
        let done = answer(&test, "admin", model, method, json!([ids]), json!({"reason": "left"})).await;
        assert!(!done.is_string(), "{method}: {done}");
        assert_eq!(acts(&test).await, 3, "{method}");
        let fields = json!(["channel", "selection", "requested", "revoked", "reason_admin", "user_id"]);
        let act = answer(&test, "admin", "orest.revocation", "read", json!([3, fields]), json!({})).await;
        let expect = json!([{"id": 3, "channel": channel, "selection": selection, "requested": all, "revoked": live,
                             "reason_admin": "left", "user_id": [2, "Administrator"]}]);
        assert_eq!(act, expect, "{method}");
        assert!(live.as_i64() > Some(1), "{method}");
    }
}

/// Who disables or deletes somebody for whom nothing acts is found in the log too, also if he has just done it to another.
#[tokio::test]
async fn the_log_has_what_ended_nothing() {
    for (login, method, channel) in [
        ("admin", "action_disable", "user_disable"),
        ("admin", "unlink", "user_delete"),
        ("erna", "action_disable", "user_disable"),
    ] {
        let test = TestService::new().await;
        let made = json!([{"name": "Nora", "login": "nora"}]);
        let nora = answer(&test, "admin", MODEL, "create", made, json!({})).await;
        answer(&test, login, MODEL, method, json!([[4]]), json!({})).await;
        answer(&test, login, MODEL, method, json!([[nora]]), json!({"reason": "a mistake"})).await;
        let fields = json!([[["id", ">", 3]], ["channel", "requested", "reason_admin", "initiating_entity"]]);
        let act = answer(&test, "admin", "orest.revocation", "search_read", fields, json!({})).await;
        let expect = json!([{"id": 4, "channel": channel, "requested": 0, "reason_admin": "a mistake",
                             "initiating_entity": "admin"}]);
        assert_eq!(act, expect, "{login}: {method}");
    }
}

/// The four deeds stand in the Action menu of users from the start, and are what the methods are.
#[tokio::test]
async fn from_the_action_menu() {
    let managers = "odoo.exceptions.AccessError: You don't have enough access rights to run this action.";
    for (name, good_after, channel, allowed) in [
        ("orest.action_disable_users", false, "user_disable", "erna"),
        ("orest.action_revoke_all_sessions", false, "server_action", "olga"),
        ("orest.action_delete_users", false, "user_delete", "erna"),
        ("orest.action_enable_users", true, "", "erna"),
    ] {
        let test = TestService::new().await;
        test.service.ensure_shipped_actions().await.expect("shipped");
        let actions = "ir.actions.server";
        let ids = answer(&test, "admin", actions, "search", json!([[["xml_id", "=", name]]]), json!({})).await;
        let id = ids[0].as_i64().unwrap_or_else(|| panic!("{name}: {ids}"));
        let menu = answer(&test, "admin", "ir.actions.actions", "get_bindings", json!([MODEL]), json!({})).await;
        let bound: Vec<_> = menu["action"].as_array().expect("a menu").iter().map(|action| &action["id"]).collect();
        assert_eq!((bound.len(), bound.contains(&&json!(id))), (4, true), "{name}: {menu}");
        let bob = Bob::of(&test).await;
        let context = json!({"context": {"active_model": MODEL, "active_ids": [4], "revoke_reason": "left"}});
        assert_eq!(answer(&test, "alice", actions, "run", json!([[id]]), context.clone()).await, managers, "{name}");
        let done = answer(&test, allowed, actions, "run", json!([[id]]), context).await;
        assert_eq!(done["params"]["type"], "success", "{name}: {done}");
        assert_eq!(bob.good().await[0], good_after, "{name}");
        let fields = json!([[["id", ">", 2]], ["channel"]]);
        let made = answer(&test, "admin", "orest.revocation", "search_read", fields, json!({})).await;
        let expect = if channel.is_empty() { json!([]) } else { json!([{"id": 3, "channel": channel}]) };
        assert_eq!(made, expect, "{name}");
        let there = answer(
            &test,
            "admin",
            MODEL,
            "search_count",
            json!([[["id", "=", 4], ["active", "in", [true, false]]]]),
            json!({}),
        )
        .await;
        assert_eq!(there, json!(i64::from(name != "orest.action_delete_users")), "{name}");
    }
}

#[tokio::test]
async fn passwords() {
    let test = TestService::new().await;
    let denied = "odoo.exceptions.AccessDenied: Access Denied";
    let empty = "odoo.exceptions.UserError: Setting empty passwords is not allowed for security reasons!";
    for (args, expect) in [
        (json!(["bad", "x"]), json!(denied)),
        (json!(["", "x"]), json!(denied)),
        (json!(["alice", ""]), json!(empty)),
        (json!(["alice", "new"]), json!(true)),
        (json!(["alice", "newer"]), json!(denied)),
    ] {
        let got = answer(&test, "alice", MODEL, "change_password", args.clone(), json!({})).await;
        assert_eq!(got, expect, "{args}");
    }
    let signs_in = async |login: &str, password: &str| {
        test.service.user_by_password(login, password, None).await.expect("answers").is_some()
    };
    assert!(signs_in("alice", "new").await && !signs_in("alice", "alice").await);
    let given = json!({"name": "Carol", "login": "carol", "password": "secret", "group_ids": [[4, 1]]});
    let id = answer(&test, "admin", MODEL, "create", json!([given]), json!({})).await;
    assert!(signs_in("carol", "secret").await);
    let row = answer(&test, "admin", MODEL, "read", json!([id]), json!({})).await;
    assert!(!row.to_string().contains("secret") && !row.to_string().contains("argon"), "{row}");
    answer(&test, "admin", MODEL, "write", json!([[id], {"login": "caro"}]), json!({})).await;
    assert!(signs_in("caro", "secret").await && !signs_in("carol", "secret").await);
    let subjects = answer(
        &test,
        "admin",
        "orest.identity",
        "search_read",
        json!([[["user_id", "=", id]], ["subject"]]),
        json!({}),
    );
    assert_eq!(subjects.await[0]["subject"], "caro");
    answer(&test, "admin", MODEL, "write", json!([[id], {"password": ""}]), json!({})).await;
    assert!(!signs_in("caro", "secret").await && !signs_in("caro", "").await);
}

/// Neither on signing in anew from it, which lifts the revocation, nor after a restart.
#[tokio::test]
async fn a_revoked_device_ends_its_sessions() {
    let test = TestService::empty().await;
    let [computer, phone] = test.devices;
    let mut sids = Vec::new();
    for device in [Some(computer), Some(phone), None] {
        sids.push(test.service.open_session(test.sign_in("alice").await, device).await.expect("signed in"));
    }
    let good = async |test: &TestService| {
        let mut good = Vec::new();
        for sid in &sids {
            good.push(test.service.session(sid.reveal()).await.expect("answers").is_some());
        }
        good
    };
    let set_revoked = async |at| {
        let done: Result<usize, StoreError> =
            test.store.write(move |tx| devices::set_revoked(tx.connection, &[computer.0], at)).await;
        assert_eq!(done.expect("written"), 1);
    };
    assert_eq!(good(&test).await, [true; 3]);
    answer(&test, "alice", "orest.device", "action_revoke", json!([[computer.0]]), json!({})).await;
    assert_eq!(good(&test).await, [false, true, true]);
    set_revoked(None).await;
    assert_eq!(good(&test.restart().await).await, [false, true, true], "the row is gone");

    sids.push(test.service.open_session(test.sign_in("alice").await, Some(computer)).await.expect("signed in"));
    let good = async |test: &TestService| test.service.session(sids[3].reveal()).await.expect("answers").is_some();
    assert!(good(&test.restart().await).await);
    set_revoked(Some(test.service.now())).await;
    assert!(!good(&test.restart().await).await, "the device is asked too");
}

/// A plain user may revoke his own devices, but not fill the log with it.
#[tokio::test]
async fn a_device_is_revoked_once() {
    let test = TestService::new().await;
    for _ in 0..3 {
        let done = answer(&test, "alice", "orest.device", "action_revoke", json!([[1]]), json!({})).await;
        assert_eq!(done["revocation_id"], 3, "{done}");
    }
    assert_eq!(acts(&test).await, 3);
}

#[tokio::test]
async fn devices_and_codes() {
    let test = TestService::new().await;
    let mut done =
        answer(&test, "alice", "orest.device", "action_revoke", json!([[1]]), json!({"reason_user": "lost"})).await;
    // Among several nodes the device is told of first, by the same numbers.
    assert!(done["sequence"].take().as_u64() >= Some(3));
    let expect = json!({"revocation_id": 3, "sequence": null, "requested": 1, "revoked": 1, "already_revoked": 0, "unconfirmed": []});
    assert_eq!(done, expect);
    let row = answer(&test, "alice", "orest.device", "read", json!([[1, 2], ["revoked"]]), json!({})).await;
    assert_eq!(row, json!([{"id": 1, "revoked": true}, {"id": 2, "revoked": false}]));
    assert_eq!(super::live(&test).await, json!([3, 5, 7]));
    let refused = answer(&test, "bob", "orest.device", "action_revoke", json!([[2]]), json!({})).await;
    assert!(refused.as_str().is_some_and(|text| text.contains("top-secret")), "{refused}");

    let codes = "orest.authorization.code";
    test.authorize("bob", 0, None, false).await;
    let active = json!([[["active", "=", true]]]);
    let open = answer(&test, "olga", codes, "search", active.clone(), json!({})).await;
    assert_eq!(open.as_array().map(Vec::len), Some(2), "the new one and the one that was never exchanged");
    let done = answer(&test, "olga", codes, "action_revoke_authorization_codes", json!([open]), json!({})).await;
    assert_eq!(done, json!({"requested": 2, "deactivated": 2}));
    assert_eq!(answer(&test, "olga", codes, "search", active, json!({})).await, json!([]));
    let refused = answer(&test, "alice", codes, "action_revoke_authorization_codes", json!([open]), json!({})).await;
    assert!(refused.as_str().is_some_and(|text| text.contains("not allowed to access")), "{refused}");
}
