//! What the databases say differently. Each function is one such thing: both ways are written down, and the one is chosen
//! when the statement meets its connection.

use diesel::QueryResult;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::SqliteConnection;

use super::sql::{Sql, SqlValue};
use crate::orm::filter::{Comparison, Part, Values};
use crate::orm::group::{Function, Granularity};
use crate::orm::like::{self, Pattern};

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
pub fn register_functions(connection: &mut SqliteConnection) -> QueryResult<()> {
    let matches = |text: Option<String>, pattern: &str, fold| Some(Pattern::new(pattern, fold).matches(&text?));
    orest_like_utils::register_impl(connection, move |text: Option<String>, pattern: String| {
        matches(text, &pattern, false)
    })?;
    orest_ilike_utils::register_impl(connection, move |text: Option<String>, pattern: String| {
        matches(text, &pattern, true)
    })
}

/// That the expression, which may have any type with one value, fits the pattern.
pub fn like(sql: &mut Sql, expression: Sql, pattern: &str, fold: bool) {
    if !is_storable(pattern) {
        sql.text("FALSE");
        return;
    }
    if fold {
        sql.either("orest_ilike(CAST(", "(orest_fold(CAST(");
    } else {
        sql.either("orest_like(CAST(", "((CAST(");
    }
    sql.append(expression).either(" AS TEXT), ", " AS TEXT)) COLLATE \"C\" LIKE ");
    sql.value(SqlValue::Text(like::normal(pattern, fold))).text(")");
}

/// Whether a row can hold the text: none of PostgreSQL's has a NUL, and no door lets one in.
pub fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// ` < ` and the like.
pub fn compare(sql: &mut Sql, comparison: Comparison) {
    sql.text(match comparison {
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
    });
}

/// ` < text` and the like. What comes after a NUL decides nothing, since no row has one.
pub fn compare_text(sql: &mut Sql, comparison: Comparison, text: &str) {
    let (comparison, text) = match (text.split_once('\0'), comparison) {
        (None, comparison) => (comparison, text),
        (Some((text, _)), Comparison::Less | Comparison::LessOrEqual) => (Comparison::LessOrEqual, text),
        (Some((text, _)), Comparison::Greater | Comparison::GreaterOrEqual) => (Comparison::Greater, text),
    };
    compare(sql, comparison);
    sql.value(SqlValue::Text(text.to_owned()));
}

/// In PostgreSQL a longer list is a table that rows are looked up in, and a shorter one an array that an index serves.
const ARRAY_MAX: usize = 32;

/// ` IN (…)`; however many the values are, they are one parameter.
pub fn among(sql: &mut Sql, values: &Values) {
    let one = match values {
        Values::Integers(values) if values.len() == 1 => Some(SqlValue::Integer(values[0])),
        Values::Texts(values) if values.len() == 1 && is_storable(&values[0]) => {
            Some(SqlValue::Text(values[0].clone()))
        }
        Values::Dates(values) if values.len() == 1 => Some(SqlValue::Date(values[0])),
        Values::Datetimes(values) if values.len() == 1 => Some(SqlValue::Timestamp(values[0])),
        _ => None,
    };
    if let Some(value) = one {
        sql.text(" = ").value(value);
        return;
    }
    let list: Vec<serde_json::Value> = match values {
        Values::Integers(values) => values.iter().copied().map(Into::into).collect(),
        Values::Texts(values) => {
            values.iter().filter(|text| is_storable(text)).map(|text| text.as_str().into()).collect()
        }
        Values::Dates(values) => values.iter().map(|day| day.format("%Y-%m-%d").to_string().into()).collect(),
        Values::Datetimes(values) => {
            values.iter().map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string().into()).collect()
        }
    };
    let is_short = list.len() <= ARRAY_MAX;
    // JSON's lists of numbers and dates are PostgreSQL's but for the brackets
    let (before, after) = match (values, is_short) {
        (Values::Integers(_), true) => (" = ANY(CAST(translate(", ", '[]', '{}') AS BIGINT[]))"),
        (Values::Integers(_), false) => (" IN (SELECT unnest(CAST(translate(", ", '[]', '{}') AS BIGINT[])))"),
        (Values::Dates(_), true) => (" = ANY(CAST(translate(", ", '[]', '{}') AS DATE[]))"),
        (Values::Dates(_), false) => (" IN (SELECT unnest(CAST(translate(", ", '[]', '{}') AS DATE[])))"),
        (Values::Datetimes(_), true) => (" = ANY(CAST(translate(", ", '[]', '{}') AS TIMESTAMP[]))"),
        (Values::Datetimes(_), false) => (" IN (SELECT unnest(CAST(translate(", ", '[]', '{}') AS TIMESTAMP[])))"),
        (Values::Texts(_), true) => (" = ANY(ARRAY(SELECT json_array_elements_text(CAST(", " AS JSON))))"),
        (Values::Texts(_), false) => (" IN (SELECT json_array_elements_text(CAST(", " AS JSON)))"),
    };
    sql.either(" IN (SELECT value FROM json_each(", before);
    sql.value(SqlValue::Text(serde_json::Value::Array(list).to_string())).either("))", after);
}

/// ` IN (…)` of ids.
pub fn among_ids(sql: &mut Sql, ids: &[i64]) {
    among(sql, &Values::Integers(ids.to_vec()));
}

/// Rows of a fixed value and each of these ids.
pub fn each_id_with(sql: &mut Sql, fixed: SqlValue, ids: &[i64]) {
    let list = serde_json::json!(ids).to_string();
    sql.text("SELECT ").value(fixed).either(", value FROM json_each(", ", unnest(CAST(translate(");
    sql.value(SqlValue::Text(list)).either(")", ", '[]', '{}') AS BIGINT[]))");
}

/// A number in a date.
pub fn part(sql: &mut Sql, expression: Sql, part: Part) {
    let (sqlite, postgres) = match part {
        Part::Year => ("CAST(strftime('%Y', ", "CAST(EXTRACT(YEAR FROM "),
        Part::Quarter => ("((CAST(strftime('%m', ", "CAST(EXTRACT(QUARTER FROM "),
        Part::Month => ("CAST(strftime('%m', ", "CAST(EXTRACT(MONTH FROM "),
        Part::IsoWeek => ("CAST(strftime('%V', ", "CAST(EXTRACT(WEEK FROM "),
        Part::DayOfYear => ("CAST(strftime('%j', ", "CAST(EXTRACT(DOY FROM "),
        Part::DayOfMonth => ("CAST(strftime('%d', ", "CAST(EXTRACT(DAY FROM "),
        Part::DayOfWeek => ("CAST(strftime('%w', ", "CAST(EXTRACT(DOW FROM "),
        Part::Hour => ("CAST(strftime('%H', ", "CAST(EXTRACT(HOUR FROM "),
        Part::Minute => ("CAST(strftime('%M', ", "CAST(EXTRACT(MINUTE FROM "),
        Part::Second => ("CAST(strftime('%S', ", "CAST(EXTRACT(SECOND FROM "),
    };
    let after = if part == Part::Quarter { ") AS INTEGER) + 2) / 3)" } else { ") AS INTEGER)" };
    // PostgreSQL's dates have no hours
    sql.either(sqlite, postgres).either("", "CAST(").append(expression);
    sql.either("", " AS TIMESTAMP)").either(after, ") AS BIGINT)");
}

/// A JSON array of these columns, as text.
pub fn json_array(sql: &mut Sql, columns: impl FnOnce(&mut Sql)) {
    sql.either("json_array(", "CAST(json_build_array(");
    columns(sql);
    sql.either(")", ") AS TEXT)");
}

/// Bytes as hexadecimal text, since JSON holds no bytes.
pub fn hex(sql: &mut Sql, expression: Sql) {
    sql.either("hex(", "encode(").append(expression).either(")", ", 'hex')");
}

/// A limit that is none, before an OFFSET.
pub fn no_limit(sql: &mut Sql) {
    sql.either(" LIMIT -1", " LIMIT ALL");
}

/// After an expression that is text: it compares by bytes, as columns do.
pub fn by_bytes(sql: &mut Sql) {
    sql.either("", " COLLATE \"C\"");
}

/// The first moment of the span of time that a moment is in; of a date, its day.
pub fn truncate(sql: &mut Sql, expression: Sql, span: Granularity, date: bool) {
    let unit = match span {
        Granularity::Hour => "date_trunc('hour', ",
        Granularity::Day | Granularity::Number(_) => "date_trunc('day', ",
        // PostgreSQL's weeks begin on Monday
        Granularity::Week => "date_trunc('week', INTERVAL '1 day' + ",
        Granularity::Month => "date_trunc('month', ",
        Granularity::Quarter => "date_trunc('quarter', ",
        Granularity::Year => "date_trunc('year', ",
    };
    let mut postgres = Sql::new();
    postgres.text(if date { "CAST(" } else { "" }).text(unit).append(expression.clone());
    postgres.text(if span == Granularity::Week { ") - INTERVAL '1 day'" } else { ")" });
    postgres.text(if date { " AS DATE)" } else { "" });
    sql.differing(truncate_in_sqlite(expression, span, date), postgres);
}

fn truncate_in_sqlite(expression: Sql, span: Granularity, date: bool) -> Sql {
    let mut sql = Sql::new();
    if span == Granularity::Quarter {
        let form = if date { "strftime('%Y-%m-01', " } else { "strftime('%Y-%m-01 00:00:00', " };
        sql.text(form).append(expression.clone()).text(", 'start of month', '-' || ((strftime('%m', ");
        sql.append(expression).text(") - 1) % 3) || ' months')");
        return sql;
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
    sql
}

/// What an aggregate makes of a column of the records that are grouped.
pub fn aggregate(sql: &mut Sql, function: Function, column: impl FnOnce(&mut Sql)) {
    let (sqlite, postgres) = match function {
        Function::Count => (("COUNT(", ")"), ("COUNT(", ")")),
        Function::CountDistinct => (("COUNT(DISTINCT ", ")"), ("COUNT(DISTINCT ", ")")),
        Function::Sum => (("SUM(", ")"), ("SUM(", ")")),
        // of whole numbers PostgreSQL gives a decimal, with other digits
        Function::Avg => (("AVG(", ")"), ("AVG(CAST(", " AS DOUBLE PRECISION))")),
        Function::Min => (("MIN(", ")"), ("MIN(", ")")),
        Function::Max => (("MAX(", ")"), ("MAX(", ")")),
        Function::BoolAnd => (("MIN(COALESCE(", ", FALSE))"), ("BOOL_AND(COALESCE(", ", FALSE))")),
        Function::BoolOr => (("MAX(COALESCE(", ", FALSE))"), ("BOOL_OR(COALESCE(", ", FALSE))")),
        // of no records at all PostgreSQL makes no list
        Function::ArrayAgg => (("json_group_array(", " ORDER BY id)"), ("COALESCE(json_agg(", " ORDER BY id), '[]')")),
        Function::ArrayAggDistinct | Function::Recordset => {
            (("json_group_array(DISTINCT ", ")"), ("COALESCE(json_agg(DISTINCT ", "), '[]')"))
        }
    };
    sql.either(sqlite.0, postgres.0);
    column(sql);
    sql.either(sqlite.1, postgres.1);
}
