//! Somebody at a shell, with a server, a home folder of his own and nothing else set.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{Server, orest};

/// The demo's server, and who uses it.
pub struct Shell {
    pub server: Server,
    pub home: tempfile::TempDir,
    pub demo: Value,
}

/// What a command printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// It did all that it was asked, and found nothing to complain about; what it printed.
    pub fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:#?}");
        self.out
    }

    /// It failed, or was not understood, and printed nothing else; what it complained about.
    pub fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:#?}");
        self.err
    }

    /// Its lines of JSON, without their times.
    pub fn json(&self) -> Vec<Value> {
        let lines = self.out.lines().chain(self.err.lines());
        lines.map(|line| without_time(serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))).collect()
    }
}

pub fn without_time(mut line: Value) -> Value {
    let time = line.as_object_mut().unwrap().shift_remove("time").expect("it has a time");
    let time = time.as_str().unwrap();
    chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%SZ").unwrap_or_else(|_| panic!("{time}"));
    line
}

/// Holds an output against the whole of what is expected. There `[..]` is any text of a line, and the names in `ids` stand for
/// what differs from run to run. `SNAPSHOTS=overwrite` writes down what it is.
pub fn assert_output(actual: &str, expect: impl snapbox::IntoData, ids: &[(&'static str, &str)]) {
    let mut redactions = snapbox::Redactions::new();
    for (name, id) in ids {
        redactions.insert(name, (*id).to_owned()).unwrap();
    }
    let assert = snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV);
    assert.redact_with(redactions).eq(actual, expect);
}

/// The command in this home, without standard input.
pub fn command(home: &Path) -> Command {
    let mut command = orest(home);
    command.env("HOME", home).env("TERM", "xterm-256color").stdin(Stdio::null());
    command
}

pub fn run(home: &Path, line: &[&str]) -> Said {
    command(home).args(line).output().unwrap().into()
}

impl Shell {
    /// Signed in as the administrator.
    pub fn new() -> Self {
        let shell = Self::signed_out();
        shell.sign_in(&shell.url());
        shell
    }

    /// The administrator signs in at this address; his session from before ends.
    pub fn sign_in(&self, url: &str) {
        let login = ["login", "--url", url, "--username", "admin", "--password", "admin", "-y"];
        assert_eq!(self.run(&login).done(), "Successfully logged in\n");
    }

    pub fn signed_out() -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let server = Server::start(orest(&data).args(["serve", "--demo"]));
        let demo = serde_json::from_str(&std::fs::read_to_string(data.join("demo.json")).unwrap()).unwrap();
        Self { server, home, demo }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub fn command(&self) -> Command {
        command(self.home.path())
    }

    pub fn run(&self, line: &[&str]) -> Said {
        run(self.home.path(), line)
    }

    /// A call of the administrator's, by another door.
    pub fn call(&self, model: &str, method: &str, args: &Value, kwargs: &Value) -> Value {
        let args = json!(["orest", 2, "admin", model, method, args, kwargs]);
        let params = json!({"service": "object", "method": "execute_kw", "args": args});
        let answer = self.server.post("/jsonrpc", &json!({"params": params}));
        answer.get("result").unwrap_or_else(|| panic!("{model}.{method}: {answer}")).clone()
    }

    /// The last act in the log of revocations.
    pub fn last_act(&self) -> Value {
        let fields = json!(["user_id", "channel", "reason_admin", "requested", "revoked"]);
        let acts = self.call(
            "orest.revocation",
            "search_read",
            &json!([[]]),
            &json!({"fields": fields, "order": "id desc", "limit": 1}),
        );
        acts[0].clone()
    }

    pub fn acts(&self) -> u64 {
        self.server.count("orest.revocation", &json!([]))
    }

    /// A new application, and users of it alone who sign in by password.
    pub fn app_with_users(&self, name: &str, emails: &[&str]) -> Vec<String> {
        self.call("orest.application", "create", &json!([{"name": name}]), &json!({}));
        emails.iter().map(|email| self.create_user(name, email)).collect()
    }

    pub fn create_user(&self, app: &str, email: &str) -> String {
        let app = app.to_lowercase();
        let line = ["users", "create", "--app", &app, "--email", email, "--password", "secret of theirs", "-f", "json"];
        let said = self.run(&line);
        assert_eq!(said.code, 0, "{said:?}");
        said.json()[0]["doc"]["id"].as_str().unwrap().to_owned()
    }

    /// Users of Eggcorn; their ids.
    pub fn make_users(&self, count: usize, state: &str) -> Vec<String> {
        let app = self.call("orest.application", "search", &json!([[["name", "=", "Eggcorn"]]]), &json!({}))[0].clone();
        let users: Vec<_> = (0..count)
            .map(|number| {
                let login = format!("{state}-{number}@example.com");
                let identity = json!([0, 0, {"provider": "local-userpass", "subject": login, "application_id": app}]);
                json!({"name": login, "login": login, "state": state, "identity_ids": [identity]})
            })
            .collect();
        let made = self.call("res.users", "create", &json!([users]), &json!({}));
        made.as_array().unwrap().iter().map(|id| format!("{:024x}", id.as_i64().unwrap())).collect()
    }

    pub fn is_live(&self, token: &str) -> bool {
        let answer = self.server.form("/oauth2/introspect", &self.demo["applications"][0], &format!("token={token}"));
        answer["active"].as_bool().unwrap()
    }

    pub fn token(&self) -> &str {
        self.demo["access_token"].as_str().unwrap()
    }
}
