//! Signing in and consent in the paired Odoo: the browser's way there and back, and what others try on it.

use std::sync::Arc;
use std::time::Duration;

use orest::domain::ids::UserId;
use orest::domain::secret::{Secret, SecretHash};
use orest::domain::selection::Selection;
use orest::domain::time::Timestamp;
use orest::orm::call::Orm;
use orest::orm::registry::Registry;
use orest::service::access::AccessRevocation;
use orest::service::revoke::RevokeOptions;
use orest::store::authorizations::{self, Owner};
use orest::store::pairing::OdooUser;
use orest::store::{Connection, devices, tickets};
use orest::transport::http::{AppState, Settings, router};
use serde_json::json;

use super::*;

const ODOO: &str = "https://odoo.example.com";
const COOKIE: &str = "__Host-orest_browser";

/// The paired Odoo, which calls as the module does.
struct Odoo {
    app: Router,
    credential: Secret,
}

impl Odoo {
    async fn ask(&self, method: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/json/2/orest.pairing/{method}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.credential.reveal()));
        send(&self.app, request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn describe(&self, query: &str, user: UserId) -> Answer {
        self.ask("describe_request", &json!({"query": query, "user_id": user.0, "signed_in_seconds": 600})).await
    }

    async fn approve(&self, query: &str, user: UserId) -> Answer {
        self.ask("approve_request", &json!({"query": query, "user_id": user.0, "signed_in_seconds": 600})).await
    }

    /// The path of ours that an approval sends the browser to.
    async fn ticket(&self, query: &str, user: UserId) -> String {
        let answer = self.approve(query, user).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let redirect = answer.json()["redirect"].as_str().unwrap().to_owned();
        let path = redirect.strip_prefix(BASE).unwrap_or_else(|| panic!("{redirect}"));
        assert!(path.starts_with("/oauth2/ticket?ticket=ortk_"), "{path}");
        path.to_owned()
    }
}

async fn paired() -> (TestService, Odoo) {
    let (test, app) = set_up().await;
    let credential = test.service.pair_with(ODOO).await.unwrap();
    test.know_users_from_odoo().await;
    (test, Odoo { app, credential })
}

/// The query with which Odoo is asked, from the answer that leads there.
fn query_at_odoo(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    let start = format!("{ODOO}/orest/authorize?");
    answer.location().strip_prefix(&start).unwrap_or_else(|| panic!("{}", answer.location())).to_owned()
}

/// A browser that asks for this, and the query with which it comes to Odoo.
async fn begin(odoo: &Odoo, path: &str) -> (Browser, String) {
    let mut browser = Browser::new(&odoo.app);
    let answer = browser.get(path).await;
    let query = query_at_odoo(&answer);
    (browser, query)
}

/// Status and what the page or the application is told.
fn outcome(answer: &Answer) -> (u16, String) {
    let title = answer.body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let page = title.map(|(title, _)| title.to_owned());
    let query = answer.query();
    let told = query.get("error").cloned().or_else(|| query.contains_key("code").then(|| "code".to_owned()));
    (answer.status.as_u16(), told.or(page).unwrap_or_default())
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text("name"), text("message"))
}

const AGAIN: (u16, &str) = (403, "Please start again");

async fn count_authorizations(test: &TestService, login: &str) -> usize {
    let owner = test.uid(login);
    let list = move |connection: &mut Connection| authorizations::list_ids(connection, Owner::Users(&[owner]), 0);
    let ids: Result<_, StoreError> = test.store.read(list).await;
    ids.unwrap().len()
}

async fn count_tickets(test: &TestService) -> usize {
    let users: Result<_, StoreError> = test.store.read(tickets::list_users).await;
    users.unwrap().len()
}

#[tokio::test]
async fn consent_by_way_of_odoo() {
    let (test, odoo) = paired().await;
    let alice = test.uid("alice");
    let mut browser = Browser::new(&odoo.app);
    let answer = browser.get(&authorize_path(PHONE, &[])).await;
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    let query = query_at_odoo(&answer);
    let sent: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let cookie = browser.cookies[COOKIE].clone();
    assert_eq!(sent["browser"], SecretHash::of(&cookie).as_str());
    assert!(!query.contains(&cookie), "the cookie stays between the browser and us");
    assert_eq!((sent["state"].as_str(), sent["scope"].as_str()), ("st&te", "read"));
    assert!(!browser.cookies.contains_key("session_id"));

    let described = odoo.describe(&query, alice).await;
    let deny = format!(
        "{}?error=access_denied&error_description=the+person+said+no&state=st%26te&iss=https%3A%2F%2Fauth.example.com",
        callback(PHONE)
    );
    assert_eq!(
        described.json(),
        json!({
            "purpose": "consent",
            "application": "Phone <App>",
            "client_id": PHONE,
            "logo": false,
            "scopes": ["read"],
            "target": "client.example",
            "deny": deny,
        })
    );
    assert_eq!(count_tickets(&test).await, 0, "asking what to show approves of nothing");

    let ticket = odoo.ticket(&query, alice).await;
    let answer = browser.get(&ticket).await;
    assert_eq!(outcome(&answer), (303, "code".to_owned()), "{}", answer.body);
    assert_eq!((answer.header("cache-control"), answer.header("referrer-policy")), ("no-store", "no-referrer"));
    assert!(answer.location().starts_with(&callback(PHONE)));
    assert_eq!((answer.query()["state"].as_str(), answer.query()["iss"].as_str()), ("st&te", BASE));
    assert!(!browser.cookies.contains_key("session_id"), "a consent signs nobody in");
    assert_eq!(browser.cookies["orest_device"].len(), 64);
    let tokens = exchange(&odoo.app, PHONE, &answer.query()["code"]).await.json();
    let seen = introspect(&odoo.app, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!((&seen["sub"], &seen["username"], &seen["scope"]), (&json!("3"), &json!("alice"), &json!("read")));
    assert_eq!(seen["orest"]["device_id"], 3, "after the fixture's two");

    // Once.
    let answer = browser.get(&ticket).await;
    assert_eq!(outcome(&answer), (AGAIN.0, AGAIN.1.to_owned()));
    assert_eq!(count_authorizations(&test, "alice").await, 1);
    // The next time it is the same browser and the same device.
    let query = query_at_odoo(&browser.get(&authorize_path(MAIL, &[])).await);
    assert_eq!(browser.cookies[COOKIE], cookie);
    let answer = browser.get(&odoo.ticket(&query, alice).await).await;
    let tokens = exchange(&odoo.app, MAIL, &answer.query()["code"]).await.json();
    assert_eq!(introspect(&odoo.app, tokens["access_token"].as_str().unwrap()).await["orest"]["device_id"], 3);
}

#[tokio::test]
async fn what_the_application_may_ask_of_signing_in() {
    let (_test, odoo) = paired().await;
    let (mut browser, query) = begin(&odoo, &authorize_path(MAIL, &[("prompt", "login")])).await;
    assert!(query.contains("&prompt=login&browser="), "{query}");
    let answer = browser.get(&authorize_path(MAIL, &[("prompt", "none")])).await;
    assert_eq!(answer.query()["error"], "login_required");
    let answer = browser.get(&authorize_path("nobody", &[])).await;
    assert_eq!(answer.status, 400, "what is wrong is said before anybody is sent anywhere");
}

#[tokio::test]
async fn only_the_browser_that_began() {
    let (test, odoo) = paired().await;
    let (mut alice, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    // The attacker's own ticket, brought into somebody else's browser: with no cookie, with its own, with a made-up one.
    let ticket = odoo.ticket(&query, test.uid("bob")).await;
    let mut stranger = Browser::new(&odoo.app);
    let answer = stranger.get(&ticket).await;
    assert_eq!(outcome(&answer), (403, "A cookie is missing".to_owned()));
    assert!(answer.body.contains(BASE), "{}", answer.body);
    stranger.get(&authorize_path(MAIL, &[])).await;
    let again = (AGAIN.0, AGAIN.1.to_owned());
    assert_eq!(outcome(&stranger.get(&ticket).await), again);
    for cookie in ["0", &"0".repeat(64), SecretHash::of(&alice.cookies[COOKIE]).as_str()] {
        stranger.cookies.insert(COOKIE.to_owned(), cookie.to_owned());
        assert_eq!(outcome(&stranger.get(&ticket).await), again);
    }
    for wrong in
        ["/oauth2/ticket?ticket=ortk_0", "/oauth2/ticket?ticket=", "/oauth2/ticket", "/oauth2/ticket?ticket=%FF"]
    {
        assert!(matches!(alice.get(wrong).await.status.as_u16(), 400 | 403), "{wrong}");
    }
    assert_eq!(count_authorizations(&test, "bob").await, 0);
    // None of that has used it up.
    assert_eq!(outcome(&alice.get(&ticket).await), (303, "code".to_owned()));
    assert_eq!((count_authorizations(&test, "bob").await, count_authorizations(&test, "alice").await), (1, 0));
}

#[tokio::test]
async fn for_a_minute() {
    let (test, odoo) = paired().await;
    for (seconds, expect) in [(59, (303, "code")), (60, AGAIN), (3600, AGAIN)] {
        let (mut browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
        let ticket = odoo.ticket(&query, test.uid("alice")).await;
        test.clock.advance(Duration::from_secs(seconds));
        assert_eq!(outcome(&browser.get(&ticket).await), (expect.0, expect.1.to_owned()), "{seconds} s");
    }
    assert_eq!(count_tickets(&test).await, 1);
    test.service.tick().await.unwrap();
    assert_eq!(count_tickets(&test).await, 0, "housekeeping takes out what has ended");
    let (_, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    odoo.ticket(&query, test.uid("alice")).await;
    test.service.tick().await.unwrap();
    assert_eq!(count_tickets(&test).await, 1, "and nothing else");
}

#[tokio::test]
async fn once_also_when_it_is_brought_many_times_at_a_time() {
    let (test, odoo) = paired().await;
    let (browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    let ticket = odoo.ticket(&query, test.uid("alice")).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut own = Browser::new(&odoo.app);
        own.cookies = browser.cookies.clone();
        let ticket = ticket.clone();
        tries.spawn(async move { own.get(&ticket).await.status.as_u16() });
    }
    let mut statuses = tries.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403, 403, 403, 403, 403, 403, 403]);
    assert_eq!(count_authorizations(&test, "alice").await, 1);
}

/// What was answered before an act that takes back must not bring anything after it.
#[tokio::test]
async fn an_answer_in_flight_is_stopped() {
    type Act = fn(Arc<TestService>) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
    fn user(test: &TestService, login: &str) -> OdooUser {
        let id = test.uid(login);
        OdooUser {
            id,
            login: login.to_owned(),
            name: login.to_owned(),
            email: None,
            lang: "en_US".to_owned(),
            tz: None,
            active: true,
            pending: false,
            groups: [1].into_iter().collect(),
            password_version: Some(1),
            created_at: None,
        }
    }
    fn odoo_says(test: &TestService) -> orest::service::Context {
        orest::service::Context { from_odoo: true, ..test.context("admin") }
    }
    async fn call(test: &TestService, model: &str, method: &str, args: Value) {
        let context = odoo_says(test);
        let caller = orest::orm::call::Caller { context, uid: 2, session: None };
        let Value::Array(args) = args else { panic!("a list") };
        let done = test.orm().call_kw(&caller, model, method, args, serde_json::Map::new()).await;
        assert!(done.is_ok(), "{model}.{method}: {done:?}");
    }
    async fn revoke(test: &TestService, selection: Selection) {
        test.service.revoke(&test.context("admin"), selection, RevokeOptions::default()).await.unwrap();
    }
    async fn sync(test: &TestService, changed: OdooUser) {
        test.service.sync_users(&odoo_says(test), vec![changed], None).await.unwrap();
    }
    let good = (303, "code");
    // Alice is 3, Bob is 4; Mail Reader is application 1. Authorization 1 is Alice's of Report Maker, 2 is Bob's.
    let acts: Vec<(&str, Act, (u16, &str))> = vec![
        ("nothing", |_| Box::pin(async {}), good),
        (
            "Alice's sessions",
            |test| Box::pin(async move { call(&test, "res.users", "action_revoke_all_sessions", json!([[3]])).await }),
            AGAIN,
        ),
        (
            "Bob's sessions",
            |test| Box::pin(async move { call(&test, "res.users", "action_revoke_all_sessions", json!([[4]])).await }),
            good,
        ),
        (
            "Alice disabled",
            |test| Box::pin(async move { call(&test, "res.users", "action_disable", json!([[3]])).await }),
            AGAIN,
        ),
        (
            "Alice's device",
            |test| Box::pin(async move { call(&test, "orest.device", "action_revoke", json!([[1]])).await }),
            AGAIN,
        ),
        (
            "a selected one of Alice's",
            |test| {
                Box::pin(async move { call(&test, "orest.authorization", "action_revoke_tokens", json!([[1]])).await })
            },
            AGAIN,
        ),
        (
            "a selected one of Bob's",
            |test| {
                Box::pin(async move { call(&test, "orest.authorization", "action_revoke_tokens", json!([[2]])).await })
            },
            good,
        ),
        (
            "taken back, and the taking back taken back",
            |test| {
                Box::pin(async move {
                    call(&test, "orest.authorization", "action_revoke_tokens", json!([[1]])).await;
                    call(&test, "orest.revocation", "action_undo", json!([[1]])).await;
                })
            },
            AGAIN,
        ),
        (
            "all of Alice's",
            |test| Box::pin(async move { revoke(&test, Selection::Users(vec![UserId(3)])).await }),
            AGAIN,
        ),
        (
            "all of the application's, which has none yet",
            |test| Box::pin(async move { revoke(&test, Selection::Application(test.applications[0].id)).await }),
            AGAIN,
        ),
        (
            "all of another application's, of which Alice has one",
            |test| Box::pin(async move { revoke(&test, Selection::Application(test.applications[1].id)).await }),
            AGAIN,
        ),
        (
            "Alice's new password",
            |test| {
                Box::pin(async move {
                    sync(&test, user(&test, "alice")).await;
                    sync(&test, OdooUser { password_version: Some(2), ..user(&test, "alice") }).await;
                })
            },
            AGAIN,
        ),
        (
            "Alice archived",
            |test| Box::pin(async move { sync(&test, OdooUser { active: false, ..user(&test, "alice") }).await }),
            AGAIN,
        ),
        ("Alice told again", |test| Box::pin(async move { sync(&test, user(&test, "alice")).await }), good),
        (
            "Alice gone",
            |test| {
                Box::pin(async move {
                    test.service.keep_users(&odoo_says(&test), vec![2, 4], None).await.unwrap();
                })
            },
            AGAIN,
        ),
        (
            "paired anew",
            |test| {
                Box::pin(async move {
                    test.service.pair_with("https://other.example.com").await.unwrap();
                })
            },
            AGAIN,
        ),
        (
            "not paired any more",
            |test| {
                Box::pin(async move {
                    test.service.unpair().await.unwrap();
                })
            },
            AGAIN,
        ),
        (
            "the application archived",
            |test| {
                Box::pin(async move {
                    call(&test, "orest.application", "write", json!([[1], {"active": false}])).await;
                })
            },
            (400, "The application's request is wrong"),
        ),
        (
            "the callback address taken away",
            |test| Box::pin(async move { call(&test, "orest.application.uri", "unlink", json!([[1]])).await }),
            (400, "The application's request is wrong"),
        ),
        (
            "the scope narrowed",
            |test| {
                Box::pin(async move {
                    call(&test, "orest.application", "write", json!([[1], {"scope": "write"}])).await;
                })
            },
            (303, "invalid_scope"),
        ),
    ];
    for (name, act, expect) in acts {
        let (test, odoo) = paired().await;
        let test = Arc::new(test);
        let alice = test.uid("alice");
        assert_eq!((alice.0, test.uid("bob").0, test.applications[0].id.0), (3, 4, 1));
        test.authorize("alice", 1, None, true).await;
        test.authorize("bob", 1, None, true).await;
        let (mut browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
        let ticket = odoo.ticket(&query, alice).await;
        act(Arc::clone(&test)).await;
        assert_eq!(outcome(&browser.get(&ticket).await), (expect.0, expect.1.to_owned()), "{name}");
        let made: Result<_, StoreError> = test
            .store
            .read(|connection| {
                authorizations::list_ids(connection, Owner::Application(orest::domain::ids::ApplicationId(1)), 0)
            })
            .await;
        assert_eq!(made.unwrap().len(), usize::from(expect == good), "{name}");
    }
}

/// An application without scopes that gets some while the person is on his way: he was shown that it asks for nothing.
#[tokio::test]
async fn what_was_shown_is_what_is_granted() {
    let (test, odoo) = paired().await;
    set_column(&test, "orest_application", 1, "scope", SqlValue::Text(String::new())).await;
    let again = test.restart().await;
    let odoo = Odoo { app: app(&again), credential: odoo.credential };
    let (mut browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    assert_eq!(odoo.describe(&query, test.uid("alice")).await.json()["scopes"], json!([]));
    let ticket = odoo.ticket(&query, test.uid("alice")).await;
    let (model, values) = ("orest.application", json!([[1], {"scope": "read write"}]));
    again.call("admin", model, "write", values, json!({})).await.unwrap();
    assert_eq!(outcome(&browser.get(&ticket).await), (AGAIN.0, AGAIN.1.to_owned()));
    assert_eq!(count_authorizations(&again, "alice").await, 0);
}

#[tokio::test]
async fn a_tampered_request_is_refused() {
    let (test, odoo) = paired().await;
    let (_, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    let alice = test.uid("alice");
    let (own, browser) = query.rsplit_once("&browser=").unwrap();
    let with = |more: &str| format!("{query}&{more}");
    let replaced = |from: &str, to: &str| {
        assert!(query.contains(from), "{from}: {query}");
        query.replace(from, to)
    };
    let sign_in = |redirect: &str| format!("purpose=sign_in&redirect={redirect}&browser={browser}");
    for wrong in [
        String::new(),
        own.to_owned(),
        format!("{own}&browser="),
        format!("{own}&browser={}", &browser[1..]),
        format!("{own}&browser={}", browser.to_uppercase().replacen(|c: char| c.is_ascii_digit(), "A", 1)),
        format!("{own}&browser={browser}0"),
        with(&format!("browser={browser}")),
        with("purpose=other"),
        with("purpose=sign_in&purpose=consent"),
        with("purpose=consent&purpose=sign_in"),
        // Some readers take it for a separator.
        with("x=1;purpose=sign_in"),
        with("x=%FF"),
        with("client_id=report-maker"),
        replaced(MAIL, "nobody"),
        replaced("%2Fmail-reader", "%2Fevil"),
        replaced("client.example", "evil.example"),
        sign_in("https%3A%2F%2Fevil.example"),
        sign_in("%2F%2Fevil.example"),
        sign_in("%2F%5Cevil.example"),
        sign_in("%2Fa&redirect=%2Fb"),
        with(&"x".repeat(65_536)),
    ] {
        for answer in [odoo.describe(&wrong, alice).await, odoo.approve(&wrong, alice).await] {
            let (status, name, message) = refusal(&answer);
            let shown: String = wrong.chars().take(300).collect();
            assert_eq!((status, name.as_str()), (422, "odoo.exceptions.UserError"), "{shown}: {message}");
            assert!(message.starts_with("The application's request is wrong. "), "{message}");
        }
    }
    for (told, error) in [
        (replaced("scope=read+write", "scope=read+root"), "invalid_scope"),
        (replaced("response_type=code", "response_type=token"), "unsupported_response_type"),
        (with("state=2"), "invalid_request"),
    ] {
        for answer in [odoo.describe(&told, alice).await, odoo.approve(&told, alice).await] {
            let redirect = answer.json()["redirect"].as_str().unwrap().to_owned();
            assert!(redirect.starts_with(&format!("{}?error={error}&", callback(MAIL))), "{redirect}");
        }
    }
    assert_eq!(count_tickets(&test).await, 0);
    let mixed = with("purpose=sign_in");
    for (query, purpose, allowed) in [
        (query.as_str(), json!("consent"), true),
        (query.as_str(), json!("sign_in"), false),
        (query.as_str(), json!(false), true),
        // The consent's own parameters in a sign-in are nothing.
        (mixed.as_str(), json!("sign_in"), true),
        (mixed.as_str(), json!("consent"), false),
    ] {
        let body = json!({"query": query, "user_id": alice.0, "purpose": purpose});
        assert_eq!(odoo.ask("approve_request", &body).await.status == 200, allowed, "{purpose}");
    }
}

#[tokio::test]
async fn for_whom_odoo_may_answer() {
    let (test, odoo) = paired().await;
    let (_, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    set_column(&test, "res_users", test.uid("bob").0, "active", SqlValue::Bool(false)).await;
    for (user, status, name) in [
        (json!(99), 403, "orest.exceptions.UnknownUser"),
        (json!(0), 403, "orest.exceptions.UnknownUser"),
        (json!(test.uid("bob").0), 403, "odoo.exceptions.AccessDenied"),
        (json!("alice"), 422, "werkzeug.exceptions.UnprocessableEntity"),
        (json!(null), 422, "werkzeug.exceptions.UnprocessableEntity"),
        (json!(1), 403, "odoo.exceptions.AccessDenied"),
    ] {
        let (got, class, _) = refusal(&odoo.ask("approve_request", &json!({"query": query, "user_id": user})).await);
        assert_eq!((got, class.as_str()), (status, name), "{user}");
    }
    assert_eq!(count_tickets(&test).await, 0);
    // Nobody else, also no administrator, says yes for others.
    let key = test.service.make_api_key(test.uid("admin"), "key", Some("rpc"), None).await.unwrap();
    let stranger = Odoo { app: odoo.app.clone(), credential: key };
    for method in ["describe_request", "approve_request"] {
        let body = json!({"query": query, "user_id": 3});
        let (status, class, _) = refusal(&stranger.ask(method, &body).await);
        assert_eq!((status, class.as_str()), (403, "odoo.exceptions.AccessError"), "{method}");
    }
}

#[tokio::test]
async fn a_revoked_device_stays_revoked() {
    let (test, odoo) = paired().await;
    let (mut browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    browser.get(&odoo.ticket(&query, test.uid("alice")).await).await;
    let cookie = browser.cookies["orest_device"].clone();
    test.call("alice", "orest.device", "action_revoke", json!([[3]]), json!({})).await.unwrap();
    test.clock.advance(Duration::from_secs(1_000));
    let query = query_at_odoo(&browser.get(&authorize_path(MAIL, &[])).await);
    let answer = browser.get(&odoo.ticket(&query, test.uid("alice")).await).await;
    assert_eq!(outcome(&answer), (303, "code".to_owned()));
    assert_ne!(browser.cookies["orest_device"], cookie);
    let tokens = exchange(&odoo.app, MAIL, &answer.query()["code"]).await.json();
    assert_eq!(introspect(&odoo.app, tokens["access_token"].as_str().unwrap()).await["orest"]["device_id"], 4);
    let id = orest::domain::ids::DeviceId(3);
    let revoked: Result<_, StoreError> = test.store.read(move |connection| devices::find_revoked(connection, id)).await;
    assert_eq!(revoked.unwrap(), Some(true));
}

/// A browser that is still signed in to Odoo proves nothing, and as another device it would get in: after a device or a gateway
/// session was revoked its user must sign in to Odoo anew, whatever the address in the browser says.
#[tokio::test]
async fn who_was_revoked_signs_in_to_odoo_anew() {
    for revoked in ["a device", "a gateway session", "by his sign-out"] {
        let (test, odoo) = paired().await;
        let alice = test.uid("alice");
        let mut browser = Browser::new(&odoo.app);
        let query = query_at_odoo(&browser.get("/oauth2/sign-in").await);
        browser.get(&odoo.ticket(&query, alice).await).await;
        assert_eq!(browser.get("/oauth2/start").await.location(), "/");
        match revoked {
            "a device" => test.call("admin", "orest.device", "action_revoke", json!([[3]]), json!({})).await,
            "a gateway session" => {
                test.call("admin", "orest.authorization", "action_revoke_tokens", json!([[1]]), json!({})).await
            }
            _ => {
                let page = browser.get("/web/login").await;
                browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
                Ok(Value::Null)
            }
        }
        .unwrap();
        test.clock.advance(Duration::from_secs(100));
        let (_, consent) = begin(&odoo, &authorize_path(MAIL, &[])).await;
        for query in [query_at_odoo(&Browser::new(&odoo.app).get("/oauth2/sign-in").await), consent] {
            for (signed_in, anew) in [(json!(600), true), (json!(100), true), (json!(false), true), (json!(99), false)]
            {
                let body = json!({"query": query, "user_id": alice.0, "signed_in_seconds": signed_in});
                let anew = anew && revoked != "by his sign-out";
                let case = format!("{revoked}: {signed_in}, {query}");
                let described = odoo.ask("describe_request", &body).await.json();
                assert_eq!(described == json!({"sign_in_anew": true}), anew, "{case}: {described}");
                let answer = odoo.ask("approve_request", &body).await;
                assert_eq!(answer.status.as_u16(), if anew { 422 } else { 200 }, "{case}: {}", answer.body);
            }
            for nonsense in [json!(-1), json!("1"), json!(true), json!(1.5)] {
                let body = json!({"query": query, "user_id": alice.0, "signed_in_seconds": nonsense});
                assert_eq!(odoo.ask("approve_request", &body).await.status, 422, "{nonsense}");
            }
        }
    }
}

#[tokio::test]
async fn sign_in_by_way_of_odoo() {
    let (test, odoo) = paired().await;
    let alice = test.uid("alice");
    let mut browser = Browser::new(&odoo.app);
    let page = browser.get("/web/login?redirect=/web/login%3Fx%3D1").await;
    assert!(page.body.contains("Sign in with Odoo") && page.body.contains("name=\"password\""), "{}", page.body);
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("form-action 'self';"), "a link needs no more: {policy}");
    let start = page.body.split_once("href=\"/oauth2/sign-in").unwrap().1.split_once('"').unwrap().0;
    let answer = browser.get(&format!("/oauth2/sign-in{start}")).await;
    let query = query_at_odoo(&answer);
    assert!(query.starts_with("purpose=sign_in&redirect=%2Fweb%2Flogin%3Fx%3D1&browser="), "{query}");
    assert_eq!(odoo.describe(&query, alice).await.json(), json!({"purpose": "sign_in"}));

    // Whoever was signed in before is so no longer.
    let old = test.service.open_session(test.sign_in("bob").await, None).await.unwrap();
    browser.cookies.insert("session_id".to_owned(), old.reveal().to_owned());
    let ticket = odoo.ticket(&query, alice).await;
    let mut stranger = Browser::new(&odoo.app);
    stranger.get("/oauth2/sign-in").await;
    assert_eq!(outcome(&stranger.get(&ticket).await), (AGAIN.0, AGAIN.1.to_owned()));
    assert!(!stranger.cookies.contains_key("session_id"), "nobody is signed in as somebody else");
    let answer = browser.get(&ticket).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login?x=1"));
    assert_ne!(browser.cookies["session_id"], old.reveal());
    assert!(test.service.session(old.reveal()).await.unwrap().is_none());
    let page = browser.get("/web/login").await;
    assert!(page.body.contains("Alice"), "{}", page.body);
    assert_eq!(count_authorizations(&test, "alice").await, 0);
    assert_eq!(outcome(&browser.get(&ticket).await).0, 403);

    // What takes a session also takes what is on its way to be one.
    let query = query_at_odoo(&browser.get("/oauth2/sign-in").await);
    let ticket = odoo.ticket(&query, alice).await;
    test.call("admin", "res.users", "action_revoke_all_sessions", json!([[alice.0]]), json!({})).await.unwrap();
    assert_eq!(outcome(&browser.get(&ticket).await), (AGAIN.0, AGAIN.1.to_owned()));
    let page = browser.get("/web/login").await;
    assert!(page.body.contains("Sign in with Odoo"));
    // A ticket for one purpose is none for the other.
    let found = |ticket: &str, cookie: &str| {
        let (service, ticket) = (test.service.clone(), ticket.split_once('=').unwrap().1.to_owned());
        let cookie = cookie.to_owned();
        async move { service.ticket(&ticket, &cookie).await.unwrap().unwrap() }
    };
    let (own, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    let ticket = found(&odoo.ticket(&query, alice).await, &own.cookies[COOKIE]).await;
    let description = orest::service::devices::DeviceDescription {
        name: "any".to_owned(),
        platform: "any".to_owned(),
        browser: "any".to_owned(),
        mobile: false,
    };
    let browser = orest::service::tickets::Browser { device: None, description, address: None };
    let opened = test.service.sign_in_by_ticket(ticket, browser).await;
    assert!(matches!(opened, Err(orest::service::Error::Unauthenticated)));
}

#[tokio::test]
async fn where_signing_in_begins_and_leads() {
    let (test, odoo) = paired().await;
    let mut browser = Browser::new(&odoo.app);
    for (path, expect) in [
        ("/oauth2/sign-in", "redirect=%2Fweb%2Flogin&browser="),
        ("/oauth2/sign-in?redirect=https://evil.example", "redirect=%2Fweb%2Flogin&browser="),
        ("/oauth2/sign-in?redirect=//evil.example", "redirect=%2Fweb%2Flogin&browser="),
        ("/oauth2/sign-in?prompt=login&redirect=/a", "redirect=%2Fa&prompt=login&browser="),
    ] {
        let query = query_at_odoo(&browser.get(path).await);
        assert!(query.starts_with(&format!("purpose=sign_in&{expect}")), "{path}: {query}");
    }
    for (site, sent) in [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true)] {
        let request = Request::builder().uri("/oauth2/sign-in?redirect=/a").header("sec-fetch-site", site);
        let answer = send(&odoo.app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.location().starts_with(ODOO), sent, "{site}: {}", answer.location());
        assert!(sent || answer.location() == "/web/login?redirect=%2Fa", "{}", answer.location());
    }
    // The local password is the way in for when Odoo is away.
    let page = browser.get("/web/login").await;
    let answer = browser.submit(&page.body, "/web/login", &[("login", "admin"), ("password", "wrong")]).await;
    assert!(answer.body.contains("<details open>"), "{}", answer.body);
    let answer = browser.submit(&answer.body, "/web/login", &[("login", "admin"), ("password", "admin")]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"));
    // But whom to let in is asked for in Odoo, and a form is never led there: browsers would stop it without a word.
    query_at_odoo(&browser.get(&authorize_path(MAIL, &[])).await);
    let target = authorize_path(MAIL, &[]);
    let path = format!("/web/login?{}", encode(&[("redirect", &target)]));
    assert_eq!(browser.get(&path).await.location(), target);
    let fields = [("login", "admin"), ("password", "admin"), ("redirect", target.as_str())];
    let answer = browser.submit(&page.body, "/web/login", &fields).await;
    assert_eq!(outcome(&answer), (AGAIN.0, AGAIN.1.to_owned()));
    let page = browser.get("/web/login").await;
    let hidden = super::browser::hidden_fields(&page.body, "/oauth2/sign-out");
    let token = &hidden.iter().find(|(name, _)| name == "csrf_token").unwrap().1;
    let answer = browser.post("/oauth2/sign-out", &[("csrf_token", token), ("redirect", &target)]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"));

    assert!(test.service.unpair().await.unwrap());
    let answer = browser.get("/oauth2/sign-in?redirect=/a").await;
    assert_eq!(answer.location(), "/web/login?redirect=%2Fa");
    let page = browser.get("/web/login").await;
    assert!(!page.body.contains("Odoo"), "{}", page.body);
}

#[tokio::test]
async fn the_gateway_by_way_of_odoo() {
    let (test, odoo) = paired().await;
    let mut browser = Browser::new(&odoo.app);
    let start = "/oauth2/start?rd=%2Fapp";
    let page = browser.get(start).await;
    let page = browser.get(page.location()).await;
    let link = format!("/oauth2/sign-in?{}", encode(&[("redirect", start)]));
    assert!(page.body.contains(&link.replace('&', "&amp;")), "{}", page.body);
    let query = query_at_odoo(&browser.get(&link).await);
    let ticket = odoo.ticket(&query, test.uid("alice")).await;
    assert_eq!(browser.get(&ticket).await.location(), start);
    assert_eq!(browser.get(start).await.location(), "/app");
    let answer = browser.get("/oauth2/auth").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-auth-request-user")), (200, "alice"));
    // What takes back all of him also takes back an answer that is on its way.
    test.clock.advance(Duration::from_secs(1));
    let again = format!("/oauth2/sign-in?{}", encode(&[("prompt", "login"), ("redirect", start)]));
    let query = query_at_odoo(&browser.get(&again).await);
    let late = odoo.ticket(&query, test.uid("alice")).await;
    let wanted =
        AccessRevocation { email: "alice@example.com".to_owned(), gateway_sessions: true, ..Default::default() };
    assert!(test.service.revoke_user_access(&test.context("olga"), wanted).await.unwrap().is_any());
    assert_eq!(browser.get("/oauth2/auth").await.status, 401);
    assert_eq!(outcome(&browser.get(&late).await), (AGAIN.0, AGAIN.1.to_owned()));
    assert!(browser.get(start).await.location().starts_with("/web/login?"));
}

#[tokio::test]
async fn a_page_from_before_the_pairing_decides_nothing() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&authorize_path(MAIL, &[]), "alice").await;
    test.service.pair_with(ODOO).await.unwrap();
    for decision in ["allow", "deny"] {
        let answer = browser.submit(&page.body, "/oauth2/authorize", &[("decision", decision)]).await;
        assert_eq!(outcome(&answer), (AGAIN.0, AGAIN.1.to_owned()));
    }
    assert_eq!(count_authorizations(&test, "alice").await, 0);
}

/// Browsers take neither `Secure` cookies nor the prefix without TLS.
#[tokio::test]
async fn the_cookie_without_tls() {
    let (test, odoo) = paired().await;
    let base_url = "http://127.0.0.1:8070".to_owned();
    let settings = Settings { database: "orest".to_owned(), base_url, ..Settings::default() };
    let orm = Orm::new(test.service.clone(), Registry::new());
    let plain = router(AppState::new(test.service.clone(), orm, settings));
    let request = Request::builder().uri(authorize_path(MAIL, &[])).body(Body::empty()).unwrap();
    let answer = send(&plain, request).await;
    let set = answer.header("set-cookie").to_owned();
    assert!(set.starts_with("orest_browser=") && set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    let odoo = Odoo { app: plain.clone(), credential: odoo.credential };
    let approved = odoo.approve(&query_at_odoo(&answer), test.uid("alice")).await.json();
    let ticket = approved["redirect"].as_str().unwrap().strip_prefix("http://127.0.0.1:8070").unwrap().to_owned();
    let cookie = set.split_once(';').unwrap().0;
    let request = Request::builder().uri(&ticket).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    assert_eq!(outcome(&send(&plain, request).await), (303, "code".to_owned()));
}

#[tokio::test]
async fn what_is_stored_of_a_ticket() {
    let (test, odoo) = paired().await;
    let (browser, query) = begin(&odoo, &authorize_path(MAIL, &[])).await;
    let ticket = odoo.ticket(&query, test.uid("alice")).await;
    let secret = ticket.split_once('=').unwrap().1.to_owned();
    let hash = SecretHash::of(&secret);
    let found: Result<_, StoreError> = test.store.read(move |connection| tickets::find(connection, &hash)).await;
    let found = found.unwrap().unwrap();
    let ends: Timestamp = test.service.now() + Duration::from_secs(60);
    assert_eq!((found.user, found.expires_at), (test.uid("alice"), ends));
    assert!(!format!("{found:?}").contains(&secret) && !format!("{found:?}").contains(&browser.cookies[COOKIE]));
    assert!(!found.query.contains("browser"), "{}", found.query);
}
