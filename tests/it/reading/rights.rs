//! Who sees what: administrators all, the REST API Admin the oREST records, a plain user what is his own, outsiders nothing.

use serde_json::{Value, json};

use super::answer;
use crate::support::TestService;

const AUTHORIZATION: &str = "orest.authorization";

const CLOSED: &str = "odoo.exceptions.AccessError: You are not allowed to access ";

#[tokio::test]
async fn each_sees_his_own_authorizations() {
    let test = TestService::new().await;
    let all = json!([1, 2, 3, 4, 5, 6, 7]);
    for (login, expect) in [
        ("admin", Some(all.clone())),
        ("olga", Some(all)),
        ("alice", Some(json!([2, 3, 4]))),
        ("bob", Some(json!([1, 5, 6]))),
        ("erna", Some(json!([]))),
        ("portia", None),
        ("paul", None),
    ] {
        let found = answer(&test, login, AUTHORIZATION, "search", json!([[]]), json!({"order": "id"})).await;
        let count = answer(&test, login, AUTHORIZATION, "search_count", json!([[]]), json!({})).await;
        let names = answer(&test, login, AUTHORIZATION, "name_search", json!([]), json!({"limit": 0})).await;
        let Some(expect) = expect else {
            for refused in [found, count, names] {
                assert!(refused.as_str().is_some_and(|text| text.starts_with(CLOSED)), "{login}: {refused}");
            }
            let read = answer(&test, login, AUTHORIZATION, "read", json!([[1]]), json!({})).await;
            assert!(read.as_str().is_some_and(|text| text.starts_with(CLOSED)), "{login}: {read}");
            continue;
        };
        assert_eq!(found, expect, "{login}");
        let ids = expect.as_array().expect("a list");
        assert_eq!(count, json!(ids.len()), "{login}");
        assert_eq!(names.as_array().map(Vec::len), Some(ids.len()), "{login}");
        for id in 1..=7 {
            let may = ids.contains(&json!(id));
            for operation in ["read", "unlink"] {
                let access =
                    answer(&test, login, AUTHORIZATION, "has_access", json!([[id], operation]), json!({})).await;
                assert_eq!(access, json!(may), "{login} {operation} {id}");
            }
            let read = answer(&test, login, AUTHORIZATION, "read", json!([[id], ["scope"]]), json!({})).await;
            if !may {
                assert!(read.as_str().is_some_and(|text| text.contains("top-secret")), "{login} {id}: {read}");
            }
        }
    }
}

#[tokio::test]
async fn the_text_for_hidden_records() {
    let test = TestService::new().await;
    let got = answer(&test, "alice", AUTHORIZATION, "read", json!([[2, 5], ["scope"]]), json!({})).await;
    let expect = "odoo.exceptions.AccessError: Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n\
        Sorry, Alice (id=3) doesn't have 'read' access to:\n- REST API Authorization (orest.authorization)\n\n\
        If you really, really need access, perhaps you can win over your friendly administrator with a batch of freshly baked cookies.";
    assert_eq!(got, json!(expect));
    // what does not exist is no secret
    let got = answer(&test, "alice", AUTHORIZATION, "read", json!([[99], ["scope"]]), json!({})).await;
    assert_eq!(got, json!([]));
}

/// Whatever a plain user asks, the answer is the same as if only his own records were there.
#[tokio::test]
async fn nothing_can_be_inferred() {
    let test = TestService::new().await;
    let cases: Vec<(&str, &str, Value, Value, Value)> = vec![
        // negations do not widen
        (AUTHORIZATION, "search_count", json!([["!", ["user_id", "=", 3]]]), json!({}), json!(0)),
        (AUTHORIZATION, "search_count", json!([["|", ["id", ">", 0], ["user_id", "=", 4]]]), json!({}), json!(3)),
        (AUTHORIZATION, "search", json!([[["user_id", "in", [4]]]]), json!({}), json!([])),
        (AUTHORIZATION, "search", json!([[["id", "=", 5]]]), json!({}), json!([])),
        // nor do paths through what he does see
        (
            AUTHORIZATION,
            "search",
            json!([[["application_id.authorization_ids.user_id", "=", 4]]]),
            json!({}),
            json!([]),
        ),
        (AUTHORIZATION, "search", json!([[["application_id.authorization_ids", "=", 5]]]), json!({}), json!([])),
        (
            AUTHORIZATION,
            "search",
            json!([[["application_id.authorization_ids.user_id", "!=", 3]]]),
            json!({"order": "id"}),
            json!([]),
        ),
        (
            "orest.application",
            "search",
            json!([[["authorization_ids", "any", [["user_id.name", "=", "Bob"]]]]]),
            json!({}),
            json!([]),
        ),
        (
            "orest.application",
            "read",
            json!([[1], ["authorization_ids"]]),
            json!({}),
            json!([{"id": 1, "authorization_ids": [3, 2]}]),
        ),
        ("res.users", "search", json!([[]]), json!({}), json!([3])),
        ("res.users", "name_search", json!(["bob"]), json!({}), json!([])),
        ("res.users", "search_count", json!([[["login", "=", "bob"]]]), json!({}), json!(0)),
        ("orest.device", "search_count", json!([[]]), json!({}), json!(2)),
        ("orest.revocation", "search", json!([[]]), json!({}), json!([1])),
        ("orest.revocation", "search_count", json!([[["authorization_ids", "=", 6]]]), json!({}), json!(0)),
        ("res.users.apikeys", "search_count", json!([[]]), json!({}), json!(0)),
    ];
    for (model, method, args, kwargs, expect) in cases {
        let got = answer(&test, "alice", model, method, args.clone(), kwargs).await;
        assert_eq!(got, expect, "{model}.{method}({args})");
    }
}

#[tokio::test]
async fn fields_of_other_groups_do_not_exist() {
    let test = TestService::new().await;
    let hidden = |field: &str, label: &str, model: &str| {
        format!(
            "odoo.exceptions.AccessError: You do not have enough rights to access the field \"{field}\" on {label} ({model}). \
             Please contact your system administrator.\n\nOperation: read"
        )
    };
    for (field, label, model) in [
        ("reason_admin", "Revocation", "orest.revocation"),
        ("ip_address", "Revocation", "orest.revocation"),
        ("selection", "Revocation", "orest.revocation"),
        ("group_ids", "User", "res.users"),
        ("code_ids", "REST API Authorization", AUTHORIZATION),
    ] {
        let expect = json!(hidden(field, label, model));
        let by_domain = answer(&test, "alice", model, "search", json!([[[field, "!=", false]]]), json!({})).await;
        assert_eq!(by_domain, expect);
        let by_count =
            answer(&test, "alice", model, "search_count", json!([["!", [field, "=", "x"]]]), json!({})).await;
        assert_eq!(by_count, expect);
        let by_read = answer(&test, "alice", model, "read", json!([[], [field]]), json!({})).await;
        assert_eq!(by_read, expect);
        let by_order = answer(&test, "alice", model, "search", json!([[]]), json!({"order": field})).await;
        assert_eq!(by_order, expect);
        let fields = answer(&test, "alice", model, "fields_get", json!([]), json!({"attributes": ["type"]})).await;
        assert_eq!(fields.get(field), None, "{model}.{field}");
        assert_eq!(fields["id"], json!({"type": "integer"}));
        let row = answer(&test, "alice", model, "search_read", json!([[]]), json!({"limit": 1})).await;
        assert!(row[0].get("id").is_some() && row[0].get(field).is_none(), "{row}");
    }
    // through a relation too
    let path = json!([[["revocation_id.reason_admin", "ilike", "laptop"]]]);
    let got = answer(&test, "alice", AUTHORIZATION, "search", path, json!({})).await;
    assert_eq!(got, json!(hidden("reason_admin", "Revocation", "orest.revocation")));
}

/// No field of any model holds a password, a secret, a token or a code, or the hash of one.
#[tokio::test]
async fn no_secret_is_a_field() {
    let test = TestService::new().await;
    for model in test.orm().registry.iter() {
        let rows = answer(&test, "admin", model.name, "search_read", json!([[]]), json!({})).await.to_string();
        for secret in ["$argon2", orest::domain::secret::SecretHash::of("secret").as_str(), "orac_", "orat_", "orrt_"] {
            assert!(!rows.contains(secret), "{} shows {secret}", model.name);
        }
    }
}

#[tokio::test]
async fn models_that_are_closed() {
    let test = TestService::new().await;
    for (login, model, open) in [
        ("alice", "ir.model", false),
        ("alice", "ir.actions.server", false),
        ("alice", "ir.actions.actions", false),
        ("alice", "ir.model.access", false),
        ("alice", "orest.application.uri", false),
        ("alice", "orest.authorization.code", false),
        ("alice", "orest.model.scheme", false),
        ("alice", "res.groups", true),
        ("alice", "res.company", true),
        ("olga", "orest.authorization.code", true),
        ("olga", "ir.model", false),
        ("erna", "ir.model", true),
        ("erna", "orest.authorization.code", false),
        ("portia", "res.groups", false),
        ("portia", "res.users", false),
        ("paul", "res.company", false),
        ("admin", "ir.actions.server", true),
        ("admin", "ir.module.module", true),
    ] {
        let found = test.call(login, model, "search", json!([[]]), json!({})).await;
        assert_eq!(found.is_ok(), open, "{login} {model}: {found:?}");
        let says = answer(&test, login, model, "check_access_rights", json!(["read", false]), json!({})).await;
        assert_eq!(says, json!(open), "{login} {model}");
        let check = json!([model, "read", false]);
        assert_eq!(
            answer(&test, login, "ir.model.access", "check", check, json!({})).await,
            json!(open),
            "{login} {model}"
        );
    }
    let available = answer(&test, "alice", "ir.model", "get_available_models", json!([]), json!({})).await.to_string();
    assert!(
        available.contains("\"orest.authorization\"") && !available.contains("orest.authorization.code"),
        "{available}"
    );
    let reference = json!(["orest", "model_orest_device", true]);
    let got = answer(&test, "alice", "ir.model.data", "check_object_reference", reference, json!({})).await;
    let expect =
        "odoo.exceptions.AccessError: Not enough access rights on the external ID \"orest.model_orest_device\"";
    assert_eq!(got, json!(expect));
}
