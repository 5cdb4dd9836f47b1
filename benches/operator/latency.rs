//! Measures the time from a change of a service to the change of its Deployment.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::{
    bed::{Bed, LIMIT},
    numbers::{milliseconds, verdict},
    plain,
};

/// The number of changes, one after another.
const CHANGES: usize = 250;
/// The maximum time of 99 of 100 changes.
const TARGET: Duration = Duration::from_millis(60);

pub async fn run(bed: &Bed, names: &[String]) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(bed.user.clone(), bed.namespace.name());
    let list = deployments
        .list_metadata(&ListParams::default().limit(1))
        .await?;
    let version = list
        .metadata
        .resource_version
        .context("a list without a version")?;
    let params = WatchParams::default().timeout(290);
    let events = deployments.watch(&params, &version).await?;
    pin_mut!(events);
    let services = plain::services(&bed.user, bed.namespace.name());
    let (mut from_request, mut from_answer) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        // The changes are spread over all services, each with a different number.
        let name = &names[number * names.len() / CHANGES];
        let count = 100 + i32::try_from(number)?;
        let patch = Patch::Merge(json!({"spec": {"desiredCount": count}}));
        let begun = Instant::now();
        services
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        let answered = Instant::now();
        let seen = async {
            while let Some(event) = events.next().await {
                if let WatchEvent::Modified(deployment) = event?
                    && deployment.metadata.name.as_ref() == Some(name)
                    && deployment.spec.and_then(|spec| spec.replicas) == Some(count)
                {
                    return Ok(Instant::now());
                }
            }
            anyhow::bail!("the watch has ended")
        };
        let seen = tokio::time::timeout(LIMIT, seen)
            .await
            .context("no change was seen")??;
        from_request.push(seen - begun);
        from_answer.push(seen.saturating_duration_since(answered));
    }
    ensure!(from_request.len() == CHANGES);
    let p99 = percentile(&mut from_request, 99);
    println!(
        "  change: from the request that changes a service to its Deployment in a watch, {CHANGES} times one after another: p50 {:.1} ms, p99 {:.1} ms (from the answer to that request p50 {:.1} ms, p99 {:.1} ms)",
        milliseconds(percentile(&mut from_request, 50)),
        milliseconds(p99),
        milliseconds(percentile(&mut from_answer, 50)),
        milliseconds(percentile(&mut from_answer, 99)),
    );
    println!(
        "    target of p99 below {:.0} ms: {}",
        milliseconds(TARGET),
        verdict(p99 < TARGET)
    );
    Ok(())
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100) - 1]
}
