//! The App Services Admin API, as its clients call it.

mod apps;
mod keys;
mod paging;
mod pending;
mod sessions;
mod users;

use orest::domain::object_id::object_id;
use serde_json::{Value, json};

use crate::support::TestService;
use crate::support::http::{Answer, TestServer};

const BASE: &str = "/api/admin/v3.0";
/// The one project.
const GROUP: &str = "000000000000000000000001";

/// An administrator who has signed in.
struct Admin {
    server: TestServer,
    access: String,
    refresh: String,
}

impl Admin {
    /// `admin`, over the fixture with authorizations.
    async fn new() -> Self {
        Self::of(TestServer::new().await, "admin").await
    }

    /// Somebody else, who signs in by password.
    async fn of(server: TestServer, login: &str) -> Self {
        let (access, refresh) = sign_in(&server, login).await;
        Self { server, access, refresh }
    }

    fn test(&self) -> &TestService {
        &self.server.test
    }

    /// Calls with the access token; `path` is below the project if it begins with `/apps`.
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let place = if path.starts_with("/apps") { format!("/groups/{GROUP}{path}") } else { path.to_owned() };
        call(&self.server, method, &place, &self.access, body).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        brief(self.call("GET", path, None).await)
    }

    async fn put(&self, path: &str) -> (u16, Value) {
        brief(self.call("PUT", path, None).await)
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        brief(self.call("DELETE", path, None).await)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        brief(self.call("POST", path, Some(body)).await)
    }

    /// The `_id`s of a list.
    async fn ids(&self, path: &str) -> Value {
        let (status, list) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {list}");
        list.as_array().unwrap().iter().map(|item| item["_id"].clone()).collect()
    }
}

/// The path of an application of the fixture: 1 is Mail Reader, 2 is Report Maker.
fn app(number: i64) -> String {
    format!("/apps/{}", object_id(number))
}

/// The path of a user of Mail Reader.
fn user_of(test: &TestService, login: &str) -> String {
    format!("{}/users/{}", app(1), object_id(test.uid(login).0))
}

async fn call(server: &TestServer, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    server.send(method, &format!("{BASE}{path}"), &headers, body).await
}

/// Status and body; of a refusal only its code.
fn brief(answer: Answer) -> (u16, Value) {
    let status = answer.status.as_u16();
    if answer.body.is_empty() {
        return (status, Value::Null);
    }
    let body = answer.json();
    match body.get("error_code") {
        Some(code) => {
            assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
            (status, code.clone())
        }
        None => (status, body),
    }
}

/// Signs in by a password of the fixture: access and refresh token.
async fn sign_in(server: &TestServer, login: &str) -> (String, String) {
    let answer = login_with(server, "local-userpass", json!({"username": login, "password": login})).await;
    let (status, tokens) = brief(answer);
    assert_eq!(status, 200, "{tokens}");
    let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (token("access_token"), token("refresh_token"))
}

async fn login_with(server: &TestServer, provider: &str, body: Value) -> Answer {
    server.post(&format!("{BASE}/auth/providers/{provider}/login"), &[], &body).await
}

/// A refusal.
fn refused(status: u16, code: &str) -> (u16, Value) {
    (status, code.into())
}
