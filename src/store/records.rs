//! Writes to the table of any model: names are static, values are parameters.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::StoreError;
use super::connection::Connection;
use super::dialect;
use super::sql::Sql;
pub use super::sql::SqlValue;

/// Adds a row and returns its id.
pub fn insert(
    connection: &mut Connection,
    table: &'static str,
    columns: &[(&'static str, SqlValue)],
) -> Result<i64, StoreError> {
    let mut sql = Sql::new();
    sql.text("INSERT INTO ").identifier(table);
    if columns.is_empty() {
        sql.text(" DEFAULT VALUES");
    } else {
        sql.text(" (");
        push_list(&mut sql, columns, |sql, (name, _)| {
            sql.identifier(name);
        });
        sql.text(") VALUES (");
        push_list(&mut sql, columns, |sql, (_, value)| {
            sql.value(value.clone());
        });
        sql.text(")");
    }
    sql.text(" RETURNING ").identifier("id");
    Ok(sql.returning::<BigInt>().get_result(connection)?)
}

/// Sets the columns of these rows and returns how many rows there were.
pub fn update(
    connection: &mut Connection,
    table: &'static str,
    ids: &[i64],
    columns: &[(&'static str, SqlValue)],
) -> Result<usize, StoreError> {
    if columns.is_empty() {
        return Ok(exists(connection, table, ids)?.len());
    }
    let mut sql = Sql::new();
    sql.text("UPDATE ").identifier(table).text(" SET ");
    push_list(&mut sql, columns, |sql, (name, value)| {
        sql.identifier(name).text(" = ").value(value.clone());
    });
    sql.text(" WHERE ").identifier("id");
    dialect::among_ids(&mut sql, ids);
    Ok(sql.execute(connection)?)
}

/// Deletes these rows and returns how many there were.
pub fn delete(connection: &mut Connection, table: &'static str, ids: &[i64]) -> Result<usize, StoreError> {
    let mut sql = Sql::new();
    sql.text("DELETE FROM ").identifier(table).text(" WHERE ").identifier("id");
    dialect::among_ids(&mut sql, ids);
    Ok(sql.execute(connection)?)
}

/// Makes the links of a record, in the relation table of a many2many, exactly these.
pub fn replace_links(
    connection: &mut Connection,
    relation: &'static str,
    own: &'static str,
    other: &'static str,
    id: i64,
    others: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let mut sql = Sql::new();
    sql.text("DELETE FROM ").identifier(relation).text(" WHERE ").identifier(own).text(" = ");
    sql.value(SqlValue::Integer(id));
    sql.execute(connection)?;
    if others.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = others.iter().copied().collect();
    let mut sql = Sql::new();
    sql.text("INSERT INTO ").identifier(relation).text(" (").identifier(own).text(", ").identifier(other).text(") ");
    dialect::each_id_with(&mut sql, SqlValue::Integer(id), &others);
    sql.execute(connection)?;
    Ok(())
}

/// The links of a record in the relation table of a many2many.
pub fn links(
    connection: &mut Connection,
    relation: &'static str,
    own: &'static str,
    other: &'static str,
    id: i64,
) -> Result<BTreeSet<i64>, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT ").identifier(other).text(" FROM ").identifier(relation).text(" WHERE ").identifier(own);
    sql.text(" = ").value(SqlValue::Integer(id));
    let found: Vec<i64> = sql.returning::<BigInt>().load(connection)?;
    Ok(found.into_iter().collect())
}

/// The row whose text column has this value.
pub fn find_by_text(
    connection: &mut Connection,
    table: &'static str,
    column: &'static str,
    text: &str,
) -> Result<Option<i64>, StoreError> {
    if !dialect::is_storable(text) {
        return Ok(None);
    }
    let mut sql = Sql::new();
    sql.text("SELECT ").identifier("id").text(" FROM ").identifier(table).text(" WHERE ").identifier(column);
    sql.text(" = ").value(SqlValue::Text(text.to_owned()));
    Ok(sql.returning::<BigInt>().get_result(connection).optional()?)
}

/// Those of the ids that have a row.
pub fn exists(connection: &mut Connection, table: &'static str, ids: &[i64]) -> Result<BTreeSet<i64>, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT ").identifier("id").text(" FROM ").identifier(table).text(" WHERE ").identifier("id");
    dialect::among_ids(&mut sql, ids);
    let found: Vec<i64> = sql.returning::<BigInt>().load(connection)?;
    Ok(found.into_iter().collect())
}

fn push_list<T>(sql: &mut Sql, items: &[T], push: impl Fn(&mut Sql, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            sql.text(", ");
        }
        push(sql, item);
    }
}
