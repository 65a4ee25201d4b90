//! A PostgreSQL server of a test's own, for what can't be done to one that others use: restart it, put it back to an earlier
//! state, pull its plug and let a standby take over.

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
        let mut server = Self::new();
        server
            .make("initdb", &["--username=orest", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        server.go_on();
        server
    }

    fn new() -> Self {
        let binaries = find_binaries().expect("PostgreSQL's server is installed; tests/run postgres does that");
        let folder = unprivileged_folder("orest-postgres-");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { binaries, folder, process: None, port }
    }

    /// Makes its data by one of PostgreSQL's programs.
    fn make(&self, tool: &str, options: &[&str]) {
        let made = self.tool(tool).args(options).arg("-D").arg(self.data()).output().unwrap();
        assert!(made.status.success(), "{tool}: {}", String::from_utf8_lossy(&made.stderr));
    }

    /// The URL of a database, by the ports of its servers or of the proxies before them.
    pub fn url(ports: &[u16], database: &str) -> String {
        let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://orest@{}/{database}?sslmode=disable", hosts.join(","))
    }

    /// Starts a standby of the server at this port of loopback: it has all that is there now, and what streams to it after.
    pub fn start_standby(primary: u16) -> Self {
        let mut server = Self::new();
        // A proxy in between reads messages, and neither encryption nor the question for it is one.
        let way = format!("host=127.0.0.1 port={primary} user=orest sslmode=disable gssencmode=disable");
        // `-R`: it is a standby of whom it was copied from.
        server.make("pg_basebackup", &["-d", &way, "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        server.go_on();
        server
    }

    /// Lets commits be answered only when the standby has them on disk too. Returns when that is so.
    pub fn wait_for_standby_at_commit(&self) {
        self.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.query("postgres", "SELECT pg_reload_conf()");
        self.wait_until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "1");
    }

    /// Waits until the standby has on disk what is committed here by now.
    pub fn wait_until_copied(&self) {
        let at = self.query("postgres", "SELECT pg_current_wal_flush_lsn()");
        self.wait_until(&format!("SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= '{at}'"), "1");
    }

    /// Waits until no standby listens any more.
    pub fn wait_until_alone(&self) {
        self.wait_until("SELECT count(*) FROM pg_stat_replication", "0");
    }

    fn wait_until(&self, statement: &str, expect: &str) {
        let deadline = Instant::now() + START;
        while self.query("postgres", statement) != expect {
            assert!(Instant::now() < deadline, "{statement} does not become {expect}: {}", self.log());
        }
    }

    /// Makes a primary of a standby, and returns when it takes writes.
    pub fn promote(&self) {
        let done = self.tool("pg_ctl").args(["promote", "-w", "-D"]).arg(self.data()).output().unwrap();
        assert!(done.status.success(), "{}: {}", String::from_utf8_lossy(&done.stdout), self.log());
        assert_eq!(self.query("postgres", "SELECT pg_is_in_recovery()"), "f");
    }

    /// Ends it and all that work for it by SIGKILL at one moment, as when its machine loses power.
    pub fn pull_the_plug(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let id = process.id();
        let signal = |signal: &str, ids: &[&str]| {
            assert!(Command::new("kill").arg(signal).args(ids).status().unwrap().success());
        };
        // While it stands still it starts nobody, and those who end stay in the list.
        signal("-STOP", &[&id.to_string()]);
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let mut all = vec![id.to_string()];
        all.extend(children.split_whitespace().map(str::to_owned));
        signal("-KILL", &all.iter().map(String::as_str).collect::<Vec<_>>());
        process.wait().unwrap();
        // Whoever is killed leaves this to the next start, and there will be none.
        let notes = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        if let Some(memory) = notes.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
            let _ = Command::new("ipcrm").args(["-m", memory]).stderr(Stdio::null()).status();
        }
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
            // What was killed leaves nothing outside its folder.
            "dynamic_shared_memory_type=mmap",
            "wal_keep_size=64MB",
            // Between two looks for more from a primary that is gone; a promotion may wait for one.
            "wal_retrieve_retry_interval=100ms",
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
        ask(&Self::url(&[self.port], database), statement)
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
        unprivileged(&mut command);
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

/// Lets a command run as somebody whom PostgreSQL's programs don't refuse.
pub fn unprivileged(command: &mut Command) {
    if is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
}

/// A folder of such a one's own.
pub fn unprivileged_folder(prefix: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
    if is_root() {
        chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
    }
    folder
}

/// Runs a statement at this URL and gives what it answers, fields apart by `|`; `None`: it was refused.
pub fn ask(url: &str, statement: &str) -> Option<String> {
    let mut command = Command::new(find_binaries()?.join("psql"));
    command.current_dir("/").env_clear().stdin(Stdio::null());
    let output = command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]).output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The folder with the newest server on this machine.
pub fn find_binaries() -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("postgres").exists())
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder)
}
