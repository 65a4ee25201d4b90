//! What the commands share that act on a server, as its clients: whose they are, how they ask, and what they print.
//!
//! * [`ClientOptions`]: the options that all of them have.
//! * [`profile`]: the file that holds the server's address and the session.
//! * [`session`]: calls within that session, renewed once where it must be.
//! * [`admin_api`] and [`odoo`]: the doors that are called.
//! * [`search`] and [`literal`]: options and Odoo's way of writing a domain, both as search domains; [`records`]: lists of what they find.
//! * [`output`] and [`table`]: what is printed, for people or as JSON, and where to.
//! * [`prompt`]: questions, and [`progress`]: on a terminal alone.
//! * [`failure`]: why a command could not do what it was asked, and the exit code of that.

pub mod admin_api;
pub mod failure;
mod literal;
pub mod odoo;
pub mod output;
pub mod profile;
pub mod progress;
pub mod prompt;
pub mod records;
pub mod search;
pub mod session;
pub mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use self::failure::Failure;
use self::output::{Format, Output};
use self::profile::{Profile, Telemetry};
use self::prompt::Prompt;
use self::session::Session;

/// Where a server is if nobody says: where `orest serve` listens if nobody says.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8070";

/// What a node may do that has not confirmed a revocation.
pub const MAY_ACCEPT: &str = "may accept the tokens";

/// The options of every command that acts on a server.
#[derive(Args, Clone, Debug)]
pub struct ClientOptions {
    /// Server, such as https://orest.example.com [default: the profile's, or http://127.0.0.1:8070]
    #[arg(long, global = true, value_name = "URL", env = "OREST_URL", help_heading = GLOBAL)]
    url: Option<String>,
    /// Which of your profiles to use: a file of that name in ~/.config/orest, made by `orest login`
    #[arg(long, global = true, value_name = "NAME", env = "OREST_PROFILE", default_value = "default", help_heading = GLOBAL)]
    profile: String,
    /// Kept in the profile, for scripts that set it; nothing is ever sent
    #[arg(long, global = true, value_enum, value_name = "MODE", help_heading = GLOBAL)]
    telemetry: Option<Telemetry>,
    /// Append what is printed to this file, errors too
    #[arg(long, short = 'o', global = true, value_name = "FILE", help_heading = GLOBAL)]
    output_target: Option<PathBuf>,
    /// `json`: one JSON object a line, for scripts
    #[arg(long, short = 'f', global = true, value_name = "FORMAT", value_parser = Format::parse, help_heading = GLOBAL)]
    output_format: Option<Format>,
    /// No colours and no bold letters; so it is too without a terminal, with NO_COLOR, and with JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    disable_colors: bool,
    /// Answer every question with yes: take all users that the filters leave, and revoke without being asked again
    #[arg(long, short = 'y', global = true, help_heading = GLOBAL)]
    yes: bool,
}

const GLOBAL: &str = "Server and output";

/// Whether a command did all that it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it.
    Done,
    /// Not for each; which, has been printed.
    SomeFailed,
}

impl Outcome {
    /// [`Self::SomeFailed`] if any.
    pub const fn of(any_failed: bool) -> Self {
        if any_failed { Self::SomeFailed } else { Self::Done }
    }
}

/// What a command works with.
pub struct Client {
    /// Where it prints.
    pub output: Output,
    /// How it asks.
    pub prompt: Prompt,
    /// The profile as it was read, with what the options change.
    pub profile: Profile,
    /// The address that the options name.
    pub url: Option<String>,
}

impl Client {
    /// The session of the profile.
    ///
    /// # Errors
    /// [`Failure::InvalidSession`] if there is none at the server that is meant.
    pub fn session(&self) -> Result<Session, Failure> {
        Session::of(self.profile.clone(), self.url.as_deref())
    }

    /// Says which nodes have not confirmed what a receipt says is done, and whether there are any; `meanwhile`: what they may
    /// do until then.
    pub fn report_unconfirmed(&self, receipt: &Value, meanwhile: &str) -> bool {
        let mut any = false;
        for node in receipt.get("unconfirmed").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or("?");
            let (name, until) = (text("node"), text("until"));
            // Odoo's doors write moments without their zone.
            let zone = if until.ends_with('Z') { "" } else { " UTC" };
            self.output.error(&format!("node {name} has not confirmed it, and {meanwhile} until {until}{zone}"));
            any = true;
        }
        any
    }
}

impl ClientOptions {
    /// Runs a command and says why it failed; `display` is how it is called there, such as `user revoke`.
    pub fn run(self, display: &str, command: impl FnOnce(&mut Client) -> Result<Outcome, Failure>) -> ExitCode {
        let output = match Output::open(self.output_format, self.output_target.as_deref(), self.disable_colors) {
            Ok(output) => output,
            Err(failure) => return Output::default().failure(display, &failure),
        };
        let profile = match self.profile() {
            Ok(profile) => profile,
            Err(failure) => return output.failure(display, &failure),
        };
        let prompt = Prompt::new(self.yes, output.styled());
        let mut client = Client { output, prompt, profile, url: self.url };
        match command(&mut client) {
            Ok(Outcome::Done) => ExitCode::SUCCESS,
            Ok(Outcome::SomeFailed) => ExitCode::FAILURE,
            Err(failure) => client.output.failure(display, &failure),
        }
    }

    fn profile(&self) -> Result<Profile, Failure> {
        let mut profile = Profile::load(&self.profile)?;
        if self.telemetry.is_some() && profile.telemetry != self.telemetry {
            profile.telemetry = self.telemetry;
            profile.save()?;
        }
        Ok(profile)
    }
}

/// How many of something: `1 user`, `2 users`.
pub fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// The name of a value of a choice, as it is typed.
pub fn typed(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
