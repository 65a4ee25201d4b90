//! Leases, the feed of acts, the fence in front of memory and the barrier behind a commit.
//!
//! Nothing in it is ever forced to happen but the passing of time. So a node that is stopped, cut off from the database or
//! slow, a database that answers late, and a notification that is lost or comes out of order are all in it, without a
//! name of their own: they are steps that are not taken while others are.
//!
//! An act is a number and has no content: what is asked of a check is that it never answers from a state in which an act
//! is missing that had returned when the check began. That holds then for a revocation, an undo, a disabled user alike.

use stateright::{Model, Property};

/// Nodes at most.
pub const NODES_MAX: usize = 3;
/// Acts at most.
pub const ACTS_MAX: usize = 3;

/// Set of nodes.
type Nodes = u8;

/// A way to get the protocol wrong. Each must be noticed, or the model would prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// A revoke returns when it is committed.
    NoBarrier,
    /// A revoke waits for acknowledgements and for nothing else.
    NoDeadline,
    /// The barrier reads the nodes' rows before its commit.
    ListBeforeCommit,
    /// The lease counts from when the answer came, not from before the request was sent.
    LeaseFromAnswer,
    /// A renewed lease counts although what the answer named has not been applied.
    RenewedWithoutApplying,
    /// Who joins reads the feed before his row is there.
    FeedBeforeRow,
    /// A check looks up, then judges the lease that is held by then.
    LeaseOfLater,
    /// A check judges the lease, then looks up.
    LeaseJudgedFirst,
    /// A node's row is deleted although it has been renewed since it was read.
    WrittenOffAnyway,
    /// The database answers a renewal and forgets it: it was not on disk when the server crashed. The row is as it was before.
    RenewalForgotten,
    /// A node's row is deleted a lease after the commit, not a lease after it was read.
    WrittenOffEarly,
    /// A check without a lease shares a read that began before it.
    SharedRead,
    /// Who leaves deletes his row, then stops to answer from memory.
    LeavesListFirst,
}

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// How many nodes.
    pub nodes: usize,
    /// Whether there are others beside them, any number, of whom no more is known than that they commit acts and crash:
    /// their own rows could only make a barrier wait longer.
    pub others: bool,
    /// Whether checks are steps of their own. Without, it is only asked whether a check that began now could go wrong.
    pub checks: bool,
    /// How many acts.
    pub acts: usize,
    /// How long a lease lasts, in ticks.
    pub lease: u8,
    /// What is wrong with it.
    pub weakness: Option<Weakness>,
}

/// A request of a node to the database about its own row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// Has no row, as far as it knows.
    Out,
    /// Has a row.
    Idle,
    /// On its way since `age`: a row.
    Joining { age: u8, feed: Option<u8> },
    /// The row is there; now it reads the feed.
    Joined { age: u8, feed: Option<u8> },
    /// On its way since `age`: a renewal.
    Renewing { age: u8 },
    /// Answered: the feed was at `sequence`.
    Answered { age: u8, sequence: u8 },
    /// Its row is to be deleted.
    Leaving,
}

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Whether the database has a row of it; it may be that of a process that is dead.
    pub row: bool,
    /// Up to which act its memory is.
    pub applied: u8,
    /// How long ago its lease began; `None`: it holds none.
    pub lease: Option<u8>,
    /// What it has asked.
    pub request: Request,
    /// Up to which act a read of the feed has found, that anybody who comes may share. Of [`Weakness::SharedRead`] alone.
    pub shared: Option<u8>,
}

/// How far an act is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Not yet done.
    Free,
    /// Committed, not yet known to be.
    Committed,
    /// Behind its barrier.
    Waiting,
    /// The caller has been told.
    Returned,
    /// There is nothing more to do.
    Over,
}

/// The nodes' rows as a barrier has read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct List {
    /// How long ago.
    pub age: u8,
    /// Who had a row.
    pub nodes: Nodes,
    /// Whose row is as it was read.
    pub unchanged: Nodes,
}

/// An act: a revocation, an undo, a change of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Act {
    /// How far it is.
    pub stage: Stage,
    /// At which node; `None`: at another one.
    pub by: Option<u8>,
    /// How long ago the commit was known of.
    pub age: u8,
    /// Whom it waits for.
    pub list: Option<List>,
}

/// A check of a token. There is one at a time: they change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// None.
    None,
    /// Has taken hold of the lease, which began `age` ago. It began when `floor` was the last act that had returned.
    Fenced { node: u8, floor: u8, age: u8 },
    /// Has looked up, in a memory that was at `applied`.
    Looked { node: u8, floor: u8, age: u8, applied: u8 },
    /// There is no lease; the database says that `sequence` must be applied first.
    Confirming { node: u8, floor: u8, sequence: u8 },
}

/// Everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// The nodes.
    pub nodes: [Node; NODES_MAX],
    /// The acts, in the order of their commits.
    pub acts: [Act; ACTS_MAX],
    /// The nodes' rows, read too early. Of [`Weakness::ListBeforeCommit`] alone.
    pub early: Option<(u8, Nodes)>,
    /// How many acts are committed.
    pub committed: u8,
    /// The last of those that have returned.
    pub returned: u8,
    /// The check.
    pub check: Check,
    /// A check has answered from a state in which an act was missing that had returned when it began.
    pub stale: bool,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Tick,
    /// A node applies the next act, of which it has heard in whatever way.
    Apply(usize),
    /// A node asks for a row; before that, when that is wrong, for the feed.
    Join(usize),
    /// A node asks for its lease to be renewed.
    Renew(usize),
    /// The database does what the node has asked.
    Execute(usize),
    /// A node gets the answer, and what that names is applied.
    Receive(usize),
    /// A node stops to answer from memory, to leave.
    Leave(usize),
    /// A node's process ends; another starts in its place some time.
    Crash(usize),
    /// A node reads the rows before its commit.
    ListEarly(usize),
    /// The database commits a node's act.
    Commit(usize),
    /// The database commits somebody else's act.
    CommitOther,
    /// Somebody else crashes, whose act this was.
    CrashOther(usize),
    /// The node knows that its act is committed.
    CommitAnswered(usize),
    /// The barrier reads the nodes' rows.
    ReadList(usize),
    /// The act returns.
    Return(usize),
    /// The barrier of an act has the row of a node deleted.
    WriteOff(usize, usize),
    /// A read of the feed, for whoever comes.
    ReadForAll(usize),
    /// A check begins.
    Check(usize),
    /// It looks up.
    LookUp,
    /// It looks at the clock and answers, or gives up.
    Answer,
}

const fn bit(node: usize) -> Nodes {
    1 << node
}

impl Protocol {
    fn is(&self, weakness: Weakness) -> bool {
        self.weakness == Some(weakness)
    }

    /// Whether an act may return: everybody has acknowledged, or the leases that did not know of it have ended.
    fn may_return(&self, state: &State, number: usize) -> bool {
        let act = &state.acts[number];
        act.stage == Stage::Waiting
            && (self.is(Weakness::NoBarrier)
                || !self.is(Weakness::NoDeadline) && act.age >= self.lease
                || act.list.is_some_and(|list| {
                    (0..self.nodes).all(|node| list.nodes & bit(node) == 0 || state.nodes[node].applied > u8(number))
                }))
    }

    fn may_write_off(&self, state: &State, number: usize, node: usize) -> bool {
        let act = &state.acts[number];
        let Some(list) = act.list else { return false };
        let since = if self.is(Weakness::WrittenOffEarly) { act.age } else { list.age };
        let unchanged = list.unchanged & bit(node) != 0 || self.is(Weakness::WrittenOffAnyway);
        matches!(act.stage, Stage::Waiting | Stage::Returned)
            && since >= self.lease
            && list.nodes & bit(node) != 0
            && unchanged
            && state.nodes[node].row
    }

    fn tick(&self, state: &mut State) {
        let older = |age: &mut u8| *age = (*age + 1).min(self.lease);
        for node in &mut state.nodes[..self.nodes] {
            if let Some(age) = &mut node.lease {
                older(age);
            }
            node.lease = node.lease.filter(|age| *age < self.lease);
            match &mut node.request {
                Request::Joining { age, .. }
                | Request::Joined { age, .. }
                | Request::Renewing { age }
                | Request::Answered { age, .. } => older(age),
                Request::Out | Request::Idle | Request::Leaving => {}
            }
        }
        for act in &mut state.acts {
            if matches!(act.stage, Stage::Waiting | Stage::Returned) {
                older(&mut act.age);
                if let Some(list) = &mut act.list {
                    older(&mut list.age);
                }
            }
        }
        if let Check::Fenced { age, .. } | Check::Looked { age, .. } = &mut state.check {
            older(age);
        }
    }

    /// The row of a node is another one than before.
    fn touch(state: &mut State, node: usize) {
        for act in &mut state.acts {
            if let Some(list) = &mut act.list {
                list.unchanged &= !bit(node);
            }
        }
    }

    fn execute(&self, state: &mut State, node: usize) -> Option<()> {
        let committed = state.committed;
        let place = &mut state.nodes[node];
        match place.request {
            Request::Joining { age, feed } => {
                place.row = true;
                place.request = Request::Joined { age, feed };
                Self::touch(state, node);
            }
            Request::Joined { age, feed } => {
                place.request = Request::Answered { age, sequence: feed.unwrap_or(committed) };
            }
            Request::Renewing { age } if place.row => {
                place.request = Request::Answered { age, sequence: committed };
                if !self.is(Weakness::RenewalForgotten) {
                    Self::touch(state, node);
                }
            }
            Request::Renewing { .. } => place.request = Request::Out,
            Request::Leaving => {
                place.row = false;
                place.request = Request::Out;
                if self.is(Weakness::LeavesListFirst) {
                    // It stops to answer when it has been told that the row is gone.
                    place.request = Request::Leaving;
                }
            }
            Request::Out | Request::Idle | Request::Answered { .. } => return None,
        }
        Some(())
    }

    fn receive(&self, state: &mut State, node: usize) -> Option<()> {
        let place = &mut state.nodes[node];
        let Request::Answered { age, sequence } = place.request else { return None };
        if place.applied < sequence && !self.is(Weakness::RenewedWithoutApplying) {
            return None;
        }
        let age = if self.is(Weakness::LeaseFromAnswer) { 0 } else { age };
        if age < self.lease {
            place.lease = Some(age);
        }
        place.request = Request::Idle;
        Some(())
    }

    fn crash(&self, state: &mut State, node: usize) {
        let applied = state.nodes[node].applied;
        let place = &mut state.nodes[node];
        // The row stays. What the process that starts next knows is what it reads: it is at 0 until it has.
        *place = Node { applied: 0, lease: None, request: Request::Out, shared: None, row: place.row };
        for (number, act) in state.acts.iter_mut().enumerate() {
            if act.by == Some(u8(node)) && act.is_under_way() {
                *act = Act::OVER;
            }
            // Its acknowledgement may have been on its way.
            if let Some(list) = &mut act.list
                && applied > u8(number)
            {
                list.nodes &= !bit(node);
            }
        }
        if state.early.is_some_and(|(by, _)| usize::from(by) == node) {
            state.early = None;
        }
        if state.check.node() == Some(node) {
            state.check = Check::None;
        }
    }

    fn commit(&self, state: &mut State, by: Option<usize>) -> Option<()> {
        let number = usize::from(state.committed);
        let by = by.map(u8);
        let busy = |act: &Act| act.by == by && matches!(act.stage, Stage::Committed | Stage::Waiting);
        if number == self.acts || by.is_some() && state.acts.iter().any(busy) || by.is_none() && !self.others {
            return None;
        }
        let list = if self.is(Weakness::ListBeforeCommit) {
            let (_, nodes) = state.early.take_if(|(node, _)| Some(*node) == by)?;
            Some(List { age: 0, nodes, unchanged: 0 })
        } else {
            None
        };
        state.acts[number] = Act { stage: Stage::Committed, by, age: 0, list };
        state.committed += 1;
        Some(())
    }

    fn rows(&self, state: &State, except: Option<usize>) -> Nodes {
        (0..self.nodes)
            .filter(|node| Some(*node) != except && state.nodes[*node].row)
            .fold(0, |set, node| set | bit(node))
    }

    fn give_back(&self, state: &mut State, number: usize) -> Option<()> {
        if !self.may_return(state, number) {
            return None;
        }
        let act = &mut state.acts[number];
        act.stage = Stage::Returned;
        state.returned = state.returned.max(u8(number) + 1);
        Some(())
    }

    fn begin_check(&self, state: &mut State, node: usize) -> Option<()> {
        if state.check != Check::None {
            return None;
        }
        let floor = state.returned;
        let place = &mut state.nodes[node];
        let number = u8(node);
        state.check = match place.lease {
            // Which lease it will be is not yet known.
            _ if self.is(Weakness::LeaseOfLater) => Check::Fenced { node: number, floor, age: 0 },
            Some(age) => Check::Fenced { node: number, floor, age },
            None => {
                let sequence = place.shared.take().unwrap_or(state.committed);
                Check::Confirming { node: number, floor, sequence }
            }
        };
        Some(())
    }

    fn answer(&self, state: &mut State) -> Option<()> {
        let (floor, applied) = match state.check {
            Check::Confirming { node, floor, sequence } => {
                let applied = state.nodes[usize::from(node)].applied;
                if applied < sequence {
                    return None;
                }
                (floor, applied)
            }
            Check::Looked { node, floor, age, applied } => {
                let held = match self.weakness {
                    Some(Weakness::LeaseOfLater) => state.nodes[usize::from(node)].lease.is_some(),
                    // It has looked at the clock already.
                    Some(Weakness::LeaseJudgedFirst) => true,
                    _ => age < self.lease,
                };
                if !held {
                    // It begins anew, by asking the database.
                    state.check = Check::None;
                    return Some(());
                }
                (floor, applied)
            }
            Check::None | Check::Fenced { .. } => return None,
        };
        state.check = Check::None;
        state.stale |= applied < floor;
        Some(())
    }

    fn step(&self, state: &mut State, step: Step) -> Option<()> {
        match step {
            Step::Tick => self.tick(state),
            Step::Apply(node) => {
                let place = &mut state.nodes[node];
                if place.applied == state.committed {
                    return None;
                }
                place.applied += 1;
            }
            Step::Join(node) => {
                let feed = self.is(Weakness::FeedBeforeRow).then_some(state.committed);
                let place = &mut state.nodes[node];
                (place.request == Request::Out).then_some(())?;
                place.request = Request::Joining { age: 0, feed };
            }
            Step::Renew(node) => {
                let place = &mut state.nodes[node];
                (place.request == Request::Idle).then_some(())?;
                place.request = Request::Renewing { age: 0 };
            }
            Step::Execute(node) => self.execute(state, node)?,
            Step::Receive(node) => self.receive(state, node)?,
            Step::Leave(node) => {
                let place = &mut state.nodes[node];
                (place.request == Request::Idle).then_some(())?;
                place.request = Request::Leaving;
                if !self.is(Weakness::LeavesListFirst) {
                    place.lease = None;
                }
            }
            Step::Crash(node) => self.crash(state, node),
            Step::ListEarly(node) => {
                if !self.is(Weakness::ListBeforeCommit) || state.early.is_some() {
                    return None;
                }
                state.early = Some((u8(node), self.rows(state, Some(node))));
            }
            Step::Commit(node) => self.commit(state, Some(node))?,
            Step::CommitOther => self.commit(state, None)?,
            Step::CrashOther(number) => {
                let act = &mut state.acts[number];
                (act.by.is_none() && act.is_under_way()).then_some(())?;
                *act = Act::OVER;
            }
            Step::CommitAnswered(number) => {
                let act = &mut state.acts[number];
                (act.stage == Stage::Committed).then_some(())?;
                act.stage = Stage::Waiting;
                // What was before it, the writer had applied when it held the feed's row.
                if let Some(by) = act.by {
                    let place = &mut state.nodes[usize::from(by)];
                    place.applied = place.applied.max(u8(number) + 1);
                }
            }
            Step::ReadList(number) => {
                let act = state.acts[number];
                (act.stage == Stage::Waiting && act.list.is_none()).then_some(())?;
                let nodes = self.rows(state, act.by.map(usize::from));
                state.acts[number].list = Some(List { age: 0, nodes, unchanged: nodes });
            }
            Step::Return(number) => self.give_back(state, number)?,
            Step::WriteOff(number, node) => {
                self.may_write_off(state, number, node).then_some(())?;
                state.nodes[node].row = false;
                Self::touch(state, node);
            }
            Step::ReadForAll(node) => {
                if !self.is(Weakness::SharedRead) || state.nodes[node].shared.is_some() {
                    return None;
                }
                state.nodes[node].shared = Some(state.committed);
            }
            Step::Check(node) => self.begin_check(state, node)?,
            Step::LookUp => {
                let Check::Fenced { node, floor, age } = state.check else { return None };
                let applied = state.nodes[usize::from(node)].applied;
                state.check = Check::Looked { node, floor, age, applied };
            }
            Step::Answer => self.answer(state)?,
        }
        self.tidy(state);
        Some(())
    }

    /// Makes states equal between which nobody can tell a difference.
    fn tidy(&self, state: &mut State) {
        let over = |age: u8| age >= self.lease && !self.is(Weakness::LeaseFromAnswer);
        for node in &mut state.nodes {
            // What comes of a request that took too long comes of a new one as well.
            node.request = match node.request {
                Request::Joining { age, .. } if over(age) => Request::Out,
                Request::Joined { age, .. } | Request::Renewing { age } | Request::Answered { age, .. }
                    if over(age) =>
                {
                    Request::Idle
                }
                request => request,
            };
        }
        for act in &mut state.acts {
            if act.stage != Stage::Returned {
                continue;
            }
            // All that is left is to delete rows.
            if let Some(list) = &mut act.list
                && !self.is(Weakness::WrittenOffAnyway)
            {
                list.nodes &= list.unchanged;
                list.unchanged = list.nodes;
            }
            if !self.is(Weakness::WrittenOffEarly) {
                act.age = 0;
            }
            if act.list.is_none_or(|list| list.nodes == 0) {
                *act = Act::OVER;
            }
        }
        if let Check::Looked { age, .. } | Check::Fenced { age, .. } = state.check
            && age >= self.lease
            && !self.is(Weakness::LeaseOfLater)
            && !self.is(Weakness::LeaseJudgedFirst)
        {
            state.check = Check::None;
        }
        *state = self.representative(state);
    }

    /// Which node is which makes no difference: of all ways to number them, the first.
    fn representative(&self, state: &State) -> State {
        const ORDERS: [[usize; NODES_MAX]; 6] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let orders: &[[usize; NODES_MAX]] = match self.nodes {
            1 => &ORDERS[..1],
            2 => &ORDERS[..2],
            _ => &ORDERS,
        };
        let nodes = |order: &[usize; NODES_MAX]| {
            let mut nodes = state.nodes;
            for (node, to) in state.nodes.iter().zip(order) {
                nodes[*to] = *node;
            }
            nodes
        };
        let first = orders.iter().map(nodes).min();
        let alike = orders.iter().filter(|order| Some(nodes(order)) == first);
        alike.map(|order| state.renumbered(order)).min().expect("there is an order")
    }
}

impl Act {
    const OVER: Self = Self { stage: Stage::Over, by: None, age: 0, list: None };

    fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Committed | Stage::Waiting | Stage::Returned)
    }
}

impl Check {
    fn node(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Fenced { node, .. } | Self::Looked { node, .. } | Self::Confirming { node, .. } => Some(node.into()),
        }
    }
}

impl State {
    /// The same with node `n` called `order[n]`.
    fn renumbered(&self, order: &[usize; NODES_MAX]) -> Self {
        let name = |node: &mut u8| *node = u8(order[usize::from(*node)]);
        let set = |nodes: Nodes| (0..NODES_MAX).filter(|n| nodes & bit(*n) != 0).fold(0, |set, n| set | bit(order[n]));
        let mut other = *self;
        for (node, to) in self.nodes.iter().zip(order) {
            other.nodes[*to] = *node;
        }
        for act in &mut other.acts {
            if let Some(by) = &mut act.by {
                name(by);
            }
            if let Some(list) = &mut act.list {
                list.nodes = set(list.nodes);
                list.unchanged = set(list.unchanged);
            }
        }
        if let Some((by, nodes)) = &mut other.early {
            name(by);
            *nodes = set(*nodes);
        }
        match &mut other.check {
            Check::None => {}
            Check::Fenced { node, .. } | Check::Looked { node, .. } | Check::Confirming { node, .. } => name(node),
        }
        other
    }
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of nodes and acts, at most 3")]
const fn u8(number: usize) -> u8 {
    number as u8
}

/// Of a check that begins now and ends at once; later it only knows more, and its lease is only older.
pub const INFORMED: &str = "who holds a lease knows of all acts that have returned";
/// No check that began after an act had returned is answered from a state without it.
pub const SAFE: &str = "a check that began after an act returned knows of it";
/// A revoke returns when the lease is over, whatever others do.
pub const RETURNS: &str = "an act returns within a lease";
/// The barrier knows everybody who answers from memory.
pub const LISTED: &str = "who holds a lease has a row";
/// There is always something that can be done.
pub const LIVELY: &str = "something can be done besides waiting and crashing";

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let node = Node { row: false, applied: 0, lease: None, request: Request::Out, shared: None };
        let act = Act { stage: Stage::Free, ..Act::OVER };
        let joined = Node { row: true, request: Request::Idle, ..node };
        // All have joined, but for one in the second.
        [joined, node]
            .map(|first| {
                let mut nodes = [node; NODES_MAX];
                nodes[..self.nodes].fill(joined);
                nodes[0] = first;
                self.representative(&State {
                    nodes,
                    acts: [act; ACTS_MAX],
                    early: None,
                    committed: 0,
                    returned: 0,
                    check: Check::None,
                    stale: false,
                })
            })
            .to_vec()
    }

    fn actions(&self, _: &State, steps: &mut Vec<Step>) {
        steps.push(Step::Tick);
        if self.others {
            steps.push(Step::CommitOther);
            steps.extend((0..self.acts).map(Step::CrashOther));
        }
        if self.checks {
            steps.extend([Step::LookUp, Step::Answer]);
            steps.extend((0..self.nodes).map(Step::Check));
        }
        for node in 0..self.nodes {
            steps.extend([Step::Apply(node), Step::Join(node), Step::Renew(node), Step::Execute(node)]);
            steps.extend([Step::Receive(node), Step::Leave(node), Step::Crash(node), Step::ListEarly(node)]);
            steps.extend([Step::Commit(node), Step::ReadForAll(node)]);
        }
        for number in 0..self.acts {
            steps.extend([Step::CommitAnswered(number), Step::ReadList(number), Step::Return(number)]);
            steps.extend((0..self.nodes).map(|node| Step::WriteOff(number, node)));
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        // A counterexample is complete.
        if state.stale {
            return None;
        }
        let mut next = *state;
        self.step(&mut next, step)?;
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(INFORMED, |model: &Self, state: &State| {
                let informed = |node: &Node| node.lease.is_none() || node.applied >= state.returned;
                state.nodes[..model.nodes].iter().all(informed)
            }),
            Property::always(SAFE, |_, state: &State| !state.stale),
            Property::always(RETURNS, |model: &Self, state: &State| {
                (0..model.acts).all(|number| {
                    let act = &state.acts[number];
                    act.stage != Stage::Waiting || act.age < model.lease || model.may_return(state, number)
                })
            }),
            Property::always(LISTED, |model: &Self, state: &State| {
                state.nodes[..model.nodes].iter().all(|node| node.lease.is_none() || node.row)
            }),
            Property::always(LIVELY, |model: &Self, state: &State| {
                let mut steps = Vec::new();
                model.actions(state, &mut steps);
                steps.into_iter().any(|step| {
                    !matches!(step, Step::Tick | Step::Crash(_) | Step::CrashOther(_))
                        && model.next_state(state, step).is_some()
                }) || state.stale
            }),
            // What must be reachable, or nothing is shown.
            Property::sometimes("memory answers, and knows", |model: &Self, state: &State| {
                let known = |node: &Node| node.lease.is_some() && state.returned > 0;
                match state.check {
                    _ if !model.checks => state.nodes.iter().any(known),
                    Check::Looked { floor, .. } => floor > 0,
                    _ => false,
                }
            }),
            Property::sometimes("the database is asked", |model: &Self, state: &State| {
                !model.checks || matches!(state.check, Check::Confirming { floor, .. } if floor > 0)
            }),
            Property::sometimes("all have acknowledged", |model: &Self, state: &State| {
                let early = |number: &usize| state.acts[*number].age < model.lease && model.may_return(state, *number);
                (0..model.acts).any(|number| early(&number))
            }),
            Property::sometimes("somebody never acknowledges", |model: &Self, state: &State| {
                let late = |act: &Act| act.stage == Stage::Waiting && act.age == model.lease;
                state.acts[..model.acts].iter().any(late)
            }),
            Property::sometimes("a row is deleted that somebody renews", |model: &Self, state: &State| {
                let renews = |node: &usize| matches!(state.nodes[*node].request, Request::Renewing { .. });
                (0..model.nodes).any(|node| !state.nodes[node].row && renews(&node))
            }),
        ]
    }
}
