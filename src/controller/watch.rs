//! The watches that fill the caches and ask for reconciles.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::ControllerRevision, core::v1::Pod},
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
use tokio::sync::oneshot;

use super::{
    apply::delete,
    child::Child,
    child_kind::ChildKind,
    context::Context,
    owner::Owner,
    pods::Pods,
    revisions::{Place, Revisions, TASK_DEFINITION, place},
};

/// The label of everything that the operator makes.
const OURS: &str = "app.kubernetes.io/managed-by=ecs-operator";

/// Tells once that a cache is filled.
pub(super) struct Filled(Option<oneshot::Sender<()>>);

impl Filled {
    /// The two ends.
    #[must_use]
    pub(super) fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// Tells it, if it was not told before.
    pub(super) fn tell(&mut self) {
        if let Some(sender) = self.0.take() {
            // Whoever waited may have ended.
            let _ended = sender.send(());
        }
    }
}

/// The API of a kind in one namespace, or in all.
pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches the children of a kind.
pub(super) async fn children(
    cx: Arc<Context>,
    kind: &'static ChildKind,
    namespace: Option<String>,
    mut filled: Filled,
) {
    let api: Api<Child> = match &namespace {
        Some(namespace) if kind.namespaced => {
            Api::namespaced_with(cx.client.clone(), namespace, &kind)
        }
        _ => Api::all_with(cx.client.clone(), &kind),
    };
    let mut events = events(api, Some(OURS), kind.kind);
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
                filled.tell();
                cx.children
                    .keep_only(kind, namespace.as_deref(), &std::mem::take(&mut listed))
            }
            Event::Apply(child) => {
                let mut concerned = cx.children.observe(kind, &child);
                if child.released {
                    delete_released(&cx).await;
                }
                if child.meta().deletion_timestamp.is_some() {
                    concerned.extend(cx.children.owners(kind, &child));
                }
                concerned
            }
            Event::Delete(child) => cx.children.forget(kind, &child),
        };
        for owner in concerned {
            cx.queue.owner(owner);
        }
    }
}

/// Deletes volumes whose claims are gone. The data stays: they are of file systems that exist by themselves.
pub(super) async fn delete_released(cx: &Context) {
    if !cx.queue.is_leading() {
        return;
    }
    for (key, known) in cx.children.released() {
        if let Err(error) = delete(&cx.client, &key, &known).await {
            // A service that needs the name deletes it again.
            tracing::warn!(%error, "a released volume could not be deleted");
        }
    }
}

/// Watches the revisions of task definitions.
pub(super) async fn revisions(cx: Arc<Context>, namespace: Option<String>, mut filled: Filled) {
    let api: Api<ControllerRevision> = api(&cx.client, namespace.as_deref());
    let mut events = events(api, Some(TASK_DEFINITION), "ControllerRevision");
    let mut unlisted = BTreeSet::new();
    while let Some(event) = events.next().await {
        if matches!(event, Event::InitDone) {
            filled.tell();
        }
        for (namespace, name) in
            observe_revision(&cx.revisions, namespace.as_deref(), &mut unlisted, event)
        {
            cx.revised(&namespace, &name);
            cx.queue
                .task_definition(ObjectRef::new(&name).within(&namespace));
        }
    }
}

/// Brings the cache of revisions up to date. A new list replaces nothing before it is complete: a task definition
/// without revisions gets one. Returns the task definitions that a change concerns.
fn observe_revision(
    revisions: &Revisions,
    namespace: Option<&str>,
    unlisted: &mut BTreeSet<Place>,
    event: Event<ControllerRevision>,
) -> BTreeSet<(String, String)> {
    match event {
        Event::Init => {
            *unlisted = revisions.known(namespace);
            BTreeSet::new()
        }
        Event::InitApply(revision) => {
            if let Some(place) = place(&revision) {
                unlisted.remove(&place);
            }
            BTreeSet::from_iter(revisions.observe(&revision))
        }
        Event::InitDone => revisions.forget_all(std::mem::take(unlisted)),
        Event::Apply(revision) => BTreeSet::from_iter(revisions.observe(&revision)),
        Event::Delete(revision) => BTreeSet::from_iter(revisions.forget(&revision)),
    }
}

/// Watches the pods of services and tasks.
pub(super) async fn pods(cx: Arc<Context>, namespace: Option<String>, mut filled: Filled) {
    let api: Api<Pod> = api(&cx.client, namespace.as_deref());
    let mut events = events(api, Some(OURS), "Pod");
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        if matches!(event, Event::InitDone) {
            filled.tell();
        }
        for owner in observe_pod(&cx.pods, namespace.as_deref(), &mut listed, event) {
            cx.queue.owner(owner);
        }
    }
}

/// Brings the cache of pods up to date. A new list replaces nothing before it is complete: a task whose pod is not in
/// the cache counts as stopped. Returns those whom a change concerns.
fn observe_pod(
    pods: &Pods,
    namespace: Option<&str>,
    listed: &mut BTreeSet<Box<str>>,
    event: Event<Pod>,
) -> Vec<Owner> {
    match event {
        Event::Init => {
            listed.clear();
            Vec::new()
        }
        Event::InitApply(pod) => {
            listed.insert(pod.metadata.uid.as_deref().unwrap_or_default().into());
            Vec::from_iter(pods.observe(&pod))
        }
        Event::InitDone => pods.keep_only(namespace, &std::mem::take(listed)),
        Event::Apply(pod) => Vec::from_iter(pods.observe(&pod)),
        Event::Delete(pod) => Vec::from_iter(pods.forget(&pod)),
    }
}

/// The cache of a kind of custom resource, which a watch of each namespace fills.
pub(super) struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    writer: Arc<Mutex<Writer<K>>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            writer: self.writer.clone(),
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// An empty cache, and where it is read.
    #[must_use]
    pub(super) fn new() -> (Self, Store<K>) {
        let (store, mut writer) = reflector::store();
        // Lists are taken apart, because each is of one namespace only and would replace those of all others.
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        let writer = Arc::new(Mutex::new(writer));
        (Self { writer }, store)
    }

    fn apply(&self, event: &Event<K>) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.apply_watcher_event(event);
    }
}

/// Watches the custom resources of a kind. `changed` is called with those whose spec or metadata changed, `gone` with
/// those that were deleted.
pub(super) async fn resources<K>(
    client: Client,
    namespace: Option<String>,
    cache: Cache<K>,
    store: Store<K>,
    changed: impl Fn(&K) + Send,
    gone: impl Fn(&K) + Send,
    mut filled: Filled,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: DeserializeOwned + Clone + Debug + Send + Sync + 'static,
{
    let mut events = events(api::<K>(&client, namespace.as_deref()), None, &K::kind(&()));
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Init => listed.clear(),
            Event::Apply(mut object) | Event::InitApply(mut object) => {
                object.managed_fields_mut().clear();
                let name = ObjectRef::from_obj(&object);
                let known = store.get(&name);
                listed.insert(name.to_string());
                cache.apply(&Event::Apply(object.clone()));
                if known.is_none_or(|known| differs(&*known, &object)) {
                    changed(&object);
                }
            }
            Event::Delete(object) => {
                cache.apply(&Event::Delete(object.clone()));
                gone(&object);
            }
            Event::InitDone => {
                for object in store.state() {
                    let here = namespace.is_none() || object.meta().namespace == namespace;
                    if here && !listed.contains(&ObjectRef::from_obj(&*object).to_string()) {
                        cache.apply(&Event::Delete(K::clone(&object)));
                        gone(&object);
                    }
                }
                listed.clear();
                filled.tell();
            }
        }
    }
}

/// Whether more than the status of an object has changed.
fn differs<K: Resource>(before: &K, after: &K) -> bool {
    let (before, after) = (before.meta(), after.meta());
    before.uid != after.uid
        || before.generation != after.generation
        || before.annotations != after.annotations
        || before.labels != after.labels
        || before.deletion_timestamp != after.deletion_timestamp
}

/// The events of a watch, which is begun again for ever when it breaks.
pub(super) fn events<K>(
    api: Api<K>,
    labels: Option<&str>,
    kind: &str,
) -> impl Stream<Item = Event<K>> + Unpin + Send + use<K>
where
    K: Resource + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let config = watcher::Config {
        label_selector: labels.map(str::to_owned),
        ..watcher::Config::default()
    };
    let kind = kind.to_owned();
    let stream = watcher(api, config)
        .default_backoff()
        .filter_map(move |event| {
            let event = match event {
                Ok(event) => Some(event),
                Err(error) => {
                    tracing::warn!(%error, kind, "a watch broke and is begun again");
                    None
                }
            };
            std::future::ready(event)
        });
    Box::pin(stream)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{controller::revisions::name_of, translate::TASK};

    fn pod(uid: &str, name: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": name, "uid": uid, "labels": {TASK: "report"}},
            "status": {"phase": "Running"},
        }))
        .expect("it is a pod")
    }

    #[test]
    fn a_pod_is_gone_only_when_a_new_list_is_complete_without_it() {
        let (pods, mut listed) = (Pods::default(), BTreeSet::new());
        let report = Owner::Task("shop".to_owned(), "report".to_owned());
        let mut told = |event| observe_pod(&pods, None, &mut listed, event);
        told(Event::Apply(pod("1", "report-1")));
        told(Event::Apply(pod("2", "report-2")));
        assert_eq!(told(Event::Init), []);
        assert_eq!(
            pods.of(&report).len(),
            2,
            "nothing is known of the new list"
        );
        assert_eq!(told(Event::InitApply(pod("2", "report-2"))), []);
        assert_eq!(pods.of(&report).len(), 2);
        assert_eq!(told(Event::InitDone).first(), Some(&report));
        let left: Vec<String> = pods.of(&report).iter().map(|pod| pod.uid.clone()).collect();
        assert_eq!(left, ["2"]);
        // What the next list has is not what this one had.
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
        told(Event::Apply(revision(1)));
        told(Event::Apply(revision(2)));
        told(Event::Init);
        assert_eq!(known(), [1, 2], "nothing is known of the new list");
        told(Event::InitApply(revision(2)));
        let web = ("shop".to_owned(), "web".to_owned());
        assert_eq!(told(Event::InitDone), BTreeSet::from([web]));
        assert_eq!(known(), [2]);
    }
}
