//! Tasks whose pods run.

use serde_json::{Value, json};

use crate::{bed, container, support::Bed};

/// Runs a task of these containers, and returns its status when it has stopped.
async fn run(bed: &Bed, containers: Value) -> Value {
    bed.must_apply(
        "EcsTaskDefinition",
        "job",
        json!({"containerDefinitions": containers}),
    )
    .await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "job"}))
        .await;
    let object = bed
        .until("EcsTask", "job", "the task to stop", |object| {
            object["status"]["lastStatus"] == "STOPPED"
        })
        .await;
    object["status"]["tasks"][0].clone()
}

/// The exit codes of the containers, by name.
fn exit_codes(task: &Value) -> Vec<(String, Value)> {
    let containers = task["containers"].as_array().unwrap();
    let mut codes: Vec<_> = containers
        .iter()
        .map(|container| {
            (
                container["name"].as_str().unwrap().to_owned(),
                container["exitCode"].clone(),
            )
        })
        .collect();
    codes.sort_by(|a, b| a.0.cmp(&b.0));
    codes
}

#[tokio::test]
async fn an_exit_code_is_told() {
    let bed = bed("exit").await;
    let task = run(&bed, json!([container("app", &["exit", "3"])])).await;
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(exit_codes(&task), [("app".to_owned(), json!(3))]);
}

#[tokio::test]
async fn the_end_of_an_essential_container_stops_the_others_in_order() {
    let bed = bed("others").await;
    let task = run(
        &bed,
        json!([
            container("app", &["exit", "4", "1"]),
            container("log", &["wait"])
        ]),
    )
    .await;
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    // The other one was told to end, and did so by itself.
    assert_eq!(
        exit_codes(&task),
        [("app".to_owned(), json!(4)), ("log".to_owned(), json!(0))]
    );
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_ends_the_task() {
    let bed = bed("pull").await;
    let mut app = container("app", &["wait"]);
    app["image"] = json!("nobody/has:this");
    let task = run(&bed, json!([app])).await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError: "), "{reason}");
}

#[tokio::test]
async fn a_container_that_takes_too_much_memory_is_killed() {
    let bed = bed("memory").await;
    let task = run(&bed, json!([container("app", &["eat"])])).await;
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("OutOfMemoryError"), "{reason}");
    assert_eq!(exit_codes(&task), [("app".to_owned(), json!(137))]);
}

#[tokio::test]
async fn containers_start_in_the_order_of_their_dependencies() {
    let bed = bed("order").await;
    let mut migrate = container("migrate", &["exit", "0", "1"]);
    migrate["essential"] = json!(false);
    let mut app = container("app", &["exit", "0"]);
    app["dependsOn"] = json!([{"containerName": "migrate", "condition": "SUCCESS"}]);
    let task = run(&bed, json!([app, migrate])).await;
    assert_eq!(
        exit_codes(&task),
        [
            ("app".to_owned(), json!(0)),
            ("migrate".to_owned(), json!(0))
        ]
    );

    let bed = crate::bed("broken").await;
    let mut migrate = container("migrate", &["exit", "7"]);
    migrate["essential"] = json!(false);
    let mut app = container("app", &["exit", "0"]);
    app["dependsOn"] = json!([{"containerName": "migrate", "condition": "SUCCESS"}]);
    let task = run(&bed, json!([app, migrate])).await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert_eq!(
        task["stoppedReason"],
        "Container migrate exited with code 7"
    );
}
