//! `orest users`: the users of an application, as the `users` command of App Services has them.
//!
//! * [`app`]: which application is meant.
//! * [`selection`]: which of its users.
//! * [`list`], [`create`] and [`act`] (revoke, disable, enable, delete): what is done.
//! * [`provider`] and [`report`]: the tables that show it.

mod act;
mod app;
mod create;
mod list;
mod provider;
mod report;
mod selection;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::act::Deed;
use super::client::ClientOptions;

/// List, create, revoke, disable, enable and delete the users of an application.
#[derive(Args)]
pub struct Users {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List an application's users, by how they sign in; who signed in last comes first
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Create a user who signs in by password, or an API key
    Create(create::Create),
    /// Revoke all sessions of users: their tokens for the application stop working, and they may sign in again
    Revoke(act::ActWithReason),
    /// Disable users: as revoke, for all applications, and they can't sign in until they are enabled
    Disable(act::ActWithReason),
    /// Enable users, who can sign in again; what was revoked stays so
    Enable(act::Act),
    /// Delete users; what others have of them stays
    Delete(act::ActWithReason),
}

impl Users {
    pub(super) fn run(self) -> ExitCode {
        let options = self.client;
        match self.action {
            Action::List(list) => options.run("user list", |client| list.run(client)),
            Action::Create(create) => options.run("user create", |client| create.run(client)),
            Action::Revoke(act) => options.run("user revoke", |client| act.run(Deed::Revoke, client)),
            Action::Disable(act) => options.run("user disable", |client| act.run(Deed::Disable, client)),
            Action::Enable(act) => options.run("user enable", |client| act.run(Deed::Enable, client)),
            Action::Delete(act) => options.run("user delete", |client| act.run(Deed::Delete, client)),
        }
    }
}
