//! A database that forgets: another server takes over and lacks the last commits, or a backup is put back.
//!
//! The acts that it lacks are lost, and nothing is asked of them any more. But their numbers are given out again, and nodes'
//! rows may be lost as well. So each act has a tag, a number that never comes again, and whoever waits counts from when the
//! other database took over. The rest is as in [`crate::lease`], smaller: whose acts these are makes no difference, a row is
//! there or not, and nobody leaves. The old database is dead when the new one takes over: two at a time, no node can bear.
//!
//! Acts are told with what they change, and a node that hears of the next one applies it without asking. What was told once
//! can be told again at any time, by anybody.

use stateright::{Model, Property};

const NODES: usize = 2;
const ACTS: usize = 3;

/// A way to get it wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Histories are compared by their lengths.
    NoTags,
    /// A barrier trusts the rows that are left.
    RowsAreTrusted,
    /// The same, and acknowledgements are numbers.
    NumbersAreTrusted,
    /// What is heard is applied wherever it fits, also on a new line.
    HearsAtOnce,
}

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Failover {
    /// How many nodes, at most 2.
    pub nodes: usize,
    /// How many acts, at most 3.
    pub acts: usize,
    /// How long a lease lasts, in ticks.
    pub lease: u8,
    /// Whether acknowledgements name tags, not numbers. It makes no difference as long as nobody trusts them too early.
    pub tagged: bool,
    /// What is wrong with it.
    pub weakness: Option<Weakness>,
}

/// The tags of acts in their order, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct History([u8; ACTS]);

impl History {
    fn len(self) -> usize {
        self.0.iter().take_while(|tag| **tag > 0).count()
    }

    /// The last act's tag; 0: there is none.
    fn last(self) -> u8 {
        self.len().checked_sub(1).map_or(0, |index| self.0[index])
    }

    fn begins_with(self, other: Self) -> bool {
        self.0[..other.len()] == other.0[..other.len()]
    }

    fn knows(self, tag: u8) -> bool {
        self.0.contains(&tag)
    }
}

/// What a node has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    Out,
    Idle,
    /// What it had applied when it asked must be in the answer.
    Joining {
        age: u8,
        from: History,
    },
    Renewing {
        age: u8,
        from: History,
    },
    Answered {
        age: u8,
        from: History,
        feed: History,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    row: bool,
    /// Whether its line is to the database that there is.
    line: bool,
    /// What is heard is applied behind this place only, where the feed was when it was asked first on the line.
    hears_beyond: Option<usize>,
    applied: History,
    lease: Option<u8>,
    request: Request,
}

/// An act behind its barrier: which one, how long ago, and who had a row at its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    tag: u8,
    number: usize,
    age: u8,
    rows: [bool; NODES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    nodes: [Node; NODES],
    /// What the database knows.
    feed: History,
    /// By tag, also of those that are lost: the tag before it.
    told: [u8; ACTS + 1],
    /// The last tag that was given.
    tags: u8,
    waiting: [Option<Waiting>; ACTS],
    /// By tag: returned, and not lost since.
    returned: [bool; ACTS + 1],
    /// How long ago another database took over.
    fallen: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Tick,
    Commit,
    Return(usize),
    Apply(usize),
    /// A node hears of the act with this tag, for the first time or again.
    Hear(usize, u8),
    /// A node finds that its line has ended, and opens one to the database that there is.
    Open(usize),
    Join(usize),
    Renew(usize),
    Execute(usize),
    Receive(usize),
    Crash(usize),
    /// So many acts are left, and the rows of these.
    Fall(usize, [bool; NODES]),
}

impl Failover {
    fn is(&self, weakness: Weakness) -> bool {
        self.weakness == Some(weakness)
    }

    fn agree(&self, longer: History, shorter: History) -> bool {
        longer.len() >= shorter.len() && (self.is(Weakness::NoTags) || longer.begins_with(shorter))
    }

    fn may_return(&self, state: &State, act: &Waiting) -> bool {
        let numbers = self.is(Weakness::NumbersAreTrusted) || !self.tagged;
        let acknowledged = |node: usize| {
            let applied = state.nodes[node].applied;
            if numbers { applied.len() >= act.number } else { applied.knows(act.tag) }
        };
        let trusting = matches!(self.weakness, Some(Weakness::RowsAreTrusted | Weakness::NumbersAreTrusted));
        // Whoever's row may be lost has lost its lease by now.
        let complete = trusting || state.fallen.is_none_or(|age| age >= self.lease);
        act.age >= self.lease || complete && (0..NODES).all(|node| !act.rows[node] || acknowledged(node))
    }

    fn tick(&self, state: &mut State) {
        let older = |age: &mut u8| *age = (*age + 1).min(self.lease);
        for node in &mut state.nodes {
            if let Some(age) = &mut node.lease {
                older(age);
            }
            node.lease = node.lease.filter(|age| *age < self.lease);
            match &mut node.request {
                Request::Joining { age, .. } | Request::Renewing { age, .. } | Request::Answered { age, .. } => {
                    older(age)
                }
                Request::Out | Request::Idle => {}
            }
        }
        state.waiting.iter_mut().flatten().for_each(|act| older(&mut act.age));
        state.fallen.iter_mut().for_each(older);
    }

    fn step(&self, state: &mut State, step: Step) -> Option<()> {
        let feed = state.feed;
        match step {
            Step::Tick => self.tick(state),
            Step::Commit => {
                let place = state.waiting.iter().position(Option::is_none)?;
                if usize::from(state.tags) == self.acts {
                    return None;
                }
                state.tags += 1;
                state.told[usize::from(state.tags)] = feed.last();
                state.feed.0[feed.len()] = state.tags;
                let rows = state.nodes.map(|node| node.row);
                state.waiting[place] = Some(Waiting { tag: state.tags, number: feed.len() + 1, age: 0, rows });
            }
            Step::Return(place) => {
                let act = state.waiting[place]?;
                self.may_return(state, &act).then_some(())?;
                state.returned[usize::from(act.tag)] = true;
                state.waiting[place] = None;
            }
            Step::Apply(node) => {
                let Node { line, applied, .. } = &mut state.nodes[node];
                let next = applied.len();
                (*line && next < feed.len() && self.agree(feed, *applied)).then_some(())?;
                applied.0[next] = feed.0[next];
            }
            Step::Hear(node, tag) => {
                let Node { hears_beyond, applied, .. } = &mut state.nodes[node];
                let next = applied.len();
                let fits = tag <= state.tags && next < ACTS && applied.last() == state.told[usize::from(tag)];
                let fresh = self.is(Weakness::HearsAtOnce) || hears_beyond.is_some_and(|place| place < next);
                (fits && fresh).then_some(())?;
                applied.0[next] = tag;
            }
            Step::Open(node) => {
                let node = &mut state.nodes[node];
                (!node.line).then_some(())?;
                // What was asked on the old line is not answered any more.
                let request = if node.request == Request::Out { Request::Out } else { Request::Idle };
                *node = Node { line: true, hears_beyond: None, request, ..*node };
            }
            Step::Join(node) => {
                let node = &mut state.nodes[node];
                (node.request == Request::Out).then_some(())?;
                node.request = Request::Joining { age: 0, from: node.applied };
            }
            Step::Renew(node) => {
                let node = &mut state.nodes[node];
                (node.request == Request::Idle).then_some(())?;
                node.request = Request::Renewing { age: 0, from: node.applied };
            }
            Step::Execute(node) => {
                let node = &mut state.nodes[node];
                node.line.then_some(())?;
                node.request = match node.request {
                    Request::Joining { age, from } => {
                        node.row = true;
                        Request::Answered { age, from, feed }
                    }
                    Request::Renewing { age, from } if node.row => Request::Answered { age, from, feed },
                    Request::Renewing { .. } => Request::Out,
                    Request::Out | Request::Idle | Request::Answered { .. } => return None,
                };
            }
            Step::Receive(node) => {
                let node = &mut state.nodes[node];
                let Request::Answered { age, from, feed } = node.request else { return None };
                if node.line {
                    node.hears_beyond.get_or_insert(feed.len());
                }
                if !self.agree(feed, from) {
                    // It is another history: all is forgotten and loaded anew.
                    (node.lease, node.applied, node.hears_beyond) = (None, feed, None);
                } else if self.agree(node.applied, feed) {
                    node.lease = Some(age).filter(|age| *age < self.lease).or(node.lease);
                } else {
                    // First what is missing must be applied.
                    return None;
                }
                node.request = Request::Idle;
            }
            Step::Crash(node) => {
                let node = &mut state.nodes[node];
                *node = Node { row: node.row, ..Node::NEW };
            }
            Step::Fall(left, rows) => {
                if state.fallen.is_some() || left >= feed.len() {
                    return None;
                }
                for tag in &mut state.feed.0[left..] {
                    state.returned[usize::from(*tag)] = false;
                    *tag = 0;
                }
                // Who committed what is lost finds out, or tells nobody.
                let kept = state.feed;
                state.waiting.iter_mut().for_each(|act| *act = act.filter(|act| kept.knows(act.tag)));
                for (node, left) in state.nodes.iter_mut().zip(rows) {
                    node.row &= left;
                    // Until it finds that out, it hears what is still on its way.
                    node.line = false;
                }
                state.fallen = Some(0);
            }
        }
        Some(())
    }
}

impl Node {
    const NEW: Self = Self {
        row: false,
        line: true,
        hears_beyond: None,
        applied: History([0; ACTS]),
        lease: None,
        request: Request::Out,
    };
}

/// As in [`crate::lease::INFORMED`], of the acts that the database has kept.
pub const INFORMED: &str = "who holds a lease knows of all acts that have returned and are not lost";

impl Model for Failover {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            nodes: [Node::NEW; NODES],
            feed: History::default(),
            told: [0; ACTS + 1],
            tags: 0,
            waiting: [None; ACTS],
            returned: [false; ACTS + 1],
            fallen: None,
        }]
    }

    fn actions(&self, _: &State, steps: &mut Vec<Step>) {
        steps.extend([Step::Tick, Step::Commit]);
        steps.extend((0..ACTS).map(Step::Return));
        for node in 0..self.nodes {
            steps.extend([Step::Apply(node), Step::Open(node), Step::Join(node), Step::Renew(node)]);
            steps.extend((1..=ACTS as u8).map(|tag| Step::Hear(node, tag)));
            steps.extend([Step::Execute(node), Step::Receive(node), Step::Crash(node)]);
        }
        for left in 0..self.acts {
            let rows = [[true, true], [true, false], [false, true], [false, false]];
            steps.extend(rows.map(|rows| Step::Fall(left, rows)));
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = *state;
        self.step(&mut next, step)?;
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(INFORMED, |_, state: &State| {
                state.nodes.iter().filter(|node| node.lease.is_some()).all(|node| {
                    (1..=ACTS)
                        .all(|tag| !state.returned[tag] || node.applied.0.iter().any(|own| usize::from(*own) == tag))
                })
            }),
            Property::sometimes("a number is given again, and the act returns", |_, state: &State| {
                state.fallen.is_some()
                    && usize::from(state.tags) > state.feed.len()
                    && state.returned[usize::from(state.tags)]
            }),
            Property::sometimes("an act that is lost is heard after that", |_, state: &State| {
                state.fallen.is_some()
                    && state
                        .nodes
                        .iter()
                        .any(|node| !state.feed.begins_with(node.applied) && node.applied.last() == state.tags)
            }),
            Property::sometimes("a lease outlives its database", |model: &Self, state: &State| {
                state.fallen.is_some_and(|age| age + 1 == model.lease)
                    && state.nodes.iter().any(|node| node.lease.is_some() && !node.row)
            }),
        ]
    }
}
