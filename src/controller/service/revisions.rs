//! The cache of service revisions: ControllerRevision objects of services.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{Api, ResourceExt as _, runtime::watcher::Event};

use crate::{
    controller::{
        caches::{
            catch_up::Filling,
            lenient::Lenient,
            watch::{Events, api},
        },
        context::Context,
    },
    crd::EcsService,
    decide::deployment::FAILED,
    rendering::Kept,
    settings::SERVICE_REVISION,
    translate::SERVICE,
};

/// The annotation of a service revision whose deployment failed. A status that is lost forgets it.
pub(super) const OUTCOME: &str = "ecs-operator.dev/outcome";

/// A service revision as the API server has it.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// The name of its ControllerRevision.
    pub(super) object: String,
    /// The identity of its ControllerRevision.
    pub(super) uid: String,
    /// The identity of the EcsService that it belongs to; `None` for one that belongs to nobody.
    pub(super) owner: Option<String>,
    /// Its name.
    pub(super) id: String,
    /// Its place in the history of the service.
    pub(super) number: i64,
    /// What it is made of.
    pub(super) kept: Kept,
    /// The digest of its inputs.
    pub(super) inputs: String,
    /// Whether a deployment of it has failed.
    pub(super) failed: bool,
    /// Whether its data has the order in which the API server writes it. Of other objects nothing can be changed.
    pub(super) sorted: bool,
}

/// The namespace and name of a service.
type Place = (String, String);

type ByObject = BTreeMap<String, Arc<Revision>>;

/// All service revisions.
#[derive(Default)]
pub(crate) struct ServiceRevisions {
    by_service: Mutex<HashMap<Place, ByObject>>,
}

impl ServiceRevisions {
    fn by_service(&self) -> MutexGuard<'_, HashMap<Place, ByObject>> {
        self.by_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn named(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let place = (service.namespace().unwrap_or_default(), service.name_any());
        let by_service = self.by_service();
        let revisions = by_service.get(&place).into_iter().flatten();
        revisions.map(|(_, revision)| revision.clone()).collect()
    }

    /// The revisions of a service, the newest first.
    pub(super) fn of(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let mut revisions = self.named(service);
        revisions.retain(|revision| revision.owner == service.uid());
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        revisions
    }

    /// The revisions of a service of this name that belong to nobody since it was deleted without them.
    pub(super) fn orphans(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let mut revisions = self.named(service);
        revisions.retain(|revision| revision.owner.is_none());
        revisions
    }

    /// Records what the API server has.
    pub(crate) fn observe(&self, revision: &ControllerRevision) {
        if let Some((place, revision)) = read(revision) {
            let mut by_service = self.by_service();
            let revisions = by_service.entry(place).or_default();
            revisions.insert(revision.object.clone(), Arc::new(revision));
        }
    }

    /// Forgets one that is gone.
    pub(crate) fn forget(&self, revision: &ControllerRevision) {
        let Some(place) = place(revision) else {
            return;
        };
        let mut by_service = self.by_service();
        let Some(revisions) = by_service.get_mut(&place) else {
            return;
        };
        let name = revision.name_any();
        let is_it = |known: &Arc<Revision>| Some(&known.uid) == revision.metadata.uid.as_ref();
        if revisions.get(&name).is_some_and(is_it) {
            revisions.remove(&name);
        }
        if revisions.is_empty() {
            by_service.remove(&place);
        }
    }

    /// Forgets those of a namespace (`None`: of all) that were known before a list and are not in it.
    fn forget_unlisted(&self, unlisted: &BTreeSet<(Place, String)>) {
        let mut by_service = self.by_service();
        by_service.retain(|place, revisions| {
            revisions.retain(|name, _| !unlisted.contains(&(place.clone(), name.clone())));
            !revisions.is_empty()
        });
    }

    fn known(&self, namespace: Option<&str>) -> BTreeSet<(Place, String)> {
        let by_service = self.by_service();
        let here = by_service
            .iter()
            .filter(|((of, _), _)| namespace.is_none_or(|namespace| namespace == of));
        here.flat_map(|(place, revisions)| {
            revisions.keys().map(|name| (place.clone(), name.clone()))
        })
        .collect()
    }

    /// Brings the cache up to date. A new list replaces nothing before it is complete.
    fn update(
        &self,
        namespace: Option<&str>,
        unlisted: &mut BTreeSet<(Place, String)>,
        event: Event<Lenient<ControllerRevision>>,
    ) {
        match event {
            Event::Init => *unlisted = self.known(namespace),
            Event::InitApply(Lenient::Read(revision)) => {
                if let Some(place) = place(&revision) {
                    unlisted.remove(&(place, revision.name_any()));
                }
                self.observe(&revision);
            }
            Event::InitDone => self.forget_unlisted(&std::mem::take(unlisted)),
            Event::Apply(Lenient::Read(revision)) => self.observe(&revision),
            Event::Delete(Lenient::Read(revision)) => self.forget(&revision),
            // What cannot be read was never known.
            Event::InitApply(Lenient::Unreadable(_))
            | Event::Apply(Lenient::Unreadable(_))
            | Event::Delete(Lenient::Unreadable(_)) => {}
        }
    }
}

/// Watches the revisions of services. None of them asks for a reconcile: they are made by one.
pub(crate) async fn watch_service_revisions(
    cx: Arc<Context>,
    namespace: Option<String>,
    filling: Filling,
) {
    let api: Api<Lenient<ControllerRevision>> = api(&cx.client, namespace.as_deref());
    let mut events = Events::new(api, Some(SERVICE_REVISION), "ControllerRevision", filling);
    let mut unlisted = BTreeSet::new();
    while let Some(event) = events.next().await {
        let done = matches!(event, Event::InitDone);
        cx.service_revisions
            .update(namespace.as_deref(), &mut unlisted, event);
        if done {
            events.filled();
        }
    }
}

fn place(revision: &ControllerRevision) -> Option<Place> {
    let service = revision.labels().get(SERVICE)?.clone();
    Some((revision.namespace()?, service))
}

fn read(revision: &ControllerRevision) -> Option<(Place, Revision)> {
    let data = &revision.data.as_ref()?.0;
    let kept = Kept::read(data)?;
    let mut services = revision.owner_references().iter();
    let owner = services.find(|owner| owner.kind == "EcsService");
    let (mut sorted, text) = (data.clone(), data.to_string());
    sorted.sort_all_objects();
    let sorted = sorted.to_string();
    let read = Revision {
        object: revision.name_any(),
        uid: revision.uid().unwrap_or_default(),
        owner: owner.map(|owner| owner.uid.clone()),
        id: revision.labels().get(SERVICE_REVISION)?.clone(),
        number: revision.revision,
        inputs: kept.inputs.digest(),
        failed: revision.annotations().get(OUTCOME).map(String::as_str) == Some(FAILED),
        sorted: sorted == text,
        kept,
    };
    Some((place(revision)?, read))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn revision(uid: &str, owner: Option<&str>) -> ControllerRevision {
        let owners = owner.map(|uid| {
            json!([{"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsService", "name": "web", "uid": uid}])
        });
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop",
                "name": format!("web.service.{uid}"),
                "uid": uid,
                "labels": {SERVICE: "web", SERVICE_REVISION: uid},
                "ownerReferences": owners.unwrap_or(Value::Null),
            },
            "revision": 1,
            "data": {"service": {}, "family": "web", "revision": 1, "taskDefinition": {}},
        }))
        .expect("it is a revision")
    }

    fn service(uid: &str) -> EcsService {
        let metadata = json!({"namespace": "shop", "name": "web", "uid": uid});
        serde_json::from_value(json!({"metadata": metadata})).expect("it is a service")
    }

    #[test]
    fn revisions_are_those_of_a_service_or_of_nobody() {
        let revisions = ServiceRevisions::default();
        for (uid, owner) in [("a", Some("1")), ("b", Some("2")), ("c", None)] {
            revisions.observe(&revision(uid, owner));
        }
        let ids = |found: Vec<Arc<Revision>>| -> Vec<String> {
            found.iter().map(|it| it.id.clone()).collect()
        };
        assert_eq!(ids(revisions.of(&service("1"))), ["a"]);
        assert_eq!(ids(revisions.orphans(&service("1"))), ["c"]);
        assert!(
            !revisions.of(&service("1"))[0].sorted,
            "members of its data stand in another order"
        );
        revisions.forget(&revision("a", Some("1")));
        assert!(revisions.of(&service("1")).is_empty());
    }

    #[test]
    fn one_is_gone_only_when_a_new_list_is_complete_without_it() {
        let (revisions, mut unlisted) = (ServiceRevisions::default(), BTreeSet::new());
        let web = service("1");
        revisions.observe(&revision("a", Some("1")));
        revisions.update(None, &mut unlisted, Event::Init);
        assert_eq!(revisions.of(&web).len(), 1);
        let listed = Event::InitApply(Lenient::Read(revision("b", Some("1"))));
        revisions.update(None, &mut unlisted, listed);
        assert_eq!(revisions.of(&web).len(), 2);
        revisions.update(None, &mut unlisted, Event::InitDone);
        assert_eq!(revisions.of(&web)[0].id, "b");
        assert_eq!(revisions.of(&web).len(), 1);
    }
}
