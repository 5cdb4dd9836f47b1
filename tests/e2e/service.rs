//! Services whose pods run.

use ecs_operator_testbed::until;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
};
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    bed, cluster,
    container::{container, server},
    support::{LIMIT, uid},
    task::run,
};

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
    let first = until("a pod", LIMIT, async || Ok(names().await.pop()))
        .await
        .unwrap();
    until("another pod", LIMIT, async || {
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

#[tokio::test]
async fn a_task_reaches_a_service_by_its_name() {
    let bed = bed("reach").await;
    let definition = json!({"containerDefinitions": [server("web", "0")]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let ask = container("ask", &["get", "http://web:8080/", "20"]);
    let task = run(&bed, "ask", json!({"containerDefinitions": [ask]})).await;
    assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
}

#[tokio::test]
async fn a_service_reaches_another_one_by_its_service_connect_name() {
    let bed = bed("connect").await;
    let mut web = server("web", "0");
    web["portMappings"][0]["name"] = json!("http");
    let definition = json!({"containerDefinitions": [web]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let connect =
        |services: Value| json!({"enabled": true, "namespace": "internal", "services": services});
    let offer =
        json!([{"portName": "http", "discoveryName": "orders", "clientAliases": [{"port": 80}]}]);
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web", "desiredCount": 1, "serviceConnectConfiguration": connect(offer)}),
    )
    .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    // Its health check asks the other service, so that it is ready only if the name resolves.
    let mut client = server("client", "0");
    client["healthCheck"] =
        json!({"command": ["CMD", "/app", "get", "http://orders.internal/"], "interval": 5});
    let definition = json!({"containerDefinitions": [client]});
    bed.must_apply("EcsTaskDefinition", "client", definition)
        .await;
    bed.must_apply(
        "EcsService",
        "client",
        json!({"taskDefinition": "client", "desiredCount": 1, "serviceConnectConfiguration": connect(json!([]))}),
    )
    .await;
    bed.condition("EcsService", "client", "Ready", "True").await;
}

#[tokio::test]
async fn drift_is_repaired_and_deletion_leaves_nothing() {
    let bed = bed("drift").await;
    let definition = json!({"containerDefinitions": [server("web", "0")]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "web", "Ready", "True").await;

    let deployments = bed.api::<Deployment>();
    let old = uid(&deployments.get("web").await.unwrap());
    deployments
        .delete("web", &DeleteParams::foreground())
        .await
        .unwrap();
    bed.eventually::<Deployment>("web", "another Deployment with its pod", |new| {
        let available = new
            .status
            .as_ref()
            .and_then(|status| status.available_replicas);
        uid(new) != old && available == Some(1)
    })
    .await;

    bed.resources("EcsService")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Deployment>("web").await;
    bed.gone::<Service>("web").await;
    until("the pods to be gone", LIMIT, async || {
        let pods = bed.api::<Pod>().list(&ListParams::default()).await?;
        Ok(pods.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_logs_of_a_service_and_of_a_task_are_read() {
    let bed = bed("logs").await;
    let failing = container("web", &["exit", "x"]);
    let definition = json!({"containerDefinitions": [failing, container("log", &["wait"])]});
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 2});
    bed.must_apply("EcsService", "web", service).await;
    let logs = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ecs-operator"));
        command
            .arg("logs")
            .args(arguments)
            .args(["--namespace", bed.namespace.name(), "--kubeconfig"])
            .arg(cluster().await)
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true);
        command.spawn().unwrap()
    };
    // What the program says of a number that is none.
    let printed = "/web strconv.Atoi: parsing \"x\": invalid syntax";
    let mut follow = logs(&["web", "--follow"]).await;
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut pods = std::collections::BTreeSet::new();
    while pods.len() < 2 {
        let line = lines.next_line().await.unwrap().unwrap();
        let (pod, _) = line.split_once(printed).expect(&line);
        pods.insert(pod.to_owned());
    }
    let get = container("ask", &["get", "http://localhost:1/"]);
    run(&bed, "ask", json!({"containerDefinitions": [get]})).await;
    let output = logs(&["task/ask"]).await.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("ask-0 ") && said.contains("connection refused"),
        "{said}"
    );
}
