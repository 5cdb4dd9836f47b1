//! The numbers that nobody counts, read when they are asked for.

use std::sync::Arc;

use crate::{
    controller::{cluster, context::Context, service, task, task_definition},
    crd::{EcsService, EcsTask},
    decide::liveness,
    server::Metrics,
};

/// What does not get on, if anything.
pub(crate) fn stuck(cx: &Context) -> Option<&'static str> {
    let waiting = cx.queue.depth(&cx.resources);
    liveness::stuck(&cx.progress.now(cx.queue.is_leading(), waiting))
}

/// Reads the numbers that nobody counts.
pub(crate) fn measure(cx: &Context, metrics: &Metrics) {
    metrics.sizes(cx.queue.depth(&cx.resources), cx.children.len());
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
    let renewable =
        |service: &&Arc<EcsService>| service.status.renewal.state.as_deref() == Some("available");
    let renewable = services.iter().filter(renewable).count();
    metrics.in_state(service::KIND, "RenewalAvailable", renewable);
    let definitions = cx.resources.task_definitions.state().len();
    metrics.in_state(task_definition::KIND, "Registered", definitions);
    let clusters = cx.resources.clusters.state().len();
    metrics.in_state(cluster::KIND, "Active", clusters);
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
