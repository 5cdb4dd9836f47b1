//! Tasks of a service that are over in ECS although their pods keep running: an essential container has ended, and the
//! kubelet restarts only that container; or a container that others wait for takes too long.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    pod_state::{ContainerSeen, Doing, PodState},
    start_timeout::{self, Start},
    stopped_tasks::SERVICE_SCHEDULER_INITIATED,
    target_health,
    task_lifecycle::{ESSENTIAL_CONTAINER_EXITED, TASK_FAILED_TO_START},
};

/// The wait after the first replacement. Each further one doubles it, as the kubelet's restarts do
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(300);
/// After this time without a replacement, the waits start over.
const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// The state of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It continues.
    GoesOn,
    /// It will be over at this time if nothing changes.
    Until(Timestamp),
    /// It is over.
    Over(Why),
}

/// Why a task is over although its pod keeps running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// An essential container, one of several, has ended.
    EssentialContainerExited,
    /// Its load balancer considers it unhealthy.
    TargetUnhealthy,
    /// A container that others wait for takes too long; contains the message.
    StartsTooLate(String),
}

impl Why {
    /// Returns the stop code of ECS.
    #[must_use]
    pub const fn stop_code(&self) -> &'static str {
        match self {
            Self::EssentialContainerExited => ESSENTIAL_CONTAINER_EXITED,
            Self::TargetUnhealthy => SERVICE_SCHEDULER_INITIATED,
            Self::StartsTooLate(_) => TASK_FAILED_TO_START,
        }
    }

    /// Returns the reason in the words of ECS.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::EssentialContainerExited => "Essential container in task exited",
            Self::TargetUnhealthy => "Task failed ELB health checks",
            Self::StartsTooLate(why) => why,
        }
    }
}

/// Returns whether the task of a pod is over. `grace` is `healthCheckGracePeriodSeconds`, in seconds.
#[must_use]
pub fn look(pod: &PodState, grace: i64, now: Timestamp) -> Standing {
    if is_over(pod) {
        return Standing::Over(Why::EssentialContainerExited);
    }
    if target_health::is_unhealthy(pod, grace, now) {
        return Standing::Over(Why::TargetUnhealthy);
    }
    let target = target_health::unhealthy_at(pod, grace);
    let start = match start_timeout::look(pod, now) {
        Start::InTime => None,
        Start::Until(time) => Some(time),
        Start::Late(why) => return Standing::Over(Why::StartsTooLate(why)),
    };
    match target.into_iter().chain(start).min() {
        Some(time) => Standing::Until(time),
        None => Standing::GoesOn,
    }
}

/// Whether an essential container, one of several, has ended and does not work again. A successful restart by the
/// kubelet is no reason to end a serving task.
fn is_over(pod: &PodState) -> bool {
    let has_ended = |container: &ContainerSeen| match container.state {
        Doing::Ended(_) => true,
        Doing::Waiting(..) => container.restarts > 0,
        Doing::Running { .. } => pod.waits_for_restart(container),
        Doing::Unknown => false,
    };
    // Without the annotation it is the only container, and a replacement would do nothing more than its restart.
    !pod.deleting
        && !pod.is_finished()
        && !pod.essential.is_empty()
        && pod
            .containers
            .iter()
            .any(|container| pod.is_essential(&container.name) && has_ended(container))
}

/// Returns which of these tasks, all over, to replace first, so that as few as possible are missing: a serving one only
/// if enough others serve. `None` if none may be replaced.
#[must_use]
pub fn first<'p>(
    over: &'p [(Arc<PodState>, Why)],
    pods: &[Arc<PodState>],
    healthy_minimum: i64,
) -> Option<&'p (Arc<PodState>, Why)> {
    let serves = |pod: &PodState| pod.ready && !pod.deleting;
    let serving = pods.iter().filter(|pod| serves(pod)).count();
    let serving = i64::try_from(serving).unwrap_or(i64::MAX);
    let may_go = |pod: &PodState| !serves(pod) || serving > healthy_minimum;
    let mut in_order: Vec<_> = over.iter().filter(|(pod, _)| may_go(pod)).collect();
    in_order.sort_by_key(|(pod, _)| (serves(pod), &pod.name));
    in_order.first().copied()
}

/// The replacements of a service's tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    count: u32,
    last: Option<Timestamp>,
    /// When a disruption budget last rejected an eviction.
    refused: Option<Timestamp>,
}

impl History {
    /// Returns how long to wait before tasks may be replaced; `None` if they may be now.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        let left = |since: Option<Timestamp>, wait: SignedDuration| {
            since.map(|since| wait - now.duration_since(since))
        };
        let wait = left(self.last, wait_after(self.count)).max(left(self.refused, FIRST_WAIT))?;
        wait.is_positive().then(|| wait.unsigned_abs())
    }

    /// Records a replacement.
    pub fn replaced(&mut self, now: Timestamp) {
        let is_quiet = |last: Timestamp| now.duration_since(last) >= QUIET;
        if self.last.is_some_and(is_quiet) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
    }

    /// Records a rejected eviction, which does not increase later waits.
    pub const fn refused(&mut self, now: Timestamp) {
        self.refused = Some(now);
    }
}

fn wait_after(count: u32) -> SignedDuration {
    let doublings = count.saturating_sub(1).min(5);
    (FIRST_WAIT * (1 << doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::{ContainerSeen, End};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn pod(essential: &[&str], containers: &[(&str, i32, bool)]) -> PodState {
        PodState {
            essential: essential.iter().map(|name| (*name).to_owned()).collect(),
            containers: containers
                .iter()
                .map(|(name, restarts, ended)| ContainerSeen {
                    name: (*name).to_owned(),
                    restarts: *restarts,
                    state: if *ended {
                        Doing::Ended(End::default())
                    } else {
                        Doing::Running {
                            since: Some(at(0)),
                            started: true,
                        }
                    },
                    ..ContainerSeen::default()
                })
                .collect(),
            ..PodState::default()
        }
    }

    #[test]
    fn an_essential_container_that_ended_beside_others_ends_the_task() {
        assert!(!is_over(&pod(
            &["app"],
            &[("app", 0, false), ("log", 3, true)]
        )));
        assert!(is_over(&pod(
            &["app"],
            &[("app", 1, false), ("log", 0, false)]
        )));
        assert!(is_over(&pod(
            &["app"],
            &[("app", 0, true), ("log", 0, false)]
        )));
        assert!(!is_over(&pod(&[], &[("app", 1, true)])), "it is alone");
        let mut ending = pod(&["app"], &[("app", 1, true)]);
        ending.deleting = true;
        assert!(!is_over(&ending));
    }

    #[test]
    fn a_container_that_works_again_is_not_over() {
        let mut again = pod(&["app"], &[("app", 3, false), ("log", 0, false)]);
        assert!(is_over(&again));
        again.containers[0].ready = true;
        assert!(!is_over(&again));
    }

    #[test]
    fn one_that_worked_since_it_was_started_again_is_not_over_when_a_kubelet_starts_anew() {
        let mut pod = pod(&["app"], &[("app", 3, false), ("log", 0, false)]);
        for (lost, over) in [
            (-1, true),
            (0, true),
            (2, true),
            (3, false),
            (86_400, false),
        ] {
            pod.ready_since = Some(at(lost));
            assert_eq!(is_over(&pod), over, "not ready since {lost}");
        }
        pod.ready = true;
        assert!(!is_over(&pod));
    }

    #[test]
    fn a_task_that_serves_goes_only_if_the_others_are_enough() {
        let task = |name: &str, ready| {
            Arc::new(PodState {
                name: name.to_owned(),
                ready,
                ..PodState::default()
            })
        };
        let pods = [task("a", true), task("b", true), task("c", false)];
        let over = |names: &[usize]| -> Vec<(Arc<PodState>, Why)> {
            names
                .iter()
                .map(|i| (pods[*i].clone(), Why::TargetUnhealthy))
                .collect()
        };
        for (names, minimum, expected) in [
            (&[0, 1, 2][..], 2, Some("c")),
            (&[0, 1], 2, None),
            (&[0, 1], 1, Some("a")),
            (&[], 0, None),
        ] {
            let over = over(names);
            let first = first(&over, &pods, minimum);
            assert_eq!(first.map(|(pod, _)| pod.name.as_str()), expected);
        }
    }

    #[test]
    fn waits_double_up_to_five_minutes() {
        let mut history = History::default();
        let mut now = Timestamp::UNIX_EPOCH;
        assert_eq!(history.wait(now), None);
        history.replaced(now);
        for expected in [10, 20, 40, 80, 160, 300, 300] {
            let wait = history.wait(now).expect("it is too early");
            assert_eq!(wait, Duration::from_secs(expected));
            now += SignedDuration::from_secs(i64::try_from(expected).expect("it is small"));
            assert_eq!(history.wait(now), None);
            history.replaced(now);
        }
        now += QUIET;
        assert_eq!(history.wait(now), None);
        history.replaced(now);
        assert_eq!(history.wait(now), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_task_that_may_not_go_is_tried_again_at_the_same_pace() {
        let mut history = History::default();
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..5 {
            history.refused(now);
            assert_eq!(history.wait(now), Some(Duration::from_secs(10)));
            now += FIRST_WAIT;
            assert_eq!(history.wait(now), None);
        }
        history.replaced(now);
        assert_eq!(history.wait(now), Some(Duration::from_secs(10)));
    }
}
