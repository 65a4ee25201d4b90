//! Wrong passwords, and wrong API keys, counted for all nodes together.

use diesel::prelude::*;

use super::connection::Connection;
use super::error::StoreError;
use super::schema::orest_password_failure as failure;
use crate::domain::time::Timestamp;

/// How many passwords were wrong, and when the last one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub failures: i64,
    /// When the last one was.
    pub failed_at: Timestamp,
}

/// The count under a key.
pub fn find(connection: &mut Connection, key: &str) -> Result<Option<Count>, StoreError> {
    let found: Option<(i64, Timestamp)> =
        failure::table.find(key).select((failure::failures, failure::failed_at)).first(connection).optional()?;
    Ok(found.map(|(failures, failed_at)| Count { failures, failed_at }))
}

/// Replaces the count under a key.
pub fn set(connection: &mut Connection, key: &str, count: Count) -> Result<(), StoreError> {
    let columns = (failure::failures.eq(count.failures), failure::failed_at.eq(count.failed_at));
    if diesel::update(failure::table.find(key)).set(columns).execute(connection)? == 0 {
        diesel::insert_into(failure::table).values((failure::key_hash.eq(key), columns)).execute(connection)?;
    }
    Ok(())
}

/// Forgets the count under a key.
pub fn delete(connection: &mut Connection, key: &str) -> Result<(), StoreError> {
    diesel::delete(failure::table.find(key)).execute(connection)?;
    Ok(())
}

/// Deletes the counts that nothing was added to since, at most `limit`; says how many.
pub fn purge(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let keys: Vec<String> =
        failure::table.filter(failure::failed_at.le(before)).limit(limit).select(failure::key_hash).load(connection)?;
    Ok(diesel::delete(failure::table.filter(failure::key_hash.eq_any(keys))).execute(connection)?)
}
