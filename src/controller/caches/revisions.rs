//! The revisions of task definitions: ControllerRevision objects, each with a copy of the spec.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::Value;

use super::in_flight::InFlight;
use crate::crd::Spec;

/// The label that names the EcsTaskDefinition of a revision.
pub(crate) const TASK_DEFINITION: &str = "ecs-operator.dev/task-definition";

/// The revisions of one task definition by number.
pub(crate) type Numbered = BTreeMap<u64, Arc<Spec>>;

/// The namespace and name of a task definition, and the number of one of its revisions.
pub(crate) type Place = ((String, String), u64);

/// The cache of revisions.
#[derive(Default)]
pub(crate) struct Revisions {
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    /// The revisions by namespace and name of the task definition.
    by_name: HashMap<(String, String), Numbered>,
    /// The revisions that are being created.
    in_flight: InFlight<Place>,
}

/// The creation of a revision, until this is dropped.
pub(crate) struct Creation<'r> {
    revisions: &'r Revisions,
    place: Place,
}

/// Returns the name of the object that holds a revision. It contains a dot, which no name of a task definition does, so
/// that a revision is never mistaken for one of a DaemonSet.
#[must_use]
pub(crate) fn name_of(task_definition: &str, revision: u64) -> String {
    format!("{task_definition}.{revision}")
}

impl Revisions {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to create a revision.
    pub(crate) fn create(&self, place: Place) -> Creation<'_> {
        self.index().in_flight.begin(&place);
        let revisions = self;
        Creation { revisions, place }
    }

    /// Returns the revisions of a task definition; none if there is no such task definition.
    #[must_use]
    pub(crate) fn of(&self, namespace: &str, task_definition: &str) -> Numbered {
        let key = (namespace.to_owned(), task_definition.to_owned());
        self.index().by_name.get(&key).cloned().unwrap_or_default()
    }

    /// Records a revision. Returns the namespace and name of its task definition if it is new.
    pub(crate) fn observe(&self, revision: &ControllerRevision) -> Option<(String, String)> {
        let (key, number) = place(revision)?;
        let data = revision.data.as_ref()?.0.clone();
        self.index().insert(key, number, data)
    }

    /// Forgets a revision. Returns the namespace and name of its task definition if it was known.
    pub(crate) fn forget(&self, revision: &ControllerRevision) -> Option<(String, String)> {
        let place = place(revision)?;
        let mut index = self.index();
        index.in_flight.lose(&place);
        index.remove(&place).then_some(place.0)
    }

    /// Returns the revisions of a namespace (`None`: of all) that are known before a new list is read; some may be
    /// gone.
    pub(crate) fn known(&self, namespace: Option<&str>) -> BTreeSet<Place> {
        let index = self.index();
        let here = index
            .by_name
            .iter()
            .filter(|((of, _), _)| namespace.is_none_or(|namespace| namespace == of));
        here.flat_map(|(key, numbered)| numbered.keys().map(|number| (key.clone(), *number)))
            .collect()
    }

    /// Forgets the revisions that are not in a new list of a namespace (`None`: of all). Returns the namespaces and names
    /// of their task definitions.
    pub(crate) fn forget_all(
        &self,
        namespace: Option<&str>,
        gone: BTreeSet<Place>,
    ) -> BTreeSet<(String, String)> {
        let mut index = self.index();
        index
            .in_flight
            .lose_all(|((of, _), _)| namespace.is_none_or(|namespace| namespace == of));
        let gone = gone.into_iter().filter(|place| index.remove(place));
        gone.map(|(key, _)| key).collect()
    }
}

impl Index {
    /// Returns the namespace and name of the task definition if the revision is new.
    fn insert(
        &mut self,
        key: (String, String),
        number: u64,
        data: Value,
    ) -> Option<(String, String)> {
        let numbered = self.by_name.entry(key.clone()).or_default();
        if numbered.contains_key(&number) {
            // The data of a revision never changes.
            return None;
        }
        numbered.insert(number, Arc::new(Spec::from(data)));
        Some(key)
    }

    /// Returns whether the revision was known.
    fn remove(&mut self, (key, number): &Place) -> bool {
        let Some(numbered) = self.by_name.get_mut(key) else {
            return false;
        };
        let known = numbered.remove(number);
        if numbered.is_empty() {
            self.by_name.remove(key);
        }
        known.is_some()
    }
}

impl Creation<'_> {
    /// Records the response. Returns whether the revision is known now: a watch may have reported in the meantime that
    /// it is gone.
    #[must_use]
    pub(crate) fn answered(&self, revision: &ControllerRevision) -> bool {
        let ((key, number), mut index) = (self.place.clone(), self.revisions.index());
        let is_known = |index: &Index| {
            let numbered = index.by_name.get(&key);
            numbered.is_some_and(|numbered| numbered.contains_key(&number))
        };
        if !index.in_flight.is_lost(&self.place)
            && let Some(data) = &revision.data
        {
            index.insert(key.clone(), number, data.0.clone());
        }
        is_known(&index)
    }
}

impl Drop for Creation<'_> {
    fn drop(&mut self) {
        self.revisions.index().in_flight.end(&self.place);
    }
}

/// Returns the task definition and the number of a revision.
pub(crate) fn place(revision: &ControllerRevision) -> Option<Place> {
    let metadata = &revision.metadata;
    let name = metadata.labels.as_ref()?.get(TASK_DEFINITION)?.clone();
    let namespace = metadata.namespace.clone()?;
    let number = u64::try_from(revision.revision).ok()?;
    Some(((namespace, name), number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn revision(number: u64) -> ControllerRevision {
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop",
                "name": name_of("web", number),
                "labels": {TASK_DEFINITION: "web"},
            },
            "revision": number,
            "data": {"cpu": number.to_string()},
        }))
        .expect("it is a revision")
    }

    #[test]
    fn revisions_are_known_by_number() {
        let revisions = Revisions::default();
        let key = ("shop".to_owned(), "web".to_owned());
        let web = Some(key.clone());
        assert_eq!(revisions.observe(&revision(1)), web);
        assert_eq!(revisions.observe(&revision(1)), None);
        assert_eq!(revisions.observe(&revision(10)), web);
        let numbered = revisions.of("shop", "web");
        assert_eq!(numbered.keys().collect::<Vec<_>>(), [&1, &10]);
        assert_eq!(numbered[&10].text(), r#"{"cpu":"10"}"#);
        assert!(revisions.of("other", "web").is_empty());
        assert_eq!(revisions.forget(&revision(10)), web);
        assert_eq!(revisions.forget(&revision(10)), None);
        assert_eq!(revisions.known(Some("other")), BTreeSet::new());
        let known = revisions.known(None);
        assert_eq!(known, BTreeSet::from([(key.clone(), 1)]));
        // A revision that is created while a list is read is not in the list, and stays.
        revisions.observe(&revision(2));
        assert_eq!(revisions.forget_all(None, known), BTreeSet::from([key]));
        assert_eq!(revisions.of("shop", "web").keys().collect::<Vec<_>>(), [&2]);
        revisions.forget(&revision(2));
        assert!(revisions.of("shop", "web").is_empty());
    }

    #[test]
    fn a_revision_that_is_gone_is_not_known_again_by_a_late_answer() {
        let revisions = Revisions::default();
        let place = place(&revision(1)).expect("it is one");
        let creation = revisions.create(place.clone());
        revisions.forget(&revision(1));
        assert!(!creation.answered(&revision(1)));
        revisions.observe(&revision(1));
        assert!(creation.answered(&revision(1)), "it is there again");
        drop(creation);
        revisions.forget(&revision(1));
        let creation = revisions.create(place.clone());
        revisions.forget_all(Some("shop"), BTreeSet::new());
        assert!(!creation.answered(&revision(1)), "it may be gone");
        drop(creation);
        let creation = revisions.create(place);
        revisions.forget_all(Some("other"), BTreeSet::new());
        assert!(creation.answered(&revision(1)));
    }
}
