//! The reconcile of a schedule: it starts EcsTasks when it is due, and reports what became of them.
//!
//! The name of an EcsTask comes from the time that it is for. So a time starts tasks once, wherever the operator ends:
//! before the EcsTask is created, it is created after a restart; between that and the status, it is found.

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
    history::tidy,
    start::{Started, start},
    status::{Told, failed, followed, rejected, skipped},
};
use super::{
    caches::child_kind::{ChildKind, addon},
    context::Context,
    error::Error,
    kind::{OfKind, Reconciled},
    status::whole_seconds,
};
use crate::{
    crd::{EcsSchedule, EcsTask, RetryStatus, ScheduleStatus},
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
        Ok(accepted) => accepted,
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
    let mut outlook = outlook(&before, asked, now);
    let mut told = past(&before, &mut outlook);
    let record = (&mut outlook.status, &mut told);
    let failure = match outlook.due {
        Some(due) => fire(&cx, &schedule, &accepted, record, due).await?,
        None => None,
    };
    let tasks = own_tasks(&cx, &schedule);
    let record = (&mut outlook.status, &mut told);
    tidy(&cx, &accepted, &tasks, record, now).await?;
    let is_over = outlook.wake.is_none() && outlook.status.retrying.is_none();
    let status = followed(&cx, &schedule, &accepted, outlook.status, &tasks, now);
    let has_fired = status.last_firing.is_some();
    cx.report(&*schedule, &before, status).await?;
    told.tell(&cx, &schedule);
    if let Some(error) = failure {
        return Err(error);
    }
    if is_over && has_fired && accepted.firings.is_enabled && accepted.firings.is_deleted_at_end {
        // What it has started stays.
        cx.delete(&*schedule).await?;
        return Ok(Action::await_change());
    }
    Ok(outlook.wake.map_or_else(Action::await_change, |wake| {
        let wait = wake.duration_since(Timestamp::now());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        Action::requeue(wait.min(LONGEST_WAIT))
    }))
}

/// Returns what is told of times that were missed, and of a start that is given up because of its age or of a newer time.
fn past(before: &ScheduleStatus, outlook: &mut Outlook) -> Told {
    let mut told = Told::default();
    if let Some(due) = outlook.given_up {
        let why = before.retrying.as_ref().map(|it| it.message.clone());
        failed(&mut outlook.status, &mut told, due, why.unwrap_or_default());
    }
    // When the newest time is tried again, this has been told.
    if outlook.missed > 0 && before.retrying.is_none() {
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
        Err(error) if error.is_transient() => return Err(error),
        Err(error) if tried >= accepted.firings.max_retries => {
            failed(status, told, due, error.to_string());
        }
        Err(error) => {
            status.retrying = Some(RetryStatus {
                due: Some(Time(due)),
                attempts: tried + 1,
                message: error.to_string(),
            });
            return Ok(Some(error));
        }
    }
    status.last_firing = Some(Time(due));
    Ok(None)
}
