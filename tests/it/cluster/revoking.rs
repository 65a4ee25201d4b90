//! What one node takes back, the others refuse as soon as the call has returned, without asking the database.

use std::sync::Arc;
use std::time::Duration;

use orest::cluster::Settings;
use orest::domain::ids::UserId;
use orest::domain::selection::Selection;
use orest::orm::convert::{FieldValue, Values};
use orest::orm::models::application::APPLICATION;
use orest::orm::registry::Registry;
use orest::service::records::Records;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;
use orest::service::{Error, Service};
use orest::store::records::SqlValue;

use super::support::{Cluster, LEASE, admin};

const REVOKED: Result<(), Refusal> = Err(Refusal::Revoked);

fn records(service: &Service) -> Records {
    Records::new(service.clone(), Arc::new(Registry::new()), admin())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_holds_on_every_node_when_it_returns() {
    let Some(cluster) = Cluster::start(3).await else { return };
    for round in 0..20 {
        let token = cluster.token(round % 3).await;
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 3]);
        let asked: Vec<_> = cluster.nodes.iter().map(|node| node.asked()).collect();
        let ids = Selection::Ids(vec![token.authorization]);
        let acting = &cluster.nodes[(round + 1) % 3].service;
        let receipt = acting.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
        assert_eq!((receipt.revoked, receipt.nodes, receipt.unconfirmed.as_slice()), (1, 3, &[][..]));
        assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 3]);
        let now: Vec<_> = cluster.nodes.iter().map(|node| node.asked()).collect();
        assert_eq!(asked, now, "answered from memory");
        let undone = cluster.nodes[round % 3].service.undo(&admin(), receipt.revocation.unwrap(), None).await.unwrap();
        assert_eq!((undone.nodes, undone.unconfirmed.len()), (3, 0));
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_do_archiving_disabling_and_a_revoked_device() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let [first, second] = [0, 1].map(|node| &cluster.nodes[node].service);
    let token = cluster.token(0).await;
    assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);

    let active = APPLICATION.field("active").unwrap();
    let id = second.client("confluence-connector").await.unwrap().unwrap().id.0;
    for (on, expect) in [(false, Err(Refusal::Application)), (true, Ok(()))] {
        let mut values = Values::default();
        values.set(active, FieldValue::Column(SqlValue::Bool(on)));
        records(first).write(&APPLICATION, vec![id], values).await.unwrap();
        assert_eq!(cluster.verdicts(&token.access).await, [expect; 2]);
    }

    assert_eq!(cluster.verdicts(&token.refresh).await, [Ok(()); 2]);
    let receipt = records(second).revoke_devices(vec![1], RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.nodes, 2);
    assert_eq!(cluster.verdicts(&token.refresh).await, [REVOKED; 2]);
    assert!(first.device_revoked(orest::domain::ids::DeviceId(1)).await.unwrap());

    let receipt = records(first).disable_users(vec![3], RevokeOptions::default()).await.unwrap();
    assert_eq!(receipt.nodes, 2);
    for service in [first, second] {
        assert!(!service.user(UserId(3)).await.unwrap().unwrap().may_act());
    }
}

/// Which refresh token is current is asked of the database: another node may have exchanged it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_was_exchanged_is_none_any_more_on_any_node() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    assert_eq!(cluster.verdicts(&token.refresh).await, [Ok(()); 2]);
    let service = &cluster.nodes[1].service;
    let application = service.client("confluence-connector").await.unwrap().unwrap();
    service.refresh(&application, &token.refresh, None, None).await.unwrap();
    assert_eq!(cluster.verdicts(&token.refresh).await, [Err(Refusal::Superseded); 2]);
    assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);
}

/// The list that an administrator looks at is right on any node, whichever fills its columns in.
#[tokio::test(flavor = "multi_thread")]
async fn the_columns_are_filled_in_when_they_are_looked_at() {
    let Some(cluster) = Cluster::start(2).await else { return };
    for round in 0..10 {
        let token = cluster.token(round % 2).await;
        let ids = Selection::Ids(vec![token.authorization]);
        cluster.nodes[round % 2].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
        let other = &cluster.nodes[(round + 1) % 2];
        other.service.filled().await.unwrap();
        let id = orest::domain::ids::AuthorizationId(token.authorization);
        let row = other.store.read(move |connection| orest::store::authorizations::find_slot(connection, id)).await;
        assert!(row.unwrap().unwrap().revocation_id.is_some());
    }
}

/// A node that is stopped answers from memory as long as its lease lasts, and the revocation waits for that; afterwards it
/// can't answer at all, being cut off from the database.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_off_is_waited_for_and_then_says_nothing() {
    let Some(mut cluster) = Cluster::start(3).await else { return };
    let token = cluster.token(0).await;
    assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 3]);
    cluster.nodes[2].stop();
    assert!(cluster.nodes[2].service.verify(&token.access).await.unwrap().is_ok(), "its lease lasts");
    let before = std::time::Instant::now();
    let ids = Selection::Ids(vec![token.authorization]);
    let receipt = cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    let answer = cluster.nodes[2].service.verify(&token.access).await;
    assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
    assert_eq!((receipt.nodes, receipt.unconfirmed.len()), (3, 0));
    assert!(before.elapsed() < LEASE + Duration::from_millis(500), "{:?}", before.elapsed());
    assert_eq!(cluster.nodes[1].service.verify(&token.access).await.unwrap().map(|_| ()), REVOKED);

    // Once it is written off nobody waits for it any more.
    let token = cluster.token(1).await;
    let deadline = std::time::Instant::now() + LEASE * 3;
    while cluster.nodes[1].store.read(orest::store::nodes::list).await.unwrap().len() > 2 {
        assert!(std::time::Instant::now() < deadline, "it is not written off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = std::time::Instant::now();
    let ids = Selection::Ids(vec![token.authorization]);
    cluster.nodes[1].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert!(before.elapsed() < LEASE / 2, "{:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_nobody_says_so() {
    let settings = Settings { revoke_wait: Duration::ZERO, ..Settings::with_lease(LEASE) };
    let Some(mut cluster) = Cluster::start_with(2, settings).await else { return };
    let token = cluster.token(0).await;
    cluster.nodes[1].stop();
    let service = &cluster.nodes[0].service;
    let ids = || Selection::Ids(vec![token.authorization]);
    let receipt = service.revoke(&admin(), ids(), RevokeOptions::default()).await.unwrap();
    assert_eq!((receipt.revoked, receipt.nodes), (1, 1));
    assert_eq!(receipt.unconfirmed.iter().map(|own| own.node.as_str()).collect::<Vec<_>>(), ["node-2"]);
    let wait = receipt.unconfirmed[0].until - service.now();
    assert!(wait <= chrono::Duration::seconds(4), "{wait}");
    // Where there is no receipt, it is an error. It says that it is done, also to the one who asks again.
    let application = service.client("confluence-connector").await.unwrap().unwrap();
    for _ in 0..2 {
        let refused = service.revoke_token(&application, &token.access, None).await.unwrap_err();
        let Error::Unconfirmed { nodes, retry_after } = &refused else { panic!("{refused:?}") };
        assert_eq!(nodes[0].node, "node-2");
        assert!(*retry_after <= Duration::from_secs(4), "{retry_after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_from_every_node() {
    let Some(cluster) = Cluster::start(3).await else { return };
    let mut tokens = Vec::new();
    for node in 0..12 {
        tokens.push(cluster.token(node % 3).await);
    }
    let mut acts = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let (service, id) = (cluster.nodes[index % 3].service.clone(), token.authorization);
        let services: Vec<_> = cluster.nodes.iter().map(|node| node.service.clone()).collect();
        let access = token.access.clone();
        acts.push(tokio::spawn(async move {
            service.revoke(&admin(), Selection::Ids(vec![id]), RevokeOptions::default()).await.unwrap();
            for service in services {
                assert_eq!(service.verify(&access).await.unwrap().map(|_| ()), REVOKED);
            }
        }));
    }
    for act in acts {
        act.await.unwrap();
    }
    let applied: Vec<_> = cluster.nodes.iter().map(|node| node.service.applied_sequence()).collect();
    assert_eq!(applied, [applied[0]; 3]);
}

/// What the command line does holds on the nodes, though it is none of them and has no lease.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_node_asks_and_is_obeyed() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    let outside = cluster.open(Settings::with_lease(LEASE)).await;
    assert!(outside.service.verify(&token.access).await.unwrap().is_ok());
    let ids = Selection::Ids(vec![token.authorization]);
    let receipt = outside.service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert_eq!((receipt.nodes, receipt.unconfirmed.len()), (3, 0));
    assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2]);
    let ids = Selection::Ids(vec![cluster.token(0).await.authorization]);
    cluster.nodes[0].service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
    assert!(outside.asked() > 0);
}

/// No decision about who knows what asks a wall clock, so that setting one changes nothing but when tokens end.
#[tokio::test(flavor = "multi_thread")]
async fn a_wall_clock_that_jumps_ends_no_lease_and_delays_nobody() {
    // Longer than a busy machine keeps a node waiting.
    let lease = LEASE * 4;
    let Some(cluster) = Cluster::start_with(2, Settings::with_lease(lease)).await else { return };
    const DAY: i64 = 86_400;
    for (node, jump) in [(0, -DAY), (1, -DAY), (0, 30 * DAY), (1, 30 * DAY)] {
        let (here, there) = (&cluster.nodes[node], &cluster.nodes[1 - node]);
        let token = cluster.token(1 - node).await;
        assert_eq!(cluster.verdicts(&token.access).await, [Ok(()); 2]);
        let asked = [here.asked(), there.asked()];
        here.clock.set_off(jump);
        let expect = if jump < 0 { Ok(()) } else { Err(Refusal::Expired) };
        assert_eq!(here.service.verify(&token.access).await.unwrap().map(|_| ()), expect, "{jump}");
        for by in [here, there] {
            let began = std::time::Instant::now();
            let ids = Selection::Ids(vec![token.authorization]);
            let receipt = by.service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap();
            assert!(receipt.unconfirmed.is_empty() && receipt.nodes == 2, "{receipt:?}");
            assert!(began.elapsed() < lease, "nobody was waited out, by {jump}");
        }
        assert!(cluster.verdicts(&token.access).await.iter().all(Result::is_err), "{jump}");
        assert_eq!([here.asked(), there.asked()], asked, "both have held their leases, through {jump}");
        here.clock.set_off(0);
        assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2]);
    }
}
