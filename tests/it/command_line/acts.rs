//! `orest users revoke`, `disable`, `enable` and `delete`: what they do, for whom it fails, and what they print.

use serde_json::json;
use snapbox::{assert_data_eq, str};

use super::client::{Shell, assert_output};
use super::gate::{Gate, OUT_OF_ORDER, RPC_OUT_OF_ORDER, acts_on};

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

    let ids = [("[ANN]", &**ann), ("[BEN]", ben)];
    assert_output(
        &run("disable", &["-u", &both, "--dry-run"]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details          
  ---------------  ------------------------  ------  -------  -----------------
  ann@example.com  [ANN]  normal  true     would be disabled
  ben@example.com  [BEN]  normal  true     would be disabled
Dry run: nothing was done

"#]],
        &ids,
    );
    assert!(may_sign_in("ann@example.com"));
    assert_output(
        &run("disable", &["-u", &both, "--reason", "left"]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details
  ---------------  ------------------------  ------  -------  -------
  ann@example.com  [ANN]  normal  false           
  ben@example.com  [BEN]  normal  false           

"#]],
        &ids,
    );
    assert!(!may_sign_in("ann@example.com") && !may_sign_in("ben@example.com"));
    assert_output(
        &run("enable", &["-u", ann]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details
  ---------------  ------------------------  ------  -------  -------
  ann@example.com  [ANN]  normal  true            

"#]],
        &ids,
    );
    assert!(may_sign_in("ann@example.com") && !may_sign_in("ben@example.com"));
    assert_output(
        &run("delete", &["--state", "disabled", "-y"]),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Deleted  Details
  ---------------  ------------------------  ------  -------  -------
  ben@example.com  [BEN]  normal  true            

"#]],
        &ids,
    );
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
    let ids = [("[ANN]", &**ann), ("[BEN]", ben), ("[CEM]", cem)];
    let why = "cem@example.com is pending: a user who is not confirmed yet can't be disabled, only deleted.";
    assert_output(
        &said.out.replace(why, "[WHY]").replace(&"-".repeat(why.len()), "[DASHES]"),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details[..]
  ---------------  ------------------------  ------  -------  [DASHES]
  cem@example.com  [CEM]  normal  true     [WHY]
  ann@example.com  [ANN]  normal  false    [..]
  ben@example.com  [BEN]  normal  false    [..]

"#]],
        &ids,
    );
    assert_output(
        &shell.run(&["users", "delete", "-a", "egg", "--pending", "-y"]).done(),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Deleted  Details
  ---------------  ------------------------  ------  -------  -------
  cem@example.com  [CEM]  normal  true            

"#]],
        &ids,
    );
}

#[test]
fn a_server_that_fails_for_one_user_of_three() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let [ann, ben, cem] = &ids[..] else { panic!("{ids:?}") };
    let id = i64::from_str_radix(ben, 16).unwrap();
    let gate = Gate::start_reading(&shell.server.address, move |call, body| match call {
        _ if !acts_on(call, body, id) => None,
        "POST /rpc" => RPC_OUT_OF_ORDER,
        _ => OUT_OF_ORDER,
    });
    shell.sign_in(&gate.url);
    let ids = [("[ANN]", &**ann), ("[BEN]", ben), ("[CEM]", cem)];
    // The failed one comes first.
    for (deed, expect) in [
        (
            "revoke",
            str![[r#"
Provider type: User/Password
  Email            ID                        Type    Session Revoked  Details     
  ---------------  ------------------------  ------  ---------------  ------------
  ben@example.com  [BEN]  normal  false            out of order
  ann@example.com  [ANN]  normal  true                         
  cem@example.com  [CEM]  normal  true                         

"#]],
        ),
        (
            "disable",
            str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details     
  ---------------  ------------------------  ------  -------  ------------
  ben@example.com  [BEN]  normal  true     out of order
  ann@example.com  [ANN]  normal  false                
  cem@example.com  [CEM]  normal  false                

"#]],
        ),
        (
            "enable",
            str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details     
  ---------------  ------------------------  ------  -------  ------------
  ben@example.com  [BEN]  normal  true     out of order
  ann@example.com  [ANN]  normal  true                 
  cem@example.com  [CEM]  normal  true                 

"#]],
        ),
        (
            "delete",
            str![[r#"
Provider type: User/Password
  Email            ID                        Type    Deleted  Details     
  ---------------  ------------------------  ------  -------  ------------
  ben@example.com  [BEN]  normal  false    out of order
  ann@example.com  [ANN]  normal  true                 
  cem@example.com  [CEM]  normal  true                 

"#]],
        ),
    ] {
        let said = shell.run(&["users", deed, "-a", "egg", "-u", &format!("{ann},{ben},{cem}")]);
        assert_output(&said.out, expect, &ids);
        assert_eq!((said.code, said.err.as_str()), (1, ""), "{deed}");
    }
    let there = json!([
        ["login", "in", ["ann@example.com", "ben@example.com", "cem@example.com"]],
        ["active", "in", [true, false]]
    ]);
    assert_eq!(shell.server.count("res.users", &there), 1);
    // With a reason as without.
    let said = shell.run(&["users", "revoke", "-a", "egg", "-y", "--reason", "why"]);
    assert_output(
        &said.out,
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Session Revoked  Details     
  ---------------  ------------------------  ------  ---------------  ------------
  ben@example.com  [BEN]  normal  false            out of order

"#]],
        &ids,
    );
    assert_eq!(said.code, 1);
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
    assert_output(
        &shell.run(&["users", "revoke", "-a", "egg", "-u", &both]).done(),
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Session Revoked  Details
  ---------------  ------------------------  ------  ---------------  -------
  ann@example.com  [ANN]  normal  true                    
  ben@example.com  [BEN]  normal  true                    

"#]],
        &[("[ANN]", &ids[0]), ("[BEN]", &ids[1])],
    );
}
