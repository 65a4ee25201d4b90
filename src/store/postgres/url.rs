//! Where a PostgreSQL database is, and how a connection to it is made.

use std::fmt;
use std::io;
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_postgres::config::{Config, Host};
use tokio_postgres::tls::MakeTlsConnect;

use super::error::chain;
use super::socket::Socket;
use super::tls::{SslMode, Tls};
use super::{PgConnection, Session};
use crate::store::error::StoreError;

/// How long one server may take to let us in, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_PORT: u16 = 5432;
/// Where a server of this machine has its socket.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
/// A way that has been cut off is noticed, even where nobody waits for an answer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Where a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Place {
    /// A socket in the file system.
    Folder(PathBuf),
    /// A host.
    Host {
        /// Its name, which its certificate must have.
        name: String,
        /// Its address, where the URL says that.
        address: Option<IpAddr>,
        /// Its port.
        port: u16,
    },
}

/// `postgres://user:password@host:port/database?sslmode=…`, as PostgreSQL's own clients take it. Its texts never show the
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Box<Config>,
    ssl_mode: SslMode,
    root: Option<PathBuf>,
}

impl PostgresUrl {
    /// Whether a URL is of this kind.
    pub fn is_one(url: &str) -> bool {
        url.starts_with("postgres://") || url.starts_with("postgresql://")
    }

    /// Reads a URL; the error says what is wrong with it and repeats none of it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut ssl_mode, mut root, mut others) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => {
                    let wrong = "sslmode is disable, prefer, require, verify-ca or verify-full";
                    ssl_mode = Some(SslMode::parse(value).ok_or(wrong)?);
                }
                Some(("sslrootcert", value)) => {
                    let decoded = url::form_urlencoded::parse(value.as_bytes()).next();
                    root = decoded.map(|(path, _)| PathBuf::from(path.as_ref())).filter(|path| path != Path::new(""));
                }
                _ => others.push(pair),
            }
        }
        // As in libpq: whom the whole world may vouch for must at least have this name.
        let system = root.take_if(|root| root == Path::new("system")).is_some();
        let ssl_mode = match (system, ssl_mode) {
            (true, None | Some(SslMode::VerifyFull)) => SslMode::VerifyFull,
            (true, Some(_)) => return Err("sslrootcert=system needs sslmode=verify-full, or no sslmode".to_owned()),
            (false, ssl_mode) => ssl_mode.unwrap_or(SslMode::Prefer),
        };
        let mut config: Config =
            format!("{before}?{}", others.join("&")).parse().map_err(|error: tokio_postgres::Error| chain(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            let folder = SOCKET_FOLDERS.iter().find(|folder| Path::new(folder).is_dir()).ok_or("it names no host")?;
            config.host_path(folder);
        }
        config.ssl_mode(match ssl_mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            _ => tokio_postgres::config::SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("orest");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.keepalives(true).keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
        Ok(Self { config: Box::new(config), ssl_mode, root })
    }

    /// What tokio-postgres must know to enter, for whoever listens instead of asking.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The TLS that this URL asks for, for the same.
    pub fn tls(&self) -> Result<Tls, StoreError> {
        Tls::new(self.ssl_mode, self.root.as_deref()).map_err(|error| self.unavailable(&error))
    }

    /// The same server's database of another name.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// A connection to the first of the servers that lets us in and writes.
    pub(crate) fn connect(&self, session: Session) -> Result<PgConnection, StoreError> {
        let tls = self.tls()?;
        let mut refusals = Vec::new();
        for place in self.places() {
            match place {
                Place::Folder(path) => {
                    let socket = UnixStream::connect(&path).and_then(Socket::unix).map_err(|error| error.to_string());
                    match socket.and_then(|socket| self.enter(socket, "", &tls, session)) {
                        Ok(connection) => return Ok(connection),
                        Err(error) => refusals.push(format!("{}: {error}", path.display())),
                    }
                }
                Place::Host { name, address, port } => {
                    let found: Result<Vec<_>, _> = match address {
                        Some(address) => Ok(vec![(address, port).into()]),
                        None => (name.as_str(), port).to_socket_addrs().map(Iterator::collect),
                    };
                    match found {
                        Err(error) => refusals.push(format!("{name}: {error}")),
                        Ok(found) => {
                            for address in found {
                                match self.tcp(address).and_then(|socket| self.enter(socket, &name, &tls, session)) {
                                    Ok(connection) => return Ok(connection),
                                    Err(error) => refusals.push(format!("{address}: {error}")),
                                }
                            }
                        }
                    }
                }
            }
        }
        Err(self.nowhere(&refusals))
    }

    /// Where a server may be, in the order in which they are to be tried.
    pub(in crate::store) fn places(&self) -> Vec<Place> {
        let (hosts, addresses) = (self.config.get_hosts(), self.config.get_hostaddrs());
        let place = |index: usize| {
            let port = match self.config.get_ports() {
                [] => DEFAULT_PORT,
                [port] => *port,
                ports => ports.get(index).copied().unwrap_or(DEFAULT_PORT),
            };
            let address = addresses.get(index).copied();
            Some(match (hosts.get(index), address) {
                (Some(Host::Tcp(name)), _) => Place::Host { name: name.clone(), address, port },
                (Some(Host::Unix(folder)), None) => Place::Folder(folder.join(format!(".s.PGSQL.{port}"))),
                (_, Some(ip)) => Place::Host { name: ip.to_string(), address, port },
                (None, None) => return None,
            })
        };
        (0..hosts.len().max(addresses.len())).filter_map(place).collect()
    }

    /// No server lets us in, for these reasons.
    pub(in crate::store) fn nowhere(&self, refusals: &[String]) -> StoreError {
        StoreError::Unavailable(format!("{self}: {}", refusals.join("; ")))
    }

    /// How long one server may take to let us in.
    pub(in crate::store) fn timeout(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT)
    }

    fn tcp(&self, address: std::net::SocketAddr) -> Result<Socket, String> {
        let stream = TcpStream::connect_timeout(&address, self.timeout()).map_err(|error| error.to_string())?;
        prepare(&stream).and_then(|()| Socket::tcp(stream)).map_err(|error| error.to_string())
    }

    fn enter(&self, socket: Socket, host: &str, tls: &Tls, session: Session) -> Result<PgConnection, String> {
        let started = Instant::now();
        let handshake =
            MakeTlsConnect::<Socket>::make_tls_connect(&mut tls.clone(), host).map_err(|error| error.to_string())?;
        let entered = socket
            .run(self.timeout(), self.config.connect_raw(socket.clone(), handshake))
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("no answer within {:?}", self.timeout()))?;
        let (client, connection) = entered.map_err(|error| chain(&error))?;
        PgConnection::prepare(socket, client, connection, session)
            .inspect(|_| tracing::debug!(database = %self, ?session, took = ?started.elapsed(), "connected"))
    }

    fn unavailable(&self, error: &dyn fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("{self}: {error}"))
    }
}

/// What a connection of ours is like.
pub(in crate::store) fn prepare(stream: &impl AsFd) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]")?,
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let port = match self.config.get_ports() {
                [] => DEFAULT_PORT,
                [port] => *port,
                ports => ports.get(index).copied().unwrap_or(DEFAULT_PORT),
            };
            if port != DEFAULT_PORT {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://ann:s3cret@db.example/orest", "postgres://ann@db.example/orest"),
            ("postgresql://ann:s3cret@db:5433/orest?sslmode=require", "postgres://ann@db:5433/orest"),
            ("postgres://ann@a:1,b:2/orest?password=s3cret&sslmode=verify-full", "postgres://ann@a:1,b:2/orest"),
            ("postgres://ann:s3cret@[::1]:5433/orest", "postgres://ann@[::1]:5433/orest"),
            ("postgres:///orest?host=/run/pg&user=ann", "postgres://ann@/run/pg/orest"),
        ] {
            let parsed = PostgresUrl::parse(url).expect(url);
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(format!("{parsed:?}"), shown);
        }
    }

    #[test]
    fn the_machine_s_own_roots_vouch_for_names() {
        for (parameters, mode) in [
            ("", SslMode::Prefer),
            ("sslrootcert=", SslMode::Prefer),
            ("sslrootcert=system", SslMode::VerifyFull),
            ("sslmode=verify-full&sslrootcert=system", SslMode::VerifyFull),
            ("sslmode=verify-full", SslMode::VerifyFull),
        ] {
            let url = PostgresUrl::parse(&format!("postgres://ann@db/orest?{parameters}")).expect(parameters);
            assert_eq!((url.ssl_mode, url.root), (mode, None), "{parameters}");
        }
    }

    #[test]
    fn every_host_is_a_place() {
        let places = |url: &str| PostgresUrl::parse(url).expect(url).places();
        let host = |name: &str, address: Option<&str>, port| Place::Host {
            name: name.to_owned(),
            address: address.map(|address| address.parse().expect("an address")),
            port,
        };
        assert_eq!(places("postgres://a:1,b:2/orest"), [host("a", None, 1), host("b", None, 2)]);
        assert_eq!(places("postgres://a,b:7/orest"), [host("a", None, 5432), host("b", None, 7)]);
        assert_eq!(places("postgres://a/orest?hostaddr=192.0.2.1"), [host("a", Some("192.0.2.1"), 5432)]);
        let folder = Place::Folder(PathBuf::from("/run/pg/.s.PGSQL.5433"));
        assert_eq!(places("postgres:///orest?host=/run/pg&port=5433"), [folder]);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, message) in [
            (
                "postgres://ann:s3cret@db/orest?sslmode=allow",
                "sslmode is disable, prefer, require, verify-ca or verify-full",
            ),
            (
                "postgres://ann:s3cret@db/orest?sslrootcert=system&sslmode=require",
                "sslrootcert=system needs sslmode=verify-full, or no sslmode",
            ),
            ("postgres://ann:s3cret@db:x/orest", "invalid connection string: invalid value for option `port`"),
            ("postgres://ann:s3cret@db/orest?colour=red", "invalid connection string: unknown option `colour`"),
        ] {
            assert_eq!(PostgresUrl::parse(url).expect_err(url), message);
        }
    }
}
