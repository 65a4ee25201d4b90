//! `orest authorizations list`.

use clap::Args;
use serde_json::Value;

use super::filter::Filter;
use crate::cli::client::failure::Failure;
use crate::cli::client::records::{Listing, cell};
use crate::cli::client::table::Table;
use crate::cli::client::{Client, Outcome};

/// Which authorizations to list.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("Application", "application_id"),
    ("User", "user_id"),
    ("Device", "device_id"),
    ("State", "state"),
    ("Created (UTC)", "create_date"),
    ("Last Used (UTC)", "last_used_at"),
];

impl List {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let domain = self.filter.domain(&mut session)?;
        let listing = Listing {
            model: "orest.authorization",
            what: "authorizations",
            domain: &domain,
            fields: &COLUMNS.map(|(_, field)| field),
            newest: "id",
            limit: self.limit,
        };
        let row = |record: &Value| COLUMNS.map(|(_, field)| cell(&record[field])).to_vec();
        let rows = listing.read(&mut session, &client.output, row)?;
        if rows.is_empty() {
            client.output.info("No authorizations to show");
        } else {
            let title = format!("Authorizations: {}", rows.len());
            client.output.table(&Table { title, headers: COLUMNS.map(|(header, _)| header).to_vec(), rows });
        }
        Ok(Outcome::Done)
    }
}
