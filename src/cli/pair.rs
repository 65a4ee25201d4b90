//! `orest pair`: which Odoo this service is for.

use clap::Args;

use super::{Place, start};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::service::pairing::Pairing;

/// Pair the service with an Odoo; without a flag, show how the pairing stands.
#[derive(Args)]
pub struct Pair {
    #[command(flatten)]
    place: Place,
    /// Pair with the Odoo at this address, where browsers reach it; prints the credential for its settings, once
    #[arg(long, value_name = "URL", conflicts_with = "remove")]
    odoo_url: Option<String>,
    /// End the pairing: the credential is dead, and users are kept here again
    #[arg(long)]
    remove: bool,
}

impl Pair {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config_of_existing()?;
        let app = start(&config).await?;
        if self.remove {
            let there_was = app.service.unpair().await?;
            println!("{}", if there_was { "The pairing is ended." } else { "There was no pairing." });
            if there_was && let Some((login, password)) = app.service.ensure_sign_in().await? {
                println!(
                    "No administrator has a password here. Sign in as {login} / {}   (shown this once)",
                    password.reveal()
                );
            }
        } else if let Some(url) = self.odoo_url {
            let credential = app.service.pair_with(&url).await?;
            print_credential(&url, config.base_url.as_deref(), &credential);
        } else {
            match app.service.pairing() {
                Some(pairing) => show(&pairing),
                None => println!("Not paired. To pair: orest pair --odoo-url https://odoo.example.com"),
            }
        }
        Ok(())
    }
}

fn print_credential(odoo_url: &str, base_url: Option<&str>, credential: &Secret) {
    println!("Paired with {odoo_url}. In Odoo, under Settings > General Settings > oREST, enter:");
    println!("  Service address  {}", base_url.unwrap_or("the address at which Odoo and browsers reach this service"));
    println!("  Credential       {}   (shown this once)", credential.reveal());
    println!(
        "Whoever has it can do here what Odoo's administrators can, in anybody's name: keep it as you keep their passwords."
    );
    println!("A running server takes it up within two seconds. A credential from before is dead then.");
    if odoo_url.starts_with("http:") {
        println!(
            "That address is not https: between Odoo and anything but this machine, whoever listens can take what is sent."
        );
    }
}

fn show(pairing: &Pairing) {
    let moment = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| format!("{at} UTC"));
    println!("Odoo         {}", pairing.odoo_url);
    println!("database     {}", pairing.database_uuid.as_deref().unwrap_or("none has called yet"));
    println!("module       {}", pairing.module_version.as_deref().unwrap_or("unknown"));
    println!("paired       {} UTC", pairing.created_at);
    println!("seen         {}", moment(pairing.last_seen_at));
    println!("users synced {}", moment(pairing.last_sync_at));
}
