//! What goes when tasks have been finished for a while.
//!
//! The object stays until its owner says otherwise: whoever applies the same file again, as GitOps tools do all the time,
//! would otherwise run the task again.

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::OwnerReference,
    jiff::{SignedDuration, Timestamp},
};
use kube::{ResourceExt as _, runtime::controller::Action};

use super::{claims::outlives_task, fetch::is_ours, pods::delete};
use crate::{
    controller::{
        apply::release,
        caches::owner::Owner,
        context::Context,
        error::Error,
        schedule::is_left_behind,
        started_task::{self, result},
    },
    crd::{ACCEPTED, EcsTask, SUCCEEDED, TaskStatus},
    settings::{MESSAGE_DELETED, PIPE_MESSAGE, SCHEDULED_AT},
    source::read_task,
};

/// How long the pods of a finished task are kept, for their logs: as long as ECS shows stopped tasks
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html>).
const PODS_KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How long tasks that a schedule has started may wait to begin: as long as EventBridge Scheduler tries at most. The
/// schedule gives up sooner, if it is still there and accepted.
const WAITING: SignedDuration = SignedDuration::from_hours(24);

/// How long an EcsTask is kept that is the only memory of what has become of a message: as long as SQS keeps messages at most
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
const MESSAGES_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Whether the tasks for a message have succeeded, and it may not be deleted yet: it would start others if nothing said so.
fn is_memory(task: &EcsTask, status: &TaskStatus) -> bool {
    let labels = task.labels();
    labels.contains_key(PIPE_MESSAGE)
        && !labels.contains_key(MESSAGE_DELETED)
        && result(status) == started_task::SUCCEEDED
}

/// Returns how long tasks that are rejected may still wait to begin; `None` if there is no limit, because no schedule has
/// started them, or if they have begun.
fn left_to_begin(task: &EcsTask, status: &TaskStatus, now: Timestamp) -> Option<SignedDuration> {
    let mut conditions = status.conditions.iter();
    let is_rejected =
        conditions.any(|condition| condition.type_ == ACCEPTED && condition.status == "False");
    let is_scheduled = task.annotations().contains_key(SCHEDULED_AT);
    if !is_scheduled || !is_rejected || !status.tasks.is_empty() {
        return None;
    }
    let created = task.creation_timestamp()?.0;
    Some(WAITING - now.duration_since(created))
}

/// Returns when to look again at tasks that have not ended: after this wait, or when they have waited too long to begin.
/// Those are deleted.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn again_or_give_up(
    task: &EcsTask,
    status: &TaskStatus,
    wait: Option<Duration>,
    cx: &Context,
) -> Result<Action, Error> {
    let left = left_to_begin(task, status, Timestamp::now());
    if left.is_some_and(|left| !left.is_positive()) {
        cx.delete(task).await?;
        return Ok(Action::await_change());
    }
    let left = left.and_then(|left| Duration::try_from(left).ok());
    let wait = wait.into_iter().chain(left).min();
    Ok(wait.map_or_else(Action::await_change, Action::requeue))
}

/// Deletes what has been finished for long enough: the EcsTask if `ttlSecondsAfterFinished` says when or its schedule is
/// gone, otherwise only its pods and what they needed. The status keeps how they ended.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn expire(
    task: &EcsTask,
    status: &TaskStatus,
    cx: &Context,
    owner: &OwnerReference,
) -> Result<Action, Error> {
    let (_, extensions, _) = read_task(task.spec.text());
    let ttl = extensions.ttl_seconds_after_finished;
    let kept = ttl.map_or(PODS_KEPT, |seconds| {
        SignedDuration::from_secs(seconds.max(0))
    });
    let kept = if is_memory(task, status) {
        kept.max(MESSAGES_KEPT)
    } else {
        kept
    };
    let is_deleted = ttl.is_some() || is_left_behind(cx, task);
    let end = ended_at(status).and_then(|end| end.checked_add(kept).ok());
    match end.map(|end| end.duration_since(Timestamp::now())) {
        None => Ok(Action::await_change()),
        Some(left) if left.is_positive() => Ok(Action::requeue(left.unsigned_abs())),
        Some(_) if is_deleted => {
            cx.delete(task).await?;
            Ok(Action::await_change())
        }
        Some(_) => delete_pods(task, cx, owner).await,
    }
}

/// Deletes the pods of a finished task, and then everything else that is made of it. There is nothing to do after that
/// has happened once.
async fn delete_pods(
    task: &EcsTask,
    cx: &Context,
    owner: &OwnerReference,
) -> Result<Action, Error> {
    let namespace = task.namespace().unwrap_or_default();
    let of_task = Owner::Task(namespace.clone(), task.name_any());
    for pod in cx.pods.of(&of_task) {
        if is_ours(&pod, owner) && !pod.deleting {
            delete(cx, &namespace, &pod).await?;
        }
    }
    for (key, known) in cx.children.of_owner(&owner.uid) {
        if !known.deleting && !outlives_task(&key, &known) {
            release(&cx.client, &key, &known, owner).await?;
        }
    }
    // Volumes that nobody else wants go too.
    cx.children.wants(&of_task, std::iter::empty());
    cx.unclaimed.notify_one();
    Ok(Action::await_change())
}

/// Returns when the tasks ended and this was known, because the clock of a node may be behind.
fn ended_at(status: &TaskStatus) -> Option<Timestamp> {
    let stopped = status.stopped_at.as_ref()?.0;
    let mut conditions = status.conditions.iter();
    let known = conditions.find(|condition| condition.type_ == SUCCEEDED);
    let known = known.map(|condition| condition.last_transition_time.0);
    Some(known.map_or(stopped, |known| known.max(stopped)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_schedule_started_and_never_began_is_given_up() {
        let now: Timestamp = "2026-01-16T10:00:00Z".parse().expect("it is a time");
        let left = |annotation: &str, accepted: &str, tasks: serde_json::Value| {
            let task: EcsTask = serde_json::from_value(json!({
                "metadata": {
                    "name": "job", "creationTimestamp": "2026-01-15T11:00:00Z",
                    "annotations": {annotation: "2026-01-15T11:00:00Z"},
                },
                "status": {"tasks": tasks, "conditions": [{
                    "type": ACCEPTED, "status": accepted, "reason": "r", "message": "",
                    "lastTransitionTime": "2026-01-15T11:00:00Z",
                }]},
            }))
            .expect("it is a task");
            left_to_begin(&task, &task.status, now)
        };
        let hour = Some(SignedDuration::from_hours(1));
        assert_eq!(left(SCHEDULED_AT, "False", json!([])), hour);
        assert_eq!(left("someone/else", "False", json!([])), None);
        assert_eq!(left(SCHEDULED_AT, "True", json!([])), None);
        let running = json!([{"name": "job-0", "lastStatus": "RUNNING"}]);
        assert_eq!(left(SCHEDULED_AT, "False", running), None);
    }

    #[test]
    fn a_task_is_the_memory_of_its_message_until_that_is_deleted() {
        let is_memory = |labels: serde_json::Value, succeeded: &str| {
            let task: EcsTask = serde_json::from_value(json!({
                "metadata": {"name": "job", "labels": labels},
                "status": {"stoppedAt": "2026-01-15T11:00:00Z", "conditions": [{
                    "type": SUCCEEDED, "status": succeeded, "reason": "r", "message": "",
                    "lastTransitionTime": "2026-01-15T11:00:00Z",
                }]},
            }))
            .expect("it is a task");
            is_memory(&task, &task.status)
        };
        assert!(is_memory(json!({PIPE_MESSAGE: "0a"}), "True"));
        assert!(!is_memory(json!({PIPE_MESSAGE: "0a"}), "False"));
        let deleted = json!({PIPE_MESSAGE: "0a", MESSAGE_DELETED: "true"});
        assert!(!is_memory(deleted, "True"));
        assert!(!is_memory(json!({}), "True"));
    }

    #[test]
    fn a_node_whose_clock_is_behind_makes_no_task_older() {
        let ended = |stopped: &str, known: &str| -> Option<String> {
            let status: TaskStatus = serde_json::from_value(json!({
                "stoppedAt": stopped,
                "conditions": [{
                    "type": SUCCEEDED, "status": "True", "reason": "Completed", "message": "",
                    "lastTransitionTime": known,
                }],
            }))
            .expect("it is a status");
            ended_at(&status).map(|time| time.to_string())
        };
        let (hour, next) = ("2026-01-15T10:00:00Z", "2026-01-15T11:00:00Z");
        assert_eq!(ended(hour, next).as_deref(), Some(next));
        assert_eq!(ended(next, hour).as_deref(), Some(next));
        assert_eq!(ended_at(&TaskStatus::default()), None);
    }
}
