//! Measures what each pod adds to the memory of the operator.

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    plain::{self, CONCURRENCY},
    process,
    shop::COUNT,
};

/// Creates the pods of all services, as ReplicaSets and a kubelet would.
pub async fn run(bed: &Bed, names: &[String]) -> Result<()> {
    let namespace = bed.namespace.name();
    let deployments = plain::api(&bed.user, namespace, "apps/v1", "Deployment");
    let pods = plain::api(&bed.user, namespace, "v1", "Pod");
    let listed = deployments.list(&ListParams::default()).await?;
    let before = resident(bed)?;
    let all = listed.iter().flat_map(|deployment| {
        let deployment = json!(deployment);
        (0..COUNT).map(move |number| pod(&deployment, number))
    });
    stream::iter(all)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |(pod, status): (Value, Value)| {
            let made = pods
                .create(&PostParams::default(), &serde_json::from_value(pod)?)
                .await?;
            let name = made.metadata.name.unwrap_or_default();
            let patch = Patch::Merge(json!({"status": status}));
            pods.patch_status(&name, &PatchParams::default(), &patch)
                .await?;
            anyhow::Ok(())
        })
        .await?;
    bed.quiet().await?;
    let added = resident(bed)? - before;
    let count = names.len() as f64 * COUNT as f64;
    println!(
        "  pods: {count} pods add {added:.1} MiB, {:.2} KiB each",
        1024.0 * added / count
    );
    Ok(())
}

fn resident(bed: &Bed) -> Result<f64> {
    let memory = bed.operator().process().and_then(process::memory);
    memory
        .map(|(resident, _)| resident)
        .context("Linux tells no memory")
}

/// Returns a pod of a Deployment, and its status.
fn pod(deployment: &Value, number: i64) -> (Value, Value) {
    let template = &deployment["spec"]["template"];
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"],
        "spec": template["spec"],
    });
    pod["metadata"]["name"] = json!(format!("{name}-{number}"));
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": name,
        "uid": deployment["metadata"]["uid"],
        "controller": true,
    }]);
    pod["spec"]["nodeName"] = json!("node-1");
    let started = "2026-01-01T00:00:00Z";
    let container = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": true,
            "started": true, "restartCount": 0, "state": {"running": {"startedAt": started}},
        })
    };
    let containers = template["spec"]["containers"].as_array();
    let containers: Vec<Value> = containers.into_iter().flatten().map(container).collect();
    let condition =
        |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": started});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let status = json!({
        "phase": "Running",
        "startTime": started,
        "conditions": conditions,
        "containerStatuses": containers,
    });
    (pod, status)
}
