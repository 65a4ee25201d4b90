//! `orest authorizations list`.

use clap::Args;
use serde_json::{Value, json};

use super::filter::Filter;
use crate::cli::client::failure::Failure;
use crate::cli::client::odoo;
use crate::cli::client::progress::Progress;
use crate::cli::client::table::Table;
use crate::cli::client::{Client, Outcome};

/// Records that are read at a time.
const PAGE: usize = 1_000;

/// Which authorizations to list.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("Application", "application_id"),
    ("User", "user_id"),
    ("Device", "device_id"),
    ("State", "state"),
    ("Created (UTC)", "create_date"),
    ("Last Used (UTC)", "last_used_at"),
];

impl List {
    pub(super) fn run(&self, client: &Client) -> Result<Outcome, Failure> {
        let mut session = client.session()?;
        let domain = self.filter.domain(&mut session)?;
        let limit = self.limit.unwrap_or(usize::MAX);
        let progress = Progress::counting(&client.output, "authorizations");
        let mut rows: Vec<Vec<String>> = Vec::new();
        // Onward from the last id: what is granted meanwhile moves nothing.
        let mut last: Option<i64> = None;
        while rows.len() < limit {
            let mut terms = domain.as_array().cloned().unwrap_or_default();
            terms.extend(last.map(|last| json!(["id", "<", last])));
            let fields = COLUMNS.map(|(_, field)| field);
            let size = PAGE.min(limit - rows.len());
            let arguments = json!({"domain": terms, "fields": fields, "order": "id desc", "limit": size});
            let page = odoo::call(&mut session, "orest.authorization", "search_read", &arguments)?;
            let page = page.as_array().map_or(&[][..], Vec::as_slice);
            rows.extend(page.iter().map(|record| COLUMNS.map(|(_, field)| cell(&record[field])).to_vec()));
            progress.at(rows.len());
            last = page.last().and_then(|record| record["id"].as_i64());
            if last.is_none() || page.len() < size {
                break;
            }
        }
        drop(progress);
        if rows.is_empty() {
            client.output.info("No authorizations to show");
        } else {
            let title = format!("Authorizations: {}", rows.len());
            client.output.table(&Table { title, headers: COLUMNS.map(|(header, _)| header).to_vec(), rows });
        }
        Ok(Outcome::Done)
    }
}

/// As people read it: of another record its name, of nothing nothing.
fn cell(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(pair) => pair.last().and_then(Value::as_str).unwrap_or_default().to_owned(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
