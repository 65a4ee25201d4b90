//! `orest users list` and `create`, to the byte.

use std::fs;

use serde_json::json;
use snapbox::str;

use super::client::{Shell, assert_output};
use super::gate::Gate;

#[test]
fn users_are_created_and_listed() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com"]);
    let key = shell.run(&["users", "create", "-a", "eggcorn", "--name", "nightly", "-f", "json"]);
    let [line] = &key.json()[..] else { panic!("{key:?}") };
    let (id, secret) = (line["doc"]["id"].as_str().unwrap(), line["doc"]["key"].as_str().unwrap());
    let doc = json!({"id": id, "enabled": true, "name": "nightly", "key": secret});
    assert_eq!(*line, json!({"level": "info", "message": "Successfully created API Key", "doc": doc}));
    assert!(secret.len() >= 20);

    let [ann, ben] = &ids[..] else { panic!("{ids:?}") };
    let ids = [("[ANN]", &**ann), ("[BEN]", ben)];
    assert_output(
        &shell.run(&["users", "list", "--app", "EGG"]).done(),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Last Authenticated
  ---------------  ------------------------  ------  -------  ------------------
  ann@example.com  [ANN]  normal  true     n/a               
  ben@example.com  [BEN]  normal  true     n/a               
Provider type: ApiKey
  Name     ID                        Type    Enabled  Last Authenticated
  -------  ------------------------  ------  -------  ------------------
  nightly  [..]  server  true     n/a               

"#]],
        &ids,
    );

    // Who signed in last comes first.
    let params = json!({"db": "orest", "login": "ben@example.com", "password": "secret of theirs"});
    let signed_in = shell.server.post("/web/session/authenticate", &json!({"params": params}));
    assert!(signed_in["result"]["uid"].is_u64(), "{signed_in}");
    assert_output(
        &shell.run(&["users", "ls", "-a", "egg", "--provider", "local-userpass"]).done(),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Last Authenticated           
  ---------------  ------------------------  ------  -------  -----------------------------
  ben@example.com  [BEN]  normal  true     20[..] +0000 UTC
  ann@example.com  [ANN]  normal  true     n/a                          

"#]],
        &ids,
    );

    let as_json = shell.run(&["users", "list", "-a", "egg", "-u", ann, "-f", "json"]);
    let data = json!([{"Email": "ann@example.com", "Enabled": "true", "ID": ann, "Last Authenticated": "n/a", "Type": "normal"}]);
    let headers = json!(["Email", "ID", "Type", "Enabled", "Last Authenticated"]);
    let expect = json!({"level": "info", "message": "Provider type: User/Password", "data": data, "headers": headers});
    assert_eq!(as_json.json(), [expect]);
    let in_order =
        format!(r#""level":"info","message":"Provider type: User/Password","data":{data},"headers":{headers}}}"#);
    assert!(as_json.out.trim_end().ends_with(&in_order), "{}", as_json.out);

    // Into a file, after what is there.
    let file = shell.home.path().join("users.txt");
    fs::write(&file, "before\n").unwrap();
    let said = shell.run(&["users", "list", "-a", "egg", "-u", ann, "-o", file.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("before\nProvider type: User/Password\n  Email  ") && written.lines().count() == 5);
}

#[test]
fn filters_leave_some_out() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let [ann, ben, cem] = ids[..] else { panic!("{ids:?}") };
    shell.call("res.users", "write", &json!([[record(cem)], {"state": "pending"}]), &json!({}));
    shell.run(&["users", "disable", "-a", "egg", "-u", ben]).done();
    let listed = |more: &[&str]| -> Vec<String> {
        let said = shell.run(&[&["users", "list", "-a", "egg", "-f", "json"], more].concat());
        let tables = said.json();
        let rows = tables.iter().flat_map(|table| table["data"].as_array().cloned().unwrap_or_default());
        let mut ids: Vec<_> = rows.map(|row| row["ID"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(listed(&[]), [ann, ben]);
    assert_eq!(listed(&["--state", "enabled"]), [ann]);
    assert_eq!(listed(&["--state", "disabled"]), [ben]);
    assert_eq!(listed(&["--pending"]), [cem]);
    assert_eq!(listed(&["-u", &format!("{ann},{ben}")]), [ann, ben]);
    assert_eq!(listed(&["-u", ann, "--user", ben, "--state", "disabled"]), [ben]);
    assert_eq!(listed(&["--provider", "api-key"]), [""; 0]);
    let none = shell.run(&["users", "list", "-a", "egg", "--provider", "api-key,anon-user"]).done();
    assert_eq!(none, "No available users to show\n");
    // One who is pending is meant among the pending alone, and nobody beside him.
    assert_eq!(listed(&["--pending", "-u", cem]), [cem]);
    let said = shell.run(&["users", "list", "-a", "egg", "--pending", "-u", ann]).refused(1);
    assert_eq!(said, "user list failed: no users found\n");
    let nobody = "0000000000000000000fffff";
    let said = shell.run(&["users", "list", "-a", "egg", "-u", nobody, "-u", "x"]).refused(1);
    assert_eq!(said, "user list failed: no users found\n");
    let said = shell.run(&["users", "list", "-a", "egg", "-u", ann, "-u", nobody]);
    assert_eq!((said.code, said.err), (1, format!("user '{nobody}' not found\n")));
    assert!(said.out.contains(ann));
}

#[test]
fn applications_are_found_by_how_they_begin() {
    let shell = Shell::new();
    for name in ["Mail", "Mailing list", "Eggcorn"] {
        shell.app_with_users(name, &[]);
    }
    let said = |app: &str| shell.run(&["users", "list", "--app", app]);
    assert_eq!(said("eGGc").done(), "No available users to show\n");
    assert_eq!(said("corn").refused(1), "user list failed: failed to find app 'corn'\n");
    let several = said("mail").refused(1);
    assert!(several.starts_with("user list failed: several apps begin with 'mail': mail-"), "{several}");
    assert!(several.contains(", mailing-list-") && several.ends_with("; give --app one\n"), "{several}");
    let group = "--project";
    let other = shell.run(&["users", "list", "--app", "egg", group, "0000000000000000000000ff"]).refused(1);
    assert!(other.starts_with("user list failed: ") && other.contains("group"), "{other}");
}

/// A server gives fifty at a time.
#[test]
fn all_pages_are_read() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &["first@example.com"]);
    shell.make_users(120, "confirmed");
    shell.make_users(107, "pending");
    let listed = |more: &[&str]| shell.run(&[&["users", "list", "-a", "egg"], more].concat()).done();
    assert_eq!(listed(&[]).lines().count(), 3 + 121);
    assert_eq!(listed(&["--pending"]).lines().count(), 3 + 107);
    let deleted = shell.run(&["users", "delete", "-a", "egg", "--pending", "-y"]).done();
    assert_eq!(deleted.lines().filter(|line| line.contains("  true  ")).count(), 107);
    let revoked = shell.run(&["users", "revoke", "-a", "egg", "-y"]).done();
    assert_eq!(revoked.lines().filter(|line| line.contains("  true  ")).count(), 121);
    assert_eq!(listed(&["--pending"]), "No available users to show\n");
}

/// Many are asked for by few calls, whoever they are; a server that knows no such call is asked for each.
#[test]
fn who_is_named_is_found_whatever_the_server_knows() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &["first@example.com"]);
    let confirmed = shell.make_users(56, "confirmed");
    let pending = shell.make_users(1, "pending");
    let nobody = "0000000000000000000fffff";
    // The last in front: what is shown is in the order of the ids.
    let ids: Vec<&str> = pending.iter().chain(&confirmed).map(String::as_str).chain([nobody]).rev().collect();
    let list = ["users", "list", "-a", "egg", "-u", &ids.join(","), "-f", "json"];
    let gate = Gate::start(&shell.server.address, |_| None);
    shell.sign_in(&gate.url);
    gate.requests();
    let said = shell.run(&list);
    let asked = |calls: &[String], what: &str| calls.iter().filter(|call| call.contains(what)).count();
    let calls = gate.requests();
    assert_eq!((asked(&calls, "/users?ids="), asked(&calls, "/users/")), (2, 1), "{calls:?}");
    let lines = said.json();
    assert_eq!((said.code, lines.len()), (1, 2), "{said:?}");
    let shown: Vec<_> =
        lines[0]["data"].as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap().to_owned()).collect();
    assert_eq!(shown, [confirmed, pending].concat());
    assert_eq!(lines[1]["err"], json!(format!("user '{nobody}' not found")));

    for own in ["[]", r#"[{"_id": "00000000000000000000aaaa"}]"#] {
        let older = Gate::start(&shell.server.address, move |call| call.contains("/users?ids=").then_some((200, own)));
        shell.sign_in(&older.url);
        older.requests();
        assert_eq!(shell.run(&list).json(), lines);
        assert_eq!(asked(&older.requests(), "/users/"), 58);
    }
}

fn record(id: &str) -> i64 {
    i64::from_str_radix(id, 16).unwrap()
}
