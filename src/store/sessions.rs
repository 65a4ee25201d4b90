//! Web sessions and API keys: who is calling.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::{orest_identity as identity, res_users_apikeys as apikey, web_session as session};
use super::tickets;
use crate::domain::identity::API_KEY;
use crate::domain::ids::{DeviceId, UserId};
use crate::domain::object_id::parse_object_id;
use crate::domain::secret::SecretHash;
use crate::domain::time::Timestamp;
use crate::limits;

/// A session as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = session, check_for_backend(Backend))]
pub struct SessionRow {
    /// Its row.
    pub id: i64,
    /// Who signed in.
    pub user_id: i64,
    /// From where.
    pub device_id: Option<i64>,
    /// When he signed in.
    pub create_date: Timestamp,
    /// When it was used last, to the minute.
    pub last_activity: Timestamp,
    /// When the user last proved who he is.
    pub identity_checked_at: Option<Timestamp>,
}

/// Adds a session.
pub fn insert(
    connection: &mut Connection,
    sid: &SecretHash,
    user: UserId,
    device: Option<DeviceId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(session::table)
        .values((
            session::sid_hash.eq(sid.as_str()),
            session::user_id.eq(user.0),
            session::device_id.eq(device.map(|device| device.0)),
            session::create_date.eq(at),
            session::last_activity.eq(at),
        ))
        .execute(connection)?;
    Ok(())
}

/// The session of this id's hash.
pub fn find(connection: &mut Connection, sid: &SecretHash) -> Result<Option<SessionRow>, StoreError> {
    Ok(session::table
        .filter(session::sid_hash.eq(sid.as_str()))
        .select(SessionRow::as_select())
        .first(connection)
        .optional()?)
}

/// Whose this session is; `None`: it has ended.
pub fn find_owner(connection: &mut Connection, id: i64) -> Result<Option<UserId>, StoreError> {
    Ok(session::table.find(id).select(session::user_id).first(connection).optional()?.map(UserId))
}

/// The session of this row; `None`: it has ended.
pub fn find_by_id(connection: &mut Connection, id: i64) -> Result<Option<SessionRow>, StoreError> {
    Ok(session::table.find(id).select(SessionRow::as_select()).first(connection).optional()?)
}

/// Notes from which device a session comes that was opened without one.
pub fn set_device(connection: &mut Connection, id: i64, device: DeviceId) -> Result<(), StoreError> {
    diesel::update(session::table.find(id)).set(session::device_id.eq(device.0)).execute(connection)?;
    Ok(())
}

/// Notes that it was used.
pub fn touch(connection: &mut Connection, id: i64, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(session::table.find(id)).set(session::last_activity.eq(at)).execute(connection)?;
    Ok(())
}

/// Notes that the user proved who he is; says whether the session is still there.
pub fn set_identity_checked(connection: &mut Connection, id: i64, at: Timestamp) -> Result<bool, StoreError> {
    Ok(diesel::update(session::table.find(id)).set(session::identity_checked_at.eq(at)).execute(connection)? == 1)
}

/// Ends one session; says whether there was one.
pub fn delete(connection: &mut Connection, sid: &SecretHash) -> Result<bool, StoreError> {
    Ok(diesel::delete(session::table.filter(session::sid_hash.eq(sid.as_str()))).execute(connection)? == 1)
}

/// Ends all sessions of a user, and what he has answered elsewhere and not yet brought here.
pub fn delete_of(connection: &mut Connection, user: UserId) -> Result<usize, StoreError> {
    tickets::delete_of(connection, user)?;
    Ok(diesel::delete(session::table.filter(session::user_id.eq(user.0))).execute(connection)?)
}

/// Ends all sessions that were opened from these devices, and what their users are just bringing here: it may be from there.
pub fn delete_of_devices(connection: &mut Connection, devices: &[i64]) -> Result<usize, StoreError> {
    let mut count = 0;
    for devices in devices.chunks(limits::IDS_IN_A_STATEMENT) {
        tickets::delete_of_devices(connection, devices)?;
        count += diesel::delete(session::table.filter(session::device_id.eq_any(devices))).execute(connection)?;
    }
    Ok(count)
}

/// Ends the sessions that nobody has used since, at most `limit`.
pub fn purge(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<i64> =
        session::table.filter(session::last_activity.lt(before)).limit(limit).select(session::id).load(connection)?;
    Ok(diesel::delete(session::table.filter(session::id.eq_any(ids))).execute(connection)?)
}

/// An API key as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = apikey, check_for_backend(Backend))]
pub struct ApiKeyRow {
    /// Its row.
    pub id: i64,
    /// For whom it acts.
    pub user_id: i64,
    /// What it is good for; `None`: everything.
    pub scope: Option<String>,
    /// When it ends; `None`: never.
    pub expiration_date: Option<Timestamp>,
}

/// When a key ends, by its row; `None`: never.
pub fn find_api_key_end(connection: &mut Connection, id: i64) -> Result<Option<Timestamp>, StoreError> {
    let end =
        apikey::table.find(id).select(apikey::expiration_date).first::<Option<Timestamp>>(connection).optional()?;
    Ok(end.flatten())
}

/// The key of this hash.
pub fn find_api_key(connection: &mut Connection, key: &SecretHash) -> Result<Option<ApiKeyRow>, StoreError> {
    Ok(apikey::table
        .filter(apikey::key_hash.eq(key.as_str()))
        .select(ApiKeyRow::as_select())
        .first(connection)
        .optional()?)
}

/// Adds a key; gives its row.
pub fn insert_api_key(
    connection: &mut Connection,
    user: UserId,
    name: &str,
    scope: Option<&str>,
    key: &SecretHash,
    expiration: Option<Timestamp>,
    at: Timestamp,
) -> Result<i64, StoreError> {
    Ok(diesel::insert_into(apikey::table)
        .values((
            apikey::user_id.eq(user.0),
            apikey::name.eq(name),
            apikey::scope.eq(scope),
            apikey::key_hash.eq(key.as_str()),
            apikey::expiration_date.eq(expiration),
            apikey::create_date.eq(at),
        ))
        .returning(apikey::id)
        .get_result(connection)?)
}

/// Deletes these keys; says how many there were.
pub fn delete_api_keys(connection: &mut Connection, ids: &[i64]) -> Result<usize, StoreError> {
    Ok(diesel::delete(apikey::table.filter(apikey::id.eq_any(ids))).execute(connection)?)
}

/// Deletes the keys of a user but those that he signs in with, as a program: they are to him what a password is to others.
pub fn delete_other_api_keys_of(connection: &mut Connection, user: UserId) -> Result<usize, StoreError> {
    let own = identity::user_id.eq(user.0).and(identity::provider.eq(API_KEY));
    let subjects: Vec<String> = identity::table.filter(own).select(identity::subject).load(connection)?;
    let kept: Vec<i64> = subjects.iter().filter_map(|subject| parse_object_id(subject)).collect();
    let others = apikey::user_id.eq(user.0).and(apikey::id.ne_all(kept));
    Ok(diesel::delete(apikey::table.filter(others)).execute(connection)?)
}

/// Whose these keys are.
pub fn list_api_key_owners(connection: &mut Connection, ids: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(apikey::table.filter(apikey::id.eq_any(ids)).select((apikey::id, apikey::user_id)).load(connection)?)
}

/// Deletes the keys that have ended.
pub fn purge_api_keys(connection: &mut Connection, at: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::delete(apikey::table.filter(apikey::expiration_date.le(at))).execute(connection)?)
}
