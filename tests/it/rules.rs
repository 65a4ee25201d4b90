//! What holds for the whole project and no compiler checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use orest::domain::user::Group;
use orest::orm::field::{Column, Kind, Storage};
use orest::orm::methods;
use orest::orm::registry::Registry;
use orest::orm::search_domain::SearchDomain;
use orest::store::migrations::SQLITE;
use orest::store::{Connection, DatabaseUrl};
use serde_json::Value;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

fn names(connection: &mut Connection, query: &str) -> BTreeSet<String> {
    let rows: Vec<Name> = diesel::sql_query(query).load(connection).expect(query);
    rows.into_iter().map(|row| row.name).collect()
}

fn columns(connection: &mut Connection, table: &str) -> BTreeSet<String> {
    names(connection, &format!("SELECT name FROM pragma_table_info('{table}')"))
}

fn migrated() -> (Connection, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("rules.sqlite3"));
    let mut connection = url.connect_writer(true).expect("opens");
    connection.run_pending_migrations(SQLITE).expect("migrates");
    (connection, folder)
}

#[test]
fn migrations_go_up_and_down_and_up() {
    let (mut connection, _folder) = migrated();
    let schema =
        "SELECT sql AS name FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'";
    let first = names(&mut connection, schema);
    assert!(first.len() > 20, "{first:?}");
    connection.revert_all_migrations(SQLITE).expect("goes down");
    let left = names(
        &mut connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'",
    );
    assert_eq!(left, BTreeSet::from(["sqlite_sequence".to_owned()]));
    connection.run_pending_migrations(SQLITE).expect("goes up again");
    assert_eq!(names(&mut connection, schema), first);
}

#[test]
fn the_typed_tables_are_those_of_the_migrations() {
    use orest::store::schema as s;
    let (mut connection, _folder) = migrated();
    macro_rules! check {
        ($($table:ident),*) => {$(
            let query = diesel::debug_query::<diesel::sqlite::Sqlite, _>(&s::$table::table.select(s::$table::all_columns)).to_string();
            diesel::sql_query(query).execute(&mut connection).expect(stringify!($table));
        )*};
    }
    check!(
        res_users,
        res_groups_users_rel,
        orest_identity,
        orest_device,
        orest_model_scheme,
        orest_model_configuration,
        orest_application,
        orest_application_uri,
        orest_authorization,
        orest_authorization_code,
        orest_revocation,
        orest_feed,
        orest_change,
        orest_node,
        res_users_apikeys,
        web_session,
        orest_pairing,
        orest_sign_in_ticket,
        orest_form,
        orest_password_failure,
        orest_sealing_key,
        orest_transfer
    );
}

#[test]
fn each_model_is_whole() {
    let (mut connection, _folder) = migrated();
    let registry = Registry::new();
    let (mut ids, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for model in registry.iter() {
        assert!(ids.insert(model.id), "{} has the number of another model", model.name);
        assert!(seen.insert(model.name), "{} is there twice", model.name);
        for rule in model.rules {
            let domain: Value = serde_json::from_str(rule.domain).expect(rule.name);
            SearchDomain::parse(&domain, &Default::default()).expect(rule.name);
        }
        for field in model.own_fields {
            let what = format!("{}.{}", model.name, field.name);
            assert!(!field.label.is_empty() && !field.help.is_empty(), "{what} has no label or no help");
            if let Some(default) = field.default {
                serde_json::from_str::<Value>(default).expect(&what);
            }
            if let Some(comodel) = field.comodel() {
                assert!(registry.get(comodel).is_some(), "{what} leads to {comodel}, which is not served");
            }
            if let Kind::One2many { model: comodel, inverse } = field.kind {
                let comodel = registry.get(comodel).expect("checked above");
                let inverse = comodel.field(inverse).expect(&what);
                assert_eq!(inverse.kind, Kind::Many2one(model.name), "{what}");
            }
            if let (Kind::Many2many { relation, own, other, .. }, Some(_)) = (field.kind, model.table()) {
                let there = columns(&mut connection, relation);
                assert!(there.contains(own) && there.contains(other), "{what}: {relation} has {there:?}");
            }
        }
        let Storage::Table { name: table, .. } = model.storage else { continue };
        let there = columns(&mut connection, table);
        for field in model.fields().filter(|field| field.column == Column::Stored && field.name != "display_name") {
            assert!(there.contains(field.name), "{}.{} has no column in {table}", model.name, field.name);
        }
        assert!(model.field(model.rec_name).is_some(), "{}: {}", model.name, model.rec_name);
        for unique in model.unique {
            for column in unique.columns.split(", ") {
                let column = column.strip_prefix(&format!("{table}.")).expect(column);
                assert!(there.contains(column), "{table}.{column}");
            }
        }
    }
}

/// No field of any model may show a secret: not even its hash.
#[test]
fn no_field_holds_a_secret() {
    for model in Registry::new().iter() {
        for field in model.fields() {
            let hidden = ["hash", "secret", "token", "cookie", "key"].iter().any(|word| field.name.contains(word));
            let allowed = field.is_x2many()
                || field.column == Column::None
                || field.name == "access_token_expiry"
                || field.name == "refresh_token_expiry";
            assert!(!hidden || allowed, "{}.{}", model.name, field.name);
        }
    }
}

#[test]
fn each_method_is_whole() {
    for method in methods::all() {
        assert!(!method.doc.is_empty(), "{} has no sentence on it", method.name);
        for param in method.params {
            if let Some(default) = param.default {
                serde_json::from_str::<Value>(default).expect(param.name);
            }
        }
        for model in method.models {
            assert!(Registry::new().get(model).is_some(), "{}: {model} is not served", method.name);
        }
    }
}

#[test]
fn implied_groups_are_closed() {
    for group in Group::ALL {
        for implied in group.implied() {
            for further in implied.implied() {
                assert!(group.implied().contains(further), "{group:?} implies {implied:?}, which implies {further:?}");
            }
        }
    }
}

#[test]
fn the_readme_names_every_command_and_setting() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is one");
    let command = orest::cli::command();
    for command in command.get_subcommands() {
        assert!(readme.contains(&format!("orest {}", command.get_name())), "orest {}", command.get_name());
        for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
            let flag = argument.get_long().unwrap_or_default();
            assert!(readme.contains(&format!("--{flag}")), "--{flag} of {}", command.get_name());
            if let Some(variable) = argument.get_env().and_then(|variable| variable.to_str()) {
                assert!(readme.contains(variable), "{variable}");
            }
        }
    }
}

/// `tests/run postgres` leaves out what is the same there. Whoever asks which database it is on, or has the one of this run, may
/// not be left out.
#[test]
fn what_is_not_run_on_postgresql_has_nothing_to_do_with_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let runner = fs::read_to_string(tests.join("run")).expect("there is one");
    let list =
        runner.lines().find_map(|line| line.strip_prefix("SAME_ON_POSTGRES = ")).expect("says what it leaves out");
    let modules: Vec<_> = list.split('"').filter_map(|word| word.strip_suffix("::")).collect();
    assert!(!modules.is_empty(), "{list}");
    for module in modules {
        let folder = tests.join("it").join(module);
        let inside = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
        let files =
            inside.chain([folder.with_extension("rs")]).filter(|path| path.extension().is_some_and(|end| end == "rs"));
        let mut read = 0;
        for file in files.filter(|file| file.exists()) {
            let text = fs::read_to_string(&file).expect("is text");
            for word in ["TestService", "TestServer", "TestDatabase", "has_postgres", "of_this_run", "Kind::"] {
                assert!(!text.contains(word), "{} has {word}", file.display());
            }
            read += 1;
        }
        assert!(read > 0, "there is no module {module}");
    }
}

/// What is not Rust comes with its source and is built in: there is nothing to install, and nothing of the system's to keep up
/// to date but the C library.
#[test]
fn no_library_of_the_system_is_needed() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform=x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
    let packages = metadata["packages"].as_array().expect("a list").iter();
    let not_rust = packages.filter_map(|package| {
        let name = package["name"].as_str().expect("a name");
        (package["links"].is_string() || name.ends_with("-sys")).then_some(name)
    });
    // SQLite, with the feature that brings its source; the cryptography of TLS, with its own; the kernel's numbers, which are Rust.
    assert_eq!(not_rust.collect::<BTreeSet<_>>(), BTreeSet::from(["libsqlite3-sys", "ring", "linux-raw-sys"]));

    let output = std::process::Command::new("ldd").arg(env!("CARGO_BIN_EXE_orest")).output().expect("ldd runs");
    let needed = String::from_utf8_lossy(&output.stdout).into_owned();
    let of_c = ["linux-vdso.so", "libc.so", "libm.so", "libgcc_s.so", "ld-linux"];
    for library in needed.lines() {
        assert!(of_c.iter().any(|known| library.contains(known)), "{library}");
    }
    assert!(needed.contains("libc.so"), "{needed}");
}
