//! What is told of troubles that real pods cannot be made to have here, and what is kept of them over a restart.

use std::path::{Path, PathBuf};

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    bed,
    deployments::{appear, write_status},
    shared,
    support::{Bed, LIMIT, Operator, condition, install, program, task_definition},
};

const HOLD: &str = "testbed/hold";

async fn service(bed: &Bed, definition: Value) {
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    let spec = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", spec).await;
}

/// Waits until a condition, an event and the program say it all.
async fn told(bed: &Bed, kubeconfig: &Path, type_: &str, reason: &str, says: &[&str]) {
    let fits = |text: &str| says.iter().all(|words| text.contains(words));
    bed.until("EcsService", "web", "what is wrong", |object| {
        let message = &condition(object, type_)["message"];
        fits(message.as_str().unwrap_or_default())
    })
    .await;
    let events = bed.api::<Event>();
    until("an event", LIMIT, async || {
        let events = events.list(&ListParams::default()).await?;
        let is_it = |event: &Event| {
            event.involved_object.name.as_deref() == Some("web")
                && event.reason.as_deref() == Some(reason)
                && event.message.as_deref().is_some_and(fits)
        };
        Ok(events.iter().any(is_it).then_some(()))
    })
    .await
    .unwrap();
    let page = page(bed, kubeconfig).await;
    assert!(fits(&page), "{page}");
}

/// What `ecs-operator status` prints.
async fn page(bed: &Bed, kubeconfig: &Path) -> String {
    let output = Command::new(program())
        .args(["status", "web", "--namespace", bed.namespace.name()])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The kubeconfig file of the control plane that tests share.
async fn shared_plane() -> PathBuf {
    let (_, plane) = shared().await;
    plane.kubeconfig()
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_told() {
    let bed = bed("node").await;
    service(&bed, task_definition(HOLD)).await;
    let pod = appear(&bed, HOLD, 1).await.remove(0);
    let placed = bed
        .eventually::<Pod>(&pod.name_any(), "its node", |pod| {
            pod.spec
                .as_ref()
                .is_some_and(|spec| spec.node_name.is_some())
        })
        .await;
    let node = placed.spec.unwrap().node_name.unwrap();
    // So does the controller of nodes, when one is silent.
    let at = "2026-01-15T10:00:00Z";
    let status = json!({"status": {
        "phase": "Running",
        "conditions": [
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": at},
            {"type": "Ready", "status": "False", "lastTransitionTime": at},
        ],
        "containerStatuses": [{
            "name": "app", "image": HOLD, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": at}},
        }],
    }});
    write_status(&bed, &pod, status).await;
    let says = format!("the node {node} of a task does not respond");
    let advice = format!("see kubectl describe node {node}");
    let says: &[&str] = &[&says, &advice];
    told(&bed, &shared_plane().await, "Ready", "NodeNotReady", says).await;
}

#[tokio::test]
async fn nodes_that_take_no_task_are_told_in_a_rollout() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "cordon").await;
    let _operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    service(&bed, task_definition("testbed/web:1")).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let nodes: Api<Node> = Api::all(bed.client.clone());
    for node in nodes.list(&ListParams::default()).await.unwrap() {
        let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
        let params = PatchParams::default();
        nodes
            .patch(&node.name_any(), &params, &cordon)
            .await
            .unwrap();
    }
    service(&bed, task_definition("testbed/web:2")).await;
    let says = [
        "was unable to place a task because",
        "The container instances are DRAINING",
        "let them take tasks again with kubectl uncordon",
    ];
    let kubeconfig = plane.kubeconfig();
    told(&bed, &kubeconfig, "Ready", "UnableToPlaceTask", &says).await;
    let running = bed.tasks("web").await.len();
    assert_eq!(running, 2, "what ran goes on beside the one that waits");
}

#[tokio::test]
async fn an_add_on_that_secrets_need_is_told() {
    let bed = bed("secrets").await;
    let mut definition = task_definition("testbed/web");
    definition["containerDefinitions"][0]["secrets"] = json!([{
        "name": "PASSWORD",
        "valueFrom": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-Xk2p9Q",
    }]);
    service(&bed, definition).await;
    let says = [
        "secrets need the External Secrets Operator",
        "which is not installed (install it",
    ];
    let reason = "ExternalSecretsUnavailable";
    told(&bed, &shared_plane().await, "Accepted", reason, &says).await;
}

#[tokio::test]
async fn that_there_is_no_operator_is_told() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "nobody").await;
    service(&bed, task_definition("testbed/web")).await;
    let page = page(&bed, &plane.kubeconfig()).await;
    assert!(page.contains("No operator has processed it yet"), "{page}");
}

/// A container that has ended so often with 3, and runs again.
fn crashed(restarts: u32) -> Value {
    let at = k8s_openapi::jiff::Timestamp::now().to_string();
    json!({"status": {"phase": "Running", "containerStatuses": [{
        "name": "app", "image": HOLD, "imageID": "", "ready": false, "started": true, "restartCount": restarts,
        "state": {"running": {"startedAt": at}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": at}},
    }]}})
}

#[tokio::test]
async fn each_end_of_a_container_is_told_once_whichever_operator_sees_it() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "ends").await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    service(&bed, task_definition(HOLD)).await;
    let pod = appear(&bed, HOLD, 1).await.remove(0);
    let ends = async |expected: &[i64]| {
        let object = bed
            .until("EcsService", "web", &format!("{expected:?}"), |object| {
                let stopped = object["status"]["stoppedTasks"].as_array();
                let ends = stopped.into_iter().flatten().map(|it| it["ends"].as_i64());
                ends.eq(expected.iter().map(|end| Some(*end)))
            })
            .await;
        let stopped = object["status"]["stoppedTasks"][0].clone();
        assert_eq!(stopped["stopCode"], "EssentialContainerExited", "{stopped}");
        assert_eq!(stopped["containers"][0]["exitCode"], 3, "{stopped}");
        assert_eq!(stopped["taskDefinition"], "web:1", "{stopped}");
    };
    write_status(&bed, &pod, crashed(1)).await;
    ends(&[1]).await;
    write_status(&bed, &pod, crashed(2)).await;
    ends(&[2, 1]).await;
    assert_eq!(first.terminate(), Some(0));

    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    second.leads().await;
    until("everything to be reconciled", LIMIT, async || {
        let reconciled = second
            .metric("ecs_operator_reconciles_total", "EcsService")
            .await;
        let waiting = second.metric("ecs_operator_queue_depth", "").await;
        Ok((reconciled >= 1 && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
    let writes = second
        .metric("ecs_operator_api_requests_total", "PATCH")
        .await;
    assert_eq!(writes, 0, "nothing is new: {}", second.last_words());
    write_status(&bed, &pod, crashed(3)).await;
    ends(&[3, 2, 1]).await;
}

#[tokio::test]
async fn a_task_that_the_operator_evicts_is_told_once() {
    let bed = bed("evicted").await;
    let mut definition = task_definition(HOLD);
    let containers = definition["containerDefinitions"].as_array_mut().unwrap();
    containers.push(json!({"name": "log", "image": HOLD, "cpu": 32, "memory": 64}));
    service(&bed, definition).await;
    let ends = async |not: &str| {
        let fits = |pods: &[Pod]| pods.iter().position(|pod| pod.name_any() != not);
        let pod = until("a pod", LIMIT, async || {
            let mut pods = bed.tasks("web").await;
            Ok(fits(&pods).map(|index| pods.remove(index)))
        })
        .await
        .unwrap();
        let at = k8s_openapi::jiff::Timestamp::now().to_string();
        let container = |name: &str, state: Value| {
            json!({
                "name": name, "image": HOLD, "imageID": "", "ready": false, "restartCount": 0, "state": state,
            })
        };
        let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": at}});
        let runs = json!({"running": {"startedAt": at}});
        let containers = [container("app", ended), container("log", runs)];
        let status = json!({"status": {"phase": "Running", "containerStatuses": containers}});
        write_status(&bed, &pod, status).await;
        pod.name_any()
    };
    let first = ends("").await;
    bed.gone::<Pod>(&first).await;
    // Whatever there was to tell of the first one is told before this.
    let second = ends(&first).await;
    let object = bed
        .until("EcsService", "web", "the second one", |object| {
            // Both may have ended in one second.
            let stopped = object["status"]["stoppedTasks"].as_array();
            let mut stopped = stopped.into_iter().flatten();
            stopped.any(|task| task["name"] == *second)
        })
        .await;
    let told: Vec<&Value> = object["status"]["stoppedTasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|task| task["name"] == *first)
        .map(|task| &task["stopCode"])
        .collect();
    assert_eq!(told, ["EssentialContainerExited"]);
}
