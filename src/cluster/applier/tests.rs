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
        let payload = notices::announcement(keys, &after, self.own(sequence), sequence as u64);
        notices::heard_announcement(keys, &payload).and_then(|(_, said)| said).expect("it is signed and short")
    }

    /// All acts.
    fn acts(&self) -> Vec<Arc<Revocation>> {
        let act = |announced: &Announced| match &announced.change {
            Change::Revocation(act) => Arc::clone(act),
            other => unreachable!("{other:?}"),
        };
        self.changes.iter().map(act).collect()
    }

    /// Lets a node read up to this number, from where it is.
    fn follow(&mut self, applier: &Applier, to: u64) -> Result<(), FollowError> {
        applier.follow(&mut self.connection, &applier.position(), &place(to))
    }
}

#[test]
fn each_change_is_applied_once_whoever_brings_it_first() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
    let mut told = applier.subscribe();
    applier.committed(feed.own(1));
    applier.committed(feed.own(1));
    feed.follow(&applier, 3).expect("it follows");
    assert_eq!(applier.position(), place(3));
    // The writer's thread comes late with what the feed has brought already.
    applier.committed(feed.own(2));
    applier.committed(feed.own(3));
    applier.follow(&mut feed.connection, &place(0), &place(3)).expect("a reader that began before");
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
    applier.committed(feed.own(1));
    applier.committed(feed.own(3));
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
        applier.committed(feed.own(3));
        applier.committed(feed.own(2));
        assert_eq!(applier.position(), place(0));
        feed.follow(&applier, 3).expect("it follows");
        assert_eq!((applier.live.is_revoked(ONE), applier.position()), (Some(revoked), place(3)));
    }
}

/// Each is told of once, in order, with all that is known of it, also where an own act follows one that was only heard of.
#[test]
fn what_was_heard_holds_at_once_and_is_told_of_when_it_was_read() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (UNDOES, 1), (REVOKES, 3)]));
    let keys = signing();
    let mut told = applier.subscribe();
    assert!(applier.hear(&feed.said(&keys, 1)) && applier.hear(&feed.said(&keys, 2)));
    assert_eq!((applier.position(), applier.acts_applied()), (place(2), 2));
    assert_eq!((applier.live.is_revoked(1), applier.live.is_revoked(2)), (Some(true), Some(true)));
    applier.committed(feed.own(3));
    feed.follow(&applier, 4).expect("it follows");
    assert_eq!(applier.live.is_revoked(1), Some(false));
    assert!(told.try_recv().is_err(), "who it was is not known yet");
    assert_eq!(applier.untold(), Some((1, 2)));
    applier.tell_up_to(1, &feed.acts()[..1]);
    assert_eq!((told.try_recv().map(|act| act.sequence), applier.untold()), (Ok(1), Some((2, 2))));
    applier.tell_up_to(2, &feed.acts());
    let order: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).collect();
    assert_eq!(order, feed.acts()[1..]);
    assert_eq!(applier.untold(), None);
}

#[test]
fn what_is_heard_out_of_its_place_is_read_instead() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (UNDOES, 1), (REVOKES, 2)]));
    let keys = signing();
    assert!(!applier.hear(&feed.said(&keys, 2)), "one is missing before it");
    assert!(applier.hear(&feed.said(&keys, 1)));
    assert!(!applier.hear(&feed.said(&keys, 1)), "twice");
    let another = Announcement { after: Position { tag: "another".to_owned(), ..place(1) }, ..feed.said(&keys, 2) };
    assert!(!applier.hear(&another), "of another history");
    assert_eq!((applier.position(), applier.live.is_revoked(1)), (place(1), Some(true)));
    // An own change has been applied before one that is missing: only the feed brings both again, in order.
    applier.committed(feed.own(3));
    assert!(!applier.hear(&feed.said(&keys, 2)));
    feed.follow(&applier, 3).expect("it follows");
    assert_eq!(applier.live.is_revoked(1), Some(false));
    feed.add(REVOKES, 3);
    assert!(applier.hear(&feed.said(&keys, 4)), "now nothing is missing");
    applier.part(|| {});
    feed.add(REVOKES, 5);
    assert!(!applier.hear(&feed.said(&keys, 5)), "the history has parted");
    assert_eq!(applier.live.is_revoked(5), None);
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
        let followed = applier.follow(&mut feed.connection, &applier.position(), &behind);
        assert!(matches!(followed, Err(FollowError::Parted)), "{behind:?}");
    }
}

/// From the moment at which the history has parted until all is loaded anew nothing is applied: it would be of one
/// history upon another.
#[test]
fn nothing_is_applied_between_parting_and_loading_anew() {
    let (applier, mut feed) = (applier(), Feed::of(&[(REVOKES, 1), (REVOKES, 2), (REVOKES, 3)]));
    applier.committed(feed.own(1));
    let mut gave_back = false;
    applier.part(|| gave_back = true);
    assert!(gave_back && !applier.unless_parted(|| panic!("a lease")));
    applier.committed(feed.own(2));
    assert!(matches!(feed.follow(&applier, 3), Err(FollowError::Parted)));
    assert_eq!((applier.position(), applier.live.is_revoked(2)), (place(1), None));
    diesel::sql_query("DELETE FROM orest_change").execute(&mut feed.connection).expect("older ones are purged");
    applier.load(&mut feed.connection).expect("it loads");
    assert_eq!(applier.position(), place(3));
    assert!(applier.unless_parted(|| {}) && applier.live.is_revoked(3) == Some(true));
    assert!(!applier.has_been_at(&place(1)), "of what was before it nothing is known");
    feed.follow(&applier, 3).expect("it follows");
}
