//! Settings: command line over environment over file over defaults. Every complaint names the key and where it came from.

pub mod keys;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cluster::{LEASE_LENGTH, Settings};
use crate::store::DatabaseUrl;

/// What can be set, before it is checked. The same shape for the file and for what the command line and the environment
/// say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// `OREST_LISTEN`, `--listen`: address and port.
    pub listen: Option<String>,
    /// Where the data is.
    #[serde(default)]
    pub database: DatabaseLayer,
    /// `OREST_DATA_DIR`, `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `OREST_BASE_URL`, `--base-url`: how others reach it, such as `https://auth.example.com`.
    pub base_url: Option<String>,
    /// `OREST_DATABASE_NAME`: what Odoo clients call the database.
    pub database_name: Option<String>,
    /// `OREST_TRUST_PROXY`: whether `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trust_proxy: Option<bool>,
    /// `OREST_METRICS_LISTEN`, `--metrics-listen`: address and port of the metrics.
    pub metrics_listen: Option<String>,
    /// How it stands together with other nodes of the same database.
    #[serde(default)]
    pub cluster: ClusterLayer,
    /// Under which ids the Access API answers.
    #[serde(default)]
    pub access: AccessLayer,
    /// Sessions at the reverse proxy.
    #[serde(default)]
    pub gateway: GatewayLayer,
}

/// The section `access`, before it is checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLayer {
    /// `OREST_ACCESS_ACCOUNTS`, `--access-accounts`: separated by commas; in the file a list.
    pub accounts: Option<Vec<String>>,
    /// `OREST_ACCESS_ZONES`, `--access-zones`: the same.
    pub zones: Option<Vec<String>>,
}

impl AccessLayer {
    fn over(self, below: Self) -> Self {
        Self { accounts: self.accounts.or(below.accounts), zones: self.zones.or(below.zones) }
    }
}

/// The section `gateway`, before it is checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayLayer {
    /// `OREST_GATEWAY_COOKIE_DOMAIN`, `--gateway-cookie-domain`: such as `example.com`.
    pub cookie_domain: Option<String>,
}

impl GatewayLayer {
    fn over(self, below: Self) -> Self {
        Self { cookie_domain: self.cookie_domain.or(below.cookie_domain) }
    }
}

/// The section `database`, before it is checked.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseLayer {
    /// `OREST_DATABASE_URL`, `--database-url`.
    pub url: Option<String>,
}

/// A URL may hold a password.
impl std::fmt::Debug for DatabaseLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseLayer")
    }
}

/// The section `cluster`, before it is checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterLayer {
    /// `OREST_CLUSTER_LEASE`, `--cluster-lease`: such as `3s`.
    pub lease: Option<String>,
    /// `OREST_CLUSTER_REVOKE_WAIT`, `--cluster-revoke-wait`: such as `4s`.
    pub revoke_wait: Option<String>,
    /// `OREST_NODE_NAME`, `--node-name`.
    pub node_name: Option<String>,
}

impl ClusterLayer {
    fn over(self, below: Self) -> Self {
        Self {
            lease: self.lease.or(below.lease),
            revoke_wait: self.revoke_wait.or(below.revoke_wait),
            node_name: self.node_name.or(below.node_name),
        }
    }
}

impl Layer {
    /// Reads a TOML file.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let complain = |message: String| ConfigError { key: "--config", origin: path.display().to_string(), message };
        let text = std::fs::read_to_string(path).map_err(|error| complain(error.to_string()))?;
        toml::from_str(&text).map_err(|error| complain(error.message().to_owned()))
    }

    /// This layer, and where it says nothing, the one below.
    pub fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            database: DatabaseLayer { url: self.database.url.or(below.database.url) },
            data_dir: self.data_dir.or(below.data_dir),
            base_url: self.base_url.or(below.base_url),
            database_name: self.database_name.or(below.database_name),
            trust_proxy: self.trust_proxy.or(below.trust_proxy),
            metrics_listen: self.metrics_listen.or(below.metrics_listen),
            cluster: self.cluster.over(below.cluster),
            access: self.access.over(below.access),
            gateway: self.gateway.over(below.gateway),
        }
    }
}

/// A setting that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({origin}): {message}")]
pub struct ConfigError {
    /// Which.
    pub key: &'static str,
    /// What it was set to, or the file it came from.
    pub origin: String,
    /// Why not.
    pub message: String,
}

/// The settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the database is.
    pub database: DatabaseUrl,
    /// Where the sealing keys are, and the database unless told otherwise.
    pub data_dir: PathBuf,
    /// How others reach it; `None`: as it listens.
    pub base_url: Option<String>,
    /// What Odoo clients call the database.
    pub database_name: String,
    /// Whether forwarding headers are believed.
    pub trust_proxy: bool,
    /// Where the metrics are told; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// How it stands together with other nodes of the same database.
    pub cluster: Settings,
    /// What the other nodes call this one; `None`: by its machine and port.
    pub node_name: Option<String>,
    /// The account ids under which the Access API answers.
    pub access_accounts: Vec<String>,
    /// The zone ids under which it does.
    pub access_zones: Vec<String>,
    /// The domain whose hosts share the cookie of gateway sessions, without a dot in front.
    pub gateway_cookie_domain: Option<String>,
}

/// A little less than a request may take.
const REVOKE_WAIT_MAX: Duration = Duration::from_secs(50);

/// `$XDG_DATA_HOME/orest`, `~/.local/share/orest`, or `./orest-data` where there is no home.
fn default_data_dir() -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let data = std::env::var_os("XDG_DATA_HOME").filter(|data| !data.is_empty()).map(PathBuf::from);
    match data.or_else(|| home.map(|home| home.join(".local/share"))) {
        Some(data) => data.join("orest"),
        None => PathBuf::from("orest-data"),
    }
}

impl Config {
    /// Checks what has been set.
    pub fn new(layer: Layer) -> Result<Self, ConfigError> {
        let complain = |key, origin: &str, message: String| ConfigError { key, origin: origin.to_owned(), message };
        let listen = layer.listen.as_deref().unwrap_or("127.0.0.1:8070");
        let data_dir = layer.data_dir.unwrap_or_else(default_data_dir);
        let database = match layer.database.url.as_deref() {
            None => DatabaseUrl::Sqlite(data_dir.join("orest.sqlite3")),
            Some(url) => url.parse().map_err(|error: crate::store::connection::InvalidDatabaseUrl| {
                // What stands behind the scheme may be a password.
                let scheme = url.split_once("://").map_or("no scheme", |(scheme, _)| scheme);
                complain("database.url", &format!("{scheme}://…"), error.to_string())
            })?,
        };
        let database_name = layer.database_name.unwrap_or_else(|| "orest".to_owned());
        if database_name.is_empty() || !database_name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
            return Err(complain("database_name", &database_name, "use letters, digits, and _ . -".to_owned()));
        }
        let base_url = layer.base_url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &base_url {
            let parsed = url::Url::parse(url).map_err(|error| complain("base_url", url, error.to_string()))?;
            if !matches!(parsed.scheme(), "http" | "https") || parsed.query().is_some() || parsed.fragment().is_some() {
                return Err(complain("base_url", url, "must look like https://auth.example.com".to_owned()));
            }
        }
        let duration = |key, text: Option<&str>| {
            let read =
                |text| parse_duration(text).ok_or_else(|| complain(key, text, "must look like 3s or 500ms".to_owned()));
            text.map(read).transpose()
        };
        let cluster = layer.cluster;
        let lease = duration("cluster.lease", cluster.lease.as_deref())?.unwrap_or(Settings::default().lease);
        if !LEASE_LENGTH.contains(&lease) {
            let message = "must be between 500ms and 30s, and the same on all nodes".to_owned();
            return Err(complain("cluster.lease", cluster.lease.as_deref().unwrap_or_default(), message));
        }
        let settings = Settings::with_lease(lease);
        let revoke_wait =
            duration("cluster.revoke_wait", cluster.revoke_wait.as_deref())?.unwrap_or(settings.revoke_wait);
        if revoke_wait > REVOKE_WAIT_MAX {
            let message = "must be at most 50s: a request ends after a minute".to_owned();
            return Err(complain("cluster.revoke_wait", cluster.revoke_wait.as_deref().unwrap_or_default(), message));
        }
        if let Some(name) = &cluster.node_name
            && (name.is_empty() || name.len() > 100 || !name.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(complain("cluster.node_name", name, "use up to 100 letters, digits and signs".to_owned()));
        }
        let ids = |key, ids: Option<Vec<String>>| {
            let ids: Vec<String> = ids.into_iter().flatten().map(|id| id.trim().to_owned()).collect();
            let is_id = |id: &String| {
                !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            };
            match ids.iter().find(|id| !is_id(id)) {
                Some(id) => Err(complain(key, id, "use letters, digits, - and _, and commas between ids".to_owned())),
                None => Ok(ids),
            }
        };
        let gateway_cookie_domain = layer.gateway.cookie_domain.map(|text| {
            check_cookie_domain(&text, base_url.as_deref())
                .map_err(|message| complain("gateway.cookie_domain", &text, message.to_owned()))
        });
        let metrics_listen = layer.metrics_listen.map(|text| {
            text.parse().map_err(|_| complain("metrics_listen", &text, "must look like 127.0.0.1:9100".to_owned()))
        });
        Ok(Self {
            metrics_listen: metrics_listen.transpose()?,
            cluster: Settings { revoke_wait, ..settings },
            node_name: cluster.node_name,
            access_accounts: ids("access.accounts", layer.access.accounts)?,
            access_zones: ids("access.zones", layer.access.zones)?,
            gateway_cookie_domain: gateway_cookie_domain.transpose()?,
            listen: listen
                .parse()
                .map_err(|_| complain("listen", listen, "must look like 127.0.0.1:8070".to_owned()))?,
            database,
            data_dir,
            base_url,
            database_name,
            trust_proxy: layer.trust_proxy.unwrap_or(false),
        })
    }
}

/// The domain without a dot in front and in small letters, if browsers take a cookie for it from the host of `base_url`.
fn check_cookie_domain(text: &str, base_url: Option<&str>) -> Result<String, &'static str> {
    let domain = text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase();
    let base = base_url.and_then(|url| url::Url::parse(url).ok()).filter(|base| base.scheme() == "https");
    let base = base.ok_or("needs a base_url that begins with https://")?;
    let Some(url::Host::Domain(host)) = base.host() else { return Err("needs a base_url with a name, not a number") };
    let is_part = host == domain || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    if is_part && domain.contains('.') {
        Ok(domain)
    } else {
        Err("must be the host of base_url or a domain that it is in, such as example.com for https://auth.example.com")
    }
}

/// Whole milliseconds, seconds or minutes: `500ms`, `3s`, `1m`.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().ok()?;
    Some(match unit {
        "ms" => Duration::from_millis(number.into()),
        "s" => Duration::from_secs(number.into()),
        "m" => Duration::from_secs(60) * number,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_set() {
        let read = |text: &str| Config::new(toml::from_str(text).expect("valid"));
        let config = read("[cluster]\nlease = \"500ms\"").expect("valid");
        assert_eq!(
            (config.cluster.lease, config.cluster.revoke_wait),
            (Duration::from_millis(500), Duration::from_millis(1_500))
        );
        let config = read("[cluster]\nlease = \"30s\"\nrevoke_wait = \"0s\"\nnode_name = \"auth-1\"").expect("valid");
        assert_eq!((config.cluster.lease, config.cluster.revoke_wait), (Duration::from_secs(30), Duration::ZERO));
        assert_eq!(config.node_name.as_deref(), Some("auth-1"));
        assert_eq!(Config::new(Layer::default()).expect("valid").cluster, Settings::default());
        for (text, expect) in [
            ("lease = \"499ms\"", "cluster.lease (499ms): must be between 500ms and 30s, and the same on all nodes"),
            ("lease = \"31s\"", "cluster.lease (31s): must be between 500ms and 30s, and the same on all nodes"),
            ("lease = \"3\"", "cluster.lease (3): must look like 3s or 500ms"),
            ("revoke_wait = \"-1s\"", "cluster.revoke_wait (-1s): must look like 3s or 500ms"),
            ("revoke_wait = \"1m\"", "cluster.revoke_wait (1m): must be at most 50s: a request ends after a minute"),
            ("node_name = \"a b\"", "cluster.node_name (a b): use up to 100 letters, digits and signs"),
        ] {
            assert_eq!(read(&format!("[cluster]\n{text}")).expect_err("must be refused").to_string(), expect);
        }
    }

    #[test]
    fn the_other_doors_are_set() {
        let read = |text: &str| Config::new(toml::from_str(text).expect("valid"));
        let config = read(
            "base_url = \"https://auth.example.com/\"\naccess = { accounts = [\"a1\", \" b-2 \"], zones = [\"z\"] }\n\
             gateway.cookie_domain = \".Example.com\"",
        );
        let config = config.expect("valid");
        assert_eq!(
            (config.access_accounts, config.access_zones),
            (vec!["a1".to_owned(), "b-2".to_owned()], vec!["z".to_owned()])
        );
        assert_eq!(config.gateway_cookie_domain.as_deref(), Some("example.com"));
        let config = Config::new(Layer::default()).expect("valid");
        assert!(
            config.access_accounts.is_empty()
                && config.access_zones.is_empty()
                && config.gateway_cookie_domain.is_none()
        );
        let part =
            "must be the host of base_url or a domain that it is in, such as example.com for https://auth.example.com";
        for (text, expect) in [
            (
                "access.accounts = [\"a/b\"]",
                "access.accounts (a/b): use letters, digits, - and _, and commas between ids".to_owned(),
            ),
            (
                "access.zones = [\"\"]",
                "access.zones (): use letters, digits, - and _, and commas between ids".to_owned(),
            ),
            (
                "base_url = \"http://auth.example.com\"\ngateway.cookie_domain = \"example.com\"",
                "gateway.cookie_domain (example.com): needs a base_url that begins with https://".to_owned(),
            ),
            (
                "base_url = \"https://192.0.2.1\"\ngateway.cookie_domain = \"2.1\"",
                "gateway.cookie_domain (2.1): needs a base_url with a name, not a number".to_owned(),
            ),
            (
                "base_url = \"https://auth.example.com\"\ngateway.cookie_domain = \"com\"",
                format!("gateway.cookie_domain (com): {part}"),
            ),
            (
                "base_url = \"https://auth.example.com\"\ngateway.cookie_domain = \"ample.com\"",
                format!("gateway.cookie_domain (ample.com): {part}"),
            ),
            (
                "base_url = \"https://example.com\"\ngateway.cookie_domain = \"auth.example.com\"",
                format!("gateway.cookie_domain (auth.example.com): {part}"),
            ),
        ] {
            assert_eq!(read(text).expect_err("must be refused").to_string(), expect);
        }
    }

    #[test]
    fn layers() {
        let file: Layer = toml::from_str("listen = \"127.0.0.1:1\"\ndatabase_name = \"a\"").expect("valid");
        let flags = Layer { listen: Some("127.0.0.1:2".to_owned()), ..Layer::default() };
        let config = Config::new(flags.over(file)).expect("valid");
        assert_eq!((config.listen.port(), config.database_name.as_str()), (2, "a"));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let layer = Layer::default;
        for (layer, expect) in [
            (Layer { listen: Some("here".to_owned()), ..layer() }, "listen (here): must look like 127.0.0.1:8070"),
            (
                Layer { database: DatabaseLayer { url: Some("mysql://ann:s3cret@x".to_owned()) }, ..layer() },
                "database.url (mysql://…): the database URL must look like sqlite:///path/to/orest.sqlite3 or \
                 postgres://user:password@host/database",
            ),
            (
                Layer { database: DatabaseLayer { url: Some("postgres://ann:s3cret@x?a=b".to_owned()) }, ..layer() },
                "database.url (postgres://…): invalid connection string: unknown option `a`",
            ),
            (
                Layer { base_url: Some("ftp://x".to_owned()), ..layer() },
                "base_url (ftp://x): must look like https://auth.example.com",
            ),
            (
                Layer { database_name: Some("a b".to_owned()), ..layer() },
                "database_name (a b): use letters, digits, and _ . -",
            ),
        ] {
            assert_eq!(Config::new(layer).expect_err("must be refused").to_string(), expect);
        }
        assert!(toml::from_str::<Layer>("lisen = 1").is_err(), "an unknown key is no setting");
    }
}
