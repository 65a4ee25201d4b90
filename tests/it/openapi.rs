//! The OpenAPI document: what it says is there is there, and it changes only when somebody looks.

use std::collections::BTreeSet;

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

#[tokio::test]
async fn each_call_is_there() {
    let (server, document) = document().await;
    for (verb, path, _) in calls(&document) {
        let mut filled = path.to_owned();
        while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
            filled.replace_range(from..=to, "0");
        }
        let answer = server.send(&verb.to_uppercase(), &filled, &[], "").await;
        // A door's own "not found" is JSON.
        let html = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        assert!(!html && answer.status != 405, "{verb} {path}: {} {}", answer.status, answer.body);
    }
}
