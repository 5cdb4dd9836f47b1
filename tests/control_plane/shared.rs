//! Objects that several services share.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, api::DeleteParams};
use serde_json::json;

use ecs_operator_testbed::until;

use crate::{
    bed,
    support::{LIMIT, task_definition},
};

fn with_efs(image: &str) -> serde_json::Value {
    let mut definition = task_definition(image);
    definition["volumes"] = json!([{
        "name": "data",
        "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"},
    }]);
    definition["containerDefinitions"][0]["mountPoints"] =
        json!([{"sourceVolume": "data", "containerPath": "/data"}]);
    definition
}

#[tokio::test]
async fn services_share_a_file_system_until_none_needs_it() {
    let bed = bed("efs").await;
    bed.must_apply("EcsTaskDefinition", "web", with_efs("testbed/web"))
        .await;
    for name in ["one", "two"] {
        bed.must_apply(
            "EcsService",
            name,
            json!({"taskDefinition": "web", "desiredCount": 1}),
        )
        .await;
        bed.condition("EcsService", name, "Ready", "True").await;
    }
    let claims = bed
        .api::<PersistentVolumeClaim>()
        .list(&Default::default())
        .await
        .unwrap();
    assert_eq!(claims.items.len(), 1);
    let claim = claims.items[0].metadata.name.clone().unwrap();
    let owners = claims.items[0].metadata.owner_references.clone().unwrap();
    assert_eq!(owners.len(), 2);
    assert!(owners.iter().all(|owner| owner.controller != Some(true)));
    let volumes: Api<PersistentVolume> = Api::all(bed.client.clone());
    let volume = claims.items[0].spec.clone().unwrap().volume_name.unwrap();
    let spec = volumes.get(&volume).await.unwrap().spec.unwrap();
    assert_eq!(
        spec.persistent_volume_reclaim_policy.as_deref(),
        Some("Retain")
    );

    // One of the two needs it no more.
    bed.must_apply("EcsTaskDefinition", "plain", task_definition("testbed/web"))
        .await;
    bed.must_apply(
        "EcsService",
        "one",
        json!({"taskDefinition": "plain", "desiredCount": 1}),
    )
    .await;
    bed.eventually::<PersistentVolumeClaim>(&claim, "one owner", |claim| {
        claim
            .metadata
            .owner_references
            .as_ref()
            .is_some_and(|owners| owners.len() == 1)
    })
    .await;
    bed.condition("EcsService", "one", "Ready", "True").await;
    bed.resources("EcsService")
        .delete("two", &DeleteParams::default())
        .await
        .unwrap();
    bed.gone::<PersistentVolumeClaim>(&claim).await;
    until("the volume to be gone", LIMIT, async || {
        Ok(volumes.get_opt(&volume).await?.is_none().then_some(()))
    })
    .await
    .unwrap();

    // Whoever comes back finds the file system again.
    bed.must_apply(
        "EcsService",
        "two",
        json!({"taskDefinition": "web", "desiredCount": 1}),
    )
    .await;
    bed.condition("EcsService", "two", "Ready", "True").await;
    bed.eventually::<PersistentVolumeClaim>(&claim, "the claim to be bound", |claim| {
        claim
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            == Some("Bound")
    })
    .await;
}
