//! Volumes that tasks share.

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    container::{after, container, not_essential},
    support::Bed,
    task::run,
};

/// The container, with the volume `data` at `/shared`.
fn with_data(mut container: Value) -> Value {
    container["mountPoints"] = json!([{"sourceVolume": "data", "containerPath": "/shared"}]);
    container["user"] = json!("0");
    container
}

/// Gives one node the label that stands for the attribute `volume`.
async fn label_a_node(bed: &Bed, value: &str) {
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let list = nodes.list(&ListParams::default()).await.unwrap();
    let open = |node: &&Node| {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
        taints.is_none_or(Vec::is_empty)
    };
    let node = list.iter().find(open).unwrap().name_any();
    let label = json!({"metadata": {"labels": {"attribute.ecs-operator.dev/volume": value}}});
    nodes
        .patch_metadata(&node, &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_task_reads_from_a_volume_of_the_host_what_another_wrote() {
    let bed = bed("host").await;
    let name = bed.namespace.name();
    let path = format!("/var/lib/{name}");
    label_a_node(&bed, name).await;
    let definition = |command: &[&str]| {
        json!({
            "containerDefinitions": [with_data(container("app", command))],
            "volumes": [{"name": "data", "host": {"sourcePath": path}}],
            "placementConstraints": [{"type": "memberOf", "expression": format!("attribute:volume == {name}")}],
        })
    };
    let task = run(
        &bed,
        "write",
        definition(&["write", "/shared/note", "hello"]),
    )
    .await;
    assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
    let task = run(&bed, "read", definition(&["read", "/shared/note", "hello"])).await;
    assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
    let task = run(&bed, "other", definition(&["read", "/shared/note", "bye"])).await;
    assert_eq!(task["containers"][0]["exitCode"], 1, "{task}");
}

#[tokio::test]
async fn containers_of_a_task_share_a_volume_and_tasks_do_not() {
    let bed = bed("bind").await;
    let write = with_data(container("write", &["write", "/shared/note", "hello"]));
    let read = with_data(container("read", &["read", "/shared/note", "hello"]));
    let definition = |containers: &[Value]| json!({"containerDefinitions": containers, "volumes": [{"name": "data"}]});
    let both = [
        not_essential(write),
        after(read.clone(), "write", "SUCCESS"),
    ];
    let task = run(&bed, "both", definition(&both)).await;
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    let codes = task["containers"].as_array().unwrap();
    assert!(
        codes.iter().all(|container| container["exitCode"] == 0),
        "{task}"
    );
    let task = run(&bed, "alone", definition(&[read])).await;
    assert_eq!(task["containers"][0]["exitCode"], 1, "{task}");
}
