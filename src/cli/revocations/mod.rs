//! `orest revocations`: the log of what was revoked, and taking back what one revoked oneself.
//!
//! * [`filter`]: which; its options become one search domain, which the server evaluates.
//! * [`act`]: how people read one act, in a line or in full.
//! * [`list`], [`show`] and [`undo`]: what is done.

mod act;
mod filter;
mod list;
mod show;
mod undo;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::ClientOptions;

/// List what was revoked, show one act, and take back what you revoked yourself.
#[derive(Args)]
pub struct Revocations {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List revocations, newest first
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show all that is known of one
    Show(show::Show),
    /// Take back a revocation of your own, within 15 minutes: what it revoked may act again
    Undo(undo::Undo),
}

impl Revocations {
    pub(super) fn run(self) -> ExitCode {
        match self.action {
            Action::List(list) => self.client.run("revocations list", |client| list.run(client)),
            Action::Show(show) => self.client.run("revocations show", |client| show.run(client)),
            Action::Undo(undo) => self.client.run("revocations undo", |client| undo.run(client)),
        }
    }
}
