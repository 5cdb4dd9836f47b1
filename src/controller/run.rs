//! The life of the operator: caches, leadership, controllers, and the end of all.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    future::Future,
    io,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _, StreamExt as _,
    channel::mpsc::{UnboundedReceiver, unbounded},
    future::join_all,
};
use kube::{
    Client, Config, Resource,
    config::InferConfigError,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::{ObjectRef, Store},
    },
};
use serde::de::DeserializeOwned;
use tokio::{net::TcpListener, sync::watch as signal, task::JoinSet, time::sleep};

use super::{
    backoff::Backoff,
    child_kind::ChildKind,
    children::Children,
    client::client,
    context::{Context, Queue, Reported, Resources, Users},
    discovery::{Cluster, kubernetes_minor},
    error::Error,
    events::Events,
    leader_election::Candidate,
    pods::Pods,
    revisions::Revisions,
    service, task, task_definition,
    watch::{self, Cache, Filled},
};
use crate::{
    crd::{EcsService, EcsTask, EcsTaskDefinition},
    server::{self, Health, Metrics},
    settings::{Mode, Settings, WorkloadTarget},
    telemetry::Level,
};

/// How often it is looked whether an add-on was installed.
const DISCOVERY_INTERVAL: Duration = Duration::from_secs(30);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings of every translation; the version and the add-ons of the cluster are found out.
    pub settings: Settings,
    /// The namespaces to watch; empty for all.
    pub namespaces: Vec<String>,
    /// Where the lease is.
    pub lease_namespace: String,
    /// The name of the lease.
    pub lease_name: String,
    /// The name of this replica.
    pub identity: String,
    /// Where health and metrics are served.
    pub listen: std::net::SocketAddr,
    /// How many objects of a kind are reconciled at a time.
    pub concurrency: u16,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no configuration of a cluster.
    #[error("cannot find a cluster: {0}")]
    Config(#[from] InferConfigError),
    /// The API server cannot be reached or refuses us.
    #[error("cannot talk to the API server: {0}")]
    Api(#[from] kube::Error),
    /// The port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Another replica leads now.
    #[error("another replica leads now")]
    LeadershipLost,
    /// A part that should run for ever has ended.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// Runs the operator until `shutdown` ends, or it loses the lease.
///
/// # Errors
///
/// When it cannot begin or go on; the caller should end the process, to be started anew.
pub async fn run(
    options: Options,
    level: Level,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let metrics = Metrics::default();
    let config = Config::infer().await?;
    let client = client(config, metrics.clone())?;
    let (stop, stopped) = signal::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        let _nobody_waits = stop.send(true);
    });
    let operator = Operator::new(&options, client, metrics).await?;
    let ready = Arc::new(AtomicBool::new(false));
    let server = operator
        .serve(&options, level, ready.clone(), stopped.clone())
        .await?;
    let mut parts = JoinSet::new();
    parts.spawn(server);
    let result = tokio::select! {
        result = operator.work(options, ready, stopped.clone()) => result,
        Some(_) = parts.join_next() => Err(RunError::Ended("the HTTP server")),
    };
    parts.abort_all();
    result
}

/// The context, and the ends of its queues.
struct Operator {
    cx: Arc<Context>,
    cluster: Cluster,
    services: (Cache<EcsService>, UnboundedReceiver<ObjectRef<EcsService>>),
    tasks: (Cache<EcsTask>, UnboundedReceiver<ObjectRef<EcsTask>>),
    task_definitions: (
        Cache<EcsTaskDefinition>,
        UnboundedReceiver<ObjectRef<EcsTaskDefinition>>,
    ),
}

impl Operator {
    async fn new(options: &Options, client: Client, metrics: Metrics) -> Result<Self, RunError> {
        let cluster = Cluster::discover(&client).await?;
        let settings = Settings {
            mode: Mode::Controller,
            workload_target: WorkloadTarget::EcsService,
            kubernetes_minor: kubernetes_minor(&client).await?,
            addons: cluster.addons.clone(),
            ..options.settings.clone()
        };
        let (service_sender, service_receiver) = unbounded();
        let (task_sender, task_receiver) = unbounded();
        let (definition_sender, definition_receiver) = unbounded();
        let (service_cache, services) = Cache::new();
        let (task_cache, tasks) = Cache::new();
        let (definition_cache, task_definitions) = Cache::new();
        let cx = Context {
            settings: RwLock::new(Arc::new(settings)),
            children: Children::default(),
            revisions: Revisions::default(),
            pods: Pods::default(),
            users: Users::default(),
            waiting_tasks: Users::default(),
            resources: Resources {
                services,
                tasks,
                task_definitions,
            },
            service_statuses: Reported::default(),
            task_statuses: Reported::default(),
            task_definition_statuses: Reported::default(),
            events: Events::new(client.clone(), Some(options.identity.clone())),
            backoff: Backoff::default(),
            replacements: service::Replacements::default(),
            metrics,
            queue: Queue::new(service_sender, task_sender, definition_sender),
            client,
        };
        Ok(Self {
            cx: Arc::new(cx),
            cluster,
            services: (service_cache, service_receiver),
            tasks: (task_cache, task_receiver),
            task_definitions: (definition_cache, definition_receiver),
        })
    }

    /// Listens, and returns what answers.
    async fn serve(
        &self,
        options: &Options,
        level: Level,
        ready: Arc<AtomicBool>,
        mut stopped: signal::Receiver<bool>,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, RunError> {
        let address = options.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| RunError::Listen { address, source })?;
        let cx = self.cx.clone();
        let health = Health {
            ready,
            metrics: self.cx.metrics.clone(),
            measure: Arc::new(move |metrics| measure(&cx, metrics)),
            set_log_level: Arc::new(move |directives| level.set(directives)),
        };
        Ok(server::serve(listener, health, async move {
            let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
        }))
    }

    /// Fills the caches, waits for the lease, and reconciles until the end.
    async fn work(
        self,
        options: Options,
        ready: Arc<AtomicBool>,
        mut stopped: signal::Receiver<bool>,
    ) -> Result<(), RunError> {
        let Self {
            cx,
            cluster,
            services,
            tasks,
            task_definitions,
        } = self;
        let mut watches = JoinSet::new();
        let caches = (services.0, tasks.0, task_definitions.0);
        let filled = start_watches(&mut watches, &cx, &cluster, &options.namespaces, caches);
        watches.spawn(discover(cx.clone(), cluster, options.namespaces.clone()));
        let mut candidate = Candidate::new(
            cx.client.clone(),
            &options.lease_namespace,
            options.lease_name.clone(),
            options.identity.clone(),
        );
        let lead = async {
            filled.await;
            ready.store(true, Ordering::SeqCst);
            tracing::info!("the caches are filled");
            candidate.acquire().await;
        };
        tokio::select! {
            () = lead => {}
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        }
        cx.metrics.leads(true);
        cx.queue.lead(&cx.resources);
        let controllers = run_controllers(
            &cx,
            options.concurrency,
            (services.1, tasks.1, task_definitions.1),
            stopped.clone(),
        );
        let result = tokio::select! {
            // It ends by itself only after a shutdown, when all reconciles that had begun are done.
            () = controllers => Ok(()),
            () = candidate.keep() => Err(RunError::LeadershipLost),
        };
        if result.is_ok() {
            candidate.release().await;
        }
        result
    }
}

/// Reads the numbers that nobody counts.
fn measure(cx: &Context, metrics: &Metrics) {
    metrics.sizes(cx.queue.depth(), cx.children.len());
    let services = cx.resources.services.state();
    let is = |service: &EcsService, type_: &str| {
        let mut conditions = service.status.conditions.iter();
        conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let ready = services
        .iter()
        .filter(|service| is(service, crate::crd::READY))
        .count();
    let rejected = services
        .iter()
        .filter(|service| !is(service, crate::crd::ACCEPTED))
        .count();
    metrics.in_state(service::KIND, "Ready", ready);
    metrics.in_state(service::KIND, "NotAccepted", rejected);
    metrics.in_state(
        service::KIND,
        "InProgress",
        services.len().saturating_sub(ready + rejected),
    );
    let definitions = cx.resources.task_definitions.state().len();
    metrics.in_state(task_definition::KIND, "Registered", definitions);
    for (status, count) in count_tasks(cx) {
        metrics.in_state(task::KIND, status, count);
    }
}

fn count_tasks(cx: &Context) -> Vec<(&'static str, usize)> {
    use crate::decide::task_lifecycle::{PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING};
    let tasks = cx.resources.tasks.state();
    let count = |status: &str| {
        let is = |task: &&Arc<EcsTask>| task.status.last_status.as_deref() == Some(status);
        tasks.iter().filter(is).count()
    };
    [PROVISIONING, PENDING, RUNNING, STOPPING, STOPPED]
        .map(|status| (status, count(status)))
        .into()
}

type Caches = (Cache<EcsService>, Cache<EcsTask>, Cache<EcsTaskDefinition>);

/// Starts all watches. What is returned ends when all caches are filled.
fn start_watches(
    watches: &mut JoinSet<()>,
    cx: &Arc<Context>,
    cluster: &Cluster,
    namespaces: &[String],
    (services, tasks, task_definitions): Caches,
) -> impl Future<Output = ()> + use<> {
    let mut filled = Vec::new();
    let mut next = || {
        let (tell, told) = Filled::new();
        filled.push(told);
        tell
    };
    for namespace in scopes(namespaces) {
        watches.spawn(watch::pods(cx.clone(), namespace.clone(), next()));
        watches.spawn(watch::revisions(cx.clone(), namespace.clone(), next()));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace.clone(),
            services.clone(),
            cx.resources.services.clone(),
            move |object| changed.queue.service(ObjectRef::from_obj(object)),
            move |object| service::forget(&gone, object),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace.clone(),
            tasks.clone(),
            cx.resources.tasks.clone(),
            move |object| changed.queue.task(ObjectRef::from_obj(object)),
            move |object| task::forget(&gone, object),
            next(),
        ));
        let (changed, gone) = (cx.clone(), cx.clone());
        watches.spawn(watch::resources(
            cx.client.clone(),
            namespace,
            task_definitions.clone(),
            cx.resources.task_definitions.clone(),
            move |object| changed.queue.task_definition(ObjectRef::from_obj(object)),
            move |object| task_definition::forget(&gone, object),
            next(),
        ));
    }
    for kind in cluster.kinds() {
        for namespace in scopes_of(kind, namespaces) {
            watches.spawn(watch::children(cx.clone(), kind, namespace, next()));
        }
    }
    // A sender that is gone without having told belongs to a watch that ended, which none does.
    join_all(filled).map(drop)
}

/// The namespaces to watch one by one; a single `None` for all together.
fn scopes(namespaces: &[String]) -> Vec<Option<String>> {
    if namespaces.is_empty() {
        return vec![None];
    }
    namespaces.iter().cloned().map(Some).collect()
}

fn scopes_of(kind: &ChildKind, namespaces: &[String]) -> Vec<Option<String>> {
    if kind.namespaced {
        scopes(namespaces)
    } else {
        vec![None]
    }
}

/// Looks for add-ons that were installed or removed, and has everything reconciled when that was so.
async fn discover(cx: Arc<Context>, mut cluster: Cluster, namespaces: Vec<String>) {
    let mut watched: BTreeSet<&'static ChildKind> = cluster.kinds().into_iter().collect();
    let mut watches = JoinSet::new();
    loop {
        sleep(DISCOVERY_INTERVAL).await;
        let found = match Cluster::discover(&cx.client).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot find out what the cluster has");
                continue;
            }
        };
        if found == cluster {
            continue;
        }
        tracing::info!(addons = ?found.addons, "the add-ons of the cluster have changed");
        let mut filled = Vec::new();
        for kind in found.kinds() {
            if !watched.insert(kind) {
                continue;
            }
            for namespace in scopes_of(kind, &namespaces) {
                let (tell, told) = Filled::new();
                filled.push(told);
                watches.spawn(watch::children(cx.clone(), kind, namespace, tell));
            }
        }
        join_all(filled).await;
        if let Ok(mut settings) = cx.settings.write() {
            *settings = Arc::new(Settings {
                addons: found.addons.clone(),
                ..Settings::clone(&settings)
            });
        }
        cluster = found;
        cx.queue.everything(&cx.resources);
    }
}

type Queues = (
    UnboundedReceiver<ObjectRef<EcsService>>,
    UnboundedReceiver<ObjectRef<EcsTask>>,
    UnboundedReceiver<ObjectRef<EcsTaskDefinition>>,
);

/// Reconciles what the queues ask for, until a shutdown; what had begun is done then.
async fn run_controllers(
    cx: &Arc<Context>,
    concurrency: u16,
    (services, tasks, task_definitions): Queues,
    stopped: signal::Receiver<bool>,
) {
    let definitions = start(
        cx.resources.task_definitions.clone(),
        task_definitions,
        concurrency,
        stopped.clone(),
        task_definition::reconcile,
        |object, error, cx| task_definition::on_error(object, error, cx),
        cx.clone(),
        task_definition::KIND,
    );
    let services = start(
        cx.resources.services.clone(),
        services,
        concurrency,
        stopped.clone(),
        service::reconcile,
        |object, error, cx| service::on_error(object, error, cx),
        cx.clone(),
        service::KIND,
    );
    let tasks = start(
        cx.resources.tasks.clone(),
        tasks,
        concurrency,
        stopped,
        task::reconcile,
        |object, error, cx| task::on_error(object, error, cx),
        cx.clone(),
        task::KIND,
    );
    tokio::join!(definitions, services, tasks);
}

/// Runs the controller of one kind.
#[allow(
    clippy::too_many_arguments,
    reason = "all of it is what a controller is made of"
)]
async fn start<K, F>(
    store: Store<K>,
    queue: UnboundedReceiver<ObjectRef<K>>,
    concurrency: u16,
    mut stopped: signal::Receiver<bool>,
    reconcile: impl Fn(Arc<K>, Arc<Context>) -> F + Send + Sync + Clone + 'static,
    on_error: impl Fn(Arc<K>, &Error, Arc<Context>) -> Action + Send + Sync + 'static,
    cx: Arc<Context>,
    kind: &'static str,
) where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + Sync + 'static,
    F: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let config = controller::Config::default().concurrency(concurrency);
    let timed = move |object: Arc<K>, cx: Arc<Context>| {
        let (reconcile, metrics) = (reconcile.clone(), cx.metrics.clone());
        async move {
            let begun = Instant::now();
            let result = reconcile(object, cx).await;
            metrics.reconciled(kind, begun.elapsed());
            result
        }
    };
    // All that asks for a reconcile comes through the queue.
    Controller::for_stream(futures::stream::pending(), store)
        .with_config(config)
        .reconcile_on(queue)
        .graceful_shutdown_on(async move {
            let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
        })
        .run(timed, on_error, cx)
        .for_each(|_| std::future::ready(()))
        .await;
}
