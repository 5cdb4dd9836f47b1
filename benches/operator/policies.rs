//! Measures what it costs to run the scaling policies of all services, in place of as many autoscalers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use ecs_operator_testbed::until;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    bed::{Bed, LIMIT},
    numbers::verdict,
    plain::{self, CONCURRENCY},
    process,
    support::addons::serve_addons,
};

/// The duration of the measurement.
const MINUTE: Duration = Duration::from_mins(1);

/// Has the operator run the policies, and reports what each pod uses, as metrics-server would.
pub async fn run(bed: &Bed, names: &[String]) -> Result<()> {
    let pod_metrics = ("metrics.k8s.io", "v1beta1", "PodMetrics", "pods");
    serve_addons(&bed.user, &[pod_metrics]).await?;
    let namespace = bed.namespace.name();
    let pods = plain::api(&bed.user, namespace, "v1", "Pod");
    let metrics = plain::api(&bed.user, namespace, "metrics.k8s.io/v1beta1", "Pod");
    let listed = pods.list(&ListParams::default()).await?;
    stream::iter(listed)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |pod| {
            let usage = json!({"cpu": "50m", "memory": "32Mi"});
            let body = json!({
                "apiVersion": "metrics.k8s.io/v1beta1",
                "kind": "PodMetrics",
                "metadata": {"name": pod.name_any(), "labels": pod.labels()},
                "containers": [{"name": "web", "usage": usage}],
            });
            let params = PatchParams::apply("bench").force();
            metrics
                .patch(&pod.name_any(), &params, &Patch::Apply(body))
                .await?;
            anyhow::Ok(())
        })
        .await?;
    let services = plain::api(
        &bed.user,
        namespace,
        "ecs-operator.dev/v1alpha1",
        "EcsService",
    );
    let ask = Patch::Merge(json!({"spec": {"autoScaling": {"scaler": "operator"}}}));
    stream::iter(names)
        .map(Ok)
        .try_for_each_concurrent(CONCURRENCY, async |name: &String| {
            services.patch(name, &PatchParams::default(), &ask).await?;
            anyhow::Ok(())
        })
        .await?;
    until("the first minute of all services", LIMIT, async || {
        let all = services.list(&ListParams::default()).await?;
        let measured = all.iter().filter(|service| {
            let alarms = &service.data["status"]["autoScaling"]["alarms"];
            alarms.as_array().is_some_and(|alarms| !alarms.is_empty())
        });
        // The first service of the bench has an autoscaler.
        Ok((measured.count() >= names.len()).then_some(()))
    })
    .await?;
    bed.quiet().await?;
    let id = bed.operator().process().context("the operator has ended")?;
    let requests = bed.requests().await?;
    let processor = process::processor_seconds(id).context("Linux tells no times")?;
    // Nothing has to happen except time passing.
    tokio::time::sleep(MINUTE).await;
    let processor = process::processor_seconds(id).context("Linux tells no times")? - processor;
    let requests = bed.requests().await?.since(&requests);
    let (_lease, others) = requests.split(&["PUT"]);
    let (reads, writes) = others.split(&["GET"]);
    println!(
        "  policies of {} services for a minute: {processor:.2} s of a processor, {} reads, {} writes",
        names.len(),
        reads.sum(),
        writes.sum()
    );
    println!(
        "    target of no writes and fewer reads than services: {}",
        verdict(writes.sum() == 0 && reads.sum() < names.len() as u64)
    );
    crate::start::memory(bed, "with policies");
    Ok(())
}
