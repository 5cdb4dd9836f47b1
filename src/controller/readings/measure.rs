//! Measures services: each quarter of a minute what their tasks use, and at the end of each minute what follows from it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, join, stream};
use kube::runtime::reflector::ObjectRef;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    pod_metrics::{ByService, pod_metrics},
    sources::Sources,
};
use crate::{
    controller::{
        caches::owner::Owner,
        context::Context,
        service::{policies_call, running_tasks},
    },
    crd::EcsService,
    decide::scaling::usage::{Reserved, Used},
};

/// How often tasks are measured: as often as metrics-server measures them.
const INTERVAL: Duration = Duration::from_secs(15);
/// How many measurements make a point.
const OF_A_MINUTE: u32 = 4;
/// How many namespaces are asked for at a time.
const CONCURRENT: usize = 16;
/// How long the answer for one namespace may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Measures services for as long as this replica leads. It goes by the clock that never jumps, because each point stands
/// for a minute.
pub(in crate::controller) async fn measure_services(cx: &Arc<Context>) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut first, mut sources) = (0, Sources::default());
    loop {
        for _ in 1..OF_A_MINUTE {
            ticks.tick().await;
            first = sample(cx, first).await;
        }
        ticks.tick().await;
        // A source that is slow does not hold up the other.
        (first, ()) = join!(sample(cx, first), sources.ask(cx));
        end_minute(cx);
    }
}

/// Measures what the tasks of all services use, with one request for each namespace. If there is not time for all of
/// them, the next measurement begins with the others: returns with which.
async fn sample(cx: &Arc<Context>, first: usize) -> usize {
    let mut namespaces = cx.readings.of_pods();
    let first = first.checked_rem(namespaces.len()).unwrap_or(0);
    namespaces.rotate_left(first);
    let deadline = Instant::now() + INTERVAL;
    let asked = AtomicUsize::new(first);
    stream::iter(namespaces)
        .for_each_concurrent(CONCURRENT, async |(namespace, services)| {
            if Instant::now() >= deadline {
                return;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            sample_namespace(cx, &namespace, &services).await;
        })
        .await;
    asked.into_inner()
}

async fn sample_namespace(cx: &Context, namespace: &str, services: &[String]) {
    let answer = pod_metrics(&cx.client, namespace, services);
    let answer = timeout(LONGEST, answer).await;
    let answer = answer.unwrap_or_else(|elapsed| Err(kube::Error::Service(elapsed.into())));
    cx.metrics.measured(answer.is_ok());
    match answer {
        Ok(used) => record(cx, namespace, used),
        Err(error) => {
            tracing::warn!(%error, namespace, "cannot measure what tasks use");
            let why = format!("metrics.k8s.io does not report what pods use: {error}");
            cx.readings.failed(namespace, &why);
        }
    }
}

fn record(cx: &Context, namespace: &str, used: ByService) {
    for (service, used) in used {
        let owner = Owner::Service(namespace.to_owned(), service);
        if !cx.readings.has(&owner) {
            continue;
        }
        let pods = cx.pods.of(&owner);
        let pods = pods
            .iter()
            .filter(|pod| !pod.deleting && !pod.is_finished());
        let tasks: Vec<(Reserved, Used)> = pods
            .filter_map(|pod| Some((pod.reserved, *used.get(&pod.name)?)))
            .collect();
        cx.readings.sample(&owner, &tasks);
    }
}

/// Ends a minute, and triggers the reconcile of the services for which something follows from it.
pub(in crate::controller) fn end_minute(cx: &Arc<Context>) {
    let owners = cx.readings.end_minute(|owner| running_tasks(cx, owner));
    for owner in owners {
        if let Owner::Service(namespace, name) = &owner
            && policies_call(cx, &owner)
        {
            cx.ask::<EcsService>(ObjectRef::new(name).within(namespace));
        }
    }
}
