//! The stopped tasks of services that no status reports yet.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;

use super::owner::Owner;
use crate::{
    controller::context::lock,
    decide::{
        pod_state::PodState,
        replacement::Why,
        stopped_tasks::{MOST, Stopped, replaced, stopped, vanished},
    },
};

/// How long the pods of a deleted service may take to end.
const LONGEST_END: Duration = Duration::from_hours(1);

/// Stopped tasks that changes of pods have shown and no status reports yet. After a restart, the operator learns what
/// was not reported yet from the pods that still exist.
#[derive(Default)]
pub(crate) struct StoppedTasks {
    by_service: std::sync::Mutex<HashMap<Owner, Vec<Stopped>>>,
    /// The UIDs of the pods that the operator has evicted.
    evicted: std::sync::Mutex<HashSet<String>>,
    /// When services were deleted whose pods may still be ending.
    departed: std::sync::Mutex<HashMap<Owner, Instant>>,
}

impl StoppedTasks {
    /// Learns what a change of a pod shows.
    pub(super) fn changed(&self, owner: &Owner, before: Option<&PodState>, after: &PodState) {
        if matches!(owner, Owner::Task(..)) {
            return;
        }
        // The reason for the eviction was reported at that time.
        if after.deleting && lock(&self.evicted).contains(&after.uid) {
            return;
        }
        if let Some(stopped) = stopped(before, after, Timestamp::now()) {
            self.learn(owner, stopped);
        }
    }

    /// Learns what the end of a pod shows.
    pub(super) fn gone(&self, owner: &Owner, before: &PodState) {
        let was_evicted = lock(&self.evicted).remove(&before.uid);
        if was_evicted || matches!(owner, Owner::Task(..)) {
            return;
        }
        if let Some(stopped) = vanished(before, Timestamp::now()) {
            self.learn(owner, stopped);
        }
    }

    /// Remembers that the operator evicts a pod.
    pub(crate) fn evicts(&self, pod: &PodState) {
        lock(&self.evicted).insert(pod.uid.clone());
    }

    /// Learns whether the eviction of a pod succeeded.
    pub(crate) fn evicted(&self, owner: &Owner, pod: &PodState, why: &Why, goes: bool) {
        if !goes {
            lock(&self.evicted).remove(&pod.uid);
        } else if let Some(stopped) = replaced(pod, why, Timestamp::now()) {
            self.learn(owner, stopped);
        }
    }

    fn learn(&self, owner: &Owner, stopped: Stopped) {
        if lock(&self.departed).contains_key(owner) {
            return;
        }
        let mut by_service = lock(&self.by_service);
        let known = by_service.entry(owner.clone()).or_default();
        if known.len() == MOST {
            // No status reports more of them.
            known.remove(0);
        }
        known.push(stopped);
    }

    /// Returns the stopped tasks to report for a service.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Stopped> {
        let by_service = lock(&self.by_service);
        by_service.get(owner).cloned().unwrap_or_default()
    }

    /// Forgets tasks that were reported.
    pub(crate) fn told(&self, owner: &Owner, told: &[Stopped]) {
        if told.is_empty() {
            return;
        }
        let mut by_service = lock(&self.by_service);
        if let Some(known) = by_service.get_mut(owner) {
            known.retain(|stopped| !told.contains(stopped));
            if known.is_empty() {
                by_service.remove(owner);
            }
        }
    }

    /// Forgets a deleted service, whose stopped tasks are no longer reported.
    pub(crate) fn forget(&self, owner: &Owner) {
        let mut departed = lock(&self.departed);
        departed.retain(|_, since| since.elapsed() < LONGEST_END);
        departed.insert(owner.clone(), Instant::now());
        lock(&self.by_service).remove(owner);
    }

    /// Records that a service exists.
    pub(crate) fn is_there(&self, owner: &Owner) {
        lock(&self.departed).remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::{Doing, Phase};

    /// Returns a pod that goes away before its container could start.
    fn failing() -> PodState {
        let mut pod = PodState {
            name: "web-1".to_owned(),
            phase: Phase::Pending,
            ..PodState::default()
        };
        let waiting = Doing::Waiting("ErrImagePull".to_owned(), "no such image".to_owned());
        pod.containers
            .push(crate::decide::pod_state::ContainerSeen {
                name: "app".to_owned(),
                state: waiting,
                ..Default::default()
            });
        pod
    }

    #[test]
    fn what_ends_after_its_service_is_gone_is_not_kept_for_the_next_one() {
        let (stopped, owner) = (
            StoppedTasks::default(),
            Owner::Service("shop".to_owned(), "web".to_owned()),
        );
        stopped.gone(&owner, &failing());
        assert_eq!(stopped.of(&owner).len(), 1);
        stopped.forget(&owner);
        stopped.gone(&owner, &failing());
        assert_eq!(stopped.of(&owner), []);
        stopped.is_there(&owner);
        stopped.gone(&owner, &failing());
        assert_eq!(stopped.of(&owner).len(), 1);
    }
}
