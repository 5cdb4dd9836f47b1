//! A service that an older operator began goes on being scaled, whatever it took from its EcsCluster.

use std::collections::BTreeSet;

use ecs_operator_testbed::{Options, until};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{
    stage::{Stage, Version},
    support::{Bed, LIMIT, task_definition},
};

#[tokio::test]
async fn what_an_older_version_began_is_scaled() {
    let (previous, today) = (Version::previous(), Version::today());
    let mut stage = Stage::new(&previous, &Options::default()).await;
    let bed = Bed::new(&stage.kubeconfig(), "clustered").await;
    let strategy = json!([
        {"capacityProvider": "one", "weight": 1, "base": 1},
        {"capacityProvider": "two", "weight": 1},
    ]);
    let cluster = json!({
        "capacityProviders": ["one", "two"],
        "defaultCapacityProviderStrategy": strategy,
    });
    bed.must_apply("EcsCluster", "shop", cluster).await;
    bed.must_apply("EcsTaskDefinition", "web", task_definition("testbed/web"))
        .await;
    let own = json!({"taskDefinition": "web", "desiredCount": 3});
    bed.must_apply("EcsService", "by-default", own.clone())
        .await;
    let mut split = own.clone();
    split["capacityProviderStrategy"] = strategy;
    bed.must_apply("EcsService", "by-itself", split).await;
    let services = ["by-default", "by-itself"];
    let mut before = BTreeSet::new();
    for service in services {
        before.extend(tasks(&bed, service, 3).await);
    }

    stage.operate(&today, &[]).await;
    let (params, patch) = (
        PatchParams::default(),
        Patch::Merge(json!({"spec": {"desiredCount": 5}})),
    );
    let mut after = BTreeSet::new();
    for service in services {
        let objects = bed.resources("EcsService");
        objects.patch(service, &params, &patch).await.unwrap();
        after.extend(tasks(&bed, service, 5).await);
    }
    assert!(after.is_superset(&before), "tasks were replaced");
}

/// Waits until a service has so many tasks that are ready. Returns their uids.
async fn tasks(bed: &Bed, service: &str, count: usize) -> BTreeSet<String> {
    let what = format!("{service} to have {count} tasks");
    until(&what, LIMIT, async || {
        let tasks = bed.tasks(service).await;
        let ready = tasks.iter().filter(|task| {
            let conditions = task.status.as_ref().and_then(|it| it.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|it| it.type_ == "Ready" && it.status == "True")
        });
        let uids: BTreeSet<String> = ready.filter_map(|task| task.metadata.uid.clone()).collect();
        Ok((uids.len() == count).then_some(uids))
    })
    .await
    .unwrap()
}
