//! A browser as small as it gets, on the router in process: it keeps cookies and fills in forms.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use orest::orm::call::Orm;
use orest::orm::registry::Registry;
use orest::transport::http::{AppState, Settings, router};
use tower::ServiceExt as _;

use crate::support::TestService;

/// Where the server is for those outside.
pub const BASE: &str = "https://auth.example.com";

/// The router over a test service.
pub fn app(test: &TestService) -> Router {
    app_with(test, Settings::default())
}

/// The same with settings of its own, but for those that these tests have in common.
pub fn app_with(test: &TestService, settings: Settings) -> Router {
    let settings = Settings { database: "orest".to_owned(), base_url: BASE.to_owned(), trust_proxy: true, ..settings };
    let orm = Orm::new(test.service.clone(), Registry::new());
    router(AppState::new(test.service.clone(), orm, settings))
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header("location")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    /// The parameters of the address that the answer leads to.
    pub fn query(&self) -> BTreeMap<String, String> {
        let query = self.location().split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    assert!(body.len() < 200_000, "an answer of {} bytes", body.len());
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The fields as a form's body.
pub fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The first form of a page that goes to `action`: its hidden fields.
pub fn hidden_fields(page: &str, action: &str) -> Vec<(String, String)> {
    let start = page.find(&format!("action=\"{action}\"")).unwrap_or_else(|| panic!("no form to {action}: {page}"));
    let form = &page[start..];
    let form = &form[..form.find("</form>").unwrap()];
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!(" {name}=\""))?.1;
        let text = &rest[..rest.find('"')?];
        Some(text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    };
    form.split("<input")
        .skip(1)
        .map(|tag| &tag[..tag.find('>').unwrap()])
        .filter(|tag| tag.contains("type=\"hidden\""))
        .map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap()))
        .collect()
}

/// A person's browser.
#[derive(Clone)]
pub struct Browser {
    pub app: Router,
    pub cookies: BTreeMap<String, String>,
    /// What it sends with each form besides.
    pub headers: Vec<(&'static str, String)>,
    pub user_agent: &'static str,
}

impl Browser {
    pub fn new(app: &Router) -> Self {
        let headers = vec![("origin", BASE.to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
        let user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        Self { app: app.clone(), cookies: BTreeMap::new(), headers, user_agent }
    }

    async fn request(&mut self, method: Method, path: &str, body: Option<String>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "auth.example.com")
            .header(header::USER_AGENT, self.user_agent);
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            for (name, value) in &self.headers {
                request = request.header(*name, value);
            }
        }
        let answer = send(&self.app, request.body(body.map_or_else(Body::empty, Body::from)).unwrap()).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            for needed in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
                assert!(cookie.contains(needed), "{cookie}");
            }
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.request(Method::POST, path, Some(encode(fields))).await
    }

    /// Fills in a page's form and sends it.
    pub async fn submit(&mut self, page: &str, action: &str, own: &[(&str, &str)]) -> Answer {
        let hidden = hidden_fields(page, action);
        let mut fields: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.extend(own);
        self.post(action, &fields).await
    }

    /// Opens a page, signing in on the way if it is asked to. The passwords of the fixture are the logins.
    pub async fn open(&mut self, path: &str, login: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            if answer.status != StatusCode::SEE_OTHER || !answer.location().starts_with('/') {
                return answer;
            }
            let next = answer.location().to_owned();
            answer = self.get(&next).await;
            if answer.status == StatusCode::OK && answer.body.contains("name=\"password\"") {
                answer = self.submit(&answer.body, "/web/login", &[("login", login), ("password", login)]).await;
            }
        }
        panic!("{path} leads nowhere");
    }

    /// Signs in where needed, decides, and gives the answer that leads back to the application.
    pub async fn decide(&mut self, path: &str, login: &str, decision: &str) -> Answer {
        let page = self.open(path, login).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        self.submit(&page.body, "/oauth2/authorize", &[("decision", decision)]).await
    }
}
