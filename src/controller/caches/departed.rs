//! The pods of services that are gone: nothing else says that they have ended.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::owner::Owner;
use crate::{controller::context::lock, decide::pod_state::PodState};

/// How long a pod is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How many pods of a service are remembered.
const MOST: usize = 100;
/// How many pods of all services are remembered.
const MOST_OF_ALL: usize = 10_000;

/// A pod that is gone, and when that was seen.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    pub(crate) pod: Arc<PodState>,
    pub(crate) seen: Timestamp,
}

/// The pods of services that are gone, of the namespaces of which somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Departed(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    wanted: BTreeSet<String>,
    /// The oldest first.
    of: BTreeMap<Owner, VecDeque<Gone>>,
    /// When pods of which services were seen to be gone, the oldest first. Some of them may be forgotten already.
    order: VecDeque<(Timestamp, Owner)>,
}

impl Departed {
    /// Remembers the pods of a namespace from now on.
    pub(crate) fn want(&self, namespace: &str) {
        let mut all = lock(&self.0);
        if !all.wanted.contains(namespace) {
            all.wanted.insert(namespace.to_owned());
        }
    }

    /// Forgets the pods of a namespace, and remembers no others.
    pub(crate) fn unwant(&self, namespace: &str) {
        let mut all = lock(&self.0);
        all.wanted.remove(namespace);
        all.of.retain(|owner, _| namespace_of(owner) != namespace);
    }

    /// Remembers a pod, if that is wanted. It takes no longer the more are remembered.
    pub(super) fn add(&self, owner: &Owner, pod: &Arc<PodState>, now: Timestamp) {
        let mut all = lock(&self.0);
        if !matches!(owner, Owner::Service(..)) || !all.wanted.contains(namespace_of(owner)) {
            return;
        }
        let pods = all.of.entry(owner.clone()).or_default();
        pods.push_back(Gone {
            pod: pod.clone(),
            seen: now,
        });
        if pods.len() > MOST {
            pods.pop_front();
        }
        all.order.push_back((now, owner.clone()));
        all.tidy(now);
    }

    /// Returns the pods of a service that are gone, the oldest first.
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Gone> {
        let all = lock(&self.0);
        all.of.get(owner).into_iter().flatten().cloned().collect()
    }

    /// Forgets the pods of a service that is gone: they are none of another one with its name.
    pub(crate) fn forget(&self, owner: &Owner) {
        lock(&self.0).of.remove(owner);
    }

    /// Forgets what is too old.
    pub(crate) fn tidy(&self, now: Timestamp) {
        lock(&self.0).tidy(now);
    }
}

impl Remembered {
    fn tidy(&mut self, now: Timestamp) {
        while let Some((seen, _)) = self.order.front() {
            let is_recent = now.duration_since(*seen) < KEPT;
            if is_recent && self.order.len() <= MOST_OF_ALL {
                return;
            }
            let Some((seen, owner)) = self.order.pop_front() else {
                return;
            };
            let Some(pods) = self.of.get_mut(&owner) else {
                continue;
            };
            // Its pod may have been forgotten for newer ones of its service.
            if pods.front().is_some_and(|gone| gone.seen <= seen) {
                pods.pop_front();
            }
            if pods.is_empty() {
                self.of.remove(&owner);
            }
        }
    }
}

fn namespace_of(owner: &Owner) -> &str {
    let (Owner::Service(namespace, _) | Owner::Task(namespace, _)) = owner;
    namespace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(namespace: &str, name: &str) -> Owner {
        Owner::Service(namespace.to_owned(), name.to_owned())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    #[test]
    fn a_pod_is_remembered_for_an_hour_if_that_is_wanted() {
        let departed = Departed::default();
        let owner = service("shop", "web");
        let pod = Arc::new(PodState::default());
        departed.add(&owner, &pod, at(0));
        assert_eq!(departed.of(&owner).len(), 0);
        departed.want("shop");
        let task = Owner::Task("shop".to_owned(), "job".to_owned());
        for other in [task, service("bank", "web")] {
            departed.add(&other, &pod, at(0));
            assert_eq!(departed.of(&other).len(), 0);
        }
        departed.add(&owner, &pod, at(0));
        departed.add(&owner, &pod, at(3599));
        assert_eq!(departed.of(&owner).len(), 2);
        departed.add(&owner, &pod, at(3600));
        assert_eq!(departed.of(&owner).len(), 2);
        for second in 3601..4000 {
            departed.add(&owner, &pod, at(second));
        }
        assert_eq!(departed.of(&owner).len(), MOST);
        let newest = at(3999);
        assert_eq!(departed.of(&owner).last().map(|it| it.seen), Some(newest));
        // Also when no other pod goes.
        departed.tidy(at(4000 + 3600));
        assert!(lock(&departed.0).of.is_empty() && lock(&departed.0).order.is_empty());
    }

    #[test]
    fn what_all_have_is_bounded_and_the_oldest_go_first() {
        let departed = Departed::default();
        departed.want("shop");
        let pod = Arc::new(PodState::default());
        for number in 0..=MOST_OF_ALL {
            let owner = service("shop", &format!("web-{}", number / MOST));
            departed.add(&owner, &pod, at(0));
        }
        let all = lock(&departed.0);
        let count: usize = all.of.values().map(VecDeque::len).sum();
        assert_eq!((count, all.order.len()), (MOST_OF_ALL, MOST_OF_ALL));
        drop(all);
        assert_eq!(departed.of(&service("shop", "web-0")).len(), MOST - 1);
    }

    #[test]
    fn another_service_with_the_name_has_no_pods_of_the_one_that_is_gone() {
        let departed = Departed::default();
        let pod = Arc::new(PodState::default());
        let (web, other) = (service("shop", "web"), service("bank", "web"));
        for owner in [&web, &other] {
            departed.want(namespace_of(owner));
            departed.add(owner, &pod, at(0));
        }
        departed.forget(&web);
        assert_eq!(departed.of(&web).len(), 0);
        departed.add(&web, &pod, at(10));
        // What is left of the old one in the order removes nothing of the new one.
        departed.tidy(at(3600));
        assert_eq!(departed.of(&web).len(), 1);
        departed.add(&other, &pod, at(3601));
        departed.unwant("bank");
        departed.add(&other, &pod, at(3602));
        assert_eq!((departed.of(&other).len(), departed.of(&web).len()), (0, 1));
    }
}
