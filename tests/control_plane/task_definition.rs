//! Task definitions: each change is a revision.

use ecs_operator::diagnostic::Message;
use k8s_openapi::api::{
    apps::v1::{ControllerRevision, Deployment},
    core::v1::{Pod, ResourceQuota, Service},
};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, task_definition, uid},
};

async fn revision(bed: &Bed, number: i64) -> Value {
    bed.until(
        "EcsTaskDefinition",
        "web",
        &format!("revision {number}"),
        |object| {
            object["status"]["revision"] == number
                && object["status"]["observedGeneration"] == object["metadata"]["generation"]
        },
    )
    .await
}

#[tokio::test]
async fn each_change_is_a_revision() {
    let bed = bed("definition").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/a"))
        .await;
    revision(&bed, 1).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/b"))
        .await;
    revision(&bed, 2).await;
    // An older content that returns is a new revision, as in ECS.
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/a"))
        .await;
    revision(&bed, 3).await;
    let label = json!({"metadata": {"labels": {"team": "shop"}}});
    bed.resources("EcsTaskDefinition")
        .patch("web", &PatchParams::default(), &Patch::Merge(label))
        .await
        .unwrap();
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/c"))
        .await;
    revision(&bed, 4).await;
    let held: ControllerRevision = bed.api().get("web.3").await.unwrap();
    assert_eq!(held.revision, 3);
    let data = held.data.unwrap().0;
    assert_eq!(data["containerDefinitions"][0]["image"], "testbed/a");
    assert_eq!(
        held.metadata.owner_references.unwrap()[0].kind,
        "EcsTaskDefinition"
    );
}

#[tokio::test]
async fn old_revisions_go_unless_they_are_used() {
    let bed = bed("history").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/1"))
        .await;
    revision(&bed, 1).await;
    bed.must_apply(
        "EcsService",
        "pinned",
        json!({"taskDefinition": "web:1", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "pinned", "Ready", "True").await;
    for number in 2..=13 {
        bed.must_apply(
            "EcsTaskDefinition",
            "web",
            task_definition(&format!("testbed/{number}")),
        )
        .await;
        revision(&bed, number).await;
    }
    bed.gone::<ControllerRevision>("web.2").await;
    bed.api::<ControllerRevision>().get("web.1").await.unwrap();
    bed.api::<ControllerRevision>().get("web.13").await.unwrap();
}

#[tokio::test]
async fn a_revision_of_a_task_that_runs_stays() {
    let bed = bed("task").await;
    revise(&bed, 1).await;
    bed.must_apply("EcsTask", "job", json!({"taskDefinition": "web:1"}))
        .await;
    bed.until("EcsTask", "job", "the task to run", |task| {
        task["status"]["lastStatus"] == "RUNNING"
    })
    .await;
    for number in 2..=13 {
        revise(&bed, number).await;
    }
    bed.gone::<ControllerRevision>("web.2").await;
    bed.api::<ControllerRevision>().get("web.1").await.unwrap();
}

/// Makes the next revision.
async fn revise(bed: &Bed, number: i64) {
    let definition = task_definition(&format!("testbed/web:{number}"));
    bed.must_apply("EcsTaskDefinition", "web", definition).await;
    revision(bed, number).await;
}

/// A service `web` that runs the third revision.
async fn third(bed: &Bed) {
    for number in 1..=3 {
        revise(bed, number).await;
    }
    let service = json!({"taskDefinition": "web", "desiredCount": 2});
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
}

/// Scales the service, so that what became of it before is known, and returns the pods that it had before.
async fn still_run(bed: &Bed, before: &[Pod], count: i64) {
    let service = json!({"taskDefinition": "web", "desiredCount": count});
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let after: Vec<String> = bed.tasks("web").await.iter().map(uid).collect();
    for pod in before {
        assert!(after.contains(&uid(pod)), "{} is gone", pod.name_any());
    }
    let service = bed.until("EcsService", "web", "a status", |_| true).await;
    assert_eq!(service["status"]["taskDefinition"], "web:3");
}

#[tokio::test]
async fn the_newest_revision_is_made_again_as_it_was() {
    let bed = bed("lost").await;
    third(&bed).await;
    let pods = bed.tasks("web").await;
    let revisions = bed.api::<ControllerRevision>();
    let lost = revisions.get("web.3").await.unwrap();
    revisions
        .delete("web.3", &DeleteParams::default())
        .await
        .unwrap();
    let again = bed
        .eventually::<ControllerRevision>("web.3", "another of its name", |again| {
            uid(again) != uid(&lost)
        })
        .await;
    assert_eq!(again.data, lost.data);
    still_run(&bed, &pods, 3).await;
    assert!(revisions.get_opt("web.4").await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_definition_that_is_deleted_leads_nobody_back() {
    let bed = bed("deleted").await;
    third(&bed).await;
    let pods = bed.tasks("web").await;
    let before: Deployment = bed.api().get("web").await.unwrap();
    // The garbage collector takes the newest one first.
    let revisions = bed.api::<ControllerRevision>();
    let hold = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    let params = PatchParams::default();
    revisions
        .patch("web.1", &params, &hold(json!(["example.com/hold"])))
        .await
        .unwrap();
    bed.resources("EcsTaskDefinition")
        .delete("web", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<ControllerRevision>("web.3").await;
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "TaskDefinitionNotFound");
    let after: Deployment = bed.api().get("web").await.unwrap();
    assert_eq!(after.spec, before.spec);

    // One of the same content is the same revision, although nothing but the service knows it.
    bed.gone::<ControllerRevision>("web.2").await;
    let same = task_definition("testbed/web:3");
    bed.must_apply("EcsTaskDefinition", "web", same).await;
    revision(&bed, 3).await;
    bed.condition("EcsService", "web", "Accepted", "True").await;
    still_run(&bed, &pods, 3).await;
    // Another one has a number that was never used.
    revisions
        .patch("web.1", &params, &hold(Value::Null))
        .await
        .unwrap();
    revise(&bed, 4).await;
}

#[tokio::test]
async fn a_revision_that_cannot_be_made_is_told_and_the_one_before_stays() {
    let bed = bed("quota").await;
    third(&bed).await;
    let pods = bed.tasks("web").await;
    let quotas = bed.api::<ResourceQuota>();
    let quota = serde_json::from_value(json!({
        "metadata": {"name": "full"},
        "spec": {"hard": {"count/controllerrevisions.apps": "1"}},
    }));
    quotas
        .create(&PostParams::default(), &quota.unwrap())
        .await
        .unwrap();
    bed.eventually::<ResourceQuota>("full", "the quota to count", |quota| {
        quota.status.as_ref().is_some_and(|it| it.used.is_some())
    })
    .await;
    let fourth = task_definition("testbed/web:4");
    bed.must_apply("EcsTaskDefinition", "web", fourth).await;
    let accepted = bed
        .condition("EcsTaskDefinition", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "Forbidden");
    still_run(&bed, &pods, 3).await;
    quotas
        .delete("full", &DeleteParams::default())
        .await
        .unwrap();
    revision(&bed, 4).await;
}

#[tokio::test]
async fn a_new_revision_is_a_matter_of_the_pods_alone() {
    let bed = bed("labels").await;
    revise(&bed, 1).await;
    let service = json!({"taskDefinition": "web", "desiredCount": 1});
    bed.must_apply("EcsService", "web", service).await;
    bed.condition("EcsService", "web", "Ready", "True").await;
    let before: Service = bed.api().get("web").await.unwrap();
    revise(&bed, 2).await;
    bed.until("EcsService", "web", "the second revision", |object| {
        object["status"]["deployments"][0]["taskDefinition"] == "web:2"
            && object["status"]["deployments"][0]["rolloutState"] == "COMPLETED"
    })
    .await;
    let after: Service = bed.api().get("web").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    let of_revision = ListParams::default().labels("ecs-operator.dev/revision=2");
    let pods = bed.api::<Pod>().list(&of_revision).await.unwrap();
    assert_eq!(pods.items.len(), 1);
}

#[tokio::test]
async fn a_revision_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let bed = bed("missing").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    revision(&bed, 1).await;
    bed.must_apply(
        "EcsService",
        "web",
        json!({"taskDefinition": "web:7", "desiredCount": 1}),
    )
    .await;
    let accepted = bed
        .condition("EcsService", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "RevisionNotFound");
    assert_eq!(
        accepted["message"],
        "web has no revision 7; existing revisions: 1"
    );
}

#[tokio::test]
async fn what_ecs_would_not_register_makes_no_revision() {
    let bed = bed("wrong").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    revision(&bed, 1).await;
    let mut wrong = task_definition("testbed/web");
    wrong["containerDefinitions"][0]["dependsOn"] =
        json!([{"containerName": "nobody", "condition": "START"}]);
    bed.must_apply("EcsTaskDefinition", "web", wrong).await;
    let accepted = bed
        .condition("EcsTaskDefinition", "web", "Accepted", "False")
        .await;
    assert_eq!(accepted["reason"], "UnknownContainer");
    let message = accepted["message"].as_str().unwrap();
    assert!(
        message.contains("containerDefinitions[0].dependsOn[0].containerName"),
        "{message}"
    );
    let object = bed
        .until("EcsTaskDefinition", "web", "its revision", |_| true)
        .await;
    assert_eq!(object["status"]["revision"], 1);
}

/// What the operator says of a spec, and the API server too.
fn said(message: &Message) -> String {
    format!("{}: {message}; {}", message.reason(), message.help())
}

#[tokio::test]
async fn the_api_server_refuses_what_no_ecs_api_takes() {
    let bed = bed("schema").await;
    let mut misspelt = task_definition("testbed/web");
    misspelt["containerDefinitions"][0]["helthCheck"] = json!({"command": ["CMD", "true"]});
    let efs = |mut volume: Value| {
        volume["fileSystemId"] = json!("fs-1");
        volume["authorizationConfig"] = json!({"accessPointId": "fsap-1"});
        let mut spec = task_definition("testbed/web");
        spec["volumes"] = json!([{"name": "data", "efsVolumeConfiguration": volume}]);
        spec
    };
    let fargate = json!({
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{"name": "app", "image": "x"}],
    });
    for (spec, expected) in [
        (misspelt, "helthCheck".to_owned()),
        (
            fargate,
            "FargateCpuMemory: Fargate has no size with cpu none and memory for the task".to_owned(),
        ),
        (
            json!({"containerDefinitions": [{"name": "app"}]}),
            "image: Required value".to_owned(),
        ),
        (
            json!({"containerDefinitions": [{"name": "app", "image": "x", "memory": 5}]}),
            "should be greater than or equal to 6".to_owned(),
        ),
        (
            json!({"containerDefinitions": [{"name": "app", "image": "x", "memoryReservation": 0}]}),
            "MemoryRequired: container needs memory or memoryReservation".to_owned(),
        ),
        (
            json!({"containerDefinitions": [
                {"name": "app", "image": "x", "memory": 64, "memoryReservation": 65},
            ]}),
            "spec.containerDefinitions[0]: Invalid value: MemoryBelowReservation: memory is below memoryReservation".to_owned(),
        ),
        (
            efs(json!({"rootDirectory": "/data", "transitEncryption": "ENABLED"})),
            said(&Message::EfsRootDirectoryWithAccessPoint),
        ),
        (
            efs(json!({"rootDirectory": "/"})),
            said(&Message::EfsTransitEncryptionRequired),
        ),
    ] {
        let error = bed
            .apply("EcsTaskDefinition", "web", spec)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&expected), "{error}");
    }
}

/// What holds the name of a revision is another's, and goes by itself or not at all.
#[tokio::test]
async fn a_revision_whose_name_is_taken_is_told() {
    let bed = bed("taken").await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    bed.condition("EcsTaskDefinition", "web", "Accepted", "True")
        .await;
    let theirs = json!({"metadata": {"name": "web.2"}, "revision": 1, "data": {}});
    let theirs: ControllerRevision = serde_json::from_value(theirs).unwrap();
    let revisions = bed.api::<ControllerRevision>();
    revisions
        .create(&PostParams::default(), &theirs)
        .await
        .unwrap();
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web:2"))
        .await;
    let accepted = bed
        .condition("EcsTaskDefinition", "web", "Accepted", "False")
        .await;
    let message = accepted["message"].to_string();
    assert!(message.contains("web.2"), "{message}");
    revisions
        .delete("web.2", &DeleteParams::default())
        .await
        .unwrap();
    bed.condition("EcsTaskDefinition", "web", "Accepted", "True")
        .await;
}
