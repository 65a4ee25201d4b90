//! Real processes of the service on one database, each behind a proxy of its own, and thousands of tokens for them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use orest::config::keys::KeyFile;
use orest::domain::ids::AuthorizationId;
use orest::domain::secret::SecretHash;
use orest::domain::time::{Clock as _, SystemClock, SystemEntropy, unix};
use orest::domain::token::{Claims, Generation, TokenKind};
use serde_json::{Value, json};

use super::client::Client;
use super::postgres::Postgres;
use super::proxy::Proxy;

/// The lease of these nodes. Short, so that many faults fit into a minute.
pub const LEASE: Duration = Duration::from_secs(1);
/// The application whose tokens these are, and its secret.
pub const CLIENT_ID: &str = "chaos";
const CLIENT_SECRET: &str = "secret";
/// The administrator's login and password.
pub const ADMIN: (&str, &str) = ("admin", "admin");
const START: Duration = Duration::from_secs(30);

/// One node.
pub struct Node {
    folder: PathBuf,
    process: Option<Child>,
    settings: Vec<(&'static str, String)>,
    /// Where it answers.
    pub address: SocketAddr,
    /// What stands between it and the database.
    pub proxy: Proxy,
}

impl Node {
    fn start(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orest"));
        command
            .env_clear()
            .env("OREST_DATA_DIR", &self.folder)
            .env("OREST_LOG", "warn")
            .envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command.args(["serve", "--listen", &self.address.to_string()]);
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        self.process = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Waits until it says that it is ready.
    pub async fn wait_until_ready(&self) {
        let deadline = Instant::now() + START;
        while !matches!(Client::new(self.address).get("/ready").await, Ok(answer) if answer.status == 200) {
            assert!(Instant::now() < deadline, "{} is not ready: {}", self.address, self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Sends it a signal, such as `-STOP`.
    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.id().to_string()]).status().unwrap().success());
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Ends it as an operator does, and says how long that took.
    pub fn terminate(&mut self) -> Duration {
        let start = Instant::now();
        self.signal("-TERM");
        let _ = self.process.take().expect("it runs").wait();
        start.elapsed()
    }

    /// Starts it again.
    pub async fn restart(&mut self) {
        self.start();
        self.wait_until_ready().await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Nodes on one database.
pub struct Fleet {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Their database's server.
    pub postgres: Postgres,
    /// The tokens, each of an authorization of its own.
    pub tokens: Arc<Vec<Token>>,
    folder: tempfile::TempDir,
    /// The nodes of two fleets would stand in each other's way.
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A token and what it names.
pub struct Token {
    /// The authorization.
    pub authorization: i64,
    /// The form of a request to introspect it.
    pub form: String,
}

const DATABASE: &str = "orest";

/// The URL of the nodes' database, by the port of its server or of a proxy before it.
pub fn url(port: u16) -> String {
    Postgres::url(port, DATABASE)
}

impl Fleet {
    /// Starts this many nodes, with this many tokens.
    pub async fn start(nodes: usize, tokens: usize) -> Self {
        Self::start_with(nodes, tokens, &[]).await
    }

    /// The same with settings of the environment.
    pub async fn start_with(nodes: usize, tokens: usize, settings: &[(&'static str, &str)]) -> Self {
        let alone = ALONE.lock().await;
        let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
        postgres.query("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let folder = tempfile::tempdir().unwrap();
        let mut fleet = Self { nodes: Vec::new(), postgres, tokens: Arc::default(), folder, _alone: alone };
        // All at once: each wants to migrate, and one may.
        for _ in 0..nodes {
            fleet.add(settings).await;
        }
        for node in &fleet.nodes {
            node.wait_until_ready().await;
        }
        fleet.fill(tokens);
        fleet
    }

    /// Starts one more node; does not wait for it.
    pub async fn add(&mut self, settings: &[(&'static str, &str)]) {
        let folder = self.folder.path().join(self.nodes.len().to_string());
        fs::create_dir(&folder).unwrap();
        let keys = KeyFile::in_folder(&folder);
        match self.nodes.first() {
            None => drop(keys.create(1, &SystemEntropy, SystemClock.now()).unwrap()),
            Some(first) => drop(fs::copy(KeyFile::in_folder(&first.folder).path(), keys.path()).unwrap()),
        }
        let proxy = Proxy::start(self.postgres.port).await;
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut all = vec![
            ("OREST_DATABASE_URL", url(proxy.port)),
            ("OREST_CLUSTER_LEASE", format!("{}ms", LEASE.as_millis())),
            ("OREST_ADMIN_PASSWORD", ADMIN.1.to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut node = Node { folder, process: None, settings: all, address, proxy };
        node.start();
        self.nodes.push(node);
    }

    /// Authorizations straight into the database, as if they had been granted long ago, and a token for each.
    fn fill(&mut self, count: usize) {
        let hash = SecretHash::of(CLIENT_SECRET);
        let statement = format!(
            "INSERT INTO orest_application (name, client_id, client_secret_hash, scope, user_id, create_date, write_date)
             VALUES ('Chaos', '{CLIENT_ID}', '{}', 'read', 2, now(), now());
             INSERT INTO orest_authorization (application_id, user_id, grant_type, scope, create_date, write_date)
             SELECT (SELECT id FROM orest_application WHERE client_id = '{CLIENT_ID}'), 2, 'authorization_code', 'read', now(), now()
             FROM generate_series(1, {count});",
            hash.as_str()
        );
        self.postgres.query(DATABASE, &statement);
        let keys = KeyFile::in_folder(&self.nodes[0].folder).load().unwrap();
        let now = unix(SystemClock.now());
        let ids = self.query("SELECT id FROM orest_authorization ORDER BY id");
        let token = |line: &str| {
            let authorization = line.parse().unwrap();
            let claims = Claims {
                authorization: AuthorizationId(authorization),
                generation: Generation(0),
                issued_at: now,
                expires_at: now + 86_400,
            };
            let token = keys.seal(TokenKind::Access, &claims, &SystemEntropy).unwrap();
            Token { authorization, form: format!("token={}", token.reveal()) }
        };
        self.tokens = Arc::new(ids.lines().map(token).collect());
    }

    /// Runs a statement in the nodes' database.
    pub fn query(&self, statement: &str) -> String {
        self.postgres.query(DATABASE, statement)
    }
}

/// A connection to a node as the application that asks whether tokens are good.
pub fn resource_server(address: SocketAddr) -> Client {
    Client::new(address).basic(CLIENT_ID, CLIENT_SECRET)
}

/// A connection to a node as the administrator.
pub fn administrator(address: SocketAddr) -> Client {
    Client::new(address).basic(ADMIN.0, ADMIN.1)
}

/// The body of a call of the typed namespace.
pub fn call(method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}
