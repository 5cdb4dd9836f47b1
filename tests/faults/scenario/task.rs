//! Tasks that run once, and the history of task definitions.

use k8s_openapi::{
    api::{apps::v1::ControllerRevision, core::v1::Pod},
    jiff::Timestamp,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Scenario, nothing, register, revise, steady};
use crate::support::Bed;

pub const TASK: Scenario = Scenario {
    name: "task-of-two-containers",
    prepare: nothing,
    act: |bed| {
        Box::pin(async move {
            let container =
                |name: &str| json!({"name": name, "image": HOLD, "cpu": 32, "memory": 64});
            let definition = json!({
                "networkMode": "awsvpc",
                "containerDefinitions": [container("app"), container("log")],
            });
            register(&bed, "job", definition, 1).await;
            let task = json!({"taskDefinition": "job", "count": 2});
            bed.must_apply("EcsTask", "job", task).await;
            // Seconds, as the kubelet gives them.
            let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
            let running = |_: usize| json!({"running": {"startedAt": now}});
            become_so(&bed, "RUNNING", "Running", running).await;
            let ended = |index: usize| {
                json!({"terminated": {
                    "exitCode": 3 * index,
                    "startedAt": now,
                    "finishedAt": now,
                }})
            };
            become_so(&bed, "STOPPED", "Failed", ended).await;
        })
    },
};

/// The image of a container whose status is written here.
const HOLD: &str = "testbed/hold";

/// Has the containers of both pods be in a state each, and waits until the task tells of that.
async fn become_so(bed: &Bed, status: &str, phase: &str, state: impl Fn(usize) -> Value) {
    let containers: Vec<Value> = ["app", "log"]
        .iter()
        .enumerate()
        .map(|(index, name)| {
            json!({
                "name": name, "image": HOLD, "imageID": "", "restartCount": 0,
                "ready": phase == "Running", "state": state(index),
            })
        })
        .collect();
    let change = json!({"status": {"phase": phase, "containerStatuses": containers}});
    let pods = bed.api::<Pod>();
    for name in ["job-0", "job-1"] {
        // It is made and placed before it runs.
        bed.eventually::<Pod>(name, "a pod with a node", |pod| {
            let spec = pod.spec.as_ref();
            spec.is_some_and(|spec| spec.node_name.is_some())
        })
        .await;
        let (params, patch) = (PatchParams::default(), Patch::Merge(&change));
        pods.patch_status(name, &params, &patch).await.unwrap();
    }
    bed.until("EcsTask", "job", status, |object| {
        object["status"]["lastStatus"] == status
    })
    .await;
}

pub const HISTORY: Scenario = Scenario {
    name: "history-with-a-pin",
    prepare: |bed| {
        Box::pin(async move {
            revise(&bed, "testbed/1", 1).await;
            pin(&bed, 1).await;
            for number in 2..=10 {
                revise(&bed, &format!("testbed/{number}"), number).await;
            }
        })
    },
    act: |bed| {
        Box::pin(async move {
            for number in 11..=13 {
                revise(&bed, &format!("testbed/{number}"), number).await;
            }
            bed.gone::<ControllerRevision>("web.2").await;
            pin(&bed, 2).await;
        })
    },
};

/// Runs a service that is pinned to the first revision.
async fn pin(bed: &Bed, count: i64) {
    let pinned = json!({"taskDefinition": "web:1", "desiredCount": count});
    bed.must_apply("EcsService", "pinned", pinned).await;
    steady(bed, "pinned", "web:1").await;
}
