//! `orest nodes`: who serves the database.

use clap::Args;
use serde_json::json;

use super::client::output::Format;
use super::{Place, say};
use crate::config::Layer;
use crate::service::nodes::{LeaseState, NodeStatus, list_nodes};
use crate::store::Store;

/// List the nodes that serve the database, with their leases and how far each has followed.
#[derive(Args)]
pub struct Nodes {
    #[command(flatten)]
    place: Place,
    /// `json`: for scripts
    #[arg(long, short = 'f', value_name = "FORMAT", value_parser = Format::parse, alias = "format")]
    output_format: Option<Format>,
}

impl Nodes {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = self.place.config(Layer::default())?;
        if config.database.path().is_some() {
            anyhow::bail!("the database is a file, which one process serves; several nodes need PostgreSQL");
        }
        let store = tokio::task::spawn_blocking(move || Store::open_current(&config.database)).await??;
        let nodes = list_nodes(&store).await?;
        match self.output_format.unwrap_or_default() {
            Format::Json => say(serde_json::to_string_pretty(&nodes.iter().map(describe).collect::<Vec<_>>())?),
            Format::Text if nodes.is_empty() => say("No node serves this database."),
            Format::Text => table(&nodes),
        }
        Ok(())
    }
}

fn describe(node: &NodeStatus) -> serde_json::Value {
    let moment = |at: crate::domain::time::Timestamp| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "id": node.id,
        "name": node.name,
        "address": node.address,
        "version": node.version,
        "lease": node.lease.as_str(),
        "lease_ms": u64::try_from(node.lease_length.as_millis()).unwrap_or(u64::MAX),
        "renewed_ms_ago": u64::try_from(node.renewed_ago.as_millis()).unwrap_or(u64::MAX),
        "applied_sequence": node.applied,
        "lag": node.lag,
        "started_at": moment(node.started_at),
    })
}

fn table(nodes: &[NodeStatus]) {
    let header = ["Name", "Address", "Version", "Lease", "Renewed", "Applied", "Lag", "Since (UTC)"].map(str::to_owned);
    let rows = nodes.iter().map(|node| {
        let state = match node.lease {
            LeaseState::Held => format!("held ({:.1} s)", node.lease_length.as_secs_f64()),
            LeaseState::Ended => "ended".to_owned(),
        };
        [
            node.name.clone(),
            node.address.clone(),
            node.version.clone(),
            state,
            format!("{:.1} s ago", node.renewed_ago.as_secs_f64()),
            node.applied.to_string(),
            node.lag.to_string(),
            node.started_at.to_string(),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..8).map(width).collect();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say(cells.join("  ").trim_end());
    }
}
