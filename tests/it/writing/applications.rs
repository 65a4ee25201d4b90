//! Applications: what they may hold, their secrets, and what archiving and deleting do to tokens.

use serde_json::{Value, json};

use super::{answer, brief, live};
use crate::support::TestService;

const MODEL: &str = "orest.application";

#[tokio::test]
async fn values() {
    let test = TestService::new().await;
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAE=";
    let big = format!("iVBORw0KGgo{}", "A".repeat(400_000));
    for (values, expect) in [
        (json!({"name": " "}), "ValidationError: An application needs a name: users read it when they let it in."),
        (
            json!({"name": "Mail Reader"}),
            "ValidationError: The operation cannot be completed: An application with this name exists already.",
        ),
        (
            json!({"name": "x", "client_id": "mail-reader"}),
            "ValidationError: The operation cannot be completed: An application with this client ID exists already.",
        ),
        (
            json!({"name": "x", "client_id": "a b"}),
            "ValidationError: A client ID is made of at most 200 letters, digits, '-', '.', '_' and '~'.",
        ),
        (
            json!({"name": "x", "scope": "a \"b\""}),
            "ValidationError: Scopes are separated by spaces, and hold no quotes, no backslashes and no letters beyond ASCII.",
        ),
        (
            json!({"name": "x", "access_token_expiry": 0}),
            "ValidationError: 'Access Token Expiry' (access_token_expiry) must be from 1 to 31536000 seconds.",
        ),
        (
            json!({"name": "x", "authorization_code_expiry": 3601}),
            "ValidationError: 'Authorization Code Expiry' (authorization_code_expiry) must be from 1 to 3600 seconds.",
        ),
        (
            json!({"name": "x", "authorization_code_retain": -1}),
            "ValidationError: 'Authorization Code Retain' (authorization_code_retain) must be from 0 to 3650 days.",
        ),
        (json!({"name": "x", "image": "R0lGODlh"}), "UserError: This file could not be decoded as an image file."),
        (json!({"name": "x", "image": big}), "ValidationError: A logo has at most 256 kB."),
        (
            json!({"name": "x", "uri_ids": [[0, 0, {"uri": "http://example.com/"}]]}),
            "ValidationError: 'http://example.com/': the URI must be https, http to this machine's own loopback address, \
             or a scheme of the application's own with a dot in it.",
        ),
        (
            json!({"name": "x", "uri_ids": [[0, 0, {"uri": "https://client.example/callback/mail-reader"}]]}),
            "ValidationError: The operation cannot be completed: This URI is registered already.",
        ),
        (
            json!({"name": "x", "is_public": false}),
            "ValidationError: The field 'Public client' (is_public) of 'REST API Application' (orest.application) is readonly.",
        ),
        (json!({"name": "x", "client_secret": "s"}), ""),
    ] {
        let got = answer(&test, "olga", MODEL, "create", json!([values]), json!({})).await;
        let expect = match expect {
            "" => format!("builtins.ValueError: Invalid field 'client_secret' in '{MODEL}'"),
            expect => format!("odoo.exceptions.{expect}"),
        };
        assert_eq!(brief(&got), expect, "{}", &values.to_string()[..40.min(values.to_string().len())]);
    }
    test.close_gaps(&["orest_application", "orest_application_uri"]).await;
    let given = json!({
        "name": "x", "scope": "write  read read", "image": png,
        "uri_ids": [[0, 0, {"uri": "https://x.example/cb"}]],
    });
    let id = answer(&test, "olga", MODEL, "create", json!([given]), json!({})).await;
    let fields = json!(["client_id", "scope", "is_public", "image", "uri_ids"]);
    let row = answer(&test, "olga", MODEL, "read", json!([id, fields]), json!({})).await;
    let client_id = row[0]["client_id"].as_str().expect("made").to_owned();
    assert_eq!(client_id.len(), 32);
    assert_eq!((&row[0]["scope"], &row[0]["is_public"]), (&json!("read write"), &json!(true)));
    assert_eq!((&row[0]["image"], &row[0]["uri_ids"]), (&json!(png), &json!([3])));
    let fixed = answer(&test, "olga", MODEL, "write", json!([[id], {"client_id": "y"}]), json!({})).await;
    assert!(fixed.as_str().is_some_and(|text| text.contains("can only be set when the record is made")), "{fixed}");
    let copy = answer(&test, "olga", MODEL, "copy", json!([[id]]), json!({})).await;
    let row = answer(&test, "olga", MODEL, "read", json!([copy, ["name", "client_id", "uri_ids"]]), json!({})).await;
    assert_eq!((&row[0]["name"], &row[0]["uri_ids"]), (&json!("x (copy)"), &json!([])));
    assert_ne!(row[0]["client_id"], client_id);
}

#[tokio::test]
async fn nobody_lets_an_application_act_for_who_may_more() {
    let test = TestService::new().await;
    let set = |user: i64| json!([[1], {"user_id": user}]);
    let refused = answer(&test, "olga", MODEL, "write", set(2), json!({})).await;
    assert_eq!(
        refused,
        "odoo.exceptions.AccessError: Administrator is in the group 'Role / Administrator' and you are not: ask somebody who is."
    );
    assert_eq!(answer(&test, "olga", MODEL, "write", set(3), json!({})).await, json!(true));
    assert_eq!(answer(&test, "admin", MODEL, "write", set(2), json!({})).await, json!(true));
}

#[tokio::test]
async fn nobody_takes_over_an_application_that_acts_for_who_may_more() {
    let refused = "odoo.exceptions.AccessError: Administrator is in the group 'Role / Administrator' and you are not: \
                   ask somebody who is.";
    let (uri, scheme, line) = ("orest.application.uri", "orest.model.scheme", "orest.model.configuration");
    let mine = "https://mine.example/";
    for (model, method, args) in [
        (MODEL, "action_generate_secret", json!([[1]])),
        (MODEL, "action_make_public", json!([[1]])),
        (MODEL, "write", json!([[1], {"scope": "read write more"}])),
        (MODEL, "write", json!([[2, 1], {"description": "x"}])),
        (MODEL, "write", json!([[1], {"model_scheme_id": false}])),
        (MODEL, "write", json!([[1], {"user_id": false}])),
        (MODEL, "write", json!([[1], {"uri_ids": [[0, 0, {"uri": mine}]]}])),
        (MODEL, "copy", json!([[1]])),
        (MODEL, "unlink", json!([[1]])),
        (uri, "create", json!([{"application_id": 1, "uri": mine}])),
        (uri, "write", json!([[1], {"uri": mine}])),
        (uri, "write", json!([[2], {"application_id": 1}])),
        (uri, "unlink", json!([[1]])),
        (scheme, "write", json!([[1], {"model_limit": "none"}])),
        (scheme, "write", json!([[1], {"configuration_ids": [[5]]}])),
        (scheme, "write", json!([[1], {"application_ids": [[5]]}])),
        (line, "create", json!([{"scheme_id": 1, "model": "res.users"}])),
        (line, "write", json!([[1], {"model": "res.users"}])),
        (line, "unlink", json!([[1]])),
    ] {
        let test = TestService::empty().await;
        let given = json!({
            "name": "s", "model_limit": "whitelist", "configuration_ids": [[0, 0, {"model": "res.partner"}]],
        });
        assert_eq!(answer(&test, "olga", scheme, "create", json!([given]), json!({})).await, json!(1));
        let acting = json!([[1], {"user_id": 2, "model_scheme_id": 1}]);
        assert_eq!(answer(&test, "admin", MODEL, "write", acting, json!({})).await, json!(true));
        let got = answer(&test, "olga", model, method, args.clone(), json!({})).await;
        assert_eq!(got, json!(refused), "{model}.{method}({args})");
        let got = answer(&test, "admin", model, method, args.clone(), json!({})).await;
        assert!(!got.is_string(), "{model}.{method}({args}): {got}");
    }
    // What acts for nobody, or for a plain user, she may change.
    let test = TestService::empty().await;
    for user in [json!(false), json!(3)] {
        answer(&test, "admin", MODEL, "write", json!([[1], {"user_id": user}]), json!({})).await;
        let got = answer(&test, "olga", MODEL, "action_generate_secret", json!([[1]]), json!({})).await;
        assert!(!got.is_string(), "{user}: {got}");
    }
}

#[tokio::test]
async fn secrets() {
    let test = TestService::new().await;
    let secret_of = |answer: &Value| answer["client_secret"].as_str().map(str::to_owned).expect("a secret");
    let id = answer(&test, "olga", MODEL, "create", json!([{"name": "x", "client_id": "x"}]), json!({})).await;
    let good = async |secret: Option<&str>| test.service.application_by_secret("x", secret).await.is_ok();
    assert!(good(None).await, "public until it gets a secret");
    let made = answer(&test, "olga", MODEL, "action_generate_secret", json!([[id]]), json!({})).await;
    let first = secret_of(&made);
    assert_eq!(made["client_id"], "x");
    assert!(good(Some(&first)).await && !good(None).await);
    let row = answer(&test, "olga", MODEL, "read", json!([[id]]), json!({})).await;
    assert_eq!(row[0]["is_public"], json!(false));
    assert!(!row.to_string().contains(&first), "shown once");
    let made = answer(&test, "olga", MODEL, "action_generate_secret", json!([[id]]), json!({})).await;
    assert!(good(Some(&secret_of(&made))).await && !good(Some(&first)).await, "the old one is dead");
    for (login, ids, expect) in [
        (
            "alice",
            json!([1]),
            "odoo.exceptions.AccessError: You are not allowed to modify 'REST API Application' (orest.application) records.",
        ),
        ("olga", json!([1, 2]), "builtins.ValueError: Expected singleton: orest.application(1, 2)"),
        ("olga", json!([99]), "odoo.exceptions.MissingError: Record does not exist or has been deleted."),
    ] {
        let got = answer(&test, login, MODEL, "action_generate_secret", json!([ids]), json!({})).await;
        assert_eq!(brief(&got), expect);
    }
    assert_eq!(answer(&test, "olga", MODEL, "action_make_public", json!([[id]]), json!({})).await, json!(true));
    assert!(good(None).await);
}

#[tokio::test]
async fn archiving_refuses_and_deleting_is_refused() {
    let test = TestService::new().await;
    let tokens = test.authorize("bob", 0, None, true).await.expect("exchanged");
    let good = async || test.service.verify(tokens.access.reveal()).await.expect("answers").is_ok();
    assert!(good().await);
    assert_eq!(answer(&test, "olga", MODEL, "write", json!([[1], {"active": false}]), json!({})).await, json!(true));
    assert!(!good().await, "refused at check time");
    assert_eq!(live(&test).await, json!([2, 3, 5, 7, 8]), "nothing is revoked");
    answer(&test, "olga", MODEL, "action_unarchive", json!([[1]]), json!({})).await;
    assert!(good().await, "and lifted");
    let refused = answer(&test, "olga", MODEL, "unlink", json!([[1]]), json!({})).await;
    assert_eq!(
        refused,
        "odoo.exceptions.ValidationError: The operation cannot be completed: Another model is using the record you are \
         trying to delete.\n\nThe troublemaker is: 'REST API Authorization' (orest.authorization)\nThanks to the following \
         constraint: 'Application' (application_id)\nHow about archiving the record instead?"
    );
    assert!(good().await);
    let id = answer(&test, "olga", MODEL, "create", json!([{"name": "unused"}]), json!({})).await;
    assert_eq!(answer(&test, "olga", MODEL, "unlink", json!([[id]]), json!({})).await, json!(true));
}

/// What `fields_get` says of a relation to many and what a write does agree.
#[tokio::test]
async fn readonly_is_told_as_it_is() {
    let test = TestService::new().await;
    for (model, field, readonly) in [
        (MODEL, "uri_ids", false),
        (MODEL, "authorization_ids", true),
        ("orest.model.scheme", "configuration_ids", false),
        ("orest.model.scheme", "application_ids", false),
        ("res.users", "identity_ids", false),
        ("res.users", "device_ids", true),
        ("res.users", "api_key_ids", true),
    ] {
        let told = answer(&test, "admin", model, "fields_get", json!([[field], ["readonly"]]), json!({})).await;
        assert_eq!(told[field]["readonly"], readonly, "{model}.{field}");
        let mut values = json!({"name": field, field: []});
        if model == "res.users" {
            values["login"] = "x".into();
        }
        let got = answer(&test, "admin", model, "create", json!([values]), json!({})).await;
        let refused = got.as_str().is_some_and(|text| text.ends_with("is readonly."));
        assert_eq!((refused, got.is_i64()), (readonly, !readonly), "{model}.{field}: {got}");
    }
}
