//! The lifecycle of a standalone task, as its pod shows it
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>).
//!
//! A task runs once. Its pod is created with a gate that keeps it from the scheduler, then the task is recorded as
//! begun, and only then is the gate removed. So a pod that vanished before the record has not run and is created again,
//! and one that vanished later is not, whenever the operator was killed and whatever happened to the status.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{
    obstacle::{self, Obstacle},
    pod_state::{ContainerSeen, Doing, End, Phase, PodState},
    start_timeout::{self, Start},
};
use crate::{
    crd::{ContainerStatus, OneTaskStatus},
    diagnostic::StateReason,
};

/// How long pulling the image of a task may fail: three tries of the kubelet, 10 and 20 seconds apart, and the time
/// that they take.
pub const PULL_PATIENCE: SignedDuration = SignedDuration::from_secs(45);

/// The status of a task whose pod has not been created yet.
pub const PROVISIONING: &str = "PROVISIONING";
/// The status of a task whose containers are not all started.
pub const PENDING: &str = "PENDING";
/// The status of a running task.
pub const RUNNING: &str = "RUNNING";
/// The status of a task whose containers are being stopped.
pub const STOPPING: &str = "STOPPING";
/// The status of a task that has ended.
pub const STOPPED: &str = "STOPPED";

/// The stop code of a task whose essential container has ended.
pub const ESSENTIAL_CONTAINER_EXITED: &str = StateReason::EssentialContainerExited.name();
/// The stop code of a task that never ran.
pub const TASK_FAILED_TO_START: &str = StateReason::TaskFailedToStart.name();
const USER_INITIATED: &str = StateReason::UserInitiated.name();
/// The stop code of a task that was ended with its node.
pub const TERMINATION_NOTICE: &str = StateReason::TerminationNotice.name();

/// The reason for not running a task that is only known to have begun: its status and its pod are lost.
const LOST: &str = "The task was started before, and its status and its pod no longer exist, so it is unknown how it ended. It is not run again. To run it again, delete this EcsTask and apply it without the annotation ecs-operator.dev/begun.";

/// What to do with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing until something changes.
    Wait,
    /// Nothing until this time.
    WaitUntil(Timestamp),
    /// Create its pod, with its gate.
    Create,
    /// Remove the gate of its pod, after the task is recorded as begun.
    Release,
    /// Stop its containers with their grace period, and keep its pod for their exit codes.
    Stop,
    /// Delete its pod, because it has no node that could stop it.
    Delete,
}

/// The next state of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Its status.
    pub task: OneTaskStatus,
    /// What to do.
    pub step: Step,
    /// What keeps it from running.
    pub obstacle: Option<Obstacle>,
}

/// Returns a task without a reported status. `begun` is whether its pod may have run.
#[must_use]
pub fn unreported(name: String, begun: bool) -> OneTaskStatus {
    OneTaskStatus {
        name,
        last_status: if begun { PENDING } else { PROVISIONING }.to_owned(),
        ..OneTaskStatus::default()
    }
}

/// Returns the next status of a task, and what to do.
///
/// `before` is the last reported status; `begun` is whether its pod may have run, whatever was reported. An exit code
/// that was seen once is kept.
#[must_use]
pub fn next(before: &OneTaskStatus, pod: Option<&PodState>, begun: bool, now: Timestamp) -> Next {
    let before = before.clone();
    let begun = begun || before.last_status != PROVISIONING;
    let (task, step) = match pod {
        _ if before.last_status == STOPPED => (before, Step::Wait),
        None if !begun => (before, Step::Create),
        None => (vanished(before, now), Step::Wait),
        Some(pod) => observed(before, pod, now),
    };
    let obstacle = pod
        .filter(|_| task.last_status == PENDING)
        .and_then(obstacle::of_pod);
    let status_reason = obstacle.as_ref().map(|obstacle| obstacle.message.clone());
    Next {
        task: OneTaskStatus {
            status_reason,
            ..task
        },
        step,
        obstacle,
    }
}

/// Whether a task has succeeded: its essential container ended with exit code 0.
#[must_use]
pub fn is_success(task: &OneTaskStatus) -> bool {
    task.exit_code == Some(0) && task.stop_code.as_deref() == Some(ESSENTIAL_CONTAINER_EXITED)
}

/// Whether a task ended because its owner asked for it.
#[must_use]
pub fn was_asked_for(task: &OneTaskStatus) -> bool {
    task.stop_code.as_deref() == Some(USER_INITIATED)
}

/// Returns the state of a task whose pod vanished without being seen to end.
fn vanished(before: OneTaskStatus, now: Timestamp) -> OneTaskStatus {
    let code = before.stop_code.clone();
    let reason = before.stopped_reason.clone();
    let gone = match before.created_at {
        Some(_) => "The pod of the task is gone: it was deleted, or its node was lost.",
        None => LOST,
    };
    OneTaskStatus {
        last_status: STOPPED.to_owned(),
        stop_code: code.or_else(|| Some(TERMINATION_NOTICE.to_owned())),
        stopped_reason: reason.or_else(|| Some(gone.to_owned())),
        stopped_at: Some(Time(now)),
        ..before
    }
}

fn observed(before: OneTaskStatus, pod: &PodState, now: Timestamp) -> (OneTaskStatus, Step) {
    let mut task = OneTaskStatus {
        created_at: pod
            .created_at
            .map(Time)
            .or_else(|| before.created_at.clone()),
        containers: containers(&before, pod),
        ..before
    };
    if task.started_at.is_none() {
        // No clock is ahead of ours.
        task.started_at = started_at(pod).map(|at| Time(at.min(now)));
    }
    let end = why_it_ends(pod, task.started_at.is_some(), now);
    task.exit_code = task.exit_code.or_else(|| exit_code(pod));
    if task.stop_code.is_none()
        && let Some((code, reason)) = &end
    {
        task.stop_code = Some((*code).to_owned());
        task.stopped_reason = Some(reason.clone());
    }
    let stopping = task.stop_code.is_some();
    let (status, step) = match pod.phase {
        Phase::Succeeded | Phase::Failed => {
            task.stopped_at = Some(Time(ended_at(pod).map_or(now, |at| at.min(now))));
            (STOPPED, Step::Wait)
        }
        Phase::Pending | Phase::Running if pod.deleting => (STOPPING, Step::Wait),
        Phase::Pending | Phase::Running if stopping && !pod.scheduled => (STOPPING, Step::Delete),
        Phase::Pending | Phase::Running if stopping && pod.has_deadline => (STOPPING, Step::Wait),
        // A deadline would make it a failed pod.
        Phase::Pending | Phase::Running if stopping && pod.ends_by_itself() => {
            (STOPPING, Step::Wait)
        }
        Phase::Pending | Phase::Running if stopping => (STOPPING, Step::Stop),
        Phase::Pending | Phase::Running if pod.gated => (PENDING, Step::Release),
        Phase::Running if task.started_at.is_some() => (RUNNING, Step::Wait),
        Phase::Pending | Phase::Running => (PENDING, patience(pod, now)),
    };
    status.clone_into(&mut task.last_status);
    (task, step)
}

/// Returns when all main containers had been started, if they have.
fn started_at(pod: &PodState) -> Option<Timestamp> {
    let mut latest = None;
    for container in pod.containers.iter().filter(|container| !container.init) {
        let since = match &container.state {
            Doing::Running { since, .. } => *since,
            Doing::Ended(end) => end.at,
            Doing::Waiting(..) | Doing::Unknown => container.last_end.as_ref()?.at,
        };
        latest = latest.max(since);
    }
    latest
}

fn ended_at(pod: &PodState) -> Option<Timestamp> {
    let ends = pod
        .containers
        .iter()
        .filter_map(|container| end_of(container)?.at);
    ends.max()
}

const fn end_of(container: &ContainerSeen) -> Option<&End> {
    match &container.state {
        Doing::Ended(end) => Some(end),
        Doing::Unknown | Doing::Waiting(..) | Doing::Running { .. } => None,
    }
}

/// Returns why a task ends or has ended: an ECS stop code and a reason in the words of ECS.
fn why_it_ends(
    pod: &PodState,
    has_started: bool,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    if let Some(message) = &pod.disruption {
        return Some((TERMINATION_NOTICE, message.clone()));
    }
    if let Some((container, end)) = essential_end(pod) {
        let reason = if end.reason == "OOMKilled" {
            format!("OutOfMemoryError: Container killed due to memory usage: {container}")
        } else {
            "Essential container in task exited".to_owned()
        };
        return Some((ESSENTIAL_CONTAINER_EXITED, reason));
    }
    if pod.deleting {
        return Some((USER_INITIATED, "Task stopped by user".to_owned()));
    }
    // A container that cannot be restarted later does not end a task that has started.
    if !has_started && let Some(reason) = starts_never(pod, now) {
        return Some((TASK_FAILED_TO_START, reason));
    }
    match pod.phase {
        Phase::Failed => Some(failed(pod, has_started)),
        Phase::Succeeded => Some((
            ESSENTIAL_CONTAINER_EXITED,
            "Essential container in task exited".to_owned(),
        )),
        Phase::Pending | Phase::Running => None,
    }
}

/// Returns the essential main container that ended first.
fn essential_end(pod: &PodState) -> Option<(&str, &End)> {
    let main = pod.containers.iter().filter(|container| !container.init);
    main.filter(|container| pod.is_essential(&container.name))
        .filter_map(|container| Some((container.name.as_str(), end_of(container)?)))
        .min_by_key(|(_, end)| end.at)
}

/// Returns the exit code that determines the result of the task: that of the essential container that ended first, or
/// of the init container that failed.
fn exit_code(pod: &PodState) -> Option<i32> {
    let broken = || {
        let mut init = pod.containers.iter().filter(|container| container.init);
        let end = init.find_map(|container| end_of(container).filter(|end| end.exit_code != 0));
        end.filter(|_| pod.phase == Phase::Failed)
    };
    let end = essential_end(pod).map(|(_, end)| end);
    end.or_else(broken).map(|end| end.exit_code)
}

/// Returns the stop code and reason for a pod that failed although no essential container has ended.
pub(super) fn failed(pod: &PodState, has_started: bool) -> (&'static str, String) {
    let init = pod.containers.iter().filter(|container| container.init);
    let mut broken = init.filter_map(|container| Some((container, end_of(container)?)));
    if !has_started && let Some((container, end)) = broken.find(|(_, end)| end.exit_code != 0) {
        let name = &container.name;
        let reason = format!("Container {name} exited with code {}", end.exit_code);
        return (TASK_FAILED_TO_START, reason);
    }
    let code = if has_started {
        ESSENTIAL_CONTAINER_EXITED
    } else {
        TASK_FAILED_TO_START
    };
    let reason = match &pod.ended {
        Some((reason, message)) if message.is_empty() => reason.clone(),
        Some((reason, message)) => format!("{reason}: {message}"),
        None => "Essential container in task exited".to_owned(),
    };
    (code, reason)
}

/// Returns why a task does not start, once that is certain.
fn starts_never(pod: &PodState, now: Timestamp) -> Option<String> {
    cannot_start(pod, now).or_else(|| match start_timeout::look(pod, now) {
        Start::Late(reason) => Some(reason),
        Start::InTime | Start::Until(_) => None,
    })
}

/// Returns why a container cannot be started, once that is certain.
fn cannot_start(pod: &PodState, now: Timestamp) -> Option<String> {
    pod.containers.iter().find_map(|container| {
        let Doing::Waiting(reason, _) = &container.state else {
            return None;
        };
        let certain = matches!(reason.as_str(), "InvalidImageName" | "RunContainerError");
        let obstacle = obstacle::of_container(&container.state)?;
        (certain || out_of_patience(pod, now)).then_some(obstacle.message)
    })
}

fn out_of_patience(pod: &PodState, now: Timestamp) -> bool {
    deadline(pod).is_some_and(|deadline| deadline <= now)
}

/// Returns until when a container may fail to start. The time that the pod waited for a node does not count.
fn deadline(pod: &PodState) -> Option<Timestamp> {
    let since = pod.scheduled_at.max(pod.created_at)?;
    since.checked_add(PULL_PATIENCE).ok()
}

/// Returns when to check a task again that does not start.
fn patience(pod: &PodState, now: Timestamp) -> Step {
    let waits = pod.containers.iter().any(|container| {
        matches!(&container.state, Doing::Waiting(reason, _) if reason != "PodInitializing" && reason != "ContainerCreating")
    });
    let pulled = deadline(pod).filter(|deadline| waits && *deadline > now);
    let started = match start_timeout::look(pod, now) {
        Start::Until(time) => Some(time),
        Start::InTime | Start::Late(_) => None,
    };
    match pulled.into_iter().chain(started).min() {
        Some(deadline) => Step::WaitUntil(deadline),
        None => Step::Wait,
    }
}

/// Returns the containers as ECS describes them. A container that was seen to end stays ended.
pub(super) fn containers(before: &OneTaskStatus, pod: &PodState) -> Vec<ContainerStatus> {
    if pod.containers.is_empty() {
        return before.containers.clone();
    }
    let status = |container: &ContainerSeen| {
        let known = before
            .containers
            .iter()
            .find(|other| other.name == container.name);
        let exit_code = known.and_then(|known| known.exit_code);
        let mut status = ContainerStatus {
            name: container.name.clone(),
            last_status: Some(PENDING.to_owned()),
            exit_code,
            reason: known
                .and_then(|known| known.reason.clone())
                .filter(|_| exit_code.is_some()),
        };
        match &container.state {
            Doing::Running { .. } => status.last_status = Some(RUNNING.to_owned()),
            Doing::Ended(end) => {
                status.last_status = Some(STOPPED.to_owned());
                status.exit_code = Some(end.exit_code);
                status.reason = reason_of(end);
            }
            Doing::Waiting(reason, message) if !reason.ends_with("ing") => {
                status.reason = Some(format!("{reason}: {message}"));
            }
            Doing::Waiting(..) | Doing::Unknown => {}
        }
        status
    };
    pod.containers.iter().map(status).collect()
}

/// Returns why a container ended, in the words of ECS if it has any; the exit code says the rest.
pub(super) fn reason_of(end: &End) -> Option<String> {
    match end.reason.as_str() {
        "OOMKilled" => Some("OutOfMemoryError: Container killed due to memory usage".to_owned()),
        "Completed" | "Error" | "" => None,
        other => Some(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-01-15T10:30:00Z";

    fn now() -> Timestamp {
        NOW.parse().expect("it is a time")
    }

    /// Returns a pod that was created this many seconds ago.
    fn pod(age: i64, spec: Value, status: Value) -> PodState {
        let created = now() - SignedDuration::from_secs(age);
        let pod = serde_json::from_value(json!({
            "metadata": {
                "name": "job-0",
                "uid": "1",
                "creationTimestamp": created.to_string(),
                "annotations": {"ecs-operator.dev/essential-containers": "app"},
            },
            "spec": spec,
            "status": status,
        }))
        .expect("it is a pod");
        PodState::of(&pod)
    }

    fn on_node() -> Value {
        json!({"containers": [], "nodeName": "n1"})
    }

    fn running(name: &str) -> Value {
        json!({
            "name": name, "image": "x", "imageID": "", "ready": true, "restartCount": 0, "started": true,
            "state": {"running": {"startedAt": "2026-01-15T10:29:50Z"}},
        })
    }

    fn ended(name: &str, code: i32, reason: &str) -> Value {
        json!({
            "name": name, "image": "x", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "reason": reason, "finishedAt": "2026-01-15T10:29:58Z"}},
        })
    }

    fn waiting(name: &str, reason: &str) -> Value {
        json!({
            "name": name, "image": "x", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": "no such image"}},
        })
    }

    fn pending() -> OneTaskStatus {
        OneTaskStatus {
            name: "job-0".to_owned(),
            last_status: PENDING.to_owned(),
            ..OneTaskStatus::default()
        }
    }

    fn codes(task: &OneTaskStatus) -> (&str, &str, &str) {
        (
            &task.last_status,
            task.stop_code.as_deref().unwrap_or("-"),
            task.stopped_reason.as_deref().unwrap_or("-"),
        )
    }

    /// Returns the task and the step that follow from a pod.
    fn then(before: &OneTaskStatus, pod: &PodState) -> (OneTaskStatus, Step) {
        let Next { task, step, .. } = next(before, Some(pod), false, now());
        (task, step)
    }

    fn without_pod(before: &OneTaskStatus, begun: bool) -> (OneTaskStatus, Step) {
        let Next { task, step, .. } = next(before, None, begun, now());
        (task, step)
    }

    #[test]
    fn a_node_whose_clock_is_ahead_tells_no_time_to_come() {
        let later = json!("2027-01-15T10:30:00Z");
        let mut app = running("app");
        app["state"]["running"]["startedAt"] = later.clone();
        let status = json!({"phase": "Running", "containerStatuses": [app]});
        let (task, _) = then(&pending(), &pod(60, on_node(), status));
        assert_eq!(task.started_at, Some(Time(now())));
        let mut app = ended("app", 0, "Completed");
        app["state"]["terminated"]["finishedAt"] = later;
        let status = json!({"phase": "Succeeded", "containerStatuses": [app]});
        let (task, _) = then(&task, &pod(60, on_node(), status));
        assert_eq!(task.stopped_at, Some(Time(now())));
    }

    fn gated() -> PodState {
        let gate =
            json!({"containers": [], "schedulingGates": [{"name": "ecs-operator.dev/recorded"}]});
        pod(1, gate, json!({"phase": "Pending"}))
    }

    #[test]
    fn a_pod_is_made_once() {
        let new = unreported("job-0".to_owned(), false);
        let (task, step) = without_pod(&new, false);
        assert_eq!((codes(&task).0, step), (PROVISIONING, Step::Create));
        let (task, step) = without_pod(&task, false);
        assert_eq!(step, Step::Create, "it never had its gate removed");
        let (task, step) = then(&task, &gated());
        assert_eq!((codes(&task).0, step), (PENDING, Step::Release));
        let (task, step) = then(&task, &gated());
        assert_eq!(step, Step::Release, "nothing was seen of the removal");
        let seen = pod(1, json!({"containers": []}), json!({"phase": "Pending"}));
        let (task, step) = then(&task, &seen);
        assert_eq!((codes(&task).0, step), (PENDING, Step::Wait));
        let (task, step) = without_pod(&task, false);
        let gone = "The pod of the task is gone: it was deleted, or its node was lost.";
        assert_eq!(codes(&task), (STOPPED, TERMINATION_NOTICE, gone));
        assert_eq!(step, Step::Wait);
        assert_eq!(without_pod(&task, false), (task, Step::Wait));
    }

    #[test]
    fn a_task_whose_status_was_lost_is_not_run_again() {
        for before in [
            unreported("job-0".to_owned(), true),
            // Someone has reset it.
            unreported("job-0".to_owned(), false),
        ] {
            let (task, step) = without_pod(&before, true);
            assert_eq!(
                (codes(&task), step),
                ((STOPPED, TERMINATION_NOTICE, LOST), Step::Wait)
            );
        }
        let status = json!({"phase": "Running", "containerStatuses": [running("app")]});
        let (task, _) = then(
            &unreported("job-0".to_owned(), true),
            &pod(60, on_node(), status),
        );
        assert_eq!(codes(&task), (RUNNING, "-", "-"), "it is told by its pod");
    }

    #[test]
    fn a_pod_whose_containers_have_all_ended_is_left_to_end_by_itself() {
        let spec = json!({"nodeName": "n1", "containers": [], "initContainers": [{"name": "proxy", "restartPolicy": "Always"}]});
        let status = json!({
            "phase": "Running",
            "initContainerStatuses": [running("proxy")],
            "containerStatuses": [ended("app", 0, "Completed")],
        });
        let (task, step) = then(&pending(), &pod(60, spec, status));
        assert_eq!(
            (codes(&task).0, task.exit_code, step),
            (STOPPING, Some(0), Step::Wait)
        );
    }

    #[test]
    fn what_keeps_a_task_from_running_is_told_until_it_runs() {
        let status = json!({"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."},
        ]});
        let seen = pod(5, json!({"containers": []}), status);
        let Next {
            task,
            step,
            obstacle,
        } = next(&pending(), Some(&seen), false, now());
        assert_eq!((codes(&task), step), ((PENDING, "-", "-"), Step::Wait));
        assert_eq!(obstacle.map(|it| it.code.name()), Some("UnableToPlaceTask"));
        let said = task.status_reason.clone().unwrap_or_default();
        assert!(said.contains("1 Insufficient memory: add nodes"), "{said}");
        let status = json!({"phase": "Running", "containerStatuses": [running("app")]});
        let (task, _) = then(&task, &pod(60, on_node(), status));
        assert_eq!(codes(&task).0, RUNNING);
        assert_eq!(task.status_reason, None);
    }

    #[test]
    fn the_exit_code_is_that_of_the_essential_container_that_ended_first() {
        let mut later = ended("other", 0, "Completed");
        later["state"]["terminated"]["finishedAt"] = json!("2026-01-15T10:29:59Z");
        let status =
            json!({"phase": "Failed", "containerStatuses": [later, ended("app", 9, "Error")]});
        let mut seen = pod(60, on_node(), status);
        seen.essential.push("other".to_owned());
        assert_eq!(then(&pending(), &seen).0.exit_code, Some(9));
        let broken =
            json!({"phase": "Failed", "initContainerStatuses": [ended("migrate", 2, "Error")]});
        let (task, _) = then(&pending(), &pod(60, on_node(), broken));
        assert_eq!(task.exit_code, Some(2));
    }

    #[test]
    fn the_wait_for_a_node_is_no_time_in_which_an_image_could_not_be_pulled() {
        let status = json!({
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-15T10:29:58Z"}],
            "containerStatuses": [waiting("app", "ErrImagePull")],
        });
        let (task, step) = then(&pending(), &pod(600, on_node(), status));
        assert_eq!(codes(&task).0, PENDING);
        assert_eq!(step, Step::WaitUntil(now() + SignedDuration::from_secs(43)));
        let told = "CannotPullContainerError: no such image";
        assert_eq!(task.status_reason.as_deref(), Some(told));
    }

    #[test]
    fn the_end_of_an_essential_container_stops_the_others() {
        let status = json!({"phase": "Running", "containerStatuses": [ended("app", 3, "Error"), running("log")]});
        let seen = pod(60, on_node(), status.clone());
        let (task, step) = then(&pending(), &seen);
        let exited = "Essential container in task exited";
        assert_eq!(codes(&task), (STOPPING, ESSENTIAL_CONTAINER_EXITED, exited));
        assert_eq!(step, Step::Stop);
        assert_eq!(task.containers[0].exit_code, Some(3));
        assert_eq!(task.containers[1].last_status.as_deref(), Some(RUNNING));

        let told = json!({"containers": [], "nodeName": "n1", "activeDeadlineSeconds": 1});
        let (task, step) = then(&task, &pod(60, told.clone(), status));
        assert_eq!(step, Step::Wait, "it has been told");

        let status = json!({
            "phase": "Failed", "reason": "DeadlineExceeded",
            "containerStatuses": [ended("app", 3, "Error"), ended("log", 143, "Error")],
        });
        let (task, step) = then(&task, &pod(60, told, status));
        assert_eq!(codes(&task), (STOPPED, ESSENTIAL_CONTAINER_EXITED, exited));
        assert_eq!(task.containers[1].exit_code, Some(143));
        assert_eq!(
            task.stopped_at.map(|t| t.0.to_string()).as_deref(),
            Some("2026-01-15T10:29:58Z")
        );
        assert_eq!(step, Step::Wait);
    }

    #[test]
    fn the_end_of_another_container_stops_nothing() {
        let status = json!({"phase": "Running", "containerStatuses": [running("app"), ended("log", 1, "Error")]});
        let (task, step) = then(&pending(), &pod(60, on_node(), status));
        assert_eq!((codes(&task), step), ((RUNNING, "-", "-"), Step::Wait));
        assert_eq!(
            task.started_at.map(|t| t.0.to_string()).as_deref(),
            Some("2026-01-15T10:29:58Z")
        );
    }

    #[test]
    fn an_image_that_cannot_be_pulled_ends_the_task_after_some_tries() {
        let status =
            json!({"phase": "Pending", "containerStatuses": [waiting("app", "ErrImagePull")]});
        let (task, step) = then(&pending(), &pod(5, on_node(), status.clone()));
        assert_eq!(codes(&task).0, PENDING);
        assert_eq!(step, Step::WaitUntil(now() + SignedDuration::from_secs(40)));
        let (task, step) = then(&task, &pod(45, on_node(), status));
        let reason = "CannotPullContainerError: no such image";
        assert_eq!(codes(&task), (STOPPING, TASK_FAILED_TO_START, reason));
        assert_eq!(step, Step::Stop);
    }

    #[test]
    fn a_sidecar_that_cannot_be_started_again_ends_no_task_that_has_started() {
        let spec = json!({"nodeName": "n1", "containers": [], "initContainers": [{"name": "proxy", "restartPolicy": "Always"}]});
        let running = json!({"phase": "Running", "containerStatuses": [running("app")]});
        let (task, _) = then(&pending(), &pod(60, spec.clone(), running.clone()));
        for reason in [
            "ErrImagePull",
            "CreateContainerConfigError",
            "RunContainerError",
        ] {
            let mut status = running.clone();
            status["initContainerStatuses"] = json!([waiting("proxy", reason)]);
            let (task, step) = then(&task, &pod(7_200, spec.clone(), status));
            assert_eq!(
                (codes(&task), step),
                ((RUNNING, "-", "-"), Step::Wait),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_container_that_others_wait_for_in_vain_ends_the_task() {
        let spec = json!({"nodeName": "n1", "containers": [], "initContainers": [{"name": "db", "restartPolicy": "Always"}]});
        let mut database = running("db");
        database["started"] = json!(false);
        let status = json!({"phase": "Pending", "initContainerStatuses": [database]});
        let mut seen = pod(10, spec, status);
        seen.start_timeouts = vec![crate::decide::start_timeout::StartTimeout {
            container: "db".to_owned(),
            seconds: 15,
            condition: "HEALTHY".to_owned(),
        }];
        let (task, step) = then(&pending(), &seen);
        assert_eq!(codes(&task).0, PENDING);
        assert_eq!(step, Step::WaitUntil(now() + SignedDuration::from_secs(5)));
        seen.start_timeouts[0].seconds = 10;
        let (task, step) = then(&task, &seen);
        let reason = "Container db did not reach HEALTHY within 10 seconds";
        assert_eq!(codes(&task), (STOPPING, TASK_FAILED_TO_START, reason));
        assert_eq!(step, Step::Stop);
    }

    #[test]
    fn each_end_has_its_code() {
        let deleted = |mut pod: PodState| {
            pod.deleting = true;
            pod
        };
        let done =
            json!({"phase": "Succeeded", "containerStatuses": [ended("app", 0, "Completed")]});
        let killed =
            json!({"phase": "Failed", "containerStatuses": [ended("app", 137, "OOMKilled")]});
        let broken =
            json!({"phase": "Failed", "initContainerStatuses": [ended("migrate", 2, "Error")]});
        let runs = json!({"phase": "Running", "containerStatuses": [running("app")]});
        let evicted = json!({
            "phase": "Failed",
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}],
        });
        let lost = json!({"phase": "Failed", "reason": "NodeLost", "message": "the node is gone"});
        let invalid =
            json!({"phase": "Pending", "containerStatuses": [waiting("app", "InvalidImageName")]});
        for (seen, expected) in [
            (
                pod(9, on_node(), done),
                (
                    STOPPED,
                    ESSENTIAL_CONTAINER_EXITED,
                    "Essential container in task exited",
                ),
            ),
            (
                pod(9, on_node(), killed),
                (
                    STOPPED,
                    ESSENTIAL_CONTAINER_EXITED,
                    "OutOfMemoryError: Container killed due to memory usage: app",
                ),
            ),
            (
                pod(9, on_node(), broken),
                (
                    STOPPED,
                    TASK_FAILED_TO_START,
                    "Container migrate exited with code 2",
                ),
            ),
            (
                deleted(pod(9, on_node(), runs)),
                (STOPPING, USER_INITIATED, "Task stopped by user"),
            ),
            (
                pod(9, on_node(), evicted),
                (STOPPED, TERMINATION_NOTICE, "Eviction API: evicting"),
            ),
            (
                pod(9, on_node(), lost),
                (STOPPED, TASK_FAILED_TO_START, "NodeLost: the node is gone"),
            ),
            (
                pod(9, on_node(), invalid),
                (
                    STOPPING,
                    TASK_FAILED_TO_START,
                    "CannotPullContainerError: no such image",
                ),
            ),
        ] {
            let (task, _) = then(&pending(), &seen);
            assert_eq!(codes(&task), expected);
        }
    }

    #[test]
    fn a_task_without_a_node_is_stopped_by_deleting_its_pod() {
        let stopping = OneTaskStatus {
            stop_code: Some(USER_INITIATED.to_owned()),
            ..pending()
        };
        let seen = pod(9, json!({"containers": []}), json!({"phase": "Pending"}));
        let (_, step) = then(&stopping, &seen);
        assert_eq!(step, Step::Delete);
    }
}
