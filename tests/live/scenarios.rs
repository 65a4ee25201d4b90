// What is included by interleavings.rs, for each live state that it is about.

use std::sync::Arc;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use orest_live::domain::ids::{AuthorizationId, DeviceId, UserId};
use orest_live::domain::time::from_unix;
use orest_live::domain::token::Generation;
use orest_live::domain::user::GroupSet;
use orest_live::store::authorizations::SlotRow;
use orest_live::store::users::{User, Words};
use roaring::RoaringBitmap;

const ID: AuthorizationId = AuthorizationId(1);

/// How the authorization is in the database, after so many commits.
fn row(of: i64, revoked: bool, generation: i64) -> SlotRow {
    SlotRow {
        id: ID.0,
        application_id: of,
        user_id: Some(of),
        device_id: Some(of),
        scope: "read".to_owned(),
        generation,
        revocation_id: revoked.then_some(1),
        create_date: from_unix(of),
    }
}

fn set() -> RoaringBitmap {
    RoaringBitmap::from([1])
}

/// Who reads a row and keeps it, as a check does whose slot is empty.
fn fill(live: &Live, read: impl FnOnce() -> SlotRow) {
    let epoch = live.epoch();
    live.fill(epoch, &[read()]);
}

/// What a check sees; it must be one row's, whole.
fn look(live: &Live) -> Option<(bool, u32)> {
    live.look_up(ID).map(|view| {
        let of = view.application.0;
        assert_eq!(
            (view.user, view.device, view.created_at),
            (Some(UserId(of)), Some(DeviceId(of)), of),
            "half of one row, half of another"
        );
        assert_eq!(&*live.scope(view.scope), "read");
        (view.revoked, view.generation.0)
    })
}

/// The sets by which acts are counted say the same as the slots by which tokens are checked.
fn sets_and_slots_agree(live: &Live) {
    let (revoked, unknown) = live.split(&set());
    assert_eq!(live.is_revoked(1), (!unknown.contains(1)).then_some(revoked.contains(1)));
}

/// What must hold.
pub const ALL: [(&str, fn()); 7] = [
    ("once_revoked_no_check_says_live", once_revoked_no_check_says_live),
    ("an_undo_is_the_last_word", an_undo_is_the_last_word),
    ("a_refresh_a_revocation_and_a_fill", a_refresh_a_revocation_and_a_fill),
    ("a_check_sees_one_row_whole", a_check_sees_one_row_whole),
    ("nothing_of_before_a_clear_is_kept", nothing_of_before_a_clear_is_kept),
    ("a_user_who_was_disabled_is_not_filled_in_again", a_user_who_was_disabled_is_not_filled_in_again),
    ("a_device_that_was_revoked_is_not_filled_in_again", a_device_that_was_revoked_is_not_filled_in_again),
];

/// Runs this in every way in which its threads can be interleaved, with up to four switches that nothing forces.
fn explore(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(4);
    let ways = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = Arc::clone(&ways);
    model.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        run();
    });
    println!("{} ways", ways.load(std::sync::atomic::Ordering::Relaxed));
}

/// A database of one row: its commits, and what a thread that has seen so many of them reads.
#[derive(Default)]
struct Database(AtomicU64);

impl Database {
    fn commit(&self, act: u64) {
        self.0.store(act, Ordering::SeqCst);
    }

    /// The revocation's column is filled in behind it: some time, or never while anybody looks.
    fn read(&self, filled_in: bool) -> SlotRow {
        row(7, filled_in && self.0.load(Ordering::SeqCst) % 2 == 1, 0)
    }
}

fn once_revoked_no_check_says_live() {
    for filled_in in [false, true] {
        explore(move || {
            let (live, database) = (Arc::new(Live::new()), Arc::new(Database::default()));
            let revoker = thread::spawn({
                let (live, database) = (Arc::clone(&live), Arc::clone(&database));
                move || {
                    database.commit(1);
                    live.apply(1, &set(), true);
                    // The revoke has returned. Nobody says live from here on.
                    assert_eq!(live.is_revoked(1), Some(true));
                    let seen = look(&live);
                    assert!(matches!(seen, None | Some((true, 0))), "{seen:?}");
                }
            });
            let reader = thread::spawn({
                let (live, database) = (Arc::clone(&live), Arc::clone(&database));
                move || {
                    fill(&live, || database.read(filled_in));
                    assert!(look(&live).is_some());
                    if live.applied() == 1 {
                        assert_eq!(look(&live), Some((true, 0)));
                    }
                }
            });
            revoker.join().expect("revokes");
            reader.join().expect("reads");
            assert_eq!(look(&live), Some((true, 0)));
            sets_and_slots_agree(&live);
        });
    }
}

fn an_undo_is_the_last_word() {
    explore(|| {
        let (live, database) = (Arc::new(Live::new()), Arc::new(Database::default()));
        let readers = [false, true].map(|filled_in| {
            let (live, database) = (Arc::clone(&live), Arc::clone(&database));
            thread::spawn(move || {
                fill(&live, || database.read(filled_in));
                assert!(look(&live).is_some());
            })
        });
        database.commit(1);
        live.apply(1, &set(), true);
        database.commit(2);
        live.apply(2, &set(), false);
        assert_eq!(live.is_revoked(1), Some(false));
        for reader in readers {
            reader.join().expect("reads");
        }
        assert_eq!((look(&live), live.applied()), (Some((false, 0)), 2));
        sets_and_slots_agree(&live);
    });
}

fn a_refresh_a_revocation_and_a_fill() {
    explore(|| {
        let live = Arc::new(Live::new());
        let refresher = thread::spawn({
            let live = Arc::clone(&live);
            move || live.set_generation(ID, Generation(5))
        });
        let reader = thread::spawn({
            let live = Arc::clone(&live);
            move || {
                fill(&live, || row(7, false, 4));
                let (_, generation) = look(&live).expect("is filled");
                assert!(matches!(generation, 4 | 5));
            }
        });
        live.apply(1, &set(), true);
        refresher.join().expect("refreshes");
        reader.join().expect("reads");
        assert_eq!(look(&live), Some((true, 5)));
        sets_and_slots_agree(&live);
    });
}

fn a_check_sees_one_row_whole() {
    explore(|| {
        let live = Arc::new(Live::new());
        fill(&live, || row(7, false, 0));
        let other = thread::spawn({
            let live = Arc::clone(&live);
            move || {
                // The database turned out to be another one.
                live.clear();
                fill(&live, || row(8, false, 0));
            }
        });
        look(&live);
        look(&live);
        other.join().expect("clears");
        assert_eq!(look(&live), Some((false, 0)));
        assert_eq!(live.look_up(ID).expect("is filled").application.0, 8);
        sets_and_slots_agree(&live);
    });
}

fn nothing_of_before_a_clear_is_kept() {
    explore(|| {
        let live = Arc::new(Live::new());
        let old = thread::spawn({
            let live = Arc::clone(&live);
            // A row of the old database, in which this one was live.
            move || fill(&live, || row(7, false, 0))
        });
        let epoch = live.epoch();
        live.clear();
        assert!(!live.fill(epoch, &[row(7, false, 0)]));
        live.apply(1, &set(), true);
        old.join().expect("reads");
        assert!(look(&live).is_none_or(|(revoked, _)| revoked));
        sets_and_slots_agree(&live);
    });
}

fn user(active: bool) -> Arc<User> {
    let words = Words { login: "alice", name: "Alice", email: None, lang: "en_US", tz: None };
    let mut user = User::new(UserId(1), words, GroupSet::closure([]), from_unix(0));
    user.active = active;
    Arc::new(user)
}

fn a_user_who_was_disabled_is_not_filled_in_again() {
    explore(|| {
        let (live, database) = (Arc::new(Live::new()), Arc::new(Database::default()));
        let reader = thread::spawn({
            let (live, database) = (Arc::clone(&live), Arc::clone(&database));
            move || {
                let ticket = live.user_ticket();
                let active = database.0.load(Ordering::SeqCst) == 0;
                live.fill_user(ticket, &user(active));
            }
        });
        database.commit(1);
        live.forget_user(UserId(1));
        assert!(live.user(UserId(1)).is_none_or(|user| !user.active));
        reader.join().expect("reads");
        assert!(live.user(UserId(1)).is_none_or(|user| !user.active));
    });
}

fn a_device_that_was_revoked_is_not_filled_in_again() {
    explore(|| {
        let (live, database) = (Arc::new(Live::new()), Arc::new(Database::default()));
        let reader = thread::spawn({
            let (live, database) = (Arc::clone(&live), Arc::clone(&database));
            move || {
                let ticket = live.device_ticket();
                live.fill_devices(ticket, [(DeviceId(1), database.0.load(Ordering::SeqCst) == 1)]);
            }
        });
        database.commit(1);
        live.forget_device(DeviceId(1));
        assert_ne!(live.device_revoked(DeviceId(1)), Some(false));
        reader.join().expect("reads");
        assert_ne!(live.device_revoked(DeviceId(1)), Some(false));
    });
}
