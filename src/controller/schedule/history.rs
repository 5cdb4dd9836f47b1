//! What goes of the tasks that a schedule has started: those that ended longest ago, and those that could not begin for
//! too long.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::{
    fetch::{Accepted, due},
    status::{GivenUp, Told, failed},
};
use crate::{
    controller::{
        context::Context,
        dead_letters::Limit,
        error::Error,
        started_task::{FAILED, NOT_ACCEPTED, SUCCEEDED, result},
    },
    crd::{ACCEPTED, EcsTask, FailedFiringStatus, ScheduleStatus},
};

/// Records the tasks that are rejected and too old to begin, each as a start that failed. Returns them.
pub(super) fn give_up<'t>(
    cx: &Context,
    accepted: &Accepted,
    tasks: &'t [Arc<EcsTask>],
    (status, told): (&mut ScheduleStatus, &mut Told),
    now: Timestamp,
) -> Vec<&'t Arc<EcsTask>> {
    let mut given_up = Vec::new();
    for task in tasks {
        let latest = cx.tasks.latest(task);
        let is_waiting =
            result(&latest) == NOT_ACCEPTED && task.metadata.deletion_timestamp.is_none();
        let Some(due) = due(task).filter(|_| is_waiting) else {
            continue;
        };
        if now.duration_since(due) <= accepted.firings.longest_wait() {
            continue;
        }
        given_up.push(task);
        let is_known = |it: &FailedFiringStatus| it.due.as_ref().is_some_and(|it| it.0 == due);
        if !status.failures.iter().any(is_known) {
            let mut conditions = latest.conditions.iter();
            let refused = conditions.find(|condition| condition.type_ == ACCEPTED);
            let why = refused.map_or_else(String::new, |condition| condition.message.clone());
            let given_up = GivenUp {
                due,
                why,
                retries: 0,
                limit: Some(Limit::Age),
            };
            failed(status, told, given_up);
        }
    }
    given_up
}

/// Returns for how long the first of the tasks that are rejected may still wait to begin.
pub(super) fn left_to_begin(
    cx: &Context,
    accepted: &Accepted,
    tasks: &[Arc<EcsTask>],
    now: Timestamp,
) -> Option<Duration> {
    let waiting = tasks
        .iter()
        .filter(|task| result(&cx.tasks.latest(task)) == NOT_ACCEPTED);
    // Those that have waited for longer are given up by now.
    let left = waiting.filter_map(|task| {
        let left = accepted.firings.longest_wait() - now.duration_since(due(task)?);
        (!left.is_negative()).then_some(left)
    });
    // Times are in whole seconds.
    let left = left.min()?.saturating_add(SignedDuration::from_secs(1));
    Duration::try_from(left).ok()
}

/// Deletes the tasks that are given up, and those that ended longest ago, beyond the limits of the schedule. Call it with
/// the time that is on record as the last one: a later one whose EcsTask is gone would start once more.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn tidy(
    cx: &Context,
    accepted: &Accepted,
    tasks: &[Arc<EcsTask>],
    given_up: &[&Arc<EcsTask>],
    recorded: Option<Timestamp>,
) -> Result<(), Error> {
    for task in given_up {
        cx.delete(&***task).await?;
    }
    let [succeeded, unsuccessful] = accepted.firings.extensions.kept();
    for (kind, limit) in [(SUCCEEDED, succeeded), (FAILED, unsuccessful)] {
        let mut ended: Vec<&Arc<EcsTask>> = tasks
            .iter()
            .filter(|task| result(&cx.tasks.latest(task)) == kind)
            .filter(|task| due(task).is_none_or(|due| Some(due) <= recorded))
            .collect();
        ended.sort_by_key(|task| Reverse((begun(task), task.name_any())));
        for task in ended.into_iter().skip(usize::try_from(limit).unwrap_or(0)) {
            cx.delete(&**task).await?;
        }
    }
    Ok(())
}

/// Returns when a task was due, or created.
pub(super) fn begun(task: &EcsTask) -> Option<Timestamp> {
    due(task).or_else(|| task.creation_timestamp().map(|time| time.0))
}
