//! What fails for long is told, and tried ever more seldom.

use anyhow::Context as _;
use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::{
    admissionregistration::v1::ValidatingWebhookConfiguration,
    core::v1::{LimitRange, Pod, ResourceQuota, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use serde_json::json;

use crate::{
    bed,
    deployments::{HOLD, appear, told, write_status},
    shared,
    support::{Bed, LIMIT, Operator, apply, condition, install, task_definition, uid},
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

/// Leaves no room for another pod in a namespace.
async fn fill(bed: &Bed, pods: usize) {
    let quota = serde_json::from_value(json!({
        "metadata": {"name": "full"},
        "spec": {"hard": {"pods": pods.to_string()}},
    }));
    bed.api::<ResourceQuota>()
        .create(&PostParams::default(), &quota.unwrap())
        .await
        .unwrap();
    bed.eventually::<ResourceQuota>("full", "the quota to count", |quota| {
        quota.status.as_ref().is_some_and(|it| it.used.is_some())
    })
    .await;
}

/// Gives new pods of a namespace a readiness gate, as the controller of a load balancer does with those that it serves.
/// Returns whether the API server can.
async fn gate(bed: &Bed) -> bool {
    let group = "admissionregistration.k8s.io/v1";
    let known = bed.client.list_api_group_resources(group).await.unwrap();
    let mut kinds = known.resources.iter().map(|resource| &*resource.kind);
    if !kinds.any(|kind| kind == "MutatingAdmissionPolicy") {
        eprintln!("before Kubernetes 1.36 nobody can give pods a readiness gate here");
        return false;
    }
    let name = bed.namespace.name();
    let gates = "[JSONPatch{op: 'add', path: '/spec/readinessGates', value: []}, \
                 JSONPatch{op: 'add', path: '/spec/readinessGates/-', \
                 value: Object.spec.readinessGates{conditionType: 'target-health.elbv2.k8s.aws/web'}}]";
    let objects = [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                    "resourceRules": [{
                        "apiGroups": [""], "apiVersions": ["v1"],
                        "operations": ["CREATE"], "resources": ["pods"],
                    }],
                },
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": gates}}],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        }),
    ];
    let (_, plane) = shared().await;
    let texts = objects.map(|object| object.to_string());
    plane.apply(name, &texts.join("\n---\n")).await.unwrap();
    // It is in force some moments later.
    let probe = json!({
        "metadata": {"name": "probe"},
        "spec": {"containers": [{"name": "app", "image": HOLD}]},
    });
    let probe: Pod = serde_json::from_value(probe).unwrap();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    until("the gates", LIMIT, async || {
        let pod = bed.api::<Pod>().create(&params, &probe).await?;
        let gates = pod.spec.and_then(|spec| spec.readiness_gates);
        Ok(gates.map(drop))
    })
    .await
    .unwrap();
    true
}

#[tokio::test]
async fn tasks_whose_targets_never_get_healthy_are_rolled_back() {
    let bed = bed("target").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let service = json!({
        "taskDefinition": "web",
        "desiredCount": 4,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": true, "rollback": true},
        },
    });
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    if !gate(&bed).await {
        return;
    }
    bed.must_apply("EcsTaskDefinition", "web", task_definition(HOLD))
        .await;
    // Their containers are ready, and their targets fail the checks.
    let since = "2026-01-01T00:00:00Z";
    let condition_of = |type_: &str, status: &str| json!({"type": type_, "status": status, "lastTransitionTime": since});
    let status = json!({"status": {
        "phase": "Running",
        "conditions": [condition_of("ContainersReady", "True"), condition_of("Ready", "False"), {
            "type": "target-health.elbv2.k8s.aws/web", "status": "False",
            "reason": "Target.FailedHealthChecks", "lastTransitionTime": since,
        }],
        "containerStatuses": [{
            "name": "app", "image": HOLD, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": since}},
        }],
    }});
    for pod in appear(&bed, HOLD, 4).await {
        write_status(&bed, &pod, status.clone()).await;
    }
    // They have two minutes to get healthy, by the clock of the operator.
    let services = bed.resources("EcsService");
    let object = until("the rollback", LIMIT * 3, async || {
        let object = json!(services.get("web").await?);
        let rolled_back = ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"];
        Ok((told(&object) == rolled_back).then_some(object))
    })
    .await
    .unwrap();
    assert_eq!(
        object["status"]["deployments"][1]["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed health checks."
    );
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert!(before.iter().all(|uid| after.contains(uid)), "{before:?}");
}

#[tokio::test]
async fn tasks_that_nobody_lets_be_made_are_told_and_rolled_back() {
    let (bed, why) = (bed("full").await, "exceeded quota");
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let service = json!({
        "taskDefinition": "web",
        "desiredCount": 2,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": true, "rollback": true},
        },
    });
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    fill(&bed, before.len()).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:2"))
        .await;
    // Meanwhile it is told what keeps them.
    bed.until("EcsService", "web", "why there are none", |object| {
        let message = condition(object, "Ready")["message"].clone();
        message.as_str().is_some_and(|it| it.contains(why))
    })
    .await;
    let object = bed
        .until("EcsService", "web", "the rollback", |object| {
            told(object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"]
        })
        .await;
    let last = object["status"]["deployments"][1]["lastFailure"].clone();
    assert!(last.as_str().unwrap().contains(why), "{last}");
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert!(before.iter().all(|uid| after.contains(uid)), "{before:?}");
}

/// Only a Deployment tells that its pods cannot be made, and of its older ReplicaSet as long as the newer one can make its
/// own.
#[tokio::test]
async fn what_keeps_old_tasks_from_being_made_is_no_failure_of_those_that_replace_them() {
    let bed = bed("smaller").await;
    let of_size = |memory: i64| {
        let mut definition = task_definition("testbed/web");
        definition["containerDefinitions"][0]["memory"] = json!(memory);
        definition
    };
    bed.must_apply("EcsTaskDefinition", "web", of_size(128))
        .await;
    let service = json!({
        "taskDefinition": "web",
        "desiredCount": 4,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {
            "enable": true,
            "rollback": true,
            "thresholdConfiguration": {"type": "COUNT", "value": 1},
        }},
    });
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let limits = serde_json::from_value(json!({
        "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "100Mi"}}]},
    }));
    bed.api::<LimitRange>()
        .create(&PostParams::default(), &limits.unwrap())
        .await
        .unwrap();
    let first = bed.tasks("web").await[0].name_any();
    bed.api::<Pod>()
        .delete(&first, &DeleteParams::default())
        .await
        .unwrap();
    bed.until("EcsService", "web", "that one cannot be made", |object| {
        let message = condition(object, "Ready")["message"].clone();
        message.as_str().is_some_and(|it| it.contains("LimitRange"))
    })
    .await;
    bed.must_apply("EcsTaskDefinition", "web", of_size(64))
        .await;
    bed.until("EcsService", "web", "the smaller tasks", |object| {
        let told = told(object);
        assert!(!told.iter().any(|it| it.ends_with("FAILED")), "{told:?}");
        told == ["PRIMARY web:2 COMPLETED"]
    })
    .await;
}
