//! `orest passwd`: a lost password, on the server's own machine.

use std::io::BufRead as _;

use anyhow::Context as _;
use clap::Args;

use super::client::count;
use super::client::prompt::Prompt;
use super::{Place, beside_the_nodes, say};
use crate::config::Config;
use crate::domain::secret::Secret;
use crate::domain::time::SystemEntropy;
use crate::store::{Claim, ClaimError, Store};

/// Set a password on the server's own machine, when nobody can sign in any more; asks for it twice.
#[derive(Args)]
#[command(after_help = "\
It does what a change of password does everywhere: the user's sessions end, and what applications may do for him is revoked, on all \
nodes when this returns. His API keys stay. The log has it, through the door password_reset.
On SQLite stop the server first, and start it again afterwards. While paired with Odoo, passwords are Odoo's: change them there.")]
pub struct Passwd {
    #[command(flatten)]
    place: Place,
    /// Whose it is [default: the administrator's, if there is one alone]
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
    /// Make one up, and print it once
    #[arg(long, conflicts_with = "password_stdin")]
    generate: bool,
    /// Read it from standard input, one line
    #[arg(long)]
    password_stdin: bool,
}

impl Passwd {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config_of_existing()?;
        let _claim = claim(&config)?;
        let store = Store::open_current(&config.database)?;
        let service = beside_the_nodes(store, &config).await?;
        let user = service.user_to_reset(self.login.clone()).await?;
        let password = self.password(user.login())?;
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let receipt = service.reset_password(user.id, &password, format!("orest passwd on {machine}")).await?;
        let (login, revoked) = (user.login(), count(receipt.revoked, "authorization"));
        say(format_args!("The password of {login} is changed. His sessions have ended, and {revoked} of his revoked."));
        if self.generate {
            say(format_args!("Sign in as {login} / {password}   (shown this once)"));
        }
        service.checkpoint().await;
        Ok(service.check_confirmed(&receipt)?)
    }

    fn password(&self, login: &str) -> anyhow::Result<String> {
        if self.generate {
            return Ok(Secret::generate(&SystemEntropy, "", 12).reveal().to_owned());
        }
        if self.password_stdin {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).context("standard input")?;
            return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
        }
        let question = format!("New password of {login}");
        Ok(Prompt::new(false, false).new_password(&question, "--password-stdin or --generate")?)
    }
}

/// The server of a file hears nothing of what others change in it: it would go on accepting what is revoked here.
fn claim(config: &Config) -> anyhow::Result<Claim> {
    config.database.claim().map_err(|error| match error {
        ClaimError::Taken { .. } => {
            anyhow::anyhow!("{error}: stop it, run this again, and start it afterwards; nothing is changed")
        }
        ClaimError::Io { .. } => anyhow::anyhow!("{error}: run this as the user who runs the server"),
    })
}
