//! Metrics in the Prometheus format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::{fmt, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The labels of a metric by kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// The labels of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    kind: &'static str,
    reason: String,
}

/// The labels of a request to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    code: u16,
}

/// The labels of the number of custom resources.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    kind: &'static str,
    state: &'static str,
}

/// The labels of the changes of counts by policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

/// The labels of the measurements of what tasks use.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// The labels of the queries for metrics of scaling policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: &'static str,
    result: &'static str,
}

/// All metrics. Clones share their values.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<KindLabels, Counter>,
    durations: Family<KindLabels, Histogram, fn() -> Histogram>,
    errors: Family<ErrorLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    resources: Family<StateLabels, Gauge>,
    queue: Gauge,
    leader: Gauge,
    children: Gauge,
    scalings: Family<DirectionLabels, Counter>,
    measurements: Family<ResultLabels, Counter>,
    queries: Family<SourceLabels, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("ecs_operator");
        // From a millisecond to half a minute.
        let durations: Family<_, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16)));
        let (reconciles, errors, requests) =
            (Family::default(), Family::default(), Family::default());
        let (resources, queue) = (Family::default(), Gauge::default());
        let (leader, children) = (Gauge::default(), Gauge::default());
        registry.register("reconciles", "Reconciles that ended", reconciles.clone());
        registry.register(
            "reconcile_duration_seconds",
            "Duration of reconciles",
            durations.clone(),
        );
        registry.register("reconcile_errors", "Reconciles that failed", errors.clone());
        registry.register(
            "api_requests",
            "Requests to the API server",
            requests.clone(),
        );
        registry.register("resources", "Custom resources by state", resources.clone());
        registry.register(
            "queue_depth",
            "Objects that wait to be reconciled",
            queue.clone(),
        );
        registry.register("leader", "Whether this replica leads", leader.clone());
        registry.register(
            "children",
            "Objects created for custom resources",
            children.clone(),
        );
        let (scalings, measurements, queries) = scaling(&mut registry);
        Self {
            registry: Arc::new(registry),
            reconciles,
            durations,
            errors,
            requests,
            resources,
            queue,
            leader,
            children,
            scalings,
            measurements,
            queries,
        }
    }
}

/// Registers the metrics of scaling: changes of counts, measurements and queries.
fn scaling(
    registry: &mut Registry,
) -> (
    Family<DirectionLabels, Counter>,
    Family<ResultLabels, Counter>,
    Family<SourceLabels, Counter>,
) {
    let (scalings, measurements, queries) =
        (Family::default(), Family::default(), Family::default());
    registry.register(
        "scaling_activities",
        "Changes of desired counts by scaling policies that the operator runs",
        scalings.clone(),
    );
    registry.register(
        "usage_requests",
        "Requests for what the tasks of a namespace use",
        measurements.clone(),
    );
    registry.register(
        "metric_queries",
        "Queries to Prometheus, external.metrics.k8s.io and CloudWatch for metrics of scaling policies",
        queries.clone(),
    );
    (scalings, measurements, queries)
}

impl Metrics {
    /// Counts a change of a desired count by a policy.
    pub fn scaled(&self, is_out: bool) {
        let direction = if is_out { "out" } else { "in" };
        self.scalings
            .get_or_create(&DirectionLabels { direction })
            .inc();
    }

    /// Counts a request for what the tasks of a namespace use.
    pub fn measured(&self, succeeded: bool) {
        let result = if succeeded { "success" } else { "failure" };
        self.measurements
            .get_or_create(&ResultLabels { result })
            .inc();
    }

    /// Counts a query for a metric of a scaling policy.
    pub fn queried(&self, source: &'static str, result: &'static str) {
        let labels = SourceLabels { source, result };
        self.queries.get_or_create(&labels).inc();
    }

    /// Counts a reconcile that ended, successfully or not.
    pub fn reconciled(&self, kind: &'static str, duration: Duration) {
        let labels = KindLabels { kind };
        self.reconciles.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&labels)
            .observe(duration.as_secs_f64());
    }

    /// Counts a reconcile that failed.
    pub fn failed(&self, kind: &'static str, reason: &str) {
        let reason = reason.to_owned();
        self.errors
            .get_or_create(&ErrorLabels { kind, reason })
            .inc();
    }

    /// Counts a request to the API server; the code is 0 if no response came.
    pub fn requested(&self, method: &http::Method, code: u16) {
        let method = method.to_string();
        self.requests
            .get_or_create(&RequestLabels { method, code })
            .inc();
    }

    /// Sets whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Sets how many custom resources of a kind are in a state.
    pub fn in_state(&self, kind: &'static str, state: &'static str, count: usize) {
        let labels = StateLabels { kind, state };
        self.resources.get_or_create(&labels).set(saturating(count));
    }

    /// Sets how many objects wait, and how many children there are.
    pub fn sizes(&self, queue: usize, children: usize) {
        self.queue.set(saturating(queue));
        self.children.set(saturating(children));
    }

    /// Returns all metrics as text.
    ///
    /// # Errors
    ///
    /// When a number cannot be written, which is a bug.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn saturating(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::default();
        metrics.reconciled("EcsService", Duration::from_millis(3));
        metrics.failed("EcsService", "Conflict");
        metrics.requested(&http::Method::PATCH, 409);
        metrics.leads(true);
        metrics.in_state("EcsService", "Ready", 3);
        metrics.sizes(5, 40);
        let text = metrics.text().expect("it can be written");
        for line in [
            "ecs_operator_reconciles_total{kind=\"EcsService\"} 1",
            "ecs_operator_reconcile_errors_total{kind=\"EcsService\",reason=\"Conflict\"} 1",
            "ecs_operator_api_requests_total{method=\"PATCH\",code=\"409\"} 1",
            "ecs_operator_leader 1",
            "ecs_operator_resources{kind=\"EcsService\",state=\"Ready\"} 3",
            "ecs_operator_queue_depth 5",
            "ecs_operator_children 40",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn the_dashboard_shows_all_metrics_and_no_others() {
        let dashboard = include_str!("../../charts/ecs-operator/dashboards/ecs-operator.json");
        let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("it is JSON");
        let panels = dashboard["panels"].as_array().expect("there are panels");
        let targets = panels
            .iter()
            .filter_map(|panel| panel["targets"].as_array())
            .flatten();
        let queries: Vec<&str> = targets.filter_map(|it| it["expr"].as_str()).collect();
        let metrics = Metrics::default();
        metrics.reconciled("EcsService", Duration::from_millis(3));
        metrics.failed("EcsService", "Conflict");
        metrics.requested(&http::Method::GET, 200);
        metrics.in_state("EcsService", "Ready", 3);
        metrics.scaled(true);
        metrics.measured(true);
        let text = metrics.text().expect("it can be written");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let names: BTreeSet<&str> = samples
            .filter_map(|line| line.split(['{', ' ']).next())
            .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count"))
            .collect();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let shown: BTreeSet<&str> = queries
            .iter()
            .flat_map(|query| query.split(|c| !is_name(c)))
            .filter(|word| word.starts_with("ecs_operator_"))
            .collect();
        assert_eq!(shown, names);
    }
}
