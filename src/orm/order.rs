//! Odoo's order strings: `create_date desc nulls last, id`.

use serde_json::Value;

use super::error::OdooError;
use super::field::{Column, Field, Kind, Model};
use super::python;
use super::resolve::{ResolveContext, column_field, not_stored};

/// How records are ordered: by the first term, then the second, and at last by id, so that pages never overlap.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The terms.
    pub terms: Vec<OrderTerm>,
}

/// One term. Text orders by bytes; no value of a boolean is false.
#[derive(Clone, Debug)]
pub struct OrderTerm {
    /// The many2one fields that lead to the record with the field, each with the model that it leads to.
    pub through: Vec<(&'static Field, &'static Model)>,
    /// The field.
    pub field: &'static Field,
    /// The greatest first.
    pub descending: bool,
    /// Where records without a value go.
    pub nulls_first: bool,
}

/// How far the orders of other models are followed.
const THROUGH_MAX: usize = 4;

impl Order {
    /// Reads an order; nothing, `""` and `false` are the model's own.
    ///
    /// # Errors
    /// With the texts of Odoo 19.
    pub fn parse(value: &Value, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        match value {
            Value::String(text) if !text.is_empty() => Self::parse_text(text, model, context),
            other if !python::truthy(other) => Self::of_model(model, context),
            other => Err(syntax(&python::str(other))),
        }
    }

    /// The model's own order. Every caller may order by it, whatever fields he sees.
    pub fn of_model(model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        Self::parse_text(model.order, model, &ResolveContext::unrestricted(context.registry, context.now))
    }

    /// Reads an order.
    pub fn parse_text(text: &str, model: &'static Model, context: &ResolveContext<'_>) -> Result<Self, OdooError> {
        let raw: Option<Vec<_>> = text.split(',').map(RawTerm::parse).collect();
        let raw = raw.ok_or_else(|| syntax(text))?;
        let mut terms = Vec::new();
        for term in raw {
            term.resolve(model, context, &mut terms)?;
        }
        Ok(Self { terms })
    }

    /// Whether it says all by itself, without the id at the end.
    pub fn is_total(&self) -> bool {
        self.terms.iter().any(|term| term.field.name == "id" && term.through.is_empty())
    }
}

/// `field[.property] [asc|desc] [nulls first|nulls last]`
struct RawTerm<'a> {
    field: &'a str,
    property: Option<&'a str>,
    descending: bool,
    nulls_first: Option<bool>,
}

impl<'a> RawTerm<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let (path, descending, nulls_first) = split_term(text)?;
        let (field, property) = path.split_once('.').map_or((path, None), |(field, property)| (field, Some(property)));
        if !is_name(field) || !property.is_none_or(is_name) {
            return None;
        }
        Some(Self { field, property, descending, nulls_first })
    }

    fn resolve(
        &self,
        model: &'static Model,
        context: &ResolveContext<'_>,
        terms: &mut Vec<OrderTerm>,
    ) -> Result<(), OdooError> {
        let field = context.visible_field(model, self.field)?;
        let field = field.ok_or_else(|| {
            OdooError::value(format!("Invalid field {} on model '{}'", python::repr_str(self.field), model.name))
        })?;
        let is_many2one = matches!(field.kind, Kind::Many2one(_));
        if field.is_x2many() || field.column == Column::None || column_field(model, field)?.name != field.name {
            return Err(not_stored(model, field));
        }
        let (descending, nulls_first) = (self.descending, self.nulls_first.unwrap_or(self.descending));
        match self.property {
            Some("id") if is_many2one => {}
            Some(property) => {
                let property = python::repr_str(property);
                return Err(OdooError::value(format!(
                    "Invalid field property {property} on {}.{}",
                    model.name, field.name
                )));
            }
            None if is_many2one => return self.follow(field, context, terms),
            None => {}
        }
        terms.push(OrderTerm { through: Vec::new(), field, descending, nulls_first });
        Ok(())
    }

    /// A many2one is ordered as its model is, each term reversed by `desc`; records without one are where no value is.
    fn follow(
        &self,
        field: &'static Field,
        context: &ResolveContext<'_>,
        terms: &mut Vec<OrderTerm>,
    ) -> Result<(), OdooError> {
        let nulls_first = self.nulls_first.unwrap_or(self.descending);
        let by_id = OrderTerm { through: Vec::new(), field, descending: self.descending, nulls_first };
        let comodel = match context.comodel(field) {
            // a model that is not served, or has no table to join: its ids
            Ok(comodel) if comodel.table().is_some() => comodel,
            _ => {
                terms.push(by_id);
                return Ok(());
            }
        };
        let order = Self::followed(comodel, context, THROUGH_MAX)?;
        terms.extend(order.into_iter().map(|mut term| {
            term.through.insert(0, (field, comodel));
            term.descending ^= self.descending;
            term.nulls_first = self.nulls_first.unwrap_or(term.descending);
            term
        }));
        Ok(())
    }

    /// The terms of a model's own order, many2one fields in it followed, but not for ever.
    fn followed(model: &'static Model, context: &ResolveContext<'_>, left: usize) -> Result<Vec<OrderTerm>, OdooError> {
        let unrestricted = ResolveContext::unrestricted(context.registry, context.now);
        let mut terms = Vec::new();
        for text in model.order.split(',') {
            let term = RawTerm::parse(text).ok_or_else(|| syntax(model.order))?;
            let field = model.field(term.field).filter(|field| matches!(field.kind, Kind::Many2one(_)));
            let next = field.and_then(|field| Some((field, context.comodel(field).ok()?)));
            match next.filter(|(_, comodel)| comodel.table().is_some() && term.property.is_none()) {
                Some((field, comodel)) if left > 0 => {
                    for mut inner in Self::followed(comodel, context, left - 1)? {
                        inner.through.insert(0, (field, comodel));
                        inner.descending ^= term.descending;
                        inner.nulls_first = term.nulls_first.unwrap_or(inner.descending);
                        terms.push(inner);
                    }
                }
                Some((field, _)) => {
                    let nulls_first = term.nulls_first.unwrap_or(term.descending);
                    terms.push(OrderTerm { through: Vec::new(), field, descending: term.descending, nulls_first });
                }
                None => term.resolve(model, &unrestricted, &mut terms)?,
            }
        }
        Ok(terms)
    }
}

/// `name [asc|desc] [nulls first|nulls last]`: the name, whether it is descending, and where nulls go if that is said.
pub(super) fn split_term(text: &str) -> Option<(&str, bool, Option<bool>)> {
    let mut words = text.split_whitespace().peekable();
    let name = words.next()?;
    let descending = words.peek().is_some_and(|word| word.eq_ignore_ascii_case("desc"));
    if descending || words.peek().is_some_and(|word| word.eq_ignore_ascii_case("asc")) {
        words.next();
    }
    let nulls_first = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some(nulls), Some(place), None) if nulls.eq_ignore_ascii_case("nulls") => {
            let first = place.eq_ignore_ascii_case("first");
            if !first && !place.eq_ignore_ascii_case("last") {
                return None;
            }
            Some(first)
        }
        _ => return None,
    };
    Some((name, descending, nulls_first))
}

pub(super) fn syntax(text: &str) -> OdooError {
    OdooError::user(format!(
        "Invalid \"order\" specified ({text}). A valid \"order\" specification is a comma-separated list of valid field \
         names (optionally followed by asc/desc for the direction)"
    ))
}

/// Reads a `limit`: nothing, `false` and 0 are no limit.
///
/// # Errors
/// `ValueError` for what is no number, or negative.
pub fn parse_limit(value: &Value) -> Result<Option<u64>, OdooError> {
    Ok(Some(parse_number(value, "LIMIT")?).filter(|limit| *limit > 0))
}

/// Reads an `offset`: nothing and `false` are 0.
///
/// # Errors
/// `ValueError` for what is no number, or negative.
pub fn parse_offset(value: &Value) -> Result<u64, OdooError> {
    parse_number(value, "OFFSET")
}

fn parse_number(value: &Value, name: &str) -> Result<u64, OdooError> {
    let wrong_type = |what| OdooError::value(format!("argument of {name} must be type bigint, not type {what}"));
    let number = match value {
        Value::Null | Value::Bool(false) => return Ok(0),
        Value::Bool(true) => return Err(wrong_type("boolean")),
        Value::Number(number) => number.as_i64().ok_or_else(|| OdooError::value("bigint out of range"))?,
        Value::String(text) if text.is_empty() => return Ok(0),
        Value::String(text) => text
            .trim()
            .parse()
            .map_err(|_| OdooError::value(format!("invalid input syntax for type bigint: \"{text}\"")))?,
        Value::Array(_) | Value::Object(_) => return Err(wrong_type("text[]")),
    };
    u64::try_from(number).map_err(|_| OdooError::value(format!("{name} must not be negative")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::orm::registry::Registry;

    #[test]
    fn orders() {
        let registry = Registry::new();
        let now = "2026-11-20T09:40:37".parse().expect("a moment");
        let context = ResolveContext::unrestricted(&registry, now);
        let model = registry.get("orest.authorization").expect("it is served");
        let check = |value: Value, expect: &str| {
            let text = match Order::parse(&value, model, &context) {
                Ok(order) => {
                    let terms = order.terms.iter().map(|term| {
                        let mut path: Vec<_> = term.through.iter().map(|(field, _)| field.name).collect();
                        path.push(term.field.name);
                        let direction = if term.descending { "desc" } else { "asc" };
                        format!("{} {direction} {}", path.join("."), if term.nulls_first { "first" } else { "last" })
                    });
                    terms.collect::<Vec<_>>().join(", ")
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(text, expect, "{value}");
        };
        let default = "create_date desc first, id desc first";
        check(json!(""), default);
        check(json!(false), default);
        check(json!(null), default);
        check(json!("scope, state DESC Nulls Last"), "scope asc last, state desc last");
        check(json!(" id asc "), "id asc last");
        check(json!("user_id"), "user_id.name asc last, user_id.login asc last");
        check(json!("user_id desc"), "user_id.name desc first, user_id.login desc first");
        check(json!("user_id desc nulls last"), "user_id.name desc last, user_id.login desc last");
        check(json!("user_id.id"), "user_id asc last");
        let invalid = |text: &str| {
            format!(
                "odoo.exceptions.UserError: Invalid \"order\" specified ({text}). A valid \"order\" specification is a \
                 comma-separated list of valid field names (optionally followed by asc/desc for the direction)"
            )
        };
        for text in [
            "scope;drop",
            "scope,",
            ",",
            " ",
            "lower(scope)",
            "scope asc desc",
            "scope nulls",
            "scope desc nulls first x",
            "a.b.c",
            "\"scope\"",
        ] {
            check(json!(text), &invalid(text));
        }
        check(json!(5), &invalid("5"));
        check(json!("nope"), "builtins.ValueError: Invalid field 'nope' on model 'orest.authorization'");
        check(json!("SCOPE"), "builtins.ValueError: Invalid field 'SCOPE' on model 'orest.authorization'");
        check(
            json!("user_id.name"),
            "builtins.ValueError: Invalid field property 'name' on orest.authorization.user_id",
        );
        check(json!("scope.id"), "builtins.ValueError: Invalid field property 'id' on orest.authorization.scope");
        check(
            json!("code_ids"),
            "builtins.ValueError: Cannot convert orest.authorization.code_ids to SQL because it is not stored",
        );
    }

    #[test]
    fn pages() {
        let check = |value: Value, expect: Result<Option<u64>, &str>| {
            let limit = parse_limit(&value).map_err(|error| error.message);
            assert_eq!(limit, expect.map_err(str::to_owned), "{value}");
        };
        check(json!(null), Ok(None));
        check(json!(false), Ok(None));
        check(json!(0), Ok(None));
        check(json!(2), Ok(Some(2)));
        check(json!("2"), Ok(Some(2)));
        check(json!(-1), Err("LIMIT must not be negative"));
        check(json!(true), Err("argument of LIMIT must be type bigint, not type boolean"));
        check(json!("x"), Err("invalid input syntax for type bigint: \"x\""));
        check(json!(1e30), Err("bigint out of range"));
        assert_eq!(parse_offset(&json!("7")).expect("a number"), 7);
    }
}
