//! The reconcile of a cluster, which has defaults for the services and tasks of its namespace. They read the defaults
//! from the cache when they are planned; this reconcile only reports whether the cluster applies.

mod fetch;
mod status;

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::{
    Resource as _, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

use self::{fetch::of_namespace, status::status};
use super::{
    capacity_provider::is_provided,
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    refusal::Refusal,
};
use crate::{
    crd::{ClusterStatus, EcsCluster, WarningStatus},
    diagnostic::{Reason, StateReason},
};

pub(super) use fetch::{complete, defaults, read};

impl Reconciled for EcsCluster {
    type Status = ClusterStatus;
    const KIND: &'static str = "EcsCluster";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.clusters
    }

    fn api<T: kube::Resource<DynamicType = (), Scope = Self::Scope>>(
        client: kube::Client,
        namespace: &str,
    ) -> kube::Api<T> {
        kube::Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &ClusterStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(self, cx).await
    }

    fn changed(&self, cx: &Context) {
        ask_those_concerned(cx, &self.namespace().unwrap_or_default());
    }

    fn gone(&self, cx: &Context) {
        ask_those_concerned(cx, &self.namespace().unwrap_or_default());
    }
}

/// Reports whether the services and tasks of the namespace take their defaults from a cluster.
async fn reconcile(cluster: Arc<EcsCluster>, cx: Arc<Context>) -> Result<Action, Error> {
    if cluster.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let before = cx.clusters.latest(&cluster);
    let checked = check(&cluster, &cx);
    let status = status(&cluster, &before, &checked, Timestamp::now());
    if status != before
        && cx.report(&*cluster, &before, status).await?
        && let Err(refusal) = &checked
    {
        cx.events
            .warning(&*cluster, refusal.reason, refusal.message.clone());
    }
    Ok(Action::await_change())
}

/// Returns the differences from ECS if the cluster is the one of its namespace and ECS would create it.
fn check(cluster: &EcsCluster, cx: &Context) -> Result<Vec<WarningStatus>, Refusal> {
    let namespace = cluster.namespace().unwrap_or_default();
    let first = of_namespace(cx, &namespace);
    match first.filter(|first| first.uid() != cluster.uid()) {
        Some(first) => Err(another_counts(&first, &namespace)),
        None => read(cluster).map(|(request, mut warnings)| {
            let mut named = request.capacity_providers.iter();
            if named.all(|name| is_provided(cx, name)) {
                let unprovided = Reason::CapacityProvidersAreNodes.name();
                warnings.retain(|warning| warning.reason != unprovided);
            }
            warnings
        }),
    }
}

fn another_counts(first: &EcsCluster, namespace: &str) -> Refusal {
    let message = format!(
        "the namespace {namespace} already has the EcsCluster {}: delete one of the two",
        first.name_any()
    );
    Refusal::new(StateReason::AnotherClusterCounts, &message)
}

/// Triggers the reconcile of everything that takes defaults from the cluster of a namespace, because a cluster has
/// changed, and of the clusters themselves, because another one may apply now. Tasks that have begun keep their
/// defaults.
fn ask_those_concerned(cx: &Context, namespace: &str) {
    for cluster in cx.clusters.within(namespace) {
        cx.ask(ObjectRef::from_obj(&*cluster));
    }
    for service in cx.services.within(namespace) {
        cx.ask(ObjectRef::from_obj(&*service));
    }
    for task in cx.tasks.within(namespace) {
        if task.status.tasks.is_empty() {
            cx.ask(ObjectRef::from_obj(&*task));
        }
    }
}
