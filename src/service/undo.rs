//! Undo: an administrator takes back what he has revoked, within its time. An act like those that revoke.

use std::ops::ControlFlow;

use roaring::RoaringBitmap;

use super::revoke::write_down_in;
use super::{Context, Error, Service};
use crate::domain::ids::RevocationId;
use crate::domain::revocation::{Act, InitiatingEntity, Kind, Receipt, Revocation};
use crate::domain::time::{Timestamp, unix};
use crate::limits;
use crate::store::revocations::{self, NewRevocation};
use crate::store::{Connection, StoreError, Tx};

impl Service {
    /// Takes an act back, within its time. Only an administrator, and only his own; never reuse, RFC 7009, disable or
    /// delete. What another act that stands was aimed at too stays revoked.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], and [`Error::Conflict`] when its time is over or it was taken back before.
    pub async fn undo(&self, context: &Context, id: RevocationId, reason: Option<String>) -> Result<Receipt, Error> {
        if !context.actor.is_orest_admin() {
            return Err(Error::Forbidden("only an administrator may take back a revocation".to_owned()));
        }
        // The log may be long: it is read before everybody else's writes have to wait for this one.
        let look = move |connection: &mut Connection| match revocations::find(connection, id)? {
            Some(act) => Holdings::of(connection, &act).map(Some),
            None => Ok(None),
        };
        let holdings = self.store.read(look).await?;
        let service = self.clone();
        let context = context.clone();
        let work = move |tx: &mut Tx<'_>| service.undo_in(tx, &context, id, reason, holdings);
        let (receipt, settlement) = self.write_settled(work).await?;
        Ok(receipt.settled(&settlement))
    }

    fn undo_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        id: RevocationId,
        reason: Option<String>,
        holdings: Option<Holdings>,
    ) -> Result<Receipt, Error> {
        let missing = Error::NotFound { model: "orest.revocation", id: id.0 };
        let undone = revocations::find(tx.connection, id)?.ok_or(missing)?;
        let now = self.now();
        if undone.kind == Kind::Undo {
            return Err(Error::Conflict("an undo can't be undone; revoke again instead".to_owned()));
        }
        if undone.act.user != context.actor.user || undone.act.user.is_none() {
            return Err(Error::Forbidden("only who revoked may take it back".to_owned()));
        }
        if !undone.act.channel.can_undo() {
            return Err(Error::Forbidden(format!(
                "a revocation through {} can't be taken back; the application must ask for access anew",
                undone.act.channel.as_str()
            )));
        }
        if revocations::find_undo_of(tx.connection, id)?.is_some() {
            return Err(Error::Conflict("this revocation has been taken back already".to_owned()));
        }
        if unix(now) - unix(undone.act.at) > i64::try_from(limits::UNDO_WINDOW.as_secs()).unwrap_or(i64::MAX) {
            let minutes = limits::UNDO_WINDOW.as_secs() / 60;
            return Err(Error::Conflict(format!(
                "a revocation can be taken back for {minutes} minutes; that time is over"
            )));
        }
        let Holdings { held, kept, .. } = match holdings {
            Some(mut known) if !revocations::has_undo_after(tx.connection, known.as_of)? => {
                let as_of = known.as_of;
                known.keep(tx.connection, &undone, as_of)?;
                known
            }
            _ => Holdings::of(tx.connection, &undone)?,
        };
        let restored = held - &kept;
        let act = Act {
            at: now,
            user: context.actor.user,
            login: context.actor.login.clone(),
            address: context.address,
            channel: context.channel,
            initiating_entity: InitiatingEntity::Admin,
            reason_admin: reason,
            reason_user: None,
            selection: format!("revocation {id}"),
        };
        tx.note_restored(&restored);
        let new = NewRevocation {
            kind: Kind::Undo,
            undoes: Some(id),
            act,
            requested: restored.len() + kept.len(),
            authorizations: restored,
            already_revoked: kept,
            hides: false,
        };
        Ok(write_down_in(tx, new)?)
    }

    /// When an act can no longer be taken back.
    pub fn undo_until(&self, at: Timestamp) -> Timestamp {
        at + limits::UNDO_WINDOW
    }
}

/// What an act that is to be taken back holds, and what of that others hold too: an authorization is revoked as long as any
/// act stands that named it.
struct Holdings {
    /// The last change that is in it.
    as_of: u64,
    /// What the act revoked itself, and what it found revoked by an act that has been taken back since.
    held: RoaringBitmap,
    /// What of it others hold too.
    kept: RoaringBitmap,
}

impl Holdings {
    fn of(connection: &mut Connection, act: &Revocation) -> Result<Self, StoreError> {
        let (as_of, _) = revocations::feed(connection)?;
        let mut holdings = Self { as_of, held: act.authorizations.clone(), kept: RoaringBitmap::new() };
        // What it revoked was live then: only later acts can hold it too.
        let mut after = act.sequence;
        if !act.already_revoked.is_empty() {
            let inherited = revocations::kept_by_undos(connection, after)? & &act.already_revoked;
            if !inherited.is_empty() {
                // Any act since it was first revoked may, and that can have been handed on more than once.
                after = 0;
                holdings.held |= inherited;
            }
        }
        holdings.keep(connection, act, after)?;
        Ok(holdings)
    }

    /// Notes what the acts after `after` hold too.
    fn keep(&mut self, connection: &mut Connection, act: &Revocation, after: u64) -> Result<(), StoreError> {
        revocations::for_each_standing_overlap(connection, after, |other| {
            if other.id != act.id {
                self.kept |= other.found_revoked & &self.held;
            }
            ControlFlow::Continue(())
        })
    }
}
