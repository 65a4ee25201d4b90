//! Who may see and change what: the models' [`Access`](super::field::Access) lines, their [`Rule`](super::field::Rule)s, and the groups of
//! their fields. Every method of the Odoo face goes through here, whatever its door.

use std::collections::BTreeSet;

use serde_json::Value;

use super::call::Env;
use super::error::OdooError;
use super::field::{Field, Model};
use super::filter::{Filter, Values};
use super::order::Order;
use super::resolve::ResolveContext;
use super::search_domain::{Limits, SearchDomain};
use crate::domain::user::{Actor, Group};

/// What is done to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To see them.
    Read,
    /// To change them.
    Write,
    /// To make them.
    Create,
    /// To delete them.
    Unlink,
}

impl Operation {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Create, Self::Unlink];

    /// Odoo's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Unlink => "unlink",
        }
    }

    /// The inverse of [`Operation::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "access",
            Self::Write => "modify",
            Self::Create => "create",
            Self::Unlink => "delete",
        }
    }
}

/// Whether a model's access lines let the actor do it to some record.
pub fn may(actor: &Actor, model: &Model, operation: Operation) -> bool {
    is_superuser(actor) || allowing(model, operation).any(|group| group.is_none_or(|own| actor.groups.contains(own)))
}

/// The same, as an error with Odoo's text.
///
/// # Errors
/// `AccessError` that names the groups which may.
pub fn check_model(actor: &Actor, model: &Model, operation: Operation) -> Result<(), OdooError> {
    if may(actor, model, operation) {
        return Ok(());
    }
    let groups: Vec<_> = allowing(model, operation).flatten().map(|group| format!("\t- {}", group.label())).collect();
    let who = if groups.is_empty() {
        "No group currently allows this operation.".to_owned()
    } else {
        format!("This operation is allowed for the following groups:\n{}", groups.join("\n"))
    };
    Err(OdooError::access(format!(
        "You are not allowed to {} '{}' ({}) records.\n\n{who}\n\nContact your administrator to request access if necessary.",
        operation.verb(),
        model.label,
        model.name
    )))
}

/// Which records of a model the actor sees and changes; see [`Rule`](super::field::Rule). A model without rules shows all, one with rules
/// of other groups only shows none.
pub fn rule_domain(actor: &Actor, model: &Model) -> SearchDomain {
    if is_superuser(actor) || model.rules.is_empty() {
        return SearchDomain::True;
    }
    let own = model.rules.iter().filter(|rule| actor.groups.contains(rule.group));
    own.fold(SearchDomain::False, |domain, rule| {
        let mut json = serde_json::from_str(rule.domain).expect("rules are JSON: a test reads them all");
        put_uid(&mut json, actor);
        domain.or(SearchDomain::parse(&json, &Limits::default()).expect("rules are domains: a test reads them all"))
    })
}

/// The same as a filter. A rule may look at fields and records that the actor does not see.
///
/// # Errors
/// None for the models of the product: a test resolves every rule.
pub fn rule_filter(actor: &Actor, model: &'static Model, context: &ResolveContext<'_>) -> Result<Filter, OdooError> {
    rule_domain(actor, model).resolve(model, &ResolveContext::unrestricted(context.registry, context.now))
}

/// Whether the actor sees that the field exists.
pub fn sees(actor: &Actor, field: &Field) -> bool {
    is_superuser(actor) || field.group.is_none_or(|group| actor.groups.contains(group))
}

/// The service itself: it is bound by no right.
fn is_superuser(actor: &Actor) -> bool {
    actor.user.is_none() && actor.is_system()
}

fn allowing(model: &Model, operation: Operation) -> impl Iterator<Item = Option<Group>> {
    let lines = model.access.iter().filter(move |line| match operation {
        Operation::Read => line.read,
        Operation::Write => line.write,
        Operation::Create => line.create,
        Operation::Unlink => line.unlink,
    });
    lines.map(|line| line.group)
}

fn put_uid(json: &mut Value, actor: &Actor) {
    match json {
        Value::String(text) if text == "{uid}" => *json = actor.user.map_or(0, |user| user.0).into(),
        Value::Array(items) => items.iter_mut().for_each(|item| put_uid(item, actor)),
        _ => {}
    }
}

impl Env<'_> {
    /// Those of these records that exist, after a check that the caller may do this to each.
    ///
    /// # Errors
    /// `AccessError` if the model is closed to him or a record that exists is hidden from him.
    pub async fn check_records(
        &self,
        model: &'static Model,
        ids: &[i64],
        operation: Operation,
    ) -> Result<BTreeSet<i64>, OdooError> {
        check_model(self.actor(), model, operation)?;
        let (existing, visible) = self.existing_and_visible(model, ids).await?;
        if existing == visible { Ok(existing) } else { Err(self.hidden(model, operation).await?) }
    }

    /// Like [`Env::check_records`], for what must exist.
    ///
    /// # Errors
    /// `MissingError` for the first id that names no record.
    pub async fn check_existing(
        &self,
        model: &'static Model,
        ids: &[i64],
        operation: Operation,
    ) -> Result<(), OdooError> {
        let existing = self.check_records(model, ids, operation).await?;
        match ids.iter().find(|id| !existing.contains(id)) {
            Some(id) => Err(OdooError::missing(model.name, *id, self.caller.uid)),
            None => Ok(()),
        }
    }

    /// Whether the caller may do this to each of these records, as far as they exist.
    ///
    /// # Errors
    /// Only when the database does not answer.
    pub async fn may(&self, model: &'static Model, ids: &[i64], operation: Operation) -> Result<bool, OdooError> {
        if !may(self.actor(), model, operation) {
            return Ok(false);
        }
        let (existing, visible) = self.existing_and_visible(model, ids).await?;
        Ok(existing == visible)
    }

    /// Those of these records that exist and that no rule hides from the caller. Whether the model is open to him at all is
    /// [`may`]'s business.
    ///
    /// # Errors
    /// Only when the database does not answer.
    pub async fn visible(&self, model: &'static Model, ids: &[i64]) -> Result<BTreeSet<i64>, OdooError> {
        let rule = self.resolving(|context| rule_filter(self.actor(), model, context))?;
        self.those(model, ids, rule).await
    }

    async fn existing_and_visible(
        &self,
        model: &'static Model,
        ids: &[i64],
    ) -> Result<(BTreeSet<i64>, BTreeSet<i64>), OdooError> {
        let rule = self.resolving(|context| rule_filter(self.actor(), model, context))?;
        let existing = self.those(model, ids, Filter::All).await?;
        let visible = if matches!(rule, Filter::All) { existing.clone() } else { self.those(model, ids, rule).await? };
        Ok((existing, visible))
    }

    async fn those(&self, model: &'static Model, ids: &[i64], rule: Filter) -> Result<BTreeSet<i64>, OdooError> {
        let id = model.field("id").expect("every model has ids");
        let these = Filter::among(id, Values::Integers(ids.to_vec()), false);
        let found = self.select(model, Filter::and([these, rule]), Order::default(), 0, None).await?;
        Ok(found.into_iter().collect())
    }

    /// What a caller is told who reaches for records that a rule hides from him.
    async fn hidden(&self, model: &Model, operation: Operation) -> Result<OdooError, OdooError> {
        let user = match self.actor().user {
            Some(id) => self.orm.service.user(id).await.map_err(|error| self.refused(error))?,
            None => None,
        };
        let name = user.map_or_else(|| self.actor().login.clone(), |user| user.name().to_owned());
        Ok(OdooError::access(format!(
            "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n\
             Sorry, {name} (id={}) doesn't have '{}' access to:\n- {} ({})\n\n\
             If you really, really need access, perhaps you can win over your friendly administrator with a batch of \
             freshly baked cookies.",
            self.caller.uid,
            operation.name(),
            model.label,
            model.name
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;
    use crate::domain::user::GroupSet;
    use crate::orm::registry::Registry;

    fn actor(groups: &[Group]) -> Actor {
        let groups = GroupSet::closure(groups.iter().copied());
        Actor { user: Some(UserId(5)), login: "demo".to_owned(), groups }
    }

    #[test]
    fn every_rule_has_a_meaning() {
        let registry = Registry::new();
        let context = ResolveContext::unrestricted(&registry, crate::domain::time::Timestamp::default());
        for model in registry.iter() {
            for rule in model.rules {
                let actor = actor(&[rule.group]);
                rule_filter(&actor, model, &context).unwrap_or_else(|error| panic!("{}: {error}", rule.name));
            }
        }
    }

    #[test]
    fn every_table_of_the_embedded_database_is_closed_to_outsiders() {
        for model in Registry::new().iter().filter(|model| model.table().is_some()) {
            for group in [Group::Portal, Group::Public] {
                for operation in Operation::ALL {
                    assert!(!may(&actor(&[group]), model, operation), "{} {operation:?} {group:?}", model.name);
                }
            }
        }
    }

    #[test]
    fn texts() {
        let registry = Registry::new();
        let check = |model: &str, operation, groups: &[Group], expect: Option<&str>| {
            let model = registry.get(model).expect("a model");
            let error = check_model(&actor(groups), model, operation).err().map(|error| error.message);
            assert_eq!(error.as_deref(), expect);
        };
        check(
            "ir.actions.server",
            Operation::Read,
            &[Group::User],
            Some(
                "You are not allowed to access 'Server Actions' (ir.actions.server) records.\n\nThis operation is allowed for \
                 the following groups:\n\t- Role / Administrator\n\nContact your administrator to request access if necessary.",
            ),
        );
        check(
            "orest.authorization",
            Operation::Create,
            &[Group::System],
            Some(
                "You are not allowed to create 'REST API Authorization' (orest.authorization) records.\n\nNo group currently \
                 allows this operation.\n\nContact your administrator to request access if necessary.",
            ),
        );
        check("orest.authorization", Operation::Unlink, &[Group::User], None);
        check("ir.actions.server", Operation::Write, &[Group::System], None);
    }

    #[test]
    fn rules_add_up() {
        let registry = Registry::new();
        let model = registry.get("orest.authorization").expect("a model");
        let check = |groups: &[Group], expect: &str| {
            assert_eq!(rule_domain(&actor(groups), model).to_json().to_string(), expect, "{groups:?}");
        };
        check(&[Group::User], r#"[["user_id","=",5]]"#);
        check(&[Group::OrestAdmin], "[]");
        check(&[Group::System], "[]");
        check(&[Group::Portal], r#"[[0,"=",1]]"#);
        assert_eq!(rule_domain(&Actor::system(), model), SearchDomain::True);
    }
}
