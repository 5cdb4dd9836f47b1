//! Measures one change of a task definition that all services follow.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, pin_mut, stream};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::{Value, json};

use crate::{
    bed::{Bed, LIMIT},
    numbers::verdict,
    plain::{self, CONCURRENCY, Sample},
    shop, support,
};

/// The maximum time of the operator relative to that of the plain client.
const TARGET: f64 = 1.2;
/// The image that all services get.
const IMAGE: &str = "example.com/web:changed";

/// What the same change takes a plain client.
#[derive(Clone, Copy)]
pub struct Plainly {
    /// If it patches the Deployments alone.
    patches: f64,
    /// If it makes the same writes as the operator: a revision, a Deployment, an autoscaler, and twice the
    /// status.
    writes: f64,
}

/// Changes all Deployments with a plain client.
pub async fn plainly(bed: &Bed, names: &[String], sample: &Sample) -> Result<Plainly> {
    let namespace = bed.namespace.name();
    let deployments = plain::api(&bed.plain, namespace, "apps/v1", "Deployment");
    let containers = json!([{"name": "web", "image": IMAGE}]);
    let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let begun = Instant::now();
    each(names, async |name| {
        let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
        deployments.patch(name, &params, &patch).await?;
        Ok(())
    })
    .await?;
    let patches = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    each(names, async |name| write_all(bed, name, sample).await).await?;
    Ok(Plainly {
        patches,
        writes: begun.elapsed().as_secs_f64(),
    })
}

async fn each(names: &[String], work: impl AsyncFn(&str) -> Result<()>) -> Result<()> {
    stream::iter(names)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |name| work(name).await)
        .await
}

/// Makes the writes of the operator for one service.
async fn write_all(bed: &Bed, name: &str, sample: &Sample) -> Result<()> {
    let namespace = bed.namespace.name();
    let (mut revision, mut status) = sample.of(namespace, name)?;
    revision["metadata"]["name"] = json!(format!("{name}.service.changed"));
    plain::api(&bed.plain, namespace, "apps/v1", "ControllerRevision")
        .create(&PostParams::default(), &serde_json::from_value(revision)?)
        .await?;
    let mut report = async |state: &str| -> Result<()> {
        status["deployments"][0]["rolloutStateReason"] = json!(state);
        let patch = Patch::Merge(json!({"status": status}));
        plain::services(&bed.plain, namespace)
            .patch_status(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    };
    report("decided").await?;
    let mut deployment = sample.child("Deployment", namespace, name)?;
    let containers = &mut deployment["spec"]["template"]["spec"]["containers"];
    containers[0]["image"] = json!("example.com/web:again");
    let kind = "HorizontalPodAutoscaler";
    let mut autoscaler = sample.child(kind, namespace, name)?;
    autoscaler["spec"]["behavior"]["scaleDown"]["selectPolicy"] = json!("Disabled");
    let params = PatchParams::apply("ecs-operator").force();
    for (version, kind, object) in [
        ("apps/v1", "Deployment", deployment),
        ("autoscaling/v2", kind, autoscaler),
    ] {
        plain::api(&bed.plain, namespace, version, kind)
            .patch(name, &params, &Patch::Apply(&object))
            .await?;
    }
    report("applied").await
}

/// Changes the task definition, and waits until all Deployments have changed.
pub async fn run(bed: &Bed, names: &[String], plainly: Plainly) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(bed.user.clone(), bed.namespace.name());
    let list = deployments
        .list_metadata(&ListParams::default().limit(1))
        .await?;
    let version = list.metadata.resource_version.context("no version")?;
    let params = WatchParams::default().timeout(290);
    let events = deployments.watch(&params, &version).await?;
    pin_mut!(events);
    let requests = bed.requests().await?;
    let mut definition = shop::task_definition();
    definition["containerDefinitions"][0]["image"] = json!(IMAGE);
    let (namespace, kind) = (bed.namespace.name(), "EcsTaskDefinition");
    let begun = Instant::now();
    support::apply(&bed.user, namespace, kind, shop::FAMILY, definition).await?;
    let mut changed = BTreeSet::new();
    let all = async {
        while changed.len() < names.len() {
            let event = events.next().await.context("the watch has ended")?;
            if let WatchEvent::Modified(deployment) = event?
                && has_image(&json!(deployment))
            {
                changed.insert(deployment.metadata.name);
            }
        }
        anyhow::Ok(())
    };
    let all = tokio::time::timeout(LIMIT, all).await;
    all.context("some did not change")??;
    let seconds = begun.elapsed().as_secs_f64();
    let (after, _) = bed.quiet().await?;
    let Plainly { patches, writes } = plainly;
    let (of_patches, of_writes) = (seconds / patches, seconds / writes);
    println!(
        "  one change of a task definition: all {} Deployments changed after {seconds:.2} s ({:.2} ms a service); a plain client that makes the same writes {writes:.2} s, one that patches the Deployments alone {patches:.2} s; the operator: {} requests",
        names.len(),
        1000.0 * seconds / names.len() as f64,
        after.since(&requests),
    );
    println!(
        "    {of_writes:.2} times the same writes, {of_patches:.2} times the patches; target of at most {TARGET} times the same writes: {}",
        verdict(of_writes <= TARGET)
    );
    Ok(())
}

fn has_image(deployment: &Value) -> bool {
    let containers = &deployment["spec"]["template"]["spec"]["containers"];
    let mut containers = containers.as_array().into_iter().flatten();
    containers.any(|container| container["image"] == IMAGE)
}
