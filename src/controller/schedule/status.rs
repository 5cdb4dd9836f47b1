//! The status of a schedule.

use std::{cmp::Reverse, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{Resource as _, ResourceExt as _};

use super::{
    fetch::{Accepted, due},
    history::begun,
};
use crate::{
    controller::{
        context::Context,
        dead_letters::Limit,
        refusal::Refusal,
        started_task,
        status::{Aspect, conditions},
    },
    crd::{
        ACCEPTED, EcsSchedule, EcsTask, FailedFiringStatus, READY, ScheduleStatus,
        StartedTaskStatus, TriggeredTaskStatus,
    },
    diagnostic::StateReason,
};

/// How many tasks and failures are listed.
const LISTED: usize = 10;

/// Returns the status of a schedule that is rejected. It starts nothing; what it has started goes on.
pub(super) fn rejected(
    schedule: &EcsSchedule,
    before: &ScheduleStatus,
    refusal: &Refusal,
    now: Timestamp,
) -> ScheduleStatus {
    let generation = schedule.meta().generation;
    let aspects = vec![
        Aspect {
            type_: ACCEPTED,
            holds: Some(false),
            reason: refusal.reason,
            message: refusal.message.clone(),
        },
        Aspect {
            type_: READY,
            holds: Some(false),
            reason: StateReason::NotAccepted.into(),
            message: "The spec is rejected, so it starts nothing.".to_owned(),
        },
    ];
    ScheduleStatus {
        conditions: conditions(aspects, &before.conditions, generation, now),
        observed_generation: generation,
        next_firing: None,
        ..before.clone()
    }
}

/// Returns the status of a schedule that is followed; `status` has what is remembered of its times.
pub(super) fn followed(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    status: ScheduleStatus,
    tasks: &[Arc<EcsTask>],
    now: Timestamp,
) -> ScheduleStatus {
    let generation = schedule.meta().generation;
    let translated = Aspect {
        type_: ACCEPTED,
        holds: Some(true),
        reason: StateReason::Translated.into(),
        message: "The spec is accepted.".to_owned(),
    };
    let aspects = vec![translated, ready(accepted, &status)];
    ScheduleStatus {
        conditions: conditions(aspects, &status.conditions, generation, now),
        observed_generation: generation,
        tasks: listed(cx, tasks),
        warnings: accepted.warnings.clone(),
        ..status
    }
}

/// Returns whether the schedule does what it asks for.
fn ready(accepted: &Accepted, status: &ScheduleStatus) -> Aspect {
    let aspect = |holds, reason: StateReason, message: &str| Aspect {
        type_: READY,
        holds: Some(holds),
        reason: reason.into(),
        message: message.to_owned(),
    };
    if let Some(retrying) = &status.retrying {
        return aspect(
            false,
            StateReason::TargetInvocationFailed,
            &retrying.message,
        );
    }
    if !accepted.firings.is_enabled {
        return aspect(
            true,
            StateReason::ScheduleDisabled,
            "Its State is DISABLED, so it starts nothing.",
        );
    }
    if status.next_firing.is_none() {
        return aspect(
            true,
            StateReason::ScheduleOver,
            "It is not due any more, and starts nothing.",
        );
    }
    aspect(
        true,
        StateReason::Scheduled,
        "It starts its tasks when it is due.",
    )
}

/// Returns the newest tasks.
fn listed(cx: &Context, tasks: &[Arc<EcsTask>]) -> Vec<StartedTaskStatus> {
    let mut tasks: Vec<&Arc<EcsTask>> = tasks
        .iter()
        .filter(|task| task.metadata.deletion_timestamp.is_none())
        .collect();
    tasks.sort_by_key(|task| Reverse((begun(task), task.name_any())));
    let tasks = tasks.into_iter().take(LISTED);
    tasks
        .map(|task| {
            let TriggeredTaskStatus {
                name,
                result,
                exit_code,
                reason,
                stopped_at,
            } = started_task::listed(cx, task);
            StartedTaskStatus {
                name,
                due: due(task).map(Time),
                result,
                exit_code,
                reason,
                stopped_at,
            }
        })
        .collect()
}

/// What is reported as events once it is on record: a decision that could not be recorded is made again.
#[derive(Default)]
pub(super) struct Told {
    events: Vec<(bool, StateReason, String)>,
    given_up: Vec<GivenUp>,
}

/// A start that is given up.
pub(super) struct GivenUp {
    /// The time that it was for.
    pub(super) due: Timestamp,
    /// Why it has not succeeded.
    pub(super) why: String,
    /// How often it was tried again.
    pub(super) retries: i64,
    /// The limit of the retry policy that is reached, if that is why.
    pub(super) limit: Option<Limit>,
}

impl Told {
    /// Adds an event of type Normal.
    pub(super) fn normal(&mut self, reason: StateReason, note: String) {
        self.events.push((false, reason, note));
    }

    /// Adds an event of type Warning.
    pub(super) fn warning(&mut self, reason: StateReason, note: String) {
        self.events.push((true, reason, note));
    }

    /// Returns the starts that are given up.
    pub(super) fn given_up(&self) -> &[GivenUp] {
        &self.given_up
    }

    /// Reports the events.
    pub(super) fn tell(self, cx: &Context, schedule: &EcsSchedule) {
        for (is_warning, reason, note) in self.events {
            if is_warning {
                cx.events.warning(schedule, reason, note);
            } else {
                cx.events.normal(schedule, reason, note);
            }
        }
    }
}

/// Records a start that is given up.
pub(super) fn failed(status: &mut ScheduleStatus, told: &mut Told, given_up: GivenUp) {
    let reason = StateReason::TargetInvocationFailed;
    let (due, why) = (given_up.due, given_up.why.clone());
    told.warning(reason, format!("The tasks of {due} are not started: {why}"));
    told.given_up.push(given_up);
    record(status, due, reason, why);
}

/// Records a start that is skipped.
pub(super) fn skipped(status: &mut ScheduleStatus, told: &mut Told, due: Timestamp, why: String) {
    let reason = StateReason::FiringSkipped;
    told.normal(reason, format!("The tasks of {due} are skipped: {why}."));
    record(status, due, reason, why);
}

fn record(status: &mut ScheduleStatus, due: Timestamp, reason: StateReason, message: String) {
    let failure = FailedFiringStatus {
        due: Some(Time(due)),
        reason: reason.name().to_owned(),
        message,
    };
    status.failures.insert(0, failure);
    status.failures.truncate(LISTED);
}
