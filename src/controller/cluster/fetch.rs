//! The cluster of a namespace, and the defaults that services and tasks take from it.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::{
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{EcsCluster, Spec, WarningStatus},
    diagnostic::StateReason,
    ecs,
    source::read_cluster,
    validate::{TakesDefaults, check_cluster},
};

/// Returns the request and its differences from ECS, or everything that is wrong with it.
pub(crate) fn read(cluster: &EcsCluster) -> Result<(ecs::Cluster, Vec<WarningStatus>), Refusal> {
    let (request, mut findings) = read_cluster(cluster.spec.text());
    if !findings.has_errors() {
        findings.append(check_cluster(&request));
    }
    if findings.has_errors() {
        return Err(refused(findings));
    }
    Ok((request, Refusal::warnings(findings)))
}

/// Returns the one cluster that applies in a namespace.
pub(super) fn of_namespace(cx: &Context, namespace: &str) -> Option<Arc<EcsCluster>> {
    oldest(cx.clusters.within(namespace))
}

/// Returns the oldest cluster; if several were created in the same second, the first one by name.
fn oldest(clusters: impl Iterator<Item = Arc<EcsCluster>>) -> Option<Arc<EcsCluster>> {
    clusters.min_by_key(|cluster| {
        let made = cluster.creation_timestamp().map(|time| time.0);
        (made, cluster.name_any())
    })
}

/// Returns the spec of the namespace's cluster if it has defaults for the request of a service or task. A cluster that
/// is not accepted provides no defaults, and running tasks keep running.
pub(crate) fn defaults(
    cx: &Context,
    namespace: &str,
    request: &impl TakesDefaults,
) -> Result<Option<Spec>, Refusal> {
    if request.is_complete() {
        return Ok(None);
    }
    let Some(cluster) = of_namespace(cx, namespace) else {
        return Ok(None);
    };
    read(&cluster).map_err(|refusal| {
        let message = format!(
            "EcsCluster {}, which provides defaults for this object, is rejected: {}",
            cluster.name_any(),
            refusal.message
        );
        Refusal::new(StateReason::ClusterNotAccepted, &message)
    })?;
    Ok(Some(cluster.spec.clone()))
}

/// Adds the defaults of a cluster to the request of a task.
pub(crate) fn complete(request: &mut impl TakesDefaults, cluster: Option<&Spec>) {
    if let Some(spec) = cluster {
        let (defaults, _) = read_cluster(spec.text());
        request.complete(&defaults);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(name: &str, made: &str) -> Arc<EcsCluster> {
        let cluster = json!({"metadata": {"name": name, "creationTimestamp": made}});
        Arc::new(serde_json::from_value(cluster).expect("it is a cluster"))
    }

    #[test]
    fn the_oldest_counts() {
        let name = |clusters: &[Arc<EcsCluster>]| {
            oldest(clusters.iter().cloned()).map(|cluster| cluster.name_any())
        };
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        assert_eq!(
            name(&[cluster("a", late), cluster("b", early)]).as_deref(),
            Some("b")
        );
        assert_eq!(
            name(&[cluster("b", early), cluster("a", early)]).as_deref(),
            Some("a")
        );
        assert_eq!(name(&[]), None);
    }

    #[test]
    fn a_spec_that_ecs_would_refuse_gives_no_defaults() {
        let wrong = json!({"spec": {"defaultCapacityProviderStrategy": [
            {"capacityProvider": "a"}, {"capacityProvider": "b"},
        ]}, "metadata": {"name": "shop"}});
        let wrong: EcsCluster = serde_json::from_value(wrong).expect("it is a cluster");
        let refusal = read(&wrong).expect_err("it is refused");
        assert_eq!(refusal.reason.name(), "AllWeightsZero");
    }
}
