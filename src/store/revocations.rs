//! Revocations: one row each, and the columns that are filled in behind it.

use std::ops::ControlFlow;

use diesel::prelude::*;
use roaring::RoaringBitmap;

use super::connection::{Backend, Connection};
use super::error::StoreError;
use super::schema::{orest_authorization as authorization, orest_authorization_code as code};
use super::schema::{orest_feed as feed, orest_revocation as revocation, res_users as users};
use crate::domain::ids::{RevocationId, UserId};
use crate::domain::revocation::{Act, Channel, InitiatingEntity, Kind, Revocation};
use crate::domain::time::Timestamp;

/// Each may have a set of a million.
const OVERLAPS_AT_A_TIME: i64 = 64;

#[derive(Queryable, Selectable)]
#[diesel(table_name = revocation, check_for_backend(Backend))]
struct Row {
    id: i64,
    sequence: i64,
    kind: String,
    undoes_id: Option<i64>,
    create_date: Timestamp,
    user_id: Option<i64>,
    user_login: String,
    ip_address: Option<String>,
    channel: String,
    initiating_entity: String,
    reason_admin: Option<String>,
    reason_user: Option<String>,
    selection: String,
    requested: i64,
    hides: bool,
    authorization_ids: Vec<u8>,
    already_ids: Option<Vec<u8>>,
}

impl TryFrom<Row> for Revocation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "orest_revocation", column, id: row.id };
        let set = |bytes: &[u8], column| RoaringBitmap::deserialize_from(bytes).map_err(|_| corrupt(column));
        Ok(Self {
            id: RevocationId(row.id),
            sequence: u64::try_from(row.sequence).map_err(|_| corrupt("sequence"))?,
            kind: Kind::parse(&row.kind).ok_or_else(|| corrupt("kind"))?,
            undoes: row.undoes_id.map(RevocationId),
            requested: u64::try_from(row.requested).map_err(|_| corrupt("requested"))?,
            authorizations: set(&row.authorization_ids, "authorization_ids")?,
            already_revoked: set_or_empty(row.already_ids.as_deref(), set)?,
            hides: row.hides,
            act: Act {
                at: row.create_date,
                user: row.user_id.map(UserId),
                login: row.user_login,
                address: row.ip_address.and_then(|address| address.parse().ok()),
                channel: Channel::parse(&row.channel).unwrap_or(Channel::Unknown),
                initiating_entity: InitiatingEntity::parse(&row.initiating_entity)
                    .ok_or_else(|| corrupt("initiating_entity"))?,
                reason_admin: row.reason_admin,
                reason_user: row.reason_user,
                selection: row.selection,
            },
        })
    }
}

fn set_or_empty(
    bytes: Option<&[u8]>,
    read: impl Fn(&[u8], &'static str) -> Result<RoaringBitmap, StoreError>,
) -> Result<RoaringBitmap, StoreError> {
    bytes.map_or_else(|| Ok(RoaringBitmap::new()), |bytes| read(bytes, "already_ids"))
}

fn bytes(set: &RoaringBitmap) -> Vec<u8> {
    let mut set = set.clone();
    // Ids that follow each other, as those of a large selection mostly do, are stored as their ends.
    set.optimize();
    let mut bytes = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut bytes).expect("a vector takes what it is given");
    bytes
}

/// What an act was aimed at and found revoked already. As long as it stands it holds that too.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    /// The act.
    pub id: RevocationId,
    /// Its place in the order of commitment.
    pub sequence: u64,
    /// When it was.
    pub at: Timestamp,
    /// What it found revoked; of an undo, what it has left revoked.
    pub found_revoked: RoaringBitmap,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = revocation, check_for_backend(Backend))]
struct OverlapRow {
    id: i64,
    sequence: i64,
    create_date: Timestamp,
    already_ids: Option<Vec<u8>>,
}

impl TryFrom<OverlapRow> for Overlap {
    type Error = StoreError;

    fn try_from(row: OverlapRow) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: "orest_revocation", column, id: row.id };
        let set = |bytes: &[u8], column| RoaringBitmap::deserialize_from(bytes).map_err(|_| corrupt(column));
        Ok(Self {
            id: RevocationId(row.id),
            sequence: u64::try_from(row.sequence).map_err(|_| corrupt("sequence"))?,
            at: row.create_date,
            found_revoked: set_or_empty(row.already_ids.as_deref(), set)?,
        })
    }
}

/// A new act, before it has a row.
#[derive(Clone, Debug)]
pub struct NewRevocation {
    /// Whether it revokes or undoes.
    pub kind: Kind,
    /// What it undoes.
    pub undoes: Option<RevocationId>,
    /// Who, when, why.
    pub act: Act,
    /// How many authorizations it was aimed at.
    pub requested: u64,
    /// What it revokes, or makes live again.
    pub authorizations: RoaringBitmap,
    /// What it was aimed at but found revoked; for an undo, what stays revoked because a later act wants it so.
    pub already_revoked: RoaringBitmap,
    /// Whether the records go into the waste bin too.
    pub hides: bool,
}

/// Takes the next sequence number and adds the row. Committing it is the revocation.
pub fn insert(connection: &mut Connection, new: NewRevocation) -> Result<Revocation, StoreError> {
    let sequence: i64 = diesel::update(feed::table.find(1))
        .set(feed::sequence.eq(feed::sequence + 1))
        .returning(feed::sequence)
        .get_result(connection)?;
    let count = |set: &RoaringBitmap| i64::try_from(set.len()).expect("a 32-bit set's size fits");
    let already = (!new.already_revoked.is_empty()).then(|| bytes(&new.already_revoked));
    let id: i64 = diesel::insert_into(revocation::table)
        .values((
            (
                revocation::sequence.eq(sequence),
                revocation::kind.eq(new.kind.as_str()),
                revocation::undoes_id.eq(new.undoes.map(|id| id.0)),
                revocation::create_date.eq(new.act.at),
                revocation::user_id.eq(new.act.user.map(|user| user.0)),
                revocation::user_login.eq(&new.act.login),
                revocation::ip_address.eq(new.act.address.map(|address| address.to_string())),
                revocation::channel.eq(new.act.channel.as_str()),
                revocation::initiating_entity.eq(new.act.initiating_entity.as_str()),
            ),
            (
                revocation::reason_admin.eq(new.act.reason_admin.as_deref()),
                revocation::reason_user.eq(new.act.reason_user.as_deref()),
                revocation::selection.eq(&new.act.selection),
                revocation::requested.eq(i64::try_from(new.requested).expect("bounded by the number of ids")),
                revocation::revoked.eq(count(&new.authorizations)),
                revocation::already_revoked.eq(count(&new.already_revoked)),
                revocation::hides.eq(new.hides),
                revocation::authorization_ids.eq(bytes(&new.authorizations)),
                revocation::already_ids.eq(already),
            ),
        ))
        .returning(revocation::id)
        .get_result(connection)?;
    let NewRevocation { kind, undoes, act, requested, authorizations, already_revoked, hides } = new;
    Ok(Revocation {
        id: RevocationId(id),
        sequence: u64::try_from(sequence).expect("counted up from 0"),
        kind,
        undoes,
        act,
        requested,
        authorizations,
        already_revoked,
        hides,
    })
}

/// The act of this row.
pub fn find(connection: &mut Connection, id: RevocationId) -> Result<Option<Revocation>, StoreError> {
    let row = revocation::table.find(id.0).select(Row::as_select()).first(connection).optional()?;
    row.map(Revocation::try_from).transpose()
}

/// The act that took this one back.
pub fn find_undo_of(connection: &mut Connection, id: RevocationId) -> Result<Option<RevocationId>, StoreError> {
    let found: Option<i64> =
        revocation::table.filter(revocation::undoes_id.eq(id.0)).select(revocation::id).first(connection).optional()?;
    Ok(found.map(RevocationId))
}

/// The acts after a sequence number, in order, at most `limit`.
pub fn list_after(connection: &mut Connection, sequence: u64, limit: i64) -> Result<Vec<Revocation>, StoreError> {
    let rows: Vec<Row> = acts_after(sequence).limit(limit).select(Row::as_select()).load(connection)?;
    rows.into_iter().map(Revocation::try_from).collect()
}

/// What the acts after a sequence number that took others back have left revoked, because others stood.
pub fn kept_by_undos(connection: &mut Connection, after: u64) -> Result<RoaringBitmap, StoreError> {
    let mut kept = RoaringBitmap::new();
    let undos = |after| {
        acts_after(after).filter(revocation::kind.eq(Kind::Undo.as_str())).filter(revocation::already_ids.is_not_null())
    };
    for_each_overlap(connection, after, undos, |undo| {
        kept |= undo.found_revoked;
        ControlFlow::Continue(())
    })?;
    Ok(kept)
}

/// Shows each act after a sequence number that revoked, found something revoked already, and has not been taken back; in
/// order, until told to stop.
pub fn for_each_standing_overlap(
    connection: &mut Connection,
    after: u64,
    show: impl FnMut(Overlap) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let overlaps = |after| {
        let undone = diesel::alias!(revocation as undo);
        let undone_ids = undone
            .filter(undone.field(revocation::undoes_id).is_not_null())
            .select(undone.field(revocation::undoes_id).assume_not_null());
        acts_after(after)
            .filter(revocation::kind.eq(Kind::Revoke.as_str()))
            .filter(revocation::already_ids.is_not_null())
            .filter(revocation::id.ne_all(undone_ids))
    };
    for_each_overlap(connection, after, overlaps, show)
}

/// Whether an act was taken back after a sequence number.
pub fn has_undo_after(connection: &mut Connection, sequence: u64) -> Result<bool, StoreError> {
    let undos = acts_after(sequence).filter(revocation::kind.eq(Kind::Undo.as_str()));
    Ok(undos.select(revocation::id).first::<i64>(connection).optional()?.is_some())
}

/// The log is long and a set may be large: a few at a time.
fn for_each_overlap<'a>(
    connection: &mut Connection,
    after: u64,
    acts: impl Fn(u64) -> revocation::BoxedQuery<'a, Backend>,
    mut show: impl FnMut(Overlap) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut after = after;
    loop {
        let page = acts(after).limit(OVERLAPS_AT_A_TIME).select(OverlapRow::as_select()).load(connection)?;
        if page.is_empty() {
            return Ok(());
        }
        for row in page {
            let overlap = Overlap::try_from(row)?;
            after = overlap.sequence;
            if show(overlap).is_break() {
                return Ok(());
            }
        }
    }
}

fn acts_after<'a>(sequence: u64) -> revocation::BoxedQuery<'a, Backend> {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    revocation::table.filter(revocation::sequence.gt(sequence)).order(revocation::sequence).into_boxed()
}

/// Whether an act through this door with this selection was committed since.
pub fn has_act(
    connection: &mut Connection,
    channel: Channel,
    selection: &str,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let found = revocation::table
        .filter(revocation::create_date.ge(since))
        .filter(revocation::channel.eq(channel.as_str()).and(revocation::selection.eq(selection)))
        .select(revocation::id)
        .first::<i64>(connection)
        .optional()?;
    Ok(found.is_some())
}

/// All that a user's acts since were aimed at, and the newest of them.
pub fn list_aims_of(
    connection: &mut Connection,
    user: UserId,
    since: Timestamp,
) -> Result<(RoaringBitmap, Option<Revocation>), StoreError> {
    let rows: Vec<Row> = revocation::table
        .filter(revocation::create_date.ge(since))
        .filter(revocation::user_id.eq(user.0).and(revocation::kind.eq(Kind::Revoke.as_str())))
        .order(revocation::sequence)
        .select(Row::as_select())
        .load(connection)?;
    let (mut aims, mut newest) = (RoaringBitmap::new(), None);
    for row in rows {
        let act = Revocation::try_from(row)?;
        aims |= &act.authorizations | &act.already_revoked;
        newest = Some(act);
    }
    Ok((aims, newest))
}

/// The last sequence number, and the last one whose columns are filled in.
pub fn feed(connection: &mut Connection) -> Result<(u64, u64), StoreError> {
    let (sequence, filled): (i64, i64) =
        feed::table.find(1).select((feed::sequence, feed::filled_sequence)).first(connection)?;
    let read = |value: i64, column| {
        u64::try_from(value).map_err(|_| StoreError::Corrupt { table: "orest_feed", column, id: 1 })
    };
    Ok((read(sequence, "sequence")?, read(filled, "filled_sequence")?))
}

/// The service's UUID, which goes along when the data move to another database.
pub fn service_uuid(connection: &mut Connection) -> Result<String, StoreError> {
    Ok(feed::table.find(1).select(feed::service_uuid).first(connection)?)
}

/// Whether all acts are filled in. Other changes take sequence numbers too, and have nothing to fill in.
pub fn is_filled(connection: &mut Connection) -> Result<bool, StoreError> {
    let (_, filled) = feed(connection)?;
    let next: Option<i64> = acts_after(filled).select(revocation::sequence).first(connection).optional()?;
    Ok(next.is_none())
}

/// Notes that all acts up to this one are filled in.
pub fn set_filled(connection: &mut Connection, sequence: u64) -> Result<(), StoreError> {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    diesel::update(feed::table.find(1)).set(feed::filled_sequence.eq(sequence)).execute(connection)?;
    Ok(())
}

/// Fills in the columns of some of an act's authorizations: what it revoked, or made live again.
pub fn fill(connection: &mut Connection, act: &Revocation, ids: &[u32]) -> Result<(), StoreError> {
    let ids: Vec<i64> = ids.iter().copied().map(i64::from).collect();
    // The act outlives who did it; the columns don't name who is gone.
    let by: Option<i64> = match act.act.user {
        Some(user) => users::table.find(user.0).select(users::id).first(connection).optional()?,
        None => None,
    };
    match act.kind {
        Kind::Revoke => {
            diesel::update(authorization::table.filter(authorization::id.eq_any(&ids)))
                .set((
                    authorization::revoked_at.eq(act.act.at),
                    authorization::revocation_id.eq(act.id.0),
                    authorization::write_date.eq(act.act.at),
                    authorization::write_uid.eq(by),
                ))
                .execute(connection)?;
            diesel::update(code::table.filter(code::authorization_id.eq_any(&ids).and(code::active.eq(true))))
                .set((code::active.eq(false), code::write_date.eq(act.act.at)))
                .execute(connection)?;
        }
        Kind::Undo => {
            diesel::update(authorization::table.filter(authorization::id.eq_any(&ids)))
                .set((
                    authorization::active.eq(true),
                    authorization::revoked_at.eq(None::<Timestamp>),
                    authorization::revocation_id.eq(None::<i64>),
                    authorization::write_date.eq(act.act.at),
                    authorization::write_uid.eq(by),
                ))
                .execute(connection)?;
        }
    }
    if act.hides {
        hide(connection, &ids)?;
    }
    Ok(())
}

/// Throws records in the waste bin.
pub fn hide(connection: &mut Connection, ids: &[i64]) -> Result<(), StoreError> {
    diesel::update(authorization::table.filter(authorization::id.eq_any(ids)))
        .set(authorization::active.eq(false))
        .execute(connection)?;
    Ok(())
}

/// Lets records name another act as the one that revoked them: the first one has been taken back, this one stands.
pub fn reassign(connection: &mut Connection, act: RevocationId, at: Timestamp, ids: &[u32]) -> Result<(), StoreError> {
    let ids: Vec<i64> = ids.iter().copied().map(i64::from).collect();
    diesel::update(authorization::table.filter(authorization::id.eq_any(&ids)))
        .set((authorization::revoked_at.eq(at), authorization::revocation_id.eq(act.0)))
        .execute(connection)?;
    Ok(())
}
