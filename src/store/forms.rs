//! Half-filled forms.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::orest_form as form;
use crate::domain::ids::UserId;
use crate::domain::time::Timestamp;

/// A form as stored.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = form, check_for_backend(Backend))]
pub struct FormRow {
    /// Its row; random.
    pub id: i64,
    /// Which form it is.
    pub model: String,
    /// Whose.
    pub user_id: i64,
    /// A JSON object.
    pub form_values: String,
    /// In which session something waits for a proof of identity.
    pub session_id: Option<i64>,
    /// What waits.
    pub pending_method: Option<String>,
    /// For which records; a JSON list.
    pub pending_ids: Option<String>,
    /// What was proved by the password that was written into it.
    pub password_proof: Option<String>,
    /// When it was made.
    pub create_date: Timestamp,
}

/// Adds a form; `false`: its id is taken.
pub fn insert(connection: &mut Connection, row: &FormRow) -> Result<bool, StoreError> {
    let taken: i64 = form::table.find(row.id).count().get_result(connection)?;
    if taken > 0 {
        return Ok(false);
    }
    diesel::insert_into(form::table).values(row).execute(connection)?;
    Ok(true)
}

/// A user's forms of one kind that were made after `after`, by id.
pub fn list(
    connection: &mut Connection,
    user: UserId,
    model: &str,
    after: Timestamp,
) -> Result<Vec<FormRow>, StoreError> {
    Ok(form::table
        .filter(form::user_id.eq(user.0).and(form::model.eq(model)).and(form::create_date.gt(after)))
        .order(form::id)
        .select(FormRow::as_select())
        .load(connection)?)
}

/// Replaces what was filled in.
pub fn set_values(connection: &mut Connection, id: i64, values: &str) -> Result<(), StoreError> {
    diesel::update(form::table.find(id)).set(form::form_values.eq(values)).execute(connection)?;
    Ok(())
}

/// Notes what was proved by the password that was written into it, or that nothing was.
pub fn set_proof(connection: &mut Connection, id: i64, proof: Option<&str>) -> Result<(), StoreError> {
    diesel::update(form::table.find(id)).set(form::password_proof.eq(proof)).execute(connection)?;
    Ok(())
}

/// Deletes these forms.
pub fn delete(connection: &mut Connection, ids: &[i64]) -> Result<(), StoreError> {
    diesel::delete(form::table.filter(form::id.eq_any(ids))).execute(connection)?;
    Ok(())
}

/// Deletes a user's oldest forms, so that at most `most` stay.
pub fn keep_latest(connection: &mut Connection, user: UserId, most: usize) -> Result<(), StoreError> {
    let ids: Vec<i64> = form::table
        .filter(form::user_id.eq(user.0))
        .order((form::create_date.desc(), form::id.desc()))
        .select(form::id)
        .load(connection)?;
    delete(connection, ids.get(most..).unwrap_or_default())
}

/// Deletes the forms that were made before, at most `limit`; says how many.
pub fn purge(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<i64> =
        form::table.filter(form::create_date.le(before)).limit(limit).select(form::id).load(connection)?;
    Ok(diesel::delete(form::table.filter(form::id.eq_any(ids))).execute(connection)?)
}
