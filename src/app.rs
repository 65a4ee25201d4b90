//! The composition root: settings become a store, a service, the Odoo face and a router.

use axum::Router;

use crate::config::Config;
use crate::config::keys::{KeyFile, KeyFileError};
use crate::domain::time::{Entropy, SharedClock, SharedEntropy, Timestamp};
use crate::domain::token::{KeyId, KeyRing};
use crate::orm::call::Orm;
use crate::orm::registry::Registry;
use crate::service::{Error, Service, keys};
use crate::store::{Claim, ClaimError, Store, StoreError};
use crate::transport::http::{self, AppState, Settings};

/// Everything that a process needs, made and connected.
pub struct App {
    /// What is done.
    pub service: Service,
    /// The sealing keys' file.
    pub keys: KeyFile,
}

/// Why it can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error("{path}: {error}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its claim.
    #[error("{database}: {error}{}", if matches!(.error, ClaimError::Taken { .. }) { ": stop that one, or give a --data-dir of your own" } else { "" })]
    Claim {
        /// Which database.
        database: String,
        /// Why it is not ours.
        error: ClaimError,
    },
    /// The sealing keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// This node lacks keys that other nodes have: it must not make others.
    #[error(
        "{path}: this node lacks sealing key {missing}, with which tokens of this database are sealed. Copy the file from \
         where it is, another node or your backup, and give it mode 600. If no copy is left, run `orest keys retire {first} \
         --yes`: what it sealed is dead then"
    )]
    AbsentKeys {
        /// The file.
        path: String,
        /// Their numbers.
        missing: String,
        /// The first of them.
        first: u16,
    },
    /// The service.
    #[error(transparent)]
    Service(#[from] Error),
}

impl App {
    /// Makes the data folder, the database and the sealing key as far as they are not there, and brings the database to
    /// this version's schema.
    ///
    /// # Errors
    /// [`StartError::AbsentKeys`]: other nodes of this database have other keys.
    pub async fn start(config: &Config, clock: SharedClock, entropy: SharedEntropy) -> Result<Self, StartError> {
        make_folder(config)?;
        let store = Store::open(&config.database)?;
        let keys = KeyFile::in_folder(&config.data_dir);
        let ring = load_keys(&store, &keys, entropy.as_ref(), clock.now()).await?;
        let service = Service::start_with(store, ring, clock, entropy, config.cluster).await?;
        service.ensure_shipped_actions().await?;
        service.ensure_client_app_ids().await?;
        Ok(Self { service, keys })
    }

    /// Claims the data for one server; to be held as long as it serves.
    pub fn claim(config: &Config) -> Result<Claim, StartError> {
        make_folder(config)?;
        config.database.claim().map_err(|error| StartError::Claim { database: config.database.to_string(), error })
    }

    /// All doors. `base_url` is where others reach them.
    pub fn router(&self, config: &Config, base_url: String) -> Router {
        let orm = Orm::new(self.service.clone(), Registry::new());
        let settings = Settings {
            database: config.database_name.clone(),
            base_url,
            trust_proxy: config.trust_proxy,
            access_accounts: config.access_accounts.clone(),
            access_zones: config.access_zones.clone(),
            gateway_cookie_domain: config.gateway_cookie_domain.clone(),
        };
        http::router(AppState::new(self.service.clone(), orm, settings))
    }

    /// Takes up the file of sealing keys when it changes, while serving; and what the database says of them, where no feed
    /// tells. Never ends.
    pub async fn watch_keys(service: Service, keys: KeyFile) {
        let mut seen = keys.changed_at();
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked = true;
        loop {
            ticks.tick().await;
            let now = keys.changed_at();
            let ring = if now == seen { None } else { Some(keys.load()) };
            seen = now;
            let done = match ring {
                Some(Ok(ring)) => service.set_keys(ring).await,
                Some(Err(error)) => {
                    tracing::error!(%error, "the file of sealing keys can't be read anew; those that were in it stay");
                    service.read_keys_anew().await
                }
                None => service.read_keys_anew().await,
            };
            // Once is enough for the log; asking goes on, so that a retired key is dead as soon as the database answers.
            match done {
                Ok(()) => asked = true,
                Err(error) if asked => {
                    asked = false;
                    tracing::warn!(%error, "which sealing keys are in force can't be asked for; the ones known stay");
                }
                Err(_) => {}
            }
        }
    }
}

/// The keys of this node, in force in this database; a new one if no key is in force yet.
async fn load_keys(
    store: &Store,
    file: &KeyFile,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<KeyRing, StartError> {
    let rows = keys::list(store).await?;
    let registered: Vec<_> = rows.iter().filter(|row| row.retired_at.is_none()).map(|row| row.key.clone()).collect();
    let held = if file.exists() {
        file.load()?
    } else if registered.is_empty() {
        let next = rows.iter().map(|row| row.key.id.0).max().unwrap_or(0).saturating_add(1);
        file.create(next, entropy, now)?
    } else {
        return Err(absent(file, registered.iter().filter(|key| key.seals).map(|key| key.id)));
    };
    let missing = held.in_force(&registered).absent().to_vec();
    if missing.is_empty() { Ok(held) } else { Err(absent(file, missing.into_iter())) }
}

fn absent(file: &KeyFile, ids: impl Iterator<Item = KeyId>) -> StartError {
    let ids: Vec<u16> = ids.map(|id| id.0).collect();
    StartError::AbsentKeys {
        path: file.path().display().to_string(),
        missing: ids.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
        first: ids.first().copied().unwrap_or_default(),
    }
}

/// Only its owner may look into the folder that holds the keys.
fn make_folder(config: &Config) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if config.data_dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir)
        .map_err(|error| StartError::Folder { path: config.data_dir.display().to_string(), error })
}
