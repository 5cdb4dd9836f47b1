//! Finding, letting go and ending the pods of tasks.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{
    controller::{
        caches::{owned_fields::FIELD_MANAGER, owner::Owner},
        context::Context,
        error::{Error, code},
    },
    crd::OneTaskStatus,
    decide::{
        pod_state::{PodState, RECORDED},
        task_lifecycle::{PROVISIONING, STOPPED},
    },
};

/// The pods of tasks.
pub(super) struct Found {
    /// They themselves.
    pub(super) pods: Vec<Arc<PodState>>,
    /// The names of pods that belong to an earlier EcsTask of the same name, and are about to go.
    pub(super) foreign: BTreeSet<String>,
    /// Whether the cache lacks one of them, so that nobody tells what becomes of it.
    pub(super) unwatched: bool,
}

/// Whether a pod with the labels of an EcsTask belongs to it, or to nobody, as after `kubectl delete
/// --cascade=orphan`.
pub(super) fn is_ours(pod: &PodState, owner: &OwnerReference) -> bool {
    pod.owner.as_ref().is_none_or(|uid| *uid == owner.uid)
}

/// The pods that the cache has, and of tasks that should have one and have none there, those that the API server has:
/// a cache that lags, or a pod that lost its labels, must not end a task that runs.
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

fn api(cx: &Context, namespace: &str) -> Api<Pod> {
    Api::namespaced(cx.client.clone(), namespace)
}

/// Changes a pod. The uid in the change has it refused if the pod is another one by now.
async fn change(
    cx: &Context,
    namespace: &str,
    verb: &'static str,
    pod: &PodState,
    change: Value,
) -> Result<(), Error> {
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let changed = api(cx, namespace)
        .patch(&pod.name, &params, &Patch::Strategic(change))
        .await;
    gone_is_fine(verb, pod, changed)
}

/// Lets the scheduler have a pod. Gates of others stay.
pub(super) async fn release(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let gate = json!({"name": RECORDED, "$patch": "delete"});
    let spec = json!({"schedulingGates": [gate]});
    let released = json!({"metadata": {"uid": pod.uid}, "spec": spec});
    change(cx, namespace, "release", pod, released).await
}

/// Makes a pod that belongs to nobody a pod of this EcsTask, so that it goes with it.
pub(super) async fn adopt(
    cx: &Context,
    namespace: &str,
    pod: &PodState,
    owner: &OwnerReference,
) -> Result<(), Error> {
    let owner = OwnerReference {
        controller: Some(true),
        ..owner.clone()
    };
    let adopted = json!({"metadata": {"uid": pod.uid, "ownerReferences": [owner]}});
    change(cx, namespace, "adopt", pod, adopted).await
}

/// Lets the kubelet stop a pod with its grace period and keep it.
pub(super) async fn stop(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let spec = json!({"activeDeadlineSeconds": 1});
    let deadline = json!({"metadata": {"uid": pod.uid}, "spec": spec});
    change(cx, namespace, "stop", pod, deadline).await
}

/// Deletes a pod that no kubelet could stop.
pub(super) async fn delete(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let deleted = api(cx, namespace).delete(&pod.name, &params).await;
    gone_is_fine("delete", pod, deleted)
}

fn gone_is_fine<T>(
    verb: &'static str,
    pod: &PodState,
    result: kube::Result<T>,
) -> Result<(), Error> {
    match result {
        Err(error) if code(&error) != Some(404) => Err(Error::Api {
            verb,
            kind: "Pod".to_owned(),
            name: pod.name.clone(),
            source: Box::new(error),
        }),
        _ => Ok(()),
    }
}
