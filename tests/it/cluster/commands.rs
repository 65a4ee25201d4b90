//! What the command line says when a node is cut off while it acts: it is done, and who has not confirmed it until when.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::NaiveDateTime;
use orest::domain::time::{Clock as _, SystemClock};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use super::client::Client;
use super::fleet::{ADMIN, DATABASE, Fleet, introspect};
use super::postgres::Postgres;
use super::proxy::Line;
use crate::command_line::client::{Said, command, run};
use crate::command_line::gate::{Gate, OUT_OF_ORDER};
use crate::support::database::Kind;

/// Nobody has to be waited out in this test, and everything is done while the lease lasts that the other node has.
const LEASE: &str = "30s";
const WAIT: &str = "300ms";

/// The moment that is named: soon, and no later than the lease's end.
fn check_until(text: &str) {
    let text = text.trim_end().replace('T', " ");
    let moment = NaiveDateTime::parse_from_str(text.trim_end_matches([' ', 'U', 'T', 'C', 'Z']), "%Y-%m-%d %H:%M:%S");
    let left = moment.unwrap_or_else(|_| panic!("{text}")) - SystemClock.now();
    assert!(left.to_std().is_ok_and(|left| left <= Duration::from_secs(31)), "{text}: {left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_not_confirmed_is_named() {
    if !Kind::has_postgres() {
        return;
    }
    let settings = [("OREST_CLUSTER_LEASE", LEASE), ("OREST_CLUSTER_REVOKE_WAIT", WAIT)];
    let mut fleet = Fleet::start_with(1, 3, &settings).await;
    fleet.add(&[&settings[..], &[("OREST_NODE_NAME", "auth-2")]].concat()).await;
    fleet.nodes[1].wait_until_ready().await;
    tokio::task::block_in_place(|| act(&fleet));
}

fn act(fleet: &Fleet) {
    let home = tempfile::tempdir().unwrap();
    let run = |line: &[&str]| run(home.path(), line);
    let sign_in = |url: &str| {
        let login = ["login", "--url", url, "--username", ADMIN.0, "--password", ADMIN.1, "-y"];
        assert_eq!(run(&login).done(), "Successfully logged in\n");
    };
    let address = fleet.nodes[0].address.to_string();
    sign_in(&format!("http://{address}"));
    let create = |email: &str| {
        let said = run(&["users", "create", "-a", "chaos", "--email", email, "--password", "secret", "-f", "json"]);
        said.json()[0]["doc"]["id"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned()
    };
    let [ann, ben, cem, dan] = ["ann", "ben", "cem", "dan"].map(|name| create(&format!("{name}@example.com")));
    let both = format!("{ann},{ben}");
    let one_by_one = Gate::start_reading(&address, |_, body| {
        if body["ids"].as_array().is_some_and(|ids| ids.len() > 1) { OUT_OF_ORDER } else { None }
    });

    fleet.nodes[1].proxy.set(Line::Cut);
    let unconfirmed = |said: &Said, meanwhile: &str| {
        assert_eq!(said.code, 1, "{said:#?}");
        let until = said.err.strip_prefix(&format!("node auth-2 has not confirmed it, and {meanwhile} until "));
        check_until(until.unwrap_or_else(|| panic!("{said:#?}")));
    };
    let domain = format!("[('id', '=', {})]", fleet.tokens[0].authorization);
    let said = run(&["authorizations", "revoke", "--domain", &domain, "-y"]);
    unconfirmed(&said, "may accept the tokens");
    assert!(said.out.contains(": 1 authorization revoked\n"), "{said:?}");
    let act = said.out.split([' ', ':']).nth(1).unwrap();
    let said = run(&["revocations", "undo", act, "-y"]);
    unconfirmed(&said, "may go on refusing the tokens");
    assert!(said.out.contains(": 1 authorization is live again\n"), "{said:?}");
    let domain = format!("[('id', '=', {})]", fleet.tokens[1].authorization);
    let as_json = run(&["authorizations", "revoke", "--domain", &domain, "-y", "-f", "json"]);
    let lines = as_json.json();
    assert_eq!((as_json.code, &lines[0]["doc"]["unconfirmed"][0]["node"]), (1, &json!("auth-2")), "{as_json:?}");
    assert_eq!(lines[1]["level"], "error");
    assert!(as_json.err.contains(r#""err":"node auth-2 has not confirmed it"#), "{as_json:?}");

    // The tokens are the administrator's own.
    let said = run(&["users", "revoke", "-a", "chaos", "-u", &format!("{:024x}", 2)]);
    unconfirmed(&said, "may accept the tokens");
    let said = run(&["users", "disable", "-a", "chaos", "-u", &both]);
    unconfirmed(&said, "may accept the tokens");
    assert_data_eq!(
        said.out,
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details
  ---------------  ------------------------  ------  -------  -------
  ann@example.com  [..]  normal  false           
  ben@example.com  [..]  normal  false           

"#]]
    );
    unconfirmed(&run(&["users", "enable", "-a", "chaos", "-u", &ben]), "may go on refusing them");
    let said = run(&["users", "delete", "-a", "chaos", "-u", &both]);
    unconfirmed(&said, "may accept the tokens");
    assert_data_eq!(
        said.out,
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Deleted  Details
  ---------------  ------------------------  ------  -------  -------
  ann@example.com  [..]  normal  true            
  ben@example.com  [..]  normal  true            

"#]]
    );
    // Each by himself, and the node is named once.
    sign_in(&one_by_one.url);
    let said = run(&["users", "disable", "-a", "chaos", "-u", &format!("{cem},{dan}")]);
    unconfirmed(&said, "may accept the tokens");
    assert_data_eq!(
        said.out,
        str![[r#"
Provider type: User/Password
  Email            ID                        Type    Enabled  Details
  ---------------  ------------------------  ------  -------  -------
  cem@example.com  [..]  normal  false           
  dan@example.com  [..]  normal  false           

"#]]
    );
    assert_eq!(
        fleet.query("SELECT login, active FROM res_users WHERE login LIKE '%@example.com' ORDER BY login"),
        "cem@example.com|f\ndan@example.com|f",
        "all of it is done"
    );
}

/// Signs in as Odoo's web client does: what came back, and the session's cookie.
async fn authenticate(at: SocketAddr, password: &str) -> (Value, String) {
    let params = json!({"params": {"db": "orest", "login": ADMIN.0, "password": password}});
    let answer = Client::new(at).post_json("/web/session/authenticate", &params.to_string()).await.unwrap();
    let cookie = answer.cookies().find(|(name, _)| name == "session_id").map(|(_, id)| id).unwrap_or_default();
    (answer.json()["result"]["uid"].clone(), cookie)
}

async fn has_session(at: SocketAddr, cookie: &str) -> bool {
    let mut client = Client::new(at).header("Cookie", &format!("session_id={cookie}"));
    let answer = client.post_json("/web/session/get_session_info", r#"{"params": {}}"#).await.unwrap();
    answer.json()["result"]["uid"] == json!(2)
}

/// Nobody stops a node for it: when the command has returned, the old password, the sessions and the tokens are dead on each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_password_is_set_while_nodes_serve() {
    if !Kind::has_postgres() {
        return;
    }
    let fleet = Fleet::start(2, 1).await;
    let addresses = [0, 1].map(|node: usize| fleet.nodes[node].address);
    let mut cookies = Vec::new();
    for (at, node) in addresses.into_iter().zip(&fleet.nodes) {
        // Each remembers that the password is right, and that the token is live.
        let (uid, cookie) = authenticate(at, ADMIN.1).await;
        assert_eq!((uid, has_session(at, &cookie).await), (json!(2), true));
        assert_eq!(introspect(node, &fleet.tokens[0]).await, Some(true));
        cookies.push(cookie);
    }
    let home = tempfile::tempdir().unwrap();
    let url = Postgres::url(&[fleet.postgres.port], DATABASE);
    let mut command = command(home.path());
    command.env("OREST_DATABASE_URL", &url).args(["passwd", "--login", ADMIN.0, "--generate"]);
    let said: Said = tokio::task::block_in_place(|| command.output()).unwrap().into();
    let said = said.done();
    assert!(said.contains("and 1 authorization of his revoked."), "{said}");
    let password = said.split("Sign in as admin / ").nth(1).and_then(|text| text.split("   (").next()).expect(&said);
    for (at, node) in addresses.into_iter().zip(&fleet.nodes) {
        assert_eq!(introspect(node, &fleet.tokens[0]).await, Some(false));
        for cookie in &cookies {
            assert!(!has_session(at, cookie).await);
        }
        assert_ne!(authenticate(at, ADMIN.1).await.0, json!(2));
        assert_eq!(authenticate(at, password).await.0, json!(2));
    }
    assert_eq!(fleet.query("SELECT channel, requested FROM orest_revocation"), "password_reset|1");
    // However much it is to say, what goes into a statement is not in its log: the hash of a password does.
    command.env("OREST_LOG", "debug");
    let said: Said = tokio::task::block_in_place(|| command.output()).unwrap().into();
    assert!(said.code == 0 && said.err.contains(" DEBUG ") && !said.err.contains("statement"), "{}", said.err);
    assert!(home.path().read_dir().unwrap().next().is_none(), "it makes no keys, and needs none");
}
