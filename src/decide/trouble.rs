//! What keeps the tasks of a service from running: the reason, in the words of ECS if it has any, and what to do.

use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    obstacle,
    pod_state::{ContainerSeen, Doing, End, PodState},
};
use crate::diagnostic::StateReason;

/// What keeps a task from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The reason of events.
    pub reason: StateReason,
    /// The cause, and what to do.
    pub message: String,
}

/// How long a pod may have no node before that is reported: a new claim takes a moment until it is bound.
const PLACEMENT: SignedDuration = SignedDuration::from_secs(5);

/// The troubles of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Each trouble once, the most serious first.
    pub known: Vec<Trouble>,
    /// When there will be another one if nothing changes.
    pub next: Option<Timestamp>,
}

/// Returns the troubles of a service. `not_created` is why the API server creates no pod.
#[must_use]
pub fn troubles(pods: &[Arc<PodState>], not_created: Option<&str>, now: Timestamp) -> Troubles {
    let mut troubles = Troubles {
        known: not_created.map(of_creation).into_iter().collect(),
        next: None,
    };
    for pod in pods {
        let Some(trouble) = of_pod(pod) else { continue };
        let due = pod
            .unschedulable_seen
            .and_then(|seen| seen.checked_add(PLACEMENT).ok());
        if let Some(due) = due.filter(|due| *due > now) {
            troubles.next = troubles.next.into_iter().chain([due]).min();
        } else if !troubles.known.contains(&trouble) {
            troubles.known.push(trouble);
        }
    }
    troubles
}

/// Returns the trouble of pods that the API server does not create.
#[must_use]
pub fn of_creation(message: &str) -> Trouble {
    const ADVICE: &[(&str, &str)] = &[
        (
            "exceeded quota",
            "raise the ResourceQuota of the namespace, or lower desiredCount, cpu or memory",
        ),
        (
            "failed quota",
            "set cpu and memory in the task definition, as the ResourceQuota of the namespace requires",
        ),
        (
            "violates PodSecurity",
            "change the task definition, or the label pod-security.kubernetes.io/enforce of the namespace",
        ),
        (
            "serviceaccount",
            "create the ServiceAccount that it names, or wait until the operator creates it",
        ),
        (
            "usage per",
            "change cpu and memory so that they fit the LimitRange of the namespace",
        ),
        (
            "webhook",
            "check why that admission webhook rejects the pod or does not respond",
        ),
    ];
    let advice = ADVICE.iter().find(|(words, _)| message.contains(words));
    let advice = advice.map_or("check what rejects the pod", |(_, advice)| advice);
    Trouble {
        reason: StateReason::TaskNotCreated,
        message: format!(
            "was unable to place a task because it cannot be created: {message}: {advice}"
        ),
    }
}

/// Returns the trouble of a DaemonSet that creates no pods although the API server would accept them.
#[must_use]
pub fn without_pods(daemon_set: &str) -> Trouble {
    Trouble {
        reason: StateReason::TaskNotCreated,
        message: format!(
            "was unable to place a task because the DaemonSet {daemon_set} creates no pod: find the cause with kubectl describe daemonset {daemon_set}"
        ),
    }
}

/// Returns what keeps the task of a pod from running; `None` if nothing does or it is about to end.
#[must_use]
pub fn of_pod(pod: &PodState) -> Option<Trouble> {
    if pod.deleting {
        return None;
    }
    let trouble = |reason, message| Some(Trouble { reason, message });
    if let Some(why) = &pod.unschedulable {
        let (reason, message) = obstacle::unplaced(pod, why);
        let message = match reason {
            StateReason::SchedulingGated => format!(
                "a task is held back from the scheduler: {message}: check what added a scheduling gate to its pod"
            ),
            _ => format!("was {message}"),
        };
        return trouble(reason, message);
    }
    let mut containers = pod.containers.iter();
    if let Some(found) = containers.find_map(|container| of_container(pod, container)) {
        return Some(found);
    }
    if let Some((reason, message)) = &pod.ended {
        return trouble(
            StateReason::TaskStopped,
            format!("a task was stopped: {reason}: {message}"),
        );
    }
    pod.unready_since?;
    if pod.behind_load_balancer && !pod.fails_target_checks {
        return trouble(
            StateReason::TargetNotHealthyYet,
            "a load balancer does not consider a task healthy yet: check its target group, and whether its controller is running".to_owned(),
        );
    }
    if pod.behind_load_balancer {
        return trouble(
            StateReason::TargetUnhealthy,
            "a task fails the health checks of its load balancer: check the target group's health check and the security groups".to_owned(),
        );
    }
    let node = pod.node.as_deref().unwrap_or_default();
    trouble(
        StateReason::NodeNotReady,
        format!("the node {node} of a task does not respond: see kubectl describe node {node}"),
    )
}

/// Returns what keeps a container from running.
fn of_container(pod: &PodState, container: &ContainerSeen) -> Option<Trouble> {
    let name = &container.name;
    match &container.state {
        Doing::Waiting(reason, _) if reason == "CrashLoopBackOff" => container
            .last_end
            .as_ref()
            .map(|end| of_end(pod, container, end)),
        Doing::Waiting(reason, message) => {
            let reason = obstacle::of_waiting(reason)?;
            let message = match reason {
                StateReason::CannotPullContainerError => format!(
                    "{reason}: container {name}: {message}: correct its image, or allow the nodes to pull it"
                ),
                _ => format!(
                    "container {name} cannot be started: {message}: create the missing object, or correct the task definition"
                ),
            };
            Some(Trouble { reason, message })
        }
        Doing::Ended(end) if !container.init || container.sidecar || end.exit_code != 0 => {
            Some(of_end(pod, container, end))
        }
        Doing::Running { .. } if pod.waits_for_restart(container) => container
            .last_end
            .as_ref()
            .map(|end| of_end(pod, container, end)),
        Doing::Unknown | Doing::Running { .. } | Doing::Ended(_) => None,
    }
}

fn of_end(pod: &PodState, container: &ContainerSeen, end: &End) -> Trouble {
    let name = &container.name;
    let what = kind(pod, container);
    if end.reason == "OOMKilled" {
        return Trouble {
            reason: StateReason::OutOfMemoryError,
            message: format!(
                "OutOfMemoryError: container {name} was killed due to its memory usage: raise its memory"
            ),
        };
    }
    if fails_checks(container) {
        return Trouble {
            reason: StateReason::HealthCheckFailed,
            message: format!(
                "container {name} failed its health check: see its healthCheck, and its log with ecs-operator logs --previous"
            ),
        };
    }
    if container.checked && end.exit_code == 0 {
        // A container that handles SIGTERM ends as if by itself.
        return Trouble {
            reason: StateReason::ContainerExited,
            message: format!(
                "{what} {name} exited with code 0, by itself or because it failed its health check: see its healthCheck, and its log with ecs-operator logs --previous"
            ),
        };
    }
    Trouble {
        reason: StateReason::ContainerExited,
        message: format!(
            "{what} {name} exited with code {}: see its log with ecs-operator logs --previous",
            end.exit_code
        ),
    }
}

/// Returns what a container is. The end of one that is essential ends the task in ECS, and that of an init container
/// keeps the others from starting.
fn kind(pod: &PodState, container: &ContainerSeen) -> &'static str {
    let mut beside = pod
        .containers
        .iter()
        .filter(|other| !other.init || other.sidecar);
    // Only pods of several containers name the essential ones, and not all of those.
    let essential = if pod.essential.is_empty() {
        beside.all(|other| other.name == container.name)
    } else {
        pod.is_essential(&container.name)
    };
    if container.init && !container.sidecar {
        "init container"
    } else if essential {
        "essential container"
    } else {
        "container"
    }
}

/// Whether a container was ended because of its health check: it has one, and did not end by itself.
#[must_use]
pub fn fails_checks(container: &ContainerSeen) -> bool {
    let end = match &container.state {
        Doing::Ended(end) => Some(end),
        Doing::Unknown | Doing::Waiting(..) | Doing::Running { .. } => container.last_end.as_ref(),
    };
    end.is_some_and(|end| was_ended_by_check(container, end))
}

/// Whether the health check caused this end of a container.
#[must_use]
pub(super) fn was_ended_by_check(container: &ContainerSeen, end: &End) -> bool {
    container.checked && matches!(end.exit_code, 137 | 143) && end.reason != "OOMKilled"
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn pod(container: ContainerSeen) -> PodState {
        PodState {
            containers: vec![ContainerSeen {
                name: "app".to_owned(),
                ..container
            }],
            ..PodState::default()
        }
    }

    fn ended(exit_code: i32, reason: &str) -> End {
        End {
            exit_code,
            reason: reason.to_owned(),
            at: None,
        }
    }

    fn waiting(reason: &str, message: &str) -> Doing {
        Doing::Waiting(reason.to_owned(), message.to_owned())
    }

    const RUNNING: Doing = Doing::Running {
        since: None,
        started: false,
    };

    #[test]
    fn each_trouble_says_why_and_what_to_do() {
        let of = |container| of_pod(&pod(container)).map(|it| (it.reason, it.message));
        let again = |end, checked| ContainerSeen {
            state: RUNNING,
            restarts: 4,
            last_end: Some(end),
            checked,
            ..ContainerSeen::default()
        };
        for (container, reason, says) in [
            (
                ContainerSeen {
                    state: waiting("ErrImagePull", "example:nope: not found"),
                    ..ContainerSeen::default()
                },
                StateReason::CannotPullContainerError,
                "CannotPullContainerError: container app: example:nope: not found: correct its image, or allow the nodes to pull it",
            ),
            (
                ContainerSeen {
                    state: waiting("CreateContainerConfigError", "secret \"db\" not found"),
                    ..ContainerSeen::default()
                },
                StateReason::CannotCreateContainerError,
                "container app cannot be started: secret \"db\" not found: create the missing object, or correct the task definition",
            ),
            (
                ContainerSeen {
                    state: waiting("CrashLoopBackOff", "back-off"),
                    last_end: Some(ended(3, "Error")),
                    ..ContainerSeen::default()
                },
                StateReason::ContainerExited,
                "essential container app exited with code 3: see its log with ecs-operator logs --previous",
            ),
            (
                again(ended(137, "OOMKilled"), true),
                StateReason::OutOfMemoryError,
                "OutOfMemoryError: container app was killed due to its memory usage: raise its memory",
            ),
            (
                again(ended(0, "Completed"), true),
                StateReason::ContainerExited,
                "essential container app exited with code 0, by itself or because it failed its health check: see its healthCheck, and its log with ecs-operator logs --previous",
            ),
            (
                again(ended(137, "Error"), true),
                StateReason::HealthCheckFailed,
                "container app failed its health check: see its healthCheck, and its log with ecs-operator logs --previous",
            ),
        ] {
            assert_eq!(of(container), Some((reason, says.to_owned())));
        }
        let kinds = [
            (true, false, true, "init container app exited"),
            (true, true, false, "container app exited"),
            (false, false, false, "container app exited"),
            (false, false, true, "essential container app exited"),
        ];
        for (init, sidecar, essential, says) in kinds {
            let mut seen = pod(ContainerSeen {
                init,
                sidecar,
                state: Doing::Ended(ended(1, "Error")),
                ..ContainerSeen::default()
            });
            seen.essential = vec![if essential { "app" } else { "other" }.to_owned()];
            let message = of_pod(&seen).map(|trouble| trouble.message);
            assert!(
                message.is_some_and(|message| message.starts_with(says)),
                "{says}"
            );
        }
        let works = ContainerSeen {
            ready: true,
            ..again(ended(1, "Error"), false)
        };
        assert_eq!(of(works), None, "it works again");
        // It worked for a day, until its kubelet was restarted.
        let at = |second| Timestamp::from_second(second).expect("it is in range");
        let mut checked_again = pod(again(ended(1, "Error"), false));
        checked_again.containers[0].state = Doing::Running {
            since: Some(at(0)),
            started: false,
        };
        for (lost, is_trouble) in [(1, true), (86_400, false)] {
            checked_again.ready_since = Some(at(lost));
            assert_eq!(of_pod(&checked_again).is_some(), is_trouble, "{lost}");
        }
    }

    #[test]
    fn what_is_not_ready_without_an_end_is_a_target_or_a_node() {
        let unready = |behind_load_balancer| PodState {
            unready_since: Some(Timestamp::UNIX_EPOCH),
            behind_load_balancer,
            node: Some("node-1".to_owned()),
            ..PodState::default()
        };
        let reason = |pod: &PodState| of_pod(pod).map(|it| it.reason);
        let mut target = unready(true);
        assert_eq!(reason(&target), Some(StateReason::TargetNotHealthyYet));
        target.fails_target_checks = true;
        assert_eq!(reason(&target), Some(StateReason::TargetUnhealthy));
        assert_eq!(reason(&unready(false)), Some(StateReason::NodeNotReady));
        let ending = PodState {
            deleting: true,
            ..unready(true)
        };
        assert_eq!(reason(&ending), None);
    }

    #[test]
    fn what_cannot_be_created_says_who_refuses_it() {
        for (message, advice) in [
            (
                "pods \"web\" is forbidden: exceeded quota: q",
                "raise the ResourceQuota",
            ),
            (
                "pods \"web\" is forbidden: violates PodSecurity \"restricted\"",
                "pod-security.kubernetes.io/enforce",
            ),
            (
                "serviceaccount \"x\" not found",
                "create the ServiceAccount",
            ),
            ("maximum cpu usage per Container is 1", "LimitRange"),
            (
                "admission webhook \"a.b\" denied the request",
                "admission webhook",
            ),
            ("something else", "check what rejects the pod"),
        ] {
            let said = of_creation(message).message;
            assert!(said.contains(message) && said.contains(advice), "{said}");
        }
    }

    #[test]
    fn each_is_said_once() {
        let one = Arc::new(pod(ContainerSeen {
            state: waiting("ErrImagePull", "not found"),
            ..ContainerSeen::default()
        }));
        let said = troubles(&[one.clone(), one], Some("exceeded quota"), at(0)).known;
        let reasons: Vec<_> = said.iter().map(|it| it.reason).collect();
        assert_eq!(
            reasons,
            [
                StateReason::TaskNotCreated,
                StateReason::CannotPullContainerError
            ]
        );
    }

    #[test]
    fn a_pod_that_gets_its_node_within_a_moment_is_no_trouble() {
        let unplaced = PodState {
            unschedulable: Some("0/1 nodes are available".to_owned()),
            ..PodState::default()
        };
        let first = unplaced.clone().seen(None, at(10));
        // Whatever the scheduler reports in between, it is the same wait.
        let pods = [Arc::new(unplaced.seen(Some(&first), at(12)))];
        let early = troubles(&pods, None, at(14));
        assert_eq!((early.known.len(), early.next), (0, Some(at(15))));
        let late = troubles(&pods, None, at(15));
        assert_eq!((late.known.len(), late.next), (1, None));
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }
}
