//! `orest revocations show`.

use clap::Args;

use super::act;
use crate::cli::client::failure::Failure;
use crate::cli::client::{Client, Outcome};

/// Which revocation to show.
#[derive(Args)]
pub struct Show {
    /// Its id, as receipts and the list have it
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    id: i64,
}

impl Show {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let act = act::find(&mut session, self.id)?;
        client.output.details(&format!("Revocation {}", self.id), &act::lines(&act), &act);
        Ok(Outcome::Done)
    }
}
