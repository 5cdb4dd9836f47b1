//! The controllers, one for each kind.

use std::{fmt::Debug, future::Future, sync::Arc, time::Instant};

use futures::{StreamExt as _, channel::mpsc::UnboundedReceiver};
use kube::{
    Resource,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::{ObjectRef, Store},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch as signal;

use super::{cluster, context::Context, error::Error, service, task, task_definition};
use crate::crd::{EcsCluster, EcsService, EcsTask, EcsTaskDefinition};

/// The ends of the queues.
pub(super) type Queues = (
    UnboundedReceiver<ObjectRef<EcsService>>,
    UnboundedReceiver<ObjectRef<EcsTask>>,
    UnboundedReceiver<ObjectRef<EcsTaskDefinition>>,
    UnboundedReceiver<ObjectRef<EcsCluster>>,
);

/// Reconciles what the queues ask for, until a shutdown; what had begun is done then.
pub(super) async fn run_controllers(
    cx: &Arc<Context>,
    concurrency: u16,
    (services, tasks, task_definitions, clusters): Queues,
    stopped: signal::Receiver<bool>,
) {
    let definitions = start(
        cx.resources.task_definitions.clone(),
        task_definitions,
        concurrency,
        stopped.clone(),
        task_definition::reconcile,
        task_definition::on_error,
        cx.clone(),
        task_definition::KIND,
    );
    let services = start(
        cx.resources.services.clone(),
        services,
        concurrency,
        stopped.clone(),
        service::reconcile,
        service::on_error,
        cx.clone(),
        service::KIND,
    );
    let tasks = start(
        cx.resources.tasks.clone(),
        tasks,
        concurrency,
        stopped.clone(),
        task::reconcile,
        task::on_error,
        cx.clone(),
        task::KIND,
    );
    let clusters = start(
        cx.resources.clusters.clone(),
        clusters,
        concurrency,
        stopped,
        cluster::reconcile,
        cluster::on_error,
        cx.clone(),
        cluster::KIND,
    );
    tokio::join!(definitions, services, tasks, clusters);
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
