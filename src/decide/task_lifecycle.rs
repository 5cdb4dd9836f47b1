//! The life of a stand-alone task, from the pod that runs it
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html>).
//!
//! A task runs once: what was reported of it before decides together with its pod, so that a pod that is gone is not
//! made again.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{
    pod_state::{ContainerSeen, Doing, End, Phase, PodState},
    start_timeout::{self, Start},
};
use crate::crd::{ContainerStatus, OneTaskStatus};

/// How long the image of a task may be pulled in vain: three tries of the kubelet, 10 and 20 seconds apart, and the
/// time that they take.
pub const PULL_PATIENCE: SignedDuration = SignedDuration::from_secs(45);

/// The status of a task whose pod is not made yet.
pub const PROVISIONING: &str = "PROVISIONING";
/// The status of a task whose containers are not all started.
pub const PENDING: &str = "PENDING";
/// The status of a task that runs.
pub const RUNNING: &str = "RUNNING";
/// The status of a task whose containers are told to end.
pub const STOPPING: &str = "STOPPING";
/// The status of a task that has ended.
pub const STOPPED: &str = "STOPPED";

const ESSENTIAL_CONTAINER_EXITED: &str = "EssentialContainerExited";
const TASK_FAILED_TO_START: &str = "TaskFailedToStart";
const USER_INITIATED: &str = "UserInitiated";
const TERMINATION_NOTICE: &str = "TerminationNotice";

/// What is to be done with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing before something changes.
    Wait,
    /// Nothing before this time.
    WaitUntil(Timestamp),
    /// Its pod is to be made.
    Create,
    /// Its containers are to be stopped with their grace period, and its pod to be kept for their exit codes.
    Stop,
    /// Its pod is to be deleted, because it has no node that could stop it.
    Delete,
}

/// The next status of a task, and what is to be done.
///
/// `before` is what was reported last, `None` for a task that is new. An exit code that was seen is never forgotten.
#[must_use]
pub fn next(
    name: &str,
    before: Option<&OneTaskStatus>,
    pod: Option<&PodState>,
    now: Timestamp,
) -> (OneTaskStatus, Step) {
    let before = before.cloned().unwrap_or_else(|| OneTaskStatus {
        name: name.to_owned(),
        last_status: PROVISIONING.to_owned(),
        ..OneTaskStatus::default()
    });
    if before.last_status == STOPPED {
        return (before, Step::Wait);
    }
    match pod {
        None if before.last_status == PROVISIONING => (before, Step::Create),
        None => (vanished(before, now), Step::Wait),
        Some(pod) => observed(before, pod, now),
    }
}

/// A task whose pod is gone without having been seen to end.
fn vanished(before: OneTaskStatus, now: Timestamp) -> OneTaskStatus {
    let code = before.stop_code.clone();
    let reason = before.stopped_reason.clone();
    OneTaskStatus {
        last_status: STOPPED.to_owned(),
        stop_code: code.or_else(|| Some(TERMINATION_NOTICE.to_owned())),
        stopped_reason: reason.or_else(|| {
            Some("The pod of the task is gone: it was deleted, or its node was lost.".to_owned())
        }),
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
        task.started_at = started_at(pod).map(Time);
    }
    let end = why_it_ends(pod, task.started_at.is_some(), now);
    if task.stop_code.is_none()
        && let Some((code, reason)) = &end
    {
        task.stop_code = Some((*code).to_owned());
        task.stopped_reason = Some(reason.clone());
    }
    let stopping = task.stop_code.is_some();
    let (status, step) = match pod.phase {
        Phase::Succeeded | Phase::Failed => {
            task.stopped_at = Some(Time(ended_at(pod).unwrap_or(now)));
            (STOPPED, Step::Wait)
        }
        Phase::Pending | Phase::Running if pod.deleting => (STOPPING, Step::Wait),
        Phase::Pending | Phase::Running if stopping && !pod.scheduled => (STOPPING, Step::Delete),
        Phase::Pending | Phase::Running if stopping && pod.has_deadline => (STOPPING, Step::Wait),
        Phase::Pending | Phase::Running if stopping => (STOPPING, Step::Stop),
        Phase::Running if task.started_at.is_some() => (RUNNING, Step::Wait),
        Phase::Pending | Phase::Running => (PENDING, patience(pod, now)),
    };
    status.clone_into(&mut task.last_status);
    (task, step)
}

/// When all main containers had been started, if they have.
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

/// Why a task ends or has ended: a stop code of ECS and a reason in its words.
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
    if let Some(reason) = cannot_start(pod, now) {
        return Some((TASK_FAILED_TO_START, reason));
    }
    if let Start::Late(reason) = start_timeout::look(pod, now) {
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

/// The first essential main container that has ended for good, or a failed init container.
fn essential_end(pod: &PodState) -> Option<(&str, &End)> {
    let main = pod.containers.iter().filter(|container| !container.init);
    main.filter(|container| pod.is_essential(&container.name))
        .find_map(|container| Some((container.name.as_str(), end_of(container)?)))
}

/// A pod that failed without an essential container having ended.
fn failed(pod: &PodState, has_started: bool) -> (&'static str, String) {
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

/// Why a container cannot be started, once that is certain.
fn cannot_start(pod: &PodState, now: Timestamp) -> Option<String> {
    pod.containers.iter().find_map(|container| {
        let Doing::Waiting(reason, message) = &container.state else {
            return None;
        };
        let kind = match reason.as_str() {
            "ErrImagePull" | "ImagePullBackOff" if out_of_patience(pod, now) => {
                "CannotPullContainerError"
            }
            "InvalidImageName" => "CannotPullContainerError",
            "CreateContainerConfigError" | "CreateContainerError" if out_of_patience(pod, now) => {
                "CannotCreateContainerError"
            }
            "RunContainerError" => "CannotStartContainerError",
            _ => return None,
        };
        Some(format!("{kind}: {message}"))
    })
}

fn out_of_patience(pod: &PodState, now: Timestamp) -> bool {
    deadline(pod).is_some_and(|deadline| deadline <= now)
}

fn deadline(pod: &PodState) -> Option<Timestamp> {
    pod.created_at?.checked_add(PULL_PATIENCE).ok()
}

/// When to look again at a task that does not start.
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

/// The containers as ECS describes them. What was seen to have ended stays so.
fn containers(before: &OneTaskStatus, pod: &PodState) -> Vec<ContainerStatus> {
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
                status.reason = match end.reason.as_str() {
                    "OOMKilled" => {
                        Some("OutOfMemoryError: Container killed due to memory usage".to_owned())
                    }
                    "Completed" | "Error" | "" => None,
                    other => Some(other.to_owned()),
                };
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-01-15T10:30:00Z";

    fn now() -> Timestamp {
        NOW.parse().expect("it is a time")
    }

    /// A pod that was made so many seconds ago.
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

    #[test]
    fn a_pod_is_made_once() {
        let (task, step) = next("job-0", None, None, now());
        assert_eq!((codes(&task).0, step), (PROVISIONING, Step::Create));
        let (task, step) = next("job-0", Some(&task), None, now());
        assert_eq!(step, Step::Create, "nothing was seen of it yet");
        let seen = pod(1, json!({"containers": []}), json!({"phase": "Pending"}));
        let (task, step) = next("job-0", Some(&task), Some(&seen), now());
        assert_eq!((codes(&task).0, step), (PENDING, Step::Wait));
        let (task, step) = next("job-0", Some(&task), None, now());
        assert_eq!(
            codes(&task),
            (
                STOPPED,
                TERMINATION_NOTICE,
                "The pod of the task is gone: it was deleted, or its node was lost."
            )
        );
        assert_eq!(step, Step::Wait);
        assert_eq!(next("job-0", Some(&task), None, now()), (task, Step::Wait));
    }

    #[test]
    fn the_end_of_an_essential_container_stops_the_others() {
        let status = json!({"phase": "Running", "containerStatuses": [ended("app", 3, "Error"), running("log")]});
        let seen = pod(60, on_node(), status.clone());
        let (task, step) = next("job-0", Some(&pending()), Some(&seen), now());
        let exited = "Essential container in task exited";
        assert_eq!(codes(&task), (STOPPING, ESSENTIAL_CONTAINER_EXITED, exited));
        assert_eq!(step, Step::Stop);
        assert_eq!(task.containers[0].exit_code, Some(3));
        assert_eq!(task.containers[1].last_status.as_deref(), Some(RUNNING));

        let told = json!({"containers": [], "nodeName": "n1", "activeDeadlineSeconds": 1});
        let (task, step) = next(
            "job-0",
            Some(&task),
            Some(&pod(60, told.clone(), status)),
            now(),
        );
        assert_eq!(step, Step::Wait, "it has been told");

        let status = json!({
            "phase": "Failed", "reason": "DeadlineExceeded",
            "containerStatuses": [ended("app", 3, "Error"), ended("log", 143, "Error")],
        });
        let (task, step) = next("job-0", Some(&task), Some(&pod(60, told, status)), now());
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
        let (task, step) = next(
            "job-0",
            Some(&pending()),
            Some(&pod(60, on_node(), status)),
            now(),
        );
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
        let (task, step) = next(
            "job-0",
            Some(&pending()),
            Some(&pod(5, on_node(), status.clone())),
            now(),
        );
        assert_eq!(codes(&task).0, PENDING);
        assert_eq!(step, Step::WaitUntil(now() + SignedDuration::from_secs(40)));
        let (task, step) = next(
            "job-0",
            Some(&task),
            Some(&pod(45, on_node(), status)),
            now(),
        );
        let reason = "CannotPullContainerError: no such image";
        assert_eq!(codes(&task), (STOPPING, TASK_FAILED_TO_START, reason));
        assert_eq!(step, Step::Stop);
    }

    #[test]
    fn a_container_that_others_wait_for_in_vain_ends_the_task() {
        let spec = json!({"nodeName": "n1", "containers": [], "initContainers": [{"name": "db", "restartPolicy": "Always"}]});
        let mut database = running("db");
        database["started"] = json!(false);
        let status = json!({"phase": "Pending", "initContainerStatuses": [database]});
        let mut seen = pod(10, spec, status);
        seen.start_timeouts = vec![crate::decide::pod_state::StartTimeout {
            container: "db".to_owned(),
            seconds: 15,
            condition: "HEALTHY".to_owned(),
        }];
        let (task, step) = next("job-0", Some(&pending()), Some(&seen), now());
        assert_eq!(codes(&task).0, PENDING);
        assert_eq!(step, Step::WaitUntil(now() + SignedDuration::from_secs(5)));
        seen.start_timeouts[0].seconds = 10;
        let (task, step) = next("job-0", Some(&task), Some(&seen), now());
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
            let (task, _) = next("job-0", Some(&pending()), Some(&seen), now());
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
        let (_, step) = next("job-0", Some(&stopping), Some(&seen), now());
        assert_eq!(step, Step::Delete);
    }
}
