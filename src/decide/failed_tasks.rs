//! The failed tasks of a deployment, counted as the circuit breaker counts them
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>).
//!
//! The kubelet restarts a container in its pod where ECS starts another task, so each end of an essential container is
//! a failed task. Ends because the pod is being deleted do not count, nor do tasks that find no node.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{
    pod_state::{ContainerSeen, Doing, Phase, PodState},
    start_timeout::{self, Start},
    target_health,
    trouble::{self, fails_checks},
};
use crate::crd::TaskFailures;

/// A container that cannot be started counts as a failed task once per this time: the kubelet keeps retrying with one
/// pod where ECS fails with one task after another.
const TRY: SignedDuration = SignedDuration::from_secs(10);

/// How late a Secret may be: the kubelet retries after 10 to 15 seconds, and External Secrets has to ask AWS first.
const LATE: SignedDuration = SignedDuration::from_secs(30);

/// The name under which tasks that were never created are counted.
const NOT_CREATED: &str = "";

/// The input for counting.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The pods of a deployment.
    pub pods: &'a [Arc<PodState>],
    /// Why the API server creates no pod of the deployment.
    pub not_created: Option<&'a str>,
    /// How many seconds a load balancer may report a new task as unhealthy.
    pub grace: i64,
    /// The current time.
    pub now: Timestamp,
}

/// The result of counting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Count {
    /// The number of new failures.
    pub new: i64,
    /// The failures counted so far for the existing pods.
    pub by_pod: BTreeMap<String, TaskFailures>,
    /// Whether the last new failure is one of health checks.
    pub failed_checks: bool,
    /// The last new failure, and what to do about it.
    pub last: Option<String>,
    /// When to count again if nothing changes.
    pub again: Option<Timestamp>,
}

/// Counts the failures that are not in `known` yet.
#[must_use]
pub fn count(look: Look<'_>, known: &BTreeMap<String, TaskFailures>) -> Count {
    let mut count = Count::default();
    for pod in look.pods {
        let before = known.get(&pod.name).cloned().unwrap_or_default();
        let after = if pod.deleting {
            before.clone()
        } else {
            failures(pod, &before, look)
        };
        let new = after.count - before.count;
        if new > 0 {
            count.new += new;
            count.failed_checks =
                pod.containers.iter().any(fails_checks) || pod.behind_load_balancer;
            let why = trouble::of_pod(pod).map(|trouble| trouble.message);
            count.last = why.or(count.last);
        }
        if !pod.deleting && cannot_start(pod) {
            count.look_again(look.now.checked_add(TRY).ok());
        }
        if !pod.deleting {
            let at = target_health::unhealthy_at(pod, look.grace);
            count.look_again(at.filter(|at| *at > look.now));
        }
        if after != TaskFailures::default() {
            count.by_pod.insert(pod.name.clone(), after);
        }
    }
    if let Some(why) = look.not_created {
        count.not_created(why, known, look.now);
    }
    count
}

impl Count {
    fn look_again(&mut self, at: Option<Timestamp>) {
        self.again = self.again.into_iter().chain(at).min();
    }

    /// Counts a pod that cannot be created as a task that repeatedly fails to start.
    fn not_created(&mut self, why: &str, known: &BTreeMap<String, TaskFailures>, now: Timestamp) {
        let mut after = known.get(NOT_CREATED).cloned().unwrap_or_default();
        if is_due(&after, now) {
            after.count += 1;
            after.not_started_at = Some(Time(now));
            self.new += 1;
            self.last = Some(trouble::of_creation(why).message);
        }
        self.by_pod.insert(NOT_CREATED.to_owned(), after);
        self.look_again(now.checked_add(TRY).ok());
    }
}

/// Counts the failures that the pods show now, without earlier counts.
#[must_use]
pub fn seen(look: Look<'_>) -> Count {
    Count {
        by_pod: BTreeMap::new(),
        ..count(look, &BTreeMap::new())
    }
}

/// Returns what happened to the pods before a deployment begins, which does not count in it.
#[must_use]
pub fn baseline(look: Look<'_>) -> BTreeMap<String, TaskFailures> {
    let one = |pod: &Arc<PodState>| TaskFailures {
        count: 0,
        ends: ends(pod, look),
        not_started_at: None,
    };
    let all = look.pods.iter().map(|pod| (pod.name.clone(), one(pod)));
    let all = all.filter(|(_, one)| *one != TaskFailures::default());
    // What kept tasks of the previous deployment from being created may not affect this one.
    let not_created = look.not_created.map(|_| TaskFailures {
        not_started_at: Some(Time(look.now)),
        ..TaskFailures::default()
    });
    all.chain(not_created.map(|it| (NOT_CREATED.to_owned(), it)))
        .collect()
}

/// Returns the failures of one pod so far.
fn failures(pod: &PodState, before: &TaskFailures, look: Look<'_>) -> TaskFailures {
    let ends = ends(pod, look).max(before.ends);
    let mut after = TaskFailures {
        count: before.count + ends - before.ends,
        ends,
        not_started_at: before.not_started_at.clone(),
    };
    if cannot_start(pod) && !is_about_to(pod, look.now) && is_due(before, look.now) {
        after.count += 1;
        after.not_started_at = Some(Time(look.now));
    }
    after
}

/// Whether a task that does not start counts again.
fn is_due(before: &TaskFailures, now: Timestamp) -> bool {
    let last = before.not_started_at.as_ref().map(|time| time.0);
    last.is_none_or(|last| now.duration_since(last) >= TRY)
}

/// Returns how often the task of a pod has ended.
fn ends(pod: &PodState, look: Look<'_>) -> i64 {
    let ends: i64 = pod.containers.iter().map(|it| ends_of(pod, it)).sum();
    let was_ended = pod.phase == Phase::Failed && pod.disruption.is_none();
    let is_late = matches!(start_timeout::look(pod, look.now), Start::Late(_));
    let unhealthy = target_health::is_unhealthy(pod, look.grace, look.now);
    ends.max(i64::from(was_ended || is_late || unhealthy))
}

/// Returns how often a container has ended in a way that stops its task in ECS.
pub(super) fn ends_of(pod: &PodState, container: &ContainerSeen) -> i64 {
    let prepares = container.init && !container.sidecar;
    if !prepares && !pod.is_essential(&container.name) || pod.disruption.is_some() {
        return 0;
    }
    let last = match &container.state {
        Doing::Ended(end) => !prepares || end.exit_code != 0,
        Doing::Waiting(reason, _) => reason == "CrashLoopBackOff",
        Doing::Unknown | Doing::Running { .. } => false,
    };
    i64::from(container.restarts) + i64::from(last)
}

/// Whether the kubelet reports that a container cannot be started
/// (<https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff>).
fn cannot_start(pod: &PodState) -> bool {
    pod.containers.iter().any(|container| {
        matches!(
            &container.state,
            Doing::Waiting(reason, _) if matches!(
                reason.as_str(),
                "ErrImagePull"
                    | "ImagePullBackOff"
                    | "ErrImageNeverPull"
                    | "InvalidImageName"
                    | "CreateContainerConfigError"
                    | "CreateContainerError"
                    | "RunContainerError"
            )
        )
    })
}

/// Whether a Secret that a container needs may only be late: External Secrets creates the one of a new revision after
/// its pods exist. Without registry credentials, pulling an image fails.
fn is_about_to(pod: &PodState, now: Timestamp) -> bool {
    pod.containers.iter().any(|container| {
        let lacks = match &container.state {
            Doing::Waiting(reason, _) => match reason.as_str() {
                "CreateContainerConfigError" => true,
                "ErrImagePull" | "ImagePullBackOff" => pod.has_pull_secrets,
                _ => false,
            },
            Doing::Unknown | Doing::Running { .. } | Doing::Ended(_) => false,
        };
        let seen = container.seen.filter(|_| lacks);
        seen.is_some_and(|seen| now.duration_since(seen) < LATE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::End;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn look(pods: &[Arc<PodState>], second: i64) -> Look<'_> {
        Look {
            pods,
            not_created: None,
            grace: 0,
            now: at(second),
        }
    }

    fn pod(restarts: i32, state: Doing) -> PodState {
        PodState {
            name: "web-1".to_owned(),
            containers: vec![ContainerSeen {
                name: "web".to_owned(),
                restarts,
                state,
                ..ContainerSeen::default()
            }],
            ..PodState::default()
        }
    }

    /// Returns the new failures, step by step, for a pod in these states at these times.
    fn steps(states: &[(i64, PodState)]) -> Vec<i64> {
        let mut known = BTreeMap::new();
        let count = |(second, pod): &(i64, PodState)| {
            let count = count(look(&[Arc::new(pod.clone())], *second), &known);
            known = count.by_pod;
            count.new
        };
        states.iter().map(count).collect()
    }

    fn running() -> Doing {
        Doing::Running {
            since: None,
            started: true,
        }
    }

    fn waiting(reason: &str) -> Doing {
        Doing::Waiting(reason.to_owned(), String::new())
    }

    fn ended(exit_code: i32) -> Doing {
        Doing::Ended(End {
            exit_code,
            ..End::default()
        })
    }

    #[test]
    fn each_end_counts_once() {
        let seen = [
            (0, pod(0, running())),
            (1, pod(0, ended(1))),
            (2, pod(1, running())),
            (3, pod(1, waiting("CrashLoopBackOff"))),
            (4, pod(3, running())),
            (5, pod(3, running())),
        ];
        assert_eq!(steps(&seen), [0, 1, 0, 1, 1, 0]);
    }

    #[test]
    fn what_cannot_start_counts_at_once_and_every_ten_seconds() {
        let seen = [
            (0, pod(0, waiting("ContainerCreating"))),
            (1, pod(0, waiting("ErrImagePull"))),
            (2, pod(0, waiting("ImagePullBackOff"))),
            (11, pod(0, waiting("ErrImagePull"))),
            (20, pod(0, waiting("ImagePullBackOff"))),
            (21, pod(0, waiting("CreateContainerConfigError"))),
            (60, pod(0, running())),
        ];
        assert_eq!(steps(&seen), [0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_secret_that_comes_a_moment_later_is_no_failure() {
        let mut lacks = pod(0, waiting("CreateContainerConfigError"));
        lacks.containers[0].seen = Some(at(1));
        let late = [
            (1, lacks.clone()),
            (11, lacks.clone()),
            (30, lacks.clone()),
            (31, pod(0, running())),
        ];
        assert_eq!(steps(&late), [0, 0, 0, 0]);
        let never = [
            (1, lacks.clone()),
            (31, lacks.clone()),
            (32, lacks.clone()),
            (41, lacks),
        ];
        assert_eq!(steps(&never), [0, 1, 0, 1]);
        let mut pulls = pod(0, waiting("ErrImagePull"));
        pulls.containers[0].seen = Some(at(1));
        assert_eq!(steps(&[(2, pulls.clone())]), [1]);
        pulls.has_pull_secrets = true;
        let late = [(2, pulls.clone()), (20, pulls.clone()), (31, pulls)];
        assert_eq!(steps(&late), [0, 0, 1]);
    }

    #[test]
    fn what_is_told_to_go_does_not_count() {
        let mut deleting = pod(2, ended(143));
        deleting.deleting = true;
        assert_eq!(steps(&[(0, deleting.clone())]), [0]);
        assert_eq!(steps(&[(0, pod(1, running())), (1, deleting)]), [1, 0]);
        let mut drained = pod(0, ended(143));
        drained.disruption = Some("Eviction API: evicting".to_owned());
        drained.phase = Phase::Failed;
        assert_eq!(steps(&[(0, drained)]), [0]);
        let mut unplaced = pod(0, Doing::Unknown);
        unplaced.unschedulable = Some("0/1 nodes are available".to_owned());
        assert_eq!(steps(&[(0, unplaced)]), [0]);
    }

    #[test]
    fn a_pod_that_the_kubelet_gave_up_is_one_failure() {
        let mut evicted = pod(0, Doing::Unknown);
        evicted.phase = Phase::Failed;
        assert_eq!(steps(&[(0, evicted.clone()), (1, evicted)]), [1, 0]);
    }

    #[test]
    fn containers_whose_end_is_not_that_of_the_task_do_not_count() {
        let mut beside = pod(5, ended(1));
        beside.essential = vec!["app".to_owned()];
        assert_eq!(steps(&[(0, beside.clone())]), [0]);
        beside.containers[0].init = true;
        assert_eq!(steps(&[(0, beside.clone())]), [6], "the task waits for it");
        beside.containers[0].sidecar = true;
        assert_eq!(steps(&[(0, beside)]), [0]);
        let mut prepared = pod(0, ended(0));
        prepared.containers[0].init = true;
        assert_eq!(steps(&[(0, prepared)]), [0]);
    }

    #[test]
    fn without_a_memory_the_same_is_seen_again() {
        let pods = [Arc::new(pod(2, ended(1)))];
        for _ in 0..2 {
            let seen = seen(look(&pods, 0));
            assert_eq!((seen.new, seen.by_pod.len()), (3, 0));
        }
    }

    #[test]
    fn an_end_by_a_check_is_told_from_others() {
        let looked = |checked, code| {
            let mut pod = pod(0, ended(code));
            pod.containers[0].checked = checked;
            count(look(&[Arc::new(pod)], 0), &BTreeMap::new()).failed_checks
        };
        assert!(looked(true, 137) && looked(true, 143));
        assert!(!looked(false, 137) && !looked(true, 1));
    }

    #[test]
    fn a_pod_that_cannot_be_made_counts_at_once_and_every_ten_seconds() {
        let mut known = BTreeMap::new();
        let mut counted = |second, not_created| {
            let look = Look {
                not_created,
                ..look(&[], second)
            };
            let count = count(look, &known);
            known = count.by_pod;
            (count.new, count.last.is_some())
        };
        let quota = Some("exceeded quota");
        assert_eq!(counted(0, quota), (1, true));
        assert_eq!(counted(5, quota), (0, false));
        assert_eq!(counted(10, quota), (1, true));
        assert_eq!(counted(30, None), (0, false));
    }

    #[test]
    fn what_cannot_be_made_as_a_deployment_begins_is_not_its_failure_yet() {
        let look = |second| Look {
            not_created: Some("exceeded quota"),
            ..look(&[], second)
        };
        let known = baseline(look(0));
        assert_eq!(count(look(0), &known).new, 0);
        let count = count(look(9), &known);
        assert_eq!((count.new, count.last), (0, None));
        assert_eq!(super::count(look(10), &known).new, 1);
    }

    #[test]
    fn a_target_that_stays_unhealthy_is_one_failure() {
        let mut unhealthy = pod(0, running());
        unhealthy.behind_load_balancer = true;
        unhealthy.fails_target_checks_seen = Some(at(0));
        let after = i64::from(target_health::PATIENCE);
        let seen = [
            (1, unhealthy.clone()),
            (after, unhealthy.clone()),
            (after + 1, unhealthy),
        ];
        assert_eq!(steps(&seen), [0, 1, 0]);
    }
}
