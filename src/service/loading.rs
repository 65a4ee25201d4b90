//! The live state at start-up: all that a check of a token needs is read into memory, so that no check has to wait for the
//! database. Until that is done the service answers, each check with the reads that it needs, and says that it is not ready.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Error, Service};
use crate::domain::ids::{DeviceId, UserId};
use crate::limits;
use crate::live::Epoch;
use crate::store::{StoreError, applications, authorizations, devices, users};

/// How often it is said how far loading is, how long it waits after a failure, and how soon it is noticed that everything has
/// been forgotten.
const PAUSE: Duration = Duration::from_secs(1);
/// Users and devices that change while they are read are read again; after so many times they are left to whoever asks.
const TRIES: usize = 5;

/// How far the live state is loaded.
#[derive(Default)]
pub(super) struct Loading {
    state: Mutex<State>,
    /// Ids of authorizations, of which some may have no row any more.
    done: AtomicU64,
    all: AtomicU64,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// Nobody has asked for it: everything is read when it is needed.
    #[default]
    Off,
    /// It is wanted.
    Wanted,
    /// It is there, in this epoch.
    Loaded(Epoch),
}

impl Loading {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn percent(&self) -> u64 {
        let all = self.all.load(Ordering::Relaxed);
        (self.done.load(Ordering::Relaxed).min(all) * 100).checked_div(all).unwrap_or(0)
    }
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Authorizations.
    pub authorizations: u64,
    /// Users.
    pub users: u64,
    /// Applications.
    pub applications: u64,
    /// Devices.
    pub devices: u64,
}

impl Service {
    /// How far loading the live state is, in percent; `None`: it is loaded, or nobody has asked for that.
    pub fn loading(&self) -> Option<u64> {
        match *self.loading.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Off => None,
            State::Loaded(epoch) if epoch == self.live.epoch() => None,
            State::Wanted | State::Loaded(_) => Some(self.loading.percent()),
        }
    }

    /// Loads the live state in the background, and again whenever it had to be forgotten.
    pub(super) fn spawn_loading(&self) {
        self.loading.set(State::Wanted);
        let service = self.clone();
        tokio::spawn(async move {
            loop {
                if service.loading().is_some()
                    && let Err(error) = service.load_live_state().await
                {
                    tracing::warn!(%error, "the live state can't be loaded; trying again in a second");
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    /// Reads into memory all that checks of tokens need: every authorization and device; of applications and users as
    /// many as are kept ([`limits::LIVE_APPLICATIONS_MAX`], [`limits::LIVE_USERS_MAX`]).
    ///
    /// # Errors
    /// The database doesn't answer. What has been read is kept.
    pub async fn load_live_state(&self) -> Result<Loaded, Error> {
        let started = Instant::now();
        let epoch = self.live.epoch();
        let applications = self.load_applications().await?;
        let (users, devices, authorizations) =
            tokio::try_join!(self.load_users(), self.load_devices(), self.load_authorizations(started))?;
        self.loading.set(State::Loaded(epoch));
        let seconds = format!("{:.2}", started.elapsed().as_secs_f64());
        tracing::info!(authorizations, users, applications, devices, seconds, "the live state is loaded");
        Ok(Loaded { authorizations, users, applications, devices })
    }

    async fn load_applications(&self) -> Result<u64, Error> {
        const MAX: i64 = limits::LIVE_APPLICATIONS_MAX as i64;
        let (ticket, schemes_ticket) = (self.live.application_ticket(), self.live.model_scheme_ticket());
        let read = |connection: &mut _| {
            Ok::<_, StoreError>((
                applications::list(connection, MAX)?,
                applications::list_model_schemes(connection, MAX)?,
            ))
        };
        let (found, schemes) = self.store.read(read).await?;
        let count = found.len() as u64;
        for application in found {
            self.live.fill_application(ticket, &Arc::new(application));
        }
        for (id, scheme) in schemes {
            self.live.fill_model_scheme(schemes_ticket, id, &Arc::new(scheme));
        }
        Ok(count)
    }

    async fn load_users(&self) -> Result<u64, Error> {
        let (mut after, mut count, mut tries) = (UserId(0), 0, 0);
        while count < limits::LIVE_USERS_MAX {
            let ticket = self.live.user_ticket();
            let most = limits::LOAD_BATCH.min(i64::try_from(limits::LIVE_USERS_MAX - count).unwrap_or(i64::MAX));
            let found = self.store.read(move |connection| users::list(connection, after, most)).await?;
            let Some(last) = found.last().map(|user| user.id) else { break };
            let rows = found.len();
            tries += 1;
            if self.live.fill_users(ticket, found.into_iter().map(Arc::new)) || tries == TRIES {
                (after, count, tries) = (last, count + rows, 0);
            }
        }
        Ok(count as u64)
    }

    async fn load_devices(&self) -> Result<u64, Error> {
        let (mut after, mut count, mut tries) = (DeviceId(0), 0, 0);
        loop {
            let ticket = self.live.device_ticket();
            let found =
                self.store.read(move |connection| devices::list_revoked(connection, after, limits::LOAD_BATCH)).await?;
            let Some((last, _)) = found.last().copied() else { return Ok(count) };
            let rows = found.len() as u64;
            tries += 1;
            if self.live.fill_devices(ticket, found) || tries == TRIES {
                (after, count, tries) = (last, count + rows, 0);
            }
        }
    }

    async fn load_authorizations(&self, started: Instant) -> Result<u64, Error> {
        let last = self.store.read(authorizations::find_last_id).await?;
        self.loading.all.store(last.unsigned_abs(), Ordering::Relaxed);
        self.loading.done.store(0, Ordering::Relaxed);
        let part = last / i64::from(limits::LOADERS) + 1;
        let mut parts = JoinSet::new();
        for number in 0..i64::from(limits::LOADERS) {
            let service = self.clone();
            parts.spawn(async move { service.load_part(number * part, (number + 1) * part).await });
        }
        let mut count = 0;
        let mut ticks = tokio::time::interval_at((started + PAUSE).into(), PAUSE);
        loop {
            tokio::select! {
                part = parts.join_next() => match part {
                    Some(part) => count += part.map_err(|_| Error::Internal)??,
                    None => return Ok(count),
                },
                _ = ticks.tick() => {
                    let seconds = started.elapsed().as_secs();
                    tracing::info!(percent = self.loading.percent(), seconds, "loading the live state");
                }
            }
        }
    }

    /// Loads the authorizations after `after` up to `last`: on one thread, where each batch takes the memory that the one before it
    /// has left. What has happened since the first of them was read overrules the rows.
    async fn load_part(&self, mut after: i64, last: i64) -> Result<u64, Error> {
        let service = self.clone();
        // Where the other part has failed, nobody waits for this one any more: all is tried again.
        let waiting = Arc::new(());
        let awaited = Arc::downgrade(&waiting);
        let read = self.store.read(move |connection| {
            let (epoch, mut count) = (service.live.epoch(), 0);
            while awaited.strong_count() > 0 {
                let rows = authorizations::list_slots(connection, after, last, limits::LOAD_BATCH)?;
                let Some(id) = rows.last().map(|row| row.id) else { return Ok(count) };
                if !service.live.fill(epoch, &rows) {
                    // All was forgotten in between, and is loaded anew after this.
                    return Ok(count);
                }
                service.loading.done.fetch_add((id - after).unsigned_abs(), Ordering::Relaxed);
                after = id;
                count += rows.len() as u64;
            }
            Ok(count)
        });
        let count = read.await;
        drop(waiting);
        count
    }
}
