//! `orest keys`: the keys that seal tokens.

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Place, beside_the_nodes};
use crate::config::Config;
use crate::config::keys::KeyFile;
use crate::domain::time::{Clock as _, SystemClock, SystemEntropy};
use crate::domain::token::KeyId;
use crate::service::keys;
use crate::store::Store;

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
    /// Show the keys' numbers, when they were made, which one seals, and whether this node has them
    List,
    /// Add a key; older tokens go on. On SQLite it seals from now on. On PostgreSQL it opens only: copy the file to each
    /// node, then let it seal with `use`
    Rotate,
    /// Let a key seal, on all nodes, once each of them has it
    Use {
        /// Its number
        id: u16,
        /// Do it though a node lacks it
        #[arg(long)]
        yes: bool,
    },
    /// Remove a key: every token that it sealed is dead, on all nodes when this returns; on SQLite within two seconds
    Retire {
        /// Its number
        id: u16,
        /// Do it without being asked again
        #[arg(long)]
        yes: bool,
    },
}

impl Keys {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config_of_existing()?;
        let store = Store::open_current(&config.database)?;
        let file = KeyFile::in_folder(&config.data_dir);
        match self.action {
            Action::List => list(&store, &file).await,
            Action::Rotate => rotate(&store, &file, &config).await,
            Action::Use { id, yes } => put_in_use(store, &config, &file, id, yes).await,
            Action::Retire { id, yes } => {
                if !yes {
                    anyhow::bail!("every token that key {id} sealed would be dead; add --yes if you mean it");
                }
                retire(store, &config, &file, id).await
            }
        }
    }
}

async fn list(store: &Store, file: &KeyFile) -> anyhow::Result<()> {
    let (rows, ring, made) = (keys::list(store).await?, file.load()?, file.list()?);
    let sealing = rows.iter().filter(|row| row.key.seals && row.retired_at.is_none()).map(|row| row.key.id).max();
    println!("{:>5}  {:<19}  {:<7}  Here", "Key", "Made (UTC)", "Seals");
    for row in &rows {
        let id = row.key.id;
        let seals = match row.retired_at {
            Some(_) => "retired",
            None if sealing == Some(id) => "yes",
            None if sealing.is_some_and(|sealing| id > sealing) => "not yet",
            None => "no",
        };
        let here = match ring.keys().iter().find(|key| key.id() == id) {
            Some(key) if key.check_value() == row.key.check => "yes",
            Some(_) => "another",
            None => "no",
        };
        let made = made.iter().find(|(own, _)| *own == id.0).map(|(_, made)| made.clone());
        let made = made.unwrap_or_else(|| row.created_at.format("%Y-%m-%d %H:%M:%S").to_string());
        println!("{:>5}  {made:<19}  {seals:<7}  {here}", id.0);
    }
    Ok(())
}

async fn rotate(store: &Store, file: &KeyFile, config: &Config) -> anyhow::Result<()> {
    let now = SystemClock.now();
    // What is here and not yet known there comes first: nobody has served from this database.
    keys::agree(store, &file.load()?, now).await?;
    let highest = keys::list(store).await?.iter().map(|row| row.key.id.0).max().unwrap_or(0);
    let alone = config.database.is_for_one_node();
    let key = file.add(highest, &SystemEntropy, now)?;
    let id = key.id().0;
    if let Err(error) = keys::register(store, &key, alone, now).await {
        file.remove(id).with_context(|| format!("key {id} is in the file, but the database knows nothing of it"))?;
        return Err(error.into());
    }
    if alone {
        println!("Key {id} seals from now on. Older tokens go on until they expire.");
        return Ok(());
    }
    println!("Key {id} is made, and opens only. Before it seals, each node must have it:");
    println!("  1. copy {} to the same place on each other node, with mode 600", file.path().display());
    println!("  2. orest keys use {id}");
    println!("Running nodes take it up within two seconds. Nothing is lost if you stop in between.");
    Ok(())
}

async fn put_in_use(store: Store, config: &Config, file: &KeyFile, id: u16, anyway: bool) -> anyhow::Result<()> {
    let held = file.load()?;
    let rows = keys::list(&store).await?;
    let row = rows.iter().find(|row| row.key.id.0 == id && row.retired_at.is_none());
    let row = row.with_context(|| format!("no key with the number {id} is in force"))?;
    if !held.keys().iter().any(|key| key.id().0 == id && key.check_value() == row.key.check) {
        anyhow::bail!("{} lacks key {id}: copy the file from the node where it was made", file.path().display());
    }
    beside_the_nodes(store, config).await?.put_key_in_use(KeyId(id), anyway).await?;
    println!("Key {id} seals from now on. Older tokens go on until they expire.");
    Ok(())
}

async fn retire(store: Store, config: &Config, file: &KeyFile, id: u16) -> anyhow::Result<()> {
    let held = if file.exists() { Some(file.load()?) } else { None };
    beside_the_nodes(store, config).await?.retire_key(KeyId(id), held.as_ref()).await?;
    println!("Key {id} is retired; what it sealed opens no more.");
    if held.is_some_and(|held| held.ids().any(|own| own.0 == id)) {
        match file.remove(id) {
            Ok(_) => {}
            // The next start makes another in its place.
            Err(crate::config::keys::KeyFileError::Only { .. }) => std::fs::remove_file(file.path())?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
