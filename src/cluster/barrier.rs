//! The barrier: a commit holds on every node when each has applied it, or its lease from before the commit has ended.

use std::time::Duration;

use super::peers::Peers;
use crate::store::hooks::Commit;

/// What a commit still waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barrier {
    sequence: u64,
    /// How many nodes are known, this one among them.
    nodes: usize,
    waiting: Vec<Waiting>,
}

/// A node that has not confirmed a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    id: String,
    /// Its name, for people.
    pub name: String,
    /// When its lease from before the commit has ended, by this node's clock.
    pub until: Duration,
}

impl Barrier {
    /// Behind this commit.
    ///
    /// A node may have renewed its lease after its row was read inside the transaction and before the commit, without
    /// knowing of it: whatever is known of its renewals, only one whole lease after the commit is long enough.
    pub fn new(commit: &Commit) -> Self {
        let waiting: Vec<_> = commit
            .members
            .iter()
            .map(|member| Waiting { id: member.id.clone(), name: member.name.clone(), until: commit.at + member.lease })
            .collect();
        Self { sequence: commit.sequence, nodes: known(&waiting) + 1, waiting }
    }

    /// Looks who has confirmed it by now; the nodes that have not.
    pub fn check(&mut self, peers: &Peers, now: Duration) -> &[Waiting] {
        let sequence = self.sequence;
        self.waiting.retain(|node| now < node.until && peers.applied(&node.id) < sequence);
        &self.waiting
    }

    /// On how many nodes it holds, as of the last look.
    pub fn held_by(&self) -> usize {
        self.nodes - known(&self.waiting)
    }
}

/// How many of them are nodes that one knows of: the one that stands for those that may have been lost has no id.
fn known(nodes: &[Waiting]) -> usize {
    nodes.iter().filter(|node| !node.id.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::changes::Position;
    use crate::store::nodes::Member;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn commit(members: &[(&str, u64)]) -> Commit {
        let members = members.iter().map(|(id, lease)| Member {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            renewals: 1,
            lease: at(*lease),
            applied: Position::default(),
        });
        Commit { sequence: 7, at: at(1_000), members: members.collect() }
    }

    fn place(sequence: u64) -> Position {
        Position { sequence, tag: "t".to_owned() }
    }

    fn names(waiting: &[Waiting]) -> Vec<(&str, Duration)> {
        waiting.iter().map(|node| (node.name.as_str(), node.until)).collect()
    }

    #[test]
    fn it_waits_for_each_of_the_others() {
        let mut peers = Peers::default();
        let mut barrier = Barrier::new(&commit(&[("b", 3_000), ("c", 3_000)]));
        assert_eq!(names(barrier.check(&peers, at(1_001))), [("b", at(4_000)), ("c", at(4_000))]);
        assert_eq!(barrier.held_by(), 1);
        peers.acknowledged("b", &place(6), at(1_002), |_| true);
        assert_eq!(barrier.check(&peers, at(1_002)).len(), 2, "the change before it");
        peers.acknowledged("b", &place(8), at(1_003), |_| true);
        assert_eq!(names(barrier.check(&peers, at(1_003))), [("c", at(4_000))]);
        assert_eq!(names(barrier.check(&peers, at(3_999))), [("c", at(4_000))]);
        assert!(barrier.check(&peers, at(4_000)).is_empty(), "its lease has ended");
        assert_eq!(barrier.held_by(), 3);
    }

    #[test]
    fn each_node_is_waited_for_as_long_as_its_own_lease() {
        let peers = Peers::default();
        let mut barrier = Barrier::new(&commit(&[("b", 500), ("c", 60_000)]));
        assert_eq!(names(barrier.check(&peers, at(1_600))), [("c", at(61_000))]);
    }

    /// After a failover somebody may be there whom no row names.
    #[test]
    fn who_stands_for_others_is_waited_for_and_not_counted() {
        let mut peers = Peers::default();
        let mut barrier = Barrier::new(&commit(&[("", 3_000), ("b", 3_000)]));
        peers.acknowledged("b", &place(7), at(1_001), |_| true);
        assert_eq!(barrier.check(&peers, at(1_001)).len(), 1);
        assert_eq!(barrier.held_by(), 2);
        assert!(barrier.check(&peers, at(4_000)).is_empty());
        assert_eq!(barrier.held_by(), 2);
    }

    #[test]
    fn alone_it_holds_at_once() {
        let peers = Peers::default();
        let mut barrier = Barrier::new(&commit(&[]));
        assert!(barrier.check(&peers, at(1_000)).is_empty());
        assert_eq!(barrier.held_by(), 1);
    }
}
