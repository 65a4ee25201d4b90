//! Keys of an application.

use orest::domain::object_id::object_id;
use serde_json::{Value, json};

use super::{Admin, app, refused};

#[tokio::test]
async fn the_life_of_a_key() {
    let admin = Admin::new().await;
    let service = &admin.test().service;
    let keys = format!("{}/api_keys", app(1));
    let (status, made) = admin.post(&keys, json!({"name": "nightly job"})).await;
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap().to_owned();
    let signs_in = async |scope: &str| service.user_by_api_key(&key, scope).await.unwrap();
    let user = signs_in("rpc").await.unwrap();
    assert_eq!((user.name(), user.groups.iter().count()), ("nightly job", 1));
    assert!(signs_in("access:write").await.is_none(), "good for no more than it must be");
    let shown = json!({"_id": made["_id"], "name": "nightly job", "disabled": false});
    let path = format!("{keys}/{}", made["_id"].as_str().unwrap());
    assert_eq!(admin.get(&keys).await, (200, json!([shown])), "the key itself is shown once");
    assert_eq!(admin.get(&path).await, (200, shown));
    assert_eq!(admin.get(&format!("{}/api_keys", app(2))).await, (200, json!([])));
    assert_eq!(admin.delete(&path.replace(&app(1), &app(2))).await, refused(404, "APIKeyNotFound"));

    let users = format!("{}/users", app(1));
    let (_, server) = admin.get(&format!("{users}/{}", object_id(user.id.0))).await;
    assert_eq!((&server["type"], &server["data"]), (&json!("server"), &json!({"name": "nightly job"})));
    let expect = json!([{"id": object_id(1), "provider_type": "api-key", "provider_id": object_id(2),
                         "provider_data": {"name": "nightly job"}}]);
    assert_eq!(server["identities"], expect);
    assert_eq!(admin.ids(&format!("{users}?provider_types=api-key")).await, json!([object_id(user.id.0)]));

    for (act, good) in [("disable", false), ("disable", false), ("enable", true), ("enable", true)] {
        assert_eq!(admin.put(&format!("{path}/{act}")).await, (204, Value::Null));
        assert_eq!(admin.get(&path).await.1["disabled"], json!(!good), "{act}");
        assert_eq!(signs_in("rpc").await.is_some(), good, "{act}");
    }
    assert_eq!(admin.delete(&path).await, (204, Value::Null));
    assert!(signs_in("rpc").await.is_none());
    for method in ["GET", "DELETE"] {
        assert_eq!(super::brief(admin.call(method, &path, None).await), refused(404, "APIKeyNotFound"));
    }
    assert_eq!(admin.put(&format!("{path}/enable")).await, refused(404, "APIKeyNotFound"));
    assert_eq!(admin.ids(&format!("{users}?provider_types=api-key")).await, json!([]), "its user went with it");
}

#[tokio::test]
async fn names() {
    let admin = Admin::new().await;
    let keys = format!("{}/api_keys", app(1));
    for (body, code) in [
        (json!({}), "MissingParameter"),
        (json!({"name": ""}), "MissingParameter"),
        (json!({"name": "  "}), "InvalidParameter"),
        (json!({"name": "x".repeat(101)}), "InvalidParameter"),
        (json!({"name": 1}), "InvalidParameter"),
    ] {
        assert_eq!(admin.post(&keys, body.clone()).await, refused(400, code), "{body}");
    }
    let [one, two] = [admin.post(&keys, json!({"name": "k"})).await, admin.post(&keys, json!({"name": "k"})).await];
    assert_ne!((one.0, one.1["key"].clone()), (201, two.1["key"].clone()));
    assert_eq!(admin.ids(&keys).await, json!([one.1["_id"], two.1["_id"]]));
}

/// Who signs in with a key can't while he is disabled, and can again when he is enabled. The keys that others have for their
/// programs end for good, and nobody makes one of them what he signs in with.
#[tokio::test]
async fn a_disabled_user_keeps_what_he_signs_in_with() {
    let admin = Admin::new().await;
    let service = &admin.test().service;
    let good = async |key: &str| service.user_by_api_key(key, "rpc").await.unwrap().is_some();
    let keys = format!("{}/api_keys", app(1));
    let made = admin.post(&keys, json!({"name": "k"})).await.1;
    let user = admin.ids(&format!("{}/users?provider_types=api-key", app(1))).await[0].as_str().unwrap().to_owned();
    let user = format!("{}/users/{user}", app(1));
    let key = made["key"].as_str().unwrap();
    for (deed, expect) in [("disable", false), ("enable", true)] {
        assert_eq!(admin.put(&format!("{user}/{deed}")).await.0, 204);
        assert_eq!(good(key).await, expect, "{deed}");
        assert_eq!(admin.ids(&keys).await, json!([made["_id"]]), "{deed}");
    }
    let erna = admin.test().uid("erna").0;
    let own = json!([{"user_id": erna, "provider": "api-key", "subject": object_id(1)}]);
    let refused = admin.test().call("erna", "orest.identity", "create", own, json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("noted when the key is made"), "{refused}");
    let of_user = json!([[["provider", "=", "api-key"]]]);
    let noted = admin.test().call("admin", "orest.identity", "search", of_user, json!({})).await.unwrap();
    for values in [json!({"subject": object_id(9)}), json!({"provider": "local-userpass"}), json!({"user_id": erna})] {
        let write = json!([noted, values]);
        let refused = admin.test().call("admin", "orest.identity", "write", write, json!({})).await.unwrap_err();
        assert!(refused.to_string().contains("stays so"), "{values}: {refused}");
    }
}
