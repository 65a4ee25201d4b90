//! The plug of the primary is pulled, and its standby takes over: what has returned holds as far as the standby has it, what it
//! lacks is lost for all nodes alike and said so, and a node that it has never heard of is waited for.

use std::time::{Duration, Instant};

use super::checker::Checker;
use super::client::Client;
use super::fleet::{Fleet, Node, Token, administrator, introspect, resource_server, revoke, revoke_at_last};
use super::proxy::Line;
use super::runs::{finish, report, seed};
use crate::support::database::Kind;

const NODES: usize = 2;

/// Two nodes that know both servers; `None`: tests that need PostgreSQL are to be left out.
async fn fleet(tokens: usize, settings: &[(&'static str, &str)]) -> Option<Fleet> {
    if !Kind::has_postgres() {
        return None;
    }
    Some(Fleet::start_with_standby(NODES, tokens, settings).await)
}

fn standby_line(node: &Node) -> &super::proxy::Proxy {
    node.standby.as_ref().expect("there is a standby")
}

/// What all nodes say of these tokens.
async fn check_all(fleet: &Fleet, tokens: &[Token], active: bool, what: &str) {
    for (number, node) in fleet.nodes.iter().enumerate() {
        for (place, token) in tokens.iter().enumerate() {
            assert_eq!(introspect(node, token).await, Some(active), "{what}: node {number}, token {place}");
        }
    }
}

/// Whether it has said at `ERROR` that commits are lost.
fn says_what_is_lost(node: &Node) -> bool {
    let said = |line: &str| line.contains("ERROR") && line.contains("commits were lost");
    node.log().lines().any(|line| said(line) && line.contains("must be revoked again"))
}

/// Without a pause for the failover: no answer is stale, and whatever had returned before it holds after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_synchronous_standby_no_revocation_is_lost() {
    let seed = seed();
    let Some(mut fleet) = fleet(40_000, &[]).await else { return };
    fleet.postgres.wait_for_standby_at_commit();
    let checker = Checker::start(&fleet, seed);
    let all = std::sync::Arc::clone(&fleet.tokens);
    let (before, after) = all[all.len() - 20..].split_at(10);
    for (number, token) in before.iter().enumerate() {
        revoke(&mut administrator(fleet.nodes[number % NODES].address), &[token]).await.unwrap();
    }
    checker.wait_for_acts(30, "the start").await;
    let began = Instant::now();
    fleet.fail_over().await;
    let promoted = began.elapsed();
    checker.wait_for_acts(1, "the failover").await;
    let first = began.elapsed();
    for node in &fleet.nodes {
        node.wait_until_ready().await;
    }
    checker.wait_for_acts(30, "the failover").await;
    fleet.wait_for_nodes(NODES).await;
    check_all(&fleet, before, false, "revoked before").await;
    for (number, token) in after.iter().enumerate() {
        let (receipt, _) = revoke_at_last(&mut administrator(fleet.nodes[number % NODES].address), token).await;
        assert_eq!(receipt["unconfirmed"], serde_json::json!([]));
        check_all(&fleet, std::slice::from_ref(token), false, "revoked after").await;
    }
    finish("failover to a synchronous standby", seed, checker).await;
    report(&format!(
        "failover: the standby took over within {promoted:?}, the first act was confirmed after {first:?}"
    ));
    for node in &fleet.nodes {
        assert!(!says_what_is_lost(node), "nothing is lost: {}", node.log());
        assert!(node.log().contains("the database is another one"), "{}", node.log());
    }
}

/// The last acts have returned, and the standby lacks them. Their numbers are given again, and one of the nodes does not
/// notice before that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_standby_lacks_is_lost_for_all_nodes_alike_and_they_say_so() {
    let Some(mut fleet) = fleet(300, &[]).await else { return };
    let all = std::sync::Arc::clone(&fleet.tokens);
    let (kept, lost, new, untouched) = (&all[..10], &all[10..20], &all[100..130], &all[200..205]);
    let mut admins: Vec<Client> = fleet.nodes.iter().map(|node| administrator(node.address)).collect();
    for (number, token) in kept.iter().enumerate() {
        revoke(&mut admins[number % NODES], &[token]).await.unwrap();
    }
    fleet.postgres.wait_until_copied();
    fleet.standby.as_ref().unwrap().replication.set(Line::Cut);
    fleet.postgres.wait_until_alone();
    for (number, token) in lost.iter().enumerate() {
        let receipt = revoke(&mut admins[number % NODES], &[token]).await.unwrap();
        assert_eq!((receipt["nodes"].as_u64(), receipt["unconfirmed"].as_array().unwrap().len()), (Some(2), 0));
    }
    let granted = fleet.grant(5);
    check_all(&fleet, &all[..20], false, "revoked").await;
    check_all(&fleet, &granted, true, "granted").await;

    standby_line(&fleet.nodes[1]).set(Line::Cut);
    fleet.fail_over().await;
    fleet.nodes[0].wait_until_ready().await;
    for token in new {
        revoke_at_last(&mut admins[0], token).await;
        assert_eq!(introspect(&fleet.nodes[0], token).await, Some(false));
        // It may not know of it, and says nothing then.
        assert_ne!(introspect(&fleet.nodes[1], token).await, Some(true));
    }
    let written = fleet.query("SELECT count(*) FROM orest_revocation");
    assert_eq!(written, (kept.len() + new.len()).to_string(), "what is lost is not there");
    assert!(!says_what_is_lost(&fleet.nodes[1]), "it could not know: {}", fleet.nodes[1].log());
    standby_line(&fleet.nodes[1]).set(Line::Good);
    fleet.nodes[1].wait_until_ready().await;
    fleet.wait_for_nodes(NODES).await;

    check_all(&fleet, kept, false, "revoked, and the standby has it").await;
    check_all(&fleet, lost, true, "revoked, and the standby lacks it").await;
    check_all(&fleet, new, false, "revoked since").await;
    check_all(&fleet, untouched, true, "never revoked").await;
    check_all(&fleet, &granted, false, "of an authorization that is nowhere").await;
    for node in &fleet.nodes {
        assert!(says_what_is_lost(node), "{}", node.log());
    }
    // As that says: revoke it again. Now both know each other there, and confirm.
    for (number, token) in lost.iter().enumerate() {
        let (receipt, _) = revoke_at_last(&mut admins[number % NODES], token).await;
        assert_eq!(receipt["unconfirmed"], serde_json::json!([]));
        check_all(&fleet, std::slice::from_ref(token), false, "revoked again").await;
    }
}

/// Asks a node without a pause: when each check was sent, and what it was told.
async fn ask(client: &mut Client, token: &Token, until: &tokio::sync::Notify) -> Vec<(Instant, Option<bool>)> {
    let mut told = Vec::new();
    let mut ends = std::pin::pin!(until.notified());
    loop {
        let asked = Instant::now();
        let answer = client.post_form("/oauth2/introspect", &token.form).await;
        let active =
            answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.body.contains("\"active\":true"));
        told.push((asked, active));
        tokio::select! {
            biased;
            () = &mut ends => return told,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
}

/// Nothing is lost but the row of a node that has just joined. It can't be told of anything, and answers from memory by a
/// lease that the dead server gave it: nobody on the new one knows of it, and each act waits for it nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_the_standby_has_never_heard_of_is_waited_for() {
    // Long enough for the failover to be over before the lease is.
    const LONG: Duration = Duration::from_secs(7);
    let settings = [("OREST_CLUSTER_LEASE", "7s")];
    let Some(mut fleet) = fleet(20, &settings).await else { return };
    let all = std::sync::Arc::clone(&fleet.tokens);
    fleet.postgres.wait_until_copied();
    fleet.standby.as_ref().unwrap().replication.set(Line::Cut);
    fleet.postgres.wait_until_alone();
    fleet.add(&settings).await;
    fleet.nodes[NODES].wait_until_ready().await;
    fleet.wait_for_nodes(NODES + 1).await;
    let mut stranger = resource_server(fleet.nodes[NODES].address);
    assert_eq!(introspect(&fleet.nodes[NODES], &all[0]).await, Some(true));
    standby_line(&fleet.nodes[NODES]).set(Line::Cut);

    fleet.fail_over().await;
    assert_eq!(fleet.query("SELECT count(*) FROM orest_node"), NODES.to_string(), "it is not known there");
    let over = std::sync::Arc::new(tokio::sync::Notify::new());
    let asking = tokio::spawn({
        let (all, over) = (std::sync::Arc::clone(&all), std::sync::Arc::clone(&over));
        async move { ask(&mut stranger, &all[0], &over).await }
    });
    let mut admin = administrator(fleet.nodes[0].address);
    let (receipt, sent) = revoke_at_last(&mut admin, &all[0]).await;
    let returned = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    over.notify_one();
    let told = asking.await.unwrap();

    let active = |from: Instant| told.iter().filter(|(asked, active)| *asked >= from && *active == Some(true)).count();
    assert!(active(sent) > 0, "it says nothing any more when the act is made: the test shows nothing");
    assert_eq!(active(returned), 0, "it says \"active\" after the act has returned");
    // Counted are those that are known; the one of whom nobody knows was waited for.
    assert_eq!((receipt["nodes"].as_u64(), &receipt["unconfirmed"]), (Some(2), &serde_json::json!([])), "{receipt}");
    let took = returned - sent;
    assert!(took < LONG + Duration::from_secs(1), "{took:?}");
    report(&format!(
        "failover: an act waited {took:?} for a node that the standby had never heard of, with a lease of {LONG:?}"
    ));
    assert!(!says_what_is_lost(&fleet.nodes[0]), "no act is lost: {}", fleet.nodes[0].log());

    // Once is enough, and it comes back as one of them.
    let began = Instant::now();
    let receipt = revoke(&mut admin, &[&all[1]]).await.unwrap();
    assert!(began.elapsed() < LONG / 2 && receipt["nodes"] == 2, "{:?}, {receipt}", began.elapsed());
    standby_line(&fleet.nodes[NODES]).set(Line::Good);
    fleet.nodes[NODES].wait_until_ready().await;
    fleet.wait_for_nodes(NODES + 1).await;
    check_all(&fleet, &all[..2], false, "revoked while it was away").await;
}
