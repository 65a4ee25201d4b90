//! Applications and the one project.

use serde_json::json;

use super::{Admin, GROUP, app, refused};

#[tokio::test]
async fn all_of_them_under_one_product() {
    let admin = Admin::new().await;
    let (status, apps) = admin.get("/apps").await;
    assert_eq!(status, 200);
    let of_app = |place: usize, name: &str| {
        let (slug, id) = (name.to_lowercase().replace(' ', "-"), format!("{:024x}", place + 1));
        let client_app_id = apps[place]["client_app_id"].as_str().unwrap().to_owned();
        let letters = client_app_id.strip_prefix(&format!("{slug}-")).unwrap();
        assert!(letters.len() == 5 && letters.bytes().all(|byte| byte.is_ascii_lowercase()), "{client_app_id}");
        json!({"_id": id, "client_app_id": client_app_id, "name": name, "group_id": GROUP, "product": "atlas",
               "last_modified": 1_795_176_000})
    };
    let expect = json!([of_app(0, "Mail Reader"), of_app(1, "Report Maker")]);
    assert_eq!(apps, expect, "the sessions' own application is none");
    for (product, expect) in [
        ("atlas", (200, expect.clone())),
        ("standard", (200, json!([]))),
        ("data-api", (200, json!([]))),
        ("device-sync", (200, json!([]))),
        ("", (200, expect.clone())),
        ("nope", refused(400, "InvalidParameter")),
    ] {
        assert_eq!(admin.get(&format!("/apps?product={product}")).await, expect, "{product}");
    }
    assert_eq!(admin.get(&app(1)).await, (200, expect[0].clone()));
}

#[tokio::test]
async fn a_name_in_scripts_stays() {
    let admin = Admin::new().await;
    let before = admin.get(&app(1)).await.1["client_app_id"].clone();
    let test = admin.test();
    test.call("admin", "orest.application", "write", json!([[1], {"name": "Post Reader"}]), json!({})).await.unwrap();
    let after = admin.get(&app(1)).await.1;
    assert_eq!((&after["name"], &after["client_app_id"]), (&json!("Post Reader"), &before));
    let over_rpc = json!([[1], ["client_app_id"]]);
    let read = test.call("admin", "orest.application", "read", over_rpc, json!({})).await.unwrap();
    assert_eq!(read, json!([{"id": 1, "client_app_id": before}]));
    let made = test.call("admin", "orest.application", "create", json!([{"name": "Third"}]), json!({})).await.unwrap();
    let row =
        test.call("admin", "orest.application", "read", json!([[made], ["client_app_id"]]), json!({})).await.unwrap();
    assert!(row[0]["client_app_id"].as_str().unwrap().starts_with("third-"), "{row}");
    let again = json!([[made], {"client_app_id": "mine"}]);
    let refused = test.call("admin", "orest.application", "write", again, json!({})).await.unwrap_err();
    assert!(refused.message.contains("is readonly"), "{refused}");
}

#[tokio::test]
async fn what_is_not_there() {
    let admin = Admin::new().await;
    let (zeros, own) = ("0".repeat(24), format!("{:024x}", 3));
    for (path, expect) in [
        ("/groups/x/apps".to_owned(), refused(404, "GroupNotFound")),
        (format!("/groups/{own}/apps"), refused(404, "GroupNotFound")),
        (format!("/groups/%7BgroupId%7D/apps/{}/users", super::object_id(1)), refused(404, "GroupNotFound")),
        ("/apps/x".to_owned(), refused(404, "AppNotFound")),
        (format!("/apps/{zeros}"), refused(404, "AppNotFound")),
        (format!("/apps/{own}"), refused(404, "AppNotFound")),
        (format!("/apps/{own}/users"), refused(404, "AppNotFound")),
        (format!("{}/users/x", app(1)), refused(404, "UserNotFound")),
        (format!("{}/users/{zeros}", app(1)), refused(404, "UserNotFound")),
        (format!("{}/users/{:024x}", app(1), 99), refused(404, "UserNotFound")),
        (format!("{}/users/{:024x}/devices", app(1), 7), refused(404, "UserNotFound")),
        (format!("{}/api_keys/{:024x}", app(1), 1), refused(404, "APIKeyNotFound")),
        (format!("{}/nowhere", app(1)), refused(404, "NotFound")),
    ] {
        assert_eq!(admin.get(&path).await, expect, "{path}");
    }
    assert_eq!(admin.put("/apps").await, refused(405, "MethodNotAllowed"));
    let archived = admin.test().call("admin", "orest.application", "action_archive", json!([[1]]), json!({}));
    archived.await.unwrap();
    assert_eq!(admin.get(&app(1)).await, refused(404, "AppNotFound"));
    assert_eq!(admin.ids("/apps").await, json!([format!("{:024x}", 2)]));
}
