//! Pages of users: each of them once, in every order, while some of them go.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _};
use orest::domain::ids::{ApplicationId, UserId};
use orest::domain::object_id::{object_id, parse_object_id};
use orest::store::app_services::{self, UserOrder, UserQuery};
use orest::store::records::{self, SqlValue};
use orest::store::users::{self, NewUser};
use orest::store::{Connection, Store, StoreError};
use serde_json::{Value, json};

use super::{Admin, app, refused};
use crate::support::database::{Kind, TestDatabase};

const REGISTERED: i64 = 120;

/// Registers users for Report Maker; every third has signed in, some at the same moment.
async fn register(admin: &Admin) {
    let now = admin.test().service.now();
    let done: Result<(), StoreError> = admin
        .test()
        .store
        .write(move |tx| {
            for number in 0..REGISTERED {
                let login = format!("user-{number}@example.com");
                let new = NewUser {
                    login: &login,
                    name: &login,
                    email: None,
                    password_hash: None,
                    state: "confirmed",
                    groups: &[],
                };
                let made = now - std::time::Duration::from_secs(u64::try_from(number % 7 * 60).unwrap());
                let id = users::insert(tx.connection, &new, None, made)?;
                users::insert_identity(tx.connection, id, "local-userpass", &login, now)?;
                app_services::register(tx.connection, ApplicationId(2), id)?;
                if number % 3 == 0 {
                    let at =
                        SqlValue::Timestamp(now - std::time::Duration::from_secs(u64::try_from(number % 5).unwrap()));
                    records::update(tx.connection, "res_users", &[id.0], &[("login_date", at)])?;
                }
            }
            Ok(())
        })
        .await;
    done.unwrap();
}

/// All pages, one after the other, and how long each is.
async fn pages(admin: &Admin, query: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut all, mut lengths) = (Vec::<Value>::new(), Vec::new());
    loop {
        let after = all.last().map_or_else(String::new, |user| format!("&after={}", user["_id"].as_str().unwrap()));
        let (status, page) = admin.get(&format!("{}/users?{query}{after}", app(2))).await;
        assert_eq!(status, 200, "{page}");
        let page = page.as_array().unwrap();
        lengths.push(page.len());
        all.extend_from_slice(page);
        if page.len() < 50 {
            return (all, lengths);
        }
    }
}

#[tokio::test]
async fn each_user_once_in_every_order() {
    let admin = Admin::new().await;
    register(&admin).await;
    for (sort, field) in
        [("_id", "_id"), ("creation_date", "creation_date"), ("last_authentication_date", "last_authentication_date")]
    {
        for desc in [false, true] {
            let (users, lengths) = pages(&admin, &format!("sort={sort}&desc={desc}")).await;
            assert_eq!(lengths, [50, 50, 22], "{sort} {desc}");
            let ids: BTreeSet<_> = users.iter().map(|user| user["_id"].as_str().unwrap()).collect();
            assert_eq!(ids.len(), 122, "{sort} {desc}");
            let key = |user: &Value| {
                let id = parse_object_id(user["_id"].as_str().unwrap()).unwrap();
                (if field == "_id" { id } else { user[field].as_i64().unwrap() }, id)
            };
            let in_order = users
                .windows(2)
                .all(|pair| if desc { key(&pair[0]) > key(&pair[1]) } else { key(&pair[0]) < key(&pair[1]) });
            assert!(in_order, "{sort} {desc}");
        }
    }
    let (some, _) = pages(&admin, "provider_types=local-userpass&status=enabled").await;
    assert_eq!(some.len(), usize::try_from(REGISTERED).unwrap());
}

/// In one call: those who are the app's, whoever else is named.
#[tokio::test]
async fn those_who_are_named() {
    let admin = Admin::new().await;
    register(&admin).await;
    let all = admin.ids(&format!("{}/users", app(2))).await;
    let all: Vec<&str> = all.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let path = |ids: &[&str]| format!("{}/users?ids={}", app(2), ids.join(","));
    assert_eq!(admin.ids(&path(&all)).await, json!(all), "fifty");
    let some = [all[40], all[2], all[7]];
    assert_eq!(admin.ids(&path(&some)).await, json!([all[2], all[7], all[40]]));
    assert_eq!(admin.ids(&path(&[all[9]])).await, json!([all[9]]));
    assert_eq!(admin.ids(&format!("{}&desc=true&after={}", path(&some), all[40])).await, json!([all[7], all[2]]));
    // The administrator has never let it in.
    let (admins, nobody) = (object_id(2), object_id(99_999));
    assert_eq!(admin.ids(&path(&[&admins, &nobody, "x", all[3]])).await, json!([all[3]]));
    assert_eq!(admin.ids(&path(&["x"])).await, json!([]), "which is not everybody");
    assert_eq!(admin.ids(&path(&[])).await, json!(all), "an empty parameter is none");
    assert_eq!(admin.get(&path(&[&all[..], &[&nobody]].concat())).await, refused(400, "InvalidParameter"));
    let third = parse_object_id(all[2]).unwrap();
    let pending = json!([[third], {"state": "pending"}]);
    admin.test().call("admin", "res.users", "write", pending, json!({})).await.unwrap();
    assert_eq!(admin.ids(&path(&some)).await, json!([all[2], all[7], all[40]]), "pending or not");
    let disabled = json!([[third], {"state": "confirmed", "active": false}]);
    admin.test().call("admin", "res.users", "write", disabled, json!({})).await.unwrap();
    assert_eq!(admin.ids(&format!("{}&status=disabled", path(&some))).await, json!([all[2]]));
}

/// Who deletes page by page names users that are gone.
#[tokio::test]
async fn behind_a_user_who_is_gone() {
    let admin = Admin::new().await;
    register(&admin).await;
    let first = admin.ids(&format!("{}/users", app(2))).await;
    let last = parse_object_id(first[49].as_str().unwrap()).unwrap();
    let gone: Result<bool, StoreError> =
        admin.test().store.write(move |tx| users::delete(tx.connection, UserId(last))).await;
    assert!(gone.unwrap());
    let path = format!("{}/users?after={}", app(2), object_id(last));
    assert_eq!(admin.ids(&path).await[0], json!(object_id(last + 1)));
    assert_eq!(admin.get(&format!("{path}&sort=creation_date")).await, refused(400, "InvalidParameter"));
}

/// What has been read in a transaction so far.
#[derive(Clone, Copy, Debug, QueryableByName)]
struct Reads {
    /// How often the index of this order was gone through.
    #[diesel(sql_type = BigInt)]
    index: i64,
    /// How often all users were.
    #[diesel(sql_type = BigInt)]
    table: i64,
    /// How many users' rows were read.
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

impl Reads {
    fn so_far(connection: &mut Connection, index: &str) -> Self {
        let query = format!(
            "SELECT pg_stat_get_xact_numscans('{index}'::regclass) AS index, \
             pg_stat_get_xact_numscans('res_users'::regclass) AS table, \
             pg_stat_get_xact_tuples_fetched('res_users'::regclass) AS rows"
        );
        diesel::sql_query(query).get_result(connection).unwrap()
    }
}

/// A large application's page comes out of the index of its order, and reads no more users than it shows.
#[tokio::test]
async fn a_page_is_read_from_its_index_on_postgresql() {
    const LIMIT: i64 = 50;
    if !Kind::has_postgres() {
        return;
    }
    let database = tokio::task::spawn_blocking(|| {
        let database = TestDatabase::migrated(Kind::Postgres);
        let made = "TIMESTAMP '2026-11-20 12:00:00' - n * INTERVAL '1 minute'";
        let fill = format!(
            "INSERT INTO orest_application (name, client_id, create_date, write_date) VALUES ('Large', 'large', now(), now()); \
             INSERT INTO res_users (login, name, login_date, create_date, write_date) \
             SELECT 'user-' || n, 'User', CASE WHEN n % 3 > 0 THEN {made} END, {made}, now() FROM generate_series(1, 20000) AS n; \
             INSERT INTO orest_authorization (application_id, user_id, grant_type, scope, create_date, write_date) \
             SELECT 1, id, 'authorization_code', 'read', now(), now() FROM res_users; ANALYZE"
        );
        database.connect().batch_execute(&fill).unwrap();
        database
    });
    let database = database.await.unwrap();
    let url = database.url.clone();
    let store = tokio::task::spawn_blocking(move || Store::open(&url)).await.unwrap().unwrap();
    for (order, index) in
        [(UserOrder::CreateDate, "res_users_create_date_idx"), (UserOrder::LoginDate, "res_users_login_date_idx")]
    {
        for descending in [false, true] {
            for after in [None, Some(UserId(10_000))] {
                let query = UserQuery {
                    pending: Some(false),
                    ids: None,
                    active: Some(true),
                    providers: Vec::new(),
                    order,
                    descending,
                    after,
                    limit: LIMIT,
                };
                let case = format!("{query:?}");
                let read = move |connection: &mut Connection| {
                    let before = Reads::so_far(connection, index);
                    let page = app_services::list_users(connection, ApplicationId(1), &query)?;
                    Ok::<_, StoreError>((page.unwrap().len(), before, Reads::so_far(connection, index)))
                };
                let (shown, before, now) = store.read(read).await.unwrap();
                assert_eq!((shown, now.index - before.index, now.table - before.table), (50, 1, 0), "{case}");
                // Whether he is on the page, what is shown of him, and behind whom it begins.
                assert!(now.rows - before.rows <= 2 * LIMIT + 2, "{case}: {} rows", now.rows - before.rows);
            }
        }
    }
}
