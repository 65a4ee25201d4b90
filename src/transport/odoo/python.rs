//! What Python makes of values that do not fit, because clients see its words.

use serde_json::{Map, Value};

use crate::limits;
use crate::orm::error::{Exception, OdooError};
pub use crate::orm::python::{str, truthy, type_name};

/// `int(value)`.
pub fn int(value: &Value) -> Result<i64, OdooError> {
    match value {
        Value::Bool(value) => Ok(i64::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            // A cast cuts the fraction off as Python does; what is out of range names no record anyhow.
            (None, Some(float)) => Ok(float as i64),
            (None, None) => Ok(i64::MAX),
        },
        Value::String(text) => text
            .trim()
            .parse()
            .map_err(|_| OdooError::value(format!("invalid literal for int() with base 10: '{text}'"))),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(OdooError::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            type_name(value)
        ))),
    }
}

/// `dict(value)`.
pub fn dict(value: Value) -> Result<Map<String, Value>, OdooError> {
    let items = match value {
        Value::Object(members) => return Ok(members),
        Value::Array(items) => items,
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(_) => return Err(not_a_pair(0, 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            return Err(OdooError::type_error(format!("'{}' object is not iterable", type_name(&value))));
        }
    };
    let mut members = Map::new();
    for (index, item) in items.into_iter().enumerate() {
        let pair: Vec<Value> = match item {
            Value::Array(pair) => pair,
            Value::String(text) => match text.chars().count() {
                2 => letters(&text),
                length => return Err(not_a_pair(index, length)),
            },
            Value::Object(pair) => pair.into_iter().map(|(name, _)| Value::String(name)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                let message = format!("cannot convert dictionary update sequence element #{index} to a sequence");
                return Err(OdooError::type_error(message));
            }
        };
        let length = pair.len();
        let Ok([name, value]) = <[Value; 2]>::try_from(pair) else {
            return Err(not_a_pair(index, length));
        };
        members.insert(str(&name), value);
    }
    Ok(members)
}

fn not_a_pair(index: usize, length: usize) -> OdooError {
    OdooError::value(format!("dictionary update sequence element #{index} has length {length}; 2 is required"))
}

fn letters(text: &str) -> Vec<Value> {
    text.chars().map(|c| Value::String(c.to_string())).collect()
}

/// `[*value]`, but of a text that is longer than any list of arguments: each letter would take a hundred bytes.
pub fn unpack(value: Value) -> Result<Vec<Value>, OdooError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(members) => Ok(members.into_iter().map(|(name, _)| Value::String(name)).collect()),
        Value::String(text) if text.len() > limits::ARGUMENTS_MAX => {
            Err(OdooError::type_error(format!("takes at most {} positional arguments", limits::ARGUMENTS_MAX)))
        }
        Value::String(text) => Ok(letters(&text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            let message = format!("Value after * must be an iterable, not {}", type_name(&value));
            Err(OdooError::type_error(message))
        }
    }
}

/// Takes the named parameters of a route in their order; what is not asked for is dropped, as Odoo drops it.
pub fn bind<const N: usize>(
    title: &str,
    names: [&str; N],
    params: &mut Map<String, Value>,
) -> Result<[Value; N], OdooError> {
    let missing: Vec<&str> = names.into_iter().filter(|name| !params.contains_key(*name)).collect();
    if missing.is_empty() {
        Ok(names.map(|name| params.remove(name).unwrap_or_default()))
    } else {
        Err(OdooError::missing_arguments(title, &missing))
    }
}

/// Binds positional arguments to the parameters of a function that needs all of them.
pub fn bind_positional<const N: usize>(
    title: &str,
    names: [&str; N],
    args: Vec<Value>,
) -> Result<[Value; N], OdooError> {
    let given = args.len();
    if given < N {
        return Err(OdooError::missing_arguments(title, &names[given..]));
    }
    args.try_into().map_err(|_| too_many(title, &N.to_string(), N == 1, given))
}

/// The error for more positional arguments than a function takes.
pub fn too_many(title: &str, takes: &str, one: bool, given: usize) -> OdooError {
    let noun = if one { "argument" } else { "arguments" };
    let verb = if given == 1 { "was" } else { "were" };
    OdooError::type_error(format!("{title} takes {takes} positional {noun} but {given} {verb} given"))
}

/// Refuses texts that PostgreSQL, and so Odoo, can't hold. SQLite could, but what reads it back may end there.
pub fn no_nul(value: &Value) -> Result<(), OdooError> {
    let clean = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => return items.iter().try_for_each(no_nul),
        Value::Object(members) => {
            members.values().try_for_each(no_nul)?;
            !members.keys().any(|name| name.contains('\0'))
        }
    };
    if clean {
        Ok(())
    } else {
        Err(OdooError::new(Exception::ValueError, "A string literal cannot contain NUL (0x00) characters."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A text is as good as its letters to Python. Here a long one is refused before it is taken apart.
    #[test]
    fn a_text_in_place_of_parameters() {
        assert_eq!(dict(json!("")).map_err(|_| ()), Ok(Map::new()));
        assert_eq!(dict(json!(["ab"])).map(Value::Object).map_err(|_| ()), Ok(json!({"a": "b"})));
        for (value, index, length) in [(json!("ab"), 0, 1), (json!(["ab", "abc"]), 1, 3), (json!([["a"]]), 0, 1)] {
            let message = format!("dictionary update sequence element #{index} has length {length}; 2 is required");
            assert_eq!(dict(value).expect_err("no pairs").message, message);
        }
        assert_eq!(unpack(json!("ab")).map_err(|_| ()), Ok(vec![json!("a"), json!("b")]));
        assert!(unpack(json!("a".repeat(limits::ARGUMENTS_MAX + 1))).is_err());
    }
}
