//! Asking the API server whether it would accept a pod, with a dry run that creates nothing.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::PostParams,
    core::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};

use super::{
    context::Context,
    error::{brief, code},
};

/// Returns a pod as a workload of this name would create it; `None` if the template is none of a pod.
pub(super) fn pod_of(template: &Value, name: &str) -> Option<DynamicObject> {
    let member = |path: &str| template.pointer(path).cloned().unwrap_or_default();
    let pod = json!({
        "metadata": {
            // With a generated name, each answer would differ.
            "name": format!("{name}-trial"),
            "labels": member("/metadata/labels"),
            "annotations": member("/metadata/annotations"),
        },
        "spec": member("/spec"),
    });
    serde_json::from_value(pod).ok()
}

/// Returns why the API server would reject a pod; `None` if it would accept it, or does not say.
pub(super) async fn refusal(cx: &Context, namespace: &str, pod: &DynamicObject) -> Option<String> {
    let kind = ApiResource::erase::<Pod>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(cx.client.clone(), namespace, &kind);
    let trial = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let error = api.create(&trial, pod).await.err()?;
    // A webhook that does not support dry runs causes a bad request.
    matches!(code(&error), Some(403 | 422)).then(|| brief(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trial_has_the_same_name_so_that_each_answer_is_the_same() {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}});
        let pod = pod_of(&template, "web").expect("it is one");
        assert_eq!(pod.metadata.name.as_deref(), Some("web-trial"));
        assert_eq!(pod.metadata.generate_name, None);
    }
}
