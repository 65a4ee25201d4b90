//! `orest revocations list`.

use clap::Args;

use super::act;
use super::filter::Filter;
use crate::cli::client::failure::Failure;
use crate::cli::client::records::Listing;
use crate::cli::client::table::Table;
use crate::cli::client::{Client, Outcome};

/// Which revocations to list.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl List {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let domain = self.filter.domain(&mut session)?;
        let listing = Listing {
            model: act::MODEL,
            what: "revocations",
            domain: &domain,
            fields: &act::FIELDS,
            newest: "sequence",
            limit: self.limit,
        };
        let rows = listing.read(&mut session, &client.output, act::row)?;
        if rows.is_empty() {
            client.output.info("No revocations to show");
        } else {
            let title = format!("Revocations: {}", rows.len());
            client.output.table(&Table { title, headers: act::HEADERS.to_vec(), rows });
        }
        Ok(Outcome::Done)
    }
}
