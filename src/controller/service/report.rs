//! What is reported of a service, in the members of DescribeServices.

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use super::{Plan, tell::tell};
use crate::{
    controller::{
        child::WorkloadState,
        context::Context,
        error::Error,
        refusal::Refusal,
        status::{Aspect, conditions, report as write},
    },
    crd::{ACCEPTED, EcsService, PROGRESSING, READY, ServiceStatus},
    decide::deployment::{COMPLETED, Deployments, FAILED, Progress, Target},
    translate::{Object, SERVICE},
};

/// What ECS says where the percentages let no task be stopped or started
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).
const HELD: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";

/// What became of a service.
pub(super) enum Outcome<'a> {
    /// The spec is not accepted.
    Refused(Refusal),
    /// It was decided what is to run, which is not done yet.
    Decided(&'a Plan, &'a Deployments),
    /// What is to run cannot be had any more.
    Lost(&'a Plan, &'a Deployments, Refusal),
    /// What is to run was applied, or that failed.
    Applied {
        /// What the spec means.
        newest: &'a Plan,
        /// The deployments by now.
        deployments: &'a Deployments,
        /// What the workloads tell.
        observed: &'a Observed,
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
}

impl Observed {
    /// Looks at the workloads, of which those of `plan` are wanted.
    pub(super) fn of(cx: &Context, service: &EcsService, plan: &Plan) -> Self {
        let uid = service.meta().uid.as_deref().unwrap_or_default();
        let mut observed = Self {
            desired: plan.desired.unwrap_or(0),
            steady: true,
            ..Self::default()
        };
        let mut found = false;
        for (key, known) in cx.children.of_owner(uid) {
            let Some(workload) = &known.workload else {
                continue;
            };
            observed.running += workload.ready;
            if is_wanted(plan, key.kind.kind, &key.name) {
                found = true;
                observed.updated += workload.updated;
                observed.old += workload.total - workload.updated;
                observed.steady &= workload.is_steady();
                if plan.desired.is_none() {
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
    pub(super) fn progress(&self, target: &Target) -> Progress {
        Progress {
            steady: self.steady && *target != Target::Nothing,
            old: self.old,
        }
    }
}

fn is_wanted(plan: &Plan, kind: &str, name: &str) -> bool {
    plan.objects.iter().any(|object| match object {
        Object::Deployment(_) => kind == "Deployment" && object.name() == name,
        Object::DaemonSet(_) => kind == "DaemonSet" && object.name() == name,
        _ => false,
    })
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
    tell(cx, service, &before, &status);
    if let Some(written) = write(&cx.client, service, &before, &status).await? {
        cx.service_statuses.record(&written, status);
    }
    Ok(())
}

fn status(
    service: &EcsService,
    before: &ServiceStatus,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> ServiceStatus {
    let name = service.name_any();
    let generation = service.meta().generation;
    let aspects = aspects(&name, outcome);
    let conditions = conditions(aspects, &before.conditions, generation, now);
    let mut status = ServiceStatus {
        conditions,
        observed_generation: generation,
        selector: Some(format!("{SERVICE}={name}")),
        ..before.clone()
    };
    let (newest, deployments) = match outcome {
        // What ran before goes on running, and is told as before.
        Outcome::Refused(_) => return status,
        Outcome::Decided(newest, deployments) | Outcome::Lost(newest, deployments, _) => {
            (newest, deployments)
        }
        Outcome::Applied {
            newest,
            deployments,
            observed,
            ..
        } => {
            status.desired_count = Some(observed.desired);
            status.running_count = Some(observed.running);
            status.pending_count = Some((observed.desired - observed.running).max(0));
            (newest, deployments)
        }
    };
    status.task_definition = match deployments.primary() {
        Some(primary) if primary.rollout_state.as_deref() != Some(FAILED) => {
            primary.task_definition.clone()
        }
        _ => Some(newest.task_definition.clone()),
    };
    status.warnings.clone_from(&newest.warnings);
    status.deployments.clone_from(&deployments.list);
    status.completed_revision.clone_from(&deployments.completed);
    status
        .rolled_back_revision
        .clone_from(&deployments.rolled_back);
    status
}

fn aspect(type_: &'static str, holds: bool, reason: &str, message: &str) -> Aspect {
    Aspect {
        type_,
        holds: Some(holds),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// Accepted, Ready and Progressing.
fn aspects(name: &str, outcome: &Outcome<'_>) -> Vec<Aspect> {
    let translated = aspect(ACCEPTED, true, "Translated", "The spec is translated.");
    // Ready and Progressing for one reason: whether it progresses, why, and what there is to say.
    let (progresses, reason, message) = match outcome {
        Outcome::Refused(refusal) => {
            let goes_on = "The spec is not accepted; what ran before goes on.";
            return vec![
                aspect(ACCEPTED, false, &refusal.reason, &refusal.message),
                aspect(READY, false, "NotAccepted", goes_on),
                aspect(PROGRESSING, false, "NotAccepted", goes_on),
            ];
        }
        Outcome::Lost(_, _, refusal) => (false, refusal.reason.clone(), refusal.message.clone()),
        Outcome::Decided(_, deployments) => verdict(name, deployments).unwrap_or_else(|| {
            let message = "A deployment begins.".to_owned();
            (true, "InProgress".to_owned(), message)
        }),
        Outcome::Applied {
            failure: Some(error),
            ..
        } => (false, error.reason().to_owned(), error.to_string()),
        Outcome::Applied {
            newest, held: true, ..
        } => {
            let reason = "DeploymentConfigurationBlocksRollout".to_owned();
            (false, reason, held(name, newest))
        }
        Outcome::Applied {
            newest,
            deployments,
            observed,
            ..
        } => {
            let newest_runs = deployments.target(&newest.revision) == Target::Newest;
            if observed.steady && newest_runs && deployments.is(COMPLETED) {
                let steady = format!("(service {name}) has reached a steady state.");
                return vec![
                    translated,
                    aspect(READY, true, "SteadyState", &steady),
                    aspect(PROGRESSING, false, "Completed", "ECS deployment completed."),
                ];
            }
            verdict(name, deployments).unwrap_or_else(|| {
                let counts = format!(
                    "{} of {} tasks run, {} of them of the newest revision.",
                    observed.running,
                    observed.desired,
                    observed.updated.min(observed.running)
                );
                (true, "InProgress".to_owned(), counts)
            })
        }
    };
    vec![
        translated,
        aspect(READY, false, &reason, &message),
        aspect(PROGRESSING, progresses, &reason, &message),
    ]
}

/// What there is to say of a deployment that failed or returns to another one.
fn verdict(name: &str, deployments: &Deployments) -> Option<(bool, String, String)> {
    let primary = deployments.primary()?;
    let why = primary.rollout_state_reason.clone().unwrap_or_default();
    if deployments.is(FAILED) {
        return Some((false, "DeploymentFailed".to_owned(), why));
    }
    let failed = deployments.rolled_back.as_ref()?;
    if !deployments.is(COMPLETED) {
        return Some((true, "RollingBack".to_owned(), why));
    }
    let mut list = deployments.list.iter();
    let failed = list.find(|deployment| deployment.service_revision.as_ref() == Some(failed));
    let what = failed.and_then(|failed| failed.task_definition.as_deref());
    let why = failed.and_then(|failed| failed.rollout_state_reason.as_deref());
    let message = format!(
        "(service {name}) was rolled back to {}. The deployment of {} that the spec asks for has failed: {} It is not tried again until the spec changes.",
        primary.task_definition.as_deref().unwrap_or_default(),
        what.unwrap_or("the revision"),
        why.unwrap_or_default(),
    );
    Some((false, "RolledBack".to_owned(), message))
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
