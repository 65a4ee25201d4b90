//! Sealing keys of several nodes.

use orest::domain::time::{Clock as _, SystemClock};
use orest::domain::token::{KeyId, KeyRing, OpenError, SealingKey};
use orest::service::issue::GrantError;
use orest::service::verify::Refusal;
use orest::service::{Error, keys};
use orest::store::nodes;

use super::support::Cluster;

#[tokio::test]
async fn a_key_is_used_once_every_node_has_it() {
    let Some(cluster) = Cluster::start(2).await else { return };
    let [one, two] = [&cluster.nodes[0], &cluster.nodes[1]];
    let key = |id, byte| SealingKey::new(KeyId(id), &[byte; 32]);
    let both = || KeyRing::new(vec![key(1, 7), key(2, 8)]).unwrap();
    for node in [one, two] {
        node.service.read_keys_anew().await.unwrap();
    }
    keys::register(&one.store, &key(2, 8), false, SystemClock.now()).await.unwrap();
    one.service.set_keys(both()).await.unwrap();
    let refused = one.service.put_key_in_use(KeyId(2), false).await;
    let Err(Error::Conflict(message)) = refused else { panic!("a node lacks it: {refused:?}") };
    assert!(message.starts_with("these nodes lack key 2: node-2. Copy the file"), "{message}");
    two.service.set_keys(both()).await.unwrap();
    let notes = one.store.read(nodes::list_notes).await.unwrap();
    let told: Vec<_> =
        notes.iter().map(|note| (note.name.as_str(), note.instance.as_str(), note.keys.clone())).collect();
    assert_eq!(told, [("node-1", one.service.instance(), vec![2, 1]), ("node-2", two.service.instance(), vec![2, 1])]);
    one.service.put_key_in_use(KeyId(2), false).await.unwrap();
    for node in [one, two] {
        assert_eq!(node.service.keys().ids().last(), Some(KeyId(2)), "it seals");
    }
    // A node that says nothing of its keys, because it stands still or is about to join, counts as one without.
    keys::register(&one.store, &key(3, 9), false, SystemClock.now()).await.unwrap();
    assert!(one.service.put_key_in_use(KeyId(3), false).await.is_err());
    one.service.put_key_in_use(KeyId(3), true).await.unwrap();
    for node in [one, two] {
        assert_eq!(node.service.keys().absent(), [KeyId(3)]);
    }
}

/// Nobody polls here: it is the feed, the barrier and the fence that make a retired key dead, as they do a revoked token.
#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_has_been_retired_no_node_opens_what_it_sealed() {
    let Some(mut cluster) = Cluster::start(2).await else { return };
    let key = |id, byte| SealingKey::new(KeyId(id), &[byte; 32]);
    let both = || KeyRing::new(vec![key(1, 7), key(2, 8)]).unwrap();
    let old = cluster.token(0).await;
    assert_eq!(cluster.verdicts(&old.access).await, [Ok(()); 2]);
    keys::register(&cluster.nodes[0].store, &key(2, 8), false, SystemClock.now()).await.unwrap();
    for node in &cluster.nodes {
        node.service.set_keys(both()).await.unwrap();
    }
    // By a process that is none of the nodes, and has no keys.
    let command = cluster.open_without_keys().await;
    command.put_key_in_use(KeyId(2), false).await.unwrap();
    let new = cluster.token(0).await;
    assert_eq!(cluster.verdicts(&new.access).await, [Ok(()); 2]);
    command.retire_key(KeyId(1), None).await.unwrap();
    let gone = Refusal::NotOurs(OpenError::UnknownKey);
    assert_eq!(cluster.verdicts(&old.access).await, [Err(gone); 2]);
    assert_eq!(cluster.verdicts(&new.access).await, [Ok(()); 2]);
    let second = &cluster.nodes[1].service;
    let application = second.client("confluence-connector").await.unwrap().unwrap();
    let refused = second.refresh(&application, &old.refresh, None, None).await;
    assert!(matches!(refused, Err(GrantError::InvalidGrant(_))), "{refused:?}");

    // One that hears nothing any more: its lease is waited out, and it opens nothing after that.
    cluster.nodes[1].stop();
    cluster.nodes[0].service.retire_key(KeyId(2), None).await.unwrap();
    let stopped = cluster.nodes[1].service.clone();
    assert!(stopped.keys().ids().any(|id| id == KeyId(2)), "it has not heard of it");
    assert!(stopped.verify_in_memory(&new.access).is_none());
    assert!(matches!(stopped.verify(&new.access).await, Err(Error::Unavailable)));
    let said = cluster.nodes[0].service.verify(&new.access).await.unwrap();
    assert_eq!(said.map(|_| ()), Err(gone));
}
