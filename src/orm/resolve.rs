//! From what a caller wrote to what it means: checks the fields of a [`SearchDomain`], converts its values and follows
//! its paths, as Odoo 19 does (its texts too).

use serde_json::Value;

use super::error::{Exception, OdooError};
use super::eval;
use super::field::{Column, Field, Kind, Model, Storage};
use super::filter::{Comparison, Filter, Part, Scalar, Targets, Term, Values};
use super::like;
use super::moment::Moment;
use super::order::Order;
use super::python;
use super::registry::Registry;
use super::search_domain::{Operand, Operator, SearchDomain};
use crate::domain::time::Timestamp;
use crate::domain::user::Group;
use crate::limits;

/// For whom and when a domain is resolved.
#[derive(Clone, Copy)]
pub struct ResolveContext<'a> {
    /// The models.
    pub registry: &'a Registry,
    /// What relative dates start from.
    pub now: Timestamp,
    /// What the caller may see of another model that a relation leads to; an error if he may not read it at all.
    pub rules: &'a dyn Fn(&'static Model) -> Result<SearchDomain, OdooError>,
    /// Whether the caller is in a group, for fields that only its members see.
    pub is_member: &'a dyn Fn(Group) -> bool,
    /// Whether relations to many leave out archived records; relations to one never do.
    pub active_test: bool,
}

fn no_rule(_: &'static Model) -> Result<SearchDomain, OdooError> {
    Ok(SearchDomain::True)
}

const fn every_group(_: Group) -> bool {
    true
}

/// How to list the records at the other end of a relation to many.
#[derive(Clone, Debug)]
pub struct Related {
    /// Where the relation leads.
    pub model: &'static Model,
    /// Which records of it.
    pub to: Targets,
    /// In which order.
    pub order: Order,
}

impl<'a> ResolveContext<'a> {
    /// For the service itself: no rules, every field, archived records too.
    pub const fn unrestricted(registry: &'a Registry, now: Timestamp) -> Self {
        Self { registry, now, rules: &no_rule, is_member: &every_group, active_test: false }
    }

    /// The model that a relational field leads to.
    pub fn comodel(&self, field: &Field) -> Result<&'static Model, OdooError> {
        let name = field.comodel().unwrap_or_default();
        self.registry.get(name).ok_or_else(|| OdooError::new(Exception::KeyError, name))
    }

    /// A field that the caller may see.
    ///
    /// # Errors
    /// `AccessError` if it is for another group; `None` if there is no such field.
    pub fn visible_field(&self, model: &'static Model, name: &str) -> Result<Option<&'static Field>, OdooError> {
        let Some(field) = model.field(name) else { return Ok(None) };
        if field.group.is_none_or(|group| (self.is_member)(group)) {
            return Ok(Some(field));
        }
        Err(OdooError::access(format!(
            "You do not have enough rights to access the field \"{name}\" on {} ({}). \
             Please contact your system administrator.\n\nOperation: read",
            model.label, model.name
        )))
    }

    /// The records that a relation to many shows to the caller, for reading it.
    pub fn related(&self, field: &'static Field) -> Result<Related, OdooError> {
        let comodel = self.comodel(field)?;
        let to = self.targets(comodel, &SearchDomain::True, true)?;
        Ok(Related { model: comodel, to, order: Order::of_model(comodel, self)? })
    }

    /// Adds `active = true` for a model that has it, unless the domain mentions it or the context lifts it.
    pub fn with_active(&self, domain: SearchDomain, model: &Model) -> SearchDomain {
        if self.active_test && model.has_active() && !domain.mentions_active() {
            return SearchDomain::leaf("active", "=", Value::Bool(true)).and(domain);
        }
        domain
    }

    /// The visible records of another model in a domain; relations to many leave out archived ones (`to_many`).
    fn targets(&self, comodel: &'static Model, domain: &SearchDomain, to_many: bool) -> Result<Targets, OdooError> {
        let filter = domain.resolve(comodel, self)?;
        let archived = !to_many || domain.mentions_active();
        self.visible(comodel, filter, archived)
    }

    fn visible(&self, comodel: &'static Model, filter: Filter, archived: bool) -> Result<Targets, OdooError> {
        let rule = (self.rules)(comodel)?.resolve(comodel, &Self::unrestricted(self.registry, self.now))?;
        let active = match comodel.field("active") {
            Some(field) if !archived && self.active_test => Filter::IsTrue(field),
            _ => Filter::All,
        };
        let filter = Filter::and([rule, active, filter]);
        Ok(match (&comodel.storage, filter) {
            (Storage::Table { .. }, Filter::All) => Targets::All,
            (Storage::Table { .. }, filter) => Targets::Where(Box::new(filter)),
            (Storage::Memory(_), filter) => {
                let rows = eval::MemoryRows::new(self.registry);
                Targets::Ids(eval::search(&rows, comodel, &filter, &Order::of_model(comodel, self)?, 0, None))
            }
            (Storage::Transient, _) => Targets::Ids(Vec::new()),
        })
    }
}

impl SearchDomain {
    /// What the domain means on the records of a model. It does not add the model's own record rule or `active`: see
    /// [`SearchDomain::and`] and [`ResolveContext::with_active`].
    ///
    /// # Errors
    /// `ValueError`, `TypeError` or `AccessError`, with the texts of Odoo 19, at the first condition that has no meaning.
    pub fn resolve(&self, model: &'static Model, context: &ResolveContext<'_>) -> Result<Filter, OdooError> {
        Ok(match self {
            Self::True => Filter::All,
            Self::False => Filter::Nothing,
            Self::Not(domain) => domain.resolve(model, context)?.not(),
            Self::And(domains) => {
                // every condition is checked, even where an earlier one is never true
                let filters: Result<Vec<_>, _> = domains.iter().map(|domain| domain.resolve(model, context)).collect();
                Filter::and(filters?)
            }
            Self::Or(domains) => {
                let filters: Result<Vec<_>, _> = domains.iter().map(|domain| domain.resolve(model, context)).collect();
                Filter::or(filters?)
            }
            Self::Leaf(leaf) => {
                Condition { model, path: &leaf.field, operator: leaf.operator, value: &leaf.value, context }
                    .resolve()?
            }
        })
    }
}

/// One condition, on a model that may be some steps of its path away.
#[derive(Clone, Copy)]
struct Condition<'a> {
    model: &'static Model,
    path: &'a str,
    operator: Operator,
    value: &'a Operand,
    context: &'a ResolveContext<'a>,
}

/// As it stands in error texts.
impl std::fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        super::search_domain::Leaf { field: self.path.to_owned(), operator: self.operator, value: self.value.clone() }
            .fmt(f)
    }
}

impl Condition<'_> {
    fn resolve(&self) -> Result<Filter, OdooError> {
        let (name, rest) = self.path.split_once('.').map_or((self.path, None), |(name, rest)| (name, Some(rest)));
        let field = self.context.visible_field(self.model, name)?;
        let field = field
            .ok_or_else(|| OdooError::value(format!("Invalid field {}.{name} in condition {self}", self.model.name)))?;
        if let Some(rest) = rest {
            return self.resolve_path(field, rest);
        }
        let field = column_field(self.model, field)?;
        match self.operator {
            Operator::EqualIfSet if self.json().is_none_or(python::truthy) => {
                self.resolve_field(field, Operator::Equal)
            }
            Operator::EqualIfSet => Ok(Filter::All),
            operator => match operator.negated() {
                Some(positive) => Ok(self.resolve_field(field, positive)?.not()),
                None => self.resolve_field(field, operator),
            },
        }
    }

    /// `a.b = v` is `a any [(b, =, v)]`.
    fn resolve_path(&self, field: &'static Field, rest: &str) -> Result<Filter, OdooError> {
        match field.kind {
            Kind::Date | Kind::Datetime => {
                let Some((part, _)) = Part::ALL.iter().find(|(_, name)| *name == rest) else {
                    let names = Part::ALL.map(|(_, name)| name).join(", ");
                    return Err(OdooError::value(format!(
                        "Error when processing the granularity {rest} is not supported. Only {names} are supported"
                    )));
                };
                match self.operator.negated() {
                    Some(positive) => Ok(self.resolve_part(field, *part, positive)?.not()),
                    None => self.resolve_part(field, *part, self.operator),
                }
            }
            Kind::Many2one(_) | Kind::One2many { .. } | Kind::Many2many { .. } => {
                let comodel = self.context.comodel(field)?;
                let filter = Condition { model: comodel, path: rest, ..*self }.resolve()?;
                let archived = !field.is_x2many() || rest == "active";
                Ok(Filter::Linked { field, comodel, to: self.context.visible(comodel, filter, archived)? })
            }
            _ => Err(OdooError::value(format!(
                "Invalid field property {} on {}.{}",
                python::repr_str(rest),
                self.model.name,
                field.name
            ))),
        }
    }

    fn resolve_field(&self, field: &'static Field, operator: Operator) -> Result<Filter, OdooError> {
        let relational = field.comodel().is_some();
        match operator {
            Operator::Any => {
                let Operand::Domain(domain) = self.value else { return Ok(Filter::Nothing) };
                if field.name == "id" {
                    return domain.resolve(self.model, self.context);
                }
                if !relational {
                    return Err(OdooError::value(format!(
                        "Cannot use 'any' with non-relational fields in condition {self}"
                    )));
                }
                self.linked(field, domain)
            }
            Operator::ChildOf | Operator::ParentOf => self.hierarchy(field, operator == Operator::ParentOf),
            Operator::Equal | Operator::In => {
                let null = [Value::Bool(false)];
                let values = match self.json() {
                    Some(Value::Array(values)) if values.is_empty() && operator == Operator::Equal => &null[..],
                    Some(Value::Array(values)) => values,
                    Some(Value::Null | Value::Bool(false)) if operator == Operator::In => &[],
                    Some(value) => std::slice::from_ref(value),
                    None => &[],
                };
                if let Some(value) = values.iter().find(|value| value.is_array() || value.is_object()) {
                    return Err(OdooError::type_error(format!("unhashable type: '{}'", python::type_name(value))));
                }
                if relational { self.linked_to_values(field, values) } else { self.among(field, values) }
            }
            Operator::Like | Operator::ILike | Operator::EqualLike | Operator::EqualILike => self.like(field, operator),
            _ => {
                let comparison = comparison(operator).expect("every other operator has its arm");
                self.compare(field, comparison)
            }
        }
    }

    const fn json(&self) -> Option<&Value> {
        match self.value {
            Operand::Value(value) => Some(value),
            Operand::Domain(_) => None,
        }
    }

    /// The value of an operator that takes no sub-domain.
    fn value(&self) -> &Value {
        self.json().unwrap_or(&Value::Null)
    }

    fn linked(&self, field: &'static Field, domain: &SearchDomain) -> Result<Filter, OdooError> {
        let comodel = self.context.comodel(field)?;
        let to = match domain {
            SearchDomain::True if !field.is_x2many() => Targets::All,
            domain => self.context.targets(comodel, domain, field.is_x2many())?,
        };
        Ok(Filter::Linked { field, comodel, to })
    }

    fn among(&self, field: &'static Field, values: &[Value]) -> Result<Filter, OdooError> {
        let is_null = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
        let mut or_null = values.iter().any(is_null);
        let set = values.iter().filter(|value| !is_null(value));
        let values = match field.kind {
            Kind::Boolean => {
                let (truths, falsehoods): (Vec<_>, Vec<_>) = values.iter().partition(|value| is_true(value));
                return Ok(match (truths.is_empty(), falsehoods.is_empty()) {
                    (true, true) => Filter::Nothing,
                    (true, false) => Filter::IsTrue(field).not(),
                    (false, true) => Filter::IsTrue(field),
                    (false, false) => Filter::All,
                });
            }
            Kind::Integer => {
                let is_id = field.name == "id";
                let mut numbers = Vec::with_capacity(values.len());
                for value in set {
                    numbers.extend(if is_id { id(value)? } else { integer(value)? });
                }
                if is_id {
                    or_null = false;
                } else if or_null || numbers.contains(&0) {
                    (or_null, numbers) = (true, with(numbers, 0));
                }
                Values::Integers(numbers)
            }
            Kind::Char | Kind::Text => {
                let mut texts: Vec<_> = set.map(python::str).collect();
                if or_null || texts.iter().any(String::is_empty) {
                    (or_null, texts) = (true, with(texts, String::new()));
                }
                Values::Texts(texts)
            }
            Kind::Selection(_) => Values::Texts(set.map(python::str).collect()),
            Kind::Date | Kind::Datetime => {
                let (blank, set): (Vec<_>, Vec<_>) = set.partition(|value| value.as_str() == Some(""));
                or_null |= !blank.is_empty();
                let moments: Result<Vec<_>, _> = set.into_iter().map(|value| self.moment(field, value)).collect();
                let moments = moments?.into_iter();
                if field.kind == Kind::Date {
                    Values::Dates(moments.map(Moment::date).collect())
                } else {
                    Values::Datetimes(moments.map(Moment::start).collect())
                }
            }
            // contents are not compared
            Kind::Binary => Values::Integers(Vec::new()),
            Kind::Many2one(_) | Kind::One2many { .. } | Kind::Many2many { .. } => {
                unreachable!("relations are linked_to_values")
            }
        };
        Ok(Filter::among(field, values, or_null))
    }

    fn linked_to_values(&self, field: &'static Field, values: &[Value]) -> Result<Filter, OdooError> {
        let (mut or_null, mut ids, mut names) = (false, Vec::new(), Vec::new());
        for value in values {
            match value {
                Value::Null | Value::Bool(false) => or_null = true,
                Value::String(name) => names.push(name.clone()),
                other => ids.extend(integer(other)?.filter(|id| *id != 0)),
            }
        }
        let mut filters = Vec::new();
        if field.is_x2many() {
            let comodel = self.context.comodel(field)?;
            if or_null {
                filters.push(self.linked(field, &SearchDomain::True)?.not());
            }
            if !ids.is_empty() {
                let id_field = comodel.field("id").expect("every model has ids");
                let among = Filter::among(id_field, Values::Integers(ids), false);
                filters.push(Filter::Linked { field, comodel, to: self.context.visible(comodel, among, true)? });
            }
        } else {
            filters.push(Filter::among(field, Values::Integers(ids), or_null));
        }
        if !names.is_empty() {
            filters.push(self.linked(field, &SearchDomain::leaf("display_name", "in", names.into()))?);
        }
        Ok(Filter::or(filters))
    }

    fn like(&self, field: &'static Field, operator: Operator) -> Result<Filter, OdooError> {
        let value = self.value();
        if field.kind == Kind::Boolean {
            return Err(self.not_comparable(field));
        }
        let falsy = !python::truthy(value) && !value.is_array() && !value.is_number();
        let whole = matches!(operator, Operator::EqualLike | Operator::EqualILike);
        if falsy {
            return match (field.comodel(), whole) {
                (Some(_), false) => self.linked(field, &SearchDomain::True),
                (Some(_), true) => self.linked_to_values(field, &[Value::Bool(false)]),
                (None, false) => Ok(Filter::All),
                (None, true) => self.among(field, &[Value::Bool(false)]),
            };
        }
        if whole && !value.is_string() {
            return Err(OdooError::type_error(format!("The pattern to match must be a string in condition {self}")));
        }
        let text = python::str(value);
        if text.chars().count() > limits::PATTERN_CHARS_MAX {
            return Err(OdooError::value(format!(
                "The pattern to match {} has more than {} characters",
                field.name,
                limits::PATTERN_CHARS_MAX
            )));
        }
        if field.comodel().is_some() {
            return self.linked(field, &SearchDomain::leaf("display_name", operator.text(), text.into()));
        }
        if field.kind == Kind::Binary {
            return Ok(Filter::Nothing);
        }
        let fold = matches!(operator, Operator::ILike | Operator::EqualILike);
        let pattern = if whole { text } else { like::contains(&text) };
        Ok(Filter::Like { field, pattern, fold })
    }

    fn compare(&self, field: &'static Field, comparison: Comparison) -> Result<Filter, OdooError> {
        let value = self.value();
        let is_null = matches!(value, Value::Null | Value::Bool(false));
        let compare = |comparison, value, or_null| Filter::Compare { term: field.into(), comparison, value, or_null };
        Ok(match field.kind {
            Kind::Boolean => return Err(self.not_comparable(field)),
            Kind::Integer if field.name == "id" => match id(value)? {
                Some(number) if !is_null => compare(comparison, Scalar::Integer(number), false),
                _ => Filter::Nothing,
            },
            Kind::Integer => {
                let number = if is_null { 0 } else { saturate(value)? };
                compare(comparison, Scalar::Integer(number), comparison.holds(0.cmp(&number)))
            }
            Kind::Char | Kind::Text => {
                let text = if is_null { String::new() } else { python::str(value) };
                let or_null = comparison.holds("".cmp(&text));
                compare(comparison, Scalar::Text(text), or_null)
            }
            _ if is_null => Filter::Nothing,
            Kind::Selection(_) => compare(comparison, Scalar::Text(python::str(value)), false),
            Kind::Date => compare(comparison, Scalar::Date(self.moment(field, value)?.date()), false),
            Kind::Datetime => {
                let moment = self.moment(field, value)?;
                // a day, as a second, is a span: after it is from its end on
                let (comparison, at) = match comparison {
                    Comparison::Less => (Comparison::Less, moment.start()),
                    Comparison::LessOrEqual => (Comparison::Less, moment.end()),
                    Comparison::Greater => (Comparison::GreaterOrEqual, moment.end()),
                    Comparison::GreaterOrEqual => (Comparison::GreaterOrEqual, moment.start()),
                };
                compare(comparison, Scalar::Datetime(at), false)
            }
            Kind::Binary => return Err(self.not_comparable(field)),
            Kind::Many2one(_) | Kind::One2many { .. } | Kind::Many2many { .. } => {
                if value.is_string() {
                    return Err(OdooError::type_error(format!(
                        "Inequality not supported for relational field using a string in condition {self}"
                    )));
                }
                let number = saturate(value)?;
                if number == 0 {
                    return Ok(Filter::Nothing);
                }
                if field.is_x2many() {
                    return self.linked(field, &SearchDomain::leaf("id", self.operator.text(), value.clone()));
                }
                compare(comparison, Scalar::Integer(number), false)
            }
        })
    }

    fn resolve_part(&self, field: &'static Field, part: Part, operator: Operator) -> Result<Filter, OdooError> {
        let term = Term { field, part: Some(part) };
        let value = self.value();
        if let Some(comparison) = comparison(operator) {
            if matches!(value, Value::Null | Value::Bool(false)) {
                return Ok(Filter::Nothing);
            }
            return Ok(Filter::Compare { term, comparison, value: Scalar::Integer(saturate(value)?), or_null: false });
        }
        match operator {
            Operator::EqualIfSet if !python::truthy(value) => return Ok(Filter::All),
            Operator::Equal | Operator::EqualIfSet | Operator::In => {}
            Operator::Any => {
                let text = format!("Cannot use 'any' with non-relational fields in condition {self}");
                return Err(OdooError::value(text));
            }
            _ => return Err(OdooError::value(format!("Invalid operator in condition {self}"))),
        }
        let values = match value {
            Value::Array(values) => values,
            value => std::slice::from_ref(value),
        };
        let (mut numbers, mut or_null) = (Vec::new(), false);
        for value in values {
            match value {
                Value::Null | Value::Bool(false) => or_null = true,
                value => numbers.extend(integer(value)?),
            }
        }
        Ok(Filter::among(term, Values::Integers(numbers), or_null))
    }

    fn hierarchy(&self, field: &'static Field, above: bool) -> Result<Filter, OdooError> {
        let parent_of =
            |model: &'static Model| model.field("parent_id").filter(|field| field.kind == Kind::Many2one(model.name));
        let own = field.name == "id" || field.kind == Kind::Many2one(self.model.name);
        let (model, parent) = if own {
            (self.model, if field.name == "id" { parent_of(self.model) } else { Some(field) })
        } else if field.comodel().is_some() {
            let comodel = self.context.comodel(field)?;
            (comodel, parent_of(comodel))
        } else {
            return Err(OdooError::value(format!(
                "Cannot execute {} for {}.{}, works only for relational fields in condition {self}",
                self.operator.text(),
                self.model.name,
                field.name
            )));
        };
        let values = match self.value() {
            Value::Array(values) => values,
            value => std::slice::from_ref(value),
        };
        let (mut ids, mut roots) = (Vec::new(), Vec::new());
        for value in values {
            match value {
                Value::Null | Value::Bool(_) => {}
                Value::String(name) => {
                    let named = SearchDomain::leaf("display_name", "ilike", name.as_str().into());
                    roots.push(named.resolve(model, self.context)?);
                }
                number => ids.extend(integer(number)?),
            }
        }
        let id_field = model.field("id").expect("every model has ids");
        roots.push(Filter::among(id_field, Values::Integers(ids), false));
        let roots = Filter::or(roots);
        let closure = match (parent, roots) {
            (_, Filter::Nothing) => return Ok(Filter::Nothing),
            (None, roots) => roots,
            (Some(parent), roots) => Filter::Within { model, parent, roots: Box::new(roots), above },
        };
        if own {
            return Ok(closure);
        }
        Ok(Filter::Linked { field, comodel: model, to: self.context.visible(model, closure, true)? })
    }

    fn moment(&self, field: &Field, value: &Value) -> Result<Moment, OdooError> {
        Moment::parse(value, field.ttype(), self.context.now)
    }

    fn not_comparable(&self, field: &Field) -> OdooError {
        OdooError::value(format!(
            "Cannot compare '{}' to <class '{}'> which is not a collection of length 1 in condition {self}",
            field.name,
            python::type_name(self.value())
        ))
    }
}

const fn comparison(operator: Operator) -> Option<Comparison> {
    match operator {
        Operator::Less => Some(Comparison::Less),
        Operator::LessOrEqual => Some(Comparison::LessOrEqual),
        Operator::Greater => Some(Comparison::Greater),
        Operator::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

/// The field whose column holds the value: `display_name` is the model's `rec_name`, unless the model has its own.
///
/// # Errors
/// `ValueError` for what is nowhere in the database.
pub fn column_field(model: &'static Model, field: &'static Field) -> Result<&'static Field, OdooError> {
    let is_own = || model.own_fields.iter().any(|own| own.name == field.name);
    let field = match field.name {
        "display_name" if !is_own() => model.field(model.rec_name).unwrap_or(field),
        _ => field,
    };
    if field.column == Column::None && !field.is_x2many() {
        return Err(not_stored(model, field));
    }
    Ok(field)
}

/// A field that the database can't compare or order by.
pub fn not_stored(model: &Model, field: &Field) -> OdooError {
    let text = format!("Cannot convert {}.{} to SQL because it is not stored", model.name, field.name);
    OdooError::value(text)
}

/// Python's idea of true, but for text, which is parsed.
fn is_true(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            ["y", "yes", "1", "true", "t", "on"].iter().any(|truth| truth.eq_ignore_ascii_case(text.trim()))
        }
        value => python::truthy(value),
    }
}

/// `int(value)`; `None` for a number that no column can hold.
fn integer(value: &Value) -> Result<Option<i64>, OdooError> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(i64::from(*value))),
        Value::Number(number) => Ok(number.as_i64().or_else(|| number.as_f64().and_then(truncate))),
        Value::String(text) => parse_int(text).ok_or_else(|| {
            OdooError::value(format!("invalid literal for int() with base 10: {}", python::repr_str(text)))
        }),
        other => Err(OdooError::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            python::type_name(other)
        ))),
    }
}

/// Like [`integer`], for comparisons: the nearest number that a column can hold.
fn saturate(value: &Value) -> Result<i64, OdooError> {
    let negative = match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number < 0.0),
        Value::String(text) => text.trim_start().starts_with('-'),
        _ => false,
    };
    Ok(integer(value)?.unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

/// The database casts ids itself, so its error is another.
fn id(value: &Value) -> Result<Option<i64>, OdooError> {
    match value {
        Value::String(text) => parse_int(text).ok_or_else(|| {
            let text = format!("invalid input syntax for type integer: \"{text}\"");
            OdooError::new(Exception::InvalidTextRepresentation, text)
        }),
        value => integer(value),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
fn truncate(number: f64) -> Option<i64> {
    const BOUND: f64 = 9_007_199_254_740_992.0;
    (-BOUND..=BOUND).contains(&number).then_some(number as i64)
}

/// Python's `int(text)`: blanks around, a sign, `_` between digits. The outer `None`: no number; the inner: too large.
fn parse_int(text: &str) -> Option<Option<i64>> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = !digits.is_empty()
        && digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    well_formed.then(|| text.replace('_', "").parse().ok())
}

fn with<T: PartialEq>(mut values: Vec<T>, value: T) -> Vec<T> {
    if !values.contains(&value) {
        values.push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::orm::search_domain::Limits;

    /// Meanings and errors beyond the recorded ones of tests/golden.
    #[test]
    fn conditions() {
        let registry = Registry::new();
        let now = "2026-11-20T09:40:37".parse().expect("a moment");
        let context = ResolveContext::unrestricted(&registry, now);
        let check = |model: &str, domain: Value, expect: &str| {
            let model = registry.get(model).expect("it is served");
            let domain = SearchDomain::parse(&domain, &Limits::default()).expect("well formed");
            let text = match domain.resolve(model, &context) {
                Ok(Filter::All) => "all".to_owned(),
                Ok(Filter::Nothing) => "nothing".to_owned(),
                Ok(_) => "some".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(text, expect, "{domain:?}");
        };
        let authorization = "orest.authorization";
        let overflow = format!("{}0", i64::MAX);
        check(authorization, json!([["generation", "=", overflow]]), "nothing");
        check(authorization, json!([["generation", "=", 1e300]]), "nothing");
        check(authorization, json!([["generation", "<", 1e300]]), "some");
        check(authorization, json!([["generation", "=", "1_0 "]]), "some");
        check(
            authorization,
            json!([["generation", "=", "7.9"]]),
            "builtins.ValueError: invalid literal for int() with base 10: '7.9'",
        );
        check(
            authorization,
            json!([["generation", ">", [1]]]),
            "builtins.TypeError: int() argument must be a string, a bytes-like object or a real number, not 'list'",
        );
        check(authorization, json!([["scope", "=", {}]]), "builtins.TypeError: unhashable type: 'dict'");
        check(authorization, json!([["scope", "in", [["a"]]]]), "builtins.TypeError: unhashable type: 'list'");
        check(
            authorization,
            json!([["scope", "ilike", "a".repeat(1_001)]]),
            "builtins.ValueError: The pattern to match scope has more than 1000 characters",
        );
        check(
            authorization,
            json!([["user_id.", "=", 1]]),
            "builtins.ValueError: Invalid field res.users. in condition ('', '=', 1)",
        );
        check(
            authorization,
            json!([[".", "=", 1]]),
            "builtins.ValueError: Invalid field orest.authorization. in condition ('.', '=', 1)",
        );
        check(
            authorization,
            json!([["state", "child_of", 1]]),
            "builtins.ValueError: Cannot execute child_of for orest.authorization.state, works only for relational fields in condition ('state', 'child_of', 1)",
        );
        check(authorization, json!([["user_id", "child_of", 1]]), "some");
        check(authorization, json!([["user_id", "in", [0]]]), "nothing");
        check(
            authorization,
            json!([[0, "=", 1], ["nope", "=", 1]]),
            "builtins.ValueError: Invalid field orest.authorization.nope in condition ('nope', '=', 1)",
        );
        check("orest.application", json!([["image", "=", false]]), "some");
        check("orest.application", json!([["image", "=", "AAAA"]]), "nothing");
        check(
            "orest.application",
            json!([["image", ">", "AAAA"]]),
            "builtins.ValueError: Cannot compare 'image' to <class 'str'> which is not a collection of length 1 in condition ('image', '>', 'AAAA')",
        );
        check(
            "res.users",
            json!([["password", "=", "x"]]),
            "builtins.ValueError: Cannot convert res.users.password to SQL because it is not stored",
        );
        check(
            "res.users",
            json!([["password", "like", ""]]),
            "builtins.ValueError: Cannot convert res.users.password to SQL because it is not stored",
        );
    }
}
