//! Services that scale by what their tasks use.

use std::time::Duration;

use ecs_operator_testbed::until;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;

use crate::{bed, container::server, support::Bed};

/// The metrics of a pod are some ten seconds old, and the autoscaler looks at them in its own time.
const PATIENCE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_service_scales_out_when_its_tasks_are_busy_and_in_when_they_are_not() {
    let bed = bed("scaling").await;
    let mut web = server("web", "0");
    web["cpu"] = json!(100);
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        json!({"containerDefinitions": [web]}),
    )
    .await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({
            "taskDefinition": "web",
            "desiredCount": 1,
            "autoScaling": {
                "scalableTarget": {"MinCapacity": 1, "MaxCapacity": 3},
                "scalingPolicies": [{
                    "PolicyName": "cpu",
                    "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": {
                        "TargetValue": 50,
                        "PredefinedMetricSpecification": {
                            "PredefinedMetricType": "ECSServiceAverageCPUUtilization",
                        },
                        "ScaleInCooldown": 0,
                        "ScaleOutCooldown": 0,
                    },
                }],
            },
        }),
    )
    .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    ask_all(&bed, "burn").await;
    desired(&bed, "the service to scale out", |count| count > 1).await;
    until("all tasks to rest", PATIENCE, async || {
        ask_all(&bed, "rest").await;
        let object = bed.resources("EcsService").get("web").await?;
        Ok((object.data["spec"]["desiredCount"] == 1).then_some(()))
    })
    .await
    .unwrap();
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// Waits until the autoscaler has set such a desired count.
async fn desired(bed: &Bed, what: &str, fits: impl Fn(i64) -> bool) {
    let api = bed.resources("EcsService");
    until(what, PATIENCE, async || {
        let object = api.get("web").await?;
        let count = object.data["spec"]["desiredCount"].as_i64();
        Ok(count.filter(|count| fits(*count)))
    })
    .await
    .unwrap();
}

/// Asks every running pod for a path, by way of the API server.
async fn ask_all(bed: &Bed, path: &str) {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    for pod in pods {
        let name = pod.metadata.name.unwrap();
        let namespace = bed.namespace.name();
        let url = format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/{path}");
        // A pod may not serve yet, or not any more.
        let _ = bed
            .client
            .request_text(Request::get(url).body(Vec::new()).unwrap())
            .await;
    }
}
