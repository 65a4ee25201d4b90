//! Which sealing keys are in force, for all nodes. The keys themselves are never here.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::orest_sealing_key as sealing_key;
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyId, RegisteredKey};

/// A key as registered.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// What of it matters for tokens.
    pub key: RegisteredKey,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was retired; `None`: it is in force.
    pub retired_at: Option<Timestamp>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sealing_key, check_for_backend(Backend))]
struct Row {
    id: i64,
    check_value: String,
    seals: bool,
    create_date: Timestamp,
    retired_at: Option<Timestamp>,
}

/// All that there ever were, by number.
pub fn list(connection: &mut Connection) -> Result<Vec<KeyRow>, StoreError> {
    let rows: Vec<Row> = sealing_key::table.order(sealing_key::id).select(Row::as_select()).load(connection)?;
    rows.into_iter()
        .map(|row| {
            let corrupt = || StoreError::Corrupt { table: "orest_sealing_key", column: "id", id: row.id };
            let id = KeyId(u16::try_from(row.id).map_err(|_| corrupt())?);
            Ok(KeyRow {
                key: RegisteredKey { id, check: row.check_value, seals: row.seals },
                created_at: row.create_date,
                retired_at: row.retired_at,
            })
        })
        .collect()
}

/// Those that are in force, by number.
pub fn list_in_force(connection: &mut Connection) -> Result<Vec<RegisteredKey>, StoreError> {
    let rows = list(connection)?.into_iter();
    Ok(rows.filter(|row| row.retired_at.is_none()).map(|row| row.key).collect())
}

/// Adds a key.
pub fn insert(connection: &mut Connection, key: &RegisteredKey, at: Timestamp) -> Result<(), StoreError> {
    diesel::insert_into(sealing_key::table)
        .values((
            sealing_key::id.eq(i64::from(key.id.0)),
            sealing_key::check_value.eq(&key.check),
            sealing_key::seals.eq(key.seals),
            sealing_key::create_date.eq(at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Lets a key seal.
pub fn set_seals(connection: &mut Connection, id: KeyId) -> Result<(), StoreError> {
    diesel::update(sealing_key::table.find(i64::from(id.0))).set(sealing_key::seals.eq(true)).execute(connection)?;
    Ok(())
}

/// Takes a key out of force. Its row stays, so that its number is never given again.
pub fn retire(connection: &mut Connection, id: KeyId, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(sealing_key::table.find(i64::from(id.0)))
        .set((sealing_key::seals.eq(false), sealing_key::retired_at.eq(at)))
        .execute(connection)?;
    Ok(())
}
