//! The cache of service revisions: ControllerRevision objects of services.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock},
};

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::{
    Api, ResourceExt as _,
    runtime::{reflector::ObjectRef, watcher::Event},
};

use crate::{
    controller::{
        caches::{
            catch_up::Filling,
            in_flight::InFlight,
            lenient::Lenient,
            watch::{Events, api},
        },
        context::{Context, lock},
    },
    crd::EcsService,
    decide::deployment::FAILED,
    rendering::{Kept, Placing},
    settings::SERVICE_REVISION,
    translate::SERVICE,
};

/// The annotation of a service revision whose deployment failed, in case the status is lost.
pub(super) const OUTCOME: &str = "ecs-operator.dev/outcome";

/// A service revision from the API server.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    /// The name of its ControllerRevision.
    pub(super) object: String,
    /// The UID of its ControllerRevision.
    pub(super) uid: String,
    /// The UID of the EcsService that owns it; `None` if it has no owner.
    pub(super) owner: Option<String>,
    /// Its name.
    pub(crate) id: String,
    /// Its position in the history of the service.
    pub(super) number: i64,
    /// Its content.
    pub(crate) kept: Kept,
    /// The digest of its inputs.
    pub(super) inputs: String,
    /// Whether a deployment of it has failed.
    pub(super) failed: bool,
    /// Whether its data is in the order in which the API server writes it. Otherwise the object is immutable.
    pub(super) sorted: bool,
    /// The version of its ControllerRevision.
    pub(super) version: Option<String>,
    /// Where it places tasks, once that is asked for: to open a rendering takes as long as to render.
    pub(super) placing: OnceLock<Option<Placing>>,
}

impl Revision {
    /// Returns where it places tasks; `None` if that is not known.
    pub(crate) fn placing(&self) -> Option<&Placing> {
        let open = || self.kept.rendering.as_ref()?.placing();
        self.placing.get_or_init(open).as_ref()
    }
}

/// The namespace and name of a service.
type Place = (String, String);

type ByObject = BTreeMap<String, Arc<Revision>>;

/// All service revisions.
#[derive(Default)]
pub(crate) struct ServiceRevisions {
    index: Mutex<Index>,
    /// The revisions that are being created, by the names of their objects.
    being_made: Mutex<HashSet<(Place, String)>>,
}

#[derive(Default)]
struct Index {
    by_service: HashMap<Place, ByObject>,
    /// The requests about revisions of services.
    in_flight: InFlight<Place>,
}

/// A revision that is being created until this is dropped. Its creator learns from the response what a watch may report
/// before.
pub(super) struct BeingMade<'r> {
    revisions: &'r ServiceRevisions,
    which: (Place, String),
}

impl Drop for BeingMade<'_> {
    fn drop(&mut self) {
        lock(&self.revisions.being_made).remove(&self.which);
    }
}

/// A request about the revisions of a service that is in flight until this is dropped.
pub(super) struct Request<'r> {
    revisions: &'r ServiceRevisions,
    place: Place,
}

impl Request<'_> {
    /// Records a revision from the response. Returns whether it is known now: a watch may have reported in the meantime
    /// that it is gone.
    #[must_use]
    pub(super) fn answered(&self, revision: &ControllerRevision) -> bool {
        let mut index = lock(&self.revisions.index);
        if !index.in_flight.is_lost(&self.place) || index.is_known(&self.place, revision) {
            index.observe(revision);
            return true;
        }
        false
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        lock(&self.revisions.index).in_flight.end(&self.place);
    }
}

impl ServiceRevisions {
    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.index)
    }

    /// Begins a request about the revisions of a service.
    pub(super) fn begin(&self, service: &EcsService) -> Request<'_> {
        let place = place_of(service);
        self.index().in_flight.begin(&place);
        let revisions = self;
        Request { revisions, place }
    }

    /// Begins to create a revision of a service in an object of this name.
    pub(super) fn make(&self, service: &EcsService, object: &str) -> BeingMade<'_> {
        let which = (place_of(service), object.to_owned());
        lock(&self.being_made).insert(which.clone());
        BeingMade {
            revisions: self,
            which,
        }
    }

    fn named(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let index = self.index();
        let revisions = index.by_service.get(&place_of(service));
        let revisions = revisions.into_iter().flatten();
        revisions.map(|(_, revision)| revision.clone()).collect()
    }

    /// Returns the revisions of a service, the newest first.
    pub(crate) fn of(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let mut revisions = self.named(service);
        revisions.retain(|revision| revision.owner == service.uid());
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        revisions
    }

    /// Returns the orphaned revisions of a deleted service of this name.
    pub(super) fn orphans(&self, service: &EcsService) -> Vec<Arc<Revision>> {
        let mut revisions = self.named(service);
        revisions.retain(|revision| revision.owner.is_none());
        revisions
    }

    /// Records a revision. Returns its service if the revision is new.
    pub(crate) fn observe(&self, revision: &ControllerRevision) -> Option<Place> {
        self.index().observe(revision)
    }

    /// Forgets a revision that is gone. Returns its service if the revision was known.
    pub(crate) fn forget(&self, revision: &ControllerRevision) -> Option<Place> {
        let place = place(revision)?;
        let mut index = self.index();
        index.in_flight.lose(&place);
        if !index.is_known(&place, revision) {
            return None;
        }
        let revisions = index.by_service.get_mut(&place)?;
        revisions.remove(&revision.name_any());
        if revisions.is_empty() {
            index.by_service.remove(&place);
        }
        Some(place)
    }

    /// Forgets the revisions of a namespace (`None`: of all) that were known before a list and are not in it. Returns
    /// their services.
    fn forget_unlisted(
        &self,
        namespace: Option<&str>,
        unlisted: &BTreeSet<(Place, String)>,
    ) -> BTreeSet<Place> {
        let mut index = self.index();
        index
            .in_flight
            .lose_all(|(of, _)| namespace.is_none_or(|namespace| namespace == of));
        let mut concerned = BTreeSet::new();
        index.by_service.retain(|place, revisions| {
            let before = revisions.len();
            revisions.retain(|name, _| !unlisted.contains(&(place.clone(), name.clone())));
            if revisions.len() < before {
                concerned.insert(place.clone());
            }
            !revisions.is_empty()
        });
        concerned
    }

    fn known(&self, namespace: Option<&str>) -> BTreeSet<(Place, String)> {
        let index = self.index();
        let here = index
            .by_service
            .iter()
            .filter(|((of, _), _)| namespace.is_none_or(|namespace| namespace == of));
        here.flat_map(|(place, revisions)| {
            revisions.keys().map(|name| (place.clone(), name.clone()))
        })
        .collect()
    }

    /// Updates the cache. A new list replaces nothing before it is complete. Returns the services that this affects:
    /// those whose revisions are gone or were created by someone else.
    fn update(
        &self,
        namespace: Option<&str>,
        unlisted: &mut BTreeSet<(Place, String)>,
        event: Event<Lenient<ControllerRevision>>,
    ) -> BTreeSet<Place> {
        match event {
            Event::Init => {
                *unlisted = self.known(namespace);
                BTreeSet::new()
            }
            Event::InitApply(Lenient::Read(revision)) => {
                if let Some(place) = place(&revision) {
                    unlisted.remove(&(place, revision.name_any()));
                }
                BTreeSet::from_iter(self.observe(&revision))
            }
            Event::InitDone => self.forget_unlisted(namespace, &std::mem::take(unlisted)),
            Event::Apply(Lenient::Read(revision)) => {
                let place = self.observe(&revision);
                let place = place.map(|place| (place, revision.name_any()));
                let place = place.filter(|which| !lock(&self.being_made).contains(which));
                place.into_iter().map(|(place, _)| place).collect()
            }
            Event::Delete(Lenient::Read(revision)) => BTreeSet::from_iter(self.forget(&revision)),
            // A revision that cannot be read was never known.
            Event::InitApply(Lenient::Unreadable(_))
            | Event::Apply(Lenient::Unreadable(_))
            | Event::Delete(Lenient::Unreadable(_)) => BTreeSet::new(),
        }
    }
}

impl Index {
    /// Records a revision. Returns its service if the revision is new.
    fn observe(&mut self, revision: &ControllerRevision) -> Option<Place> {
        if self.has_version(revision) {
            return None;
        }
        let (place, revision) = read(revision)?;
        let revisions = self.by_service.entry(place.clone()).or_default();
        let (uid, id) = (revision.uid.clone(), revision.id.clone());
        let known = revisions.insert(revision.object.clone(), Arc::new(revision));
        let is_new = known.is_none_or(|known| (&known.uid, &known.id) != (&uid, &id));
        is_new.then_some(place)
    }

    /// Whether this very revision is known, and not another one of its name.
    fn is_known(&self, place: &Place, revision: &ControllerRevision) -> bool {
        let known = self.named(place, revision);
        known.is_some_and(|known| Some(&known.uid) == revision.metadata.uid.as_ref())
    }

    /// Whether it is known in its current version.
    fn has_version(&self, revision: &ControllerRevision) -> bool {
        let place = place(revision);
        let known = place.and_then(|place| self.named(&place, revision));
        known.is_some_and(|known| {
            Some(&known.uid) == revision.metadata.uid.as_ref()
                && known.version.is_some()
                && known.version == revision.metadata.resource_version
        })
    }

    fn named(&self, place: &Place, revision: &ControllerRevision) -> Option<&Arc<Revision>> {
        let name = revision.metadata.name.as_deref()?;
        self.by_service.get(place)?.get(name)
    }
}

/// Watches the revisions of services. A deleted one is created again from what runs, while that runs; a service may be
/// waiting for one that someone has restored.
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
        let revisions = &cx.service_revisions;
        for (namespace, name) in revisions.update(namespace.as_deref(), &mut unlisted, event) {
            cx.ask::<EcsService>(ObjectRef::new(&name).within(&namespace));
        }
        if done {
            events.filled();
        }
    }
}

fn place_of(service: &EcsService) -> Place {
    (service.namespace().unwrap_or_default(), service.name_any())
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
        version: revision.resource_version(),
        placing: OnceLock::new(),
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
    fn a_service_hears_of_revisions_that_go_and_that_others_make() {
        let (revisions, mut unlisted) = (ServiceRevisions::default(), BTreeSet::new());
        let web = || BTreeSet::from([("shop".to_owned(), "web".to_owned())]);
        let (nobody, listed) = (BTreeSet::new, |uid| Lenient::Read(revision(uid, Some("1"))));
        // The operator created it itself, and knows the response.
        revisions.observe(&revision("a", Some("1")));
        let mut told = |event| revisions.update(None, &mut unlisted, event);
        assert_eq!(told(Event::Apply(listed("a"))), nobody());
        assert_eq!(told(Event::Init), nobody());
        assert_eq!(told(Event::InitApply(listed("a"))), nobody());
        assert_eq!(told(Event::InitDone), nobody(), "a list is no news");
        assert_eq!(told(Event::Apply(listed("b"))), web(), "it was put back");
        assert_eq!(told(Event::Delete(listed("b"))), web());
        assert_eq!(told(Event::Delete(listed("b"))), nobody());
        assert_eq!(told(Event::Init), nobody());
        assert_eq!(told(Event::InitDone), web(), "it went unseen");
    }

    #[test]
    fn who_makes_a_revision_hears_of_it_from_the_answer() {
        let (revisions, mut unlisted) = (ServiceRevisions::default(), BTreeSet::new());
        let event = || Event::Apply(Lenient::Read(revision("a", Some("1"))));
        let being_made = revisions.make(&service("1"), "web.service.a");
        assert!(revisions.update(None, &mut unlisted, event()).is_empty());
        assert_eq!(revisions.of(&service("1")).len(), 1, "it is known");
        drop(being_made);
        revisions.forget(&revision("a", Some("1")));
        assert_eq!(revisions.update(None, &mut unlisted, event()).len(), 1);
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

    #[test]
    fn a_revision_that_is_gone_is_not_known_again_by_a_late_answer() {
        let revisions = ServiceRevisions::default();
        let (mine, service) = (revision("a", Some("1")), service("1"));
        let request = revisions.begin(&service);
        revisions.forget(&mine);
        assert!(!request.answered(&mine));
        revisions.observe(&mine);
        assert!(request.answered(&mine), "it was made again");
        drop(request);
        let request = revisions.begin(&service);
        revisions.forget_unlisted(None, &revisions.known(None));
        assert!(!request.answered(&mine), "it may be gone");
        drop(request);
        let request = revisions.begin(&service);
        revisions.forget_unlisted(Some("other"), &BTreeSet::new());
        assert!(request.answered(&mine));
        assert_eq!(revisions.of(&service).len(), 1);
    }
}
