//! `docs/examples/three-nodes.sh`, as somebody runs it who wants to see several nodes at work, and ends it with Ctrl-C.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::fleet::{ADMIN, Token, administrator, grant, introspect_at, register, revoke};
use super::postgres::{Postgres, ask, find_binaries, unprivileged, unprivileged_folder};
use crate::support::database::Kind;

const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The script while it runs, in a group of processes as on a terminal.
struct Example {
    child: Child,
    /// What it printed until all was there.
    printed: String,
    nodes: [SocketAddr; 3],
    database: SocketAddr,
}

impl Example {
    fn start(folder: &Path, port: u16) -> Self {
        let path = [folder.join("bin"), find_binaries().unwrap(), "/usr/bin".into(), "/bin".into()];
        // What runs in the background has Ctrl-C ignored, and a shell can't undo that for itself.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/three-nodes.sh"))
            .arg(folder.join("three-nodes"))
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("OREST_EXAMPLE_PORT", port.to_string())
            .env("OREST_ADMIN_PASSWORD", ADMIN.1)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        unprivileged(&mut command);
        let child = command.spawn().unwrap();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let nodes = [0, 1, 2].map(|number| at(port + number));
        let mut example = Self { child, printed: String::new(), nodes, database: at(port - 1) };
        let mut output = BufReader::new(example.child.stdout.take().unwrap());
        while !example.printed.ends_with("Ctrl-C ends them.\n") {
            assert!(output.read_line(&mut example.printed).unwrap() > 0, "it ended: {}", example.printed);
        }
        example
    }

    fn query(&self, statement: &str) -> String {
        let url = Postgres::url(&[self.database.port()], "orest");
        ask(&url, statement).unwrap_or_else(|| panic!("{statement} is refused"))
    }

    async fn check_all(&self, token: &Token, active: bool) {
        for node in self.nodes {
            assert_eq!(introspect_at(node, token).await, Some(active), "{node}");
        }
    }

    /// Ctrl-C, which goes to all that were started there. Everything has ended with it.
    async fn end(mut self) {
        self.signal("-INT");
        let deadline = Instant::now() + ENDS_WITHIN;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            assert!(Instant::now() < deadline, "it does not end");
        };
        assert_eq!(status.code(), Some(0), "{}", self.printed);
        for address in self.nodes.into_iter().chain([self.database]) {
            assert!(TcpStream::connect(address).is_err(), "somebody answers at {address}");
        }
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, "--", &format!("-{}", self.child.id())]).status();
    }
}

impl Drop for Example {
    /// A test that fails leaves nobody behind.
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal("-TERM");
            let _ = self.child.wait();
        }
    }
}

/// The first of three ports with nobody at them, nor at the one below.
fn free_ports() -> u16 {
    for _ in 0..50 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others = [port.checked_sub(1), port.checked_add(1), port.checked_add(2)];
        if others.into_iter().all(|port| port.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())) {
            return port;
        }
    }
    panic!("no four ports side by side are free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_started_and_ended_by_the_script() {
    if !Kind::has_postgres() {
        return;
    }
    let folder = unprivileged_folder("orest-example-");
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // Where it is built not everybody may go.
    let binary = env!("CARGO_BIN_EXE_orest");
    if fs::hard_link(binary, bin.join("orest")).is_err() {
        fs::copy(binary, bin.join("orest")).unwrap();
    }
    let port = free_ports();

    let example = Example::start(folder.path(), port);
    for name in ["first", "second", "third"] {
        let row = |line: &&str| line.split_whitespace().any(|word| word == name) && line.contains("held (");
        assert_eq!(example.printed.lines().filter(row).count(), 1, "{name}: {}", example.printed);
    }
    for (number, node) in example.nodes.into_iter().enumerate() {
        assert!(example.printed.contains(&format!("http://{node}")), "{}", example.printed);
        let ready = Client::new(node).get("/ready").await.unwrap();
        assert_eq!(ready.status, 200, "node {number}: {ready:?}");
    }
    register(|statement| example.query(statement));
    let keys = folder.path().join("three-nodes/first");
    let tokens = grant(|statement| example.query(statement), &keys, 2, 3);
    for (token, node) in tokens.iter().zip(example.nodes) {
        example.check_all(token, true).await;
        let receipt = revoke(&mut administrator(node), &[token]).await.unwrap();
        assert_eq!((&receipt["nodes"], &receipt["unconfirmed"]), (&3.into(), &serde_json::json!([])));
        example.check_all(token, false).await;
    }
    example.end().await;
    assert!(!folder.path().join("three-nodes/postgres/postmaster.pid").exists());

    // What they hold stays, for the next time.
    let example = tokio::task::block_in_place(|| Example::start(folder.path(), port));
    for token in &tokens {
        example.check_all(token, false).await;
    }
    example.end().await;
}
