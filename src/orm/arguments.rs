//! What callers send in place of ids, lists of fields and flags, read as leniently as Odoo does.

use serde_json::Value;

use super::call::Env;
use super::error::{Exception, OdooError};
use super::field::{Field, Model};
use super::python;
use super::rights;
use super::search_domain::{Limits, SearchDomain};

/// The ids of a recordset: a number, a list, or nothing. What can name no record is left out.
///
/// # Errors
/// Odoo's own for text that is no number and for lists in lists.
pub fn ids(value: &Value) -> Result<Vec<i64>, OdooError> {
    let text_id = |text: &str| match text.trim().parse::<i64>() {
        // the database would look for a number, the recordset for a text: nothing is found
        Ok(_) => Ok(()),
        Err(_) => Err(OdooError::new(
            Exception::InvalidTextRepresentation,
            format!("invalid input syntax for type integer: \"{text}\""),
        )),
    };
    match value {
        Value::Null | Value::Bool(false) => Ok(Vec::new()),
        Value::Bool(true) => Ok(vec![1]),
        Value::Number(number) => Ok(number.as_i64().into_iter().filter(|id| *id != 0).collect()),
        Value::String(text) => {
            text.chars().try_for_each(|letter| text_id(&letter.to_string()))?;
            Ok(Vec::new())
        }
        Value::Object(members) => {
            members.keys().try_for_each(|key| text_id(key))?;
            Ok(Vec::new())
        }
        Value::Array(items) => {
            let mut found = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Value::String(text) => text_id(text)?,
                    Value::Array(_) | Value::Object(_) => {
                        return Err(OdooError::type_error(format!("unhashable type: '{}'", python::type_name(item))));
                    }
                    item => found.extend(ids(item)?),
                }
            }
            Ok(found)
        }
    }
}

/// A domain; nothing is every record.
///
/// # Errors
/// See [`SearchDomain::parse`].
pub fn domain(value: &Value) -> Result<SearchDomain, OdooError> {
    if value.is_null() { Ok(SearchDomain::True) } else { SearchDomain::parse(value, &Limits::default()) }
}

/// The members of a list, or of a text its letters, which is what Python iterates over.
///
/// # Errors
/// `TypeError` for what can't be iterated over.
pub fn items(value: &Value) -> Result<Vec<Value>, OdooError> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        Value::String(text) => Ok(text.chars().map(|letter| letter.to_string().into()).collect()),
        Value::Object(members) => Ok(members.keys().map(|key| key.as_str().into()).collect()),
        other => Err(OdooError::type_error(format!("'{}' object is not iterable", python::type_name(other)))),
    }
}

impl Env<'_> {
    /// The fields that a caller asks for; nothing is all that he sees, each once.
    ///
    /// # Errors
    /// `ValueError` for an unknown field, `AccessError` for one of another group.
    pub fn fields(&self, model: &'static Model, value: &Value) -> Result<Vec<&'static Field>, OdooError> {
        if !python::truthy(value) {
            return Ok(model.fields().filter(|field| rights::sees(self.actor(), field)).collect());
        }
        let mut fields: Vec<&'static Field> = Vec::new();
        for name in items(value)? {
            let field = self.field(model, &name)?;
            if !fields.iter().any(|known| known.name == field.name) {
                fields.push(field);
            }
        }
        Ok(fields)
    }

    /// One field by name.
    ///
    /// # Errors
    /// As [`Env::fields`].
    pub fn field(&self, model: &'static Model, name: &Value) -> Result<&'static Field, OdooError> {
        let known = name.as_str().map(|name| self.resolving(|context| context.visible_field(model, name)));
        known
            .transpose()?
            .flatten()
            .ok_or_else(|| OdooError::value(format!("Invalid field {} on '{}'", python::repr(name), model.name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_in_every_form() {
        let check = |value: Value, expect: Result<&[i64], &str>| {
            assert_eq!(ids(&value).map_err(|error| error.message), expect.map(<[_]>::to_vec).map_err(str::to_owned));
        };
        check(json!(6), Ok(&[6]));
        check(json!([7, 6, 7]), Ok(&[7, 6, 7]));
        check(json!(null), Ok(&[]));
        check(json!(false), Ok(&[]));
        check(json!([false, null, 0]), Ok(&[]));
        check(json!(["1"]), Ok(&[]));
        check(json!("2"), Ok(&[]));
        check(json!("x"), Err("invalid input syntax for type integer: \"x\""));
        check(json!({"a": 1}), Err("invalid input syntax for type integer: \"a\""));
        check(json!([[1]]), Err("unhashable type: 'list'"));
        check(json!([{"id": 1}]), Err("unhashable type: 'dict'"));
        check(json!([1.5, 1e300]), Ok(&[]));
        check(json!(-5), Ok(&[-5]));
    }
}
