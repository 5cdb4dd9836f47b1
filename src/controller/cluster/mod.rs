//! The reconcile of a cluster: defaults for the services and tasks of its namespace. They take them out of the cache when
//! they are planned; here it is told whether there is something to take.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Resource, ResourceExt as _,
    runtime::{
        controller::Action,
        reflector::{ObjectRef, Store},
    },
};

use crate::{
    controller::{
        context::Context,
        error::Error,
        refusal::{Refusal, refused},
        status::{Aspect, conditions, report},
    },
    crd::{ACCEPTED, ClusterStatus, EcsCluster, Spec},
    ecs,
    source::read_cluster,
    validate::{TakesDefaults, check_cluster},
};

/// The kind in metrics.
pub(crate) const KIND: &str = "EcsCluster";

/// Reports whether the services and tasks of the namespace take their defaults from a cluster.
///
/// # Errors
///
/// When a request fails.
pub(crate) async fn reconcile(cluster: Arc<EcsCluster>, cx: Arc<Context>) -> Result<Action, Error> {
    cx.queue.begin_cluster(&cluster);
    if cluster.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let before = cx.cluster_statuses.latest(&*cluster, &cluster.status);
    let refusal = check(&cluster, &cx).err();
    let status = status(&cluster, &before, refusal.as_ref(), Timestamp::now());
    if status != before {
        if let Some(refusal) = &refusal {
            cx.events
                .warning(&*cluster, &refusal.reason, refusal.message.clone());
        }
        let version = cx.cluster_statuses.version(&*cluster);
        if let Some(written) = report(&cx.client, &*cluster, version, &before, &status).await? {
            cx.cluster_statuses.record(&written, status);
        }
    }
    cx.backoff.succeeded(&cluster.uid().unwrap_or_default());
    Ok(Action::await_change())
}

/// Whether the cluster is the one of its namespace, and ECS would make it.
fn check(cluster: &EcsCluster, cx: &Context) -> Result<(), Refusal> {
    let namespace = cluster.namespace().unwrap_or_default();
    let first = of_namespace(cx, &namespace);
    match first.filter(|first| first.uid() != cluster.uid()) {
        Some(first) => Err(another_counts(&first, &namespace)),
        None => read(cluster).map(drop),
    }
}

fn another_counts(first: &EcsCluster, namespace: &str) -> Refusal {
    let message = format!(
        "EcsCluster {} is the cluster of the namespace {namespace}: delete one of the two",
        first.name_any()
    );
    Refusal::new("AnotherClusterCounts", &message)
}

/// The request, or everything that is wrong with it.
fn read(cluster: &EcsCluster) -> Result<ecs::Cluster, Refusal> {
    let (request, mut findings) = read_cluster(cluster.spec.text());
    if !findings.has_errors() {
        findings.append(check_cluster(&request));
    }
    if findings.has_errors() {
        return Err(refused(findings));
    }
    Ok(request)
}

/// The one cluster of a namespace that counts.
fn of_namespace(cx: &Context, namespace: &str) -> Option<Arc<EcsCluster>> {
    oldest(within(&cx.resources.clusters, namespace))
}

/// The oldest, and of several made in one second the first by name.
fn oldest(clusters: impl Iterator<Item = Arc<EcsCluster>>) -> Option<Arc<EcsCluster>> {
    clusters.min_by_key(|cluster| {
        let made = cluster.creation_timestamp().map(|time| time.0);
        (made, cluster.name_any())
    })
}

/// Has those reconciled that take defaults from the cluster of a namespace, because one has changed, and the clusters
/// themselves, because another one may count now. Tasks that have begun keep what they began with.
pub(crate) fn changed(cx: &Context, namespace: &str) {
    for cluster in within(&cx.resources.clusters, namespace) {
        cx.queue.cluster(ObjectRef::from_obj(&*cluster));
    }
    for service in within(&cx.resources.services, namespace) {
        cx.queue.service(ObjectRef::from_obj(&*service));
    }
    for task in within(&cx.resources.tasks, namespace) {
        if task.status.tasks.is_empty() {
            cx.queue.task(ObjectRef::from_obj(&*task));
        }
    }
}

/// The objects of a namespace.
fn within<K>(store: &Store<K>, namespace: &str) -> impl Iterator<Item = Arc<K>>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let objects = store.state().into_iter();
    objects.filter(move |object| object.meta().namespace.as_deref() == Some(namespace))
}

/// The spec of the cluster of the namespace, if it has something for the request of a service or task. From a cluster
/// that is not accepted nothing is taken, and what ran goes on running.
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
            "EcsCluster {}, which has defaults for this, is rejected: {}",
            cluster.name_any(),
            refusal.message
        );
        Refusal::new("ClusterNotAccepted", &message)
    })?;
    Ok(Some(cluster.spec.clone()))
}

/// Gives the request of a task what the cluster of its namespace has for it.
pub(crate) fn complete(
    cx: &Context,
    namespace: &str,
    request: &mut impl TakesDefaults,
) -> Result<(), Refusal> {
    if let Some(spec) = defaults(cx, namespace, request)? {
        let (defaults, _) = read_cluster(spec.text());
        request.complete(&defaults);
    }
    Ok(())
}

fn status(
    cluster: &EcsCluster,
    before: &ClusterStatus,
    refusal: Option<&Refusal>,
    now: Timestamp,
) -> ClusterStatus {
    let generation = cluster.meta().generation;
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(refusal.is_none()),
        reason: refusal
            .map_or("Counts", |refusal| &refusal.reason)
            .to_owned(),
        message: refusal
            .map_or(
                "Services and tasks of the namespace take their defaults from it.",
                |refusal| &refusal.message,
            )
            .to_owned(),
    };
    ClusterStatus {
        conditions: conditions(vec![aspect], &before.conditions, generation, now),
        observed_generation: generation,
    }
}

/// What an error means for the next try.
#[must_use]
pub(crate) fn on_error(cluster: Arc<EcsCluster>, error: &Error, cx: Arc<Context>) -> Action {
    cx.metrics.failed(KIND, error.reason());
    let wait = cx.backoff.failed(&cluster.uid().unwrap_or_default());
    tracing::warn!(%error, ?wait, "a cluster could not be reconciled");
    Action::requeue(wait.max(Duration::from_millis(100)))
}

/// Forgets a cluster that is gone.
pub(crate) fn forget(cx: &Context, cluster: &EcsCluster) {
    cx.cluster_statuses.forget(cluster);
    cx.backoff.succeeded(&cluster.uid().unwrap_or_default());
    changed(cx, &cluster.namespace().unwrap_or_default());
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
        assert_eq!(refusal.reason, "AllWeightsZero");
    }
}
