//! What is refused, and what is answered when the database can't be asked.

use axum::http::StatusCode;
use diesel::connection::SimpleConnection as _;
use orest::store::Connection;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::support::database::Kind;

#[tokio::test]
async fn client_authentication() {
    let (_test, app) = set_up().await;
    let (right, wrong) = (basic(MAIL, "secret"), basic(MAIL, "wrong"));
    let nobody = basic("nobody", "secret");
    let (id, secret) = (("client_id", MAIL), ("client_secret", "secret"));
    for (authorization, fields, status, error) in [
        (Some(right.as_str()), vec![], 200, ""),
        (Some(&right), vec![id], 200, ""),
        (None, vec![id, secret], 200, ""),
        (Some(&right), vec![id, secret], 400, "invalid_request"),
        (Some(&right), vec![("client_id", REPORT)], 400, "invalid_request"),
        (Some(&wrong), vec![], 401, "invalid_client"),
        (Some(&nobody), vec![], 401, "invalid_client"),
        (Some("Bearer x"), vec![id, secret], 401, "invalid_client"),
        (Some("Basic %%%"), vec![], 401, "invalid_client"),
        (None, vec![], 401, "invalid_client"),
        (None, vec![id], 401, "invalid_client"),
        (None, vec![id, ("client_secret", "")], 401, "invalid_client"),
        (None, vec![id, ("client_secret", "wrong")], 401, "invalid_client"),
        (None, vec![("client_id", PHONE), secret], 401, "invalid_client"),
        (None, vec![id, secret, ("client_assertion", "x")], 401, "invalid_client"),
        (None, vec![id, id, secret], 400, "invalid_request"),
    ] {
        for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
            if path == "/oauth2/introspect" && authorization == Some("Bearer x") {
                // There it is an administrator's API key.
                continue;
            }
            let mut fields = fields.clone();
            fields.extend([("grant_type", "client_credentials"), ("token", "x")]);
            let answer = send(&app, form(path, authorization, &fields)).await;
            assert_eq!(answer.status, status, "{path} {authorization:?} {fields:?} {}", answer.body);
            if status == 401 {
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"orest\"");
            }
            if !error.is_empty() {
                assert_eq!(answer.json()["error"], error);
            }
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_request() {
    let (_test, app) = set_up().await;
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![("grant_type", "")], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "authorization_code")], "invalid_request"),
        (vec![("grant_type", "authorization_code"), ("code", "x")], "invalid_grant"),
        (vec![("grant_type", "authorization_code"), ("code", "\0")], "invalid_grant"),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "orrt_x")], "invalid_grant"),
        (vec![("grant_type", "client_credentials"), ("grant_type", "client_credentials")], "invalid_request"),
    ] {
        let answer = post(&app, "/oauth2/token", MAIL, &fields).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!(error)), "{fields:?}");
    }
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        let answer = post(&app, path, MAIL, &[]).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{path}");
    }
    for path in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
        let answer = send(&app, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"), "{path}");
        for (kind, body, status) in [
            ("application/json", "{}".to_owned(), 400),
            ("text/plain", "grant_type=client_credentials".to_owned(), 400),
            ("", "grant_type=client_credentials".to_owned(), 400),
            ("application/x-www-form-urlencoded", "a=%FF".to_owned(), 400),
            ("application/x-www-form-urlencoded", "a".repeat(orest::limits::FORM_BYTES_MAX + 1), 413),
        ] {
            let mut request = Request::post(path).header("authorization", basic(MAIL, "secret"));
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = send(&app, request.body(Body::from(body)).unwrap()).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["error"]),
                (status, &json!("invalid_request")),
                "{path} {kind}"
            );
        }
    }
    // Parameters of the query are no part of a form.
    let request = form("/oauth2/token?grant_type=client_credentials", Some(&basic(MAIL, "secret")), &[]);
    assert_eq!(send(&app, request).await.json()["error"], "invalid_request");
}

/// The database is locked, then gone: nothing says "inactive" because of it.
#[tokio::test]
async fn without_a_database_nothing_is_said_of_a_token() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let (access, token) = grant(&mut browser, "alice", MAIL).await;
    let consent = browser.open(&authorize_path(MAIL, &[]), "alice").await;

    // A service that has read nothing yet must ask.
    let cold = test.restart().await;
    let cold_app = browser::app(&cold);
    assert!(is_active(&app, &access).await);
    test.database.leave();
    // A file's reading connections that are open go on with it; a write notices. A node of several answers from memory as
    // long as it holds its lease, and then says that it can't.
    let answer = post(&app, "/oauth2/introspect", MAIL, &[("token", &access)]).await;
    match answer.status.as_u16() {
        503 => assert_eq!(Kind::of_this_run(), Kind::Postgres),
        _ => assert_eq!(answer.json()["active"], true, "what memory knows is good"),
    }
    for (path, fields) in [
        ("/oauth2/token", vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())]),
        ("/oauth2/token", vec![("grant_type", "client_credentials")]),
        ("/oauth2/token", vec![("grant_type", "authorization_code"), ("code", "x")]),
        ("/oauth2/revoke", vec![("token", access.as_str())]),
    ] {
        let answer = post(&app, path, MAIL, &fields).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"), "{path} {fields:?}");
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
    }
    let answer = browser.submit(&consent.body, "/oauth2/authorize", &[("decision", "allow")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    test.database_comes_back().await;
    assert!(is_active(&app, &access).await, "nothing was revoked");
    assert_eq!(refresh(&app, MAIL, &token).await.status, 200);

    // Another process holds what writes need: they wait, then give up; what memory knows is still good.
    let url = test.database.url.clone();
    let holder = tokio::task::spawn_blocking(move || {
        let mut connection = url.connect_migrator().unwrap();
        let hold = match connection {
            Connection::Sqlite(_) => "BEGIN EXCLUSIVE",
            Connection::Postgres(_) => "BEGIN; SELECT sequence FROM orest_feed FOR UPDATE",
        };
        connection.batch_execute(hold).unwrap();
        connection
    });
    let mut holder = holder.await.unwrap();
    let answer = post(&app, "/oauth2/revoke", MAIL, &[("token", &access)]).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (503, &json!("temporarily_unavailable")));
    assert!(is_active(&app, &access).await);
    // It leaves a database behind that can't be read: whoever must ask learns nothing, and says so.
    holder.batch_execute("ALTER TABLE orest_authorization RENAME TO elsewhere; COMMIT").unwrap();
    let answer = post(&cold_app, "/oauth2/introspect", MAIL, &[("token", &access)]).await;
    assert!(answer.status.is_server_error() && answer.json().get("active").is_none(), "{answer:?}");
    let request = Request::get("/oauth2/auth").header("authorization", format!("Bearer {access}"));
    let answer = send(&cold_app, request.body(Body::empty()).unwrap()).await;
    assert!(answer.status.is_server_error(), "{answer:?}");
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("grant_type".to_owned()),
        Just("authorization_code".to_owned()),
        Just("refresh_token".to_owned()),
        Just("client_credentials".to_owned()),
        Just("token".to_owned()),
        Just("code".to_owned()),
        Just("scope".to_owned()),
        Just("state".to_owned()),
        Just("client_id".to_owned()),
        Just(MAIL.to_owned()),
        Just("redirect_uri".to_owned()),
        Just("csrf_token".to_owned()),
        Just("decision".to_owned()),
        Just("redirect".to_owned()),
        Just("login".to_owned()),
        Just("password".to_owned()),
        Just("response_type".to_owned()),
        "[%&=+a0\\x00-\\x1f\u{e9}]{0,8}",
        ".{0,12}",
    ]
}

/// Whatever is sent, it is answered, and never with a mistake of ours.
#[test]
fn any_form_is_answered() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (_test, app) = runtime.block_on(set_up());
    let paths = prop::sample::select(vec![
        "/oauth2/token",
        "/oauth2/introspect",
        "/oauth2/revoke",
        "/oauth2/authorize",
        "/oauth2/sign-out",
        "/orestapi/oauth2/access_token",
        "/orestapi/oauth2/authorization",
        "/orestapi/application/status",
    ]);
    let fields = prop::collection::vec((part(), part()), 0..8);
    let raw = prop::collection::vec(any::<u8>(), 0..64);
    proptest!(ProptestConfig::with_cases(400), |(path in paths, fields in fields, raw in prop::option::of(raw), authenticated: bool, get: bool)| {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let body = raw.unwrap_or_else(|| text.clone().into_bytes());
        let mut request = if get {
            Request::get(format!("{path}?{text}"))
        } else {
            Request::post(path).header("content-type", "application/x-www-form-urlencoded")
        };
        if authenticated {
            request = request.header("authorization", basic(MAIL, "secret"));
        }
        let body = if get { Body::empty() } else { Body::from(body) };
        let answer = runtime.block_on(send(&app, request.body(body).unwrap()));
        prop_assert!(answer.status.as_u16() < 500, "{path} {text} {answer:?}");
    });
}
