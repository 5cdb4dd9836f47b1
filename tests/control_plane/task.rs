//! Tasks that run to completion.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, task_definition},
};

async fn run(bed: &Bed, image: &str, mut spec: Value) {
    let mut definition = task_definition(image);
    definition["containerDefinitions"][0]
        .as_object_mut()
        .unwrap()
        .remove("portMappings");
    bed.must_apply("EcsTaskDefinition", "job", definition).await;
    spec["taskDefinition"] = json!("job");
    bed.must_apply("EcsTask", "job", spec).await;
}

async fn status(bed: &Bed, status: &str) -> Value {
    let object = bed
        .until("EcsTask", "job", status, |object| {
            object["status"]["lastStatus"] == status
        })
        .await;
    object["status"].clone()
}

#[tokio::test]
async fn a_task_runs_once_and_tells_how_it_ended() {
    let bed = bed("task").await;
    run(&bed, "testbed/exit:3", json!({"count": 2})).await;
    let status = status(&bed, "STOPPED").await;
    assert_eq!(status["stopCode"], "EssentialContainerExited");
    assert_eq!(
        status["stoppedReason"],
        "Essential container in task exited"
    );
    assert_eq!(status["taskDefinition"], "job:1");
    assert_eq!(status["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(status["tasks"][1]["containers"][0]["exitCode"], 3);
    let note = bed.event("job", "EssentialContainerExited").await;
    assert!(note.contains("STOPPED"), "{note}");
    // It is not run again when its pods go.
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-0").await;
    let label = json!({"metadata": {"labels": {"touched": "yes"}}});
    bed.resources("EcsTask")
        .patch("job", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    bed.must_apply("EcsTask", "other", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "other", "another task to have run", |o| {
        o["status"]["lastStatus"] == "STOPPED"
    })
    .await;
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_whose_pod_vanishes_is_stopped() {
    let bed = bed("vanish").await;
    run(&bed, "testbed/web", json!({})).await;
    let running = status(&bed, "RUNNING").await;
    assert!(running["startedAt"].is_string(), "{running}");
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    let stopped = status(&bed, "STOPPED").await;
    let code = stopped["stopCode"].as_str().unwrap();
    assert!(
        ["TerminationNotice", "UserInitiated"].contains(&code),
        "{stopped}"
    );
    assert!(bed.api::<Pod>().get_opt("job-0").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_whose_pod_lost_its_labels_goes_on() {
    let bed = bed("unlabelled").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    let unlabelled = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    bed.api::<Pod>()
        .patch("job-0", &PatchParams::default(), &Patch::Merge(unlabelled))
        .await
        .unwrap();
    // The watch tells of this one after it has told of the other.
    bed.must_apply("EcsTask", "other", json!({"taskDefinition": "job"}))
        .await;
    bed.until("EcsTask", "other", "another task to run", |o| {
        o["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    let running = status(&bed, "RUNNING").await;
    assert_eq!(running["stopCode"], json!(null), "{running}");
    bed.api::<Pod>()
        .delete("job-0", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    status(&bed, "STOPPED").await;
}

#[tokio::test]
async fn deleting_a_task_stops_it() {
    let bed = bed("delete").await;
    run(&bed, "testbed/web", json!({})).await;
    status(&bed, "RUNNING").await;
    bed.resources("EcsTask")
        .delete("job", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<Pod>("job-0").await;
}

#[tokio::test]
async fn a_finished_task_is_removed_after_its_time() {
    let bed = bed("ttl").await;
    run(
        &bed,
        "testbed/exit:0",
        json!({"ttlSecondsAfterFinished": 1}),
    )
    .await;
    let api = bed.resources("EcsTask");
    ecs_operator_testbed::until(
        "the task to be removed",
        crate::support::LIMIT,
        async || Ok(api.get_opt("job").await?.is_none().then_some(())),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_task_that_cannot_be_translated_does_not_start() {
    let bed = bed("refused").await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "nobody"}))
        .await;
    let accepted = bed.condition("EcsTask", "job", "Accepted", "False").await;
    assert_eq!(accepted["reason"], "TaskDefinitionNotFound");
    // Like RunTask, which fails then; but here the definition may be applied a moment later.
    bed.must_apply(
        "EcsTaskDefinition",
        "nobody",
        task_definition("testbed/exit:0"),
    )
    .await;
    status(&bed, "STOPPED").await;
}

#[tokio::test]
async fn a_task_is_not_changed_once_it_was_asked_for() {
    let bed = bed("unchanged").await;
    run(&bed, "testbed/exit", json!({"count": 2})).await;
    let spec = |rest: Value| {
        let mut spec = json!({"taskDefinition": "job", "count": 2});
        for (name, value) in rest.as_object().unwrap() {
            spec[name] = value.clone();
        }
        spec
    };
    for change in [
        json!({"count": 3}),
        json!({"startedBy": "me"}),
        json!({"overrides": {"containerOverrides": [{"name": "app", "command": ["x"]}]}}),
    ] {
        let error = bed.apply("EcsTask", "job", spec(change)).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("cannot be changed once they were asked for"),
            "{text}"
        );
    }
    bed.must_apply(
        "EcsTask",
        "job",
        spec(json!({"ttlSecondsAfterFinished": 7200})),
    )
    .await;
    let error = bed
        .apply(
            "EcsTask",
            "grouped",
            json!({"taskDefinition": "job", "group": "service:web"}),
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("must not start with service:"), "{error}");
}
