//! `orest serve`: everything, with one command.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use clap::Args;
use clap::builder::BoolishValueParser;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::{Place, start};
use crate::app::App;
use crate::cluster::Description;
use crate::config::{AccessLayer, ClusterLayer, Config, GatewayLayer, Layer};
use crate::limits;
use crate::service::demo::{Demo, logins};
use crate::store::Server;
use crate::transport::{metrics, server};

/// Serve all doors.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address and port to listen at [default: 127.0.0.1:8070]
    #[arg(long, value_name = "ADDR", env = "OREST_LISTEN")]
    listen: Option<String>,
    /// How others reach it, such as https://auth.example.com [default: http:// and the address]
    #[arg(long, value_name = "URL", env = "OREST_BASE_URL")]
    base_url: Option<String>,
    /// What Odoo clients call the database [default: orest]
    #[arg(long, value_name = "NAME", env = "OREST_DATABASE_NAME")]
    database_name: Option<String>,
    /// Believe X-Forwarded-For: only behind a reverse proxy that sets it
    #[arg(long, env = "OREST_TRUST_PROXY", value_parser = BoolishValueParser::new())]
    trust_proxy: bool,
    /// Address and port at which /metrics is served, in Prometheus' text format [default: not at all]
    #[arg(long, value_name = "ADDR", env = "OREST_METRICS_LISTEN")]
    metrics_listen: Option<String>,
    /// What the other nodes call this one [default: the machine's name and the port]
    #[arg(long, value_name = "NAME", env = "OREST_NODE_NAME")]
    node_name: Option<String>,
    /// On PostgreSQL: how long a node that is cut off may go on answering, the same on all nodes [default: 3s]
    #[arg(long, value_name = "TIME", env = "OREST_CLUSTER_LEASE")]
    cluster_lease: Option<String>,
    /// On PostgreSQL: how long a revocation waits for the other nodes [default: the lease and 1s]
    #[arg(long, value_name = "TIME", env = "OREST_CLUSTER_REVOKE_WAIT")]
    cluster_revoke_wait: Option<String>,
    /// The account ids, separated by commas, under which Cloudflare's revoke_user is answered [default: none]
    #[arg(long, value_name = "IDS", env = "OREST_ACCESS_ACCOUNTS", value_delimiter = ',')]
    access_accounts: Option<Vec<String>>,
    /// The zone ids, the same [default: none]
    #[arg(long, value_name = "IDS", env = "OREST_ACCESS_ZONES", value_delimiter = ',')]
    access_zones: Option<Vec<String>>,
    /// The domain, such as example.com, whose hosts share a session at the reverse proxy [default: only the own host]
    #[arg(long, value_name = "DOMAIN", env = "OREST_GATEWAY_COOKIE_DOMAIN")]
    gateway_cookie_domain: Option<String>,
    /// The administrator's password at the very first start [default: generated and printed once]
    #[arg(long, value_name = "PASSWORD", env = "OREST_ADMIN_PASSWORD", hide_env_values = true)]
    admin_password: Option<String>,
    /// Fill an empty database with a small company to try everything on; passwords are the logins
    #[arg(long)]
    demo: bool,
}

/// What the demo writes beside its database, so that scripts need not read the screen. Mode 0600.
#[derive(Serialize, Deserialize)]
struct DemoFile {
    url: String,
    database: String,
    users: Vec<DemoUser>,
    applications: Vec<DemoApplication>,
    access_token: Option<String>,
    api_key: String,
}

#[derive(Serialize, Deserialize)]
struct DemoUser {
    login: String,
    password: String,
}

#[derive(Serialize, Deserialize)]
struct DemoApplication {
    name: String,
    client_id: String,
    client_secret: Option<String>,
    redirect_uris: Vec<String>,
    scope: String,
}

impl Serve {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let layer = Layer {
            listen: self.listen,
            base_url: self.base_url,
            database_name: self.database_name,
            trust_proxy: self.trust_proxy.then_some(true),
            metrics_listen: self.metrics_listen,
            cluster: ClusterLayer {
                lease: self.cluster_lease,
                revoke_wait: self.cluster_revoke_wait,
                node_name: self.node_name,
            },
            access: AccessLayer { accounts: self.access_accounts, zones: self.access_zones },
            gateway: GatewayLayer { cookie_domain: self.gateway_cookie_domain },
            ..Layer::default()
        };
        let config = self.place.config(layer)?;
        let mut claim = App::claim(&config)?;
        let app = start(&config).await?;
        // The address is taken before anything is printed: whoever reads it can use it.
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| anyhow::anyhow!("can't listen at {}: {error}", config.listen))?;
        let address = listener.local_addr()?;
        let base_url = config.base_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let this = Server { instance: app.service.instance().to_owned(), base_url: base_url.clone() };
        claim.note_server(&this)?;

        let demo = if self.demo { prepare_demo(&app, &config, &base_url).await? } else { None };
        let generated = app.service.ensure_administrator(self.admin_password).await?;
        app.service.spawn_background();
        tokio::spawn(App::watch_keys(app.service.clone(), app.keys.clone()));

        if let Some(address) = config.metrics_listen {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| anyhow::anyhow!("can't listen at {address} for the metrics: {error}"))?;
            let router = metrics::router(app.service.clone());
            tokio::spawn(server::serve(listener, router, limits::HEADERS_TIMEOUT, std::future::pending()));
        }
        let name = config.node_name.clone().unwrap_or_else(|| default_name(address));
        app.service.cluster().join(Description { name, address: base_url.clone() }).await;

        println!("orest {} listens at {base_url}", env!("CARGO_PKG_VERSION"));
        println!("  data      {}", config.data_dir.display());
        println!("  database  {} (the name that Odoo clients give)", config.database_name);
        if let Some(pairing) = app.service.pairing() {
            println!("  paired    with {}, whose users its users are", pairing.odoo_url);
        }
        if let Some(password) = generated {
            println!("  sign in   admin / {}   (shown this once; change it)", password.reveal());
        }
        if let Some(demo) = &demo {
            print_demo(demo, &base_url);
            if app.service.pairing().is_none() {
                let folder = config.data_dir.display();
                println!("\nTry it with an Odoo: orest pair --data-dir {folder} --odoo-url http://localhost:8069");
            }
        } else if self.demo {
            println!("  The database is not a demo's: nothing was added to it.");
        }
        println!("Ready.");
        std::io::stdout().flush()?;

        let router = app.router(&config, base_url);
        let service = app.service.clone();
        let stop = async move {
            tokio::select! {
                () = shutdown() => {}
                () = service.writer_ended() => tracing::error!("the thread that writes has ended by a mistake of ours; stopping"),
            }
        };
        server::serve(listener, router, limits::HEADERS_TIMEOUT, stop).await;
        if !app.service.can_write() {
            anyhow::bail!("the thread that writes has ended by a mistake of ours; the log has it. Start again");
        }
        if let Err(error) = app.service.flush_used().await {
            tracing::warn!(%error, "could not write down which tokens were used last");
        }
        if let Err(error) = app.service.cluster().leave().await {
            tracing::warn!(%error, "could not tell the other nodes that this one stops; they find out when its lease ends");
        }
        if app.service.cluster().is_alone() {
            // Of the last acts something is still to be written, which would come behind the checkpoint. With other nodes there
            // is always something, and they do it.
            if let Err(error) = app.service.filled().await {
                tracing::warn!(%error, "the lists' columns of the last acts are not filled in; the next start does that");
            }
            app.service.checkpoint().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The machine's name and the port.
fn default_name(address: SocketAddr) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", address.port())
}

/// SIGINT or SIGTERM.
async fn shutdown() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping: answering what has been asked");
}

/// Loads the demo, or finds the one that was loaded before; `None`: somebody lives there already.
async fn prepare_demo(app: &App, config: &Config, base_url: &str) -> anyhow::Result<Option<DemoFile>> {
    let path = config.data_dir.join("demo.json");
    let mut file = match app.service.load_demo().await? {
        Some(demo) => describe(&demo, config),
        None if path.exists() => serde_json::from_str(&fs::read_to_string(&path)?)?,
        None => return Ok(None),
    };
    base_url.clone_into(&mut file.url);
    file.access_token = app.service.demo_token().await?.map(|token| token.reveal().to_owned());
    write_private(&path, &serde_json::to_string_pretty(&file)?)?;
    Ok(Some(file))
}

fn describe(demo: &Demo, config: &Config) -> DemoFile {
    let user = |login: &str| DemoUser { login: login.to_owned(), password: login.to_owned() };
    DemoFile {
        url: String::new(),
        database: config.database_name.clone(),
        users: logins().map(user).collect(),
        applications: demo
            .applications
            .iter()
            .map(|application| DemoApplication {
                name: application.name.to_owned(),
                client_id: application.client_id.to_owned(),
                client_secret: application.client_secret.as_ref().map(|secret| secret.reveal().to_owned()),
                redirect_uris: application.redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
                scope: application.scope.to_owned(),
            })
            .collect(),
        access_token: None,
        api_key: demo.api_key.reveal().to_owned(),
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

fn print_demo(demo: &DemoFile, base_url: &str) {
    let more = demo.users.len().saturating_sub(3);
    println!("  sign in   admin / admin (administrator), alice / alice, bob / bob and {more} more");
    println!("  API key   {} (admin's)", demo.api_key);
    println!("\nApplications (client id and secret):");
    for application in &demo.applications {
        let secret = application.client_secret.as_deref().unwrap_or("public, no secret");
        println!("  {:<22} {:<22} {secret}", application.name, application.client_id);
    }
    let (Some(token), Some(first)) = (&demo.access_token, demo.applications.first()) else { return };
    println!("\nAn access token that is live for an hour (alice let {} in):\n  {token}", first.name);
    let secret = first.client_secret.as_deref().unwrap_or_default();
    println!("\nTry first whether it is good:");
    println!("  curl -s -u {}:{secret} -d token={token} {base_url}/oauth2/introspect", first.client_id);
}
