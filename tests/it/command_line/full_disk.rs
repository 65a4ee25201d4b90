//! A disk that is full: what can't be stored is refused, what is known is answered, and it goes on when there is room again.

use std::process::Command;

use serde_json::{Value, json};

use super::{Server, orest};

/// Files may be as large as this, in bytes, until there is room again. The limit counts for each file, as a full disk would not;
/// what SQLite is told is nearly the same.
const FULL: &str = "600000";

/// The limit of a running process.
fn limit(server: &Server, bytes: &str) {
    let pid = server.child.id().to_string();
    let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:unlimited")]).status().unwrap();
    assert!(done.success());
}

fn revoke(server: &Server, id: i64) -> Value {
    let reason = json!({"reason": "x".repeat(1_000)});
    let args = json!(["orest", 2, "admin", "orest.authorization", "action_revoke_tokens", [[id]], reason]);
    server.post("/jsonrpc", &json!({"params": {"service": "object", "method": "execute_kw", "args": args}}))
}

#[test]
fn what_can_not_be_stored_is_refused_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    // Who writes more than he may gets a signal, which ends him, unless he is told with the error, as of a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_orest"), "serve", "--demo"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("OREST_DATA_DIR", folder.path()).env("OREST_LOG", "off");
    let server = Server::start(&mut command);
    let demo: Value = serde_json::from_slice(&std::fs::read(folder.path().join("demo.json")).unwrap()).unwrap();
    let application = &demo["applications"][0];
    let token = demo["access_token"].as_str().unwrap();
    let introspect = |server: &Server| server.form("/oauth2/introspect", application, &format!("token={token}"));
    let is_active = |server: &Server| introspect(server)["active"].as_bool().unwrap();
    let id = introspect(&server)["orest"]["authorization_id"].as_i64().unwrap();
    let others = json!([["id", "!=", id], ["state", "=", "live"]]);
    let before = server.count("orest.revocation", &json!([]));

    limit(&server, FULL);
    let mut stored = 0;
    let refused = loop {
        let answer = revoke(&server, 1);
        if answer.get("error").is_some() {
            break answer;
        }
        stored += 1;
        assert!(stored < 1_000, "it is never full");
    };
    assert!(refused.to_string().contains("try again"), "{refused}");
    let refused = revoke(&server, id);
    assert!(refused.get("error").is_some(), "{refused}");
    assert!(is_active(&server), "what was not done is not done");

    limit(&server, "unlimited");
    assert_eq!(server.count("orest.revocation", &json!([])), before + stored);
    let done = revoke(&server, id);
    assert_eq!(done["result"]["revoked"], 1, "{done}");
    assert!(!is_active(&server));
    let live = server.count("orest.authorization", &others);
    drop(server);

    let again = Server::start(orest(folder.path()).arg("serve"));
    assert!(!is_active(&again));
    assert_eq!(again.count("orest.revocation", &json!([])), before + stored + 1);
    assert_eq!(again.count("orest.authorization", &others), live);
}
