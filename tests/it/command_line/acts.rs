//! `orest users revoke`, `disable`, `enable` and `delete`: what they do, for whom it fails, and what they print.

use serde_json::json;
use snapbox::{assert_data_eq, str};

use super::client::Shell;
use super::gate::{Gate, OUT_OF_ORDER};

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
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let [ann, ben, cem] = &ids[..] else { panic!("{ids:?}") };
    let of_ben = format!("/users/{ben}");
    let gate = Gate::start(&shell.server.address, move |call| {
        let act = !call.starts_with("GET ") && call.contains(&of_ben);
        if call.ends_with(" /rpc") || call.contains("/json/2/") || act { OUT_OF_ORDER } else { None }
    });
    shell.sign_in(&gate.url);
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

/// However many they are: who they are is one call, and the act is one.
#[test]
fn one_call_for_the_whole_selection() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let gate = Gate::start(&shell.server.address, |_| None);
    shell.sign_in(&gate.url);
    for (deed, call) in [
        ("revoke", "POST /rpc"),
        ("disable", "POST /json/2/res.users/action_disable"),
        ("enable", "POST /json/2/res.users/action_enable"),
        ("delete", "POST /json/2/res.users/unlink"),
    ] {
        gate.requests();
        shell.run(&["users", deed, "-a", "egg", "-u", &ids.join(",")]).done();
        let mut requests = gate.requests();
        assert_eq!(requests.pop().as_deref(), Some(call));
        assert_data_eq!(
            requests.join("\n"),
            str![[r#"
GET /api/admin/v3.0/auth/profile
GET /api/admin/v3.0/groups/000000000000000000000001/apps
GET /api/admin/v3.0/groups/000000000000000000000001/apps/[..]/users?ids=[..]%2C[..]%2C[..]
"#]]
        );
    }
}

/// As a proxy answers that has lost the server: it may have been done, and nobody is tried again by himself.
#[test]
fn what_may_have_been_done_is_not_done_again() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com"]);
    for (answer, said) in [
        ((503, "{}"), "unexpected status code 503"),
        ((504, r#"{"name": "x", "message": "The answer was lost."}"#), "The answer was lost."),
        (
            (422, r#"{"name": "x", "message": "It may be done.", "arguments": ["x", {"undecided": true}]}"#),
            "It may be done.",
        ),
    ] {
        let gate = Gate::start(&shell.server.address, move |call| call.contains("/json/2/").then_some(answer));
        shell.sign_in(&gate.url);
        for deed in ["disable", "enable", "delete"] {
            gate.requests();
            let refused = shell.run(&["users", deed, "-a", "egg", "-u", &ids.join(",")]).refused(1);
            assert_eq!(refused, format!("user {deed} failed: {said}\n"));
            let acts: Vec<_> = gate.requests().into_iter().filter(|call| !call.starts_with("GET ")).collect();
            assert_eq!(acts.len(), 1, "{acts:?}");
        }
    }
}

#[test]
fn why_two_are_disabled_or_deleted_stands_in_one_act() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com"]);
    let both = ids.join(",");
    for (deed, channel) in [("disable", "user_disable"), ("delete", "user_delete")] {
        let acts = shell.acts();
        shell.run(&["users", deed, "-a", "egg", "-u", &both, "--reason", "left the company"]).done();
        assert_eq!(shell.acts(), acts + 1, "{deed}");
        let act = shell.last_act();
        assert_eq!((&act["channel"], &act["reason_admin"]), (&json!(channel), &json!("left the company")));
    }
}

#[test]
fn a_trial_does_nothing() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com"]);
    shell.run(&["users", "disable", "-a", "egg", "-u", &ids[0]]).done();
    let gate = Gate::start(&shell.server.address, |_| None);
    shell.sign_in(&gate.url);
    let acts = shell.acts();
    let trial = |deed: &str| shell.run(&["users", deed, "-a", "egg", "-u", &ids[0], "--dry-run"]).done();
    gate.requests();
    assert_data_eq!(
        trial("enable"),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details         
  ---------------  ------------------------  ------  -------  ----------------
  ann@example.com  [..]  normal  false    would be enabled
Dry run: nothing was done

"#]]
    );
    assert_data_eq!(
        trial("delete"),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Deleted  Details         
  ---------------  ------------------------  ------  -------  ----------------
  ann@example.com  [..]  normal  false    would be deleted
Dry run: nothing was done

"#]]
    );
    assert!(gate.requests().iter().all(|call| call.starts_with("GET ")), "it asks, and tells nothing");
    let there = json!([["login", "=", "ann@example.com"], ["active", "=", false]]);
    assert_eq!((shell.server.count("res.users", &there), shell.acts()), (1, acts));
}

/// He is named once, whether nobody knows how he signs in or he does it in two ways.
#[test]
fn who_has_no_identity_or_two() {
    let shell = Shell::new();
    let name = shell.demo["applications"][0]["name"].as_str().unwrap();
    let number = shell.call("orest.application", "search", &json!([[["name", "=", name]]]), &json!({}));
    let (number, name) = (number[0].as_i64().unwrap(), &name.to_lowercase().replace(' ', "-"));
    let user = |login: &str| {
        let found = shell.call("res.users", "search", &json!([[["login", "=", login]]]), &json!({}));
        found[0].as_i64().unwrap()
    };
    let (alice, bob) = (user("alice"), user("bob"));
    let own = shell.call("orest.identity", "search", &json!([[["user_id", "in", [alice, bob]]]]), &json!({}));
    shell.call("orest.identity", "unlink", &json!([own]), &json!({}));
    for provider in ["oauth2-google", "local-userpass"] {
        let identity = json!({"user_id": bob, "provider": provider, "subject": "bob", "application_id": number});
        shell.call("orest.identity", "create", &json!([identity]), &json!({}));
    }
    let both = format!("{alice:024x},{bob:024x}");
    let said = |line: &[&str]| shell.run(&[line, &["-a", name, "-u", &both]].concat()).done();
    assert_data_eq!(
        said(&["users", "list"]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Last Authenticated
  ---------------  ------------------------  ------  -------  ------------------
  bob@example.com  [..]  normal  true     [..]
Provider type: None
  Name          ID                        Type    Enabled  Last Authenticated
  ------------  ------------------------  ------  -------  ------------------
  Alice Ahrens  [..]  normal  true     [..]

"#]]
    );
    let everybody = shell.run(&["users", "list", "-a", name]).done();
    for id in both.split(',') {
        assert_eq!(everybody.matches(id).count(), 1, "{everybody}");
    }
    assert_data_eq!(
        said(&["users", "revoke"]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Session Revoked  Details
  ---------------  ------------------------  ------  ---------------  -------
  bob@example.com  [..]  normal  true                    
Provider type: None
  Name          ID                        Type    Session Revoked  Details
  ------------  ------------------------  ------  ---------------  -------
  Alice Ahrens  [..]  normal  true                    

"#]]
    );
    let live = json!([["application_id", "=", number], ["user_id", "in", [alice, bob]], ["state", "=", "live"]]);
    assert_eq!(shell.server.count("orest.authorization", &live), 0);
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
