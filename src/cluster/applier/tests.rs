//! Changes that come out of order, twice, with others missing before them, or of another history.

use diesel::Connection as _;
use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;
use diesel_migrations::MigrationHarness as _;
use roaring::RoaringBitmap;

use super::*;
use crate::cluster::notices;
use crate::domain::revocation::{Act, Channel, InitiatingEntity};
use crate::domain::time::from_unix;
use crate::domain::token::{KeyId, KeyRing, RegisteredKey, SealingKey};
use crate::store::migrations;
use crate::store::revocations::NewRevocation;

const REVOKES: bool = true;
const UNDOES: bool = false;
/// The authorization of a test that needs one.
const ONE: u32 = 7;

fn applier() -> Applier {
    Applier::new(Arc::new(Live::new()), Arc::default(), Arc::new(Keys::new(KeyRing::none())))
}

/// The keys of a node that has one.
fn signing() -> Keys {
    let key = SealingKey::new(KeyId(1), &[1; 32]);
    let registered = RegisteredKey { id: key.id(), check: key.check_value().to_owned(), seals: true };
    let keys = Keys::new(KeyRing::new(vec![key]).expect("one"));
    keys.set_registered(vec![registered]);
    keys
}

fn place(sequence: u64) -> Position {
    let tag = if sequence == 0 { String::new() } else { format!("tag {sequence}") };
    Position { sequence, tag }
}

/// As `applier` would stand, had it come up to there.
fn standing(applier: &Applier, sequence: u64) -> Standing {
    Standing { position: place(sequence), ..applier.standing() }
}

/// What other nodes, or this one, have committed.
struct Feed {
    connection: Connection,
    changes: Vec<Announced>,
}

impl Feed {
    /// Of these acts on authorizations, in this order: whether each revokes, and what.
    fn of(acts: &[(bool, u32)]) -> Self {
        let mut connection = Connection::Sqlite(diesel::SqliteConnection::establish(":memory:").expect("memory"));
        connection.run_pending_migrations(migrations::SQLITE).expect("they run");
        let mut feed = Self { connection, changes: Vec::new() };
        for (revokes, id) in acts {
            feed.add(*revokes, *id);
        }
        feed
    }

    fn add(&mut self, revokes: bool, id: u32) {
        let act = Act {
            at: from_unix(1_800_000_000),
            user: None,
            login: "admin".to_owned(),
            address: None,
            channel: Channel::Rpc,
            initiating_entity: InitiatingEntity::Admin,
            reason_admin: None,
            reason_user: None,
            selection: String::new(),
        };
        let new = NewRevocation {
            kind: if revokes { Kind::Revoke } else { Kind::Undo },
            undoes: None,
            act,
            requested: 1,
            authorizations: RoaringBitmap::from([id]),
            already_revoked: RoaringBitmap::new(),
            hides: false,
        };
        let act = revocations::insert(&mut self.connection, new).expect("a row");
        let sequence = act.sequence;
        let (own, before) = (place(sequence), place(sequence - 1));
        let sql = format!(
            "INSERT INTO orest_change (sequence, kind, tag, previous_tag, create_date) \
             VALUES ({sequence}, 'revocation', '{}', '{}', '2027-01-15 08:00:00'); UPDATE orest_feed SET tag = '{}'",
            own.tag, before.tag, own.tag
        );
        self.connection.batch_execute(&sql).expect("a change");
        self.changes.push(Announced { change: Change::Revocation(Arc::new(act)), position: Some(own) });
    }

    /// The change with this number, as the writer of this node announces it.
    fn own(&self, sequence: usize) -> &[Announced] {
        &self.changes[sequence - 1..sequence]
    }

    /// The change with this number, as it is told to the other nodes.
    fn said(&self, keys: &Keys, sequence: usize) -> Announcement {
        let after = place(sequence as u64 - 1);
        let payload = notices::announcement(keys, &after, self.own(sequence)).expect("it is short");
        notices::heard_announcement(keys, &payload).and_then(|(_, said)| said).expect("it is signed")
    }

    /// All acts.
    fn acts(&self) -> Vec<Arc<Revocation>> {
        let act = |announced: &Announced| match &announced.change {
            Change::Revocation(act) => Arc::clone(act),
            other => unreachable!("{other:?}"),
        };
        self.changes.iter().map(act).collect()
    }

    /// Tells a node that it has committed the change with this number.
    fn commit(&self, applier: &Applier, sequence: usize) {
        assert!(!applier.committed(self.own(sequence), || panic!("{sequence} is of another history")));
    }

    /// Lets a node read up to this number, from where it is.
    fn follow(&mut self, applier: &Applier, to: u64) -> Result<(), FollowError> {
        applier.follow(&mut self.connection, &applier.standing(), &place(to))
    }
}

#[test]
fn each_change_is_applied_once_whoever_brings_it_first() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
    let mut told = applier.subscribe();
    feed.commit(&applier, 1);
    feed.commit(&applier, 1);
    feed.follow(&applier, 3).expect("it follows");
    assert_eq!(applier.position(), place(3));
    // The writer's thread comes late with what the feed has brought already.
    feed.commit(&applier, 2);
    feed.commit(&applier, 3);
    applier.follow(&mut feed.connection, &standing(&applier, 0), &place(3)).expect("a reader that began before");
    assert_eq!((applier.position(), applier.acts_applied()), (place(3), 3));
    let order: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).map(|act| act.sequence).collect();
    assert_eq!(order, [1, 2, 3]);
    assert!((1..=3).all(|id| applier.live.is_revoked(id) == Some(true)));
    assert!((1..=3).all(|sequence| applier.has_been_at(&place(sequence))));
}

/// What this node has committed itself holds at once, whatever is missing before it; but nobody is told that all is
/// there up to it, and the feed still brings what is.
#[test]
fn what_is_missing_before_an_own_change_the_feed_brings() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
    feed.commit(&applier, 1);
    feed.commit(&applier, 3);
    assert_eq!(applier.live.is_revoked(3), Some(true), "at once");
    assert_eq!(applier.live.is_revoked(2), None, "nobody has told it of this one");
    assert_eq!(applier.position(), place(1));
    assert!(!applier.has_been_at(&place(3)), "it would confirm what it does not know");
    feed.follow(&applier, 3).expect("it follows");
    assert_eq!(applier.live.is_revoked(2), Some(true));
    assert_eq!(applier.position(), place(3));
}

/// Applied a second time in its place, the last word is the last act's.
#[test]
fn the_order_is_that_of_the_commits_though_they_come_in_another() {
    for (acts, revoked) in [
        ([(REVOKES, ONE), (UNDOES, ONE), (REVOKES, ONE)], true),
        ([(UNDOES, ONE), (REVOKES, ONE), (UNDOES, ONE)], false),
    ] {
        let (applier, mut feed) = (applier(), Feed::of(&acts));
        feed.commit(&applier, 3);
        feed.commit(&applier, 2);
        assert_eq!(applier.position(), place(0));
        feed.follow(&applier, 3).expect("it follows");
        assert_eq!((applier.live.is_revoked(ONE), applier.position()), (Some(revoked), place(3)));
    }
}

/// One that has applied the first change, and listens to a server that had none before it.
fn listening(feed: &Feed) -> Applier {
    let applier = applier();
    applier.hear_beyond(0);
    feed.commit(&applier, 1);
    applier
}

/// Each is reported once, in order, with all that is known of it, also where an own act follows one that was only heard of.
#[test]
fn what_was_heard_holds_at_once_and_is_reported_when_it_was_read() {
    let mut feed = Feed::of(&[(REVOKES, 9), (REVOKES, 1), (REVOKES, 2), (UNDOES, 1), (REVOKES, 3)]);
    let (applier, keys) = (listening(&feed), signing());
    let mut reports = applier.subscribe();
    assert!(applier.hear(&feed.said(&keys, 2)) && applier.hear(&feed.said(&keys, 3)));
    assert!(applier.hear(&feed.said(&keys, 3)), "twice is no more than once");
    assert_eq!((applier.position(), applier.acts_applied()), (place(3), 3));
    assert_eq!((applier.live.is_revoked(1), applier.live.is_revoked(2)), (Some(true), Some(true)));
    feed.commit(&applier, 4);
    feed.follow(&applier, 5).expect("it follows");
    assert_eq!(applier.live.is_revoked(1), Some(false));
    assert!(reports.try_recv().is_err(), "who it was is not known yet");
    let gap = applier.gap().expect("two");
    assert_eq!((gap.first, gap.last), (2, 3));
    applier.fill_gap(gap, 2, &feed.acts()[1..2]);
    assert_eq!(reports.try_recv().map(|act| act.sequence), Ok(2));
    let gap = applier.gap().expect("one");
    assert_eq!((gap.first, gap.last), (3, 3));
    applier.fill_gap(gap, 3, &feed.acts());
    let order: Vec<_> = std::iter::from_fn(|| reports.try_recv().ok()).collect();
    assert_eq!(order, feed.acts()[2..]);
    assert_eq!(applier.gap(), None);
}

/// This node may hear of its own commit before it is told by the database that it has committed, and read what it has heard.
#[test]
fn what_comes_by_another_way_too_is_reported_without_being_read_for_that() {
    let mut feed = Feed::of(&[(REVOKES, 9), (REVOKES, 1), (REVOKES, 2)]);
    let (applier, keys) = (listening(&feed), signing());
    let (mut reports, others) = (applier.subscribe(), applier.foreign());
    applier.committing(feed.own(2));
    assert!(applier.hear(&feed.said(&keys, 2)));
    assert_eq!(applier.live.is_revoked(1), Some(true));
    feed.commit(&applier, 2);
    assert_eq!((applier.gap(), *others.borrow()), (None, 0), "nobody waits for an acknowledgement of it");
    assert!(applier.hear(&feed.said(&keys, 3)));
    applier.follow(&mut feed.connection, &standing(&applier, 2), &place(3)).expect("a reader that began before");
    assert_eq!((applier.gap(), *others.borrow(), applier.acts_applied()), (None, 1, 3));
    let order: Vec<_> = std::iter::from_fn(|| reports.try_recv().ok()).collect();
    assert_eq!(order, feed.acts()[1..]);
}

#[test]
fn what_is_heard_out_of_its_place_is_read_instead() {
    let mut feed = Feed::of(&[(REVOKES, 9), (REVOKES, 1), (UNDOES, 1), (REVOKES, 2)]);
    let (applier, keys) = (listening(&feed), signing());
    assert!(!applier.hear(&feed.said(&keys, 3)), "one is missing before it");
    assert!(applier.hear(&feed.said(&keys, 2)));
    let another = Announcement { after: Position { tag: "another".to_owned(), ..place(2) }, ..feed.said(&keys, 3) };
    assert!(!applier.hear(&another), "of another history");
    assert_eq!((applier.position(), applier.live.is_revoked(1)), (place(2), Some(true)));
    // An own change has been applied before one that is missing: only the feed brings both again, in order.
    feed.commit(&applier, 4);
    assert!(!applier.hear(&feed.said(&keys, 3)));
    feed.follow(&applier, 4).expect("it follows");
    assert_eq!(applier.live.is_revoked(1), Some(false));
    feed.add(REVOKES, 3);
    assert!(applier.hear(&feed.said(&keys, 5)), "now nothing is missing");
    assert!(applier.part(&applier.standing(), || {}));
    feed.add(REVOKES, 5);
    assert!(!applier.hear(&feed.said(&keys, 6)), "the history has parted");
    assert_eq!(applier.live.is_revoked(5), None);
}

/// What was said before commits were lost can be said again, and fits where the histories part.
#[test]
fn nothing_is_heard_by_a_new_line_before_something_new_has_come_by_it() {
    let mut feed = Feed::of(&[(REVOKES, 9), (REVOKES, 1), (REVOKES, 2)]);
    let (applier, keys) = (listening(&feed), signing());
    applier.deafen();
    assert!(!applier.hear(&feed.said(&keys, 2)), "nobody knows where this server is");
    applier.hear_beyond(1);
    assert!(!applier.hear(&feed.said(&keys, 2)), "it may be from before");
    applier.follow(&mut feed.connection, &standing(&applier, 1), &place(3)).expect("it follows");
    feed.add(REVOKES, 3);
    assert!(applier.hear(&feed.said(&keys, 4)));
    applier.load(&mut feed.connection).expect("it loads");
    feed.add(REVOKES, 4);
    assert!(!applier.hear(&feed.said(&keys, 5)));
}

/// Two ways bring changes of two histories to the same place: the second comes to light, whichever it is.
#[test]
fn changes_of_two_histories_are_not_mixed() {
    let lost = |keys: &Keys| {
        let mut said = Feed::of(&[(REVOKES, 9), (REVOKES, 7)]).said(keys, 2);
        said.changes[0].0 = "lost".to_owned();
        said
    };
    let keys = signing();
    let mut feed = Feed::of(&[(REVOKES, 9), (REVOKES, 1), (REVOKES, 2)]);
    let applier = listening(&feed);
    let from = applier.standing();
    assert!(applier.hear(&lost(&keys)));
    let followed = applier.follow(&mut feed.connection, &from, &place(3));
    assert!(matches!(followed, Err(FollowError::Parted)), "or nobody would ever know of the second");
    let applier = listening(&feed);
    assert!(applier.hear(&lost(&keys)));
    let mut gave_back = false;
    assert!(
        applier.committed(feed.own(2), || gave_back = true),
        "it is committed, and memory has another one in its place"
    );
    assert!(gave_back && applier.has_parted());
}

#[test]
fn a_feed_with_a_hole_or_of_another_history_is_not_followed() {
    for (spoil, reaches) in [
        // Those that are older than a day are: a node that was away for longer has missed them, though the acts are there.
        ("DELETE FROM orest_change WHERE sequence <= 2", 0),
        ("DELETE FROM orest_change", 0),
        ("DELETE FROM orest_change WHERE sequence = 2", 1),
        ("DELETE FROM orest_change WHERE sequence = 3", 2),
        ("UPDATE orest_change SET previous_tag = 'another' WHERE sequence = 1", 0),
        ("UPDATE orest_change SET tag = 'another' WHERE sequence = 2", 0),
    ] {
        let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
        feed.connection.batch_execute(spoil).expect("it spoils");
        assert!(matches!(feed.follow(&applier, 3), Err(FollowError::Parted)), "{spoil}");
        assert_eq!(applier.position(), place(reaches), "{spoil}");
    }
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2)]));
    feed.follow(&applier, 2).expect("it follows");
    let another = Position { tag: "another".to_owned(), ..place(2) };
    for behind in [place(1), another] {
        let followed = applier.follow(&mut feed.connection, &applier.standing(), &behind);
        assert!(matches!(followed, Err(FollowError::Parted)), "{behind:?}");
    }
}

/// A node of a later version may let acts through a door that this one has never heard of.
#[test]
fn an_act_through_an_unknown_door_holds() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1)]));
    let mut reports = applier.subscribe();
    feed.connection.batch_execute("UPDATE orest_revocation SET channel = 'of_a_later_version'").expect("it does");
    feed.follow(&applier, 1).expect("it follows");
    assert_eq!(applier.live.is_revoked(1), Some(true));
    assert_eq!(reports.try_recv().map(|act| act.act.channel), Ok(Channel::Unknown));
}

/// From the moment at which the history has parted until all is loaded anew nothing is applied: it would be of one
/// history upon another.
#[test]
fn nothing_is_applied_between_parting_and_loading_anew() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
    feed.commit(&applier, 1);
    let (before, mut gave_back) = (applier.standing(), false);
    assert!(applier.part(&before, || gave_back = true));
    assert!(gave_back && applier.has_parted() && !applier.unless_parted(|| panic!("a lease")));
    assert!(!applier.part(&before, || panic!("once is enough")));
    assert!(!applier.has_been_at(&place(1)), "who says that he has applied it may mean another one");
    assert!(
        matches!(feed.follow(&applier, 1), Err(FollowError::Parted)),
        "it may stand where the database's history stands"
    );
    feed.commit(&applier, 2);
    assert!(matches!(feed.follow(&applier, 3), Err(FollowError::Parted)));
    assert_eq!((applier.position(), applier.live.is_revoked(2)), (place(1), None));
    diesel::sql_query("DELETE FROM orest_change").execute(&mut feed.connection).expect("older ones are purged");
    applier.load(&mut feed.connection).expect("it loads");
    assert_eq!(applier.position(), place(3));
    assert!(applier.unless_parted(|| {}) && applier.live.is_revoked(3) == Some(true));
    // Who has found it late, of what was there before, needs no second load; nor is what he has read applied.
    assert!(!applier.part(&before, || panic!("it is loaded anew")) && !applier.has_parted());
    feed.add(REVOKES, 4);
    let late = applier.follow(&mut feed.connection, &Standing { position: place(3), ..before }, &place(4));
    assert!(matches!(late, Err(FollowError::Parted)) && applier.position() == place(3));
    assert!(!applier.has_been_at(&place(1)), "of what was before it nothing is known");
    feed.follow(&applier, 4).expect("it follows");
}
