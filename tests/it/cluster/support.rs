//! Nodes on a database that is made for one test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use orest::cluster::{Description, Settings};
use orest::domain::ids::UserId;
use orest::domain::revocation::Channel;
use orest::domain::time::{Clock, SystemClock, SystemEntropy, Timestamp};
use orest::domain::token::{KeyId, KeyRing, SealingKey};
use orest::domain::user::{Actor, Group, GroupSet};
use orest::service::issue::Consent;
use orest::service::verify::Refusal;
use orest::service::{Context, Service};
use orest::store::{DatabaseUrl, Store};
use tokio::runtime::{Builder, Runtime};

use crate::support::database::{Kind, TestDatabase};

/// A lease that a test can wait for.
pub const LEASE: Duration = Duration::from_millis(1_500);

/// A database with the demo in it, and the nodes that serve it.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Goes last: it puts the nodes' connections out.
    pub database: TestDatabase,
}

/// A node.
pub struct Node {
    /// What it does.
    pub service: Service,
    /// Its database, for what the service does not offer.
    pub store: Store,
    /// Its wall clock.
    pub clock: Arc<WallClock>,
    runtime: Option<Runtime>,
}

impl Node {
    /// How often it had to ask the database.
    pub fn asked(&self) -> u64 {
        self.service.cluster().status().unwrap().confirms
    }

    /// From now on it hears nothing and says nothing, as if its process were stopped or cut off. Its memory is still there.
    pub fn stop(&mut self) {
        self.runtime.take().expect("it has one of its own, and was not stopped before").shutdown_background();
    }
}

/// The system's clock, until somebody sets it.
#[derive(Default)]
pub struct WallClock(AtomicI64);

impl WallClock {
    /// Sets it so many seconds off.
    pub fn set_off(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + chrono::TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// A token of alice's, its authorization, and the device that she used.
pub struct Token {
    /// To be shown.
    pub access: String,
    /// To be exchanged.
    pub refresh: String,
    /// Its row.
    pub authorization: i64,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Cluster {
    /// This many nodes; `None`: there is no server, and that is all right.
    pub async fn start(count: usize) -> Option<Self> {
        Self::start_with(count, Settings::with_lease(LEASE)).await
    }

    /// The same with these settings.
    pub async fn start_with(count: usize, settings: Settings) -> Option<Self> {
        if !Kind::has_postgres() {
            return None;
        }
        let database = tokio::task::spawn_blocking(|| TestDatabase::migrated(Kind::Postgres)).await.unwrap();
        let mut cluster = Self { nodes: Vec::new(), database };
        for _ in 0..count {
            cluster.join(settings).await;
        }
        if let Some(first) = cluster.nodes.first() {
            first.service.load_demo().await.unwrap();
        }
        Some(cluster)
    }

    /// Adds a node, on threads of its own.
    pub async fn join(&mut self, settings: Settings) {
        self.join_at(self.database.url.clone(), settings).await;
    }

    /// The same, of one that reaches the database by another way.
    pub async fn join_at(&mut self, url: DatabaseUrl, settings: Settings) {
        let number = self.nodes.len() + 1;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let started = runtime.spawn(async move {
            let node = open(url, settings).await;
            node.service.cluster().join(describe(number)).await;
            node
        });
        let mut node = started.await.unwrap();
        node.runtime = Some(runtime);
        self.nodes.push(node);
    }

    /// A process that is none of the nodes, such as the command line.
    pub async fn open(&self, settings: Settings) -> Node {
        open(self.database.url.clone(), settings).await
    }

    /// The same, of one that has no sealing keys.
    pub async fn open_without_keys(&self) -> Service {
        let url = self.database.url.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        Service::beside_the_nodes(store, KeyRing::none(), clock, entropy, Settings::with_lease(LEASE)).await.unwrap()
    }

    /// Runs statements that no node knows of.
    pub async fn execute(&self, sql: &'static str) {
        let url = self.database.url.clone();
        let run = move || {
            let mut connection = url.connect_migrator().unwrap();
            // The server's default is a stricter one, in which a node's own write at the same time would be an error.
            connection.batch_execute("SET default_transaction_isolation = 'read committed'").unwrap();
            connection.batch_execute(sql).unwrap();
        };
        tokio::task::spawn_blocking(run).await.unwrap();
    }

    /// Lets alice let the first application in, at a node.
    pub async fn token(&self, node: usize) -> Token {
        let service = &self.nodes[node].service;
        let application = service.client("confluence-connector").await.unwrap().unwrap();
        let redirect_uri = "http://127.0.0.1:9000/callback";
        let consent = Consent {
            application: Arc::clone(&application),
            redirect_uri: redirect_uri.to_owned(),
            redirect_uri_sent: true,
            scope: application.scope.clone(),
            challenge: None,
            device: Some(orest::domain::ids::DeviceId(1)),
            session: None,
        };
        let alice = service.user(UserId(3)).await.unwrap().unwrap();
        let context = Context::new(Service::actor(&alice), Channel::Rpc, None);
        let code = service.consent(&context, consent).await.unwrap();
        let tokens = service.exchange_code(&application, code.reveal(), Some(redirect_uri), None, None).await.unwrap();
        let access = tokens.access.reveal().to_owned();
        let verified = service.verify(&access).await.unwrap().unwrap();
        Token {
            access,
            refresh: tokens.refresh.unwrap().reveal().to_owned(),
            authorization: verified.claims.authorization.0,
        }
    }

    /// What every node says of a token: the same.
    pub async fn verdicts(&self, token: &str) -> Vec<Result<(), Refusal>> {
        let mut verdicts = Vec::new();
        for node in &self.nodes {
            verdicts.push(node.service.verify(token).await.unwrap().map(|_| ()));
        }
        verdicts
    }
}

async fn open(url: DatabaseUrl, settings: Settings) -> Node {
    let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap();
    let keys = KeyRing::new(vec![SealingKey::new(KeyId(1), &[7; 32])]).unwrap();
    let (clock, entropy) = (Arc::<WallClock>::default(), Arc::new(SystemEntropy));
    let service = Service::start_with(store.clone(), keys, clock.clone(), entropy, settings).await.unwrap();
    tokio::spawn(service.clone().fill_columns());
    Node { service, store, clock, runtime: None }
}

fn describe(number: usize) -> Description {
    Description { name: format!("node-{number}"), address: "http://127.0.0.1".to_owned() }
}

/// The administrator.
pub fn admin() -> Context {
    let actor = Actor { user: Some(UserId(2)), login: "admin".to_owned(), groups: GroupSet::closure([Group::System]) };
    Context::new(actor, Channel::Rpc, None)
}
