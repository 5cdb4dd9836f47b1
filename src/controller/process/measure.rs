//! Metrics that are measured when they are requested.

use std::sync::Arc;

use crate::{
    controller::{context::Context, kind::Reconciled as _},
    crd::{
        ACCEPTED, AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition, READY,
    },
    decide::{app_runner, firing, liveness},
    server::Metrics,
};

/// Returns what is stuck, if anything.
pub(crate) fn stuck(cx: &Context) -> Option<&'static str> {
    let waiting = cx.waiting();
    liveness::stuck(&cx.progress.now(cx.is_leading(), waiting))
}

/// Measures the metrics that nothing counts.
pub(crate) fn measure(cx: &Context, metrics: &Metrics) {
    metrics.sizes(cx.waiting(), cx.children.len());
    let services = cx.services.store.state();
    let is = |service: &EcsService, type_: &str| {
        let mut conditions = service.status.conditions.iter();
        conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let ready = services.iter().filter(|service| is(service, READY)).count();
    let rejected = services
        .iter()
        .filter(|service| !is(service, ACCEPTED))
        .count();
    metrics.in_state(EcsService::KIND, "Ready", ready);
    metrics.in_state(EcsService::KIND, "NotAccepted", rejected);
    metrics.in_state(
        EcsService::KIND,
        "InProgress",
        services.len().saturating_sub(ready + rejected),
    );
    let renewable =
        |service: &&Arc<EcsService>| service.status.renewal.state.as_deref() == Some("available");
    let renewable = services.iter().filter(renewable).count();
    metrics.in_state(EcsService::KIND, "RenewalAvailable", renewable);
    let definitions = cx.task_definitions.store.state().len();
    metrics.in_state(EcsTaskDefinition::KIND, "Registered", definitions);
    let clusters = cx.clusters.store.state().len();
    metrics.in_state(EcsCluster::KIND, "Active", clusters);
    let providers = cx.capacity_providers.store.state();
    let active =
        |provider: &&Arc<EcsCapacityProvider>| provider.status.status.as_deref() == Some("ACTIVE");
    let active = providers.iter().filter(active).count();
    metrics.in_state(EcsCapacityProvider::KIND, "Active", active);
    let schedules = cx.schedules.store.state();
    let in_state = |state: &str| {
        let is = |schedule: &&Arc<EcsSchedule>| schedule.status.state.as_deref() == Some(state);
        schedules.iter().filter(is).count()
    };
    metrics.in_state(EcsSchedule::KIND, "Enabled", in_state(firing::ENABLED));
    metrics.in_state(EcsSchedule::KIND, "Disabled", in_state(firing::DISABLED));
    measure_starters(cx, metrics);
    let of_app_runner = cx.app_runner_services.store.state();
    for (state, status) in [
        ("Running", app_runner::RUNNING),
        ("OperationInProgress", app_runner::OPERATION_IN_PROGRESS),
        ("Paused", app_runner::PAUSED),
        ("CreateFailed", app_runner::CREATE_FAILED),
    ] {
        let is =
            |service: &&Arc<AppRunnerService>| service.status.status.as_deref() == Some(status);
        let count = of_app_runner.iter().filter(is).count();
        metrics.in_state(AppRunnerService::KIND, state, count);
    }
    for (status, count) in count_tasks(cx) {
        metrics.in_state(EcsTask::KIND, status, count);
    }
}

/// Counts what starts tasks for messages and events.
fn measure_starters(cx: &Context, metrics: &Metrics) {
    let pipes = cx.pipes.store.state();
    for (state, name) in [("RUNNING", "Running"), ("STOPPED", "Stopped")] {
        let is = |pipe: &&Arc<EcsPipe>| pipe.status.current_state.as_deref() == Some(state);
        metrics.in_state(EcsPipe::KIND, name, pipes.iter().filter(is).count());
    }
    let rules = cx.rules.store.state();
    for (state, name) in [("ENABLED", "Enabled"), ("DISABLED", "Disabled")] {
        let is = |rule: &&Arc<EcsRule>| rule.status.state.as_deref() == Some(state);
        metrics.in_state(EcsRule::KIND, name, rules.iter().filter(is).count());
    }
}

fn count_tasks(cx: &Context) -> Vec<(&'static str, usize)> {
    use crate::decide::task_lifecycle::{PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING};
    let tasks = cx.tasks.store.state();
    let count = |status: &str| {
        let is = |task: &&Arc<EcsTask>| task.status.last_status.as_deref() == Some(status);
        tasks.iter().filter(is).count()
    };
    [PROVISIONING, PENDING, RUNNING, STOPPING, STOPPED]
        .map(|status| (status, count(status)))
        .into()
}
