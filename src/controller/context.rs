//! What all reconciles share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use kube::{Client, runtime::reflector::ObjectRef};
use tokio::sync::Notify;

use super::{
    backoff::Backoff,
    caches::{
        catch_up::CatchUp, children::Children, owner::Owner, pods::Pods, revisions::Revisions,
        users::Users,
    },
    events::Events,
    kind::OfKind,
    process::progress::Progress,
    service::{Beginnings, Renewals, Replacements, ServiceRevisions, Uncreated, user},
};
use crate::{
    crd::{EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
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
    /// The services.
    pub services: OfKind<EcsService>,
    /// The tasks.
    pub tasks: OfKind<EcsTask>,
    /// The task definitions.
    pub task_definitions: OfKind<EcsTaskDefinition>,
    /// The clusters.
    pub clusters: OfKind<EcsCluster>,
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
    /// The services whose DaemonSets lack pods.
    pub uncreated: Uncreated,
    /// The namespaces that are watched; empty for all.
    pub namespaces: Vec<String>,
    /// Numbers for monitoring.
    pub metrics: Metrics,
    /// Whether the API server has told which kinds of all add-ons there are.
    pub addons_known: AtomicBool,
    /// Whether this replica leads. Before, nothing is reconciled.
    pub leading: AtomicBool,
    /// Which caches are filled.
    pub catch_up: CatchUp,
    /// How the reconciles get on.
    pub progress: Progress,
}

impl Context {
    /// The context of a replica that does not lead yet and knows nothing.
    #[must_use]
    pub(super) fn new(
        client: Client,
        settings: Settings,
        namespaces: Vec<String>,
        events: Events,
        renewals: Renewals,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            settings: RwLock::new(Arc::new(settings)),
            children: Children::default(),
            unclaimed: Notify::new(),
            revisions: Revisions::default(),
            pods: Pods::default(),
            users: Users::default(),
            waiting_tasks: Users::default(),
            services: OfKind::new(),
            tasks: OfKind::new(),
            task_definitions: OfKind::new(),
            clusters: OfKind::new(),
            events,
            backoff: Backoff::default(),
            replacements: Replacements::default(),
            service_revisions: ServiceRevisions::default(),
            renewals,
            beginnings: Beginnings::default(),
            uncreated: Uncreated::default(),
            namespaces,
            metrics,
            addons_known: AtomicBool::new(false),
            leading: AtomicBool::new(false),
            catch_up: CatchUp::default(),
            progress: Progress::default(),
        }
    }

    /// Has those reconciled that use a task definition, because its revisions have changed.
    pub(super) fn revised(&self, namespace: &str, task_definition: &str) {
        for service in self.users.of(namespace, task_definition) {
            self.ask::<EcsService>(ObjectRef::new(&service).within(namespace));
        }
        for task in self.waiting_tasks.of(namespace, task_definition) {
            self.ask::<EcsTask>(ObjectRef::new(&task).within(namespace));
        }
    }

    /// Whether the API server has told which kinds of all add-ons there are.
    #[must_use]
    pub(super) fn knows_addons(&self) -> bool {
        self.addons_known.load(Ordering::SeqCst)
    }

    /// Whether this replica leads.
    #[must_use]
    pub(super) fn is_leading(&self) -> bool {
        self.leading.load(Ordering::SeqCst)
    }

    /// From now on this replica leads: everything is reconciled once, then what changes.
    pub(super) fn lead(&self) {
        let services = self.services.store.state();
        let services = services.iter().map(|service| user(service));
        self.children.expect(services);
        self.leading.store(true, Ordering::SeqCst);
        self.ask_everything();
    }

    /// Asks for the reconcile of everything.
    pub(super) fn ask_everything(&self) {
        self.ask_all::<EcsCluster>();
        self.ask_all::<EcsTaskDefinition>();
        self.ask_all::<EcsService>();
        self.ask_all::<EcsTask>();
    }

    /// Asks for the reconcile of the one whose objects have changed.
    pub(super) fn ask_owner(&self, owner: Owner) {
        match owner {
            Owner::Service(namespace, name) => {
                self.ask::<EcsService>(ObjectRef::new(&name).within(&namespace));
            }
            Owner::Task(namespace, name) => {
                self.ask::<EcsTask>(ObjectRef::new(&name).within(&namespace));
            }
        }
    }

    /// How many objects wait to be reconciled.
    #[must_use]
    pub(super) fn waiting(&self) -> usize {
        self.services.waiting()
            + self.tasks.waiting()
            + self.task_definitions.waiting()
            + self.clusters.waiting()
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

/// Locks what is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
