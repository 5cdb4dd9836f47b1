//! The life of the operator: caches, leadership, controllers and shutdown.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kube::{Client, Config, config::InferConfigError};
use tokio::{net::TcpListener, sync::watch as signal, task::JoinSet, time::sleep};

use super::{
    client::client,
    controllers::run_controllers,
    discovery::{Cluster, kubernetes_minor},
    fence::Fence,
    leader_election::Candidate,
    measure::{measure, stuck},
    watches::{discover, start_watches},
};
use crate::{
    controller::{
        app_runner::Lookups,
        caches::policies::Policies,
        context::Context,
        dead_letters,
        events::Events,
        readings::{
            CloudWatch, CloudWatchOptions, Prometheus, PrometheusOptions, measure_services,
        },
        registries::{Registries, RegistryOptions},
        rule, service,
        sqs::{Sqs, SqsOptions},
        volumes::delete_released,
    },
    ecr::ScanRules,
    policy::Tenancy,
    server::{self, Health, Metrics},
    settings::{Mode, Settings, WorkloadTarget},
    telemetry::Level,
    validate::Queue,
};

/// How long reconciles in progress may take after a shutdown request. The process is killed 30 seconds after that
/// request, and has to release the lease before.
const GRACE: Duration = Duration::from_secs(15);

/// How to run the operator.
#[derive(Clone, Debug)]
pub struct Options {
    /// The settings of every translation; the version and the add-ons of the cluster are discovered.
    pub settings: Settings,
    /// Who shares the cluster.
    pub tenancy: Tenancy,
    /// The namespaces to watch; empty for all.
    pub namespaces: Vec<String>,
    /// The namespace of the lease.
    pub lease_namespace: String,
    /// The name of the lease.
    pub lease_name: String,
    /// The identity of this replica.
    pub identity: String,
    /// The address that serves health and metrics.
    pub listen: std::net::SocketAddr,
    /// How many objects of a kind are reconciled concurrently.
    pub concurrency: u16,
    /// The Prometheus that has values of CloudWatch metrics, if the operator reads any there.
    pub prometheus: Option<PrometheusOptions>,
    /// Where CloudWatch is, if the operator reads any of its metrics.
    pub cloud_watch: Option<CloudWatchOptions>,
    /// Where SQS is, if the operator reads any queues.
    pub sqs: Option<SqsOptions>,
    /// The queue to which rules in AWS send events for EcsRules, if there is one.
    pub event_queue: Option<Queue>,
    /// The registries that say which images tags name, if any are asked.
    pub registries: Option<RegistryOptions>,
    /// Which findings in images hold a deployment back; `None` if none do.
    pub scan_rules: Option<ScanRules>,
    /// How often the tags of App Runner services that deploy automatically are looked up; `None` if they are not.
    pub auto_deployments: Option<Duration>,
    /// How many services may have a deployment at a time while the operator renews those that it would render
    /// differently; `None` if it starts no renewals.
    pub renewals: Option<u16>,
}

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no cluster configuration.
    #[error("cannot find a cluster: {0}")]
    Config(#[from] InferConfigError),
    /// The API server cannot be reached or rejects us.
    #[error("cannot connect to the API server: {0}")]
    Api(#[from] kube::Error),
    /// The operator cannot listen on the port.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Another replica leads now.
    #[error("another replica leads now")]
    LeadershipLost,
    /// A part that should run forever has ended.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// Runs the operator until `shutdown` ends, or it loses the lease.
///
/// # Errors
///
/// When it cannot start or continue; the caller should end the process so that it is restarted.
pub async fn run(
    options: Options,
    level: Level,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    let metrics = Metrics::default();
    let config = Config::infer().await?;
    let fence = Fence::default();
    // A separate client, so that no other request can hold up the lease.
    let candidate = Candidate::new(
        client(config.clone(), metrics.clone(), None)?,
        &options.lease_namespace,
        options.lease_name.clone(),
        options.identity.clone(),
        fence.clone(),
    );
    let client = client(config, metrics.clone(), Some(fence))?;
    let (stop, stopped) = signal::channel(false);
    tokio::spawn(async move {
        shutdown.await;
        let _nobody_waits = stop.send(true);
    });
    let operator = Operator::new(&options, client, metrics).await?;
    let ready = Arc::new(AtomicBool::new(false));
    let server = operator.serve(&options, level, ready.clone()).await?;
    let mut parts = JoinSet::new();
    parts.spawn(server);
    let result = tokio::select! {
        result = operator.work(options, candidate, ready, stopped.clone()) => result,
        Some(_) = parts.join_next() => Err(RunError::Ended("the HTTP server")),
    };
    parts.abort_all();
    result
}

/// Returns the configuration with what was discovered about the cluster.
async fn settings(
    options: &Options,
    client: &Client,
    cluster: &Cluster,
) -> Result<Settings, kube::Error> {
    Ok(Settings {
        mode: Mode::Controller,
        in_cluster: true,
        workload_target: WorkloadTarget::EcsService,
        kubernetes_minor: kubernetes_minor(client).await?,
        addons: cluster.addons(),
        ecr_pull_secrets: cluster.ecr_pull_secrets(options.settings.ecr_pull_secrets),
        ..options.settings.clone()
    })
}

/// The parts of the process.
struct Operator {
    cx: Arc<Context>,
    cluster: Cluster,
}

impl Operator {
    async fn new(options: &Options, client: Client, metrics: Metrics) -> Result<Self, RunError> {
        let cluster = Cluster::first(&client).await?;
        let settings = settings(options, &client, &cluster).await?;
        let events = Events::new(client.clone(), options.identity.clone());
        let renewals = service::Renewals::new(options.renewals);
        let namespaces = options.namespaces.clone();
        let policies = Policies::new(options.tenancy);
        let mut cx = Context::new(
            client, settings, policies, namespaces, events, renewals, metrics,
        );
        cx.home = Some(options.lease_namespace.clone());
        cx.prometheus = options.prometheus.clone().map(Prometheus::new);
        cx.cloud_watch = options.cloud_watch.clone().map(CloudWatch::new);
        cx.sqs = options.sqs.clone().map(Sqs::new).map(Arc::new);
        cx.event_queue = options.event_queue.clone();
        cx.registries = options.registries.clone().map(Registries::new);
        cx.scan_rules.clone_from(&options.scan_rules);
        cx.lookups = Lookups::new(options.auto_deployments);
        cx.addons_known.store(cluster.knows_all(), Ordering::SeqCst);
        Ok(Self {
            cx: Arc::new(cx),
            cluster,
        })
    }

    /// Listens, and returns the server.
    async fn serve(
        &self,
        options: &Options,
        level: Level,
        ready: Arc<AtomicBool>,
    ) -> Result<impl Future<Output = io::Result<()>> + Send + 'static, RunError> {
        let address = options.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| RunError::Listen { address, source })?;
        let (cx, alive) = (self.cx.clone(), self.cx.clone());
        let health = Health {
            stuck: Arc::new(move || stuck(&alive)),
            ready,
            metrics: self.cx.metrics.clone(),
            measure: Arc::new(move |metrics| measure(&cx, metrics)),
            set_log_level: Arc::new(move |directives| level.set(directives)),
        };
        Ok(server::serve(listener, health))
    }

    /// Fills the caches, waits for the lease, and reconciles until the end.
    async fn work(
        self,
        options: Options,
        mut candidate: Candidate,
        ready: Arc<AtomicBool>,
        mut stopped: signal::Receiver<bool>,
    ) -> Result<(), RunError> {
        let Self { cx, cluster } = self;
        let mut watches = JoinSet::new();
        start_watches(&mut watches, &cx, &cluster, &options.namespaces);
        watches.spawn(discover(cx.clone(), cluster, options.namespaces.clone()));
        let lead = async {
            cx.catch_up.caught_up().await;
            ready.store(true, Ordering::SeqCst);
            tracing::info!("the caches are filled");
            candidate.acquire().await
        };
        let end = tokio::select! {
            end = lead => end,
            _ = stopped.wait_for(|stopped| *stopped) => {
                // The response to the last request may have made this replica the leader.
                candidate.release().await;
                return Ok(());
            }
            Some(_) = watches.join_next() => return Err(RunError::Ended("a watch")),
        };
        let result = tokio::select! {
            () = reconcile(&cx, options.concurrency, stopped) => Ok(()),
            () = candidate.keep(end) => Err(RunError::LeadershipLost),
            Some(_) = watches.join_next() => Err(RunError::Ended("a watch")),
        };
        // They have ended after a shutdown. Otherwise another replica may lead, or is about to.
        cx.pollers.abort();
        if result.is_ok() {
            cx.events.farewell().await;
        }
        if !matches!(result, Err(RunError::LeadershipLost)) {
            candidate.release().await;
        }
        result
    }
}

/// Reconciles until a shutdown, as soon as the caches contain everything that the previous leader wrote.
async fn reconcile(cx: &Arc<Context>, concurrency: u16, stopped: signal::Receiver<bool>) {
    let mut told = stopped.clone();
    let shutdown = async {
        let _sender_gone = told.wait_for(|stopped| *stopped).await;
    };
    let begun = Instant::now();
    cx.catch_up.begin_term();
    tokio::select! {
        () = cx.catch_up.caught_up() => {}
        () = shutdown => return,
    }
    tracing::info!(after = ?begun.elapsed(), "the caches have caught up");
    cx.metrics.leads(true);
    cx.lead();
    delete_released(cx).await;
    let mut told = stopped.clone();
    let grace = async {
        let _sender_gone = told.wait_for(|stopped| *stopped).await;
        sleep(GRACE).await;
    };
    tokio::select! {
        // The controllers end by themselves only after a shutdown, when all reconciles in progress are done.
        ((), (), (), ()) = futures::future::join4(
            run_controllers(cx, concurrency, stopped.clone()),
            cx.pollers.until(stopped.clone()),
            rule::follow_bus(cx, stopped.clone()),
            dead_letters::deliver(cx, stopped),
        ) => {}
        () = measure_services(cx) => {}
        () = grace => tracing::warn!("some reconciles did not end in time and are aborted"),
    }
}
