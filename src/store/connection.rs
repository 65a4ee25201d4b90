//! Which database it is, and how a connection to it is made. With [`super::dialect`] the only place that knows.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::error::StoreError;
pub use super::multi::{AnyConnection as Connection, MultiBackend as Backend};
use super::postgres::{PostgresUrl, Session};
use super::sqlite;
pub use super::sqlite::{ClaimError, Server};

/// Where the database is. Its texts never show a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:///path/to/file`
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`
    Postgres(PostgresUrl),
}

/// The URL names no database that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// Neither of the two.
    #[error(
        "the database URL must look like sqlite:///path/to/orest.sqlite3 or postgres://user:password@host/database"
    )]
    Scheme,
    /// PostgreSQL's, with something wrong in it.
    #[error("{0}")]
    Postgres(String),
}

impl std::str::FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if PostgresUrl::is_one(text) {
            return PostgresUrl::parse(text).map(Self::Postgres).map_err(InvalidDatabaseUrl::Postgres);
        }
        match text.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            _ => Err(InvalidDatabaseUrl::Scheme),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl DatabaseUrl {
    /// A connection that writes. `create` makes a file that is not there; a server's databases are made by its
    /// administrator.
    pub fn connect_writer(&self, create: bool) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(path) => sqlite::connect_writer(path, create).map(Connection::Sqlite),
            Self::Postgres(url) => url.connect(Session::Write).map(Connection::Postgres),
        }
    }

    /// A connection that reads a database which is there.
    pub fn connect_reader(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(path) => sqlite::connect_reader(path).map(Connection::Sqlite),
            Self::Postgres(url) => url.connect(Session::Read).map(Connection::Postgres),
        }
    }

    /// A connection that changes the schema, however long that takes.
    pub fn connect_migrator(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(_) => self.connect_writer(true),
            Self::Postgres(url) => url.connect(Session::Migrate).map(Connection::Postgres),
        }
    }

    /// Whether only one node can serve it.
    pub const fn is_for_one_node(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// Whether it is a file that is not there; of a server only a connection tells.
    pub fn is_absent(&self) -> bool {
        self.path().is_some_and(|path| !path.exists())
    }

    /// Which file it is, to notice that it has been moved away or replaced under us. `None`: there is none.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        self.path().and_then(sqlite::identity)
    }

    /// Brings what is committed into the file itself; of a server's database that is the server's affair.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        self.path().map_or(Ok(()), sqlite::checkpoint)
    }

    /// Claims a file for one server: another one would not hear of this one's revocations. The claim ends with what is
    /// returned, or with the process. A database of a server is for many, and needs no claim.
    pub fn claim(&self) -> Result<Claim, ClaimError> {
        self.path().map(sqlite::claim).transpose().map(Claim)
    }

    /// The server that holds the claim; `None`: there is none, or the database is for many. Makes no file.
    pub fn server(&self) -> Result<Option<Server>, std::io::Error> {
        self.path().map_or(Ok(None), sqlite::server)
    }
}

/// The right to serve a database, as long as this is held.
#[derive(Debug)]
pub struct Claim(Option<File>);

impl Claim {
    /// Notes who holds it, for [`DatabaseUrl::server`].
    pub fn note_server(&mut self, server: &Server) -> std::io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |file| sqlite::note_server(file, server))
    }
}

impl Connection {
    /// Which server it is, and which of its lives; `None`: it is a file.
    pub(super) fn history(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(connection) => Some(connection.history()),
        }
    }

    /// Whether it is of no use any more, as far as can be known without asking.
    pub(super) fn is_lost(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(connection) => connection.is_lost(),
        }
    }
}
