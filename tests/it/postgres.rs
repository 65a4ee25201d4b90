//! What only PostgreSQL can do to us: nodes that start at once, connections that end in the middle, commits that nobody
//! answers. And what neither database may: let an older version work on a newer one's tables.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};
use orest::domain::time::{Clock as _, SystemClock};
use orest::store::records::{self, SqlValue};
use orest::store::transfer::{Transfer, TransferError};
use orest::store::{DatabaseUrl, Store, StoreError};

use crate::command_line::{Server, orest};
use crate::support::database::{Kind, TestDatabase};

fn postgres() -> Option<TestDatabase> {
    Kind::has_postgres().then(|| TestDatabase::migrated(Kind::Postgres))
}

async fn open(url: &DatabaseUrl) -> Store {
    let url = url.clone();
    tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap()
}

/// Adds an application of this name.
async fn add(store: &Store, name: &str) -> Result<i64, StoreError> {
    let name = name.to_owned();
    store.write(move |tx| insert(tx.connection, &name)).await
}

fn insert(connection: &mut orest::store::Connection, name: &str) -> Result<i64, StoreError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let client_id = format!("client {}", COUNT.fetch_add(1, Ordering::Relaxed));
    let at = SqlValue::Timestamp("2026-11-20T12:00:00".parse().unwrap());
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let columns =
        [("name", text(name)), ("client_id", text(&client_id)), ("create_date", at.clone()), ("write_date", at)];
    records::insert(connection, "orest_application", &columns)
}

async fn names(store: &Store) -> Vec<String> {
    let read: Result<Vec<String>, StoreError> = store
        .read(|connection| {
            use orest::store::schema::orest_application::dsl;
            Ok(dsl::orest_application.order(dsl::id).select(dsl::name).load(connection)?)
        })
        .await;
    read.unwrap()
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[test]
fn nodes_that_start_at_once_migrate_once() {
    if !Kind::has_postgres() {
        return;
    }
    let database = TestDatabase::empty(Kind::Postgres);
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| Store::open(&database.url).map(|_| ()))).collect();
        nodes.into_iter().for_each(|node| node.join().unwrap().unwrap());
    });
    let applied: Number = diesel::sql_query("SELECT COUNT(*) AS number FROM __diesel_schema_migrations")
        .get_result(&mut database.connect())
        .unwrap();
    let steps = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap().count();
    assert_eq!(usize::try_from(applied.number), Ok(steps));
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    for kind in Kind::both() {
        let database = TestDatabase::migrated(kind);
        let step = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
        database.connect().batch_execute(step).unwrap();
        let Err(error) = Store::open(&database.url) else { panic!("{kind:?}: it opened") };
        assert!(matches!(&error, StoreError::Newer { step, .. } if step == "29990101000000"), "{kind:?}: {error}");
        assert!(error.to_string().contains("newer orest"), "{error}");
    }
}

/// A command of a new version must not change what a server of an old one works on.
#[test]
fn what_only_looks_brings_nothing_up_to_date() {
    for kind in Kind::both() {
        let database = TestDatabase::migrated(kind);
        let newest = "DELETE FROM __diesel_schema_migrations \
                      WHERE version = (SELECT MAX(version) FROM __diesel_schema_migrations)";
        assert!(Store::open_current(&database.url).is_ok(), "{kind:?}");
        database.connect().batch_execute(newest).unwrap();
        let Err(error) = Store::open_current(&database.url) else { panic!("{kind:?}: it opened") };
        assert!(matches!(&error, StoreError::Older { .. }), "{kind:?}: {error}");
        let empty = TestDatabase::empty(kind);
        let transfer = Transfer::begin(&database.url, &empty.url, SystemClock.now());
        let Err(TransferError::Store { error: StoreError::Older { .. }, .. }) = transfer else { panic!("{kind:?}") };
    }
    if Kind::has_postgres() {
        let empty = TestDatabase::empty(Kind::Postgres);
        assert!(matches!(Store::open_current(&empty.url), Err(StoreError::Older { .. })));
        let tables = "SELECT COUNT(*) AS number FROM pg_tables WHERE schemaname = 'public'";
        let tables: Number = diesel::sql_query(tables).get_result(&mut empty.connect()).unwrap();
        assert_eq!(tables.number, 0);
    }
}

#[test]
fn who_has_nothing_to_migrate_waits_for_nobody_who_does() {
    if !Kind::has_postgres() {
        return;
    }
    const LOCK: &str = "SELECT pg_advisory_lock(673782026)";
    let (current, empty) = (TestDatabase::migrated(Kind::Postgres), TestDatabase::empty(Kind::Postgres));
    let mut holder = current.connect();
    holder.batch_execute(LOCK).unwrap();
    assert!(Store::open(&current.url).is_ok());
    let mut holder = empty.connect();
    holder.batch_execute(LOCK).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| Store::open(&empty.url).map(|_| ()));
        let asked = "SELECT COUNT(*) AS number FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()";
        while diesel::sql_query(asked).get_result::<Number>(&mut holder).unwrap().number == 0 {
            std::thread::yield_now();
        }
        assert!(!waits.is_finished(), "it waits for its turn");
        holder.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
        waits.join().unwrap().unwrap();
    });
}

#[tokio::test]
async fn after_a_restart_of_the_server_it_works_at_once() {
    let Some(database) = postgres() else { return };
    let store = open(&database.url).await;
    add(&store, "before").await.unwrap();
    assert_eq!(names(&store).await, ["before"]);
    for round in 0..3 {
        // Every connection ends, as when the server is restarted; nobody was using one.
        database.leave();
        database.come_back();
        if round == 0 {
            assert_eq!(names(&store).await, ["before"]);
        }
        add(&store, &format!("after {round}")).await.unwrap();
    }
    assert_eq!(names(&store).await, ["before", "after 0", "after 1", "after 2"]);
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_undoes_its_work_and_no_other() {
    let Some(database) = postgres() else { return };
    let store = open(&database.url).await;
    let admin = Arc::new(std::sync::Mutex::new(database.connect()));
    let (reached, gate) = (Arc::new(tokio::sync::Notify::new()), Arc::new(std::sync::Barrier::new(2)));
    let broken = {
        let (store, admin, reached, gate) = (store.clone(), admin.clone(), reached.clone(), gate.clone());
        tokio::spawn(async move {
            store
                .write(move |tx| {
                    insert(tx.connection, "lost")?;
                    let pid: Number =
                        diesel::sql_query("SELECT pg_backend_pid()::bigint AS number").get_result(tx.connection)?;
                    reached.notify_one();
                    gate.wait();
                    diesel::sql_query("SELECT pg_terminate_backend($1)")
                        .bind::<Integer, _>(i32::try_from(pid.number).unwrap())
                        .execute(&mut *admin.lock().unwrap())?;
                    insert(tx.connection, "lost too")
                })
                .await
        })
    };
    reached.notified().await;
    // It comes while the first one is at work, and waits in the queue.
    let next = add(&store, "kept");
    let release = tokio::task::spawn_blocking(move || gate.wait());
    let (broken, next, released) = tokio::join!(broken, next, release);
    released.unwrap();
    assert!(matches!(broken.unwrap(), Err(StoreError::Unavailable(_))));
    next.unwrap();
    assert_eq!(names(&store).await, ["kept"]);
}

#[tokio::test]
async fn what_goes_on_after_a_refusal_is_not_kept_and_takes_nobody_along() {
    for kind in Kind::both() {
        let database = TestDatabase::migrated(kind);
        let store = open(&database.url).await;
        add(&store, "there").await.unwrap();
        // On SQLite a caller may go on after a refusal; on PostgreSQL he may think so.
        let stubborn: Result<(), StoreError> = store
            .write(|tx| {
                insert(tx.connection, "stubborn")?;
                assert!(matches!(insert(tx.connection, "there"), Err(StoreError::Conflict { .. })));
                Ok(())
            })
            .await;
        let refused = insert_twice(&store).await;
        assert_eq!(refused, "orest_application.name", "{kind:?}");
        match kind {
            Kind::Sqlite => stubborn.unwrap(),
            Kind::Postgres => assert!(stubborn.is_err()),
        }
        add(&store, "next").await.unwrap();
        let kept = names(&store).await;
        assert_eq!(kept.contains(&"stubborn".to_owned()), kind == Kind::Sqlite);
        assert!(kept.contains(&"next".to_owned()));
    }
}

/// What both databases call the constraint.
async fn insert_twice(store: &Store) -> String {
    match add(store, "there").await {
        Err(StoreError::Conflict { constraint, .. }) => constraint,
        other => panic!("{other:?}"),
    }
}

/// Stands between a node and its server, and cuts the line when a commit passes.
struct Proxy {
    port: u16,
    /// Whether the next commit is the last that is heard of this line.
    armed: Arc<AtomicBool>,
    /// Whether there is no way to the server any more.
    shut: Arc<AtomicBool>,
}

impl Proxy {
    /// `arrives`: the server gets the commit, and only its answer is lost.
    fn start(server: String, arrives: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        let shut = Arc::new(AtomicBool::new(false));
        let (cut, closed) = (armed.clone(), shut.clone());
        std::thread::spawn(move || {
            for node in listener.incoming() {
                let (mut node, cut, Ok(mut up)) = (node.unwrap(), cut.clone(), TcpStream::connect(&server)) else {
                    continue;
                };
                if closed.load(Ordering::SeqCst) {
                    continue;
                }
                let (mut back, mut answers) = (up.try_clone().unwrap(), node.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut answers);
                    let _ = answers.shutdown(Shutdown::Both);
                });
                std::thread::spawn(move || {
                    let mut buffer = [0; 65_536];
                    while let Ok(count @ 1..) = node.read(&mut buffer) {
                        let commits = buffer[..count].windows(7).any(|text| text == b"COMMIT\0");
                        if commits && cut.swap(false, Ordering::SeqCst) {
                            let _ = node.shutdown(Shutdown::Both);
                            if arrives {
                                up.write_all(&buffer[..count]).unwrap();
                            }
                            // Half closed: the server still does what it was told.
                            let _ = up.shutdown(Shutdown::Write);
                            return;
                        }
                        if up.write_all(&buffer[..count]).is_err() {
                            return;
                        }
                    }
                    let _ = up.shutdown(Shutdown::Write);
                });
            }
        });
        Self { port, armed, shut }
    }
}

#[tokio::test]
async fn what_has_become_of_a_commit_without_an_answer_is_asked() {
    let Some(database) = postgres() else { return };
    let url = std::env::var("OREST_TEST_POSTGRES_URL").unwrap();
    let server = url.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
    let name = database.url.to_string().rsplit('/').next().unwrap().to_owned();
    for (arrives, text) in [(true, "arrives"), (false, "does not")] {
        let proxy = Proxy::start(server.clone(), arrives);
        let base = url.rsplit_once('/').unwrap().0.replace(&server, &format!("127.0.0.1:{}", proxy.port));
        let store = open(&format!("{base}/{name}?sslmode=disable").parse().unwrap()).await;
        proxy.armed.store(true, Ordering::SeqCst);
        let written = add(&store, text).await;
        assert!(!proxy.armed.load(Ordering::SeqCst), "it was cut");
        let there = names(&store).await.contains(&text.to_owned());
        assert_eq!((written.is_ok(), there), (arrives, arrives), "{text}: {written:?}");
        add(&store, &format!("{text}, then")).await.unwrap();
    }
}

#[tokio::test]
async fn a_commit_that_nobody_can_be_asked_about_is_not_said_to_have_failed() {
    let Some(database) = postgres() else { return };
    let url = std::env::var("OREST_TEST_POSTGRES_URL").unwrap();
    let server = url.rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
    let name = database.url.to_string().rsplit('/').next().unwrap().to_owned();
    let proxy = Proxy::start(server.clone(), true);
    let base = url.rsplit_once('/').unwrap().0.replace(&server, &format!("127.0.0.1:{}", proxy.port));
    let store = open(&format!("{base}/{name}?sslmode=disable").parse().unwrap()).await;
    proxy.shut.store(true, Ordering::SeqCst);
    proxy.armed.store(true, Ordering::SeqCst);
    let written = add(&store, "perhaps").await;
    assert!(matches!(written, Err(StoreError::Undecided(_))), "{written:?}");
    let error = orest::service::Error::from(written.unwrap_err());
    assert!(matches!(error, orest::service::Error::Undecided) && error.to_string().contains("it may have been done"));
    proxy.shut.store(false, Ordering::SeqCst);
    assert_eq!(names(&store).await, ["perhaps"], "it was");
}

/// Speaks TLS with a certificate of its own for `localhost`, and lets nobody in; gives its port.
fn with_own_certificate() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let pem = include_bytes!("doctor/localhost.pem");
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8];
            if stream.read_exact(&mut request).is_err() || stream.write_all(b"S").is_err() {
                continue;
            }
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            // Who gets as far as saying his name is told that he may not enter.
            let _ = tls.read(&mut [0; 512]).and_then(|_| {
                let fields = b"SFATAL\0C28000\0Mthe door is shut\0\0";
                tls.write_all(b"E")?;
                tls.write_all(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes())?;
                tls.write_all(fields)
            });
        }
    });
    port
}

#[test]
fn the_server_is_trusted_as_far_as_sslmode_says() {
    let port = with_own_certificate();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/doctor/localhost.pem");
    let (inside, stranger) = ("the door is shut", "invalid peer certificate");
    let elsewhere = "certificate not valid for name";
    for (host, parameters, expect) in [
        ("localhost", "sslmode=require".to_owned(), inside),
        ("127.0.0.1", "sslmode=prefer".to_owned(), inside),
        ("localhost", "sslmode=verify-full".to_owned(), stranger),
        ("localhost", "sslrootcert=system".to_owned(), stranger),
        ("localhost", "sslmode=verify-ca".to_owned(), stranger),
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}"), inside),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}"), elsewhere),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}"), inside),
        ("localhost", "sslmode=require&sslrootcert=/nowhere.pem".to_owned(), "sslrootcert /nowhere.pem"),
    ] {
        let url: DatabaseUrl = format!("postgres://ann:s3cret@{host}:{port}/orest?{parameters}").parse().unwrap();
        let Err(error) = Store::open(&url) else { panic!("nobody is let in") };
        let text = error.to_string();
        assert!(text.contains(expect) && !text.contains("s3cret"), "{host} {parameters}: {text}");
    }
}

#[test]
fn no_message_holds_the_password() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url: DatabaseUrl = format!("postgres://ann:s3cret@{free}/orest").parse().unwrap();
    let Err(error) = Store::open(&url) else { panic!("nobody listens there") };
    assert!(matches!(error, StoreError::Unavailable(_)));
    for text in [error.to_string(), format!("{error:?}"), format!("{url:?}")] {
        assert!(text.contains(&free.to_string()) && !text.contains("s3cret"), "{text}");
    }
}

/// What a server that watches the nodes is told at this address.
fn metrics_at(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("application/openmetrics-text"), "{answer}");
    answer
}

#[test]
fn the_commands_work_on_postgresql() {
    if !Kind::has_postgres() {
        return;
    }
    let (database, folder) = (TestDatabase::empty(Kind::Postgres), tempfile::tempdir().unwrap());
    let text = database.url.to_string();
    // The server's superuser needs no password here, or has it in the URL, which texts do not show.
    let url = std::env::var("OREST_TEST_POSTGRES_URL").unwrap();
    let url = format!("{}/{}", url.rsplit_once('/').unwrap().0, text.rsplit('/').next().unwrap());
    let command = || {
        let mut command = orest(folder.path());
        command.env("OREST_DATABASE_URL", &url);
        command
    };
    let said = |command: &mut Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let server = Server::start(command().args(["serve", "--demo"]));
    assert!(!folder.path().join("orest.sqlite3").exists(), "there is one database");
    // A second node: the claim of a file is not for it.
    let measured = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let second = Server::start(command().args(["serve", "--node-name", "the-second", "--metrics-listen", &measured]));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let (code, report) = loop {
        let (code, report) = said(command().arg("doctor"));
        // The server answers before all is in memory.
        if !report.contains("is not ready") || std::time::Instant::now() > deadline {
            break (code, report);
        }
    };
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("on PostgreSQL ") && report.contains("nodes say different addresses"), "{report}");
    assert!(report.contains("nodes that serve this database under a lease: 2\n"), "{report}");
    let (code, nodes) = said(command().args(["nodes", "--format", "json"]));
    let nodes: serde_json::Value = serde_json::from_str(&nodes).unwrap_or_else(|error| panic!("{error}: {nodes}"));
    let nodes = nodes.as_array().unwrap();
    assert_eq!((code, nodes.len()), (Some(0), 2), "{nodes:?}");
    for node in nodes {
        assert_eq!((&node["lease"], &node["lease_ms"]), (&"held".into(), &3_000.into()), "{node}");
        assert!(node["applied_sequence"].is_u64() && node["lag"].is_u64() && node["version"].is_string(), "{node}");
    }
    let (code, table) = said(command().arg("nodes"));
    let first = nodes.iter().find(|node| node["name"] != "the-second").unwrap()["name"].as_str().unwrap();
    assert!(code == Some(0) && table.contains(first) && table.contains("the-second"), "{table}");
    assert!(table.contains("held (3.0 s)") && table.contains("Applied") && table.contains("Lag"), "{table}");
    let metrics = metrics_at(&measured);
    for node in [first, "the-second"] {
        assert!(metrics.contains(&format!("orest_node_lease_held{{node=\"{node}\"}} 1\n")), "{metrics}");
        assert!(metrics.contains(&format!("orest_node_lag{{node=\"{node}\"}} ")), "{metrics}");
    }
    for name in [
        "orest_applied_sequence ",
        "orest_lease_left_seconds ",
        "orest_barrier_seconds_count ",
        "orest_confirms_total ",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}: {metrics}");
    }
    let (code, keys) = said(command().args(["keys", "list"]));
    assert_eq!(code, Some(0), "{keys}");
    let (code, pairing) = said(command().args(["pair", "--odoo-url", "http://localhost:8069"]));
    assert!(code == Some(0) && pairing.contains("Credential"), "{pairing}");
    drop((server, second));
    // Killed, they take nothing back: their rows stay, and their leases end.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let report = loop {
        let (_, report) = said(command().arg("doctor"));
        if !report.contains("under a lease") || std::time::Instant::now() > deadline {
            break report;
        }
    };
    assert!(report.contains("node the-second has no lease (renewed ") && report.contains("or is gone"), "{report}");
    assert!(report.contains("the connection is refused") && !report.contains("the server itself runs"), "{report}");
    let gone =
        command().env("OREST_DATABASE_URL", "postgres://ann:s3cret@127.0.0.1:1/x").arg("doctor").output().unwrap();
    let report = String::from_utf8_lossy(&gone.stdout);
    assert!(
        report.contains("FAIL  database") && report.contains("ann@127.0.0.1:1") && !report.contains("s3cret"),
        "{report}"
    );
}
