//! `orest revocations undo`: says what it was, asks, and takes it back in one act with a receipt of its own.

use clap::Args;
use serde_json::Value;

use super::act;
use crate::cli::client::failure::Failure;
use crate::cli::client::progress::Progress;
use crate::cli::client::records::cell;
use crate::cli::client::{Client, Outcome, count, odoo};

/// Which revocation to take back.
#[derive(Args)]
#[command(after_help = "\
Only your own acts, for 15 minutes. What another act was aimed at too stays revoked;
users who were disabled or deleted stay so.")]
pub struct Undo {
    /// Its id, as receipts and the list have it
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    id: i64,
    /// Why; kept in the log of revocations
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Undo {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        if !client.prompt.says_yes() && !client.prompt.can_ask() {
            return Err(Failure::Usage("there is no terminal to ask on: give --yes".to_owned()));
        }
        let mut session = client.session()?;
        let act = act::find(&mut session, self.id)?;
        if !client.prompt.confirm(&question(&act))? {
            client.output.info("Nothing was taken back");
            return Ok(Outcome::Done);
        }
        let progress = Progress::waiting(&client.output, "taking it back, and waiting until it holds on every node");
        let receipt = odoo::undo(&mut session, self.id, self.reason.as_deref())?;
        drop(progress);
        client.output.summary(&sentence(self.id, &receipt), &receipt);
        Ok(Outcome::of(client.report_unconfirmed(&receipt, "may go on refusing the tokens")))
    }
}

fn question(act: &Value) -> String {
    let authorizations = count(act["revoked"].as_u64().unwrap_or(0), "authorization");
    let reason = cell(&act["reason_admin"]);
    let why = if reason.is_empty() { String::new() } else { format!(", \"{reason}\"") };
    format!("Take back revocation {} of {authorizations} ({} UTC{why})?", act["id"], cell(&act["create_date"]))
}

fn sentence(id: i64, receipt: &Value) -> String {
    let number = |name: &str| receipt.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (restored, kept) = (number("revoked"), number("already_revoked"));
    let verb = if restored == 1 { "is" } else { "are" };
    let authorizations = count(restored, "authorization");
    let mut text =
        format!("Revocation {id} is taken back by {}: {authorizations} {verb} live again", number("revocation_id"));
    if kept > 0 {
        text = format!("{text}, {kept} revoked still");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_and_what_is_said() {
        let act = json!({"id": 12, "revoked": 40, "create_date": "2026-11-21 20:00:00", "reason_admin": "laptop lost"});
        assert_eq!(
            question(&act),
            "Take back revocation 12 of 40 authorizations (2026-11-21 20:00:00 UTC, \"laptop lost\")?"
        );
        let receipt = json!({"revocation_id": 13, "revoked": 1, "already_revoked": 0});
        assert_eq!(sentence(12, &receipt), "Revocation 12 is taken back by 13: 1 authorization is live again");
        let receipt = json!({"revocation_id": 13, "revoked": 38, "already_revoked": 2});
        assert_eq!(
            sentence(12, &receipt),
            "Revocation 12 is taken back by 13: 38 authorizations are live again, 2 revoked still"
        );
    }
}
