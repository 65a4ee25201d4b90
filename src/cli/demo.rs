//! `orest demo`: trials at scale.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Place, start};
use crate::config::Layer;

/// Add authorizations to a demo, for trials at scale.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    place: Place,
    /// How many to add
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    authorizations: u64,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config(Layer::default())?;
        let app = start(&config).await?;
        let style =
            ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} authorizations, {per_sec}, {eta} left")?;
        let bar = ProgressBar::new(self.authorizations).with_style(style);
        let moved = bar.clone();
        app.service.add_past_authorizations(self.authorizations, move |done| moved.set_position(done)).await?;
        bar.finish();
        println!("{} authorizations added. A running server sees them at once.", self.authorizations);
        Ok(())
    }
}
