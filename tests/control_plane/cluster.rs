//! Clusters: the defaults of a namespace.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, PodSpec, Service},
};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, task_definition},
};

const NAMESPACE: &str = "ecs-operator.dev/service-connect-namespace";

/// A cluster whose services and tasks run on the nodes of this capacity provider.
fn cluster(provider: &str) -> Value {
    json!({
        "capacityProviders": [provider],
        "defaultCapacityProviderStrategy": [{"capacityProvider": provider, "weight": 1}],
        "serviceConnectDefaults": {"namespace": "internal"},
    })
}

/// The capacity provider that pods ask for.
fn provider(spec: &PodSpec) -> Option<&str> {
    let selector = spec.node_selector.as_ref()?;
    let provider = selector.get("ecs-operator.dev/capacity-provider")?;
    Some(provider)
}

async fn placed(bed: &Bed, name: &str, expected: Option<&str>) {
    let what = format!("service {name} on the nodes of {expected:?}");
    bed.eventually::<Deployment>(name, &what, |deployment| {
        let template = deployment.spec.as_ref().unwrap().template.spec.as_ref();
        provider(template.unwrap()) == expected
    })
    .await;
}

async fn connected(bed: &Bed, expected: Option<&str>) {
    let what = format!("the Service Connect namespace {expected:?}");
    bed.eventually::<Service>("backend", &what, |service| {
        let labels = service.metadata.labels.as_ref().unwrap();
        labels.get(NAMESPACE).map(String::as_str) == expected
    })
    .await;
}

/// The service `web` takes defaults, the service `own` has its own.
async fn services(bed: &Bed) {
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let connect = json!({
        "enabled": true,
        "services": [{"portName": "http", "discoveryName": "backend"}],
    });
    let web = json!({
        "taskDefinition": "web", "desiredCount": 1, "serviceConnectConfiguration": connect,
    });
    bed.must_apply("EcsService", "web", web).await;
    let own = json!({"taskDefinition": "web", "desiredCount": 1, "launchType": "EC2"});
    bed.must_apply("EcsService", "own", own).await;
    placed(bed, "web", None).await;
    placed(bed, "own", None).await;
    connected(bed, None).await;
}

async fn delete(bed: &Bed, name: &str) {
    let clusters = bed.resources("EcsCluster");
    clusters
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cluster_gives_defaults_to_its_namespace_for_as_long_as_it_is_there() {
    let bed = bed("cluster").await;
    services(&bed).await;
    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    let accepted = bed
        .condition("EcsCluster", "shop", "Accepted", "True")
        .await;
    assert_eq!(accepted["reason"], "Counts");
    placed(&bed, "web", Some("spot")).await;
    connected(&bed, Some("internal")).await;

    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "web"}))
        .await;
    let on_spot = |pod: &Pod| provider(pod.spec.as_ref().unwrap()) == Some("spot");
    bed.eventually::<Pod>("job-0", "a task on the nodes of spot", on_spot)
        .await;

    bed.must_apply("EcsCluster", "shop", cluster("other")).await;
    placed(&bed, "web", Some("other")).await;
    // What it says itself counts, and what has begun goes on.
    placed(&bed, "own", None).await;
    let pods: Api<Pod> = bed.api();
    assert!(on_spot(&pods.get("job-0").await.unwrap()));

    delete(&bed, "shop").await;
    placed(&bed, "web", None).await;
    connected(&bed, None).await;
}

#[tokio::test]
async fn the_oldest_cluster_of_a_namespace_counts() {
    let bed = bed("clusters").await;
    services(&bed).await;
    bed.must_apply("EcsCluster", "a", cluster("first")).await;
    bed.condition("EcsCluster", "a", "Accepted", "True").await;
    bed.must_apply("EcsCluster", "b", cluster("second")).await;
    let accepted = bed.condition("EcsCluster", "b", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "AnotherClusterCounts");
    let message = accepted["message"].as_str().unwrap();
    assert!(message.starts_with("EcsCluster a is the"), "{message}");
    assert_eq!(bed.event("b", "AnotherClusterCounts").await, message);
    placed(&bed, "web", Some("first")).await;

    delete(&bed, "a").await;
    bed.condition("EcsCluster", "b", "Accepted", "True").await;
    placed(&bed, "web", Some("second")).await;
}

#[tokio::test]
async fn a_cluster_that_ecs_would_refuse_changes_nothing_that_runs() {
    let bed = bed("cluster-wrong").await;
    services(&bed).await;
    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    placed(&bed, "web", Some("spot")).await;
    let wrong = json!({"defaultCapacityProviderStrategy": [
        {"capacityProvider": "FARGATE", "weight": 1},
        {"capacityProvider": "spot", "weight": 1},
    ]});
    bed.must_apply("EcsCluster", "shop", wrong).await;
    let accepted = bed
        .condition("EcsCluster", "shop", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "MixedCapacityProviders");
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "ClusterNotAccepted");
    placed(&bed, "web", Some("spot")).await;
    let own = bed.condition("EcsService", "own", "Accepted", "True").await;
    assert_eq!(own["status"], "True");

    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    bed.condition("EcsService", "web", "Accepted", "True").await;
}
