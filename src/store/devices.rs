//! Devices: where users signed in from.

use diesel::prelude::*;

use super::connection::Connection;
use super::error::StoreError;
use super::schema::orest_device as device;
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::secret::SecretHash;
use crate::domain::time::Timestamp;
use crate::limits;

/// What is known of a device when its user signs in.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Who signed in.
    pub user: UserId,
    /// Of the cookie that tells it again.
    pub cookie: &'a SecretHash,
    /// Browser and system.
    pub name: &'a str,
    /// Operating system.
    pub platform: &'a str,
    /// Browser.
    pub browser: &'a str,
    /// `computer` or `mobile`.
    pub device_type: &'a str,
    /// From where.
    pub address: Option<String>,
}

/// Notes a sign-in: a known device is seen again and no longer revoked, an unknown one gets a row.
pub fn upsert(connection: &mut Connection, seen: &Seen<'_>, at: Timestamp) -> Result<DeviceId, StoreError> {
    let known: Option<i64> = device::table
        .filter(device::user_id.eq(seen.user.0).and(device::cookie_hash.eq(seen.cookie.as_str())))
        .select(device::id)
        .first(connection)
        .optional()?;
    if let Some(id) = known {
        diesel::update(device::table.find(id))
            .set((
                device::last_activity.eq(at),
                device::ip_address.eq(seen.address.as_deref()),
                device::revoked_at.eq(None::<Timestamp>),
            ))
            .execute(connection)?;
        return Ok(DeviceId(id));
    }
    let id = diesel::insert_into(device::table)
        .values((
            device::user_id.eq(seen.user.0),
            device::name.eq(seen.name),
            device::platform.eq(seen.platform),
            device::browser.eq(seen.browser),
            device::device_type.eq(seen.device_type),
            device::ip_address.eq(seen.address.as_deref()),
            device::cookie_hash.eq(seen.cookie.as_str()),
            device::first_activity.eq(at),
            device::last_activity.eq(at),
            device::create_uid.eq(seen.user.0),
            device::create_date.eq(at),
            device::write_uid.eq(seen.user.0),
            device::write_date.eq(at),
        ))
        .returning(device::id)
        .get_result(connection)?;
    Ok(DeviceId(id))
}

/// Whether this user's device with this cookie is revoked; `None`: there is no such device.
pub fn find_revoked_by_cookie(
    connection: &mut Connection,
    user: UserId,
    cookie: &SecretHash,
) -> Result<Option<bool>, StoreError> {
    let found: Option<Option<Timestamp>> = device::table
        .filter(device::user_id.eq(user.0).and(device::cookie_hash.eq(cookie.as_str())))
        .select(device::revoked_at)
        .first(connection)
        .optional()?;
    Ok(found.map(|at| at.is_some()))
}

/// Whether it is revoked; `None`: there is no such device.
pub fn find_revoked(connection: &mut Connection, id: DeviceId) -> Result<Option<bool>, StoreError> {
    let found: Option<Option<Timestamp>> =
        device::table.find(id.0).select(device::revoked_at).first(connection).optional()?;
    Ok(found.map(|at| at.is_some()))
}

/// When a device of the user was last revoked.
pub fn find_last_revoked_at(connection: &mut Connection, user: UserId) -> Result<Option<Timestamp>, StoreError> {
    let of_user = device::table.filter(device::user_id.eq(user.0));
    Ok(of_user.select(diesel::dsl::max(device::revoked_at)).first(connection)?)
}

/// Of the devices after `after`, in their order, whether they are revoked, at most `limit`.
pub fn list_revoked(
    connection: &mut Connection,
    after: DeviceId,
    limit: i64,
) -> Result<Vec<(DeviceId, bool)>, StoreError> {
    let rows: Vec<(i64, bool)> = device::table
        .filter(device::id.gt(after.0))
        .order(device::id)
        .limit(limit)
        .select((device::id, device::revoked_at.is_not_null()))
        .load(connection)?;
    Ok(rows.into_iter().map(|(id, revoked)| (DeviceId(id), revoked)).collect())
}

/// A user's devices that are not revoked.
pub fn list_unrevoked_of(connection: &mut Connection, user: UserId) -> Result<Vec<i64>, StoreError> {
    Ok(device::table
        .filter(device::user_id.eq(user.0).and(device::revoked_at.is_null()))
        .order(device::id)
        .select(device::id)
        .load(connection)?)
}

/// Which of these are not revoked.
pub fn list_unrevoked(connection: &mut Connection, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
    let mut unrevoked = Vec::new();
    for ids in ids.chunks(limits::IDS_IN_A_STATEMENT) {
        let these = device::table.filter(device::id.eq_any(ids).and(device::revoked_at.is_null()));
        unrevoked.extend(these.select(device::id).load::<i64>(connection)?);
    }
    Ok(unrevoked)
}

/// Revokes these, or lifts it; says how many there are.
pub fn set_revoked(connection: &mut Connection, ids: &[i64], at: Option<Timestamp>) -> Result<usize, StoreError> {
    let mut count = 0;
    for ids in ids.chunks(limits::IDS_IN_A_STATEMENT) {
        let these = device::table.filter(device::id.eq_any(ids));
        count += diesel::update(these).set(device::revoked_at.eq(at)).execute(connection)?;
    }
    Ok(count)
}
