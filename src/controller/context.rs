//! The state that all reconciles share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use kube::{Client, runtime::reflector::ObjectRef};
use tokio::sync::Notify;

use super::{
    app_runner::{Lookups, ask_app_runner_service},
    backoff::Backoff,
    caches::{
        catch_up::CatchUp, child_kind::ChildKind, children::Children, owner::Owner, pods::Pods,
        policies::Policies, revisions::Revisions, users::Users,
    },
    dead_letters::Outbox,
    events::Events,
    kind::OfKind,
    pipe::Pollers,
    process::progress::Progress,
    readings::{CloudWatch, Prometheus, Readings},
    registries::Registries,
    rule::Journals,
    service::{
        Beginnings, Contention, Holds, Renewals, Replacements, ServiceRevisions, Uncreated, user,
    },
    sqs::Sqs,
};
use crate::{
    crd::{
        AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition,
    },
    ecr::ScanRules,
    server::Metrics,
    settings::Settings,
    validate::Queue,
};

/// The state that all reconciles share.
pub(super) struct Context {
    /// The client of the API server.
    pub client: Client,
    /// The configuration, with the version and add-ons of the cluster.
    pub settings: RwLock<Arc<Settings>>,
    /// The objects that the operator created.
    pub children: Children,
    /// Notified when a volume may have lost its claimant.
    pub unclaimed: Notify,
    /// The revisions of task definitions.
    pub revisions: Revisions,
    /// The pods.
    pub pods: Pods,
    /// The services that use each task definition.
    pub users: Users,
    /// The tasks that wait for each task definition.
    pub waiting_tasks: Users,
    /// The services.
    pub services: OfKind<EcsService>,
    /// The tasks.
    pub tasks: OfKind<EcsTask>,
    /// The pipes.
    pub pipes: OfKind<EcsPipe>,
    /// The rules.
    pub rules: OfKind<EcsRule>,
    /// The schedules.
    pub schedules: OfKind<EcsSchedule>,
    /// The App Runner services.
    pub app_runner_services: OfKind<AppRunnerService>,
    /// The task definitions.
    pub task_definitions: OfKind<EcsTaskDefinition>,
    /// The clusters.
    pub clusters: OfKind<EcsCluster>,
    /// The capacity providers.
    pub capacity_providers: OfKind<EcsCapacityProvider>,
    /// What the specs of each namespace may use.
    pub policies: Policies,
    /// Events on custom resources.
    pub events: Events,
    /// The number of failures of each object.
    pub backoff: Backoff,
    /// The replacements of service tasks.
    pub replacements: Replacements,
    /// The revisions of services.
    pub service_revisions: ServiceRevisions,
    /// The renewals that the operator has begun.
    pub renewals: Renewals,
    /// The deployments that are about to begin.
    pub beginnings: Beginnings,
    /// The deployments that are held back.
    pub holds: Holds,
    /// The services whose DaemonSets lack pods.
    pub uncreated: Uncreated,
    /// The objects that others change.
    pub contention: Contention,
    /// What is measured of the services whose policies the operator runs.
    pub readings: Readings,
    /// The Prometheus that has values of CloudWatch metrics, if the operator reads any there.
    pub prometheus: Option<Prometheus>,
    /// The namespace of the operator, for objects that belong to no user; `None` in a preview.
    pub home: Option<String>,
    /// CloudWatch, if the operator reads any of its metrics.
    pub cloud_watch: Option<CloudWatch>,
    /// SQS, if the operator reads any queues.
    pub sqs: Option<Arc<Sqs>>,
    /// The messages that wait for dead-letter queues.
    pub outbox: Outbox,
    /// The queue that has the events of buses for rules, if there is one.
    pub event_queue: Option<Queue>,
    /// What is remembered of rules.
    pub journals: Journals,
    /// The loops that read queues.
    pub pollers: Pollers,
    /// The registries that say which images tags name, if any are asked.
    pub registries: Option<Registries>,
    /// Which findings in images hold a deployment back; `None` if none do.
    pub scan_rules: Option<ScanRules>,
    /// When the tags of App Runner services are looked up, if they are, and when builders are asked.
    pub lookups: Lookups,
    /// The namespaces to watch; empty for all.
    pub namespaces: Vec<String>,
    /// The metrics.
    pub metrics: Metrics,
    /// Whether the API server has reported the kinds of all add-ons.
    pub addons_known: AtomicBool,
    /// Whether this replica leads. Nothing is reconciled before.
    pub leading: AtomicBool,
    /// Which caches are filled.
    pub catch_up: CatchUp,
    /// The progress of the reconciles.
    pub progress: Progress,
}

impl Context {
    /// Returns the context of a replica that does not lead yet and has empty caches.
    #[must_use]
    pub(super) fn new(
        client: Client,
        settings: Settings,
        policies: Policies,
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
            pipes: OfKind::new(),
            rules: OfKind::new(),
            schedules: OfKind::new(),
            app_runner_services: OfKind::new(),
            task_definitions: OfKind::new(),
            clusters: OfKind::new(),
            capacity_providers: OfKind::new(),
            policies,
            events,
            backoff: Backoff::default(),
            replacements: Replacements::default(),
            service_revisions: ServiceRevisions::default(),
            renewals,
            beginnings: Beginnings::default(),
            holds: Holds::default(),
            uncreated: Uncreated::default(),
            contention: Contention::default(),
            readings: Readings::default(),
            prometheus: None,
            home: None,
            cloud_watch: None,
            sqs: None,
            outbox: Outbox::default(),
            event_queue: None,
            journals: Journals::default(),
            pollers: Pollers::default(),
            registries: None,
            scan_rules: None,
            lookups: Lookups::new(None),
            namespaces,
            metrics,
            addons_known: AtomicBool::new(false),
            leading: AtomicBool::new(false),
            catch_up: CatchUp::default(),
            progress: Progress::default(),
        }
    }

    /// Triggers the reconcile of everything that uses a task definition whose revisions have changed.
    pub(super) fn revised(&self, namespace: &str, task_definition: &str) {
        for service in self.users.of(namespace, task_definition) {
            self.ask::<EcsService>(ObjectRef::new(&service).within(namespace));
        }
        for task in self.waiting_tasks.of(namespace, task_definition) {
            self.ask::<EcsTask>(ObjectRef::new(&task).within(namespace));
        }
    }

    /// Whether the API server has reported the kinds of all add-ons.
    #[must_use]
    pub(super) fn knows_addons(&self) -> bool {
        self.addons_known.load(Ordering::SeqCst)
    }

    /// Whether this replica leads.
    #[must_use]
    pub(super) fn is_leading(&self) -> bool {
        self.leading.load(Ordering::SeqCst)
    }

    /// Makes this replica the leader: everything is reconciled once, then whatever changes.
    pub(super) fn lead(&self) {
        let services = self.services.store.state();
        let services = services.iter().map(|service| user(service));
        self.children.expect(services);
        self.leading.store(true, Ordering::SeqCst);
        self.ask_everything();
    }

    /// Triggers the reconcile of everything.
    pub(super) fn ask_everything(&self) {
        self.ask_all::<EcsCapacityProvider>();
        self.ask_all::<EcsCluster>();
        self.ask_all::<EcsTaskDefinition>();
        self.ask_all::<EcsService>();
        self.ask_all::<EcsTask>();
        self.ask_all::<EcsPipe>();
        self.ask_all::<EcsRule>();
        self.ask_all::<EcsSchedule>();
        self.ask_all::<AppRunnerService>();
    }

    /// Triggers the reconciles of those who own an object of a kind that has changed.
    pub(super) fn ask_owners(&self, kind: &ChildKind, owners: Vec<Owner>) {
        for owner in owners {
            if let ("Ingress", Owner::Service(namespace, name)) = (kind.kind, &owner) {
                // It reports the address.
                ask_app_runner_service(self, namespace, name);
            }
            self.ask_owner(owner);
        }
    }

    /// Triggers the reconcile of an owner whose objects have changed.
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

    /// Returns how many objects wait to be reconciled.
    #[must_use]
    pub(super) fn waiting(&self) -> usize {
        self.services.waiting()
            + self.tasks.waiting()
            + self.pipes.waiting()
            + self.rules.waiting()
            + self.schedules.waiting()
            + self.app_runner_services.waiting()
            + self.task_definitions.waiting()
            + self.clusters.waiting()
            + self.capacity_providers.waiting()
    }

    /// Returns the settings for the objects of a namespace.
    #[must_use]
    pub(super) fn settings(&self, namespace: &str) -> Settings {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        Settings {
            namespace: namespace.to_owned(),
            ..Settings::clone(&settings)
        }
    }
}

/// Locks data that is consistent between any two statements, so a poisoned lock is still usable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data behind these locks is consistent between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
