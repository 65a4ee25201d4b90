//! `orest keys`: the keys that seal tokens.

use clap::{Args, Subcommand};

use super::Place;
use crate::config::Layer;
use crate::config::keys::KeyFile;
use crate::domain::time::{Clock as _, SystemClock, SystemEntropy};

/// List, rotate and retire the keys that seal tokens.
#[derive(Args)]
pub struct Keys {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show the keys' numbers and when they were made; the last one seals
    List,
    /// Add a key that seals from now on; a running server takes it up within two seconds, older tokens go on
    Rotate,
    /// Remove a key: every token that it sealed is dead
    Retire {
        /// Its number
        id: u16,
        /// Do it without being asked again
        #[arg(long)]
        yes: bool,
    },
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = self.place.config(Layer::default())?;
        let file = KeyFile::in_folder(&config.data_dir);
        match self.action {
            Action::List => {
                println!("{:>5}  {:<19}  Seals", "Key", "Made (UTC)");
                let keys = file.list()?;
                for (index, (id, made)) in keys.iter().enumerate() {
                    println!("{id:>5}  {made:<19}  {}", if index + 1 == keys.len() { "yes" } else { "no" });
                }
            }
            Action::Rotate => {
                let id = file.rotate(&SystemEntropy, SystemClock.now())?;
                println!("Key {id} seals from now on. Older tokens go on until they expire.");
            }
            Action::Retire { id, yes } => {
                if !yes {
                    anyhow::bail!("every token that key {id} sealed would be dead; add --yes if you mean it");
                }
                file.retire(id)?;
                println!("Key {id} is gone; what it sealed opens no more.");
            }
        }
        Ok(())
    }
}
