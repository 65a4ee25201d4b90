//! A PostgreSQL server of a test's own, for what can't be done to one that others use: restart it, and put it back to an
//! earlier state as a failover does that has lost commits.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The user `nobody`: PostgreSQL refuses to run as root.
const UNPRIVILEGED: u32 = 65534;
const START: Duration = Duration::from_secs(60);

/// A server on loopback that ends with the test.
pub struct Postgres {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    process: Option<Child>,
    /// Where it listens.
    pub port: u16,
}

impl Postgres {
    /// Starts a new, empty server. Its data survives a crash, as in earnest: fsync is on.
    pub fn start() -> Self {
        let binaries = find_binaries().expect("PostgreSQL's server is installed; tests/run postgres does that");
        let folder = tempfile::Builder::new().prefix("orest-postgres-").tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { binaries, folder, process: None, port };
        let made = server
            .tool("initdb")
            .args(["--username=orest", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.go_on();
        server
    }

    /// The URL of a database, by the port of the server or of a proxy before it.
    pub fn url(port: u16, database: &str) -> String {
        format!("postgres://orest@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Starts it again after [`Self::stop`] and waits until it answers.
    pub fn go_on(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=64MB",
            "max_connections=60",
            "track_commit_timestamp=on",
            "log_line_prefix=%m [%p] ",
        ];
        let mut command = self.tool("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in settings {
            command.args(["-c", setting]);
        }
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + START;
        while self.try_query("postgres", "SELECT 1").is_none() {
            assert!(Instant::now() < deadline, "the server does not start: {}", self.log());
        }
    }

    /// Stops it at once, as an operator does who is in a hurry: connections are cut, what was committed stays.
    pub fn stop(&mut self) {
        self.end("-INT");
    }

    fn end(&mut self, signal: &str) {
        let Some(mut process) = self.process.take() else { return };
        let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
        let _ = process.wait();
    }

    /// Runs a statement and gives what it answers, fields apart by `|`.
    pub fn query(&self, database: &str, statement: &str) -> String {
        self.try_query(database, statement).unwrap_or_else(|| panic!("{statement}: {}", self.log()))
    }

    fn try_query(&self, database: &str, statement: &str) -> Option<String> {
        let mut command = self.tool("psql");
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &Self::url(self.port, database),
            "-c",
            statement,
        ]);
        let output = command.output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Keeps what it holds now; it is stopped for that.
    pub fn keep(&mut self) {
        self.stop();
        self.copy(&self.data(), &self.folder.path().join("kept"));
        self.go_on();
    }

    /// What was kept takes the place of what it holds: all commits since then are lost.
    pub fn fall_back(&mut self) {
        self.stop();
        fs::remove_dir_all(self.data()).unwrap();
        self.copy(&self.folder.path().join("kept"), &self.data());
        self.go_on();
    }

    fn copy(&self, from: &Path, to: &Path) {
        assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.current_dir("/").env_clear().stdin(Stdio::null());
        if is_root() {
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end("-QUIT");
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The folder with the newest server on this machine.
fn find_binaries() -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("postgres").exists())
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder)
}
