//! Reads a domain as Odoo 19 does: from the right, with a stack.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Leaf, Limits, Operand, Operator, SearchDomain};
use crate::orm::error::OdooError;
use crate::orm::python;

/// What is on the stack: a domain with its depth, or the members of a connective that may still take more, so that a
/// chain of thousands of `|` is one list and not a tower.
struct Entry {
    depth: usize,
    body: Body,
}

enum Body {
    Domain(SearchDomain),
    Joint(Connective, VecDeque<SearchDomain>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connective {
    And,
    Or,
}

/// A step along a relation is a sub-query, and SQLite refuses more than some twenty of them within each other, where it
/// takes hundreds of connectives.
const STEP_DEPTH: usize = 8;

/// How much is left of the [`Limits`].
struct Budget {
    terms: usize,
    values: usize,
    depth: usize,
}

impl SearchDomain {
    /// Reads what a caller sent: a list in Polish notation, `true` or `false`.
    ///
    /// # Errors
    /// As Odoo 19: `ValueError` or `TypeError`, with its texts; and a `ValueError` of our own beyond the limits.
    pub fn parse(value: &Value, limits: &Limits) -> Result<Self, OdooError> {
        let mut budget = Budget { terms: limits.terms, values: limits.values, depth: limits.depth };
        Ok(parse(value, &mut budget)?.0)
    }
}

fn parse(value: &Value, budget: &mut Budget) -> Result<(SearchDomain, usize), OdooError> {
    let items = match value {
        Value::Array(items) => items,
        Value::Bool(true) => return Ok((SearchDomain::True, 1)),
        Value::Bool(false) => return Ok((SearchDomain::False, 1)),
        other => {
            let text = format!("Domain() invalid argument type for domain: {}", python::repr(other));
            return Err(OdooError::type_error(text));
        }
    };
    budget.take_terms(items.len())?;
    let malformed = || OdooError::value(format!("Domain() malformed domain {}", python::repr(value)));
    let mut stack: Vec<Entry> = Vec::new();
    for item in items.iter().rev() {
        let entry = match item {
            Value::String(text) if text == "&" || text == "|" => {
                let connective = if text == "&" { Connective::And } else { Connective::Or };
                let (Some(first), Some(second)) = (stack.pop(), stack.pop()) else { return Err(malformed()) };
                first.join(connective, second)
            }
            Value::String(text) if text == "!" => stack.pop().ok_or_else(malformed)?.negate(),
            Value::Array(leaf) if leaf.len() == 3 => {
                let (domain, depth) = parse_leaf(item, leaf, budget)?;
                Entry { depth, body: Body::Domain(domain) }
            }
            other => {
                return Err(OdooError::value(format!("Domain() invalid item in domain: {}", python::repr(other))));
            }
        };
        budget.check_depth(entry.depth)?;
        stack.push(entry);
    }
    let mut all = Entry { depth: 0, body: Body::Domain(SearchDomain::True) };
    while let Some(entry) = stack.pop() {
        all = if all.depth == 0 { entry } else { all.join(Connective::And, entry) };
    }
    budget.check_depth(all.depth)?;
    let depth = all.depth.max(1);
    Ok((all.into_domain(), depth))
}

fn parse_leaf(item: &Value, leaf: &[Value], budget: &mut Budget) -> Result<(SearchDomain, usize), OdooError> {
    let [field, operator, value] = leaf else { unreachable!("the caller has counted three") };
    if operator == "=" {
        if is_number(field, 1) && is_number(value, 1) {
            return Ok((SearchDomain::True, 1));
        }
        if is_number(field, 0) && is_number(value, 1) {
            return Ok((SearchDomain::False, 1));
        }
    }
    let (Value::String(field), Value::String(text)) = (field, operator) else {
        let text = format!("Domain() invalid arguments: {}", python::repr_tuple(leaf));
        return Err(OdooError::type_error(text));
    };
    if matches!(text.as_str(), "any!" | "not any!") {
        return Err(OdooError::value(format!("Domain() invalid item in domain: {}", python::repr(item))));
    }
    if field.is_empty() {
        return Err(OdooError::type_error(format!("Empty field name in condition {}", python::repr_tuple(leaf))));
    }
    let Some(operator) = Operator::from_text(text) else {
        return Err(OdooError::value(format!("Invalid operator in condition {}", python::repr_tuple(leaf))));
    };
    let steps = field.bytes().filter(|byte| *byte == b'.').count();
    budget.take_terms(steps)?;
    let (value, depth) = match (operator, value) {
        (Operator::Any | Operator::NotAny, domain) => {
            let above = (steps + 1) * STEP_DEPTH;
            budget.check_depth(above)?;
            let mut below = Budget { depth: budget.depth - above, ..*budget };
            let (domain, depth) = parse(domain, &mut below)?;
            (budget.terms, budget.values) = (below.terms, below.values);
            (Operand::Domain(Box::new(domain)), depth + STEP_DEPTH)
        }
        (_, value) => {
            if let Value::Array(items) = value {
                budget.take_values(items.len())?;
            }
            (Operand::Value(value.clone()), 1)
        }
    };
    Ok((SearchDomain::Leaf(Leaf { field: field.clone(), operator, value }), depth + steps * STEP_DEPTH))
}

/// Python holds `True == 1`, and so does Odoo when it looks for `(1, '=', 1)`.
fn is_number(value: &Value, number: i64) -> bool {
    match value {
        Value::Bool(value) => i64::from(*value) == number,
        value => value.as_i64() == Some(number),
    }
}

impl Entry {
    fn into_domain(self) -> SearchDomain {
        match self.body {
            Body::Domain(domain) => domain,
            Body::Joint(Connective::And, members) => SearchDomain::And(members.into()),
            Body::Joint(Connective::Or, members) => SearchDomain::Or(members.into()),
        }
    }

    fn into_members(self, connective: Connective) -> (VecDeque<SearchDomain>, usize) {
        match self {
            Self { depth, body: Body::Joint(own, members) } if own == connective => (members, depth),
            entry => {
                let depth = entry.depth + 1;
                (VecDeque::from([entry.into_domain()]), depth)
            }
        }
    }

    fn join(self, connective: Connective, second: Self) -> Self {
        let (mut left, left_depth) = self.into_members(connective);
        let (mut right, right_depth) = second.into_members(connective);
        let depth = left_depth.max(right_depth);
        // the shorter is moved, so that a chain costs no more from either side
        if left.len() >= right.len() {
            left.append(&mut right);
        } else {
            while let Some(last) = left.pop_back() {
                right.push_front(last);
            }
            left = right;
        }
        Self { depth, body: Body::Joint(connective, left) }
    }

    fn negate(self) -> Self {
        match self {
            Self { depth, body: Body::Domain(SearchDomain::Not(domain)) } => {
                Self { depth: depth - 1, body: Body::Domain(*domain) }
            }
            entry => {
                let depth = entry.depth;
                let domain = entry.into_domain().not();
                let depth = depth + usize::from(matches!(domain, SearchDomain::Not(_)));
                Self { depth, body: Body::Domain(domain) }
            }
        }
    }
}

impl Budget {
    fn take_terms(&mut self, number: usize) -> Result<(), OdooError> {
        self.terms = self.terms.checked_sub(number).ok_or_else(|| too_large("terms"))?;
        Ok(())
    }

    fn take_values(&mut self, number: usize) -> Result<(), OdooError> {
        self.values = self.values.checked_sub(number).ok_or_else(|| too_large("values"))?;
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), OdooError> {
        if depth > self.depth { Err(too_large("levels")) } else { Ok(()) }
    }
}

fn too_large(what: &str) -> OdooError {
    OdooError::value(format!("Domain() too many {what} in domain; search with a smaller one"))
}
