//! Search domains as people write them in Odoo: `[('state', '=', 'live'), ('user_id.login', 'in', ['alice', 'bob'])]`.
//! Python's literals, without its expressions; JSON is read as well.

use serde_json::{Number, Value};

/// How deep lists may nest.
const DEPTH_MAX: usize = 64;

/// Reads a literal: lists and tuples, texts, numbers, and `True`, `False`, `None`.
///
/// # Errors
/// A sentence with the place, counted in letters from 1.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { letters: text.chars().collect(), at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(letter) => reader.refuse(&format!("'{letter}' after the end")),
    }
}

struct Reader {
    letters: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn refuse<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} (at letter {})", self.at + 1))
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        self.skip_space();
        match self.peek() {
            None => self.refuse("a value is missing"),
            Some('[') => self.items(']', depth),
            Some('(') => self.items(')', depth),
            Some(quote @ ('\'' | '"')) => self.text(quote).map(Value::String),
            Some('-' | '+' | '.' | '0'..='9') => self.number(),
            Some(letter) if letter.is_alphabetic() => self.name(),
            Some(letter) => self.refuse(&format!("no value begins with '{letter}'")),
        }
    }

    fn items(&mut self, end: char, depth: usize) -> Result<Value, String> {
        if depth >= DEPTH_MAX {
            return self.refuse("lists nest too deep");
        }
        self.at += 1;
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.skip_space();
            if self.peek() == Some(end) {
                self.at += 1;
                // Python's parentheses around one value are no tuple.
                return Ok(match (end, comma, items.len()) {
                    (')', false, 1) => items.remove(0),
                    _ => Value::Array(items),
                });
            }
            if !items.is_empty() && !comma {
                return self.refuse(&format!("a comma or '{end}' is missing"));
            }
            items.push(self.value(depth + 1)?);
            self.skip_space();
            comma = self.peek() == Some(',');
            if comma {
                self.at += 1;
            }
        }
    }

    fn text(&mut self, quote: char) -> Result<String, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return self.refuse(&format!("{quote} is missing")),
                Some(letter) if letter == quote => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(letter) => text.push(letter),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        Ok(match self.next() {
            Some(letter @ ('\\' | '\'' | '"' | '/')) => letter,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let digits: String = self.letters.iter().skip(self.at).take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                match code.and_then(char::from_u32) {
                    Some(letter) => {
                        self.at += 4;
                        letter
                    }
                    None => return self.refuse("\\u needs four hexadecimal digits of a letter"),
                }
            }
            _ => return self.refuse("no such escape; write \\\\ for a backslash"),
        })
    }

    fn number(&mut self) -> Result<Value, String> {
        let begin = self.at;
        while self.peek().is_some_and(|letter| letter.is_ascii_alphanumeric() || "+-._".contains(letter)) {
            self.at += 1;
        }
        let text: String = self.letters[begin..self.at].iter().collect();
        let number = match text.parse::<i64>() {
            Ok(number) => Some(Number::from(number)),
            Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).and_then(Number::from_f64),
        };
        match number {
            Some(number) => Ok(Value::Number(number)),
            None => self.refuse(&format!("{text} is no number")),
        }
    }

    fn name(&mut self) -> Result<Value, String> {
        let begin = self.at;
        while self.peek().is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            self.at += 1;
        }
        let name: String = self.letters[begin..self.at].iter().collect();
        match name.as_str() {
            "True" | "true" => Ok(Value::Bool(true)),
            "False" | "false" => Ok(Value::Bool(false)),
            "None" | "null" => Ok(Value::Null),
            _ => self.refuse(&format!("{name} has no meaning here; texts stand in quotes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn domains_as_people_write_them() {
        for (text, expect) in [
            ("[]", json!([])),
            ("[('state', '=', 'live')]", json!([["state", "=", "live"]])),
            (r#"[["state", "=", "live"]]"#, json!([["state", "=", "live"]])),
            (
                "['|', ('user_id', 'in', [1, -2]), (\"active\", '=', True),]",
                json!(["|", ["user_id", "in", [1, -2]], ["active", "=", true]]),
            ),
            ("[('a', '=', None), ('b', '=', 1.5e3)]", json!([["a", "=", null], ["b", "=", 1500.0]])),
            (r#"[('name', '=', 'O\'Brien \\ "x" \u00e9')]"#, json!([["name", "=", "O'Brien \\ \"x\" é"]])),
            (" ( 'a' , ) ", json!(["a"])),
            ("('a')", json!("a")),
            ("()", json!([])),
        ] {
            assert_eq!(parse(text), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_place() {
        for (text, expect) in [
            ("", "a value is missing (at letter 1)"),
            ("[('a' '=')]", "a comma or ')' is missing (at letter 7)"),
            ("[('a', '=', uid)]", "uid has no meaning here; texts stand in quotes (at letter 16)"),
            ("[1, 2", "a comma or ']' is missing (at letter 6)"),
            ("[1,,2]", "no value begins with ',' (at letter 4)"),
            ("[1)", "a comma or ']' is missing (at letter 3)"),
            ("['a]", "' is missing (at letter 5)"),
            ("[] []", "'[' after the end (at letter 4)"),
            ("[1e999]", "1e999 is no number (at letter 7)"),
            ("['\\x']", "no such escape; write \\\\ for a backslash (at letter 5)"),
        ] {
            assert_eq!(parse(text), Err(expect.to_owned()), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err(), "and not by an overflow");
    }
}
