//! Clusters: the defaults of a namespace.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Pod, PodSpec, Service},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    deployments::told,
    support::{Bed, task_definition, uid},
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

/// The task definition of the services.
async fn definition(bed: &Bed) {
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["portMappings"][0]["name"] = json!("http");
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
}

/// A service that takes defaults. Another text begins a deployment.
async fn web(bed: &Bed, name: &str, deployment: &str) {
    let connect = json!({
        "enabled": true,
        "services": [{"portName": "http", "discoveryName": "backend"}],
    });
    let mut web = json!({
        "taskDefinition": "web",
        "desiredCount": 1,
        "kubernetes": {"forceNewDeployment": deployment},
    });
    if name == "web" {
        web["serviceConnectConfiguration"] = connect;
    }
    bed.must_apply("EcsService", name, web).await;
}

/// A service that takes none.
async fn own(bed: &Bed) {
    let own = json!({"taskDefinition": "web", "desiredCount": 1, "launchType": "EC2"});
    bed.must_apply("EcsService", "own", own).await;
    placed(bed, "own", None).await;
}

async fn delete(bed: &Bed, name: &str) {
    let clusters = bed.resources("EcsCluster");
    clusters
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_cluster_gives_defaults_to_what_is_made_while_it_is_there() {
    let bed = bed("cluster").await;
    definition(&bed).await;
    web(&bed, "before", "first").await;
    placed(&bed, "before", None).await;
    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    let accepted = bed
        .condition("EcsCluster", "shop", "Accepted", "True")
        .await;
    assert_eq!(accepted["reason"], "Counts");
    web(&bed, "web", "first").await;
    own(&bed).await;
    placed(&bed, "web", Some("spot")).await;
    connected(&bed, Some("internal")).await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "web"}))
        .await;
    let on_spot = |pod: &Pod| provider(pod.spec.as_ref().unwrap()) == Some("spot");
    bed.eventually::<Pod>("job-0", "a task on the nodes of spot", on_spot)
        .await;

    // What runs keeps what it began with, and says that it would be rendered otherwise.
    bed.must_apply("EcsCluster", "shop", cluster("other")).await;
    for (name, differs) in [("before", true), ("web", true), ("own", false)] {
        let what = format!("what would differ in {name}");
        bed.until("EcsService", name, &what, |object| {
            let renewal = &object["status"]["renewal"];
            let field = "Deployment ".to_owned() + name + ": spec.template.spec.nodeSelector";
            let differences = renewal["differences"].as_array();
            let mut differences = differences.into_iter().flatten();
            let found = differences.any(|it| it.as_str().unwrap().starts_with(&field));
            renewal["state"] == if differs { "available" } else { "none" } && found == differs
        })
        .await;
    }
    placed(&bed, "before", None).await;
    placed(&bed, "web", Some("spot")).await;
    let pods: Api<Pod> = bed.api();
    assert!(on_spot(&pods.get("job-0").await.unwrap()));
    // The next deployment takes them.
    web(&bed, "web", "second").await;
    placed(&bed, "web", Some("other")).await;

    delete(&bed, "shop").await;
    web(&bed, "web", "third").await;
    placed(&bed, "web", None).await;
    connected(&bed, None).await;
}

#[tokio::test]
async fn the_oldest_cluster_of_a_namespace_counts() {
    let bed = bed("clusters").await;
    definition(&bed).await;
    bed.must_apply("EcsCluster", "a", cluster("first")).await;
    bed.condition("EcsCluster", "a", "Accepted", "True").await;
    bed.must_apply("EcsCluster", "b", cluster("second")).await;
    let accepted = bed.condition("EcsCluster", "b", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "AnotherClusterCounts");
    let message = accepted["message"].as_str().unwrap();
    assert!(
        message.contains("already has the EcsCluster a:"),
        "{message}"
    );
    assert_eq!(bed.event("b", "AnotherClusterCounts").await, message);
    web(&bed, "web", "first").await;
    placed(&bed, "web", Some("first")).await;

    delete(&bed, "a").await;
    bed.condition("EcsCluster", "b", "Accepted", "True").await;
    web(&bed, "web", "second").await;
    placed(&bed, "web", Some("second")).await;
}

#[tokio::test]
async fn a_cluster_that_ecs_would_refuse_changes_nothing_that_runs() {
    let bed = bed("cluster-wrong").await;
    definition(&bed).await;
    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    bed.condition("EcsCluster", "shop", "Accepted", "True")
        .await;
    web(&bed, "web", "first").await;
    own(&bed).await;
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
    // What runs is repaired meanwhile.
    let deployments: Api<Deployment> = bed.api();
    let params = DeleteParams::default();
    deployments.delete("web", &params).await.unwrap();
    placed(&bed, "web", Some("spot")).await;
    let own = bed.condition("EcsService", "own", "Accepted", "True").await;
    assert_eq!(own["status"], "True");

    bed.must_apply("EcsCluster", "shop", cluster("spot")).await;
    bed.condition("EcsService", "web", "Accepted", "True").await;
}

/// Lets tasks of a capacity provider run on one of the nodes.
async fn give_a_node(bed: &Bed, provider: &str) {
    let label = json!({"metadata": {"labels": {"ecs-operator.dev/capacity-provider": provider}}});
    let nodes: Api<Node> = Api::all(bed.client.clone());
    nodes
        .patch("node-1", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_rollback_runs_what_ran_whatever_the_cluster_gives_by_now() {
    let bed = bed("cluster-back").await;
    definition(&bed).await;
    give_a_node(&bed, "works").await;
    bed.must_apply("EcsCluster", "shop", cluster("works")).await;
    bed.condition("EcsCluster", "shop", "Accepted", "True")
        .await;
    web(&bed, "web", "first").await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let before: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();

    bed.must_apply("EcsCluster", "shop", cluster("broken"))
        .await;
    web(&bed, "web", "second").await;
    placed(&bed, "web", Some("broken")).await;
    let begun = bed
        .until("EcsService", "web", "the deployment", |object| {
            told(object) == ["PRIMARY web:1 IN_PROGRESS", "ACTIVE web:1 COMPLETED"]
        })
        .await;
    let id = begun["status"]["deployments"][0]["id"].clone();
    let back = json!({"metadata": {"annotations": {"ecs-operator.dev/roll-back-deployment": id}}});
    bed.resources("EcsService")
        .patch("web", &PatchParams::default(), &Patch::Merge(back))
        .await
        .unwrap();
    bed.until("EcsService", "web", "the rollback", |object| {
        told(object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:1 FAILED"]
    })
    .await;
    placed(&bed, "web", Some("works")).await;
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    assert_eq!(after, before);
}
