//! What fails for long is told, and tried ever more seldom.

use anyhow::Context as _;
use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Service,
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

use crate::{
    bed,
    support::{LIMIT, Operator, apply, condition, install, task_definition},
};

#[tokio::test]
async fn what_cannot_succeed_is_tried_ever_more_seldom() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let client = plane.client().await.unwrap();
    let namespace = plane.namespace("stranger").await.unwrap();
    let theirs: Service = serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 1234}], "selector": {"their": "pods"}},
    }))
    .unwrap();
    Api::namespaced(client.clone(), namespace.name())
        .create(&PostParams::default(), &theirs)
        .await
        .unwrap();
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    for (kind, spec) in [
        ("EcsTaskDefinition", task_definition("testbed/web")),
        (
            "EcsService",
            json!({"taskDefinition": "web", "desiredCount": 0}),
        ),
    ] {
        apply(&client, namespace.name(), kind, "web", spec)
            .await
            .unwrap();
    }
    // A first wait is less than a second.
    let in_seconds = |line: &str| {
        let wait = line.split_once(" wait=").map(|(_, wait)| wait);
        line.contains("Service web exists") && wait.is_some_and(|wait| !wait.contains("ms"))
    };
    until("a wait of seconds", LIMIT, async || {
        let said = operator.last_words();
        Ok(said.lines().any(in_seconds).then_some(()))
    })
    .await
    .with_context(|| operator.last_words())
    .unwrap();
}

#[tokio::test]
async fn trouble_that_does_not_pass_is_told() {
    let bed = bed("webhook").await;
    let hooks: Api<ValidatingWebhookConfiguration> = Api::all(bed.client.clone());
    let name = bed.namespace.name();
    let hook = serde_json::from_value(json!({
        "metadata": {"name": name},
        "webhooks": [{
            "name": "nobody.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"service": {"namespace": name, "name": "nobody"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "rules": [{
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["deployments"],
            }],
        }],
    }))
    .unwrap();
    hooks.create(&PostParams::default(), &hook).await.unwrap();
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", service).await;
    let object = bed
        .until("EcsService", "web", "what keeps it", |object| {
            condition(object, "Ready")["reason"] == "ServerError"
        })
        .await;
    let message = condition(&object, "Ready")["message"].to_string();
    assert!(message.contains("nobody.example.com"), "{message}");
    hooks.delete(name, &DeleteParams::default()).await.unwrap();
    bed.condition("EcsService", "web", "Ready", "True").await;
}
