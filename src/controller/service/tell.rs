//! The events of a service, in the words of the ECS console
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;

use crate::{
    controller::context::Context,
    crd::{
        ACCEPTED, DeploymentStatus, EcsService, PROGRESSING, READY, SCALING_ACTIVE, ServiceStatus,
    },
    decide::{
        deployment::{COMPLETED, FAILED},
        trouble::Trouble,
    },
    diagnostic::{StateReason, StatusReason},
};

fn find<'s>(status: &'s ServiceStatus, type_: &str) -> Option<&'s Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == type_)
}

/// Reports what changed between two statuses as events.
pub(super) fn tell(
    cx: &Context,
    service: &EcsService,
    before: &ServiceStatus,
    after: &ServiceStatus,
    troubles: &[Trouble],
) {
    tell_refusal(cx, service, before, after);
    // The oldest first, in the order in which they happened.
    for deployment in after.deployments.iter().rev() {
        let mut known = before.deployments.iter();
        let known = known.find(|known| known.id == deployment.id);
        tell_deployment(cx, service, known, deployment);
    }
    let is_ready = |status| find(status, READY).is_some_and(|ready| ready.status == "True");
    let was_rolled_back =
        |status| find(status, READY).is_some_and(|it| StateReason::RolledBack.is(&it.reason));
    let name = service.name_any();
    if is_ready(after) && !is_ready(before) || was_rolled_back(after) && !was_rolled_back(before) {
        let note = format!("(service {name}) has reached a steady state.");
        cx.events.normal(service, StateReason::SteadyState, note);
    }
    let blocked = StateReason::DeploymentConfigurationBlocksRollout;
    let held = |status| {
        find(status, PROGRESSING)
            .filter(|condition| blocked.is(&condition.reason))
            .map(|condition| condition.message.clone())
    };
    if let Some(note) = held(after)
        && held(before).as_ref() != Some(&note)
    {
        cx.events.warning(service, blocked, note);
    }
    tell_troubles(cx, service, before, after, troubles);
    tell_scaling(cx, service, before, after);
}

/// Reports that the metrics of policies that the operator runs are missing. Of its own ones, an autoscaler reports it.
fn tell_scaling(cx: &Context, service: &EcsService, before: &ServiceStatus, after: &ServiceStatus) {
    let missing = |status| {
        let condition = find(status, SCALING_ACTIVE)?;
        (condition.status == "False").then(|| condition.message.clone())
    };
    if let Some(note) = missing(after).filter(|_| after.auto_scaling.scaler.is_some())
        && missing(before).is_none()
    {
        cx.events
            .warning(service, StateReason::MetricsUnavailable, note);
    }
}

fn tell_refusal(cx: &Context, service: &EcsService, before: &ServiceStatus, after: &ServiceStatus) {
    let Some(rejected) = find(after, ACCEPTED).filter(|condition| condition.status == "False")
    else {
        return;
    };
    let told = find(before, ACCEPTED).is_some_and(|known| {
        known.observed_generation == rejected.observed_generation
            && known.status == rejected.status
            && known.message == rejected.message
    });
    if let Some(reason) = StatusReason::named(&rejected.reason)
        && !told
    {
        cx.events.warning(service, reason, rejected.message.clone());
    }
}

/// Reports that a deployment has begun or ended, if that was not so `before`.
pub(super) fn tell_deployment(
    cx: &Context,
    service: &EcsService,
    before: Option<&DeploymentStatus>,
    after: &DeploymentStatus,
) {
    let (name, id) = (service.name_any(), &after.id);
    let what = after.task_definition.as_deref().unwrap_or_default();
    let reason = after.rollout_state_reason.as_deref().unwrap_or_default();
    if before.is_none() {
        let note = match &after.returns_to {
            Some(to) => format!(
                "(service {name}) rolling back to deployment {to}: deployment {id} of {what} has started."
            ),
            None => format!("(service {name}) has started deployment {id} of {what}."),
        };
        cx.events
            .normal(service, StateReason::DeploymentStarted, note);
    }
    let state = after.rollout_state.as_deref();
    if before.is_some_and(|before| before.rollout_state.as_deref() == state) {
        return;
    }
    match state {
        Some(COMPLETED) => {
            let note = format!("(service {name}) (deployment {id}) deployment completed.");
            tracing::info!(service = name, id, what, "a deployment has completed");
            cx.events
                .normal(service, StateReason::DeploymentCompleted, note);
        }
        Some(FAILED) => {
            let reason = reason.rsplit(": ").next().unwrap_or(reason);
            let last = after.last_failure.as_ref();
            let last = last.map_or_else(String::new, |last| format!(" The last failure: {last}."));
            let note =
                format!("(service {name}) (deployment {id}) deployment failed: {reason}{last}");
            tracing::info!(service = name, id, reason, last, "a deployment has failed");
            cx.events
                .warning(service, StateReason::DeploymentFailed, note);
        }
        _ => {}
    }
}

/// Reports why something could not be applied, unless the conditions reported it before.
pub(super) fn tell_failure(
    cx: &Context,
    service: &EcsService,
    before: &ServiceStatus,
    after: &ServiceStatus,
    failure: Option<(StatusReason, String)>,
) {
    let told = |status: &ServiceStatus| find(status, READY).map(|it| it.message.clone());
    if let Some((reason, message)) = failure
        && told(after).as_ref() == Some(&message)
        && told(before) != told(after)
    {
        let note = format!("(service {}) {message}", service.name_any());
        cx.events.warning(service, reason, note);
    }
}

/// Reports what keeps tasks from running, once for each trouble that the conditions did not report before.
fn tell_troubles(
    cx: &Context,
    service: &EcsService,
    before: &ServiceStatus,
    after: &ServiceStatus,
    troubles: &[Trouble],
) {
    let says = |status: &ServiceStatus, message: &str| {
        find(status, READY).is_some_and(|ready| ready.message.contains(message))
    };
    for Trouble { reason, message } in troubles {
        if says(after, message) && !says(before, message) {
            let note = format!("(service {}) {message}", service.name_any());
            if *reason == StateReason::TargetNotHealthyYet {
                // Every task behind a load balancer starts this way.
                cx.events.normal(service, *reason, note);
            } else {
                cx.events.warning(service, *reason, note);
            }
        }
    }
}
