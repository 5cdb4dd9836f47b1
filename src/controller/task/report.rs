//! What is reported of tasks, in the members of DescribeTasks.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::Resource as _;

use super::Plan;
use crate::{
    controller::{
        context::Context,
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, EcsTask, OneTaskStatus, TaskStatus},
    decide::task_lifecycle::{PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING},
};

/// The first status of accepted tasks: which there are, before any of them is made.
pub(super) fn started(task: &EcsTask, before: &TaskStatus, plan: &Plan) -> TaskStatus {
    let tasks = plan.pods.iter().map(|pod| OneTaskStatus {
        name: pod.key.name.to_string(),
        last_status: PROVISIONING.to_owned(),
        ..OneTaskStatus::default()
    });
    TaskStatus {
        conditions: accepted(task, before, None),
        observed_generation: task.meta().generation,
        task_definition: Some(plan.task_definition.clone()),
        last_status: Some(PROVISIONING.to_owned()),
        desired_status: Some(RUNNING.to_owned()),
        tasks: tasks.collect(),
        ..TaskStatus::default()
    }
}

pub(super) fn rejected(task: &EcsTask, before: &TaskStatus, refusal: &Refusal) -> TaskStatus {
    TaskStatus {
        conditions: accepted(task, before, Some(refusal)),
        observed_generation: task.meta().generation,
        ..before.clone()
    }
}

fn accepted(task: &EcsTask, before: &TaskStatus, refusal: Option<&Refusal>) -> Vec<Condition> {
    let aspect = Aspect {
        type_: ACCEPTED,
        holds: Some(refusal.is_none()),
        reason: refusal
            .map_or("Translated", |refusal| &refusal.reason)
            .to_owned(),
        message: refusal
            .map_or("The spec is translated.", |refusal| &refusal.message)
            .to_owned(),
    };
    conditions(
        vec![aspect],
        &before.conditions,
        task.meta().generation,
        Timestamp::now(),
    )
}

/// The status of all tasks together.
pub(super) fn summary(before: &TaskStatus, tasks: Vec<OneTaskStatus>) -> TaskStatus {
    let order = [PROVISIONING, PENDING, RUNNING, STOPPING, STOPPED];
    let place = |one: &OneTaskStatus| order.iter().position(|status| *status == one.last_status);
    let least = tasks
        .iter()
        .min_by_key(|one| place(one))
        .map(|one| one.last_status.clone());
    let first_stopped = tasks.iter().find(|one| one.stop_code.is_some());
    let stopping = tasks.iter().all(|one| one.stop_code.is_some());
    let stopped = tasks.iter().all(|one| one.last_status == STOPPED);
    let earliest = tasks
        .iter()
        .filter_map(|one| one.started_at.as_ref().map(|time| time.0))
        .min();
    let latest = tasks
        .iter()
        .filter_map(|one| one.stopped_at.as_ref().map(|time| time.0))
        .max();
    TaskStatus {
        last_status: least,
        desired_status: Some(if stopping { STOPPED } else { RUNNING }.to_owned()),
        stop_code: first_stopped.and_then(|one| one.stop_code.clone()),
        stopped_reason: first_stopped.and_then(|one| one.stopped_reason.clone()),
        started_at: earliest.map(Time),
        stopped_at: latest.filter(|_| stopped).map(Time),
        tasks,
        ..before.clone()
    }
}

/// A task that can never begin. ECS does not try again either.
pub(super) fn failed_to_start(one: &OneTaskStatus, reason: &str, now: Timestamp) -> OneTaskStatus {
    OneTaskStatus {
        last_status: STOPPED.to_owned(),
        stop_code: Some("TaskFailedToStart".to_owned()),
        stopped_reason: Some(reason.to_owned()),
        stopped_at: Some(Time(now)),
        ..one.clone()
    }
}

/// Tells by events what changed.
pub(super) fn tell(cx: &Context, task: &EcsTask, before: &TaskStatus, after: &TaskStatus) {
    let rejected = after
        .conditions
        .first()
        .filter(|condition| condition.status == "False");
    if let Some(condition) = rejected {
        cx.events
            .warning(task, &condition.reason, condition.message.clone());
    }
    for one in &after.tasks {
        let known = before.tasks.iter().find(|known| known.name == one.name);
        let is_new = |status: &str| {
            one.last_status == status && known.is_none_or(|known| known.last_status != status)
        };
        if is_new(RUNNING) {
            cx.events.normal(
                task,
                "TaskRunning",
                format!("(task {}) is RUNNING.", one.name),
            );
        }
        if is_new(STOPPED) {
            let code = one.stop_code.as_deref().unwrap_or("Unknown");
            let reason = one.stopped_reason.as_deref().unwrap_or_default();
            let note = format!("(task {}) is STOPPED: {reason}", one.name);
            cx.events.normal(task, code, note);
        }
    }
}
