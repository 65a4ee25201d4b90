//! Odoo's filter lists: `["&", ["user_id", "=", 5], ["state", "=", "live"]]`.
//!
//! The way of a domain: [`SearchDomain::parse`] reads what a caller sent, [`SearchDomain::and`] adds the record rule,
//! [`super::resolve`] checks fields and values and gives a [`super::filter::Filter`], which `store::search` lowers to SQL
//! and [`super::eval`] evaluates in memory.
//!
//! # To add an operator
//! A variant and its text here, a meaning in [`super::resolve`].

mod parse;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::python;
use crate::limits;

/// How much a domain may hold, so that none costs the server more than its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conditions, connectives, and steps of dotted paths, sub-domains included.
    pub terms: usize,
    /// How deep connectives and conditions may nest. Each `any` and each step of a dotted path counts as eight.
    pub depth: usize,
    /// Members of all value lists together.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { terms: limits::DOMAIN_TERMS_MAX, depth: limits::DOMAIN_DEPTH_MAX, values: limits::SELECTION_IDS_MAX }
    }
}

/// A filter over the records of a model. It knows no fields yet.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchDomain {
    /// Every record.
    True,
    /// No record.
    False,
    /// All but these.
    Not(Box<Self>),
    /// What is in each.
    And(Vec<Self>),
    /// What is in at least one.
    Or(Vec<Self>),
    /// One condition.
    Leaf(Leaf),
}

/// One condition on a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// A field, or a path of fields joined by dots.
    pub field: String,
    /// How to compare.
    pub operator: Operator,
    /// With what.
    pub value: Operand,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A value, as the caller sent it.
    Value(Value),
    /// The condition on the other records, of `any` and `not any`.
    Domain(Box<SearchDomain>),
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`, or the deprecated `==`
    Equal,
    /// `!=`, or the deprecated `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=?`: true for a falsy value, else `=`
    EqualIfSet,
    /// `in`
    In,
    /// `not in`
    NotIn,
    /// `like`: contains
    Like,
    /// `not like`
    NotLike,
    /// `ilike`: contains, whatever the case
    ILike,
    /// `not ilike`
    NotILike,
    /// `=like`: the whole value fits the pattern
    EqualLike,
    /// `not =like`
    NotEqualLike,
    /// `=ilike`
    EqualILike,
    /// `not =ilike`
    NotEqualILike,
    /// `any`: linked to a record that fits
    Any,
    /// `not any`
    NotAny,
    /// `child_of`: this or below it
    ChildOf,
    /// `parent_of`: this or above it
    ParentOf,
}

impl Operator {
    /// Every operator with its text; the aliases are in [`Operator::from_text`].
    pub const ALL: [(Self, &'static str); 21] = [
        (Self::Equal, "="),
        (Self::NotEqual, "!="),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
        (Self::EqualIfSet, "=?"),
        (Self::In, "in"),
        (Self::NotIn, "not in"),
        (Self::Like, "like"),
        (Self::NotLike, "not like"),
        (Self::ILike, "ilike"),
        (Self::NotILike, "not ilike"),
        (Self::EqualLike, "=like"),
        (Self::NotEqualLike, "not =like"),
        (Self::EqualILike, "=ilike"),
        (Self::NotEqualILike, "not =ilike"),
        (Self::Any, "any"),
        (Self::NotAny, "not any"),
        (Self::ChildOf, "child_of"),
        (Self::ParentOf, "parent_of"),
    ];

    /// The operator of a text, in any case.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "==" => Some(Self::Equal),
            "<>" => Some(Self::NotEqual),
            _ => Self::ALL.iter().find(|(_, own)| own.eq_ignore_ascii_case(text)).map(|(operator, _)| *operator),
        }
    }

    /// Its text.
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|(operator, _)| *operator == self).map_or("=", |(_, text)| text)
    }

    /// What a negative operator negates.
    pub const fn negated(self) -> Option<Self> {
        Some(match self {
            Self::NotEqual => Self::Equal,
            Self::NotIn => Self::In,
            Self::NotLike => Self::Like,
            Self::NotILike => Self::ILike,
            Self::NotEqualLike => Self::EqualLike,
            Self::NotEqualILike => Self::EqualILike,
            Self::NotAny => Self::Any,
            _ => return None,
        })
    }
}

impl SearchDomain {
    /// One condition, for callers of our own.
    ///
    /// # Panics
    /// If there is no such operator.
    pub fn leaf(field: &str, operator: &str, value: Value) -> Self {
        let operator = Operator::from_text(operator).expect("the operator is written in our own code");
        Self::Leaf(Leaf { field: field.to_owned(), operator, value: Operand::Value(value) })
    }

    /// Linked by this field to a record in the other domain.
    pub fn any(field: &str, domain: Self) -> Self {
        let value = Operand::Domain(Box::new(domain));
        Self::Leaf(Leaf { field: field.to_owned(), operator: Operator::Any, value })
    }

    /// What is in both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, domain) | (domain, Self::True) => domain,
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::And(mut left), Self::And(right)) => {
                left.extend(right);
                Self::And(left)
            }
            (Self::And(mut left), right) => {
                left.push(right);
                Self::And(left)
            }
            (left, right) => Self::And(vec![left, right]),
        }
    }

    /// What is in either.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, domain) | (domain, Self::False) => domain,
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Or(mut left), Self::Or(right)) => {
                left.extend(right);
                Self::Or(left)
            }
            (Self::Or(mut left), right) => {
                left.push(right);
                Self::Or(left)
            }
            (left, right) => Self::Or(vec![left, right]),
        }
    }

    /// What is not in it.
    #[expect(clippy::should_implement_trait, reason = "`and` and `or` are no operators either")]
    pub fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Not(domain) => *domain,
            domain => Self::Not(Box::new(domain)),
        }
    }

    /// Whether a condition on this field of the searched records themselves stands in it; a dotted path does not count.
    pub fn mentions(&self, field: &str) -> bool {
        match self {
            Self::True | Self::False => false,
            Self::Not(domain) => domain.mentions(field),
            Self::And(domains) | Self::Or(domains) => domains.iter().any(|domain| domain.mentions(field)),
            Self::Leaf(Leaf {
                field: id,
                operator: Operator::Any | Operator::NotAny,
                value: Operand::Domain(domain),
            }) if id == "id" => domain.mentions(field),
            Self::Leaf(leaf) => leaf.field == field,
        }
    }

    /// Whether the caller asks for archived records himself, so that they are not to be left out.
    pub fn mentions_active(&self) -> bool {
        self.mentions("active")
    }

    /// The list that a client would send for it.
    pub fn to_json(&self) -> Value {
        let mut items = Vec::new();
        match self {
            Self::And(domains) if !domains.is_empty() => {
                domains.iter().for_each(|domain| domain.push_json(&mut items));
            }
            Self::True => {}
            domain => domain.push_json(&mut items),
        }
        Value::Array(items)
    }

    fn push_json(&self, items: &mut Vec<Value>) {
        match self {
            Self::True => items.push(json!([1, "=", 1])),
            Self::False => items.push(json!([0, "=", 1])),
            Self::Not(domain) => {
                items.push(json!("!"));
                domain.push_json(items);
            }
            Self::And(domains) | Self::Or(domains) if domains.is_empty() => {
                items.push(if matches!(self, Self::And(_)) { json!([1, "=", 1]) } else { json!([0, "=", 1]) });
            }
            Self::And(domains) | Self::Or(domains) => {
                let connective = if matches!(self, Self::And(_)) { "&" } else { "|" };
                items.extend((1..domains.len()).map(|_| json!(connective)));
                domains.iter().for_each(|domain| domain.push_json(items));
            }
            Self::Leaf(leaf) => items.push(json!([leaf.field, leaf.operator.text(), leaf.value.to_json()])),
        }
    }

    /// `repr` of it: leaves are tuples.
    fn repr(&self) -> String {
        let Value::Array(items) = self.to_json() else { return String::new() };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            texts.push(match item {
                Value::Array(leaf) => python::repr_tuple(leaf),
                other => python::repr(other),
            });
        }
        format!("[{}]", texts.join(", "))
    }
}

impl Operand {
    /// As a client would send it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Domain(domain) => domain.to_json(),
        }
    }
}

/// As it stands in error texts: `('ref', '=', 'abc')`.
impl std::fmt::Display for Leaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = match &self.value {
            Operand::Value(value) => python::repr(value),
            Operand::Domain(domain) => domain.repr(),
        };
        write!(f, "({}, {}, {value})", python::repr_str(&self.field), python::repr_str(self.operator.text()))
    }
}
