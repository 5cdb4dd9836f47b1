//! The reconcile of a schedule: it starts EcsTasks when it is due, and reports what became of them.
//!
//! The name of an EcsTask comes from the time that it is for. So a time starts tasks once, wherever the operator ends:
//! before the EcsTask is created, it is created after a restart; between that and the status, it is found.

mod dead_letters;
mod fetch;
mod history;
mod start;
mod status;
mod task;

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{controller::Action, reflector::ObjectRef},
};

use self::{
    fetch::{Accepted, own_tasks, read},
    history::{give_up, left_to_begin, tidy},
    start::{Started, start},
    status::{GivenUp, Told, failed, followed, rejected, skipped},
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    dead_letters::{Limit, remove_warnings},
    error::Error,
    kind::{OfKind, Reconciled},
    status::whole_seconds,
};
use crate::{
    crd::{ACCEPTED, EcsSchedule, EcsTask, RetryStatus, ScheduleStatus},
    decide::firing::{Asked, Outlook, outlook},
    diagnostic::StateReason,
    settings::SCHEDULE,
};

pub use task::task_now;

/// The kind of schedules. It is like that of an add-on: a cluster with older definitions does not have it.
pub(super) static SCHEDULES: ChildKind = addon(
    "ecs-operator.dev",
    "v1alpha1",
    "EcsSchedule",
    "ecsschedules",
);

/// The longest wait for a time, in case that the clock is set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl Reconciled for EcsSchedule {
    type Status = ScheduleStatus;
    const KIND: &'static str = "EcsSchedule";

    fn all(cx: &Context) -> &OfKind<Self> {
        &cx.schedules
    }

    fn api<T: Resource<DynamicType = (), Scope = Self::Scope>>(
        client: Client,
        namespace: &str,
    ) -> Api<T> {
        Api::namespaced(client, namespace)
    }

    fn reported(&self) -> &ScheduleStatus {
        &self.status
    }

    async fn reconcile(self: Arc<Self>, cx: Arc<Context>) -> Result<Action, Error> {
        reconcile(self, cx).await
    }

    fn gone(&self, cx: &Context) {
        // What it has started is no longer kept by its limits.
        for task in own_tasks(cx, self) {
            cx.ask(ObjectRef::from_obj(&*task));
        }
    }
}

/// Triggers the reconcile of the schedule that has started a task, if any has.
pub(super) fn ask_schedule_of(cx: &Context, task: &EcsTask) {
    if let Some(name) = task.labels().get(SCHEDULE) {
        let namespace = task.namespace().unwrap_or_default();
        cx.ask::<EcsSchedule>(ObjectRef::new(name).within(&namespace));
    }
}

/// Whether the schedule that has started a task is gone, so that its limits do not apply any more.
pub(super) fn is_left_behind(cx: &Context, task: &EcsTask) -> bool {
    let namespace = task.namespace().unwrap_or_default();
    let is_there = |name: &String| {
        let schedule = ObjectRef::new(name).within(&namespace);
        cx.schedules.store.get(&schedule).is_some()
    };
    let started_by = task.labels().get(SCHEDULE);
    started_by.is_some_and(|name| cx.catch_up.is_filled(&SCHEDULES) && !is_there(name))
}

async fn reconcile(schedule: Arc<EcsSchedule>, cx: Arc<Context>) -> Result<Action, Error> {
    if schedule.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let before = cx.schedules.latest(&schedule);
    let now = whole_seconds(Timestamp::now());
    let accepted = match read(&schedule) {
        Ok(mut accepted) => {
            let queue = accepted.firings.dead_letters.iter();
            let givers = queue.map(|queue| dead_letters::giver(&schedule, queue));
            let warnings = (&before.warnings[..], &mut accepted.warnings);
            let namespace = schedule.namespace().unwrap_or_default();
            remove_warnings(&cx, &namespace, givers, warnings);
            accepted
        }
        Err(refusal) => {
            let status = rejected(&schedule, &before, &refusal, now);
            if cx.report(&*schedule, &before, status).await? {
                cx.events
                    .warning(&*schedule, refusal.reason, refusal.message);
            }
            return Ok(Action::await_change());
        }
    };
    let uid = schedule.uid().unwrap_or_default();
    let asked = Asked {
        firings: &accepted.firings,
        created: schedule
            .creation_timestamp()
            .map_or(now, |created| created.0),
        uid: &uid,
    };
    let outlook = outlook(&corrected(&before, now), asked, now);
    let wait = outlook.wake.map(|wake| {
        let wait = wake.duration_since(Timestamp::now());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        wait.min(LONGEST_WAIT)
    });
    let followed = follow(&cx, &schedule, &accepted, (&before, outlook), now).await;
    if let (Err(_), Some(wait)) = (&followed, wait) {
        // What failed does not hold up the next time.
        cx.backoff.due(&uid, wait);
    }
    let wait = wait.into_iter().chain(followed?).min();
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

/// Returns the status from which a schedule goes on: one that was rejected goes on from now, so that mending it starts
/// nothing, as enabling one does.
fn corrected(before: &ScheduleStatus, now: Timestamp) -> ScheduleStatus {
    let mut conditions = before.conditions.iter();
    let was_rejected =
        conditions.any(|condition| condition.type_ == ACCEPTED && condition.status == "False");
    let mut status = before.clone();
    if was_rejected {
        status.enabled_at = Some(Time(now));
    }
    status
}

/// Does what is due, and records it. Whatever it made is deleted only after that. Returns for how long tasks that are
/// rejected may still wait to begin.
async fn follow(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    (before, mut outlook): (&ScheduleStatus, Outlook),
    now: Timestamp,
) -> Result<Option<Duration>, Error> {
    let mut told = past(before, &mut outlook, accepted, now);
    let record = (&mut outlook.status, &mut told);
    let failure = match outlook.due {
        Some(due) => fire(cx, schedule, accepted, record, due).await?,
        None => None,
    };
    let tasks = own_tasks(cx, schedule);
    let record = (&mut outlook.status, &mut told);
    let given_up = give_up(cx, accepted, &tasks, record, now);
    let is_over = outlook.wake.is_none() && outlook.status.retrying.is_none();
    let status = followed(cx, schedule, accepted, outlook.status, &tasks, now);
    // What an edit has put into the past is not over.
    let has_fired = status.last_firing.is_some() && status.last_firing >= status.since;
    let recorded = status.last_firing.as_ref().map(|last| last.0);
    cx.report(schedule, before, status).await?;
    // A start that is not recorded as given up may still succeed.
    dead_letters::send(cx, schedule, accepted, told.given_up());
    told.tell(cx, schedule);
    tidy(cx, accepted, &tasks, &given_up, recorded).await?;
    if let Some(error) = failure {
        return Err(error);
    }
    let firings = &accepted.firings;
    let is_deleted = firings.is_enabled && firings.is_deleted_at_end;
    if is_over && has_fired && is_deleted {
        // What it has started stays.
        cx.delete(schedule).await?;
    }
    Ok(left_to_begin(cx, accepted, &tasks, now))
}

/// Returns what is told of times that were missed, and of a start that is given up because of its age or of a newer time.
fn past(
    before: &ScheduleStatus,
    outlook: &mut Outlook,
    accepted: &Accepted,
    now: Timestamp,
) -> Told {
    let mut told = Told::default();
    if let Some(due) = outlook.given_up {
        let tried = before.retrying.clone().unwrap_or_default();
        let is_too_old = now.duration_since(due) > accepted.firings.longest_wait();
        let given_up = GivenUp {
            due,
            why: tried.message,
            // The first try is none again, and one that nobody answered does not count.
            retries: (tried.attempts - 1).max(0),
            limit: is_too_old.then_some(Limit::Age),
        };
        failed(&mut outlook.status, &mut told, given_up);
    }
    let tried = before.retrying.as_ref().and_then(|it| it.due.clone());
    // When the same time is tried again, this has been told.
    let is_tried_again = tried.is_some() && tried.map(|it| it.0) == outlook.due;
    if outlook.missed > 0 && !is_tried_again {
        let note = format!(
            "{} times were missed while no operator ran, and start nothing.",
            outlook.missed
        );
        told.warning(StateReason::FiringsMissed, note);
    }
    told
}

/// Starts the tasks of a time, and remembers what became of it. Returns the error to retry.
///
/// # Errors
///
/// When the API server did not answer, so that nothing is known of the start.
async fn fire(
    cx: &Context,
    schedule: &EcsSchedule,
    accepted: &Accepted,
    (status, told): (&mut ScheduleStatus, &mut Told),
    due: Timestamp,
) -> Result<Option<Error>, Error> {
    let tried = status.retrying.take().map_or(0, |it| it.attempts);
    match start(cx, schedule, accepted, due, tried + 1).await {
        Ok(Started::Task(name)) => {
            let note = format!("(schedule {}) has started {name}.", schedule.name_any());
            told.normal(StateReason::TasksStarted, note);
        }
        Ok(Started::Skipped(why)) => skipped(status, told, due, why),
        Err(error) if error.is_transient() => {
            let uid = schedule.uid().unwrap_or_default();
            if !cx.backoff.is_lasting(&uid) {
                return Err(error);
            }
            // It does not count, and people have to know of it.
            status.retrying = Some(retry(due, tried, &error));
            return Ok(Some(error));
        }
        Err(error) if tried >= accepted.firings.max_retries => {
            let given_up = GivenUp {
                due,
                why: error.to_string(),
                retries: tried,
                limit: Some(Limit::Attempts),
            };
            failed(status, told, given_up);
        }
        Err(error) => {
            status.retrying = Some(retry(due, tried + 1, &error));
            return Ok(Some(error));
        }
    }
    status.last_firing = Some(Time(due));
    Ok(None)
}

fn retry(due: Timestamp, attempts: i64, error: &Error) -> RetryStatus {
    RetryStatus {
        due: Some(Time(due)),
        attempts,
        message: error.to_string(),
    }
}
