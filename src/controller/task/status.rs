//! The status of tasks, with the members of DescribeTasks.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{Resource as _, ResourceExt as _};

use super::plan::Plan;
use crate::{
    controller::{
        context::Context,
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, EcsTask, OneTaskStatus, SUCCEEDED, TaskStatus},
    decide::{
        obstacle::Obstacle,
        task_lifecycle::{
            Next, PENDING, PROVISIONING, RUNNING, STOPPED, STOPPING, is_success, unreported,
            was_asked_for,
        },
    },
    diagnostic::{StateReason, StatusReason},
    settings::{ANNOTATION_PREFIX, BEGUN},
};

/// Returns the first status of accepted tasks: the list of tasks, before any of them is created.
pub(super) fn started(task: &EcsTask, before: &TaskStatus, plan: &Plan) -> TaskStatus {
    let tasks = plan
        .pods
        .iter()
        .map(|pod| unreported(pod.key.name.to_string(), false));
    TaskStatus {
        conditions: told(task, before, vec![translated(), in_progress()]),
        observed_generation: task.meta().generation,
        task_definition: Some(plan.task_definition.clone()),
        settings: Some(settings_of(task)),
        capacity_providers: plan.providers.clone(),
        last_status: Some(PROVISIONING.to_owned()),
        desired_status: Some(RUNNING.to_owned()),
        tasks: tasks.collect(),
        warnings: plan.warnings.clone(),
        ..TaskStatus::default()
    }
}

/// Returns the status of tasks that have begun and lost their status. The next step reads the state of each task from
/// its pod; a task without a pod is not run again.
pub(super) fn rebuilt(
    task: &EcsTask,
    before: &TaskStatus,
    names: Vec<String>,
    on_record: &BTreeSet<String>,
    pods: &BTreeSet<String>,
) -> TaskStatus {
    let begun = |name: &String| {
        // Without any record, the pods were created by a version that had none, all at once.
        on_record.is_empty() || on_record.contains(name) || pods.contains(name)
    };
    let tasks = names.into_iter().map(|name| {
        let begun = begun(&name);
        unreported(name, begun)
    });
    let tasks: Vec<OneTaskStatus> = tasks.collect();
    TaskStatus {
        conditions: told(task, before, vec![translated(), in_progress()]),
        observed_generation: task.meta().generation,
        last_status: least(&tasks),
        desired_status: Some(RUNNING.to_owned()),
        tasks,
        ..before.clone()
    }
}

pub(super) fn rejected(task: &EcsTask, before: &TaskStatus, refusal: &Refusal) -> TaskStatus {
    let refused = Aspect {
        type_: ACCEPTED,
        holds: Some(false),
        reason: refusal.reason,
        message: refusal.message.clone(),
    };
    let not_begun = Aspect {
        type_: SUCCEEDED,
        holds: None,
        reason: StateReason::NotAccepted.into(),
        message: "The spec is rejected, so the tasks have not started.".to_owned(),
    };
    TaskStatus {
        conditions: told(task, before, vec![refused, not_begun]),
        observed_generation: task.meta().generation,
        ..before.clone()
    }
}

fn told(task: &EcsTask, before: &TaskStatus, aspects: Vec<Aspect>) -> Vec<Condition> {
    let generation = task.meta().generation;
    conditions(aspects, &before.conditions, generation, Timestamp::now())
}

fn translated() -> Aspect {
    Aspect {
        type_: ACCEPTED,
        holds: Some(true),
        reason: StateReason::Translated.into(),
        message: "The spec is translated.".to_owned(),
    }
}

fn in_progress() -> Aspect {
    Aspect {
        type_: SUCCEEDED,
        holds: None,
        reason: StateReason::InProgress.into(),
        message: "The tasks have not ended yet.".to_owned(),
    }
}

/// Returns whether the tasks have succeeded; until that is known, what keeps one of them from running.
fn succeeded(tasks: &[OneTaskStatus], obstacle: Option<(&str, &Obstacle)>) -> Aspect {
    let mut ended = tasks.iter().filter(|one| one.last_status == STOPPED);
    let aspect = |holds, reason, message| Aspect {
        type_: SUCCEEDED,
        holds,
        reason,
        message,
    };
    if let Some(failed) = ended.clone().find(|one| !is_success(one)) {
        return aspect(Some(false), reason(failed), outcome(failed));
    }
    if ended.by_ref().count() == tasks.len() {
        let message = "All tasks have ended with exit code 0.".to_owned();
        return aspect(Some(true), StateReason::Completed.into(), message);
    }
    match obstacle {
        Some((name, Obstacle { code, message })) => {
            aspect(None, *code, format!("(task {name}) {message}"))
        }
        None => in_progress(),
    }
}

/// Returns why a task stopped: the specific error at the start of its reason, or the stop code.
fn reason(one: &OneTaskStatus) -> StatusReason {
    let reason = one.stopped_reason.as_deref().unwrap_or_default();
    let error = reason.split_once(": ").map(|(error, _)| error);
    error
        .and_then(StateReason::named)
        .map_or_else(|| stop_code(one), StatusReason::State)
}

/// Returns the stop code of a stopped task. A code that this version does not know becomes a generic reason.
fn stop_code(one: &OneTaskStatus) -> StatusReason {
    let code = one.stop_code.as_deref().and_then(StatusReason::named);
    code.unwrap_or(StatusReason::State(StateReason::TaskStopped))
}

/// Describes why a task stopped, with the exit codes of its containers.
fn outcome(one: &OneTaskStatus) -> String {
    let reason = one.stopped_reason.as_deref().unwrap_or_default();
    let codes: Vec<String> = one
        .containers
        .iter()
        .filter_map(|it| Some(format!("{}: exit code {}", it.name, it.exit_code?)))
        .collect();
    let codes = match codes.as_slice() {
        [] => String::new(),
        codes => format!(" ({})", codes.join(", ")),
    };
    format!("(task {}) is STOPPED: {reason}{codes}", one.name)
}

fn least(tasks: &[OneTaskStatus]) -> Option<String> {
    let order = [PROVISIONING, PENDING, RUNNING, STOPPING, STOPPED];
    let place = |one: &OneTaskStatus| order.iter().position(|status| *status == one.last_status);
    let least = tasks.iter().min_by_key(|one| place(one));
    least.map(|one| one.last_status.clone())
}

/// Returns the status of all tasks together.
pub(super) fn summary(task: &EcsTask, before: &TaskStatus, decided: Vec<Next>) -> TaskStatus {
    let obstacle = decided
        .iter()
        .find_map(|next| Some((next.task.name.clone(), next.obstacle.clone()?)));
    let tasks: Vec<OneTaskStatus> = decided.into_iter().map(|next| next.task).collect();
    let obstacle = obstacle.as_ref().map(|(name, it)| (name.as_str(), it));
    let aspects = vec![translated(), succeeded(&tasks, obstacle)];
    let first_stopped = tasks.iter().find(|one| one.stop_code.is_some());
    let stopping = tasks.iter().all(|one| one.stop_code.is_some());
    let stopped = tasks.iter().all(|one| one.last_status == STOPPED);
    let mut exit_codes = tasks.iter().filter_map(|one| one.exit_code).peekable();
    let earliest = tasks
        .iter()
        .filter_map(|one| one.started_at.as_ref().map(|time| time.0))
        .min();
    let latest = tasks
        .iter()
        .filter_map(|one| one.stopped_at.as_ref().map(|time| time.0))
        .max();
    TaskStatus {
        conditions: told(task, before, aspects),
        last_status: least(&tasks),
        desired_status: Some(if stopping { STOPPED } else { RUNNING }.to_owned()),
        stop_code: first_stopped.and_then(|one| one.stop_code.clone()),
        stopped_reason: first_stopped.and_then(|one| one.stopped_reason.clone()),
        exit_code: exit_codes
            .peek()
            .copied()
            .map(|first| exit_codes.find(|code| *code != 0).unwrap_or(first)),
        started_at: earliest.map(Time),
        stopped_at: latest.filter(|_| stopped).map(Time),
        tasks,
        settings: before.settings.clone().or_else(|| {
            // An older version has begun it. Those of a status that was lost are unknown.
            let has_begun = before.task_definition.is_some();
            has_begun.then(|| settings_of(task))
        }),
        ..before.clone()
    }
}

/// Returns the annotations that are settings.
fn settings_of(task: &EcsTask) -> BTreeMap<String, String> {
    let annotations = task.annotations().iter();
    let own = annotations.filter(|(name, _)| name.starts_with(ANNOTATION_PREFIX) && *name != BEGUN);
    own.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Returns a task that can never begin. ECS does not retry either.
pub(super) fn failed_to_start(one: &OneTaskStatus, reason: &str, now: Timestamp) -> OneTaskStatus {
    OneTaskStatus {
        last_status: STOPPED.to_owned(),
        stop_code: Some(StateReason::TaskFailedToStart.name().to_owned()),
        stopped_reason: Some(reason.to_owned()),
        stopped_at: Some(Time(now)),
        ..one.clone()
    }
}

/// Reports what changed as events.
pub(super) fn tell(cx: &Context, task: &EcsTask, before: &TaskStatus, after: &TaskStatus) {
    let rejected = after
        .conditions
        .first()
        .filter(|condition| condition.status == "False");
    let kept = obstacle(after).filter(|kept| {
        let known = obstacle(before);
        known.is_none_or(|known| known.reason != kept.reason)
    });
    for condition in rejected.into_iter().chain(kept) {
        if let Some(reason) = StatusReason::named(&condition.reason) {
            cx.events.warning(task, reason, condition.message.clone());
        }
    }
    for one in &after.tasks {
        let known = before.tasks.iter().find(|known| known.name == one.name);
        let is_new = |status: &str| {
            one.last_status == status && known.is_none_or(|known| known.last_status != status)
        };
        if is_new(RUNNING) {
            let note = format!("(task {}) is RUNNING.", one.name);
            cx.events.normal(task, StateReason::TaskRunning, note);
        }
        if is_new(STOPPED) {
            let code = stop_code(one);
            if is_success(one) || was_asked_for(one) {
                cx.events.normal(task, code, outcome(one));
            } else {
                cx.events.warning(task, code, outcome(one));
            }
        }
    }
}

/// Returns the condition Succeeded if it says what keeps a task from running.
fn obstacle(status: &TaskStatus) -> Option<&Condition> {
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == SUCCEEDED)?;
    let none = [StateReason::InProgress, StateReason::NotAccepted];
    let is_one = condition.status == "Unknown" && !none.iter().any(|it| it.is(&condition.reason));
    is_one.then_some(condition)
}

/// Logs the outcome of tasks that have ended.
pub(super) fn log_outcome(task: &EcsTask, status: &TaskStatus) {
    let succeeded = status.tasks.iter().all(is_success);
    tracing::info!(
        namespace = task.namespace().unwrap_or_default(),
        name = task.name_any(),
        task_definition = status.task_definition,
        succeeded,
        exit_code = status.exit_code,
        stop_code = status.stop_code,
        reason = status.stopped_reason,
        "tasks have ended"
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decide::task_lifecycle::Step;

    fn stopped(name: &str, code: &str, reason: &str, exit_code: Option<i32>) -> OneTaskStatus {
        let containers = exit_code.map(|code| json!({"name": "app", "exitCode": code}));
        serde_json::from_value(json!({
            "name": name, "lastStatus": STOPPED, "stopCode": code, "stoppedReason": reason,
            "exitCode": exit_code, "containers": containers.into_iter().collect::<Vec<_>>(),
            "stoppedAt": "2026-01-15T10:30:00Z",
        }))
        .expect("it is a task")
    }

    fn ended(name: &str, exit_code: i32) -> OneTaskStatus {
        let reason = "Essential container in task exited";
        stopped(name, "EssentialContainerExited", reason, Some(exit_code))
    }

    fn told(tasks: &[OneTaskStatus]) -> (Option<bool>, String, String) {
        let aspect = succeeded(tasks, None);
        (aspect.holds, aspect.reason.to_string(), aspect.message)
    }

    #[test]
    fn success_and_failure_are_told_apart() {
        let running = unreported("job-1".to_owned(), true);
        let (holds, reason, _) = told(&[ended("job-0", 0), running.clone()]);
        assert_eq!((holds, reason.as_str()), (None, "InProgress"));
        let (holds, reason, _) = told(&[ended("job-0", 0), ended("job-1", 0)]);
        assert_eq!((holds, reason.as_str()), (Some(true), "Completed"));
        let (holds, reason, message) = told(&[ended("job-0", 3), running]);
        assert_eq!(
            (holds, reason.as_str(), message.as_str()),
            (
                Some(false),
                "EssentialContainerExited",
                "(task job-0) is STOPPED: Essential container in task exited (app: exit code 3)"
            )
        );
        let killed = "OutOfMemoryError: Container killed due to memory usage: app";
        for (task, expected) in [
            (
                stopped("job-0", "EssentialContainerExited", killed, Some(137)),
                "OutOfMemoryError",
            ),
            (
                stopped("job-0", "UserInitiated", "Task stopped by user", Some(0)),
                "UserInitiated",
            ),
            (
                stopped("job-0", "TerminationNotice", "Eviction API: drained", None),
                "TerminationNotice",
            ),
        ] {
            let (holds, reason, _) = told(&[task]);
            assert_eq!((holds, reason.as_str()), (Some(false), expected));
        }
    }

    fn summed_up(tasks: &[OneTaskStatus]) -> TaskStatus {
        let decided = tasks.iter().map(|task| Next {
            task: task.clone(),
            step: Step::Wait,
            obstacle: None,
        });
        let task = EcsTask::default();
        summary(&task, &TaskStatus::default(), decided.collect())
    }

    #[test]
    fn the_exit_code_of_all_is_that_of_the_first_that_failed() {
        let running = unreported("job-1".to_owned(), true);
        let (good, bad) = (ended("job-0", 0), ended("job-2", 4));
        assert_eq!(summed_up(std::slice::from_ref(&running)).exit_code, None);
        assert_eq!(summed_up(&[good.clone(), running]).exit_code, Some(0));
        let all = summed_up(&[good, ended("job-1", 3), bad]);
        assert_eq!(all.exit_code, Some(3));
        assert!(all.stopped_at.is_some());
    }

    #[test]
    fn only_what_is_on_record_has_begun() {
        let names = || ["job-0", "job-1", "job-2"].map(str::to_owned).to_vec();
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let begun = |on_record: &[&str], pods: &[&str]| -> Vec<String> {
            let (task, before) = (EcsTask::default(), TaskStatus::default());
            let status = rebuilt(&task, &before, names(), &set(on_record), &set(pods));
            let begun = status.tasks.into_iter();
            begun
                .filter(|one| one.last_status != PROVISIONING)
                .map(|one| one.name)
                .collect()
        };
        assert_eq!(begun(&["job-0"], &["job-2"]), ["job-0", "job-2"]);
        assert_eq!(begun(&[], &["job-2"]), ["job-0", "job-1", "job-2"]);
    }
}
