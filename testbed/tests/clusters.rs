//! The control plane starts, runs pods and leaves nothing behind.
#![allow(
    clippy::indexing_slicing,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn deployment(image: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }))
    .unwrap()
}

async fn available(api: &Api<Deployment>, name: &str) {
    until("the deployment to be available", LIMIT, async || {
        let status = api.get(name).await?.status.unwrap_or_default();
        Ok((status.available_replicas == Some(3)).then_some(()))
    })
    .await
    .unwrap();
}

async fn run(client: Client, namespace: &str, name: &str, image: &str) -> Api<Pod> {
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": image}, {"name": "side", "image": "testbed/exit:0"}],
        },
    }))
    .unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    pods
}

async fn phase(pods: &Api<Pod>, name: &str, wanted: &str) -> Value {
    until(&format!("{name} to be {wanted}"), LIMIT, async || {
        let status = serde_json::to_value(pods.get(name).await?.status)?;
        Ok((status["phase"] == wanted).then_some(status))
    })
    .await
    .unwrap()
}

/// Returns the processes that have `folder` in their arguments.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.unwrap().path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

#[tokio::test]
async fn a_deployment_becomes_available_and_nothing_is_left() {
    let plane = ControlPlane::start().await.unwrap();
    let namespace = plane.namespace("deployment").await.unwrap();
    let api: Api<Deployment> = Api::namespaced(plane.client().await.unwrap(), namespace.name());
    api.create(&PostParams::default(), &deployment("web:1"))
        .await
        .unwrap();
    available(&api, "web").await;
    let folder = plane.folder().to_owned();
    assert!(processes(&folder).len() >= 5);
    drop(namespace);
    drop(plane);
    assert_eq!(processes(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

#[tokio::test]
async fn images_decide_what_becomes_of_their_containers() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("images").await.unwrap();
    let client = plane.client().await.unwrap();
    let pods = run(
        client.clone(),
        namespace.name(),
        "fails",
        "registry.test/testbed/exit:3",
    )
    .await;
    let status = phase(&pods, "fails", "Failed").await;
    let exit = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (&exit["exitCode"], &exit["reason"]),
        (&json!(3), &json!("Error"))
    );
    run(client.clone(), namespace.name(), "ends", "testbed/exit:0").await;
    phase(&pods, "ends", "Succeeded").await;
    run(
        client.clone(),
        namespace.name(),
        "unready",
        "testbed/unready",
    )
    .await;
    let status = phase(&pods, "unready", "Running").await;
    assert_eq!(status["containerStatuses"][0]["ready"], false);
    run(client, namespace.name(), "held", "testbed/hold").await;
    until("the held pod to be bound", LIMIT, async || {
        Ok(pods.get("held").await?.spec.and_then(|spec| spec.node_name))
    })
    .await
    .unwrap();
    assert_eq!(
        phase(&pods, "held", "Pending").await["containerStatuses"],
        Value::Null
    );
}

#[tokio::test]
async fn a_service_account_has_its_rights_only() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("rights").await.unwrap();
    let client = plane
        .client_for_service_account(namespace.name(), "default")
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(client, namespace.name());
    let error = pods.list(&Default::default()).await.unwrap_err();
    let user = format!("system:serviceaccount:{}:default", namespace.name());
    assert!(error.to_string().contains(&user), "{error}");
}

#[tokio::test]
async fn definitions_are_served() {
    let plane = ControlPlane::shared().await.unwrap();
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
    plane.install_crds(&crds).await.unwrap();
    let empty = tempfile::tempdir().unwrap();
    plane.install_crds(empty.path()).await.unwrap_err();
}

/// Runs in a separate process, see the next test; the control plane is a static, which is never dropped.
#[tokio::test]
#[ignore = "it waits to be killed by another test"]
async fn waits_to_be_killed() {
    let plane = ControlPlane::shared().await.unwrap();
    println!("\nfolder {}", plane.folder().display());
    thread::sleep(LIMIT);
}

#[test]
fn nothing_is_left_of_a_test_that_is_killed() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "waits_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = BufReader::new(test.stdout.take().unwrap())
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("folder ").map(PathBuf::from))
        .unwrap();
    assert!(processes(&folder).len() >= 5);
    test.kill().unwrap();
    test.wait().unwrap();
    let started = Instant::now();
    while folder.exists() || !processes(&folder).is_empty() {
        assert!(started.elapsed() < LIMIT, "left: {:?}", processes(&folder));
        thread::sleep(Duration::from_millis(50));
    }
}
