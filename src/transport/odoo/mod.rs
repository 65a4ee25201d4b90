//! Odoo's own doors: `/jsonrpc`, the web client's JSON routes, `/json/2`.
//!
//! [`envelope`] takes what Odoo's clients send, which JSON-RPC 2.0 forbids in places, makes a canonical call of it and runs
//! it through jsonrpsee. [`mod@error`] is the one place that knows how an exception reaches the wire.
//!
//! # To add a JSON route
//! An `async fn` that takes the parameters by name, a line in [`routes`]: its path, its method name, and whether a
//! session is needed.

pub mod action;
pub mod database;
pub mod dataset;
pub mod doc;
pub mod envelope;
pub mod error;
pub mod json2;
pub mod jsonrpc;
pub mod pages;
pub mod paired;
pub mod python;
pub mod session;
pub mod version;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use jsonrpsee::{Methods, RpcModule};
use serde_json::{Map, Value};

use super::http::AppState;
use crate::orm::call::Caller;
use crate::orm::error::OdooError;
use envelope::{Call, Endpoint};

/// What a JSON route gives.
pub type Answer = Result<Value, OdooError>;

/// The parameters of a call, by name.
pub type Params = Map<String, Value>;

/// All of Odoo's doors.
pub fn router(state: AppState) -> Router {
    let mut doors = Doors { module: RpcModule::new(state.clone()), paths: Vec::new() };
    routes(&mut doors);
    let methods: Methods = doors.module.into();
    let mut router = Router::new();
    for (path, method) in doors.paths {
        let endpoint = Endpoint { methods: methods.clone(), method };
        let handler = move |request: Request| async move { envelope::serve(&endpoint, request).await };
        router = router.route(path, any(handler));
    }
    router.merge(json2::router(state.clone())).merge(doc::router(state.clone())).merge(pages::router(state))
}

/// Every JSON route of Odoo's that is served.
fn routes(doors: &mut Doors) {
    doors.open("odoo.jsonrpc", &["/jsonrpc"], jsonrpc::dispatch);
    doors.open("odoo.version_info", &["/web/webclient/version_info"], version::version_info);
    doors.open("odoo.database_list", &["/web/database/list"], database::list);
    doors.open("odoo.authenticate", &["/web/session/authenticate"], session::authenticate);
    doors.open("odoo.destroy", &["/web/session/destroy"], session::destroy);
    doors.open("odoo.get_lang_list", &["/web/session/get_lang_list"], session::get_lang_list);
    doors.signed_in("odoo.get_session_info", &["/web/session/get_session_info"], session::get_session_info);
    doors.signed_in("odoo.check", &["/web/session/check"], session::check);
    doors.signed_in("odoo.modules", &["/web/session/modules"], session::modules);
    doors.signed_in("odoo.account", &["/web/session/account"], session::account);
    doors.signed_in("odoo.call_kw", &["/web/dataset/call_kw", "/web/dataset/call_kw/{*path}"], dataset::call_kw);
    doors.signed_in(
        "odoo.call_button",
        &["/web/dataset/call_button", "/web/dataset/call_button/{*path}"],
        dataset::call_button,
    );
    doors.signed_in("odoo.action_load", &["/web/action/load"], action::load);
    doors.signed_in("odoo.action_run", &["/web/action/run"], action::run);
}

/// The JSON routes as they are added: a method of the module, and the paths that lead to it.
struct Doors {
    module: RpcModule<AppState>,
    paths: Vec<(&'static str, &'static str)>,
}

impl Doors {
    /// A route for everybody.
    fn open<F, Fut>(&mut self, method: &'static str, paths: &[&'static str], handler: F)
    where
        F: Fn(Arc<AppState>, Arc<Call>, Params) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send,
    {
        self.paths.extend(paths.iter().map(|path| (*path, method)));
        self.module
            .register_async_method(method, move |params, state, extensions| {
                let handler = handler.clone();
                async move {
                    let call = envelope::call(&extensions);
                    let Some(params) = call.read(&params) else { return Ok(Value::Null) };
                    let answer = match params {
                        Ok(params) => handler(state, Arc::clone(&call), params).await,
                        Err(error) => Err(error),
                    };
                    answer.map_err(|error| call.refuse(&error))
                }
            })
            .expect("each method has a name of its own");
    }

    /// A route for those who are signed in: everybody else's session has expired.
    fn signed_in<F, Fut>(&mut self, method: &'static str, paths: &[&'static str], handler: F)
    where
        F: Fn(Arc<AppState>, Arc<Call>, Caller, Params) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send,
    {
        self.open(method, paths, move |state, call, params| {
            let handler = handler.clone();
            async move {
                let caller = session::caller(&state, &call).await?;
                handler(state, call, caller, params).await
            }
        });
    }
}
