//! What this node knows of the others: what they have applied, and when each was seen to renew its lease.
//!
//! No clock but this node's own is asked. A count of renewals that is seen for the first time at a moment was renewed before
//! it, so that lease ends one length later at the latest.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::changes::Position;
use crate::store::nodes::Member;

/// Renewals that no row has.
const NEVER_SEEN: i64 = -1;

/// The other nodes, by id.
#[derive(Debug, Default)]
pub struct Peers(HashMap<String, Peer>);

#[derive(Debug)]
struct Peer {
    renewals: i64,
    /// When this count of renewals was seen first.
    seen_at: Duration,
    lease: Duration,
    /// Up to which change it has applied them all, of those that this node has applied too.
    applied: u64,
    /// What it has said last of what this node has not applied, or not under that tag: after a failover that lost commits the
    /// same number is another change.
    unknown: Option<Position>,
}

impl Peer {
    fn new(renewals: i64, seen_at: Duration, lease: Duration) -> Self {
        Self { renewals, seen_at, lease, applied: 0, unknown: None }
    }

    fn says(&mut self, applied: &Position, known: &impl Fn(&Position) -> bool) {
        if applied.sequence <= self.applied {
            return;
        }
        if known(applied) {
            self.applied = applied.sequence;
        } else {
            self.unknown = Some(applied.clone());
        }
    }
}

impl Peers {
    /// Takes in what the rows of all nodes say; `now` is after they were read. `known` tells whether this node has been at a
    /// place itself.
    pub fn see(&mut self, rows: &[Member], now: Duration, known: impl Fn(&Position) -> bool) {
        self.0.retain(|id, _| rows.iter().any(|row| row.id == *id));
        for row in rows {
            let peer = self.0.entry(row.id.clone()).or_insert_with(|| Peer::new(row.renewals, now, row.lease));
            peer.says(&row.applied, &known);
            peer.lease = row.lease;
            if peer.renewals != row.renewals {
                (peer.renewals, peer.seen_at) = (row.renewals, now);
            }
        }
    }

    /// What was seen of renewals before counts no more: for a while nobody has looked, and perhaps nobody could renew. Each node
    /// has one whole lease from the next look.
    pub fn forget_renewals(&mut self) {
        for peer in self.0.values_mut() {
            peer.renewals = NEVER_SEEN;
        }
    }

    /// A node says that it has applied all changes up to this one.
    pub fn acknowledged(&mut self, id: &str, applied: &Position, now: Duration, known: impl Fn(&Position) -> bool) {
        // One whose row has not been seen yet.
        let peer = self.0.entry(id.to_owned()).or_insert_with(|| Peer::new(NEVER_SEEN, now, Duration::MAX));
        peer.says(applied, &known);
    }

    /// This node has applied more: what others have said of it counts now.
    pub fn advanced(&mut self, known: impl Fn(&Position) -> bool) {
        for peer in self.0.values_mut() {
            if let Some(said) = peer.unknown.take() {
                peer.says(&said, &known);
            }
        }
    }

    /// The history is another one: nobody has applied anything of it yet, as far as is known.
    pub fn forget_applied(&mut self) {
        for peer in self.0.values_mut() {
            (peer.applied, peer.unknown) = (0, None);
        }
    }

    /// Up to which change a node has applied them all, as far as it has been heard.
    pub fn applied(&self, id: &str) -> u64 {
        self.0.get(id).map_or(0, |peer| peer.applied)
    }

    /// The longest lease of any.
    pub fn longest_lease(&self) -> Duration {
        self.0.values().map(|peer| peer.lease).filter(|lease| *lease != Duration::MAX).max().unwrap_or_default()
    }

    /// The nodes that have not renewed for longer than their lease, with the renewals by which to tell that they still
    /// haven't.
    pub fn silent(&self, now: Duration) -> Vec<(String, i64)> {
        let silent = |peer: &Peer| peer.seen_at.checked_add(peer.lease).is_some_and(|end| end < now);
        self.0.iter().filter(|(_, peer)| silent(peer)).map(|(id, peer)| (id.clone(), peer.renewals)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn place(sequence: u64) -> Position {
        Position { sequence, tag: "ours".to_owned() }
    }

    fn row(id: &str, renewals: i64, applied: u64) -> Member {
        Member { id: id.to_owned(), name: id.to_owned(), renewals, lease: LEASE, applied: place(applied) }
    }

    fn ours(position: &Position) -> bool {
        position.tag == "ours"
    }

    #[test]
    fn who_does_not_renew_is_written_off_and_may_come_back() {
        let mut peers = Peers::default();
        peers.see(&[row("b", 4, 0), row("c", 9, 0)], at(0), ours);
        peers.see(&[row("b", 4, 0), row("c", 10, 0)], at(2_900), ours);
        assert_eq!(peers.silent(at(3_000)), []);
        assert_eq!(peers.silent(at(3_001)), [("b".to_owned(), 4)]);
        peers.see(&[row("c", 10, 0)], at(3_100), ours);
        assert_eq!(peers.silent(at(5_900)), []);
        peers.see(&[row("b", 5, 0), row("c", 11, 0)], at(5_900), ours);
        assert_eq!(peers.silent(at(8_900)), []);
    }

    /// The database was away, and has forgotten a renewal, or there was none while nobody looked.
    #[test]
    fn who_looks_again_after_a_while_gives_each_a_whole_lease() {
        let mut peers = Peers::default();
        peers.see(&[row("b", 4, 0)], at(0), ours);
        peers.forget_renewals();
        peers.see(&[row("b", 4, 0)], at(9_000), ours);
        assert_eq!(peers.silent(at(12_000)), []);
        assert_eq!(peers.silent(at(12_001)), [("b".to_owned(), 4)]);
    }

    #[test]
    fn what_is_applied_never_goes_back() {
        let mut peers = Peers::default();
        peers.acknowledged("b", &place(7), at(0), ours);
        assert_eq!((peers.applied("b"), peers.applied("c")), (7, 0));
        peers.see(&[row("b", 1, 5)], at(10), ours);
        assert_eq!(peers.applied("b"), 7, "the row is from before the acknowledgement");
        assert_eq!(peers.silent(at(3_011)), [("b".to_owned(), 1)], "its first row sets its lease");
        peers.acknowledged("b", &place(6), at(20), ours);
        peers.see(&[row("b", 2, 9)], at(30), ours);
        assert_eq!(peers.applied("b"), 9, "the notification was lost, the row says it");
        assert_eq!(peers.silent(at(3_031)), [("b".to_owned(), 2)]);
    }

    /// After a failover that lost commits, a node that has not noticed yet says that it has applied a number which is another
    /// change there.
    #[test]
    fn what_was_applied_of_another_history_does_not_count() {
        let mut peers = Peers::default();
        let other = Position { sequence: 7, tag: "lost".to_owned() };
        peers.acknowledged("b", &other, at(0), ours);
        peers.see(&[Member { applied: other, ..row("b", 1, 0) }], at(10), ours);
        peers.advanced(ours);
        assert_eq!(peers.applied("b"), 0);
        peers.acknowledged("b", &place(7), at(20), ours);
        assert_eq!(peers.applied("b"), 7);
        peers.forget_applied();
        assert_eq!(peers.applied("b"), 0);
    }

    #[test]
    fn what_is_not_known_yet_counts_when_it_is() {
        let mut peers = Peers::default();
        peers.acknowledged("b", &place(9), at(0), |_| false);
        assert_eq!(peers.applied("b"), 0);
        peers.advanced(ours);
        assert_eq!(peers.applied("b"), 9);
    }
}
