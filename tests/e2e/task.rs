//! Tasks whose pods run.

use serde_json::{Value, json};

use crate::{
    bed,
    container::{after, container, not_essential, server},
    support::Bed,
};

/// Runs a task of this definition, and returns its status when it has stopped.
pub async fn run(bed: &Bed, name: &str, definition: Value) -> Value {
    bed.must_apply("EcsTaskDefinition", name, definition).await;
    bed.must_apply("EcsTask", name, json!({"taskDefinition": name}))
        .await;
    let object = bed
        .until("EcsTask", name, "the task to stop", |object| {
            object["status"]["lastStatus"] == "STOPPED"
        })
        .await;
    object["status"]["tasks"][0].clone()
}

/// Runs a task of these containers, and returns its status when it has stopped.
async fn run_containers(bed: &Bed, containers: &[Value]) -> Value {
    run(bed, "job", json!({"containerDefinitions": containers})).await
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
    let task = run_containers(&bed, &[container("app", &["exit", "3"])]).await;
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(exit_codes(&task), [("app".to_owned(), json!(3))]);
}

#[tokio::test]
async fn a_schedule_of_a_minute_runs_its_tasks_each_minute() {
    let bed = bed("schedule").await;
    let definition = json!({"containerDefinitions": [container("app", &["exit", "0"])]});
    bed.must_apply("EcsTaskDefinition", "job", definition).await;
    let schedule = json!({
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
            "EcsParameters": {"TaskDefinitionArn": "job"},
        },
    });
    bed.must_apply("EcsSchedule", "job", schedule).await;
    let object = bed
        .until("EcsSchedule", "job", "two tasks to end", |object| {
            let tasks = &object["status"]["tasks"];
            tasks[0]["result"] == "Succeeded" && tasks[1]["result"] == "Succeeded"
        })
        .await;
    let tasks = &object["status"]["tasks"];
    assert_eq!(tasks[1]["due"], object["metadata"]["creationTimestamp"]);
    assert_eq!(tasks[0]["exitCode"], 0);
}

#[tokio::test]
async fn the_end_of_an_essential_container_stops_the_others_in_order() {
    let bed = bed("others").await;
    let containers = [
        container("app", &["exit", "4", "1"]),
        container("log", &["wait"]),
    ];
    let task = run_containers(&bed, &containers).await;
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
    let task = run_containers(&bed, &[app]).await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError: "), "{reason}");
}

#[tokio::test]
async fn a_container_that_takes_too_much_memory_is_killed() {
    let bed = bed("memory").await;
    let task = run_containers(&bed, &[container("app", &["eat"])]).await;
    let reason = task["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("OutOfMemoryError"), "{reason}");
    assert_eq!(exit_codes(&task), [("app".to_owned(), json!(137))]);
}

/// A server needs some seconds until it answers. A container that asks it once, when it starts, ends with 0 only if it
/// was started after that.
#[tokio::test]
async fn containers_start_once_others_are_healthy() {
    let bed = bed("healthy").await;
    let ask = container("ask", &["get", "http://localhost:8080/"]);
    let containers = [
        not_essential(server("server", "4")),
        after(ask, "server", "HEALTHY"),
    ];
    let task = run_containers(&bed, &containers).await;
    assert_eq!(exit_codes(&task)[0], ("ask".to_owned(), json!(0)), "{task}");
}

#[tokio::test]
async fn containers_start_once_others_have_started() {
    let bed = bed("start").await;
    let ask = container("ask", &["get", "http://localhost:8080/"]);
    let containers = [
        not_essential(server("server", "15")),
        after(ask, "server", "START"),
    ];
    let task = run_containers(&bed, &containers).await;
    assert_eq!(exit_codes(&task)[0], ("ask".to_owned(), json!(1)), "{task}");
}

#[tokio::test]
async fn containers_start_once_others_have_succeeded() {
    let bed = bed("success").await;
    let migrate = |code| not_essential(container("migrate", &["exit", code, "1"]));
    let app = after(container("app", &["exit", "0"]), "migrate", "SUCCESS");
    let task = run_containers(&bed, &[app.clone(), migrate("0")]).await;
    assert_eq!(
        exit_codes(&task),
        [
            ("app".to_owned(), json!(0)),
            ("migrate".to_owned(), json!(0))
        ]
    );

    let definition = json!({"containerDefinitions": [app, migrate("7")]});
    let task = run(&bed, "broken", definition).await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert_eq!(
        task["stoppedReason"],
        "Container migrate exited with code 7"
    );
}

#[tokio::test]
async fn containers_start_once_others_have_completed() {
    let bed = bed("complete").await;
    let write = container("write", &["write", "/tmp/note", "hello"]);
    let read = container("read", &["read", "/tmp/note", "hello"]);
    let shared = |mut container: Value| {
        container["mountPoints"] = json!([{"sourceVolume": "tmp", "containerPath": "/tmp"}]);
        container["user"] = json!("0");
        container
    };
    let task = run(
        &bed,
        "job",
        json!({
            "containerDefinitions": [
                after(shared(read), "write", "COMPLETE"),
                not_essential(shared(write)),
            ],
            "volumes": [{"name": "tmp"}],
        }),
    )
    .await;
    let codes = [
        ("read".to_owned(), json!(0)),
        ("write".to_owned(), json!(0)),
    ];
    assert_eq!(exit_codes(&task), codes, "{task}");
}

#[tokio::test]
async fn deletion_stops_a_task() {
    let bed = bed("stop").await;
    let definition = json!({"containerDefinitions": [container("app", &["wait"])]});
    bed.must_apply("EcsTaskDefinition", "job", definition).await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "job", "the task to run", |object| {
        object["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    bed.resources("EcsTask")
        .delete("job", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<k8s_openapi::api::core::v1::Pod>("job-0").await;
}
