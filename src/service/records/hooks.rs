//! What each model adds to making, changing and deleting.

use super::RecordError;
use super::change::Change;
use crate::orm::convert::Values;
use crate::orm::field::Model;

impl Change<'_, '_> {
    pub(super) fn before_create(&mut self, model: &'static Model, values: &mut Values) -> Result<(), RecordError> {
        match model.name {
            "res.users" => self.before_user_create(model, values),
            "orest.identity" => self.before_identity(&[], values),
            "orest.application" => self.before_application(model, &[], values, true),
            "orest.application.uri" => self.before_uri(&[], values),
            "orest.model.configuration" => self.before_configuration(&[], values),
            _ => Ok(()),
        }
    }

    pub(super) fn before_write(
        &mut self,
        model: &'static Model,
        ids: &[i64],
        values: &mut Values,
    ) -> Result<(), RecordError> {
        match model.name {
            "res.users" => self.before_user_write(model, ids, values),
            "orest.identity" => self.before_identity(ids, values),
            "orest.application" => self.before_application(model, ids, values, false),
            "orest.application.uri" => self.before_uri(ids, values),
            "orest.model.scheme" => self.check_limited(ids),
            "orest.model.configuration" => self.before_configuration(ids, values),
            _ => Ok(()),
        }
    }

    pub(super) fn before_unlink(&mut self, model: &'static Model, ids: &[i64]) -> Result<(), RecordError> {
        match model.name {
            "res.users" => self.before_user_unlink(ids),
            "orest.identity" => self.before_identity(ids, &Values::default()),
            "orest.application" => self.check_acting(ids),
            "orest.application.uri" => self.before_uri(ids, &Values::default()),
            "orest.model.configuration" => self.before_configuration(ids, &Values::default()),
            _ => Ok(()),
        }
    }

    /// After the rows have changed, or are gone; for a new record too.
    pub(super) fn after(&mut self, model: &'static Model, ids: &[i64], values: &Values) -> Result<(), RecordError> {
        match model.name {
            "res.users" => self.after_user(ids, values),
            "orest.application" | "orest.model.scheme" | "orest.model.configuration" => {
                Ok(self.records.service.applications_changed_in(self.tx)?)
            }
            "ir.actions.server" => self.after_action(model, ids),
            _ => Ok(()),
        }
    }
}
