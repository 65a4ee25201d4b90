//! Reads fields of records, whatever the model: one statement for the columns, one for each relation to many.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde_json::{Map, Value};

use super::StoreError;
use super::connection::Connection;
use super::dialect;
use super::search::{Lower, push_table};
use super::sql::Sql;
use crate::domain::time::Timestamp;
use crate::orm::field::{Column, Field, Kind, Model};
use crate::orm::filter::{Filter, Targets};
use crate::orm::resolve::{Related, column_field};

/// A field to read.
#[derive(Clone, Debug)]
pub struct ReadField {
    /// Which.
    pub field: &'static Field,
    /// For relations to many: what the caller sees there, from `ResolveContext::related`.
    pub related: Option<Related>,
}

/// The values of the records in the form of Odoo's `read`, with a many2one as its bare id or `false`. Ids that do not
/// exist have no record; the order is that of the table. Every record has its `id` first.
pub fn read(
    connection: &mut Connection,
    model: &'static Model,
    ids: &[i64],
    fields: &[ReadField],
    now: Timestamp,
) -> Result<Vec<Map<String, Value>>, StoreError> {
    let mut links = Vec::new();
    for read in fields {
        links.push(match &read.related {
            Some(related) => Some(read_links(connection, model, ids, read.field, related, now)?),
            None => None,
        });
    }
    let mut sql = Sql::new();
    sql.text("SELECT ").column(0, "id").text(", ");
    dialect::json_array(&mut sql, |sql| {
        let mut lower = Lower::new(sql, now);
        for (index, field) in fields.iter().filter_map(|read| column(model, read.field)).enumerate() {
            if index > 0 {
                lower.sql.text(", ");
            }
            if field.kind == Kind::Binary {
                let expression = lower.apart(|lower| lower.field(field, 0));
                dialect::hex(lower.sql, expression);
            } else {
                lower.field(field, 0);
            }
        }
    });
    sql.text(" FROM ");
    push_table(&mut sql, model, 0)?;
    sql.text(" WHERE ").column(0, "id");
    dialect::among_ids(&mut sql, ids);
    sql.text(" ORDER BY ").column(0, "id");
    let rows: Vec<(i64, String)> = sql.returning::<(BigInt, Text)>().load(connection)?;

    let table = model.table().unwrap_or(model.name);
    let mut records = Vec::with_capacity(rows.len());
    for (id, text) in rows {
        let corrupt = |column| StoreError::Corrupt { table, column, id };
        let values: Vec<Value> = serde_json::from_str(&text).map_err(|_| corrupt("id"))?;
        let mut values = values.into_iter();
        let mut record = Map::with_capacity(fields.len() + 1);
        record.insert("id".to_owned(), id.into());
        for (read, links) in fields.iter().zip(&mut links) {
            let field = read.field;
            let value = match (links, column(model, field)) {
                (Some(links), _) => links.remove(&id).unwrap_or_default().into(),
                (None, Some(_)) => {
                    let value = values.next().ok_or_else(|| corrupt(field.name))?;
                    to_odoo(field, value).ok_or_else(|| corrupt(field.name))?
                }
                (None, None) if field.is_x2many() => Value::Array(Vec::new()),
                (None, None) => Value::Bool(false),
            };
            record.insert(field.name.to_owned(), value);
        }
        records.push(record);
    }
    Ok(records)
}

/// What a person calls the records.
pub fn display_names(
    connection: &mut Connection,
    model: &'static Model,
    ids: &[i64],
    now: Timestamp,
) -> Result<HashMap<i64, String>, StoreError> {
    let Some(field) = model.field("display_name").and_then(|field| column(model, field)) else {
        return Ok(HashMap::new());
    };
    let mut sql = Sql::new();
    sql.text("SELECT ").column(0, "id").text(", CAST(");
    Lower::new(&mut sql, now).field(field, 0);
    sql.text(" AS TEXT) FROM ");
    push_table(&mut sql, model, 0)?;
    sql.text(" WHERE ").column(0, "id");
    dialect::among_ids(&mut sql, ids);
    let rows: Vec<(i64, Option<String>)> = sql.returning::<(BigInt, Nullable<Text>)>().load(connection)?;
    Ok(rows.into_iter().map(|(id, name)| (id, name.unwrap_or_default())).collect())
}

/// The field whose column is read, if it has one.
fn column(model: &'static Model, field: &'static Field) -> Option<&'static Field> {
    column_field(model, field).ok().filter(|field| field.column != Column::None)
}

/// From a member of the row's JSON array to the form of `read`; `None` for what the column may not hold.
pub(super) fn to_odoo(field: &Field, value: Value) -> Option<Value> {
    Some(match (field.kind, value) {
        (Kind::Integer, Value::Null) => 0.into(),
        (Kind::Binary, Value::String(hex)) if !hex.is_empty() => STANDARD.encode(decode_hex(&hex)?).into(),
        (Kind::Binary, Value::String(_)) | (_, Value::Null) => false.into(),
        (Kind::Integer | Kind::Many2one(_), Value::Number(number)) if number.is_i64() => number.into(),
        (Kind::Boolean, Value::Number(number)) => (number.as_i64()? != 0).into(),
        (Kind::Boolean, Value::Bool(value)) => value.into(),
        (Kind::Char | Kind::Text | Kind::Selection(_), Value::String(text)) => text.into(),
        (Kind::Date, Value::String(text)) if text.len() == 10 => text.into(),
        // PostgreSQL's JSON has a T between date and time
        (Kind::Datetime, Value::String(text)) if text.len() == 19 => text.replacen('T', " ", 1).into(),
        _ => return None,
    })
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    Some(digits?.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The ids at the other end, for each record, in the order of the other model.
fn read_links(
    connection: &mut Connection,
    model: &'static Model,
    ids: &[i64],
    field: &'static Field,
    related: &Related,
    now: Timestamp,
) -> Result<HashMap<i64, Vec<i64>>, StoreError> {
    let comodel = related.model;
    let mut sql = Sql::new();
    let mut lower = Lower::new(&mut sql, now);
    match (field.kind, comodel.table()) {
        (Kind::One2many { inverse, .. }, Some(table)) => {
            let inverse = comodel.field(inverse).ok_or_else(|| {
                StoreError::Backend(format!("{}.{} has no inverse {inverse}", model.name, field.name))
            })?;
            lower.sql.text("SELECT ");
            lower.field(inverse, 0);
            lower.sql.text(", ").column(0, "id").text(" FROM ").identifier(table).text(" AS ").alias(0);
            lower.sql.text(" WHERE ");
            lower.field(inverse, 0);
            dialect::among_ids(lower.sql, ids);
            lower.sql.text(" AND ");
            match &related.to {
                Targets::All => lower.filter(&Filter::All, 0),
                Targets::Where(filter) => lower.filter(filter, 0),
                Targets::Ids(ids) => {
                    lower.sql.column(0, "id");
                    dialect::among_ids(lower.sql, ids);
                }
            }
            lower.order_by(&related.order, 0);
        }
        (Kind::Many2many { relation, own, other, .. }, table) => {
            // the other model is t0, as its order wants it, and the links are t1
            lower.sql.text("SELECT ").column(1, own).text(", ").column(1, other).text(" FROM ");
            lower.sql.identifier(relation).text(" AS ").alias(1);
            if let Some(table) = table {
                lower.sql.text(" JOIN ").identifier(table).text(" AS ").alias(0);
                lower.sql.text(" ON ").column(0, "id").text(" = ").column(1, other);
            }
            lower.sql.text(" WHERE ").column(1, own);
            dialect::among_ids(lower.sql, ids);
            match &related.to {
                Targets::All => {}
                Targets::Where(filter) => {
                    lower.sql.text(" AND ");
                    // sub-queries of the filter start at t1, which hides the links from them
                    lower.filter(filter, 0);
                }
                Targets::Ids(ids) => {
                    lower.sql.text(" AND ").column(1, other);
                    dialect::among_ids(lower.sql, ids);
                }
            }
            if table.is_some() {
                lower.order_by(&related.order, 0);
            } else {
                lower.sql.text(" ORDER BY ").column(1, other);
            }
        }
        _ => return Ok(HashMap::new()),
    }
    let rows: Vec<(i64, i64)> = sql.returning::<(BigInt, BigInt)>().load(connection)?;
    let mut links: HashMap<i64, Vec<i64>> = HashMap::new();
    for (own, other) in rows {
        links.entry(own).or_default().push(other);
    }
    if let (None, Targets::Ids(ids)) = (comodel.table(), &related.to) {
        // models in memory have been put in order already
        let places: HashMap<_, _> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        for own in links.values_mut() {
            own.sort_by_key(|id| places.get(id).copied());
        }
    }
    Ok(links)
}
