//! `orest users list`.

use clap::Args;

use super::app::AppChoice;
use super::report;
use super::selection::Filter;
use crate::cli::client::admin_api::{AdminApi, User};
use crate::cli::client::failure::Failure;
use crate::cli::client::{Client, Outcome};
use crate::domain::time::from_unix;

/// Which users to list.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    app: AppChoice,
    #[command(flatten)]
    filter: Filter,
}

impl List {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let mut api = AdminApi::new(&mut session);
        let app = self.app.resolve(&mut api, &client.prompt)?;
        let mut found = self.filter.find(&mut api, &app, &client.output)?;
        found.users.sort_by_key(|user| std::cmp::Reverse(user.last_authentication_date));
        let cells = |user: &&User| [(!user.disabled).to_string(), last_authenticated(user)];
        let tables = report::tables(&found.users, |user| *user, ["Enabled", "Last Authenticated"], cells);
        for table in &tables {
            client.output.table(table);
        }
        if tables.is_empty() {
            client.output.info("No available users to show");
        }
        Ok(Outcome::of(found.report_missing(&client.output)))
    }
}

fn last_authenticated(user: &User) -> String {
    match user.last_authentication_date {
        0 => "n/a".to_owned(),
        seconds => from_unix(seconds).format("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn when_somebody_signed_in() {
        let at = |seconds: i64| {
            let user = json!({"_id": "a", "last_authentication_date": seconds});
            last_authenticated(&serde_json::from_value(user).expect("a user"))
        };
        assert_eq!(at(1_111_111_111), "2005-03-18 01:58:31 +0000 UTC");
        assert_eq!(at(0), "n/a");
    }
}
