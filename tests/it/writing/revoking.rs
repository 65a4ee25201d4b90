//! Every way to revoke.

use orest::domain::selection::Selection;
use orest::service::revoke::RevokeOptions;
use serde_json::{Value, json};

use super::{acts, answer, brief, live};
use crate::support::TestService;

const MODEL: &str = "orest.authorization";

fn receipt(id: i64, counts: (u64, u64, u64)) -> Value {
    let (requested, revoked, already_revoked) = counts;
    json!({
        "revocation_id": id, "sequence": id,
        "requested": requested, "revoked": revoked, "already_revoked": already_revoked, "unconfirmed": [],
    })
}

/// Each on a fresh fixture with the live authorizations 2, 3, 5, 7 and two acts.
async fn check(login: &str, model: &str, method: &str, args: Value, kwargs: Value, expect: Value, left: Value) {
    let test = TestService::new().await;
    test.service.ensure_shipped_actions().await.expect("shipped");
    let got = answer(&test, login, model, method, args.clone(), kwargs.clone()).await;
    let case = format!("{login}: {model}.{method}({args}, {kwargs})");
    assert_eq!(brief(&got), expect, "{case}");
    assert_eq!(live(&test).await, left, "{case}");
    let acted = left != json!([2, 3, 5, 7]) || got.get("revocation_id").is_some_and(|id| !id.is_boolean());
    assert_eq!(acts(&test).await, if acted { json!(3) } else { json!(2) }, "{case}: one act, or none");
}

const MISSING: &str = "odoo.exceptions.MissingError: Record does not exist or has been deleted.";
const HIDDEN: &str = "odoo.exceptions.AccessError: Uh-oh! Looks like you have stumbled upon some top-secret records.";
const CLOSED: &str = "odoo.exceptions.AccessError: You are not allowed to delete 'REST API Authorization' (orest.authorization) records.";

#[tokio::test]
async fn by_ids() {
    let all = json!([2, 3, 5, 7]);
    let none = json!({});
    let revoke = "action_revoke_tokens";
    for (login, method, args, expect, left) in [
        ("admin", revoke, json!([[2, 5]]), receipt(3, (2, 2, 0)), json!([3, 7])),
        ("admin", revoke, json!([2]), receipt(3, (1, 1, 0)), json!([3, 5, 7])),
        ("admin", revoke, json!([[2, 2, 2]]), receipt(3, (1, 1, 0)), json!([3, 5, 7])),
        ("admin", revoke, json!([[4, 6]]), receipt(3, (2, 0, 2)), all.clone()),
        ("admin", revoke, json!([[2, 99]]), json!(MISSING), all.clone()),
        ("admin", revoke, json!([[-1]]), json!(MISSING), all.clone()),
        ("admin", "unlink", json!([[2, 99]]), json!(MISSING), all.clone()),
        ("admin", "unlink", json!([[2, 7]]), json!(true), json!([3, 5])),
        ("admin", "unlink", json!([[]]), json!(true), all.clone()),
        ("olga", revoke, json!([[2, 5, 7]]), receipt(3, (3, 3, 0)), json!([3])),
        ("alice", revoke, json!([[2, 3, 4]]), receipt(3, (3, 2, 1)), json!([5, 7])),
        ("alice", "unlink", json!([[3]]), json!(true), json!([2, 5, 7])),
        ("alice", revoke, json!([[2, 5]]), json!(HIDDEN), all.clone()),
        ("alice", "unlink", json!([[5]]), json!(HIDDEN), all.clone()),
        ("erna", "unlink", json!([[2]]), json!(HIDDEN), all.clone()),
        ("portia", revoke, json!([[2]]), json!(CLOSED), all.clone()),
        ("portia", "unlink", json!([[2]]), json!(CLOSED), all.clone()),
        ("paul", "unlink", json!([[2]]), json!(CLOSED), all.clone()),
    ] {
        check(login, MODEL, method, args, none.clone(), expect, left).await;
    }
}

#[tokio::test]
async fn by_selection() {
    let all = json!([2, 3, 5, 7]);
    let live_ones = json!([["state", "=", "live"]]);
    let own_only = "odoo.exceptions.AccessError: You may only revoke your own authorizations.";
    for (login, method, args, expect, left) in [
        ("admin", "revoke_domain", json!([live_ones]), receipt(3, (4, 4, 0)), json!([])),
        ("alice", "revoke_domain", json!([live_ones]), receipt(3, (2, 2, 0)), json!([5, 7])),
        ("admin", "revoke_user", json!([3]), receipt(3, (3, 2, 1)), json!([5, 7])),
        ("alice", "revoke_user", json!([3]), receipt(3, (3, 2, 1)), json!([5, 7])),
        ("alice", "revoke_user", json!([4]), json!(own_only), all.clone()),
        ("admin", "revoke_user", json!([99]), json!(MISSING), all.clone()),
        ("admin", "revoke_application", json!([1]), receipt(3, (4, 4, 0)), json!([7])),
        ("alice", "revoke_application", json!([1]), json!(own_only), all.clone()),
        ("admin", "revoke_application", json!([99]), json!(MISSING), all.clone()),
        ("portia", "revoke_domain", json!([[]]), json!(CLOSED), all.clone()),
        ("portia", "revoke_user", json!([8]), json!(CLOSED), all.clone()),
    ] {
        check(login, MODEL, method, args, json!({}), expect, left).await;
    }
}

#[tokio::test]
async fn a_preview_holds_the_revocation_to_it() {
    let test = TestService::new().await;
    let ids = json!([2, 4, 5]);
    let preview = answer(&test, "admin", MODEL, "preview_revoke", json!([ids]), json!({})).await;
    let digest = preview["digest"].clone();
    let users = json!([{"id": 3, "name": "Alice", "count": 1}, {"id": 4, "name": "Bob", "count": 1}]);
    assert_eq!(
        preview,
        json!({
            "requested": 3, "live": 2, "already_revoked": 1, "users": users, "user_count": 2,
            "applications": [{"id": 1, "name": "Mail Reader", "count": 2}], "digest": digest,
        })
    );
    answer(&test, "admin", MODEL, "action_revoke_tokens", json!([[5]]), json!({})).await;
    let stale = answer(&test, "admin", MODEL, "action_revoke_tokens", json!([ids]), json!({"expect": digest})).await;
    assert!(stale.as_str().is_some_and(|text| text.contains("has changed since it was previewed")), "{stale}");
    assert_eq!(live(&test).await, json!([2, 3, 7]));
    let preview = answer(&test, "alice", MODEL, "preview_revoke", json!([]), json!({"domain": []})).await;
    assert_eq!((preview["requested"].clone(), preview["live"].clone()), (json!(3), json!(2)));
    let digest = preview["digest"].clone();
    let done = answer(&test, "alice", MODEL, "revoke_domain", json!([[]]), json!({"expect": digest})).await;
    assert_eq!(done, receipt(4, (3, 2, 1)));
}

#[tokio::test]
async fn reasons_are_kept_and_bounded() {
    let test = TestService::new().await;
    let long = "x".repeat(1001);
    let refused = answer(&test, "admin", MODEL, "action_revoke_tokens", json!([[2]]), json!({"reason": long})).await;
    assert_eq!(refused, "odoo.exceptions.ValidationError: a reason has at most 1000 characters");
    let reasons = json!({"reason": "laptop", "reason_user": "sign in anew"});
    answer(&test, "admin", MODEL, "action_revoke_tokens", json!([[2]]), reasons).await;
    let fields = json!(["user_id", "channel", "reason_admin", "reason_user", "revoked", "initiating_entity"]);
    let rows = answer(&test, "admin", "orest.revocation", "read", json!([[3], fields]), json!({})).await;
    assert_eq!(
        rows,
        json!([{
            "id": 3, "user_id": [2, "Administrator"], "channel": "rpc", "reason_admin": "laptop",
            "reason_user": "sign in anew", "revoked": 1, "initiating_entity": "admin",
        }])
    );
}

#[tokio::test]
async fn undo() {
    let test = TestService::new().await;
    let call = |login: &'static str, id: i64| {
        let test = &test;
        async move { answer(test, login, "orest.revocation", "action_undo", json!([[id]]), json!({})).await }
    };
    answer(&test, "admin", MODEL, "unlink", json!([[2, 5]]), json!({})).await;
    let seen = answer(&test, "admin", MODEL, "search", json!([[["id", "in", [2, 5]]]]), json!({})).await;
    assert_eq!(seen, json!([]), "in the waste bin");
    let refused = call("alice", 3).await;
    assert_eq!(refused, "odoo.exceptions.AccessError: only an administrator may take back a revocation");
    let refused = call("olga", 3).await;
    assert_eq!(refused, "odoo.exceptions.AccessError: only who revoked may take it back");
    assert_eq!(call("admin", 3).await, receipt(4, (2, 2, 0)));
    assert_eq!(live(&test).await, json!([2, 3, 5, 7]), "out of the waste bin, too");
    let refused = call("admin", 3).await;
    assert_eq!(refused, "odoo.exceptions.UserError: this revocation has been taken back already");
    assert_eq!(brief(&call("admin", 99).await), MISSING);
    answer(&test, "admin", MODEL, "unlink", json!([[7]]), json!({})).await;
    test.clock.advance(std::time::Duration::from_secs(15 * 60 + 1));
    let refused = call("admin", 5).await;
    assert_eq!(refused, "odoo.exceptions.UserError: a revocation can be taken back for 15 minutes; that time is over");
}

/// What an act holds goes from hand to hand while acts are taken back, and a disabled user's authorizations stay revoked through
/// all of it: that act can't be taken back.
#[tokio::test]
async fn what_another_act_holds_stays_revoked_however_often_it_is_handed_on() {
    let test = TestService::new().await;
    let revoke = async || answer(&test, "admin", MODEL, "action_revoke_tokens", json!([[2, 3]]), json!({})).await;
    let undo = async |act: &Value| {
        let id = act["revocation_id"].clone();
        let receipt = answer(&test, "admin", "orest.revocation", "action_undo", json!([[id]]), json!({})).await;
        receipt["revoked"].as_u64().unwrap_or_else(|| panic!("{receipt}"))
    };
    let first = revoke().await;
    let disabled = answer(&test, "admin", "res.users", "action_disable", json!([[3]]), json!({})).await;
    let second = revoke().await;
    assert_eq!(undo(&first).await, 0);
    let third = revoke().await;
    assert_eq!(undo(&second).await, 0);
    assert_eq!(undo(&third).await, 0);
    answer(&test, "admin", "res.users", "action_enable", json!([[3]]), json!({})).await;
    let named = answer(&test, "admin", MODEL, "read", json!([[2, 3], ["state", "revocation_id"]]), json!({})).await;
    for row in named.as_array().expect("rows") {
        assert_eq!(
            (&row["state"], &row["revocation_id"][0]),
            (&json!("revoked"), &disabled["revocation_id"]),
            "{named}"
        );
    }
    let again = test.restart().await;
    assert_eq!(
        answer(
            &again,
            "admin",
            MODEL,
            "search_count",
            json!([[["id", "in", [2, 3]], ["state", "=", "live"]]]),
            json!({})
        )
        .await,
        0
    );
}

/// A token of alice's, and the authorization that it names.
async fn granted(test: &TestService) -> (orest::service::issue::Tokens, i64) {
    let tokens = test.authorize("alice", 0, None, true).await.expect("exchanged");
    let verified = test.service.verify(tokens.access.reveal()).await.expect("answers").expect("is good");
    (tokens, verified.claims.authorization.0)
}

#[tokio::test]
async fn what_no_act_holds_any_more_is_live_again() {
    let test = TestService::new().await;
    let (tokens, id) = granted(&test).await;
    let admin = test.context("admin");
    let revoke = async || {
        let receipt = test.service.revoke(&admin, Selection::Ids(vec![id]), RevokeOptions::default()).await;
        receipt.expect("revoked").revocation.expect("written down")
    };
    let undo = async |act| test.service.undo(&admin, act, None).await.expect("taken back").revoked;
    let is_live = async || test.service.verify(tokens.access.reveal()).await.expect("answers").is_ok();
    // In both orders: the act that found it revoked holds it after the other one, or never did.
    for last_first in [false, true] {
        let (first, second) = (revoke().await, revoke().await);
        let (one, other) = if last_first { (second, first) } else { (first, second) };
        assert_eq!((undo(one).await, is_live().await), (0, false), "{last_first}");
        assert_eq!((undo(other).await, is_live().await), (1, true), "{last_first}");
    }
}

/// An undo looks at the log before its turn to write: what is committed in between counts too. An act that comes in holds what
/// it names, and of two that are taken back at once neither holds anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_while_an_undo_waits_counts() {
    let test = TestService::new().await;
    let (tokens, id) = granted(&test).await;
    let act = {
        let (service, admin) = (test.service.clone(), test.context("admin"));
        move || {
            let (service, admin) = (service.clone(), admin.clone());
            async move {
                let receipt = service.revoke(&admin, Selection::Ids(vec![id]), RevokeOptions::default()).await;
                receipt.expect("revoked").revocation.expect("written down")
            }
        }
    };
    let undo = {
        let (service, admin) = (test.service.clone(), test.context("admin"));
        move |act| {
            let (service, admin) = (service.clone(), admin.clone());
            async move { service.undo(&admin, act, None).await.expect("taken back") }
        }
    };
    let is_live = async || test.service.verify(tokens.access.reveal()).await.expect("answers").is_ok();
    for round in 0..15 {
        let first = act().await;
        let held = hold_writer(&test).await;
        let (other, undone) = (tokio::spawn(act()), tokio::spawn(undo(first)));
        // Both have looked and wait, whichever comes first.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        drop(held);
        let second = other.await.expect("no panic");
        undone.await.expect("no panic");
        assert!(!is_live().await, "round {round}: the other act stands");
        undo(second).await;
        assert!(is_live().await, "round {round}: none does");

        let (first, second) = (act().await, act().await);
        let held = hold_writer(&test).await;
        let undone = [tokio::spawn(undo(first)), tokio::spawn(undo(second))];
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        drop(held);
        for undone in undone {
            undone.await.expect("no panic");
        }
        assert!(is_live().await, "round {round}: both were taken back");
    }
}

/// Lets every write wait until what is given is dropped.
async fn hold_writer(test: &TestService) -> std::sync::mpsc::Sender<()> {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let store = test.store.clone();
    tokio::spawn(async move {
        let wait = move |_: &mut orest::store::Tx<'_>| {
            let _ = begun.send(());
            let _ = held.recv();
            Ok::<_, orest::store::StoreError>(())
        };
        store.write(wait).await.expect("it only waits");
    });
    begins.await.expect("the writer has come to it");
    hold
}

#[tokio::test]
async fn the_server_action() {
    let test = TestService::new().await;
    for _ in 0..2 {
        test.service.ensure_shipped_actions().await.expect("shipped, once");
    }
    let actions = "ir.actions.server";
    let shipped = answer(&test, "admin", actions, "search_count", json!([[]]), json!({})).await;
    assert_eq!(shipped, json!(6));
    let bindings = |login: &'static str| {
        let test = &test;
        async move { answer(test, login, "ir.actions.actions", "get_bindings", json!([MODEL]), json!({})).await }
    };
    assert_eq!(bindings("admin").await, json!({}), "unbound");
    assert_eq!(answer(&test, "admin", actions, "create_action", json!([[1]]), json!({})).await, json!(true));
    let entry = json!({"id": 1, "name": "Revoke Tokens", "binding_view_types": "list,form", "sequence": 5});
    assert_eq!(bindings("admin").await, json!({"action": [entry]}));
    assert_eq!(bindings("alice").await, json!({"action": [entry]}));
    let refused = answer(&test, "alice", actions, "unlink_action", json!([[1]]), json!({})).await;
    assert_eq!(
        brief(&refused),
        "odoo.exceptions.AccessError: You are not allowed to modify 'Server Actions' (ir.actions.server) records."
    );

    let run = |login: &'static str, id: i64, context: Value| {
        let test = &test;
        async move { answer(test, login, actions, "run", json!([[id]]), json!({"context": context})).await }
    };
    let on = |ids: Value| json!({"active_model": MODEL, "active_ids": ids, "revoke_reason": "left the company"});
    let done = run("admin", 1, on(json!([2, 4]))).await;
    assert_eq!(done["type"], "ir.actions.client");
    assert_eq!(done["params"]["message"], "1 authorization revoked, 1 revoked before.");
    let fields = json!(["channel", "reason_admin", "requested", "revoked"]);
    let act = answer(&test, "admin", "orest.revocation", "read", json!([3, fields]), json!({})).await;
    assert_eq!(
        act,
        json!([{"id": 3, "channel": "server_action", "reason_admin": "left the company", "requested": 2, "revoked": 1}])
    );
    assert_eq!(brief(&run("alice", 1, on(json!([5]))).await), HIDDEN, "the rights of who runs it");
    let refused = run("portia", 1, on(json!([5]))).await;
    assert_eq!(refused, "odoo.exceptions.AccessError: You don't have enough access rights to run this action.");
    assert_eq!(brief(&run("admin", 99, on(json!([5]))).await), MISSING);
    assert_eq!(brief(&run("admin", 1, on(json!([5, 99]))).await), MISSING);
    let nothing = "builtins.ValueError: TypeError(\"'NoneType' object is not iterable\") while evaluating";
    assert_eq!(brief(&run("admin", 1, json!({})).await), nothing);
    assert_eq!(brief(&run("admin", 1, json!({"active_model": "res.users", "active_ids": [5]})).await), nothing);
    assert_eq!(live(&test).await, json!([3, 5, 7]), "none of these did anything");
    let one = json!({"active_model": MODEL, "active_id": 3});
    assert_eq!(run("alice", 1, one).await["params"]["message"], "1 authorization revoked.");
    answer(&test, "admin", actions, "unlink_action", json!([[1]]), json!({})).await;
    assert_eq!(bindings("admin").await, json!({}));
}

#[tokio::test]
async fn many_ids_are_one_act() {
    let test = TestService::new().await;
    let ids: Vec<i64> = (1..=100_000).map(|n| n % 7 + 1).chain([99]).collect();
    let refused = answer(&test, "admin", MODEL, "action_revoke_tokens", json!([ids]), json!({})).await;
    assert_eq!(brief(&refused), MISSING);
    assert_eq!(live(&test).await, json!([2, 3, 5, 7]));
    let ids = &ids[..ids.len() - 1];
    let done = answer(&test, "admin", MODEL, "action_revoke_tokens", json!([ids]), json!({})).await;
    assert_eq!(done, receipt(3, (7, 5, 2)));
    assert_eq!(acts(&test).await, json!(3));
}
