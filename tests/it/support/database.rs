//! Databases for tests: each is new, nobody else's, and goes with its test.
//!
//! SQLite's are files. PostgreSQL's are made on the server that `OREST_TEST_POSTGRES_URL` names, whose superuser the tests
//! are; `tests/run postgres` starts one.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};

use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel_migrations::MigrationHarness as _;
use orest::store::{Connection, DatabaseUrl, migrations};

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    Sqlite,
    /// A server's.
    Postgres,
}

impl Kind {
    /// The one that `OREST_TEST_DATABASE` names, for tests that can run on either.
    pub fn of_this_run() -> Self {
        match std::env::var("OREST_TEST_DATABASE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("OREST_TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// Both, for tests that hold one against the other.
    pub fn both() -> Vec<Self> {
        if Self::has_postgres() { vec![Self::Sqlite, Self::Postgres] } else { vec![Self::Sqlite] }
    }

    /// Whether there is a PostgreSQL to test on. Without one a test fails, unless it was said that there shall be none.
    pub fn has_postgres() -> bool {
        if std::env::var_os("OREST_TEST_POSTGRES_URL").is_some() {
            return true;
        }
        let skip = std::env::var("OREST_SKIP_POSTGRES").is_ok_and(|text| text == "1");
        assert!(skip, "set OREST_TEST_POSTGRES_URL, or run tests/run postgres; OREST_SKIP_POSTGRES=1 does without");
        false
    }
}

/// A database of a test.
pub struct TestDatabase {
    /// Where it is.
    pub url: DatabaseUrl,
    kept: Kept,
}

enum Kept {
    Folder(tempfile::TempDir),
    Name(String),
}

impl TestDatabase {
    /// One with nothing in it.
    pub fn empty(kind: Kind) -> Self {
        Self::new(kind, "template0")
    }

    /// One with this version's schema.
    pub fn migrated(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => {
                let database = Self::new(kind, "");
                let mut connection = database.connect();
                connection.run_pending_migrations(migrations::SQLITE).unwrap();
                database
            }
            Kind::Postgres => Self::new(kind, template()),
        }
    }

    fn new(kind: Kind, template: &str) -> Self {
        match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/orest.sqlite3", folder.path().display()).parse().unwrap();
                Self { url, kept: Kept::Folder(folder) }
            }
            Kind::Postgres => {
                static COUNT: AtomicU32 = AtomicU32::new(0);
                let number = COUNT.fetch_add(1, Ordering::Relaxed);
                let name = format!("orest_test_{}_{number}", std::process::id());
                administer(&format!("DROP DATABASE IF EXISTS {name}"));
                administer(&format!("CREATE DATABASE {name} TEMPLATE {template}{}", strategy()));
                Self { url: url_of(&name), kept: Kept::Name(name) }
            }
        }
    }

    /// Its URL as a command takes it, with the password, which no text of [`Self::url`] has.
    pub fn full_url(&self) -> String {
        match &self.kept {
            Kept::Folder(_) => self.url.to_string(),
            Kept::Name(name) => text_of(name),
        }
    }

    /// A connection that may do anything, and take its time. Nothing is on disk for good.
    pub fn connect(&self) -> Connection {
        let mut connection = self.url.connect_migrator().unwrap();
        if matches!(connection, Connection::Sqlite(_)) {
            connection.batch_execute("PRAGMA synchronous = OFF;").unwrap();
        }
        connection
    }

    /// Goes where nobody reaches it. SQLite's readers go on with the file that they have.
    pub fn leave(&self) {
        match &self.kept {
            Kept::Folder(folder) => {
                std::fs::rename(folder.path().join("orest.sqlite3"), folder.path().join("elsewhere")).unwrap();
            }
            Kept::Name(name) => {
                administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
                administer(&format!(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
                ));
            }
        }
    }

    /// Is there again.
    pub fn come_back(&self) {
        match &self.kept {
            Kept::Folder(folder) => {
                std::fs::rename(folder.path().join("elsewhere"), folder.path().join("orest.sqlite3")).unwrap();
            }
            Kept::Name(name) => administer(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Kept::Name(name) = &self.kept {
            // It has ended with the tests if nobody takes it.
            let _ = sweeper().send(name.clone());
        }
    }
}

/// Who drops databases that are done with. Not the test itself: the server waits for a connection that is just being made, and
/// who makes it may be a task of the very runtime on whose thread the test ends.
fn sweeper() -> &'static mpsc::Sender<String> {
    static SWEEPER: OnceLock<mpsc::Sender<String>> = OnceLock::new();
    SWEEPER.get_or_init(|| {
        let (sender, names) = mpsc::channel::<String>();
        std::thread::spawn(move || {
            let mut connection = url_of("postgres").connect_migrator().unwrap();
            for left in left_behind(&mut connection).into_iter().chain(names) {
                // Whoever still looks at it, such as a pool that is about to be closed, is put out.
                let drop = format!("DROP DATABASE IF EXISTS {left} WITH (FORCE)");
                if let Err(error) = connection.batch_execute(&drop) {
                    println!("{left} stays: {error}");
                }
            }
        });
        sender
    })
}

/// Databases of runs that have ended, before theirs were swept away.
fn left_behind(connection: &mut Connection) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let names: Vec<Name> =
        diesel::sql_query("SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'orest\\_test\\_%'")
            .load(connection)
            .unwrap();
    let ended = |name: &String| {
        let process = name.split('_').nth(2).unwrap_or_default();
        !Path::new("/proc").join(process).exists()
    };
    names.into_iter().map(|row| row.name).filter(ended).collect()
}

/// Another database of the same server.
fn url_of(name: &str) -> DatabaseUrl {
    text_of(name).parse().unwrap_or_else(|error| panic!("OREST_TEST_POSTGRES_URL: {error}"))
}

/// Its URL, with the password.
fn text_of(name: &str) -> String {
    let url = std::env::var("OREST_TEST_POSTGRES_URL").expect("it was looked for");
    let (place, parameters) = url.split_once('?').map_or((url.as_str(), ""), |(place, rest)| (place, rest));
    let authority = place.rsplit_once('/').map_or(place, |(authority, _)| authority);
    let mut url = format!("{authority}/{name}");
    if !parameters.is_empty() {
        write!(url, "?{parameters}").unwrap();
    }
    url
}

fn administrator() -> MutexGuard<'static, Connection> {
    static ADMINISTRATOR: OnceLock<Mutex<Connection>> = OnceLock::new();
    let connection = ADMINISTRATOR.get_or_init(|| {
        assert!(Kind::has_postgres(), "this test needs PostgreSQL");
        Mutex::new(url_of("postgres").connect_migrator().unwrap())
    });
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn administer(sql: &str) {
    administrator().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// How a database is copied the quickest: by its files. Since PostgreSQL 15 that is not what happens by itself.
fn strategy() -> &'static str {
    static STRATEGY: OnceLock<&str> = OnceLock::new();
    STRATEGY.get_or_init(|| {
        let version: i32 = diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>(
            "current_setting('server_version_num')::integer",
        ))
        .get_result(&mut *administrator())
        .unwrap();
        if version >= 150_000 { " STRATEGY file_copy" } else { "" }
    })
}

/// A database with this version's schema, to copy. It stays, for the next run.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("orest_template_{:016x}", hash_of_migrations());
        // Other test binaries may want it at the same time.
        administer("SELECT pg_advisory_lock(20261121)");
        let found: i64 = diesel::select(diesel::dsl::sql::<BigInt>(&format!(
            "(SELECT COUNT(*) FROM pg_database WHERE datname = '{name}')"
        )))
        .get_result(&mut *administrator())
        .unwrap();
        if found == 0 {
            let made = TestDatabase::empty(Kind::Postgres);
            made.connect().run_pending_migrations(migrations::POSTGRES).unwrap();
            let Kept::Name(made_name) = &made.kept else { unreachable!("it is PostgreSQL's") };
            administer(&format!("CREATE DATABASE {name}_part TEMPLATE {made_name}"));
            administer(&format!("ALTER DATABASE {name}_part RENAME TO {name}"));
        }
        administer("SELECT pg_advisory_unlock(20261121)");
        name
    })
}

fn hash_of_migrations() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut steps: Vec<_> = std::fs::read_dir(folder).unwrap().map(|step| step.unwrap().path()).collect();
    steps.sort();
    let mut hasher = DefaultHasher::new();
    for step in steps {
        (step.file_name().unwrap(), std::fs::read(step.join("up.sql")).unwrap()).hash(&mut hasher);
    }
    hasher.finish()
}
