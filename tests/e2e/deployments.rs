//! Deployments of real pods: how many tasks run at every moment, and what becomes of those that fail.

use ecs_operator_testbed::until;
use futures::future::join_all;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    bed,
    container::{container, server},
    support::{Bed, LIMIT, condition},
    watched::Watched,
};

async fn revise(bed: &Bed, name: &str, container: Value) {
    let definition = json!({"containerDefinitions": [container]});
    bed.must_apply("EcsTaskDefinition", name, definition).await;
}

/// A container that waits, of this version.
fn version(number: u32) -> Value {
    let mut container = container("web", &["wait"]);
    container["environment"] = json!([{"name": "VERSION", "value": number.to_string()}]);
    container
}

fn service(name: &str, desired: usize, minimum: usize, maximum: usize) -> Value {
    json!({
        "taskDefinition": name,
        "desiredCount": desired,
        "deploymentConfiguration": {"minimumHealthyPercent": minimum, "maximumPercent": maximum},
    })
}

/// The deployments as far as they can be foreseen.
fn told(object: &Value) -> Vec<String> {
    let list = object["status"]["deployments"].as_array();
    let texts = list.into_iter().flatten().map(|deployment| {
        ["status", "taskDefinition", "rolloutState"]
            .map(|member| deployment[member].as_str().unwrap_or_default())
            .join(" ")
    });
    texts.collect()
}

/// Waits until the service is steady with this revision, and no other.
async fn steady(bed: &Bed, name: &str, revision: u32) {
    let expected = [format!("PRIMARY {name}:{revision} COMPLETED")];
    bed.until("EcsService", name, "a steady state", |object| {
        let ready = condition(object, "Ready");
        told(object) == expected
            && ready["status"] == "True"
            && ready["observedGeneration"] == object["metadata"]["generation"]
    })
    .await;
}

/// The desired count, the percentages, and what ECS makes of them: the fewest healthy tasks and the most.
const TABLE: &[(usize, usize, usize, usize, usize)] = &[
    (4, 50, 100, 2, 4),
    (3, 50, 150, 2, 4),
    (5, 50, 150, 3, 7),
    (3, 66, 133, 2, 3),
    (1, 0, 100, 0, 1),
    (2, 100, 150, 2, 3),
];

#[tokio::test]
async fn a_rolling_update_keeps_to_the_counts_of_ecs() {
    let bed = bed("counts").await;
    let roll = async |(desired, minimum, maximum, lower, upper): (_, _, _, usize, usize)| {
        let name = format!("d{desired}-{minimum}-{maximum}");
        revise(&bed, &name, version(1)).await;
        let spec = service(&name, desired, minimum, maximum);
        bed.must_apply("EcsService", &name, spec).await;
        steady(&bed, &name, 1).await;
        let watched = Watched::new(&bed, &name).await;
        revise(&bed, &name, version(2)).await;
        steady(&bed, &name, 2).await;
        let counts = watched.counts();
        assert!(counts.fewest >= lower, "{name}: {counts:?}");
        assert!(counts.most <= upper, "{name}: {counts:?}");
        assert!(counts.changes > 2 * desired, "{name}: {counts:?}");
    };
    join_all(TABLE.iter().map(|row| roll(*row))).await;
}

#[tokio::test]
async fn a_scale_out_in_the_middle_of_a_rollout_counts_anew() {
    let bed = bed("middle").await;
    revise(&bed, "web", version(1)).await;
    bed.must_apply("EcsService", "web", service("web", 4, 50, 100))
        .await;
    steady(&bed, "web", 1).await;
    let watched = Watched::new(&bed, "web").await;
    // The new tasks get healthy only after a while, so the middle lasts.
    let mut second = server("web", "3");
    second["stopTimeout"] = json!(1);
    revise(&bed, "web", second).await;
    bed.until("EcsService", "web", "the middle", |object| {
        told(object).first().map(String::as_str) == Some("PRIMARY web:2 IN_PROGRESS")
    })
    .await;
    bed.must_apply("EcsService", "web", service("web", 7, 50, 100))
        .await;
    steady(&bed, "web", 2).await;
    let counts = watched.counts();
    assert!(counts.fewest >= 2 && counts.most <= 7, "{counts:?}");
}

/// Rolls a container out that fails, and waits until the service is back. Returns the failed deployment.
async fn fail(bed: &Bed, bad: Value) -> Value {
    revise(bed, "web", version(1)).await;
    let mut spec = service("web", 4, 100, 200);
    spec["deploymentConfiguration"]["deploymentCircuitBreaker"] =
        json!({"enable": true, "rollback": true});
    bed.must_apply("EcsService", "web", spec).await;
    // A task counts as healthy when it has run for longer than the bad ones do.
    let patch = json!({"metadata": {"annotations": {"ecs-operator.dev/steady-seconds": "12"}}});
    bed.resources("EcsService")
        .patch("web", &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
    steady(bed, "web", 1).await;
    let watched = Watched::new(bed, "web").await;
    revise(bed, "web", bad).await;
    let object = bed
        .until("EcsService", "web", "the rollback", |object| {
            told(object) == ["PRIMARY web:1 COMPLETED", "INACTIVE web:2 FAILED"]
                && condition(object, "Ready")["reason"] == "RolledBack"
        })
        .await;
    let counts = watched.counts();
    assert!(counts.fewest >= 4 && counts.most <= 8, "{counts:?}");
    object["status"]["deployments"][1].clone()
}

/// Half of 4 tasks, but at least 3; those that fail at the same moment are counted together.
fn assert_threshold(failed: &Value) {
    let count = failed["failedTasks"].as_i64().unwrap();
    assert!((3..=8).contains(&count), "{failed}");
}

#[tokio::test]
async fn a_container_that_crashes_is_rolled_back() {
    let bed = bed("crash").await;
    let failed = fail(&bed, container("web", &["exit", "1"])).await;
    assert_threshold(&failed);
    assert_eq!(
        failed["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed to start."
    );
    let note = bed.event("web", "DeploymentFailed").await;
    assert!(note.contains("tasks failed to start"), "{note}");
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_rolled_back() {
    let bed = bed("pull").await;
    let mut bad = container("web", &["wait"]);
    bad["image"] = json!("nowhere.invalid/missing:1");
    assert_threshold(&fail(&bed, bad).await);
}

#[tokio::test]
async fn a_task_that_never_gets_healthy_is_rolled_back() {
    let bed = bed("unhealthy").await;
    let mut bad = container("web", &["wait"]);
    bad["healthCheck"] = json!({
        "command": ["CMD", "/app", "get", "http://localhost:8080/"],
        "interval": 5,
        "timeout": 2,
        "retries": 1,
    });
    assert_threshold(&fail(&bed, bad).await);
}

#[tokio::test]
async fn a_task_that_dies_after_a_while_is_rolled_back() {
    let bed = bed("dies").await;
    let failed = fail(&bed, container("web", &["exit", "1", "6"])).await;
    assert_threshold(&failed);
}

#[tokio::test]
async fn changes_in_quick_succession_end_in_the_last() {
    let bed = bed("quick").await;
    revise(&bed, "web", version(1)).await;
    bed.must_apply("EcsService", "web", service("web", 2, 100, 200))
        .await;
    steady(&bed, "web", 1).await;
    for number in [2, 3] {
        revise(&bed, "web", version(number)).await;
    }
    // Whether version 2 became a revision or was overtaken is a matter of time.
    let last = registered(&bed, "web").await;
    steady(&bed, "web", last).await;
    assert_eq!(versions(&bed, "web").await, ["3", "3"]);
    // Back to what ran, in the middle: a pinned revision of the same content.
    let pinned = |revision: u32| {
        let mut spec = service("web", 2, 100, 200);
        spec["taskDefinition"] = json!(format!("web:{revision}"));
        spec
    };
    revise(&bed, "web", server("web", "3600")).await;
    let never_healthy = format!("PRIMARY web:{} IN_PROGRESS", last + 1);
    bed.until("EcsService", "web", "the middle", |object| {
        told(object).first() == Some(&never_healthy)
    })
    .await;
    bed.must_apply("EcsService", "web", pinned(last)).await;
    steady(&bed, "web", last).await;
    // To none and back, in the middle.
    bed.must_apply("EcsService", "web", pinned(1)).await;
    let mut none = pinned(1);
    none["desiredCount"] = json!(0);
    bed.must_apply("EcsService", "web", none).await;
    steady(&bed, "web", 1).await;
    bed.must_apply("EcsService", "web", pinned(1)).await;
    steady(&bed, "web", 1).await;
    assert_eq!(versions(&bed, "web").await, ["1", "1"]);
}

/// The revision of what was applied last.
async fn registered(bed: &Bed, name: &str) -> u32 {
    bed.condition("EcsTaskDefinition", name, "Accepted", "True")
        .await;
    let object = bed.resources("EcsTaskDefinition").get(name).await.unwrap();
    let revision = object.data["status"]["revision"].as_u64().unwrap();
    u32::try_from(revision).unwrap()
}

/// The versions of the tasks that were not told to end.
async fn versions(bed: &Bed, name: &str) -> Vec<String> {
    let version = |pod: Pod| {
        let variables = pod.spec?.containers.into_iter().next()?.env?;
        variables.into_iter().find(|it| it.name == "VERSION")?.value
    };
    let tasks = bed.tasks(name).await.into_iter();
    tasks.map(|pod| version(pod).unwrap_or_default()).collect()
}

#[tokio::test]
async fn the_tasks_of_a_deleted_service_end_in_order() {
    let bed = bed("deleted").await;
    revise(&bed, "web", server("web", "0")).await;
    bed.must_apply("EcsService", "web", service("web", 2, 100, 200))
        .await;
    steady(&bed, "web", 1).await;
    let watched = Watched::new(&bed, "web").await;
    let begun = Timestamp::now();
    bed.resources("EcsService")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    let ended = until("the tasks to be gone", LIMIT, async || {
        let ended = watched.ended();
        Ok((ended.len() == 2 && watched.counts().most == 2).then_some(ended))
    })
    .await
    .unwrap();
    for (code, at) in ended {
        assert_eq!(code, 0, "it was killed");
        // The pause in which it leaves its Service.
        let lasted = at.duration_since(begun).as_secs();
        assert!(lasted >= 4, "it was told to end after {lasted} seconds");
    }
}
