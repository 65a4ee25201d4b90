//! Revoke: one function, one durable row (docs/adr/0005). Every door calls it. Taking back what it did: [`super::undo`].

use std::collections::HashMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::{Context, Error, Service};
use crate::domain::authorization::AuthorizationState;
use crate::domain::ids::{ApplicationId, AuthorizationId, UserId};
use crate::domain::revocation::{Act, Channel, Digest, InitiatingEntity, Kind, Preview, Receipt};
use crate::domain::selection::Selection;
use crate::limits;
use crate::store::authorizations::{self, Owner};
use crate::store::changes::Change;
use crate::store::revocations::{self, NewRevocation};
use crate::store::{Connection, StoreError, Tx, tickets};

const MODEL: &str = "orest.authorization";

/// What goes with a revocation.
#[derive(Clone, Debug, Default)]
pub struct RevokeOptions {
    /// Why, for administrators.
    pub reason_admin: Option<String>,
    /// Why, for those whom it touches.
    pub reason_user: Option<String>,
    /// Do it only if the set is the one that a preview showed.
    pub expect: Option<Digest>,
    /// Throw the records in the waste bin too.
    pub hide: bool,
}

impl Service {
    /// Takes back. When this returns, the tokens of the selection are refused, but by nodes that the receipt names as unconfirmed.
    ///
    /// What is revoked already is counted as such and is no error. An empty selection writes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the reason is too long, or there are too many ids; [`Error::NotFound`]: an id names no authorization;
    /// [`Error::Forbidden`]: it is not this actor's; [`Error::Conflict`]: the set is not the expected one; [`Error::Unavailable`].
    /// Nothing has changed then. [`Error::Undecided`]: perhaps it has.
    pub async fn revoke(
        &self,
        context: &Context,
        selection: Selection,
        options: RevokeOptions,
    ) -> Result<Receipt, Error> {
        for reason in [&options.reason_admin, &options.reason_user].into_iter().flatten() {
            if reason.chars().count() > limits::REASON_CHARS_MAX {
                let message = format!("a reason has at most {} characters", limits::REASON_CHARS_MAX);
                return Err(Error::invalid("reason", message));
            }
        }
        let set = self.resolve(&context.actor, &selection).await?;
        let service = self.clone();
        let context = context.clone();
        let work = move |tx: &mut Tx<'_>| service.revoke_in(tx, &context, &selection, set, &options);
        let (receipt, settlement) = self.write_settled(work).await?;
        Ok(receipt.settled(&settlement))
    }

    /// The same inside a transaction that does more: disabling a user, changing a password.
    pub(crate) fn revoke_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        selection: &Selection,
        mut set: RoaringBitmap,
        options: &RevokeOptions,
    ) -> Result<Receipt, Error> {
        // Authorizations that were made since the selection was resolved have higher ids.
        let own = is_own(selection, context.actor.user);
        if let (true, Some(owner)) = (own || context.actor.is_orest_admin(), owner_of(selection)) {
            let after = set.max().map_or(0, i64::from);
            set |= to_set(authorizations::list_ids(tx.connection, owner, after)?);
        }
        stop_answers_in(tx, selection, &set)?;
        let (live, already) = self.split(tx, &set)?;
        if options.expect.as_ref().is_some_and(|expect| *expect != Digest::of(&live)) {
            return Err(Error::Conflict(
                "the selection has changed since it was previewed; look at it again and confirm anew".to_owned(),
            ));
        }
        if set.is_empty() && !context.channel.does_more() {
            tx.rely();
            let (sequence, _) = revocations::feed(tx.connection)?;
            return Ok(Receipt::nothing(sequence));
        }
        if let Some(receipt) = self.said_before(tx, context, &set, &live)? {
            return Ok(receipt);
        }
        let initiating_entity = self.initiating_entity(context, selection, &set);
        let act = Act {
            at: self.now(),
            user: context.actor.user,
            login: context.actor.login.clone(),
            address: context.address,
            channel: context.channel,
            initiating_entity,
            reason_admin: options.reason_admin.clone(),
            reason_user: options.reason_user.clone(),
            selection: selection.describe(),
        };
        tx.note_revoked(&live);
        let new = NewRevocation {
            kind: Kind::Revoke,
            undoes: None,
            act,
            requested: set.len(),
            authorizations: live,
            already_revoked: already,
            hides: options.hide,
        };
        Ok(write_down_in(tx, new)?)
    }

    /// Revokes an authorization because who holds it gives it up (RFC 7009, signing out). What is revoked already is so for
    /// good from then on: whoever takes back what he did before does not bring it back.
    pub(super) fn give_up_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        id: AuthorizationId,
        options: &RevokeOptions,
    ) -> Result<(), Error> {
        // The columns are behind the acts, and may name one that has been taken back since.
        if let Some(AuthorizationState::Revoked { at, .. }) =
            authorizations::find(tx.connection, id)?.map(|known| known.state)
            && at + limits::UNDO_WINDOW < self.now()
            && revocations::is_filled(tx.connection)?
        {
            // Nobody can take that back any more, and the log is no place to be filled by asking again and again.
            tx.rely();
            return Ok(());
        }
        self.revoke_for_good_in(tx, context, id, options)
    }

    /// Revokes an authorization through a door whose acts can't be taken back, also if it is revoked already; once in the time
    /// in which other acts can be.
    pub(super) fn revoke_for_good_in(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        id: AuthorizationId,
        options: &RevokeOptions,
    ) -> Result<(), Error> {
        let (selection, set) = (Selection::Ids(vec![id.0]), to_set(vec![id.0]));
        let since = self.now() - limits::UNDO_WINDOW;
        if self.split(tx, &set)?.0.is_empty()
            && revocations::has_act(tx.connection, context.channel, &selection.describe(), since)?
        {
            tx.rely();
            return Ok(());
        }
        self.revoke_in(tx, context, &selection, set, options)?;
        Ok(())
    }

    /// A user who revokes again what he has revoked already is told so, without another row: he could fill the log. An
    /// administrator's act is always written: taking back somebody else's must not open what he closed.
    fn said_before(
        &self,
        tx: &mut Tx<'_>,
        context: &Context,
        set: &RoaringBitmap,
        live: &RoaringBitmap,
    ) -> Result<Option<Receipt>, StoreError> {
        let repeats = live.is_empty() && !context.actor.is_orest_admin() && !context.channel.does_more();
        let Some(user) = context.actor.user.filter(|_| repeats) else { return Ok(None) };
        let (aims, newest) = revocations::list_aims_of(tx.connection, user, self.now() - limits::UNDO_WINDOW)?;
        let Some(newest) = newest.filter(|_| set.is_subset(&aims)) else { return Ok(None) };
        tx.rely();
        let (revocation, number) = (Some(newest.id), set.len());
        Ok(Some(Receipt {
            revocation,
            requested: number,
            already_revoked: number,
            ..Receipt::nothing(newest.sequence)
        }))
    }

    /// Says what [`Self::revoke`] would do, and gives the digest by which it can be held to it.
    pub async fn preview(&self, context: &Context, selection: &Selection) -> Result<Preview, Error> {
        let set = self.resolve(&context.actor, selection).await?;
        self.fenced(|| self.load(&set)).await?;
        let mut live = RoaringBitmap::new();
        let (mut users, mut applications) = (HashMap::new(), HashMap::new());
        for bit in &set {
            let Some(view) = self.known_view(AuthorizationId::from(bit)).await? else { continue };
            if view.revoked {
                continue;
            }
            live.insert(bit);
            *users.entry(view.user).or_insert(0_u64) += 1;
            *applications.entry(view.application).or_insert(0_u64) += 1;
        }
        let user_count = users.len() as u64;
        Ok(Preview {
            requested: set.len(),
            live: live.len(),
            already_revoked: set.len() - live.len(),
            users: most(users),
            user_count,
            applications: most::<ApplicationId>(applications),
            digest: Digest::of(&live),
        })
    }

    /// The set that a selection names, as far as this actor may.
    pub(crate) async fn resolve(
        &self,
        actor: &crate::domain::user::Actor,
        selection: &Selection,
    ) -> Result<RoaringBitmap, Error> {
        let whole = match selection {
            _ if actor.is_orest_admin() || is_own(selection, actor.user) => true,
            // Not even whether there are any is his to know.
            Selection::Users(_)
            | Selection::UserTokens(_)
            | Selection::Application(_)
            | Selection::UserOfApplication(..) => {
                return Err(Error::Forbidden("you may only revoke your own authorizations".to_owned()));
            }
            Selection::Ids(_) | Selection::Found { .. } | Selection::Devices(_) => false,
        };
        let set = match selection {
            Selection::Ids(ids) => return self.resolve_ids(actor, ids).await,
            Selection::Found { set, .. } => set.clone(),
            Selection::Users(_)
            | Selection::UserTokens(_)
            | Selection::Application(_)
            | Selection::UserOfApplication(..)
            | Selection::Devices(_) => {
                let selection = selection.clone();
                let list = move |connection: &mut Connection| {
                    authorizations::list_ids(connection, owner_of(&selection).expect("these have one"), 0)
                };
                to_set(self.store.read(list).await?)
            }
        };
        if !whole {
            self.load(&set).await?;
            for bit in &set {
                self.check_owner(actor, AuthorizationId::from(bit)).await?;
            }
        }
        Ok(set)
    }

    async fn resolve_ids(&self, actor: &crate::domain::user::Actor, ids: &[i64]) -> Result<RoaringBitmap, Error> {
        if ids.len() > limits::SELECTION_IDS_MAX {
            let message = format!("at most {} ids at a time; use a search domain instead", limits::SELECTION_IDS_MAX);
            return Err(Error::invalid("ids", message));
        }
        self.load(&ids.iter().filter_map(|id| AuthorizationId(*id).bit()).collect()).await?;
        let mut set = RoaringBitmap::new();
        for id in ids.iter().copied() {
            let id = AuthorizationId(id);
            self.check_owner(actor, id).await?;
            set.insert(id.bit().ok_or(Error::NotFound { model: MODEL, id: id.0 })?);
        }
        Ok(set)
    }

    /// Reads what memory does not have of a set, many rows at a time.
    async fn load(&self, set: &RoaringBitmap) -> Result<(), Error> {
        let absent: Vec<i64> =
            set.iter().filter(|bit| self.live.look_up(AuthorizationId::from(*bit)).is_none()).map(i64::from).collect();
        for ids in absent.chunks(10_000) {
            let ids = ids.to_vec();
            let live = Arc::clone(&self.live);
            self.store
                .read(move |connection| {
                    let epoch = live.epoch();
                    live.fill(epoch, &authorizations::list_slots_of(connection, &ids)?);
                    Ok::<(), StoreError>(())
                })
                .await?;
        }
        Ok(())
    }

    /// Each authorization must exist and be this actor's to revoke.
    async fn check_owner(&self, actor: &crate::domain::user::Actor, id: AuthorizationId) -> Result<(), Error> {
        let view = self.known_view(id).await?.ok_or(Error::NotFound { model: MODEL, id: id.0 })?;
        let own = view.user.is_some() && view.user == actor.user;
        if own || actor.is_orest_admin() {
            Ok(())
        } else {
            Err(Error::Forbidden(format!("you may only revoke your own authorizations; {id} is not one of them")))
        }
    }

    /// Which of a set are live, and which revoked, as of this transaction.
    pub(super) fn split(
        &self,
        tx: &mut Tx<'_>,
        set: &RoaringBitmap,
    ) -> Result<(RoaringBitmap, RoaringBitmap), StoreError> {
        let (mut already, unknown) = self.live.split(set);
        for bit in unknown {
            let row = authorizations::find_slot(tx.connection, AuthorizationId::from(bit))?;
            if row.is_none_or(|row| row.revocation_id.is_some()) {
                already.insert(bit);
            }
        }
        let (revoked, restored) = tx.noted();
        already |= revoked & set;
        already -= restored & set;
        Ok((set - &already, already))
    }

    fn initiating_entity(&self, context: &Context, selection: &Selection, set: &RoaringBitmap) -> InitiatingEntity {
        match (context.channel, context.actor.user) {
            (Channel::RefreshReuse | Channel::CodeReuse, _) => InitiatingEntity::Policy,
            (Channel::OauthRevoke, _) => InitiatingEntity::User,
            (Channel::PasswordReset, _) => InitiatingEntity::Admin,
            (_, None) => InitiatingEntity::System,
            (_, Some(user)) => {
                let own =
                    |bit| self.live.look_up(AuthorizationId::from(bit)).is_some_and(|view| view.user == Some(user));
                let own = if set.is_empty() { is_own(selection, Some(user)) } else { set.iter().all(own) };
                if own { InitiatingEntity::User } else { InitiatingEntity::Admin }
            }
        }
    }
}

/// Writes an act down and announces it. Committing it is what makes it so.
pub(super) fn write_down_in(tx: &mut Tx<'_>, new: NewRevocation) -> Result<Receipt, StoreError> {
    let act = revocations::insert(tx.connection, new)?;
    let receipt = Receipt::of(&act);
    tx.announce(Change::Revocation(Arc::new(act)))?;
    Ok(receipt)
}

/// What a person has answered in Odoo before his authorizations were taken back must not bring him a new one after it.
fn stop_answers_in(tx: &mut Tx<'_>, selection: &Selection, set: &RoaringBitmap) -> Result<(), StoreError> {
    match selection {
        Selection::Users(ids) => {
            for id in ids {
                tickets::delete_of(tx.connection, *id)?;
            }
        }
        Selection::UserTokens(id) | Selection::UserOfApplication(id, _) => tickets::delete_of(tx.connection, *id)?,
        Selection::Application(id) => tickets::delete_of_application(tx.connection, *id)?,
        Selection::Devices(ids) => {
            for id in ids {
                tickets::delete_of_devices(tx.connection, &[id.0])?;
            }
        }
        Selection::Ids(_) | Selection::Found { .. } => {}
    }
    // There is hardly ever one: they are on their way for a second.
    for user in tickets::list_users(tx.connection)? {
        let own = to_set(authorizations::list_ids(tx.connection, Owner::Users(&[user]), 0)?);
        if !own.is_disjoint(set) {
            tickets::delete_of(tx.connection, user)?;
        }
    }
    Ok(())
}

/// Whether all that it names acts for this user.
fn is_own(selection: &Selection, user: Option<UserId>) -> bool {
    match selection {
        Selection::Users(ids) => !ids.is_empty() && ids.iter().all(|id| Some(*id) == user),
        Selection::UserTokens(id) | Selection::UserOfApplication(id, _) => Some(*id) == user,
        Selection::Ids(_) | Selection::Found { .. } | Selection::Application(_) | Selection::Devices(_) => false,
    }
}

fn owner_of(selection: &Selection) -> Option<Owner<'_>> {
    match selection {
        Selection::Users(ids) => Some(Owner::Users(ids)),
        Selection::UserTokens(id) => Some(Owner::UserTokens(*id)),
        Selection::Application(id) => Some(Owner::Application(*id)),
        Selection::UserOfApplication(user, application) => Some(Owner::UserOfApplication(*user, *application)),
        Selection::Devices(ids) => Some(Owner::Devices(ids)),
        Selection::Ids(_) | Selection::Found { .. } => None,
    }
}

pub(crate) fn to_set(ids: Vec<i64>) -> RoaringBitmap {
    ids.into_iter().filter_map(|id| AuthorizationId(id).bit()).collect()
}

fn most<K: Copy + Ord>(counts: HashMap<K, u64>) -> Vec<(K, u64)> {
    let mut rows: Vec<(K, u64)> = counts.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.truncate(limits::PREVIEW_ROWS_MAX);
    rows
}
