//! `orest revocations list`, `show` and `undo`.

use serde_json::{Value, json};
use snapbox::str;

use super::client::{Shell, assert_output};

/// What alice has let applications do is revoked; the act, and of how many authorizations.
fn revoke_alice(shell: &Shell) -> (String, u64) {
    let said = shell.run(&["authorizations", "revoke", "--user", "alice", "--reason", "laptop lost", "-y"]).done();
    let act = shell.call("orest.revocation", "search", &json!([[]]), &json!({"order": "id desc", "limit": 1}));
    let id = act[0].to_string();
    assert_output(
        &said,
        str![[r#"
Revocation [ACT]: [..] revoked
You can take it back for 15 minutes: orest revocations undo [ACT]

"#]],
        &[("[ACT]", &id)],
    );
    (id, shell.last_act()["revoked"].as_u64().unwrap())
}

fn live(shell: &Shell) -> u64 {
    shell.server.count("orest.authorization", &json!([["user_id.login", "=", "alice"], ["state", "=", "live"]]))
}

#[test]
fn acts_are_listed_as_the_filters_say() {
    let shell = Shell::new();
    let (id, count) = revoke_alice(&shell);
    let ids = |more: &[&str]| -> Vec<String> {
        let said = shell.run(&[&["revocations", "list", "-f", "json"], more].concat());
        let [line] = &said.json()[..] else { panic!("{said:?}") };
        let rows = line["data"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["ID"].as_str().unwrap().to_owned()).collect()
    };
    let all = |domain: Value| -> Vec<String> {
        let found = shell.call("orest.revocation", "search", &json!([domain]), &json!({"order": "sequence desc"}));
        found.as_array().unwrap().iter().map(ToString::to_string).collect()
    };
    assert_output(
        &shell.run(&["revocations", "ls", "--limit", "1"]).done(),
        str![[r#"
Revocations: 1
  ID  When (UTC)           Who    From       Door       Kind    Revoked  Already  Reason     
  --  -------------------  -----  ---------  ---------  ------  -------  -------  -----------
  [..]  20[..]:[..]:[..]  admin  127.0.0.1  orest_rpc  revoke  [..]  0        laptop lost

"#]],
        &[],
    );
    assert_eq!(ids(&[]), all(json!([])));
    assert!(ids(&[]).len() > 3 && ids(&[])[0] == id, "the demo has some");
    assert_eq!(ids(&["--limit", "2"]), all(json!([]))[..2]);
    let of_alice =
        all(json!(["|", ["user_id.login", "=", "alice"], ["authorization_ids.user_id.login", "=", "alice"]]));
    assert!(of_alice.contains(&id) && of_alice.len() < all(json!([])).len(), "{of_alice:?}");
    assert_eq!(ids(&["--user", "alice"]), of_alice);
    // His own, too, though they touched another's.
    assert!(ids(&["-u", "admin@example.com"]).contains(&id));
    let name = shell.demo["applications"][0]["name"].as_str().unwrap();
    assert_eq!(
        ids(&["-a", name, "--since", "1h"]),
        all(json!([["authorization_ids.application_id.name", "=", name], ["create_date", ">=", "now -1H"]]))
    );
    assert_eq!(ids(&["--channel", "orest_rpc", "--since", "1h"]), [id.as_str()]);
    assert_eq!(ids(&["--domain", "[('reason_admin', 'ilike', 'LAPTOP')]", "--since", "2020-01-01"]), [id.as_str()]);
    assert_eq!(ids(&["--channel", "user_delete,device_revoke", "--since", "2999-12-31"]), [""; 0]);
    let none = shell.run(&["revocations", "list", "--since", "2999-12-31"]).done();
    assert_eq!(none, "No revocations to show\n");
    let nobody = shell.run(&["revocations", "list", "--user", "nobody"]).refused(1);
    assert_eq!(nobody, "revocations list failed: failed to find user 'nobody'\n");

    assert_output(
        &shell.run(&["revocations", "show", &id]).done(),
        str![[r#"
Revocation [ACT]
  When (UTC)       [..]
  Who              admin
  From             127.0.0.1
  Door             orest_rpc
  Initiated by     admin
  Kind             revoke
  Aimed at         [..]user_id[..]
  Revoked          [COUNT]
  Already revoked  0
  Reason           laptop lost
  What it holds    orest authorizations list --domain "[('revocation_id', '=', [ACT])]"

"#]],
        &[("[COUNT]", &format!("{count}")), ("[ACT]", &id)],
    );
    let holds = format!("[('revocation_id', '=', {id})]");
    let held = shell.run(&["authorizations", "list", "--domain", &holds, "-f", "json"]).json();
    assert_eq!(held[0]["data"].as_array().map(|rows| rows.len() as u64), Some(count));
    let shown = shell.run(&["revocations", "show", &id, "-f", "json"]).json();
    let [line] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(line["message"], json!(format!("Revocation {id}")));
    assert_eq!((&line["doc"]["revoked"], &line["doc"]["user_login"]), (&json!(count), &json!("admin")));
    let missing = shell.run(&["revocations", "show", "999999"]).refused(1);
    assert_eq!(missing, "revocations show failed: failed to find revocation '999999'\n");
}

#[test]
fn an_act_of_one_s_own_is_taken_back_once() {
    let shell = Shell::new();
    let (before, acts) = (live(&shell), shell.acts());
    assert!(before > 0 && shell.is_live(shell.token()));
    let (id, count) = revoke_alice(&shell);
    assert_eq!((live(&shell), shell.is_live(shell.token()), count), (0, false, before));
    let undo = |id: &str, more: &[&str]| shell.run(&[&["revocations", "undo", id], more].concat());
    let refused = undo(&id, &[]).refused(2);
    assert_eq!(refused, "revocations undo failed: there is no terminal to ask on: give --yes\n");
    assert_eq!(shell.acts(), acts + 1);

    let said = undo(&id, &["--yes", "--reason", "it was under the sofa", "-f", "json"]);
    let [receipt] = &said.json()[..] else { panic!("{said:?}") };
    let undone_by = receipt["doc"]["revocation_id"].to_string();
    let (noun, verb) = if count == 1 { ("authorization", "is") } else { ("authorizations", "are") };
    let sentence = format!("Revocation {id} is taken back by {undone_by}: {count} {noun} {verb} live again");
    assert_eq!((said.code, &receipt["message"]), (0, &json!(sentence)));
    assert_eq!((live(&shell), shell.is_live(shell.token()), shell.acts()), (before, true, acts + 2));
    assert_output(
        &shell.run(&["revocations", "list", "--limit", "2"]).done(),
        str![[r#"
Revocations: 2
  ID  When (UTC)           Who    From       Door       Kind            Revoked  Already  Reason               
  --  -------------------  -----  ---------  ---------  --------------  -------  -------  ---------------------
  [..]  20[..]:[..]:[..]  admin  127.0.0.1  orest_rpc  undo of [ACT][..]  0        it was under the sofa
  [..]  20[..]:[..]:[..]  admin  127.0.0.1  orest_rpc  revoke, undone  [..]  0        laptop lost          

"#]],
        &[("[ACT]", &id)],
    );

    let once_more = "revocations undo failed: this revocation has been taken back already\n";
    assert_eq!(undo(&id, &["-y"]).refused(1), once_more);
    let back = "revocations undo failed: an undo can't be undone; revoke again instead\n";
    assert_eq!(undo(&undone_by, &["-y"]).refused(1), back);
    assert_eq!(undo("999999", &["-y"]).refused(1), "revocations undo failed: failed to find revocation '999999'\n");
    let others = shell.call("orest.revocation", "search", &json!([[["user_id", "!=", 2]]]), &json!({"limit": 1}));
    let theirs = undo(&others[0].to_string(), &["-y"]).refused(1);
    assert_eq!(theirs, "revocations undo failed: only who revoked may take it back\n");
    assert_eq!((live(&shell), shell.acts()), (before, acts + 2));
}

/// Whatever others write as a reason: some terminals take U+009B for the beginning of a sequence.
#[test]
fn a_reason_moves_nothing_on_a_terminal() {
    let shell = Shell::new();
    let reason = "lost\u{9b}2J\u{202e}tsol";
    shell.run(&["authorizations", "revoke", "--user", "bob", "--reason", reason, "-y"]).done();
    let said = shell.run(&["revocations", "list", "--limit", "1", "-f", "json"]);
    assert!(said.out.contains(r"lost\u009b2J\u202etsol") && said.out.is_ascii(), "{said:?}");
    assert_eq!(said.json()[0]["data"][0]["Reason"], json!(reason), "and programs read what was written");
    let table = shell.run(&["revocations", "list", "--limit", "1"]).done();
    assert!(table.contains("lost\u{fffd}2J\u{fffd}tsol"), "{table}");
    let id = shell.last_act()["id"].to_string();
    let shown = shell.run(&["revocations", "show", &id]).done();
    assert!(shown.contains("  Reason           lost\u{fffd}2J\u{fffd}tsol\n"), "{shown}");
}
