//! `/jsonrpc`: the services `common`, `object` and `db`, with positional arguments.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::envelope::Call;
use super::{Answer, Params, database, python, version};
use crate::domain::ids::UserId;
use crate::domain::revocation::Channel;
use crate::orm::call::Caller;
use crate::orm::error::{Exception, OdooError};
use crate::service::{Context, Service};
use crate::transport::http::AppState;

/// `{service, method, args}`.
pub async fn dispatch(state: Arc<AppState>, call: Arc<Call>, mut params: Params) -> Answer {
    let [service, method, args] = python::bind("JSONRPC.jsonrpc()", ["service", "method", "args"], &mut params)?;
    let method = python::str(&method);
    match service.as_str() {
        Some("common") => common(&state, &call, &method, python::unpack(args)?).await,
        Some("object") => object(&state, &call, &method, python::unpack(args)?).await,
        Some("db") => db(&state, &method, python::unpack(args)?),
        _ => Err(OdooError::new(Exception::KeyError, python::str(&service))),
    }
}

async fn common(state: &AppState, call: &Call, method: &str, args: Vec<Value>) -> Answer {
    match method {
        "version" => {
            let [] = python::bind_positional("exp_version()", [], args)?;
            Ok(version::version())
        }
        "about" => Ok(match args.first() {
            Some(extended) if python::truthy(extended) => json!(["See http://openerp.com", version::SERIES]),
            _ => json!("See http://openerp.com"),
        }),
        "set_loglevel" => Ok(json!(true)),
        "login" => {
            let [name, login, password] = python::bind_positional("exp_login()", ["db", "login", "password"], args)?;
            authenticate(state, call, &name, &login, &password).await
        }
        "authenticate" => {
            let names = ["db", "login", "password", "user_agent_env"];
            let [name, login, password, _] = python::bind_positional("exp_authenticate()", names, args)?;
            authenticate(state, call, &name, &login, &password).await
        }
        _ => Err(OdooError::new(Exception::Exception, format!("Method not found: {method}"))),
    }
}

/// The user's id, or `false`. An empty password is never right and counts as no try.
async fn authenticate(state: &AppState, call: &Call, name: &Value, login: &Value, password: &Value) -> Answer {
    database::check(state, name)?;
    let (Some(login), Some(password)) = (login.as_str(), password.as_str().filter(|text| !text.is_empty())) else {
        return Ok(json!(false));
    };
    let user = state
        .service
        .user_by_login(login, password, call.peer)
        .await
        .map_err(|error| OdooError::of_service(&error, 0))?;
    Ok(user.map_or(json!(false), |user| json!(user.id.0)))
}

async fn object(state: &AppState, call: &Call, service_method: &str, mut args: Vec<Value>) -> Answer {
    if args.len() < 5 {
        let message = format!("not enough values to unpack (expected at least 5, got {})", args.len());
        return Err(OdooError::value(message));
    }
    let rest = args.split_off(5);
    let [name, uid, password, model, method] = <[Value; 5]>::try_from(args).expect("five are left");
    let uid = python::int(&uid)?;
    if !python::truthy(&password) {
        return Err(OdooError::access_denied());
    }
    database::check(state, &name)?;
    let (args, kwargs) = match service_method {
        "execute" => (rest, Map::new()),
        "execute_kw" => keyword_arguments(rest)?,
        _ => {
            let message = format!("Method not available {service_method}");
            return Err(OdooError::new(Exception::NameError, message));
        }
    };
    let caller = caller(state, call, uid, &password).await?;
    let model = python::str(&model);
    if state.orm.registry.get(&model).is_none() {
        return Err(OdooError::user(format!("Object {model} doesn't exist")));
    }
    state.orm.call_kw(&caller, &model, &python::str(&method), args, kwargs).await
}

/// `args[, kwargs]` as Python unpacks them.
fn keyword_arguments(rest: Vec<Value>) -> Result<(Vec<Value>, Map<String, Value>), OdooError> {
    let mut rest = rest.into_iter();
    let (args, kwargs) = match (rest.next(), rest.next(), rest.next()) {
        (None, ..) => return Err(OdooError::value("not enough values to unpack (expected 2, got 0)")),
        (.., Some(_)) => return Err(OdooError::value("too many values to unpack (expected 2)")),
        (Some(args), kwargs, None) => (args, kwargs.unwrap_or_default()),
    };
    let kwargs = if kwargs.is_null() { Map::new() } else { python::dict(kwargs)? };
    Ok((python::unpack(args)?, kwargs))
}

/// Users that Odoo ships and that never sign in: the superuser, the visitor, the template of outside users.
const NEVER_SIGN_IN: [i64; 4] = [0, 1, 3, 4];

/// Who calls, by id and password or API key, anew with each call.
async fn caller(state: &AppState, call: &Call, uid: i64, password: &Value) -> Result<Caller, OdooError> {
    let refuse = |error: crate::service::Error| OdooError::of_service(&error, uid);
    let secret = password.as_str().ok_or_else(OdooError::access_denied)?;
    let user = state.service.user_by_id(UserId(uid), secret, call.peer).await.map_err(refuse)?;
    if let Some(user) = user {
        let context = Context::new(Service::actor(&user), Channel::Rpc, call.peer);
        return Ok(Caller { context, uid, session: None });
    }
    let known = NEVER_SIGN_IN.contains(&uid) || state.service.user(UserId(uid)).await.map_err(refuse)?.is_some();
    Err(if known { OdooError::access_denied() } else { OdooError::missing("res.users", uid, uid) })
}

/// The database service. Whatever asks for the master password is refused: there is none.
fn db(state: &AppState, method: &str, args: Vec<Value>) -> Answer {
    match method {
        "list" => Ok(json!([state.settings.database])),
        "db_exist" => {
            let [name] = python::bind_positional("exp_db_exist()", ["db_name"], args)?;
            Ok(json!(name.as_str() == Some(&state.settings.database)))
        }
        "server_version" => Ok(json!(version::SERIES)),
        "list_lang" => Ok(database::languages()),
        "list_countries"
        | "create_database"
        | "duplicate_database"
        | "drop"
        | "dump"
        | "restore"
        | "rename"
        | "change_admin_password"
        | "migrate_databases" => Err(OdooError::access_denied()),
        _ => Err(OdooError::new(Exception::KeyError, format!("Method not found: {method}"))),
    }
}
