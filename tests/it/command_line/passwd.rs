//! A lost password, set on the server's own machine.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::client::{Said, Shell, command, run};
use super::{Server, orest};

/// The command with its data there, told this on standard input.
fn passwd(data: &Path, line: &[&str], input: &str) -> Said {
    let mut command = command(data);
    command.arg("passwd").args(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who refuses reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}

fn serve(data: &Path) -> Server {
    Server::start(orest(data).arg("serve"))
}

#[test]
fn it_is_set_while_the_server_of_a_file_is_stopped() {
    let Shell { server, home, demo } = Shell::signed_out();
    let data = home.path().join("data");
    let address = server.address.clone();
    let said = passwd(&data, &["--generate"], "").refused(1);
    let expect =
        format!("orest serves this database already, at http://{address}: stop it, run this again, and start it");
    assert!(said.contains(&expect), "{said}");
    assert_eq!(server.login("admin", "admin"), json!(2), "nothing was changed");
    let alice = server.login("alice", "alice");
    drop(server);

    let said = passwd(&data, &["--login", "alice", "--password-stdin"], "her next one\nand what follows\n").done();
    let revoked = said.strip_prefix("The password of alice is changed. His sessions have ended, and ").expect(&said);
    let revoked: u64 = revoked.split(' ').next().and_then(|count| count.parse().ok()).expect(&said);
    assert!(revoked > 0, "{said}");
    // There is one administrator, so nobody must know what he is called.
    let said = passwd(&data, &["--generate"], "").done();
    let password = said.split("Sign in as admin / ").nth(1).and_then(|text| text.split("   (").next()).expect(&said);
    assert_eq!(password.len(), 24, "{said}");

    let server = serve(&data);
    assert_eq!(server.login("alice", "alice"), json!(false));
    assert_eq!(server.login("alice", "her next one"), alice);
    assert_eq!(server.login("admin", "admin"), json!(false));
    assert_eq!(server.login("admin", password), json!(2));
    let token = format!("token={}", demo["access_token"].as_str().unwrap());
    assert_eq!(server.form("/oauth2/introspect", &demo["applications"][0], &token)["active"], false);
    let fields = [
        "user_id",
        "user_login",
        "channel",
        "initiating_entity",
        "reason_admin",
        "reason_user",
        "revoked",
        "selection",
    ];
    let args = json!(["orest", 2, password, "orest.revocation", "search_read", [[]],
                      {"fields": fields, "order": "id desc", "limit": 2}]);
    let acts = server.post("/jsonrpc", &json!({"params": {"service": "object", "method": "execute_kw", "args": args}}));
    let [of_admin, of_alice] = &acts["result"].as_array().expect("a list")[..] else { panic!("{acts}") };
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for (act, revoked) in [(of_alice, revoked), (of_admin, 0)] {
        let shown = |name: &str| act[name].as_str().unwrap_or_else(|| panic!("{name}: {act}"));
        assert_eq!((&act["user_id"], shown("user_login")), (&json!(false), "__system__"));
        assert_eq!((shown("channel"), shown("initiating_entity")), ("password_reset", "admin"));
        assert_eq!(shown("reason_admin"), format!("orest passwd on {machine}"));
        assert_eq!(shown("reason_user"), "the password was changed");
        assert_eq!(act["revoked"], revoked, "the log has it also where there was nothing to revoke: {act}");
    }
}

#[test]
fn what_can_not_be_is_refused_and_nothing_is_changed() {
    let home = tempfile::tempdir().unwrap();
    let (data, nowhere) = (home.path().join("data"), home.path().join("nowhere"));
    let said = run(&nowhere, &["passwd", "--generate"]).refused(1);
    assert!(said.starts_with("orest: there is no database in ") && !nowhere.exists(), "{said}");
    let server = Server::start(orest(&data).env("OREST_ADMIN_PASSWORD", "admin").arg("serve"));
    let create = |values: Value| {
        let args = json!(["orest", 2, "admin", "res.users", "create", [values]]);
        let params = json!({"service": "object", "method": "execute_kw", "args": args});
        assert!(server.post("/jsonrpc", &json!({"params": params}))["result"].is_i64());
    };
    create(json!({"login": "gone", "name": "Gone", "active": false}));
    create(json!({"login": "new", "name": "New", "state": "pending"}));
    drop(server);
    for (line, input, expect) in [
        (&["--login", "nobody", "--generate"][..], "", "nobody has the login 'nobody'; the administrators are: admin"),
        (
            &["--login", "gone", "--generate"],
            "",
            "gone is disabled, and a password would not let him in: give one to an administrator, who can change that: admin",
        ),
        (
            &["--login", "new", "--generate"],
            "",
            "new is pending, and a password would not let him in: give one to an administrator, who can change that: admin",
        ),
        (&["--password-stdin"], "", "Setting empty passwords is not allowed for security reasons!"),
        (&["--password-stdin"], "\nsecret\n", "Setting empty passwords is not allowed for security reasons!"),
        (&["--password-stdin"], &"x".repeat(1_025), "a password has at most 1024 characters"),
        (&[], "secret\n", "there is no terminal to ask on: give --password-stdin or --generate"),
    ] {
        assert_eq!(passwd(&data, line, input).refused(1), format!("orest: {expect}\n"), "{line:?}");
    }
    let server = serve(&data);
    assert_eq!((server.login("admin", "admin"), server.count("orest.revocation", &json!([]))), (json!(2), 0));
    let args = json!(["orest", 2, "admin", "res.users", "create",
                      [{"login": "second", "name": "Second", "group_ids": [[6, 0, [5]]]}]]);
    server.post("/jsonrpc", &json!({"params": {"service": "object", "method": "execute_kw", "args": args}}));
    drop(server);
    let said = passwd(&data, &["--generate"], "").refused(1);
    assert_eq!(said, "orest: whose? Name one with --login; the administrators are: admin, second\n");

    let paired = orest(&data).args(["pair", "--odoo-url", "https://odoo.example.com"]).output().unwrap();
    assert!(paired.status.success(), "{paired:?}");
    let said = passwd(&data, &["--login", "admin", "--generate"], "").refused(1);
    assert!(said.starts_with("orest: Users are kept by Odoo at https://odoo.example.com,"), "{said}");
}
