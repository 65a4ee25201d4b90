//! `orest doctor` in front of real listeners: healthy ones, broken ones, and some that are something else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use diesel::prelude::*;
use orest::store::DatabaseUrl;
use serde_json::{Value, json};

use crate::command_line::{Server, orest};

/// What somebody at a terminal sees.
#[derive(Debug)]
struct Seen {
    code: Option<i32>,
    lines: Vec<String>,
    summary: String,
}

impl Seen {
    /// The lines of a check.
    fn of(&self, what: &str) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| line[6..20].trim_end() == what).collect()
    }

    /// The only line of a check begins with this verdict and has all these texts.
    fn check(&self, what: &str, verdict: &str, texts: &[&str]) {
        let [line] = self.of(what)[..] else { panic!("{what}: {self:#?}") };
        assert_eq!(&line[..5], format!("{verdict:<5}"), "{line}");
        for text in texts {
            assert!(line.contains(text), "{text}: {line}");
        }
        if verdict != "ok" {
            assert!(line.contains(": "), "says what to do: {line}");
        }
    }
}

fn doctor(data: &Path) -> Seen {
    doctor_with(data, &[])
}

fn doctor_with(data: &Path, more: &[&str]) -> Seen {
    let output = orest(data).args(["doctor", "--timeout", "2"]).args(more).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (mut lines, errors): (Vec<_>, _) =
        (text(&output.stdout).lines().map(str::to_owned).collect(), text(&output.stderr));
    let summary = if output.status.success() { lines.pop().unwrap() } else { errors.trim().to_owned() };
    let code = output.status.code();
    // Whoever only looks at the code, the lines or the last line sees the same.
    let failed = lines.iter().filter(|line| line.starts_with("FAIL ")).count();
    let warned = lines.iter().filter(|line| line.starts_with("warn ")).count();
    let checks = if lines.len() == 1 { "check" } else { "checks" };
    let counts = format!("{} {checks}: {failed} failed, {warned} with a warning", lines.len());
    assert!(summary.contains(&counts), "{summary}: {lines:#?}");
    assert_eq!(code, Some(i32::from(failed > 0)), "{lines:#?}");
    Seen { code, lines, summary }
}

/// Listens on a free port and gives each connection to `answer`, until the process ends.
fn listen(answer: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    port
}

/// Reads a request; its path.
fn request(stream: &mut (impl Read + Write)) -> String {
    let mut reader = BufReader::new(stream);
    let mut path = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    let _ = reader.read_exact(&mut body);
    path
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn json_answer(body: &Value) -> String {
    http("200 OK", "Content-Type: application/json\r\n", &body.to_string())
}

/// What an Odoo answers at these paths; anything else is a 404.
type Answers = BTreeMap<&'static str, String>;

fn answers(version: &str, module: &str) -> Answers {
    BTreeMap::from([
        (
            "/web/webclient/version_info",
            json_answer(&json!({"jsonrpc": "2.0", "id": 1, "result": {"server_version": version}})),
        ),
        ("/orest/status", json_answer(&json!({"module": "orest", "version": module}))),
    ])
}

fn odoo(answers: Answers) -> u16 {
    listen(move |mut stream| {
        let path = request(&mut stream);
        let nothing =
            http("404 NOT FOUND", "Server: Werkzeug/2.0\r\nContent-Type: text/html\r\n", "<h1>Not Found</h1>");
        let _ = stream.write_all(answers.get(path.as_str()).unwrap_or(&nothing).as_bytes());
    })
}

fn pair(data: &Path, url: &str) -> String {
    let output = orest(data).args(["pair", "--odoo-url", url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let credential =
        said.split_whitespace().find(|word| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit()));
    credential.unwrap_or_else(|| panic!("{said}")).to_owned()
}

/// A call with the pairing's credential.
fn call(server: &Server, credential: &str, method: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    write!(
        stream,
        "POST /json/2/orest.pairing/{method} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {credential}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn serve(data: &Path) -> Server {
    Server::start(orest(data).env("OREST_ADMIN_PASSWORD", "admin").arg("serve"))
}

fn files(folder: &Path) -> BTreeMap<String, u32> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode()))
        .collect()
}

#[test]
fn all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = serve(&data);
    let seen = doctor(&data);
    assert_eq!(seen.code, Some(0), "{seen:#?}");
    for (what, texts) in [
        ("data folder", &["for its owner alone"][..]),
        ("database", &["orest.sqlite3", "of this version", "whole"]),
        ("free space", &["B at ", data.to_str().unwrap()]),
        ("sealing keys", &["key 1 seals", "0 others open"]),
        ("server", &["runs on this data"]),
        ("base URL", &[&server.address, "leads to this server"]),
        ("clock", &["UTC"]),
        ("pairing", &["none", "orest pair --odoo-url"]),
        ("users", &["1, administrators 1"]),
    ] {
        seen.check(what, "ok", texts);
    }
    assert_eq!(seen.lines.len(), 9);

    let url = format!("http://localhost:{}", odoo(answers("18.0-20261101", "18.0.1.0.0")));
    let credential = pair(&data, &url);
    let seen = doctor(&data);
    seen.check("Odoo", "ok", &[&url, "18.0-20261101"]);
    seen.check("Odoo module", "ok", &["18.0.1.0.0"]);
    seen.check("pairing", "FAIL", &["Odoo has never called", "Test Connection"]);
    seen.check("users", "warn", &["never compared", "Synchronise Users"]);
    assert_eq!(seen.code, Some(1));

    // A running server takes up a new pairing within two seconds.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let check = json!({"database_uuid": "0a1b", "series": "18.0"});
    while !call(&server, &credential, "check", &check).starts_with("HTTP/1.1 200") {
        assert!(std::time::Instant::now() < deadline, "the credential was not taken up");
    }
    assert!(call(&server, &credential, "keep_users", &json!({"ids": [2]})).starts_with("HTTP/1.1 200"));
    let seen = doctor(&data);
    assert_eq!(seen.summary, "11 checks: 0 failed, 0 with a warning.", "{seen:#?}");
    seen.check("pairing", "ok", &["database 0a1b", "Odoo called just now"]);
    seen.check("users", "ok", &["1, compared with Odoo's just now"]);
    assert!(!format!("{seen:?}").contains(&credential));
}

#[test]
fn an_odoo_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    let server = serve(data);
    let plain = |answer: String| {
        listen(move |mut stream| {
            request(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
        })
    };
    let http_of = |port: u16| format!("http://localhost:{port}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let never = TcpListener::bind("127.0.0.1:0").unwrap();
    let never_body = listen(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        // Open for as long as the other side waits.
        let _ = stream.read(&mut [0]);
    });
    let endless = listen(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let redirect = http("301 Moved", "Location: https://odoo.example.com/\r\n", "");
    for (url, texts) in [
        (http_of(free), &["the connection is refused", "nothing listens there"][..]),
        (http_of(never.local_addr().unwrap().port()), &["no answer within 2 s", "firewall"]),
        (http_of(never_body), &["no answer within 2 s"]),
        (http_of(endless), &["no Odoo answers", "HTTP 200"]),
        ("http://odoo.invalid".to_owned(), &["the name odoo.invalid is not known (DNS)", "getent hosts"]),
        (http_of(plain("SSH-2.0-OpenSSH_9.2\r\n".to_owned())), &["it speaks no HTTP"]),
        (http_of(listen(drop)), &["it closes the connection without an answer"]),
        (http_of(plain(http("200 OK", "Server: nginx\r\n", "<html>"))), &["no Odoo answers", "HTTP 200 of nginx"]),
        (http_of(plain(http("200 OK", "", "[1, {\"result\": null}]"))), &["no Odoo answers"]),
        (http_of(plain(http("502 Bad Gateway", "Server: nginx\r\n", ""))), &["HTTP 502 of nginx", "pair anew"]),
        (http_of(plain(redirect)), &["HTTP 301, which leads to https://odoo.example.com/", "pair with the address"]),
        (format!("https://localhost:{}", odoo(answers("18.0", "18.0.1.0.0"))), &["it speaks no TLS", "http://"]),
        (format!("https://localhost:{}", with_unknown_certificate()), &["its certificate is not accepted"]),
        (
            format!("http://{}", server.address.replace("127.0.0.1", "localhost")),
            &["an orest answers", "Odoo's own address"],
        ),
    ] {
        pair(data, &url);
        let seen = doctor(data);
        seen.check("Odoo", "FAIL", texts);
        assert!(seen.of("Odoo module").is_empty(), "{seen:#?}");
        seen.check("base URL", "ok", &[]);
    }
}

/// A server that speaks TLS with a certificate that no authority has signed.
fn with_unknown_certificate() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let pem = include_bytes!("localhost.pem");
    let certificate = rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    listen(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        request(&mut tls);
    })
}

#[test]
fn an_odoo_that_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let data = &folder.path().join("data");
    let _server = serve(data);
    let without = |path| {
        let mut answers = answers("18.0", "18.0.1.0.0");
        answers.remove(path);
        answers
    };
    let with = |path: &'static str, answer: String| {
        let mut answers = answers("18.0", "18.0.1.0.0");
        answers.insert(path, answer);
        answers
    };
    let dated = |date: &str| {
        let body = json!({"result": {"server_version": "18.0"}}).to_string();
        with("/web/webclient/version_info", http("200 OK", &format!("Date: {date}\r\n"), &body))
    };
    let cases: [(Answers, &str, &str, &[&str]); 9] = [
        (answers("16.0", "16.0.1.0.0"), "Odoo", "warn", &["is 16.0", "14.0, 17.0, 18.0, 19.0"]),
        // What would clear the screen is not printed.
        (answers("saas~18.2\u{1b}[2J", "18.0.1.0.0"), "Odoo", "warn", &["is saas~18.2[2J:"]),
        (answers("17.0+e-20261101", "18.0.1.0.0"), "Odoo module", "FAIL", &["another series", "--series 17.0"]),
        (answers("18.0", "18.0.0.9.0"), "Odoo module", "warn", &["18.0.0.9.0 is there, 18.0.1.0.0 belongs"]),
        (without("/orest/status"), "Odoo module", "FAIL", &["HTTP 404 of Werkzeug/2.0", "install it", "dbfilter"]),
        (with("/orest/status", json_answer(&json!({"module": "x"}))), "Odoo module", "FAIL", &["HTTP 200"]),
        (with("/orest/status", http("500 Oops", "", "Traceback")), "Odoo module", "FAIL", &["HTTP 500"]),
        (dated("Thu, 01 Jan 2015 00:00:00 GMT"), "clock", "FAIL", &["2015-01-01 00:00:00 UTC at Odoo", "NTP"]),
        (dated("yesterday"), "clock", "ok", &[]),
    ];
    for (answers, what, verdict, texts) in cases {
        pair(data, &format!("http://localhost:{}", odoo(answers)));
        doctor(data).check(what, verdict, texts);
    }
    // The same host at another port: browsers don't tell their cookies apart.
    pair(data, &format!("http://127.0.0.1:{}", odoo(answers("18.0", "18.0.1.0.0"))));
    doctor(data).check("host names", "warn", &["both at 127.0.0.1", "signs out"]);
}

#[test]
fn data_that_is_not_as_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let seen = doctor(&data);
    seen.check("data folder", "FAIL", &["does not exist", "--data-dir"]);
    assert_eq!(seen.lines.len(), 1);
    assert!(!data.exists(), "it makes nothing");
    drop(serve(&data));
    std::fs::remove_file(data.join("orest.lock")).unwrap();

    let before = files(&data);
    let seen = doctor(&data);
    seen.check("server", "FAIL", &["none runs on this data", "orest serve"]);
    assert!(seen.of("base URL").is_empty());
    let after = files(&data);
    assert_eq!(
        before.keys().filter(|name| !name.contains("-shm") && !name.contains("-wal")).collect::<Vec<_>>(),
        after.keys().filter(|name| !name.contains("-shm") && !name.contains("-wal")).collect::<Vec<_>>()
    );

    let chmod = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let (database, keys) = (data.join("orest.sqlite3"), data.join("sealing-keys"));
    for (path, mode, right, what, texts) in [
        (&data, 0o775, 0o700, "data folder", &["others may change", "mode 775", "chmod 700"][..]),
        (&keys, 0o640, 0o600, "sealing keys", &["others can read", "chmod 600", "rotate"]),
    ] {
        chmod(path, mode);
        doctor(&data).check(what, "FAIL", texts);
        chmod(path, right);
    }
    chmod(&data, 0o755);
    doctor(&data).check("data folder", "warn", &["others may look into", "mode 755", "chmod 700"]);
    chmod(&data, 0o700);
    chmod(&database, 0o644);
    let seen = doctor(&data);
    assert!(
        seen.of("database")[0].contains("others may read") && seen.of("database")[1].starts_with("ok"),
        "{seen:#?}"
    );
    chmod(&database, 0o600);

    let good = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, "1 secretsecret now\n").unwrap();
    let seen = doctor(&data);
    seen.check("sealing keys", "FAIL", &["line 1 is no key"]);
    assert!(!format!("{seen:?}").contains("secretsecret"));
    std::fs::write(&keys, format!("1 {} now\n", "ab".repeat(32))).unwrap();
    doctor(&data).check("sealing keys", "FAIL", &["lacks what tokens are sealed with: 1", "copy the file"]);
    std::fs::remove_file(&keys).unwrap();
    doctor(&data).check("sealing keys", "FAIL", &["does not exist", "every token is dead"]);
    assert!(!keys.exists(), "it makes none");
    std::fs::write(&keys, good).unwrap();
    chmod(&keys, 0o600);

    let execute = |sql: &str| {
        let mut connection = DatabaseUrl::Sqlite(database.clone()).connect_writer(false).unwrap();
        diesel::sql_query(sql).execute(&mut connection).unwrap();
    };
    execute(
        "INSERT INTO orest_pairing (id, odoo_url, credential_hash, create_date, last_seen_at) VALUES (1, 'http://localhost:1', 'x', '2026-01-01 00:00:00', '2999-01-01 00:00:00')",
    );
    doctor(&data).check("clock", "FAIL", &["something was noted at 2999-01-01 00:00:00 UTC", "NTP"]);
    execute(
        "UPDATE orest_pairing SET last_seen_at = '2020-01-01 00:00:00', last_sync_at = '2020-01-01 00:00:00', database_uuid = 'u'",
    );
    let seen = doctor(&data);
    seen.check("pairing", "warn", &["Odoo called last", "days ago", "scheduled jobs"]);
    seen.check("users", "warn", &["compared with Odoo's", "days ago"]);
    execute("DELETE FROM orest_pairing");
    execute("UPDATE res_users SET active = FALSE");
    doctor(&data).check("users", "FAIL", &["no administrator who may act"]);
    execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    doctor(&data).check("database", "FAIL", &["made by a newer orest"]);
    execute("DELETE FROM __diesel_schema_migrations WHERE version IN ('29990101000000', '20261121000001')");
    doctor(&data).check("database", "warn", &["1 step behind", "restart"]);

    for beside in ["orest.sqlite3-wal", "orest.sqlite3-shm"] {
        let _ = std::fs::remove_file(data.join(beside));
    }
    std::fs::write(&database, "nonsense ".repeat(1000)).unwrap();
    doctor(&data).check("database", "FAIL", &["not a database", "copy back"]);
    std::fs::remove_file(&database).unwrap();
    doctor(&data).check("database", "FAIL", &["does not exist", "orest serve"]);
    let file = folder.path().join("orest.toml");
    std::fs::write(&file, "listen = \"nowhere\"").unwrap();
    doctor_with(&data, &["--config", file.to_str().unwrap()]).check("settings", "FAIL", &["listen (nowhere)"]);
}

#[test]
fn an_address_that_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let other = serve(&first);
    let proxy = listen(|mut stream| {
        request(&mut stream);
        let _ = stream.write_all(http("404 Not Found", "Server: nginx\r\n", "<html>").as_bytes());
    });
    let no_database = listen(|mut stream| {
        request(&mut stream);
        let body = json!({"status": "fail", "service": "orest", "instance": "0"});
        let _ = stream.write_all(http("503 Service Unavailable", "", &body.to_string()).as_bytes());
    });
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (base_url, texts) in [
        (format!("http://{}", other.address), &["another orest than that on this data", "proxy"][..]),
        (format!("http://127.0.0.1:{no_database}"), &["another orest"]),
        (format!("http://127.0.0.1:{proxy}"), &["no orest answers", "HTTP 404 of nginx", "pass requests on"]),
        (format!("http://127.0.0.1:{free}"), &["the connection is refused", "the server itself runs"]),
        ("https://auth.invalid".to_owned(), &["the name auth.invalid is not known"]),
    ] {
        let server =
            Server::start(orest(&second).args(["serve", "--admin-password", "admin"]).env("OREST_BASE_URL", &base_url));
        let seen = doctor(&second);
        seen.check("server", "ok", &[]);
        let mut all = texts.to_vec();
        all.push(&base_url);
        if !base_url.contains("invalid") {
            seen.check("base URL", "FAIL", &all);
        } else {
            seen.check("base URL", "FAIL", texts);
        }
        drop(server);
    }
    // The very server, which is not ready for one reason or another.
    for (output, verdict, advice) in [
        ("loading the live state: 43 %", "warn", "wait"),
        ("a sealing key is missing that tokens were sealed with", "FAIL", "copy the file sealing-keys"),
        ("the database can't be reached", "FAIL", "the disk is full"),
        ("nothing can be written any more; this process ends", "FAIL", "start it again"),
    ] {
        let claim = second.join("orest.lock");
        let port = listen(move |mut stream| {
            request(&mut stream);
            let claim = std::fs::read_to_string(&claim).unwrap();
            let instance = claim.lines().next().unwrap();
            let body = json!({"status": "fail", "service": "orest", "instance": instance, "output": output});
            let _ = stream.write_all(http("503 Service Unavailable", "", &body.to_string()).as_bytes());
        });
        let url = format!("http://127.0.0.1:{port}");
        let _server = Server::start(orest(&second).arg("serve").env("OREST_BASE_URL", &url));
        doctor(&second).check("base URL", verdict, &[&url, "is not ready", output, advice]);
    }
    let file = folder.path().join("orest.toml");
    std::fs::write(&file, "base_url = \"https://auth.example.com\"").unwrap();
    let seen = doctor_with(&first, &["--config", file.to_str().unwrap()]);
    assert!(seen.of("base URL")[0].contains("the settings say https://auth.example.com: restart"), "{seen:#?}");
    assert!(seen.of("base URL")[1].starts_with("ok"), "{seen:#?}");
}
