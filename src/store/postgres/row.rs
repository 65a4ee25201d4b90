//! Rows of PostgreSQL as Diesel reads them.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;

use diesel::backend::Backend;
use diesel::internal::derives::multiconnection::{PartialRow, RowSealed};
use diesel::pg::{Pg, PgValue, TypeOidLookup};
use diesel::row::{Field, Row, RowIndex};
use tokio_postgres::types::{FromSql, Type};

/// A row.
pub struct PgRow(tokio_postgres::Row);

/// The rows of an answer.
pub struct PgRows(std::vec::IntoIter<tokio_postgres::Row>);

impl PgRows {
    pub(super) fn new(rows: Vec<tokio_postgres::Row>) -> Self {
        Self(rows.into_iter())
    }
}

impl Iterator for PgRows {
    type Item = diesel::QueryResult<PgRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|row| Ok(PgRow(row)))
    }
}

impl RowSealed for PgRow {}

impl<'a> Row<'a, Pg> for PgRow {
    type InnerPartialRow = Self;
    type Field<'b>
        = PgField<'b>
    where
        Self: 'b,
        'a: 'b;

    fn field_count(&self) -> usize {
        self.0.len()
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Self::Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        Some(PgField { row: &self.0, index: self.idx(index)? })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

impl RowIndex<usize> for PgRow {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.0.len()).then_some(index)
    }
}

impl RowIndex<&str> for PgRow {
    fn idx(&self, name: &str) -> Option<usize> {
        self.0.columns().iter().position(|column| column.name() == name)
    }
}

/// A value in a row.
pub struct PgField<'a> {
    row: &'a tokio_postgres::Row,
    index: usize,
}

impl<'a> Field<'a, Pg> for PgField<'a> {
    fn field_name(&self) -> Option<&str> {
        Some(self.row.columns()[self.index].name())
    }

    fn value(&self) -> Option<<Pg as Backend>::RawValue<'_>> {
        let Bytes(bytes) = self.row.get(self.index);
        bytes.map(|bytes| PgValue::new(bytes, self))
    }
}

impl TypeOidLookup for PgField<'_> {
    fn lookup(&self) -> NonZeroU32 {
        NonZeroU32::new(self.row.columns()[self.index].type_().oid()).expect("no type has the number 0")
    }
}

/// The bytes of a value as they came, whatever their type.
struct Bytes<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
