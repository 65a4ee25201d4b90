//! How people read an act of the log.

use serde_json::{Value, json};

use crate::cli::client::failure::Failure;
use crate::cli::client::odoo;
use crate::cli::client::records::cell;
use crate::cli::client::session::Session;

/// The log's model.
pub const MODEL: &str = "orest.revocation";

/// What of an act is read.
pub const FIELDS: [&str; 16] = [
    "id",
    "sequence",
    "create_date",
    "kind",
    "undoes_id",
    "undone",
    "user_id",
    "user_login",
    "ip_address",
    "channel",
    "initiating_entity",
    "selection",
    "revoked",
    "already_revoked",
    "reason_admin",
    "reason_user",
];

/// The columns of a list.
pub const HEADERS: [&str; 9] = ["ID", "When (UTC)", "Who", "From", "Door", "Kind", "Revoked", "Already", "Reason"];

/// As a row of a list.
pub fn row(act: &Value) -> Vec<String> {
    let text = |field: &str| cell(&act[field]);
    vec![
        text("id"),
        text("create_date"),
        who(act),
        text("ip_address"),
        text("channel"),
        kind(act),
        text("revoked"),
        text("already_revoked"),
        text("reason_admin"),
    ]
}

/// In full, line by line.
pub fn lines(act: &Value) -> Vec<(&'static str, String)> {
    let text = |field: &str| cell(&act[field]);
    let mut lines = vec![
        ("When (UTC)", text("create_date")),
        ("Who", who(act)),
        ("From", text("ip_address")),
        ("Door", text("channel")),
        ("Initiated by", text("initiating_entity")),
        ("Kind", kind(act)),
        ("Aimed at", text("selection")),
        (if is_undo(act) { "Live again" } else { "Revoked" }, text("revoked")),
        (if is_undo(act) { "Stay revoked" } else { "Already revoked" }, text("already_revoked")),
        ("Reason", text("reason_admin")),
        ("Reason for users", text("reason_user")),
    ];
    if !is_undo(act) && act["undone"] != true {
        let domain = format!("orest authorizations list --domain \"[('revocation_id', '=', {})]\"", act["id"]);
        lines.push(("What it holds", domain));
    }
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

/// Whether it took a revocation back.
pub fn is_undo(act: &Value) -> bool {
    act["kind"] == "undo"
}

fn kind(act: &Value) -> String {
    match (&act["undoes_id"], act["undone"] == true) {
        (Value::Array(undone), _) => format!("undo of {}", cell(undone.first().unwrap_or(&Value::Null))),
        (_, true) => format!("{}, undone", cell(&act["kind"])),
        (_, false) => cell(&act["kind"]),
    }
}

/// By his login at that time; users are called by other names later, and applications have no other.
fn who(act: &Value) -> String {
    let login = cell(&act["user_login"]);
    if login.is_empty() { cell(&act["user_id"]) } else { login }
}

/// The act of this id.
///
/// # Errors
/// If there is none, or the server does not answer.
pub fn find(session: &mut Session, id: i64) -> Result<Value, Failure> {
    let arguments = json!({"domain": [["id", "=", id]], "fields": FIELDS});
    let found = odoo::call(session, MODEL, "search_read", &arguments)?;
    let found = found.as_array().and_then(|acts| acts.first()).cloned();
    found.ok_or_else(|| Failure::Other(format!("failed to find revocation '{id}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_in_a_line_and_in_full() {
        let act = json!({"id": 12, "sequence": 40, "create_date": "2026-11-21 20:00:00", "kind": "revoke", "undoes_id": false,
            "undone": false, "user_id": [2, "Administrator"], "user_login": "admin", "ip_address": "10.0.0.7",
            "channel": "orest_rpc", "initiating_entity": "admin", "selection": "user 7", "revoked": 40, "already_revoked": 0,
            "reason_admin": "laptop lost", "reason_user": false});
        let expect =
            ["12", "2026-11-21 20:00:00", "admin", "10.0.0.7", "orest_rpc", "revoke", "40", "0", "laptop lost"];
        assert_eq!(row(&act), expect);
        let full = lines(&act);
        assert_eq!(full.last().map(|line| line.0), Some("What it holds"));
        assert!(
            full.contains(&("Aimed at", "user 7".to_owned())) && !full.iter().any(|line| line.0 == "Reason for users")
        );

        let mut undone = act.clone();
        undone["undone"] = true.into();
        assert_eq!((kind(&undone).as_str(), lines(&undone).len()), ("revoke, undone", full.len() - 1));
        let mut undo = act.clone();
        undo["kind"] = "undo".into();
        undo["undoes_id"] = json!([12, "#40"]);
        undo["user_login"] = false.into();
        assert_eq!((kind(&undo).as_str(), who(&undo).as_str()), ("undo of 12", "Administrator"));
        assert!(lines(&undo).contains(&("Live again", "40".to_owned())));
    }
}
