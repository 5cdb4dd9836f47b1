//! The stopped tasks of a service, which ECS reports for about an hour
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>).
//!
//! The reason for a stop is determined when the pod changes: later the container runs again, or the pod is gone. The
//! kubelet restarts an essential container in its pod where ECS starts another task, so each of its ends is a stopped
//! task. A task that ends because of a rollout, a scale-in or its owner is not reported.

use std::cmp::Reverse;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{
    deployment::pods_of,
    failed_tasks::ends_of,
    obstacle,
    pod_state::{ContainerSeen, Doing, End, PodState},
    replacement::Why,
    task_lifecycle::{
        ESSENTIAL_CONTAINER_EXITED, STOPPED, TASK_FAILED_TO_START, TERMINATION_NOTICE, containers,
        failed, reason_of,
    },
    trouble::was_ended_by_check,
};
use crate::crd::{DeploymentStatus, OneTaskStatus, StoppedTask};

/// How long a stopped task is reported.
pub const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// The most stopped tasks that are reported, the newest first.
pub const MOST: usize = 20;

/// The stop code of a task that the service replaces.
pub const SERVICE_SCHEDULER_INITIATED: &str = "ServiceSchedulerInitiated";

/// A stopped task that no status reports yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The service revision of its pod.
    pub revision: Option<String>,
    /// What to report, except the task definition.
    pub task: StoppedTask,
}

/// Returns the task that stopped when a pod became `after`. `before` is the previously known state, `None` if there was
/// none. `now` is by the clock of the operator.
#[must_use]
pub fn stopped(before: Option<&PodState>, after: &PodState, now: Timestamp) -> Option<Stopped> {
    let before = before.filter(|before| before.uid == after.uid);
    if before.is_some_and(|before| before.deleting || before.is_finished()) {
        return None;
    }
    if after.deleting || after.is_finished() && is_ended_from_outside(after) {
        return over(before, after, now);
    }
    again(before, after, now)
}

/// Returns the task of a pod that could not start, and then vanished without being seen to terminate.
#[must_use]
pub fn vanished(before: &PodState, now: Timestamp) -> Option<Stopped> {
    let known = before.deleting || before.is_finished();
    let reason = cannot_start(before).filter(|_| !known)?;
    Some(ended(before, TASK_FAILED_TO_START, reason, now))
}

/// Returns the task that the operator ends by evicting its pod, unless that is already reported.
#[must_use]
pub fn replaced(pod: &PodState, why: &Why, now: Timestamp) -> Option<Stopped> {
    match why {
        // It was reported when the container ended.
        Why::EssentialContainerExited => None,
        Why::TargetUnhealthy | Why::StartsTooLate(_) => {
            Some(ended(pod, why.stop_code(), why.reason().to_owned(), now))
        }
    }
}

/// Adds new tasks, the newest first. The same end is reported once. If nothing is new, nothing changes.
pub fn add(known: &mut Vec<StoppedTask>, new: &[Stopped], deployments: &[DeploymentStatus]) {
    for Stopped { revision, task } in new {
        let is_told = |known: &StoppedTask| known.name == task.name && known.ends == task.ends;
        if known.iter().any(is_told) {
            continue;
        }
        let mut deployments = deployments.iter();
        let deployment = deployments.find(|it| {
            let of = it.service_revision.as_deref().map(pods_of);
            of.is_some() && of == revision.as_deref()
        });
        known.push(StoppedTask {
            task_definition: deployment.and_then(|it| it.task_definition.clone()),
            ..task.clone()
        });
    }
    known.sort_by_cached_key(|task| {
        let at = task.stopped_at.as_ref().map(|time| time.0);
        // Among ends of one pod in the same second, the end of the pod is the last.
        let ends = task.ends.unwrap_or(i64::MAX);
        (Reverse(at), task.name.clone(), Reverse(ends))
    });
    known.truncate(MOST);
}

/// Whether a stopped task is recent enough to be reported.
#[must_use]
pub fn is_recent(task: &StoppedTask, now: Timestamp) -> bool {
    let at = task.stopped_at.as_ref().map(|time| time.0);
    at.is_some_and(|at| now.duration_since(at) <= KEPT)
}

/// Whether the kubelet or the cluster ended a pod, and not its containers.
const fn is_ended_from_outside(pod: &PodState) -> bool {
    pod.disruption.is_some() || pod.ended.is_some()
}

/// Returns the task of a pod that is over, unless the service itself ended it.
fn over(before: Option<&PodState>, after: &PodState, now: Timestamp) -> Option<Stopped> {
    if let Some(message) = &after.disruption {
        let reason = message.clone();
        return Some(ended(after, TERMINATION_NOTICE, reason, now));
    }
    if after.is_finished() {
        let has_started = after.containers.iter().any(has_run);
        let (code, reason) = failed(after, has_started);
        let at = clamped(newest(after).or(after.created_at), now);
        let at = if before.is_some() { now } else { at };
        return is_fresh(at, now).then(|| ended(after, code, reason, at));
    }
    // By now the kubelet may report a container as ended that was never created.
    let reason = cannot_start(before?)?;
    Some(ended(after, TASK_FAILED_TO_START, reason, now))
}

/// Returns the task of an ended container whose pod continues.
fn again(before: Option<&PodState>, after: &PodState, now: Timestamp) -> Option<Stopped> {
    let ends = |pod: &PodState| -> i64 { pod.containers.iter().map(|it| ends_of(pod, it)).sum() };
    let count = ends(after);
    if count <= before.map_or(0, ends) {
        return None;
    }
    let known = |name: &str| {
        let mut known = before.into_iter().flat_map(|before| &before.containers);
        let known = known.find(|known| known.name == name);
        known.map_or(0, |known| before.map_or(0, |before| ends_of(before, known)))
    };
    let ended = after
        .containers
        .iter()
        .filter(|container| ends_of(after, container) > known(&container.name))
        .filter_map(|container| Some((container, last_end(container)?)));
    let (container, end) = ended.max_by_key(|(_, end)| end.at)?;
    let at = match before {
        Some(_) => now,
        // Only the clock of the node is known, which may be wrong.
        None => clamped(end.at, now),
    };
    if !is_fresh(at, now) {
        return None;
    }
    let (code, reason) = why(container, end);
    let mut task = task(after, code, reason, at);
    task.ends = Some(count);
    for status in &mut task.containers {
        if status.name == container.name {
            status.last_status = Some(STOPPED.to_owned());
            status.exit_code = Some(end.exit_code);
            status.reason = reason_of(end);
        }
    }
    Some(Stopped {
        revision: after.revision.clone(),
        task,
    })
}

/// Returns why the end of this container ended its task.
fn why(container: &ContainerSeen, end: &End) -> (&'static str, String) {
    let name = &container.name;
    if matches!(end.reason.as_str(), "StartError" | "ContainerCannotRun") {
        let reason = format!("CannotStartContainerError: {name}: {}", end.reason);
        return (TASK_FAILED_TO_START, reason);
    }
    if end.reason == "OOMKilled" {
        let reason = format!("OutOfMemoryError: Container killed due to memory usage: {name}");
        return (ESSENTIAL_CONTAINER_EXITED, reason);
    }
    if container.init && !container.sidecar {
        let reason = format!("Container {name} exited with code {}", end.exit_code);
        return (TASK_FAILED_TO_START, reason);
    }
    if was_ended_by_check(container, end) {
        let reason = "Task failed container health checks".to_owned();
        return (SERVICE_SCHEDULER_INITIATED, reason);
    }
    let reason = "Essential container in task exited".to_owned();
    (ESSENTIAL_CONTAINER_EXITED, reason)
}

/// Returns why a container of a pod cannot be started, in the words of ECS.
fn cannot_start(pod: &PodState) -> Option<String> {
    let mut containers = pod.containers.iter();
    let obstacle = containers.find_map(|container| obstacle::of_container(&container.state));
    obstacle.map(|obstacle| obstacle.message)
}

/// Returns the stopped task of a pod that is over.
fn ended(pod: &PodState, code: &'static str, reason: String, at: Timestamp) -> Stopped {
    Stopped {
        revision: pod.revision.clone(),
        task: task(pod, code, reason, at),
    }
}

fn task(pod: &PodState, code: &'static str, reason: String, at: Timestamp) -> StoppedTask {
    // The API keeps whole seconds.
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    StoppedTask {
        name: pod.name.clone(),
        task_definition: None,
        stop_code: code.to_owned(),
        stopped_reason: reason,
        ends: None,
        stopped_at: Some(Time(at)),
        containers: containers(&OneTaskStatus::default(), pod),
    }
}

/// Returns the newest end of a container.
const fn last_end(container: &ContainerSeen) -> Option<&End> {
    match &container.state {
        Doing::Ended(end) => Some(end),
        Doing::Unknown | Doing::Waiting(..) | Doing::Running { .. } => container.last_end.as_ref(),
    }
}

const fn has_run(container: &ContainerSeen) -> bool {
    !container.init
        && (container.restarts > 0
            || matches!(container.state, Doing::Running { .. } | Doing::Ended(_)))
}

/// Returns when the last container of a pod ended.
fn newest(pod: &PodState) -> Option<Timestamp> {
    let ends = pod.containers.iter().filter_map(|it| last_end(it)?.at);
    ends.max()
}

fn clamped(at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    at.map_or(now, |at| at.min(now))
}

fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) <= KEPT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::Phase;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn end(exit_code: i32, reason: &str, second: i64) -> End {
        End {
            exit_code,
            reason: reason.to_owned(),
            at: Some(at(second)),
        }
    }

    fn pod(restarts: i32, state: Doing, last_end: Option<End>) -> PodState {
        PodState {
            name: "web-1".to_owned(),
            uid: "1".to_owned(),
            revision: Some("1a2b".to_owned()),
            containers: vec![ContainerSeen {
                name: "app".to_owned(),
                restarts,
                state,
                last_end,
                ..ContainerSeen::default()
            }],
            ..PodState::default()
        }
    }

    const RUNS: Doing = Doing::Running {
        since: None,
        started: true,
    };

    fn waits(reason: &str) -> Doing {
        Doing::Waiting(reason.to_owned(), "no such image".to_owned())
    }

    /// Returns what is reported for a pod that goes through these states, one second each.
    fn told(states: &[PodState]) -> Vec<(String, String, Option<i64>)> {
        let mut known = Vec::new();
        for (second, index) in (100..).zip(0..states.len()) {
            let before = index.checked_sub(1).map(|before| &states[before]);
            let new = stopped(before, &states[index], at(second));
            add(&mut known, new.as_slice(), &[]);
        }
        let tell = |it: StoppedTask| (it.stop_code, it.stopped_reason, it.ends);
        known.into_iter().rev().map(tell).collect()
    }

    fn told_once(states: &[PodState]) -> (String, String) {
        let mut told = told(states);
        assert_eq!(told.len(), 1, "{told:?}");
        told.pop()
            .map(|(code, reason, _)| (code, reason))
            .unwrap_or_default()
    }

    #[test]
    fn each_end_of_a_container_that_is_started_again_is_a_stopped_task() {
        let crash = end(3, "Error", 100);
        let states = [
            pod(0, RUNS, None),
            pod(0, Doing::Ended(crash.clone()), None),
            pod(0, waits("CrashLoopBackOff"), Some(crash.clone())),
            pod(1, RUNS, Some(crash.clone())),
            pod(1, RUNS, Some(crash.clone())),
            // One end was not observed.
            pod(2, RUNS, Some(end(3, "Error", 105))),
        ];
        let exited = "Essential container in task exited".to_owned();
        let one = |ends| (ESSENTIAL_CONTAINER_EXITED.to_owned(), exited.clone(), ends);
        assert_eq!(told(&states), [one(Some(1)), one(Some(2))]);
        let seen = stopped(Some(&states[0]), &states[1], at(101)).expect("it has stopped");
        assert_eq!(seen.task.stopped_at, Some(Time(at(101))));
        let container = &seen.task.containers[0];
        assert_eq!(
            (container.exit_code, container.last_status.as_deref()),
            (Some(3), Some(STOPPED))
        );
        let seen = stopped(Some(&states[4]), &states[5], at(106)).expect("it has stopped");
        assert_eq!(seen.task.containers[0].exit_code, Some(3), "as it ended");
    }

    #[test]
    fn each_end_has_its_code() {
        let ends = |end: End, change: fn(&mut ContainerSeen)| {
            let mut after = pod(0, Doing::Ended(end), None);
            change(&mut after.containers[0]);
            told_once(&[pod(0, RUNS, None), after])
        };
        let checked: fn(&mut ContainerSeen) = |it| it.checked = true;
        let init: fn(&mut ContainerSeen) = |it| it.init = true;
        for (end, change, code, reason) in [
            (
                end(137, "OOMKilled", 1),
                checked,
                ESSENTIAL_CONTAINER_EXITED,
                "OutOfMemoryError: Container killed due to memory usage: app",
            ),
            (
                end(137, "Error", 1),
                checked,
                SERVICE_SCHEDULER_INITIATED,
                "Task failed container health checks",
            ),
            (
                end(2, "Error", 1),
                init,
                TASK_FAILED_TO_START,
                "Container app exited with code 2",
            ),
            (
                end(128, "StartError", 1),
                checked,
                TASK_FAILED_TO_START,
                "CannotStartContainerError: app: StartError",
            ),
        ] {
            assert_eq!(ends(end, change), (code.to_owned(), reason.to_owned()));
        }
    }

    #[test]
    fn a_task_that_could_not_start_is_told_when_its_pod_goes() {
        let pulls = pod(0, waits("ErrImagePull"), None);
        let again = pod(0, waits("ImagePullBackOff"), None);
        assert_eq!(told(&[pulls.clone(), again]), [], "it may still start");
        let unknown = end(137, "ContainerStatusUnknown", 1);
        let mut goes = pod(0, Doing::Ended(unknown), None);
        goes.deleting = true;
        let reason = "CannotPullContainerError: no such image".to_owned();
        let expected = (TASK_FAILED_TO_START.to_owned(), reason);
        let gone = [pulls.clone(), goes.clone(), goes.clone()];
        assert_eq!(told_once(&gone), expected);
        let vanished = |pod: &PodState| vanished(pod, at(1)).map(|it| it.task.stop_code);
        assert_eq!(vanished(&pulls).as_deref(), Some(TASK_FAILED_TO_START));
        assert_eq!(vanished(&goes), None);
    }

    #[test]
    fn what_is_told_to_go_is_not_told() {
        let deleting = |state| {
            let mut pod = pod(0, state, None);
            pod.deleting = true;
            pod
        };
        let killed = Doing::Ended(end(143, "Error", 102));
        let states = [pod(0, RUNS, None), deleting(RUNS), deleting(killed)];
        assert_eq!(told(&states), []);
    }

    #[test]
    fn a_pod_that_goes_with_its_node_is_told_once() {
        let mut evicted = pod(0, RUNS, None);
        evicted.disruption = Some("Eviction API: evicting".to_owned());
        let mut goes = evicted.clone();
        goes.deleting = true;
        let mut failed = goes.clone();
        failed.phase = Phase::Failed;
        let states = [pod(0, RUNS, None), evicted, goes, failed];
        let expected = (
            TERMINATION_NOTICE.to_owned(),
            "Eviction API: evicting".to_owned(),
        );
        assert_eq!(told_once(&states), expected);
    }

    #[test]
    fn a_pod_that_the_kubelet_gave_up_is_told_once() {
        let mut pressed = pod(0, RUNS, None);
        pressed.phase = Phase::Failed;
        pressed.ended = Some((
            "Evicted".to_owned(),
            "The node was low on memory".to_owned(),
        ));
        let mut later = pressed.clone();
        later.containers[0].state = Doing::Ended(end(137, "Error", 102));
        let states = [pod(0, RUNS, None), pressed, later];
        let reason = "Evicted: The node was low on memory".to_owned();
        let expected = (ESSENTIAL_CONTAINER_EXITED.to_owned(), reason);
        assert_eq!(told_once(&states), expected);
    }

    #[test]
    fn a_new_operator_tells_again_only_what_is_new() {
        let crashed = pod(1, RUNS, Some(end(3, "Error", 100)));
        let first = stopped(None, &crashed, at(160)).expect("it stopped a minute ago");
        assert_eq!(first.task.stopped_at, Some(Time(at(100))));
        let mut known = Vec::new();
        add(&mut known, std::slice::from_ref(&first), &[]);
        let mut again = stopped(None, &crashed, at(200)).expect("it is told again");
        again.task.stopped_at = Some(Time(at(130)));
        add(&mut known, &[again], &[]);
        assert_eq!(known, [first.task], "it is the same end");
        assert_eq!(stopped(None, &crashed, at(100 + 3_601)), None);
        let ahead = pod(1, RUNS, Some(end(3, "Error", 9_000)));
        let seen = stopped(None, &ahead, at(100)).map(|it| it.task.stopped_at);
        assert_eq!(seen, Some(Some(Time(at(100)))), "no clock is ahead of ours");
    }

    #[test]
    fn the_newest_are_kept_for_an_hour_with_their_task_definition() {
        let one = |number: i64| {
            let mut pod = pod(0, RUNS, None);
            pod.name = format!("web-{number}");
            ended(&pod, TERMINATION_NOTICE, "gone".to_owned(), at(number))
        };
        let deployment = DeploymentStatus {
            service_revision: Some("1a2b-3c".to_owned()),
            task_definition: Some("web:3".to_owned()),
            ..DeploymentStatus::default()
        };
        let mut known = Vec::new();
        let new: Vec<Stopped> = (0..30).map(one).collect();
        add(&mut known, &new, &[deployment]);
        assert_eq!((known.len(), known[0].name.as_str()), (MOST, "web-29"));
        assert_eq!(known[0].task_definition.as_deref(), Some("web:3"));
        assert!(is_recent(&known[0], at(29 + 3_600)));
        assert!(!is_recent(&known[0], at(30 + 3_600)));
        let before = known.clone();
        add(&mut known, &[], &[]);
        assert_eq!(known, before);
    }

    #[test]
    fn the_ends_of_one_second_are_in_order_too() {
        let one = |ends| {
            let mut one = ended(
                &pod(0, RUNS, None),
                TERMINATION_NOTICE,
                String::new(),
                at(1),
            );
            one.task.ends = ends;
            one
        };
        let mut known = Vec::new();
        add(&mut known, &[one(Some(1)), one(None), one(Some(2))], &[]);
        let ends: Vec<Option<i64>> = known.iter().map(|it| it.ends).collect();
        assert_eq!(ends, [None, Some(2), Some(1)]);
    }

    #[test]
    fn what_the_operator_replaces_is_told_by_its_reason() {
        let pod = pod(0, RUNS, None);
        let seen = replaced(&pod, &Why::TargetUnhealthy, at(1)).map(|it| it.task.stop_code);
        assert_eq!(seen.as_deref(), Some(SERVICE_SCHEDULER_INITIATED));
        let told = replaced(&pod, &Why::EssentialContainerExited, at(1));
        assert_eq!(told, None, "it was told when the container ended");
    }
}
