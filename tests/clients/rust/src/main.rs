//! The crate odoo-api, unmodified: sign in, search, read, write, revoke, and the errors.
//! Its argument is the demo's `demo.json`.

use std::error::Error;
use std::fmt::Debug;
use std::process::ExitCode;

use odoo_api::service::orm::CreateResponseItem;
use odoo_api::{OdooClient, jmap, jvec, svec};
use serde_json::Value;

/// Counts what failed, and prints one line per check.
#[derive(Default)]
struct Checks {
    failed: usize,
}

impl Checks {
    fn check(&mut self, what: &str, holds: bool, detail: impl Debug) {
        println!("{} - {what}", if holds { "ok" } else { "not ok" });
        if !holds {
            self.failed += 1;
            println!("#   {detail:?}");
        }
    }

    fn fails<T: Debug, E: Error>(&mut self, what: &str, result: Result<T, E>, text: &str) {
        match result {
            Ok(value) => self.check(what, false, value),
            Err(error) => self.check(what, format!("{error} {error:?}").contains(text), error),
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: odoo-api-client DATA_DIR/demo.json")?;
    let demo: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let text = |name: &str| demo[name].as_str().ok_or(format!("demo.json has no {name}"));
    let (url, database) = (text("url")?, text("database")?);
    let password = demo["users"]
        .as_array()
        .and_then(|users| users.iter().find(|user| user["login"] == "admin"))
        .and_then(|user| user["password"].as_str())
        .ok_or("demo.json has no admin")?;
    let mut checks = Checks::default();

    let wrong = OdooClient::new_reqwest_blocking(url)?.authenticate(database, "bob", "wrong");
    checks.check("a wrong password is refused", wrong.is_err(), "signed in");

    let mut odoo = OdooClient::new_reqwest_blocking(url)?.authenticate(database, "admin", password)?;
    let version = odoo.common_version().send()?;
    checks.check("common_version", version.server_version.starts_with("19.0"), &version);
    let login = odoo.common_login().send()?;
    checks.check("common_login", login.uid > 0, &login);
    let databases = odoo.db_list(false).send()?;
    checks.check("db_list", databases.databases == [database], &databases);
    let exists = odoo.db_exist("no-such-db").send()?;
    checks.check("db_exist", !exists.exists, &exists);
    let databases = odoo.web_database_list().send()?;
    checks.check("web_database_list", databases.databases == [database], &databases);

    let model = "orest.authorization";
    let live = odoo.execute(model, "search", jvec![[["state", "=", "live"]]]).send()?;
    let live: Vec<i32> = serde_json::from_value(live.data)?;
    checks.check("execute search", live.len() > 3, &live);
    let count = odoo.execute_kw(model, "search_count", jvec![[["state", "=", "live"]]], jmap! {}).send()?;
    checks.check("execute_kw search_count", count.data == live.len(), &count);
    let rows = odoo.read(model, vec![live[0], live[1]], svec!["state", "application_id"]).send()?;
    checks.check("read", rows.data.len() == 2 && rows.data.iter().all(|row| row["state"] == "live"), &rows);

    let created = odoo.create("orest.application", jmap! { "name": "odoo-api" }).send()?;
    let CreateResponseItem::One(id) = created.ids else {
        checks.check("create gives one id", false, created);
        return Ok(ExitCode::FAILURE);
    };
    let written = odoo.write("orest.application", id, jmap! { "description": "changed" }).send()?;
    checks.check("write", written.ok, &written);
    let rows = odoo.read("orest.application", id, svec!["description"]).send()?;
    checks.check("the change is there", rows.data[0]["description"] == "changed", &rows);
    let deleted = odoo.unlink("orest.application", id).send()?;
    checks.check("unlink", deleted.ok, &deleted);

    let others = jvec![[["state", "=", "live"], ["user_id.login", "not in", ["admin", "alice", "bob"]]]];
    let target = odoo.execute_kw(model, "search", others, jmap! { "limit": 1 }).send()?.data;
    let revoked = odoo.execute(model, "action_revoke_tokens", vec![target.clone()]).send();
    checks.check("action_revoke_tokens is answered with a result", revoked.is_ok(), &revoked);
    let rows = odoo.execute(model, "read", vec![target, serde_json::json!(["state"])]).send()?;
    checks.check("and revokes", rows.data[0]["state"] == "revoked", &rows);

    let unknown = odoo.execute("no.model", "search", jvec![[]]).send();
    checks.fails("an unknown model", unknown, "Object no.model doesn't exist");
    let missing = odoo.execute(model, "action_revoke_tokens", jvec![[999_999_999]]).send();
    checks.fails("a missing record", missing, "Record does not exist or has been deleted.");

    println!("# done");
    Ok(if checks.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
