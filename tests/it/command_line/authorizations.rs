//! `orest authorizations list` and `revoke`.

use serde_json::{Value, json};

use super::client::Shell;

fn live(shell: &Shell, domain: &Value) -> u64 {
    let mut terms = domain.as_array().unwrap().clone();
    terms.push(json!(["state", "=", "live"]));
    shell.server.count("orest.authorization", &Value::Array(terms))
}

#[test]
fn they_are_listed_as_the_filters_say() {
    let shell = Shell::new();
    // Without the waste bin.
    let of = |domain: Value| {
        let mut terms = domain.as_array().unwrap().clone();
        terms.push(json!(["active", "=", true]));
        shell.server.count("orest.authorization", &Value::Array(terms))
    };
    let count = |more: &[&str]| -> u64 {
        let said = shell.run(&[&["authorizations", "list", "-f", "json"], more].concat());
        let [line] = &said.json()[..] else { panic!("{said:?}") };
        line["data"].as_array().map_or(0, |rows| rows.len() as u64)
    };
    assert_eq!(count(&[]), of(json!([])));
    assert_eq!(count(&["--limit", "7"]), 7);
    let name = shell.demo["applications"][1]["name"].as_str().unwrap();
    let client_id = shell.demo["applications"][1]["client_id"].as_str().unwrap();
    let expect = of(json!([["application_id.name", "=", name]]));
    assert!(expect > 0);
    assert_eq!((count(&["--application", name]), count(&["-a", client_id])), (expect, expect));
    let expect = of(json!([["user_id.login", "in", ["alice", "bob"]], ["state", "in", ["live", "expired"]]]));
    assert_eq!(count(&["--user", "alice,bob@example.com", "--state", "live,expired"]), expect);
    assert_eq!(count(&["--older-than", "20d"]), of(json!([["create_date", "<", "now -20d"]])));
    let unused = json!([
        "|",
        ["last_used_at", "<", "now -5d"],
        "&",
        ["last_used_at", "=", false],
        ["create_date", "<", "now -5d"]
    ]);
    assert_eq!(count(&["--unused-for", "5d"]), of(unused));
    assert_eq!(
        count(&["--domain", "[('state', '!=', 'live'), ('user_id.login', '=', 'alice')]"]),
        of(json!([["state", "!=", "live"], ["user_id.login", "=", "alice"]]))
    );

    let table = shell.run(&["authorizations", "ls", "--user", "alice", "--limit", "2"]).done();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!((lines[0], lines.len()), ("Authorizations: 2", 5));
    assert!(lines[1].starts_with("  ID ") && lines[3].contains("Alice"), "{table}");
    let device =
        shell.call("orest.device", "search_read", &json!([[["user_id.login", "=", "alice"]], ["name"]]), &json!({}));
    let id = device[0]["id"].as_i64().unwrap();
    assert_eq!(count(&["--device", &id.to_string()]), of(json!([["device_id", "=", id]])));

    for (line, expect) in [
        (["--user", "nobody"], "failed to find user 'nobody'"),
        (["--application", "nothing"], "failed to find application 'nothing'"),
        (["--device", "999999"], "failed to find device '999999'"),
    ] {
        let said = shell.run(&[&["authorizations", "list"], &line[..]].concat()).refused(1);
        assert_eq!(said, format!("authorizations list failed: {expect}\n"));
    }
    let said = shell.run(&["authorizations", "list", "--domain", "[('no_such_field', '=', 1)]"]).refused(1);
    assert!(said.contains("no_such_field"), "{said}");
    let none = shell.run(&["authorizations", "list", "--user", "alice", "--older-than", "5000w"]).done();
    assert_eq!(none, "No authorizations to show\n");
}

/// A thousand are read at a time.
#[test]
fn all_pages_are_read() {
    let shell = Shell::new();
    let mut more = super::orest(&shell.home.path().join("data"));
    assert!(more.args(["demo", "--authorizations", "2100"]).output().unwrap().status.success());
    let ids = |more: &[&str]| -> Vec<i64> {
        let said = shell.run(&[&["authorizations", "list", "-f", "json"], more].concat());
        let [line] = &said.json()[..] else { panic!("{}", said.err) };
        line["data"].as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap().parse().unwrap()).collect()
    };
    let domain = json!([["active", "=", true]]);
    let found = shell.call("orest.authorization", "search", &json!([domain]), &json!({"order": "id desc"}));
    let found: Vec<i64> = found.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
    assert!(found.len() > 2_000);
    assert_eq!(ids(&[]), found);
    assert_eq!(ids(&["--limit", "1500"]), found[..1_500]);
    let table = shell.run(&["authorizations", "list"]).done();
    assert_eq!(table.lines().count(), 3 + found.len());
}

#[test]
fn they_are_revoked_in_one_act_with_one_receipt() {
    let shell = Shell::new();
    let of_alice = json!([["user_id.login", "=", "alice"]]);
    let (count, acts) = (live(&shell, &of_alice), shell.acts());
    assert!(count > 0 && shell.is_live(shell.token()));
    let line = ["authorizations", "revoke", "--user", "alice"];
    let many = if count == 1 { "authorization" } else { "authorizations" };
    let trial = shell.run(&[&line[..], &["--dry-run"]].concat()).done();
    assert_eq!(trial, format!("Dry run: {count} {many} of 1 user would be revoked\n"));
    assert_eq!((live(&shell, &of_alice), shell.acts()), (count, acts));

    let said = shell.run(&[&line[..], &["-y", "--reason", "laptop lost", "-f", "json"]].concat());
    let [receipt] = &said.json()[..] else { panic!("{said:?}") };
    let id = receipt["doc"]["revocation_id"].as_i64().unwrap();
    assert_eq!(receipt["message"], json!(format!("Revocation {id}: {count} {many} revoked")));
    assert_eq!((&receipt["doc"]["revoked"], &receipt["doc"]["already_revoked"]), (&json!(count), &json!(0)));
    assert_eq!((live(&shell, &of_alice), shell.acts(), shell.is_live(shell.token())), (0, acts + 1, false));
    assert_eq!(shell.last_act()["reason_admin"], json!("laptop lost"));
    assert_eq!(shell.run(&[&line[..], &["-y"]].concat()).done(), "No authorizations to revoke\n");
    assert_eq!(shell.acts(), acts + 1);

    // Own words are held together with the options, whatever they are.
    let domain = "['|', ('user_id.login', '=', 'bob'), ('user_id.login', '=', 'victor')]";
    let both = json!([["user_id.login", "in", ["bob", "victor"]]]);
    let others = json!([["user_id.login", "not in", ["bob", "victor"]]]);
    let (count, rest) = (live(&shell, &both), live(&shell, &others));
    let said = shell.run(&["authorizations", "revoke", "--domain", domain, "-y"]).done();
    assert!(said.contains(&format!(": {count} authorization")), "{said}");
    assert_eq!((live(&shell, &both), live(&shell, &others)), (0, rest));
}
