//! A page of records in the order of what they are linked to, such as authorizations by user.
//!
//! The order of such a page is that of the other model: a sub-query for each record, and all of them sorted. Where the other
//! model has few records and this one many, the other ones are put in order first, and theirs are found in turn until the
//! page is full.

use std::collections::HashMap;
use std::ops::Range;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::{Lower, Query, StoreError, find, push_table};
use crate::limits;
use crate::orm::field::{Column, Field, Model};
use crate::orm::filter::{Filter, Values};
use crate::orm::order::{Order, OrderTerm};
use crate::store::connection::Connection;
use crate::store::sql::Sql;

/// The first field of the order, and how its records are ordered.
struct Link<'a> {
    field: &'static Field,
    comodel: &'static Model,
    /// The terms of the order that look at the other record, …
    leading: &'a [OrderTerm],
    /// … and the ones after them.
    rest: &'a [OrderTerm],
}

/// Records of the other model that are alike for the order.
#[derive(Debug, Default)]
struct Rank {
    ids: Vec<i64>,
    /// Whether records without a link are alike too.
    none: bool,
}

/// The ids, in order; `None` if this is no way to find them.
pub fn search(connection: &mut Connection, query: &Query) -> Result<Option<Vec<i64>>, StoreError> {
    let (Some(limit), Some(link)) = (query.limit, Link::of(&query.order)) else { return Ok(None) };
    let Some(ranks) = ranks(connection, query, &link)? else { return Ok(None) };
    let is_near = query.offset.saturating_add(limit) <= limits::NEAR_PAGE;
    // what is near is found with what is before it, what is far by counting
    let (mut skip, mut left) = if is_near { (0, query.offset + limit) } else { (query.offset, limit) };
    let (mut found, mut next, mut size) = (Vec::new(), 0, 1);
    while left > 0 && next < ranks.len() {
        let batch = next..ranks.len().min(next + size);
        (next, size) = (batch.end, size * 2);
        let batch = if skip == 0 { batch } else { passed(connection, query, &link, &ranks, batch, &mut skip, left)? };
        if batch.is_empty() {
            continue;
        }
        let of_one = batch.len() == 1;
        let page = Query {
            filter: link.filter(query, &ranks[batch]),
            order: if of_one { Order { terms: link.rest.to_vec() } } else { query.order.clone() },
            offset: skip,
            limit: Some(left),
            ..query.clone()
        };
        skip = 0;
        let ids = find(connection, &page)?;
        left = left.saturating_sub(ids.len() as u64);
        found.extend(ids);
    }
    if is_near {
        found.drain(..found.len().min(usize::try_from(query.offset).unwrap_or(usize::MAX)));
    }
    Ok(Some(found))
}

impl<'a> Link<'a> {
    /// If the order begins with a link that is a column of the table, and leads somewhere or nowhere but never to what is gone.
    fn of(order: &'a Order) -> Option<Self> {
        let (field, comodel) = *order.terms.first()?.through.first()?;
        if field.column != Column::Stored || field.loose {
            return None;
        }
        let is_leading = |term: &OrderTerm| term.through.first().is_some_and(|(other, _)| other.name == field.name);
        let leading = order.terms.iter().take_while(|term| is_leading(term)).count();
        let (leading, rest) = order.terms.split_at(leading);
        Some(Self { field, comodel, leading, rest })
    }

    /// The records of the query that are linked to these.
    fn filter(&self, query: &Query, ranks: &[Rank]) -> Filter {
        let ids = ranks.iter().flat_map(|rank| rank.ids.iter().copied()).collect();
        let or_null = ranks.iter().any(|rank| rank.none);
        Filter::and([query.filter.clone(), Filter::among(self.field, Values::Integers(ids), or_null)])
    }
}

/// All records of the other model, and none, in order; `None` if they are too many.
fn ranks(connection: &mut Connection, query: &Query, link: &Link<'_>) -> Result<Option<Vec<Rank>>, StoreError> {
    let many = super::count(connection, link.comodel, &Filter::All, Some(limits::RANKED_MAX + 1), query.now)?;
    if many > limits::RANKED_MAX.cast_signed() {
        return Ok(None);
    }
    let mut sql = Sql::new();
    sql.text("SELECT k0, DENSE_RANK() OVER (ORDER BY ");
    for (index, term) in link.leading.iter().enumerate() {
        sql.text(if index > 0 { ", " } else { "" });
        Lower::new(&mut sql, query.now).order_term(term, 0, Some(("k", 0)));
    }
    sql.text(") AS place FROM (SELECT ").column(0, "id").text(" AS k0 FROM ");
    push_table(&mut sql, link.comodel, 0)?;
    sql.text(" UNION ALL SELECT NULL) AS found ORDER BY place");
    let rows: Vec<(Option<i64>, i64)> = sql.returning::<(Nullable<BigInt>, BigInt)>().load(connection)?;
    let mut ranks: Vec<Rank> = Vec::new();
    let mut last = None;
    for (id, place) in rows {
        if last != Some(place) {
            ranks.push(Rank::default());
            last = Some(place);
        }
        if let Some(rank) = ranks.last_mut() {
            rank.none |= id.is_none();
            rank.ids.extend(id);
        }
    }
    Ok(Some(ranks))
}

/// Of some ranks those that the page begins or goes on in: passes the ones before it, of whose records `skip` is left.
fn passed(
    connection: &mut Connection,
    query: &Query,
    link: &Link<'_>,
    ranks: &[Rank],
    batch: Range<usize>,
    skip: &mut u64,
    limit: u64,
) -> Result<Range<usize>, StoreError> {
    let mut sql = Sql::new();
    let mut lower = Lower::new(&mut sql, query.now);
    lower.sql.text("SELECT ");
    lower.field(link.field, 0);
    lower.sql.text(", COUNT(*) FROM ");
    push_table(lower.sql, query.model, 0)?;
    lower.where_clause(&link.filter(query, &ranks[batch.clone()]), 0);
    lower.sql.text(" GROUP BY ");
    lower.field(link.field, 0);
    let rows: Vec<(Option<i64>, i64)> = sql.returning::<(Nullable<BigInt>, BigInt)>().load(connection)?;
    let counts: HashMap<_, _> = rows.into_iter().map(|(id, count)| (id, count.cast_unsigned())).collect();
    let count = |rank: &Rank| -> u64 {
        let links = rank.ids.iter().copied().map(Some).chain(rank.none.then_some(None));
        links.filter_map(|link| counts.get(&link)).sum()
    };
    let mut start = batch.start;
    while start < batch.end && count(&ranks[start]) <= *skip {
        *skip -= count(&ranks[start]);
        start += 1;
    }
    let (mut end, mut reached) = (start, 0);
    while end < batch.end && reached < skip.saturating_add(limit) {
        reached += count(&ranks[end]);
        end += 1;
    }
    Ok(start..end)
}
