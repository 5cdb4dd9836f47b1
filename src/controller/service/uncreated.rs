//! The pods that a workload cannot create.
//!
//! A Deployment reports why, but not for which of its revisions, so its ReplicaSets are read. A DaemonSet reports it
//! only in its events, which the operator has no permission to read; so it sends the API server a dry run, which
//! creates nothing.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use kube::{ResourceExt as _, api::ListParams, core::DynamicObject};
use serde_json::{Value, json};

use super::{
    fetch::{Observed, replica_sets},
    plan::Plan,
};
use crate::{
    controller::{
        caches::child::replica_failure,
        context::{Context, lock},
        error::brief,
        trial,
    },
    crd::EcsService,
    decide::deployment::pods_of,
};

/// How long pods may be missing before the API server is asked why.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the API server is asked.
const AGAIN: Duration = Duration::from_secs(30);

/// The services with a DaemonSet that has too few pods. This is kept only in memory: a restarted operator waits and
/// asks again.
#[derive(Default)]
pub(crate) struct Uncreated {
    by_service: Mutex<HashMap<String, Missing>>,
}

/// The known state of missing pods.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    /// The service revision that they would have.
    revision: String,
    /// How many pods are wanted and how many exist.
    counts: (i64, i64),
}

/// Missing pods.
#[derive(Clone, Debug)]
struct Missing {
    gap: Gap,
    /// Since when they are missing.
    since: Instant,
    /// When the API server was asked, and why it accepts no pod, if it said so.
    asked: Option<(Instant, Option<String>)>,
}

/// What to do about missing pods.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait(Duration),
    Ask,
}

impl Missing {
    fn next(&self, now: Instant) -> Next {
        let (from, wait) = match &self.asked {
            Some((asked, _)) => (*asked, AGAIN),
            None => (self.since, PATIENCE),
        };
        let left = wait.saturating_sub(now.saturating_duration_since(from));
        if left.is_zero() {
            Next::Ask
        } else {
            Next::Wait(left)
        }
    }
}

impl Uncreated {
    /// Returns why the API server accepts no pod of a service revision, if it was asked.
    pub(super) fn why(&self, service: &EcsService, revision: &str) -> Option<String> {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let by_service = lock(&self.by_service);
        let missing = by_service.get(uid)?;
        let asked = missing.asked.as_ref()?;
        asked.1.clone().filter(|_| missing.gap.revision == revision)
    }

    /// Whether the API server was asked, and accepts the missing pods.
    pub(super) fn is_unexplained(&self, service: &EcsService) -> bool {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let by_service = lock(&self.by_service);
        let asked = by_service.get(uid).and_then(|it| it.asked.as_ref());
        asked.is_some_and(|(_, why)| why.is_none())
    }

    /// Records which pods are missing, and returns what to do.
    fn note(&self, uid: &str, gap: Gap, now: Instant) -> Next {
        let mut by_service = lock(&self.by_service);
        let begins = Missing {
            gap,
            since: now,
            asked: None,
        };
        let missing = by_service
            .entry(uid.to_owned())
            .or_insert_with(|| begins.clone());
        if missing.gap != begins.gap {
            *missing = begins;
        }
        missing.next(now)
    }

    fn answered(&self, uid: &str, why: Option<String>, now: Instant) {
        if let Some(missing) = lock(&self.by_service).get_mut(uid) {
            missing.asked = Some((now, why));
        }
    }

    /// Forgets a service that is gone, or that lacks no pods.
    pub(super) fn forget(&self, service: &EcsService) {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        lock(&self.by_service).remove(uid);
    }
}

/// Asks the API server why the pods of a DaemonSet are missing, if they have been for a while. Returns when to check
/// again.
pub(super) async fn ask(
    cx: &Context,
    service: &EcsService,
    running: &Plan,
    observed: &Observed,
) -> Option<Duration> {
    let Some((name, counts)) = &observed.missing else {
        cx.uncreated.forget(service);
        return None;
    };
    let uid = service.uid().unwrap_or_default();
    let gap = Gap {
        revision: running.revision.clone(),
        counts: *counts,
    };
    if let Next::Wait(wait) = cx.uncreated.note(&uid, gap, Instant::now()) {
        return Some(wait);
    }
    let why = match pod_of(&running.objects, name) {
        Some(pod) => {
            let namespace = service.namespace().unwrap_or_default();
            trial::refusal(cx, &namespace, &pod).await
        }
        None => None,
    };
    cx.uncreated.answered(&uid, why, Instant::now());
    Some(AGAIN)
}

/// Returns a pod as the DaemonSet of this name would create it.
fn pod_of(objects: &[Value], name: &str) -> Option<DynamicObject> {
    let mut objects = objects.iter();
    let daemon = objects.find(|object| {
        object.get("kind").and_then(Value::as_str) == Some("DaemonSet")
            && object.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
    })?;
    trial::pod_of(daemon.pointer("/spec/template")?, name)
}

/// Returns why the API server creates no pod of what was applied last, ignoring older revisions. If that is unknown
/// now, it is requested again.
pub(super) async fn of_newest(
    cx: &Context,
    service: &EcsService,
    running: Option<&Plan>,
    observed: &Observed,
) -> Option<String> {
    let (why, running) = (observed.not_created.as_ref()?, running?);
    if observed.missing.is_some() {
        return Some(why.clone());
    }
    let of_any_age = ListParams::default().match_any();
    let pods = pods_of(&running.revision);
    match replica_sets(cx, service, pods, of_any_age).await {
        Ok(sets) => sets
            .iter()
            .find_map(|set| replica_failure(&json!(set)).map(str::to_owned)),
        Err(error) => {
            tracing::debug!(
                error = brief(&error),
                "cannot list the ReplicaSets of a service"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> EcsService {
        let metadata = json!({"name": "web", "namespace": "shop", "uid": "1"});
        serde_json::from_value(json!({"metadata": metadata})).expect("it is a service")
    }

    #[test]
    fn the_api_server_is_asked_after_a_while_and_then_now_and_then() {
        let uncreated = Uncreated::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let wait = |seconds| Next::Wait(Duration::from_secs(seconds));
        let gap = |counts| Gap {
            revision: "a".to_owned(),
            counts,
        };
        let note = |counts, seconds| uncreated.note("1", gap(counts), after(seconds));
        assert_eq!(note((3, 0), 0), wait(10));
        assert_eq!(note((3, 0), 4), wait(6));
        assert_eq!(note((3, 1), 9), wait(10), "one was created");
        assert_eq!(note((3, 1), 19), Next::Ask);
        uncreated.answered("1", Some("exceeded quota".to_owned()), after(19));
        assert_eq!(note((3, 1), 20), wait(29));
        assert_eq!(note((3, 1), 49), Next::Ask);
        let service = service();
        assert!(uncreated.why(&service, "a").is_some());
        assert_eq!(uncreated.why(&service, "b"), None, "it was not asked");
        assert_eq!(note((3, 2), 50), wait(10), "what was said is out of date");
    }
}
