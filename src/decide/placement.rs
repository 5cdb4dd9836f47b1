//! Why a task finds no node, in the words of ECS
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).

/// The ECS meaning of a scheduler message, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The reason in the words of ECS.
    pub reason: &'static str,
    /// What to do.
    pub advice: &'static str,
}

const NO_VOLUME: &str =
    "no container instance met all of its requirements. A volume of the task is not available.";

/// The ECS meanings of parts of scheduler messages. The first match applies.
const MEANINGS: &[(&str, Meaning)] = &[
    (
        "Insufficient cpu",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance has insufficient CPU units available.",
            advice: "add nodes or larger ones, or lower cpu in the task definition",
        },
    ),
    (
        "Insufficient memory",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance has insufficient memory available.",
            advice: "add nodes or larger ones, or lower memory in the task definition",
        },
    ),
    (
        "Insufficient nvidia.com/",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance has insufficient GPU resource available.",
            advice: "add nodes with GPUs",
        },
    ),
    (
        "free ports",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance is already using a port required by your task.",
            advice: "add nodes, or leave hostPort out",
        },
    ),
    (
        "Too many pods",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance has no room for another task.",
            advice: "add nodes",
        },
    ),
    (
        "node affinity",
        Meaning {
            reason: "no container instance met all of its requirements. The closest matching container instance is missing an attribute required by your task.",
            advice: "correct placementConstraints, launchType or the capacity provider, or label nodes accordingly",
        },
    ),
    (
        "were unschedulable",
        Meaning {
            reason: "no container instance met all of its requirements. The container instances are DRAINING.",
            advice: "add nodes, or let them take tasks again with kubectl uncordon",
        },
    ),
    (
        "untolerated taint",
        Meaning {
            reason: "no container instance met all of its requirements. The container instances are reserved for other tasks or not ready.",
            advice: "add nodes, or check their taints with kubectl describe nodes",
        },
    ),
    (
        "no nodes available",
        Meaning {
            reason: "no container instances were found in your cluster.",
            advice: "add nodes",
        },
    ),
    (
        "is being deleted",
        Meaning {
            reason: NO_VOLUME,
            advice: "wait for the end of the tasks that still mount it, or end them: then its claim is created again",
        },
    ),
    // The scheduler writes it in both ways.
    (
        "ersistentVolumeClaim",
        Meaning {
            reason: NO_VOLUME,
            advice: "find the cause with kubectl describe pvc",
        },
    ),
    (
        "persistentvolumeclaim",
        Meaning {
            reason: NO_VOLUME,
            advice: "find the cause with kubectl describe pvc",
        },
    ),
];

/// Returns the ECS meaning of the scheduler's message.
#[must_use]
pub fn meaning(scheduler: &str) -> Meaning {
    let mut meanings = MEANINGS.iter();
    let known = meanings.find(|(words, _)| scheduler.contains(words));
    known.map_or(
        Meaning {
            reason: "no container instance met all of its requirements.",
            advice: "change the requirements of the task, or add nodes that meet them",
        },
        |(_, meaning)| *meaning,
    )
}

/// Describes why a task finds no node, in the words of ECS and of the scheduler, and what to do.
#[must_use]
pub fn explained(scheduler: &str) -> String {
    let Meaning { reason, advice } = meaning(scheduler);
    let said = scheduler.trim_end().trim_end_matches('.');
    format!("unable to place a task because {reason} {said}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_is_translated() {
        for (said, meant) in [
            (
                "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
                "insufficient CPU units available.",
            ),
            (
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
                "a port required by your task.",
            ),
            (
                "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
                "an attribute required by your task.",
            ),
            (
                "no nodes available to schedule pods",
                "no container instances were found in your cluster.",
            ),
            (
                "0/1 nodes are available: 1 node(s) were unschedulable.",
                "instances are DRAINING.",
            ),
            (
                "0/3 nodes are available: persistentvolumeclaim \"efs-1838011a93\" not found.",
                "A volume of the task is not available.",
            ),
            ("something else", "met all of its requirements."),
        ] {
            let reason = meaning(said).reason;
            assert!(reason.ends_with(meant), "{said}: {reason}");
        }
    }

    #[test]
    fn a_claim_that_is_being_deleted_needs_no_other_nodes() {
        let said = explained(
            "0/3 nodes are available: persistentvolumeclaim \"efs-1838011a93\" is being deleted. not found",
        );
        assert!(
            said.contains("A volume of the task is not available."),
            "{said}"
        );
        assert!(
            said.contains(": wait for the end of the tasks that still mount it"),
            "{said}"
        );
    }

    #[test]
    fn what_to_do_is_told_after_the_words_of_the_scheduler() {
        let said = explained("0/1 nodes are available: 1 Insufficient cpu.");
        let end = "available. 0/1 nodes are available: 1 Insufficient cpu: add nodes or larger ones, or lower cpu in the task definition";
        assert!(said.ends_with(end), "{said}");
    }
}
