//! The OpenAPI document: what it says is there is there, and it changes only when somebody looks.

use std::collections::BTreeSet;

use orest::orm::call::Orm;
use orest::orm::registry::Registry;
use orest::transport::http::{AppState, Settings, doors};
use serde_json::Value;

use crate::support::http::TestServer;

const VERBS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

async fn document() -> (TestServer, Value) {
    let server = TestServer::new().await;
    let answer = server.send("GET", "/openapi.json", &[], "").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document = answer.json();
    (server, document)
}

/// Each call: its verb, its path, and what is said of it.
fn calls(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("there are paths");
    paths.iter().flat_map(|(path, item)| {
        let verbs = VERBS.into_iter().filter_map(|verb| Some((verb, item.get(verb)?)));
        verbs.map(move |(verb, call)| (verb, path.as_str(), call))
    })
}

#[tokio::test]
async fn it_changes_only_when_somebody_looks() {
    let (_server, mut document) = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    document["info"]["version"] = "its own".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[tokio::test]
async fn each_call_is_described() {
    let (_server, document) = document().await;
    let mut ids = BTreeSet::new();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (verb, path, call) in calls(&document) {
        let id = call["operationId"].as_str().unwrap_or_else(|| panic!("{verb} {path} has a name"));
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        assert!(call["summary"].as_str().is_some_and(|text| !text.is_empty()), "{verb} {path} says what it does");
        assert!(
            call["tags"].as_array().unwrap().iter().all(|tag| tags.contains(&tag)),
            "{verb} {path}: {}",
            call["tags"]
        );
        for scheme in call["security"].as_array().into_iter().flatten().flat_map(|one| one.as_object().unwrap().keys())
        {
            let known = &document["components"]["securitySchemes"][scheme];
            assert!(known.is_object(), "{verb} {path}: {scheme} is described");
        }
    }
    assert!(ids.len() > 5, "{ids:?}");
}

/// A path with something in each place that is left open.
fn filled(path: &str) -> String {
    let mut filled = path.to_owned();
    while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
        filled.replace_range(from..=to, "0");
    }
    filled
}

#[tokio::test]
async fn each_call_is_there() {
    let (server, document) = document().await;
    for (verb, path, _) in calls(&document) {
        let answer = server.send(&verb.to_uppercase(), &filled(path), &[], "").await;
        // A door's own "not found" is JSON; the pages have none.
        let html = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        assert!(
            !(html && answer.status == 404) && answer.status != 405,
            "{verb} {path}: {} {}",
            answer.status,
            answer.body
        );
    }
}

/// What is served and is no REST: not in the document, and why. A `*` at the end stands for all below.
const NO_REST: [(&str, &str); 20] = [
    ("/jsonrpc", "Odoo's JSON-RPC"),
    ("/web/dataset/*", "Odoo's JSON-RPC"),
    ("/web/action/*", "Odoo's JSON-RPC"),
    ("/web/session/*", "Odoo's JSON-RPC, and its way out for browsers"),
    ("/web/database/list", "Odoo's JSON-RPC"),
    ("/web/webclient/version_info", "Odoo's JSON-RPC"),
    ("/json/2*", "Odoo's JSON-2: one call for each method of each model, which /doc-bearer describes"),
    ("/doc-bearer/{file}", "Odoo's description of /json/2"),
    ("/web/version", "Odoo's, for its clients"),
    ("/json/version", "Odoo's, for its clients"),
    ("/rpc", "JSON-RPC 2.0, and WebSocket"),
    ("/", "leads browsers to the front page"),
    ("/web", "leads browsers to the front page"),
    ("/odoo", "leads browsers to the front page"),
    ("/web/login", "a page; its form is for people"),
    ("/web/binary/company_logo", "a picture of the pages"),
    ("/oauth2/logo/{client_id}", "a picture of the pages"),
    ("/oauth2/style.css", "how the pages look"),
    ("/oauth2/sign-in", "a step between our pages and the paired Odoo"),
    ("/oauth2/ticket", "a step between our pages and the paired Odoo"),
];

/// Every route, from the only place where the router tells them, with its methods, from the router's own answer to a
/// method that none has. A route that takes any method tells none.
async fn routes(server: &TestServer) -> Vec<(String, Vec<String>)> {
    let service = server.test.service.clone();
    let state = AppState::new(service.clone(), Orm::new(service, Registry::new()), Settings::default());
    let told = format!("{:?}", doors(state));
    // Behind it stands what answers where there is no route.
    let paths: BTreeSet<_> = told
        .split(", fallback_router:")
        .next()
        .unwrap_or_default()
        .split("RouteId(")
        .filter_map(|part| part.split_once("): \"")?.1.split_once('"'))
        .map(|(path, _)| path.to_owned())
        .filter(|path| !path.contains("__private__axum"))
        .collect();
    let mut routes = Vec::new();
    for path in paths {
        let answer = server.send("TRACE", &filled(&path), &[], "").await;
        let allowed = answer.header("allow").unwrap_or_default().to_lowercase();
        let methods = allowed.split(',').filter(|method| VERBS.contains(method)).map(str::to_owned).collect();
        routes.push((path, methods));
    }
    routes
}

#[tokio::test]
async fn what_is_there_is_described() {
    let (server, document) = document().await;
    // What is left open in a path has a name for readers, and another one for the handler.
    let described: BTreeSet<_> = calls(&document).map(|(verb, path, _)| (verb.to_owned(), filled(path))).collect();
    let routes = routes(&server).await;
    assert!(routes.len() > 40, "{routes:?}");
    let mut unused: BTreeSet<_> = NO_REST.iter().map(|(path, _)| *path).collect();
    for (path, methods) in routes {
        let no_rest = |own: &&str| own.strip_suffix('*').map_or(path == **own, |stem| path.starts_with(stem));
        let reasons: Vec<_> = NO_REST.iter().map(|(path, _)| *path).filter(no_rest).collect();
        if !reasons.is_empty() {
            assert!(
                described.iter().all(|(_, own)| *own != filled(&path)),
                "{path} is described, and said to be no REST"
            );
            unused.retain(|own| !reasons.contains(own));
            continue;
        }
        assert!(!methods.is_empty(), "{path} takes any method: none can be described");
        for method in methods {
            assert!(described.contains(&(method.clone(), filled(&path))), "{method} {path} is not in the document");
        }
    }
    assert!(unused.is_empty(), "said to be no REST, and not there: {unused:?}");
}
