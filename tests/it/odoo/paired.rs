//! The paired Odoo at the service's doors: who it says acts, and what it alone may call.

use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::http::{Answer, TestServer};

/// A paired service, and its credential.
pub(super) struct Paired {
    pub server: TestServer,
    pub bearer: String,
}

impl Paired {
    pub async fn over(test: TestService) -> Self {
        let credential = test.service.pair_with("https://odoo.example.com/").await.unwrap();
        let bearer = format!("Bearer {}", credential.reveal());
        Self { server: TestServer::over(test), bearer }
    }

    /// The same, with the users of the fixture known from Odoo.
    pub async fn with_users(test: TestService) -> Self {
        test.know_users_from_odoo().await;
        Self::over(test).await
    }

    /// A call with the credential; `headers` beside it.
    pub async fn call(&self, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("authorization", self.bearer.as_str())];
        all.extend_from_slice(headers);
        self.server.post(&format!("/json/2/{target}"), &all, body).await
    }

    async fn check(&self, uuid: &str) -> Answer {
        self.call("orest.pairing/check", &[], &json!({"database_uuid": uuid, "series": "18.0"})).await
    }
}

/// Status, exception, message.
pub(super) fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text("name"), text("message"))
}

#[tokio::test]
async fn the_first_check_binds_the_database() {
    let paired = Paired::over(TestService::empty().await).await;
    let answer = paired.check("uuid-1").await;
    assert_eq!(
        answer.json(),
        json!({
            "service": "orest",
            "version": env!("CARGO_PKG_VERSION"),
            "api": 1,
            "now": "2026-11-20 12:00:00",
            "base_url": "http://orest.example",
            "odoo_url": "https://odoo.example.com",
            "users": 7,
            "last_sync_at": false,
        })
    );
    assert_eq!(paired.check("uuid-1").await.status, 200);
    let (status, name, message) = refusal(&paired.check("uuid-2").await);
    assert_eq!((status, name.as_str()), (422, "odoo.exceptions.UserError"));
    assert!(message.contains("another Odoo database") && message.contains("orest pair"), "{message}");
}

/// It has the credential, and so it would end here what is ended there to try something.
#[tokio::test]
async fn a_copy_of_the_database_is_refused_everything() {
    let paired = Paired::over(TestService::new().await).await;
    let (own, copy) = ([("x-orest-database", "uuid-1")], ("x-orest-database", "uuid-2"));
    let (search, sync) = (json!({"domain": []}), json!({"users": []}));
    assert_eq!(paired.call("orest.pairing/sync_users", &[copy], &sync).await.status, 200, "bound to none yet");
    assert_eq!(paired.check("uuid-1").await.status, 200);
    assert_eq!(paired.call("orest.pairing/sync_users", &own, &sync).await.status, 200);
    let users: [(&str, &[(&str, &str)], &Value); 3] = [
        ("orest.pairing/sync_users", &[copy], &sync),
        ("orest.pairing/keep_users", &[copy], &json!({"ids": [2]})),
        ("orest.authorization/search", &[copy, ("x-orest-user", "2")], &search),
    ];
    for (target, headers, body) in users {
        let (status, name, message) = refusal(&paired.call(target, headers, body).await);
        assert_eq!((status, name.as_str()), (422, "werkzeug.exceptions.UnprocessableEntity"), "{target}");
        assert!(message.starts_with("This service is paired with another Odoo database"), "{target}: {message}");
    }
    let bearer = ("authorization", paired.bearer.as_str());
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (header, status) in [(copy, 401), (own[0], 200)] {
        let answer = paired.server.send("POST", "/oauth2/introspect", &[bearer, form, header], "token=x").await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

/// Every door that takes an API key or a password.
#[tokio::test]
async fn the_credential_opens_nothing_else() {
    let paired = Paired::over(TestService::new().await).await;
    let server = &paired.server;
    let bearer = [("authorization", paired.bearer.as_str())];
    let credential = paired.bearer.strip_prefix("Bearer ").unwrap();
    for scope in ["rpc", "odoo"] {
        assert!(server.test.service.user_by_api_key(credential, scope).await.unwrap().is_none());
    }
    for uid in [1, 2] {
        let args = json!(["orest", uid, credential, "orest.authorization", "search_count", [[]], {}]);
        let answer = server.call("/jsonrpc", &[], json!({"service": "object", "method": "execute_kw", "args": args}));
        assert_eq!(answer.await.json()["error"]["data"]["name"], "odoo.exceptions.AccessDenied");
    }
    for login in ["__system__", "admin", "odoo"] {
        let args = json!(["orest", login, credential]);
        let answer = server.call("/jsonrpc", &[], json!({"service": "common", "method": "login", "args": args})).await;
        assert_eq!(answer.json()["result"], false);
        let params = json!({"db": "orest", "login": login, "password": credential});
        let answer = server.call("/web/session/authenticate", &[], params).await;
        assert_eq!(answer.json()["error"]["data"]["name"], "odoo.exceptions.AccessDenied");
    }
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "orest_preview", "params": {"selection": {"user_id": 3}}});
    assert_eq!(server.post("/rpc", &bearer, &call).await.status, 401);
    for (method, path) in [("GET", "/oauth2/auth"), ("POST", "/oauth2/revoke"), ("POST", "/oauth2/token")] {
        let form = [bearer[0], ("content-type", "application/x-www-form-urlencoded")];
        let answer = server.send(method, path, &form, "token=x&grant_type=client_credentials").await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
    }
    let keys = server.execute_kw("admin", "res.users.apikeys", "search_count", json!([[]]), json!({})).await;
    assert_eq!(keys["result"], 0, "nobody can remove it among his keys");
}

#[tokio::test]
async fn who_acts() {
    let paired = Paired::with_users(TestService::new().await).await;
    let test = &paired.server.test;
    let (bob, portia, erna) = (test.uid("bob"), test.uid("portia"), test.uid("erna"));
    let id = erna.0;
    let disabled = test.store.write(move |tx| {
        let off = [("active", orest::store::records::SqlValue::Bool(false))];
        orest::store::records::update(tx.connection, "res_users", &[id], &off).map(|_| ())
    });
    disabled.await.unwrap();
    let access = "odoo.exceptions.AccessError";
    let unprocessable = "werkzeug.exceptions.UnprocessableEntity";
    let cases: [(&[(&str, &str)], u16, &str, &str); 12] = [
        (&[], 403, access, "x-orest-user must say who acts: only orest.pairing is for nobody."),
        (&[("x-orest-user", "")], 403, access, "x-orest-user must say who acts: only orest.pairing is for nobody."),
        (&[("x-orest-user", "99")], 403, "orest.exceptions.UnknownUser", "User 99 is not known here yet"),
        (&[("x-orest-user", "0")], 403, "orest.exceptions.UnknownUser", "User 0 is not known here yet"),
        (&[("x-orest-user", &erna.to_string())], 403, "odoo.exceptions.AccessDenied", "Access Denied"),
        (&[("x-orest-user", &portia.to_string())], 403, access, "You are not allowed to access"),
        (&[("x-orest-user", "bob")], 422, unprocessable, "x-orest-user must be the id of a user"),
        (&[("x-orest-user", "4"), ("x-orest-user", "2")], 422, unprocessable, "x-orest-user must be sent once"),
        (&[("x-orest-user", "4"), ("x-orest-address", "home")], 422, unprocessable, "x-orest-address must be an IP"),
        (&[("x-orest-user", "4"), ("x-orest-channel", "command_line")], 422, unprocessable, "x-orest-channel must be"),
        (&[("x-orest-user", &bob.to_string())], 200, "", ""),
        (&[("x-orest-user", "1")], 200, "", ""),
    ];
    let body = json!({"domain": []});
    for (headers, status, name, message) in cases {
        let answer = paired.call("orest.authorization/search", headers, &body).await;
        if status == 200 {
            let expect = if headers[0].1 == "1" { 7 } else { 3 };
            assert_eq!(answer.json().as_array().map(Vec::len), Some(expect), "{headers:?}: {}", answer.body);
            continue;
        }
        let (got, class, text) = refusal(&answer);
        assert_eq!((got, class.as_str()), (status, name), "{headers:?}: {text}");
        assert!(text.starts_with(message), "{headers:?}: {text}");
    }
    // The pairing's own methods are for Odoo in anybody's name, and in nobody's.
    for headers in [&[][..], &[("x-orest-user", "99")], &[("x-orest-user", "6")]] {
        let body = json!({"database_uuid": "u", "series": "14.0"});
        assert_eq!(paired.call("orest.pairing/check", headers, &body).await.status, 200);
        let (status, class, _) = refusal(&paired.call("orest.pairing/search", headers, &json!({"domain": []})).await);
        assert_eq!((status, class.as_str()), (403, access));
    }
}

/// A service that had users before it was paired: 4 is Bob here, and may be an Ursula there.
#[tokio::test]
async fn nobody_is_taken_for_who_has_his_number_here() {
    let paired = Paired::over(TestService::empty().await).await;
    let test = &paired.server.test;
    let token = test.authorize("bob", 0, None, true).await.unwrap().access.reveal().to_owned();
    let form = [("authorization", paired.bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let is_good = async || {
        let answer = paired.server.send("POST", "/oauth2/introspect", &form, format!("token={token}")).await;
        answer.json()["active"] == true
    };
    let acts = async || {
        let answer = paired.call("orest.authorization/search", &[("x-orest-user", "4")], &json!({"domain": []})).await;
        (answer.status.as_u16(), refusal(&answer).1)
    };
    let request = format!("purpose=sign_in&browser={}", "0".repeat(64));
    let approves = async || {
        let body = json!({"query": request, "user_id": 4});
        let answer = paired.call("orest.pairing/approve_request", &[], &body).await;
        (answer.status.as_u16(), refusal(&answer).1)
    };
    let sync = async |login: &str| {
        let user = json!({"id": 4, "login": login, "name": login, "active": true, "pending": false,
                          "groups": ["base.group_user"], "password_version": 1});
        let answer = paired.call("orest.pairing/sync_users", &[], &json!({"users": [user]})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let unknown = (403, "orest.exceptions.UnknownUser".to_owned());
    assert!(!is_good().await, "Odoo would take it for its own user 4's");
    assert_eq!((acts().await, approves().await), (unknown.clone(), unknown.clone()));
    assert!(test.service.verify(&token).await.unwrap().is_ok(), "at the service it is Bob's as ever");

    sync("bob").await;
    let fine = (200, String::new());
    assert!(is_good().await);
    assert_eq!((acts().await, approves().await), (fine.clone(), fine.clone()));
    // Another Odoo's database: its user 4 has not come yet.
    assert_eq!(paired.check("first").await.status, 200);
    let Paired { server, .. } = paired;
    let second = Paired::over(server.test).await;
    assert_eq!(second.check("second").await.status, 200);
    let answer = second.call("orest.authorization/search", &[("x-orest-user", "4")], &json!({"domain": []})).await;
    assert_eq!((answer.status.as_u16(), refusal(&answer).1), unknown);
}

/// Whoever sends them with another key thinks that they do something.
#[tokio::test]
async fn the_headers_are_refused_with_any_other_key() {
    let paired = Paired::over(TestService::new().await).await;
    let server = &paired.server;
    let key = server.test.service.make_api_key(server.test.uid("admin"), "k", None, None).await.unwrap();
    let own = format!("Bearer {}", key.reveal());
    let path = "/json/2/orest.authorization/search_count";
    let params = json!({"db": "orest", "login": "admin", "password": "admin"});
    let session = server.call("/web/session/authenticate", &[], params).await.session();
    let good: [&[(&str, &str)]; 2] =
        [&[("authorization", &own)], &[("cookie", &session), ("sec-fetch-site", "same-origin")]];
    for name in ["x-orest-user", "x-orest-address", "x-orest-channel", "x-orest-module"] {
        for key in good {
            let headers = [key, &[(name, "4")]].concat();
            let (status, class, message) = refusal(&server.post(path, &headers, &json!({"domain": []})).await);
            assert_eq!((status, class.as_str()), (403, "odoo.exceptions.AccessError"), "{name}");
            assert!(message.starts_with(name), "{message}");
        }
        // A credential of before is told that it is wrong.
        let wrong = format!("Bearer {}", "0".repeat(40));
        let headers = [("authorization", wrong.as_str()), (name, "4")];
        assert_eq!(server.post(path, &headers, &json!({"domain": []})).await.status, 401, "{name}");
    }
    assert_eq!(server.post(path, &[("authorization", &own)], &json!({"domain": []})).await.json(), 7);
    for method in ["check", "sync_users", "keep_users"] {
        let body = json!({"database_uuid": "u", "series": "18.0", "users": [], "ids": [2]});
        let params: Vec<&str> = match method {
            "check" => vec!["database_uuid", "series"],
            "sync_users" => vec!["users"],
            _ => vec!["ids"],
        };
        let body: serde_json::Map<_, _> = params.iter().map(|name| ((*name).to_owned(), body[name].clone())).collect();
        let path = format!("/json/2/orest.pairing/{method}");
        let (status, class, message) = refusal(&server.post(&path, &[("authorization", &own)], &body.into()).await);
        assert_eq!((status, class.as_str()), (403, "odoo.exceptions.AccessError"));
        assert_eq!(message, "orest.pairing is for the paired Odoo alone");
    }
}

/// The log shows the person, from where he reached Odoo, and the door within Odoo.
#[tokio::test]
async fn the_log_names_who_acted_in_odoo() {
    let paired = Paired::with_users(TestService::new().await).await;
    let alice = paired.server.test.uid("alice").to_string();
    for (user, address, channel, id) in [
        (alice.as_str(), "2001:db8::5", "unlink", 2),
        ("1", "", "", 5),
        ("2", "::ffff:198.51.100.4", "server_action", 3),
    ] {
        let headers = [("x-orest-user", user), ("x-orest-address", address), ("x-orest-channel", channel)];
        let answer = paired.call("orest.authorization/action_revoke_tokens", &headers, &json!({"ids": [id]})).await;
        assert_eq!(answer.json()["revoked"], 1, "{}", answer.body);
    }
    let fields = ["user_id", "user_login", "ip_address", "channel", "initiating_entity"];
    let body = json!({"domain": [["id", ">", 2]], "fields": fields, "order": "id"});
    let log = paired.call("orest.revocation/search_read", &[("x-orest-user", "2")], &body).await.json();
    let of = |user: Value, login: &str, address: &str, channel: &str, entity: &str, id: i64| {
        json!({"id": id, "user_id": user, "user_login": login, "ip_address": address, "channel": channel,
               "initiating_entity": entity})
    };
    assert_eq!(
        log,
        json!([
            of(json!([3, "Alice"]), "alice", "2001:db8::5", "unlink", "user", 3),
            of(json!([1, "System"]), "__system__", "192.0.2.7", "rpc", "admin", 4),
            of(json!([2, "Administrator"]), "admin", "198.51.100.4", "server_action", "admin", 5),
        ])
    );
}
