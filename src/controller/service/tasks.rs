//! The tasks of a service that ECS would replace and the kubelet would not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, EvictParams, Preconditions},
};

use super::plan::Plan;
use crate::{
    controller::{
        caches::owner::Owner,
        context::Context,
        error::{Error, code},
    },
    crd::EcsService,
    decide::{
        pod_state::PodState,
        replacement::{self, History, Standing, Why},
    },
    diagnostic::StateReason,
};

/// When to check again after a task was replaced.
const NEXT: Duration = Duration::from_secs(10);

/// When tasks of services were last replaced, and how often in a row. This is kept only in memory: a restarted operator
/// replaces a task once without waiting.
#[derive(Default)]
pub(crate) struct Replacements {
    by_service: Mutex<HashMap<(String, String), History>>,
}

/// The input for deciding whether a task is over.
#[derive(Clone, Copy)]
pub(super) struct Over<'a> {
    /// What was applied.
    pub(super) running: &'a Plan,
    /// For how many seconds a load balancer may report a new task as unhealthy.
    pub(super) grace: i64,
    /// The current time.
    pub(super) now: Timestamp,
}

/// Evicts a pod whose task is over in ECS: an essential container of several has ended, one that others wait for takes
/// too long, or its load balancer considers it unhealthy. Evicts one pod at a time, and none if fewer than the healthy
/// minimum would be left. Returns when to check again, if there is a wait.
pub(super) async fn replace_ended(
    cx: &Context,
    service: &EcsService,
    Over {
        running,
        grace,
        now,
    }: Over<'_>,
) -> Result<Option<Duration>, Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let owner = Owner::Service(namespace.clone(), name.clone());
    let pods = cx.pods.of(&owner);
    let mut over: Vec<(Arc<PodState>, Why)> = Vec::new();
    let mut next = None;
    for pod in &pods {
        match replacement::look(pod, grace, now) {
            Standing::GoesOn => {}
            Standing::Until(time) => next = next.into_iter().chain([time]).min(),
            Standing::Over(why) => over.push((pod.clone(), why)),
        }
    }
    let next = next.and_then(|next: Timestamp| Duration::try_from(next.duration_since(now)).ok());
    if over.is_empty() {
        return Ok(next);
    }
    let Some((pod, why)) = replacement::first(&over, &pods, healthy_minimum(running)) else {
        // More serving tasks may allow an eviction; that is a change, which triggers a reconcile.
        return Ok(next);
    };
    let key = (namespace.clone(), name.clone());
    if let Some(wait) = cx.replacements.history(&key, |history| history.wait(now)) {
        return Ok(Some(wait));
    }
    cx.pods.stopped.evicts(pod);
    let goes = evict(cx, &namespace, pod).await;
    let goes_now = matches!(goes, Ok(true));
    cx.replacements.history(&key, |history| {
        if goes_now {
            history.replaced(now);
        } else {
            history.refused(now);
        }
    });
    cx.pods.stopped.evicted(&owner, pod, why, goes_now);
    if goes? {
        let (pod, why) = (&pod.name, why.reason());
        let note = format!("(service {name}) has stopped 1 running task: {why} ({pod}).");
        cx.events.warning(service, StateReason::TasksStopped, note);
    }
    Ok(Some(next.unwrap_or(NEXT).min(NEXT)))
}

/// Returns how many tasks must stay healthy.
fn healthy_minimum(running: &Plan) -> i64 {
    let desired = running.desired.unwrap_or(0);
    let percent = i64::from(running.rules.minimum_healthy_percent);
    let minimum = desired.saturating_mul(percent);
    minimum / 100 + i64::from(minimum % 100 > 0)
}

/// Evicts a pod. Returns whether it is evicted: a budget may forbid it, or the pod may be gone or replaced already.
async fn evict(cx: &Context, namespace: &str, pod: &PodState) -> Result<bool, Error> {
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), namespace);
    let params = EvictParams {
        delete_options: Some(DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        }),
        ..EvictParams::default()
    };
    match api.evict(&pod.name, &params).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(code(&error), Some(404 | 409 | 429)) => Ok(false),
        Err(error) => Err(Error::Api {
            verb: "evict",
            kind: "Pod".to_owned(),
            name: pod.name.clone(),
            source: Box::new(error),
        }),
    }
}

impl Replacements {
    /// Accesses the history of a service.
    fn history<T>(&self, service: &(String, String), of: impl FnOnce(&mut History) -> T) -> T {
        let mut by_service = self
            .by_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        of(by_service.entry(service.clone()).or_default())
    }
}

/// Forgets a service that is gone.
pub(super) fn forget(cx: &Context, service: &EcsService) {
    let key = (service.namespace().unwrap_or_default(), service.name_any());
    let by_service = &cx.replacements.by_service;
    by_service
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&key);
}
