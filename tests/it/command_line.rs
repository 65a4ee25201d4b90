//! The binary itself: what it prints, what it makes, how it starts and refuses to.

mod acts;
mod app_users;
mod authorizations;
pub mod client;
mod full_disk;
pub mod gate;
mod help;
mod local;
mod passwd;
mod refusals;
mod revocations;
mod sessions;
mod stopping;
pub mod terminal;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use orest::domain::ids::UserId;
use orest::domain::time::{Clock as _, SystemClock};
use orest::store::users::{self, NewUser};
use orest::store::{DatabaseUrl, Store, StoreError};
use serde_json::{Value, json};

/// The command, with its data in this folder and nothing else set.
pub fn orest(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orest"));
    command.env_clear().env("OREST_DATA_DIR", folder).env("OREST_LOG", "warn");
    command
}

/// A server that is killed when the test ends, however it ends.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// What it printed until it was ready.
    pub printed: String,
}

impl Server {
    /// Starts it on a free port and waits until it answers.
    pub fn start(command: &mut Command) -> Self {
        // Another process could take the port in between; then the start fails and the test says so.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut child = command.args(["--listen", &free]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.ends_with("\nReady.\n") {
            assert!(output.read_line(&mut printed).unwrap() > 0, "the server ended: {printed}");
        }
        let server = Self { child, address: free, printed };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&self) {
        let answer = self.post("/web/webclient/version_info", &json!({}));
        assert_eq!(answer["result"]["server_version"], "19.0");
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.post_as("", path, body)
    }

    /// With an API key.
    fn post_as(&self, key: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    /// A form, sent by an application.
    pub fn form(&self, path: &str, application: &Value, body: &str) -> Value {
        use base64::Engine as _;
        let pair = format!(
            "{}:{}",
            application["client_id"].as_str().unwrap(),
            application["client_secret"].as_str().unwrap()
        );
        let basic = base64::engine::general_purpose::STANDARD.encode(pair);
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    fn login(&self, login: &str, password: &str) -> Value {
        let params = json!({"service": "common", "method": "login", "args": ["orest", login, password]});
        self.post("/jsonrpc", &json!({"params": params}))["result"].clone()
    }

    fn count(&self, model: &str, domain: &Value) -> u64 {
        let args = json!(["orest", 2, "admin", model, "search_count", [domain], {"context": {"active_test": false}}]);
        let answer =
            self.post("/jsonrpc", &json!({"params": {"service": "object", "method": "execute_kw", "args": args}}));
        answer["result"].as_u64().unwrap_or_else(|| panic!("{model}: {answer}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What a command says that fails.
pub fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[test]
fn the_first_start_makes_an_administrator_and_says_his_password_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Server::start(orest(&data).arg("serve"));
    let said = &first.printed;
    let password =
        said.split("admin / ").nth(1).and_then(|text| text.split_whitespace().next()).expect(said).to_owned();
    assert_eq!(first.login("admin", &password), json!(2));
    assert_eq!(first.login("admin", "admin"), json!(false));
    for (file, expect) in [
        ("", 0o700),
        ("sealing-keys", 0o600),
        ("orest.sqlite3", 0o600),
        ("orest.sqlite3-wal", 0o600),
        ("orest.lock", 0o600),
    ] {
        assert_eq!(mode(&data.join(file)), expect, "{file}");
    }
    drop(first);
    let second = Server::start(orest(&data).arg("serve"));
    assert!(!second.printed.contains(&password), "it is shown once");
    assert_eq!(second.login("admin", &password), json!(2));
}

/// As a start leaves it that was cut short after the first user.
#[tokio::test]
async fn a_database_without_an_administrator_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("orest.sqlite3"))).unwrap();
    let made: Result<UserId, StoreError> = store
        .write(|tx| {
            let new = NewUser {
                login: "__system__",
                name: "System",
                email: None,
                password_hash: None,
                state: "confirmed",
                groups: &[],
            };
            users::insert(tx.connection, &new, None, SystemClock.now())
        })
        .await;
    assert_eq!(made.unwrap(), UserId(1));
    drop(store);
    let server = Server::start(orest(folder.path()).env("OREST_ADMIN_PASSWORD", "admin").arg("serve"));
    assert_eq!(server.login("admin", "admin"), json!(2));
    assert_eq!(server.count("res.users", &json!([["id", "=", 1], ["active", "=", false]])), 1);
    drop(server);
    let again = Server::start(orest(folder.path()).env("OREST_ADMIN_PASSWORD", "other").arg("serve"));
    assert_eq!(again.login("admin", "admin"), json!(2), "he is made once");
    assert_eq!(again.count("res.users", &json!([["active", "in", [true, false]]])), 2);
}

#[test]
fn the_demo_is_what_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(orest(folder.path()).args(["serve", "--demo"]));
    for login in ["admin", "alice", "bob", "victor"] {
        assert!(server.login(login, login).is_u64(), "{login}");
    }
    let count = |model, domain| server.count(model, &domain);
    assert_eq!(count("res.users", json!([["email", "=like", "%@example.com"]])), 23);
    assert_eq!(count("orest.application", json!([])), 4);
    // One more than the 200: the access token that it printed.
    assert_eq!(count("orest.authorization", json!([])), 201);
    assert!(count("orest.authorization", json!([["state", "=", "live"]])) >= 60);
    for state in ["expired", "revoked"] {
        assert!(count("orest.authorization", json!([["state", "=", state]])) >= 10, "{state}");
    }
    assert!(count("orest.device", json!([])) > 22, "some users have two");
    assert_eq!(mode(&folder.path().join("demo.json")), 0o600);

    let more = orest(folder.path()).args(["demo", "--authorizations", "3000"]).output().unwrap();
    assert!(more.status.success(), "{more:?}");
    assert_eq!(count("orest.authorization", json!([])), 3_201);
}

#[test]
fn a_key_is_rotated_while_serving() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(orest(folder.path()).args(["serve", "--demo"]));
    let demo: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("demo.json")).unwrap()).unwrap();
    let token = demo["access_token"].as_str().unwrap();
    let application = &demo["applications"][0];
    let introspect = |token: &str| server.form("/oauth2/introspect", application, &format!("token={token}"));
    assert_eq!(introspect(token)["active"], true);
    let rotated = orest(folder.path()).args(["keys", "rotate"]).output().unwrap();
    assert!(String::from_utf8_lossy(&rotated.stdout).starts_with("Key 2 seals from now on"), "{rotated:?}");
    // The token says which key sealed it: `AAE…` is 1, `AAI…` is 2.
    let sealed_with_the_new = || {
        let answer = server.form("/oauth2/token", application, "grant_type=client_credentials");
        answer["access_token"].as_str().expect("a token").starts_with("orat_AAI")
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !sealed_with_the_new() {
        assert!(std::time::Instant::now() < deadline, "the new key was not taken up");
    }
    assert_eq!(introspect(token)["active"], true, "what the older key sealed goes on");
    let refused = orest(folder.path()).args(["keys", "retire", "1"]).output().unwrap();
    assert!(failure(&refused).contains("add --yes"));
    let seals = orest(folder.path()).args(["keys", "retire", "2", "--yes"]).output().unwrap();
    assert!(failure(&seals).contains("rotate first"), "{seals:?}");
    let listed = || {
        let output = orest(folder.path()).args(["keys", "list"]).output().unwrap();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().skip(1).map(words).collect();
        lines.iter().map(|words| [words[0].clone(), words[3].clone(), words[4].clone()].join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(listed(), ["1 no yes", "2 yes yes"]);
    let retired = orest(folder.path()).args(["keys", "retire", "1", "--yes"]).output().unwrap();
    assert!(retired.status.success() && retired.stderr.is_empty(), "{retired:?}");
    assert_eq!(listed(), ["1 retired no", "2 yes yes"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while introspect(token)["active"] == true {
        assert!(std::time::Instant::now() < deadline, "what the retired key sealed goes on");
    }
}

#[test]
fn other_keys_than_the_database_s_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keys) = (folder.path(), folder.path().join("sealing-keys"));
    drop(Server::start(orest(data).arg("serve")));
    let serve = || failure(&orest(data).args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap());
    let right = std::fs::read_to_string(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    let said = serve();
    assert!(said.contains("lacks sealing key 1") && said.contains(keys.to_str().unwrap()), "{said}");
    assert!(!keys.exists(), "no other is made in its place");
    let write = |text: &str| {
        std::fs::write(&keys, text).unwrap();
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let other = format!("1 {} 2026-11-20 12:00:00\n", "ab".repeat(32));
    write(&other);
    let said = serve();
    assert!(said.contains("lacks sealing key 1") && !said.contains("abab"), "{said}");
    write(&right);
    drop(Server::start(orest(data).arg("serve")));
    // Lost for good.
    std::fs::remove_file(&keys).unwrap();
    assert!(serve().contains("orest keys retire 1 --yes"));
    let retired = orest(data).args(["keys", "retire", "1", "--yes"]).output().unwrap();
    assert!(retired.status.success(), "{retired:?}");
    drop(Server::start(orest(data).arg("serve")));
    assert!(std::fs::read_to_string(&keys).unwrap().contains("\n2 "), "no number is given twice");
}

#[test]
fn an_odoo_is_paired_while_serving() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let pair = |arguments: &[&str]| orest(&data).arg("pair").args(arguments).output().unwrap();
    let said = |arguments: &[&str]| {
        let output = pair(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(failure(&pair(&["--odoo-url", "https://odoo.example.com"])).contains("there is no database in"));
    assert!(!data.exists(), "nothing was made");
    let server = Server::start(orest(&data).arg("serve"));
    assert!(said(&[]).starts_with("Not paired."));
    assert!(failure(&pair(&["--odoo-url", "odoo.example.com"])).contains("must look like https://odoo.example.com"));
    let printed = said(&["--odoo-url", "https://odoo.example.com"]);
    let credential = printed.split_whitespace().find(|word| word.len() == 40).expect("a credential");
    let status = || {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        write!(
            stream,
            "POST /oauth2/introspect HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {credential}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntoken=x",
            server.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    let wait_for = |expect: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while status() != expect {
            assert!(std::time::Instant::now() < deadline, "the server did not notice");
        }
    };
    wait_for("200");
    let boss = json!({"id": 2, "login": "boss", "name": "Boss", "email": false, "lang": false, "tz": false, "active": true,
                      "pending": false, "groups": ["base.group_system"], "password_version": 1});
    let synced = server.post_as(credential, "/json/2/orest.pairing/sync_users", &json!({"users": [boss]}));
    assert_eq!(synced["created"], 1, "{synced}");
    let shown = said(&[]);
    assert!(shown.contains("https://odoo.example.com") && !shown.contains(credential), "{shown}");
    let ended = said(&["--remove"]);
    assert!(
        ended.starts_with("The pairing is ended.\nNo administrator has a password here. Sign in as boss / "),
        "{ended}"
    );
    let password = ended.split_whitespace().nth(15).expect("a password");
    assert_eq!(server.login("boss", password), json!(2));
    wait_for("401");
    assert_eq!(said(&["--remove"]), "There was no pairing.\n");
    said(&["--odoo-url", "https://odoo.example.com"]);
    drop(server);
    let server = Server::start(orest(&data).arg("serve"));
    assert!(server.printed.contains("paired    with https://odoo.example.com,"), "{}", server.printed);
}

#[test]
fn what_can_not_be_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let refused = |command: &mut Command| failure(&command.output().unwrap());
    assert_eq!(
        refused(orest(&data).args(["serve", "--listen", "nowhere"])),
        "orest: listen (nowhere): must look like 127.0.0.1:8070"
    );
    let file = folder.path().join("orest.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"").unwrap();
    let said = refused(orest(&data).args(["serve", "--config"]).arg(&file));
    assert!(said.contains("--config") && said.contains("lisen"), "{said}");
    assert!(!data.exists(), "nothing was made");

    let server = Server::start(orest(&data).env("OREST_ADMIN_PASSWORD", "chosen").arg("serve"));
    assert_eq!(server.login("admin", "chosen"), json!(2));
    let said = refused(orest(&data).args(["serve", "--listen", "127.0.0.1:0"]));
    let (database, address) = (data.join("orest.sqlite3"), &server.address);
    assert_eq!(
        said,
        format!(
            "orest: sqlite://{}: another orest serves this database already, at http://{address}: stop that one, or give a \
             --data-dir of your own",
            database.display()
        )
    );
    drop(server);
    std::fs::set_permissions(data.join("sealing-keys"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(orest(&data).args(["serve", "--listen", "127.0.0.1:0"]));
    assert!(said.contains("chmod 600"), "{said}");
}
