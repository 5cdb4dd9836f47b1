//! Ending the pods of tasks.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use crate::{
    controller::{
        context::Context,
        error::{Error, code},
        owned_fields::FIELD_MANAGER,
    },
    decide::pod_state::PodState,
};

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
