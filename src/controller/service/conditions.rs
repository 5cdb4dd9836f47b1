//! The conditions Accepted, Ready and Progressing of a service, and their messages.

use super::{Plan, fetch::Observed, status::Outcome};
use crate::{
    controller::{refusal::Refusal, status::Aspect},
    crd::{ACCEPTED, DeploymentStatus, PROGRESSING, READY},
    decide::{
        deployment::{COMPLETED, Deployments, FAILED, IN_PROGRESS},
        trouble::Trouble,
    },
    diagnostic::{StateReason, StatusReason},
};

/// The most troubles that a condition lists.
const MOST_TROUBLES: usize = 3;

/// The message of ECS if the percentages allow no task to be stopped or started
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).
const HELD: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";

fn aspect(
    type_: &'static str,
    holds: bool,
    reason: impl Into<StatusReason>,
    message: &str,
) -> Aspect {
    Aspect {
        type_,
        holds: Some(holds),
        reason: reason.into(),
        message: message.to_owned(),
    }
}

/// Returns Accepted, Ready and Progressing; `None` while it is unknown what the spec asks for, so that the conditions
/// stay.
pub(super) fn aspects(name: &str, outcome: &Outcome<'_>) -> Option<Vec<Aspect>> {
    // Ready and Progressing share a reason: whether it progresses, the reason, and the message.
    let (progresses, reason, message) = match outcome {
        Outcome::Refused(refusal) => {
            return Some(refused(refusal, "no earlier spec was running"));
        }
        Outcome::GoesOn(refusal, _) => {
            return Some(refused(refusal, "the last accepted one keeps running"));
        }
        Outcome::Lost(_, _, refusal) => (false, refusal.reason, refusal.message.clone()),
        Outcome::Decided(None, _)
        | Outcome::Applied {
            newest: None,
            failure: None,
            ..
        } => return None,
        Outcome::Decided(Some(_), deployments) => verdict(name, deployments).unwrap_or_else(|| {
            let message = "A deployment is starting.".to_owned();
            (true, StateReason::InProgress.into(), message)
        }),
        Outcome::Applied {
            failure: Some(error),
            ..
        } => (false, error.reason().into(), error.to_string()),
        Outcome::Applied {
            running,
            held: true,
            ..
        } => {
            let reason = StateReason::DeploymentConfigurationBlocksRollout;
            (false, reason.into(), held(name, running))
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
        aspect(READY, false, reason, &message),
        aspect(PROGRESSING, progresses, reason, &message),
    ])
}

fn translated() -> Aspect {
    aspect(
        ACCEPTED,
        true,
        StateReason::Translated,
        "The spec is translated.",
    )
}

fn steady(name: &str) -> Vec<Aspect> {
    let steady = format!("(service {name}) has reached a steady state.");
    vec![
        translated(),
        aspect(READY, true, StateReason::SteadyState, &steady),
        aspect(
            PROGRESSING,
            false,
            StateReason::Completed,
            "ECS deployment completed.",
        ),
    ]
}

fn refused(refusal: &Refusal, what_runs: &str) -> Vec<Aspect> {
    let held = [StateReason::ImageScanBlocked, StateReason::ImageScanPending];
    let is_held = held.iter().any(|it| refusal.reason == (*it).into());
    let what = if is_held { "held back" } else { "rejected" };
    let message = format!("The spec is {what}; {what_runs}.");
    vec![
        aspect(ACCEPTED, false, refusal.reason, &refusal.message),
        aspect(READY, false, StateReason::NotAccepted, &message),
        aspect(PROGRESSING, false, StateReason::NotAccepted, &message),
    ]
}

/// Returns how many tasks run, and whether a deployment is the reason that not all do.
fn progress(deployments: &Deployments, observed: &Observed) -> (bool, StatusReason, String) {
    let primary = deployments.primary();
    let of_newest = primary.and_then(|it| it.running_count).unwrap_or(0);
    let counts = format!(
        "{} of {} tasks are running, {} of them of the newest revision.",
        observed.running,
        observed.desired,
        of_newest.min(observed.running)
    );
    (
        deployments.is(IN_PROGRESS),
        StateReason::InProgress.into(),
        counts,
    )
}

/// Appends what keeps tasks from running to a message.
fn with_trouble(message: String, troubles: &[Trouble]) -> String {
    troubles
        .iter()
        .take(MOST_TROUBLES)
        .fold(message, |message, trouble| {
            format!("{message}\n{}", trouble.message)
        })
}

/// Describes a deployment that failed or returns to another one.
fn verdict(name: &str, deployments: &Deployments) -> Option<(bool, StatusReason, String)> {
    let primary = deployments.primary()?;
    let why = primary.rollout_state_reason.clone().unwrap_or_default();
    if deployments.is(FAILED) {
        let why = with_failure(&why, primary);
        return Some((false, StateReason::DeploymentFailed.into(), why));
    }
    let failed = deployments.rolled_back.as_ref()?;
    let mut list = deployments.list.iter();
    let failed = list.find(|deployment| deployment.service_revision.as_ref() == Some(failed));
    if !deployments.is(COMPLETED) {
        let why = failed.map_or_else(|| why.clone(), |failed| with_failure(&why, failed));
        return Some((true, StateReason::RollingBack.into(), why));
    }
    let what = failed.and_then(|failed| failed.task_definition.as_deref());
    let why = failed.and_then(|failed| {
        Some(with_failure(
            failed.rollout_state_reason.as_deref()?,
            failed,
        ))
    });
    let message = format!(
        "(service {name}) was rolled back to {}. The deployment of {} that the spec requests has failed: {} It is not tried again until the spec changes.",
        primary.task_definition.as_deref().unwrap_or_default(),
        what.unwrap_or("the revision"),
        why.unwrap_or_default(),
    );
    Some((false, StateReason::RolledBack.into(), message))
}

/// Describes why a deployment failed, with its last failure.
fn with_failure(why: &str, failed: &DeploymentStatus) -> String {
    match &failed.last_failure {
        Some(last) => format!("{why} The last failure: {last}."),
        None => why.to_owned(),
    }
}

/// Returns the message of ECS for a deployment that cannot progress, with the numbers.
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
        "(service {name}) {HELD} With minimumHealthyPercent {minimum} and maximumPercent {maximum} {tasks}, no task may be stopped or added; the old tasks keep running."
    )
}
