//! The calls of `/json/2` and of `/rpc`, for what is one act on many records.

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

use super::failure::Failure;
use super::session::Session;

/// The code of `/rpc` for what has changed since it was previewed, or clashes with what is there.
pub const CHANGED: &str = "-32009";
/// The code of `/rpc` for what may have been done.
const UNDECIDED: &str = "-32052";

/// A call of a method of a model, with arguments by name.
///
/// # Errors
/// What it is refused with.
pub fn call(session: &mut Session, model: &str, method: &str, arguments: &Value) -> Result<Value, Failure> {
    let url = session.server.url(&["json", "2", model, method], &[]);
    let answer = session.call(&Method::POST, &url, Some(arguments))?;
    let text = |name: &str| answer.json.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    match (answer.status, &answer.json) {
        (200, Some(_)) => Ok(answer.json.unwrap_or_default()),
        (200, None) => Err(session.server.unexpected(&answer)),
        (status, _) => match text("message") {
            Some(message) => {
                let code = text("name").unwrap_or_default().to_owned();
                let detail = answer.json.as_ref().and_then(|body| body.pointer("/arguments/1"));
                Err(refusal(status, code, message, detail))
            }
            None => Err(session.server.unexpected(&answer)),
        },
    }
}

/// What a revocation would do.
#[derive(Clone, Debug, Deserialize)]
pub struct Preview {
    /// How many authorizations the domain finds.
    pub requested: u64,
    /// How many of these would be revoked.
    pub live: u64,
    /// How many are revoked already.
    pub already_revoked: u64,
    /// Of how many users; those that act in their applications' own names count as one more.
    user_count: u64,
    /// Whose, most first.
    users: Vec<UserCount>,
    /// Holds a revocation to this.
    pub digest: String,
}

#[derive(Clone, Debug, Deserialize)]
struct UserCount {
    user_id: Option<i64>,
}

impl Preview {
    /// Of how many users.
    pub fn user_count(&self) -> u64 {
        let nobody = self.users.iter().any(|user| user.user_id.is_none());
        self.user_count.saturating_sub(u64::from(nobody))
    }
}

/// What a revocation would do to what a search domain over `orest.authorization` finds.
///
/// # Errors
/// What it is refused with.
pub fn preview(session: &mut Session, domain: &Value) -> Result<Preview, Failure> {
    let answer = rpc(session, "orest_preview", &json!({"selection": {"domain": domain}}))?;
    serde_json::from_value(answer).map_err(|error| Failure::NoAnswer(format!("an answer of no preview: {error}")))
}

/// Revokes what a search domain finds, in one act; the receipt. With the digest of a preview, only if that is still so.
///
/// # Errors
/// What it is refused with: [`CHANGED`] if something has changed.
pub fn revoke(
    session: &mut Session,
    domain: &Value,
    reason: Option<&str>,
    expect: Option<&str>,
) -> Result<Value, Failure> {
    let params = json!({"selection": {"domain": domain}, "reason": reason, "expect": expect});
    receipt(rpc(session, "orest_revoke", &params)?)
}

/// Takes a revocation back; the receipt.
///
/// # Errors
/// What it is refused with.
pub fn undo(session: &mut Session, revocation_id: i64, reason: Option<&str>) -> Result<Value, Failure> {
    receipt(rpc(session, "orest_undo", &json!({"revocation_id": revocation_id, "reason": reason}))?)
}

/// Nobody is told that it is done by an answer that doesn't say so.
fn receipt(answer: Value) -> Result<Value, Failure> {
    match answer.get("revoked").and_then(Value::as_u64) {
        Some(_) => Ok(answer),
        None => Err(Failure::NoAnswer("an answer of no receipt".to_owned())),
    }
}

fn rpc(session: &mut Session, method: &str, params: &Value) -> Result<Value, Failure> {
    let url = session.server.url(&["rpc"], &[]);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = session.call(&Method::POST, &url, Some(&body))?;
    let member = |name: &str| answer.json.as_ref().and_then(|body| body.get(name));
    if let Some(result) = member("result") {
        return Ok(result.clone());
    }
    let Some(error) = member("error").filter(|error| error.is_object()) else {
        return Err(session.server.unexpected(&answer));
    };
    let code = error.get("code").map(ToString::to_string).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason was given");
    Err(refusal(answer.status, code, message, error.get("data")))
}

/// Among what is refused is what is done all the same, or may be; `detail` says so.
fn refusal(status: u16, code: String, message: &str, detail: Option<&Value>) -> Failure {
    let message = message.to_owned();
    match detail {
        Some(receipt) if receipt.get("unconfirmed").is_some_and(Value::is_array) => {
            Failure::Unconfirmed { receipt: receipt.clone(), message }
        }
        Some(detail) if detail.get("undecided") == Some(&Value::Bool(true)) => Failure::Undecided(message),
        _ if code == UNDECIDED => Failure::Undecided(message),
        _ => Failure::Refused { status, code, message },
    }
}
