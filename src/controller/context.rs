//! What all reconciles share.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::channel::mpsc::UnboundedSender;
use kube::{
    Client, Resource, ResourceExt as _,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    backoff::Backoff,
    catch_up::CatchUp,
    children::Children,
    events::Events,
    owner::Owner,
    pods::Pods,
    progress::Progress,
    revisions::Revisions,
    service::{Beginnings, Renewals, Replacements, ServiceRevisions},
};
use crate::{
    crd::{
        ClusterStatus, EcsCluster, EcsService, EcsTask, EcsTaskDefinition, ServiceStatus,
        TaskDefinitionStatus, TaskStatus,
    },
    server::Metrics,
    settings::Settings,
};

/// What all reconciles share.
pub(super) struct Context {
    /// The API server.
    pub client: Client,
    /// What was configured, and what was found out about the cluster.
    pub settings: RwLock<Arc<Settings>>,
    /// What was made.
    pub children: Children,
    /// The revisions of task definitions.
    pub revisions: Revisions,
    /// The pods.
    pub pods: Pods,
    /// Which service uses which task definition.
    pub users: Users,
    /// Which task waits for which task definition.
    pub waiting_tasks: Users,
    /// The custom resources.
    pub resources: Resources,
    /// What was reported of services and may not have come back yet.
    pub service_statuses: Reported<ServiceStatus>,
    /// What was reported of tasks and may not have come back yet.
    pub task_statuses: Reported<TaskStatus>,
    /// What was reported of task definitions and may not have come back yet.
    pub task_definition_statuses: Reported<TaskDefinitionStatus>,
    /// What was reported of clusters and may not have come back yet.
    pub cluster_statuses: Reported<ClusterStatus>,
    /// Events on custom resources.
    pub events: Events,
    /// How often each object has failed.
    pub backoff: Backoff,
    /// When tasks of services were replaced.
    pub replacements: Replacements,
    /// The revisions of services.
    pub service_revisions: ServiceRevisions,
    /// The renewals that the operator begins.
    pub renewals: Renewals,
    /// What services are about to begin.
    pub beginnings: Beginnings,
    /// The namespaces that are watched; empty for all.
    pub namespaces: Vec<String>,
    /// Numbers for monitoring.
    pub metrics: Metrics,
    /// Who is to be reconciled.
    pub queue: Queue,
    /// Which caches are filled.
    pub catch_up: CatchUp,
    /// How the reconciles get on.
    pub progress: Progress,
}

impl Context {
    /// Has those reconciled that use a task definition, because its revisions have changed.
    pub(super) fn revised(&self, namespace: &str, task_definition: &str) {
        for service in self.users.of(namespace, task_definition) {
            self.queue
                .service(ObjectRef::new(&service).within(namespace));
        }
        for task in self.waiting_tasks.of(namespace, task_definition) {
            self.queue.task(ObjectRef::new(&task).within(namespace));
        }
    }

    /// The settings for objects of a namespace.
    #[must_use]
    pub(super) fn settings(&self, namespace: &str) -> Settings {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Settings {
            namespace: namespace.to_owned(),
            ..Settings::clone(&settings)
        }
    }
}

/// The caches of the custom resources.
pub(super) struct Resources {
    /// All services.
    pub services: Store<EcsService>,
    /// All tasks.
    pub tasks: Store<EcsTask>,
    /// All task definitions.
    pub task_definitions: Store<EcsTaskDefinition>,
    /// All clusters.
    pub clusters: Store<EcsCluster>,
}

/// Where reconciles are asked for. Before this replica leads, nothing is.
pub(super) struct Queue {
    leading: AtomicBool,
    services: Line<EcsService>,
    tasks: Line<EcsTask>,
    task_definitions: Line<EcsTaskDefinition>,
    clusters: Line<EcsCluster>,
}

/// Who of one kind waits.
struct Line<K: Resource<DynamicType = ()>> {
    sender: UnboundedSender<ObjectRef<K>>,
    waiting: Mutex<HashSet<ObjectRef<K>>>,
}

impl<K: Resource<DynamicType = ()>> Line<K> {
    fn new(sender: UnboundedSender<ObjectRef<K>>) -> Self {
        Self {
            sender,
            waiting: Mutex::default(),
        }
    }

    /// Asks for a reconcile. What waits already is asked for again: the controller does it once, and if the object is
    /// gone, not at all.
    fn push(&self, object: ObjectRef<K>) {
        lock(&self.waiting).insert(object.clone());
        // The other end is gone only when the program ends.
        let _ended = self.sender.unbounded_send(object);
    }

    fn begin(&self, object: &K) {
        lock(&self.waiting).remove(&ObjectRef::from_obj(object));
    }

    /// How many wait; those that are gone do not.
    fn len(&self, store: &Store<K>) -> usize
    where
        K: Clone,
    {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|object| store.get(object).is_some());
        waiting.len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// A queue for a replica that does not lead yet.
    #[must_use]
    pub(super) fn new(
        services: UnboundedSender<ObjectRef<EcsService>>,
        tasks: UnboundedSender<ObjectRef<EcsTask>>,
        task_definitions: UnboundedSender<ObjectRef<EcsTaskDefinition>>,
        clusters: UnboundedSender<ObjectRef<EcsCluster>>,
    ) -> Self {
        Self {
            leading: AtomicBool::new(false),
            services: Line::new(services),
            tasks: Line::new(tasks),
            task_definitions: Line::new(task_definitions),
            clusters: Line::new(clusters),
        }
    }

    /// From now on this replica leads: everything is reconciled once, then what changes.
    pub(super) fn lead(&self, resources: &Resources) {
        self.leading.store(true, Ordering::SeqCst);
        self.everything(resources);
    }

    /// Whether this replica leads.
    #[must_use]
    pub(super) fn is_leading(&self) -> bool {
        self.leading.load(Ordering::SeqCst)
    }

    /// Asks for the reconcile of everything.
    pub(super) fn everything(&self, resources: &Resources) {
        for cluster in resources.clusters.state() {
            self.cluster(ObjectRef::from_obj(&*cluster));
        }
        for task_definition in resources.task_definitions.state() {
            self.task_definition(ObjectRef::from_obj(&*task_definition));
        }
        for service in resources.services.state() {
            self.service(ObjectRef::from_obj(&*service));
        }
        for task in resources.tasks.state() {
            self.task(ObjectRef::from_obj(&*task));
        }
    }

    /// Asks for the reconcile of the one whose objects have changed.
    pub(super) fn owner(&self, owner: Owner) {
        match owner {
            Owner::Service(namespace, name) => {
                self.service(ObjectRef::new(&name).within(&namespace));
            }
            Owner::Task(namespace, name) => self.task(ObjectRef::new(&name).within(&namespace)),
        }
    }

    /// Asks for the reconcile of a service.
    pub(super) fn service(&self, service: ObjectRef<EcsService>) {
        if self.is_leading() {
            self.services.push(service);
        }
    }

    /// Asks for the reconcile of a task.
    pub(super) fn task(&self, task: ObjectRef<EcsTask>) {
        if self.is_leading() {
            self.tasks.push(task);
        }
    }

    /// Asks for the reconcile of a task definition.
    pub(super) fn task_definition(&self, task_definition: ObjectRef<EcsTaskDefinition>) {
        if self.is_leading() {
            self.task_definitions.push(task_definition);
        }
    }

    /// Asks for the reconcile of a cluster.
    pub(super) fn cluster(&self, cluster: ObjectRef<EcsCluster>) {
        if self.is_leading() {
            self.clusters.push(cluster);
        }
    }

    /// Takes a service out of the queue, because its reconcile begins.
    pub(super) fn begin_service(&self, service: &EcsService) {
        self.services.begin(service);
    }

    /// Takes a task out of the queue, because its reconcile begins.
    pub(super) fn begin_task(&self, task: &EcsTask) {
        self.tasks.begin(task);
    }

    /// Takes a task definition out of the queue, because its reconcile begins.
    pub(super) fn begin_task_definition(&self, task_definition: &EcsTaskDefinition) {
        self.task_definitions.begin(task_definition);
    }

    /// Takes a cluster out of the queue, because its reconcile begins.
    pub(super) fn begin_cluster(&self, cluster: &EcsCluster) {
        self.clusters.begin(cluster);
    }

    /// How many objects wait.
    #[must_use]
    pub(super) fn depth(&self, resources: &Resources) -> usize {
        self.services.len(&resources.services)
            + self.tasks.len(&resources.tasks)
            + self.task_definitions.len(&resources.task_definitions)
            + self.clusters.len(&resources.clusters)
    }
}

/// Who uses which task definition, so that a new revision reaches those that follow it.
#[derive(Default)]
pub(super) struct Users {
    maps: Mutex<UserMaps>,
}

#[derive(Default)]
struct UserMaps {
    /// The services by namespace and task definition.
    services: HashMap<(String, String), BTreeSet<String>>,
    /// The task definition by namespace and service.
    task_definition: HashMap<(String, String), String>,
}

impl Users {
    /// Records that a service uses a task definition, and no other.
    pub(super) fn uses(&self, namespace: &str, service: &str, task_definition: &str) {
        let mut maps = lock(&self.maps);
        let key = (namespace.to_owned(), service.to_owned());
        let before = maps.task_definition.insert(key, task_definition.to_owned());
        if before.as_deref() == Some(task_definition) {
            return;
        }
        if let Some(before) = before {
            maps.leave(namespace, service, before);
        }
        let key = (namespace.to_owned(), task_definition.to_owned());
        maps.services
            .entry(key)
            .or_default()
            .insert(service.to_owned());
    }

    /// Forgets a service that is gone.
    pub(super) fn forget(&self, namespace: &str, service: &str) {
        let mut maps = lock(&self.maps);
        let key = (namespace.to_owned(), service.to_owned());
        if let Some(before) = maps.task_definition.remove(&key) {
            maps.leave(namespace, service, before);
        }
    }

    /// The services that use a task definition.
    #[must_use]
    pub(super) fn of(&self, namespace: &str, task_definition: &str) -> BTreeSet<String> {
        let key = (namespace.to_owned(), task_definition.to_owned());
        lock(&self.maps)
            .services
            .get(&key)
            .cloned()
            .unwrap_or_default()
    }
}

impl UserMaps {
    fn leave(&mut self, namespace: &str, service: &str, task_definition: String) {
        let key = (namespace.to_owned(), task_definition);
        if let Some(services) = self.services.get_mut(&key) {
            services.remove(service);
            if services.is_empty() {
                self.services.remove(&key);
            }
        }
    }
}

/// What was reported, until the watch tells it back: a reconcile in between would report it again.
pub(super) struct Reported<S> {
    by_uid: Mutex<HashMap<String, (u64, S)>>,
}

impl<S> Default for Reported<S> {
    fn default() -> Self {
        Self {
            by_uid: Mutex::default(),
        }
    }
}

impl<S: Clone> Reported<S> {
    /// The newest status of an object of which a cache has `status`.
    pub(super) fn latest<K: Resource>(&self, object: &K, status: &S) -> S {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let mut by_uid = lock(&self.by_uid);
        match by_uid.get(uid) {
            Some((version, reported)) if resource_version(object) < *version => reported.clone(),
            Some(_) => {
                by_uid.remove(uid);
                status.clone()
            }
            None => status.clone(),
        }
    }

    /// The version of an object that its newest status, and so whatever was decided on it, is of.
    pub(super) fn version<K: Resource>(&self, object: &K) -> Option<String> {
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let by_uid = lock(&self.by_uid);
        let written = by_uid.get(uid).map(|(version, _)| *version);
        match written.filter(|written| resource_version(object) < *written) {
            Some(written) => Some(written.to_string()),
            None => object.meta().resource_version.clone(),
        }
    }

    /// Records what a write answered.
    pub(super) fn record<K: Resource>(&self, written: &K, status: S) {
        if let Some(uid) = written.uid() {
            lock(&self.by_uid).insert(uid, (resource_version(written), status));
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget<K: Resource>(&self, object: &K) {
        if let Some(uid) = &object.meta().uid {
            lock(&self.by_uid).remove(uid);
        }
    }
}

fn resource_version<K: Resource>(object: &K) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(version: &str) -> EcsService {
        serde_json::from_value(
            json!({"metadata": {"name": "web", "uid": "1", "resourceVersion": version}}),
        )
        .expect("it is a service")
    }

    #[test]
    fn a_new_revision_reaches_those_that_follow_it() {
        let users = Users::default();
        users.uses("shop", "web", "web");
        users.uses("shop", "canary", "web");
        users.uses("other", "web", "web");
        assert_eq!(users.of("shop", "web").len(), 2);
        users.uses("shop", "canary", "canary");
        assert_eq!(users.of("shop", "web"), BTreeSet::from(["web".to_owned()]));
        users.forget("shop", "web");
        assert!(users.of("shop", "web").is_empty());
        assert_eq!(users.of("other", "web").len(), 1);
    }

    #[test]
    fn what_was_reported_counts_until_the_cache_has_it() {
        let reported = Reported::default();
        let status = |count| ServiceStatus {
            running_count: Some(count),
            ..ServiceStatus::default()
        };
        reported.record(&service("7"), status(7));
        assert_eq!(reported.latest(&service("5"), &status(5)), status(7));
        assert_eq!(reported.latest(&service("8"), &status(8)), status(8));
        assert_eq!(
            reported.latest(&service("5"), &status(5)),
            status(5),
            "it is forgotten"
        );
    }
}
