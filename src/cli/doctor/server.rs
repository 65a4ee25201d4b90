//! Who serves the data, and whether the address that others know leads there.

use super::{Report, is_loopback};
use crate::cli::web::{Web, printable};
use crate::config::Config;
use crate::service::nodes::{LeaseState, NodeStatus, call};
use crate::store::inspect::Content;
use crate::transport::ops::reason;

/// Who serves the data.
pub(super) struct Serving {
    /// What `/ready` may say of it: one for each node.
    instances: Vec<String>,
    /// Whether it does so at this moment, as far as can be known without asking it.
    runs: bool,
    /// How others reach it, as it says.
    pub(super) base_url: String,
}

/// The nodes of a database that is for many.
fn nodes(report: &mut Report, content: Option<&Content>) -> Option<Serving> {
    const WHAT: &str = "server";
    let content = content?;
    let nodes = &content.nodes;
    let Some(first) = nodes.first() else {
        report.fail(WHAT, "no node serves this database", "start `orest serve`; if it stops at once, its log says why");
        return None;
    };
    if let Some(other) = nodes.iter().find(|node| node.address != first.address) {
        let says = format!("{} says {}, {} {}", first.name, first.address, other.name, other.address);
        report.warn(WHAT, format!("nodes say different addresses: {says}"), "give all nodes the same --base-url");
    }
    let roll = content.roll.clone().map(call).unwrap_or_default();
    let (held, ended): (Vec<_>, Vec<_>) = roll.iter().partition(|node| node.lease == LeaseState::Held);
    for node in ended {
        report.warn(WHAT, without_lease(node), "it asks the database for each check, or is gone; see its log");
    }
    if !held.is_empty() {
        report.ok(WHAT, format!("nodes that serve this database under a lease: {}", held.len()));
    }
    let instances = nodes.iter().map(|node| node.instance.clone()).collect();
    Some(Serving { instances, runs: !held.is_empty(), base_url: first.address.clone() })
}

fn without_lease(node: &NodeStatus) -> String {
    let changes = if node.lag == 1 { "change" } else { "changes" };
    let seconds = node.renewed_ago.as_secs();
    format!("node {} has no lease (renewed {seconds} s ago, {} {changes} behind)", node.name, node.lag)
}

/// The server that holds the data.
pub(super) fn server(report: &mut Report, config: &Config, content: Option<&Content>) -> Option<Serving> {
    const WHAT: &str = "server";
    if config.database.path().is_none() {
        return nodes(report, content);
    }
    match config.database.server() {
        Ok(Some(server)) => {
            report.ok(WHAT, "runs on this data");
            Some(Serving { instances: vec![server.instance], runs: true, base_url: server.base_url })
        }
        Ok(None) => {
            report.fail(WHAT, "none runs on this data", "start `orest serve`; if it stops at once, its log says why");
            None
        }
        Err(error) => {
            report.fail(
                WHAT,
                format!("the claim of the database: {error}"),
                "run this as the user who runs the server",
            );
            None
        }
    }
}

/// What `/ready` has given for a reason, and what to do about that one.
fn not_ready(report: &mut Report, config: &Config, base: &str, why: &str) {
    const WHAT: &str = "base URL";
    let text = format!("{base}: the server is not ready: {}", printable(why));
    if why.starts_with(reason::LOADING) {
        return report.warn(WHAT, text, "wait; until it is done each check reads the database");
    }
    let advice = if why == reason::SEALING_KEY {
        "copy the file sealing-keys to it from another node or from your backup, with mode 600; it is taken up within two seconds"
    } else if why == reason::ENDS {
        "start it again; its log says what has happened"
    } else if config.database.is_for_one_node() {
        "look whether the disk is full or the file was moved; its log says more"
    } else {
        "look at PostgreSQL and at the network between the two, and at `orest nodes`; it recovers by itself"
    };
    report.fail(WHAT, text, advice);
}

pub(super) fn base_url(report: &mut Report, config: &Config, web: &Web, server: &Serving) {
    const WHAT: &str = "base URL";
    let base = &server.base_url;
    if let Some(set) = config.base_url.as_ref().filter(|set| *set != base) {
        report.warn(WHAT, format!("the server runs with {base}, the settings say {set}"), "restart the server");
    }
    let url = url::Url::parse(base).ok();
    let here = url.as_ref().is_some_and(is_loopback);
    match web.get(&format!("{base}/ready")) {
        Err(silence) => {
            let runs = if server.runs { "the server itself runs; " } else { "" };
            let advice = format!("{runs}{}", silence.advice);
            return report.fail(WHAT, format!("{base}: {}", silence.cause), advice);
        }
        Ok(answer) => {
            let text = |name: &str| answer.json.as_ref().and_then(|json| json[name].as_str()).unwrap_or_default();
            if text("service") != "orest" {
                let advice = "let the proxy in front pass requests on to the server, or correct --base-url";
                return report.fail(WHAT, format!("no orest answers at {base} ({})", answer.describe()), advice);
            }
            // A node that has just been started has not said yet which one it is.
            if !server.instances.iter().any(|instance| instance.is_empty() || *instance == text("instance")) {
                let advice = "look at where the proxy in front leads, and whether an old server still runs";
                return report.fail(WHAT, format!("another orest than that on this data answers at {base}"), advice);
            }
            if text("status") != "pass" {
                return not_ready(report, config, base, text("output"));
            }
        }
    }
    if url.as_ref().is_some_and(|url| url.scheme() == "http") && !here {
        let advice = "put a reverse proxy with TLS in front and set --base-url https://…";
        return report.warn(WHAT, format!("{base} is not https, so whoever listens can take tokens"), advice);
    }
    let reach = if here { "; only from this machine" } else { "" };
    report.ok(WHAT, format!("{base} leads to this server{reach}"));
}
