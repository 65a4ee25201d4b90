//! What several nodes on one PostgreSQL cost, with real processes: `cargo bench --bench cluster`. Results are in
//! `benches/RESULTS.md`. It starts a PostgreSQL of its own, with fsync on.

#![allow(clippy::unwrap_used, reason = "a measurement that can't go on ends")]

// The same processes that the tests torment.
#[allow(dead_code, reason = "the tests need more")]
#[path = "../tests/it/cluster/client.rs"]
mod client;
#[allow(dead_code, reason = "the tests need more")]
#[path = "../tests/it/cluster/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "the tests need more")]
#[path = "../tests/it/cluster/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "the tests need more")]
#[path = "../tests/it/cluster/proxy.rs"]
mod proxy;

use std::fs;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::Answer;
use fleet::{DATABASE, Fleet, administrator, call, resource_server};
use postgres::Postgres;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_postgres::AsyncMessage;

const ROUNDS: usize = 5;
const ACTS: usize = 200;
const CONNECTIONS: usize = 16;
const SECONDS: u64 = 3;
const MANY: usize = 1_000_000;
const PAUSE: Duration = Duration::from_micros(100);
/// Acts about which each node is asked just once.
const ONCE: usize = 1_000;
const INTROSPECT: &str = "/oauth2/introspect";

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("| what | p50 | p99 |\n| --- | ---: | ---: |");
        let one = measure(1).await;
        let three = measure(3).await;
        println!("\n| what | figure |\n| --- | ---: |");
        println!("| introspection, 1 node, requests a second | {one:.0} |");
        println!("| introspection, 3 nodes, requests a second | {three:.0} |");
        start_up().await;
    });
}

/// Quantiles of what took how long.
struct Times(Vec<Duration>);

impl Times {
    fn print(mut self, what: &str) {
        self.0.sort();
        let at = |part: usize| self.0[(self.0.len() * part / 100).min(self.0.len() - 1)].as_secs_f64() * 1e3;
        println!("| {what} | {:.2} ms | {:.2} ms |", at(50), at(99));
    }
}

/// Acts and checks with this many nodes; gives how many checks a second all of them answer.
async fn measure(nodes: usize) -> f64 {
    let fleet = Fleet::start(nodes, (ROUNDS + 2) * ACTS + ONCE + 1_000).await;
    warm(&fleet).await;
    let (mut bare, mut acts) = (Vec::new(), Vec::new());
    // By turns, so that both see the same machine.
    for round in 0..ROUNDS {
        bare.extend(bare_commits(&fleet).await);
        acts.extend(revoke(&fleet, round * ACTS).await);
    }
    let count = format!("{nodes} node{}", if nodes == 1 { "" } else { "s" });
    Times(bare).print(&format!("a bare commit of one row, {count} idle"));
    Times(acts).print(&format!("revoke one by id over HTTP, {count}, until the receipt"));
    if nodes > 1 {
        ask_once(&fleet, (ROUNDS + 2) * ACTS).await;
        for (round, pause) in [None, Some(PAUSE)].into_iter().enumerate() {
            let sleeper = Sleeper::start();
            let Propagation { heard, after_commit, after_call } =
                propagate(&fleet, (ROUNDS + round) * ACTS, pause).await;
            let late = sleeper.stop();
            let asked = pause.map_or_else(|| "without a pause".to_owned(), |pause| format!("every {pause:?}"));
            Times(heard).print(&format!("from the commit until a bare listener hears of it, asked {asked}"));
            Times(after_commit).print(&format!("from the commit to the first refusal on the last node, asked {asked}"));
            Times(after_call).print(&format!("from the call to it, asked {asked}"));
            Times(late).print("meanwhile, a thread that sleeps for 1 ms wakes this much late");
        }
    }
    check(&fleet).await
}

/// Each token once on each node.
async fn warm(fleet: &Fleet) {
    for node in &fleet.nodes {
        let mut client = resource_server(node.address);
        for token in fleet.tokens.iter() {
            let answer = client.post_form(INTROSPECT, &token.form).await.expect("answers");
            assert!(answer.body.contains("\"active\":true"), "{answer:?}");
        }
    }
}

fn url_of(fleet: &Fleet) -> String {
    Postgres::url(&[fleet.postgres.port], DATABASE)
}

/// What one durable row costs on this server, by the driver that the nodes use.
async fn bare_commits(fleet: &Fleet) -> Vec<Duration> {
    let url = url_of(fleet);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connects");
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE IF NOT EXISTS bare (id BIGINT, data BYTEA)").await.expect("makes a table");
    let statement = client.prepare("INSERT INTO bare VALUES ($1, '\\x00112233445566778899')").await.expect("prepares");
    let mut times = Vec::new();
    for number in 0..ACTS {
        let start = Instant::now();
        client.execute(&statement, &[&i64::try_from(number).expect("small")]).await.expect("inserts");
        times.push(start.elapsed());
    }
    connection.abort();
    times
}

fn body(fleet: &Fleet, place: usize) -> String {
    call("orest_revoke", json!({"selection": {"ids": [fleet.tokens[place].authorization]}}))
}

async fn revoke(fleet: &Fleet, from: usize) -> Vec<Duration> {
    let mut client = administrator(fleet.nodes[0].address);
    let mut times = Vec::new();
    for place in from..from + ACTS {
        let body = body(fleet, place);
        let start = Instant::now();
        let answer = client.post_json("/rpc", &body).await.expect("answers");
        times.push(start.elapsed());
        assert!(answer.body.contains("\"revoked\":1"), "{answer:?}");
    }
    times
}

/// Asks each node again and again about a token that is revoked on the first one: how long after the commit, by PostgreSQL's
/// own clock, which is this machine's, the last node refuses it; and how long after the call. `pause`: between two questions to
/// a node. Without one, those who ask take the two cores from those who answer.
async fn propagate(fleet: &Fleet, from: usize, pause: Option<Duration>) -> Propagation {
    let Propagation { mut heard, mut after_commit, mut after_call } = Propagation::default();
    let mut listener = listen(&url_of(fleet)).await;
    let mut client = administrator(fleet.nodes[0].address);
    let (database, connection) =
        tokio_postgres::connect(&url_of(fleet), tokio_postgres::NoTls).await.expect("connects");
    let connection = tokio::spawn(connection);
    for place in from..from + ACTS {
        let watch = |address| {
            let form = fleet.tokens[place].form.clone();
            std::thread::spawn(move || first_refusal(address, &form, pause))
        };
        let watching: Vec<_> = fleet.nodes.iter().map(|node| watch(node.address)).collect();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let called = now();
        client.post_json("/rpc", &body(fleet, place)).await.expect("answers");
        let refused = watching.into_iter().map(|watch| watch.join().expect("no panic")).max().expect("nodes");
        let committed: f64 = database.query_one(COMMITTED, &[]).await.expect("answers").get(0);
        let committed = Duration::from_secs_f64(committed);
        // The columns behind the acts are announced to nobody: what is heard is the act.
        let first = listener.recv().await.expect("it hears of each act");
        heard.push(first.saturating_sub(committed));
        while listener.try_recv().is_ok() {}
        after_commit.push(refused.saturating_sub(committed));
        after_call.push(refused.saturating_sub(called));
    }
    connection.abort();
    Propagation { heard, after_commit, after_call }
}

/// Asks all nodes once about each token, at moments spread evenly around its revocation: nobody stands in the way of what is
/// measured. From a moment on half of those who ask are refused by all nodes, from another one 99 of 100; by when they ask.
async fn ask_once(fleet: &Fleet, from: usize) {
    let url = url_of(fleet);
    let (database, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connects");
    let connection = tokio::spawn(connection);
    let mut client = administrator(fleet.nodes[0].address);
    let asking = Asking::start(fleet);
    // The first question is slower: it connects.
    asking.tell.send((now(), fleet.tokens[from].form.clone())).expect("it listens");
    asking.answers.recv().expect("it answers");
    let (mut asked, mut took) = (Vec::new(), Duration::from_millis(3));
    for place in from..from + ONCE {
        // From 1 ms before the commit to 5 ms after it, as far as one can tell from the last ones; a few much later.
        let spread = (place as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let range = if place.is_multiple_of(10) { 50_000 } else { 6_000 };
        let after_call = took.saturating_sub(Duration::from_millis(1)) + Duration::from_micros(spread % range);
        let called = now();
        let question = (called + after_call, fleet.tokens[place].form.clone());
        asking.tell.send(question).expect("it listens");
        client.post_json("/rpc", &body(fleet, place)).await.expect("answers");
        let (at, refused) = asking.answers.recv().expect("it answers");
        let committed: f64 = database.query_one(COMMITTED, &[]).await.expect("answers").get(0);
        let committed = Duration::from_secs_f64(committed);
        took = (took * 7 + committed.saturating_sub(called)) / 8;
        if let Some(after) = at.checked_sub(committed) {
            asked.push((after, refused));
        }
    }
    connection.abort();
    asked.sort();
    let from = |share: f64| match refused_from(&asked, share) {
        Some(after) => format!("{:.2} ms", after.as_secs_f64() * 1e3),
        None => "not seen".to_owned(),
    };
    println!(
        "| how long after the commit a single question to all 3 nodes must be asked to be refused by all | {} | {} |",
        from(0.5),
        from(0.99)
    );
}

/// From when on this share of those who ask is refused, that does not sink again: `asked` is sorted by when, and the estimate is
/// the likeliest one that only rises (pool adjacent violators), as if one more in each of its steps had not been refused: where
/// few have asked, few are certain.
fn refused_from(asked: &[(Duration, bool)], share: f64) -> Option<Duration> {
    let mut steps: Vec<(Duration, f64, f64)> = Vec::new();
    for (after, refused) in asked {
        let mut step = (*after, f64::from(u8::from(*refused)), 1.0);
        while let Some((first, refused, all)) = steps.pop_if(|(_, refused, all)| *refused / *all >= step.1 / step.2) {
            step = (first, refused + step.1, all + step.2);
        }
        steps.push(step);
    }
    steps.into_iter().find(|(_, refused, all)| refused / (all + 1.0) >= share).map(|(first, _, _)| first)
}

/// A thread that asks all nodes about a token at a given moment.
struct Asking {
    tell: std::sync::mpsc::Sender<(Duration, String)>,
    /// When the last of the questions was sent, and whether all nodes refused.
    answers: std::sync::mpsc::Receiver<(Duration, bool)>,
}

impl Asking {
    fn start(fleet: &Fleet) -> Self {
        let (tell, told) = std::sync::mpsc::channel::<(Duration, String)>();
        let (answer, answers) = std::sync::mpsc::channel();
        let [mut first, mut second, mut third] =
            [0, 1, 2].map(|node: usize| resource_server(fleet.nodes[node].address));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for (at, form) in told {
                #[allow(clippy::disallowed_methods, reason = "tokio's timer knows milliseconds only")]
                std::thread::sleep(at.saturating_sub(now()));
                let answered = runtime.block_on(async {
                    let (first, second, third, sent) = tokio::join!(
                        biased;
                        first.post_form(INTROSPECT, &form),
                        second.post_form(INTROSPECT, &form),
                        third.post_form(INTROSPECT, &form),
                        // Each of them is sent before the next is begun, so this is after the last.
                        async { now() }
                    );
                    let refused =
                        |answer: io::Result<Answer>| answer.expect("answers").body.contains("\"active\":false");
                    (sent, [first, second, third].into_iter().all(refused))
                });
                if answer.send(answered).is_err() {
                    return;
                }
            }
        });
        Self { tell, answers }
    }
}

/// When PostgreSQL has committed the last act, by its own clock, which is this machine's.
const COMMITTED: &str = "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM orest_revocation ORDER BY sequence DESC LIMIT 1";

/// How long acts took to come to where they are waited for.
#[derive(Default)]
struct Propagation {
    /// From the commit until who only listens to PostgreSQL has heard of it: no node can be faster.
    heard: Vec<Duration>,
    /// From the commit to the first refusal on the last node.
    after_commit: Vec<Duration>,
    /// From the call to it.
    after_call: Vec<Duration>,
}

/// When notifications of acts came, on a line of its own.
async fn listen(url: &str) -> mpsc::UnboundedReceiver<Duration> {
    let (client, mut connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("connects");
    let (tell, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) && tell.send(now()).is_err() {
                return;
            }
        }
    });
    client.batch_execute("LISTEN orest_change").await.expect("listens");
    // The line ends with its client.
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(client);
    });
    heard
}

/// What the machine itself costs who waits for something.
struct Sleeper {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Duration>>,
}

impl Sleeper {
    fn start() -> Self {
        const SLEEP: Duration = Duration::from_millis(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut late = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let start = Instant::now();
                #[allow(clippy::disallowed_methods, reason = "it is a thread that is measured")]
                std::thread::sleep(SLEEP);
                late.push(start.elapsed().saturating_sub(SLEEP));
            }
            late
        });
        Self { stop, thread }
    }

    fn stop(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// Since 1970, as PostgreSQL counts.
#[allow(clippy::disallowed_methods, reason = "two processes have no other clock in common")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970")
}

/// When the node first refused the token.
fn first_refusal(address: SocketAddr, form: &str, pause: Option<Duration>) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut client = resource_server(address);
    loop {
        let answer = runtime.block_on(client.post_form(INTROSPECT, form)).expect("answers");
        if answer.body.contains("\"active\":false") {
            return now();
        }
        if let Some(pause) = pause {
            #[allow(clippy::disallowed_methods, reason = "shorter than tokio's timer can")]
            std::thread::sleep(pause);
        }
    }
}

/// Checks of tokens that are live, as many as the nodes answer while the client, on the same machine, asks.
async fn check(fleet: &Fleet) -> f64 {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let address = fleet.nodes[number % fleet.nodes.len()].address;
            let (stop, count, tokens) = (Arc::clone(&stop), Arc::clone(&count), Arc::clone(&fleet.tokens));
            tokio::spawn(async move {
                let mut client = resource_server(address);
                let live = &tokens[tokens.len() - 1_000..];
                for token in live.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = client.post_form(INTROSPECT, &token.form).await.expect("answers");
                    assert!(answer.body.contains("\"active\":true"), "{answer:?}");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let checks = count.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("no panic");
    }
    checks as f64 / SECONDS as f64
}

/// A node that starts on a million authorizations.
async fn start_up() {
    let mut fleet = Fleet::start(1, MANY).await;
    fleet.query("VACUUM ANALYZE orest_authorization");
    let node = &mut fleet.nodes[0];
    node.terminate();
    let start = Instant::now();
    node.restart().await;
    let ready = start.elapsed();
    let status = fs::read_to_string(format!("/proc/{}/status", node.id())).expect("a process of Linux");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_whitespace().nth(1));
        line.and_then(|text| text.parse::<f64>().ok()).expect("a number of kB") / 1024.0
    };
    println!("| start to ready with {MANY} authorizations | {:.2} s |", ready.as_secs_f64());
    println!("| memory then, and at most until then | {:.0} MB, {:.0} MB |", field("VmRSS"), field("VmHWM"));
}
