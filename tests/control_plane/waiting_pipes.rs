//! Pipes that delete a message only when its tasks have succeeded.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::json;

use crate::{
    pipes::{Cloud, each_once, order, orders, pipe, shared, tasks, until_orders},
    support::{Bed, at_rest},
};

/// Ends all pods with exit code 0.
async fn succeed(bed: &Bed) {
    let pods = bed.api::<Pod>();
    for pod in pods.list(&Default::default()).await.unwrap() {
        let at = "2026-01-01T00:00:00Z";
        let status = json!({"status": {"phase": "Succeeded", "containerStatuses": [{
            "name": "app", "image": "testbed/web", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}},
        }]}});
        let patch = Patch::Merge(status);
        let params = PatchParams::default();
        pods.patch_status(&pod.name_any(), &params, &patch)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_message_stays_until_its_task_has_succeeded_also_when_the_operator_is_killed() {
    let cloud = Cloud::start().await;
    let operator = cloud.operator("operator").await;
    let bed = cloud.bed("pipe-waits", "testbed/web").await;
    let attributes = json!({"VisibilityTimeout": "4"});
    let queue = cloud.queue(&bed, "orders", attributes).await;
    let mut spec = pipe(&queue);
    spec["waitForTask"] = json!(true);
    spec["maxInFlight"] = json!(2);
    bed.must_apply("EcsPipe", "orders", spec.clone()).await;
    for number in 0..3 {
        queue.send(&order(number)).await;
    }
    until_orders(&bed, "orders", 2).await;
    operator.signal("KILL").unwrap();

    let _operator = cloud.operator("operator").await;
    let known = async || (tasks(&bed, "orders").await.len(), queue.len().await);
    let known = at_rest("the tasks", known).await;
    assert_eq!(known, (2, 3), "two at once are enough");

    // The messages whose tasks run come again, and find them.
    spec["maxInFlight"] = json!(10);
    bed.must_apply("EcsPipe", "orders", spec).await;
    bed.until("EcsPipe", "orders", "all three messages", |object| {
        let received = object["status"]["received"].as_i64();
        received >= Some(3) && object["status"]["started"] == 1
    })
    .await;
    let known = async || (tasks(&bed, "orders").await.len(), queue.len().await);
    assert_eq!(at_rest("the tasks", known).await, (3, 3));
    succeed(&bed).await;
    queue.has(0).await;
    assert_eq!(orders(&bed, "orders").await, each_once(3));
}

#[tokio::test]
async fn a_message_whose_tasks_fail_starts_others_until_it_is_moved() {
    let (_, cloud) = shared().await;
    let bed = cloud.bed("pipe-fails", "testbed/exit:3").await;
    let failures = cloud.queue(&bed, "failures", json!({})).await;
    let redrive = json!({"deadLetterTargetArn": failures.arn, "maxReceiveCount": 2});
    let attributes = json!({"VisibilityTimeout": "6", "RedrivePolicy": redrive.to_string()});
    let queue = cloud.queue(&bed, "orders", attributes).await;
    queue.send(&order(0)).await;
    let mut spec = pipe(&queue);
    spec["waitForTask"] = json!(true);
    bed.must_apply("EcsPipe", "orders", spec).await;
    failures.has(1).await;
    queue.has(0).await;
    let tasks = tasks(&bed, "orders").await;
    assert_eq!(tasks.len(), 2);
    let message = |task: &DynamicObject| task.labels()["ecs-operator.dev/pipe-message"].clone();
    assert_eq!(message(&tasks[0]), message(&tasks[1]));
    let object = bed
        .until("EcsPipe", "orders", "both failures", |object| {
            object["status"]["failures"]
                .as_array()
                .is_some_and(|list| list.len() == 2)
        })
        .await;
    let failure = &object["status"]["failures"][0];
    assert_eq!(failure["reason"], "PipeTaskFailed", "{failure}");
    let why = failure["message"].as_str().unwrap();
    assert!(why.contains("EssentialContainerExited"), "{why}");
    let note = bed.event("orders", "PipeTaskFailed").await;
    assert!(note.contains("has failed"), "{note}");
}
