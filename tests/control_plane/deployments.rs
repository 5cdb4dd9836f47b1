//! Deployments: what begins one, what stops it, and where a service goes then.

use ecs_operator_testbed::{ControlPlane, until};
use futures::TryStreamExt as _;
use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, DaemonSet, Deployment},
        core::v1::{Pod, ServiceAccount},
    },
    apimachinery::pkg::util::intstr::IntOrString,
    jiff::{SignedDuration, Timestamp},
};

use kube::{
    ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};

use crate::{
    bed,
    proxy::{Proxy, is_write},
    support::{Bed, LIMIT, Operator, condition, install, task_definition, uid},
};

/// The image of a container whose status a test writes.
pub const HOLD: &str = "testbed/hold";

fn breaker(count: i64, rollback: bool) -> Value {
    json!({
        "taskDefinition": "web",
        "desiredCount": count,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": rollback}},
    })
}

async fn revise(bed: &Bed, image: &str) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition(image))
        .await;
}

/// A service that runs `testbed/web`.
async fn steady(bed: &Bed, spec: Value) {
    revise(bed, "testbed/web").await;
    bed.must_apply("EcsService", "web", spec).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

fn image(pod: &Pod) -> &str {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    container
        .and_then(|it| it.image.as_deref())
        .unwrap_or_default()
}

async fn pods_of(bed: &Bed, wanted: &str) -> Vec<Pod> {
    let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let there = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
    pods.into_iter()
        .filter(|pod| image(pod) == wanted && there(pod))
        .collect()
}

/// Waits until so many pods of an image are there.
pub async fn appear(bed: &Bed, image: &str, count: usize) -> Vec<Pod> {
    until(&format!("{count} pods of {image}"), LIMIT, async || {
        let pods = pods_of(bed, image).await;
        Ok((pods.len() == count).then_some(pods))
    })
    .await
    .unwrap()
}

/// Has a container of a pod wait for its image in vain.
pub async fn cannot_pull(bed: &Bed, pod: &Pod) {
    try_cannot_pull(bed, pod).await.unwrap();
}

async fn try_cannot_pull(bed: &Bed, pod: &Pod) -> kube::Result<()> {
    let status = json!({"status": {"phase": "Pending", "containerStatuses": [{
        "name": "app", "image": HOLD, "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
    }]}});
    try_write_status(bed, pod, status).await
}

pub async fn write_status(bed: &Bed, pod: &Pod, status: Value) {
    try_write_status(bed, pod, status).await.unwrap();
}

async fn try_write_status(bed: &Bed, pod: &Pod, status: Value) -> kube::Result<()> {
    let (params, patch) = (PatchParams::default(), Patch::Merge(status));
    let pods = bed.api::<Pod>();
    let written = pods.patch_status(&pod.name_any(), &params, &patch).await;
    written.map(drop)
}

/// The deployments as far as they can be foreseen.
pub fn told(object: &Value) -> Vec<String> {
    let list = object["status"]["deployments"].as_array();
    let text = |deployment: &Value, member: &str| {
        deployment[member].as_str().unwrap_or_default().to_owned()
    };
    list.into_iter()
        .flatten()
        .map(|deployment| {
            ["status", "taskDefinition", "rolloutState"]
                .map(|member| text(deployment, member))
                .join(" ")
        })
        .collect()
}

fn ready(object: &Value) -> Value {
    condition(object, "Ready")["reason"].clone()
}

fn template_image(deployment: &Deployment) -> Option<&str> {
    let template = &deployment.spec.as_ref()?.template;
    template.spec.as_ref()?.containers.first()?.image.as_deref()
}

#[tokio::test]
async fn a_deployment_whose_tasks_fail_is_rolled_back_once() {
    let bed = bed("rollback").await;
    steady(&bed, breaker(4, true)).await;
    let first = bed.until("EcsService", "web", "a status", |_| true).await;
    revise(&bed, HOLD).await;
    for pod in appear(&bed, HOLD, 4).await.iter().take(3) {
        cannot_pull(&bed, pod).await;
    }
    let rolled = bed
        .until("EcsService", "web", "the rollback", |object| {
            told(object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"]
                && ready(object) == "RolledBack"
        })
        .await;
    let deployments = &rolled["status"]["deployments"];
    // One that still waits for its image is counted again after ten seconds.
    assert!(deployments[1]["failedTasks"].as_i64() >= Some(3));
    assert_eq!(
        deployments[1]["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed to start."
    );
    assert_eq!(rolled["status"]["runningCount"], 4);
    assert_eq!(rolled["status"]["taskDefinition"], "web:1");
    let note = bed.event("web", "DeploymentFailed").await;
    // Why is still known when the pods are gone.
    let last = "The last failure: CannotPullContainerError: container app: no such image: correct its image, or allow the nodes to pull it.";
    assert!(
        note.ends_with(&format!("deployment failed: tasks failed to start. {last}")),
        "{note}"
    );
    let message = condition(&rolled, "Ready")["message"].clone();
    assert!(message.as_str().unwrap().contains(last), "{message}");
    let good = first["status"]["deployments"][0]["id"].as_str().unwrap();
    assert_eq!(
        deployments[0]["rolloutStateReason"],
        format!(
            "ECS deployment {} completed.",
            deployments[0]["id"].as_str().unwrap()
        )
    );
    assert_ne!(deployments[0]["id"], good);

    // What failed is not tried again, although the spec asks for it; the count is still the spec's.
    bed.must_apply("EcsService", "web", breaker(5, true)).await;
    let scaled = bed
        .until("EcsService", "web", "the scaling", |object| {
            object["status"]["runningCount"] == 5
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    assert_eq!(told(&scaled), told(&rolled));
    assert!(pods_of(&bed, HOLD).await.is_empty());

    revise(&bed, "testbed/web:3").await;
    let third = bed
        .until("EcsService", "web", "the third revision", |object| {
            told(object) == ["PRIMARY web:3 COMPLETED"] && ready(object) == "SteadyState"
        })
        .await;
    assert_eq!(third["status"]["rolledBackRevision"], Value::Null);
    let revisions = bed.api::<ControllerRevision>();
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let mut numbers: Vec<i64> = revisions
        .list(&of_service)
        .await
        .unwrap()
        .into_iter()
        .map(|revision| revision.revision)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3], "one for each, none for the rollback");
}

#[tokio::test]
async fn a_failed_deployment_without_rollback_leaves_the_old_tasks() {
    let bed = bed("failed").await;
    steady(&bed, breaker(2, false)).await;
    revise(&bed, HOLD).await;
    let pods = appear(&bed, HOLD, 2).await;
    // Two that cannot start and one that has crashed.
    cannot_pull(&bed, &pods[0]).await;
    let crashed = json!({"status": {"containerStatuses": [{
        "name": "app", "image": HOLD, "imageID": "", "ready": false, "restartCount": 1,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }]}});
    write_status(&bed, &pods[1], crashed).await;
    let failed = bed
        .until("EcsService", "web", "the failure", |object| {
            told(object) == ["PRIMARY web:2 FAILED", "ACTIVE web:1 COMPLETED"]
                && object["status"]["runningCount"] == 2
        })
        .await;
    assert_eq!(ready(&failed), "DeploymentFailed");
    assert_eq!(condition(&failed, "Progressing")["status"], "False");
    bed.must_apply("EcsService", "web", breaker(3, false)).await;
    bed.until("EcsService", "web", "more of the old tasks", |object| {
        object["status"]["deployments"][1]["runningCount"] == 3
    })
    .await;
    until("no failing task", LIMIT, async || {
        Ok(pods_of(&bed, HOLD).await.is_empty().then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(pods_of(&bed, "testbed/web").await.len(), 3);
}

#[tokio::test]
async fn a_first_deployment_that_fails_leaves_no_task() {
    let bed = bed("first").await;
    revise(&bed, HOLD).await;
    bed.must_apply("EcsService", "web", breaker(3, true)).await;
    for pod in appear(&bed, HOLD, 3).await {
        cannot_pull(&bed, &pod).await;
    }
    bed.until("EcsService", "web", "the failure", |object| {
        told(object) == ["PRIMARY web:1 FAILED"] && ready(object) == "DeploymentFailed"
    })
    .await;
    bed.eventually::<Deployment>("web", "no replicas", |deployment| {
        deployment.spec.as_ref().unwrap().replicas == Some(0)
    })
    .await;
    revise(&bed, "testbed/web").await;
    bed.until("EcsService", "web", "another try", |object| {
        told(object) == ["PRIMARY web:2 COMPLETED"] && ready(object) == "SteadyState"
    })
    .await;
}

#[tokio::test]
async fn what_the_percentages_leave_no_room_for_is_held_back_and_told() {
    let bed = bed("held").await;
    let spec = |count: i64, maximum: i64| {
        json!({
            "taskDefinition": "web",
            "desiredCount": count,
            "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": maximum},
        })
    };
    steady(&bed, spec(2, 100)).await;
    revise(&bed, "testbed/web:2").await;
    let held = bed
        .until("EcsService", "web", "the stand-still", |object| {
            ready(object) == "DeploymentConfigurationBlocksRollout"
        })
        .await;
    assert_eq!(condition(&held, "Ready")["status"], "False");
    assert_eq!(
        told(&held),
        ["PRIMARY web:2 IN_PROGRESS", "ACTIVE web:1 COMPLETED"]
    );
    let note = bed
        .event("web", "DeploymentConfigurationBlocksRollout")
        .await;
    assert!(
        note.contains("Update the minimumHealthyPercent or maximumPercent value")
            && note.contains("100 and maximumPercent 100 of 2 tasks"),
        "{note}"
    );
    // Scaling works meanwhile, with old tasks.
    bed.must_apply("EcsService", "web", spec(3, 100)).await;
    appear(&bed, "testbed/web", 3).await;
    assert!(pods_of(&bed, "testbed/web:2").await.is_empty());
    bed.must_apply("EcsService", "web", spec(3, 200)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    appear(&bed, "testbed/web:2", 3).await;
    let deployment: Deployment = bed.api().get("web").await.unwrap();
    assert_eq!(deployment.spec.unwrap().paused, None);
}

#[tokio::test]
async fn only_what_concerns_the_tasks_begins_a_deployment() {
    let bed = bed("begins").await;
    let spec = |count: i64, force: &str| {
        json!({
            "taskDefinition": "web",
            "desiredCount": count,
            "kubernetes": {"forceNewDeployment": force},
            "deploymentConfiguration": {"minimumHealthyPercent": 50 + count},
        })
    };
    steady(&bed, spec(2, "a")).await;
    let pods: Vec<String> = appear(&bed, "testbed/web", 2)
        .await
        .iter()
        .map(uid)
        .collect();
    let id = |object: &Value| object["status"]["deployments"][0]["id"].clone();
    let first = bed.until("EcsService", "web", "a status", |_| true).await;
    bed.must_apply("EcsService", "web", spec(3, "a")).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let scaled = bed.until("EcsService", "web", "a status", |_| true).await;
    assert_eq!(id(&scaled), id(&first));
    let more: Vec<String> = appear(&bed, "testbed/web", 3)
        .await
        .iter()
        .map(uid)
        .collect();
    assert!(pods.iter().all(|pod| more.contains(pod)));

    bed.must_apply("EcsService", "web", spec(3, "b")).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let forced = bed.until("EcsService", "web", "a status", |_| true).await;
    assert_ne!(id(&forced), id(&first));
    let fresh: Vec<String> = appear(&bed, "testbed/web", 3)
        .await
        .iter()
        .map(uid)
        .collect();
    assert!(fresh.iter().all(|pod| !more.contains(pod)));
}

#[tokio::test]
async fn somebody_can_stop_a_deployment_or_roll_it_back() {
    for (annotation, expected) in [
        (
            "stop-deployment",
            ["PRIMARY web:2 FAILED", "ACTIVE web:1 COMPLETED"],
        ),
        (
            "roll-back-deployment",
            ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"],
        ),
    ] {
        let bed = bed("stop").await;
        steady(&bed, json!({"taskDefinition": "web", "desiredCount": 2})).await;
        revise(&bed, "testbed/unready").await;
        let begun = bed
            .until("EcsService", "web", "the deployment", |object| {
                told(object).first().map(String::as_str) == Some("PRIMARY web:2 IN_PROGRESS")
            })
            .await;
        let id = begun["status"]["deployments"][0]["id"].clone();
        let name = format!("ecs-operator.dev/{annotation}");
        let patch = json!({"metadata": {"annotations": {name: id}}});
        bed.resources("EcsService")
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        let stopped = bed
            .until("EcsService", "web", annotation, |object| {
                told(object) == expected && object["status"]["runningCount"] == 2
            })
            .await;
        assert_eq!(condition(&stopped, "Accepted")["status"], "True");
        bed.eventually::<Deployment>("web", "the old template", |deployment| {
            template_image(deployment) == Some("testbed/web")
        })
        .await;
    }
}

#[tokio::test]
async fn what_old_tasks_use_stays_until_they_are_replaced() {
    let bed = bed("uses").await;
    let definition = |image: &str, role: Option<&str>| {
        let mut definition = task_definition(image);
        if let Some(role) = role {
            definition["taskRoleArn"] = json!(format!("arn:aws:iam::123456789012:role/{role}"));
        }
        definition
    };
    let apply = async |image: &str, role| {
        bed.must_apply("EcsTaskDefinition", "web", definition(image, role))
            .await;
    };
    apply("testbed/web", Some("old")).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", service).await;
    for kind in ["EcsTaskDefinition", "EcsService"] {
        let patch = json!({"metadata": {"annotations": {"ecs-operator.dev/iam": "irsa"}}});
        bed.resources(kind)
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    }
    bed.condition("EcsService", "web", "Ready", "True").await;
    let accounts = async || {
        let accounts = bed.api::<ServiceAccount>();
        let names = accounts.list(&ListParams::default()).await.unwrap();
        let mut names: Vec<String> = names.iter().map(|it| it.name_any()).collect();
        names.retain(|name| name.starts_with("ecs-"));
        names
    };
    assert_eq!(accounts().await.len(), 1);
    apply("testbed/unready", Some("new")).await;
    appear(&bed, "testbed/unready", 1).await;
    bed.until("EcsService", "web", "the deployment", |object| {
        object["status"]["deployments"][0]["taskDefinition"] == "web:2"
            && object["status"]["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    })
    .await;
    assert_eq!(accounts().await.len(), 2, "an old task runs");
    apply("testbed/web", Some("new")).await;
    until("the old role to be gone", LIMIT, async || {
        Ok((accounts().await.len() == 1).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_task_that_waits_too_long_for_a_container_is_replaced() {
    let bed = bed("late").await;
    let mut definition = task_definition(HOLD);
    let containers = definition["containerDefinitions"].as_array_mut().unwrap();
    containers[0]["dependsOn"] = json!([{"containerName": "db", "condition": "HEALTHY"}]);
    containers.push(json!({
        "name": "db", "image": HOLD, "cpu": 32, "memory": 64, "startTimeout": 2,
        "healthCheck": {"command": ["CMD", "true"]},
    }));
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    bed.must_apply("EcsService", "web", breaker(1, true)).await;
    let pod = appear(&bed, HOLD, 1).await.remove(0);
    let since = Timestamp::now() - SignedDuration::from_secs(61);
    let status = json!({"status": {"phase": "Pending", "initContainerStatuses": [{
        "name": "db", "image": HOLD, "imageID": "", "ready": false, "restartCount": 0, "started": false,
        "state": {"running": {"startedAt": Timestamp::from_second(since.as_second()).unwrap().to_string()}},
    }]}});
    write_status(&bed, &pod, status).await;
    until("another pod", LIMIT, async || {
        let pods = pods_of(&bed, HOLD).await;
        Ok(pods
            .iter()
            .any(|other| uid(other) != uid(&pod))
            .then_some(()))
    })
    .await
    .unwrap();
    let note = bed.event("web", "TasksStopped").await;
    assert!(
        note.contains("Container db did not reach HEALTHY within 2 seconds"),
        "{note}"
    );
    bed.until("EcsService", "web", "the failed task", |object| {
        object["status"]["deployments"][0]["failedTasks"] == 1
    })
    .await;
    let object = bed
        .until("EcsService", "web", "the stopped task", |object| {
            object["status"]["stoppedTasks"][0].is_object()
        })
        .await;
    let stopped = object["status"]["stoppedTasks"].as_array().unwrap();
    assert_eq!(stopped.len(), 1, "that it was evicted is no other end");
    assert_eq!(stopped[0]["name"], pod.name_any());
    assert_eq!(stopped[0]["stopCode"], "TaskFailedToStart");
    assert_eq!(
        stopped[0]["stoppedReason"],
        "Container db did not reach HEALTHY within 2 seconds"
    );
}

#[tokio::test]
async fn a_daemon_is_updated_in_tasks_not_in_percent() {
    let bed = bed("daemon").await;
    revise(&bed, "testbed/web").await;
    let spec = |minimum: i64| {
        json!({
            "taskDefinition": "web",
            "schedulingStrategy": "DAEMON",
            "deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": 100},
        })
    };
    bed.must_apply("EcsService", "web", spec(50)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let set = bed
        .eventually::<DaemonSet>("web", "a number", |set| {
            matches!(unavailable(set), Some(IntOrString::Int(_)))
        })
        .await;
    let nodes = set.status.as_ref().unwrap().desired_number_scheduled;
    let expected = (nodes - (nodes + 1) / 2).max(1);
    assert_eq!(unavailable(&set), Some(&IntOrString::Int(expected)));

    bed.must_apply("EcsService", "web", spec(100)).await;
    revise(&bed, "testbed/web:2").await;
    bed.until("EcsService", "web", "the stand-still", |object| {
        ready(object) == "DeploymentConfigurationBlocksRollout"
    })
    .await;
    assert!(pods_of(&bed, "testbed/web:2").await.is_empty());
    bed.must_apply("EcsService", "web", spec(0)).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let new = pods_of(&bed, "testbed/web:2").await.len();
    assert_eq!(i32::try_from(new).unwrap(), nodes);
}

fn unavailable(set: &DaemonSet) -> Option<&IntOrString> {
    let strategy = set.spec.as_ref()?.update_strategy.as_ref()?;
    strategy.rolling_update.as_ref()?.max_unavailable.as_ref()
}

/// An operator that is killed again and again, after the first, second, third ... request by which it changes something,
/// in the course of a deployment that fails, ends where one ends that is not. `tests/faults` does it one by one.
#[tokio::test]
async fn an_operator_that_is_killed_again_and_again_rolls_back_too() {
    let plane = ControlPlane::start().await.unwrap();
    install(&plane).await.unwrap();
    let bed = Bed::new(&plane.kubeconfig(), "killed").await;
    let proxy = Proxy::start(&plane).await.unwrap();
    let start = async || {
        let operator = Operator::spawn_by(&proxy.kubeconfig, &plane, "operator", &[]).unwrap();
        operator.ready().await.unwrap()
    };
    let mut operator = start().await;
    steady(&bed, breaker(4, true)).await;
    // Looks for the rollback, while no task gets its image.
    let look = async || -> anyhow::Result<bool> {
        for pod in pods_of(&bed, HOLD).await {
            // It may be gone by now.
            let _gone = try_cannot_pull(&bed, &pod).await;
        }
        let object = json!(bed.resources("EcsService").get("web").await?);
        Ok(
            told(&object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"]
                && ready(&object) == "RolledBack"
                && object["status"]["runningCount"] == 4,
        )
    };
    proxy.seen();
    revise(&bed, HOLD).await;
    for requests in (1..=4).cycle().take(15) {
        let mut done = 0;
        until("a request, or the end", LIMIT, async || {
            done += proxy.seen().iter().filter(|it| is_write(it)).count();
            Ok((done >= requests || look().await?).then_some(()))
        })
        .await
        .unwrap();
        drop(operator);
        operator = start().await;
    }
    until("the rollback", LIMIT, async || {
        Ok(look().await?.then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(pods_of(&bed, "testbed/web").await.len(), 4);
    let revisions = bed.api::<ControllerRevision>();
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let revisions = revisions.list(&of_service).await.unwrap();
    assert_eq!(revisions.items.len(), 2);
}

/// `kubectl wait` looks at the condition of the newest generation: when that is true, what the generation asks for runs.
#[tokio::test]
async fn ready_is_never_true_of_a_spec_that_does_not_run() {
    let bed = bed("ready").await;
    let spec = |force: u32| {
        json!({
            "taskDefinition": "web",
            "desiredCount": 2,
            "kubernetes": {"forceNewDeployment": force.to_string()},
        })
    };
    let value = |text: &Value| text.as_str().and_then(|text| text.parse::<u32>().ok());
    steady(&bed, spec(0)).await;
    let services = bed.resources("EcsService");
    let mut events = Box::pin(watcher(services, watcher::Config::default()).applied_objects());
    let deployments = bed.api::<Deployment>();
    const LAST: u32 = 20;
    let changes = async {
        for force in 1..=LAST {
            bed.must_apply("EcsService", "web", spec(force)).await;
            // Some changes come while the one before is under way, and some after it is done.
            if force % 3 == 0 {
                bed.condition("EcsService", "web", "Ready", "True").await;
            }
        }
    };
    let looks = async {
        loop {
            let object = json!(events.try_next().await.unwrap().unwrap());
            let found = condition(&object, "Ready");
            let current = found["observedGeneration"] == object["metadata"]["generation"];
            if found["status"] != "True" || !current {
                continue;
            }
            let asked = value(&object["spec"]["kubernetes"]["forceNewDeployment"]).unwrap();
            let deployment = json!(deployments.get("web").await.unwrap());
            let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
            let runs = value(&annotations["ecs-operator.dev/force-deployment"]).unwrap();
            // It may have gone on to a newer one by now.
            assert!(runs >= asked, "{asked} is not there yet, but {runs}");
            if runs == asked {
                let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
                let there = pods
                    .iter()
                    .filter(|pod| pod.metadata.deletion_timestamp.is_none());
                let old = there.filter(|pod| {
                    let force = pod.annotations().get("ecs-operator.dev/force-deployment");
                    force.and_then(|force| force.parse().ok()) < Some(asked)
                });
                assert_eq!(old.count(), 0, "tasks of before {asked} run");
            }
            if asked == LAST {
                return;
            }
        }
    };
    tokio::join!(changes, looks);
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let revisions = bed.api::<ControllerRevision>();
    let revisions = revisions.list(&of_service).await.unwrap().items;
    let newest = revisions.iter().map(|revision| revision.revision).max();
    // Of changes in quick succession the last alone is one.
    assert!(newest >= Some(7), "{newest:?}");
    // Ten, the one that came last, and those that a deployment needed then.
    assert!((7..=14).contains(&revisions.len()), "{}", revisions.len());
}

#[tokio::test]
async fn a_service_of_a_name_that_was_used_before_keeps_revisions_of_its_own() {
    let bed = bed("again").await;
    let spec = json!({"taskDefinition": "web", "desiredCount": 1});
    steady(&bed, spec.clone()).await;
    let of_service = ListParams::default().labels("ecs-operator.dev/service=web");
    let revisions = bed.api::<ControllerRevision>();
    let first = revisions.list(&of_service).await.unwrap().items.remove(0);
    // The garbage collector takes its time.
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    let (name, params) = (first.name_any(), PatchParams::default());
    revisions
        .patch(&name, &params, &Patch::Merge(hold))
        .await
        .unwrap();
    let services = bed.resources("EcsService");
    services.delete("web", &Default::default()).await.unwrap();
    bed.eventually::<ControllerRevision>(&name, "the end of the old revision", |revision| {
        revision.metadata.deletion_timestamp.is_some()
    })
    .await;
    bed.must_apply("EcsService", "web", spec).await;
    bed.eventually::<ControllerRevision>(&name, "the old revision", |_| true)
        .await;
    let free = json!({"metadata": {"finalizers": null}});
    revisions
        .patch(&name, &params, &Patch::Merge(free))
        .await
        .unwrap();
    bed.condition("EcsService", "web", "Ready", "True").await;
    bed.eventually::<ControllerRevision>(&name, "a revision of its own", |revision| {
        uid(revision) != uid(&first)
    })
    .await;
}
