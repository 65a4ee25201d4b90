//! The composition root: settings become a store, a service, the Odoo face and a router.

use axum::Router;

use crate::config::Config;
use crate::config::keys::{KeyFile, KeyFileError};
use crate::domain::time::{SharedClock, SharedEntropy};
use crate::orm::call::Orm;
use crate::orm::registry::Registry;
use crate::service::{Error, Service};
use crate::store::{Store, StoreError};
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
    /// The sealing keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The service.
    #[error(transparent)]
    Service(#[from] Error),
}

impl App {
    /// Makes the data folder, the database and the sealing key as far as they are not there, and brings the database to
    /// this version's schema.
    pub async fn start(config: &Config, clock: SharedClock, entropy: SharedEntropy) -> Result<Self, StartError> {
        make_folder(config)?;
        let keys = KeyFile::in_folder(&config.data_dir);
        let ring = keys.load_or_create(entropy.as_ref(), clock.now())?;
        let store = Store::open(&config.database)?;
        let service = Service::start(store, ring, clock, entropy).await?;
        service.ensure_shipped_actions().await?;
        Ok(Self { service, keys })
    }

    /// Claims the data for one server; to be held as long as it serves.
    pub fn claim(config: &Config) -> Result<std::fs::File, StartError> {
        make_folder(config)?;
        Ok(config.database.claim()?)
    }

    /// All doors. `base_url` is where others reach them.
    pub fn router(&self, config: &Config, base_url: String) -> Router {
        let orm = Orm::new(self.service.clone(), Registry::new());
        let settings = Settings { database: config.database_name.clone(), base_url, trust_proxy: config.trust_proxy };
        http::router(AppState::new(self.service.clone(), orm, settings))
    }

    /// Puts a rotated sealing key in force while serving. Never ends.
    pub async fn watch_keys(service: Service, keys: KeyFile) {
        let mut seen = keys.changed_at();
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let now = keys.changed_at();
            if now == seen {
                continue;
            }
            seen = now;
            match keys.load() {
                Ok(ring) => {
                    tracing::info!(keys = ring.ids().count(), "sealing keys read anew");
                    service.set_keys(ring);
                }
                Err(error) => tracing::error!(%error, "the sealing keys can't be read anew; the ones in force stay"),
            }
        }
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
