//! How a server ends that is told to.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::client::Shell;
use super::{Server, orest};

/// As an administrator copies it: the database's file and the keys, and not what SQLite keeps beside the file.
#[test]
fn a_server_that_is_stopped_leaves_one_whole_file() {
    let Shell { mut server, home, .. } = Shell::signed_out();
    let revoke = json!(["orest", 2, "admin", "orest.authorization", "revoke_domain", [[["state", "=", "live"]]]]);
    let params = json!({"service": "object", "method": "execute_kw", "args": revoke});
    let revoked = server.post("/jsonrpc", &json!({"params": params}))["result"]["revoked"].as_u64().unwrap();
    assert!(revoked > 0);
    let data = home.path().join("data");
    let beside = || fs::metadata(data.join("orest.sqlite3-wal")).map_or(0, |file| file.len());
    assert!(beside() > 0, "a file that is written while it serves");
    assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
    assert!(server.child.wait().unwrap().success());
    assert_eq!(beside(), 0);

    let copy = home.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for file in ["orest.sqlite3", "sealing-keys"] {
        fs::copy(data.join(file), copy.join(file)).unwrap();
    }
    let server = Server::start(orest(&copy).arg("serve"));
    assert_eq!(server.count("orest.revocation", &json!([["revoked", "=", revoked]])), 1);
    assert_eq!(server.count("orest.authorization", &json!([["state", "=", "live"]])), 0);
}
