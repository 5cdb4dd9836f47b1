//! Services that scale by what their tasks use.

use std::time::Duration;

use ecs_operator_testbed::until;
use http::Request;
use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::Pod};
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

use crate::{bed, container::server, support::Bed};

/// The metrics of a pod are some ten seconds old, the autoscaler looks at them in its own time, and one that a policy makes
/// adds tasks only after three minutes above its target.
const PATIENCE: Duration = Duration::from_mins(7);

/// A policy of ECS. It scales in after a quarter of an hour without load, which is left to the next test.
#[tokio::test]
async fn a_service_scales_out_by_its_policy() {
    let bed = bed("policy").await;
    let policy = json!({
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 50,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            "ScaleOutCooldown": 0,
        },
    });
    let scaling = json!({
        "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 2},
        "scalingPolicies": [policy],
    });
    // The file leaves the count to the autoscaler.
    let service = json!({"taskDefinition": "web", "autoScaling": scaling});
    start(&bed, service.clone()).await;
    ask_all(&bed, "burn").await;
    desired(&bed, "the service to scale out", |count| count == 2).await;
    for _ in 0..20 {
        bed.must_apply("EcsService", "web", service.clone()).await;
        let applied = bed.resources("EcsService").get("web").await.unwrap();
        assert_eq!(applied.data["spec"]["desiredCount"], 2, "it is not reset");
    }
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// Steps, which the operator runs by what metrics-server reports: the example, from one task to all and back.
#[tokio::test]
async fn a_service_scales_in_steps() {
    let bed = bed("steps").await;
    let example = include_str!("../../examples/steps/service.yaml");
    let example: Value = serde_saphyr::from_str(example).unwrap();
    start(&bed, example["spec"].clone()).await;
    ask_all(&bed, "burn").await;
    // Its tasks use all that they may: more than 20 above the threshold.
    desired(&bed, "the service to scale out", |count| count == 3).await;
    let object = bed
        .until("EcsService", "web", "3 tasks", |object| {
            object["status"]["runningCount"] == 3
        })
        .await;
    let scaling = &object["status"]["autoScaling"];
    let activity = &scaling["activities"][0];
    assert_eq!(activity["policyName"], "out", "{scaling:#}");
    let autoscalers = bed.api::<HorizontalPodAutoscaler>();
    assert_eq!(autoscalers.get_opt("web").await.unwrap(), None);
    ask_all(&bed, "rest").await;
    desired(&bed, "the service to scale in", |count| count == 1).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    bed.condition("EcsService", "web", "ScalingActive", "True")
        .await;
}

/// An autoscaler of somebody else, which takes the service for what it scales.
#[tokio::test]
async fn a_service_scales_out_and_in_through_its_scale() {
    let bed = bed("scale").await;
    start(&bed, json!({"taskDefinition": "web", "desiredCount": 1})).await;
    let autoscaler = json!({
        "metadata": {"name": "by-hand"},
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 2,
            "scaleTargetRef": {
                "apiVersion": "ecs-operator.dev/v1alpha1",
                "kind": "EcsService",
                "name": "web",
            },
            "metrics": [{
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
            }],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    });
    let autoscaler: HorizontalPodAutoscaler = serde_json::from_value(autoscaler).unwrap();
    bed.api()
        .create(&PostParams::default(), &autoscaler)
        .await
        .unwrap();
    ask_all(&bed, "burn").await;
    desired(&bed, "the service to scale out", |count| count == 2).await;
    ask_all(&bed, "rest").await;
    desired(&bed, "the service to scale in", |count| count == 1).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// Starts the service, and waits until it is steady.
async fn start(bed: &Bed, service: Value) {
    let mut web = server("web", "0");
    web["cpu"] = json!(100);
    let definition = json!({"containerDefinitions": [web]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// Waits until an autoscaler has set such a desired count.
async fn desired(bed: &Bed, what: &str, fits: impl Fn(i64) -> bool) {
    let api = bed.resources("EcsService");
    let last = std::cell::RefCell::new(Value::Null);
    let result = until(what, PATIENCE, async || {
        let object = api.get("web").await?;
        let count = object.data["spec"]["desiredCount"].as_i64();
        *last.borrow_mut() = object.data["status"].clone();
        Ok(count.filter(|count| fits(*count)))
    })
    .await;
    result.unwrap_or_else(|error| panic!("{error}: {:#}", last.borrow()));
}

/// Asks every task for a path, by way of the API server.
async fn ask_all(bed: &Bed, path: &str) {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    for pod in pods {
        let name = pod.metadata.name.unwrap();
        let namespace = bed.namespace.name();
        let url = format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/{path}");
        let request = Request::get(url).body(Vec::new()).unwrap();
        // A pod that has just been made does not serve yet, and has no load to lose.
        let _ = bed.client.request_text(request).await;
    }
}
