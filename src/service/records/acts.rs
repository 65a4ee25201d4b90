//! Acts on records that are more than a change of columns: disabling, ending sessions, revoking devices and codes, secrets.

use serde_json::Value;

use super::change::Change;
use super::users::{CANT_DISABLE, CANT_ENABLE, managers_only};
use super::{RecordError, Records};
use crate::domain::ids::{ApplicationId, DeviceId, UserId};
use crate::domain::revocation::{Channel, Receipt};
use crate::domain::secret::Secret;
use crate::domain::selection::Selection;
use crate::limits;
use crate::orm::error::OdooError;
use crate::orm::field::Model;
use crate::orm::models::{application, authorization, device, users as users_model};
use crate::orm::rights::{Operation, check_model};
use crate::service::built_in;
use crate::service::revoke::{RevokeOptions, to_set};
use crate::service::{Context, Error};
use crate::store::authorizations::{self, Owner};
use crate::store::changes::Change as Announced;
use crate::store::read::{self, ReadField};
use crate::store::{applications, codes, devices, sessions, users};

const USERS: &Model = &users_model::USERS;
const DEVICE: &Model = &device::DEVICE;
const CODE: &Model = &authorization::AUTHORIZATION_CODE;
const APPLICATION: &Model = &application::APPLICATION;

impl Records {
    /// Disables users, in one act: they can't sign in, their sessions end, and all that acts for them is revoked for good,
    /// their API keys too. What they sign in with stays: a password, or the key of who is a program.
    pub async fn disable_users(&self, ids: Vec<i64>, options: RevokeOptions) -> Result<Receipt, RecordError> {
        check_reasons(&options)?;
        self.act(move |change| {
            change.check_user_managing(&ids)?;
            change.check_users_are_ours_or_odoo_calls()?;
            change.check_not_self(&ids)?;
            change.check_not_pending(&ids, CANT_DISABLE)?;
            let users: Vec<UserId> = ids.iter().copied().map(UserId).collect();
            for id in users.iter().copied() {
                users::set_active(change.tx.connection, id, false, change.now)?;
                sessions::delete_of(change.tx.connection, id)?;
                sessions::delete_other_api_keys_of(change.tx.connection, id)?;
            }
            let records = change.records;
            let context = Context { channel: Channel::UserDisable, ..records.context.clone() };
            let receipt = records.service.revoke_all_of_in(change.tx, &context, &users, &options)?;
            change.after_user(&ids, &crate::orm::convert::Values::default())?;
            Ok(receipt)
        })
        .await
    }

    /// Deletes users: all that acts for them is revoked for good, in one act, and why is kept in the log.
    pub async fn delete_users(&self, ids: Vec<i64>, reason: Option<String>) -> Result<(), RecordError> {
        check_reasons(&RevokeOptions { reason_admin: reason.clone(), ..RevokeOptions::default() })?;
        self.change(move |change| {
            change.reason = reason;
            change.unlink(USERS, &ids)
        })
        .await
    }

    /// Enables users; what was revoked when they were disabled stays so.
    pub async fn enable_users(&self, ids: Vec<i64>) -> Result<(), RecordError> {
        self.change(move |change| {
            change.check_user_managing(&ids)?;
            change.check_users_are_ours_or_odoo_calls()?;
            if ids.contains(&1) {
                return Err(OdooError::user("You cannot activate the superuser.").into());
            }
            change.check_not_pending(&ids, CANT_ENABLE)?;
            for id in &ids {
                users::set_active(change.tx.connection, UserId(*id), true, change.now)?;
            }
            change.after_user(&ids, &crate::orm::convert::Values::default())
        })
        .await
    }

    /// Ends users' sessions and revokes all that acts for them, in one act: their own, or anybody's by who manages users or
    /// the oREST records. They may sign in anew.
    pub async fn revoke_sessions(&self, ids: Vec<i64>, options: RevokeOptions) -> Result<Receipt, RecordError> {
        check_reasons(&options)?;
        self.act(move |change| {
            check_model(change.actor(), USERS, Operation::Read)?;
            change.check_records(USERS, &ids, Operation::Read)?;
            let users: Vec<UserId> = ids.iter().copied().map(UserId).collect();
            for id in users.iter().copied() {
                sessions::delete_of(change.tx.connection, id)?;
            }
            let records = change.records;
            Ok(records.service.revoke_all_of_in(change.tx, &records.context, &users, &options)?)
        })
        .await
    }

    /// Revokes devices and what was let in from each, in one act, and ends the sessions that were opened there.
    pub async fn revoke_devices(&self, ids: Vec<i64>, options: RevokeOptions) -> Result<Receipt, RecordError> {
        check_reasons(&options)?;
        self.act(move |change| {
            check_model(change.actor(), DEVICE, Operation::Write)?;
            change.check_records(DEVICE, &ids, Operation::Write)?;
            let fresh = devices::list_unrevoked(change.tx.connection, &ids)?;
            devices::set_revoked(change.tx.connection, &fresh, Some(change.now))?;
            sessions::delete_of_devices(change.tx.connection, &ids)?;
            let mut context = change.records.context.clone();
            // Who revokes again what is revoked does no more than revoke what was let in from there.
            if !fresh.is_empty() {
                context.channel = Channel::DeviceRevoke;
            }
            let records = change.records;
            let devices: Vec<DeviceId> = ids.iter().copied().map(DeviceId).collect();
            let set = to_set(authorizations::list_ids(change.tx.connection, Owner::Devices(&devices), 0)?);
            for id in fresh.into_iter().map(DeviceId) {
                change.tx.announce(Announced::Device(id))?;
            }
            let selection = Selection::Devices(devices);
            Ok(records.service.revoke_in(change.tx, &context, &selection, set, &options)?)
        })
        .await
    }

    /// Deactivates all codes of the authorizations that these codes belong to. Says how many were active.
    pub async fn revoke_codes(&self, ids: Vec<i64>) -> Result<usize, RecordError> {
        self.change(move |change| {
            check_model(change.actor(), CODE, Operation::Read)?;
            change.check_records(CODE, &ids, Operation::Read)?;
            let field = CODE.field("authorization_id").expect("a code is an authorization's");
            let read = [ReadField { field, related: None }];
            let rows = read::read(change.tx.connection, CODE, &ids, &read, change.now)?;
            let owners: Vec<i64> =
                rows.iter().filter_map(|row| row.get("authorization_id").and_then(Value::as_i64)).collect();
            Ok(codes::deactivate_of(change.tx.connection, &owners, change.now)?)
        })
        .await
    }

    /// Gives an application a new secret, in place of the one that it had; public before, it is confidential then. The
    /// `client_id` and the secret, which is shown this once.
    pub async fn generate_client_secret(&self, id: i64) -> Result<(String, Secret), RecordError> {
        let secret = Secret::generate(self.service.entropy.as_ref(), "orcs_", 32);
        let hash = secret.hash();
        let client_id = self
            .change(move |change| {
                change.check_application(&[id])?;
                applications::set_secret(change.tx.connection, ApplicationId(id), Some(&hash))?;
                change.records.service.applications_changed_in(change.tx)?;
                let found = applications::find(change.tx.connection, ApplicationId(id))?;
                found
                    .map(|application| application.client_id)
                    .ok_or_else(|| Error::NotFound { model: APPLICATION.name, id }.into())
            })
            .await?;
        Ok((client_id, secret))
    }

    /// Takes the secrets of applications away: they are public from then on.
    pub async fn make_public(&self, ids: Vec<i64>) -> Result<(), RecordError> {
        self.change(move |change| {
            change.check_application(&ids)?;
            for id in ids {
                applications::set_secret(change.tx.connection, ApplicationId(id), None)?;
            }
            change.records.service.applications_changed_in(change.tx)?;
            Ok(())
        })
        .await
    }
}

impl Change<'_, '_> {
    fn check_user_managing(&mut self, ids: &[i64]) -> Result<(), RecordError> {
        if !self.is_user_manager() {
            return Err(managers_only().into());
        }
        self.check_records(USERS, ids, Operation::Write)?;
        ids.iter().try_for_each(|id| self.check_rank(*id))
    }

    fn check_application(&mut self, ids: &[i64]) -> Result<(), RecordError> {
        check_model(self.actor(), APPLICATION, Operation::Write)?;
        self.check_records(APPLICATION, ids, Operation::Write)?;
        for client_id in built_in::CLIENT_IDS {
            let own = applications::find_by_client_id(self.tx.connection, client_id)?;
            if own.is_some_and(|own| ids.contains(&own.id.0)) {
                let message = "An application that comes with the service has no secret that anybody could know.";
                return Err(OdooError::user(message).into());
            }
        }
        self.check_acting(ids)
    }
}

fn check_reasons(options: &RevokeOptions) -> Result<(), Error> {
    let too_long = |reason: &String| reason.chars().count() > limits::REASON_CHARS_MAX;
    if [&options.reason_admin, &options.reason_user].into_iter().flatten().any(too_long) {
        let message = format!("a reason has at most {} characters", limits::REASON_CHARS_MAX);
        return Err(Error::invalid("reason", message));
    }
    Ok(())
}
