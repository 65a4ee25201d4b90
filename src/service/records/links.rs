//! Odoo's commands for relations to many.

use std::collections::BTreeSet;

use super::RecordError;
use super::change::Change;
use crate::orm::convert::{Command, FieldValue, Values};
use crate::orm::error::OdooError;
use crate::orm::field::{Field, Kind, Model};
use crate::orm::resolve::ResolveContext;
use crate::orm::search_domain::SearchDomain;
use crate::store::records::{self, SqlValue};

impl Change<'_, '_> {
    /// Does what the commands among the values of a record say.
    pub(super) fn apply_links(&mut self, model: &'static Model, id: i64, values: &Values) -> Result<(), RecordError> {
        for (field, value) in values.iter() {
            let FieldValue::Links(commands) = value else { continue };
            match field.kind {
                Kind::Many2many { model: comodel, relation, own, other } if !commands.is_empty() => {
                    let before = self.linked(field, id)?;
                    let after = self.resolve_links(model, field, comodel, before, commands)?;
                    records::replace_links(self.tx.connection, relation, own, other, id, &after)?;
                }
                Kind::One2many { model: comodel, inverse } => {
                    let comodel = self.model(comodel)?;
                    let inverse =
                        comodel.field(inverse).ok_or_else(|| OdooError::value("a relation without its end"))?;
                    for command in commands {
                        self.apply_one2many(model, field, id, comodel, inverse, command)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a many2many links now.
    pub(super) fn linked(&mut self, field: &'static Field, id: i64) -> Result<BTreeSet<i64>, RecordError> {
        let Kind::Many2many { relation, own, other, .. } = field.kind else { return Ok(BTreeSet::new()) };
        Ok(records::links(self.tx.connection, relation, own, other, id)?)
    }

    /// What a many2many links after these commands.
    pub(super) fn resolve_links(
        &mut self,
        model: &'static Model,
        field: &'static Field,
        comodel: &'static str,
        mut links: BTreeSet<i64>,
        commands: &[Command],
    ) -> Result<BTreeSet<i64>, RecordError> {
        for command in commands {
            match command {
                Command::Link(id) => {
                    links.insert(*id);
                }
                Command::Unlink(id) => {
                    links.remove(id);
                }
                Command::Clear => links.clear(),
                Command::Set(ids) => links = ids.iter().copied().collect(),
                Command::Create(_) | Command::Update(..) | Command::Delete(_) => {
                    return Err(OdooError::user(format!(
                        "The records of '{}' ({}) can only be linked and unlinked here.",
                        field.label, field.name
                    ))
                    .into());
                }
            }
        }
        for id in &links {
            self.check_target(model, field, comodel, *id)?;
        }
        Ok(links)
    }

    fn apply_one2many(
        &mut self,
        model: &'static Model,
        field: &'static Field,
        id: i64,
        comodel: &'static Model,
        inverse: &'static Field,
        command: &Command,
    ) -> Result<(), RecordError> {
        let to = |target| FieldValue::Column(target);
        match command {
            Command::Create(values) => {
                let mut values = values.clone();
                values.set(inverse, to(SqlValue::Integer(id)));
                self.create(comodel, values)?;
            }
            Command::Update(line, values) => {
                self.check_own(model, field, id, comodel, inverse, *line)?;
                self.write(comodel, &[*line], values.clone())?;
            }
            Command::Delete(line) => {
                self.check_own(model, field, id, comodel, inverse, *line)?;
                self.unlink(comodel, &[*line])?;
            }
            Command::Unlink(line) => {
                self.check_own(model, field, id, comodel, inverse, *line)?;
                self.detach(comodel, inverse, &[*line])?;
            }
            Command::Link(line) => {
                let mut values = Values::default();
                values.set(inverse, to(SqlValue::Integer(id)));
                self.write(comodel, &[*line], values)?;
            }
            Command::Clear => {
                let lines = self.lines(id, comodel, inverse)?;
                self.detach(comodel, inverse, &lines)?;
            }
            Command::Set(lines) => {
                let now = self.lines(id, comodel, inverse)?;
                let gone: Vec<i64> = now.iter().copied().filter(|line| !lines.contains(line)).collect();
                self.detach(comodel, inverse, &gone)?;
                for line in lines.iter().filter(|line| !now.contains(line)) {
                    self.apply_one2many(model, field, id, comodel, inverse, &Command::Link(*line))?;
                }
            }
        }
        Ok(())
    }

    /// Takes lines away from their record; a line that can't be without one is deleted.
    fn detach(&mut self, comodel: &'static Model, inverse: &'static Field, lines: &[i64]) -> Result<(), RecordError> {
        if inverse.required {
            return self.unlink(comodel, lines);
        }
        let mut values = Values::default();
        values.set(inverse, FieldValue::Column(SqlValue::Null));
        self.write(comodel, lines, values)
    }

    fn lines(&mut self, id: i64, comodel: &'static Model, inverse: &'static Field) -> Result<Vec<i64>, RecordError> {
        self.find(comodel, &SearchDomain::leaf(inverse.name, "=", id.into()))
    }

    /// The records of a domain, whoever may see them, archived ones too.
    pub(super) fn find(&mut self, model: &'static Model, domain: &SearchDomain) -> Result<Vec<i64>, RecordError> {
        let context = ResolveContext::unrestricted(&self.records.registry, self.now);
        let filter = domain.resolve(model, &context)?;
        let order = crate::orm::order::Order::default();
        let query = crate::store::search::Query { model, filter, order, offset: 0, limit: None, now: self.now };
        Ok(crate::store::search::search(self.tx.connection, &query)?)
    }

    /// A line is changed through the record that it belongs to, and through no other.
    fn check_own(
        &mut self,
        model: &Model,
        field: &Field,
        id: i64,
        comodel: &'static Model,
        inverse: &'static Field,
        line: i64,
    ) -> Result<(), RecordError> {
        self.check_records(comodel, &[line], crate::orm::rights::Operation::Read)?;
        if self.lines(id, comodel, inverse)?.contains(&line) {
            return Ok(());
        }
        Err(OdooError::validation(format!(
            "{}({line},) is not one of the '{}' ({}) of {}({id},).",
            comodel.name, field.label, field.name, model.name
        ))
        .into())
    }
}
