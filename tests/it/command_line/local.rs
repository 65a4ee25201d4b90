//! What needs no server: what is refused before one is asked, and what is there without one.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use snapbox::{assert_data_eq, str};

use super::client::{command, run, without_time};

fn profile(home: &Path, text: &str, mode: u32) {
    let folder = home.join(".config/orest");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("default.yaml"), text).unwrap();
    fs::set_permissions(folder.join("default.yaml"), fs::Permissions::from_mode(mode)).unwrap();
}

/// An address where nothing listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn without_a_session_it_says_how_to_get_one() {
    let home = tempfile::tempdir().unwrap();
    for (line, display) in [
        (&["users", "list", "-a", "x"][..], "user list"),
        (&["users", "revoke", "-a", "x", "-y"], "user revoke"),
        (&["users", "create", "-a", "x", "--name", "key"], "user create"),
        (&["authorizations", "list"], "authorizations list"),
        (&["authorizations", "revoke", "--user", "alice", "-y"], "authorizations revoke"),
        (&["revocations", "list"], "revocations list"),
        (&["revocations", "show", "1"], "revocations show"),
        (&["revocations", "undo", "1", "-y"], "revocations undo"),
    ] {
        let said = run(home.path(), line).refused(1);
        assert_eq!(said, format!("{display} failed: invalid session\nTry instead: orest login\n"));
    }
    assert_eq!(run(home.path(), &["whoami"]).done(), "No user is currently logged in\n");
    assert_eq!(run(home.path(), &["logout"]).done(), "Successfully logged out\n");
    assert!(!home.path().join(".config").exists(), "nothing was worth a file");
}

#[test]
fn errors_as_json_and_into_a_file() {
    let home = tempfile::tempdir().unwrap();
    let said = run(home.path(), &["users", "-f", "json", "list", "-a", "x"]);
    assert_eq!((said.code, said.err.lines().count(), said.out.lines().count()), (1, 1, 1), "{said:?}");
    let lines = said.json();
    assert_eq!(lines[0], json!({"level": "debug", "message": "Try instead", "data": ["orest login"]}));
    assert_eq!(lines[1], json!({"level": "error", "err": "user list failed: invalid session"}));
    assert!(said.err.starts_with(r#"{"time":"20"#), "members are in their order: {}", said.err);

    let file = home.path().join("log");
    let target = file.to_str().unwrap();
    for _ in 0..2 {
        let said = run(home.path(), &["users", "list", "-a", "x", "-o", target]);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (1, "", ""));
    }
    let twice = "user list failed: invalid session\nTry instead: orest login\n".repeat(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), twice, "it appends");
    let said = run(home.path(), &["users", "list", "-a", "x", "-o", "/nowhere/log"]).refused(1);
    assert!(said.starts_with("user list failed: failed to open target file: /nowhere/log: "), "{said}");
}

#[test]
fn no_server() {
    let home = tempfile::tempdir().unwrap();
    let url = nowhere();
    profile(home.path(), &format!("url: {url}\nusername: admin\naccess_token: a\nrefresh_token: r\n"), 0o600);
    let cause = format!("{url}: the connection is refused; nothing listens there: start it, or correct the port");
    for (line, display) in [
        (&["users", "list", "-a", "x"][..], "user list"),
        (&["users", "delete", "-a", "x", "-u", "y"], "user delete"),
        (&["authorizations", "revoke", "--user", "alice", "-y"], "authorizations revoke"),
        (&["whoami"], "whoami"),
        (&["login", "--password", "x"], "login"),
    ] {
        assert_eq!(run(home.path(), line).refused(1), format!("{display} failed: {cause}\n"), "{line:?}");
    }
    // What is kept for one server is told to no other.
    let other = nowhere();
    let said = run(home.path(), &["users", "list", "-a", "x", "--url", &other]).refused(1);
    assert_eq!(said, "user list failed: invalid session\nTry instead: orest login\n");
    // Signing out forgets, though the server is not told.
    let said = run(home.path(), &["logout"]).refused(1);
    assert!(said.starts_with("logout failed: the session is forgotten here, but http://127.0.0.1:"), "{said}");
    let left = fs::read_to_string(home.path().join(".config/orest/default.yaml")).unwrap();
    assert!(!left.contains("token"), "{left}");
    assert_eq!(run(home.path(), &["whoami"]).done(), "The user, admin, is not currently logged in\n");
}

#[test]
fn wrong_usage_is_code_2_and_says_what_is_right() {
    let home = tempfile::tempdir().unwrap();
    profile(home.path(), &format!("url: {}\naccess_token: a\n", nowhere()), 0o600);
    let everything = "--domain '[]' is everything";
    let providers = "[possible values: local-userpass, api-key, oauth2-facebook, oauth2-google, anon-user, custom-token, \
                     oauth2-apple, custom-function]";
    for (line, expect) in [
        (&["users"][..], "Usage: orest users"),
        (&["users", "list", "--provider", "local-userpass,saml"], providers),
        (&["users", "list", "--state", "sleeping"], "[possible values: enabled, disabled]"),
        (&["users", "list", "-f", "xml"], "unsupported value, use one of [json] instead"),
        (&["users", "list", "--telemetry", "some"], "[possible values: on, off]"),
        (&["users", "list"], "user list failed: there is no terminal to ask on: give --app\n"),
        (&["users", "list", "-a", "x", "--profile", "../x"], "--profile takes letters"),
        (&["users", "list", "-a", "x", "--url", "example.com"], "'example.com' is no address of a server"),
        (&["users", "enable", "-a", "x", "--reason", "x"], "unexpected argument '--reason'"),
        (&["authorizations", "revoke", "-y"], everything),
        (&["authorizations", "revoke", "--user", "alice"], "give --yes, or --dry-run"),
        (&["authorizations", "revoke", "--domain", "[('a' '=')]"], "a comma or ')' is missing (at letter 7)"),
        (&["authorizations", "revoke", "--domain", "['|', ('a', '=', 1)]"], "--domain"),
        (&["authorizations", "list", "--older-than", "soon"], "30m, 12h, 90d, 2w"),
        (&["revocations", "list", "--since", "soon"], "90m or 7d, or a moment such as 2026-11-20"),
        (&["revocations", "list", "--channel", "door"], "[possible values: rpc, unlink, server_action, orest_rpc, "),
        (&["revocations", "undo", "0", "-y"], "0 is not in 1.."),
        (&["revocations", "undo", "12"], "there is no terminal to ask on: give --yes\n"),
        (&["login", "--username", "admin"], "there is no terminal to ask on: give OREST_PASSWORD or OREST_API_KEY"),
        (&["login", "--url", "https://admin:hidden@example.com"], "an address holds no password"),
        (&["completions", "tcsh"], "possible values: "),
    ] {
        let said = run(home.path(), line).refused(2);
        assert!(said.contains(expect) && !said.contains("hidden"), "{line:?}: {said}");
    }
}

/// Where things are can be said behind the command as well.
#[test]
fn places_and_switches_are_read_wherever_they_stand() {
    let home = tempfile::tempdir().unwrap();
    let (here, there) = (home.path().join("here"), home.path().join("there"));
    let place = there.to_str().unwrap();
    let data = |command: &mut std::process::Command| command.env("OREST_DATA_DIR", &here).output().unwrap();
    for line in [["keys", "list", "--data-dir", place], ["keys", "--data-dir", place, "list"]] {
        let output = data(command(home.path()).args(line));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && said.contains(&format!("there is no database in {place}")),
            "{said}"
        );
    }
    for format in [["-f", "json"], ["--output-format", "json"], ["--format", "json"]] {
        let output = data(command(home.path()).arg("nodes").args(format).args(["--data-dir", place]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("the database is a file"), "{said}");
    }
    // As compose files and units have it; and a typing error does not open a door.
    for (value, code) in [("1", 1), ("0", 1), ("yes", 1), ("true", 1), ("flase", 2)] {
        let mut serve = command(home.path());
        let output = data(serve.env("OREST_TRUST_PROXY", value).args(["serve", "--listen", "nowhere"]));
        assert_eq!(output.status.code(), Some(code), "{value}: {output:?}");
    }
}

/// As people and scripts read it.
#[test]
fn what_is_wrong_is_said_to_the_byte() {
    let home = tempfile::tempdir().unwrap();
    profile(home.path(), "url: http://127.0.0.1:1\n", 0o600);
    let refused = |line: &[&str], code: i32| run(home.path(), line).refused(code);
    assert_data_eq!(
        refused(&["users", "list", "--state", "sleeping"], 2),
        str![[r#"
error: invalid value 'sleeping' for '--state <STATE>'
  [possible values: enabled, disabled]

For more information, try '--help'.

"#]]
    );
    assert_data_eq!(
        refused(&["authorizations", "revoke", "--older-then", "90d"], 2),
        str![[r#"
error: unexpected argument '--older-then' found

  tip: a similar argument exists: '--older-than'

Usage: orest authorizations revoke --older-than <TIME>

For more information, try '--help'.

"#]]
    );
    assert_data_eq!(
        refused(&["authorizations", "revoke", "--user", "alice"], 2),
        str![[r#"
authorizations revoke failed: there is no terminal to ask on: give --yes, or --dry-run to see what would be revoked

"#]]
    );
    assert_data_eq!(
        refused(&["revocations", "undo"], 2),
        str![[r#"
error: the following required arguments were not provided:
  <ID>

Usage: orest revocations undo <ID>

For more information, try '--help'.

"#]]
    );
    assert_data_eq!(
        refused(&["revocations", "list"], 1),
        str![[r#"
revocations list failed: invalid session
Try instead: orest login

"#]]
    );
}

#[test]
fn a_profile_that_others_can_read_is_not_used() {
    let home = tempfile::tempdir().unwrap();
    profile(home.path(), "url: http://127.0.0.1:1\naccess_token: hidden\n", 0o644);
    let said = run(home.path(), &["users", "list", "-a", "x"]).refused(1);
    assert!(said.contains("others may read it (mode 644): run chmod 600 ") && !said.contains("hidden"), "{said}");
    profile(home.path(), "access_token: [hidden", 0o600);
    let said = run(home.path(), &["users", "list", "-a", "x"]).refused(1);
    assert!(said.contains("it is no YAML of a profile") && !said.contains("hidden"), "{said}");
    let mut elsewhere = command(home.path());
    elsewhere.env("XDG_CONFIG_HOME", home.path().join("xdg")).args(["whoami", "--telemetry", "off"]);
    assert!(elsewhere.output().unwrap().status.success());
    let kept = fs::read_to_string(home.path().join("xdg/orest/default.yaml")).unwrap();
    assert_eq!(kept.trim(), "telemetry: \"off\"", "which is all that becomes of it");
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let home = tempfile::tempdir().unwrap();
    for (shell, begins) in [("bash", "_orest() {"), ("zsh", "#compdef orest"), ("fish", "# Print an optspec")] {
        let script = run(home.path(), &["completions", shell]).done();
        assert!(script.starts_with(begins) && script.contains("output-target") && script.contains("revoke"), "{shell}");
    }
    let pages = home.path().join("man/man1");
    run(home.path(), &["man", "--output", pages.to_str().unwrap()]).done();
    let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for command in orest::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(page("orest.1").contains(&format!("orest\\-{}(1)", name.replace('-', "\\-"))), "{name}");
        for further in command.get_subcommands() {
            page(&format!("orest-{name}-{}.1", further.get_name()));
        }
        page(&format!("orest-{name}.1"));
    }
    assert!(page("orest-users-revoke.1").contains("dry\\-run"));
}

/// Each command and option of those that act on a server is on their page, beside the README's list of commands.
#[test]
fn the_page_of_the_command_line_names_every_command_and_option() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md")).unwrap();
    let commands = orest::cli::command();
    for command in ["login", "logout", "whoami", "users", "authorizations", "revocations", "completions", "man"] {
        let command = commands.find_subcommand(command).unwrap();
        assert!(page.contains(&format!("orest {}", command.get_name())), "{}", command.get_name());
        for part in command.get_subcommands().chain([command]) {
            if part.get_name() != command.get_name() {
                let name = format!("`orest {} {}`", command.get_name(), part.get_name());
                assert!(page.contains(&name), "{name}");
            }
            for argument in
                part.get_arguments().filter(|argument| argument.get_id() != "help" && !argument.is_hide_set())
            {
                let flag = argument.get_long().map_or_else(String::new, |flag| format!("--{flag}"));
                assert!(page.contains(&flag), "{flag} of {}", part.get_name());
                let variable = argument.get_env().and_then(|variable| variable.to_str()).unwrap_or_default();
                assert!(page.contains(variable), "{variable}");
            }
        }
    }
}

#[test]
fn times_of_json_lines_are_of_now() {
    let home = tempfile::tempdir().unwrap();
    let said = run(home.path(), &["whoami", "-f", "json"]);
    let line = serde_json::from_str(said.out.trim()).unwrap();
    assert_eq!(without_time(line), json!({"level": "info", "message": "No user is currently logged in"}));
}
