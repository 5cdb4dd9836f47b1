//! What pods use, as metrics-server reports it (<https://github.com/kubernetes-sigs/metrics-server>).

use std::collections::BTreeMap;

use kube::{Client, api::ListParams, core::Request};
use serde::Deserialize;

use crate::{
    decide::scaling::usage::{Used, quantity},
    translate::SERVICE,
};

/// The use of pods: by service, and by the name of the pod.
pub(super) type ByService = BTreeMap<String, BTreeMap<String, Used>>;

/// A list of what pods use. Only what is needed of it is kept: a namespace may have tens of thousands of pods. Any list
/// and map may be null.
#[derive(Deserialize)]
struct PodMetricsList {
    items: Option<Vec<PodMetrics>>,
}

#[derive(Deserialize)]
struct PodMetrics {
    #[serde(default)]
    metadata: PodMetadata,
    containers: Option<Vec<ContainerMetrics>>,
}

#[derive(Default, Deserialize)]
struct PodMetadata {
    #[serde(default)]
    name: String,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct ContainerMetrics {
    usage: Option<BTreeMap<String, String>>,
}

/// If there are more services in a namespace, all that it has are asked for.
const MOST_NAMED: usize = 50;

/// Returns what the pods of some services of a namespace use.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn pod_metrics(
    client: &Client,
    namespace: &str,
    services: &[String],
) -> kube::Result<ByService> {
    let labels = selector(services);
    let request = Request::new(format!(
        "/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
    ))
    .list(&ListParams::default().labels(&labels))
    .map_err(kube::Error::BuildRequest)?;
    let list: PodMetricsList = client.request(request).await?;
    let mut by_service = ByService::new();
    for pod in list.items.unwrap_or_default() {
        let used = used(&pod);
        let PodMetadata { name, labels } = pod.metadata;
        let service = labels.and_then(|mut labels| labels.remove(SERVICE));
        if let (Some(service), Some(used)) = (service, used) {
            by_service.entry(service).or_default().insert(name, used);
        }
    }
    Ok(by_service)
}

/// Returns the label selector of the pods of some services.
fn selector(services: &[String]) -> String {
    if services.len() > MOST_NAMED {
        return SERVICE.to_owned();
    }
    format!("{SERVICE} in ({})", services.join(","))
}

/// Returns what a pod uses; `None` if it does not report that of each container.
fn used(metrics: &PodMetrics) -> Option<Used> {
    let mut used = Used::default();
    let containers = metrics.containers.as_deref().unwrap_or_default();
    for container in containers {
        let usage = container.usage.as_ref()?;
        used.cores += quantity(usage.get("cpu")?)?;
        used.bytes += quantity(usage.get("memory")?)?;
    }
    (!containers.is_empty()).then_some(used)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_pods_of_services_with_policies_are_asked_for_where_these_are_few() {
        let services = |count: usize| vec!["web".to_owned(); count];
        assert_eq!(
            selector(&services(2)),
            "ecs-operator.dev/service in (web,web)"
        );
        assert_eq!(selector(&services(51)), "ecs-operator.dev/service");
    }

    #[test]
    fn a_pod_uses_what_its_containers_do() {
        let of = |containers: serde_json::Value| {
            let metrics = json!({"containers": containers, "window": "15s"});
            used(&serde_json::from_value(metrics).expect("they are metrics"))
        };
        let app = json!({"name": "app", "usage": {"cpu": "500m", "memory": "64Mi"}});
        let log = json!({"name": "log", "usage": {"cpu": "250000000n", "memory": "1024Ki"}});
        let both = of(json!([app, log])).expect("both report");
        assert!((both.cores - 0.75).abs() < 1e-9, "{both:?}");
        assert!(
            (both.bytes - 65.0 * 1024.0 * 1024.0).abs() < 1.0,
            "{both:?}"
        );
        let dumb = json!({"name": "log", "usage": {"memory": "1Mi"}});
        assert_eq!(of(json!([app, dumb])), None);
        assert_eq!(of(json!([app, {"name": "log", "usage": null}])), None);
        assert_eq!(of(json!([])), None);
        assert_eq!(of(json!(null)), None);
    }
}
