//! `orest users revoke`, `disable`, `enable` and `delete`: one call and one act for the whole selection. If that is refused,
//! each user is tried by himself, so that the tables say for whom it failed, and why.

use clap::Args;
use serde_json::{Value, json};

use super::app::AppChoice;
use super::report;
use super::selection::Filter;
use crate::cli::client::admin_api::{AdminApi, App, User};
use crate::cli::client::failure::Failure;
use crate::cli::client::odoo;
use crate::cli::client::progress::Progress;
use crate::cli::client::{Client, MAY_ACCEPT, Outcome};
use crate::domain::object_id::parse_object_id;

/// On whom to act.
#[derive(Args)]
pub struct Act {
    #[command(flatten)]
    app: AppChoice,
    #[command(flatten)]
    filter: Filter,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// On whom to act, and why.
#[derive(Args)]
pub struct ActWithReason {
    #[command(flatten)]
    act: Act,
    /// Why; kept in the log of revocations
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// All sessions end.
    Revoke,
    /// He can't sign in.
    Disable,
    /// He can again.
    Enable,
    /// He is gone.
    Delete,
}

impl Deed {
    const fn verb(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }

    const fn nobody(self) -> &'static str {
        match self {
            Self::Revoke => "No users to revoke sessions for",
            Self::Disable => "No users to disable",
            Self::Enable => "No users to enable",
            Self::Delete => "No users to delete",
        }
    }

    const fn header(self) -> &'static str {
        match self {
            Self::Revoke => "Session Revoked",
            Self::Disable | Self::Enable => "Enabled",
            Self::Delete => "Deleted",
        }
    }

    /// What stands under the header: what is so now.
    const fn cell(self, done: bool, user: &User) -> bool {
        match self {
            Self::Revoke | Self::Delete => done,
            Self::Disable if done => false,
            Self::Enable if done => true,
            Self::Disable | Self::Enable => !user.disabled,
        }
    }

    const fn would(self) -> &'static str {
        match self {
            Self::Revoke => "would be revoked",
            Self::Disable => "would be disabled",
            Self::Enable => "would be enabled",
            Self::Delete => "would be deleted",
        }
    }

    /// The last step of the Admin API's path.
    const fn path(self) -> Option<&'static str> {
        match self {
            Self::Revoke => Some("logout"),
            Self::Disable => Some("disable"),
            Self::Enable => Some("enable"),
            Self::Delete => None,
        }
    }
}

/// A user, and what has become of him.
struct Row<'u> {
    user: &'u User,
    refused: Option<String>,
}

impl ActWithReason {
    pub(super) fn run(&self, deed: Deed, client: &Client) -> Result<Outcome, Failure> {
        self.act.carry_out(deed, self.reason.as_deref(), client)
    }
}

impl Act {
    pub(super) fn run(&self, deed: Deed, client: &Client) -> Result<Outcome, Failure> {
        self.carry_out(deed, None, client)
    }

    fn carry_out(&self, deed: Deed, reason: Option<&str>, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let mut api = AdminApi::new(&mut session);
        let app = self.app.resolve(&mut api, &client.prompt)?;
        let mut found = self.filter.find(&mut api, &app, &client.output)?;
        let users = self.filter.choose(&client.prompt, std::mem::take(&mut found.users), deed.verb())?;
        let missing = found.report_missing(&client.output);
        if users.is_empty() {
            client.output.info(deed.nobody());
            return Ok(Outcome::of(missing));
        }
        if self.dry_run {
            show(client, deed, users.iter().map(|user| Row { user, refused: None }).collect(), true);
            if deed == Deed::Revoke
                && let Some(domain) = domain(&app, &users)
            {
                let preview = odoo::preview(api.session(), &domain)?;
                let (live, users) = (preview.live, preview.user_count());
                let message = format!("Dry run: {live} live authorizations of {users} users would be revoked");
                client.output.summary(&message, &json!({"live": live, "users": users}));
            } else {
                client.output.info("Dry run: nothing was done");
            }
            return Ok(Outcome::of(missing));
        }
        let (rows, receipt) = match together(&mut api, deed, &app, &users, reason, client) {
            Ok(receipt) => (users.iter().map(|user| Row { user, refused: None }).collect(), receipt),
            // Something between here and the server lost its answer, or it can't do anything now: nothing to do again for each.
            Err(failure @ Failure::Refused { status: 502..=504, .. }) => return Err(failure),
            Err(Failure::Refused { .. }) => one_by_one(&mut api, deed, &app, &users, reason, client),
            Err(failure) => return Err(failure),
        };
        let meanwhile = if deed == Deed::Enable { "may go on refusing them" } else { MAY_ACCEPT };
        let unconfirmed = client.report_unconfirmed(&receipt, meanwhile);
        let failed = rows.iter().any(|row| row.refused.is_some());
        show(client, deed, rows, false);
        Ok(Outcome::of(missing || failed || unconfirmed))
    }
}

/// One call and one act for all; the receipt, if there is one.
fn together(
    api: &mut AdminApi<'_>,
    deed: Deed,
    app: &App,
    users: &[User],
    reason: Option<&str>,
    client: &Client,
) -> Result<Value, Failure> {
    let progress = Progress::waiting(&client.output, "waiting for the server");
    let unknown = || Failure::Refused { status: 0, code: String::new(), message: "ids of another kind".to_owned() };
    let receipt = match deed {
        // Whoever has let the application in since the users were chosen is meant too: nothing to hold it to.
        Deed::Revoke => odoo::revoke(api.session(), &domain(app, users).ok_or_else(unknown)?, reason, None),
        Deed::Disable | Deed::Enable | Deed::Delete => {
            let ids = record_ids(users).ok_or_else(unknown)?;
            let (method, arguments) = match deed {
                Deed::Enable => ("action_enable", json!({"ids": ids})),
                Deed::Delete => ("unlink", json!({"ids": ids, "reason": reason})),
                Deed::Revoke | Deed::Disable => ("action_disable", json!({"ids": ids, "reason": reason})),
            };
            odoo::call(api.session(), "res.users", method, &arguments)
        }
    };
    drop(progress);
    match receipt {
        // Deeds without a receipt say it so.
        Err(Failure::Unconfirmed { receipt, .. }) => Ok(receipt),
        other => other,
    }
}

/// Each by himself; and the last receipt that a node has not confirmed, or none. Where the server is silent, nobody waits for it
/// once for each of the others.
fn one_by_one<'u>(
    api: &mut AdminApi<'_>,
    deed: Deed,
    app: &App,
    users: &'u [User],
    reason: Option<&str>,
    client: &Client,
) -> (Vec<Row<'u>>, Value) {
    let progress = Progress::of(&client.output, users.len(), "users");
    let mut rows = Vec::with_capacity(users.len());
    let mut unconfirmed = Value::Null;
    let mut silent: Option<String> = None;
    for user in users {
        let alone = std::slice::from_ref(user);
        let done = match &silent {
            Some(cause) => Err(Failure::NoAnswer(cause.clone())),
            None if record_ids(alone).is_some() => together(api, deed, app, alone, reason, client),
            None => api.act(app, &user.id, deed.path()).map(|()| Value::Null),
        };
        let refused = match done {
            Ok(receipt) => {
                if receipt["unconfirmed"].as_array().is_some_and(|nodes| !nodes.is_empty()) {
                    unconfirmed = receipt;
                }
                None
            }
            Err(failure) => {
                if matches!(failure, Failure::NoAnswer(_) | Failure::InvalidSession) {
                    silent = Some(failure.to_string());
                }
                Some(failure.to_string())
            }
        };
        rows.push(Row { user, refused });
        progress.at(rows.len());
    }
    (rows, unconfirmed)
}

/// The failed ones first.
fn show(client: &Client, deed: Deed, mut rows: Vec<Row<'_>>, dry_run: bool) {
    rows.sort_by_key(|row| row.refused.is_none());
    let cells = |row: &Row<'_>| {
        let done = row.refused.is_none() && !dry_run;
        let details = if dry_run { Some(deed.would()) } else { row.refused.as_deref() };
        [deed.cell(done, row.user).to_string(), details.unwrap_or_default().to_owned()]
    };
    for table in report::tables(rows, |row| row.user, [deed.header(), "Details"], cells) {
        client.output.table(&table);
    }
}

/// The live authorizations of these users for this application, if their ids are of records.
fn domain(app: &App, users: &[User]) -> Option<Value> {
    let (application, users) = (parse_object_id(&app.id)?, record_ids(users)?);
    Some(json!([["application_id", "=", application], ["user_id", "in", users], ["state", "=", "live"]]))
}

fn record_ids(users: &[User]) -> Option<Vec<i64>> {
    users.iter().map(|user| parse_object_id(&user.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_is_so_now() {
        let user = |disabled: bool| -> User {
            serde_json::from_value(json!({"_id": "a", "disabled": disabled})).expect("a user")
        };
        for (deed, done, disabled, expect) in [
            (Deed::Revoke, true, false, true),
            (Deed::Revoke, false, false, false),
            (Deed::Delete, false, true, false),
            (Deed::Disable, true, false, false),
            (Deed::Disable, false, false, true),
            (Deed::Disable, false, true, false),
            (Deed::Enable, true, true, true),
            (Deed::Enable, false, true, false),
        ] {
            assert_eq!(deed.cell(done, &user(disabled)), expect, "{deed:?} {done} {disabled}");
        }
    }
}
