//! What a user of a service sees of it with the program itself.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::process::Command;

use crate::{
    bed, shared,
    support::{Bed, task_definition},
};

/// Runs the program with these arguments, as the one who made the cluster.
async fn run(bed: &Bed, arguments: &[&str]) -> Output {
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

fn text(bytes: &[u8]) -> String {
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
    assert!(!page.contains('\u{1b}'), "no colours but in a terminal");
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
        format!("error: there is no web in the namespace {namespace}; of services there is none\n")
    );
    service(&bed, "testbed/web").await;
    for command in ["status", "logs"] {
        let other = run(&bed, &[command, "wep"]).await;
        assert_eq!(other.status.code(), Some(2));
        assert_eq!(
            text(&other.stderr),
            format!(
                "error: there is no wep in the namespace {namespace}; of services there are web\n"
            )
        );
    }
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
