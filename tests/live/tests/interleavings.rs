//! The live state holds what it promises whichever way its threads are interleaved, and whatever the memory model of a
//! processor lets them see: each scenario is run once for each of these ways. And each fault that is made on purpose shows.

use std::panic::catch_unwind;

macro_rules! subjects {
    ($($name:ident: $path:path),* $(,)?) => {
        $(mod $name {
            use $path as Live;
            include!("../scenarios.rs");
        })*
    };
}

subjects! {
    right: orest_live::live::Live,
    unmarked: orest_live::broken::acts_leave_no_mark::Live,
    unrefreshed: orest_live::broken::refreshes_leave_no_mark::Live,
    overruled: orest_live::broken::the_row_overrules_the_mark::Live,
    old_rows: orest_live::broken::rows_of_before_a_clear_are_kept::Live,
    old_users: orest_live::broken::users_of_before_a_change_are_kept::Live,
    old_devices: orest_live::broken::devices_of_before_a_change_are_kept::Live,
    not_again: orest_live::broken::the_state_is_not_read_again::Live,
    row_late: orest_live::broken::the_row_may_come_after_the_state::Live,
    row_early: orest_live::broken::the_row_may_come_before_the_state_is_gone::Live,
}

#[test]
fn it_holds() {
    for (name, scenario) in right::ALL {
        scenario();
        println!("{name}");
    }
}

#[test]
fn faults_show() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Here panics are what is wanted.
        if std::thread::current().name() != Some("faults_show") {
            shown(info);
        }
    }));
    let faults = [
        ("unmarked", unmarked::ALL, "once_revoked_no_check_says_live"),
        ("unrefreshed", unrefreshed::ALL, "a_refresh_a_revocation_and_a_fill"),
        ("overruled", overruled::ALL, "an_undo_is_the_last_word"),
        ("old_rows", old_rows::ALL, "nothing_of_before_a_clear_is_kept"),
        ("old_users", old_users::ALL, "a_user_who_was_disabled_is_not_filled_in_again"),
        ("old_devices", old_devices::ALL, "a_device_that_was_revoked_is_not_filled_in_again"),
        ("not_again", not_again::ALL, "a_check_sees_one_row_whole"),
        ("row_late", row_late::ALL, "a_check_sees_one_row_whole"),
        ("row_early", row_early::ALL, "a_check_sees_one_row_whole"),
    ];
    for (fault, scenarios, broken) in faults {
        let (_, scenario) = scenarios.into_iter().find(|(name, _)| *name == broken).expect("there is one of this name");
        assert!(catch_unwind(scenario).is_err(), "{broken} doesn't notice {fault}");
    }
}
