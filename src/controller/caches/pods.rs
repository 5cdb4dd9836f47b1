//! The pods of services and tasks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};

use super::{departed::Departed, owner::Owner, stopped_tasks::StoppedTasks};
use crate::{
    decide::{pod_state::PodState, scaling::usage::Reserved},
    translate::{SERVICE, TASK},
};

type ByName = BTreeMap<String, Arc<PodState>>;

/// The cache of pods.
#[derive(Default)]
pub(crate) struct Pods {
    by_owner: Mutex<HashMap<Owner, ByName>>,
    /// The stopped tasks that changes of pods have shown.
    pub(crate) stopped: StoppedTasks,
    /// Those of services that are gone.
    pub(crate) departed: Departed,
}

impl Pods {
    fn by_owner(&self) -> MutexGuard<'_, HashMap<Owner, ByName>> {
        self.by_owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the pods of an owner.
    #[must_use]
    pub(crate) fn of(&self, owner: &Owner) -> Vec<Arc<PodState>> {
        let by_owner = self.by_owner();
        by_owner
            .get(owner)
            .into_iter()
            .flatten()
            .map(|(_, pod)| pod.clone())
            .collect()
    }

    /// Returns what each task reserves that selects the label of a capacity provider, and has not ended.
    #[must_use]
    pub(crate) fn reserved_on(&self, provider: &str) -> Vec<Reserved> {
        let by_owner = self.by_owner();
        // The order does not matter: only sums are made of it.
        let pods = by_owner.values().flat_map(ByName::values);
        let is_on = |pod: &&Arc<PodState>| {
            let is_of_it = pod.provider.as_deref() == Some(provider);
            is_of_it && !pod.deleting && !pod.is_finished()
        };
        pods.filter(is_on).map(|pod| pod.reserved).collect()
    }

    /// Records a pod. Returns its owner if something about it is new.
    pub(crate) fn observe(&self, pod: &Pod) -> Option<Owner> {
        let owner = owner(pod)?;
        let state = PodState::of(pod);
        let mut by_owner = self.by_owner();
        let pods = by_owner.entry(owner.clone()).or_default();
        let known = pods.get(&state.name);
        let state = state.seen(known.map(|known| &**known), Timestamp::now());
        if known.is_some_and(|known| **known == state) {
            return None;
        }
        self.stopped
            .changed(&owner, known.map(|known| &**known), &state);
        pods.insert(state.name.clone(), Arc::new(state));
        Some(owner)
    }

    /// Forgets a pod. Returns its owner if it was known.
    pub(crate) fn forget(&self, pod: &Pod) -> Option<Owner> {
        let owner = owner(pod)?;
        let mut by_owner = self.by_owner();
        let pods = by_owner.get_mut(&owner)?;
        let name = pod.metadata.name.as_ref()?;
        let same = pods.get(name).map(|known| known.uid.as_str()) == pod.metadata.uid.as_deref();
        if !same {
            return None;
        }
        if let Some(pod) = pods.remove(name) {
            self.stopped.gone(&owner, &pod);
            self.departed.add(&owner, &pod, Timestamp::now());
        }
        if pods.is_empty() {
            by_owner.remove(&owner);
        }
        Some(owner)
    }

    /// Forgets the pods of a namespace (`None`: of all) that are not in a new list. Returns their owners.
    pub(crate) fn keep_only(
        &self,
        namespace: Option<&str>,
        listed: &BTreeSet<Box<str>>,
    ) -> Vec<Owner> {
        let mut concerned = Vec::new();
        self.by_owner().retain(|owner, pods| {
            let (Owner::Service(of, _) | Owner::Task(of, _)) = owner;
            if namespace.is_some_and(|namespace| namespace != of) {
                return true;
            }
            let before = pods.len();
            pods.retain(|_, pod| {
                let is_there = listed.contains(pod.uid.as_str());
                if !is_there {
                    self.stopped.gone(owner, pod);
                    self.departed.add(owner, pod, Timestamp::now());
                }
                is_there
            });
            if pods.len() < before {
                concerned.push(owner.clone());
            }
            !pods.is_empty()
        });
        concerned
    }
}

fn owner(pod: &Pod) -> Option<Owner> {
    let namespace = pod.metadata.namespace.clone()?;
    let labels = pod.metadata.labels.as_ref()?;
    if let Some(service) = labels.get(SERVICE) {
        return Some(Owner::Service(namespace, service.clone()));
    }
    let label = labels.get(TASK)?;
    // A label has no room for all names.
    let mut owners = pod.metadata.owner_references.iter().flatten();
    let task = owners.find(|owner| owner.controller == Some(true) && owner.kind == "EcsTask");
    let name = task.map_or(label, |task| &task.name);
    Some(Owner::Task(namespace, name.clone()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, phase: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "web-1", "uid": uid, "labels": {SERVICE: "web"}},
            "status": {"phase": phase},
        }))
        .expect("it is a pod")
    }

    #[test]
    fn the_pod_of_a_task_with_a_long_name_is_found() {
        let mut pod = pod("1", "Pending");
        let short = "t".repeat(43) + "-01234567";
        pod.metadata.labels = Some([(TASK.to_owned(), short.clone())].into());
        let of = |name: &str| Some(Owner::Task("shop".to_owned(), name.to_owned()));
        assert_eq!(owner(&pod), of(&short), "it is all that there is");
        let long = "t".repeat(60);
        pod.metadata.owner_references = Some(vec![OwnerReference {
            kind: "EcsTask".to_owned(),
            name: long.clone(),
            controller: Some(true),
            ..OwnerReference::default()
        }]);
        assert_eq!(owner(&pod), of(&long));
    }

    #[test]
    fn only_changes_concern_the_owner() {
        let pods = Pods::default();
        let web = Owner::Service("shop".to_owned(), "web".to_owned());
        assert_eq!(pods.observe(&pod("1", "Pending")), Some(web.clone()));
        assert_eq!(pods.observe(&pod("1", "Pending")), None);
        assert_eq!(pods.observe(&pod("1", "Running")), Some(web.clone()));
        assert_eq!(pods.of(&web).len(), 1);
        assert_eq!(
            pods.forget(&pod("0", "Running")),
            None,
            "another pod of the same name"
        );
        assert_eq!(pods.forget(&pod("1", "Running")), Some(web.clone()));
        assert!(pods.of(&web).is_empty());
        pods.observe(&pod("2", "Running"));
        let (none, listed) = (BTreeSet::new(), BTreeSet::from(["2".into()]));
        assert_eq!(pods.keep_only(Some("other"), &none), []);
        assert_eq!(pods.keep_only(None, &listed), []);
        assert_eq!(pods.of(&web).len(), 1);
        assert_eq!(pods.keep_only(None, &none), [web]);
    }
}
