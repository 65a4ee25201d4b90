//! Rows for trials, written straight and many at a time: they tell of a past that no service function can make.

use diesel::prelude::*;

use super::connection::Connection;
use super::error::StoreError;
use super::schema::{orest_authorization as authorization, orest_device as device};
use crate::domain::authorization::GrantType;
use crate::domain::time::Timestamp;

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
        // Without RETURNING: ids are given in order to the single writer, so the last one tells all.
        Connection::Sqlite(connection) => insert.execute(connection)?,
    };
    let last: Option<i64> = authorization::table.select(diesel::dsl::max(authorization::id)).first(connection)?;
    let last = last.unwrap_or(0);
    let count = i64::try_from(rows.len()).unwrap_or(0);
    Ok((last - count + 1..=last).collect())
}

/// Adds a device that somebody was seen at.
pub fn insert_device(
    connection: &mut Connection,
    user: i64,
    name: &str,
    mobile: bool,
    at: Timestamp,
) -> Result<i64, StoreError> {
    let (browser, platform) = name.split_once(" on ").unwrap_or((name, ""));
    Ok(diesel::insert_into(device::table)
        .values((
            device::user_id.eq(user),
            device::name.eq(name),
            device::platform.eq(platform),
            device::browser.eq(browser),
            device::device_type.eq(if mobile { "mobile" } else { "computer" }),
            device::ip_address.eq("192.0.2.1"),
            device::first_activity.eq(at),
            device::last_activity.eq(at),
            device::create_uid.eq(user),
            device::create_date.eq(at),
            device::write_uid.eq(user),
            device::write_date.eq(at),
        ))
        .returning(device::id)
        .get_result(connection)?)
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
    use super::schema::{orest_application, res_users};
    let ids: Vec<i64> = res_users::table
        .filter(res_users::active.eq(true))
        .order(res_users::id)
        .select(res_users::id)
        .load(connection)?;
    let devices: Vec<(i64, i64)> =
        device::table.order(device::id).select((device::user_id, device::id)).load(connection)?;
    let of = |user| devices.iter().filter(|(owner, _)| *owner == user).map(|(_, id)| *id).collect();
    let applications =
        orest_application::table.order(orest_application::id).select(orest_application::id).load(connection)?;
    Ok(Owners { users: ids.into_iter().map(|id| (id, of(id))).collect(), applications })
}
