//! The controllers, one per kind.

use std::{any::Any, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::{FutureExt as _, StreamExt as _};
use kube::{
    ResourceExt as _,
    runtime::{
        Controller,
        controller::{self, Action},
    },
};
use tokio::sync::watch as signal;

use crate::{
    controller::{context::Context, error::Error, kind::Reconciled},
    crd::{
        AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition,
    },
};

/// Reconciles requested objects until a shutdown, and then finishes the reconciles in progress.
pub(crate) async fn run_controllers(
    cx: &Arc<Context>,
    concurrency: u16,
    stopped: signal::Receiver<bool>,
) {
    tokio::join!(
        run::<EcsTaskDefinition>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsService>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsTask>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsPipe>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsRule>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsSchedule>(cx.clone(), concurrency, stopped.clone()),
        run::<AppRunnerService>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsCluster>(cx.clone(), concurrency, stopped.clone()),
        run::<EcsCapacityProvider>(cx.clone(), concurrency, stopped),
    );
}

/// Runs the controller of one kind.
async fn run<K: Reconciled>(
    cx: Arc<Context>,
    concurrency: u16,
    mut stopped: signal::Receiver<bool>,
) {
    let of_kind = K::all(&cx);
    let Some(queue) = of_kind.queue() else {
        // The controller of a kind runs once.
        return;
    };
    let config = controller::Config::default().concurrency(concurrency);
    // All reconciles are requested through the queue.
    Controller::for_stream(futures::stream::pending(), of_kind.store.clone())
        .with_config(config)
        .reconcile_on(queue)
        .graceful_shutdown_on(async move {
            let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
        })
        .run(reconcile::<K>, again::<K>, cx)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Takes one step toward the wanted state of an object.
pub(crate) async fn reconcile<K: Reconciled>(
    object: Arc<K>,
    cx: Arc<Context>,
) -> Result<Action, Error> {
    K::all(&cx).begin(&object);
    let (begun, _running) = (Instant::now(), cx.progress.begin());
    let result = contained(K::reconcile(object.clone(), cx.clone())).await;
    K::all(&cx).end(&object);
    cx.metrics.reconciled(K::KIND, begun.elapsed());
    for owner in cx.children.to_ask() {
        cx.ask_owner(owner);
    }
    match result {
        Ok(action) => {
            cx.backoff.succeeded(&object.uid().unwrap_or_default());
            Ok(action)
        }
        // The object was deleted, which the cache has not seen yet.
        Err(error) if error.code() == Some(404) && !cx.is_there(&*object).await? => {
            Err(Error::Gone)
        }
        Err(error) => Err(error),
    }
}

/// Returns when to retry after an error.
pub(crate) fn again<K: Reconciled>(object: Arc<K>, error: &Error, cx: Arc<Context>) -> Action {
    let uid = object.uid().unwrap_or_default();
    if let Some(wait) = error.retry_after() {
        cx.backoff.asked(&uid, wait);
    }
    let wait = cx.backoff.failed(&uid);
    if error.is_of_terminating_namespace() {
        // The object is about to be deleted too.
        tracing::debug!(%error, ?wait, kind = K::KIND, "an object could not be reconciled");
    } else if !matches!(error, Error::Gone) {
        cx.metrics.failed(K::KIND, error.reason().name());
        tracing::warn!(%error, ?wait, kind = K::KIND, "an object could not be reconciled");
    }
    Action::requeue(wait)
}

/// A panic must be the error of one object: otherwise it would end the process and the work for all objects. The data
/// that reconciles share is consistent between any two statements.
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
    use crate::diagnostic::StateReason;

    #[tokio::test]
    async fn a_panic_is_the_error_of_one_object() {
        let index = std::hint::black_box(3);
        let result = contained(async { panic!("no element {index}") }).await;
        let error = result.expect_err("it panicked");
        assert_eq!(
            error.to_string(),
            "the operator panicked while it reconciled this object: no element 3"
        );
        assert!(!error.is_transient() && error.reason() == StateReason::InternalError);
        let sound = contained(async { Ok(Action::await_change()) }).await;
        assert!(sound.is_ok());
    }
}
