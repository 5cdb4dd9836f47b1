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
    Client, Resource,
    runtime::reflector::{ObjectRef, Store},
};

use tokio::sync::Notify;

use crate::{
    controller::{
        backoff::Backoff,
        caches::{
            catch_up::CatchUp, children::Children, owner::Owner, pods::Pods, reported::Reported,
            revisions::Revisions,
        },
        events::Events,
        process::progress::Progress,
        service::{Beginnings, Renewals, Replacements, ServiceRevisions},
    },
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
    /// Told when a volume may have lost whoever would claim it.
    pub unclaimed: Notify,
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

/// Locks what is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
