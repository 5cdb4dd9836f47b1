//! Releasing and ending the pods of tasks.

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use crate::{
    controller::{
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
    },
    decide::pod_state::{PodState, RECORDED},
};

pub(super) fn api(cx: &Context, namespace: &str) -> Api<Pod> {
    Api::namespaced(cx.client.clone(), namespace)
}

/// Changes a pod. The UID in the patch makes it fail if the pod has been replaced.
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

/// Releases a pod to the scheduler. Other gates stay.
pub(super) async fn release(cx: &Context, namespace: &str, pod: &PodState) -> Result<(), Error> {
    let gate = json!({"name": RECORDED, "$patch": "delete"});
    let spec = json!({"schedulingGates": [gate]});
    let released = json!({"metadata": {"uid": pod.uid}, "spec": spec});
    change(cx, namespace, "release", pod, released).await
}

/// Makes this EcsTask the owner of a pod without an owner, so that the pod is deleted with it.
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

/// Makes the kubelet stop a pod with its grace period and keep it.
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
