//! What is reported of a service, in the members of DescribeServices.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use serde_json::Value;

use super::{Newest, Plan, tell::tell};
use crate::{
    controller::{
        child::WorkloadState,
        context::Context,
        error::Error,
        refusal::Refusal,
        status::{Aspect, conditions, report as write},
    },
    crd::{
        ACCEPTED, DeploymentStatus, EcsService, PROGRESSING, READY, RenderedByStatus,
        RenewalStatus, ServiceStatus,
    },
    decide::{
        deployment::{COMPLETED, Deployments, FAILED, IN_PROGRESS, Progress},
        trouble::Trouble,
    },
    rendering,
    translate::SERVICE,
};

/// More fields that would differ nobody reads.
const MOST_DIFFERENCES: usize = 32;
/// So many different troubles are told in a condition.
const MOST_TROUBLES: usize = 3;

/// What ECS says where the percentages let no task be stopped or started
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).
const HELD: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";

/// What became of a service. What it asks for is not there while that is refused, or cannot be said yet.
pub(super) enum Outcome<'a> {
    /// The spec is not accepted, and nothing ran before.
    Refused(&'a Refusal),
    /// The spec is not accepted; what ran before goes on, and this became of it.
    GoesOn(&'a Refusal, Box<Self>),
    /// It was decided what is to run, which is not done yet.
    Decided(Option<&'a Newest>, &'a Deployments),
    /// What is to run cannot be had any more.
    Lost(Option<&'a Newest>, &'a Deployments, &'a Refusal),
    /// What is to run was applied, or that failed.
    Applied {
        /// What the spec means.
        newest: Option<&'a Newest>,
        /// What was applied.
        running: &'a Plan,
        /// The deployments by now.
        deployments: &'a Deployments,
        /// What the workloads tell.
        observed: &'a Observed,
        /// What keeps tasks from running.
        troubles: &'a [Trouble],
        /// Whether the percentages hold tasks back.
        held: bool,
        /// What went wrong.
        failure: Option<&'a Error>,
    },
}

/// What the workloads of a service tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// The tasks that are wanted.
    pub(super) desired: i64,
    /// The tasks that run.
    running: i64,
    /// The tasks that are of the newest template.
    updated: i64,
    /// The tasks that are not.
    old: i64,
    /// Whether only tasks of the newest template run, and all of them.
    steady: bool,
    /// On how many nodes each DaemonSet wants to be.
    nodes: Vec<(String, u32)>,
    /// Why a wanted Deployment cannot make pods.
    pub(super) not_created: Option<String>,
}

impl Observed {
    /// Looks at the workloads, of which those of `plan` are wanted. `desired` is `None` for one task on each node.
    pub(super) fn of(
        cx: &Context,
        service: &EcsService,
        plan: Option<&Plan>,
        desired: Option<i64>,
    ) -> Self {
        let uid = service.meta().uid.as_deref().unwrap_or_default();
        let mut observed = Self {
            desired: desired.unwrap_or(0),
            steady: true,
            ..Self::default()
        };
        let mut found = false;
        for (key, known) in cx.children.of_owner(uid) {
            let Some(workload) = &known.workload else {
                continue;
            };
            observed.running += workload.ready;
            if plan.is_some_and(|plan| is_wanted(plan, key.kind.kind, &key.name)) {
                found = true;
                observed.updated += workload.updated;
                observed.old += workload.total - workload.updated;
                observed.steady &= workload.is_steady();
                let failure = known.not_created.as_deref().map(str::to_owned);
                observed.not_created = observed.not_created.or(failure);
                if desired.is_none() {
                    observed.desired += workload.desired;
                    let nodes = u32::try_from(workload.desired).unwrap_or(0);
                    observed.nodes.push((key.name.to_string(), nodes));
                }
            } else {
                observed.old += workload.total;
                observed.steady &= **workload == WorkloadState::default();
            }
        }
        observed.steady &= found;
        observed
    }

    /// On how many nodes the DaemonSet of this name wants to be, if that is known.
    pub(super) fn nodes(&self, name: &str) -> Option<u32> {
        let mut nodes = self.nodes.iter();
        nodes.find(|(of, _)| of == name).map(|(_, nodes)| *nodes)
    }

    /// How far the deployment has come whose plan this was observed of.
    pub(super) const fn progress(&self) -> Progress {
        Progress {
            steady: self.steady,
            old: self.old,
        }
    }
}

fn is_wanted(plan: &Plan, kind: &str, name: &str) -> bool {
    let text = |object: &Value, path: &str, is: &str| {
        object.pointer(path).and_then(Value::as_str) == Some(is)
    };
    let mut objects = plan.objects.iter();
    objects.any(|object| text(object, "/kind", kind) && text(object, "/metadata/name", name))
}

/// Writes the status of a service, and tells by events what became of it.
pub(super) async fn report(
    cx: &Context,
    service: &EcsService,
    outcome: &Outcome<'_>,
) -> Result<(), Error> {
    let before = cx.service_statuses.latest(service, &service.status);
    let status = status(service, &before, outcome, Timestamp::now());
    if status == before {
        return Ok(());
    }
    let version = cx.service_statuses.version(service);
    if let Some(written) = write(&cx.client, service, version, &before, &status).await? {
        // What could not be recorded is decided again, and is no news before.
        tell(cx, service, &before, &status, troubles_of(outcome));
        cx.service_statuses.record(&written, status);
    }
    Ok(())
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
    status.deployments.clone_from(&deployments.list);
    status.completed_revision.clone_from(&deployments.completed);
    status
        .rolled_back_revision
        .clone_from(&deployments.rolled_back);
    status
}

/// The task definition that runs. One of the same content may have got another number.
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

/// What rendered the objects that run, and what would differ if they were rendered now.
fn record_rendering(status: &mut ServiceStatus, running: &Plan, newest: Option<&Newest>) {
    let Some(kept) = &running.rendering else {
        return;
    };
    status.rendered_by = RenderedByStatus {
        operator: Some(kept.operator.clone()),
        kubernetes: Some(kept.kubernetes.clone()),
    };
    let Some(newest) = newest else {
        return;
    };
    if !newest.same.contains(&running.revision) && newest.revision != running.revision {
        // What the spec asks for is another thing.
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

fn aspect(type_: &'static str, holds: bool, reason: &str, message: &str) -> Aspect {
    Aspect {
        type_,
        holds: Some(holds),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// Accepted, Ready and Progressing; `None` while it cannot be said what is asked for, and what was told before holds.
fn aspects(name: &str, outcome: &Outcome<'_>) -> Option<Vec<Aspect>> {
    // Ready and Progressing for one reason: whether it progresses, why, and what there is to say.
    let (progresses, reason, message) = match outcome {
        Outcome::Refused(refusal) => {
            return Some(refused(
                refusal,
                "The spec is not accepted; nothing ran before.",
            ));
        }
        Outcome::GoesOn(refusal, _) => {
            let goes_on = "The spec is not accepted; what ran before goes on.";
            return Some(refused(refusal, goes_on));
        }
        Outcome::Lost(_, _, refusal) => (false, refusal.reason.clone(), refusal.message.clone()),
        Outcome::Decided(None, _)
        | Outcome::Applied {
            newest: None,
            failure: None,
            ..
        } => return None,
        Outcome::Decided(Some(_), deployments) => verdict(name, deployments).unwrap_or_else(|| {
            let message = "A deployment begins.".to_owned();
            (true, "InProgress".to_owned(), message)
        }),
        Outcome::Applied {
            failure: Some(error),
            ..
        } => (false, error.reason().to_owned(), error.to_string()),
        Outcome::Applied {
            running,
            held: true,
            ..
        } => {
            let reason = "DeploymentConfigurationBlocksRollout".to_owned();
            (false, reason, held(name, running))
        }
        Outcome::Applied {
            newest: Some(newest),
            running,
            deployments,
            observed,
            troubles,
            ..
        } => {
            let newest_runs =
                newest.same.contains(&running.revision) || running.revision == newest.revision;
            if observed.steady && newest_runs && deployments.is(COMPLETED) {
                return Some(steady(name));
            }
            let (progresses, reason, said) =
                verdict(name, deployments).unwrap_or_else(|| progress(deployments, observed));
            (progresses, reason, with_trouble(said, troubles))
        }
    };
    Some(vec![
        translated(),
        aspect(READY, false, &reason, &message),
        aspect(PROGRESSING, progresses, &reason, &message),
    ])
}

fn translated() -> Aspect {
    aspect(ACCEPTED, true, "Translated", "The spec is translated.")
}

fn steady(name: &str) -> Vec<Aspect> {
    let steady = format!("(service {name}) has reached a steady state.");
    vec![
        translated(),
        aspect(READY, true, "SteadyState", &steady),
        aspect(PROGRESSING, false, "Completed", "ECS deployment completed."),
    ]
}

fn refused(refusal: &Refusal, what_runs: &str) -> Vec<Aspect> {
    vec![
        aspect(ACCEPTED, false, &refusal.reason, &refusal.message),
        aspect(READY, false, "NotAccepted", what_runs),
        aspect(PROGRESSING, false, "NotAccepted", what_runs),
    ]
}

/// How many tasks run, and whether a deployment is why not all do.
fn progress(deployments: &Deployments, observed: &Observed) -> (bool, String, String) {
    let primary = deployments.primary();
    let of_newest = primary.and_then(|it| it.running_count).unwrap_or(0);
    let counts = format!(
        "{} of {} tasks run, {} of them of the newest revision.",
        observed.running,
        observed.desired,
        of_newest.min(observed.running)
    );
    (deployments.is(IN_PROGRESS), "InProgress".to_owned(), counts)
}

/// A message, and what keeps tasks from running.
fn with_trouble(message: String, troubles: &[Trouble]) -> String {
    troubles
        .iter()
        .take(MOST_TROUBLES)
        .fold(message, |message, trouble| {
            format!("{message}\n{}", trouble.message)
        })
}

/// What there is to say of a deployment that failed or returns to another one.
fn verdict(name: &str, deployments: &Deployments) -> Option<(bool, String, String)> {
    let primary = deployments.primary()?;
    let why = primary.rollout_state_reason.clone().unwrap_or_default();
    if deployments.is(FAILED) {
        let why = with_failure(&why, primary);
        return Some((false, "DeploymentFailed".to_owned(), why));
    }
    let failed = deployments.rolled_back.as_ref()?;
    let mut list = deployments.list.iter();
    let failed = list.find(|deployment| deployment.service_revision.as_ref() == Some(failed));
    if !deployments.is(COMPLETED) {
        let why = failed.map_or_else(|| why.clone(), |failed| with_failure(&why, failed));
        return Some((true, "RollingBack".to_owned(), why));
    }
    let what = failed.and_then(|failed| failed.task_definition.as_deref());
    let why = failed.and_then(|failed| {
        Some(with_failure(
            failed.rollout_state_reason.as_deref()?,
            failed,
        ))
    });
    let message = format!(
        "(service {name}) was rolled back to {}. The deployment of {} that the spec asks for has failed: {} It is not tried again until the spec changes.",
        primary.task_definition.as_deref().unwrap_or_default(),
        what.unwrap_or("the revision"),
        why.unwrap_or_default(),
    );
    Some((false, "RolledBack".to_owned(), message))
}

/// Why a deployment failed, and what its last failure was.
fn with_failure(why: &str, failed: &DeploymentStatus) -> String {
    match &failed.last_failure {
        Some(last) => format!("{why} The last failure: {last}."),
        None => why.to_owned(),
    }
}

/// What ECS says of a deployment that cannot progress, with the numbers.
fn held(name: &str, plan: &Plan) -> String {
    let (minimum, maximum) = (
        plan.rules.minimum_healthy_percent,
        plan.rules.maximum_percent,
    );
    let tasks = match plan.desired {
        Some(desired) => format!("of {desired} tasks"),
        None => "of a task on each node".to_owned(),
    };
    format!(
        "(service {name}) {HELD} With minimumHealthyPercent {minimum} and maximumPercent {maximum} {tasks} none may be missing and none added; the old tasks go on."
    )
}
