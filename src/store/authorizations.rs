//! Authorizations: rows for tokens to name.

use diesel::prelude::*;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::moment::Moment;
use super::schema::{orest_authorization as authorization, orest_revocation as revocation};
use crate::domain::authorization::{Authorization, AuthorizationState, GrantType, NewAuthorization};
use crate::domain::ids::{ApplicationId, AuthorizationId, DeviceId, RevocationId, UserId};
use crate::domain::revocation::Channel;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::domain::token::Generation;
use crate::limits;

#[derive(Queryable, Selectable)]
#[diesel(table_name = authorization, check_for_backend(Backend))]
struct Row {
    id: i64,
    application_id: i64,
    user_id: Option<i64>,
    device_id: Option<i64>,
    grant_type: String,
    scope: String,
    generation: i64,
    last_refreshed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    revocation_id: Option<i64>,
    create_date: Timestamp,
}

impl TryFrom<Row> for Authorization {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "orest_authorization", column, id: row.id };
        let generation = Generation(u32::try_from(row.generation).map_err(|_| corrupt("generation"))?);
        let state = match (row.revoked_at, row.revocation_id) {
            (None, None) => AuthorizationState::Live { generation },
            (Some(at), Some(by)) => AuthorizationState::Revoked { at, by: RevocationId(by) },
            _ => return Err(corrupt("revoked_at")),
        };
        Ok(Self {
            id: AuthorizationId(row.id),
            application: ApplicationId(row.application_id),
            user: row.user_id.map(UserId),
            device: row.device_id.map(DeviceId),
            grant: GrantType::parse(&row.grant_type).ok_or_else(|| corrupt("grant_type"))?,
            scope: Scope::parse(&row.scope).map_err(|_| corrupt("scope"))?,
            state,
            generation,
            last_refreshed_at: row.last_refreshed_at,
            expires_at: row.expires_at,
            created_at: row.create_date,
        })
    }
}

/// What the live state keeps of a row; see [`crate::live`].
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = authorization, check_for_backend(Backend))]
pub struct SlotRow {
    /// Its row.
    pub id: i64,
    /// Who may act.
    pub application_id: i64,
    /// For whom.
    pub user_id: Option<i64>,
    /// From where.
    pub device_id: Option<i64>,
    /// What was granted.
    pub scope: String,
    /// Which refresh token is current.
    pub generation: i64,
    /// By which act it was taken back, as far as that is filled in.
    pub revocation_id: Option<i64>,
    /// When it was made.
    #[diesel(deserialize_as = Moment)]
    pub create_date: Timestamp,
}

/// The authorization of this row.
pub fn find(connection: &mut Connection, id: AuthorizationId) -> Result<Option<Authorization>, StoreError> {
    let row = authorization::table.find(id.0).select(Row::as_select()).first(connection).optional()?;
    row.map(Authorization::try_from).transpose()
}

/// What the live state keeps of one row.
pub fn find_slot(connection: &mut Connection, id: AuthorizationId) -> Result<Option<SlotRow>, StoreError> {
    Ok(authorization::table.find(id.0).select(SlotRow::as_select()).first(connection).optional()?)
}

/// The largest id, or 0.
pub fn find_last_id(connection: &mut Connection) -> Result<i64, StoreError> {
    let last: Option<i64> = authorization::table.select(diesel::dsl::max(authorization::id)).first(connection)?;
    Ok(last.unwrap_or(0))
}

/// What the live state keeps of the rows after `after` up to `last`, in their order, at most `limit`.
pub fn list_slots(connection: &mut Connection, after: i64, last: i64, limit: i64) -> Result<Vec<SlotRow>, StoreError> {
    Ok(authorization::table
        .filter(authorization::id.gt(after).and(authorization::id.le(last)))
        .order(authorization::id)
        .limit(limit)
        .select(SlotRow::as_select())
        .load(connection)?)
}

/// What the live state keeps of these rows; at most some 30,000 at a time.
pub fn list_slots_of(connection: &mut Connection, ids: &[i64]) -> Result<Vec<SlotRow>, StoreError> {
    Ok(authorization::table.filter(authorization::id.eq_any(ids)).select(SlotRow::as_select()).load(connection)?)
}

/// The newest authorization of an application in its own name with this scope that no act has taken back.
pub fn find_client_credentials(
    connection: &mut Connection,
    application: ApplicationId,
    scope: &Scope,
) -> Result<Option<Authorization>, StoreError> {
    let row = authorization::table
        .filter(authorization::application_id.eq(application.0))
        .filter(authorization::grant_type.eq(GrantType::ClientCredentials.as_str()))
        .filter(authorization::scope.eq(scope.to_string()))
        .filter(authorization::revocation_id.is_null())
        .order(authorization::id.desc())
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Authorization::try_from).transpose()
}

/// The newest gateway session of a user on a device, revoked or not.
pub fn find_gateway_session(
    connection: &mut Connection,
    application: ApplicationId,
    user: UserId,
    device: DeviceId,
) -> Result<Option<Authorization>, StoreError> {
    let row = authorization::table
        .filter(authorization::device_id.eq(device.0).and(authorization::user_id.eq(user.0)))
        .filter(authorization::application_id.eq(application.0))
        .filter(authorization::grant_type.eq(GrantType::Gateway.as_str()))
        .order(authorization::id.desc())
        .select(Row::as_select())
        .first(connection)
        .optional()?;
    row.map(Authorization::try_from).transpose()
}

/// When somebody last revoked a gateway session of the user; that he signed out himself is none of it.
pub fn find_gateway_revoked_at(connection: &mut Connection, user: UserId) -> Result<Option<Timestamp>, StoreError> {
    let by_others = revocation::channel.ne(Channel::SignOut.as_str());
    Ok(authorization::table
        .inner_join(revocation::table.on(authorization::revocation_id.eq(revocation::id.nullable())))
        .filter(authorization::user_id.eq(user.0).and(authorization::grant_type.eq(GrantType::Gateway.as_str())))
        .filter(by_others)
        .select(diesel::dsl::max(authorization::revoked_at))
        .first(connection)?)
}

/// The gateway sessions of a user whose end is not filled in: most of them are live.
pub fn list_unrevoked_gateway_ids(connection: &mut Connection, user: UserId) -> Result<Vec<i64>, StoreError> {
    Ok(authorization::table
        .filter(authorization::user_id.eq(user.0).and(authorization::grant_type.eq(GrantType::Gateway.as_str())))
        .filter(authorization::revocation_id.is_null())
        .select(authorization::id)
        .load(connection)?)
}

/// The ids of the rows that match, from `after` on.
pub fn list_ids(connection: &mut Connection, of: Owner<'_>, after: i64) -> Result<Vec<i64>, StoreError> {
    let rows = || authorization::table.filter(authorization::id.gt(after)).select(authorization::id);
    let mut ids = Vec::new();
    match of {
        Owner::Users(users) => {
            for some in users.chunks(limits::IDS_IN_A_STATEMENT) {
                let some: Vec<i64> = some.iter().map(|id| id.0).collect();
                ids.extend(rows().filter(authorization::user_id.eq_any(some)).load::<i64>(connection)?);
            }
        }
        Owner::UserTokens(id) => {
            let tokens = authorization::grant_type.ne(GrantType::Gateway.as_str());
            ids = rows().filter(authorization::user_id.eq(id.0).and(tokens)).load(connection)?;
        }
        Owner::Application(id) => ids = rows().filter(authorization::application_id.eq(id.0)).load(connection)?,
        Owner::UserOfApplication(user, application) => {
            let both = authorization::user_id.eq(user.0).and(authorization::application_id.eq(application.0));
            ids = rows().filter(both).load(connection)?;
        }
        Owner::Devices(devices) => {
            for some in devices.chunks(limits::IDS_IN_A_STATEMENT) {
                let some: Vec<i64> = some.iter().map(|id| id.0).collect();
                ids.extend(rows().filter(authorization::device_id.eq_any(some)).load::<i64>(connection)?);
            }
        }
    }
    Ok(ids)
}

/// Whose authorizations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// Those that act for one of these users.
    Users(&'a [UserId]),
    /// Those that act for a user, without gateway sessions.
    UserTokens(UserId),
    /// Those of an application.
    Application(ApplicationId),
    /// Those of an application that act for this user.
    UserOfApplication(UserId, ApplicationId),
    /// Those from one of these devices.
    Devices(&'a [DeviceId]),
}

/// Adds a row.
pub fn insert(
    connection: &mut Connection,
    new: &NewAuthorization,
    at: Timestamp,
) -> Result<AuthorizationId, StoreError> {
    let uid = new.user.map(|user| user.0);
    let id: i64 = diesel::insert_into(authorization::table)
        .values((
            authorization::active.eq(true),
            authorization::application_id.eq(new.application.0),
            authorization::user_id.eq(uid),
            authorization::device_id.eq(new.device.map(|device| device.0)),
            authorization::grant_type.eq(new.grant.as_str()),
            authorization::scope.eq(new.scope.to_string()),
            authorization::redirect_uri.eq(new.redirect_uri.as_deref()),
            authorization::generation.eq(0),
            authorization::expires_at.eq(new.expires_at),
            authorization::create_uid.eq(uid),
            authorization::create_date.eq(at),
            authorization::write_uid.eq(uid),
            authorization::write_date.eq(at),
        ))
        .returning(authorization::id)
        .get_result(connection)?;
    Ok(AuthorizationId(id))
}

/// Moves on to the next generation if `from` is the current one. Says whether it was. Whether the authorization is revoked is
/// no question here: its columns may say so still although it was made live again, or not yet although it is.
pub fn advance_generation(
    connection: &mut Connection,
    id: AuthorizationId,
    from: Generation,
    at: Timestamp,
    expires_at: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let affected =
        diesel::update(authorization::table.find(id.0).filter(authorization::generation.eq(i64::from(from.0))))
            .set((
                authorization::generation.eq(authorization::generation + 1),
                authorization::last_refreshed_at.eq(at),
                authorization::expires_at.eq(expires_at),
                authorization::write_date.eq(at),
            ))
            .execute(connection)?;
    Ok(affected == 1)
}

/// Sets when its last token ends.
pub fn set_expires_at(
    connection: &mut Connection,
    id: AuthorizationId,
    at: Option<Timestamp>,
) -> Result<(), StoreError> {
    diesel::update(authorization::table.find(id.0)).set(authorization::expires_at.eq(at)).execute(connection)?;
    Ok(())
}

/// Sets when they were last used, which is quicker the more of them were at the same time.
pub fn set_last_used(connection: &mut Connection, used: &[(AuthorizationId, Timestamp)]) -> Result<(), StoreError> {
    for together in used.chunk_by(|one, next| one.1 == next.1) {
        let at = together[0].1;
        let ids = together.iter().map(|(id, _)| id.0);
        // Another node may have noted a later one.
        let earlier = authorization::last_used_at.is_null().or(authorization::last_used_at.lt(at));
        diesel::update(authorization::table.filter(authorization::id.eq_any(ids).and(earlier)))
            .set(authorization::last_used_at.eq(at))
            .execute(connection)?;
    }
    Ok(())
}
