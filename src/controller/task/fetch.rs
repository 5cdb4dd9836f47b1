//! Finding the pods of tasks.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::pods::api;
use crate::{
    controller::{caches::owner::Owner, context::Context, error::Error},
    crd::OneTaskStatus,
    decide::{
        pod_state::PodState,
        task_lifecycle::{PROVISIONING, STOPPED},
    },
};

/// The pods of tasks.
pub(super) struct Found {
    /// The pods.
    pub(super) pods: Vec<Arc<PodState>>,
    /// The names of pods that belong to an earlier EcsTask of the same name, and are about to be deleted.
    pub(super) foreign: BTreeSet<String>,
    /// Whether the cache lacks one of them, so that no watch reports its changes.
    pub(super) unwatched: bool,
}

/// Whether a pod with the labels of an EcsTask belongs to it or has no owner, for example after
/// `kubectl delete --cascade=orphan`.
pub(super) fn is_ours(pod: &PodState, owner: &OwnerReference) -> bool {
    pod.owner.as_ref().is_none_or(|uid| *uid == owner.uid)
}

/// Returns the cached pods and, for tasks that should have a pod and have none in the cache, those of the API server: a
/// cache that lags, or a pod that lost its labels, must not end a running task.
pub(super) async fn find(
    cx: &Context,
    owner: &OwnerReference,
    namespace: &str,
    tasks: &[OneTaskStatus],
    begun: &BTreeSet<String>,
) -> Result<Found, Error> {
    let task = Owner::Task(namespace.to_owned(), owner.name.clone());
    let (mut pods, foreign): (Vec<_>, Vec<_>) = cx
        .pods
        .of(&task)
        .into_iter()
        .partition(|pod| is_ours(pod, owner));
    let cached = pods.len();
    for task in tasks {
        let should_have_one = match task.last_status.as_str() {
            STOPPED => false,
            PROVISIONING => begun.contains(&task.name),
            _ => true,
        };
        if !should_have_one || pods.iter().any(|pod| pod.name == task.name) {
            continue;
        }
        let live = api(cx, namespace).get_opt(&task.name).await;
        let live = live.map_err(|source| Error::Api {
            verb: "get",
            kind: "Pod".to_owned(),
            name: task.name.clone(),
            source: Box::new(source),
        })?;
        let live = live.map(|pod| Arc::new(PodState::of(&pod)));
        pods.extend(live.filter(|pod| pod.owner.as_ref() == Some(&owner.uid)));
    }
    let unwatched = pods.len() > cached;
    Ok(Found {
        foreign: foreign.into_iter().map(|pod| pod.name.clone()).collect(),
        pods,
        unwatched,
    })
}
