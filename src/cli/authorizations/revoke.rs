//! `orest authorizations revoke`: preview, confirmation, one act, one receipt.

use clap::Args;
use serde_json::{Value, json};

use super::filter::{Filter, State};
use crate::cli::client::failure::Failure;
use crate::cli::client::odoo::{self, Preview};
use crate::cli::client::progress::Progress;
use crate::cli::client::{Client, MAY_ACCEPT, Outcome, count};
use crate::limits;

/// Which authorizations to revoke: the live ones, unless --state or --domain says otherwise.
#[derive(Args)]
#[command(after_help = "\
Everything live: orest authorizations revoke --domain '[]'
For 15 minutes you can take it back: orest revocations undo ID")]
pub struct Revoke {
    #[command(flatten)]
    filter: Filter,
    /// Why; kept in the log of revocations
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Show how many would be revoked, and revoke none
    #[arg(long)]
    dry_run: bool,
}

impl Revoke {
    pub(super) fn run(mut self, client: &Client) -> Result<Outcome, Failure> {
        if self.filter.is_empty() {
            return Err(Failure::Usage(
                "that would be everything: give --user, --application, --device, --state, --older-than, --unused-for \
                 or --domain; --domain '[]' is everything"
                    .to_owned(),
            ));
        }
        if !self.dry_run && !client.prompt.says_yes() && !client.prompt.can_ask() {
            return Err(Failure::Usage(
                "there is no terminal to ask on: give --yes, or --dry-run to see what would be revoked".to_owned(),
            ));
        }
        self.filter.or_in_state(State::Live);
        let mut session = client.session()?;
        let domain = self.filter.domain(&mut session)?;
        let preview = odoo::preview(&mut session, &domain)?;
        if preview.live == 0 {
            client.output.info("No authorizations to revoke");
            return Ok(Outcome::Done);
        }
        let what = describe(&preview);
        if self.dry_run {
            let document = json!({
                "requested": preview.requested,
                "live": preview.live,
                "already_revoked": preview.already_revoked,
                "users": preview.user_count(),
            });
            client.output.summary(&format!("Dry run: {what} would be revoked"), &document);
            return Ok(Outcome::Done);
        }
        if !client.prompt.confirm(&format!("Revoke {what}?"))? {
            client.output.info("Nothing was revoked");
            return Ok(Outcome::Done);
        }
        let progress = Progress::waiting(&client.output, "revoking, and waiting until it holds on every node");
        let receipt = odoo::revoke(&mut session, &domain, self.reason.as_deref(), Some(&preview.digest));
        drop(progress);
        let receipt = receipt.map_err(|failure| {
            if failure.is_refusal(odoo::CHANGED) {
                Failure::Other(
                    "what it finds has changed since it was counted: nothing was revoked, run it again".to_owned(),
                )
            } else {
                failure
            }
        })?;
        client.output.summary(&sentence(&receipt), &receipt);
        if let Some(id) = receipt.get("revocation_id").and_then(Value::as_u64) {
            let minutes = limits::UNDO_WINDOW.as_secs() / 60;
            client.output.hint(&format!("You can take it back for {minutes} minutes: orest revocations undo {id}"));
        }
        Ok(Outcome::of(client.report_unconfirmed(&receipt, MAY_ACCEPT)))
    }
}

fn describe(preview: &Preview) -> String {
    let mut text = count(preview.live, "authorization");
    // Applications in their own names have no user.
    if preview.user_count() > 0 {
        text = format!("{text} of {}", count(preview.user_count(), "user"));
    }
    if preview.already_revoked > 0 {
        text = format!("{text} ({} more are revoked already)", preview.already_revoked);
    }
    text
}

fn sentence(receipt: &Value) -> String {
    let number = |name: &str| receipt.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (revoked, already) = (number("revoked"), number("already_revoked"));
    let mut text = format!("Revocation {}: {} revoked", number("revocation_id"), count(revoked, "authorization"));
    if already > 0 {
        text = format!("{text}, {already} were revoked already");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_names_the_count() {
        let of = |live, already_revoked, user_count| {
            let users: Vec<_> =
                (1..=user_count).map(|id| json!({"user_id": if id == 3 { None } else { Some(id) }})).collect();
            let preview = json!({"requested": live, "live": live, "already_revoked": already_revoked, "users": users,
                "user_count": user_count, "digest": ""});
            describe(&serde_json::from_value(preview).expect("a preview"))
        };
        assert_eq!(of(1, 0, 1), "1 authorization of 1 user");
        assert_eq!(of(40, 2, 3), "40 authorizations of 2 users (2 more are revoked already)");
        assert_eq!(of(2, 0, 0), "2 authorizations");
    }

    #[test]
    fn the_receipt_in_a_sentence() {
        let receipt = json!({"revocation_id": 12, "revoked": 40, "already_revoked": 0});
        assert_eq!(sentence(&receipt), "Revocation 12: 40 authorizations revoked");
        let receipt = json!({"revocation_id": 12, "revoked": 1, "already_revoked": 2});
        assert_eq!(sentence(&receipt), "Revocation 12: 1 authorization revoked, 2 were revoked already");
    }
}
