//! `orest users revoke`, `disable`, `enable` and `delete`: what they do, for whom it fails, and what they print.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use super::client::Shell;

/// Stands before a server and says no to some calls, by the first line of the request.
fn gate(server: &str, refuses: impl Fn(&str) -> bool + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = server.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            let head = loop {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    if body.len() >= length.unwrap_or(0) {
                        break head.to_owned();
                    }
                }
                assert!(read > 0, "{text}");
            };
            let first = head.lines().next().unwrap();
            if refuses(first) {
                let body = r#"{"error": "out of order", "error_code": "InternalServerError"}"#;
                let length = body.len();
                write!(stream, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
                continue;
            }
            let text = String::from_utf8(request).unwrap().replacen("\r\n", "\r\nConnection: close\r\n", 1);
            let mut behind = TcpStream::connect(&server).unwrap();
            behind.write_all(text.as_bytes()).unwrap();
            let mut answer = Vec::new();
            behind.read_to_end(&mut answer).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    format!("http://{address}")
}

fn table(header: &str, rows: &[(&str, &str, &str, &str)]) -> String {
    let details = rows.iter().map(|row| row.3.len()).max().unwrap().max("Details".len());
    let column = header.len();
    let dashes = "-".repeat(details);
    let mut text = format!(
        "Provider type: User/Password\n  Email            ID                        Type    {header}  {:details$}\n  \
         ---------------  ------------------------  ------  {}  {dashes}\n",
        "Details",
        "-".repeat(column),
    );
    for (email, id, done, why) in rows {
        text.push_str(&format!("  {email}  {id}  normal  {done:column$}  {why:details$}\n"));
    }
    text
}

/// The token of the demo is alice's, of the demo's first application.
#[test]
fn revoking_ends_what_acts_for_a_user_at_that_application() {
    let shell = Shell::new();
    let name = shell.demo["applications"][0]["name"].as_str().unwrap();
    let app = name.to_lowercase().replace(' ', "-");
    let listed = shell.run(&["users", "list", "-a", &app, "-f", "json"]).json();
    let rows = listed.iter().flat_map(|table| table["data"].as_array().cloned().unwrap_or_default());
    let alice = shell.call("res.users", "search", &json!([[["login", "=", "alice"]]]), &json!({}))[0].as_i64().unwrap();
    let alice = format!("{alice:024x}");
    assert!(rows.into_iter().any(|row| row["ID"] == alice.as_str()), "{listed:?}");
    assert!(shell.is_live(shell.token()));
    let acts = shell.acts();

    let trial = shell.run(&["users", "revoke", "-a", &app, "-u", &alice, "--dry-run"]).done();
    assert!(trial.contains("  false            would be revoked"), "{trial}");
    assert!(trial.lines().last().unwrap().starts_with("Dry run: "), "{trial}");
    assert!(shell.is_live(shell.token()) && shell.acts() == acts, "and does nothing");

    let line = ["users", "revoke", "-a", &app, "-u", &alice, "--reason", "laptop lost"];
    let revoked = shell.run(&line).done();
    assert!(revoked.contains(&alice) && revoked.contains("  true             "), "{revoked}");
    assert!(!shell.is_live(shell.token()));
    assert_eq!(shell.acts(), acts + 1);
    let act = shell.last_act();
    assert_eq!((&act["reason_admin"], &act["user_id"][0]), (&json!("laptop lost"), &json!(2)));
    // He may sign in again, and elsewhere nothing has ended.
    assert!(shell.server.login("alice", "alice").is_u64());
    let again = shell.run(&line).done();
    assert!(again.contains("  true             "), "{again}");
}

#[test]
fn one_act_for_the_whole_selection() {
    let shell = Shell::new();
    let name = shell.demo["applications"][0]["name"].as_str().unwrap();
    let app = name.to_lowercase().replace(' ', "-");
    let domain = json!([["application_id.name", "=", name], ["state", "=", "live"]]);
    let live = shell.server.count("orest.authorization", &domain);
    let acts = shell.acts();
    assert!(live > 2);
    shell.run(&["users", "revoke", "--app", &app, "--yes", "--reason", "moved house"]).done();
    assert_eq!((shell.server.count("orest.authorization", &domain), shell.acts()), (0, acts + 1));
    assert_eq!(shell.last_act()["revoked"], json!(live));
    // What is deleted ends with it everywhere, and the log says why.
    let alice = shell.call("res.users", "search", &json!([[["login", "=", "alice"]]]), &json!({}))[0].as_i64().unwrap();
    let line = ["users", "delete", "-a", &app, "-u", &format!("{alice:024x}"), "--reason", "left the company"];
    shell.run(&line).done();
    let act = shell.last_act();
    assert_eq!((&act["channel"], &act["reason_admin"]), (&json!("user_delete"), &json!("left the company")));
    assert_eq!(shell.server.count("res.users", &json!([["login", "=", "alice"]])), 0);
}

#[test]
fn disabling_enabling_and_deleting() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com"]);
    let [ann, ben] = &ids[..] else { panic!("{ids:?}") };
    let both = format!("{ann},{ben}");
    let run = |deed: &str, more: &[&str]| shell.run(&[&["users", deed, "-a", "egg"], more].concat()).done();
    let may_sign_in = |email: &str| shell.server.login(email, "secret of theirs").is_u64();

    let trial = table(
        "Enabled",
        &[("ann@example.com", ann, "true", "would be disabled"), ("ben@example.com", ben, "true", "would be disabled")],
    );
    assert_eq!(run("disable", &["-u", &both, "--dry-run"]), format!("{trial}Dry run: nothing was done\n"));
    assert!(may_sign_in("ann@example.com"));
    let expect = table("Enabled", &[("ann@example.com", ann, "false", ""), ("ben@example.com", ben, "false", "")]);
    assert_eq!(run("disable", &["-u", &both, "--reason", "left"]), expect);
    assert!(!may_sign_in("ann@example.com") && !may_sign_in("ben@example.com"));
    let expect = table("Enabled", &[("ann@example.com", ann, "true", "")]);
    assert_eq!(run("enable", &["-u", ann]), expect);
    assert!(may_sign_in("ann@example.com") && !may_sign_in("ben@example.com"));
    let expect = table("Deleted", &[("ben@example.com", ben, "true", "")]);
    assert_eq!(run("delete", &["--state", "disabled", "-y"]), expect);
    let there = json!([["login", "in", ["ann@example.com", "ben@example.com"]], ["active", "in", [true, false]]]);
    assert_eq!(shell.server.count("res.users", &there), 1);
}

#[test]
fn nobody_left_is_no_failure() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &[]);
    for (deed, expect) in [
        ("revoke", "No users to revoke sessions for\n"),
        ("disable", "No users to disable\n"),
        ("enable", "No users to enable\n"),
        ("delete", "No users to delete\n"),
    ] {
        assert_eq!(shell.run(&["users", deed, "-a", "egg"]).done(), expect);
        let said = shell.run(&["users", deed, "-a", "egg", "-u", "somebody"]).refused(1);
        assert_eq!(said, format!("user {deed} failed: no users found\n"));
        let said = shell.run(&["users", deed, "-a", "egg", "-f", "json"]);
        assert_eq!(said.json(), [json!({"level": "info", "message": expect.trim_end()})]);
    }
    shell.create_user("Eggcorn", "ann@example.com");
    let said = shell.run(&["users", "delete", "-a", "egg"]).refused(2);
    assert_eq!(said, "user delete failed: there is no terminal to ask on: give --user, or --yes to delete all 1\n");
}

/// Who is pending can't be disabled, and so not all three at once; the others can.
#[test]
fn one_of_three_is_refused_by_the_server() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let [ann, ben, cem] = &ids[..] else { panic!("{ids:?}") };
    let number = i64::from_str_radix(cem, 16).unwrap();
    shell.call("res.users", "write", &json!([[number], {"state": "pending"}]), &json!({}));
    // Who is none of the application's users is not touched.
    let me = format!("{:024x}", 2);
    let said = shell.run(&["users", "disable", "-a", "egg", "-u", &ids.join(","), "-u", &me]);
    assert_eq!((said.code, said.err), (1, format!("user '{me}' not found\n")));
    let rows: Vec<_> = said.out.lines().skip(3).collect();
    assert!(rows[0].starts_with("  cem@example.com") && rows[0].contains("deleted"), "{rows:?}");
    for (row, email, id) in [(rows[1], "ann", ann), (rows[2], "ben", ben)] {
        assert_eq!(row.trim_end(), format!("  {email}@example.com  {id}  normal  false"));
    }
    let expect = table("Deleted", &[("cem@example.com", cem, "true", "")]);
    assert_eq!(shell.run(&["users", "delete", "-a", "egg", "--pending", "-y"]).done(), expect);
}

#[test]
fn a_server_that_fails_for_one_user_of_three() {
    let shell = Shell::signed_out();
    let login =
        |url: &str| shell.run(&["login", "--url", url, "--username", "admin", "--password", "admin", "-y"]).done();
    login(&shell.url());
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let [ann, ben, cem] = &ids[..] else { panic!("{ids:?}") };
    let of_ben = format!("/users/{ben}");
    login(&gate(&shell.server.address, move |line| {
        line.contains(" /rpc ") || line.contains("/json/2/") || (line.contains(&of_ben) && !line.starts_with("GET "))
    }));
    for (deed, header, [failed, done]) in [
        ("revoke", "Session Revoked", ["false", "true"]),
        ("disable", "Enabled", ["true", "false"]),
        ("enable", "Enabled", ["true", "true"]),
        ("delete", "Deleted", ["false", "true"]),
    ] {
        let rows = [
            ("ben@example.com", &**ben, failed, "out of order"),
            ("ann@example.com", &**ann, done, ""),
            ("cem@example.com", &**cem, done, ""),
        ];
        let said = shell.run(&["users", deed, "-a", "egg", "-u", &format!("{ann},{ben},{cem}")]);
        assert_eq!(said.out, table(header, &rows), "the failed one first");
        assert_eq!((said.code, said.err.as_str()), (1, ""), "{deed}");
    }
    let there = json!([
        ["login", "in", ["ann@example.com", "ben@example.com", "cem@example.com"]],
        ["active", "in", [true, false]]
    ]);
    assert_eq!(shell.server.count("res.users", &there), 1);
    // With a reason, each is tried by the door that keeps it, which is out of order too.
    let said = shell.run(&["users", "revoke", "-a", "egg", "-y", "--reason", "why"]);
    assert_eq!(
        (said.code, said.out),
        (1, table("Session Revoked", &[("ben@example.com", ben, "false", "unexpected status code 500")]))
    );
}

/// Users are Odoo's then: it says so for each, and revoking goes on.
#[test]
fn while_paired_users_are_kept_in_odoo() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com"]);
    let both = ids.join(",");
    let mut pair = super::orest(&shell.home.path().join("data"));
    assert!(pair.args(["pair", "--odoo-url", "https://odoo.example.com"]).output().unwrap().status.success());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let said = loop {
        let said = shell.run(&["users", "enable", "-a", "egg", "-u", &both]);
        if said.code != 0 {
            break said;
        }
        assert!(std::time::Instant::now() < deadline, "{said:?}");
    };
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let refused: Vec<_> = said.out.lines().skip(3).filter(|row| row.contains("Odoo")).collect();
    assert_eq!(refused.len(), 2, "{}", said.out);
    let expect =
        table("Session Revoked", &[("ann@example.com", &ids[0], "true", ""), ("ben@example.com", &ids[1], "true", "")]);
    assert_eq!(shell.run(&["users", "revoke", "-a", "egg", "-u", &both]).done(), expect);
}
