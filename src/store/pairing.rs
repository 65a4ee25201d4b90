//! The one pairing with an Odoo, and the users that come from there.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::dialect;
use super::error::StoreError;
use super::schema::{orest_pairing as pairing, res_groups_users_rel as membership, res_users as user};
use super::tickets;
use crate::domain::ids::UserId;
use crate::domain::secret::SecretHash;
use crate::domain::time::Timestamp;

/// The pairing as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// Where browsers are sent, without a slash at the end.
    pub odoo_url: String,
    /// Of the credential.
    pub credential: SecretHash,
    /// Which Odoo database; `None`: it has not called yet.
    pub database_uuid: Option<String>,
    /// Which one it was before the credential was replaced.
    pub previous_database_uuid: Option<String>,
    /// When Odoo called last, to the minute.
    pub last_seen_at: Option<Timestamp>,
    /// The module's version then.
    pub module_version: Option<String>,
    /// When all users were compared last.
    pub last_sync_at: Option<Timestamp>,
    /// When the credential was made.
    pub created_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = pairing, check_for_backend(Backend))]
struct Row {
    odoo_url: String,
    credential_hash: String,
    database_uuid: Option<String>,
    previous_database_uuid: Option<String>,
    last_seen_at: Option<Timestamp>,
    module_version: Option<String>,
    last_sync_at: Option<Timestamp>,
    create_date: Timestamp,
}

/// The pairing, if there is one.
pub fn find(connection: &mut Connection) -> Result<Option<Pairing>, StoreError> {
    let row: Option<Row> = pairing::table.find(1).select(Row::as_select()).first(connection).optional()?;
    Ok(row.map(|row| Pairing {
        odoo_url: row.odoo_url,
        credential: SecretHash::from_stored(row.credential_hash),
        database_uuid: row.database_uuid,
        previous_database_uuid: row.previous_database_uuid,
        last_seen_at: row.last_seen_at,
        module_version: row.module_version,
        last_sync_at: row.last_sync_at,
        created_at: row.create_date,
    }))
}

/// Makes the pairing, or puts this one in the place of the one that is there.
pub fn replace(connection: &mut Connection, new: &Pairing) -> Result<(), StoreError> {
    delete(connection)?;
    diesel::insert_into(pairing::table)
        .values((
            pairing::id.eq(1),
            pairing::odoo_url.eq(&new.odoo_url),
            pairing::credential_hash.eq(new.credential.as_str()),
            pairing::database_uuid.eq(&new.database_uuid),
            pairing::previous_database_uuid.eq(&new.previous_database_uuid),
            pairing::last_seen_at.eq(new.last_seen_at),
            pairing::module_version.eq(&new.module_version),
            pairing::last_sync_at.eq(new.last_sync_at),
            pairing::create_date.eq(new.created_at),
        ))
        .execute(connection)?;
    Ok(())
}

/// Ends the pairing, and what its Odoo has answered for people; says whether there was one.
pub fn delete(connection: &mut Connection) -> Result<bool, StoreError> {
    tickets::delete_all(connection)?;
    Ok(diesel::delete(pairing::table.find(1)).execute(connection)? == 1)
}

/// Notes that Odoo has called, with this version of the module.
pub fn set_seen(connection: &mut Connection, module_version: Option<&str>, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(pairing::table.find(1))
        .set((pairing::last_seen_at.eq(at), pairing::module_version.eq(module_version)))
        .execute(connection)?;
    Ok(())
}

/// Binds the pairing to an Odoo database.
pub fn set_database(connection: &mut Connection, uuid: &str) -> Result<(), StoreError> {
    diesel::update(pairing::table.find(1)).set(pairing::database_uuid.eq(uuid)).execute(connection)?;
    Ok(())
}

/// Notes that all users have been compared.
pub fn set_synced(connection: &mut Connection, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(pairing::table.find(1)).set(pairing::last_sync_at.eq(at)).execute(connection)?;
    Ok(())
}

/// Forgets of all users that they came from an Odoo: the next one that comes may be another person's record.
pub fn forget_synced(connection: &mut Connection) -> Result<(), StoreError> {
    diesel::update(user::table.filter(user::password_version.is_not_null()))
        .set((
            user::password_version.eq(None::<i64>),
            user::odoo_create_date.eq(None::<Timestamp>),
            user::synced_as_of.eq(None::<i64>),
        ))
        .execute(connection)?;
    Ok(())
}

/// A user as the paired Odoo has him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OdooUser {
    /// The same there and here.
    pub id: UserId,
    /// What he signs in with.
    pub login: String,
    /// What people call him.
    pub name: String,
    /// Where to write to him.
    pub email: Option<String>,
    /// The language of what he reads.
    pub lang: String,
    /// Where he is.
    pub tz: Option<String>,
    /// Whether he is enabled.
    pub active: bool,
    /// Whether he can't sign in yet.
    pub pending: bool,
    /// Of the groups that are known here, those that he is in by name.
    pub groups: BTreeSet<i64>,
    /// A number that is another one with each new password in Odoo, 0: none since the module is there; as stored, `None`:
    /// he has not come from Odoo yet.
    pub password_version: Option<i64>,
    /// When Odoo made his record; `None`: it does not say.
    pub created_at: Option<Timestamp>,
}

impl OdooUser {
    /// The same, where Odoo says nothing as it was known before.
    #[must_use]
    pub fn over(&self, known: Option<&Self>) -> Self {
        let mut user = self.clone();
        if let Some(known) = known {
            user.created_at = user.created_at.or(known.created_at);
            user.password_version =
                user.password_version.filter(|version| *version != 0).or(known.password_version).or(Some(0));
        }
        user
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = user, check_for_backend(Backend), treat_none_as_null = true)]
struct UserRow {
    id: i64,
    login: String,
    name: String,
    email: Option<String>,
    lang: String,
    tz: Option<String>,
    active: bool,
    state: String,
    password_version: Option<i64>,
    odoo_create_date: Option<Timestamp>,
}

impl UserRow {
    fn of(new: &OdooUser) -> Self {
        Self {
            id: new.id.0,
            login: new.login.clone(),
            name: new.name.clone(),
            email: new.email.clone(),
            lang: new.lang.clone(),
            tz: new.tz.clone(),
            active: new.active,
            state: if new.pending { "pending" } else { "confirmed" }.to_owned(),
            password_version: new.password_version,
            odoo_create_date: new.created_at,
        }
    }
}

/// A user as stored, to be compared with what Odoo says of him.
pub fn find_user(connection: &mut Connection, id: UserId) -> Result<Option<OdooUser>, StoreError> {
    let row: Option<UserRow> = user::table.find(id.0).select(UserRow::as_select()).first(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let groups: Vec<i64> =
        membership::table.filter(membership::uid.eq(id.0)).select(membership::gid).load(connection)?;
    Ok(Some(OdooUser {
        id,
        login: row.login,
        name: row.name,
        email: row.email,
        lang: row.lang,
        tz: row.tz,
        active: row.active,
        pending: row.state == "pending",
        groups: groups.into_iter().collect(),
        password_version: row.password_version,
        created_at: row.odoo_create_date,
    }))
}

/// As of when a user is what he is here, by Odoo's own clock in microseconds; `None`: nobody knows.
pub fn find_as_of(connection: &mut Connection, id: UserId) -> Result<Option<i64>, StoreError> {
    Ok(user::table.find(id.0).select(user::synced_as_of).first::<Option<i64>>(connection).optional()?.flatten())
}

/// Adds a user that came from Odoo; he has no password here.
pub fn insert_user(
    connection: &mut Connection,
    new: &OdooUser,
    as_of: Option<i64>,
    at: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(user::table)
        .values((UserRow::of(new), user::synced_as_of.eq(as_of), user::create_date.eq(at), user::write_date.eq(at)))
        .execute(connection)?;
    dialect::skip_ids(connection, "res_users", new.id.0);
    replace_groups(connection, new)
}

/// Makes a user what Odoo says that he is.
pub fn update_user(
    connection: &mut Connection,
    new: &OdooUser,
    as_of: Option<i64>,
    at: Timestamp,
) -> Result<(), StoreError> {
    diesel::update(user::table.find(new.id.0))
        .set((UserRow::of(new), user::synced_as_of.eq(as_of), user::write_uid.eq(None::<i64>), user::write_date.eq(at)))
        .execute(connection)?;
    replace_groups(connection, new)
}

fn replace_groups(connection: &mut Connection, new: &OdooUser) -> Result<(), StoreError> {
    super::records::replace_links(connection, "res_groups_users_rel", "uid", "gid", new.id.0, &new.groups)
}
