//! Real processes of the service on one database, each behind a proxy of its own, and thousands of tokens for them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use orest::config::keys::KeyFile;
use orest::domain::ids::AuthorizationId;
use orest::domain::secret::SecretHash;
use orest::domain::time::{Clock as _, SystemClock, SystemEntropy, unix};
use orest::domain::token::{Claims, Generation, TokenKind};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::postgres::Postgres;
use super::proxy::Proxy;

/// The lease of these nodes. Short, so that many faults fit into a minute.
pub const LEASE: Duration = Duration::from_secs(1);
/// The application whose tokens these are.
pub const CLIENT_ID: &str = "chaos";
/// Its secret.
pub const CLIENT_SECRET: &str = "secret";
/// The administrator's login and password.
pub const ADMIN: (&str, &str) = ("admin", "admin");
/// His row.
const ADMIN_ID: i64 = 2;
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
    /// What stands between it and the database's standby, if there is one.
    pub standby: Option<Proxy>,
}

/// A standby of the nodes' database.
pub struct Standby {
    /// Its server.
    pub server: Postgres,
    /// What stands between it and its primary.
    pub replication: Proxy,
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
    /// The one that is to take over from it.
    pub standby: Option<Standby>,
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

/// The nodes' database.
pub const DATABASE: &str = "orest";

impl Fleet {
    /// Starts this many nodes, with this many tokens.
    pub async fn start(nodes: usize, tokens: usize) -> Self {
        Self::start_with(nodes, tokens, &[]).await
    }

    /// The same with settings of the environment.
    pub async fn start_with(nodes: usize, tokens: usize, settings: &[(&'static str, &str)]) -> Self {
        let fleet = Self::prepare().await;
        fleet.with(nodes, tokens, settings).await
    }

    /// The same with a standby, to which the database streams what it commits and waits for no answer.
    pub async fn start_with_standby(nodes: usize, tokens: usize, settings: &[(&'static str, &str)]) -> Self {
        let mut fleet = Self::prepare().await;
        let replication = Proxy::start(fleet.postgres.port).await;
        let port = replication.port;
        let server = tokio::task::spawn_blocking(move || Postgres::start_standby(port)).await.unwrap();
        fleet.standby = Some(Standby { server, replication });
        fleet.with(nodes, tokens, settings).await
    }

    async fn prepare() -> Self {
        let alone = ALONE.lock().await;
        let postgres = tokio::task::spawn_blocking(Postgres::start).await.unwrap();
        postgres.query("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let folder = tempfile::tempdir().unwrap();
        Self { nodes: Vec::new(), postgres, standby: None, tokens: Arc::default(), folder, _alone: alone }
    }

    async fn with(mut self, nodes: usize, tokens: usize, settings: &[(&'static str, &str)]) -> Self {
        // All at once: each wants to migrate, and one may.
        for _ in 0..nodes {
            self.add(settings).await;
        }
        for node in &self.nodes {
            node.wait_until_ready().await;
        }
        register(|statement| self.query(statement));
        self.tokens = Arc::new(self.grant(tokens));
        self
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
        let standby = match &self.standby {
            Some(standby) => Some(Proxy::start(standby.server.port).await),
            None => None,
        };
        let ports: Vec<u16> = [Some(&proxy), standby.as_ref()].into_iter().flatten().map(|proxy| proxy.port).collect();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut all = vec![
            ("OREST_DATABASE_URL", Postgres::url(&ports, DATABASE)),
            ("OREST_CLUSTER_LEASE", format!("{}ms", LEASE.as_millis())),
            ("OREST_ADMIN_PASSWORD", ADMIN.1.to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut node = Node { folder, process: None, settings: all, address, proxy, standby };
        node.start();
        self.nodes.push(node);
    }

    /// Authorizations by the administrator.
    pub fn grant(&self, count: usize) -> Vec<Token> {
        self.grant_by(ADMIN_ID, count)
    }

    /// Authorizations by anybody.
    pub fn grant_by(&self, user: i64, count: usize) -> Vec<Token> {
        grant(|statement| self.query(statement), &self.nodes[0].folder, user, count)
    }

    /// Runs a statement in the nodes' database.
    pub fn query(&self, statement: &str) -> String {
        self.postgres.query(DATABASE, statement)
    }

    /// Waits until so many nodes are known.
    pub async fn wait_for_nodes(&self, count: usize) {
        let deadline = Instant::now() + START;
        while self.query("SELECT count(*) FROM orest_node") != count.to_string() {
            assert!(Instant::now() < deadline, "they do not become {count}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The database is gone from one moment to the next, and its standby takes over: it is the database from now on.
    pub async fn fail_over(&mut self) {
        let standby = self.standby.take().expect("there is one");
        self.postgres.pull_the_plug();
        let promoted = move || {
            standby.server.promote();
            standby.server
        };
        self.postgres = tokio::task::spawn_blocking(promoted).await.unwrap();
    }
}

/// The application whose tokens these are, straight into the database that answers here.
pub fn register(query: impl Fn(&str) -> String) {
    let hash = SecretHash::of(CLIENT_SECRET);
    query(&format!(
        "INSERT INTO orest_application (name, client_id, client_secret_hash, scope, user_id, create_date, write_date)
         VALUES ('Chaos', '{CLIENT_ID}', '{}', 'read', {ADMIN_ID}, now(), now())",
        hash.as_str()
    ));
}

/// Authorizations straight into the database, as if they had been granted long ago, and a token for each, by the keys
/// in this folder.
pub fn grant(query: impl Fn(&str) -> String, folder: &Path, user: i64, count: usize) -> Vec<Token> {
    let ids = query(&format!(
        "INSERT INTO orest_authorization (application_id, user_id, grant_type, scope, create_date, write_date)
         SELECT (SELECT id FROM orest_application WHERE client_id = '{CLIENT_ID}'), {user}, 'authorization_code', 'read', now(), now()
         FROM generate_series(1, {count}) RETURNING id"
    ));
    let keys = KeyFile::in_folder(folder).load().unwrap();
    let now = unix(SystemClock.now());
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
    ids.lines().map(token).collect()
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

/// What a node says of a token; `None`: nothing.
pub async fn introspect(node: &Node, token: &Token) -> Option<bool> {
    introspect_at(node.address, token).await
}

/// The same of one that is no [`Node`].
pub async fn introspect_at(address: SocketAddr, token: &Token) -> Option<bool> {
    let answer = resource_server(address).post_form("/oauth2/introspect", &token.form).await.ok()?;
    let body: Value = (answer.status == 200).then(|| serde_json::from_str(&answer.body).unwrap())?;
    Some(body["active"].as_bool().unwrap())
}

/// Revokes in one act; the receipt, or what was answered in its place.
pub async fn revoke(admin: &mut Client, tokens: &[&Token]) -> Result<Value, Answer> {
    let ids: Vec<i64> = tokens.iter().map(|token| token.authorization).collect();
    let body = call("orest_revoke", json!({"selection": {"ids": ids}}));
    let answer = admin.post_json("/rpc", &body).await.unwrap();
    let mut said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match said["result"].take() {
        receipt if receipt["revocation_id"].is_i64() => Ok(receipt),
        _ => Err(answer),
    }
}

/// Revokes; what finds a connection that is gone is told so, and is to be sent again. The receipt, and when what has done it
/// was sent.
pub async fn revoke_at_last(admin: &mut Client, token: &Token) -> (Value, Instant) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let sent = Instant::now();
        match revoke(admin, &[token]).await {
            Ok(receipt) => return (receipt, sent),
            Err(answer) => assert!(answer.body.contains("try again") && Instant::now() < deadline, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
