//! Volumes that tasks share.

use serde_json::{Value, json};

use crate::{
    bed,
    container::{after, container, not_essential},
    task::run,
};

/// The container, with the volume `data` at `/shared`.
fn with_data(mut container: Value) -> Value {
    container["mountPoints"] = json!([{"sourceVolume": "data", "containerPath": "/shared"}]);
    container["user"] = json!("0");
    container
}

#[tokio::test]
async fn a_task_reads_from_a_volume_of_the_host_what_another_wrote() {
    let bed = bed("host").await;
    let path = format!("/tmp/{}", bed.namespace.name());
    let definition = |command: &[&str]| {
        json!({
            "containerDefinitions": [with_data(container("app", command))],
            "volumes": [{"name": "data", "host": {"sourcePath": path}}],
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
