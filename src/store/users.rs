//! Users and their groups.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use super::connection::{Backend, Connection};
use super::dialect;
use super::error::StoreError;
use super::moment::Moment;
use super::schema::{orest_identity as identity, res_groups_users_rel as membership, res_users as user};
use crate::domain::identity::LOCAL_USERPASS;
use crate::domain::ids::UserId;
use crate::domain::time::{self, Timestamp};
use crate::domain::user::{Group, GroupSet};

/// A user as stored, without his password. Many are kept in memory, so he is small: his texts are one allocation, which also holds
/// those that occur with many, because a language's five letters are shorter than a pointer to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His row.
    pub id: UserId,
    /// Login, name, language, time zone, and the e-mail address if it is kept apart; one behind the other.
    texts: Box<str>,
    /// Where each of them ends, but the last.
    ends: [u32; 4],
    /// See [`Self::write_date`], in seconds since 1970.
    written: u32,
    /// What he may do.
    pub groups: GroupSet,
    email: Email,
    /// Whether he is enabled.
    pub active: bool,
    /// Whether he has registered but can't sign in yet.
    pub pending: bool,
    /// Whether he is who has this number in the paired Odoo. One whom Odoo hasn't told us of may be somebody else there.
    pub from_odoo: bool,
}

/// What is kept of an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Email {
    None,
    /// It is the login, as with most people.
    Login,
    Apart,
}

/// What a user's row says in words.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// See [`User::login`].
    pub login: &'a str,
    /// See [`User::name`].
    pub name: &'a str,
    /// See [`User::email`].
    pub email: Option<&'a str>,
    /// See [`User::lang`].
    pub lang: &'a str,
    /// See [`User::tz`].
    pub tz: Option<&'a str>,
}

impl User {
    /// One who is enabled, and not of Odoo.
    pub fn new(id: UserId, words: Words<'_>, groups: GroupSet, write_date: Timestamp) -> Self {
        let (email, apart) = match words.email {
            None => (Email::None, ""),
            Some(email) if email == words.login => (Email::Login, ""),
            Some(email) => (Email::Apart, email),
        };
        let texts = [words.login, words.name, words.lang, words.tz.unwrap_or(""), apart];
        let mut end = 0;
        let ends = texts.map(|text| {
            end += text.len();
            u32::try_from(end).expect("neither database has rows of 4 GB")
        });
        Self {
            id,
            texts: texts.concat().into_boxed_str(),
            ends: [ends[0], ends[1], ends[2], ends[3]],
            written: u32::try_from(time::unix(write_date).max(0)).unwrap_or(u32::MAX),
            groups,
            email,
            active: true,
            pending: false,
            from_odoo: false,
        }
    }

    /// Whether he may sign in, and others act for him.
    pub const fn may_act(&self) -> bool {
        self.active && !self.pending
    }

    /// What he signs in with.
    pub fn login(&self) -> &str {
        self.text(0)
    }

    /// What people call him.
    pub fn name(&self) -> &str {
        self.text(1)
    }

    /// Where to write to him.
    pub fn email(&self) -> Option<&str> {
        match self.email {
            Email::None => None,
            Email::Login => Some(self.login()),
            Email::Apart => Some(self.text(4)),
        }
    }

    /// The language of what he reads.
    pub fn lang(&self) -> &str {
        self.text(2)
    }

    /// Where he is.
    pub fn tz(&self) -> Option<&str> {
        Some(self.text(3)).filter(|tz| !tz.is_empty())
    }

    /// When his record last changed.
    pub fn write_date(&self) -> Timestamp {
        time::from_unix(i64::from(self.written))
    }

    fn text(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let end = self.ends.get(place).map_or(self.texts.len(), |end| *end as usize);
        &self.texts[start..end]
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = user, check_for_backend(Backend))]
struct Row {
    id: i64,
    login: String,
    name: String,
    email: Option<String>,
    lang: String,
    tz: Option<String>,
    active: bool,
    state: String,
    #[diesel(deserialize_as = Moment)]
    write_date: Timestamp,
    password_version: Option<i64>,
}

fn complete(connection: &mut Connection, row: Row) -> Result<User, StoreError> {
    let groups: Vec<i64> =
        membership::table.filter(membership::uid.eq(row.id)).select(membership::gid).load(connection)?;
    Ok(row.with(groups.into_iter()))
}

impl Row {
    fn with(self, groups: impl Iterator<Item = i64>) -> User {
        let words = Words {
            login: &self.login,
            name: &self.name,
            email: self.email.as_deref(),
            lang: &self.lang,
            tz: self.tz.as_deref(),
        };
        let groups = GroupSet::closure(groups.filter_map(Group::from_id));
        User {
            active: self.active,
            pending: self.state == "pending",
            from_odoo: self.password_version.is_some(),
            ..User::new(UserId(self.id), words, groups, self.write_date)
        }
    }
}

/// The users after `after`, in the order of their rows, at most `limit`.
pub fn list(connection: &mut Connection, after: UserId, limit: i64) -> Result<Vec<User>, StoreError> {
    let rows: Vec<Row> = user::table
        .filter(user::id.gt(after.0))
        .order(user::id)
        .limit(limit)
        .select(Row::as_select())
        .load(connection)?;
    let Some(last) = rows.last().map(|row| row.id) else { return Ok(Vec::new()) };
    let groups: Vec<(i64, i64)> = membership::table
        .filter(membership::uid.gt(after.0).and(membership::uid.le(last)))
        .order(membership::uid)
        .select((membership::uid, membership::gid))
        .load(connection)?;
    let mut groups = groups.into_iter().peekable();
    let users = rows.into_iter().map(|row| {
        let id = row.id;
        row.with(std::iter::from_fn(|| groups.next_if(|(uid, _)| *uid <= id).map(|(_, gid)| gid)))
    });
    Ok(users.collect())
}

/// The user of this row.
pub fn find(connection: &mut Connection, id: UserId) -> Result<Option<User>, StoreError> {
    let row = user::table.find(id.0).select(Row::as_select()).first(connection).optional()?;
    row.map(|row| complete(connection, row)).transpose()
}

/// The user of this login, character by character, and the hash of his password.
pub fn find_by_login(connection: &mut Connection, login: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
    if !dialect::is_storable(login) {
        return Ok(None);
    }
    let found: Option<(Row, Option<String>)> = user::table
        .filter(user::login.eq(login))
        .select((Row::as_select(), user::password))
        .first(connection)
        .optional()?;
    found.map(|(row, password)| Ok((complete(connection, row)?, password))).transpose()
}

/// The hash of a user's password.
pub fn find_password(connection: &mut Connection, id: UserId) -> Result<Option<String>, StoreError> {
    Ok(user::table.find(id.0).select(user::password).first::<Option<String>>(connection).optional()?.flatten())
}

/// A new user.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// What he signs in with.
    pub login: &'a str,
    /// What people call him.
    pub name: &'a str,
    /// Where to write to him.
    pub email: Option<&'a str>,
    /// Of his password.
    pub password_hash: Option<&'a str>,
    /// `pending` or `confirmed`.
    pub state: &'a str,
    /// What he may do.
    pub groups: &'a [Group],
}

/// Adds a user.
pub fn insert(
    connection: &mut Connection,
    new: &NewUser<'_>,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<UserId, StoreError> {
    let by = by.map(|by| by.0);
    let id: i64 = diesel::insert_into(user::table)
        .values((
            user::login.eq(new.login),
            user::name.eq(new.name),
            user::email.eq(new.email),
            user::active.eq(true),
            user::lang.eq("en_US"),
            user::state.eq(new.state),
            user::password.eq(new.password_hash),
            user::create_uid.eq(by),
            user::create_date.eq(at),
            user::write_uid.eq(by),
            user::write_date.eq(at),
        ))
        .returning(user::id)
        .get_result(connection)?;
    for group in new.groups {
        diesel::insert_into(membership::table)
            .values((membership::uid.eq(id), membership::gid.eq(group.id())))
            .execute(connection)?;
    }
    Ok(UserId(id))
}

/// How many users there are.
pub fn count(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(user::table.count().get_result(connection)?)
}

/// Who is enabled, confirmed and in this group by name.
pub fn list_acting_in(connection: &mut Connection, group: Group) -> Result<Vec<i64>, StoreError> {
    Ok(membership::table
        .inner_join(user::table.on(user::id.eq(membership::uid)))
        .filter(membership::gid.eq(group.id()).and(user::active.eq(true)).and(user::state.eq("confirmed")))
        .select(user::id)
        .load(connection)?)
}

/// How many users are enabled, confirmed and in this group by name.
pub fn count_acting_in(connection: &mut Connection, group: Group) -> Result<usize, StoreError> {
    Ok(list_acting_in(connection, group)?.len())
}

/// Stores the hash of a new password; `None`: no sign-in by password.
pub fn set_password(
    connection: &mut Connection,
    id: UserId,
    hash: Option<&str>,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let affected = diesel::update(user::table.find(id.0))
        .set((user::password.eq(hash), user::write_date.eq(at), user::write_uid.eq(by.map(|by| by.0))))
        .execute(connection)?;
    Ok(affected == 1)
}

/// Notes a sign-in.
pub fn set_login_date(connection: &mut Connection, id: UserId, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(user::table.find(id.0)).set(user::login_date.eq(at)).execute(connection)?;
    Ok(())
}

diesel::define_sql_function! {
    /// ASCII in small letters: both databases agree on no more.
    fn lower(text: Nullable<Text>) -> Nullable<Text>;
}

/// Who is known by an address, however it is capitalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownByAddress {
    /// Whose login it is: nobody's but one's, where capitals don't tell two logins apart.
    pub login: Vec<UserId>,
    /// Whose e-mail address it is: in Odoo everybody sets his own.
    pub email: Vec<UserId>,
}

/// Who is known by an address.
pub fn find_by_address(connection: &mut Connection, address: &str) -> Result<KnownByAddress, StoreError> {
    if !dialect::is_storable(address) {
        return Ok(KnownByAddress::default());
    }
    let address = address.to_ascii_lowercase();
    let by_login = user::table.filter(lower(user::login.nullable()).eq(&address));
    let login: Vec<i64> = by_login.order(user::id).select(user::id).load(connection)?;
    let by_email = user::table.filter(user::email.is_not_null().and(lower(user::email).eq(&address)));
    let email: Vec<i64> = by_email.order(user::id).select(user::id).load(connection)?;
    let ids = |ids: Vec<i64>| ids.into_iter().map(UserId).collect();
    Ok(KnownByAddress { login: ids(login), email: ids(email) })
}

/// Whose login this is, character by character.
pub fn find_id_by_login(connection: &mut Connection, login: &str) -> Result<Option<UserId>, StoreError> {
    if !dialect::is_storable(login) {
        return Ok(None);
    }
    let id = user::table.filter(user::login.eq(login)).select(user::id).first::<i64>(connection).optional()?;
    Ok(id.map(UserId))
}

/// Gives a user another login, which nobody may have, and his identity by password with it.
pub fn set_login(connection: &mut Connection, id: UserId, login: &str) -> Result<(), StoreError> {
    diesel::update(user::table.find(id.0)).set(user::login.eq(login)).execute(connection)?;
    let local = identity::provider.eq(LOCAL_USERPASS);
    // An identity is a note of how somebody signs in. Whoever has the login has it too.
    let others = identity::table.filter(local.and(identity::subject.eq(login)).and(identity::user_id.ne(id.0)));
    diesel::delete(others).execute(connection)?;
    diesel::update(identity::table.filter(local.and(identity::user_id.eq(id.0))))
        .set(identity::subject.eq(login))
        .execute(connection)?;
    Ok(())
}

/// Deletes a user and all that is his alone; what others linked stays. Says whether he was there.
pub fn delete(connection: &mut Connection, id: UserId) -> Result<bool, StoreError> {
    Ok(diesel::delete(user::table.find(id.0)).execute(connection)? == 1)
}

/// All users.
pub fn list_ids(connection: &mut Connection) -> Result<Vec<i64>, StoreError> {
    Ok(user::table.select(user::id).order(user::id).load(connection)?)
}

/// Enables or disables a user.
pub fn set_active(connection: &mut Connection, id: UserId, active: bool, at: Timestamp) -> Result<bool, StoreError> {
    let affected = diesel::update(user::table.find(id.0))
        .set((user::active.eq(active), user::write_date.eq(at)))
        .execute(connection)?;
    Ok(affected == 1)
}

/// Removes the identity by password of a user who has none any more.
pub fn delete_local_identity(connection: &mut Connection, id: UserId) -> Result<(), StoreError> {
    let own = identity::user_id.eq(id.0).and(identity::provider.eq(LOCAL_USERPASS));
    diesel::delete(identity::table.filter(own)).execute(connection)?;
    Ok(())
}

/// Adds an identity: how a user signs in.
pub fn insert_identity(
    connection: &mut Connection,
    id: UserId,
    provider: &str,
    subject: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(identity::table)
        .values((
            identity::user_id.eq(id.0),
            identity::provider.eq(provider),
            identity::subject.eq(subject),
            identity::create_uid.eq(id.0),
            identity::create_date.eq(at),
            identity::write_uid.eq(id.0),
            identity::write_date.eq(at),
        ))
        .execute(connection)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(login: &str, name: &str, email: Option<&str>, lang: &str, tz: Option<&str>) -> User {
        let row = Row {
            id: 7,
            login: login.to_owned(),
            name: name.to_owned(),
            email: email.map(str::to_owned),
            lang: lang.to_owned(),
            tz: tz.map(str::to_owned),
            active: true,
            state: "confirmed".to_owned(),
            write_date: time::from_unix(1_800_000_000),
            password_version: None,
        };
        row.with(std::iter::empty())
    }

    /// With the two numbers of an `Arc` and the one of the allocator that is 80 bytes. Eight more would be 96: there are a hundred thousand.
    #[test]
    fn a_user_is_small() {
        assert_eq!(size_of::<User>(), 56);
        let address = "alice@example.com";
        assert_eq!(user(address, "Alice", Some(address), "en_US", None).texts.len(), address.len() + 10, "kept once");
    }

    #[test]
    fn each_text_is_found_again() {
        let names = ["", "Alice", "Zoë Müller", "x\0y"];
        let emails = [None, Some(""), Some("alice"), Some("Alice"), Some("alice@example.com")];
        for login in ["alice", "é", "a\0b"] {
            for (name, email) in names.iter().flat_map(|name| emails.map(|email| (*name, email))) {
                for tz in [None, Some("Europe/Berlin")] {
                    let user = user(login, name, email, "de_DE", tz);
                    let got = (user.login(), user.name(), user.email(), user.lang(), user.tz());
                    assert_eq!(got, (login, name, email, "de_DE", tz));
                    assert_eq!(user.write_date(), time::from_unix(1_800_000_000));
                }
            }
        }
    }
}
