//! The grants, revocation and introspection.

use std::time::Duration;

use axum::http::StatusCode;
use orest::domain::revocation::Channel;
use orest::domain::selection::Selection;
use orest::limits;
use orest::service::revoke::RevokeOptions;
use orest::store::records::SqlValue;
use orest::store::revocations;
use serde_json::json;

use super::*;

#[tokio::test]
async fn the_code_grant() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let answer = browser.decide(&authorize_path(MAIL, &[("scope", "read")]), "alice", "allow").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.location().starts_with(&callback(MAIL)), "{}", answer.location());
    let query = answer.query();
    assert_eq!(query.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("st&te", BASE));

    let answer = exchange(&app, MAIL, &query["code"]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    assert_eq!(answer.header("content-type"), "application/json");
    let tokens = answer.json();
    assert_eq!(
        tokens.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "token_type", "expires_in", "refresh_token", "scope"]
    );
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("read"))
    );

    let now = test.service.now().and_utc().timestamp();
    let access = tokens["access_token"].as_str().unwrap();
    let device = json!(browser_device(&test).await);
    let expect = json!({
        "active": true, "scope": "read", "client_id": MAIL, "username": "alice", "token_type": "Bearer",
        "exp": now + 3600, "iat": now, "sub": test.uid("alice").0.to_string(), "iss": BASE,
        "orest": {"authorization_id": 1, "application": "Mail Reader", "kind": "access_token", "device_id": device},
    });
    assert_eq!(introspect(&app, access).await, expect);
    // A refresh token without an end, active to its own client alone.
    let token = tokens["refresh_token"].as_str().unwrap();
    let seen = introspect(&app, token).await;
    assert_eq!((&seen["active"], seen.get("exp"), seen.get("token_type")), (&json!(true), None, None));
    assert_eq!(seen["orest"]["kind"], "refresh_token");
    let others = post(&app, "/oauth2/introspect", REPORT, &[("token", token)]).await;
    assert_eq!(others.json(), json!({"active": false}));
    let others = post(&app, "/oauth2/introspect", REPORT, &[("token", access)]).await;
    assert_eq!(others.json(), expect);

    test.clock.advance(Duration::from_secs(3600));
    assert!(!is_active(&app, access).await);
    assert!(is_active(&app, token).await);
}

/// The device of the newest session.
async fn browser_device(test: &TestService) -> i64 {
    let count: Result<i64, StoreError> = test
        .store
        .read(|connection| {
            use diesel::prelude::*;
            use orest::store::schema::orest_device::dsl::*;
            Ok(orest_device.select(id).order(id.desc()).first(connection)?)
        })
        .await;
    count.unwrap()
}

#[tokio::test]
async fn pkce_and_redirect_uri_are_held_to() {
    let (_test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let uri = callback(MAIL);
    let wrong = VERIFIER.replace('d', "e");
    for (verifier, redirect_uri, client) in [
        (Some(wrong.as_str()), Some(uri.as_str()), MAIL),
        (Some("short"), Some(&uri), MAIL),
        (None, Some(&uri), MAIL),
        (Some(VERIFIER), Some("https://client.example/callback/other"), MAIL),
        (Some(VERIFIER), None, MAIL),
        (Some(VERIFIER), Some(&uri), REPORT),
    ] {
        let code = browser.decide(&authorize_path(MAIL, &[]), "alice", "allow").await.query()["code"].clone();
        let mut fields = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
        fields.extend(verifier.map(|text| ("code_verifier", text)));
        fields.extend(redirect_uri.map(|text| ("redirect_uri", text)));
        let answer = post(&app, "/oauth2/token", client, &fields).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (400, &json!("invalid_grant")),
            "{verifier:?} {redirect_uri:?} {client}"
        );
        // A mistake of somebody else's, or a slip, does not use the code up.
        assert_eq!(exchange(&app, MAIL, &code).await.status, 200);
    }
    // A verifier without a challenge is a downgrade.
    let path = authorize_path(MAIL, &[("code_challenge", "-"), ("code_challenge_method", "-")]);
    let code = browser.decide(&path, "alice", "allow").await.query()["code"].clone();
    assert_eq!(exchange(&app, MAIL, &code).await.json()["error"], "invalid_grant");
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &uri)];
    assert_eq!(post(&app, "/oauth2/token", MAIL, &fields).await.status, 200);
    // Where the request did not name the only address, the exchange need not either.
    let code =
        browser.decide(&authorize_path(MAIL, &[("redirect_uri", "-")]), "alice", "allow").await.query()["code"].clone();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
    assert_eq!(post(&app, "/oauth2/token", MAIL, &fields).await.status, 200);
}

#[tokio::test]
async fn a_public_client_needs_its_id_and_pkce_alone() {
    let (_test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, token) = grant(&mut browser, "bob", PHONE).await;
    assert!(is_active(&app, &access).await);
    let next = refresh(&app, PHONE, &token).await;
    assert_eq!(next.status, 200);
    // With a secret it is not who it says; it may not introspect, nor act in its own name.
    let answer =
        send(&app, form("/oauth2/token", Some(&basic(PHONE, "secret")), &[("grant_type", "refresh_token")])).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    let answer = post(&app, "/oauth2/introspect", PHONE, &[("token", &access)]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    let answer = post(&app, "/oauth2/token", PHONE, &[("grant_type", "client_credentials")]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("unauthorized_client")));
    assert_eq!(post(&app, "/oauth2/revoke", PHONE, &[("token", &access)]).await.status, 200);
    assert!(!is_active(&app, &access).await);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_ten_minutes() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let code = browser.decide(&authorize_path(MAIL, &[]), "alice", "allow").await.query()["code"].clone();
    let first = exchange(&app, MAIL, &code).await.json();
    let access = first["access_token"].as_str().unwrap();
    // Somebody else's client that shows it ends nothing.
    assert_eq!(exchange(&app, REPORT, &code).await.json()["error"], "invalid_grant");
    assert!(is_active(&app, access).await);
    assert_eq!(exchange(&app, MAIL, &code).await.json()["error"], "invalid_grant");
    assert!(!is_active(&app, access).await, "its replay ends what came of it");
    assert_eq!(refresh(&app, MAIL, first["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
    let acts = test.store.read(|connection| revocations::list_after(connection, 0, 10)).await.unwrap();
    assert_eq!(acts.iter().map(|act| act.act.channel).collect::<Vec<_>>(), [Channel::CodeReuse]);

    let code = browser.decide(&authorize_path(MAIL, &[]), "alice", "allow").await.query()["code"].clone();
    test.clock.advance(Duration::from_secs(600));
    assert_eq!(exchange(&app, MAIL, &code).await.json()["error"], "invalid_grant");
    // A revocation takes unused codes along.
    let code = browser.decide(&authorize_path(MAIL, &[]), "alice", "allow").await.query()["code"].clone();
    let own = Selection::Users(vec![test.uid("alice")]);
    test.service.revoke(&test.context("admin"), own, RevokeOptions::default()).await.unwrap();
    assert_eq!(exchange(&app, MAIL, &code).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn refresh_rotates() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (first_access, first) = grant(&mut browser, "alice", MAIL).await;
    let second = refresh(&app, MAIL, &first).await.json();
    let second = second["refresh_token"].as_str().unwrap().to_owned();
    assert!(!is_active(&app, &first).await && is_active(&app, &second).await && is_active(&app, &first_access).await);
    // The client's own retry, a moment later.
    test.clock.advance(Duration::from_secs(30));
    let again = refresh(&app, MAIL, &first).await;
    assert_eq!(again.status, 200);
    // Scopes: narrower is fine, the answer says what it is; wider is not.
    let fields = |scope| [("grant_type", "refresh_token"), ("refresh_token", second.as_str()), ("scope", scope)];
    let narrower = post(&app, "/oauth2/token", MAIL, &fields("read")).await;
    assert_eq!((narrower.status.as_u16(), &narrower.json()["scope"]), (200, &json!("read write")));
    let third = narrower.json()["refresh_token"].as_str().unwrap().to_owned();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", third.as_str()), ("scope", "read admin")];
    assert_eq!(post(&app, "/oauth2/token", MAIL, &fields).await.json()["error"], "invalid_scope");
    // Another client's attempt ends nothing; nor does an access token in its place.
    assert_eq!(refresh(&app, REPORT, &third).await.json()["error"], "invalid_grant");
    assert_eq!(refresh(&app, MAIL, &first_access).await.json()["error"], "invalid_grant");
    assert!(is_active(&app, &third).await);
    // After the grace, or two generations back, it is a copy.
    assert_eq!(refresh(&app, MAIL, &first).await.json()["error"], "invalid_grant");
    assert!(!is_active(&app, &third).await && !is_active(&app, &first_access).await);
    assert_eq!(refresh(&app, MAIL, &third).await.json()["error"], "invalid_grant");
    let acts = test.store.read(|connection| revocations::list_after(connection, 0, 10)).await.unwrap();
    assert_eq!(acts.iter().map(|act| act.act.channel).collect::<Vec<_>>(), [Channel::RefreshReuse]);
}

#[tokio::test]
async fn client_credentials() {
    let (_test, app) = set_up().await;
    let ask = async |scope: &str| {
        post(&app, "/oauth2/token", MAIL, &[("grant_type", "client_credentials"), ("scope", scope)]).await
    };
    let answer = ask("").await.json();
    assert_eq!((&answer["scope"], answer.get("refresh_token")), (&json!("read write"), None));
    let seen = introspect(&app, answer["access_token"].as_str().unwrap()).await;
    assert_eq!((&seen["sub"], seen.get("username")), (&json!(MAIL), None));
    assert_eq!(ask("write").await.json()["scope"], "write");
    assert_eq!(ask("write root").await.json()["error"], "invalid_scope");
    assert_eq!(ask("wr\"ite").await.json()["error"], "invalid_scope");
}

#[tokio::test]
async fn revoke_is_for_ones_own_tokens() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, token) = grant(&mut browser, "alice", MAIL).await;
    let (other, _) = grant(&mut browser, "alice", MAIL).await;
    let answer = post(&app, "/oauth2/revoke", REPORT, &[("token", &access)]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")));
    assert!(is_active(&app, &access).await);
    for nonsense in ["nonsense", "orat_nothing", &access[..access.len() - 1], "\0", "💥"] {
        let answer = post(&app, "/oauth2/revoke", MAIL, &[("token", nonsense)]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{nonsense}");
    }
    let hint = [("token", token.as_str()), ("token_type_hint", "no_such_hint")];
    assert_eq!(post(&app, "/oauth2/revoke", MAIL, &hint).await.status, 200);
    assert!(!is_active(&app, &access).await && !is_active(&app, &token).await);
    assert!(is_active(&app, &other).await, "the other authorization lives on");
    assert_eq!(post(&app, "/oauth2/revoke", MAIL, &[("token", &access)]).await.status, 200);
    let acts = test.store.read(|connection| revocations::list_after(connection, 0, 10)).await.unwrap();
    let told: Vec<_> =
        acts.iter().map(|act| (act.act.channel, act.act.login.as_str(), act.authorizations.len())).collect();
    assert_eq!(told[0], (Channel::OauthRevoke, MAIL, 1));
    assert_eq!(told.iter().map(|act| act.2).sum::<u64>(), 1);
}

/// Who takes back what he revoked does not bring back what its holder gave up meanwhile (RFC 7009); and who asks for it over and
/// over does not fill the log.
#[tokio::test]
async fn what_was_given_up_stays_so() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, _) = grant(&mut browser, "alice", MAIL).await;
    let revoked = Selection::Application(test.applications[0].id);
    let revoke = async || test.service.revoke(&test.context("admin"), revoked.clone(), RevokeOptions::default()).await;
    let count = async || test.store.read(|connection| revocations::list_after(connection, 0, 10)).await.unwrap().len();
    let act = revoke().await.unwrap().revocation.unwrap();
    test.service.filled().await.unwrap();
    for _ in 0..3 {
        assert_eq!(post(&app, "/oauth2/revoke", MAIL, &[("token", &access)]).await.status, 200);
    }
    assert_eq!(count().await, 2);
    let undone = test.service.undo(&test.context("admin"), act, None).await.unwrap();
    assert_eq!(undone.revoked, 0);
    assert!(!is_active(&app, &access).await);
    // Also where that was long ago, as far as the columns know.
    let (access, _) = grant(&mut browser, "alice", MAIL).await;
    let act = revoke().await.unwrap().revocation.unwrap();
    test.service.filled().await.unwrap();
    test.clock.advance(limits::UNDO_WINDOW - Duration::from_secs(1));
    test.service.undo(&test.context("admin"), act, None).await.unwrap();
    test.clock.advance(Duration::from_secs(2));
    assert_eq!(post(&app, "/oauth2/revoke", MAIL, &[("token", &access)]).await.status, 200);
    assert!(!is_active(&app, &access).await);
    let acts = count().await;
    // Long after, nobody can take anything back.
    test.clock.advance(limits::UNDO_WINDOW + Duration::from_secs(1));
    test.service.filled().await.unwrap();
    assert_eq!(post(&app, "/oauth2/revoke", MAIL, &[("token", &access)]).await.status, 200);
    assert_eq!(count().await, acts, "no more");
}

#[tokio::test]
async fn what_ends_a_token() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, token) = grant(&mut browser, "alice", MAIL).await;
    let (other, _) = grant(&mut browser, "bob", REPORT).await;
    assert_eq!((is_active(&app, &access).await, is_active(&app, &other).await), (true, true));
    // The application is archived, the user disabled; seen after a restart, and lifted again.
    let alice = test.uid("alice").0;
    let mail = test.applications[0].id.0;
    for (table, id) in [("res_users", alice), ("orest_application", mail)] {
        for (active, expect) in [(false, false), (true, true)] {
            set_column(&test, table, id, "active", SqlValue::Bool(active)).await;
            let app = browser::app(&test.restart().await);
            let ask = post(&app, "/oauth2/introspect", REPORT, &[("token", &access)]).await;
            assert_eq!(ask.json()["active"], expect, "{table} {active}");
        }
    }
    // The device is revoked: its refresh tokens only.
    let device = browser_device_of(&test, alice).await;
    set_column(&test, "orest_device", device, "revoked_at", SqlValue::Timestamp(test.service.now())).await;
    let app = browser::app(&test.restart().await);
    assert!(is_active(&app, &access).await && !is_active(&app, &token).await);
    assert_eq!(refresh(&app, MAIL, &token).await.json()["error"], "invalid_grant");
    // Consent from a session of that device would be refused at once: it must sign in anew, which lifts it.
    browser.app = app.clone();
    let mut alice = Browser::new(&app);
    let (_, fresh) = grant(&mut alice, "alice", MAIL).await;
    assert!(is_active(&app, &fresh).await);
}

async fn browser_device_of(test: &TestService, user: i64) -> i64 {
    let found: Result<i64, StoreError> = test
        .store
        .read(move |connection| {
            use diesel::prelude::*;
            use orest::store::schema::orest_device::dsl::*;
            Ok(orest_device.filter(user_id.eq(user)).select(id).order(id.desc()).first(connection)?)
        })
        .await;
    found.unwrap()
}

#[tokio::test]
async fn several_devices_side_by_side() {
    let (test, app) = set_up().await;
    let (mut computer, mut phone) = (Browser::new(&app), Browser::new(&app));
    phone.user_agent = "Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile Safari/537.36";
    let (at_desk, first) = grant(&mut computer, "alice", MAIL).await;
    let (on_the_way, _) = grant(&mut phone, "alice", MAIL).await;
    assert_ne!(computer.cookies["orest_device"], phone.cookies["orest_device"]);
    let devices: Vec<_> = [&at_desk, &on_the_way].map(|token| introspect(&app, token)).into_iter().collect();
    let mut ids = Vec::new();
    for device in devices {
        ids.push(device.await["orest"]["device_id"].as_i64().unwrap());
    }
    assert_ne!(ids[0], ids[1]);
    let names: Result<Vec<(String, String)>, StoreError> = test
        .store
        .read(move |connection| {
            use diesel::prelude::*;
            use orest::store::schema::orest_device::dsl::*;
            Ok(orest_device.filter(id.eq_any(ids)).order(id).select((name, device_type)).load(connection)?)
        })
        .await;
    let named = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(names.unwrap(), [named("Firefox on Linux", "computer"), named("Chrome on Android", "mobile")]);
    assert_eq!(post(&app, "/oauth2/revoke", MAIL, &[("token", &first)]).await.status, 200);
    assert!(!is_active(&app, &at_desk).await && is_active(&app, &on_the_way).await);
}

/// Signed in over Odoo's RPC, so that no device is known until the person consents.
#[tokio::test]
async fn a_session_from_elsewhere_gets_a_device() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let session = test.service.open_session(test.sign_in("alice").await, None).await.unwrap();
    browser.cookies.insert("session_id".to_owned(), session.reveal().to_owned());
    let (access, _) = grant(&mut browser, "alice", MAIL).await;
    assert_eq!(introspect(&app, &access).await["orest"]["device_id"], json!(browser_device(&test).await));
    assert!(browser.cookies.contains_key("orest_device"));
}

#[tokio::test]
async fn model_schemes_are_told() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, _) = grant(&mut browser, "alice", MAIL).await;
    let now = test.service.now();
    let scheme: Result<i64, StoreError> = test
        .store
        .write(move |tx| {
            let text = |text: &str| SqlValue::Text(text.to_owned());
            let dates = [("create_date", SqlValue::Timestamp(now)), ("write_date", SqlValue::Timestamp(now))];
            let mut columns = vec![("name", text("Partners")), ("model_limit", text("whitelist"))];
            columns.extend(dates.clone());
            let id = records::insert(tx.connection, "orest_model_scheme", &columns)?;
            let mut columns = vec![
                ("scheme_id", SqlValue::Integer(id)),
                ("model", text("res.partner")),
                ("field_limit", text("blacklist")),
                ("field_names", text("vat, phone")),
            ];
            columns.extend(dates);
            records::insert(tx.connection, "orest_model_configuration", &columns)?;
            Ok(id)
        })
        .await;
    let mail = test.applications[0].id.0;
    set_column(&test, "orest_application", mail, "model_scheme_id", SqlValue::Integer(scheme.unwrap())).await;
    let app = browser::app(&test.restart().await);
    for round in ["from the rows", "from memory"] {
        let seen = introspect(&app, &access).await;
        let expect = json!({
            "name": "Partners", "model_limit": "whitelist",
            "models": [{"model": "res.partner", "field_limit": "blacklist", "fields": ["vat", "phone"]}],
        });
        assert_eq!(seen["orest"]["model_scheme"], expect, "{round}");
    }
    // What an administrator changes over Odoo's RPC holds at once.
    let uid = test.uid("admin").0;
    for (model, values) in [
        ("orest.model.scheme", json!({"model_limit": "blacklist"})),
        ("orest.model.configuration", json!({"field_limit": "none", "field_names": false})),
    ] {
        let args = json!(["orest", uid, "admin", model, "write", [[1], values]]);
        let call = json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": "object", "method": "execute_kw", "args": args}});
        let request = Request::post("/jsonrpc").header("content-type", "application/json");
        let answer = send(&app, request.body(Body::from(call.to_string())).unwrap()).await;
        assert_eq!(answer.json()["result"], true, "{answer:?}");
    }
    let expect = json!({
        "name": "Partners", "model_limit": "blacklist",
        "models": [{"model": "res.partner", "field_limit": "none", "fields": []}],
    });
    assert_eq!(introspect(&app, &access).await["orest"]["model_scheme"], expect);
}

/// What a reverse proxy is told of a request with these headers.
async fn ask_for_proxy(app: &Router, authorization: &str, cookie: &str) -> Answer {
    let mut request = Request::builder().uri("/oauth2/auth");
    for (name, value) in [("authorization", authorization), ("cookie", cookie)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    send(app, request.body(Body::empty()).unwrap()).await
}

/// In Odoo everybody sets his own e-mail address, and could set somebody else's.
#[tokio::test]
async fn an_address_of_odoo_s_is_told_only_if_it_is_a_login() {
    let (test, app) = set_up().await;
    let (access, _) = grant(&mut Browser::new(&app), "alice", MAIL).await;
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let alice = test.uid("alice").0;
    for (version, email, expect) in [
        (None, "admin@example.com", "admin@example.com"),
        (Some(1), "admin@example.com", ""),
        (Some(1), "ALICE", "ALICE"),
    ] {
        set_column(&test, "res_users", alice, "password_version", version.map_or(SqlValue::Null, SqlValue::Integer))
            .await;
        set_column(&test, "res_users", alice, "email", text(email)).await;
        let app = browser::app(&test.restart().await);
        let answer = ask_for_proxy(&app, &format!("Bearer {access}"), "").await;
        let told = (answer.header("x-auth-request-user"), answer.header("x-auth-request-email"));
        assert_eq!(told, ("alice", expect), "{version:?} {email}");
    }
}

#[tokio::test]
async fn reverse_proxies_are_told_who_it_is() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, token) = grant(&mut browser, "alice", MAIL).await;
    let ask = async |authorization: &str, cookie: &str| ask_for_proxy(&app, authorization, cookie).await;
    let answer = ask(&format!("Bearer {access}"), "").await;
    assert_eq!(answer.status, 200);
    for (name, expect) in [
        ("x-auth-request-user", "alice"),
        ("x-auth-request-email", "alice@example.com"),
        ("x-auth-request-preferred-username", "alice"),
        ("x-auth-request-groups", "base.group_user"),
        ("x-orest-authorization", "1"),
        ("x-orest-client-id", MAIL),
        ("x-orest-scope", "read write"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), expect, "{name}");
    }
    let signed_in = format!("session_id={}", browser.cookies["session_id"]);
    assert_eq!(browser.get("/oauth2/start").await.location(), "/");
    let session = format!("orest_gateway={}", browser.cookies["orest_gateway"]);
    let answer = ask("", &session).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-auth-request-user")), (200, "alice"));
    assert_eq!((answer.header("x-orest-authorization"), answer.header("x-orest-client-id")), ("2", "gateway"));
    // Nobody passes for another one by what he writes of himself.
    let write = async |values: Value| test.call("alice", "res.users", "write", json!([[3], values]), json!({})).await;
    write(json!({"name": "admin"})).await.unwrap();
    write(json!({"email": "admin@example.com"})).await.unwrap_err();
    let answer = ask("", &session).await;
    for name in ["x-auth-request-user", "x-auth-request-preferred-username"] {
        assert_eq!(answer.header(name), "alice", "{name}");
    }
    assert_eq!(answer.header("x-auth-request-email"), "alice@example.com");
    // An application in its own name is no user, whatever its name.
    let own = post(&app, "/oauth2/token", MAIL, &[("grant_type", "client_credentials")]).await.json();
    let answer = ask(&format!("Bearer {}", own["access_token"].as_str().unwrap()), "").await;
    assert_eq!((answer.status.as_u16(), answer.header("x-auth-request-user")), (200, ""));
    for (authorization, cookie, challenge) in [
        ("", "", "Bearer realm=\"orest\""),
        ("", "orest_gateway=nonsense", "Bearer realm=\"orest\""),
        ("", &signed_in, "Bearer realm=\"orest\""),
        ("Bearer nonsense", session.as_str(), "Bearer realm=\"orest\", error=\"invalid_token\""),
        (&format!("Bearer {token}"), "", "Bearer realm=\"orest\", error=\"invalid_token\""),
        (&basic(MAIL, "secret"), "", "Bearer realm=\"orest\", error=\"invalid_token\""),
    ] {
        let answer = ask(authorization, cookie).await;
        assert_eq!(answer.status, 401, "{authorization} {cookie}");
        assert!(answer.header("www-authenticate").starts_with(challenge), "{answer:?}");
    }
    test.service.revoke(&test.context("alice"), Selection::Ids(vec![1]), RevokeOptions::default()).await.unwrap();
    assert_eq!(ask(&format!("Bearer {access}"), "").await.status, 401);
}

#[tokio::test]
async fn administrators_introspect_by_api_key() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, _) = grant(&mut browser, "alice", MAIL).await;
    let ask = async |login: &str| {
        let key = test.service.make_api_key(test.uid(login), "introspection", Some("rpc"), None).await.unwrap();
        let bearer = format!("Bearer {}", key.reveal());
        send(&app, form("/oauth2/introspect", Some(&bearer), &[("token", &access)])).await
    };
    assert_eq!(ask("olga").await.json()["username"], "alice");
    let refused = ask("bob").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]), (403, &json!("insufficient_scope")));
    let unknown = send(&app, form("/oauth2/introspect", Some("Bearer 0"), &[("token", &access)])).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]), (401, &json!("invalid_token")));
}

#[tokio::test]
async fn metadata() {
    let (_test, app) = set_up().await;
    let path = "/.well-known/oauth-authorization-server";
    let answer = send(&app, Request::get(path).body(Body::empty()).unwrap()).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.json()).unwrap());
}
