//! Claims that services share.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::ListParams;
use serde_json::json;

use ecs_operator_testbed::until;

use super::{Scenario, delete, register, service, steady};
use crate::support::{Bed, LIMIT, task_definition};

pub const ONE_FIRST: Scenario = Scenario {
    name: "shared-claim-first-goes-first",
    prepare: |bed| Box::pin(async move { two(&bed).await }),
    act: |bed| {
        Box::pin(async move {
            delete(&bed, "one").await;
            delete(&bed, "two").await;
            no_claims(&bed).await;
        })
    },
};

pub const TWO_FIRST: Scenario = Scenario {
    name: "shared-claim-second-goes-first",
    prepare: |bed| Box::pin(async move { run(&bed, "one").await }),
    act: |bed| {
        Box::pin(async move {
            run(&bed, "two").await;
            delete(&bed, "two").await;
            delete(&bed, "one").await;
            no_claims(&bed).await;
        })
    },
};

async fn two(bed: &Bed) {
    run(bed, "one").await;
    run(bed, "two").await;
}

/// Runs a service with the file system that all of them share.
async fn run(bed: &Bed, name: &str) {
    let mut definition = task_definition("testbed/web");
    definition["volumes"] = json!([{
        "name": "data",
        "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED"},
    }]);
    definition["containerDefinitions"][0]["mountPoints"] =
        json!([{"sourceVolume": "data", "containerPath": "/data"}]);
    register(bed, "web", definition, 1).await;
    bed.must_apply("EcsService", name, service(1)).await;
    steady(bed, name, "web:1").await;
}

async fn no_claims(bed: &Bed) {
    let claims = bed.api::<PersistentVolumeClaim>();
    until("the claims to be gone", LIMIT, async || {
        let claims = claims.list(&ListParams::default()).await?;
        Ok(claims.items.is_empty().then_some(()))
    })
    .await
    .unwrap();
}
