//! Notifications, which whoever may connect to the database can send: nodes believe each other only, and tell of what they have
//! heard when they know who it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use diesel::connection::SimpleConnection as _;
use orest::domain::revocation::Revocation;
use orest::domain::selection::Selection;
use orest::service::revoke::RevokeOptions;
use orest::service::verify::Refusal;
use orest::store::changes::{self, Position};
use orest::store::nodes::{self, Node};
use roaring::RoaringBitmap;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use super::support::{Cluster, LEASE, admin};

const REVOKED: Result<(), Refusal> = Err(Refusal::Revoked);

/// Who may connect to the database, and has no key.
async fn say(cluster: &Cluster, channel: &'static str, payload: String) {
    let url = cluster.database.url.clone();
    let say = move || {
        let payload = payload.replace('\'', "''");
        let sql = format!("SELECT pg_notify('{channel}', '{payload}')");
        url.connect_migrator().unwrap().batch_execute(&sql).unwrap();
    };
    tokio::task::spawn_blocking(say).await.unwrap();
}

async fn feed(cluster: &Cluster) -> Position {
    cluster.nodes[0].store.read(changes::position).await.unwrap()
}

async fn node(cluster: &Cluster, name: &str) -> Node {
    let nodes = cluster.nodes[0].store.read(nodes::list).await.unwrap();
    nodes.into_iter().find(|node| node.member.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_takes_nothing_back() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let (token, other) = (cluster.token(0).await, cluster.token(0).await);
    assert_eq!(cluster.verdicts(&other.access).await, [Ok(()); 2]);
    let ids = |id| Selection::Ids(vec![id]);
    let revoke = async |id| cluster.nodes[0].service.revoke(&admin(), ids(id), RevokeOptions::default()).await.unwrap();
    revoke(token.authorization).await;
    // In the right place, and of the right form: the authorization is live again, and another one is revoked.
    let set = |id: i64| {
        let mut bytes = Vec::new();
        RoaringBitmap::from([u32::try_from(id).unwrap()]).serialize_into(&mut bytes).unwrap();
        STANDARD_NO_PAD.encode(bytes)
    };
    let Position { sequence, tag } = feed(&cluster).await;
    let act = |revokes: bool, id: i64| format!(r#"{{"act":{{"revokes":{revokes},"authorizations":"{}"}}}}"#, set(id));
    let said = format!(
        r#"{{"after":{{"sequence":{sequence},"tag":"{tag}"}},"changes":[["a",{}],["b",{}]]}}"#,
        act(false, token.authorization),
        act(true, other.authorization)
    );
    for signature in ["", "1.", "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        say(&cluster, "orest_change", format!("{} {signature} {said}", sequence + 2)).await;
    }
    say(&cluster, "orest_change", format!("{} {said}", sequence + 2)).await;
    // A line hears in order: what it confirms now, it has heard after that.
    let receipt = revoke(cluster.token(1).await.authorization).await;
    assert_eq!((receipt.nodes, receipt.unconfirmed.len()), (2, 0));
    assert_eq!(cluster.verdicts(&token.access).await, [REVOKED; 2]);
    assert_eq!(cluster.verdicts(&other.access).await, [Ok(()); 2]);
}

/// Of a node that is silent: it may answer from memory until its lease has ended, so nobody may say in its name
/// that it knows.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_confirms_in_anothers_name() {
    let Some(mut cluster) = Cluster::start(2).await else { return };
    let token = cluster.token(0).await;
    let id = node(&cluster, "node-2").await.member.id;
    cluster.nodes[1].stop();
    let service = cluster.nodes[0].service.clone();
    let began = Instant::now();
    let revoking = tokio::spawn(async move {
        let ids = Selection::Ids(vec![token.authorization]);
        service.revoke(&admin(), ids, RevokeOptions::default()).await.unwrap()
    });
    while !revoking.is_finished() {
        let Position { sequence, tag } = feed(&cluster).await;
        let applied = format!("{id}:{sequence}:{tag}");
        for signed in [String::new(), "1. ".to_owned(), format!("1.{} ", "A".repeat(43))] {
            say(&cluster, "orest_applied", format!("{signed}{applied}")).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= LEASE, "{:?}", began.elapsed());
    assert_eq!(revoking.await.unwrap().unconfirmed.len(), 0, "its lease has ended");
}

/// Whoever acts, each node tells of all acts, once, in order, with who and why.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_heard_is_told_of_with_who_and_why() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let mut heard: Vec<Receiver<Arc<Revocation>>> = cluster.nodes.iter().map(|node| node.service.subscribe()).collect();
    let mut acts = Vec::new();
    for round in 0..12 {
        let ids = Selection::Ids(vec![cluster.token(0).await.authorization]);
        let options = RevokeOptions { reason_admin: Some(format!("round {round}")), ..RevokeOptions::default() };
        // Now and then two at a time by the same node, so that one that was only heard of is before an own one.
        let receipt = cluster.nodes[round / 2 % 2].service.revoke(&admin(), ids, options).await.unwrap();
        acts.push((receipt.sequence, Some(format!("round {round}"))));
    }
    for node in &mut heard {
        for (sequence, reason) in &acts {
            // Those from before are told of too, if that was not done yet.
            let act = loop {
                let act = timeout(Duration::from_secs(10), node.recv()).await.expect("in time").unwrap();
                if act.sequence >= acts[0].0 {
                    break act;
                }
            };
            assert_eq!((act.sequence, &act.act.reason_admin, act.act.login.as_str()), (*sequence, reason, "admin"));
        }
        assert!(node.try_recv().is_err(), "each once");
    }
}
