//! Three real processes and one PostgreSQL, and everything that can go wrong between them, while all nodes are asked without
//! a pause: no stale answer, ever; and no act that does not return.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::checker::{Checker, Counts};
use super::client::Client;
use super::fleet::{Fleet, administrator, call, resource_server};
use super::proxy::Line;
use crate::support::database::Kind;

/// From the environment, to repeat a run; else from the clock.
fn seed() -> u64 {
    use orest::domain::time::{Clock as _, SystemClock, unix};
    let given = std::env::var("OREST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| unix(SystemClock.now()).unsigned_abs())
}

/// How often each fault is made; `OREST_TEST_ROUNDS` times as often for who has the time.
fn rounds(usual: u32) -> u32 {
    let times = std::env::var("OREST_TEST_ROUNDS").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1).max(1)
}

/// How long an act may take at most: one lease, with what a loaded machine adds.
const ACT_MAX: Duration = Duration::from_secs(8);

/// Three nodes; `None`: tests that need PostgreSQL are to be left out.
async fn fleet(tokens: usize) -> Option<Fleet> {
    if !Kind::has_postgres() {
        return None;
    }
    Some(Fleet::start(3, tokens).await)
}

/// A lease that a busy machine does not make a node miss, for tests in which nobody may have to be waited out.
const CALM_LEASE: (Duration, &str) = (Duration::from_secs(6), "6s");

/// Three nodes with such a lease.
async fn calm_fleet(tokens: usize) -> Option<Fleet> {
    if !Kind::has_postgres() {
        return None;
    }
    Some(Fleet::start_with(3, tokens, &[("OREST_CLUSTER_LEASE", CALM_LEASE.1)]).await)
}

fn judge(what: &str, seed: u64, counts: &Counts) {
    println!("{what}, OREST_TEST_SEED={seed}: {counts}");
    let first = |told: &[String]| told.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        counts.stale.is_empty(),
        "seed {seed}: active after the revocation had returned:\n{}",
        first(&counts.stale)
    );
    assert!(counts.wrong.is_empty(), "seed {seed}: wrong answers:\n{}", first(&counts.wrong));
    assert!(counts.longest < ACT_MAX, "seed {seed}: an act took {:?}", counts.longest);
    assert!(counts.active > 0 && counts.inactive > 0 && counts.acts > 0, "seed {seed}: nothing happened: {counts}");
}

async fn pause(random: &mut ChaCha20Rng, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(from + random.next_u64() % (to - from))).await;
}

/// Waits until acts go on: the fault is over, and nobody has got stuck on it.
async fn wait_for_acts(checker: &Checker, more: u64, what: &str) {
    let (deadline, before) = (Instant::now() + Duration::from_secs(20), checker.acts());
    while checker.acts() < before + more {
        assert!(Instant::now() < deadline, "no acts go on after {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// More than can be revoked while it goes on, or tried while the database is away.
fn tokens() -> usize {
    60_000 * rounds(1) as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_faults() {
    let seed = seed();
    let Some(fleet) = calm_fleet(tokens()).await else { return };
    let checker = Checker::start(&fleet, seed);
    tokio::time::sleep(Duration::from_secs(4) * rounds(1)).await;
    let counts = checker.stop().await;
    judge("without faults", seed, &counts);
    assert_eq!((counts.unanswered, counts.unconfirmed, counts.failed), (0, 0, 0), "{counts}");
    assert!(counts.longest < CALM_LEASE.0, "nobody had to be waited out: {counts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_stopped_and_goes_on() {
    let (seed, Some(fleet)) = (seed(), fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(5) {
        let node = &fleet.nodes[random.next_u32() as usize % 3];
        pause(&mut random, 100, 400).await;
        node.signal("-STOP");
        // Shorter than a lease, about as long, and longer.
        pause(&mut random, 200, 2_500).await;
        node.signal("-CONT");
        wait_for_acts(&checker, 10, &format!("stop {round}")).await;
    }
    judge("stopped and continued", seed, &checker.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_killed() {
    let (seed, Some(mut fleet)) = (seed(), fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(4) {
        let node = random.next_u32() as usize % 3;
        pause(&mut random, 100, 600).await;
        fleet.nodes[node].kill();
        pause(&mut random, 50, 1_500).await;
        fleet.nodes[node].restart().await;
        wait_for_acts(&checker, 10, &format!("kill {round}")).await;
    }
    judge("killed and started", seed, &checker.stop().await);
    assert_eq!(fleet.query("SELECT count(*) FROM orest_node"), "3", "those that died are not waited for any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_cut_off_from_the_database() {
    let (seed, Some(fleet)) = (seed(), fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(6) {
        let node = &fleet.nodes[random.next_u32() as usize % 3];
        pause(&mut random, 100, 400).await;
        let line = match random.next_u32() % 3 {
            0 => Line::Stalled,
            1 => Line::Cut,
            _ => Line::Slow(Duration::from_millis(random.next_u64() % 300)),
        };
        node.proxy.set(line);
        pause(&mut random, 200, 2_500).await;
        node.proxy.set(Line::Good);
        wait_for_acts(&checker, 10, &format!("{line:?}, round {round}")).await;
    }
    judge("cut off", seed, &checker.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_lost() {
    let (seed, Some(fleet)) = (seed(), fleet(tokens()).await) else { return };
    let checker = Checker::start(&fleet, seed);
    tokio::time::sleep(Duration::from_millis(500)).await;
    for node in &fleet.nodes {
        node.proxy.set(Line::Silent);
    }
    tokio::time::sleep(Duration::from_secs(4) * rounds(1)).await;
    fleet.nodes[0].proxy.set(Line::Good);
    tokio::time::sleep(Duration::from_secs(1)).await;
    judge("notifications lost", seed, &checker.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_restarted() {
    let (seed, Some(mut fleet)) = (seed(), fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(2) {
        pause(&mut random, 300, 700).await;
        fleet.postgres.stop();
        pause(&mut random, 100, 2_000).await;
        fleet.postgres.go_on();
        wait_for_acts(&checker, 10, &format!("restart {round}")).await;
    }
    judge("database restarted", seed, &checker.stop().await);
}

/// Revokes; what finds a connection that the restart has cut is told so, and is to be sent again.
async fn revoke_at_last(admin: &mut Client, body: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = admin.post_json("/rpc", body).await.unwrap();
        if answer.body.contains("revocation_id") {
            return;
        }
        assert!(answer.body.contains("try again") && Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// After a failover that lost commits the nodes must not go on with what they know of the lost ones: the numbers of the new
/// acts are those of the lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_falls_back_to_an_earlier_state() {
    let (seed, Some(mut fleet)) = (seed(), fleet(3_000).await) else { return };
    fleet.postgres.keep();
    for node in &fleet.nodes {
        node.wait_until_ready().await;
    }
    let lost = 0..20;
    let revoke = |place: usize| {
        call("orest_revoke", serde_json::json!({"selection": {"ids": [fleet.tokens[place].authorization]}}))
    };
    let mut admin = administrator(fleet.nodes[0].address);
    for place in lost.clone() {
        assert_eq!(admin.post_json("/rpc", &revoke(place)).await.unwrap().status, 200);
    }
    let bodies: Vec<String> = (100..140).map(revoke).collect();
    // Nobody may notice the fall before new acts have taken the old numbers: the nodes are cut off until then, but for one.
    for node in &fleet.nodes[1..] {
        node.proxy.set(Line::Cut);
    }
    fleet.postgres.fall_back();
    fleet.nodes[0].wait_until_ready().await;
    let mut admin = administrator(fleet.nodes[0].address);
    for body in &bodies {
        revoke_at_last(&mut admin, body).await;
    }
    for node in &fleet.nodes {
        node.proxy.set(Line::Good);
        node.wait_until_ready().await;
    }
    for (number, node) in fleet.nodes.iter().enumerate() {
        let mut client = resource_server(node.address);
        for place in lost.clone().chain(95..145) {
            let answer = client.post_form("/oauth2/introspect", &fleet.tokens[place].form).await.unwrap();
            // What is in the database counts: the lost acts are lost, for all nodes alike, and said so in the log.
            let active = !(100..140).contains(&place);
            assert!(
                answer.body.contains(&format!("\"active\":{active}")),
                "seed {seed}, node {number}, token {place}: {answer:?}"
            );
        }
        assert!(node.log().contains("Everything is loaded anew"), "node {number} says so: {}", node.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_come_and_go() {
    let (seed, Some(mut fleet)) = (seed(), calm_fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(4) {
        pause(&mut random, 100, 400).await;
        let node = random.next_u32() as usize % 3;
        let took = fleet.nodes[node].terminate();
        assert!(took < Duration::from_secs(5), "node {node} took {took:?} to end");
        assert_eq!(fleet.query("SELECT count(*) FROM orest_node"), "2", "it has given its lease back");
        wait_for_acts(&checker, 10, &format!("the end of {node}, round {round}")).await;
        fleet.nodes[node].restart().await;
    }
    let counts = checker.stop().await;
    judge("nodes come and go", seed, &counts);
    assert!(counts.longest < CALM_LEASE.0, "nobody had to be waited out: {counts}");
}

/// The checker sees it when the barrier does not hold: with no time to wait, acts return before the nodes have heard of
/// them. Their receipts say so; whoever does not read them is told stale answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_barrier_the_checker_sees_stale_answers() {
    if !Kind::has_postgres() {
        return;
    }
    let seed = seed();
    let fleet = Fleet::start_with(3, tokens(), &[("OREST_CLUSTER_REVOKE_WAIT", "0ms")]).await;
    for node in &fleet.nodes {
        node.proxy.set(Line::Silent);
    }
    let checker = Checker::start_credulous(&fleet, seed);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let counts = checker.stop().await;
    println!("without the barrier, OREST_TEST_SEED={seed}: {counts}");
    assert!(!counts.stale.is_empty(), "seed {seed}: the checker sees nothing: {counts}");
    assert!(counts.unconfirmed > 0, "seed {seed}: the receipts say nothing: {counts}");
}
