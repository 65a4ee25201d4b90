//! Nodes that come, go, are written off, and find the database another one than they knew.

use std::sync::Arc;
use std::time::Duration;

use orest::cluster::Settings;
use orest::domain::ids::UserId;
use orest::domain::selection::Selection;
use orest::orm::registry::Registry;
use orest::service::nodes::{LeaseState, list_nodes};
use orest::service::records::Records;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;

use super::support::{Cluster, LEASE, admin};

const REVOKED: Result<(), Refusal> = Err(Refusal::Revoked);

/// Looks until something is so.
pub async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    tokio::time::timeout(LEASE * 4, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it becomes so");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_joins_while_others_revoke_knows_of_all() {
    let Some(mut cluster) = Cluster::start(1).await else { return };
    let mut tokens = Vec::new();
    for _ in 0..30 {
        tokens.push(cluster.token(0).await);
    }
    let service = cluster.nodes[0].service.clone();
    let ids: Vec<_> = tokens.iter().map(|token| token.authorization).collect();
    let revoking = tokio::spawn(async move {
        for id in ids {
            service.revoke(&admin(), Selection::Ids(vec![id]), RevokeOptions::default()).await.unwrap();
        }
    });
    for _ in 0..2 {
        cluster.join(Settings::with_lease(LEASE)).await;
    }
    revoking.await.unwrap();
    for token in &tokens {
        assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_leaves_is_not_waited_for() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    let names = || async {
        let nodes = list_nodes(&cluster.nodes[0].store).await.unwrap();
        nodes.into_iter().map(|node| node.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["node-1", "node-2"]);
    until(async || {
        let nodes = list_nodes(&cluster.nodes[0].store).await.unwrap();
        nodes.iter().all(|node| node.lease == LeaseState::Held && node.lag == 0)
    })
    .await;
    cluster.nodes[1].service.cluster().leave().await.unwrap();
    assert_eq!(names().await, ["node-1"]);
    let ids = Selection::Ids(vec![token.authorization]);
    let receipt = cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.nodes, 1);
    // It can still answer, by asking.
    let asked = cluster.nodes[1].asked();
    assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2]);
    assert!(cluster.nodes[1].asked() > asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_written_off_joins_anew() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    cluster.execute("DELETE FROM orest_node WHERE name = 'node-2'").await;
    until(async || list_nodes(&cluster.nodes[0].store).await.unwrap().len() == 2).await;
    until(async || cluster.nodes[1].service.cluster().look().is_some()).await;
    let ids = Selection::Ids(vec![token.authorization]);
    let receipt = cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.nodes, 2);
    assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_gone_is_written_off_by_the_others() {
    let Some(mut cluster) = Cluster::start(2).await else { return };
    cluster.nodes[1].stop();
    until(async || list_nodes(&cluster.nodes[0].store).await.unwrap().len() == 1).await;
}

/// A change whose notification was lost is found when the lease is renewed.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_told_is_found() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let service = &cluster.nodes[1].service;
    assert_eq!(service.user(UserId(3)).await.unwrap().unwrap().login(), "alice");
    cluster
        .execute(
            "BEGIN; SELECT 1 FROM orest_feed WHERE id = 1 FOR UPDATE; UPDATE res_users SET login = 'alina' WHERE id = 3; \
             INSERT INTO orest_change (sequence, kind, subject, tag, previous_tag, create_date) \
             SELECT sequence + 1, 'user', 3, 'untold', tag, now() FROM orest_feed; \
             UPDATE orest_feed SET sequence = sequence + 1, tag = 'untold'; COMMIT",
        )
        .await;
    until(async || service.user(UserId(3)).await.unwrap().unwrap().login() == "alina").await;
}

/// A database that was restored, or whose standby took over without the last commits, is another one than memory came from.
#[tokio::test(flavor = "multi_thread")]
async fn another_history_is_noticed_and_everything_loaded_anew() {
    for sql in [
        "UPDATE orest_feed SET tag = 'another'",
        "DELETE FROM orest_change WHERE sequence = (SELECT sequence FROM orest_feed); UPDATE orest_feed SET sequence = sequence - 1",
        "UPDATE orest_feed SET sequence = sequence + 5",
    ] {
        let Some(cluster) = Cluster::start(2).await else { return };
        let token = cluster.token(0).await;
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);
        // So that what is lost is no revocation, whose row would be there still.
        let records = Records::new(cluster.nodes[0].service.clone(), Arc::new(Registry::new()), admin());
        records.enable_users(vec![4]).await.unwrap();
        cluster.execute(sql).await;
        for node in &cluster.nodes {
            until(async || node.service.cluster().status().unwrap().resets == 1).await;
            until(async || node.service.cluster().look().is_some()).await;
        }
        let ids = Selection::Ids(vec![token.authorization]);
        let receipt = cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
        assert_eq!(receipt.revoked, 1, "{sql}");
        // Of a node that joined just before nobody might know.
        assert!(matches!(receipt.nodes, 2 | 3), "{sql}: {receipt:?}");
        assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2], "{sql}");
    }
}
