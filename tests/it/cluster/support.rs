//! Nodes on a database that is made for one test.

use std::sync::Arc;
use std::time::Duration;

use orest::cluster::{Description, Settings};
use orest::domain::ids::UserId;
use orest::domain::revocation::Channel;
use orest::domain::time::{SystemClock, SystemEntropy};
use orest::domain::token::{KeyId, KeyRing, SealingKey};
use orest::domain::user::{Actor, Group, GroupSet};
use orest::service::issue::Consent;
use orest::service::verify::Refusal;
use orest::service::{Context, Service};
use orest::store::{DatabaseUrl, Store};
use tokio_postgres::{Client, NoTls};

/// A lease that a test can wait for.
pub const LEASE: Duration = Duration::from_millis(1_500);

/// The server's URL; `None`: the tests that need one are to be left out.
pub fn server() -> Option<String> {
    match std::env::var("OREST_TEST_POSTGRES_URL") {
        Ok(url) => Some(url),
        Err(_) if std::env::var_os("OREST_SKIP_POSTGRES").is_some_and(|skip| skip == "1") => None,
        Err(_) => panic!("OREST_TEST_POSTGRES_URL names no server; OREST_SKIP_POSTGRES=1 leaves these tests out"),
    }
}

/// A database with the demo in it, and the nodes that serve it.
pub struct Cluster {
    /// Its URL.
    pub url: String,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Of the server, for what no node does.
    pub client: Client,
}

/// A node.
pub struct Node {
    /// What it does.
    pub service: Service,
    /// Its database, for what the service does not offer.
    pub store: Store,
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

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Cluster {
    /// This many nodes; `None`: there is no server, and that is all right.
    pub async fn start(count: usize) -> Option<Self> {
        Self::start_with(count, Settings::with_lease(LEASE)).await
    }

    /// The same with these settings.
    pub async fn start_with(count: usize, settings: Settings) -> Option<Self> {
        let server = server()?;
        let suffix = random_name();
        let name = format!("orest_cluster_{suffix}");
        let admin = connect(&server).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let base = server.rsplit_once('/').map_or(server.as_str(), |(base, _)| base);
        let url = format!("{base}/{name}");
        let mut cluster = Self { client: connect(&url).await, url, nodes: Vec::new() };
        for _ in 0..count {
            cluster.join(settings).await;
        }
        if let Some(first) = cluster.nodes.first() {
            first.service.load_demo().await.unwrap();
        }
        Some(cluster)
    }

    /// Adds a node.
    pub async fn join(&mut self, settings: Settings) -> &Node {
        let node = self.open(settings).await;
        let name = format!("node-{}", self.nodes.len() + 1);
        node.service.cluster().join(Description { name, address: "http://127.0.0.1".to_owned() }).await;
        self.nodes.push(node);
        self.nodes.last().unwrap()
    }

    /// A process that is none of the nodes, such as the command line.
    pub async fn open(&self, settings: Settings) -> Node {
        let url: DatabaseUrl = self.url.parse().unwrap();
        let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap();
        let keys = KeyRing::new(vec![SealingKey::new(KeyId(1), &[7; 32])]).unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let service = Service::start_with(store.clone(), keys, clock, entropy, settings).await.unwrap();
        tokio::spawn(service.clone().fill_columns());
        Node { service, store }
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

fn random_name() -> String {
    orest::domain::secret::Secret::generate(&SystemEntropy, "", 8).reveal().to_owned()
}

/// The administrator.
pub fn admin() -> Context {
    let actor = Actor { user: Some(UserId(2)), login: "admin".to_owned(), groups: GroupSet::closure([Group::System]) };
    Context::new(actor, Channel::Rpc, None)
}
