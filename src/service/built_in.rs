//! Applications that the service has of its own. Each is made when it is first needed, and is a record like any other from then
//! on: an administrator may archive it, which refuses all its tokens, or set how long they live.
//!
//! Each is made with a secret that nobody is told, so that no client can pass for it at the OAuth endpoints.

use std::time::Duration;

use super::{Error, Service, admin_sessions, gateway};
use crate::domain::application::Application;
use crate::domain::scope::Scope;
use crate::domain::secret::Secret;
use crate::store::Tx;
use crate::store::applications::{self, NewApplication};

/// The `client_id`s of all of them: nobody makes another application with one.
pub const CLIENT_IDS: &[&str] = &[admin_sessions::ADMIN_API.client_id, gateway::GATEWAY.client_id];

/// One of the service's own applications.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInApplication {
    /// Its `client_id`, by which it is told.
    pub client_id: &'static str,
    /// What people read.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// How long an access token lives at first.
    pub access_token: Duration,
    /// How long a refresh token lives at first.
    pub refresh_token: Duration,
}

/// Whether this is one of the service's own: its tokens are for its own doors, and nothing to be handed on to others.
pub fn is_built_in(application: &Application) -> bool {
    CLIENT_IDS.contains(&application.client_id.as_str())
}

impl Service {
    /// The application, made in this transaction if it is not there.
    ///
    /// # Errors
    /// [`Error::Forbidden`]: it is archived.
    pub(super) fn built_in_application_in(
        &self,
        tx: &mut Tx<'_>,
        built_in: &BuiltInApplication,
    ) -> Result<Application, Error> {
        let found = match applications::find_by_client_id(tx.connection, built_in.client_id)? {
            Some(found) => found,
            None => self.make_built_in_in(tx, built_in)?,
        };
        if found.active {
            return Ok(found);
        }
        Err(Error::Forbidden(format!("the application '{}' is archived: nobody is let in", found.name)))
    }

    fn make_built_in_in(&self, tx: &mut Tx<'_>, built_in: &BuiltInApplication) -> Result<Application, Error> {
        let secret = Secret::generate(self.entropy.as_ref(), "orcs_", 32);
        // Somebody may have called another one so.
        let taken = applications::has_name(tx.connection, built_in.name)?;
        let name = if taken { format!("{} ({})", built_in.name, built_in.client_id) } else { built_in.name.to_owned() };
        let (hash, scope) = (secret.hash(), Scope::default());
        let new = NewApplication {
            name: &name,
            description: built_in.description,
            client_id: built_in.client_id,
            secret_hash: Some(&hash),
            scope: &scope,
            acts_for: None,
            redirect_uris: &[],
        };
        let id = applications::insert(tx.connection, &new, None, self.now())?;
        applications::set_lifetimes(tx.connection, id, built_in.access_token, built_in.refresh_token)?;
        self.applications_changed_in(tx)?;
        applications::find(tx.connection, id)?.ok_or(Error::Internal)
    }
}
