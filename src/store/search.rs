//! Lowers a [`Filter`] and an [`Order`] to one parameterised statement.
//!
//! A condition may be NULL where the filter says "does not hold": `AND`, `OR` and `WHERE` take it for false, and
//! [`Filter::Not`] is written `IS NOT TRUE`, so that the three truth values of SQL are never seen.

mod by_link;

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::StoreError;
use super::connection::Connection;
use super::dialect;
use super::sql::{Sql, SqlValue};
use crate::domain::time::Timestamp;
use crate::orm::field::{Column, Field, Kind, Model};
use crate::orm::filter::{Filter, Scalar, Targets, Term, Values};
use crate::orm::order::{Order, OrderTerm};

/// Which records of a model, in which order, and which page of them.
#[derive(Clone, Debug)]
pub struct Query {
    /// A model with a table.
    pub model: &'static Model,
    /// Which.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// How many at most.
    pub limit: Option<u64>,
    /// What expressions hold for the present moment.
    pub now: Timestamp,
}

/// The ids, in order.
pub fn search(connection: &mut Connection, query: &Query) -> Result<Vec<i64>, StoreError> {
    match by_link::search(connection, query)? {
        Some(found) => Ok(found),
        None => find(connection, query),
    }
}

/// The ids, in order, by one statement.
fn find(connection: &mut Connection, query: &Query) -> Result<Vec<i64>, StoreError> {
    Ok(find_sql(query)?.returning::<BigInt>().load(connection)?)
}

fn find_sql(query: &Query) -> Result<Sql, StoreError> {
    let mut sql = Sql::new();
    sql.text("SELECT ").column(0, "id").text(" FROM ");
    push_table(&mut sql, query.model, 0)?;
    let mut lower = Lower::new(&mut sql, query.now);
    lower.walks = query.limit.is_some();
    lower.where_clause(&query.filter, 0);
    lower.order_by(&query.order, 0);
    push_page(&mut sql, query.offset, query.limit);
    Ok(sql)
}

/// How many there are; counting stops at `limit`.
pub fn count(
    connection: &mut Connection,
    model: &'static Model,
    filter: &Filter,
    limit: Option<u64>,
    now: Timestamp,
) -> Result<i64, StoreError> {
    Ok(count_sql(model, filter, limit, now)?.returning::<BigInt>().get_result(connection)?)
}

fn count_sql(model: &'static Model, filter: &Filter, limit: Option<u64>, now: Timestamp) -> Result<Sql, StoreError> {
    let mut sql = Sql::new();
    match (filter, limit) {
        // all but a few, mostly: those few are counted, and how many there are at all a database knows sooner
        (Filter::IsTrue(field), None) => {
            sql.text("SELECT (SELECT COUNT(*) FROM ");
            push_table(&mut sql, model, 0)?;
            sql.text(") - (SELECT COUNT(*) FROM ");
            push_table(&mut sql, model, 0)?;
            sql.text(" WHERE ");
            Lower::new(&mut sql, now).field(field, 0);
            sql.text(" IS NOT TRUE)");
        }
        _ => {
            sql.text("SELECT COUNT(*) FROM (SELECT 1 FROM ");
            push_table(&mut sql, model, 0)?;
            Lower::new(&mut sql, now).where_clause(filter, 0);
            push_page(&mut sql, 0, limit);
            sql.text(") AS found");
        }
    }
    Ok(sql)
}

/// `table AS t0`
pub(super) fn push_table(sql: &mut Sql, model: &'static Model, depth: usize) -> Result<(), StoreError> {
    let table = model.table().ok_or_else(|| StoreError::Backend(format!("{} is no table", model.name)))?;
    sql.identifier(table).text(" AS ").alias(depth);
    Ok(())
}

pub(super) fn push_page(sql: &mut Sql, offset: u64, limit: Option<u64>) {
    let number = |number| SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    match limit {
        Some(limit) => {
            sql.text(" LIMIT ").value(number(limit));
        }
        None if offset > 0 => {
            dialect::no_limit(sql);
        }
        None => {}
    }
    if offset > 0 {
        sql.text(" OFFSET ").value(number(offset));
    }
}

/// Writes conditions, expressions and orders.
pub(super) struct Lower<'a> {
    /// Where to.
    pub sql: &'a mut Sql,
    /// For `{now}`.
    pub now: Timestamp,
    /// Whether the statement goes through the records in their order until a page is full. An index that finds the records
    /// in another order is of no use then: it would have to be gone through to its end, and all that it finds sorted.
    walks: bool,
}

impl<'a> Lower<'a> {
    pub const fn new(sql: &'a mut Sql, now: Timestamp) -> Self {
        Self { sql, now, walks: false }
    }

    /// ` WHERE …`, or nothing.
    pub fn where_clause(&mut self, filter: &Filter, depth: usize) {
        if !matches!(filter, Filter::All) {
            self.sql.text(" WHERE ");
            self.filter(filter, depth);
        }
    }

    /// A condition on the table at this depth.
    pub fn filter(&mut self, filter: &Filter, depth: usize) {
        match filter {
            Filter::All => {
                self.sql.text("TRUE");
            }
            Filter::Nothing => {
                self.sql.text("FALSE");
            }
            Filter::Not(filter) => {
                self.sql.text("(");
                self.filter(filter, depth);
                self.sql.text(" IS NOT TRUE)");
            }
            Filter::And(filters) => self.joined(filters, " AND ", depth),
            Filter::Or(filters) => self.joined(filters, " OR ", depth),
            Filter::IsTrue(field) => {
                self.sql.text("(");
                self.field(field, depth);
                self.sql.text(" IS TRUE)");
            }
            Filter::In { term, values: Values::Texts(keys), or_null }
                if term.part.is_none() && matches!(term.field.column, Column::Cases(_)) =>
            {
                self.or_null(*term, *or_null, depth, |lower| lower.cases(term.field, keys, depth));
            }
            Filter::In { term, values, or_null } => {
                self.or_null(*term, *or_null, depth, |lower| {
                    if !values.is_empty() {
                        lower.term(*term, depth);
                        dialect::among(lower.sql, values);
                    }
                    !values.is_empty()
                });
            }
            Filter::Compare { term, comparison, value, or_null } => {
                self.or_null(*term, *or_null, depth, |lower| {
                    lower.term(*term, depth);
                    let value = match value {
                        Scalar::Text(text) => {
                            dialect::compare_text(lower.sql, *comparison, text);
                            return true;
                        }
                        Scalar::Integer(value) => SqlValue::Integer(*value),
                        Scalar::Date(value) => SqlValue::Date(*value),
                        Scalar::Datetime(value) => SqlValue::Timestamp(*value),
                    };
                    dialect::compare(lower.sql, *comparison);
                    lower.sql.value(value);
                    true
                });
            }
            Filter::Like { field, pattern, fold } => {
                let expression = self.apart(|lower| lower.field(field, depth));
                dialect::like(self.sql, expression, pattern, *fold);
            }
            Filter::Linked { field, comodel, to } => self.below(|lower| lower.linked(field, comodel, to, depth)),
            Filter::Within { model, parent, roots, above } => {
                self.below(|lower| lower.within(model, parent, roots, *above, depth));
            }
        }
    }

    /// As a balanced tree, because databases bound the depth of expressions.
    fn joined(&mut self, filters: &[Filter], connective: &'static str, depth: usize) {
        match filters {
            [] => {
                self.sql.text(if connective == " AND " { "TRUE" } else { "FALSE" });
            }
            [one] => self.filter(one, depth),
            filters => {
                let (left, right) = filters.split_at(filters.len() / 2);
                self.sql.text("(");
                self.joined(left, connective, depth);
                self.sql.text(connective);
                self.joined(right, connective, depth);
                self.sql.text(")");
            }
        }
    }

    /// That one of these keys is the field's; `false` if none can be, and then nothing is written.
    fn cases(&mut self, field: &'static Field, keys: &[String], depth: usize) -> bool {
        let Column::Cases(cases) = field.column else { return false };
        let mut separator = if self.walks { "((" } else { "(" };
        for (key, condition) in cases {
            if keys.iter().any(|wanted| wanted == key) {
                self.sql.text(separator);
                self.expression(condition, depth);
                separator = " OR ";
            }
        }
        let written = separator == " OR ";
        if written {
            // no index is chosen by what stands in front of IS TRUE
            self.sql.text(if self.walks { ") IS TRUE)" } else { ")" });
        }
        written
    }

    fn or_null(&mut self, term: Term, or_null: bool, depth: usize, condition: impl FnOnce(&mut Self) -> bool) {
        self.sql.text("(");
        let written = condition(self);
        match (written, or_null) {
            (true, true) => {
                self.sql.text(" OR ");
            }
            (false, false) => {
                self.sql.text("FALSE");
            }
            _ => {}
        }
        if or_null {
            self.field(term.field, depth);
            self.sql.text(" IS NULL");
        }
        self.sql.text(")");
    }

    /// The value of a field.
    pub fn field(&mut self, field: &'static Field, depth: usize) {
        match field.column {
            Column::Stored => {
                self.sql.column(depth, field.name);
            }
            Column::Expression(expression) => {
                self.expression(expression, depth);
                if matches!(field.kind, Kind::Char | Kind::Text | Kind::Selection(_)) {
                    dialect::by_bytes(self.sql);
                }
            }
            Column::Cases(cases) => {
                self.sql.text("(CASE");
                for (key, condition) in cases {
                    self.sql.text(" WHEN ");
                    self.expression(condition, depth);
                    self.sql.text(" THEN '").text(key).text("'");
                }
                self.sql.text(" END)");
                dialect::by_bytes(self.sql);
            }
            Column::None => {
                self.sql.text("NULL");
            }
        }
    }

    fn expression(&mut self, mut expression: &'static str, depth: usize) {
        self.sql.text("(");
        while let Some(brace) = expression.find('{') {
            self.sql.text(&expression[..brace]);
            expression = &expression[brace..];
            if let Some(rest) = expression.strip_prefix("{t}") {
                self.sql.alias(depth);
                expression = rest;
            } else if let Some(rest) = expression.strip_prefix("{now}") {
                self.sql.value(SqlValue::Timestamp(self.now));
                expression = rest;
            } else {
                self.sql.text(&expression[..1]);
                expression = &expression[1..];
            }
        }
        self.sql.text(expression).text(")");
    }

    pub fn term(&mut self, term: Term, depth: usize) {
        match term.part {
            None => self.field(term.field, depth),
            Some(part) => {
                let expression = self.apart(|lower| lower.field(term.field, depth));
                dialect::part(self.sql, expression, part);
            }
        }
    }

    /// What would be written, for a [`dialect`] function to put in its place.
    pub fn apart(&self, write: impl FnOnce(&mut Lower<'_>)) -> Sql {
        let mut sql = Sql::new();
        write(&mut Lower { sql: &mut sql, now: self.now, walks: self.walks });
        sql
    }

    /// In a sub-query, which has no order and no page.
    fn below(&mut self, write: impl FnOnce(&mut Self)) {
        let walks = std::mem::take(&mut self.walks);
        write(self);
        self.walks = walks;
    }

    fn linked(&mut self, field: &'static Field, comodel: &'static Model, to: &Targets, depth: usize) {
        let below = depth + 1;
        match field.kind {
            Kind::Many2many { relation, own, other, .. } => {
                self.sql.column(depth, "id").text(" IN (SELECT ").column(below, own).text(" FROM ");
                self.sql.identifier(relation).text(" AS ").alias(below);
                if !matches!(to, Targets::All) {
                    self.sql.text(" WHERE ").column(below, other);
                    self.targets(comodel, to, below + 1);
                }
                self.sql.text(")");
            }
            Kind::One2many { inverse, .. } => {
                let (Some(table), Some(inverse)) = (comodel.table(), comodel.field(inverse)) else {
                    self.sql.text("FALSE");
                    return;
                };
                self.sql.column(depth, "id").text(" IN (SELECT ");
                self.field(inverse, below);
                self.sql.text(" FROM ").identifier(table).text(" AS ").alias(below).text(" WHERE ");
                self.field(inverse, below);
                self.sql.text(" IS NOT NULL");
                match to {
                    Targets::All => {}
                    Targets::Ids(ids) => {
                        self.sql.text(" AND ").column(below, "id");
                        dialect::among_ids(self.sql, ids);
                    }
                    Targets::Where(filter) => {
                        self.sql.text(" AND ");
                        self.filter(filter, below);
                    }
                }
                self.sql.text(")");
            }
            _ => {
                self.sql.text("(");
                self.field(field, depth);
                match to {
                    Targets::All => {
                        self.sql.text(" IS NOT NULL");
                    }
                    to => self.targets(comodel, to, below),
                }
                self.sql.text(")");
            }
        }
    }

    /// ` IN (…)` of ids of the other model.
    pub fn targets(&mut self, comodel: &'static Model, to: &Targets, depth: usize) {
        match (to, comodel.table()) {
            (Targets::Ids(ids), _) => dialect::among_ids(self.sql, ids),
            (Targets::All, None) => {
                self.sql.text(" IS NOT NULL");
            }
            (Targets::Where(_), None) => dialect::among_ids(self.sql, &[]),
            (to, Some(table)) => {
                self.sql.text(" IN (SELECT ").column(depth, "id").text(" FROM ");
                self.sql.identifier(table).text(" AS ").alias(depth);
                if let Targets::Where(filter) = to {
                    self.where_clause(filter, depth);
                }
                self.sql.text(")");
            }
        }
    }

    /// UNION, and not UNION ALL, so that a cycle ends.
    fn within(&mut self, model: &'static Model, parent: &'static Field, roots: &Filter, above: bool, depth: usize) {
        let Some(table) = model.table() else {
            self.sql.text("FALSE");
            return;
        };
        let below = depth + 1;
        self.sql
            .column(depth, "id")
            .text(" IN (WITH RECURSIVE walk(id) AS (SELECT ")
            .column(below, "id")
            .text(" FROM ");
        self.sql.identifier(table).text(" AS ").alias(below);
        self.where_clause(roots, below);
        self.sql.text(" UNION SELECT ");
        if above {
            self.field(parent, below);
        } else {
            self.sql.column(below, "id");
        }
        self.sql.text(" FROM walk JOIN ").identifier(table).text(" AS ").alias(below).text(" ON walk.id = ");
        if above {
            self.sql.column(below, "id").text(" WHERE ");
            self.field(parent, below);
            self.sql.text(" IS NOT NULL");
        } else {
            self.field(parent, below);
        }
        self.sql.text(") SELECT walk.id FROM walk)");
    }

    /// ` ORDER BY …`
    pub fn order_by(&mut self, order: &Order, depth: usize) {
        self.sql.text(" ORDER BY ");
        for (index, term) in order.terms.iter().enumerate() {
            if index > 0 {
                self.sql.text(", ");
            }
            self.order_term(term, depth, None);
        }
        if !order.is_total() {
            self.sql.text(if order.terms.is_empty() { "" } else { ", " }).column(depth, "id");
        }
    }

    /// One term; `root` is the name of the value that the first step starts from, if that is no column of the table.
    pub fn order_term(&mut self, term: &OrderTerm, depth: usize, root: Option<(&'static str, usize)>) {
        // each step is a sub-query around the next: (SELECT (SELECT value FROM b WHERE …) FROM a WHERE …)
        for _ in &term.through {
            self.sql.text("(SELECT ");
        }
        let at = depth + term.through.len();
        if term.field.kind == Kind::Boolean {
            self.sql.text("COALESCE(");
            self.field(term.field, at);
            self.sql.text(", FALSE)");
        } else {
            self.field(term.field, at);
        }
        for (level, (field, comodel)) in term.through.iter().enumerate().rev() {
            let table = comodel.table().expect("an order goes through tables only");
            self.sql.text(" FROM ").identifier(table).text(" AS ").alias(depth + level + 1).text(" WHERE ");
            self.sql.column(depth + level + 1, "id").text(" = ");
            match root.filter(|_| level == 0) {
                Some((prefix, number)) => {
                    self.sql.name(prefix, number);
                }
                None => self.field(field, depth + level),
            }
            self.sql.text(")");
        }
        self.sql.text(if term.descending { " DESC" } else { " ASC" });
        if term.field.name != "id" || !term.through.is_empty() {
            self.sql.text(if term.nulls_first { " NULLS FIRST" } else { " NULLS LAST" });
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::{Integer, Text};
    use serde_json::{Value, json};

    use super::*;
    use crate::orm::registry::Registry;
    use crate::orm::resolve::ResolveContext;
    use crate::orm::search_domain::{Limits, SearchDomain};
    use crate::store::Store;
    use crate::store::connection::DatabaseUrl;

    /// How SQLite goes about it, step by step.
    fn plan(connection: &mut Connection, statement: Sql) -> String {
        let mut sql = Sql::new();
        sql.text("EXPLAIN QUERY PLAN ").append(statement);
        let steps: Vec<(i32, i32, i32, String)> =
            sql.returning::<(Integer, Integer, Integer, Text)>().load(connection).expect("a plan");
        steps.into_iter().map(|(.., step)| step.replace("orest_authorization_", "")).collect::<Vec<_>>().join("; ")
    }

    /// A list of a million authorizations is quick as long as a page and its count read one index, in order, and no row.
    #[test]
    fn the_list_reads_indexes() {
        let folder = tempfile::tempdir().expect("a folder");
        let url: DatabaseUrl =
            format!("sqlite://{}/test.sqlite3", folder.path().display()).parse().expect("a database");
        drop(Store::open(&url).expect("a database"));
        let mut connection = url.connect_reader().expect("a reader");
        let registry = Registry::new();
        let now = "2026-11-20T09:40:37".parse().expect("a moment");
        let context = ResolveContext { active_test: true, ..ResolveContext::unrestricted(&registry, now) };
        let model = registry.get("orest.authorization").expect("it is served");
        let live = json!(["state", "=", "live"]);
        let one = json!(["user_id", "=", 7]);
        let named = json!(["user_id", "ilike", "alice"]);
        for (domain, order, page, number) in [
            (
                json!([]),
                "",
                "SCAN t0 USING COVERING INDEX create_date_idx",
                "SCAN CONSTANT ROW; SCALAR SUBQUERY 1; SCAN orest_authorization USING COVERING INDEX application_id_idx; \
                 SCALAR SUBQUERY 2; SCAN t0 USING COVERING INDEX archived_idx",
            ),
            (
                json!([live]),
                "",
                "SCAN t0 USING COVERING INDEX create_date_idx",
                "SEARCH t0 USING COVERING INDEX state_idx (revoked_at=? AND <expr>>?)",
            ),
            (
                json!([one, live]),
                "",
                "SEARCH t0 USING COVERING INDEX user_id_idx (user_id=?)",
                "SEARCH t0 USING COVERING INDEX user_id_idx (user_id=?)",
            ),
            (
                json!([named, live]),
                "",
                "SEARCH t0 USING COVERING INDEX user_id_idx (user_id=?); LIST SUBQUERY 1; SCAN t1; USE TEMP B-TREE FOR ORDER BY",
                "SEARCH t0 USING COVERING INDEX user_id_idx (user_id=?); LIST SUBQUERY 1; SCAN t1",
            ),
            (
                json!([["state", "=", "revoked"]]),
                "last_used_at desc",
                "SCAN t0 USING INDEX last_used_at_idx",
                "SEARCH t0 USING COVERING INDEX state_idx (revoked_at>?)",
            ),
            (
                json!([["application_id", "=", 3]]),
                "id",
                "SEARCH t0 USING COVERING INDEX application_id_idx (application_id=?)",
                "SEARCH t0 USING COVERING INDEX application_id_idx (application_id=?)",
            ),
        ] {
            let parsed = SearchDomain::parse(&domain, &Limits::default()).expect("well formed");
            let filter = context.with_active(parsed, model).resolve(model, &context).expect("it has a meaning");
            let order = Order::parse(&Value::from(order), model, &context).expect("an order");
            let query = Query { model, filter, order, offset: 400_000, limit: Some(80), now };
            let found = find_sql(&query).expect("a statement");
            assert_eq!(plan(&mut connection, found), page, "{domain}");
            let counted = count_sql(model, &query.filter, None, now).expect("a statement");
            assert_eq!(plan(&mut connection, counted), number, "{domain}");
        }
    }
}
