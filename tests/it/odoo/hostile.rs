//! Nothing that comes in makes a panic, or an error of ours.

use orest::orm::methods;
use orest::orm::registry::Registry;
use orest::service::Error;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::http::{Answer, TestServer};

const ROUTES: &[&str] = &[
    "/jsonrpc",
    "/web/webclient/version_info",
    "/web/database/list",
    "/web/session/authenticate",
    "/web/session/get_session_info",
    "/web/session/check",
    "/web/session/modules",
    "/web/session/get_lang_list",
    "/web/session/account",
    "/web/dataset/call_kw",
    "/web/dataset/call_button/x/y",
    "/web/action/load",
    "/web/action/run",
    "/json/2/orest.authorization/search_read",
    "/json/2/res.users/write",
    "/json/2/ir.actions.server/run",
    "/doc-bearer/res.users.json",
    "/rpc",
    "/web/version",
    "/web/binary/company_logo",
    "/ready",
    "/nope",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\\x00é]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["orest", "admin", "object", "execute_kw", "execute", "common", "login", "db"])
            .prop_map(Value::from),
        prop::sample::select(vec!["res.users", "orest.authorization", "ir.actions.server", "orest.revocation"])
            .prop_map(Value::from),
        prop::sample::select(vec!["search", "read", "write", "create", "search_read", "run", "name_search", "copy"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let names = prop_oneof![
            prop::sample::select(vec![
                "params",
                "service",
                "method",
                "args",
                "kwargs",
                "model",
                "context",
                "ids",
                "domain",
                "fields",
                "vals",
                "db",
                "login",
                "password",
                "action_id",
                "jsonrpc",
                "id",
                "limit",
                "order",
            ])
            .prop_map(str::to_owned),
            "[a-z]{0,4}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A model, a method, and arguments by name: the interesting mistakes are behind the checks of signatures.
fn any_call() -> impl Strategy<Value = (&'static str, &'static str, Value, Value)> {
    let models = Registry::new();
    let calls: Vec<_> = models
        .iter()
        .flat_map(|model| methods::all().filter(|method| method.belongs_to(model)).map(|method| (model.name, method)))
        // What takes the caller's own password or rights away, or waits for its owner, ends the run.
        .filter(|(model, method)| !(model == &"res.users" && method.name != "search_read" && !method.api_model))
        .collect();
    (0..calls.len()).prop_flat_map(move |index| {
        let (model, method) = calls[index];
        let names: Vec<&str> = method.params.iter().map(|param| param.name).collect();
        let values = prop::collection::vec(prop_oneof![3 => any_json().prop_map(Some), 1 => Just(None)], names.len());
        let ids = prop_oneof![Just(json!([])), Just(json!([1, 2])), any_json()];
        (Just(model), Just(method.name), ids, values).prop_map(move |(model, method, ids, values)| {
            let named = names.iter().zip(values);
            let kwargs = named.filter_map(|(name, value)| value.map(|value| ((*name).to_owned(), value))).collect();
            (model, method, ids, Value::Object(kwargs))
        })
    })
}

/// Whatever is sent, the server is never at fault.
fn check(path: &str, body: &str, answer: &Answer) -> Result<(), TestCaseError> {
    let ours = ["internal error", "panicked", "Internal Server Error</title>"];
    prop_assert!(!ours.iter().any(|text| answer.body.contains(text)), "{path} {body}: {}", answer.body);
    prop_assert!(!answer.status.is_server_error(), "{path} {body}: {} {}", answer.status, answer.body);
    Ok(())
}

fn run<S: Strategy>(
    cases: u32,
    strategy: &S,
    send: impl Fn(&tokio::runtime::Runtime, &TestServer, S::Value) -> Result<(), TestCaseError>,
) where
    S::Value: Clone + std::fmt::Debug,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(TestServer::new());
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    if let Err(error) = runner.run(strategy, |value| send(&runtime, &server, value)) {
        panic!("{error}");
    }
}

#[test]
fn random_bytes_and_json_on_every_route() {
    let verbs = prop::sample::select(vec!["POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]);
    let kinds = prop::sample::select(vec!["application/json", "text/plain", "application/x-www-form-urlencoded"]);
    let bodies = prop_oneof![
        any_json().prop_map(|value| value.to_string().into_bytes()),
        any_json().prop_map(|value| json!({"params": value}).to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
        "[\\[\\]{}\",:0-9a-z\\\\ ]{0,64}".prop_map(String::into_bytes),
    ];
    let routes = prop::sample::select(ROUTES);
    run(400, &(verbs, routes, kinds, bodies), |runtime, server, (verb, path, kind, body)| {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = runtime.block_on(server.send(verb, path, &[("content-type", kind)], body));
        check(path, &shown, &answer)
    });
}

#[test]
fn random_calls_of_every_method() {
    run(600, &any_call(), |runtime, server, (model, method, ids, kwargs)| {
        let shown = format!("{model}.{method} {ids} {kwargs}");
        let known = methods::all().find(|known| known.name == method).expect("is one");
        let args = if known.api_model { json!([]) } else { json!([ids]) };
        let args = json!(["orest", 2, "admin", model, method, args, kwargs]);
        let params = json!({"service": "object", "method": "execute_kw", "args": args});
        let answer = runtime.block_on(server.call("/jsonrpc", &[], params));
        prop_assert_eq!(answer.status.as_u16(), 200, "{} {}", shown, answer.body);
        check("/jsonrpc", &shown, &answer)?;
        let key = runtime.block_on(key(server));
        let mut members = kwargs;
        members["ids"] = ids;
        let path = format!("/json/2/{model}/{method}");
        let answer = runtime.block_on(server.post(&path, &[("authorization", &key)], &members));
        check(&path, &shown, &answer)
    });
}

/// A key that works whatever the calls before have done to others; none once they have taken the administrator himself away.
async fn key(server: &TestServer) -> String {
    match server.test.service.make_api_key(server.test.uid("admin"), "test", None, None).await {
        Ok(key) => format!("Bearer {}", key.reveal()),
        Err(Error::Unauthenticated) => "Bearer none".to_owned(),
        Err(error) => panic!("{error}"),
    }
}
