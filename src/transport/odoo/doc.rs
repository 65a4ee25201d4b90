//! `/doc-bearer`: models, fields and methods for programs, from the same tables that serve them.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{envelope, error, json2};
use crate::domain::user::Group;
use crate::orm::call::{Caller, Method};
use crate::orm::error::{Exception, OdooError};
use crate::orm::field::Model;
use crate::orm::methods;
use crate::transport::http::{AppState, Peer};

/// `/doc-bearer/index.json` and `/doc-bearer/<model>.json`.
pub fn router(state: AppState) -> Router {
    Router::new().route("/doc-bearer/{file}", get(serve)).with_state(state)
}

async fn serve(
    State(state): State<AppState>,
    Peer(peer): Peer,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = json2::check_database(&state, &headers) {
        return refused;
    }
    let caller = match json2::caller(&state, &headers, peer, "").await {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    let described = match file.strip_suffix(".json") {
        _ if !caller.context.actor.groups.contains(Group::System) => {
            Err(OdooError::access("This page is only accessible to administrators."))
        }
        Some("index") => Ok(index(&state)),
        Some(name) => describe(&state, &caller, name).await,
        None => Err(OdooError::new(Exception::NotFound, error::NOT_FOUND)),
    };
    match described {
        Ok(described) => tagged(&described.to_string(), &headers),
        Err(refused) => error::json2(&refused),
    }
}

/// The answer, or "not modified" to one who has it.
fn tagged(body: &str, headers: &HeaderMap) -> Response {
    let digest: String = Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let tag_header = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, tag_header).into_response();
    }
    ([(header::CONTENT_TYPE, envelope::JSON)], tag_header, body.to_owned()).into_response()
}

fn index(state: &AppState) -> Value {
    let models: Vec<Value> = state
        .orm
        .registry
        .iter()
        .map(|model| {
            let fields: Map<String, Value> =
                model.fields().map(|field| (field.name.to_owned(), json!({"string": field.label}))).collect();
            let methods: Vec<&str> = of_model(model).map(|method| method.name).collect();
            json!({"model": model.name, "name": model.label, "fields": fields, "methods": methods})
        })
        .collect();
    json!({"modules": ["base", "orest"], "models": models})
}

/// A model's methods; where it has one of its own, not the one that all have.
fn of_model(model: &'static Model) -> impl Iterator<Item = &'static Method> {
    let mut seen = Vec::new();
    methods::all().filter(move |method| {
        let first = method.belongs_to(model) && !seen.contains(&method.name);
        if first {
            seen.push(method.name);
        }
        first
    })
}

async fn describe(state: &AppState, caller: &Caller, name: &str) -> Result<Value, OdooError> {
    let missing = || OdooError::new(Exception::NotFound, error::NOT_FOUND);
    let model = state.orm.registry.get(name).ok_or_else(missing)?;
    let fields = state.orm.call_kw(caller, model.name, "fields_get", Vec::new(), Map::new()).await?;
    let methods: Map<String, Value> =
        of_model(model).map(|method| (method.name.to_owned(), describe_method(method))).collect();
    Ok(json!({"model": model.name, "name": model.label, "doc": null, "fields": fields, "methods": methods}))
}

fn describe_method(method: &Method) -> Value {
    let mut parameters = Map::new();
    let mut signature = Vec::new();
    for param in method.params {
        let described = match param.default {
            None => {
                signature.push(param.name.to_owned());
                json!({})
            }
            Some(default) => {
                let value: Value = serde_json::from_str(default).unwrap_or_default();
                signature.push(format!("{}={}", param.name, crate::orm::python::repr(&value)));
                json!({"default": value})
            }
        };
        parameters.insert(param.name.to_owned(), described);
    }
    json!({
        "signature": format!("({})", signature.join(", ")),
        "parameters": parameters,
        "return": {},
        "raise": {},
        "doc": method.doc,
        "api": if method.api_model { json!(["model"]) } else { json!([]) },
        "module": "core",
        "model": "core",
    })
}
