//! Both trees of migrations make the same schema, and take it away again.

use std::collections::BTreeSet;
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness as _;
use orest::store::{Connection, migrations};

use crate::support::database::{Kind, TestDatabase};

/// A folder of the tree with the names of the files in it.
fn steps(tree: &str) -> Vec<(String, BTreeSet<String>)> {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(tree);
    names(&tree).into_iter().map(|step| (step.clone(), names(&tree.join(step)))).collect()
}

#[test]
fn both_trees_have_the_same_steps() {
    let steps_of_sqlite = steps("sqlite");
    assert_eq!(steps("postgres"), steps_of_sqlite);
    for (step, files) in steps_of_sqlite {
        assert_eq!(files, ["down.sql".to_owned(), "up.sql".to_owned()].into(), "{step}");
    }
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(connection: &mut Connection, sql: &str) -> BTreeSet<String> {
    let lines: Vec<Line> = diesel::sql_query(sql).load(connection).unwrap_or_else(|error| panic!("{sql}: {error}"));
    lines.into_iter().map(|line| line.line).collect()
}

/// Tables with columns, then indexes, then foreign keys. What Diesel and the databases add for themselves is left out.
const IN_SQLITE: [&str; 3] = [
    "SELECT t.name || '.' || c.name || ' '
         || CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE lower(c.type) END
         || CASE WHEN c.\"notnull\" OR c.pk THEN ' not null' ELSE '' END || CASE WHEN c.pk THEN ' key' ELSE '' END AS line
     FROM sqlite_schema t, pragma_table_info(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'",
    "SELECT i.name || ' of ' || t.name || CASE WHEN i.\"unique\" THEN ', unique' ELSE '' END
         || CASE WHEN i.partial THEN ', partial' ELSE '' END AS line
     FROM sqlite_schema t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.origin = 'c'",
    "SELECT t.name || '.' || k.\"from\" || ' to ' || k.\"table\" || ' on delete ' || lower(k.on_delete) AS line
     FROM sqlite_schema t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'",
];
const IN_POSTGRES: [&str; 3] = [
    "SELECT t.relname || '.' || c.attname || ' '
         || regexp_replace(format_type(c.atttypid, c.atttypmod), '(\\(\\d\\))? without time zone', '')
         || CASE WHEN c.attnotnull THEN ' not null' ELSE '' END || CASE WHEN c.attnum = ANY(k.indkey) THEN ' key' ELSE '' END AS line
     FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
     WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND c.attnum > 0 AND NOT c.attisdropped
         AND t.relname NOT LIKE '\\_\\_diesel%'",
    "SELECT i.relname || ' of ' || t.relname || CASE WHEN k.indisunique THEN ', unique' ELSE '' END
         || CASE WHEN k.indpred IS NOT NULL THEN ', partial' ELSE '' END AS line
     FROM pg_index k JOIN pg_class i ON i.oid = k.indexrelid JOIN pg_class t ON t.oid = k.indrelid
     WHERE t.relnamespace = 'public'::regnamespace AND NOT k.indisprimary",
    "SELECT t.relname || '.' || c.attname || ' to ' || o.relname || ' on delete '
         || CASE k.confdeltype WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' END AS line
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class o ON o.oid = k.confrelid
         JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum = k.conkey[1]
     WHERE k.contype = 'f'",
];

fn schema(connection: &mut Connection) -> [BTreeSet<String>; 3] {
    match connection {
        Connection::Sqlite(_) => IN_SQLITE,
        Connection::Postgres(_) => IN_POSTGRES,
    }
    .map(|sql| lines(connection, sql))
}

#[test]
fn both_trees_make_the_same_schema() {
    let databases: Vec<_> = Kind::both().into_iter().map(TestDatabase::migrated).collect();
    let schemas: Vec<_> = databases.iter().map(|database| schema(&mut database.connect())).collect();
    for (what, lines) in schemas[0].iter().enumerate() {
        assert!(lines.len() > 15, "{lines:?}");
        for other in &schemas[1..] {
            let differences: Vec<_> = lines.symmetric_difference(&other[what]).collect();
            assert!(differences.is_empty(), "{differences:#?}");
        }
    }
}

#[test]
fn every_step_can_be_taken_back() {
    for kind in Kind::both() {
        let database = TestDatabase::migrated(kind);
        let mut connection = database.connect();
        let (before, migrations) = match kind {
            Kind::Sqlite => (schema(&mut connection), migrations::SQLITE),
            Kind::Postgres => (schema(&mut connection), migrations::POSTGRES),
        };
        connection.revert_all_migrations(migrations).unwrap();
        assert_eq!(schema(&mut connection), <[BTreeSet<String>; 3]>::default(), "{kind:?}");
        let migrations = if kind == Kind::Sqlite { migrations::SQLITE } else { migrations::POSTGRES };
        connection.run_pending_migrations(migrations).unwrap();
        assert_eq!(schema(&mut connection), before, "{kind:?}");
    }
}

/// Takes steps back until this one is taken back too.
fn revert_to(connection: &mut Connection, kind: Kind, step: &str) {
    loop {
        let migrations = if kind == Kind::Sqlite { migrations::SQLITE } else { migrations::POSTGRES };
        if connection.revert_last_migration(migrations).unwrap().to_string() == step {
            return;
        }
    }
}

/// SQLite changes no CHECK, so that step writes into the schema itself: what was there must be whole, for every connection.
#[test]
fn another_grant_type_comes_and_goes_and_all_else_stays() {
    const NOW: &str = "'2026-11-21 10:00:00'";
    for kind in Kind::both() {
        let database = TestDatabase::migrated(kind);
        let mut connection = database.connect();
        revert_to(&mut connection, kind, "20261121000007");
        let columns = "(name, create_date, write_date";
        let values = format!("('x', {NOW}, {NOW}");
        connection.batch_execute(&format!("INSERT INTO res_users {columns}, login) VALUES {values}, 'x');")).unwrap();
        let application = format!("INSERT INTO orest_application {columns}, client_id) VALUES {values}, 'x');");
        connection.batch_execute(&application).unwrap();
        let insert = |connection: &mut Connection, grant: &str| {
            connection.batch_execute(&format!(
                "INSERT INTO orest_authorization (application_id, user_id, grant_type, create_date, write_date)
                 VALUES (1, 1, '{grant}', {NOW}, {NOW});"
            ))
        };
        insert(&mut connection, "gateway").unwrap();
        connection
            .batch_execute(&format!(
                "INSERT INTO orest_authorization_code (authorization_id, code_hash, redirect_uri, expires_at, purge_at,
                     create_date, write_date) VALUES (1, 'x', 'x', {NOW}, {NOW}, {NOW}, {NOW});"
            ))
            .unwrap();
        let mut other = database.connect();
        assert!(insert(&mut connection, "password").is_err() && insert(&mut other, "password").is_err(), "{kind:?}");
        let migrations = if kind == Kind::Sqlite { migrations::SQLITE } else { migrations::POSTGRES };
        connection.run_pending_migrations(migrations).unwrap();
        for connection in [&mut connection, &mut other, &mut database.connect()] {
            insert(connection, "password").unwrap();
            assert!(insert(connection, "nonsense").is_err(), "{kind:?}");
            let grants = "SELECT grant_type AS line FROM orest_authorization";
            assert_eq!(lines(connection, grants), ["gateway".to_owned(), "password".to_owned()].into());
            if kind == Kind::Sqlite {
                let whole = lines(connection, "SELECT integrity_check AS line FROM pragma_integrity_check");
                assert_eq!(whole, ["ok".to_owned()].into());
                let broken = "SELECT \"table\" AS line FROM pragma_foreign_key_check";
                assert_eq!(lines(connection, broken), BTreeSet::new());
            }
        }
        assert!(connection.batch_execute("DELETE FROM orest_application;").is_err(), "references still hold");
        connection.batch_execute("DELETE FROM orest_authorization;").unwrap();
        let codes = "SELECT code_hash AS line FROM orest_authorization_code";
        assert_eq!(lines(&mut connection, codes), BTreeSet::new(), "and still cascade");
        insert(&mut connection, "password").unwrap();
        revert_to(&mut connection, kind, "20261121000007");
        let grants = "SELECT grant_type AS line FROM orest_authorization";
        assert_eq!(lines(&mut connection, grants), BTreeSet::new(), "what the older schema can't hold");
        assert!(insert(&mut connection, "password").is_err());
    }
}

/// What SQLite does by itself has to be said to PostgreSQL for each column: its own order of letters is another one.
#[test]
fn postgres_compares_text_by_bytes() {
    if !Kind::has_postgres() {
        return;
    }
    let database = TestDatabase::migrated(Kind::Postgres);
    let others =
        "SELECT t.relname || '.' || c.attname AS line FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
         WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE '\\_\\_diesel%'
             AND c.attnum > 0 AND c.attcollation NOT IN (0, '\"C\"'::regcollation)";
    assert_eq!(lines(&mut database.connect(), others), BTreeSet::new());
}
