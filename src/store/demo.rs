//! Rows for trials, written straight and many at a time: they tell of a past that no service function can make.

use diesel::prelude::*;

use super::connection::Connection;
use super::error::StoreError;
use super::schema::{
    orest_application as application, orest_authorization as authorization, orest_device as device,
    res_groups_users_rel as membership, res_users as user,
};
use crate::domain::authorization::GrantType;
use crate::domain::time::Timestamp;
use crate::domain::user::Group;

/// A user of the past, without a password: nobody can sign in as him.
#[derive(Clone, Debug)]
pub struct PastUser {
    /// What he would sign in with.
    pub login: String,
    /// What people call him.
    pub name: String,
    /// Where to write to him.
    pub email: String,
    /// The language of what he reads.
    pub lang: &'static str,
    /// Where he is.
    pub tz: Option<&'static str>,
    /// What he may do.
    pub group: Group,
    /// When he came.
    pub created_at: Timestamp,
}

/// Adds rows; gives their ids, in order. At most some 2,000 at a time.
pub fn insert_users(connection: &mut Connection, rows: &[PastUser]) -> Result<Vec<i64>, StoreError> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                user::login.eq(&row.login),
                user::name.eq(&row.name),
                user::email.eq(&row.email),
                user::lang.eq(row.lang),
                user::tz.eq(row.tz),
                user::active.eq(true),
                user::state.eq("confirmed"),
                user::create_date.eq(row.created_at),
                user::write_date.eq(row.created_at),
            )
        })
        .collect();
    let insert = diesel::insert_into(user::table).values(&values);
    let ids = match connection {
        Connection::Postgres(connection) => insert.returning(user::id).load(connection)?,
        Connection::Sqlite(sqlite) => {
            insert.execute(sqlite)?;
            last_ids(find_last_user(connection)?, rows.len())
        }
    };
    let members: Vec<_> =
        ids.iter().zip(rows).map(|(id, row)| (membership::uid.eq(*id), membership::gid.eq(row.group.id()))).collect();
    let insert = diesel::insert_into(membership::table).values(&members);
    match connection {
        Connection::Postgres(connection) => insert.execute(connection)?,
        Connection::Sqlite(connection) => insert.execute(connection)?,
    };
    Ok(ids)
}

/// The largest id of a user, or 0.
pub fn find_last_user(connection: &mut Connection) -> Result<i64, StoreError> {
    let last: Option<i64> = user::table.select(diesel::dsl::max(user::id)).first(connection)?;
    Ok(last.unwrap_or(0))
}

/// The ids of the rows that were added last. SQLite has no RETURNING for many, but gives ids in order to its single writer.
fn last_ids(last: i64, count: usize) -> Vec<i64> {
    (last - i64::try_from(count).unwrap_or(0) + 1..=last).collect()
}

/// An authorization of the past.
#[derive(Clone, Debug)]
pub struct PastAuthorization {
    /// Who may act.
    pub application_id: i64,
    /// For whom.
    pub user_id: Option<i64>,
    /// From where.
    pub device_id: Option<i64>,
    /// How it came to be.
    pub grant: GrantType,
    /// What was granted, sorted.
    pub scope: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often it was refreshed.
    pub generation: i64,
    /// When one of its tokens was accepted last.
    pub last_used_at: Option<Timestamp>,
    /// When its last token ends.
    pub expires_at: Option<Timestamp>,
}

/// Adds rows; gives their ids, in order. At most some 2,000 at a time.
pub fn insert_authorizations(connection: &mut Connection, rows: &[PastAuthorization]) -> Result<Vec<i64>, StoreError> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                authorization::active.eq(true),
                authorization::application_id.eq(row.application_id),
                authorization::user_id.eq(row.user_id),
                authorization::device_id.eq(row.device_id),
                authorization::grant_type.eq(row.grant.as_str()),
                authorization::scope.eq(row.scope),
                authorization::generation.eq(row.generation),
                authorization::last_refreshed_at.eq((row.generation > 0).then_some(row.last_used_at).flatten()),
                authorization::last_used_at.eq(row.last_used_at),
                authorization::expires_at.eq(row.expires_at),
                authorization::create_uid.eq(row.user_id),
                authorization::create_date.eq(row.created_at),
                authorization::write_uid.eq(row.user_id),
                authorization::write_date.eq(row.created_at),
            )
        })
        .collect();
    let insert = diesel::insert_into(authorization::table).values(&values);
    match connection {
        Connection::Postgres(connection) => return Ok(insert.returning(authorization::id).load(connection)?),
        Connection::Sqlite(connection) => insert.execute(connection)?,
    };
    let last: Option<i64> = authorization::table.select(diesel::dsl::max(authorization::id)).first(connection)?;
    Ok(last_ids(last.unwrap_or(0), rows.len()))
}

/// A device that somebody was seen at.
#[derive(Clone, Copy, Debug)]
pub struct PastDevice {
    /// Whose.
    pub user_id: i64,
    /// The browser, " on ", and the platform.
    pub name: &'static str,
    /// Whether it is a phone.
    pub mobile: bool,
    /// When.
    pub at: Timestamp,
}

/// Adds devices. At most some 2,000 at a time.
pub fn insert_devices(connection: &mut Connection, rows: &[PastDevice]) -> Result<(), StoreError> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            let (browser, platform) = row.name.split_once(" on ").unwrap_or((row.name, ""));
            (
                device::user_id.eq(row.user_id),
                device::name.eq(row.name),
                device::platform.eq(platform),
                device::browser.eq(browser),
                device::device_type.eq(if row.mobile { "mobile" } else { "computer" }),
                device::ip_address.eq("192.0.2.1"),
                device::first_activity.eq(row.at),
                device::last_activity.eq(row.at),
                device::create_uid.eq(row.user_id),
                device::create_date.eq(row.at),
                device::write_uid.eq(row.user_id),
                device::write_date.eq(row.at),
            )
        })
        .collect();
    let insert = diesel::insert_into(device::table).values(&values);
    match connection {
        Connection::Postgres(connection) => insert.execute(connection)?,
        Connection::Sqlite(connection) => insert.execute(connection)?,
    };
    Ok(())
}

/// To spread trial data over: users, each with his devices, and applications.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    /// Users who are enabled, and where they were seen.
    pub users: Vec<(i64, Vec<i64>)>,
    /// Applications.
    pub applications: Vec<i64>,
}

/// Reads them.
pub fn list_owners(connection: &mut Connection) -> Result<Owners, StoreError> {
    let ids: Vec<i64> = user::table.filter(user::active.eq(true)).order(user::id).select(user::id).load(connection)?;
    let devices: Vec<(i64, i64)> =
        device::table.order((device::user_id, device::id)).select((device::user_id, device::id)).load(connection)?;
    let applications = application::table.order(application::id).select(application::id).load(connection)?;
    let of = |user| {
        let start = devices.partition_point(|(owner, _)| *owner < user);
        devices[start..].iter().take_while(|(owner, _)| *owner == user).map(|(_, id)| *id).collect()
    };
    Ok(Owners { users: ids.into_iter().map(|id| (id, of(id))).collect(), applications })
}
