//! What pods use, as metrics-server reports it (<https://github.com/kubernetes-sigs/metrics-server>).

use std::collections::BTreeMap;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::Deserialize;

use crate::{
    decide::scaling::usage::{Used, quantity},
    translate::SERVICE,
};

/// The use of pods: by service, and by the name of the pod.
pub(super) type ByService = BTreeMap<String, BTreeMap<String, Used>>;

#[derive(Deserialize)]
struct PodMetrics {
    #[serde(default)]
    containers: Vec<ContainerMetrics>,
}

#[derive(Deserialize)]
struct ContainerMetrics {
    usage: BTreeMap<String, String>,
}

/// Returns what the pods of the services of a namespace use.
///
/// # Errors
///
/// When the request fails.
pub(super) async fn pod_metrics(client: &Client, namespace: &str) -> kube::Result<ByService> {
    let resource = ApiResource {
        group: "metrics.k8s.io".to_owned(),
        version: "v1beta1".to_owned(),
        api_version: "metrics.k8s.io/v1beta1".to_owned(),
        kind: "PodMetrics".to_owned(),
        plural: "pods".to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let list = api.list(&ListParams::default().labels(SERVICE)).await?;
    let mut by_service = ByService::new();
    for pod in list.items {
        let labels = pod.metadata.labels.as_ref();
        let service = labels.and_then(|labels| labels.get(SERVICE));
        let metrics = serde_json::from_value::<PodMetrics>(pod.data);
        if let (Some(service), Some(name), Ok(metrics)) = (service, &pod.metadata.name, metrics)
            && let Some(used) = used(&metrics)
        {
            let of_service = by_service.entry(service.clone()).or_default();
            of_service.insert(name.clone(), used);
        }
    }
    Ok(by_service)
}

/// Returns what a pod uses; `None` if it does not report that of each container.
fn used(metrics: &PodMetrics) -> Option<Used> {
    let mut used = Used::default();
    for container in &metrics.containers {
        used.cores += quantity(container.usage.get("cpu")?)?;
        used.bytes += quantity(container.usage.get("memory")?)?;
    }
    (!metrics.containers.is_empty()).then_some(used)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        assert_eq!(of(json!([])), None);
    }
}
