//! Breaks the live state on purpose, each time in one place: the tests must notice.

use std::path::Path;
use std::{env, fs};

/// Name, what stands in `src/live.rs`, once, and what in its place.
const BREAKS: [(&str, &str, &str); 9] = [
    ("acts_leave_no_mark", "flags: flags | MARKED, ..state", "flags, ..state"),
    ("refreshes_leave_no_mark", "flags: state.flags | REFRESHED, generation", "flags: state.flags, generation"),
    ("the_row_overrules_the_mark", "if flags & MARKED == 0 && row", "if row"),
    ("rows_of_before_a_clear_are_kept", "if self.epoch.load(Ordering::Relaxed) != epoch.0 {", "if false {"),
    ("users_of_before_a_change_are_kept", "if self.changes.load(Ordering::SeqCst) != ticket {", "if false {"),
    ("devices_of_before_a_change_are_kept", "if devices.changes != ticket {", "if false {"),
    ("the_state_is_not_read_again", "if slot.state.load(Ordering::Relaxed) == word {", "if true {"),
    (
        "the_row_may_come_after_the_state",
        "slot.state.store(State { flags, generation, ..state }.pack(), Ordering::Release);",
        "slot.state.store(State { flags, generation, ..state }.pack(), Ordering::Relaxed);",
    ),
    ("the_row_may_come_before_the_state_is_gone", "        fence(Ordering::Release);\n", ""),
];

fn main() {
    let source = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../src/live.rs");
    println!("cargo::rerun-if-changed={}", source.display());
    let text = fs::read_to_string(&source).expect("src/live.rs can be read");
    // Only the code: what an include! brings in has no documentation of its own.
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code.lines().filter(|line| !line.starts_with("//!")).map(|line| format!("{line}\n")).collect();
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let mut modules = String::new();
    for (name, right, wrong) in BREAKS {
        assert_eq!(code.matches(right).count(), 1, "{right} must stand once in src/live.rs");
        modules.push_str(&format!(
            "#[allow(missing_docs, unused_variables, clippy::all, reason = \"broken\")]\npub mod {name} {{\n{}}}\n",
            code.replace(right, wrong)
        ));
    }
    fs::write(Path::new(&out).join("broken.rs"), modules).expect("cargo's own folder can be written");
}
