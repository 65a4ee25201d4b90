//! Python's `repr` and `str` of JSON values, as they stand in Odoo's error texts.

use std::fmt::Write as _;

use serde_json::Value;

/// `repr(value)`, with JSON arrays as lists.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    push_repr(&mut out, value);
    out
}

/// `str(value)`: like [`repr`], but text is itself.
pub fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr` of a string.
pub fn repr_str(text: &str) -> String {
    let mut out = String::new();
    push_str_repr(&mut out, text);
    out
}

/// `repr(tuple(values))`.
pub fn repr_tuple(values: &[Value]) -> String {
    tuple(values.iter().map(repr))
}

/// A tuple of what has been rendered already.
pub fn tuple(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<_> = items.into_iter().collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", items.join(", ")),
    }
}

/// `type(value).__name__`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// `bool(value)`.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn push_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => push_float(out, float),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => push_str_repr(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                push_str_repr(out, key);
                out.push_str(": ");
                push_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// Both languages print the shortest digits that read back; Python changes to exponents at 1e16 and below 1e-4.
fn push_float(out: &mut String, float: f64) {
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
    } else {
        let _ = write!(out, "{float:?}");
    }
}

fn push_str_repr(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if letter == quote => {
                out.push('\\');
                out.push(letter);
            }
            '\0'..' ' | '\x7f'..='\u{a0}' | '\u{ad}' => {
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reprs() {
        let check = |value: Value, expect: &str| assert_eq!(repr(&value), expect);
        check(json!(null), "None");
        check(json!([true, false, -5, 1.5]), "[True, False, -5, 1.5]");
        check(json!(5.0), "5.0");
        check(json!(1e16), "1e+16");
        check(json!(1.5e-7), "1.5e-07");
        check(json!("it's"), "\"it's\"");
        check(json!("it's \"x\""), "'it\\'s \"x\"'");
        check(json!("Élodie\n\\\u{1}"), "'Élodie\\n\\\\\\x01'");
        check(json!({"a": [], "b": {}}), "{'a': [], 'b': {}}");
        assert_eq!(repr_tuple(&[json!("ref"), json!("="), json!([1])]), "('ref', '=', [1])");
        assert_eq!(repr_tuple(&[json!(1)]), "(1,)");
        assert_eq!(str(&json!("a")), "a");
    }
}
