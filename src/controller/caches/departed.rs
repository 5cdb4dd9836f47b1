//! The pods of services that are gone: nothing else says that they have ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::owner::Owner;
use crate::{controller::context::lock, decide::pod_state::PodState};

/// How long a pod is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How many pods of a service are remembered.
const MOST: usize = 100;

/// A pod that is gone, and when that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    pub(crate) pod: Arc<PodState>,
    pub(crate) seen: Timestamp,
}

/// The pods of services that are gone, from when somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    wanted: AtomicBool,
    of: Mutex<BTreeMap<Owner, Vec<Gone>>>,
}

impl Departed {
    /// Remembers pods from now on.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::SeqCst);
    }

    /// Remembers a pod, if that is wanted.
    pub(super) fn add(&self, owner: &Owner, pod: &Arc<PodState>, now: Timestamp) {
        if !self.wanted.load(Ordering::SeqCst) || !matches!(owner, Owner::Service(..)) {
            return;
        }
        let mut of = lock(&self.of);
        let is_recent = |gone: &Gone| now.duration_since(gone.seen) < KEPT;
        of.retain(|_, pods| {
            pods.retain(is_recent);
            !pods.is_empty()
        });
        let pods = of.entry(owner.clone()).or_default();
        pods.push(Gone {
            pod: pod.clone(),
            seen: now,
        });
        let extra = pods.len().saturating_sub(MOST);
        pods.drain(..extra);
    }

    /// Returns the pods of a service that are gone, the oldest first.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Gone> {
        lock(&self.of).get(owner).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_remembered_for_an_hour_if_that_is_wanted() {
        let departed = Departed::default();
        let owner = Owner::Service("shop".to_owned(), "web".to_owned());
        let at = |second| Timestamp::from_second(second).expect("it is in range");
        let pod = Arc::new(PodState::default());
        departed.add(&owner, &pod, at(0));
        assert_eq!(departed.of(&owner).len(), 0);
        departed.want();
        let task = Owner::Task("shop".to_owned(), "job".to_owned());
        departed.add(&task, &pod, at(0));
        assert_eq!(departed.of(&task).len(), 0);
        departed.add(&owner, &pod, at(0));
        departed.add(&owner, &pod, at(3599));
        assert_eq!(departed.of(&owner).len(), 2);
        departed.add(&owner, &pod, at(3600));
        assert_eq!(departed.of(&owner).len(), 2);
        for second in 3601..4000 {
            departed.add(&owner, &pod, at(second));
        }
        assert_eq!(departed.of(&owner).len(), MOST);
    }
}
