//! `orest authorizations`: what users have let applications do, listed and taken back, in this service's own words.
//!
//! * [`filter`]: which; its options become one search domain, which the server evaluates.
//! * [`list`] and [`revoke`]: what is done.

mod filter;
mod list;
mod revoke;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::ClientOptions;

/// List and revoke what users have let applications do.
#[derive(Args)]
pub struct Authorizations {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List authorizations, newest first
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Revoke authorizations, all in one act: shows how many, asks, and holds the server to what it showed
    Revoke(revoke::Revoke),
}

impl Authorizations {
    pub(super) fn run(self) -> ExitCode {
        match self.action {
            Action::List(list) => self.client.run("authorizations list", |client| list.run(client)),
            Action::Revoke(revoke) => self.client.run("authorizations revoke", |client| revoke.run(client)),
        }
    }
}
