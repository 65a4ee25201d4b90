//! Three real processes and one PostgreSQL, and everything that can go wrong between them, while all nodes are asked without
//! a pause: no stale answer, ever; and no act that does not return.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::checker::Checker;
use super::fleet::{Fleet, LEASE, administrator, introspect, resource_server, revoke, revoke_at_last};
use super::proxy::Line;
use super::runs::{finish, pause, report, rounds, seed};
use crate::support::database::Kind;

/// So many acts are waited for after each fault.
const ACTS_AFTER: u64 = 25;

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
    let counts = finish("without faults", seed, checker).await;
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
        checker.wait_for_acts(ACTS_AFTER, &format!("stop {round}")).await;
    }
    finish("stopped and continued", seed, checker).await;
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
        checker.wait_for_acts(ACTS_AFTER, &format!("kill {round}")).await;
    }
    finish("killed and started", seed, checker).await;
    assert_eq!(fleet.query("SELECT count(*) FROM orest_node"), "3", "those that died are not waited for any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_cut_off_from_the_database() {
    let (seed, Some(fleet)) = (seed(), fleet(tokens()).await) else { return };
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let checker = Checker::start(&fleet, seed);
    for round in 0..rounds(6) {
        let number = (round + round / 3) as usize % 3;
        let node = &fleet.nodes[number];
        pause(&mut random, 100, 400).await;
        let line = match round % 3 {
            0 => Line::Stalled,
            1 => Line::Cut,
            _ => Line::Slow(Duration::from_millis(50 + random.next_u64() % 250)),
        };
        node.proxy.set(line);
        // Each kind once as long as a lease can be held through it, and once longer.
        if round / 3 % 2 == 0 {
            pause(&mut random, 200, 600).await;
        } else {
            tokio::time::sleep(LEASE * 3 / 2).await;
            let answered = checker.answered_by(number);
            pause(&mut random, 300, 1_000).await;
            let silent = checker.answered_by(number) == answered;
            assert!(silent || matches!(line, Line::Slow(_)), "{line:?}, round {round}: node {number} answers");
        }
        node.proxy.set(Line::Good);
        checker.wait_for_acts(ACTS_AFTER, &format!("{line:?}, round {round}")).await;
    }
    finish("cut off", seed, checker).await;
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
    checker.wait_for_acts(ACTS_AFTER, "notifications were lost").await;
    finish("notifications lost", seed, checker).await;
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
        checker.wait_for_acts(ACTS_AFTER, &format!("restart {round}")).await;
    }
    finish("database restarted", seed, checker).await;
}

/// What the documentation promises: an act waits for a node that can't be reached until its lease has ended, whatever keeps
/// it. And until then, and after that, the node says nothing that is not so any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_waits_one_lease_for_a_node_that_is_cut_off() {
    let Some(fleet) = fleet(100).await else { return };
    let mut tokens = fleet.tokens.iter();
    let mut longest = Duration::ZERO;
    for (number, fault) in ["stalled", "cut", "stopped"].into_iter().enumerate() {
        let (lost, others) = (&fleet.nodes[number], [&fleet.nodes[(number + 1) % 3], &fleet.nodes[(number + 2) % 3]]);
        assert_eq!(introspect(lost, &fleet.tokens[90]).await, Some(true), "it holds a lease");
        match fault {
            "stalled" => lost.proxy.set(Line::Stalled),
            "cut" => lost.proxy.set(Line::Cut),
            _ => lost.signal("-STOP"),
        }
        for (act, node) in [others[0], others[1], others[0]].into_iter().enumerate() {
            let token = tokens.next().unwrap();
            let began = Instant::now();
            let receipt = revoke(&mut administrator(node.address), &[token]).await.unwrap();
            let took = began.elapsed();
            assert_eq!(receipt["unconfirmed"], serde_json::json!([]), "{fault}, act {act}");
            // The first one finds its lease just renewed or nearly so. It is no more than a promise if nobody was waited for.
            assert!(act > 0 || took >= LEASE, "{fault}: nobody was waited for: {took:?}");
            assert!(took < LEASE + Duration::from_secs(1), "{fault}, act {act}: {took:?}");
            longest = longest.max(took);
            for node in others {
                assert_eq!(introspect(node, token).await, Some(false), "{fault}, act {act}");
            }
            if fault == "stopped" {
                lost.signal("-CONT");
            }
            assert_ne!(introspect(lost, token).await, Some(true), "{fault}, act {act}");
            if fault == "stopped" {
                lost.signal("-STOP");
            }
        }
        match fault {
            "stopped" => lost.signal("-CONT"),
            _ => lost.proxy.set(Line::Good),
        }
        lost.wait_until_ready().await;
        fleet.wait_for_nodes(3).await;
    }
    report(&format!("one of three nodes cut off: an act took {longest:?} at most, with a lease of {LEASE:?}"));
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
    let mut admin = administrator(fleet.nodes[0].address);
    for place in lost.clone() {
        revoke(&mut admin, &[&fleet.tokens[place]]).await.unwrap();
    }
    // Nobody may notice the fall before new acts have taken the old numbers: the nodes are cut off until then, but for one.
    for node in &fleet.nodes[1..] {
        node.proxy.set(Line::Cut);
    }
    fleet.postgres.fall_back();
    fleet.nodes[0].wait_until_ready().await;
    let mut admin = administrator(fleet.nodes[0].address);
    for token in &fleet.tokens[100..140] {
        revoke_at_last(&mut admin, token).await;
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
        checker.wait_for_acts(ACTS_AFTER, &format!("the end of {node}, round {round}")).await;
        fleet.nodes[node].restart().await;
    }
    let counts = finish("nodes come and go", seed, checker).await;
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
    report(&format!("without the barrier, OREST_TEST_SEED={seed}: {counts}"));
    assert!(!counts.stale.is_empty(), "seed {seed}: the checker sees nothing: {counts}");
    assert!(counts.unconfirmed > 0, "seed {seed}: the receipts say nothing: {counts}");
}
