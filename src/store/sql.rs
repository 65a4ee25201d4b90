//! SQL text that is put together at run time, as safely as a typed query: text is `&'static str`, names come from the
//! static tables of the models and are quoted, and every value is a parameter.

use chrono::{NaiveDate, SubsecRound};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Date, Text, Timestamp as SqlTimestamp};
use diesel::{QueryResult, RunQueryDsl};

use super::connection::{Backend, Connection};
use crate::domain::time::Timestamp;

/// A value on its way into the database.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// A moment; fractions of seconds are not stored.
    Timestamp(Timestamp),
    /// A day.
    Date(NaiveDate),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A statement, or a part of one.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(&'static str),
    Either(&'static str, &'static str),
    Differing(Box<[Sql; 2]>),
    Identifier(&'static str),
    Name(&'static str, usize),
    Value(SqlValue),
}

impl Sql {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Text of our own.
    pub fn text(&mut self, text: &'static str) -> &mut Self {
        self.pieces.push(Piece::Text(text));
        self
    }

    /// Text of our own, which differs by database. For [`super::dialect`] alone.
    pub(super) fn either(&mut self, sqlite: &'static str, postgres: &'static str) -> &mut Self {
        self.pieces.push(Piece::Either(sqlite, postgres));
        self
    }

    /// What was written apart for each database. For [`super::dialect`] alone.
    pub(super) fn differing(&mut self, sqlite: Self, postgres: Self) -> &mut Self {
        self.pieces.push(Piece::Differing(Box::new([sqlite, postgres])));
        self
    }

    /// A table or column from the models' static tables, quoted.
    pub fn identifier(&mut self, name: &'static str) -> &mut Self {
        self.pieces.push(Piece::Identifier(name));
        self
    }

    /// The alias of the table at this depth of sub-queries: `t0`, `t1` …
    pub fn alias(&mut self, depth: usize) -> &mut Self {
        self.name("t", depth)
    }

    /// A numbered name of our own, such as `k0`.
    pub fn name(&mut self, prefix: &'static str, number: usize) -> &mut Self {
        self.pieces.push(Piece::Name(prefix, number));
        self
    }

    /// A column of the table at this depth.
    pub fn column(&mut self, depth: usize, name: &'static str) -> &mut Self {
        self.alias(depth).text(".").identifier(name)
    }

    /// A parameter.
    pub fn value(&mut self, value: SqlValue) -> &mut Self {
        let value = match value {
            // Diesel would write a fraction, and the texts would no longer compare
            SqlValue::Timestamp(at) => SqlValue::Timestamp(at.trunc_subsecs(0)),
            value => value,
        };
        self.pieces.push(Piece::Value(value));
        self
    }

    /// What was written apart.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.pieces.extend(other.pieces);
        self
    }

    /// The statement, for [`RunQueryDsl`]: its rows have the SQL type `T`.
    pub const fn returning<T>(self) -> Statement<T> {
        Statement { sql: self, row: std::marker::PhantomData }
    }

    /// Runs a statement without rows and says how many it changed.
    pub fn execute(self, connection: &mut Connection) -> QueryResult<usize> {
        self.returning::<()>().execute(connection)
    }
}

/// A complete statement with the type of its rows.
#[derive(Clone, Debug)]
pub struct Statement<T> {
    sql: Sql,
    row: std::marker::PhantomData<T>,
}

impl<T: 'static> QueryId for Statement<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: diesel::sql_types::SqlType> Query for Statement<T> {
    type SqlType = T;
}

impl<T> RunQueryDsl<Connection> for Statement<T> {}

impl<T> QueryFragment<Backend> for Statement<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        // there are too many different ones to keep each prepared
        out.unsafe_to_cache_prepared();
        self.sql.push(&mut out)
    }
}

impl Sql {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Backend>) -> QueryResult<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_sql(text),
                Piece::Either(sqlite, postgres) => out.push_sql(match out.backend() {
                    Backend::Sqlite(_) => sqlite,
                    Backend::Postgres(_) => postgres,
                }),
                Piece::Differing(by_database) => match out.backend() {
                    Backend::Sqlite(_) => by_database[0].push(out)?,
                    Backend::Postgres(_) => by_database[1].push(out)?,
                },
                Piece::Identifier(name) => out.push_identifier(name)?,
                Piece::Name(prefix, number) => out.push_sql(&format!("{prefix}{number}")),
                Piece::Value(value) => match value {
                    // a parameter would have a type, and PostgreSQL would want the column's
                    SqlValue::Null => out.push_sql("NULL"),
                    SqlValue::Bool(value) => out.push_bind_param::<Bool, _>(value)?,
                    SqlValue::Integer(value) => out.push_bind_param::<BigInt, _>(value)?,
                    SqlValue::Text(value) => out.push_bind_param::<Text, _>(value)?,
                    SqlValue::Timestamp(value) => out.push_bind_param::<SqlTimestamp, _>(value)?,
                    SqlValue::Date(value) => out.push_bind_param::<Date, _>(value)?,
                    SqlValue::Blob(value) => out.push_bind_param::<Binary, _>(value)?,
                },
            }
        }
        Ok(())
    }
}
