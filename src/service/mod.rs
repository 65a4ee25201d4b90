//! What can be done, and by whom. Every door calls these functions; none of them knows of HTTP, JSON-RPC or Diesel.
//!
//! * [`verify`]: is this token good? The hot path.
//! * [`revoke`]: the one way to take back, and its preview; [`undo`]: to take that back. [`filling`]: the columns behind both.
//! * [`authorize`]: what an application asks for; [`issue`], [`refresh`]: where tokens come from.
//! * [`pairing`], [`sync`]: the one Odoo whose users these are.
//! * [`tickets`]: a person's answer, on its way from Odoo to here.
//! * Who is calling: [`sign_in`] by password, [`sessions`], [`api_keys`]; from which of the [`devices`]; [`admin_sessions`]:
//!   administrators at the Admin API.
//! * [`users`]: what happens to what acts for a user when he changes, as by another password.
//! * [`app_services`]: applications and their users, as App Services has them.
//! * [`gateway`]: sessions at the reverse proxy; [`access`]: Cloudflare's way to end them and all else of a user.

pub mod access;
pub mod admin_sessions;
pub mod api_keys;
pub mod app_services;
pub mod authorize;
pub mod bootstrap;
pub mod built_in;
pub mod demo;
pub mod devices;
pub mod error;
pub mod failures;
pub mod filling;
pub mod forms;
pub mod gateway;
pub mod housekeeping;
pub mod issue;
pub mod keys;
pub mod loading;
pub mod nodes;
pub mod pairing;
pub mod passwords;
pub mod records;
pub mod refresh;
pub mod revoke;
pub mod sessions;
pub mod sign_in;
pub mod sync;
pub mod tickets;
pub mod undo;
pub mod users;
pub mod verify;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use tokio::sync::{broadcast, watch};

use crate::cluster::{Applier, BootClock, Cluster, Settings, SharedMonotonic, ToFill};
use crate::domain::revocation::{Channel, Receipt, Revocation, Settlement, Unconfirmed};
use crate::domain::time::{SharedClock, SharedEntropy, Timestamp, unix};
use crate::domain::token::{Claims, KeyRing, SealedToken, TokenKind};
use crate::domain::user::Actor;
use crate::live::Live;
use crate::store::{Store, StoreError, Tx};

pub use error::Error;

/// Who calls, from where, through which door.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who.
    pub actor: Actor,
    /// Through which door.
    pub channel: Channel,
    /// From where.
    pub address: Option<IpAddr>,
    /// Whether the paired Odoo itself calls, with its credential.
    pub from_odoo: bool,
}

impl Context {
    /// A caller of his own, through any door but the paired Odoo's.
    pub const fn new(actor: Actor, channel: Channel, address: Option<IpAddr>) -> Self {
        Self { actor, channel, address, from_odoo: false }
    }

    /// The service itself.
    pub fn system(channel: Channel) -> Self {
        Self::new(Actor::system(), channel, None)
    }
}

/// The service. Cloning it is cheap.
#[derive(Clone)]
pub struct Service {
    pub(crate) store: Store,
    pub(crate) live: Arc<Live>,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
    keys: Arc<keys::Keys>,
    passwords: Arc<passwords::Passwords>,
    failures: Arc<failures::Failures>,
    pairing: Arc<pairing::Current>,
    instance: Arc<OnceLock<String>>,
    /// The other nodes.
    cluster: Cluster,
    applier: Arc<Applier>,
    /// Up to which act the columns are filled in.
    filled: watch::Sender<u64>,
    /// Whether the live state is being loaded, and how far that is.
    loading: Arc<loading::Loading>,
}

impl Service {
    /// A service over a database. Before it answers, what has been revoked but not yet filled in is applied.
    pub async fn start(store: Store, keys: KeyRing, clock: SharedClock, entropy: SharedEntropy) -> Result<Self, Error> {
        Self::start_with(store, keys, clock, entropy, Settings::default()).await
    }

    /// The same, with how it stands together with other nodes of the same database.
    pub async fn start_with(
        store: Store,
        keys: KeyRing,
        clock: SharedClock,
        entropy: SharedEntropy,
        settings: Settings,
    ) -> Result<Self, Error> {
        keys::agree(&store, &keys, clock.now()).await?;
        Self::over(store, keys, clock, entropy, settings).await
    }

    /// A service for commands that change what the nodes keep in memory: its writes wait for them, but it is none of them. By
    /// their keys it hears at once what they say; without them it finds that in their rows, within a lease.
    pub async fn beside_the_nodes(
        store: Store,
        keys: KeyRing,
        clock: SharedClock,
        entropy: SharedEntropy,
        settings: Settings,
    ) -> Result<Self, Error> {
        Self::over(store, keys, clock, entropy, settings).await
    }

    async fn over(
        store: Store,
        keys: KeyRing,
        clock: SharedClock,
        entropy: SharedEntropy,
        settings: Settings,
    ) -> Result<Self, Error> {
        let keys = Arc::new(keys::Keys::new(keys));
        let live = Arc::new(Live::new());
        let pairing = Arc::<pairing::Current>::default();
        let applier = Arc::new(Applier::new(Arc::clone(&live), Arc::clone(&pairing), Arc::clone(&keys)));
        let loading = Arc::clone(&applier);
        let filled = store.read(move |connection| loading.load(connection)).await?;
        let cluster = match store.postgres() {
            None => Cluster::alone(&store, Arc::clone(&applier)),
            Some(url) => {
                let clocks = (Arc::new(BootClock) as SharedMonotonic, Arc::clone(&clock));
                let (url, applier, entropy) = (url.clone(), Arc::clone(&applier), Arc::clone(&entropy));
                Cluster::start(url, store.clone(), applier, clocks, entropy, settings)
            }
        };
        let service = Self {
            cluster,
            applier,
            pairing,
            passwords: Arc::new(passwords::Passwords::new(entropy.as_ref())),
            failures: Arc::default(),
            instance: Arc::default(),
            keys,
            filled: watch::channel(filled).0,
            loading: Arc::default(),
            store,
            live,
            clock,
            entropy,
        };
        Ok(service)
    }

    /// How many acts have been applied to memory here since the start.
    pub fn acts_applied(&self) -> u64 {
        self.applier.acts_applied()
    }

    /// What wakes the filling in of columns.
    fn to_fill(&self) -> &ToFill {
        self.applier.to_fill()
    }

    /// The last change that is applied to memory here; on SQLite the last act.
    pub fn applied_sequence(&self) -> u64 {
        if self.cluster.is_alone() { self.live.applied() } else { self.applier.position().sequence }
    }

    /// Whether anything can be written; if not, the process must end, see [`Store::writer_ended`].
    pub fn can_write(&self) -> bool {
        self.store.can_write()
    }

    /// Waits until nothing can be written any more.
    pub async fn writer_ended(&self) {
        self.store.writer_ended().await;
    }

    /// Whether checks can be answered.
    ///
    /// # Errors
    /// [`Error::Unavailable`]
    pub async fn check_ready(&self) -> Result<(), Error> {
        if self.cluster.is_alone() {
            // The answer does not matter, only that there is one; a missing row always asks the database.
            return self.user(crate::domain::ids::UserId(0)).await.map(|_| ());
        }
        self.fenced(|| std::future::ready(Ok(()))).await
    }

    /// The other nodes.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random name for this service from its start to its end, no secret: by it `orest doctor` tells whether the one that
    /// answers at an address is the one that it means.
    pub fn instance(&self) -> &str {
        self.instance
            .get_or_init(|| crate::domain::secret::Secret::generate(self.entropy.as_ref(), "", 8).reveal().to_owned())
    }

    /// Runs `work` in a write transaction and waits until what it announces holds on every node.
    ///
    /// # Errors
    /// What `work` refuses with, then nothing is changed; [`Error::Unconfirmed`], then all of it is.
    pub(crate) async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<Error> + Send + 'static,
    {
        let (value, settlement) = self.write_settled(work).await?;
        match self.unconfirmed(&settlement.unconfirmed) {
            None => Ok(value),
            Some(error) => Err(error.into()),
        }
    }

    /// As [`Self::write`], for what gives a receipt: that says itself which nodes have not confirmed it.
    pub(crate) async fn write_settled<T, E>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<(T, Settlement), E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let written = self.store.write_noted(work).await?;
        let settlement = self.cluster.settle(written.commit.as_deref()).await;
        Ok((written.value, settlement))
    }

    /// For who promises that an act holds, and gives no receipt that could say where it does not.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`]
    pub(crate) fn check_confirmed(&self, receipt: &Receipt) -> Result<(), Error> {
        self.unconfirmed(&receipt.unconfirmed).map_or(Ok(()), Err)
    }

    fn unconfirmed(&self, nodes: &[Unconfirmed]) -> Option<Error> {
        let last = nodes.iter().map(|node| node.until).max()?;
        let retry_after = (last - self.now()).to_std().unwrap_or_default();
        Some(Error::Unconfirmed { nodes: nodes.to_vec(), retry_after })
    }

    /// Acts as they are applied here, whichever node committed them, for those who want to be told.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Revocation>> {
        self.applier.subscribe()
    }

    fn seal(&self, kind: TokenKind, claims: &Claims) -> Result<SealedToken, Error> {
        Ok(self.keys().seal(kind, claims, self.entropy.as_ref())?)
    }

    fn unix_now(&self) -> i64 {
        unix(self.clock.now())
    }
}
