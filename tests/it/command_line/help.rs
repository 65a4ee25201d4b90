//! What `--help` says, to the byte: whoever changes an option sees in review how it reads.
//! `SNAPSHOTS=overwrite` writes down what it is.

use std::path::Path;

use snapbox::{Assert, Data};

use super::client::run;

#[test]
fn help_is_as_it_was_read_last() {
    // Nobody writes there; where lines break depends on its length.
    let home = Path::new("/home/somewhere");
    for command in [
        "",
        "login",
        "users",
        "users list",
        "users create",
        "users revoke",
        "authorizations",
        "authorizations revoke",
        "revocations",
        "revocations list",
        "revocations undo",
        "nodes",
        "passwd",
    ] {
        let mut line: Vec<&str> = command.split_whitespace().collect();
        let name = if command.is_empty() { "orest".to_owned() } else { line.join("-") };
        line.push("--help");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/command_line/help");
        let expect = Data::read_from(&folder.join(format!("{name}.txt")), None);
        // It is in the value of a variable.
        let said = run(home, &line).done().replace(home.to_str().unwrap(), "");
        Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).eq(said, expect);
    }
}
