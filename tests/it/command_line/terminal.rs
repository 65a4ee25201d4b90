//! The command on a terminal: it asks there, and what it prints is for eyes. The terminal is a real one, of the kernel's.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use super::client::{Shell, command};
use super::gate::{Gate, OUT_OF_ORDER};
use super::{Server, orest};

const DOWN: &str = "\u{1b}[B";
const ENTER: &str = "\r";
const CONTROL_C: &str = "\u{3}";

/// A command on a terminal.
pub struct Terminal {
    child: Child,
    keys: File,
    pieces: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// Starts it there.
    pub fn start(mut command: Command) -> Self {
        let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&own).unwrap();
        unlockpt(&own).unwrap();
        let name = ptsname(&own, Vec::new()).unwrap();
        let other = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&other, Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let other = File::from(other);
        command.stdin(other.try_clone().unwrap()).stdout(other.try_clone().unwrap()).stderr(other);
        let child = command.spawn().unwrap();
        // It holds the terminal, which would never end.
        drop(command);
        let keys = File::from(own);
        let mut screen = keys.try_clone().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The kernel's end of a terminal that nobody holds any more is an error.
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, pieces, seen: String::new() }
    }

    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !plain(&self.seen).contains(text) {
            match self.pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(error) => panic!("{error} while waiting for {text:?}: {}", plain(&self.seen)),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// All that was on the screen, and the exit code.
    pub fn end(mut self) -> (String, Option<i32>) {
        loop {
            match self.pieces.recv_timeout(Duration::from_secs(30)) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.seen),
            }
        }
        (self.seen.replace("\r\n", "\n"), self.child.wait().unwrap().code())
    }
}

/// Without what moves the cursor and colours.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            // Control sequences begin with a bracket and end with a letter.
            if letters.next() == Some('[') {
                letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
            }
        } else {
            out.push(letter);
        }
    }
    out
}

fn terminal(shell: &Shell, line: &[&str]) -> Terminal {
    let mut command = shell.command();
    command.args(line);
    Terminal::start(command)
}

#[test]
fn users_are_chosen_on_a_terminal() {
    let shell = Shell::new();
    let ids = shell.app_with_users("Eggcorn", &["ann@example.com", "ben@example.com", "cem@example.com"]);
    let mut screen = terminal(&shell, &["users", "disable"]);
    screen.wait_for("App ID or Name");
    screen.press("egg");
    screen.press(ENTER);
    screen.wait_for("Which user(s) would you like to disable?");
    for (id, email) in ids.iter().zip(["ann", "ben", "cem"]) {
        screen.wait_for(&format!("User/Password - {email}@example.com - {id}"));
    }
    // The second alone.
    screen.press(DOWN);
    screen.press(" ");
    screen.press(ENTER);
    let (seen, code) = screen.end();
    assert_eq!(code, Some(0), "{seen}");
    let bold = "\u{1b}[1mEmail\u{1b}[0m            \u{1b}[1mID\u{1b}[0m";
    assert!(seen.contains(bold), "{seen:?}");
    let table = plain(&seen);
    let table = table.split_once("Provider type: User/Password\n").unwrap().1;
    let rows: Vec<_> = table.lines().skip(2).collect();
    let [row] = rows[..] else { panic!("{table}") };
    assert_eq!(row.trim_end(), format!("  ben@example.com  {}  normal  false", ids[1]));
    let disabled = shell.call(
        "res.users",
        "search_read",
        &json!([[["active", "=", false], ["login", "like", "@example.com"]], ["login"]]),
        &json!({}),
    );
    let logins: Vec<_> = disabled.as_array().unwrap().iter().map(|user| user["login"].as_str().unwrap()).collect();
    assert!(logins.contains(&"ben@example.com") && !logins.contains(&"ann@example.com"), "{logins:?}");

    // Nobody is nobody, and a change of mind is one.
    let mut screen = terminal(&shell, &["users", "delete", "-a", "egg"]);
    screen.wait_for("Which user(s) would you like to delete?");
    screen.press(ENTER);
    let (seen, code) = screen.end();
    assert!(seen.ends_with("No users to delete\n") && code == Some(0), "{seen}");
    let mut screen = terminal(&shell, &["users", "delete", "-a", "egg"]);
    screen.wait_for("Which user(s) would you like to delete?");
    screen.press(" ");
    screen.press(CONTROL_C);
    let (seen, code) = screen.end();
    assert!(seen.ends_with("user delete failed: interrupted, and nothing was done\n") && code == Some(1), "{seen}");
    assert_eq!(shell.run(&["users", "list", "-a", "egg"]).done().lines().count(), 6, "all three are there");
}

#[test]
fn no_colours_where_they_are_not_wanted() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &["ann@example.com"]);
    let list = ["users", "list", "-a", "egg"];
    let seen = |more: &[&str], variable: Option<(&str, &str)>| {
        let mut command = shell.command();
        command.args(list).args(more).envs(variable);
        let (seen, code) = Terminal::start(command).end();
        assert_eq!(code, Some(0), "{seen}");
        seen
    };
    // Progress comes and goes before it.
    let table = |seen: String| seen.split_once("Provider type: ").map(|(_, table)| table.to_owned()).unwrap_or(seen);
    assert!(table(seen(&[], None)).contains("\u{1b}[1m"));
    for (more, variable) in [
        (&["--disable-colors"][..], None),
        (&["-f", "json"], None),
        (&[], Some(("NO_COLOR", "1"))),
        (&[], Some(("TERM", "dumb"))),
    ] {
        let seen = table(seen(more, variable));
        assert!(seen.contains("ann@example.com") && !seen.contains('\u{1b}'), "{more:?} {variable:?}: {seen:?}");
    }
    assert!(!shell.run(&list).out.contains('\u{1b}'), "nor in a pipe");
}

#[test]
fn several_applications_are_a_choice() {
    let shell = Shell::new();
    for name in ["Mail", "Mailing list"] {
        shell.app_with_users(name, &[]);
    }
    let mut screen = terminal(&shell, &["users", "list", "-a", "mail"]);
    screen.wait_for("Select App");
    screen.wait_for("mailing-list-");
    screen.press(ENTER);
    let (seen, code) = screen.end();
    assert!(seen.ends_with("No available users to show\n") && code == Some(0), "{seen}");
    let (seen, code) = terminal(&shell, &["users", "list", "-a", "mail", "-y"]).end();
    assert!(plain(&seen).contains("several apps begin with 'mail': mail-") && code == Some(1), "{seen}");
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let shell = Shell::signed_out();
    let mut screen = terminal(&shell, &["login", "--url", &shell.url()]);
    screen.wait_for("Login");
    screen.press("admin\r");
    screen.wait_for("Password");
    screen.press("admin\r");
    let (seen, code) = screen.end();
    assert!(seen.ends_with("Successfully logged in\n") && code == Some(0), "{seen}");
    let after = plain(&seen).split_once("Password").unwrap().1.to_owned();
    assert!(!after.contains("admin"), "{after}");
}

#[test]
fn a_lost_password_is_asked_for_twice_and_not_shown() {
    let Shell { server, home, .. } = Shell::signed_out();
    drop(server);
    let data = home.path().join("data");
    let start = || {
        let mut command = command(&data);
        command.arg("passwd");
        Terminal::start(command)
    };
    let mut screen = start();
    screen.wait_for("New password of admin");
    screen.press("a new one\r");
    screen.wait_for("Confirmation");
    screen.press("another one\r");
    screen.wait_for("The answers don't match.");
    screen.press("a new one\ra new one\r");
    let (seen, code) = screen.end();
    assert!(seen.contains("The password of admin is changed. ") && code == Some(0), "{seen}");
    assert!(!plain(&seen).contains("one"), "{seen}");
    // A change of mind changes nothing.
    let mut screen = start();
    screen.wait_for("New password of admin");
    screen.press(CONTROL_C);
    let (seen, code) = screen.end();
    assert!(plain(&seen).ends_with("orest: interrupted, and nothing was done\n") && code == Some(1), "{seen}");
    let server = Server::start(orest(&data).arg("serve"));
    assert_eq!((server.login("admin", "admin"), server.login("admin", "a new one")), (json!(false), json!(2)));
}

#[test]
fn what_is_not_given_for_a_new_user_is_asked_for() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &[]);
    let mut screen = terminal(&shell, &["users", "create", "-a", "egg"]);
    screen.wait_for("Which auth provider type are you creating a user for?");
    screen.wait_for("api-key");
    screen.wait_for("email");
    screen.press(DOWN);
    screen.press(ENTER);
    screen.wait_for("New Email");
    screen.press("ann@example.com\r");
    screen.wait_for("New Password");
    screen.press("secret of hers\r");
    screen.wait_for("Confirmation");
    // Twice the same, or both again.
    screen.press("secret of his\r");
    screen.wait_for("The answers don't match.");
    screen.press("secret of hers\rsecret of hers\r");
    let (seen, code) = screen.end();
    assert_eq!(code, Some(0), "{seen}");
    let plainly = plain(&seen);
    assert!(!plainly.contains("secret"), "{plainly}");
    let (_, document) = plainly.split_once("Successfully created user\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!((&document["email"], &document["type"]), (&json!("ann@example.com"), &json!("normal")));
    assert!(shell.server.login("ann@example.com", "secret of hers").is_u64());

    let mut screen = terminal(&shell, &["users", "create", "-a", "egg"]);
    screen.wait_for("Which auth provider type are you creating a user for?");
    screen.press(ENTER);
    screen.wait_for("API Key Name");
    screen.press("nightly\r");
    let (seen, code) = screen.end();
    assert_eq!(code, Some(0), "{seen}");
    let plainly = plain(&seen);
    let (_, document) = plainly.split_once("Successfully created API Key\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["name"], "nightly");
    let key = document["key"].as_str().unwrap();
    let counted = shell.server.post_as(key, "/json/2/res.users/search_count", &json!({"domain": []}));
    assert!(counted.is_u64(), "it is good: {counted}");
}

/// Where each is tried by himself that takes a while: for more than a screenful there is a bar, as long as it takes.
#[test]
fn progress_is_for_who_watches() {
    let shell = Shell::new();
    shell.app_with_users("Eggcorn", &[]);
    let ids = shell.make_users(30, "confirmed");
    let (go_on, wait) = channel();
    let (wait, acts) = (Mutex::new(wait), AtomicUsize::new(0));
    let gate = Gate::start_reading(&shell.server.address, move |call, body| {
        if body["ids"].as_array().is_some_and(|ids| ids.len() > 1) {
            return OUT_OF_ORDER;
        }
        if call.ends_with("able") && acts.fetch_add(1, Ordering::SeqCst) == 9 {
            wait.lock().unwrap().recv().unwrap();
        }
        None
    });
    shell.sign_in(&gate.url);
    let mut screen = terminal(&shell, &["users", "disable", "-a", "egg", "-y"]);
    screen.wait_for("30 users");
    screen.wait_for(" 9/30 users, ");
    go_on.send(()).unwrap();
    let (seen, code) = screen.end();
    assert_eq!(code, Some(0), "{seen}");
    let (progress, table) = seen.rsplit_once("Provider type: ").unwrap();
    assert!(progress.contains('█') && progress.ends_with("\u{1b}[2K"), "it is gone when it is done: {progress:?}");
    assert_eq!((table.lines().count(), table.contains("/30")), (33, false), "{table}");

    let (seen, code) = terminal(&shell, &["users", "enable", "-a", "egg", "-u", &ids[..20].join(",")]).end();
    assert!(code == Some(0) && !seen.contains("/20"), "a screenful is there at once: {seen}");
    // Nothing of it where nobody watches, be it that it takes long.
    let piped = shell.run(&["users", "disable", "-a", "egg", "-y"]).done();
    assert!(piped.starts_with("Provider type: User/Password\n") && piped.lines().count() == 33, "{piped}");
}

#[test]
fn revoking_authorizations_asks_with_the_count() {
    let shell = Shell::new();
    let of_bob = json!([["user_id.login", "=", "bob"], ["state", "=", "live"]]);
    let count = shell.server.count("orest.authorization", &of_bob);
    let many = if count == 1 { "authorization" } else { "authorizations" };
    let question = format!("Revoke {count} {many} of 1 user?");
    let line = ["authorizations", "revoke", "--user", "bob"];
    let mut screen = terminal(&shell, &line);
    screen.wait_for(&question);
    // No is what it takes nothing for.
    screen.press(ENTER);
    let (seen, code) = screen.end();
    assert!(seen.ends_with("Nothing was revoked\n") && code == Some(0), "{seen}");
    assert_eq!(shell.server.count("orest.authorization", &of_bob), count);
    let mut screen = terminal(&shell, &line);
    screen.wait_for(&question);
    screen.press("y\r");
    let (seen, code) = screen.end();
    assert!(plain(&seen).contains(&format!(": {count} {many} revoked\n")) && code == Some(0), "{seen}");
    assert_eq!(shell.server.count("orest.authorization", &of_bob), 0);
}

#[test]
fn taking_back_asks_with_the_count() {
    let shell = Shell::new();
    let of_bob = json!([["user_id.login", "=", "bob"], ["state", "=", "live"]]);
    let count = shell.server.count("orest.authorization", &of_bob);
    shell.run(&["authorizations", "revoke", "--user", "bob", "--reason", "a try", "-y"]).done();
    let id = shell.last_act()["id"].to_string();
    let many = if count == 1 { "authorization" } else { "authorizations" };
    let question = format!("Take back revocation {id} of {count} {many} (");
    let line = ["revocations", "undo", &id];
    let mut screen = terminal(&shell, &line);
    screen.wait_for(&question);
    screen.wait_for(" UTC, \"a try\")?");
    screen.press(ENTER);
    let (seen, code) = screen.end();
    assert!(seen.ends_with("Nothing was taken back\n") && code == Some(0), "{seen}");
    assert_eq!(shell.server.count("orest.authorization", &of_bob), 0);
    let mut screen = terminal(&shell, &line);
    screen.wait_for(&question);
    screen.press("y\r");
    let (seen, code) = screen.end();
    assert!(plain(&seen).contains(&format!("Revocation {id} is taken back by ")) && code == Some(0), "{seen}");
    assert_eq!(shell.server.count("orest.authorization", &of_bob), count);
}

/// What was counted is what is revoked, however long somebody looks at the question.
#[test]
fn what_has_changed_since_it_was_counted_is_not_revoked() {
    let shell = Shell::new();
    let of_bob = json!([["user_id.login", "=", "bob"], ["state", "=", "live"]]);
    let ids = shell.call("orest.authorization", "search", &json!([of_bob]), &json!({}));
    let count = ids.as_array().unwrap().len() as u64;
    assert!(count > 1, "{ids}");
    let mut screen = terminal(&shell, &["authorizations", "revoke", "--user", "bob"]);
    screen.wait_for(&format!("Revoke {count} authorizations of 1 user?"));
    shell.call("orest.authorization", "action_revoke_tokens", &json!([[ids[0]]]), &json!({}));
    let acts = shell.acts();
    screen.press("y\r");
    let (seen, code) = screen.end();
    let expect = "authorizations revoke failed: what it finds has changed since it was counted: nothing was revoked, run it again\n";
    assert!(plain(&seen).ends_with(expect) && code == Some(1), "{seen}");
    assert_eq!((shell.server.count("orest.authorization", &of_bob), shell.acts()), (count - 1, acts));
}
