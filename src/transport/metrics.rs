//! `/metrics`, in Prometheus' text format, on an address of its own: it is nobody's business who reaches the doors.

use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::service::Service;
use crate::service::nodes::{LeaseState, list_nodes};

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The one page there is.
pub fn router(service: Service) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(service)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabel {
    node: String,
}

async fn metrics(State(service): State<Service>) -> Response {
    let registry = gather(&service).await;
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn gather(service: &Service) -> Registry {
    let mut registry = Registry::with_prefix("orest");
    let cluster = service.cluster();
    let count = |registry: &mut Registry, name: &str, help: &str, value: u64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    };
    let gauge = |registry: &mut Registry, name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    count(&mut registry, "acts", "Revocations and undos that were applied to memory here", service.acts_applied());
    gauge(
        &mut registry,
        "applied_sequence",
        "The last change that is applied to memory here",
        service.applied_sequence(),
    );
    let Some(status) = cluster.status() else { return registry };
    let left = Gauge::<f64, AtomicU64>::default();
    left.set(status.lease_left.as_secs_f64());
    registry.register(
        "lease_left_seconds",
        "How long this node may answer from memory if it can't renew its lease",
        left,
    );
    count(&mut registry, "confirms", "Checks that had to ask the database, because no lease was held", status.confirms);
    count(
        &mut registry,
        "unconfirmed",
        "Writes that returned before every node had confirmed them",
        status.unconfirmed,
    );
    count(
        &mut registry,
        "resets",
        "How often all was loaded anew, because the database's history was another one",
        status.resets,
    );
    registry.register("barrier_seconds", "How long writes waited for the other nodes", cluster.barrier_seconds());
    // What the database says is left out while it says nothing.
    if let Ok(nodes) = list_nodes(&service.store).await {
        let (held, lag) = (Family::<NodeLabel, Gauge>::default(), Family::<NodeLabel, Gauge>::default());
        for node in nodes {
            let label = NodeLabel { node: node.name };
            held.get_or_create(&label).set(i64::from(node.lease == LeaseState::Held));
            lag.get_or_create(&label).set(i64::try_from(node.lag).unwrap_or(i64::MAX));
        }
        registry.register("node_lease_held", "Whether a node renewed its lease in time, by the database's clock", held);
        registry.register("node_lag", "How many changes a node was behind when it renewed its lease", lag);
    }
    registry
}
