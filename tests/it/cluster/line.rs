//! The line of a node to the database: which server it goes to, what passes on it, and what the database may refuse.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use orest::cluster::Settings;
use orest::domain::selection::Selection;
use orest::service::Error;
use orest::service::revoke::RevokeOptions;
use orest::store::DatabaseUrl;
use orest::store::link::{Ear, Link, Listening};
use orest::store::postgres::PostgresUrl;

use super::joining::until;
use super::proxy::{Line, Proxy};
use super::support::{Cluster, LEASE, admin};

/// The database's URL with other hosts in it.
fn at(database: &DatabaseUrl, hosts: impl FnOnce(&str) -> String) -> String {
    let url = std::env::var("OREST_TEST_POSTGRES_URL").unwrap();
    let (before, rest) = url.split_once("://").unwrap();
    let (authority, _) = rest.split_once('/').unwrap();
    let (user, host) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
    let name = database.to_string().rsplit('/').next().unwrap().to_owned();
    format!("{before}://{user}@{}/{name}", hosts(host))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_swallows_what_is_sent_to_it_is_passed() {
    let Some(mut cluster) = Cluster::start(1).await else { return };
    // It is connected to by the system, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = at(&cluster.database.url, |host| format!("127.0.0.1:{port},{host}"));
    // Longer than the line may take for an answer.
    cluster.join_at(format!("{url}?connect_timeout=1").parse().unwrap(), Settings::with_lease(LEASE)).await;
    until(async || cluster.nodes[1].service.cluster().look().is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_no_sessions_is_noticed() {
    let Some(cluster) = Cluster::start(0).await else { return };
    let mut server = 0;
    at(&cluster.database.url, |host| {
        server = host.rsplit_once(':').map_or(5432, |(_, port)| port.parse().unwrap());
        String::new()
    });
    let proxy = Proxy::start(server).await;
    let url = at(&cluster.database.url, |_| format!("127.0.0.1:{}", proxy.port));
    let url = PostgresUrl::parse(&format!("{url}?sslmode=disable")).unwrap();
    let patience = Duration::from_millis(500);
    let ear: Ear = Arc::new(|_, _| false);
    for (line, passes) in [(Line::Good, true), (Line::Silent, false), (Line::Good, true)] {
        proxy.set(line);
        let opened = Link::open(&url, patience, Listening { ear: &ear, prove: Some("orest_proof_of_a_test") }).await;
        let error = opened.err().map(|error| error.to_string());
        assert_eq!(error.is_none(), passes, "{line:?}: {error:?}");
        assert!(error.is_none_or(|error| error.contains("pool_mode = session")));
    }
    proxy.set(Line::Silent);
    assert!(
        Link::open(&url, patience, Listening { ear: &ear, prove: None }).await.is_ok(),
        "once is enough: later it may only be slow"
    );
}

/// Whether the database lets anybody write has nothing to do with whether a token is good.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_only_reads_is_asked_and_answers() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    cluster
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    let leased = |node: usize| cluster.nodes[node].service.cluster().look().is_some();
    until(async || !leased(0) && !leased(1)).await;
    for _ in 0..20 {
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);
    }
    let ids = || Selection::Ids(vec![token.authorization]);
    let refused = cluster.nodes[0].service.revoke(&admin(), ids(), RevokeOptions::default()).await;
    assert!(matches!(refused, Err(Error::Unavailable)), "{refused:?}");
    cluster
        .execute(
            "BEGIN READ WRITE; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database()); END $$; COMMIT; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    until(async || leased(0) && leased(1)).await;
    let receipt = cluster.nodes[0].service.revoke(&admin(), ids(), RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.revoked, 1);
    assert!(cluster.verdicts(&token.access).await.iter().all(Result::is_err));
}

/// Somebody who holds what renewals and joins need, such as a dump that was forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_which_somebody_holds_the_rows_is_asked_and_answers() {
    // Half of a third of it is what a renewal waits.
    let lease = LEASE * 2;
    let Some(cluster) = Cluster::start_with(2, Settings::with_lease(lease)).await else { return };
    let token = cluster.token(0).await;
    let mut holder = cluster.database.connect();
    holder
        .batch_execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT 1 FROM orest_feed FOR UPDATE; DELETE FROM orest_node WHERE name = 'node-2'; \
                        SELECT 1 FROM orest_node FOR UPDATE",
        )
        .unwrap();
    let leased = |node: usize| cluster.nodes[node].service.cluster().look().is_some();
    until(async || !leased(0) && !leased(1)).await;
    let began = std::time::Instant::now();
    while began.elapsed() < lease {
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);
    }
    // One of the two has no row any more, and joins anew.
    holder.batch_execute("COMMIT").unwrap();
    until(async || leased(0) && leased(1)).await;
}
