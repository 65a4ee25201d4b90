//! Values that callers send, as Odoo 19's `create` and `write` take them, to values for columns.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value};

use super::error::{Exception, OdooError};
use super::field::{Column, Field, Kind, Model, Storage};
use super::python;
use super::registry::Registry;
use crate::store::sql::SqlValue;

/// The values of one record.
#[derive(Clone, Debug, Default)]
pub struct Values {
    given: Vec<(&'static Field, FieldValue)>,
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// For the column of the same name.
    Column(SqlValue),
    /// What happens to the records at the other end of a relation to many.
    Links(Vec<Command>),
    /// What is written but stored in another form: a password.
    Secret(Secret),
}

/// A text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// One of Odoo's commands for relations to many.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `[0, _, values]`: makes a record and links it.
    Create(Values),
    /// `[1, id, values]`: changes a record.
    Update(i64, Values),
    /// `[2, id]`: deletes a record.
    Delete(i64),
    /// `[3, id]`: takes the link away.
    Unlink(i64),
    /// `[4, id]`: adds a link.
    Link(i64),
    /// `[5]`: takes all links away.
    Clear,
    /// `[6, _, ids]`: these links and no others.
    Set(Vec<i64>),
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        let pairs = |values: &Self| values.given.iter().map(|(field, value)| (field.name, value.clone())).collect();
        let (own, others): (Vec<_>, Vec<_>) = (pairs(self), pairs(other));
        own == others
    }
}

impl Values {
    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The fields that have a value.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + '_ {
        self.given.iter().map(|(field, _)| *field)
    }

    /// The fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, &FieldValue)> {
        self.given.iter().map(|(field, value)| (*field, value))
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&FieldValue> {
        self.given.iter().find(|(field, _)| field.name == name).map(|(_, value)| value)
    }

    /// Whether a field has a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of a field: `Some(None)` when it is emptied.
    pub fn text(&self, name: &str) -> Option<Option<&str>> {
        match self.get(name)? {
            FieldValue::Column(SqlValue::Text(text)) => Some(Some(text)),
            FieldValue::Column(_) => Some(None),
            _ => None,
        }
    }

    /// The whole number, or record, of a field: `Some(None)` when it is emptied.
    pub fn integer(&self, name: &str) -> Option<Option<i64>> {
        match self.get(name)? {
            FieldValue::Column(SqlValue::Integer(number)) => Some(Some(*number)),
            FieldValue::Column(_) => Some(None),
            _ => None,
        }
    }

    /// Whether a field is set to true.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            FieldValue::Column(value) => Some(*value == SqlValue::Bool(true)),
            _ => None,
        }
    }

    /// The commands of a relation.
    pub fn links(&self, name: &str) -> Option<&[Command]> {
        match self.get(name)? {
            FieldValue::Links(commands) => Some(commands),
            _ => None,
        }
    }

    /// Sets a field; what it had is gone.
    pub fn set(&mut self, field: &'static Field, value: FieldValue) {
        match self.given.iter_mut().find(|(own, _)| own.name == field.name) {
            Some((_, own)) => *own = value,
            None => self.given.push((field, value)),
        }
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Option<FieldValue> {
        let index = self.given.iter().position(|(field, _)| field.name == name)?;
        Some(self.given.remove(index).1)
    }
}

/// What every model has and nobody sets; Odoo leaves them out without a word.
const IGNORED: &[&str] = &["id", "create_uid", "create_date", "write_uid", "write_date"];
/// Names of older series, and what they are now.
const ALIASES: &[(&str, &str)] = &[("groups_id", "group_ids"), ("new_password", "password")];

/// Reads the values of one record.
///
/// # Errors
/// With the texts of Odoo 19, at the first value that has no meaning; readonly fields are refused with `ValidationError`.
pub fn values(registry: &Registry, model: &'static Model, given: &Map<String, Value>) -> Result<Values, OdooError> {
    let mut values = Values::default();
    for (name, value) in given {
        if IGNORED.contains(&name.as_str()) {
            continue;
        }
        let alias = ALIASES.iter().find(|(old, _)| old == name).map(|(_, new)| *new);
        let field = model.field(name).or_else(|| model.field(alias?));
        let field = field.ok_or_else(|| OdooError::value(format!("Invalid field '{name}' in '{}'", model.name)))?;
        if field.readonly {
            return Err(OdooError::validation(format!(
                "The field '{}' ({}) of '{}' ({}) is readonly.",
                field.label, field.name, model.label, model.name
            )));
        }
        values.set(field, field_value(registry, model, field, value)?);
    }
    Ok(values)
}

/// The value that a new record gets for a field, if it has a default.
pub fn default(registry: &Registry, model: &'static Model, field: &'static Field) -> Option<FieldValue> {
    let json = serde_json::from_str(field.default?).expect("defaults are JSON: a test reads them all");
    field_value(registry, model, field, &json).ok()
}

fn field_value(
    registry: &Registry,
    model: &'static Model,
    field: &'static Field,
    value: &Value,
) -> Result<FieldValue, OdooError> {
    if field.is_x2many() {
        return Ok(FieldValue::Links(commands(registry, model, field, value)?));
    }
    if field.column == Column::None && !matches!(model.storage, Storage::Transient) {
        let text = match text(value)? {
            SqlValue::Text(text) => text,
            _ => String::new(),
        };
        return Ok(FieldValue::Secret(Secret(text)));
    }
    Ok(FieldValue::Column(column(model, field, value)?))
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
}

fn column(model: &Model, field: &Field, value: &Value) -> Result<SqlValue, OdooError> {
    Ok(match field.kind {
        Kind::Integer => integer(value)?,
        Kind::Char | Kind::Text => text(value)?,
        Kind::Boolean => SqlValue::Bool(python::truthy(value)),
        _ if is_nothing(value) => SqlValue::Null,
        Kind::Date => SqlValue::Date(date(value)?),
        Kind::Datetime => SqlValue::Timestamp(datetime(value)?),
        Kind::Selection(keys) => match value {
            Value::String(key) if key.is_empty() => SqlValue::Null,
            Value::String(key) if keys.iter().any(|(own, _)| own == key) => SqlValue::Text(key.clone()),
            other => {
                let other = python::repr(other);
                return Err(OdooError::value(format!("Wrong value for {}.{}: {other}", model.name, field.name)));
            }
        },
        Kind::Binary => SqlValue::Blob(binary(value)?),
        Kind::Many2one(_) => match id(value)? {
            0 => SqlValue::Null,
            id => SqlValue::Integer(id),
        },
        Kind::One2many { .. } | Kind::Many2many { .. } => SqlValue::Null,
    })
}

fn text(value: &Value) -> Result<SqlValue, OdooError> {
    let text = match value {
        Value::Null | Value::Bool(false) => return Ok(SqlValue::Null),
        Value::String(text) => text.clone(),
        other => python::str(other),
    };
    if text.contains('\0') {
        return Err(OdooError::value("A string literal cannot contain NUL (0x00) characters."));
    }
    Ok(SqlValue::Text(text))
}

/// PostgreSQL's `int4`, which Odoo's integer fields are.
fn integer(value: &Value) -> Result<SqlValue, OdooError> {
    let number = match value {
        Value::Null => 0,
        Value::Bool(value) => i64::from(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number,
            // Casts of floating point numbers stop at the bounds.
            (None, Some(number)) => number.trunc() as i64,
            (None, None) => i64::MAX,
        },
        Value::String(text) => text.trim().parse().map_err(|_| {
            let text = python::repr_str(text);
            OdooError::value(format!("invalid literal for int() with base 10: {text}"))
        })?,
        other => {
            return Err(OdooError::type_error(format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                python::type_name(other)
            )));
        }
    };
    if i32::try_from(number).is_err() {
        return Err(OdooError::new(Exception::NumericValueOutOfRange, "integer out of range\n"));
    }
    Ok(SqlValue::Integer(number))
}

/// The id in a many2one's value: a number, digits, or `[id, name]`; 0 for nothing.
fn id(value: &Value) -> Result<i64, OdooError> {
    let invalid = |text: String| {
        Err(OdooError::new(
            Exception::InvalidTextRepresentation,
            format!("invalid input syntax for type integer: \"{text}\""),
        ))
    };
    match value {
        Value::Null | Value::Bool(false) => Ok(0),
        Value::Number(number) => {
            number.as_i64().ok_or_else(|| OdooError::new(Exception::NumericValueOutOfRange, "integer out of range\n"))
        }
        Value::String(text) => text.trim().parse().or_else(|_| invalid(text.clone())),
        Value::Array(items) => match items.first() {
            None => Ok(0),
            Some(first @ (Value::Number(_) | Value::Bool(false) | Value::Null)) => id(first),
            Some(other) => invalid(python::str(other)),
        },
        other => invalid(python::str(other)),
    }
}

fn date(value: &Value) -> Result<NaiveDate, OdooError> {
    let text = python::str(value);
    let day: String = text.chars().take(10).collect();
    NaiveDate::parse_from_str(&day, "%Y-%m-%d").map_err(|_| mismatch(&day, "%Y-%m-%d"))
}

fn datetime(value: &Value) -> Result<NaiveDateTime, OdooError> {
    let Value::String(text) = value else {
        return Err(OdooError::type_error(format!(
            "strptime() argument 1 must be str, not {}",
            python::type_name(value)
        )));
    };
    let format = match text.chars().count() {
        10 => return Ok(date(value)?.and_time(NaiveTime::MIN)),
        16 => "%Y-%m-%d %H:%M",
        _ => "%Y-%m-%d %H:%M:%S",
    };
    NaiveDateTime::parse_from_str(text, format).map_err(|_| mismatch(text, "%Y-%m-%d %H:%M:%S"))
}

fn mismatch(text: &str, format: &str) -> OdooError {
    OdooError::value(format!("time data {} does not match format '{format}'", python::repr_str(text)))
}

/// As lenient as Python's: what is not of the alphabet is left out, and so is the padding.
fn binary(value: &Value) -> Result<Vec<u8>, OdooError> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let Value::String(text) = value else {
        return Err(OdooError::type_error(format!(
            "argument should be a bytes-like object or ASCII string, not '{}'",
            python::type_name(value)
        )));
    };
    let symbols: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).collect();
    LENIENT.decode(symbols).map_err(|_| OdooError::value("Incorrect padding"))
}

fn commands(registry: &Registry, model: &Model, field: &Field, value: &Value) -> Result<Vec<Command>, OdooError> {
    let wrong = || OdooError::value(format!("Wrong value for {}.{}: {}", model.name, field.name, python::str(value)));
    let items = match value {
        Value::Null | Value::Bool(false) => return Ok(vec![Command::Clear]),
        Value::Array(items) => items,
        _ => return Err(wrong()),
    };
    if items.is_empty() {
        return Ok(Vec::new());
    }
    if items.iter().all(|item| !item.is_array()) {
        return Ok(vec![Command::Set(ids(items).ok_or_else(wrong)?)]);
    }
    let name = field.comodel().unwrap_or_default();
    let comodel = registry.get(name).ok_or_else(|| OdooError::new(Exception::KeyError, name))?;
    let mut commands = Vec::with_capacity(items.len());
    for item in items {
        let Value::Array(item) = item else { return Err(wrong()) };
        if let Some(command) = command(registry, comodel, item)? {
            commands.push(command);
        }
    }
    Ok(commands)
}

fn ids(items: &[Value]) -> Option<Vec<i64>> {
    items.iter().map(Value::as_i64).collect()
}

/// `None` for a code that means nothing, which Odoo leaves out too.
fn command(registry: &Registry, comodel: &'static Model, item: &[Value]) -> Result<Option<Command>, OdooError> {
    let at =
        |index: usize| item.get(index).ok_or_else(|| OdooError::new(Exception::IndexError, "list index out of range"));
    let record = || at(1).and_then(id);
    let given = || match at(2)? {
        Value::Object(given) => values(registry, comodel, given),
        other => Err(not_a_dict(other)),
    };
    Ok(Some(match at(0)?.as_i64() {
        Some(0) => Command::Create(given()?),
        Some(1) => Command::Update(record()?, given()?),
        Some(2) => Command::Delete(record()?),
        Some(3) => Command::Unlink(record()?),
        Some(4) => Command::Link(record()?),
        Some(5) => Command::Clear,
        Some(6) => match at(2)? {
            Value::Array(items) => Command::Set(items.iter().map(id).collect::<Result<_, _>>()?),
            other => {
                return Err(OdooError::type_error(format!("'{}' object is not iterable", python::type_name(other))));
            }
        },
        _ => return Ok(None),
    }))
}

/// What Python says of a value that should have been a dictionary.
pub fn not_a_dict(value: &Value) -> OdooError {
    match value {
        Value::Null => OdooError::type_error("'NoneType' object is not iterable"),
        other => OdooError::new(
            Exception::AttributeError,
            format!("'{}' object has no attribute 'get'", python::type_name(other)),
        ),
    }
}
