//! `orest pair`: which Odoo this service is for.

use clap::Args;

use super::{Place, start};
use crate::config::Layer;
use crate::domain::time::Timestamp;
use crate::service::pairing::Pairing;

/// Pair the service with an Odoo; without a flag, show how the pairing stands.
#[derive(Args)]
pub struct Pair {
    #[command(flatten)]
    place: Place,
    /// Pair with the Odoo at this address, where browsers reach it; prints the credential for its settings, once. A
    /// credential from before is dead then
    #[arg(long, value_name = "URL", conflicts_with = "remove")]
    odoo_url: Option<String>,
    /// End the pairing: the credential is dead, and users are kept here again
    #[arg(long)]
    remove: bool,
}

impl Pair {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config(Layer::default())?;
        let app = start(&config).await?;
        if self.remove {
            let there_was = app.service.unpair().await?;
            println!("{}", if there_was { "The pairing is ended." } else { "There was no pairing." });
        } else if let Some(url) = self.odoo_url {
            let credential = app.service.pair_with(&url).await?;
            let pairing = app.service.pairing().ok_or_else(|| anyhow::anyhow!("the pairing was removed meanwhile"))?;
            println!("Paired with {}. In Odoo: Settings > General Settings > oREST", pairing.odoo_url);
            println!("  service address  {}", config.base_url.as_deref().unwrap_or("as Odoo reaches this service"));
            println!("  credential       {}   (shown this once)", credential.reveal());
            println!(
                "Whoever has the credential can do here what Odoo's administrators can: keep it as you keep their passwords."
            );
            println!("A running server takes it up within two seconds.");
        } else {
            match app.service.pairing() {
                Some(pairing) => show(&pairing),
                None => println!("Not paired. To pair: orest pair --odoo-url https://odoo.example.com"),
            }
        }
        Ok(())
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
