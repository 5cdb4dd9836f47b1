//! Finding and ending the pods of tasks.

use std::sync::Arc;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use crate::{
    controller::{
        context::Context,
        error::{Error, code},
        owned_fields::FIELD_MANAGER,
        owner::Owner,
    },
    crd::OneTaskStatus,
    decide::{
        pod_state::PodState,
        task_lifecycle::{PROVISIONING, STOPPED},
    },
};

/// The pods of tasks.
pub(super) struct Found {
    /// They themselves.
    pub(super) pods: Vec<Arc<PodState>>,
    /// Whether the cache lacks one of them, so that nobody tells what becomes of it.
    pub(super) unwatched: bool,
}

/// The pods that the cache has, and of tasks that should have one and have none there, those that the API server has:
/// a cache that lags, or a pod that lost its labels, must not end a task that runs.
pub(super) async fn find(
    cx: &Context,
    owner: &OwnerReference,
    namespace: &str,
    tasks: &[OneTaskStatus],
) -> Result<Found, Error> {
    let task = Owner::Task(namespace.to_owned(), owner.name.clone());
    let mut pods = cx.pods.of(&task);
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let is_ours = |pod: &Pod| {
        let mut owners = pod.owner_references().iter();
        owners.any(|other| other.uid == owner.uid)
    };
    let cached = pods.len();
    for task in tasks {
        let has_none = [PROVISIONING, STOPPED].contains(&task.last_status.as_str());
        if has_none || pods.iter().any(|pod| pod.name == task.name) {
            continue;
        }
        let live = api.get_opt(&task.name).await;
        let live = live.map_err(|source| Error::Api {
            verb: "get",
            kind: "Pod".to_owned(),
            name: task.name.clone(),
            source: Box::new(source),
        })?;
        let live = live.filter(is_ours);
        pods.extend(live.map(|pod| Arc::new(PodState::of(&pod))));
    }
    let unwatched = pods.len() > cached;
    Ok(Found { pods, unwatched })
}

/// Lets the kubelet stop a pod with its grace period and keep it.
pub(super) async fn stop(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let deadline = json!({"metadata": {"uid": pod.uid}, "spec": {"activeDeadlineSeconds": 1}});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    gone_is_fine(
        "stop",
        pod,
        api.patch(&pod.name, &params, &Patch::Merge(deadline)).await,
    )
}

/// Deletes a pod that no kubelet could stop.
pub(super) async fn delete(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    gone_is_fine("delete", pod, api.delete(&pod.name, &params).await)
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
