//! API keys over RPC, as OdooRPC makes them.

use orest::domain::secret::Secret;
use orest::orm::call::{Caller, Orm};
use serde_json::{Value, json};

use crate::support::TestService;

const DESCRIPTION: &str = "res.users.apikeys.description";
const CHECK: &str = "res.users.identitycheck";

/// A user with a web session, as `/web/dataset/call_button` finds him.
struct Web<'a> {
    test: &'a TestService,
    orm: Orm,
    login: &'static str,
    sid: Secret,
}

impl<'a> Web<'a> {
    async fn of(test: &'a TestService, login: &'static str) -> Self {
        let sid = test.service.open_session(test.sign_in(login).await, None).await.expect("signed in");
        Self { test, orm: test.orm(), login, sid }
    }

    async fn caller(&self) -> Caller {
        let session = self.test.service.session(self.sid.reveal()).await.expect("answers");
        Caller { context: self.test.context(self.login), uid: self.test.uid(self.login).0, session }
    }

    async fn call(&self, model: &str, method: &str, args: Value, context: Value) -> Value {
        let (Value::Array(args), caller) = (args, self.caller().await) else { panic!("args is a list") };
        let kwargs = [("context".to_owned(), context)].into_iter().collect();
        match self.orm.call_kw(&caller, model, method, args, kwargs).await {
            Ok(value) => value,
            Err(error) => error.to_string().into(),
        }
    }

    /// The whole dialogue, with the password written as OdooRPC does.
    async fn make(&self, values: Value) -> Value {
        let id = self.call(DESCRIPTION, "create", json!([values]), json!({})).await;
        let asked = self.call(DESCRIPTION, "make_key", json!([[id]]), json!({})).await;
        let Some(check) = asked["res_id"].as_i64() else { return asked };
        assert_eq!(asked["res_model"], CHECK);
        self.call(CHECK, "write", json!([[check], {"password": self.login}]), json!({})).await;
        self.call(CHECK, "run_check", json!([[check]]), json!({})).await
    }
}

#[tokio::test]
async fn the_dialogue() {
    let test = TestService::new().await;
    let web = Web::of(&test, "alice").await;
    let id = web.call(DESCRIPTION, "create", json!([{"name": "k1"}]), json!({})).await;
    let fields = json!(["name", "duration", "expiration_date"]);
    let read = web.call(DESCRIPTION, "read", json!([[id], fields]), json!({})).await;
    assert_eq!(read, json!([{"id": id, "name": "k1", "duration": "1", "expiration_date": "2026-11-21 00:00:00"}]));
    let asked = web.call(DESCRIPTION, "make_key", json!([[id]]), json!({})).await;
    let check = asked["res_id"].clone();
    assert_eq!(
        asked,
        json!({
            "type": "ir.actions.act_window", "res_model": CHECK, "res_id": check, "name": "Access Control",
            "target": "new", "views": [[false, "form"]], "context": {"dialog_size": "medium"},
        })
    );
    let wrong = web.call(CHECK, "run_check", json!([[check]]), json!({"password": "bad"})).await;
    let text = "Incorrect Password, try again or click on Forgot Password to reset your password.";
    assert_eq!(wrong, format!("odoo.exceptions.UserError: {text}"));
    web.call(CHECK, "write", json!([[check], {"password": "alice"}]), json!({})).await;
    let read = web.call(CHECK, "read", json!([[check], ["password"]]), json!({})).await;
    assert!(!read.to_string().contains("alice"), "a password is never read: {read}");
    let shown = web.call(CHECK, "run_check", json!([[check]]), json!({})).await;
    assert_eq!((&shown["res_model"], &shown["name"]), (&json!("res.users.apikeys.show"), &json!("API Key Ready")));
    let key = shown["context"]["default_key"].as_str().expect("a key").to_owned();
    let user = test.service.user_by_api_key(&key, "rpc").await.expect("answers").expect("is good");
    assert_eq!(user.login(), "alice");
    let gone = web.call(DESCRIPTION, "read", json!([[id]]), json!({})).await;
    assert_eq!(gone, json!([]));

    // Within ten minutes nobody is asked again; later he is.
    let second = web.make(json!({"name": "k2", "duration": "90"})).await;
    assert_eq!(second["res_model"], "res.users.apikeys.show");
    let names = web.call("res.users.apikeys", "search_read", json!([[], ["name"]]), json!({})).await;
    assert_eq!(names, json!([{"id": 1, "name": "k1"}, {"id": 2, "name": "k2"}]));
    let closed = web.call("res.users.apikeys", "remove", json!([[1]]), json!({})).await;
    assert_eq!(closed, json!({"type": "ir.actions.act_window_close"}));
    assert!(test.service.user_by_api_key(&key, "rpc").await.expect("answers").is_none());
    test.clock.advance(std::time::Duration::from_secs(601));
    let asked = web.call("res.users.apikeys", "remove", json!([[2]]), json!({})).await;
    let check = asked["res_id"].clone();
    let closed = web.call(CHECK, "run_check", json!([[check]]), json!({"password": "alice"})).await;
    assert_eq!(closed, json!({"type": "ir.actions.act_window_close"}));
    assert_eq!(web.call("res.users.apikeys", "search_count", json!([[]]), json!({})).await, json!(0));
}

#[tokio::test]
async fn limits_and_rights() {
    let test = TestService::new().await;
    for (login, values, expect) in [
        ("alice", json!({"name": "x", "duration": "0"}), "UserError: The API key must have an expiration date"),
        ("alice", json!({"name": "x", "duration": "180"}), "UserError: You cannot exceed 90 days."),
        (
            "alice",
            json!({"name": "x", "duration": "-1", "expiration_date": "2030-01-01"}),
            "UserError: You cannot exceed 90 days.",
        ),
        (
            "alice",
            json!({"name": "x", "duration": "-1", "expiration_date": "2020-01-01"}),
            "UserError: The expiration date of an API key must be in the future.",
        ),
        ("alice", json!({"name": " "}), "ValidationError: an API key needs a description"),
    ] {
        let got = Web::of(&test, login).await.make(values.clone()).await;
        assert_eq!(got, format!("odoo.exceptions.{expect}"), "{login} {values}");
    }
    let made = Web::of(&test, "admin").await.make(json!({"name": "for ever", "duration": "0"})).await;
    assert_eq!(made["res_model"], "res.users.apikeys.show");

    // Over /jsonrpc there is no session; others' forms and keys are not there.
    let orm = test.orm();
    let caller = Caller { context: test.context("alice"), uid: test.uid("alice").0, session: None };
    let call = |model: &'static str, method: &'static str, args: Vec<Value>| {
        let (orm, caller) = (&orm, &caller);
        async move {
            let answer = orm.call_kw(caller, model, method, args, serde_json::Map::new()).await;
            answer.unwrap_or_else(|error| error.to_string().into())
        }
    };
    let id = call(DESCRIPTION, "create", vec![json!({"name": "x"})]).await;
    let without = json!("odoo.exceptions.UserError: This method can only be accessed over HTTP");
    assert_eq!(call(DESCRIPTION, "make_key", vec![json!([id])]).await, without);
    assert_eq!(call("res.users.apikeys", "remove", vec![json!([1])]).await, without);
    let web = Web { orm: orm.clone(), ..Web::of(&test, "bob").await };
    let missing = web.call(DESCRIPTION, "make_key", json!([[id]]), json!({})).await;
    assert!(missing.as_str().is_some_and(|text| text.contains("does not exist or has been deleted")), "{missing}");
    let asked = web.call("res.users.apikeys", "remove", json!([[1]]), json!({})).await;
    let refused = web.call(CHECK, "run_check", json!([[asked["res_id"]]]), json!({"password": "bob"})).await;
    assert_eq!(
        refused,
        "odoo.exceptions.AccessError: You can not remove API keys unless they're yours or you are a system user"
    );
    let closed = call("res.users.apikeys", "create", vec![json!({"name": "x"})]).await;
    assert!(closed.as_str().is_some_and(|text| text.contains("No group currently allows")), "{closed}");
}

#[tokio::test]
async fn by_means_of_a_key() {
    let test = TestService::new().await;
    let web = Web::of(&test, "admin").await;
    let made = web.make(json!({"name": "first", "duration": "0"})).await;
    let key = made["context"]["default_key"].clone();
    let second = web.call("res.users.apikeys", "generate", json!([key, null, "second", "2026-12-31"]), json!({})).await;
    let user = test.service.user_by_api_key(second.as_str().expect("a key"), "rpc").await.expect("answers");
    assert_eq!(user.expect("is good").login(), "admin");
    let wrong = web.call("res.users.apikeys", "generate", json!(["nope", null, "x", null]), json!({})).await;
    assert_eq!(
        wrong,
        "odoo.exceptions.AccessDenied: The provided API key is invalid or does not belong to the current user."
    );
    for _ in 0..8 {
        web.call("res.users.apikeys", "generate", json!([key, "rpc", "more", "2026-12-31"]), json!({})).await;
    }
    let many = web.call("res.users.apikeys", "generate", json!([key, null, "x", "2026-12-31"]), json!({})).await;
    assert_eq!(many, "odoo.exceptions.UserError: Limit of 10 API keys is reached for programmatic creation");
    assert_eq!(web.call("res.users.apikeys", "revoke", json!([second]), json!({})).await, json!(true));
    let wrong = web.call("res.users.apikeys", "revoke", json!([second]), json!({})).await;
    assert_eq!(wrong, "odoo.exceptions.AccessDenied: The provided API key is invalid.");
    let alice = Web::of(&test, "alice").await;
    let refused = alice.call("res.users.apikeys", "generate", json!([key, null, "x", null]), json!({})).await;
    assert_eq!(refused, "odoo.exceptions.UserError: Programmatic API keys are not enabled");
    let refused = alice.call("res.users.apikeys", "revoke", json!([key]), json!({})).await;
    assert_eq!(refused, "odoo.exceptions.AccessDenied: The provided API key is invalid.");
}

#[tokio::test]
async fn forms_are_bounded() {
    let test = TestService::new().await;
    let web = Web::of(&test, "alice").await;
    let first = web.call(DESCRIPTION, "create", json!([{"name": "first"}]), json!({})).await;
    test.clock.advance(std::time::Duration::from_secs(1));
    for _ in 0..20 {
        web.call(DESCRIPTION, "create", json!([{"name": "x"}]), json!({})).await;
    }
    assert_eq!(web.call(DESCRIPTION, "search_count", json!([[]]), json!({})).await, json!(20));
    assert_eq!(web.call(DESCRIPTION, "read", json!([[first]]), json!({})).await, json!([]));
    test.clock.advance(std::time::Duration::from_secs(3600));
    assert_eq!(web.call(DESCRIPTION, "search", json!([[]]), json!({})).await, json!([]));
    let long = "x".repeat(1025);
    let refused = web.call(DESCRIPTION, "create", json!([{"name": long}]), json!({})).await;
    assert_eq!(refused, "odoo.exceptions.ValidationError: 'Description' has at most 1024 characters.");
}
