//! The paired Odoo at the service's doors: who it says acts, and what it alone may call.

use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::http::{Answer, TestServer};

/// A paired service, and its credential.
struct Paired {
    server: TestServer,
    bearer: String,
}

impl Paired {
    async fn over(test: TestService) -> Self {
        let credential = test.service.pair_with("https://odoo.example.com/").await.unwrap();
        let bearer = format!("Bearer {}", credential.reveal());
        Self { server: TestServer::over(test), bearer }
    }

    /// A call with the credential; `headers` beside it.
    async fn call(&self, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("authorization", self.bearer.as_str())];
        all.extend_from_slice(headers);
        self.server.post(&format!("/json/2/{target}"), &all, body).await
    }

    async fn check(&self, uuid: &str) -> Answer {
        self.call("orest.pairing/check", &[], &json!({"database_uuid": uuid, "series": "18.0"})).await
    }
}

/// Status, exception, message.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), text("name"), text("message"))
}

#[tokio::test]
async fn the_first_check_binds_the_database() {
    let paired = Paired::over(TestService::empty().await).await;
    let answer = paired.check("uuid-1").await;
    assert_eq!(
        answer.json(),
        json!({
            "service": "orest",
            "version": env!("CARGO_PKG_VERSION"),
            "api": 1,
            "now": "2026-11-20 12:00:00",
            "base_url": "http://orest.example",
            "odoo_url": "https://odoo.example.com",
            "users": 7,
            "last_sync_at": false,
        })
    );
    assert_eq!(paired.check("uuid-1").await.status, 200);
    let (status, name, message) = refusal(&paired.check("uuid-2").await);
    assert_eq!((status, name.as_str()), (422, "odoo.exceptions.UserError"));
    assert!(message.contains("another Odoo database") && message.contains("orest pair"), "{message}");
}
