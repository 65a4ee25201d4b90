//! `orest man`: the manual pages.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{command, say};

/// Write the manual pages, one for each command.
#[derive(Args)]
pub struct Man {
    /// The folder that gets them, such as ~/.local/share/man/man1
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

impl Man {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let shown = self.output.display();
        std::fs::create_dir_all(&self.output).with_context(|| format!("making {shown}"))?;
        clap_mangen::generate_to(command(), &self.output).with_context(|| format!("writing into {shown}"))?;
        say(format_args!("Manual pages are in {shown}: man -l {}", self.output.join("orest.1").display()));
        Ok(())
    }
}
