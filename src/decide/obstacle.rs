//! What keeps a task from running, while that may pass.

use super::{
    placement,
    pod_state::{Doing, PodState},
};
use crate::diagnostic::{StateReason, StatusReason};

/// What keeps a task from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The reason of conditions and events.
    pub code: StatusReason,
    /// The full message.
    pub message: String,
}

/// Returns what keeps the pod of a task from running, if anything.
#[must_use]
pub fn of_pod(pod: &PodState) -> Option<Obstacle> {
    if pod.deleting || pod.is_finished() || pod.gated {
        return None;
    }
    match &pod.unschedulable {
        Some(why) if !pod.scheduled => {
            let (code, message) = unplaced(pod, why);
            let code = code.into();
            Some(Obstacle { code, message })
        }
        _ => pod
            .containers
            .iter()
            .find_map(|container| of_container(&container.state)),
    }
}

/// Returns why a pod has no node: a reason, and the scheduler's message with that of ECS.
pub(super) fn unplaced(pod: &PodState, why: &str) -> (StateReason, String) {
    if pod.held_back {
        return (StateReason::SchedulingGated, why.to_owned());
    }
    (StateReason::UnableToPlaceTask, placement::explained(why))
}

/// Returns why a container does not start.
#[must_use]
pub fn of_container(state: &Doing) -> Option<Obstacle> {
    let Doing::Waiting(reason, message) = state else {
        return None;
    };
    let code = of_waiting(reason)?;
    Some(Obstacle {
        code: code.into(),
        message: format!("{code}: {message}"),
    })
}

/// Returns the ECS reason for a container that the kubelet reports as waiting; `None` if that is not a problem yet
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html>).
#[must_use]
pub(super) fn of_waiting(reason: &str) -> Option<StateReason> {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
            Some(StateReason::CannotPullContainerError)
        }
        "CreateContainerConfigError" | "CreateContainerError" => {
            Some(StateReason::CannotCreateContainerError)
        }
        "RunContainerError" => Some(StateReason::CannotStartContainerError),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::ContainerSeen;

    fn unscheduled(why: &str) -> PodState {
        PodState {
            unschedulable: Some(why.to_owned()),
            ..PodState::default()
        }
    }

    #[test]
    fn a_pod_without_a_node_says_why_in_both_languages() {
        let why = "0/3 nodes are available: 3 Insufficient cpu.";
        let obstacle = of_pod(&unscheduled(why)).expect("it has no node");
        assert_eq!(obstacle.code, StateReason::UnableToPlaceTask.into());
        assert_eq!(
            obstacle.message,
            "unable to place a task because no container instance met all of its requirements. The closest matching container instance has insufficient CPU units available. 0/3 nodes are available: 3 Insufficient cpu: add nodes or larger ones, or lower cpu in the task definition"
        );
    }

    #[test]
    fn a_pod_that_is_held_back_is_not_called_unplaceable() {
        let why = "Scheduling is blocked due to non-empty scheduling gates";
        let mut pod = unscheduled(why);
        pod.held_back = true;
        let code = |pod: &PodState| of_pod(pod).map(|obstacle| obstacle.code);
        assert_eq!(code(&pod), Some(StateReason::SchedulingGated.into()));
        pod.gated = true;
        assert_eq!(code(&pod), None, "the operator holds it back itself");
    }

    #[test]
    fn a_container_that_cannot_start_says_why() {
        for (reason, code) in [
            ("ErrImagePull", Some(StateReason::CannotPullContainerError)),
            (
                "CreateContainerConfigError",
                Some(StateReason::CannotCreateContainerError),
            ),
            (
                "RunContainerError",
                Some(StateReason::CannotStartContainerError),
            ),
            ("ContainerCreating", None),
        ] {
            let pod = PodState {
                scheduled: true,
                containers: vec![ContainerSeen {
                    state: Doing::Waiting(reason.to_owned(), "no such thing".to_owned()),
                    ..ContainerSeen::default()
                }],
                ..PodState::default()
            };
            let seen = of_pod(&pod);
            let message = code.map(|code| format!("{code}: no such thing"));
            assert_eq!(
                seen.as_ref().map(|it| it.code),
                code.map(Into::into),
                "{reason}"
            );
            assert_eq!(seen.map(|it| it.message), message);
        }
    }
}
