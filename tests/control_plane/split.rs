//! Services on several capacity providers.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};

use crate::{bed, support::Bed};

/// A service of which each provider has this weight. None of its tasks may be missing.
fn web(count: u32, on_demand: u32, spot: u32) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": count,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "capacityProviderStrategy": [
            {"capacityProvider": "FARGATE", "weight": on_demand},
            {"capacityProvider": "FARGATE_SPOT", "weight": spot},
        ],
        "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 120},
    })
}

async fn define(bed: &Bed, image: &str) {
    let definition = json!({
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{"name": "app", "image": image}],
    });
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
}

/// Lets a node have tasks of FARGATE_SPOT.
async fn give_a_spot_node(bed: &Bed) {
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let label = json!({"metadata": {"labels": {"karpenter.sh/capacity-type": "spot"}}});
    let all = nodes.list(&ListParams::default()).await.unwrap();
    let last = all.items.last().unwrap().name_any();
    let params = PatchParams::default();
    nodes
        .patch(&last, &params, &Patch::Merge(label))
        .await
        .unwrap();
}

/// Returns the numbers of tasks that the Deployments should have, on demand and on Spot.
async fn counts(bed: &Bed) -> Vec<i32> {
    let deployments = bed.api::<Deployment>();
    let deployments = deployments.list(&ListParams::default()).await.unwrap();
    let specs = deployments.into_iter().map(|deployment| deployment.spec);
    specs.map(|spec| spec.unwrap().replicas.unwrap()).collect()
}

/// Waits until this spec is what runs, and returns the counts.
async fn settled(bed: &Bed, spec: Value) -> Vec<i32> {
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    counts(bed).await
}

#[tokio::test]
async fn a_deployment_moves_tasks_to_another_provider_within_its_percentages() {
    let bed = bed("split").await;
    give_a_spot_node(&bed).await;
    define(&bed, "testbed/web").await;
    assert_eq!(settled(&bed, web(6, 1, 1)).await, [3, 3]);
    let begun = bed.resources("EcsService").get("web").await.unwrap();
    let id = |object: &Value| object["status"]["deployments"][0]["id"].clone();
    // Other weights start no deployment and move no task, and the next one goes where some are missing.
    assert_eq!(settled(&bed, web(6, 5, 1)).await, [3, 3]);
    assert_eq!(settled(&bed, web(7, 5, 1)).await, [4, 3]);
    assert_eq!(settled(&bed, web(6, 5, 1)).await, [4, 2]);
    let service = bed.resources("EcsService").get("web").await.unwrap();
    assert_eq!(id(&json!(service)), id(&json!(begun)));

    let mut available = BTreeMap::new();
    let deployments = bed.api::<Deployment>();
    let mut events = Box::pin(watcher(deployments, watcher::Config::default()).applied_objects());
    define(&bed, "testbed/web:2").await;
    loop {
        let deployment = events.try_next().await.unwrap().unwrap();
        let name = deployment.name_any();
        let status = deployment.status.clone().unwrap_or_default();
        let spec = deployment.spec.unwrap();
        let has = |count: Option<i32>| count.unwrap_or(0);
        let is_new = has(status.updated_replicas) == has(status.replicas)
            && status.observed_generation == deployment.metadata.generation;
        let image = spec.template.spec.unwrap().containers[0].image.clone();
        let done = is_new && image.as_deref() == Some("testbed/web:2");
        available.insert(
            name,
            (has(status.available_replicas), has(spec.replicas), done),
        );
        if available.len() < 2 {
            continue;
        }
        let sum: i32 = available.values().map(|(available, ..)| available).sum();
        assert!(sum >= 6, "{available:?}");
        let counts: Vec<i32> = available.values().map(|(_, count, _)| *count).collect();
        assert!(counts.iter().sum::<i32>() <= 7, "{available:?}");
        if counts == [5, 1] && available.values().all(|(.., done)| *done) {
            break;
        }
    }
    bed.condition("EcsService", "web", "Ready", "True").await;
    assert_eq!(counts(&bed).await, [5, 1]);
}
