//! The protocol holds in every state, and each weakness shows.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use orest_protocol::failover::{self, Failover};
use orest_protocol::lease::{INFORMED, LISTED, Protocol, RETURNS, SAFE, Weakness};

/// Two acts by anybody, seen by one of any number of nodes.
const ONE_OF_MANY: Protocol = Protocol { nodes: 1, others: true, checks: false, acts: 2, lease: 2, weakness: None };

/// Visits every state.
#[track_caller]
fn holds<M>(protocol: M)
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Clone + Debug + Send + Sync + 'static,
{
    let started = Instant::now();
    let checker = protocol.clone().checker().spawn_bfs().join();
    println!("{} states in {:.1} s: {protocol:?}", checker.unique_state_count(), started.elapsed().as_secs_f32());
    checker.assert_properties();
}

/// Looks for a state in which one of these is broken.
#[track_caller]
fn fails<M>(protocol: M, properties: &[&'static str])
where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>,
    M: Clone + Debug + Send + Sync + 'static,
{
    let wanted = BTreeSet::from_iter(properties.iter().copied());
    let checker = protocol.clone().checker().finish_when(HasDiscoveries::AnyOf(wanted.clone())).spawn_bfs().join();
    let found = checker.discoveries().into_iter().find(|(name, _)| wanted.contains(name));
    let Some((name, path)) = found else { panic!("nobody notices: {protocol:?}") };
    println!("not true that {name}: {:?}: {protocol:?}", path.into_actions());
}

#[test]
fn two_acts_and_any_number_of_nodes() {
    holds(Protocol { lease: 3, ..ONE_OF_MANY });
}

#[test]
fn three_acts_and_any_number_of_nodes() {
    holds(Protocol { acts: 3, ..ONE_OF_MANY });
}

#[test]
fn two_acts_and_two_nodes() {
    holds(Protocol { nodes: 2, others: false, ..ONE_OF_MANY });
}

#[test]
fn one_act_and_three_nodes() {
    holds(Protocol { nodes: 3, others: false, acts: 1, ..ONE_OF_MANY });
}

#[test]
fn checks_step_by_step() {
    holds(Protocol { nodes: 2, others: false, checks: true, acts: 1, ..ONE_OF_MANY });
}

/// It matters which lease is judged; when it is judged does not.
#[test]
fn the_lease_may_be_judged_before_the_look_up() {
    let weakness = Some(Weakness::LeaseJudgedFirst);
    holds(Protocol { checks: true, acts: 1, weakness, ..ONE_OF_MANY });
}

#[test]
fn weaknesses_show() {
    let weak = |weakness| Protocol { weakness: Some(weakness), ..ONE_OF_MANY };
    for weakness in [
        Weakness::NoBarrier,
        Weakness::LeaseFromAnswer,
        Weakness::RenewedWithoutApplying,
        Weakness::FeedBeforeRow,
        Weakness::WrittenOffAnyway,
        Weakness::RenewalForgotten,
        Weakness::WrittenOffEarly,
        Weakness::LeavesListFirst,
    ] {
        fails(weak(weakness), &[INFORMED]);
    }
    for weakness in [Weakness::LeaseOfLater, Weakness::SharedRead] {
        fails(Protocol { checks: true, acts: 1, ..weak(weakness) }, &[SAFE]);
    }
    let written_off = [Weakness::WrittenOffAnyway, Weakness::RenewalForgotten, Weakness::WrittenOffEarly];
    for weakness in written_off.into_iter().chain([Weakness::LeavesListFirst]) {
        fails(weak(weakness), &[LISTED]);
    }
    fails(Protocol { nodes: 2, acts: 1, others: false, ..weak(Weakness::ListBeforeCommit) }, &[INFORMED]);
    fails(weak(Weakness::NoDeadline), &[RETURNS]);
}

#[test]
fn a_database_that_forgets() {
    for tagged in [true, false] {
        holds(Failover { nodes: 1, acts: 3, lease: 2, tagged, weakness: None });
    }
    holds(Failover { nodes: 2, acts: 2, lease: 2, tagged: false, weakness: None });
}

#[test]
fn a_database_that_forgets_is_noticed() {
    use failover::Weakness::{HearsAtOnce, NoTags, NumbersAreTrusted, RowsAreTrusted};
    for weakness in [NoTags, RowsAreTrusted, NumbersAreTrusted] {
        fails(Failover { nodes: 1, acts: 2, lease: 2, tagged: true, weakness: Some(weakness) }, &[failover::INFORMED]);
    }
    let hears_at_once = Failover { nodes: 1, acts: 3, lease: 2, tagged: false, weakness: Some(HearsAtOnce) };
    fails(hears_at_once, &[failover::INFORMED]);
}
