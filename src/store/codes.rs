//! Authorization codes, hashed.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::orest_authorization_code as code;
use crate::domain::ids::AuthorizationId;
use crate::domain::secret::SecretHash;
use crate::domain::time::Timestamp;

/// A code as stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = code, check_for_backend(Backend))]
pub struct CodeRow {
    /// Its row.
    pub id: i64,
    /// Off: used or revoked.
    pub active: bool,
    /// What it is exchanged for.
    pub authorization_id: i64,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the request named that address.
    pub redirect_uri_sent: bool,
    /// RFC 7636.
    pub code_challenge: Option<String>,
    /// When it can no longer be exchanged.
    pub expires_at: Timestamp,
    /// When it was exchanged.
    pub used_at: Option<Timestamp>,
}

/// A new code.
#[derive(Clone, Debug)]
pub struct NewCode<'a> {
    /// What it is exchanged for.
    pub authorization: AuthorizationId,
    /// Of the code.
    pub hash: &'a SecretHash,
    /// Where it is sent.
    pub redirect_uri: &'a str,
    /// Whether the request named that address.
    pub redirect_uri_sent: bool,
    /// RFC 7636.
    pub challenge: Option<&'a str>,
    /// When it can no longer be exchanged.
    pub expires_at: Timestamp,
    /// When the row goes.
    pub purge_at: Timestamp,
    /// Who consented.
    pub user_id: Option<i64>,
}

/// Adds a row.
pub fn insert(connection: &mut Connection, new: &NewCode<'_>, at: Timestamp) -> Result<(), StoreError> {
    diesel::insert_into(code::table)
        .values((
            code::active.eq(true),
            code::authorization_id.eq(new.authorization.0),
            code::code_hash.eq(new.hash.as_str()),
            code::redirect_uri.eq(new.redirect_uri),
            code::redirect_uri_sent.eq(new.redirect_uri_sent),
            code::code_challenge.eq(new.challenge),
            code::expires_at.eq(new.expires_at),
            code::purge_at.eq(new.purge_at),
            code::create_uid.eq(new.user_id),
            code::create_date.eq(at),
            code::write_uid.eq(new.user_id),
            code::write_date.eq(at),
        ))
        .execute(connection)?;
    Ok(())
}

/// The code with this hash.
pub fn find(connection: &mut Connection, hash: &SecretHash) -> Result<Option<CodeRow>, StoreError> {
    Ok(code::table
        .filter(code::code_hash.eq(hash.as_str()))
        .select(CodeRow::as_select())
        .first(connection)
        .optional()?)
}

/// Marks it used.
pub fn set_used(connection: &mut Connection, id: i64, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(code::table.find(id))
        .set((code::active.eq(false), code::used_at.eq(at), code::write_date.eq(at)))
        .execute(connection)?;
    Ok(())
}

/// Deactivates all codes of the authorizations of these codes; says how many were active and not yet expired.
pub fn deactivate_of(connection: &mut Connection, authorizations: &[i64], at: Timestamp) -> Result<usize, StoreError> {
    let mut affected = 0;
    for chunk in authorizations.chunks(10_000) {
        affected += diesel::update(code::table.filter(code::authorization_id.eq_any(chunk).and(code::active.eq(true))))
            .set((code::active.eq(false), code::write_date.eq(at)))
            .execute(connection)?;
    }
    Ok(affected)
}

/// Deletes the rows whose time has come, at most `limit`; says how many.
pub fn purge(connection: &mut Connection, at: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<i64> = code::table
        .filter(code::purge_at.le(at))
        .order(code::purge_at)
        .limit(limit)
        .select(code::id)
        .load(connection)?;
    Ok(diesel::delete(code::table.filter(code::id.eq_any(ids))).execute(connection)?)
}
