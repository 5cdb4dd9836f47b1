//! `stopTimeout` and draining: the pod's grace period and what runs before SIGTERM.

use k8s_openapi::api::core::v1::{Lifecycle, LifecycleHandler, SleepAction};

use super::{Draft, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    translate::{Context, Workload},
    validate,
};

/// Seconds between SIGTERM and SIGKILL where a container gives no `stopTimeout`.
const DEFAULT_STOP_TIMEOUT: i64 = 30;

/// Writes the grace period, the probes' own grace periods, and the pause in which a load balancer drains the pod.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let drain = drain_seconds(cx, notes);
    let containers = &cx.task_definition.containers;
    let mut longest_main = 0;
    let mut sidecars = 0;
    for container in containers {
        match draft.plan.role(container.index) {
            Role::Init => {}
            Role::Sidecar { .. } => sidecars += stop_timeout(container),
            Role::Main => longest_main = stop_timeout(container).max(longest_main),
        }
    }
    let grace = drain + longest_main + sidecars;
    draft.spec.termination_grace_period_seconds = Some(grace);
    for container in containers {
        let role = draft.plan.role(container.index);
        if let Some(kubernetes) = draft.container_mut(container.index) {
            let own = stop_timeout(container);
            let probes = [
                &mut kubernetes.startup_probe,
                &mut kubernetes.liveness_probe,
            ];
            for probe in probes.into_iter().flatten().filter(|_| own != grace) {
                probe.termination_grace_period_seconds = Some(own);
            }
            if role == Role::Main && drain > 0 {
                kubernetes.lifecycle = Some(sleep(drain));
            }
        }
        note_start_timeout(cx, container, notes);
    }
    note_pooled(draft, containers, grace, notes);
}

/// The pause of the pods behind a load balancer: they get SIGTERM at once, in ECS only after deregistration.
fn drain_seconds(cx: &Context<'_>, notes: &mut Diagnostics) -> i64 {
    let Workload::Service(service) = cx.workload else {
        return 0;
    };
    if service.load_balancers.is_empty() {
        return 0;
    }
    let seconds = cx.settings.deregistration_delay_seconds;
    if seconds > 0 {
        let path = FieldPath::root(Subject::Service).field("loadBalancers");
        let n = seconds.to_string();
        notes.report(path, Message::DeregistrationDelayAssumed { n });
    }
    i64::from(seconds)
}

fn sleep(seconds: i64) -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction { seconds }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}

/// Seconds between SIGTERM and SIGKILL; at least 1, because the API server wants more than the pause before it.
fn stop_timeout(container: &validate::Container) -> i64 {
    let seconds = container.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT);
    seconds.clamp(1, i64::from(i32::MAX))
}

/// Says that the containers share one grace period, if they have different ones.
fn note_pooled(
    draft: &Draft,
    containers: &[validate::Container],
    grace: i64,
    notes: &mut Diagnostics,
) {
    let running = || {
        containers
            .iter()
            .filter(|container| draft.plan.role(container.index).is_long_running())
    };
    let mut timeouts = running().map(stop_timeout);
    let first = timeouts.next();
    let differ = timeouts.any(|timeout| Some(timeout) != first);
    let given = running().find(|container| container.stop_timeout.is_some());
    if let Some(container) = given.filter(|_| differ) {
        let n = grace.to_string();
        let path = path(container).field("stopTimeout");
        notes.report(path, Message::StopTimeoutPooled { n });
    }
}

/// Says who enforces `startTimeout`: the operator, where something waits for more than the container's start.
fn note_start_timeout(cx: &Context<'_>, container: &validate::Container, notes: &mut Diagnostics) {
    if container.start_timeout.is_some() {
        let message = match cx.task_definition.graph.condition_on(container.index) {
            None | Some(validate::Condition::Start) => Message::StartTimeoutUnused,
            Some(_) => Message::StartTimeoutByController,
        };
        notes.report(path(container).field("startTimeout"), message);
    }
}

fn path(container: &validate::Container) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(container.index)
}
