//! The tasks of services that stopped, until a status tells them.

use std::collections::{HashMap, HashSet};

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

/// What changes of pods have shown and no status tells yet. What an operator had not told when it ended, the next one
/// learns from pods that are still there.
#[derive(Default)]
pub(crate) struct StoppedTasks {
    by_service: std::sync::Mutex<HashMap<Owner, Vec<Stopped>>>,
    /// The identities of the pods that the operator has evicted.
    evicted: std::sync::Mutex<HashSet<String>>,
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

    /// Forgets a service that is gone.
    pub(crate) fn forget(&self, owner: &Owner) {
        lock(&self.by_service).remove(owner);
    }
}
