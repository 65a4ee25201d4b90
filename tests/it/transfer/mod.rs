//! `orest transfer`: everything arrives, or the target is not served.

mod killed;

use std::collections::BTreeSet;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use orest::domain::ids::UserId;
use orest::domain::revocation::Channel;
use orest::domain::selection::Selection;
use orest::domain::time::{Clock as _, SystemClock};
use orest::service::Context;
use orest::service::revoke::RevokeOptions;
use orest::store::records::{self, SqlValue};
use orest::store::transfer::{OF_THE_DATABASE, OF_THE_MOMENT, Sum, TABLES, Transfer, TransferError};
use orest::store::{Connection, DatabaseUrl, Store, StoreError};

use crate::support::TestService;
use crate::support::database::{Kind, TestDatabase};

fn sqlite(folder: &Path, name: &str) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.join(name))
}

fn url_of(test: &TestService) -> DatabaseUrl {
    test.database.url.clone()
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

fn lines(connection: &mut Connection, query: &str) -> Vec<String> {
    let rows: Vec<Line> = diesel::sql_query(query).load(connection).expect(query);
    rows.into_iter().map(|row| row.text).collect()
}

/// Every table has rows, with values and without, with what is hard to carry over: quotes, other alphabets, emoji, bytes of
/// every value, a bitmap of thousands of ids, references forward and back, ids that are used no more.
async fn filled() -> TestService {
    let test = TestService::on(Kind::Sqlite).await;
    let now = test.clock.now();
    let admin = test.context("admin");
    let text = |text: &str| SqlValue::Text(text.to_owned());
    test.service.ensure_shipped_actions().await.unwrap();
    test.service.open_session(test.sign_in("alice").await, Some(test.devices[0])).await.unwrap();
    test.service.make_api_key(test.uid("alice"), "a \"key\" \\ 🗝️", None, None).await.unwrap();
    test.service.pair_with("https://odoo.example.com").await.unwrap();
    let form =
        test.service.make_form(test.uid("alice"), "res.users.apikeys.description", Default::default(), None, None);
    form.await.unwrap();
    let done: Result<(), StoreError> = test
        .store
        .write(move |tx| {
            let c = &mut *tx.connection;
            let dates = [("create_date", SqlValue::Timestamp(now)), ("write_date", SqlValue::Timestamp(now))];
            let with = |columns: &[(&'static str, SqlValue)]| [columns, &dates].concat();
            let scheme = [("name", text("Schéma ﷽ 測試")), ("model_limit", text("whitelist"))];
            let scheme = records::insert(c, "orest_model_scheme", &with(&scheme))?;
            let limits = [("scheme_id", SqlValue::Integer(scheme)), ("model", text("res.partner"))];
            records::insert(c, "orest_model_configuration", &with(&limits))?;
            let image = SqlValue::Blob((0..=255).collect());
            let changed = [("image", image), ("description", text("l1\nl2\t\u{1}\u{7f}'\"\\ 👩‍👩‍👧 e\u{301}"))];
            records::update(c, "orest_application", &[1], &changed)?;
            records::update(c, "orest_application", &[2], &[("image", SqlValue::Blob(Vec::new()))])?;
            // A user who was made, and changed, by users after him.
            let later = [("create_uid", SqlValue::Integer(8)), ("write_uid", SqlValue::Integer(7))];
            records::update(c, "res_users", &[3], &later)?;
            records::update(c, "res_users", &[4], &[("synced_as_of", SqlValue::Integer(1_800_000_000_123_456))])?;
            // The last user is deleted: nobody is to have his number.
            let gone = [("login", text("gone")), ("name", text(""))];
            let gone = records::insert(c, "res_users", &with(&gone))?;
            records::delete(c, "res_users", &[gone])?;
            let identity =
                [("user_id", SqlValue::Integer(3)), ("provider", text("oauth2-google")), ("subject", text("é@x"))];
            records::insert(c, "orest_identity", &with(&identity))?;
            Ok(())
        })
        .await;
    done.unwrap();
    test.service.add_past_authorizations(9_000, |_| {}).await.unwrap();
    let thousands = Selection::Ids((100..8_000).filter(|id| id % 3 != 0).collect());
    let reason = RevokeOptions { reason_admin: Some("😱 stolen".to_owned()), ..RevokeOptions::default() };
    let receipt = test.service.revoke(&admin, thousands, reason).await.unwrap();
    let own = Context::new(test.actor("bob"), Channel::Unlink, None);
    test.service.revoke(&own, Selection::Ids(vec![5]), RevokeOptions::default()).await.unwrap();
    test.service.undo(&admin, receipt.revocation.unwrap(), None).await.unwrap();
    // An act whose columns are not filled in yet is filled in where it arrives.
    test.service.filled().await.unwrap();
    // Last: whoever takes back what acts for a user takes back his answers too.
    let done: Result<(), StoreError> = test
        .store
        .write(move |tx| {
            let ticket = [
                ("ticket_hash", text("t")),
                ("user_id", SqlValue::Integer(3)),
                ("purpose", text("sign_in")),
                ("query", text("/")),
                ("browser_hash", text("b")),
                ("expires_at", SqlValue::Timestamp(now)),
            ];
            records::insert(tx.connection, "orest_sign_in_ticket", &ticket)?;
            Ok(())
        })
        .await;
    done.unwrap();
    test
}

fn copy_all(transfer: &mut Transfer) -> Vec<Sum> {
    TABLES.iter().map(|table| transfer.copy(table, &mut |_| {}).unwrap()).collect()
}

fn verify_all(transfer: &mut Transfer, sums: &[Sum]) -> Result<(), TransferError> {
    TABLES.iter().zip(sums).try_for_each(|(table, sum)| transfer.verify(table, sum, &mut |_| {}))
}

fn whole(from: &DatabaseUrl, to: &DatabaseUrl) {
    in_batches(from, to, 4_000);
}

fn in_batches(from: &DatabaseUrl, to: &DatabaseUrl, batch: usize) {
    let mut transfer = Transfer::begin(from, to, SystemClock.now()).unwrap();
    transfer.batch = batch;
    let sums = copy_all(&mut transfer);
    verify_all(&mut transfer, &sums).unwrap();
    transfer.finish().unwrap();
}

#[test]
fn the_list_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path(), "x.sqlite3");
    drop(Store::open(&url).unwrap());
    let mut connection = url.connect_reader().unwrap();
    let tables = "SELECT name AS text FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                  AND name NOT LIKE '\\_\\_%' ESCAPE '\\'";
    let there: BTreeSet<String> = lines(&mut connection, tables).into_iter().collect();
    let moved = TABLES.iter().map(|table| table.name);
    let known: BTreeSet<String> = moved.chain(OF_THE_MOMENT.iter().copied()).map(str::to_owned).collect();
    assert_eq!(there, known);
    let mut before = BTreeSet::new();
    for table in TABLES {
        let columns = lines(
            &mut connection,
            &format!("SELECT name || ' ' || type AS text FROM pragma_table_info('{}')", table.name),
        );
        let own = |column: &str| OF_THE_DATABASE.contains(&(table.name, column));
        let there: BTreeSet<_> =
            columns.into_iter().filter(|line| !own(line.split(' ').next().unwrap_or_default())).collect();
        let known: BTreeSet<_> =
            table.columns.iter().map(|(name, kind)| format!("{name} {}", kind.in_sqlite())).collect();
        assert_eq!(there, known, "{}", table.name);
        let keys = format!("SELECT name AS text FROM pragma_table_info('{}') WHERE pk > 0 ORDER BY pk", table.name);
        let key: Vec<_> = table.columns[..table.key].iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(lines(&mut connection, &keys), key, "{}", table.name);
        let counts = format!(
            "SELECT name AS text FROM sqlite_schema WHERE name = '{}' AND sql LIKE '%AUTOINCREMENT%'",
            table.name
        );
        assert_eq!(lines(&mut connection, &counts).len() == 1, table.counts, "{}", table.name);
        before.insert(table.name.to_owned());
        let references =
            format!("SELECT \"table\" || ' ' || \"from\" AS text FROM pragma_foreign_key_list('{}')", table.name);
        for reference in lines(&mut connection, &references) {
            let (other, column) = reference.split_once(' ').unwrap();
            assert!(before.contains(other), "{} comes before {other}", table.name);
            assert_eq!(other == table.name, table.own.contains(&column), "{}.{column}", table.name);
        }
    }
}

/// All rows of a database, as texts that show types: two databases with the same are the same.
fn dump(url: &DatabaseUrl) -> Vec<(&'static str, Vec<String>)> {
    let mut connection = url.connect_reader().unwrap();
    let table = |table: &'static orest::store::transfer::Table| {
        let columns: Vec<_> = table.columns.iter().map(|(name, _)| format!("quote(\"{name}\")")).collect();
        let query = format!("SELECT {} AS text FROM {} ORDER BY 1", columns.join(" || ',' || "), table.name);
        (table.name, lines(&mut connection, &query))
    };
    TABLES.iter().map(table).collect()
}

fn check_same(before: &[(&str, Vec<String>)], after: &[(&str, Vec<String>)]) {
    assert_eq!(before.len(), after.len());
    for ((table, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before.len(), after.len(), "{table}");
        for (before, after) in before.iter().zip(after) {
            assert_eq!(before, after, "{table}");
        }
    }
}

#[tokio::test]
async fn everything_arrives() {
    let test = filled().await;
    let tokens = test.authorize("bob", 1, None, true).await.unwrap();
    let (from, folder) = (url_of(&test), tempfile::tempdir().unwrap());
    let to = sqlite(folder.path(), "new.sqlite3");
    whole(&from, &to);
    let (before, after) = (dump(&from), dump(&to));
    for (name, rows) in &before {
        assert!(!rows.is_empty(), "{name}: the test must have a row");
    }
    check_same(&before, &after);
    let sequences = |url: &DatabaseUrl| {
        let mut connection = url.connect_reader().unwrap();
        lines(&mut connection, "SELECT name || ' ' || seq AS text FROM sqlite_sequence WHERE seq > 0 ORDER BY name")
    };
    assert_eq!(sequences(&from), sequences(&to));
    assert!(sequences(&to).contains(&"res_users 9".to_owned()), "the deleted one's: {:?}", sequences(&to));

    // A service over the new one knows the tokens, refreshes them, and gives no id twice.
    let there = test.moved_to(&to).await;
    let verdict = there.service.verify(tokens.access.reveal()).await.unwrap();
    assert!(verdict.is_ok_and(|verified| verified.user.is_some_and(|user| user.login() == "bob")));
    let refresh = tokens.refresh.unwrap();
    there.service.refresh(&there.applications[1], refresh.reveal(), None, None).await.unwrap();
    let added = there.service.add_user("new", "New", &[], None).await.unwrap();
    assert_eq!(added, UserId(10));
    let bob = Selection::Users(vec![there.uid("bob")]);
    let receipt = there.service.revoke(&there.context("admin"), bob, RevokeOptions::default()).await.unwrap();
    assert!(receipt.revoked > 0);
    assert!(there.service.verify(tokens.access.reveal()).await.unwrap().is_err());
    // And nothing of that happened in the old one.
    assert!(test.restart().await.service.verify(tokens.access.reveal()).await.unwrap().is_ok());
}

#[tokio::test]
async fn what_is_not_finished_is_not_served_and_begins_anew() {
    let test = filled().await;
    let (from, folder) = (url_of(&test), tempfile::tempdir().unwrap());
    let to = sqlite(folder.path(), "new.sqlite3");
    let refused = |url: &DatabaseUrl| match Store::open(url) {
        Ok(_) => panic!("a half-filled database is served"),
        Err(error) => error.to_string(),
    };
    // Ended in the middle, and before the comparison.
    for tables in [0, 5, TABLES.len()] {
        let mut transfer = Transfer::begin(&from, &to, SystemClock.now()).unwrap();
        assert_eq!(transfer.again, tables > 0);
        for table in &TABLES[..tables] {
            transfer.copy(table, &mut |_| {}).unwrap();
        }
        drop(transfer);
        assert!(refused(&to).contains("run `orest transfer` again"));
    }
    // Not from there, nor from elsewhere.
    let error = |from: &DatabaseUrl, to: &DatabaseUrl| match Transfer::begin(from, to, SystemClock.now()) {
        Ok(_) => panic!("it began"),
        Err(error) => error.to_string(),
    };
    let third = sqlite(folder.path(), "third.sqlite3");
    assert!(error(&to, &third).contains("unfinished transfer from"));
    drop(Store::open(&third).unwrap());
    assert!(error(&third, &to).contains("unfinished transfer from"));
    whole(&from, &to);
    check_same(&dump(&from), &dump(&to));
    drop(Store::open(&to).unwrap());
    // A second one would be mixed with it.
    let said = error(&from, &to);
    assert!(said.contains("is not empty: res_users has 8 rows"), "{said}");
}

#[tokio::test]
async fn a_value_that_changed_on_the_way_is_noticed() {
    let test = filled().await;
    let from = url_of(&test);
    for breaking in [
        "UPDATE orest_authorization SET generation = generation + 1 WHERE id = 8000",
        "UPDATE orest_authorization SET user_id = NULL WHERE id = (SELECT MAX(id) FROM orest_authorization WHERE user_id = 3)",
        "UPDATE orest_application SET image = x'' WHERE id = 1",
        "UPDATE orest_application SET image = NULL WHERE id = 2",
        "UPDATE res_users SET name = name || ' ' WHERE id = 5",
        "UPDATE web_session SET last_activity = '2026-11-20 13:00:01'",
        "DELETE FROM orest_device WHERE id = 2",
        "UPDATE orest_feed SET filled_sequence = filled_sequence - 1",
        "INSERT INTO res_groups_users_rel (uid, gid) VALUES (5, 77)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let to = sqlite(folder.path(), "new.sqlite3");
        let mut transfer = Transfer::begin(&from, &to, SystemClock.now()).unwrap();
        let sums = copy_all(&mut transfer);
        let mut other = to.connect_writer(false).unwrap();
        assert_eq!(diesel::sql_query(breaking).execute(&mut other).expect(breaking), 1, "{breaking}");
        let noticed = verify_all(&mut transfer, &sums);
        let Err(TransferError::Differs { table, .. }) = noticed else { panic!("{breaking}: {noticed:?}") };
        assert!(breaking.contains(table), "{breaking}: {table}");
        drop(transfer);
        assert!(Store::open(&to).is_err(), "{breaking}");
    }
}

#[tokio::test]
async fn what_is_in_use_is_left_alone() {
    let test = TestService::empty_on(Kind::Sqlite).await;
    let (from, folder) = (url_of(&test), tempfile::tempdir().unwrap());
    let to = sqlite(folder.path(), "new.sqlite3");
    let refused = |from: &DatabaseUrl, to: &DatabaseUrl| match Transfer::begin(from, to, SystemClock.now()) {
        Ok(_) => panic!("it began"),
        Err(error) => error,
    };
    assert!(matches!(refused(&from, &from), TransferError::Same));
    assert!(matches!(refused(&to, &from), TransferError::Missing(_)));
    let claim = from.claim().unwrap();
    assert!(matches!(refused(&from, &to), TransferError::InUse { .. }));
    drop(claim);
    drop(Store::open(&to).unwrap());
    let claim = to.claim().unwrap();
    assert!(matches!(refused(&from, &to), TransferError::InUse { .. }));
    drop(claim);
    whole(&from, &to);
}

/// A command that nobody thought of, or a node that was started again.
#[tokio::test]
async fn what_is_written_meanwhile_is_noticed() {
    for kind in Kind::both() {
        let (source, folder) = (TestDatabase::migrated(kind), tempfile::tempdir().unwrap());
        let to = sqlite(folder.path(), "new.sqlite3");
        let url = source.url.clone();
        let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap();
        for writes in [true, false] {
            let mut transfer = Transfer::begin(&source.url, &to, SystemClock.now()).unwrap();
            let sums = copy_all(&mut transfer);
            verify_all(&mut transfer, &sums).unwrap();
            let read: Result<i64, StoreError> = store.read(orest::store::authorizations::find_last_id).await;
            read.unwrap();
            if writes {
                let (text, now) =
                    (|text: &str| SqlValue::Text(text.to_owned()), SqlValue::Timestamp(SystemClock.now()));
                let user =
                    [("login", text("late")), ("name", text("")), ("create_date", now.clone()), ("write_date", now)];
                let written: Result<i64, StoreError> =
                    store.write(move |tx| records::insert(tx.connection, "res_users", &user)).await;
                written.unwrap();
            }
            let finished = transfer.finish();
            assert_eq!(matches!(finished, Err(TransferError::Moved(_))), writes, "{kind:?}: {finished:?}");
            assert_eq!(Store::open(&to).is_err(), writes, "{kind:?}");
        }
    }
}

/// A database of this test alone on PostgreSQL; `None`: it was said that there shall be none.
fn postgres() -> Option<TestDatabase> {
    Kind::has_postgres().then(|| TestDatabase::empty(Kind::Postgres))
}

#[test]
fn the_list_is_postgresql_s_too() {
    let Some(database) = postgres() else { return };
    drop(Store::open(&database.url).unwrap());
    let mut connection = database.url.connect_migrator().unwrap();
    let tables = "SELECT table_name::text AS text FROM information_schema.tables WHERE table_schema = 'public' \
                  AND table_name NOT LIKE '\\_\\_%'";
    let there: BTreeSet<String> = lines(&mut connection, tables).into_iter().collect();
    let moved = TABLES.iter().map(|table| table.name);
    assert_eq!(there, moved.chain(OF_THE_MOMENT.iter().copied()).map(str::to_owned).collect());
    for table in TABLES {
        let columns = format!(
            "SELECT (column_name || ' ' || data_type)::text AS text FROM information_schema.columns WHERE table_name = '{}'",
            table.name
        );
        let own = |column: &str| OF_THE_DATABASE.contains(&(table.name, column));
        let columns = lines(&mut connection, &columns).into_iter();
        let there: BTreeSet<_> = columns.filter(|line| !own(line.split(' ').next().unwrap_or_default())).collect();
        let known: BTreeSet<_> =
            table.columns.iter().map(|(name, kind)| format!("{name} {}", kind.in_postgres())).collect();
        assert_eq!(there, known, "{}", table.name);
        let counts = format!(
            "SELECT column_name::text AS text FROM information_schema.columns \
             WHERE table_name = '{}' AND column_name = 'id' AND is_identity = 'YES'",
            table.name
        );
        assert_eq!(lines(&mut connection, &counts).len() == 1, table.counts, "{}", table.name);
    }
}

#[tokio::test]
async fn everything_arrives_on_postgresql_and_comes_back() {
    let Some(database) = postgres() else { return };
    let test = filled().await;
    let tokens = test.authorize("bob", 1, None, true).await.unwrap();
    let (from, folder) = (url_of(&test), tempfile::tempdir().unwrap());
    // A few at a time, so that references lead to what is not there yet.
    in_batches(&from, &database.url, 3);
    let back = sqlite(folder.path(), "back.sqlite3");
    whole(&database.url, &back);
    check_same(&dump(&from), &dump(&back));
    let sequences = "SELECT name || ' ' || seq AS text FROM sqlite_sequence WHERE seq > 0 ORDER BY name";
    let [before, after] = [&from, &back].map(|url| lines(&mut url.connect_reader().unwrap(), sequences));
    assert_eq!(before, after);

    let there = test.moved_to(&database.url).await;
    let verdict = there.service.verify(tokens.access.reveal()).await.unwrap();
    assert!(verdict.is_ok_and(|verified| verified.user.is_some_and(|user| user.login() == "bob")));
    there.service.refresh(&there.applications[1], tokens.refresh.unwrap().reveal(), None, None).await.unwrap();
    assert_eq!(there.service.add_user("new", "New", &[], None).await.unwrap(), UserId(10), "9 was somebody's");
    let bob = Selection::Users(vec![there.uid("bob")]);
    let receipt = there.service.revoke(&there.context("admin"), bob, RevokeOptions::default()).await.unwrap();
    assert!(receipt.revoked > 0);
    assert!(there.service.verify(tokens.access.reveal()).await.unwrap().is_err());
}

#[tokio::test]
async fn on_postgresql_too_what_is_not_whole_is_not_served() {
    let Some(database) = postgres() else { return };
    let test = filled().await;
    let from = url_of(&test);
    let begin = || Transfer::begin(&from, &database.url, SystemClock.now());
    let mut first = begin().unwrap();
    let now = match begin() {
        Err(error) => error.to_string(),
        Ok(_) => panic!("two at a time"),
    };
    assert!(now.contains("in use"), "{now}");
    for table in &TABLES[..10] {
        first.copy(table, &mut |_| {}).unwrap();
    }
    drop(first);
    assert!(Store::open(&database.url).is_err_and(|error| error.to_string().contains("run `orest transfer` again")));
    for breaking in [
        "UPDATE orest_authorization SET generation = generation + 1 WHERE id = 8000",
        "UPDATE orest_application SET image = NULL WHERE id = 2",
        "UPDATE res_users SET active = NOT active WHERE id = 5",
        "DELETE FROM orest_authorization_code WHERE id = 1",
    ] {
        // Whoever held it before may take a moment to be gone.
        let mut transfer = loop {
            match begin() {
                Ok(transfer) => break transfer,
                Err(TransferError::InUse { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert!(transfer.again);
        let sums = copy_all(&mut transfer);
        let mut other = database.url.connect_migrator().unwrap();
        assert_eq!(diesel::sql_query(breaking).execute(&mut other).expect(breaking), 1, "{breaking}");
        let noticed = verify_all(&mut transfer, &sums);
        let Err(TransferError::Differs { table, .. }) = noticed else { panic!("{breaking}: {noticed:?}") };
        assert!(breaking.contains(table), "{breaking}: {table}");
        drop(transfer);
        assert!(Store::open(&database.url).is_err(), "{breaking}");
    }
}

#[tokio::test]
async fn a_character_that_postgresql_can_t_store_is_named() {
    let Some(database) = postgres() else { return };
    let test = TestService::empty_on(Kind::Sqlite).await;
    let broken: Result<(), StoreError> = test
        .store
        .write(|tx| {
            let name = [("name", SqlValue::Text("a\0b".to_owned()))];
            records::update(tx.connection, "res_users", &[4], &name).map(|_| ())
        })
        .await;
    broken.unwrap();
    let mut transfer = Transfer::begin(&url_of(&test), &database.url, SystemClock.now()).unwrap();
    let error = transfer.copy(&TABLES[0], &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("res_users 4: name has a NUL character"), "{error}");
}
