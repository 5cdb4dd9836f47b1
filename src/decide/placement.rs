//! Why a task finds no node, in the words of ECS
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>).

/// What the scheduler's words mean in ECS's, the first that fits.
const MEANINGS: &[(&str, &str)] = &[
    (
        "Insufficient cpu",
        "no container instance met all of its requirements. The closest matching container instance has insufficient CPU units available.",
    ),
    (
        "Insufficient memory",
        "no container instance met all of its requirements. The closest matching container instance has insufficient memory available.",
    ),
    (
        "Insufficient nvidia.com/gpu",
        "no container instance met all of its requirements. The closest matching container instance has insufficient GPU resource available.",
    ),
    (
        "free ports",
        "no container instance met all of its requirements. The closest matching container instance is already using a port required by your task.",
    ),
    (
        "Too many pods",
        "no container instance met all of its requirements. The closest matching container instance has no room for another task.",
    ),
    (
        "node affinity",
        "no container instance met all of its requirements. The closest matching container instance is missing an attribute required by your task.",
    ),
    (
        "untolerated taint",
        "no container instance met all of its requirements. The container instances are reserved for other tasks or not ready.",
    ),
    (
        "no nodes available",
        "no container instances were found in your cluster.",
    ),
    (
        "ersistentVolumeClaim",
        "no container instance met all of its requirements. A volume of the task is not available.",
    ),
];

/// What the scheduler's reason would be called in ECS.
#[must_use]
pub fn reason(scheduler: &str) -> &'static str {
    MEANINGS
        .iter()
        .find(|(words, _)| scheduler.contains(words))
        .map_or(
            "no container instance met all of its requirements.",
            |(_, meaning)| meaning,
        )
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
            ("something else", "met all of its requirements."),
        ] {
            assert!(reason(said).ends_with(meant), "{said}: {}", reason(said));
        }
    }
}
