//! `orest transfer`: what it says in a pipe and on a terminal, and that it can be killed at any moment.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::command_line::terminal::{Terminal, plain};
use crate::command_line::{Server, failure, orest};
use crate::support::database::{Kind, TestDatabase};

#[test]
fn a_database_is_transferred_though_it_is_killed_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(orest(&data).args(["serve", "--demo"]));
    let demo: Value = serde_json::from_str(&std::fs::read_to_string(data.join("demo.json")).unwrap()).unwrap();
    let (token, application) = (demo["access_token"].as_str().unwrap(), &demo["applications"][0]);
    let more = orest(&data).args(["demo", "--authorizations", "20000"]).output().unwrap();
    assert!(more.status.success(), "{more:?}");
    let from = format!("sqlite://{}", data.join("orest.sqlite3").display());
    let to_nowhere = format!("sqlite://{}", folder.path().join("nowhere.sqlite3").display());
    let refused = failure(&orest(&data).args(["transfer", "--from", &from, "--to", &to_nowhere]).output().unwrap());
    assert!(refused.contains("is in use") && refused.contains("stop the server first"), "{refused}");
    drop(server);

    for kind in Kind::both() {
        let target = TestDatabase::empty(kind);
        let to = target.full_url();
        let transfer = || {
            let mut command = orest(&data);
            command.args(["transfer", "--from", &from]).env("OREST_TRANSFER_TO", &to);
            command
        };
        let mut child = transfer().stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("copying orest_authorization,") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended before it came to the authorizations");
        }
        assert_eq!(line, "copying orest_authorization, 20,201 rows\n");
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "it was killed");
        let on_new = || {
            let mut command = orest(&data);
            command.env("OREST_DATABASE_URL", &to);
            command
        };
        let refused = failure(&on_new().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap());
        assert!(refused.contains("has not ended: run `orest transfer` again"), "{kind:?}: {refused}");

        // On a terminal this time, which shows how far it is.
        let mut on_terminal = transfer();
        on_terminal.env("TERM", "xterm");
        let (seen, code) = Terminal::start(on_terminal).end();
        let said = plain(&seen);
        assert_eq!(code, Some(0), "{kind:?}: {said}");
        assert!(said.starts_with("The target holds a transfer from there that has not ended"), "{kind:?}: {said}");
        for what in ["copying", "comparing"] {
            let bar = |line: &&str| line.trim_start().starts_with(&format!("{what} orest_authorization "));
            let bars: Vec<_> = said.split(['\r', '\n']).filter(bar).collect();
            assert!(
                bars.iter().any(|bar| bar.contains("/20,201 rows, ") && bar.trim_end().ends_with(" left")),
                "{kind:?}: {said}"
            );
        }
        assert!(!said.contains("copying orest_authorization,"), "that is for a pipe: {said}");
        let table = said.lines().map(|line| line.rsplit('\r').next().unwrap());
        let counted = |line: &str| line.starts_with("  orest_authorization ") && line.contains(" 20,201 rows ");
        assert!(table.clone().any(counted) && seen.contains("rows moved and compared in"), "{kind:?}: {said}");
        let server = Server::start(on_new().arg("serve"));
        let answer = server.form("/oauth2/introspect", application, &format!("token={token}"));
        assert_eq!(answer["active"], true, "{kind:?}: a token from before");
        drop(server);
        let refused = failure(&transfer().output().unwrap());
        // A server that was killed can't say so: its row is there for a while, and somebody may still be behind it.
        let why = match kind {
            Kind::Sqlite => "is not empty",
            Kind::Postgres => "is in use",
        };
        assert!(refused.contains(why), "{kind:?}: {refused}");
    }
    let secret =
        orest(&data).args(["transfer", "--from", "mysql://u:hidden@h/d", "--to", &to_nowhere]).output().unwrap();
    let said = failure(&secret);
    assert!(said.contains("--from") && !said.contains("hidden"), "{said}");
}
