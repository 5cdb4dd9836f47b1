//! The status of a service, with the members of DescribeServices.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use super::{
    Newest, Plan,
    conditions::aspects,
    contention,
    fetch::Observed,
    policies, scaling,
    tell::{tell, tell_deployment, tell_failure},
    user,
};
use crate::{
    controller::{
        context::Context,
        error::Error,
        refusal::Refusal,
        status::{conditions, whole_seconds},
    },
    crd::{EcsService, RenderedByStatus, RenewalStatus, ResolvedImageStatus, ServiceStatus},
    decide::{
        deployment::{Deployments, FAILED, IN_PROGRESS},
        stopped_tasks,
        trouble::Trouble,
    },
    diagnostic::StatusReason,
    rendering,
    translate::SERVICE,
};

/// The most differing fields that a status lists.
const MOST_DIFFERENCES: usize = 32;

/// The result of a reconcile. `newest` is `None` while the spec is rejected, or is not known yet.
pub(super) enum Outcome<'a> {
    /// The spec is rejected, and nothing ran before.
    Refused(&'a Refusal),
    /// The spec is rejected; what ran before keeps running, with this result.
    GoesOn(&'a Refusal, Box<Self>),
    /// The decision what to run was made, and not carried out yet.
    Decided(Option<&'a Newest>, &'a Deployments),
    /// The rendering that should run is no longer available.
    Lost(Option<&'a Newest>, &'a Deployments, &'a Refusal),
    /// The plan was applied, or applying it failed.
    Applied {
        /// What the spec asks for.
        newest: Option<&'a Newest>,
        /// What was applied.
        running: &'a Plan,
        /// The current deployments.
        deployments: &'a Deployments,
        /// The state of the workloads.
        observed: &'a Observed,
        /// What keeps tasks from running.
        troubles: &'a [Trouble],
        /// Whether the percentages hold tasks back.
        held: bool,
        /// The error.
        failure: Option<&'a Error>,
    },
}

/// Writes the status of a service, and reports changes as events.
pub(super) async fn report(
    cx: &Context,
    service: &EcsService,
    outcome: &Outcome<'_>,
) -> Result<(), Error> {
    let before = cx.services.latest(service);
    let now = Timestamp::now();
    let mut status = status(service, &before, outcome, now);
    policies::follow(service, &mut status, newest_of(outcome), whole_seconds(now));
    scaling::set(cx, service, &mut status, now);
    contention::set(cx, service, &mut status, now);
    let owner = user(service);
    let stopped = cx.pods.stopped.of(&owner);
    stopped_tasks::add(&mut status.stopped_tasks, &stopped, &status.deployments);
    if status == before {
        cx.pods.stopped.told(&owner, &stopped);
        return Ok(());
    }
    // Old entries are removed only when there is something to write anyway.
    status
        .stopped_tasks
        .retain(|task| stopped_tasks::is_recent(task, now));
    if cx.report(service, &before, status.clone()).await? {
        // A decision that could not be recorded is made again, and is not reported before.
        tell(cx, service, &before, &status, troubles_of(outcome));
        tell_failure(cx, service, &before, &status, failure_of(outcome));
    }
    cx.pods.stopped.told(&owner, &stopped);
    Ok(())
}

/// Writes the deployments that a lost status is reconstructed to. One that is over is not news; one in progress may not
/// have been reported yet.
pub(super) async fn record_rebuilt(
    cx: &Context,
    service: &EcsService,
    deployments: &Deployments,
) -> Result<(), Error> {
    let before = cx.services.latest(service);
    let rebuilt = with_deployments(before.clone(), deployments);
    if cx.report(service, &before, rebuilt).await?
        && let Some(primary) = deployments
            .primary()
            .filter(|_| deployments.is(IN_PROGRESS))
    {
        tell_deployment(cx, service, None, primary);
    }
    Ok(())
}

fn with_deployments(status: ServiceStatus, deployments: &Deployments) -> ServiceStatus {
    ServiceStatus {
        deployments: deployments.list.clone(),
        completed_revision: deployments.completed.clone(),
        rolled_back_revision: deployments.rolled_back.clone(),
        ..status
    }
}

/// Returns why what should run could not be applied: a reason and the full message.
fn failure_of(outcome: &Outcome<'_>) -> Option<(StatusReason, String)> {
    match outcome {
        Outcome::GoesOn(_, outcome) => failure_of(outcome),
        Outcome::Applied { failure, .. } => {
            failure.map(|error| (error.reason().into(), error.to_string()))
        }
        Outcome::Lost(_, _, refusal) => Some((refusal.reason, refusal.message.clone())),
        Outcome::Refused(_) | Outcome::Decided(..) => None,
    }
}

fn newest_of<'a>(outcome: &'a Outcome<'_>) -> Option<&'a Newest> {
    match outcome {
        Outcome::Applied { newest, .. } | Outcome::Decided(newest, _) => *newest,
        Outcome::GoesOn(..) | Outcome::Refused(_) | Outcome::Lost(..) => None,
    }
}

fn troubles_of<'a>(outcome: &'a Outcome<'_>) -> &'a [Trouble] {
    match outcome {
        Outcome::GoesOn(_, outcome) => troubles_of(outcome),
        Outcome::Applied { troubles, .. } => troubles,
        Outcome::Refused(_) | Outcome::Decided(..) | Outcome::Lost(..) => &[],
    }
}

fn status(
    service: &EcsService,
    before: &ServiceStatus,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> ServiceStatus {
    let name = service.name_any();
    let generation = service.meta().generation;
    let mut status = ServiceStatus {
        selector: Some(format!("{SERVICE}={name}")),
        ..before.clone()
    };
    if let Some(aspects) = aspects(&name, outcome) {
        status.conditions = conditions(aspects, &before.conditions, generation, now);
        status.observed_generation = generation;
    }
    let outcome = match outcome {
        Outcome::GoesOn(_, outcome) => outcome,
        outcome => outcome,
    };
    let (newest, deployments) = match outcome {
        Outcome::Refused(_) | Outcome::GoesOn(..) => return status,
        Outcome::Decided(newest, deployments) | Outcome::Lost(newest, deployments, _) => {
            (newest, deployments)
        }
        Outcome::Applied {
            newest,
            running,
            deployments,
            observed,
            ..
        } => {
            status.desired_count = Some(observed.desired);
            status.running_count = Some(observed.running);
            status.pending_count = Some((observed.desired - observed.running).max(0));
            record_rendering(&mut status, running, *newest);
            (newest, deployments)
        }
    };
    status.task_definition = task_definition(before, *newest, deployments);
    if let Some(newest) = newest {
        status.warnings.clone_from(&newest.warnings);
    }
    with_deployments(status, deployments)
}

/// Returns the running task definition, whose number may have changed while its content is the same.
fn task_definition(
    before: &ServiceStatus,
    newest: Option<&Newest>,
    deployments: &Deployments,
) -> Option<String> {
    let asked_for = newest.map(|newest| newest.task_definition.clone());
    let Some(primary) = deployments.primary().filter(|_| !deployments.is(FAILED)) else {
        return asked_for.or_else(|| before.task_definition.clone());
    };
    let revision = primary.service_revision.as_ref();
    let is_it = |newest: &&Newest| revision.is_some_and(|it| newest.same.contains(it));
    match newest.filter(is_it) {
        Some(newest) => Some(newest.task_definition.clone()),
        None => primary.task_definition.clone(),
    }
}

/// Records what rendered the running objects, and what would differ if they were rendered now.
fn record_rendering(status: &mut ServiceStatus, running: &Plan, newest: Option<&Newest>) {
    let Some(kept) = &running.rendering else {
        return;
    };
    status.rendered_by = RenderedByStatus {
        operator: Some(kept.operator.clone()),
        kubernetes: Some(kept.kubernetes.clone()),
    };
    let images = kept.images.iter();
    let images = images.map(|(image, digest)| ResolvedImageStatus {
        image: image.clone(),
        image_digest: digest.clone(),
    });
    status.resolved_images = images.collect();
    let Some(newest) = newest else {
        return;
    };
    if !newest.same.contains(&running.revision) && newest.revision != running.revision {
        // The spec asks for something else.
        status.renewal = RenewalStatus::default();
        return;
    }
    let mut differences = Vec::new();
    if newest.rendering.digest != kept.digest
        && let Some((objects, _)) = kept.open()
    {
        differences = rendering::differences(&objects, &newest.rendering.objects);
        differences.truncate(MOST_DIFFERENCES);
    }
    let state = if differences.is_empty() {
        "none"
    } else {
        "available"
    };
    status.renewal = RenewalStatus {
        state: Some(state.to_owned()),
        differences,
    };
}
