//! The revisions of task definitions: ControllerRevision objects, each with a copy of the spec.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::apps::v1::ControllerRevision;

use crate::crd::Spec;

/// The label that names the EcsTaskDefinition of a revision.
pub(crate) const TASK_DEFINITION: &str = "ecs-operator.dev/task-definition";

/// The revisions of one task definition by number.
pub(crate) type Numbered = BTreeMap<u64, Arc<Spec>>;

/// The namespace and name of a task definition, and the number of one of its revisions.
pub(crate) type Place = ((String, String), u64);

/// The cache of revisions, by namespace and name of the task definition.
#[derive(Default)]
pub(crate) struct Revisions {
    by_name: Mutex<HashMap<(String, String), Numbered>>,
}

/// Returns the name of the object that holds a revision. It contains a dot, which no name of a task definition does, so
/// that a revision is never mistaken for one of a DaemonSet.
#[must_use]
pub(crate) fn name_of(task_definition: &str, revision: u64) -> String {
    format!("{task_definition}.{revision}")
}

impl Revisions {
    fn by_name(&self) -> MutexGuard<'_, HashMap<(String, String), Numbered>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the revisions of a task definition; none if there is no such task definition.
    #[must_use]
    pub(crate) fn of(&self, namespace: &str, task_definition: &str) -> Numbered {
        let key = (namespace.to_owned(), task_definition.to_owned());
        self.by_name().get(&key).cloned().unwrap_or_default()
    }

    /// Records a revision. Returns the namespace and name of its task definition if it is new.
    pub(crate) fn observe(&self, revision: &ControllerRevision) -> Option<(String, String)> {
        let (key, number) = place(revision)?;
        let data = revision.data.as_ref()?.0.clone();
        let mut by_name = self.by_name();
        let numbered = by_name.entry(key.clone()).or_default();
        if numbered.contains_key(&number) {
            // The data of a revision never changes.
            return None;
        }
        numbered.insert(number, Arc::new(Spec::from(data)));
        Some(key)
    }

    /// Forgets a revision. Returns the namespace and name of its task definition if it was known.
    pub(crate) fn forget(&self, revision: &ControllerRevision) -> Option<(String, String)> {
        let (key, number) = place(revision)?;
        let mut by_name = self.by_name();
        let numbered = by_name.get_mut(&key)?;
        let known = numbered.remove(&number);
        if numbered.is_empty() {
            by_name.remove(&key);
        }
        known.map(|_| key)
    }

    /// Returns the revisions of a namespace (`None`: of all) that are known before a new list is read; some may be
    /// gone.
    pub(crate) fn known(&self, namespace: Option<&str>) -> BTreeSet<Place> {
        let by_name = self.by_name();
        let here = by_name
            .iter()
            .filter(|((of, _), _)| namespace.is_none_or(|namespace| namespace == of));
        here.flat_map(|(key, numbered)| numbered.keys().map(|number| (key.clone(), *number)))
            .collect()
    }

    /// Forgets the revisions that are not in a new list. Returns the namespaces and names of their task definitions.
    pub(crate) fn forget_all(&self, gone: BTreeSet<Place>) -> BTreeSet<(String, String)> {
        let mut by_name = self.by_name();
        let mut concerned = BTreeSet::new();
        for (key, number) in gone {
            let Some(numbered) = by_name.get_mut(&key) else {
                continue;
            };
            numbered.remove(&number);
            if numbered.is_empty() {
                by_name.remove(&key);
            }
            concerned.insert(key);
        }
        concerned
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
        assert_eq!(revisions.forget_all(known), BTreeSet::from([key]));
        assert_eq!(revisions.of("shop", "web").keys().collect::<Vec<_>>(), [&2]);
        revisions.forget(&revision(2));
        assert!(revisions.of("shop", "web").is_empty());
    }
}
