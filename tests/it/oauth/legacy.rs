//! The paths of oREST 1.6.4.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::*;

async fn get(app: &Router, path: &str, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
    let mut request = Request::get(format!("{path}?{}", encode(fields)));
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    send(app, request.body(Body::empty()).unwrap()).await
}

fn check(answer: &Answer, code: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    let said = answer.json();
    assert_eq!(said["orestapi_code"], code);
    assert!(!said["orestapi_message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn an_old_client_goes_on() {
    let (test, app) = set_up().await;
    let version = get(&app, "/orestapi/version", &[], None).await.json();
    assert_eq!((&version["orestapi_version"], &version["server_version"]), (&json!("1.6.4"), &json!("19.0")));
    let status = get(&app, "/orestapi/application/status", &[], Some(&basic(MAIL, "secret"))).await;
    let id = test.applications[0].id.0;
    let expect = json!([{"id": id, "active": true, "display_name": "Mail Reader", "company": false}]);
    assert_eq!((status.status.as_u16(), status.json()), (200, expect));

    let mut browser = Browser::new(&app);
    let uri = callback(MAIL);
    let ask =
        [("response_type", "code"), ("client_id", MAIL), ("redirect_uri", &uri), ("scope", "ignored"), ("state", "s")];
    let path = format!("/orestapi/oauth2/authorization?{}", encode(&ask));
    let answer = browser.decide(&path, "alice", "allow").await;
    assert_eq!(answer.query()["state"], "s");
    let code = answer.query()["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", MAIL),
        ("client_secret", "secret"),
        ("redirect_uri", &uri),
    ];
    let answer = get(&app, "/orestapi/oauth2/access_token", &fields, Some("OAuth")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let tokens = answer.json();
    assert_eq!(
        tokens.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "token_type", "expires_in", "refresh_token"]
    );
    let token = tokens["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let request = form("/orestapi/oauth2/access_token", Some(&basic(MAIL, "secret")), &fields);
    let next = send(&app, request).await;
    assert_eq!(next.status, 200);
    assert!(is_active(&app, next.json()["access_token"].as_str().unwrap()).await);
    // Consent can be refused.
    let answer = browser.decide(&path, "alice", "deny").await;
    assert_eq!(answer.query()["error"], "access_denied");
}

#[tokio::test]
async fn its_error_codes() {
    let (test, app) = set_up().await;
    let uri = callback(MAIL);
    let (id, to) = (("client_id", MAIL), ("redirect_uri", uri.as_str()));
    for (fields, code) in [
        (vec![], "0001"),
        (vec![to], "0002"),
        (vec![id], "0003"),
        (vec![("client_id", "nobody"), to], "0004"),
        (vec![("client_id", PHONE), to], "0004"),
        (vec![id, ("redirect_uri", "https://evil.example/")], "0005"),
    ] {
        let answer = get(&app, "/orestapi/oauth2/authorization", &fields, None).await;
        check(&answer, &format!("OrestapiOauth2Authorization-{code}"));
    }
    let mut browser = Browser::new(&app);
    let ask = format!("/orestapi/oauth2/authorization?{}", encode(&[id, to]));
    let used = browser.decide(&ask, "alice", "allow").await.query()["code"].clone();
    let grant = ("grant_type", "authorization_code");
    let (secret, good) = (("client_secret", "secret"), ("code", used.as_str()));
    for (fields, code) in [
        (vec![], "0001"),
        (vec![id], "0020"),
        (vec![("grant_type", "password")], "0021"),
        (vec![grant], "0030"),
        (vec![grant, good], "0040"),
        (vec![grant, good, id], "0050"),
        (vec![grant, good, id, secret], "0051"),
        (vec![grant, good, id, ("client_secret", "wrong"), to], "0060"),
        (vec![grant, good, ("client_id", PHONE), secret, to], "0060"),
        (vec![grant, ("code", "wrong"), id, secret, to], "0070"),
        (vec![grant, good, ("client_id", REPORT), secret, to], "0070"),
        (vec![grant, good, id, secret, ("redirect_uri", "https://client.example/other")], "0070"),
    ] {
        let answer = get(&app, "/orestapi/oauth2/access_token", &fields, None).await;
        check(&answer, &format!("OrestapiOauth2AccessToken-{code}"));
    }
    test.clock.advance(Duration::from_secs(600));
    let expired = get(&app, "/orestapi/oauth2/access_token", &[grant, good, id, secret, to], None).await;
    check(&expired, "OrestapiOauth2AccessToken-0070");
    // A code of a request with PKCE can't be had without.
    let code = browser.decide(&authorize_path(MAIL, &[]), "alice", "allow").await.query()["code"].clone();
    let answer = get(&app, "/orestapi/oauth2/access_token", &[grant, ("code", &code), id, secret, to], None).await;
    check(&answer, "OrestapiOauth2AccessToken-0070");

    let (_, token) = super::grant(&mut browser, "alice", MAIL).await;
    let (right, wrong, other) = (basic(MAIL, "secret"), basic(MAIL, "wrong"), basic(REPORT, "secret"));
    let grant = ("grant_type", "refresh_token");
    for (authorization, fields, code) in [
        (None, vec![grant, ("refresh_token", token.as_str())], "0220"),
        (Some("Bearer x"), vec![grant, ("refresh_token", &token)], "0201"),
        (Some("Basic"), vec![grant, ("refresh_token", &token)], "0201"),
        (Some(right.as_str()), vec![grant], "0203"),
        (Some(&wrong), vec![grant, ("refresh_token", &token)], "0204"),
        (Some(&right), vec![grant, ("refresh_token", "wrong")], "0205"),
        (Some(&other), vec![grant, ("refresh_token", &token)], "0205"),
    ] {
        let answer = get(&app, "/orestapi/oauth2/access_token", &fields, authorization).await;
        check(&answer, &format!("OrestapiOauth2AccessToken-{code}"));
    }
    assert!(is_active(&app, &token).await, "none of it used the token up");
    for authorization in [None, Some("Bearer x"), Some(wrong.as_str())] {
        check(&get(&app, "/orestapi/application/status", &[], authorization).await, "OrestapiApplicationData-0010");
    }
}
