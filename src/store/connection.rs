//! Which database it is, and how a connection to it is made. With [`super::dialect`] the only place that knows.

use std::path::PathBuf;
use std::time::Duration;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};

use super::error::StoreError;

/// A connection to the database.
pub type Connection = diesel::sqlite::SqliteConnection;
/// Its query language.
pub type Backend = diesel::sqlite::Sqlite;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:///path/to/file`
    Sqlite(PathBuf),
}

/// The URL names no database that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database URL must look like sqlite:///path/to/orest.sqlite3")]
pub struct InvalidDatabaseUrl;

impl std::str::FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix("sqlite://").ok_or(InvalidDatabaseUrl)?;
        if path.is_empty() { Err(InvalidDatabaseUrl) } else { Ok(Self::Sqlite(path.into())) }
    }
}

/// A running server, as it has noted itself beside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// What `/ready` says of it: random, from start to end.
    pub instance: String,
    /// Where it is reached.
    pub base_url: String,
}

/// How long a connection waits for another process that holds the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// WAL: readers never wait for the writer. FULL: an answer that was given survives a power cut. No memory map: it would count
/// as ours, and the system's own cache serves as well.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
     PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";
/// Page caches, in kB: the writer works all over the file, readers look at a page here and there.
const WRITER_CACHE: &str = "PRAGMA cache_size = -16384;";
const READER_CACHE: &str = "PRAGMA cache_size = -4096; PRAGMA query_only = ON;";

#[derive(Debug)]
struct Prepare {
    readonly: bool,
}

impl CustomizeConnection<Connection, diesel::r2d2::Error> for Prepare {
    fn on_acquire(&self, connection: &mut Connection) -> Result<(), diesel::r2d2::Error> {
        prepare(connection, self.readonly).map_err(diesel::r2d2::Error::QueryError)
    }
}

fn prepare(connection: &mut Connection, readonly: bool) -> QueryResult<()> {
    connection.batch_execute(&format!("PRAGMA busy_timeout = {};", BUSY_TIMEOUT.as_millis()))?;
    connection.batch_execute(PRAGMAS)?;
    super::dialect::register_functions(connection)?;
    connection.batch_execute(if readonly { READER_CACHE } else { WRITER_CACHE })?;
    Ok(())
}

impl DatabaseUrl {
    /// The one connection that writes. `create` makes a file that is not there.
    pub fn connect_writer(&self, create: bool) -> Result<Connection, StoreError> {
        let Self::Sqlite(path) = self;
        if !create && !path.exists() {
            return Err(StoreError::Unavailable(format!("{} does not exist", path.display())));
        }
        if create {
            // SQLite gives the files beside it the same mode.
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut options = std::fs::OpenOptions::new();
            let made = options.write(true).create(true).truncate(false).mode(0o600).open(path);
            made.map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
        }
        let mut connection = Connection::establish(&path.to_string_lossy())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        prepare(&mut connection, false)?;
        Ok(connection)
    }

    /// Which file it is, to notice that it has been moved away or replaced under us: SQLite would go on writing to a
    /// file that nobody will ever open again. `None`: there is none.
    pub fn identity(&self) -> Option<(u64, u64)> {
        use std::os::unix::fs::MetadataExt as _;
        let Self::Sqlite(path) = self;
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }

    /// Claims the database for one server: another one would not hear of this one's revocations. The claim ends with the
    /// file that is returned, or with the process.
    pub fn claim(&self) -> Result<std::fs::File, StoreError> {
        let Self::Sqlite(path) = self;
        let path = path.with_extension("lock");
        // Nobody else may hold the lock, and so keep the server from starting.
        use std::os::unix::fs::OpenOptionsExt as _;
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(_) => Err(StoreError::Unavailable("another orest serves this database already".to_owned())),
        }
    }

    /// Notes in the claim's file which server holds it, for [`Self::server`].
    pub fn note_server(claim: &mut std::fs::File, server: &Server) -> std::io::Result<()> {
        use std::io::Write as _;
        claim.set_len(0)?;
        write!(claim, "{}\n{}\n", server.instance, server.base_url)
    }

    /// The server that holds the claim; `None`: there is none. Makes no file.
    pub fn server(&self) -> Result<Option<Server>, std::io::Error> {
        let Self::Sqlite(path) = self;
        let file = match std::fs::File::open(path.with_extension("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(std::fs::TryLockError::WouldBlock) => {
                let text = std::io::read_to_string(file)?;
                let mut lines = text.lines().map(str::to_owned);
                let (instance, base_url) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
                Ok(Some(Server { instance, base_url }))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether only one node can serve it.
    pub const fn is_for_one_node(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
        }
    }

    /// The file, for messages.
    pub fn path(&self) -> &std::path::Path {
        let Self::Sqlite(path) = self;
        path
    }

    /// One connection that reads a database which is there.
    pub fn connect_reader(&self) -> Result<Connection, StoreError> {
        let Self::Sqlite(path) = self;
        let mut connection = Connection::establish(&path.to_string_lossy())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        prepare(&mut connection, true)?;
        Ok(connection)
    }

    /// Connections that read.
    pub fn reader_pool(&self, size: u32) -> Result<Pool<ConnectionManager<Connection>>, StoreError> {
        let Self::Sqlite(path) = self;
        Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(BUSY_TIMEOUT)
            .connection_customizer(Box::new(Prepare { readonly: true }))
            .build(ConnectionManager::new(path.to_string_lossy()))
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}
