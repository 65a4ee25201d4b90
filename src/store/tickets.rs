//! Sign-in tickets, hashed.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::{orest_device as device, orest_sign_in_ticket as ticket};
use crate::domain::ids::{ApplicationId, UserId};
use crate::domain::secret::SecretHash;
use crate::domain::ticket::Purpose;
use crate::domain::time::Timestamp;

/// A ticket as stored. Nothing of it ever changes.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Its row.
    pub id: i64,
    /// Who answered.
    pub user: UserId,
    /// What it is good for.
    pub purpose: Purpose,
    /// For a consent, the request that was consented to; for a sign-in, the path to lead on to.
    pub query: String,
    /// Of the cookie of the browser that began.
    pub browser: SecretHash,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A new ticket.
#[derive(Clone, Debug)]
pub struct NewTicket<'a> {
    /// Of the ticket.
    pub hash: &'a SecretHash,
    /// Who answered.
    pub user: UserId,
    /// Whom he lets in, for a consent.
    pub application: Option<ApplicationId>,
    /// What it is good for.
    pub purpose: Purpose,
    /// See [`Ticket::query`].
    pub query: &'a str,
    /// Of the cookie of the browser that began.
    pub browser: &'a SecretHash,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = ticket, check_for_backend(Backend))]
struct Row {
    id: i64,
    user_id: i64,
    purpose: String,
    query: String,
    browser_hash: String,
    expires_at: Timestamp,
}

/// Adds a row.
pub fn insert(connection: &mut Connection, new: &NewTicket<'_>) -> Result<(), StoreError> {
    diesel::insert_into(ticket::table)
        .values((
            ticket::ticket_hash.eq(new.hash.as_str()),
            ticket::user_id.eq(new.user.0),
            ticket::application_id.eq(new.application.map(|id| id.0)),
            ticket::purpose.eq(new.purpose.as_str()),
            ticket::query.eq(new.query),
            ticket::browser_hash.eq(new.browser.as_str()),
            ticket::expires_at.eq(new.expires_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// The ticket with this hash.
pub fn find(connection: &mut Connection, hash: &SecretHash) -> Result<Option<Ticket>, StoreError> {
    let row: Option<Row> = ticket::table
        .filter(ticket::ticket_hash.eq(hash.as_str()))
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(|row| {
        let corrupt = |column| StoreError::Corrupt { table: "orest_sign_in_ticket", column, id: row.id };
        Ok(Ticket {
            id: row.id,
            user: UserId(row.user_id),
            purpose: Purpose::parse(&row.purpose).ok_or_else(|| corrupt("purpose"))?,
            query: row.query,
            browser: SecretHash::from_stored(row.browser_hash),
            expires_at: row.expires_at,
        })
    })
    .transpose()
}

/// Takes a ticket out; says whether it was still there.
pub fn delete(connection: &mut Connection, id: i64) -> Result<bool, StoreError> {
    Ok(diesel::delete(ticket::table.find(id)).execute(connection)? == 1)
}

/// Takes out all tickets of a user.
pub fn delete_of(connection: &mut Connection, user: UserId) -> Result<(), StoreError> {
    diesel::delete(ticket::table.filter(ticket::user_id.eq(user.0))).execute(connection)?;
    Ok(())
}

/// Takes out all tickets of the users of these devices.
pub fn delete_of_devices(connection: &mut Connection, devices: &[i64]) -> Result<(), StoreError> {
    let users = device::table.filter(device::id.eq_any(devices)).select(device::user_id);
    diesel::delete(ticket::table.filter(ticket::user_id.eq_any(users))).execute(connection)?;
    Ok(())
}

/// Takes out all tickets that let this application in.
pub fn delete_of_application(connection: &mut Connection, id: ApplicationId) -> Result<(), StoreError> {
    diesel::delete(ticket::table.filter(ticket::application_id.eq(id.0))).execute(connection)?;
    Ok(())
}

/// Takes out all there are.
pub fn delete_all(connection: &mut Connection) -> Result<(), StoreError> {
    diesel::delete(ticket::table).execute(connection)?;
    Ok(())
}

/// Whose tickets there are, each once.
pub fn list_users(connection: &mut Connection) -> Result<Vec<UserId>, StoreError> {
    let ids: Vec<i64> = ticket::table.select(ticket::user_id).distinct().load(connection)?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Takes out those that have ended, at most `limit`; says how many.
pub fn purge(connection: &mut Connection, at: Timestamp, limit: i64) -> Result<usize, StoreError> {
    let ids: Vec<i64> = ticket::table
        .filter(ticket::expires_at.le(at))
        .order(ticket::expires_at)
        .limit(limit)
        .select(ticket::id)
        .load(connection)?;
    Ok(diesel::delete(ticket::table.filter(ticket::id.eq_any(ids))).execute(connection)?)
}
