//! How a run that chance has a part in is repeated, what it must have done at least, and where it says so.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use orest::domain::time::{Clock as _, SystemClock, unix};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng as _;

use super::checker::{Checker, Counts};

/// How long an act may take at most, wherever it is made: as long as a node that is itself cut off waits for the database,
/// and a lease, with what a loaded machine adds.
const ACT_MAX: Duration = Duration::from_secs(8);
/// What a run does at least: one that did less has shown nothing. Acts, and for each node the checks that it answered and the
/// acts that it made. A slow machine has more time for it.
const ACTS_MIN: u64 = 100;
const NODE_MIN: (u64, u64) = (500, 10);
const ENOUGH_WITHIN: Duration = Duration::from_secs(40);

/// From the environment, to repeat a run; else from the clock.
pub fn seed() -> u64 {
    let given = std::env::var("OREST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| unix(SystemClock.now()).unsigned_abs())
}

/// How often each fault is made; `OREST_TEST_ROUNDS` times as often for who has the time.
pub fn rounds(usual: u32) -> u32 {
    let times = std::env::var("OREST_TEST_ROUNDS").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1).max(1)
}

/// Waits as long as chance will have it, between so many milliseconds.
pub async fn pause(random: &mut ChaCha20Rng, from: u64, to: u64) {
    tokio::time::sleep(Duration::from_millis(from + random.next_u64() % (to - from))).await;
}

/// Says what a run has seen, also where it passes: to the file that `OREST_TEST_REPORT` names.
pub fn report(line: &str) {
    println!("{line}");
    if let Some(path) = std::env::var_os("OREST_TEST_REPORT") {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Ends a run that has done enough to say something, and judges it: no stale answer, none that is wrong, no act that got stuck.
/// Gives what it has seen.
pub async fn finish(what: &str, seed: u64, checker: Checker) -> Counts {
    let acts = ACTS_MIN * u64::from(rounds(1));
    let enough = |counts: &Counts| {
        let nodes = counts.nodes.iter().all(|(answered, acts)| *answered >= NODE_MIN.0 && *acts >= NODE_MIN.1);
        nodes && counts.acts >= acts && counts.active >= acts && counts.inactive >= acts
    };
    let deadline = Instant::now() + ENOUGH_WITHIN;
    while Instant::now() < deadline && !checker.has(enough) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let counts = checker.stop().await;
    report(&format!("{what}, OREST_TEST_SEED={seed}: {counts}"));
    let first = |told: &[String]| told.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        counts.stale.is_empty(),
        "seed {seed}: active after the revocation had returned:\n{}",
        first(&counts.stale)
    );
    assert!(counts.wrong.is_empty(), "seed {seed}: wrong answers:\n{}", first(&counts.wrong));
    assert!(counts.longest < ACT_MAX, "seed {seed}: an act took {:?}", counts.longest);
    assert!(enough(&counts), "seed {seed}: it did too little to show anything: {counts}");
    counts
}
