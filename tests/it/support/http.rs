//! All doors over a [`TestService`]: requests in process, and a real socket where a client needs one.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use orest::limits;
use orest::orm::call::Orm;
use orest::orm::registry::Registry;
use orest::transport::http::{AppState, Settings, router};
use orest::transport::server;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::TestService;

/// All doors.
pub struct TestServer {
    /// What is behind them.
    pub test: TestService,
    /// The doors.
    pub router: Router,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `session_id` that it sets.
    pub fn session(&self) -> String {
        let cookie = self.header("set-cookie").expect("sets a cookie");
        cookie.split(';').next().expect("has a value").to_owned()
    }
}

#[allow(dead_code, reason = "each test file uses another part of it")]
impl TestServer {
    /// Over the fixture with authorizations.
    pub async fn new() -> Self {
        Self::over(TestService::new().await)
    }

    /// Over this service; the database is called `orest`.
    pub fn over(test: TestService) -> Self {
        let orm = Orm::new(test.service.clone(), Registry::new());
        let settings = Settings {
            database: "orest".to_owned(),
            base_url: "http://orest.example".to_owned(),
            ..Settings::default()
        };
        let router = router(AppState::new(test.service.clone(), orm, settings));
        Self { test, router }
    }

    /// Sends a request from 192.0.2.7.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).expect("a request");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 50_000))));
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("the body is whole").to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body.to_string()).await
    }

    /// A JSON-RPC call of a JSON route.
    pub async fn call(&self, path: &str, headers: &[(&str, &str)], params: Value) -> Answer {
        self.post(path, headers, &json!({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params})).await
    }

    /// `execute_kw` by a user of the fixture.
    pub async fn execute_kw(&self, login: &str, model: &str, method: &str, args: Value, kwargs: Value) -> Value {
        let uid = self.test.uid(login).0;
        let args = json!(["orest", uid, login, model, method, args, kwargs]);
        self.call("/jsonrpc", &[], json!({"service": "object", "method": "execute_kw", "args": args})).await.json()
    }

    /// Serves on a free port of this machine until the runtime ends.
    pub async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("has an address");
        tokio::spawn(server::serve(listener, self.router.clone(), limits::HEADERS_TIMEOUT, std::future::pending()));
        address
    }
}
