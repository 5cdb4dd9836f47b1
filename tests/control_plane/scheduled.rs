//! Scheduled actions, beside a real HorizontalPodAutoscaler controller.

use ecs_operator_testbed::until;
use k8s_openapi::{
    api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler},
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, LIMIT, cpu_policy, task_definition},
};

fn action(name: &str, schedule: &str, range: Value) -> Value {
    json!({"ScheduledActionName": name, "Schedule": schedule, "ScalableTargetAction": range})
}

/// A time that has passed.
const PAST: &str = "at(2021-01-01T22:00:00)";

/// A service that CPU scales, from 2 to 6 tasks unless an action says otherwise.
fn service(actions: &[Value]) -> Value {
    json!({
        "taskDefinition": "web",
        "autoScaling": {
            "scalableTarget": {"MinCapacity": 2, "MaxCapacity": 6},
            "scalingPolicies": [cpu_policy()],
            "scheduledActions": actions,
        },
    })
}

async fn define(bed: &Bed) {
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:1"))
        .await;
}

/// Waits until the operator knows this many actions.
async fn known(bed: &Bed, count: usize) {
    bed.until("EcsService", "web", "known actions", |object| {
        let actions = &object["status"]["autoScaling"]["scheduledActions"];
        actions.as_array().is_some_and(|all| all.len() == count)
    })
    .await;
}

/// Makes an action due, as if no operator had run since it was known.
async fn due(bed: &Bed, position: usize) {
    let api = bed.resources("EcsService");
    until("an action that is due", LIMIT, async || {
        let object = json!(api.get("web").await?);
        let mut actions = object["status"]["autoScaling"]["scheduledActions"].clone();
        actions[position]["since"] = json!("2020-01-01T00:00:00Z");
        let patch = json!({
            "metadata": {"resourceVersion": object["metadata"]["resourceVersion"]},
            "status": {"autoScaling": {"scheduledActions": actions}},
        });
        let params = PatchParams::default();
        match api.patch_status("web", &params, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            patched => Ok(Some(patched?)),
        }
    })
    .await
    .unwrap();
    // The operator looks at a service whenever something but its status changes.
    let touch = json!({"metadata": {"annotations": {"example.com/due": position.to_string()}}});
    api.patch("web", &PatchParams::default(), &Patch::Merge(touch))
        .await
        .unwrap();
}

/// Waits until this range and count are in force.
async fn in_force(bed: &Bed, (min, max): (i64, i64), count: i64) {
    let what = format!("{min} to {max}, and {count} tasks");
    bed.until("EcsService", "web", &what, |object| {
        let scaling = &object["status"]["autoScaling"];
        scaling["range"] == json!({"minCapacity": min, "maxCapacity": max})
            && scaling["adjusting"].is_null()
            && object["spec"]["desiredCount"] == count
            && object["status"]["runningCount"].as_i64().unwrap_or(0) == count
    })
    .await;
    bed.eventually::<Deployment>("web", &what, |it| {
        let spec = it.spec.as_ref();
        spec.and_then(|spec| spec.replicas).map(i64::from) == Some(count)
    })
    .await;
    if max == 0 {
        bed.gone::<HorizontalPodAutoscaler>("web").await;
        return;
    }
    bed.eventually::<HorizontalPodAutoscaler>("web", &what, |it| {
        let spec = &it.spec;
        spec.min_replicas.map(i64::from) == Some(min) && i64::from(spec.max_replicas) == max
    })
    .await;
}

#[tokio::test]
async fn an_action_sets_the_range_and_moves_the_count_into_it() {
    let bed = bed("scheduled").await;
    define(&bed).await;
    let both = |min: i64, max: i64| json!({"MinCapacity": min, "MaxCapacity": max});
    let actions = [
        action("noon", PAST, json!({"MinCapacity": 4})),
        action("night", PAST, both(0, 0)),
        action("day", PAST, both(3, 8)),
        action("wrong", PAST, json!({"MaxCapacity": 1})),
    ];
    let manifest = service(&actions);
    bed.must_apply("EcsService", "web", manifest.clone()).await;
    known(&bed, actions.len()).await;

    // One end keeps the other.
    due(&bed, 0).await;
    in_force(&bed, (4, 6), 4).await;
    assert_eq!(
        bed.event("web", "ScheduledActionRun").await,
        "(service web) scheduled action noon: minimum capacity was set to 4 and maximum capacity was set to 6."
    );
    assert_eq!(
        bed.event("web", "DesiredCountSet").await,
        "(service web) Setting desired count to 4."
    );

    // An autoscaler does nothing for a service without tasks; the next action brings it back.
    due(&bed, 1).await;
    in_force(&bed, (0, 0), 0).await;
    due(&bed, 2).await;
    in_force(&bed, (3, 8), 3).await;

    let shown = std::process::Command::new(env!("CARGO_BIN_EXE_ecs-operator"))
        .args(["status", "web", "--namespace", bed.namespace.name()])
        .arg("--kubeconfig")
        .arg(crate::shared().await.1.kubeconfig())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let says = "scheduled: a scheduled action has set 3 to 8 tasks";
    assert!(shown.contains(says), "{shown}");

    // Whoever applies the manifest again undoes nothing, and a range that cannot be changes nothing.
    bed.must_apply("EcsService", "web", manifest).await;
    due(&bed, 3).await;
    assert_eq!(
        bed.event("web", "ScheduledActionFailed").await,
        "(service web) scheduled action wrong failed: the minimum capacity 3 would be above the maximum capacity 1."
    );
    in_force(&bed, (3, 8), 3).await;

    // Another range in the manifest is in force at once.
    let mut other = service(&actions);
    other["autoScaling"]["scalableTarget"] = both(1, 2);
    bed.must_apply("EcsService", "web", other).await;
    bed.until("EcsService", "web", "the range of the spec", |object| {
        let scaling = &object["status"]["autoScaling"];
        scaling["range"].is_null()
            && scaling["adjusting"].is_null()
            && object["spec"]["desiredCount"] == 2
    })
    .await;
    bed.eventually::<HorizontalPodAutoscaler>("web", "the range of the spec", |it| {
        it.spec.max_replicas == 2
    })
    .await;
}

#[tokio::test]
async fn an_action_runs_when_its_minute_begins() {
    let bed = bed("scheduled-minute").await;
    define(&bed).await;
    // Without a policy, nothing else sets the count.
    let mut spec = service(&[action(
        "now",
        "cron(* * * * ? *)",
        json!({"MinCapacity": 3}),
    )]);
    spec["autoScaling"]["scalingPolicies"] = json!([]);
    bed.must_apply("EcsService", "web", spec).await;
    known(&bed, 1).await;
    let fired = |object: &Value| {
        let actions = &object["status"]["autoScaling"]["scheduledActions"];
        actions[0]["lastFiring"].as_str().map(str::to_owned)
    };
    let object = bed
        .until("EcsService", "web", "a firing", |it| fired(it).is_some())
        .await;
    let fired: Timestamp = fired(&object).unwrap().parse().unwrap();
    assert_eq!(fired.as_second() % 60, 0, "{fired}");
    let late = Timestamp::now().duration_since(fired);
    assert!(late < SignedDuration::from_secs(60), "{late}");
    bed.until("EcsService", "web", "3 tasks", |object| {
        object["spec"]["desiredCount"] == 3 && object["status"]["runningCount"] == 3
    })
    .await;
}

#[tokio::test]
async fn a_suspended_action_does_nothing_and_is_not_made_up_for() {
    let bed = bed("scheduled-suspended").await;
    define(&bed).await;
    let actions = [action("noon", PAST, json!({"MinCapacity": 4}))];
    let mut suspended = service(&actions);
    suspended["autoScaling"]["scalableTarget"]["SuspendedState"] =
        json!({"ScheduledScalingSuspended": true});
    bed.must_apply("EcsService", "web", suspended).await;
    known(&bed, 1).await;
    due(&bed, 0).await;
    let passed = |object: &Value| {
        let scaling = &object["status"]["autoScaling"];
        scaling["scheduledActions"][0]["lastFiring"].is_string() && scaling["range"].is_null()
    };
    bed.until("EcsService", "web", "the time of the action", passed)
        .await;
    bed.must_apply("EcsService", "web", service(&actions)).await;
    let object = bed
        .until("EcsService", "web", "the spec to be observed", |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
        })
        .await;
    assert!(passed(&object), "{object:#}");
    assert_eq!(object["spec"]["desiredCount"], 2);
    let name = object["metadata"]["name"].as_str().unwrap();
    let autoscalers = bed.api::<HorizontalPodAutoscaler>();
    let autoscaler = autoscalers.get(name).await.unwrap();
    assert_eq!(autoscaler.name_any(), "web");
    assert_eq!(autoscaler.spec.min_replicas, Some(2));
}

#[tokio::test]
async fn no_task_is_removed_while_a_deployment_is_in_progress() {
    let bed = bed("scale-in").await;
    define(&bed).await;
    bed.must_apply("EcsService", "web", service(&[])).await;
    let scales_in = async |what: &str, policy: &str| {
        bed.eventually::<HorizontalPodAutoscaler>("web", what, |it| {
            let rules = it
                .spec
                .behavior
                .as_ref()
                .and_then(|behavior| behavior.scale_down.as_ref());
            rules.and_then(|rules| rules.select_policy.as_deref()) == Some(policy)
        })
        .await
    };
    bed.until("EcsService", "web", "2 tasks", |object| {
        object["status"]["deployments"][0]["rolloutState"] == "COMPLETED"
    })
    .await;
    scales_in("an autoscaler that removes tasks", "Max").await;
    // Its tasks never serve, so this deployment goes on and on.
    bed.must_apply(
        "EcsTaskDefinition",
        "web",
        task_definition("testbed/unready"),
    )
    .await;
    scales_in("an autoscaler that removes no task", "Disabled").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:2"))
        .await;
    scales_in("an autoscaler that removes tasks again", "Max").await;
}
