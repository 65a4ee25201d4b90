//! Methods that act: revoking, undoing, disabling, secrets, and the server actions that call them from the Action menu.

use serde_json::{Map, Value, json};

use super::writing::{ids, one_id, revoke_ids};
use crate::domain::ids::{ApplicationId, RevocationId, UserId};
use crate::domain::revocation::{Channel, Digest, Preview, Receipt, Unconfirmed};
use crate::domain::selection::Selection;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::limits;
use crate::orm::call::{Answer, Arguments, Caller, Env, Handler, Method, Orm, Param};
use crate::orm::error::{DATETIME, Exception, OdooError, sentence, unconfirmed_json};
use crate::orm::field::Model;
use crate::orm::models::authorization::AUTHORIZATION;
use crate::orm::python;
use crate::orm::rights::{Operation, check_model};
use crate::orm::search_domain::{Limits, SearchDomain};
use crate::service::Error;
use crate::service::records::{ActionName, BuiltIn, ServerAction};
use crate::service::revoke::RevokeOptions;

const AUTHORIZATIONS: &[&str] = &["orest.authorization"];
const USERS: &[&str] = &["res.users"];
const APPLICATIONS: &[&str] = &["orest.application"];
const ACTIONS: &[&str] = &["ir.actions.server"];

const REASON: Param = Param::optional("reason", "null");
const REASON_USER: Param = Param::optional("reason_user", "null");
const EXPECT: Param = Param::optional("expect", "null");

const fn method(
    name: &'static str,
    models: &'static [&'static str],
    params: &'static [Param],
    handler: Handler,
    doc: &'static str,
) -> Method {
    Method { name, class: "BaseModel", params, api_model: false, models, handler, doc }
}

const fn api_model(method: Method) -> Method {
    Method { api_model: true, ..method }
}

/// The methods of this file.
pub const METHODS: &[Method] = &[
    method(
        "action_revoke_tokens",
        AUTHORIZATIONS,
        &[REASON, REASON_USER, EXPECT],
        revoke_tokens,
        "Revokes authorizations: when it returns, their tokens are refused. Gives a receipt.",
    ),
    api_model(method(
        "preview_revoke",
        AUTHORIZATIONS,
        &[
            Param::optional("ids", "null"),
            Param::optional("domain", "null"),
            Param::optional("user_id", "null"),
            Param::optional("application_id", "null"),
        ],
        preview_revoke,
        "Says how many authorizations a selection would revoke and whose, with a digest for `expect`.",
    )),
    api_model(method(
        "revoke_domain",
        AUTHORIZATIONS,
        &[Param::required("domain"), REASON, REASON_USER, EXPECT],
        revoke_domain,
        "Revokes what a search domain finds.",
    )),
    api_model(method(
        "revoke_user",
        AUTHORIZATIONS,
        &[Param::required("user_id"), REASON, REASON_USER, EXPECT],
        revoke_user,
        "Revokes all that acts for a user.",
    )),
    api_model(method(
        "revoke_application",
        AUTHORIZATIONS,
        &[Param::required("application_id"), REASON, REASON_USER, EXPECT],
        revoke_application,
        "Revokes all of an application.",
    )),
    method(
        "action_undo",
        &["orest.revocation"],
        &[REASON],
        undo,
        "Takes a revocation back, within its time: one's own, as an administrator.",
    ),
    method(
        "action_revoke_authorization_codes",
        &["orest.authorization.code"],
        &[],
        revoke_codes,
        "Deactivates all codes of the authorizations that these codes belong to.",
    ),
    method(
        "action_revoke",
        &["orest.device"],
        &[REASON, REASON_USER],
        revoke_devices,
        "Revokes devices and what was let in from each.",
    ),
    method(
        "action_disable",
        USERS,
        &[REASON, REASON_USER],
        disable,
        "Disables users and revokes, for good, all that acts for them.",
    ),
    method("action_enable", USERS, &[], enable, "Enables users."),
    method(
        "action_revoke_all_sessions",
        USERS,
        &[REASON, REASON_USER],
        revoke_sessions,
        "Ends users' sessions and revokes all that acts for them; they may sign in anew.",
    ),
    api_model(method(
        "change_password",
        USERS,
        &[Param::required("old_passwd").or(&["old"]), Param::required("new_passwd").or(&["new"])],
        change_password,
        "Changes the caller's own password; ends his sessions and revokes what acts for him.",
    )),
    method(
        "action_generate_secret",
        APPLICATIONS,
        &[],
        generate_secret,
        "Gives an application a new secret, shown this once. An application without one is a public client.",
    ),
    method("action_make_public", APPLICATIONS, &[], make_public, "Takes the secret of applications away."),
    method("create_action", ACTIONS, &[], create_action, "Puts the action into the Action menu of its model."),
    method("unlink_action", ACTIONS, &[], unlink_action, "Takes the action out of the Action menu."),
    method("run", ACTIONS, &[], run, "Runs actions on the context's `active_ids` of `active_model`."),
];

/// A text of the caller's; nothing and the empty text are none.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) if text.is_empty() => None,
        other => Some(python::str(&other)),
    }
}

fn options(arguments: &mut Arguments) -> RevokeOptions {
    RevokeOptions {
        reason_admin: text(arguments.take("reason")),
        reason_user: text(arguments.take("reason_user")),
        expect: text(arguments.take("expect")).map(Digest),
        hide: false,
    }
}

fn receipt_json(receipt: &Receipt) -> Value {
    json!({
        "revocation_id": receipt.revocation.map_or(Value::Bool(false), |id| id.0.into()),
        "sequence": receipt.sequence,
        "requested": receipt.requested,
        "revoked": receipt.revoked,
        "already_revoked": receipt.already_revoked,
        "unconfirmed": unconfirmed_json(&receipt.unconfirmed),
    })
}

/// The inverse of [`unconfirmed_json`], of a receipt.
fn unconfirmed(receipt: &Value) -> Vec<Unconfirmed> {
    let nodes = receipt.get("unconfirmed").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let read = |own: &Value| {
        let until = own.get("until").and_then(Value::as_str)?;
        let until = Timestamp::parse_from_str(until, DATETIME).ok()?;
        Some(Unconfirmed { node: own.get("node").and_then(Value::as_str)?.to_owned(), until })
    };
    nodes.iter().filter_map(read).collect()
}

fn revoke_tokens<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let options = options(&mut arguments);
        let receipt = revoke_ids(env, model, ids(&arguments.ids)?, options, None).await?;
        Ok(receipt_json(&receipt))
    })
}

fn preview_revoke<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Unlink)?;
        let named =
            |name: &str| Some(arguments.get(name)).filter(|value| !matches!(value, Value::Null | Value::Bool(false)));
        let selection = match (named("ids"), named("domain"), named("user_id"), named("application_id")) {
            (Some(given), None, None, None) => Selection::Ids(ids(given)?),
            (None, Some(_), None, None) => found(env, model, arguments.take("domain")).await?,
            (None, None, Some(_), None) => user_selection(env, &arguments.take("user_id")).await?,
            (None, None, None, Some(_)) => application_selection(env, &arguments.take("application_id")).await?,
            _ => return Err(OdooError::value("Give one of ids, domain, user_id and application_id.")),
        };
        let preview = env.orm.service.preview(&env.caller.context, &selection).await;
        preview_json(env, preview.map_err(|error| env.refused(error))?).await
    })
}

async fn preview_json(env: &Env<'_>, preview: Preview) -> Result<Value, OdooError> {
    let mut users = Vec::with_capacity(preview.users.len());
    for (id, count) in preview.users {
        let user = match id {
            Some(id) => env.orm.service.user(id).await.map_err(|error| env.refused(error))?,
            None => None,
        };
        let id = id.map_or(Value::Bool(false), |id| id.0.into());
        let name = user.map_or(Value::Bool(false), |user| user.name().into());
        users.push(json!({"id": id, "name": name, "count": count}));
    }
    let mut applications = Vec::with_capacity(preview.applications.len());
    for (id, count) in preview.applications {
        let found = env.orm.service.application(id).await.map_err(|error| env.refused(error))?;
        let name = found.map_or(Value::Bool(false), |application| application.name.as_str().into());
        applications.push(json!({"id": id.0, "name": name, "count": count}));
    }
    Ok(json!({
        "requested": preview.requested,
        "live": preview.live,
        "already_revoked": preview.already_revoked,
        "users": users,
        "user_count": preview.user_count,
        "applications": applications,
        "digest": preview.digest.0,
    }))
}

/// What a search domain finds for the caller.
async fn found(env: &Env<'_>, model: &'static Model, given: Value) -> Result<Selection, OdooError> {
    let domain = SearchDomain::parse(&given, &Limits::default())?;
    let ids = env.search(model, &domain, &Value::Null, 0, None).await?;
    let set = ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect();
    let domain = given.to_string().chars().take(limits::REASON_CHARS_MAX).collect();
    Ok(Selection::Found { set, domain })
}

/// All of a user, who must be there. Who may not revoke others' names himself.
async fn user_selection(env: &Env<'_>, given: &Value) -> Result<Selection, OdooError> {
    let id = UserId(one_id(&AUTHORIZATION, given)?);
    let actor = &env.caller.context.actor;
    if !actor.is_orest_admin() && actor.user != Some(id) {
        return Err(OdooError::access("You may only revoke your own authorizations."));
    }
    match env.orm.service.user(id).await.map_err(|error| env.refused(error))? {
        Some(_) => Ok(Selection::Users(vec![id])),
        None => Err(OdooError::missing("res.users", id.0, env.caller.uid)),
    }
}

/// All of an application, which must be there.
async fn application_selection(env: &Env<'_>, given: &Value) -> Result<Selection, OdooError> {
    let id = ApplicationId(one_id(&AUTHORIZATION, given)?);
    if !env.caller.context.actor.is_orest_admin() {
        return Err(OdooError::access("You may only revoke your own authorizations."));
    }
    match env.orm.service.application(id).await.map_err(|error| env.refused(error))? {
        Some(_) => Ok(Selection::Application(id)),
        None => Err(OdooError::missing("orest.application", id.0, env.caller.uid)),
    }
}

async fn revoke_selection(env: &Env<'_>, selection: Selection, mut arguments: Arguments) -> Result<Value, OdooError> {
    let options = options(&mut arguments);
    let receipt = env.orm.service.revoke(&env.caller.context, selection, options).await;
    Ok(receipt_json(&receipt.map_err(|error| env.refused(error))?))
}

fn revoke_domain<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Unlink)?;
        let selection = found(env, model, arguments.take("domain")).await?;
        revoke_selection(env, selection, arguments).await
    })
}

fn revoke_user<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Unlink)?;
        let selection = user_selection(env, &arguments.take("user_id")).await?;
        revoke_selection(env, selection, arguments).await
    })
}

fn revoke_application<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Unlink)?;
        let selection = application_selection(env, &arguments.take("application_id")).await?;
        revoke_selection(env, selection, arguments).await
    })
}

fn undo<'a>(env: &'a Env<'a>, model: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        check_model(&env.caller.context.actor, model, Operation::Read)?;
        let id = RevocationId(one_id(model, &arguments.ids)?);
        let reason = text(arguments.take("reason"));
        match env.orm.service.undo(&env.caller.context, id, reason).await {
            Ok(receipt) => Ok(receipt_json(&receipt)),
            Err(Error::Conflict(message)) => Err(OdooError::user(message)),
            Err(error) => Err(env.refused(error)),
        }
    })
}

fn revoke_codes<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let ids = ids(&arguments.ids)?;
        let requested = ids.len();
        let deactivated = env.records().revoke_codes(ids).await.map_err(|error| env.raise(error))?;
        Ok(json!({"requested": requested, "deactivated": deactivated}))
    })
}

fn revoke_devices<'a>(env: &'a Env<'a>, _: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let (ids, options) = (ids(&arguments.ids)?, options(&mut arguments));
        let receipt = env.records().revoke_devices(ids, options).await.map_err(|error| env.raise(error))?;
        Ok(receipt_json(&receipt))
    })
}

fn disable<'a>(env: &'a Env<'a>, _: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let (ids, options) = (ids(&arguments.ids)?, options(&mut arguments));
        let receipt = env.records().disable_users(ids, options).await.map_err(|error| env.raise(error))?;
        Ok(receipt_json(&receipt))
    })
}

fn enable<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        env.records().enable_users(ids(&arguments.ids)?).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn revoke_sessions<'a>(env: &'a Env<'a>, _: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let (ids, options) = (ids(&arguments.ids)?, options(&mut arguments));
        let receipt = env.records().revoke_sessions(ids, options).await.map_err(|error| env.raise(error))?;
        Ok(receipt_json(&receipt))
    })
}

fn change_password<'a>(env: &'a Env<'a>, _: &'static Model, mut arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let (Value::String(old), new) = (arguments.take("old_passwd"), arguments.take("new_passwd")) else {
            return Err(OdooError::access_denied());
        };
        let Value::String(new) = new else {
            return Err(OdooError::user("Setting empty passwords is not allowed for security reasons!"));
        };
        let context = &env.caller.context;
        let id = context.actor.user.ok_or_else(OdooError::access_denied)?;
        let service = &env.orm.service;
        let right = service.user_by_password(&context.actor.login, &old, context.address).await;
        let right = right.map_err(|error| env.refused(error))?.filter(|signed_in| signed_in.user.id == id);
        let signed_in = right.ok_or_else(OdooError::access_denied)?;
        if new.trim().is_empty() {
            return Err(OdooError::user("Setting empty passwords is not allowed for security reasons!"));
        }
        service.change_own_password(context, signed_in, &new).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn generate_secret<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let id = one_id(model, &arguments.ids)?;
        let made = env.records().generate_client_secret(id).await.map_err(|error| env.raise(error))?;
        let (client_id, secret) = made;
        Ok(json!({"client_id": client_id, "client_secret": secret.reveal()}))
    })
}

fn make_public<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        env.records().make_public(ids(&arguments.ids)?).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn create_action<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        env.records().bind_actions(model, ids(&arguments.ids)?, true).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn unlink_action<'a>(env: &'a Env<'a>, model: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        env.records().bind_actions(model, ids(&arguments.ids)?, false).await.map_err(|error| env.raise(error))?;
        Ok(true.into())
    })
}

fn run<'a>(env: &'a Env<'a>, _: &'static Model, arguments: Arguments) -> Answer<'a> {
    Box::pin(async move {
        let mut result = Value::Bool(false);
        for id in ids(&arguments.ids)? {
            result = env.orm.run_action(env.caller, id, env.context.clone()).await?;
        }
        Ok(result)
    })
}

impl Orm {
    /// What `/web/action/load` answers: the readable fields of an action, named by its id, digits, or external id.
    ///
    /// # Errors
    /// [`Exception::MissingActionError`]; `AccessError` for who is no internal user.
    pub async fn load_action(&self, caller: &Caller, action: &Value) -> Result<Value, OdooError> {
        if !caller.context.actor.groups.contains(Group::User) {
            return Err(OdooError::access("You don't have enough access rights to run this action."));
        }
        let missing = |message: String| OdooError::new(Exception::MissingActionError, message);
        let (name, unknown) = match action {
            Value::Number(number) => {
                (ActionName::Id(number.as_i64().unwrap_or(0)), missing(format!("The action “{number}” does not exist")))
            }
            Value::String(text) => match text.parse() {
                Ok(id) => (ActionName::Id(id), missing(format!("The action “{text}” does not exist"))),
                Err(_) => (ActionName::XmlId(text.clone()), missing(format!("The action “{text}” does not exist."))),
            },
            other => return Err(missing(format!("The action “{}” does not exist", python::str(other)))),
        };
        let found = self.service.server_action(name).await;
        let found = found.map_err(|error| OdooError::of_service(&error, caller.uid))?;
        found.map(|found| self.action_json(&found)).ok_or(unknown)
    }

    fn action_json(&self, action: &ServerAction) -> Value {
        let binding = action.binding_model_id.and_then(|id| self.registry.by_id(id));
        let model = self.registry.by_id(action.model_id);
        json!({
            "id": action.id,
            "display_name": action.name,
            "name": action.name,
            "type": "ir.actions.server",
            "xml_id": action.xml_id.as_deref().unwrap_or_default(),
            "path": false,
            "help": false,
            "binding_model_id": binding.map_or(Value::Bool(false), |model| json!([model.id, model.label])),
            "binding_type": action.binding_type,
            "binding_view_types": action.binding_view_types,
            "model_name": model.map_or(Value::Bool(false), |model| model.name.into()),
            "group_ids": action.groups,
        })
    }

    /// Runs a server action on the context's `active_ids` of `active_model`, with the rights of the caller. Gives a
    /// client action that tells him what was done.
    ///
    /// # Errors
    /// `MissingError` for an unknown id, `AccessError`, and whatever the action itself refuses with.
    pub async fn run_action(&self, caller: &Caller, id: i64, context: Map<String, Value>) -> Result<Value, OdooError> {
        let found = self.service.server_action(ActionName::Id(id)).await;
        let found = found.map_err(|error| OdooError::of_service(&error, caller.uid))?;
        let action = found.ok_or_else(|| OdooError::missing("ir.actions.server", id, caller.uid))?;
        let groups = caller.context.actor.groups;
        let member = |id: &i64| Group::from_id(*id).is_some_and(|group| groups.contains(group));
        if !action.groups.is_empty() && !action.groups.iter().any(member) {
            return Err(OdooError::access("You don't have enough access rights to run this action."));
        }
        let built_in = BuiltIn::find(&action.code, action.model_id)
            .ok_or_else(|| OdooError::validation(format!("'{}' is no built-in code.", action.code)))?;
        let named = match (context.get("active_ids"), context.get("active_id")) {
            (Some(many @ Value::Array(_)), _) => many.clone(),
            (_, Some(Value::Number(one))) => json!([one]),
            _ => Value::Null,
        };
        let on_model = context.get("active_model").and_then(Value::as_str) == Some(built_in.model.name);
        if !on_model || named.is_null() {
            return Err(OdooError::value(format!(
                "TypeError(\"'NoneType' object is not iterable\") while evaluating\n'{}'",
                action.code
            )));
        }
        let mut kwargs = Map::new();
        let method = self.method(built_in.model, built_in.method)?;
        if method.params.iter().any(|param| param.name == REASON.name)
            && let Some(reason) = context.get("revoke_reason")
        {
            kwargs.insert(REASON.name.to_owned(), reason.clone());
        }
        let count = named.as_array().map_or(0, Vec::len);
        kwargs.insert("context".to_owned(), Value::Object(context));
        let mut runner = caller.clone();
        runner.context.channel = Channel::ServerAction;
        let done = self.call_kw(&runner, built_in.model.name, built_in.method, vec![named], kwargs).await?;
        let mut message = message(&done, count);
        let unconfirmed = unconfirmed(&done);
        if !unconfirmed.is_empty() {
            message.push(' ');
            message.push_str(&sentence(&Unconfirmed::explain(&unconfirmed)));
        }
        Ok(json!({
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "title": action.name,
                "message": message,
                "type": if unconfirmed.is_empty() { "success" } else { "warning" },
                "sticky": !unconfirmed.is_empty(),
                "next": {"type": "ir.actions.act_window_close"},
            },
        }))
    }
}

/// What was done, for the one who did it.
fn message(done: &Value, records: usize) -> String {
    let count = |name: &str| done.get(name).and_then(Value::as_u64);
    let noun = |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    match (count("revoked"), count("already_revoked"), count("deactivated")) {
        (Some(revoked), Some(0), _) => format!("{} revoked.", noun(revoked, "authorization")),
        (Some(revoked), Some(already), _) => {
            format!("{} revoked, {already} revoked before.", noun(revoked, "authorization"))
        }
        (.., Some(deactivated)) => format!("{} deactivated.", noun(deactivated, "authorization code")),
        _ => format!("Done for {}.", noun(records as u64, "record")),
    }
}
