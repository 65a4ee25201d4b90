//! Users who have registered and are not confirmed: they can be deleted and confirmed, and not disabled.

use orest::domain::object_id::object_id;
use serde_json::{Value, json};

use super::{Admin, app, refused};

/// Makes a pending user of Mail Reader; gives his id.
async fn register(admin: &Admin, login: &str, email: Value) -> String {
    let given = json!([{"name": login, "login": login, "email": email, "state": "pending", "password": "secret"}]);
    let id = admin.test().call("admin", "res.users", "create", given, json!({})).await.unwrap();
    let own = json!([[["user_id", "=", id]]]);
    let identities = admin.test().call("admin", "orest.identity", "search", own, json!({})).await.unwrap();
    let of_app = json!([identities, {"application_id": 1}]);
    admin.test().call("admin", "orest.identity", "write", of_app, json!({})).await.unwrap();
    object_id(id.as_i64().unwrap())
}

#[tokio::test]
async fn listed_apart() {
    let admin = Admin::new().await;
    let id = register(&admin, "p@example.com", json!("p@example.com")).await;
    let (users, pending) = (format!("{}/users", app(1)), format!("{}/user_registrations/pending_users", app(1)));
    assert_eq!(admin.ids(&users).await, json!([object_id(3), object_id(4)]));
    assert_eq!(admin.ids(&pending).await, json!([id]));
    assert_eq!(admin.ids(&format!("{pending}?after={id}")).await, json!([]));
    assert_eq!(
        admin.ids(&format!("{}/user_registrations/pending_users", app(2))).await,
        json!([]),
        "not of another app"
    );
    assert_eq!(admin.get(&format!("{users}/{id}")).await.1["data"]["email"], "p@example.com");
}

#[tokio::test]
async fn can_t_be_disabled_or_enabled() {
    let admin = Admin::new().await;
    let id = register(&admin, "p@example.com", json!("p@example.com")).await;
    let user = format!("{}/users/{id}", app(1));
    for (deed, why_not) in
        [("disable", "can't be disabled, only deleted"), ("enable", "can't be enabled, only confirmed or deleted")]
    {
        let answer = admin.call("PUT", &format!("{user}/{deed}"), None).await;
        let text = format!("p@example.com is pending: a user who is not confirmed yet {why_not}.");
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (400, json!({"error": text, "error_code": "InvalidParameter"}))
        );
    }
    assert_eq!(admin.get(&user).await.1["disabled"], json!(false));
    assert_eq!(admin.delete(&user).await, (204, Value::Null));
    assert_eq!(admin.get(&user).await, refused(404, "UserNotFound"));
}

#[tokio::test]
async fn by_email() {
    let admin = Admin::new().await;
    let signs_in =
        async |login: &str| admin.test().service.user_by_password(login, "secret", None).await.unwrap().is_some();
    let one = register(&admin, "one@example.com", json!("one@example.com")).await;
    let two = register(&admin, "two", json!("two@example.com")).await;
    let [three, four] = [
        register(&admin, "three", json!("same@example.com")).await,
        register(&admin, "four", json!("same@example.com")).await,
    ];
    let pending = format!("{}/user_registrations/pending_users", app(1));
    let by_email = |email: &str| format!("{}/user_registrations/by_email/{email}", app(1));
    let confirm = |email: &str| format!("{}/confirm", by_email(email));
    assert!(!signs_in("one@example.com").await);
    assert_eq!(admin.post(&confirm("one%40example.com"), json!({})).await, (204, Value::Null));
    assert!(signs_in("one@example.com").await);
    assert_eq!(admin.post(&confirm("one@example.com"), json!({})).await, refused(404, "UserNotFound"), "no longer");
    assert_eq!(admin.delete(&by_email("alice@example.com")).await, refused(404, "UserNotFound"), "who is confirmed");
    assert_eq!(admin.delete(&by_email("same@example.com")).await, refused(400, "InvalidParameter"), "two of them");
    assert_eq!(admin.delete(&by_email("nobody@example.com")).await, refused(404, "UserNotFound"));
    assert_eq!(admin.delete(&by_email("a%00b")).await, refused(404, "UserNotFound"));
    assert_eq!(admin.ids(&pending).await, json!([two, three, four]));
    assert_eq!(admin.delete(&by_email("Two@Example.com")).await, (204, Value::Null), "in whatever letters");
    assert_eq!(admin.ids(&pending).await, json!([three, four]));
    assert_eq!(admin.ids(&format!("{}/users", app(1))).await, json!([object_id(3), object_id(4), one]));
}
