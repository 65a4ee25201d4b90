//! The embedded database: one file, one process that writes.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use diesel::RunQueryDsl as _;
use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::sqlite::SqliteConnection;

use super::dialect;
use super::error::StoreError;

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
/// Page caches, in kB: the writer works all over the file. Readers have the system's cache: lists of a million rows are no faster with
/// more of their own, which each of them would keep.
const WRITER_CACHE: &str = "PRAGMA cache_size = -16384;";
const READER_CACHE: &str = "PRAGMA cache_size = -1024; PRAGMA query_only = ON;";

/// The one connection that writes. `create` makes a file that is not there.
pub(super) fn connect_writer(path: &Path, create: bool) -> Result<SqliteConnection, StoreError> {
    if !create && !path.exists() {
        return Err(StoreError::Unavailable(format!("{} does not exist", path.display())));
    }
    if create {
        // SQLite gives the files beside it the same mode.
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        made.map_err(|error| StoreError::Unavailable(format!("{}: {error}", path.display())))?;
    }
    connect(path, WRITER_CACHE)
}

/// A connection that reads a database which is there.
pub(super) fn connect_reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    connect(path, READER_CACHE)
}

/// Brings into the file what is committed and stands in the log beside it, which is empty then. Waits for who reads or writes.
pub(super) fn checkpoint(path: &Path) -> Result<(), StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Outcome {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        busy: i32,
    }
    let mut connection = connect_writer(path, false)?;
    match diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut connection)? {
        Outcome { busy: 0 } => Ok(()),
        Outcome { .. } => Err(StoreError::Unavailable("somebody else is using the database file".to_owned())),
    }
}

fn connect(path: &Path, cache: &str) -> Result<SqliteConnection, StoreError> {
    let mut connection =
        SqliteConnection::establish(&existing(path)).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    connection.batch_execute(&format!("PRAGMA busy_timeout = {};", BUSY_TIMEOUT.as_millis()))?;
    connection.batch_execute(PRAGMAS)?;
    dialect::register_functions(&mut connection)?;
    connection.batch_execute(cache)?;
    Ok(connection)
}

/// The file by an address that lets SQLite open it only if it is there. In the place of one that was moved it would make an empty
/// one, which has no tables.
fn existing(path: &Path) -> String {
    // What follows two slashes is a host.
    let mut address = if path.is_absolute() { "file://" } else { "file:" }.to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                address.push(char::from(*byte));
            }
            byte => write!(address, "%{byte:02X}").expect("a text takes what it is given"),
        }
    }
    address.push_str("?mode=rw");
    address
}

/// Which file it is: SQLite would go on writing to a file that nobody will ever open again. `None`: there is none.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Why a database can't be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process holds it.
    #[error("another orest serves this database already{}", .address.as_ref().map_or_else(String::new, |url| format!(", at {url}")))]
    Taken {
        /// Where that is reached. It says nothing while it starts, or while it moves the data elsewhere.
        address: Option<String>,
    },
    /// The file of the claim.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// Claims the database for one server.
pub(super) fn claim(path: &Path) -> Result<File, ClaimError> {
    let path = path.with_extension("lock");
    let complain = |error| ClaimError::Io { path: path.display().to_string(), error };
    // Nobody else may hold the lock, and so keep the server from starting.
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(complain)?;
    match file.try_lock() {
        Ok(()) => {
            // Who held it before is gone: nobody is to be sent to his address.
            file.set_len(0).map_err(complain)?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let noted = std::fs::read_to_string(&path).unwrap_or_default();
            Err(ClaimError::Taken { address: noted.lines().nth(1).map(str::to_owned) })
        }
        Err(std::fs::TryLockError::Error(error)) => Err(complain(error)),
    }
}

/// Notes in the claim's file which server holds it.
pub(super) fn note_server(claim: &mut File, server: &Server) -> io::Result<()> {
    use std::io::Write as _;
    claim.set_len(0)?;
    write!(claim, "{}\n{}\n", server.instance, server.base_url)
}

/// The server that holds the claim; `None`: there is none. Makes no file.
pub(super) fn server(path: &Path) -> io::Result<Option<Server>> {
    let file = match File::open(path.with_extension("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(std::fs::TryLockError::WouldBlock) => {
            let text = io::read_to_string(file)?;
            let mut lines = text.lines().map(str::to_owned);
            let (instance, base_url) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
            Ok(Some(Server { instance, base_url }))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["orest.sqlite3", "a b#c?d%20&e=f;g", "größe"] {
            let path = folder.path().join(name);
            assert!(matches!(connect_reader(&path), Err(StoreError::Unavailable(_))), "{name}");
            assert!(!path.exists(), "{name}");
            connect_writer(&path, true).expect("is made");
            connect_reader(&path).expect("is there");
            assert_eq!(std::fs::metadata(&path).expect("is there").mode() & 0o777, 0o600, "{name}");
        }
        let doubled = std::path::PathBuf::from(format!("/{}/orest.sqlite3", folder.path().display()));
        connect_reader(&doubled).expect("is the same");
    }
}
