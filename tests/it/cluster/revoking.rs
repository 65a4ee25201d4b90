//! What one node takes back, the others refuse as soon as the call has returned, without asking the database.

use orest::cluster::Settings;
use orest::domain::selection::Selection;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;

use super::support::{Cluster, LEASE, admin};

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_holds_on_every_node_when_it_returns() {
    let Some(cluster) = Cluster::start(3).await else { return };
    for round in 0..20 {
        let token = cluster.token(round % 3).await;
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 3]);
        let asked: Vec<_> =
            cluster.nodes.iter().map(|node| node.service.cluster().status().unwrap().confirms).collect();
        let ids = Selection::Ids(vec![token.authorization]);
        let acting = &cluster.nodes[(round + 1) % 3].service;
        let receipt = acting.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
        assert_eq!((receipt.revoked, receipt.nodes, receipt.unconfirmed.as_slice()), (1, 3, &[][..]));
        assert_eq!(cluster.verdicts(&token.access).await, [Err(Refusal::Revoked); 3]);
        let now: Vec<_> = cluster.nodes.iter().map(|node| node.service.cluster().status().unwrap().confirms).collect();
        assert_eq!(asked, now, "answered from memory");
        let undone = cluster.nodes[round % 3].service.undo(&admin(), receipt.revocation.unwrap(), None).await.unwrap();
        assert_eq!((undone.nodes, undone.unconfirmed.len()), (3, 0));
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_nobody_says_so() {
    let settings = Settings { revoke_wait: std::time::Duration::ZERO, ..Settings::with_lease(LEASE) };
    let Some(cluster) = Cluster::start_with(2, settings).await else { return };
    let token = cluster.token(0).await;
    let ids = Selection::Ids(vec![token.authorization]);
    let receipt = cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.revoked, 1);
    assert_eq!(receipt.nodes, 1);
    assert_eq!(receipt.unconfirmed.iter().map(|own| own.node.as_str()).collect::<Vec<_>>(), ["node-2"]);
}
