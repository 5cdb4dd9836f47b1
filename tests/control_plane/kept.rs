//! What runs goes on as it was rendered: whatever becomes of the operator, its settings, a status or the service itself.
//! Each test has a control plane and an operator of its own.

use std::collections::BTreeMap;

use ecs_operator_testbed::{ControlPlane, until};
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::Pod,
};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy},
};
use serde_json::{Value, json};

use crate::{
    deployments::{HOLD, appear, cannot_pull, told},
    support::{Bed, LIMIT, Operator, condition, install, task_definition, uid},
};

const NAMES: &[&str] = &["good", "rolled", "failed", "stopped"];

async fn plane() -> (ControlPlane, Bed) {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "kept").await;
    (plane, bed)
}

fn service(name: &str, rollback: bool, count: i64) -> Value {
    json!({
        "taskDefinition": name,
        "desiredCount": count,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}},
    })
}

async fn define(bed: &Bed, name: &str, image: &str) {
    bed.must_apply("EcsTaskDefinition", name, task_definition(image))
        .await;
}

async fn steady(bed: &Bed, name: &str, rollback: bool, count: i64) {
    define(bed, name, "testbed/web").await;
    bed.must_apply("EcsService", name, service(name, rollback, count))
        .await;
    bed.condition("EcsService", name, "Ready", "True").await;
}

async fn pods(bed: &Bed) -> BTreeMap<String, String> {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let there = pods
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    there.map(|pod| (pod.name_any(), uid(&pod))).collect()
}

async fn deployments_of(bed: &Bed, name: &str) -> Vec<String> {
    told(&json!(bed.resources("EcsService").get(name).await.unwrap()))
}

/// Waits until the operator has looked at everything.
async fn settled(operator: &Operator, services: u64) {
    operator.leads().await;
    until("everything to be reconciled", LIMIT, async || {
        let reconciled = operator
            .metric("ecs_operator_reconciles_total", "EcsService")
            .await;
        let waiting = operator.metric("ecs_operator_queue_depth", "").await;
        Ok((reconciled >= services && waiting == 0).then_some(()))
    })
    .await
    .unwrap();
}

/// Services that are steady, rolled back, failed and stopped by hand.
async fn known_bad(bed: &Bed) {
    for name in NAMES {
        steady(bed, name, *name == "rolled", 2).await;
    }
    for name in &NAMES[1..] {
        define(bed, name, &format!("{HOLD}:{name}")).await;
        let pods = appear(bed, &format!("{HOLD}:{name}"), 2).await;
        if *name == "stopped" {
            let object = bed.resources("EcsService").get("stopped").await.unwrap();
            let id = json!(object)["status"]["deployments"][0]["id"].clone();
            annotate(bed, name, "ecs-operator.dev/stop-deployment", &id).await;
        } else {
            for pod in &pods {
                cannot_pull(bed, pod).await;
            }
            define(bed, name, &format!("{HOLD}:{name}")).await;
        }
        let wanted = match *name {
            "rolled" => {
                ["PRIMARY rolled:1 COMPLETED", "INACTIVE rolled:2 FAILED"].map(str::to_owned)
            }
            name => [
                format!("PRIMARY {name}:2 FAILED"),
                format!("ACTIVE {name}:1 COMPLETED"),
            ],
        };
        bed.until("EcsService", name, "the failure", |object| {
            told(object) == wanted
        })
        .await;
        until("the old tasks alone", LIMIT, async || {
            let found = bed.tasks(name).await;
            Ok((found.len() == 2).then_some(()))
        })
        .await
        .unwrap();
    }
}

async fn annotate(bed: &Bed, name: &str, annotation: &str, value: &Value) {
    let change = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
    let services = bed.resources("EcsService");
    let params = PatchParams::default();
    services.patch(name, &params, &change).await.unwrap();
}

#[tokio::test]
async fn an_operator_with_other_settings_changes_nothing_until_it_is_asked_to() {
    let (plane, bed) = plane().await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    known_bad(&bed).await;
    let before = pods(&bed).await;
    let mut lists = Vec::new();
    for name in NAMES {
        lists.push(deployments_of(&bed, name).await);
    }
    assert_eq!(first.terminate(), Some(0));

    let second = Operator::start(&plane, "second", &["--image-pull-policy=always-for-tags"])
        .await
        .unwrap();
    settled(&second, 4).await;
    // A change of the count is none of the tasks.
    for name in NAMES {
        bed.must_apply("EcsService", name, service(name, *name == "rolled", 3))
            .await;
        bed.until("EcsService", name, "three tasks", |object| {
            object["status"]["runningCount"] == 3
        })
        .await;
    }
    let now = pods(&bed).await;
    for (name, uid) in &before {
        assert_eq!(now.get(name), Some(uid), "{name} was replaced");
    }
    for (name, list) in NAMES.iter().zip(&lists) {
        assert_eq!(&deployments_of(&bed, name).await, list, "{name}");
    }

    let renewable = bed
        .until("EcsService", "good", "what would differ", |object| {
            object["status"]["renewal"]["state"] == "available"
        })
        .await;
    assert_eq!(
        renewable["status"]["renewal"]["differences"],
        json!(["Deployment good: spec.template.spec.containers[0].imagePullPolicy"])
    );
    let count = second
        .metric("ecs_operator_resources", "RenewalAvailable")
        .await;
    assert!(count >= 1);
    // Until somebody asks for it.
    let object = bed.resources("EcsService").get("good").await.unwrap();
    let id = json!(object)["status"]["deployments"][0]["id"].clone();
    annotate(&bed, "good", "ecs-operator.dev/renew-deployment", &id).await;
    bed.until("EcsService", "good", "the renewal", |object| {
        object["status"]["renewal"]["state"] == "none"
            && object["status"]["deployments"][0]["id"] != id
            && told(object) == ["PRIMARY good:1 COMPLETED"]
    })
    .await;
    let deployment: Deployment = bed.api().get("good").await.unwrap();
    let spec = json!(deployment)["spec"]["template"]["spec"].clone();
    assert_eq!(spec["containers"][0]["imagePullPolicy"], "Always");
    drop(second);
}

#[tokio::test]
async fn an_operator_renews_by_itself_if_it_is_told_to() {
    let (plane, bed) = plane().await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    for name in ["a", "b"] {
        steady(&bed, name, true, 1).await;
    }
    assert_eq!(first.terminate(), Some(0));
    let arguments = ["--image-pull-policy=always-for-tags", "--renewal=automatic"];
    let _second = Operator::start(&plane, "second", &arguments).await.unwrap();
    for name in ["a", "b"] {
        bed.eventually::<Deployment>(name, "another policy", |deployment| {
            let spec = &json!(deployment)["spec"]["template"]["spec"];
            spec["containers"][0]["imagePullPolicy"] == "Always"
        })
        .await;
        bed.condition("EcsService", name, "Ready", "True").await;
    }
}

async fn lose_status(bed: &Bed, name: &str) {
    let empty = Patch::Merge(json!({"status": null}));
    let services = bed.resources("EcsService");
    let params = PatchParams::default();
    services.patch_status(name, &params, &empty).await.unwrap();
}

#[tokio::test]
async fn a_lost_status_ends_nothing_and_tries_nothing_again() {
    let (plane, bed) = plane().await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    known_bad(&bed).await;
    steady(&bed, "middle", false, 4).await;
    define(&bed, "middle", HOLD).await;
    appear(&bed, HOLD, 4).await;
    let before = pods(&bed).await;
    assert_eq!(first.terminate(), Some(0));
    for name in NAMES.iter().chain([&"middle"]) {
        lose_status(&bed, name).await;
    }

    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    settled(&second, 5).await;
    for (name, wanted) in [
        ("good", vec!["PRIMARY good:1 COMPLETED"]),
        (
            "rolled",
            vec!["PRIMARY rolled:1 COMPLETED", "INACTIVE rolled:2 FAILED"],
        ),
        (
            "failed",
            vec!["PRIMARY failed:1 COMPLETED", "INACTIVE failed:2 FAILED"],
        ),
        (
            "stopped",
            vec!["PRIMARY stopped:1 COMPLETED", "INACTIVE stopped:2 FAILED"],
        ),
        (
            "middle",
            vec!["PRIMARY middle:2 IN_PROGRESS", "ACTIVE middle:1 COMPLETED"],
        ),
    ] {
        bed.until("EcsService", name, "a status again", |object| {
            told(object) == wanted
        })
        .await;
    }
    assert_eq!(pods(&bed).await, before);
    // What fails now does not end what serves.
    for pod in appear(&bed, HOLD, 4).await.iter().take(3) {
        cannot_pull(&bed, pod).await;
    }
    bed.until("EcsService", "middle", "the failure", |object| {
        told(object) == ["PRIMARY middle:2 FAILED", "ACTIVE middle:1 COMPLETED"]
    })
    .await;
    let now = pods(&bed).await;
    let serving = before
        .iter()
        .filter(|(name, uid)| now.get(*name) == Some(*uid));
    assert!(serving.count() >= 4 * 2 + 4, "{before:?} {now:?}");
    drop(second);
}

#[tokio::test]
async fn a_service_that_is_deleted_without_its_tasks_can_have_them_back() {
    let (plane, bed) = plane().await;
    let _operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    steady(&bed, "web", true, 2).await;
    let before = pods(&bed).await;
    let deployment: Deployment = bed.api().get("web").await.unwrap();
    let orphan = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..DeleteParams::default()
    };
    let services = bed.resources("EcsService");
    services.delete("web", &orphan).await.unwrap();
    until("the service to be gone", LIMIT, async || {
        Ok(services.get_opt("web").await?.is_none().then_some(()))
    })
    .await
    .unwrap();
    let revisions = bed.api::<ControllerRevision>();
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let left = revisions.list(&of_service).await.unwrap().items;
    assert!(left.iter().all(|it| it.owner_references().is_empty()) && left.len() == 1);

    bed.must_apply("EcsService", "web", service("web", true, 2))
        .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    assert_eq!(pods(&bed).await, before);
    let again: Deployment = bed.api().get("web").await.unwrap();
    assert_eq!(uid(&again), uid(&deployment));
    assert_eq!(again.owner_references().len(), 1);
    let left = revisions.list(&of_service).await.unwrap().items;
    assert_eq!(left.len(), 1, "it is the revision that was there");
    assert_eq!(left[0].owner_references().len(), 1);
}

#[tokio::test]
async fn tasks_that_work_again_are_not_replaced_when_an_operator_starts() {
    let (plane, bed) = plane().await;
    let first = Operator::start(&plane, "first", &[]).await.unwrap();
    let mut definition = task_definition("testbed/web");
    let containers = definition["containerDefinitions"].as_array_mut().unwrap();
    containers.push(json!({
        "name": "log", "image": "testbed/log", "cpu": 32, "memory": 64, "essential": false,
    }));
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply("EcsService", "web", service("web", true, 4))
        .await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    assert_eq!(first.terminate(), Some(0));
    let before = pods(&bed).await;
    let container = |name: &str, restarts: i32, ready: bool| {
        let mut status = json!({
            "name": name, "image": "testbed/web", "imageID": "", "ready": ready, "started": ready,
            "restartCount": restarts, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        });
        if !ready {
            status["state"] = json!({"terminated": {"exitCode": 1}});
        }
        status
    };
    // Three have been started again and work; one does not.
    let api = bed.api::<Pod>();
    let broken = before.keys().next().unwrap().clone();
    for name in before.keys() {
        let works = *name != broken;
        let ready = if works { "True" } else { "False" };
        let status = json!({"status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [container("app", 1, works), container("log", 0, true)],
        }});
        let params = PatchParams::default();
        api.patch_status(name, &params, &Patch::Strategic(status))
            .await
            .unwrap();
    }
    let second = Operator::start(&plane, "second", &[]).await.unwrap();
    settled(&second, 1).await;
    bed.event("web", "TasksStopped").await;
    bed.gone::<Pod>(&broken).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let now = pods(&bed).await;
    let same = before
        .iter()
        .filter(|(name, uid)| now.get(*name) == Some(*uid));
    assert_eq!(same.count(), 3, "{before:?} {now:?}");
    assert_eq!(
        condition(
            &json!(bed.resources("EcsService").get("web").await.unwrap()),
            "Ready"
        )["status"],
        "True"
    );
}

#[tokio::test]
async fn a_refused_spec_leaves_the_limits_of_an_autoscaler_as_they_are() {
    let (plane, bed) = plane().await;
    let operator = Operator::start(&plane, "operator", &[]).await.unwrap();
    operator.leads().await;
    define(&bed, "web", "testbed/web").await;
    let spec = |most: i64| {
        let tracking = json!({
            "TargetValue": 60.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        });
        json!({
            "taskDefinition": "web",
            "desiredCount": 2,
            "autoScaling": {
                "scalableTarget": {"MinCapacity": 2, "MaxCapacity": most},
                "scalingPolicies": [{
                    "PolicyName": "load", "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingScalingPolicyConfiguration": tracking,
                }],
            },
        })
    };
    bed.must_apply("EcsService", "web", spec(4)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    bed.must_apply("EcsService", "web", spec(8)).await;
    let most = |scaler: &HorizontalPodAutoscaler| scaler.spec.max_replicas;
    bed.eventually("web", "the higher limit", |scaler| most(scaler) == 8)
        .await;
    let mut refused = spec(8);
    refused["loadBalancers"] = json!([{
        "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/a/0123456789abcdef",
        "containerName": "nobody", "containerPort": 80,
    }]);
    bed.must_apply("EcsService", "web", refused).await;
    bed.condition("EcsService", "web", "Accepted", "False")
        .await;
    // It is looked at again, and once more by another operator.
    drop(operator);
    let operator = Operator::start(&plane, "second", &[]).await.unwrap();
    settled(&operator, 1).await;
    let scaler = bed.api().get("web").await.unwrap();
    assert_eq!(most(&scaler), 8);
}
