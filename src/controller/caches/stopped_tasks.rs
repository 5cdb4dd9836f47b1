//! The tasks of services that stopped, until a status tells them.

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

/// How long the pods of a service that is gone may take to end.
const LONGEST_END: Duration = Duration::from_hours(1);

/// What changes of pods have shown and no status tells yet. What an operator had not told when it ended, the next one
/// learns from pods that are still there.
#[derive(Default)]
pub(crate) struct StoppedTasks {
    by_service: std::sync::Mutex<HashMap<Owner, Vec<Stopped>>>,
    /// The identities of the pods that the operator has evicted.
    evicted: std::sync::Mutex<HashSet<String>>,
    /// When services went whose pods may still end.
    departed: std::sync::Mutex<HashMap<Owner, Instant>>,
}

impl StoppedTasks {
    /// Learns what a change of a pod shows.
    pub(super) fn changed(&self, owner: &Owner, before: Option<&PodState>, after: &PodState) {
        if matches!(owner, Owner::Task(..)) {
            return;
        }
        // Why the operator has evicted it was told then.
        if after.deleting && lock(&self.evicted).contains(&after.uid) {
            return;
        }
        if let Some(stopped) = stopped(before, after, Timestamp::now()) {
            self.learn(owner, stopped);
        }
    }

    /// Learns what it shows that a pod is gone.
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

    /// Learns whether a pod goes that the operator wanted to evict.
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
            // More of them no status tells.
            known.remove(0);
        }
        known.push(stopped);
    }

    /// What is to be told of a service.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Stopped> {
        let by_service = lock(&self.by_service);
        by_service.get(owner).cloned().unwrap_or_default()
    }

    /// Forgets what was told.
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

    /// Forgets a service that is gone, of whose tasks nobody is to be told any more.
    pub(crate) fn forget(&self, owner: &Owner) {
        let mut departed = lock(&self.departed);
        departed.retain(|_, since| since.elapsed() < LONGEST_END);
        departed.insert(owner.clone(), Instant::now());
        lock(&self.by_service).remove(owner);
    }

    /// Notes that a service is there.
    pub(crate) fn is_there(&self, owner: &Owner) {
        lock(&self.departed).remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::{Doing, Phase};

    /// A pod that goes before its container could be started.
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
