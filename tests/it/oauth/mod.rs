//! The OAuth 2.0 doors through the router.

pub mod browser;
mod errors;
mod flows;
mod legacy;
mod pages;
mod stale;
mod tickets;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orest::domain::secret::SecretHash;
use orest::store::StoreError;
use orest::store::records::{self, SqlValue};
use serde_json::Value;

use browser::{Answer, BASE, Browser, app, encode, send};

use crate::support::{CALLBACK, TestService};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const MAIL: &str = "mail-reader";
const REPORT: &str = "report-maker";
/// A public client.
const PHONE: &str = "phone-app";

fn callback(client_id: &str) -> String {
    format!("{CALLBACK}/{client_id}")
}

/// A service, its router, and a public client besides the fixture's two.
async fn set_up() -> (TestService, Router) {
    let test = TestService::empty().await;
    let now = test.service.now();
    let made: Result<(), StoreError> = test
        .store
        .write(move |tx| {
            let text = |text: &str| SqlValue::Text(text.to_owned());
            let dates = [("create_date", SqlValue::Timestamp(now)), ("write_date", SqlValue::Timestamp(now))];
            let mut columns = vec![("name", text("Phone <App>")), ("client_id", text(PHONE)), ("scope", text("read"))];
            columns.extend(dates.clone());
            let id = records::insert(tx.connection, "orest_application", &columns)?;
            for uri in [callback(PHONE), "com.example.phone:/callback".to_owned()] {
                let mut columns = vec![("application_id", SqlValue::Integer(id)), ("uri", SqlValue::Text(uri))];
                columns.extend(dates.clone());
                records::insert(tx.connection, "orest_application_uri", &columns)?;
            }
            Ok(())
        })
        .await;
    made.unwrap();
    let app = app(&test);
    (test, app)
}

/// An authorization request with PKCE.
fn authorize_path(client_id: &str, more: &[(&str, &str)]) -> String {
    let callback = callback(client_id);
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", callback.as_str()),
        ("state", "st&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    fields.retain(|(name, _)| !more.iter().any(|(own, _)| own == name));
    fields.extend(more.iter().filter(|(_, value)| *value != "-"));
    format!("/oauth2/authorize?{}", encode(&fields))
}

fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

fn form(path: &str, authorization: Option<&str>, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(Body::from(encode(fields))).unwrap()
}

/// A form of the fixture's application of this id, by Basic; the public one by its id alone.
async fn post(app: &Router, path: &str, client_id: &str, fields: &[(&str, &str)]) -> Answer {
    if client_id == PHONE {
        let mut fields = fields.to_vec();
        fields.push(("client_id", client_id));
        return send(app, form(path, None, &fields)).await;
    }
    send(app, form(path, Some(&basic(client_id, "secret")), fields)).await
}

async fn exchange(app: &Router, client_id: &str, code: &str) -> Answer {
    let uri = callback(client_id);
    let fields =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &uri), ("code_verifier", VERIFIER)];
    post(app, "/oauth2/token", client_id, &fields).await
}

async fn refresh(app: &Router, client_id: &str, token: &str) -> Answer {
    post(app, "/oauth2/token", client_id, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

async fn introspect(app: &Router, token: &str) -> Value {
    let answer = post(app, "/oauth2/introspect", MAIL, &[("token", token)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn is_active(app: &Router, token: &str) -> bool {
    let seen = introspect(app, token).await;
    if seen["active"] != true {
        assert_eq!(seen, serde_json::json!({"active": false}));
    }
    seen["active"] == true
}

/// Lets an application in as a person at a browser would; access and refresh token.
async fn grant(browser: &mut Browser, login: &str, client_id: &str) -> (String, String) {
    let answer = browser.decide(&authorize_path(client_id, &[]), login, "allow").await;
    let answer = exchange(&browser.app, client_id, &answer.query()["code"]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Changes a column behind the service's back; seen by a service that is started after.
async fn set_column(test: &TestService, table: &'static str, id: i64, column: &'static str, value: SqlValue) {
    let done: Result<(), StoreError> =
        test.store.write(move |tx| records::update(tx.connection, table, &[id], &[(column, value)]).map(|_| ())).await;
    done.unwrap();
}

/// What is stored of the fixture's client secret; keeps the fixture honest.
#[tokio::test]
async fn the_fixtures_secret() {
    let (test, _) = set_up().await;
    assert_eq!(test.applications[0].secret_hash, Some(SecretHash::of("secret")));
}
