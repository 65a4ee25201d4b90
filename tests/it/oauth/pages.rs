//! What people see: sign in, consent, sign out; and what others try with it.

use std::time::Duration;

use axum::http::StatusCode;
use orest::domain::user::Group;
use orest::store::Connection;
use orest::store::authorizations::Owner;
use orest::store::records::SqlValue;
use orest::store::users::NewUser;

use super::browser::hidden_fields;
use super::*;

fn check_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for needed in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(policy.contains(needed), "{policy}");
    }
    for (name, expect) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(answer.header(name), expect, "{name}");
    }
    for forbidden in ["<script", " onclick", " onload", " onsubmit", " style=", "http-equiv"] {
        assert!(!answer.body.contains(forbidden), "{forbidden}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_consent_page() {
    let (_test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&authorize_path(PHONE, &[]), "alice").await;
    check_headers(&page);
    for needed in [
        "Phone &lt;App&gt;",
        "<code>read</code>",
        "Firefox on Linux",
        "Alice (alice)",
        "name=\"viewport\"",
        "lang=\"en\"",
        "Sign out",
    ] {
        assert!(page.body.contains(needed), "{needed}: {}", page.body);
    }
    assert!(page.header("content-security-policy").contains("form-action 'self' https:;"));
    let path = authorize_path(PHONE, &[("redirect_uri", "com.example.phone:/callback")]);
    let page = browser.open(&path, "alice").await;
    assert!(page.header("content-security-policy").contains("form-action 'self' https: com.example.phone:;"));
    let answer = browser.submit(&page.body, "/oauth2/authorize", &[("decision", "allow")]).await;
    assert!(answer.location().starts_with("com.example.phone:/callback?code="), "{}", answer.location());

    let answer = browser.decide(&authorize_path(MAIL, &[]), "alice", "deny").await;
    let query = answer.query();
    assert_eq!(
        (query["error"].as_str(), query["state"].as_str(), query["iss"].as_str()),
        ("access_denied", "st&te", BASE)
    );
    // Consent is asked for each time.
    let page = browser.get(&authorize_path(MAIL, &[])).await;
    assert_eq!(page.status, StatusCode::OK);
    let neither = browser.submit(&page.body, "/oauth2/authorize", &[("decision", "perhaps")]).await;
    assert_eq!(neither.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_request_may_be_posted() {
    let (_test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    browser.headers =
        vec![("origin", "https://client.example".to_owned()), ("sec-fetch-site", "cross-site".to_owned())];
    let path = authorize_path(MAIL, &[]);
    let query = path.split_once('?').unwrap().1;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post("/oauth2/authorize", &fields).await;
    assert!(answer.location().starts_with("/oauth2/authorize?response_type=code&"), "{answer:?}");
    fields.push(("scope", "read"));
    fields.push(("scope", "read"));
    let answer = browser.post("/oauth2/authorize", &fields).await;
    assert_eq!(answer.query()["error"], "invalid_request");
}

/// Whatever could send a code to the wrong place is shown, never told.
#[tokio::test]
async fn mistakes_that_are_shown() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let callback = callback(MAIL);
    let mut paths = vec![
        "/oauth2/authorize".to_owned(),
        authorize_path(MAIL, &[("client_id", "-")]),
        authorize_path(MAIL, &[("client_id", "nobody")]),
        format!("{}&client_id={MAIL}", authorize_path(MAIL, &[])),
        format!("{}&redirect_uri={callback}", authorize_path(MAIL, &[])),
        authorize_path(PHONE, &[("redirect_uri", "-")]),
        format!("{}&state=%FF", authorize_path(MAIL, &[])),
    ];
    for uri in [
        "https://evil.example/",
        "https://client.example/callback/mail-reader/",
        "https://client.example/callback/MAIL-READER",
        "https://client.example/callback/mail-reader?x=1",
        "javascript:alert(1)",
        "//client.example",
    ] {
        paths.push(authorize_path(MAIL, &[("redirect_uri", uri)]));
    }
    for path in &paths {
        let answer = browser.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, ""), "{path}");
        check_headers(&answer);
    }
    set_column(&test, "orest_application", test.applications[0].id.0, "active", SqlValue::Bool(false)).await;
    browser.app = browser::app(&test.restart().await);
    assert_eq!(browser.get(&authorize_path(MAIL, &[])).await.status, 400);
}

#[tokio::test]
async fn mistakes_that_the_application_is_told() {
    let (_test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let plain = [("code_challenge", VERIFIER), ("code_challenge_method", "plain")];
    for (path, expect) in [
        (authorize_path(MAIL, &[("response_type", "-")]), "invalid_request"),
        (authorize_path(MAIL, &[("response_type", "")]), "invalid_request"),
        (authorize_path(MAIL, &[("response_type", "token")]), "unsupported_response_type"),
        (authorize_path(MAIL, &[("response_type", "code token")]), "unsupported_response_type"),
        (authorize_path(MAIL, &[("response_mode", "fragment")]), "invalid_request"),
        (authorize_path(MAIL, &plain), "invalid_request"),
        (authorize_path(MAIL, &[("code_challenge_method", "-")]), "invalid_request"),
        (authorize_path(MAIL, &[("code_challenge", "-")]), "invalid_request"),
        (authorize_path(MAIL, &[("code_challenge", "short")]), "invalid_request"),
        (authorize_path(PHONE, &[("code_challenge", "-"), ("code_challenge_method", "-")]), "invalid_request"),
        (authorize_path(MAIL, &[("scope", "read admin")]), "invalid_scope"),
        (authorize_path(MAIL, &[("scope", "\"")]), "invalid_scope"),
        (format!("{}&scope=read&scope=write", authorize_path(MAIL, &[])), "invalid_request"),
        (authorize_path(MAIL, &[("prompt", "none")]), "login_required"),
        (authorize_path(MAIL, &[("prompt", "none login")]), "invalid_request"),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.location().starts_with("https://client.example/callback/"), "{}", answer.location());
        let query = answer.query();
        assert_eq!(query["error"], expect, "{path}");
        assert_eq!((query["state"].as_str(), query["iss"].as_str()), ("st&te", BASE), "{path}");
    }
    let answer = browser.get(&format!("{}&state=other", authorize_path(MAIL, &[]))).await;
    assert_eq!((answer.query()["error"].as_str(), answer.query().get("state")), ("invalid_request", None));
    browser.open(&authorize_path(MAIL, &[]), "alice").await;
    let answer = browser.get(&authorize_path(MAIL, &[("prompt", "none")])).await;
    assert_eq!(answer.query()["error"], "consent_required");
    let answer = browser.get(&authorize_path(MAIL, &[("prompt", "login")])).await;
    assert!(answer.location().starts_with("/web/login?prompt=login&redirect="), "{}", answer.location());
    let page = browser.get(answer.location()).await;
    assert!(page.body.contains("name=\"password\""));
    let answer = browser.submit(&page.body, "/web/login", &[("login", "bob"), ("password", "bob")]).await;
    let page = browser.get(answer.location()).await;
    assert!(page.body.contains("Bob (bob)"), "{}", page.body);
}

#[tokio::test]
async fn nobody_elses_page_sends_our_forms() {
    let (test, app) = set_up().await;
    let mut alice = Browser::new(&app);
    let page = alice.open(&authorize_path(MAIL, &[]), "alice").await;
    let hidden = hidden_fields(&page.body, "/oauth2/authorize");
    let mut bob = Browser::new(&app);
    let bobs = bob.open(&authorize_path(MAIL, &[]), "bob").await;
    let bobs_token =
        hidden_fields(&bobs.body, "/oauth2/authorize").into_iter().find(|(name, _)| name == "csrf_token").unwrap().1;
    let sign_out_token =
        hidden_fields(&page.body, "/oauth2/sign-out").into_iter().find(|(name, _)| name == "csrf_token").unwrap().1;

    let mut attempts: Vec<(Option<&str>, Vec<(&'static str, String)>)> = vec![
        (None, vec![]),
        (Some(""), vec![]),
        (Some("0"), vec![]),
        (Some(&bobs_token), vec![]),
        (Some(&sign_out_token), vec![]),
    ];
    let right = hidden.iter().find(|(name, _)| name == "csrf_token").unwrap().1.clone();
    attempts.push((Some(&right), vec![("origin", "https://evil.example".to_owned())]));
    attempts.push((Some(&right), vec![("origin", "null".to_owned())]));
    attempts.push((Some(&right), vec![("sec-fetch-site", "cross-site".to_owned())]));
    attempts.push((Some(&right), vec![("sec-fetch-site", "same-site".to_owned())]));
    for (token, headers) in attempts {
        let mut fields: Vec<_> = hidden
            .iter()
            .filter(|(name, _)| name != "csrf_token")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.push(("decision", "allow"));
        fields.extend(token.map(|token| ("csrf_token", token)));
        alice.headers = headers;
        let answer = alice.post("/oauth2/authorize", &fields).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, ""), "{token:?} {:?}", alice.headers);
        let answer = alice
            .post(
                "/oauth2/sign-out",
                &[("csrf_token", token.filter(|token| *token != sign_out_token).unwrap_or_default())],
            )
            .await;
        assert_eq!(answer.status, 403);
    }
    alice.headers.clear();
    let authorizations = orest::store::authorizations::list_ids;
    let owner = test.uid("alice");
    let list = move |connection: &mut Connection| authorizations(connection, Owner::Users(&[owner]), 0);
    let made: Result<_, StoreError> = test.store.read(list).await;
    assert!(made.unwrap().is_empty());
    // Without a session there is nothing to be had either.
    let mut stranger = Browser::new(&app);
    let answer = stranger.submit(&page.body, "/oauth2/authorize", &[("decision", "allow")]).await;
    assert!(answer.location().starts_with("/web/login?"), "{answer:?}");

    // Signing somebody in under a stranger's name.
    let sign_in = stranger.get("/web/login").await;
    let stolen = hidden_fields(&sign_in.body, "/web/login").remove(0).1;
    for (cookie, token) in [(false, stolen.as_str()), (true, ""), (true, "0"), (true, bobs_token.as_str())] {
        let mut victim = Browser::new(&app);
        if cookie {
            victim.get("/web/login").await;
        }
        let fields = [("login", "bob"), ("password", "bob"), ("csrf_token", token)];
        let answer = victim.post("/web/login", &fields).await;
        assert_eq!(answer.status, 403);
        assert!(!victim.cookies.contains_key("session_id"));
    }
    let mut victim = Browser::new(&app);
    let page = victim.get("/web/login").await;
    victim.headers = vec![("origin", "https://evil.example".to_owned())];
    let answer = victim.submit(&page.body, "/web/login", &[("login", "bob"), ("password", "bob")]).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn signing_in_and_out() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    let page = browser.get("/web/login").await;
    check_headers(&page);
    for needed in [
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "<label for=\"login\"",
        "<label for=\"password\"",
    ] {
        assert!(page.body.contains(needed), "{needed}");
    }
    let now = test.service.now();
    let hash = orest::service::passwords::hash_new(&orest::domain::time::SystemEntropy, "pending").unwrap();
    let made: Result<_, StoreError> = test
        .store
        .write(move |tx| {
            let new = NewUser {
                login: "pending",
                name: "Pending",
                email: None,
                password_hash: Some(&hash),
                state: "pending",
                groups: &[Group::User],
            };
            orest::store::users::insert(tx.connection, &new, None, now)
        })
        .await;
    made.unwrap();
    set_column(&test, "res_users", test.uid("bob").0, "active", SqlValue::Bool(false)).await;
    for (login, password) in
        [("alice", "wrong"), ("nobody", "nobody"), ("pending", "pending"), ("bob", "bob"), ("al\0ice", "x\0")]
    {
        let answer = browser.submit(&page.body, "/web/login", &[("login", login), ("password", password)]).await;
        assert_eq!(answer.status, 403, "{login}");
        assert!(answer.body.contains("Wrong login or password.") && !browser.cookies.contains_key("session_id"));
    }
    let answer = browser.submit(&page.body, "/web/login", &[("login", "\"><script>"), ("password", "")]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("value=\"&quot;&gt;&lt;script&gt;\""), "{}", answer.body);
    check_headers(&answer);
    let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"));
    assert!(
        answer.headers.get_all("set-cookie").iter().any(|line| line.to_str().unwrap().starts_with("orest_device="))
    );
    let first = browser.cookies["session_id"].clone();
    let page = browser.get("/web/login").await;
    assert!(page.body.contains("You are signed in") && page.body.contains("alice"));
    // The same session as Odoo's own doors know.
    assert!(test.service.session(&first).await.unwrap().is_some());
    // Whoever signs in anew gets another session, and the one of before ends; the device stays the same.
    let device = browser.cookies["orest_device"].clone();
    let again = browser.get("/web/login?prompt=login").await;
    browser.submit(&again.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_ne!(browser.cookies["session_id"], first);
    assert_eq!(browser.cookies["orest_device"], device);
    assert!(test.service.session(&first).await.unwrap().is_none());
    let page = browser.get("/web/login").await;
    let sid = browser.cookies["session_id"].clone();
    let answer = browser.submit(&page.body, "/oauth2/sign-out", &[]).await;
    assert_eq!(answer.status, 303);
    assert!(!browser.cookies.contains_key("session_id"));
    assert!(test.service.session(&sid).await.unwrap().is_none());
}

#[tokio::test]
async fn too_many_tries() {
    let (test, app) = set_up().await;
    let mut browser = Browser::new(&app);
    browser.headers.push(("x-forwarded-for", "198.51.100.7".to_owned()));
    let page = browser.get("/web/login").await;
    for _ in 0..orest::limits::LOGIN_FAILURES_MAX {
        let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "wrong")]).await;
        assert_eq!(answer.status, 403);
    }
    let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "60"));
    check_headers(&answer);
    // From elsewhere it goes on.
    let mut elsewhere = Browser::new(&app);
    elsewhere.headers.push(("x-forwarded-for", "198.51.100.8".to_owned()));
    let page = elsewhere.get("/web/login").await;
    let answer = elsewhere.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!(answer.status, 303);
    test.clock.advance(Duration::from_secs(60));
    let page = browser.get("/web/login").await;
    let answer = browser.submit(&page.body, "/web/login", &[("login", "alice"), ("password", "alice")]).await;
    assert_eq!(answer.status, 303);
}

#[tokio::test]
async fn signing_in_leads_nowhere_else() {
    let (_test, app) = set_up().await;
    for target in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=y",
        "evil",
    ] {
        let mut browser = Browser::new(&app);
        let path = format!("/web/login?{}", encode(&[("redirect", target)]));
        let page = browser.get(&path).await;
        assert!(!hidden_fields(&page.body, "/web/login").iter().any(|(name, _)| name == "redirect"), "{target}");
        let own = [("login", "alice"), ("password", "alice"), ("redirect", target)];
        let answer = browser.submit(&page.body, "/web/login", &own).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"), "{target}");
        assert_eq!(browser.get(&path).await.status, 200, "{target}");
        let page = browser.get("/web/login").await;
        let mut fields = hidden_fields(&page.body, "/oauth2/sign-out");
        fields.retain(|(name, _)| name == "csrf_token");
        let answer = browser.post("/oauth2/sign-out", &[("csrf_token", &fields[0].1), ("redirect", target)]).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/web/login"), "{target}");
    }
}

#[tokio::test]
async fn logos() {
    let (test, app) = set_up().await;
    let get = async |app: &Router, path: &str| send(app, Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(get(&app, "/oauth2/logo/mail-reader").await.status, 404);
    assert_eq!(get(&app, "/oauth2/logo/nobody").await.status, 404);
    assert_eq!(get(&app, "/oauth2/logo/%FF").await.status, 400);
    let style = get(&app, "/oauth2/style.css").await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
    let mail = test.applications[0].id.0;
    for (image, status) in [(&b"\x89PNG\r\n\x1a\n"[..], 200), (b"<svg/>", 404)] {
        set_column(&test, "orest_application", mail, "image", SqlValue::Blob(image.to_vec())).await;
        let app = browser::app(&test.restart().await);
        let answer = get(&app, "/oauth2/logo/mail-reader").await;
        assert_eq!(answer.status, status);
        if status == 200 {
            assert_eq!(
                (answer.header("content-type"), answer.header("x-content-type-options")),
                ("image/png", "nosniff")
            );
            let page = Browser::new(&app).open(&authorize_path(MAIL, &[]), "alice").await;
            assert!(page.body.contains("src=\"/oauth2/logo/mail-reader\""));
        }
    }
}
