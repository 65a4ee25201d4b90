//! `orest login`, `logout` and `whoami`: the session of an administrator, which is an authorization like any other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::client::{Shell, command};

const LIVE: [&str; 3] = ["state", "=", "live"];

fn live_sessions(shell: &Shell) -> u64 {
    shell.server.count("orest.authorization", &json!([["application_id.client_id", "=", "admin-api"], LIVE]))
}

fn profile(shell: &Shell) -> String {
    fs::read_to_string(shell.home.path().join(".config/orest/default.yaml")).unwrap()
}

#[test]
fn signing_in_and_out() {
    let shell = Shell::new();
    let url = shell.url();
    let path = shell.home.path().join(".config/orest/default.yaml");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let kept = profile(&shell);
    assert!(kept.contains(&url) && kept.contains("username: admin") && !kept.contains("password"), "{kept}");
    assert_eq!(live_sessions(&shell), 1);
    let here = format!("Currently logged in user: admin ({url})\n");
    assert_eq!(shell.run(&["whoami"]).done(), here);
    // Again, as himself: nothing to ask, and the session from before ends.
    assert_eq!(shell.run(&["login", "--password", "admin"]).done(), "Successfully logged in\n");
    assert_eq!(live_sessions(&shell), 1);
    assert_ne!(profile(&shell), kept);
    let wrong = shell.run(&["login", "--password", "wrong"]).refused(1);
    assert!(wrong.starts_with("login failed: "), "{wrong}");
    assert_eq!(shell.run(&["whoami"]).done(), here, "the session is as it was");
    assert_eq!(shell.run(&["logout"]).done(), "Successfully logged out\n");
    assert_eq!(live_sessions(&shell), 0);
    assert!(!profile(&shell).contains("token"), "{}", profile(&shell));
    assert_eq!(shell.run(&["whoami"]).done(), "The user, admin, is not currently logged in\n");
}

#[test]
fn an_api_key_is_kept_only_if_wanted() {
    let shell = Shell::signed_out();
    let (url, key) = (shell.url(), shell.demo["api_key"].as_str().unwrap());
    let login = |more: &[&str]| shell.run(&[&["login", "--url", &url], more].concat()).done();
    // As scripts for App Services have it.
    login(&["--api-key", "admin", "--private-api-key", key]);
    assert!(!profile(&shell).contains(key));
    let mut by_environment = shell.command();
    by_environment.env("OREST_API_KEY", key).args(["login", "--username", "admin", "--keep-api-key"]);
    assert!(by_environment.output().unwrap().status.success());
    assert!(profile(&shell).contains(key));
    login(&[]);
    assert!(profile(&shell).contains(key), "it is used again, and stays");
    assert_eq!(live_sessions(&shell), 1);
    shell.run(&["logout"]).done();
    assert!(!profile(&shell).contains(key));
    let somebody = shell.run(&["login", "--username", "alice", "--api-key", key]).refused(1);
    assert!(somebody.starts_with("login failed: "), "{somebody}");
}

#[test]
fn somebody_else_s_session_is_not_ended_unasked() {
    let shell = Shell::new();
    shell.call(
        "res.users",
        "create",
        &json!([{"login": "carla", "name": "Carla", "password": "carla's own", "group_ids": []}]),
        &json!({}),
    );
    let carla = ["login", "--username", "carla", "--password", "carla's own"];
    let said = shell.run(&carla).refused(2);
    assert_eq!(said, "login failed: there is no terminal to ask on: give --yes\n");
    // She may not: the session that there was goes on.
    let said = shell.run(&[&carla[..], &["-y"]].concat()).refused(1);
    assert!(said.starts_with("login failed: "), "{said}");
    assert!(shell.run(&["whoami"]).done().starts_with("Currently logged in user: admin "));
}

/// The access token has ended, or was lost: the session brings another, once.
#[test]
fn a_session_is_renewed_where_it_can_be() {
    let shell = Shell::new();
    let path = shell.home.path().join(".config/orest/default.yaml");
    let spoil = |name: &str| {
        let lines = profile(&shell);
        let lines = lines
            .lines()
            .map(|line| if line.starts_with(name) { format!("{name}: orat_gone") } else { line.to_owned() });
        fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    };
    spoil("access_token");
    shell.run(&["authorizations", "list", "--limit", "1"]).done();
    assert!(!profile(&shell).contains("orat_gone"), "the new one is kept");
    spoil("access_token");
    shell.run(&["authorizations", "revoke", "--user", "bob", "--dry-run"]).done();
    // An administrator sees sessions in the list of authorizations, and ends them there.
    let ids = shell.call(
        "orest.authorization",
        "search",
        &json!([[["application_id.client_id", "=", "admin-api"], LIVE]]),
        &json!({}),
    );
    let ids: Value = ids;
    shell.call("orest.authorization", "action_revoke_tokens", &json!([ids]), &json!({}));
    let said = shell.run(&["authorizations", "list"]).refused(1);
    assert_eq!(said, "authorizations list failed: invalid session\nTry instead: orest login\n");
    assert_eq!(shell.run(&["whoami"]).done(), "The user, admin, is not currently logged in\n");
    // Signing out of what is over is no error.
    assert_eq!(shell.run(&["logout"]).done(), "Successfully logged out\n");
}

#[test]
fn profiles_are_apart() {
    let shell = Shell::new();
    let url = shell.url();
    let mut other = command(shell.home.path());
    other.env("OREST_PROFILE", "other").env("OREST_URL", &url).args(["whoami"]);
    assert_eq!(other.output().unwrap().stdout, b"No user is currently logged in\n");
    shell.run(&["login", "--profile", "other", "--url", &url, "--username", "admin", "--password", "admin"]).done();
    assert_eq!(live_sessions(&shell), 2);
    shell.run(&["logout", "--profile", "other"]).done();
    assert!(shell.run(&["whoami"]).done().starts_with("Currently logged in user: admin"));
}
