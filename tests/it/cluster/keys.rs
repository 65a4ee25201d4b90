//! Sealing keys of several nodes.

use orest::domain::time::{Clock as _, SystemClock};
use orest::domain::token::{KeyId, KeyRing, SealingKey};
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
    let refused = keys::put_in_use(&one.store, KeyId(2), false).await;
    let Err(Error::Conflict(message)) = refused else { panic!("a node lacks it: {refused:?}") };
    assert!(message.starts_with("these nodes lack key 2: node-2. Copy the file"), "{message}");
    two.service.set_keys(both()).await.unwrap();
    let notes = one.store.read(nodes::list_notes).await.unwrap();
    let told: Vec<_> =
        notes.iter().map(|note| (note.name.as_str(), note.instance.as_str(), note.keys.clone())).collect();
    assert_eq!(told, [("node-1", one.service.instance(), vec![2, 1]), ("node-2", two.service.instance(), vec![2, 1])]);
    keys::put_in_use(&one.store, KeyId(2), false).await.unwrap();
    for node in [one, two] {
        node.service.read_keys_anew().await.unwrap();
        assert_eq!(node.service.keys().ids().last(), Some(KeyId(2)), "it seals");
    }
    // A node that says nothing of its keys, because it stands still or is about to join, counts as one without.
    keys::register(&one.store, &key(3, 9), false, SystemClock.now()).await.unwrap();
    assert!(keys::put_in_use(&one.store, KeyId(3), false).await.is_err());
    keys::put_in_use(&one.store, KeyId(3), true).await.unwrap();
    let absent = one.service.read_keys_anew().await;
    assert!(absent.is_ok() && one.service.keys().absent() == [KeyId(3)], "{absent:?}");
}
