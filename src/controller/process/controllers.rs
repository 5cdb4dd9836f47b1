//! The controllers, one for each kind.

use std::{
    any::Any, fmt::Debug, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Instant,
};

use futures::{FutureExt as _, StreamExt as _, channel::mpsc::UnboundedReceiver};
use kube::{
    Resource, ResourceExt as _,
    runtime::{
        Controller,
        controller::{self, Action},
        reflector::{ObjectRef, Store},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch as signal;

use crate::{
    controller::{cluster, context::Context, error::Error, service, task, task_definition},
    crd::{EcsCluster, EcsService, EcsTask, EcsTaskDefinition},
};

/// The ends of the queues.
pub(crate) type Queues = (
    UnboundedReceiver<ObjectRef<EcsService>>,
    UnboundedReceiver<ObjectRef<EcsTask>>,
    UnboundedReceiver<ObjectRef<EcsTaskDefinition>>,
    UnboundedReceiver<ObjectRef<EcsCluster>>,
);

/// Reconciles what the queues ask for, until a shutdown; what had begun is done then.
pub(crate) async fn run_controllers(
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
            let (begun, _running) = (Instant::now(), cx.progress.begin());
            let result = contained(reconcile(object, cx)).await;
            metrics.reconciled(kind, begun.elapsed());
            result
        }
    };
    let patient = move |object: Arc<K>, error: &Error, cx: Arc<Context>| {
        if let Some(wait) = error.retry_after() {
            cx.backoff.asked(&object.uid().unwrap_or_default(), wait);
        }
        on_error(object, error, cx)
    };
    // All that asks for a reconcile comes through the queue.
    Controller::for_stream(futures::stream::pending(), store)
        .with_config(config)
        .reconcile_on(queue)
        .graceful_shutdown_on(async move {
            let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
        })
        .run(timed, patient, cx)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// A panic would end the process, and so the work for all objects, were it not the error of one. What a reconcile shares
/// with others is whole between any two statements.
#[cfg(not(panic = "unwind"))]
compile_error!("a panic in a reconcile must not end the process");

async fn contained(
    reconcile: impl Future<Output = Result<Action, Error>>,
) -> Result<Action, Error> {
    let result = AssertUnwindSafe(reconcile).catch_unwind().await;
    result.unwrap_or_else(|panic| Err(Error::Panicked(said(&*panic).to_owned())))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_error_of_one_object() {
        let index = std::hint::black_box(3);
        let result = contained(async { panic!("no element {index}") }).await;
        let error = result.expect_err("it panicked");
        assert_eq!(
            error.to_string(),
            "the operator failed at this object: no element 3"
        );
        assert!(!error.is_transient() && error.reason() == "InternalError");
        let sound = contained(async { Ok(Action::await_change()) }).await;
        assert!(sound.is_ok());
    }
}
