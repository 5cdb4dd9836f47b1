//! The watches that fill the caches and trigger reconciles.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::ControllerRevision, core::v1::Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        reflector::{self, ObjectRef, Store, store::Writer},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::{
    catch_up::{Filling, Refused},
    child::{Child, Claimed},
    child_kind::ChildKind,
    lenient::Lenient,
    owner::Owner,
    pods::Pods,
    revisions::{Place, Revisions, TASK_DEFINITION, place},
};
use crate::{
    controller::{
        context::Context,
        error::{brief, code},
        kind::{Reconciled, differs},
        volumes::delete_released,
    },
    crd::EcsTaskDefinition,
};

/// The label of everything that the operator creates.
pub(crate) const OURS: &str = "app.kubernetes.io/managed-by=ecs-operator";

/// Returns the API of a kind in one namespace, or in all.
pub(crate) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches the children of a kind.
pub(crate) async fn children(
    cx: Arc<Context>,
    kind: &'static ChildKind,
    namespace: Option<String>,
    filling: Filling,
) {
    let api: Api<Child> = match &namespace {
        Some(namespace) if kind.namespaced => {
            Api::namespaced_with(cx.client.clone(), namespace, &kind)
        }
        _ => Api::all_with(cx.client.clone(), &kind),
    };
    let mut events = Events::new(api, Some(OURS), kind.kind, filling);
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        let concerned = match event {
            Event::Init => {
                listed.clear();
                continue;
            }
            Event::InitApply(child) => {
                listed.insert(child.meta().uid.as_deref().unwrap_or_default().into());
                cx.children.observe(kind, &child)
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut listed);
                let concerned = cx.children.keep_only(kind, namespace.as_deref(), &listed);
                if events.filled() {
                    // Owners that want an object of this kind may have waited to learn whether it exists.
                    cx.ask_everything();
                }
                // A volume may have been released while no watch was running.
                delete_released(&cx).await;
                concerned
            }
            Event::Apply(child) => {
                let mut concerned = cx.children.observe(kind, &child);
                let of_volume = child.volume.as_ref();
                if of_volume.is_some_and(|volume| volume.claimed == Claimed::NoLonger) {
                    delete_released(&cx).await;
                }
                if child.meta().deletion_timestamp.is_some() {
                    concerned.extend(cx.children.owners(kind, &child));
                }
                concerned
            }
            Event::Delete(child) => {
                let concerned = cx.children.forget(kind, &child);
                if kind.kind == "PersistentVolumeClaim" {
                    cx.unclaimed.notify_one();
                }
                concerned
            }
        };
        cx.ask_owners(kind, concerned);
    }
}

/// Watches the revisions of task definitions.
pub(crate) async fn revisions(cx: Arc<Context>, namespace: Option<String>, filling: Filling) {
    let api: Api<Lenient<ControllerRevision>> = api(&cx.client, namespace.as_deref());
    let mut events = Events::new(api, Some(TASK_DEFINITION), "ControllerRevision", filling);
    let mut unlisted = BTreeSet::new();
    while let Some(event) = events.next().await {
        let done = matches!(event, Event::InitDone);
        for (namespace, name) in
            observe_revision(&cx.revisions, namespace.as_deref(), &mut unlisted, event)
        {
            cx.revised(&namespace, &name);
            cx.ask::<EcsTaskDefinition>(ObjectRef::new(&name).within(&namespace));
        }
        if done {
            events.filled();
        }
    }
}

/// Updates the cache of revisions. A new list replaces nothing before it is complete, because a task definition without
/// revisions gets one. Returns the task definitions that a change affects.
fn observe_revision(
    revisions: &Revisions,
    namespace: Option<&str>,
    unlisted: &mut BTreeSet<Place>,
    event: Event<Lenient<ControllerRevision>>,
) -> BTreeSet<(String, String)> {
    match event {
        // A revision that cannot be read was never known.
        Event::InitApply(Lenient::Unreadable(_))
        | Event::Apply(Lenient::Unreadable(_))
        | Event::Delete(Lenient::Unreadable(_)) => BTreeSet::new(),
        Event::Init => {
            *unlisted = revisions.known(namespace);
            BTreeSet::new()
        }
        Event::InitApply(Lenient::Read(revision)) => {
            if let Some(place) = place(&revision) {
                unlisted.remove(&place);
            }
            BTreeSet::from_iter(revisions.observe(&revision))
        }
        Event::InitDone => revisions.forget_all(namespace, std::mem::take(unlisted)),
        Event::Apply(Lenient::Read(revision)) => BTreeSet::from_iter(revisions.observe(&revision)),
        Event::Delete(Lenient::Read(revision)) => BTreeSet::from_iter(revisions.forget(&revision)),
    }
}

/// Watches the pods of services and tasks.
pub(crate) async fn pods(cx: Arc<Context>, namespace: Option<String>, filling: Filling) {
    let api: Api<Lenient<Pod>> = api(&cx.client, namespace.as_deref());
    let mut events = Events::new(api, Some(OURS), "Pod", filling);
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        let done = matches!(event, Event::InitDone);
        for owner in observe_pod(&cx.pods, namespace.as_deref(), &mut listed, event) {
            cx.ask_owner(owner);
        }
        if done {
            events.filled();
        }
    }
}

/// Updates the cache of pods. A new list replaces nothing before it is complete, because a task whose pod is not in the
/// cache counts as stopped. Returns the owners that a change affects.
fn observe_pod(
    pods: &Pods,
    namespace: Option<&str>,
    listed: &mut BTreeSet<Box<str>>,
    event: Event<Lenient<Pod>>,
) -> Vec<Owner> {
    if let Event::InitApply(pod) = &event {
        listed.insert(pod.meta().uid.as_deref().unwrap_or_default().into());
    }
    match event {
        Event::Init => {
            listed.clear();
            Vec::new()
        }
        Event::InitApply(Lenient::Read(pod)) | Event::Apply(Lenient::Read(pod)) => {
            Vec::from_iter(pods.observe(&pod))
        }
        // The cache keeps the last version that could be read.
        Event::InitApply(Lenient::Unreadable(_)) | Event::Apply(Lenient::Unreadable(_)) => {
            Vec::new()
        }
        Event::InitDone => pods.keep_only(namespace, &std::mem::take(listed)),
        Event::Delete(Lenient::Read(pod)) => Vec::from_iter(pods.forget(&pod)),
        Event::Delete(Lenient::Unreadable(metadata)) => Vec::from_iter(pods.forget(&Pod {
            metadata: *metadata,
            ..Pod::default()
        })),
    }
}

/// The cache of a kind of custom resource, filled by one watch for each namespace.
pub(crate) struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    writer: Mutex<Writer<K>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// Returns an empty cache and its reader.
    #[must_use]
    pub(crate) fn new() -> (Self, Store<K>) {
        let (store, mut writer) = reflector::store();
        // Lists are passed on as single objects, because each covers one namespace and would replace those of all
        // others.
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        let writer = Mutex::new(writer);
        (Self { writer }, store)
    }

    /// Updates the cache with an event.
    pub(crate) fn apply(&self, event: &Event<K>) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.apply_watcher_event(event);
    }
}

/// Watches the custom resources of a kind.
pub(crate) async fn resources<K: Reconciled>(
    cx: Arc<Context>,
    namespace: Option<String>,
    filling: Filling,
) {
    let (store, cache) = (&K::all(&cx).store, &K::all(&cx).cache);
    let gone = |object: &K| {
        K::all(&cx).forget(object);
        cx.backoff.succeeded(&object.uid().unwrap_or_default());
        object.gone(&cx);
    };
    let api: Api<Lenient<K>> = match &namespace {
        Some(namespace) => K::api(cx.client.clone(), namespace),
        None => Api::all(cx.client.clone()),
    };
    let mut events = Events::new(api, None, &K::kind(&()), filling);
    // Namespaces and names.
    let mut listed = BTreeSet::new();
    let place = |meta: &ObjectMeta| (meta.namespace.clone(), meta.name.clone());
    while let Some(event) = events.next().await {
        if let Event::InitApply(object) = &event {
            listed.insert(place(object.meta()));
        }
        match event {
            Event::Init => listed.clear(),
            // The cache keeps the last version that could be read.
            Event::Apply(Lenient::Unreadable(_)) | Event::InitApply(Lenient::Unreadable(_)) => {}
            Event::Apply(Lenient::Read(mut object))
            | Event::InitApply(Lenient::Read(mut object)) => {
                K::keep_managers(object.managed_fields_mut());
                let name = ObjectRef::from_obj(&object);
                let known = store.get(&name);
                cache.apply(&Event::Apply(object.clone()));
                K::all(&cx).returned(&object);
                if known.is_none_or(|known| differs(&*known, &object)) {
                    object.changed(&cx);
                }
            }
            Event::Delete(object) => {
                let (namespace, name) = place(object.meta());
                let mut name = ObjectRef::new(&name.unwrap_or_default());
                name.namespace = namespace;
                if let Some(object) = store.get(&name) {
                    cache.apply(&Event::Delete(K::clone(&object)));
                    gone(&object);
                }
            }
            Event::InitDone => {
                for object in store.state() {
                    let here = namespace.is_none() || object.meta().namespace == namespace;
                    if here && !listed.contains(&place(object.meta())) {
                        cache.apply(&Event::Delete(K::clone(&object)));
                        gone(&object);
                    }
                }
                listed.clear();
                if events.filled() {
                    K::listed(&cx);
                }
            }
        }
    }
}

/// The events of a watch. The watch restarts forever, when it breaks and when a term begins.
pub(crate) struct Events<K> {
    begin: Box<dyn Fn() -> BoxStream<'static, Event<K>> + Send>,
    stream: BoxStream<'static, Event<K>>,
    /// The term in which these events began.
    term: u64,
    filling: Filling,
}

impl<K> Events<K>
where
    K: Resource + DeserializeOwned + Clone + Debug + Send + 'static,
{
    /// Returns the events of the objects with a label.
    pub(crate) fn new(api: Api<K>, labels: Option<&str>, kind: &str, mut filling: Filling) -> Self {
        let config = watcher::Config {
            label_selector: labels.map(str::to_owned),
            ..watcher::Config::default()
        };
        let (kind, list) = (kind.to_owned(), filling.clone());
        let begin =
            Box::new(move || events(api.clone(), config.clone(), kind.clone(), list.clone()));
        Self {
            // Read the term before the watch starts: the events may be newer than the term, but not older.
            term: filling.term(),
            stream: begin(),
            begin,
            filling,
        }
    }

    /// Returns the next event.
    pub(crate) async fn next(&mut self) -> Option<Event<K>> {
        loop {
            tokio::select! {
                biased;
                () = self.filling.new_term() => {
                    self.term = self.filling.term();
                    self.stream = (self.begin)();
                }
                event = self.stream.next() => return event,
            }
        }
    }

    /// Reports that the list of these events is in the cache. Returns whether it is the first one of its term.
    pub(crate) fn filled(&self) -> bool {
        self.filling.filled(self.term)
    }
}

fn events<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: String,
    list: Filling,
) -> BoxStream<'static, Event<K>>
where
    K: Resource + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let stream = watcher(api, config)
        .default_backoff()
        .filter_map(move |event| {
            let event = match event {
                Ok(event) => Some(event),
                Err(error) => {
                    if let watcher::Error::InitialListFailed(error) = &error {
                        match code(error) {
                            Some(401 | 403) => list.refused(Refused::Forbidden),
                            Some(404) => list.refused(Refused::Absent),
                            _ => {}
                        }
                    }
                    tracing::warn!(
                        error = told(&error),
                        kind,
                        "a watch failed and is restarted"
                    );
                    None
                }
            };
            std::future::ready(event)
        });
    stream.boxed()
}

/// Describes the error of a watch without the contents of what cannot be read.
fn told(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => brief(error),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{controller::caches::revisions::name_of, translate::TASK};

    fn read_pod(uid: &str, name: &str) -> Lenient<Pod> {
        let pod = json!({
            "metadata": {"namespace": "shop", "name": name, "uid": uid, "labels": {TASK: "report"}},
            "status": {"phase": "Running"},
        });
        Lenient::Read(serde_json::from_value(pod).expect("it is a pod"))
    }

    #[test]
    fn a_pod_is_gone_only_when_a_new_list_is_complete_without_it() {
        let (pods, mut listed) = (Pods::default(), BTreeSet::new());
        let report = Owner::Task("shop".to_owned(), "report".to_owned());
        let mut told = |event| observe_pod(&pods, None, &mut listed, event);
        told(Event::Apply(read_pod("1", "report-1")));
        told(Event::Apply(read_pod("2", "report-2")));
        assert_eq!(told(Event::Init), []);
        assert_eq!(
            pods.of(&report).len(),
            2,
            "nothing is known of the new list"
        );
        assert_eq!(told(Event::InitApply(read_pod("2", "report-2"))), []);
        assert_eq!(pods.of(&report).len(), 2);
        assert_eq!(told(Event::InitDone).first(), Some(&report));
        let left: Vec<String> = pods.of(&report).iter().map(|pod| pod.uid.clone()).collect();
        assert_eq!(left, ["2"]);
        // A pod that cannot be read exists, and keeps its last known state.
        told(Event::Init);
        let meta = read_pod("2", "report-2").meta().clone();
        told(Event::InitApply(Lenient::Unreadable(Box::new(meta))));
        assert_eq!(told(Event::InitDone), []);
        assert_eq!(pods.of(&report).len(), 1);
        // A list contains nothing from the previous one.
        told(Event::Init);
        assert_eq!(told(Event::InitDone), [report]);
    }

    fn revision(number: u64) -> ControllerRevision {
        serde_json::from_value(json!({
            "metadata": {
                "namespace": "shop",
                "name": name_of("web", number),
                "labels": {TASK_DEFINITION: "web"},
            },
            "revision": number,
            "data": {"cpu": "256"},
        }))
        .expect("it is a revision")
    }

    #[test]
    fn a_revision_is_gone_only_when_a_new_list_is_complete_without_it() {
        let (revisions, mut unlisted) = (Revisions::default(), BTreeSet::new());
        let known = || revisions.of("shop", "web").into_keys().collect::<Vec<_>>();
        let mut told = |event| observe_revision(&revisions, None, &mut unlisted, event);
        told(Event::Apply(Lenient::Read(revision(1))));
        told(Event::Apply(Lenient::Read(revision(2))));
        told(Event::Init);
        assert_eq!(known(), [1, 2], "nothing is known of the new list");
        told(Event::InitApply(Lenient::Read(revision(2))));
        let web = ("shop".to_owned(), "web".to_owned());
        assert_eq!(told(Event::InitDone), BTreeSet::from([web]));
        assert_eq!(known(), [2]);
    }
}
