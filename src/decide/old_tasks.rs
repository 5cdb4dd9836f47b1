//! Whether tasks are left that may use what is not wanted any more.

use std::sync::Arc;

use super::pod_state::{Phase, PodState};

/// What there is of the tasks of a service.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Its pods.
    pub pods: &'a [Arc<PodState>],
    /// The label of those that are wanted.
    pub wanted: &'a str,
    /// How many pods there are of workloads that are not wanted.
    pub of_unwanted: i64,
    /// Whether tasks of another revision may be brought back.
    pub may_return: bool,
    /// Whether a workload that is wanted says that it has pods of an older template, or does not say yet.
    pub of_older_templates: bool,
}

/// Whether old tasks are left, or may be brought back: they serve, start again, or need what they have while they end. Workloads do not count pods
/// that are told to go, and pods may not be known yet that workloads count.
#[must_use]
pub fn are_left(there: There<'_>) -> bool {
    let is_old =
        |pod: &Arc<PodState>| !has_ended(pod) && pod.revision.as_deref() != Some(there.wanted);
    there.may_return
        || there.of_older_templates
        || there.of_unwanted > 0
        || there.pods.iter().any(is_old)
}

/// Whether no container of a pod will run again. One that was evicted is there until somebody deletes it.
const fn has_ended(pod: &PodState) -> bool {
    matches!(pod.phase, Phase::Succeeded | Phase::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(revision: Option<&str>) -> PodState {
        PodState {
            revision: revision.map(str::to_owned),
            phase: Phase::Running,
            ..PodState::default()
        }
    }

    fn left(pod: PodState) -> bool {
        are_left(There {
            pods: &[Arc::new(pod)],
            wanted: "new",
            of_unwanted: 0,
            may_return: false,
            of_older_templates: false,
        })
    }

    #[test]
    fn a_task_of_another_revision_is_left_until_it_has_ended() {
        let old = || pod(Some("old"));
        assert!(left(old()));
        assert!(left(PodState {
            deleting: true,
            ..old()
        }));
        assert!(left(pod(None)), "nobody knows what it needs");
        assert!(!left(pod(Some("new"))));
        assert!(!left(PodState {
            phase: Phase::Failed,
            ..old()
        }));
    }

    #[test]
    fn what_only_workloads_tell_counts_too() {
        let none = There {
            may_return: false,
            pods: &[],
            wanted: "new",
            of_unwanted: 0,
            of_older_templates: false,
        };
        assert!(!are_left(none));
        assert!(are_left(There {
            may_return: true,
            ..none
        }));
        assert!(are_left(There {
            of_unwanted: 1,
            ..none
        }));
        assert!(are_left(There {
            of_older_templates: true,
            ..none
        }));
    }
}
