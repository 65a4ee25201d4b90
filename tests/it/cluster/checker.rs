//! Hammers all nodes with checks while others revoke, and judges each answer: after a revocation has returned, no check that
//! began later may be told "active", by whatever node; and before it has begun, none may be told "inactive".

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::client::Answer;
use super::fleet::{Fleet, Token, administrator, call, resource_server};

/// How many connections check at each node.
const VERIFIERS: usize = 2;
/// How many revoke at once.
const REVOKERS: usize = 6;
/// How far around the tokens that are being revoked the checks look.
const AROUND: usize = 24;
/// At most so many tokens in one act.
const SELECTION_MAX: u64 = 6;

/// When a revocation began and when it had returned, in nanoseconds since the start; 0: not yet.
#[derive(Default)]
struct Life {
    begun: AtomicU64,
    returned: AtomicU64,
}

/// What has been seen.
#[derive(Debug, Default)]
pub struct Counts {
    /// Checks that were answered "active".
    pub active: u64,
    /// Checks that were answered "inactive".
    pub inactive: u64,
    /// Checks without an answer: 503, or the connection broke.
    pub unanswered: u64,
    /// Acts that returned and were confirmed.
    pub acts: u64,
    /// Acts that returned and said which nodes had not confirmed.
    pub unconfirmed: u64,
    /// Acts that ended in an error: whether they hold is not known.
    pub failed: u64,
    /// The longest that an act took.
    pub longest: Duration,
    /// Of each node: how many checks it answered, and how many acts it made that were confirmed.
    pub nodes: Vec<(u64, u64)>,
    /// Checks that were told "active" after a revocation had returned.
    pub stale: Vec<String>,
    /// Checks that were told "inactive" before any had begun.
    pub wrong: Vec<String>,
}

struct Shared {
    start: Instant,
    seed: u64,
    tokens: Arc<Vec<Token>>,
    lives: Vec<Life>,
    next: AtomicUsize,
    stop: AtomicBool,
    /// Whether a receipt that names unconfirmed nodes is taken for one that names none: what a service without the
    /// barrier would do.
    credulous: bool,
    counts: Mutex<Counts>,
}

/// Checks and revocations that go on until they are stopped.
pub struct Checker {
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Checker {
    /// Starts on all nodes of the fleet.
    pub fn start(fleet: &Fleet, seed: u64) -> Self {
        Self::start_as(fleet, seed, false)
    }

    /// The same, but believing of each act that has returned that it holds everywhere, whatever its receipt says.
    pub fn start_credulous(fleet: &Fleet, seed: u64) -> Self {
        Self::start_as(fleet, seed, true)
    }

    fn start_as(fleet: &Fleet, seed: u64, credulous: bool) -> Self {
        let tokens = Arc::clone(&fleet.tokens);
        let lives = tokens.iter().map(|_| Life::default()).collect();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let counts = Mutex::new(Counts { nodes: vec![(0, 0); fleet.nodes.len()], ..Counts::default() });
        let shared = Arc::new(Shared { start: Instant::now(), seed, tokens, lives, next, stop, credulous, counts });
        let addresses: Vec<SocketAddr> = fleet.nodes.iter().map(|node| node.address).collect();
        let mut tasks = Vec::new();
        for (node, address) in addresses.iter().enumerate() {
            for number in 0..VERIFIERS {
                tasks.push(tokio::spawn(Arc::clone(&shared).verify(node, *address, number)));
            }
        }
        for number in 0..REVOKERS {
            tasks.push(tokio::spawn(Arc::clone(&shared).revoke(addresses.clone(), number)));
        }
        Self { shared, tasks }
    }

    /// How many acts have returned so far, confirmed.
    pub fn acts(&self) -> u64 {
        self.shared.counts.lock().unwrap().acts
    }

    /// How many checks this node has answered so far.
    pub fn answered_by(&self, node: usize) -> u64 {
        self.shared.counts.lock().unwrap().nodes[node].0
    }

    /// Whether what has been seen so far is so.
    pub fn has(&self, seen: impl Fn(&Counts) -> bool) -> bool {
        seen(&self.shared.counts.lock().unwrap())
    }

    /// Waits until acts go on: the fault is over, and nobody has got stuck on it.
    pub async fn wait_for_acts(&self, more: u64, what: &str) {
        let (deadline, before) = (Instant::now() + Duration::from_secs(20), self.acts());
        while self.acts() < before + more {
            assert!(Instant::now() < deadline, "no acts go on after {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends, and says what was seen.
    pub async fn stop(self) -> Counts {
        self.shared.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.shared.counts.lock().unwrap())
    }
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }

    fn random(&self, task: usize) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.seed.wrapping_mul(1_000).wrapping_add(task as u64))
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && self.next.load(Ordering::Relaxed) + AROUND < self.tokens.len()
    }

    async fn verify(self: Arc<Self>, node: usize, address: SocketAddr, number: usize) {
        let mut random = self.random(100 + node * VERIFIERS + number);
        let mut client = resource_server(address);
        while self.goes_on() {
            let place =
                self.next.load(Ordering::Relaxed).saturating_sub(AROUND) + random.next_u32() as usize % (2 * AROUND);
            let Some(token) = self.tokens.get(place) else { continue };
            let life = &self.lives[place];
            let returned = life.returned.load(Ordering::SeqCst);
            let asked = self.now();
            let answer = client.post_form("/oauth2/introspect", &token.form).await;
            let begun = life.begun.load(Ordering::SeqCst);
            if answer.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.judge(node, place, [asked, begun, returned], answer);
        }
    }

    fn judge(&self, node: usize, place: usize, [asked, begun, returned]: [u64; 3], answer: io::Result<Answer>) {
        let who = format!("node {node}, token {place}");
        let at = |time: u64| format!("{:.3} ms", time as f64 / 1e6);
        let mut counts = self.counts.lock().unwrap();
        match answer {
            Ok(Answer { status: 200, body, .. }) => {
                counts.nodes[node].0 += 1;
                let active = serde_json::from_str::<Value>(&body).unwrap()["active"].as_bool().unwrap();
                if active {
                    counts.active += 1;
                    if returned != 0 {
                        counts.stale.push(format!("{who}: returned at {}, asked at {}", at(returned), at(asked)));
                    }
                } else {
                    counts.inactive += 1;
                    if begun == 0 {
                        counts.wrong.push(format!("{who}: asked at {}", at(asked)));
                    }
                }
            }
            Ok(Answer { status: 503, .. }) | Err(_) => counts.unanswered += 1,
            Ok(answer) => counts.wrong.push(format!("{who}: {answer:?}")),
        }
    }

    async fn revoke(self: Arc<Self>, addresses: Vec<SocketAddr>, number: usize) {
        let mut random = self.random(number);
        let mut administrators: Vec<_> = addresses.iter().map(|address| administrator(*address)).collect();
        let mut applications: Vec<_> = addresses.iter().map(|address| resource_server(*address)).collect();
        while self.goes_on() {
            let node = random.next_u32() as usize % addresses.len();
            // One token by the application itself (RFC 7009), or some by the administrator.
            let by_token = random.next_u32().is_multiple_of(3);
            let size = if by_token { 1 } else { 1 + random.next_u64() % SELECTION_MAX };
            let first = self.next.fetch_add(size as usize, Ordering::Relaxed);
            let places = first..(first + size as usize).min(self.tokens.len());
            let begun = self.now();
            for place in places.clone() {
                self.lives[place].begun.store(begun, Ordering::SeqCst);
            }
            let start = Instant::now();
            let outcome = if by_token {
                let answer = applications[node].post_form("/oauth2/revoke", &self.tokens[first].form).await;
                answer.map(|answer| Outcome::of_status(answer.status))
            } else {
                let ids: Vec<i64> = self.tokens[places.clone()].iter().map(|token| token.authorization).collect();
                let body = call("orest_revoke", json!({"selection": {"ids": ids}}));
                administrators[node].post_json("/rpc", &body).await.map(|answer| Outcome::of_receipt(&answer.body))
            };
            let took = start.elapsed();
            let outcome = outcome.unwrap_or(Outcome::Unreachable);
            if outcome == Outcome::Confirmed || (self.credulous && outcome == Outcome::Unconfirmed) {
                let returned = self.now();
                for place in places {
                    self.lives[place].returned.store(returned, Ordering::SeqCst);
                }
            }
            self.count(node, outcome, took);
            if matches!(outcome, Outcome::Failed | Outcome::Unreachable) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn count(&self, node: usize, outcome: Outcome, took: Duration) {
        let mut counts = self.counts.lock().unwrap();
        match outcome {
            Outcome::Confirmed => {
                counts.acts += 1;
                counts.nodes[node].1 += 1;
                counts.longest = counts.longest.max(took);
            }
            Outcome::Unconfirmed => counts.unconfirmed += 1,
            Outcome::Failed | Outcome::Unreachable => counts.failed += 1,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Confirmed,
    Unconfirmed,
    Failed,
    Unreachable,
}

impl Outcome {
    /// RFC 7009 section 2.2: 200, or it is not known to hold.
    const fn of_status(status: u16) -> Self {
        if status == 200 { Self::Confirmed } else { Self::Failed }
    }

    fn of_receipt(body: &str) -> Self {
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        let receipt = &answer["result"];
        if receipt["revocation_id"].is_null() {
            Self::Failed
        } else if receipt["unconfirmed"].as_array().is_some_and(|nodes| !nodes.is_empty()) {
            Self::Unconfirmed
        } else {
            Self::Confirmed
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (checks, longest) = (self.active + self.inactive, self.longest.as_secs_f64() * 1e3);
        let of_each = |count: fn(&(u64, u64)) -> u64| {
            self.nodes.iter().map(|node| count(node).to_string()).collect::<Vec<_>>().join("/")
        };
        write!(
            f,
            "{checks} checks answered (nodes {}; {} inactive), {} not; {} acts confirmed (nodes {}), {} unconfirmed, {} failed, the longest {longest:.0} ms; {} stale, {} wrong",
            of_each(|node| node.0),
            self.inactive,
            self.unanswered,
            self.acts,
            of_each(|node| node.1),
            self.unconfirmed,
            self.failed,
            self.stale.len(),
            self.wrong.len()
        )
    }
}
