//! Whether tasks are left that may use what is no longer wanted.

use std::sync::Arc;

use super::pod_state::{Phase, PodState};

/// The state of a service's tasks.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    /// Its pods.
    pub pods: &'a [Arc<PodState>],
    /// The label of the wanted pods.
    pub wanted: &'a str,
    /// The number of pods of unwanted workloads.
    pub of_unwanted: i64,
    /// Whether tasks of another revision may be brought back.
    pub may_return: bool,
    /// Whether a wanted workload reports pods of an older template, or does not report yet.
    pub of_older_templates: bool,
}

/// Whether old tasks exist or may be brought back: they serve, may restart, or need their objects while they end. This
/// looks at pods and workloads, because workloads do not count terminating pods, and may count pods that are not known
/// yet.
#[must_use]
pub fn are_left(there: There<'_>) -> bool {
    let is_old =
        |pod: &Arc<PodState>| !has_ended(pod) && pod.revision.as_deref() != Some(there.wanted);
    there.may_return
        || there.of_older_templates
        || there.of_unwanted > 0
        || there.pods.iter().any(is_old)
}

/// Whether no container of a pod will run again. An evicted pod exists until someone deletes it.
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
