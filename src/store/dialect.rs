//! What the databases say differently. Each function is one such thing.

use diesel::QueryResult;
use diesel::sql_types::{Nullable, Text};

use super::connection::Connection;
use super::sql::{Sql, SqlValue};
use crate::orm::filter::{Part, Values};
use crate::orm::group::Granularity;
use crate::orm::like::Pattern;

diesel::define_sql_function! {
    /// `text LIKE pattern`, by case.
    #[sql_name = "orest_like"]
    fn orest_like(text: Nullable<Text>, pattern: Text) -> Nullable<Bool>;
}

diesel::define_sql_function! {
    /// `text ILIKE pattern`, in all of Unicode.
    #[sql_name = "orest_ilike"]
    fn orest_ilike(text: Nullable<Text>, pattern: Text) -> Nullable<Bool>;
}

/// Adds to SQLite the functions that PostgreSQL has: SQLite's own LIKE knows no case and only ASCII.
pub fn register_functions(connection: &mut Connection) -> QueryResult<()> {
    let matches = |text: Option<String>, pattern: &str, fold| Some(Pattern::new(pattern, fold).matches(&text?));
    orest_like_utils::register_impl(connection, move |text: Option<String>, pattern: String| {
        matches(text, &pattern, false)
    })?;
    orest_ilike_utils::register_impl(connection, move |text: Option<String>, pattern: String| {
        matches(text, &pattern, true)
    })
}

/// ` LIKE pattern` of an expression, which may have any type with one value.
pub fn like(sql: &mut Sql, expression: Sql, pattern: &str, fold: bool) {
    sql.text(if fold { "orest_ilike(CAST(" } else { "orest_like(CAST(" });
    sql.append(expression).text(" AS TEXT), ").value(SqlValue::Text(pattern.to_owned())).text(")");
}

/// ` IN (…)`; however many the values are, they are one parameter.
pub fn among(sql: &mut Sql, values: &Values) {
    let one = match values {
        Values::Integers(values) if values.len() == 1 => Some(SqlValue::Integer(values[0])),
        Values::Texts(values) if values.len() == 1 => Some(SqlValue::Text(values[0].clone())),
        Values::Dates(values) if values.len() == 1 => Some(SqlValue::Date(values[0])),
        Values::Datetimes(values) if values.len() == 1 => Some(SqlValue::Timestamp(values[0])),
        _ => None,
    };
    if let Some(value) = one {
        sql.text(" = ").value(value);
        return;
    }
    let list = match values {
        Values::Integers(values) => serde_json::json!(values),
        Values::Texts(values) => serde_json::json!(values),
        Values::Dates(values) => values.iter().map(|day| day.format("%Y-%m-%d").to_string()).collect(),
        Values::Datetimes(values) => values.iter().map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).collect(),
    };
    sql.text(" IN (SELECT value FROM json_each(").value(SqlValue::Text(list.to_string())).text("))");
}

/// ` IN (…)` of ids.
pub fn among_ids(sql: &mut Sql, ids: &[i64]) {
    among(sql, &Values::Integers(ids.to_vec()));
}

/// Rows of a fixed value and each of these ids.
pub fn each_id_with(sql: &mut Sql, fixed: SqlValue, ids: &[i64]) {
    let list = serde_json::json!(ids).to_string();
    sql.text("SELECT ").value(fixed).text(", value FROM json_each(").value(SqlValue::Text(list)).text(")");
}

/// A number in a date.
pub fn part(sql: &mut Sql, expression: Sql, part: Part) {
    let (before, after) = match part {
        Part::Year => ("CAST(strftime('%Y', ", ") AS INTEGER)"),
        Part::Quarter => ("((CAST(strftime('%m', ", ") AS INTEGER) + 2) / 3)"),
        Part::Month => ("CAST(strftime('%m', ", ") AS INTEGER)"),
        Part::IsoWeek => ("CAST(strftime('%V', ", ") AS INTEGER)"),
        Part::DayOfYear => ("CAST(strftime('%j', ", ") AS INTEGER)"),
        Part::DayOfMonth => ("CAST(strftime('%d', ", ") AS INTEGER)"),
        Part::DayOfWeek => ("CAST(strftime('%w', ", ") AS INTEGER)"),
        Part::Hour => ("CAST(strftime('%H', ", ") AS INTEGER)"),
        Part::Minute => ("CAST(strftime('%M', ", ") AS INTEGER)"),
        Part::Second => ("CAST(strftime('%S', ", ") AS INTEGER)"),
    };
    sql.text(before).append(expression).text(after);
}

/// Begins a JSON array of columns; `)` ends it.
pub const JSON_ARRAY: &str = "json_array(";

/// Bytes as hexadecimal text, since JSON holds no bytes.
pub fn hex(sql: &mut Sql, expression: Sql) {
    sql.text("hex(").append(expression).text(")");
}

/// How a limit that is none is written before an OFFSET.
pub const NO_LIMIT: &str = " LIMIT -1";

/// The first moment of the span of time that a moment is in; of a date, its day.
pub fn truncate(sql: &mut Sql, expression: Sql, span: Granularity, date: bool) {
    if span == Granularity::Quarter {
        let form = if date { "strftime('%Y-%m-01', " } else { "strftime('%Y-%m-01 00:00:00', " };
        sql.text(form).append(expression.clone()).text(", 'start of month', '-' || ((strftime('%m', ");
        sql.append(expression).text(") - 1) % 3) || ' months')");
        return;
    }
    let (before, after) = match (span, date) {
        (Granularity::Hour, false) => ("strftime('%Y-%m-%d %H:00:00', ", ")"),
        (Granularity::Day, false) => ("strftime('%Y-%m-%d 00:00:00', ", ")"),
        (Granularity::Week, false) => ("strftime('%Y-%m-%d 00:00:00', ", ", '-6 days', 'weekday 0')"),
        (Granularity::Month, false) => ("strftime('%Y-%m-01 00:00:00', ", ")"),
        (Granularity::Year, false) => ("strftime('%Y-01-01 00:00:00', ", ")"),
        (Granularity::Week, true) => ("strftime('%Y-%m-%d', ", ", '-6 days', 'weekday 0')"),
        (Granularity::Month, true) => ("strftime('%Y-%m-01', ", ")"),
        (Granularity::Year, true) => ("strftime('%Y-01-01', ", ")"),
        (_, _) => ("strftime('%Y-%m-%d', ", ")"),
    };
    sql.text(before).append(expression).text(after);
}

/// Whether all values are true; no value is false.
pub const BOOL_AND: (&str, &str) = ("MIN(COALESCE(", ", 0))");
/// Whether one value is true.
pub const BOOL_OR: (&str, &str) = ("MAX(COALESCE(", ", 0))");
/// All values as a JSON array, in the order of the column `id`.
pub const ARRAY_AGG: (&str, &str) = ("json_group_array(", " ORDER BY id)");
/// Each value once, as a JSON array.
pub const ARRAY_AGG_DISTINCT: (&str, &str) = ("json_group_array(DISTINCT ", ")");
