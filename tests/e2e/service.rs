//! Services whose pods run.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;

use crate::{bed, container, support::LIMIT};

#[tokio::test]
async fn a_service_becomes_steady_and_is_rolled_out() {
    let bed = bed("service").await;
    let mut web = container("web", &["serve"]);
    web["portMappings"] = json!([{"containerPort": 8080}]);
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        json!({"containerDefinitions": [web]}),
    )
    .await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web", "desiredCount": 2}),
    )
    .await;
    bed.condition("EcsService", "web", "Ready", "True").await;

    web["environment"] = json!([{"name": "COLOUR", "value": "green"}]);
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        json!({"containerDefinitions": [web]}),
    )
    .await;
    bed.until("EcsService", "web", "the new revision", |object| {
        let status = &object["status"];
        status["taskDefinition"] == "web:2"
            && status["deployments"][0]["rolloutState"] == "COMPLETED"
            && status["runningCount"] == 2
    })
    .await;
    let revisions: Vec<String> = bed
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .map(|pod| pod.metadata.labels.unwrap()["ecs-operator.dev/revision"].clone())
        .collect();
    assert_eq!(revisions, ["2", "2"]);
}

#[tokio::test]
async fn a_task_whose_essential_container_ended_is_replaced() {
    let bed = bed("essential").await;
    let containers = json!([
        container("app", &["exit", "1", "5"]),
        container("log", &["wait"])
    ]);
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        json!({"containerDefinitions": containers}),
    )
    .await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web", "desiredCount": 1}),
    )
    .await;
    let pods = bed.api::<Pod>();
    let names = async || {
        let pods = pods.list(&ListParams::default()).await.unwrap();
        pods.into_iter()
            .filter_map(|pod| pod.metadata.name)
            .collect::<Vec<_>>()
    };
    let first = ecs_operator_testbed::until("a pod", LIMIT, async || Ok(names().await.pop()))
        .await
        .unwrap();
    ecs_operator_testbed::until("another pod", LIMIT, async || {
        Ok(names().await.into_iter().find(|name| *name != first))
    })
    .await
    .unwrap();
    let note = bed.event("web", "TasksStopped").await;
    assert!(
        note.contains("Essential container in task exited"),
        "{note}"
    );
}
