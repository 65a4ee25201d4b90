//! `orest demo`: trials at scale.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Place, start};
use crate::config::Layer;

/// Add users and authorizations to a demo, for trials at scale.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    place: Place,
    /// How many users to add, each with a device; nobody can sign in as one of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000), required_unless_present = "authorizations")]
    users: Option<u64>,
    /// How many authorizations to add, spread over all users
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    authorizations: Option<u64>,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config(Layer::default())?;
        let app = start(&config).await?;
        if let Some(count) = self.users {
            let bar = bar(count, "users")?;
            app.service.add_past_users(count, |done| bar.set_position(done)).await?;
            bar.finish();
            println!("{count} users added.");
        }
        if let Some(count) = self.authorizations {
            let bar = bar(count, "authorizations")?;
            app.service.add_past_authorizations(count, |done| bar.set_position(done)).await?;
            bar.finish();
            println!("{count} authorizations added. A running server sees them at once.");
        }
        Ok(())
    }
}

fn bar(count: u64, of_what: &str) -> anyhow::Result<ProgressBar> {
    let style = format!("{{bar:40}} {{human_pos}}/{{human_len}} {of_what}, {{per_sec}}, {{eta}} left");
    Ok(ProgressBar::new(count).with_style(ProgressStyle::with_template(&style)?))
}
