//! Services and a task share a file system on two nodes.

use std::fs;

use ecs_operator_testbed::{NFS_SERVER, Node};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::{
    container::{container, server},
    nodes::{SECOND, back_in_service, drain, lose, out_of_service, start, uncordon},
    seen::{Folder, all_read, claim, folder, nothing_left, off, on_both_nodes, running},
    support::{Bed, condition, helm::helm},
};

const FILE_SYSTEM: &str = "fs-0123456789abcdef0";

/// A task definition of one container, which has the folder `notes` of the file system at `/shared`.
fn with_shared(mut app: Value, read_only: bool) -> Value {
    app["mountPoints"] =
        json!([{"sourceVolume": "notes", "containerPath": "/shared", "readOnly": read_only}]);
    json!({
        "networkMode": "awsvpc",
        "containerDefinitions": [app],
        "volumes": [{
            "name": "notes",
            "efsVolumeConfiguration": {
                "fileSystemId": FILE_SYSTEM,
                "rootDirectory": "/notes",
                "transitEncryption": "ENABLED",
            },
        }],
    })
}

/// A writer of this version.
fn writer(version: &str) -> Value {
    let mut app = container("app", &["log", "/shared"]);
    app["environment"] = json!([{"name": "VERSION", "value": version}]);
    with_shared(app, false)
}

async fn serve(bed: &Bed, name: &str, definition: Value) {
    bed.must_apply("EcsTaskDefinition", name, definition).await;
    let service = json!({
        "taskDefinition": name,
        "desiredCount": 2,
        "placementStrategy": [{"type": "spread", "field": "instanceId"}],
        "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 200},
    });
    bed.must_apply("EcsService", name, service).await;
    steady(bed, name).await;
}

async fn steady(bed: &Bed, name: &str) {
    bed.until("EcsService", name, "a steady state", |object| {
        let ready = condition(object, "Ready");
        let deployments = object["status"]["deployments"].as_array();
        ready["status"] == "True"
            && ready["observedGeneration"] == object["metadata"]["generation"]
            && deployments.is_some_and(|it| it.len() == 1)
    })
    .await;
}

async fn end(bed: &Bed, kind: &str, name: &str) {
    let params = DeleteParams::background();
    bed.resources(kind).delete(name, &params).await.unwrap();
}

/// A namespace with writers and readers on both nodes.
struct Stage<'a> {
    node: &'a Node,
    bed: Bed,
    folder: &'a Folder,
    /// The claim and the volume, which stay the same while anyone needs them.
    claim: (String, String),
}

impl<'a> Stage<'a> {
    async fn new(node: &'a Node, prefix: &str, folder: &'a Folder) -> Self {
        let bed = Bed::new(&node.kubeconfig(), prefix).await;
        serve(&bed, "writer", writer("1")).await;
        serve(&bed, "reader", with_shared(server("app", "0"), true)).await;
        on_both_nodes(&bed, "writer").await;
        on_both_nodes(&bed, "reader").await;
        let claim = claim(&bed).await.unwrap();
        Self {
            node,
            bed,
            folder,
            claim,
        }
    }

    /// Checks that every writer writes, that every reader reads all of it, and that the claim is the same.
    async fn is_shared(&self) {
        for (task, ..) in running(&self.bed, "writer").await {
            self.folder.grows(&task).await;
            all_read(self.node, &self.bed, "reader", self.folder, &task).await;
        }
        self.same_claim().await;
    }

    async fn same_claim(&self) {
        assert_eq!(claim(&self.bed).await.as_ref(), Some(&self.claim));
    }

    /// Replaces all tasks of the writer, so that both nodes have one.
    async fn roll_out(&self, version: &str) {
        serve(&self.bed, "writer", writer(version)).await;
        on_both_nodes(&self.bed, "writer").await;
    }
}

#[tokio::test]
async fn tasks_of_two_nodes_share_a_file_system_until_the_last_of_them_ends() {
    let node = start().await.unwrap();
    let folder = folder(&node, FILE_SYSTEM, "notes");
    // Another namespace has its own claim of the same file system, on the same nodes.
    let other = Stage::new(&node, "other", &folder).await;
    let stage = Stage::new(&node, "shared", &folder).await;
    assert_ne!(stage.claim, other.claim);
    stage.is_shared().await;

    stage.roll_out("2").await;
    stage.is_shared().await;

    helm(&node.kubeconfig(), &["settings.logLevel=debug"]).unwrap();
    steady(&stage.bed, "writer").await;
    stage.is_shared().await;

    a_volume_of_docker(&stage.bed, &node).await;
    a_drain(&stage).await;
    a_lost_node(&stage).await;
    other.is_shared().await;
    the_end_of_all(&stage).await;
    other.is_shared().await;
}

/// A volume of Docker's local driver is mounted by NFS too, by the kubelet itself and without a claim.
async fn a_volume_of_docker(bed: &Bed, node: &Node) {
    let exports = folder(node, "exports", "");
    fs::write(exports.0.join("note"), "hello").unwrap();
    let mut app = container("app", &["read", "/shared/note", "hello"]);
    app["mountPoints"] = json!([{"sourceVolume": "notes", "containerPath": "/shared"}]);
    let options = json!({"type": "nfs", "device": ":/exports", "o": format!("addr={NFS_SERVER}")});
    let definition = json!({
        "containerDefinitions": [app],
        "volumes": [{
            "name": "notes",
            "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true, "driver": "local", "driverOpts": options},
        }],
    });
    bed.must_apply("EcsTaskDefinition", "docker", definition)
        .await;
    bed.must_apply("EcsTask", "docker", json!({"taskDefinition": "docker"}))
        .await;
    let task = bed.until("EcsTask", "docker", "the task to stop", |task| {
        task["status"]["lastStatus"] == "STOPPED"
    });
    let task = task.await;
    let container = &task["status"]["tasks"][0]["containers"][0];
    assert_eq!(container["exitCode"], 0, "{task}");
}

async fn a_drain(stage: &Stage<'_>) {
    drain(stage.node).unwrap();
    off_second(stage).await;
    stage.is_shared().await;
    uncordon(stage.node).await.unwrap();
    stage.roll_out("3").await;
}

async fn off_second(stage: &Stage<'_>) {
    for service in ["writer", "reader"] {
        off(&stage.bed, service, SECOND).await;
        steady(&stage.bed, service).await;
    }
}

/// A node that does not answer keeps its tasks, which go on to write: only an administrator knows that it is off.
async fn a_lost_node(stage: &Stage<'_>) {
    let tasks = on_both_nodes(&stage.bed, "writer").await;
    let (lost, _) = tasks.iter().find(|(_, node)| node == SECOND).unwrap();
    let silence = lose(stage.node).await.unwrap();
    stage.folder.grows(lost).await;
    stage.same_claim().await;
    out_of_service(stage.node).unwrap();
    off_second(stage).await;
    stage.is_shared().await;
    all_read(stage.node, &stage.bed, "reader", stage.folder, lost).await;
    back_in_service(stage.node, silence).await.unwrap();
    stage.roll_out("4").await;
    stage.is_shared().await;
}

async fn the_end_of_all(stage: &Stage<'_>) {
    let (bed, folder) = (&stage.bed, stage.folder);
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "writer"}))
        .await;
    bed.until("EcsTask", "job", "the task to run", |task| {
        task["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    end(bed, "EcsService", "writer").await;
    bed.gone::<k8s_openapi::api::apps::v1::Deployment>("writer")
        .await;
    folder.grows("job-0").await;
    all_read(stage.node, bed, "reader", folder, "job-0").await;
    stage.same_claim().await;
    end(bed, "EcsService", "reader").await;
    bed.gone::<k8s_openapi::api::apps::v1::Deployment>("reader")
        .await;
    folder.grows("job-0").await;
    stage.same_claim().await;
    end(bed, "EcsTask", "job").await;
    nothing_left(bed).await;

    // The data stays, and whoever comes back finds it.
    let written = folder.lines("job-0");
    serve(bed, "reader", with_shared(server("app", "0"), true)).await;
    all_read(stage.node, bed, "reader", folder, "job-0").await;
    end(bed, "EcsService", "reader").await;
    nothing_left(bed).await;
    assert_eq!(folder.lines("job-0"), written);
}
