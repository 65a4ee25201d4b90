//! The command line: a transport like the others. One file a command.

mod authorizations;
mod client;
mod completions;
mod demo;
mod doctor;
mod keys;
mod login;
mod man;
mod nodes;
mod odoo_module;
mod pair;
mod passwd;
mod revocations;
mod serve;
mod transfer;
mod users;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::config::keys::KeyFile;
use crate::config::{Config, DatabaseLayer, Layer};
use crate::domain::time::{SystemClock, SystemEntropy};
use crate::domain::token::KeyRing;
use crate::service::Service;
use crate::store::Store;

/// Authorization and revocation backend for Odoo: see who let which application in, and take it back.
#[derive(Parser)]
#[command(
    name = "orest",
    version,
    max_term_width = 100,
    after_help = "Logs go to standard error; OREST_LOG sets how much (error, warn, info, debug)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Odoo's RPC, OAuth 2.0, the REST APIs, the gateway for reverse proxies, and /rpc
    Serve(serve::Serve),
    /// Add authorizations to a demo, for trials at scale
    Demo(demo::Demo),
    /// List, rotate and retire the keys that seal tokens
    Keys(keys::Keys),
    /// List the nodes that serve the database, with their leases and how far each has followed
    Nodes(nodes::Nodes),
    /// Write the Odoo module for your Odoo series
    OdooModule(odoo_module::OdooModule),
    /// Say what is wrong, one line a check, and what to do about it
    Doctor(doctor::Doctor),
    /// Pair the service with an Odoo, whose users its users are then
    Pair(pair::Pair),
    /// Set a password on the server's own machine, when nobody can sign in any more
    Passwd(passwd::Passwd),
    /// Move everything from one database into another, empty one; tokens go on working
    Transfer(transfer::TransferCommand),
    #[command(flatten)]
    OfAServer(OfAServer),
    /// Print a shell's completions
    Completions(completions::Completions),
    /// Write the manual pages
    Man(man::Man),
}

/// What acts on a server, as its client: never on the database.
#[derive(Subcommand)]
enum OfAServer {
    /// Sign in to a server, for `orest users`, `orest authorizations` and `orest revocations`
    Login(login::Login),
    /// Sign out: the session is revoked at the server and forgotten here
    Logout(login::Logout),
    /// Say who is signed in, and where
    Whoami(login::Whoami),
    /// List, create, revoke, disable, enable and delete the users of an application
    #[command(alias = "user")]
    Users(users::Users),
    /// List and revoke what users have let applications do
    Authorizations(authorizations::Authorizations),
    /// List and show what was revoked, and take back what you revoked yourself
    Revocations(revocations::Revocations),
}

impl OfAServer {
    /// The exit code; what there is to say has been said.
    fn run(self) -> ExitCode {
        match self {
            Self::Login(login) => login.run(),
            Self::Logout(logout) => logout.run(),
            Self::Whoami(whoami) => whoami.run(),
            Self::Users(users) => users.run(),
            Self::Authorizations(authorizations) => authorizations.run(),
            Self::Revocations(revocations) => revocations.run(),
        }
    }
}

/// Where things are: the same for every command that works on them itself.
#[derive(Args, Clone, Debug)]
struct Place {
    /// TOML file with settings; the README lists all keys
    #[arg(long, global = true, value_name = "FILE", env = "OREST_CONFIG")]
    config: Option<PathBuf>,
    /// Database, such as sqlite:///var/lib/orest/orest.sqlite3 or postgres://orest@db.example/orest [default: orest.sqlite3 in the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "OREST_DATABASE_URL",
        hide_env_values = true,
        alias = "database"
    )]
    database_url: Option<String>,
    /// Folder of the sealing keys and the database [default: ~/.local/share/orest]
    #[arg(long, global = true, value_name = "DIR", env = "OREST_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl Place {
    fn config(&self, above: Layer) -> anyhow::Result<Config> {
        let own = Layer {
            database: DatabaseLayer { url: self.database_url.clone() },
            data_dir: self.data_dir.clone(),
            ..Layer::default()
        };
        let file = self.config.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
        Ok(Config::new(above.over(own).over(file))?)
    }

    /// The same for a command that works on a database which is there: it would make a new one, of which the server knows nothing.
    fn config_of_existing(&self) -> anyhow::Result<Config> {
        let config = self.config(Layer::default())?;
        if config.database.is_absent() {
            anyhow::bail!(
                "there is no database in {}: run this where `orest serve` runs, with the same settings",
                config.data_dir.display()
            );
        }
        Ok(config)
    }
}

/// Prints a line. Whoever has stopped reading, such as `head`, has seen enough: that is no error.
fn say(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A service that is none of the nodes, but waits for them as theirs do: see [`Service::beside_the_nodes`].
async fn beside_the_nodes(store: Store, config: &Config) -> anyhow::Result<Service> {
    let file = KeyFile::in_folder(&config.data_dir);
    let keys = if file.exists() { file.load()? } else { KeyRing::none() };
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    Ok(Service::beside_the_nodes(store, keys, clock, entropy, config.cluster).await?)
}

async fn start(config: &Config) -> anyhow::Result<App> {
    Ok(App::start(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?)
}

/// The command line's own description of itself, for the tests that hold the README against it.
pub fn command() -> clap::Command {
    use clap::CommandFactory as _;
    Arguments::command()
}

/// Reads the arguments and does what they say; the exit code.
///
/// # Errors
/// Why it could not, if that has not been said yet.
pub fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("OREST_LOG").unwrap_or_else(|_| "info".into());
    // However much is asked for: it would write down what goes into each statement, hashes of passwords and sessions too.
    let filter =
        filter.add_directive("tokio_postgres=warn".parse()?).add_directive("tokio_postgres::query=warn".parse()?);
    // Logs are read by programs; and whether there were colours would depend on what else is built with us.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match arguments.command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Doctor(doctor) => doctor.run(),
            Command::Keys(keys) => keys.run().await,
            Command::Nodes(nodes) => nodes.run().await,
            Command::OdooModule(module) => module.run(),
            Command::Pair(pair) => pair.run().await,
            Command::Passwd(passwd) => passwd.run().await,
            Command::Transfer(transfer) => transfer.run(),
            Command::OfAServer(command) => return Ok(command.run()),
            Command::Completions(completions) => {
                completions.run();
                Ok(())
            }
            Command::Man(man) => man.run(),
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // The process ends now. Taken apart, in whichever order, tasks would complain that others are gone.
    std::mem::forget(runtime);
    ended
}
