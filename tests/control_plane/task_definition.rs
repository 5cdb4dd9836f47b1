//! Task definitions: each change is a revision.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    bed,
    support::{Bed, task_definition},
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
    assert_eq!(accepted["message"], "web has no revision 7; there are 1");
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
        (misspelt, "helthCheck"),
        (
            fargate,
            "Fargate requires that cpu and memory be defined at the task level",
        ),
        (
            json!({"containerDefinitions": [{"name": "app"}]}),
            "image: Required value",
        ),
        (
            json!({"containerDefinitions": [{"name": "app", "image": "x", "memoryReservation": 0}]}),
            "at least one of 'memory' or 'memoryReservation' must be specified",
        ),
        (
            json!({"containerDefinitions": [
                {"name": "app", "image": "x", "memory": 64, "memoryReservation": 65},
            ]}),
            "'memory' must not be less than 'memoryReservation'",
        ),
        (
            efs(json!({"rootDirectory": "/data", "transitEncryption": "ENABLED"})),
            "the root directory must either be omitted or set to /",
        ),
        (
            efs(json!({"rootDirectory": "/"})),
            "Transit encryption must be enabled",
        ),
    ] {
        let error = bed
            .apply("EcsTaskDefinition", "web", spec)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}
