//! Lists of records, read page by page, and how people read what is in a field.

use serde_json::{Value, json};

use super::failure::Failure;
use super::odoo;
use super::output::Output;
use super::progress::Progress;
use super::session::Session;

/// Records that are read at a time.
const PAGE: usize = 1_000;

/// Which records are read.
pub struct Listing<'l> {
    /// Of this model.
    pub model: &'l str,
    /// What they are, for who watches.
    pub what: &'static str,
    /// Those that it finds.
    pub domain: &'l Value,
    /// What of each is read.
    pub fields: &'l [&'l str],
    /// The newest first: by this one of the fields, a number that no two have.
    pub newest: &'l str,
    /// At most so many.
    pub limit: Option<usize>,
}

impl Listing<'_> {
    /// A row of each.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub fn read(
        &self,
        session: &mut Session,
        output: &Output,
        row: impl Fn(&Value) -> Vec<String>,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let limit = self.limit.unwrap_or(usize::MAX);
        let progress = Progress::counting(output, self.what);
        let mut rows = Vec::new();
        // Onward from the last one: what is added meanwhile moves nothing.
        let mut last: Option<i64> = None;
        while rows.len() < limit {
            let mut terms = self.domain.as_array().cloned().unwrap_or_default();
            terms.extend(last.map(|last| json!([self.newest, "<", last])));
            let size = PAGE.min(limit - rows.len());
            let order = format!("{} desc", self.newest);
            let arguments = json!({"domain": terms, "fields": self.fields, "order": order, "limit": size});
            let page = odoo::call(session, self.model, "search_read", &arguments)?;
            let page = page.as_array().ok_or_else(|| Failure::NoAnswer("an answer of no records".to_owned()))?;
            rows.extend(page.iter().map(&row));
            progress.at(rows.len());
            let Some(end) = page.last().filter(|_| page.len() >= size) else { break };
            let end = end[self.newest].as_i64().filter(|end| last.is_none_or(|last| *end < last));
            last = Some(end.ok_or_else(|| Failure::NoAnswer("an answer that goes on without end".to_owned()))?);
        }
        Ok(rows)
    }
}

/// As people read it: of another record its name, of nothing nothing.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(pair) => pair.last().and_then(Value::as_str).unwrap_or_default().to_owned(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
