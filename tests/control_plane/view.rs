//! What a user of a service sees of it with the program itself.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use tokio::process::Command;

use crate::{
    bed, shared,
    support::{Bed, condition, job_definition, task_definition},
};

/// Runs the program with these arguments, as the one who made the cluster.
pub async fn run(bed: &Bed, arguments: &[&str]) -> Output {
    let (_, plane) = shared().await;
    Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args(arguments)
        .args(["--namespace", bed.namespace.name(), "--kubeconfig"])
        .arg::<&Path>(plane.kubeconfig().as_ref())
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn service(bed: &Bed, image: &str) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition(image))
        .await;
    let spec = json!({"taskDefinition": "web", "desiredCount": 2});
    bed.must_apply("EcsService", "web", spec).await;
}

#[tokio::test]
async fn a_service_is_shown_with_its_deployments_tasks_and_events() {
    let bed = bed("view").await;
    service(&bed, "testbed/web").await;
    let watched = run(&bed, &["status", "web", "--watch"]).await;
    let said = text(&watched.stdout);
    assert_eq!(watched.status.code(), Some(0), "{said}");
    assert!(
        said.ends_with("SteadyState: (service web) has reached a steady state.\n"),
        "{said}"
    );
    bed.event("web", "SteadyState").await;
    let shown = run(&bed, &["status", "web"]).await;
    let page = text(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0), "{}", text(&shown.stderr));
    for expected in [
        "web  web:1  desired 2, running 2, pending 0",
        "SteadyState: (service web) has reached a steady state.",
        "PRIMARY  web:1            2        0        2        0       COMPLETED",
        "RUNNING  yes",
        "EVENTS",
        "deployment completed.",
    ] {
        assert!(page.contains(expected), "{expected} is missing:\n{page}");
    }
    assert!(!page.contains('\u{1b}'), "no colors except in a terminal");
}

#[tokio::test]
async fn a_rollout_is_followed_to_its_failure() {
    let bed = bed("follow").await;
    service(&bed, "testbed/unready").await;
    let begun = bed
        .until("EcsService", "web", "the deployment", |object| {
            object["status"]["deployments"][0]["pendingCount"] == 2
        })
        .await;
    let follow = run(&bed, &["status", "web", "--watch"]);
    let stop = async {
        let id = &begun["status"]["deployments"][0]["id"];
        let patch = json!({"metadata": {"annotations": {"ecs-operator.dev/stop-deployment": id}}});
        bed.resources("EcsService")
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    };
    let (followed, ()) = tokio::join!(follow, stop);
    let said = text(&followed.stdout);
    assert_eq!(followed.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.ends_with("DeploymentFailed: Deployment stopped by user."),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is() {
    let bed = bed("absent").await;
    let none = run(&bed, &["status", "web"]).await;
    assert_eq!(none.status.code(), Some(2));
    let namespace = bed.namespace.name();
    assert_eq!(
        text(&none.stderr),
        format!(
            "error: there is no web in the namespace {namespace}; services: none; tasks: none\n"
        )
    );
    service(&bed, "testbed/web").await;
    bed.must_apply("EcsTask", "visit", json!({"taskDefinition": "web"}))
        .await;
    for command in ["status", "logs"] {
        let other = run(&bed, &[command, "wep"]).await;
        assert_eq!(other.status.code(), Some(2));
        assert_eq!(
            text(&other.stderr),
            format!(
                "error: there is no wep in the namespace {namespace}; services: web; tasks: visit\n"
            )
        );
    }
    bed.until("EcsTask", "visit", "it to run", |object| {
        object["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    for options in [&["--container=nope"][..], &["--container=nope", "--follow"]] {
        let arguments = [&["logs", "visit"][..], options].concat();
        let none = run(&bed, &arguments).await;
        assert_eq!(none.status.code(), Some(2));
        let expected = "error: there is no container nope; available containers: app\n";
        assert_eq!(text(&none.stderr), expected);
    }
}

async fn task(bed: &Bed, image: &str, spec: serde_json::Value) {
    bed.must_apply("EcsTaskDefinition", "visit", job_definition(image))
        .await;
    bed.must_apply("EcsTask", "visit", spec).await;
}

#[tokio::test]
async fn a_task_is_followed_to_its_end() {
    let bed = bed("task-status").await;
    for (image, code, last) in [
        (
            "testbed/exit:0",
            0,
            "visit: visit:1 STOPPED: Completed: All tasks have ended with exit code 0.",
        ),
        (
            "testbed/exit:4",
            1,
            "visit: visit:2 STOPPED: EssentialContainerExited: (task visit-0) is STOPPED: Essential container in task exited (app: exit code 4)",
        ),
    ] {
        task(&bed, image, json!({"taskDefinition": "visit"})).await;
        let watched = run(&bed, &["status", "visit", "--watch"]).await;
        let said = text(&watched.stdout);
        assert_eq!(watched.status.code(), Some(code), "{said}");
        assert_eq!(said.lines().last(), Some(last), "{said}");
        let shown = text(&run(&bed, &["status", "task/visit"]).await.stdout);
        assert!(shown.contains("TASK     STATUS   EXIT CODE"), "{shown}");
        bed.resources("EcsTask")
            .delete("visit", &DeleteParams::default())
            .await
            .unwrap();
        bed.gone::<Pod>("visit-0").await;
    }
}

#[tokio::test]
async fn a_watch_says_what_it_waits_for_and_ends_in_time() {
    let bed = bed("timeout").await;
    let nowhere = json!([{"type": "memberOf", "expression": "attribute:disk == ssd"}]);
    let spec = json!({"taskDefinition": "visit", "placementConstraints": nowhere});
    task(&bed, "testbed/web", spec).await;
    bed.until("EcsTask", "visit", "what keeps it", |object| {
        condition(object, "Succeeded")["reason"] == "UnableToPlaceTask"
    })
    .await;
    let watched = run(&bed, &["status", "visit", "--watch", "--timeout", "1s"]).await;
    let said = text(&watched.stdout);
    assert_eq!(watched.status.code(), Some(1), "{said}");
    let expected =
        "visit: visit:1 PENDING: UnableToPlaceTask: (task visit-0) unable to place a task because";
    assert!(said.lines().last().unwrap().starts_with(expected), "{said}");
    assert_eq!(text(&watched.stderr), "visit is not done after 1 s\n");
}

#[tokio::test]
async fn a_watch_waits_for_a_changed_task_definition() {
    let bed = bed("changed").await;
    service(&bed, "testbed/web").await;
    let watched = run(&bed, &["status", "web", "--watch"]).await;
    assert_eq!(watched.status.code(), Some(0), "{}", text(&watched.stdout));
    for number in 2..5 {
        let image = format!("testbed/web:{number}");
        bed.must_apply("EcsTaskDefinition", "web", task_definition(&image))
            .await;
        // The service was ready before, and the operator may not have looked at the change yet.
        let watched = run(&bed, &["status", "web", "--watch"]).await;
        let said = text(&watched.stdout);
        assert_eq!(watched.status.code(), Some(0), "{said}");
        let runs = format!("web: web:{number} COMPLETED");
        assert!(said.lines().last().unwrap().starts_with(&runs), "{said}");
    }
}

#[tokio::test]
async fn warnings_are_shown() {
    let bed = bed("warned").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let alarms = json!({"alarms": {"alarmNames": ["errors"], "enable": true, "rollback": true}});
    let spec =
        json!({"taskDefinition": "web", "desiredCount": 1, "deploymentConfiguration": alarms});
    bed.must_apply("EcsService", "web", spec).await;
    let object = bed
        .until("EcsService", "web", "a warning", |object| {
            object["status"]["warnings"][0]["reason"].is_string()
        })
        .await;
    let reason = object["status"]["warnings"][0]["reason"].as_str().unwrap();
    let page = text(&run(&bed, &["status", "web"]).await.stdout);
    let shown = page
        .lines()
        .any(|line| line.starts_with("warning: ") && line.contains(reason));
    assert!(shown, "{page}");
}

#[test]
fn as_a_plugin_of_kubectl_it_speaks_of_itself_as_such() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin");
    std::fs::create_dir_all(&folder).unwrap();
    let plugin = folder.join("kubectl-ecs");
    let _old = std::fs::remove_file(&plugin);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ecs-operator"), &plugin).unwrap();
    let help = std::process::Command::new(&plugin)
        .args(["status", "--help"])
        .output()
        .unwrap();
    let said = text(&help.stdout);
    assert!(said.contains("Usage: kubectl ecs status"), "{said}");
}

/// What `kubectl get -o wide` shows of an object in this column.
async fn column(bed: &Bed, object: &str, column: &str) -> serde_json::Value {
    let namespace = bed.namespace.name();
    let request = http::Request::get(format!(
        "/apis/ecs-operator.dev/v1alpha1/namespaces/{namespace}/{object}"
    ))
    .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
    .body(Vec::new())
    .unwrap();
    let table: serde_json::Value = bed.client.request(request).await.unwrap();
    let mut columns = table["columnDefinitions"].as_array().unwrap().iter();
    let place = columns.position(|it| it["name"] == column).unwrap();
    table["rows"][0]["cells"][place].clone()
}

#[tokio::test]
async fn a_list_of_tasks_tells_success_from_failure() {
    let bed = bed("columns").await;
    task(&bed, "testbed/exit:4", json!({"taskDefinition": "visit"})).await;
    bed.until("EcsTask", "visit", "it to end", |object| {
        object["status"]["lastStatus"] == "STOPPED"
    })
    .await;
    let visit = "ecstasks/visit";
    assert_eq!(column(&bed, visit, "Exit Code").await, 4);
    let reason = "EssentialContainerExited";
    assert_eq!(column(&bed, visit, "Reason").await, reason);
    let message = column(&bed, visit, "Message").await.to_string();
    assert!(message.contains("app: exit code 4"), "{message}");
}

#[tokio::test]
async fn a_list_of_services_tells_why_and_how_many_tasks_a_daemon_wants() {
    let bed = bed("daemon").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let spec = json!({"taskDefinition": "web", "schedulingStrategy": "DAEMON"});
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let web = "ecsservices/web";
    let desired = column(&bed, web, "Desired").await;
    assert!(desired.as_i64() > Some(0), "{desired}");
    assert_eq!(column(&bed, web, "Running").await, desired);
    assert_eq!(column(&bed, web, "Reason").await, "SteadyState");
    assert_eq!(column(&bed, web, "Rollout").await, "COMPLETED");
}
