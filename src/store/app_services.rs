//! Applications, their users and their keys, as App Services has them: whose a user is, and in which order users are listed.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamp as SqlTimestamp};

use super::connection::{Backend, Connection};
use super::dialect;
use super::error::StoreError;
use super::schema::{
    orest_application as application, orest_device as device, orest_identity as identity, res_users as user,
    res_users_apikeys as apikey,
};
use super::sql::{Sql, SqlValue};
use crate::domain::identity::API_KEY;
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::object_id::{object_id, parse_object_id};
use crate::domain::time::Timestamp;
use crate::limits;
use crate::orm::filter::Values;

/// An application as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = application, check_for_backend(Backend))]
pub struct AppRow {
    /// Its row.
    pub id: i64,
    /// What users read.
    pub name: String,
    /// Its OAuth `client_id`.
    pub client_id: String,
    /// How App Services' clients call it; `None`: not made yet.
    pub client_app_id: Option<String>,
    /// When its record last changed.
    pub write_date: Timestamp,
}

/// The applications that are not archived, in the order of their rows.
pub fn list_apps(connection: &mut Connection) -> Result<Vec<AppRow>, StoreError> {
    Ok(application::table
        .filter(application::active.eq(true))
        .order(application::id)
        .select(AppRow::as_select())
        .load(connection)?)
}

/// The application of this row, unless it is archived.
pub fn find_app(connection: &mut Connection, id: ApplicationId) -> Result<Option<AppRow>, StoreError> {
    Ok(application::table
        .filter(application::id.eq(id.0).and(application::active.eq(true)))
        .select(AppRow::as_select())
        .first(connection)
        .optional()?)
}

/// Number and name of the applications that have no `client_app_id` yet.
pub fn list_without_client_app_id(connection: &mut Connection) -> Result<Vec<(i64, String)>, StoreError> {
    Ok(application::table
        .filter(application::client_app_id.is_null())
        .order(application::id)
        .select((application::id, application::name))
        .load(connection)?)
}

/// Whether an application has this `client_app_id`.
pub fn has_client_app_id(connection: &mut Connection, text: &str) -> Result<bool, StoreError> {
    let taken: i64 = application::table.filter(application::client_app_id.eq(text)).count().get_result(connection)?;
    Ok(taken > 0)
}

/// Gives an application its `client_app_id`.
pub fn set_client_app_id(connection: &mut Connection, id: i64, text: &str) -> Result<(), StoreError> {
    diesel::update(application::table.find(id)).set(application::client_app_id.eq(text)).execute(connection)?;
    Ok(())
}

/// A user as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = user, check_for_backend(Backend))]
pub struct UserRow {
    /// His row.
    pub id: i64,
    /// What he signs in with.
    pub login: String,
    /// What people call him.
    pub name: String,
    /// Where to write to him.
    pub email: Option<String>,
    /// Whether he is enabled.
    pub active: bool,
    /// `pending` or `confirmed`.
    pub state: String,
    /// When he was made.
    pub create_date: Timestamp,
    /// When he signed in last.
    pub login_date: Option<Timestamp>,
}

/// How a user signs in.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = identity, check_for_backend(Backend))]
pub struct IdentityRow {
    /// Its row.
    pub id: i64,
    /// Whose.
    pub user_id: i64,
    /// The provider's type.
    pub provider: String,
    /// Who he is for the provider.
    pub subject: String,
}

/// By what users are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserOrder {
    /// The number of the row.
    #[default]
    Id,
    /// When they were made.
    CreateDate,
    /// When they signed in last; who never has, before all others.
    LoginDate,
}

/// Which of an application's users, and which page of them.
#[derive(Clone, Debug)]
pub struct UserQuery {
    /// Pending ones, or the others; `None`: both.
    pub pending: Option<bool>,
    /// Those of these rows; `None`: all.
    pub ids: Option<Vec<i64>>,
    /// Enabled or disabled ones; `None`: both.
    pub active: Option<bool>,
    /// Those with an identity of one of these providers; none: all.
    pub providers: Vec<&'static str>,
    /// In which order, and then by the number of the row.
    pub order: UserOrder,
    /// The last first.
    pub descending: bool,
    /// Those behind this one.
    pub after: Option<UserId>,
    /// How many at most.
    pub limit: i64,
}

/// The users of an application, in order: who has ever let it in, and who was registered for it. `None`: in this order it can't
/// be said who comes behind [`UserQuery::after`], since he is gone.
pub fn list_users(
    connection: &mut Connection,
    app: ApplicationId,
    query: &UserQuery,
) -> Result<Option<Vec<UserRow>>, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT u.id FROM res_users AS u WHERE ");
    if let Some(pending) = query.pending {
        let state = if pending { "pending" } else { "confirmed" };
        sql.text("u.state = ").value(SqlValue::Text(state.to_owned())).text(" AND ");
    }
    if let Some(ids) = &query.ids {
        dialect::among_ids(sql.text("u.id"), ids);
        sql.text(" AND ");
        push_belongs(&mut sql, app);
    } else if has_few_authorizations(connection, app)? {
        push_is_among(&mut sql, app);
    } else {
        push_belongs(&mut sql, app);
    }
    if let Some(active) = query.active {
        sql.text(" AND u.active = ").value(SqlValue::Bool(active));
    }
    if !query.providers.is_empty() {
        let providers = query.providers.iter().map(|provider| (*provider).to_owned()).collect();
        sql.text(" AND EXISTS (SELECT 1 FROM orest_identity AS p WHERE p.user_id = u.id AND p.provider");
        dialect::among(&mut sql, &Values::Texts(providers));
        push_for(sql.text(" AND "), "p", app);
        sql.text(")");
    }
    if let Some(after) = query.after {
        let moment = match query.order {
            UserOrder::Id => None,
            order => match find_moment(connection, order, after)? {
                Some(moment) => Some(moment),
                None => return Ok(None),
            },
        };
        let comes_after = if query.descending { " < " } else { " > " };
        let id = SqlValue::Integer(after.0);
        match moment {
            None => {
                sql.text(" AND u.id").text(comes_after).value(id);
            }
            // That it is not before the moment is said by itself, for the index.
            Some(moment) => {
                let moment = SqlValue::Timestamp(moment);
                push_moment(sql.text(" AND "), query.order);
                sql.text(if query.descending { " <= " } else { " >= " }).value(moment.clone());
                push_moment(sql.text(" AND ("), query.order);
                sql.text(comes_after).value(moment).text(" OR u.id").text(comes_after).value(id).text(")");
            }
        }
    }
    let direction = if query.descending { " DESC" } else { "" };
    sql.text(" ORDER BY ");
    if query.order != UserOrder::Id {
        push_moment(&mut sql, query.order);
        sql.text(direction).text(", ");
    }
    sql.text("u.id").text(direction).text(" LIMIT ").value(SqlValue::Integer(query.limit));
    let ids: Vec<i64> = sql.returning::<BigInt>().load(connection)?;
    let rows: Vec<UserRow> = user::table.filter(user::id.eq_any(&ids)).select(UserRow::as_select()).load(connection)?;
    let mut rows: HashMap<i64, UserRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    Ok(Some(ids.iter().filter_map(|id| rows.remove(id)).collect()))
}

/// The user of this row, if he is one of the application's, pending or not.
pub fn find_user(connection: &mut Connection, app: ApplicationId, id: UserId) -> Result<Option<UserRow>, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT COUNT(*) FROM res_users AS u WHERE u.id = ").value(SqlValue::Integer(id.0));
    push_belongs(sql.text(" AND "), app);
    if sql.returning::<BigInt>().get_result::<i64>(connection)? == 0 {
        return Ok(None);
    }
    find_row(connection, id)
}

/// The user of this row, whosever he is.
pub fn find_row(connection: &mut Connection, id: UserId) -> Result<Option<UserRow>, StoreError> {
    Ok(user::table.find(id.0).select(UserRow::as_select()).first(connection).optional()?)
}

/// The application's pending users whom this e-mail address names: by login, or where nobody's login it is, by address.
pub fn list_pending_by_email(
    connection: &mut Connection,
    app: ApplicationId,
    email: &str,
) -> Result<Vec<UserId>, StoreError> {
    if !dialect::is_storable(email) {
        return Ok(Vec::new());
    }
    // Each in the form of an index.
    let by = [
        (" AND u.login = ", email.to_owned()),
        (" AND u.email IS NOT NULL AND lower(u.email) = ", email.to_ascii_lowercase()),
    ];
    for (column, value) in by {
        let mut sql = Sql::new();
        sql.text("SELECT u.id FROM res_users AS u WHERE u.state = ").value(SqlValue::Text("pending".to_owned()));
        sql.text(column).value(SqlValue::Text(value));
        push_belongs(sql.text(" AND "), app);
        sql.text(" ORDER BY u.id");
        let ids: Vec<i64> = sql.returning::<BigInt>().load(connection)?;
        if !ids.is_empty() {
            return Ok(ids.into_iter().map(UserId).collect());
        }
    }
    Ok(Vec::new())
}

/// How these users sign in to the application, or anywhere, in the order of the rows.
pub fn list_identities(
    connection: &mut Connection,
    app: Option<ApplicationId>,
    users: &[i64],
) -> Result<Vec<IdentityRow>, StoreError> {
    let of_users = identity::user_id.eq_any(users);
    let query = identity::table.filter(of_users).order(identity::id).select(IdentityRow::as_select()).into_boxed();
    let query = match app {
        None => query,
        Some(app) => query.filter(identity::application_id.is_null().or(identity::application_id.eq(app.0))),
    };
    Ok(query.load(connection)?)
}

/// Registers a user for an application: his identities are for it from now on.
pub fn register(connection: &mut Connection, app: ApplicationId, id: UserId) -> Result<(), StoreError> {
    diesel::update(identity::table.filter(identity::user_id.eq(id.0)))
        .set(identity::application_id.eq(app.0))
        .execute(connection)?;
    Ok(())
}

/// Notes that a user signs in to an application with this key.
pub fn insert_key_identity(
    connection: &mut Connection,
    app: ApplicationId,
    id: UserId,
    key: i64,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let by = by.map(|by| by.0);
    diesel::insert_into(identity::table)
        .values((
            identity::user_id.eq(id.0),
            identity::provider.eq(API_KEY),
            identity::subject.eq(object_id(key)),
            identity::application_id.eq(app.0),
            identity::create_uid.eq(by),
            identity::create_date.eq(at),
            identity::write_uid.eq(by),
            identity::write_date.eq(at),
        ))
        .execute(connection)?;
    Ok(())
}

/// A key of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Its row.
    pub id: i64,
    /// Who signs in with it, and nobody else.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// Whether he is enabled.
    pub active: bool,
}

/// The keys of an application that are there, in the order of their rows.
pub fn list_keys(connection: &mut Connection, app: ApplicationId) -> Result<Vec<KeyRow>, StoreError> {
    let of_app = identity::provider.eq(API_KEY).and(identity::application_id.eq(app.0));
    let noted = identity::table
        .inner_join(user::table.on(user::id.eq(identity::user_id)))
        .filter(of_app)
        .select((identity::subject, user::id, user::name, user::active))
        .load(connection)?;
    let owners = identity::table.filter(of_app).select(identity::user_id);
    let there = apikey::table
        .filter(apikey::user_id.eq_any(owners))
        .order(apikey::id)
        .select((apikey::id, apikey::user_id))
        .load(connection)?;
    Ok(keys(noted, there))
}

/// The key of this row, if it is there and the application's.
pub fn find_key(connection: &mut Connection, app: ApplicationId, id: i64) -> Result<Option<KeyRow>, StoreError> {
    let of_app = identity::provider.eq(API_KEY).and(identity::application_id.eq(app.0));
    let noted = identity::table
        .inner_join(user::table.on(user::id.eq(identity::user_id)))
        .filter(of_app.and(identity::subject.eq(object_id(id))))
        .select((identity::subject, user::id, user::name, user::active))
        .load(connection)?;
    let there = apikey::table.filter(apikey::id.eq(id)).select((apikey::id, apikey::user_id)).load(connection)?;
    Ok(keys(noted, there).pop())
}

/// The keys that are there of those that are noted as what somebody signs in with: which key by its object id, and whose.
fn keys(noted: Vec<(String, i64, String, bool)>, there: Vec<(i64, i64)>) -> Vec<KeyRow> {
    let mut noted: HashMap<(i64, i64), (String, bool)> = noted
        .into_iter()
        .filter_map(|(subject, user, name, active)| Some(((parse_object_id(&subject)?, user), (name, active))))
        .collect();
    let rows = there.into_iter().filter_map(|(id, user)| {
        let (name, active) = noted.remove(&(id, user))?;
        Some(KeyRow { id, user: UserId(user), name, active })
    });
    rows.collect()
}

/// A device as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = device, check_for_backend(Backend))]
pub struct DeviceRow {
    /// Its row.
    pub id: i64,
    /// For people: "Firefox on Linux".
    pub name: String,
    /// Operating system.
    pub platform: Option<String>,
    /// Browser.
    pub browser: Option<String>,
    /// Where it was seen last.
    pub ip_address: Option<String>,
    /// When it was seen first.
    pub first_activity: Timestamp,
    /// When it was seen last.
    pub last_activity: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A user's devices, the one that was seen last first, at most `limit`.
pub fn list_devices(connection: &mut Connection, id: UserId, limit: i64) -> Result<Vec<DeviceRow>, StoreError> {
    Ok(device::table
        .filter(device::user_id.eq(id.0))
        .order((device::last_activity.desc(), device::id.desc()))
        .limit(limit)
        .select(DeviceRow::as_select())
        .load(connection)?)
}

/// Whether the user at `u` has ever let the application in, or was registered for it.
fn push_belongs(sql: &mut Sql, app: ApplicationId) {
    let app = SqlValue::Integer(app.0);
    sql.text("(EXISTS (SELECT 1 FROM orest_authorization AS a WHERE a.user_id = u.id AND a.application_id = ");
    sql.value(app.clone());
    sql.text(") OR EXISTS (SELECT 1 FROM orest_identity AS i WHERE i.user_id = u.id AND i.application_id = ");
    sql.value(app).text("))");
}

/// The same for an application with few authorizations: better to go through them than through all users, of whom few are its.
fn push_is_among(sql: &mut Sql, app: ApplicationId) {
    let app = SqlValue::Integer(app.0);
    sql.text(
        "u.id IN (SELECT a.user_id FROM orest_authorization AS a WHERE a.user_id IS NOT NULL AND a.application_id = ",
    );
    sql.value(app.clone());
    sql.text(" UNION ALL SELECT i.user_id FROM orest_identity AS i WHERE i.application_id = ").value(app).text(")");
}

/// Whether an application has at most [`limits::RANKED_MAX`] authorizations; more are not counted.
fn has_few_authorizations(connection: &mut Connection, app: ApplicationId) -> Result<bool, StoreError> {
    let most = i64::try_from(limits::RANKED_MAX).unwrap_or(i64::MAX);
    let mut sql = Sql::new();
    sql.text("SELECT COUNT(*) FROM (SELECT 1 FROM orest_authorization WHERE application_id = ");
    sql.value(SqlValue::Integer(app.0)).text(" LIMIT ").value(SqlValue::Integer(most + 1)).text(") AS counted");
    Ok(sql.returning::<BigInt>().get_result::<i64>(connection)? <= most)
}

/// Whether the identity is for the application, or for none in particular.
fn push_for(sql: &mut Sql, alias: &'static str, app: ApplicationId) {
    sql.text("(").text(alias).text(".application_id IS NULL OR ").text(alias).text(".application_id = ");
    sql.value(SqlValue::Integer(app.0)).text(")");
}

/// The moment by which users are ordered; of who has never signed in, the first one there is.
fn push_moment(sql: &mut Sql, order: UserOrder) {
    match order {
        UserOrder::LoginDate => {
            // Word by word as in its index.
            sql.text("COALESCE(u.login_date, '1970-01-01 00:00:00')");
        }
        UserOrder::Id | UserOrder::CreateDate => {
            sql.text("u.create_date");
        }
    }
}

fn find_moment(connection: &mut Connection, order: UserOrder, id: UserId) -> Result<Option<Timestamp>, StoreError> {
    let mut sql = Sql::new();
    push_moment(sql.text("SELECT "), order);
    sql.text(" FROM res_users AS u WHERE u.id = ").value(SqlValue::Integer(id.0));
    Ok(sql.returning::<SqlTimestamp>().get_result(connection).optional()?)
}
