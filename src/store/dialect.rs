//! What the databases say differently. Each function is one such thing: both ways are written down, and the one is chosen
//! when the statement meets its connection.

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{QueryResult, RunQueryDsl as _};

use super::connection::Connection;
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

/// Lets the next row of a table that is given a number get a greater one than this, with which a row was added. SQLite does so
/// by itself.
pub fn skip_ids(connection: &mut Connection, table: &'static str, id: i64) {
    if let Connection::Postgres(connection) = connection {
        connection.defer(&format!(
            "SELECT setval(sequence, {id}) FROM pg_get_serial_sequence('{table}', 'id') AS sequence, pg_sequence_last_value(sequence::regclass) AS last WHERE COALESCE(last, 0) < {id}"
        ));
    }
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

/// What a column holds, as far as it matters on the way from one database into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// A moment, to the second.
    Moment,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// What SQLite's schema calls it.
    pub const fn in_sqlite(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
            Self::Bool => "BOOLEAN",
            Self::Moment => "TIMESTAMP",
            Self::Bytes => "BLOB",
        }
    }

    /// What PostgreSQL's catalogue calls it.
    pub const fn in_postgres(self) -> &'static str {
        match self {
            Self::Integer => "bigint",
            Self::Text => "text",
            Self::Bool => "boolean",
            Self::Moment => "timestamp without time zone",
            Self::Bytes => "bytea",
        }
    }
}

/// A column as JSON has it: moments as texts, bytes in hexadecimal digits. SQLite says 1 for true.
pub fn json_value(sql: &mut Sql, column: &'static str, kind: Kind) {
    match kind {
        Kind::Integer | Kind::Text | Kind::Bool => {
            sql.identifier(column);
        }
        Kind::Moment => {
            sql.either("substr(", "to_char(").identifier(column).either(", 1, 19)", ", 'YYYY-MM-DD HH24:MI:SS')");
        }
        // SQLite says of no bytes at all what it says of a text without any.
        Kind::Bytes => {
            let mut bytes = Sql::new();
            bytes.identifier(column);
            sql.text("CASE WHEN ").identifier(column).text(" IS NOT NULL THEN ");
            hex(sql, bytes);
            sql.text(" END");
        }
    }
}

/// The value at this place of each of [`json_rows`].
fn of_json(sql: &mut Sql, place: usize, kind: Kind) {
    let (mut sqlite, mut postgres) = (Sql::new(), Sql::new());
    sqlite.text(if kind == Kind::Bytes { "unhex(" } else { "" });
    sqlite.text("json_extract(given.value, '").name("$[", place).text("]')");
    sqlite.text(if kind == Kind::Bytes { ")" } else { "" });
    let (before, after) = match kind {
        Kind::Integer => ("CAST(", " AS BIGINT)"),
        Kind::Text => ("(", ")"),
        Kind::Bool => ("CAST(", " AS BOOLEAN)"),
        Kind::Moment => ("CAST(", " AS TIMESTAMP)"),
        Kind::Bytes => ("decode(", ", 'hex')"),
    };
    postgres.text(before).name("given.value ->> ", place).text(after);
    sql.differing(sqlite, postgres);
}

/// The rows of a JSON array of arrays.
fn json_rows(sql: &mut Sql, rows: String) {
    sql.either("json_each(", "json_array_elements(CAST(").value(SqlValue::Text(rows));
    sql.either(") AS given", " AS JSON)) AS given (value)");
}

/// Adds rows that are given as a JSON array of arrays, in the form of [`json_value`] or with true and false.
pub fn insert_json(table: &'static str, columns: &[(&'static str, Kind)], rows: String) -> Sql {
    let mut sql = Sql::new();
    sql.text("INSERT INTO ").identifier(table).text(" (");
    for (index, (name, _)) in columns.iter().enumerate() {
        sql.text(if index == 0 { "" } else { ", " }).identifier(name);
    }
    sql.text(") SELECT ");
    for (index, (_, kind)) in columns.iter().enumerate() {
        sql.text(if index == 0 { "" } else { ", " });
        of_json(&mut sql, index, *kind);
    }
    sql.text(" FROM ");
    json_rows(&mut sql, rows);
    sql
}

/// Sets a column of numbers in the rows of these ids: pairs of id and value, as a JSON array of arrays.
pub fn set_by_json(table: &'static str, column: &'static str, pairs: String) -> Sql {
    let mut sql = Sql::new();
    sql.text("UPDATE ").identifier(table).text(" SET ").identifier(column).text(" = ");
    of_json(&mut sql, 1, Kind::Integer);
    sql.text(" FROM ");
    json_rows(&mut sql, pairs);
    sql.text(" WHERE ").identifier(table).text(".").identifier("id").text(" = ");
    of_json(&mut sql, 0, Kind::Integer);
    sql
}

/// Deletes all rows of a table.
pub fn empty_table(table: &'static str) -> Sql {
    let mut sql = Sql::new();
    sql.either("DELETE FROM ", "TRUNCATE ").identifier(table).either("", " CASCADE");
    sql
}

/// Keeps others from filling the same database, as long as the connection lasts; `false`: somebody does. SQLite's file is
/// claimed.
pub fn claim_for_transfer(connection: &mut Connection) -> QueryResult<bool> {
    let mut sql = Sql::new();
    sql.either("SELECT 1", "SELECT CAST(CAST(pg_try_advisory_lock(20261122) AS INTEGER) AS BIGINT)");
    Ok(sql.returning::<BigInt>().get_result::<i64>(connection)? == 1)
}

/// Tells, compared with what it was before on the same connection, whether anybody else has written: SQLite counts that; with
/// us every write locks the row of the feed, on which that leaves its mark.
pub fn last_write(connection: &mut Connection) -> QueryResult<String> {
    let mut sql = Sql::new();
    sql.either(
        "SELECT CAST(data_version AS TEXT) FROM pragma_data_version",
        "SELECT xmin::text || ' ' || xmax::text || ' ' || ctid::text || ' ' || tag FROM orest_feed WHERE id = 1",
    );
    sql.returning::<Text>().get_result(connection)
}

/// Begins a transaction that reads all as of one moment.
pub fn begin_snapshot(connection: &mut Connection) -> QueryResult<()> {
    let mut sql = Sql::new();
    sql.either("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    sql.execute(connection).map(|_| ())
}

/// The highest id that the database has given in a table, whether its row is still there or not; `None`: it has given none.
pub fn last_given_id(connection: &mut Connection, table: &'static str) -> QueryResult<Option<i64>> {
    let mut sql = Sql::new();
    sql.either(
        "SELECT (SELECT seq FROM sqlite_sequence WHERE name = ",
        "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(",
    );
    sql.value(SqlValue::Text(table.to_owned())).either(")", ", 'id') AS regclass))");
    sql.returning::<Nullable<BigInt>>().get_result(connection)
}

/// The next id that the database gives in a table is above this one.
pub fn set_last_given_id(connection: &mut Connection, table: &'static str, id: i64) -> QueryResult<()> {
    let (name, id) = (SqlValue::Text(table.to_owned()), SqlValue::Integer(id));
    let (mut sqlite, mut postgres) = (Sql::new(), Sql::new());
    sqlite.text("DELETE FROM sqlite_sequence WHERE name = ").value(name.clone());
    postgres.text("SELECT setval(CAST(pg_get_serial_sequence(").value(name.clone());
    postgres.text(", 'id') AS regclass), ").value(id.clone()).text(")");
    let mut sql = Sql::new();
    sql.differing(sqlite, postgres);
    sql.execute(connection)?;
    let (mut sqlite, mut postgres) = (Sql::new(), Sql::new());
    sqlite.text("INSERT INTO sqlite_sequence (name, seq) VALUES (").value(name).text(", ").value(id).text(")");
    postgres.text("SELECT 0");
    let mut sql = Sql::new();
    sql.differing(sqlite, postgres);
    sql.execute(connection).map(|_| ())
}

/// While a database is filled, SQLite need not look after each reference: see [`count_broken_references`].
pub fn look_after_references_later(connection: &mut Connection) -> QueryResult<()> {
    let mut sql = Sql::new();
    sql.either("PRAGMA foreign_keys = OFF", "SELECT 0");
    sql.execute(connection).map(|_| ())
}

/// How many references lead to rows that don't exist. PostgreSQL lets none be made.
pub fn count_broken_references(connection: &mut Connection) -> QueryResult<i64> {
    let mut sql = Sql::new();
    sql.either("SELECT COUNT(*) FROM pragma_foreign_key_check", "SELECT CAST(0 AS BIGINT)");
    sql.returning::<BigInt>().get_result(connection)
}

/// Lets the database see how large its tables are. What SQLite must know of them stands in the migrations.
pub fn gather_statistics(connection: &mut Connection) -> QueryResult<()> {
    let mut sql = Sql::new();
    sql.either("SELECT 0", "ANALYZE");
    sql.execute(connection).map(|_| ())
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
