//! The pairing with the one Odoo whose users these are (`docs/adr/0010`).
//!
//! It is kept in memory: every check of a token that Odoo asks for shows the credential, and every browser that comes for an
//! authorization is sent on to Odoo. `orest pair` may run in a process of its own, so a running server looks once a second
//! whether the pairing has changed.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Context, Error, Service};
use crate::domain::ids::UserId;
use crate::domain::secret::Secret;
use crate::domain::time::{Timestamp, unix};
use crate::domain::user::{Actor, Group, GroupSet};
use crate::store::changes::Change;
use crate::store::{Tx, pairing, users};

pub use crate::store::pairing::Pairing;

/// Odoo's superuser, who runs its scheduled jobs: `__system__` here, whom nobody can be.
pub const SUPERUSER: UserId = UserId(1);
/// The version of what is spoken between the module and the service.
pub const API_VERSION: u32 = 1;
/// How exactly it is noted when Odoo called last.
const SEEN_PRECISION_SECONDS: i64 = 60;

/// The pairing of now, and how often it has changed, so that what was read before a change never replaces it.
#[derive(Default)]
pub struct Current(RwLock<(u64, Option<Arc<Pairing>>)>);

impl Current {
    fn get(&self) -> (u64, Option<Arc<Pairing>>) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_credential(&self, key: &str) -> bool {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.1.as_ref().is_some_and(|pairing| pairing.credential.matches(key))
    }

    /// Puts this one in force.
    pub fn set(&self, pairing: Option<Arc<Pairing>>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = (current.0 + 1, pairing);
    }

    /// Keeps what was read since `change`, unless it has changed meanwhile. Says whether it is another pairing now.
    fn refresh(&self, change: u64, pairing: Option<Pairing>) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 != change || current.1.as_deref() == pairing.as_ref() {
            return false;
        }
        *current = (change + 1, pairing.map(Arc::new));
        true
    }
}

/// What [`Service::check_pairing`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Where browsers are sent.
    pub odoo_url: String,
    /// How many users there are here, without the service's own.
    pub users: i64,
    /// When all users were compared last.
    pub last_sync_at: Option<Timestamp>,
}

impl Service {
    /// The pairing as far as this node knows: to be shown, or asked inside a write. See [`Self::current_pairing`].
    pub fn pairing(&self) -> Option<Arc<Pairing>> {
        self.pairing.get().1
    }

    /// The pairing of now, from memory.
    pub async fn current_pairing(&self) -> Result<Option<Arc<Pairing>>, Error> {
        self.fenced(|| std::future::ready(Ok(self.pairing()))).await
    }

    /// Whether this is the pairing's credential; compared in constant time.
    pub async fn is_pairing_credential(&self, key: &str) -> Result<bool, Error> {
        self.fenced(|| std::future::ready(Ok(self.pairing.is_credential(key)))).await
    }

    /// Refuses an Odoo that says of itself that it is another database than the one that the pairing is bound to: a copy of it
    /// has the credential too, and must not end here what was ended there.
    ///
    /// # Errors
    /// [`Error::Conflict`], with what to do.
    pub fn check_database(&self, uuid: Option<&str>) -> Result<(), Error> {
        let pairing = self.pairing();
        let bound = pairing.as_ref().and_then(|pairing| pairing.database_uuid.as_deref());
        if bound.is_some() && uuid.is_some() && bound != uuid { Err(another_database()) } else { Ok(()) }
    }

    /// Looks whether another process has changed the pairing.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the pairing in force stays.
    pub async fn read_pairing_anew(&self) -> Result<(), Error> {
        let (change, _) = self.pairing.get();
        let found = self.store.read(pairing::find).await?;
        if self.pairing.refresh(change, found) {
            self.live.forget_users();
            tracing::info!(paired = self.pairing().is_some(), "pairing read anew");
        }
        Ok(())
    }

    /// Pairs the service with the Odoo at this address, in place of the one that it was paired with. Gives the credential, shown
    /// this once.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no address that browsers could be sent to.
    pub async fn pair_with(&self, odoo_url: &str) -> Result<Secret, Error> {
        let odoo_url = checked_url(odoo_url)?;
        let credential = Secret::generate(self.entropy.as_ref(), "", 20);
        let (hash, now, service) = (credential.hash(), self.now(), self.clone());
        self.write(move |tx| {
            let before = pairing::find(tx.connection)?;
            let new = Pairing {
                odoo_url,
                credential: hash,
                database_uuid: None,
                previous_database_uuid: before.and_then(|old| old.database_uuid.or(old.previous_database_uuid)),
                last_seen_at: None,
                module_version: None,
                last_sync_at: None,
                created_at: now,
            };
            pairing::replace(tx.connection, &new)?;
            service.pairing_changed_in(tx)
        })
        .await?;
        tracing::info!("paired with an Odoo");
        Ok(credential)
    }

    /// Ends the pairing: users are the service's own from now on. Says whether there was one.
    pub async fn unpair(&self) -> Result<bool, Error> {
        let service = self.clone();
        let ended: Result<bool, Error> = self
            .write(move |tx| {
                let there_was = pairing::delete(tx.connection)?;
                service.forget_synced_in(tx)?;
                service.pairing_changed_in(tx)?;
                Ok(there_was)
            })
            .await;
        ended.inspect(|there_was| {
            if *there_was {
                tracing::info!("the pairing is ended");
            }
        })
    }

    /// Nobody has come from Odoo yet: the next one who comes with a number may be another person.
    fn forget_synced_in(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        pairing::forget_synced(tx.connection)?;
        Ok(tx.announce(Change::Users)?)
    }

    /// Puts the pairing as it stands in this transaction into memory after the commit.
    pub(super) fn pairing_changed_in(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let now = pairing::find(tx.connection)?.map(Arc::new);
        Ok(tx.announce(Change::Pairing(now))?)
    }

    /// Notes that Odoo has called, at most once a minute unless the module's version changes.
    pub async fn note_pairing_seen(&self, module_version: Option<&str>) -> Result<(), Error> {
        let now = self.now();
        let noted = self.pairing().is_none_or(|pairing| {
            let recent = pairing.last_seen_at.is_some_and(|at| unix(now) - unix(at) < SEEN_PRECISION_SECONDS);
            recent && (module_version.is_none() || pairing.module_version.as_deref() == module_version)
        });
        if noted {
            return Ok(());
        }
        let (version, service) = (module_version.map(str::to_owned), self.clone());
        self.write(move |tx| {
            let Some(found) = pairing::find(tx.connection)? else { return Ok(()) };
            let version = version.or(found.module_version);
            pairing::set_seen(tx.connection, version.as_deref(), now)?;
            service.pairing_changed_in(tx)
        })
        .await
    }

    /// Who acts when Odoo says that this user does; `None`: he has not come from there yet. Whoever has his number here is
    /// somebody else then, for all we know.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: he is disabled or pending.
    pub async fn acting(&self, id: UserId) -> Result<Option<Actor>, Error> {
        let Some(user) = self.user(id).await? else { return Ok(None) };
        if id == SUPERUSER {
            let groups = GroupSet::closure([Group::System]);
            return Ok(Some(Actor { user: Some(id), login: user.login().to_owned(), groups }));
        }
        if !user.from_odoo {
            return Ok(None);
        }
        if user.may_act() { Ok(Some(Self::actor(&user))) } else { Err(Error::Unauthenticated) }
    }

    /// Binds the pairing to the Odoo database that calls first, and says how things stand.
    ///
    /// # Errors
    /// [`Error::Forbidden`] to any other caller; [`Error::Conflict`] to another Odoo database than the first.
    pub async fn check_pairing(&self, context: &Context, database_uuid: &str) -> Result<Checked, Error> {
        check_from_odoo(context)?;
        if database_uuid.is_empty() || database_uuid.chars().count() > 100 {
            return Err(Error::invalid("database_uuid", "database_uuid is Odoo's system parameter database.uuid"));
        }
        let (uuid, service) = (database_uuid.to_owned(), self.clone());
        self.write(move |tx| {
            let found = pairing::find(tx.connection)?.ok_or_else(not_paired)?;
            match &found.database_uuid {
                Some(bound) if *bound != uuid => return Err(another_database()),
                Some(_) => {}
                None => {
                    if found.previous_database_uuid.as_ref() != Some(&uuid) {
                        service.forget_synced_in(tx)?;
                    }
                    pairing::set_database(tx.connection, &uuid)?;
                    tracing::info!(database_uuid = uuid, "the pairing is bound to the Odoo database that called first");
                    service.pairing_changed_in(tx)?;
                }
            }
            let users = users::count(tx.connection)? - i64::from(users::find(tx.connection, SUPERUSER)?.is_some());
            Ok(Checked { odoo_url: found.odoo_url, users, last_sync_at: found.last_sync_at })
        })
        .await
    }
}

/// What is Odoo's alone.
pub(super) fn check_from_odoo(context: &Context) -> Result<(), Error> {
    if context.from_odoo {
        return Ok(());
    }
    Err(Error::Forbidden("orest.pairing is for the paired Odoo alone".to_owned()))
}

pub(super) fn not_paired() -> Error {
    Error::Forbidden("the service is not paired any more; run orest pair on it".to_owned())
}

fn another_database() -> Error {
    Error::Conflict(
        "This service is paired with another Odoo database, of which this one may be a copy. To pair it with this one, run \
         orest pair on the service and give Odoo the new credential."
            .to_owned(),
    )
}

fn checked_url(text: &str) -> Result<String, Error> {
    let wrong = || Error::invalid("odoo_url", "the address of Odoo must look like https://odoo.example.com");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !plain || !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
