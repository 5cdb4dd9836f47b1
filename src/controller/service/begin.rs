//! When a deployment may begin. `kubectl apply` of a task definition and of the service that follows it makes two
//! changes, one after the other; a deployment of the first alone would run something that nobody wrote.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use kube::ResourceExt as _;
use tokio::time::Instant;

use super::plan::Newest;
use crate::{
    controller::context::Context,
    crd::EcsService,
    decide::deployment::{self, Deployments},
};

/// How long nothing may change before a deployment of a service that follows its task definition begins.
const QUIET: Duration = Duration::from_secs(1);
/// The longest wait of a deployment.
const LONGEST: Duration = Duration::from_secs(5);

/// The deployments that are about to begin. They are kept only in memory: a restarted operator waits again.
#[derive(Default)]
pub(crate) struct Beginnings {
    by_service: Mutex<HashMap<String, Beginning>>,
}

/// A deployment that has not begun.
struct Beginning {
    /// The digest of its inputs.
    inputs: String,
    /// Since when the service has asked for anything other than what runs.
    first: Instant,
    /// Since when it has asked for these inputs.
    last: Instant,
}

impl Newest {
    /// Returns what the decisions need of it.
    pub(super) fn for_decision(&self) -> deployment::Newest<'_> {
        deployment::Newest {
            revision: &self.revision,
            task_definition: &self.task_definition,
            same: &self.same,
        }
    }
}

/// Returns how long a deployment of what a service asks for has to wait; `None` if none begins or it may begin now.
pub(super) fn has_to_wait(
    cx: &Context,
    service: &EcsService,
    newest: &Newest,
    before: &Deployments,
) -> Option<Duration> {
    let primary = before.primary()?.service_revision.as_deref();
    let is_same = |revision: Option<&str>| {
        revision.is_some_and(|revision| newest.same.iter().any(|same| same == revision))
    };
    if !newest.follows || is_same(primary) || is_same(before.rolled_back.as_deref()) {
        cx.beginnings.forget(service);
        return None;
    }
    let uid = service.uid().unwrap_or_default();
    cx.beginnings.wait(uid, &newest.digest, Instant::now())
}

impl Beginnings {
    fn wait(&self, uid: String, inputs: &str, now: Instant) -> Option<Duration> {
        let mut by_service = self
            .by_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let beginning = by_service.entry(uid).or_insert_with(|| Beginning {
            inputs: inputs.to_owned(),
            first: now,
            last: now,
        });
        if beginning.inputs != inputs {
            inputs.clone_into(&mut beginning.inputs);
            beginning.last = now;
        }
        let quiet = QUIET.saturating_sub(now.duration_since(beginning.last));
        let longest = LONGEST.saturating_sub(now.duration_since(beginning.first));
        Some(quiet.min(longest)).filter(|wait| !wait.is_zero())
    }

    /// Forgets a service that is gone, or for which no deployment begins.
    pub(super) fn forget(&self, service: &EcsService) {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        let mut by_service = self
            .by_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        by_service.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_begins_when_nothing_more_changes() {
        let beginnings = Beginnings::default();
        let start = Instant::now();
        let wait = |inputs: &str, after: u64| {
            let now = start + Duration::from_millis(after);
            let wait = beginnings.wait("1".to_owned(), inputs, now);
            wait.map(|wait| wait.as_millis())
        };
        assert_eq!(wait("a", 0), Some(1000));
        assert_eq!(wait("a", 400), Some(600));
        assert_eq!(wait("b", 900), Some(1000), "something else is asked for");
        assert_eq!(wait("b", 1900), None);
        for (index, change) in ["c", "d", "e"].iter().enumerate() {
            let after = 2800 + 900 * u64::try_from(index).unwrap_or(0);
            assert!(wait(change, after).is_some());
        }
        assert_eq!(wait("f", 5000), None, "nobody waits for ever");
    }
}
